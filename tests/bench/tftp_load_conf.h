/*
 * What tftp_load is told on its command line.
 */
#ifndef TESTS_BENCH_TFTP_LOAD_CONF_H
#define TESTS_BENCH_TFTP_LOAD_CONF_H

#include "tests/bench/fetch.h"

#include <netinet/in.h>

#define TFTP_LOAD_DROPS   8
#define TFTP_LOAD_CLIENTS 65000

/* A packet that is lost once in each transfer. */
struct tftp_load_drop {
	char kind; /* first letter of rrq, oack, data, ack */
	bool last; /* of the file */
	uint64_t block;
};

struct tftp_load_conf {
	struct fetch_want want;
	struct sockaddr_in server;
	uint32_t net; /* the first client's address, in host order */
	unsigned nclients;
	uint64_t spin_us, stagger_us, limit_us;
	uint32_t loss; /* of UINT32_MAX */
	uint64_t seed;
	bool express;
	struct tftp_load_drop drops[TFTP_LOAD_DROPS];
	size_t ndrops;
};

/* Exits on misuse, and after --write. */
void tftp_load_conf_read(struct tftp_load_conf *c, int argc, char *argv[]);

#endif
