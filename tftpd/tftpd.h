/*
 * tftpd: the TFTP server of one subnet.
 *
 * Each read request is a question to handlerd; its answer names a file below the content root,
 * holds bytes made for this machine, or refuses.  Without handlerd a new request gets silence, so
 * that the client asks again; transfers under way need nobody.
 *
 * The work is done by workers (worker.h): each has a thread, sockets and transfers of its own.
 */
#ifndef TFTPD_TFTPD_H
#define TFTPD_TFTPD_H

#include "common/front.h"

struct tftpd_conf {
	struct front_conf front;
	struct ipaddr address;
	struct ipaddr address6;
	int64_t port;
	char *root;
	struct config_ports transfer_ports;
	int64_t max_blksize;
	int64_t max_windowsize;
	bool allow_fragments;
	int64_t max_transfers;
	int64_t max_client_transfers;
	int64_t workers;
};

extern const struct config_table tftpd_config;

struct tftpd;

/* Binds the ports and opens the content root.  0, or a negative errno after logging why. */
int tftpd_open(struct tftpd **ret, struct tftpd_conf *conf, const struct opts *opts);
/* Gives up root, connects to handlerd and serves until SIGTERM. */
int tftpd_run(struct tftpd *d);
void tftpd_close(struct tftpd *d);

#endif
