/*
 * handlerd's end of the bus: takes requests, events and announcements, sends answers.  Belongs to
 * the thread of its loop.
 */
#ifndef COMMON_BUS_SERVER_H
#define COMMON_BUS_SERVER_H

#include "common/loop.h"
#include "common/msg.h"

struct bus_server;

/* Where an answer goes.  May be kept and used later. */
struct bus_reply {
	uint64_t id;
	uint64_t connection; /* by which it came; an answer for one that has ended is dropped */
};

/* Connections at the same time; further ones are refused. */
#define BUS_CONNECTIONS 1024

struct bus_server_stats {
	uint64_t messages;
	uint64_t requests;
	uint64_t answers;
	uint64_t events;
	uint64_t malformed;
	uint64_t versions;    /* messages of another version, dropped */
	uint64_t connections; /* open now */
	uint64_t refused;     /* connections beyond BUS_CONNECTIONS */
	uint64_t unread;      /* messages dropped as too many wait for their reader */
};

struct bus_server_ops {
	/* Each request must be answered by bus_answer(), now or later. */
	void (*request)(void *arg, const struct bus_reply *to, const struct boot_request *r);
	/*
	 * An event that this process has not confirmed yet.  False: it could not be stored; the
	 * sender will offer it again.
	 */
	bool (*event)(void *arg, uint64_t origin, const struct boot_event *e);
	void (*status)(void *arg, uint64_t origin, const struct daemon_status *s);
};

struct bus_server_conf {
	const char *const *urls;
	size_t nurls;
	const char *tls_ca;
	const char *tls_certificate;
	const struct bus_server_ops *ops;
	void *arg;
};

/*
 * Listens; a Unix socket gets mode 0660.  Starts threads: drop privileges first.  0, or a negative
 * errno after logging what is wrong with which URL.
 */
int bus_server_open(struct loop *loop, const struct bus_server_conf *conf, struct bus_server **ret);
void bus_server_close(struct bus_server *s);
/* Answers one request; answers given in one round leave as one message. */
void bus_answer(struct bus_server *s, const struct bus_reply *to, struct boot_answer *a);
void bus_server_stats(const struct bus_server *s, struct bus_server_stats *ret);

#endif
