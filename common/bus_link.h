/*
 * A front daemon's connection to one handlerd: dials one URL for as long as it exists, and again
 * when the connection ends.  Belongs to the thread of its loop.
 */
#ifndef COMMON_BUS_LINK_H
#define COMMON_BUS_LINK_H

#include "common/loop.h"
#include "common/wire.h"

#define BUS_DIAL_MIN_MS 50  /* between two attempts; twice as long after each, */
#define BUS_DIAL_MAX_MS 500 /* up to this, until a message has come */

struct bus_link;

/* Something changed, or messages wait.  The link must not be closed from within. */
typedef void bus_link_fn(void *arg);

struct bus_link_conf {
	const char *url;             /* must stay until the link is closed */
	const char *tls_ca;          /* PEM file, for tls+tcp */
	const char *tls_certificate; /* PEM file with certificate and key */
	bus_link_fn *fn;
	void *arg;
};

/*
 * Starts dialling; needs nobody to be there.  0, or a negative errno after logging what is wrong
 * with which URL.
 */
int bus_link_open(struct loop *loop, const struct bus_link_conf *conf, struct bus_link **ret);
/* NULL is allowed. */
void bus_link_close(struct bus_link *l);
/* Ends the connection, if there is one, and dials anew. */
void bus_link_renew(struct bus_link *l);

bool bus_link_is_connected(const struct bus_link *l);
/* Connections that ended so far. */
unsigned bus_link_losses(const struct bus_link *l);

/* Sends a message.  0, -EAGAIN when there is no room now, -ENOTCONN. */
int bus_link_send(struct bus_link *l, struct slice message);
/* The next message that came, valid until the next call; false if there is none now. */
bool bus_link_recv(struct bus_link *l, struct slice *ret);

#endif
