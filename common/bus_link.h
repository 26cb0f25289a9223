/*
 * A front daemon's connection to one handlerd: a raw REQ socket of nng that dials one URL for as
 * long as it exists, and what nng's threads tell of it.
 *
 * nng 1.5 can stop to take connections down, for the whole process: a connection that ends while a
 * message is being read leaves its reaper thread waiting for a callback that never comes.  No
 * socket that was connected then learns of a loss or dials again; a new one works.  So a link
 * without a sign of life is given up by its owner and a new one opened (bus_client.c).  That
 * bridges the time until a new process takes over: each vain try to connect then leaves a
 * descriptor behind, which keeps nng's poller busy.
 */
#ifndef COMMON_BUS_LINK_H
#define COMMON_BUS_LINK_H

#include "common/wire.h"

#include <nng/nng.h>
#include <stdbool.h>

struct bus_link;
struct bus_closing;

struct bus_link_conf {
	const char *url;             /* must stay until the link is closed */
	const char *tls_ca;          /* PEM file, for tls+tcp */
	const char *tls_certificate; /* PEM file with certificate and key */
	bool slow; /* nng hangs: dials every BUS_SLOW_DIAL_MS, not after 50 to 500 ms */
};

#define BUS_SLOW_DIAL_MS 2000

/* Starts dialling; 0, or a negative errno after logging what is wrong with which URL. */
int bus_link_open(const struct bus_link_conf *conf, struct bus_link **ret);
/*
 * Gives the link up without waiting: nothing more comes of it.  *ret tells when it is closed, see
 * bus_nng.h; NULL when that cannot be told, because the means to close it were lacking.
 */
void bus_link_close(struct bus_link *l, struct bus_closing **ret);

/* Readable when a message waits, and when bus_link_state() may give something new. */
int bus_link_recv_fd(const struct bus_link *l);
int bus_link_wake_fd(const struct bus_link *l);

struct bus_link_state {
	bool connected;
	unsigned losses; /* connections that ended */
};

/* How things stand; what made the wake descriptor readable is taken. */
struct bus_link_state bus_link_state(struct bus_link *l);

/* Sends a message.  0, or -EAGAIN when there is no room now, or another negative errno. */
int bus_link_send(struct bus_link *l, struct slice message);
/* The next message that came, for nng_msg_free(); NULL if there is none. */
nng_msg *bus_link_recv(struct bus_link *l);

#endif
