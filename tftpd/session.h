/*
 * A client's request, from its RRQ to the end of its transfer.  There is one for each address and
 * port of clients: a new request from the same port ends the old one.
 */
#ifndef TFTPD_SESSION_H
#define TFTPD_SESSION_H

#include "tftpd/worker.h"

#define SESSION_REQUEST_MAX 1024 /* bytes of an RRQ */
#define SESSION_BYTES       400  /* the most that a transfer takes, beside its RRQ as it came */

struct session {
	struct worker *w;
	struct session *next, **prev; /* of its hash chain */
	TAILQ_ENTRY(session) queued;
	struct listen_path path;
	uint64_t boot;
	uint64_t question; /* the id at handlerd while it is asked, else 0 */
	struct served *served;
	struct transfer t;
	struct loop_timer timer;
	uint64_t number; /* among this worker's, in events */
	uint64_t began_ms;
	uint64_t told_ms, told_bytes; /* when progress was last told, and how much there was */
	uint64_t due_us;              /* TRANSFER_TICK; the timer may be set to an earlier time */
	/* what is to be sent */
	uint64_t first;
	uint32_t count;
	int32_t client; /* its place in struct clients */
	uint16_t name_n, request_n;
	uint8_t socket;
	uint8_t mode;  /* enum tftp_mode */
	uint8_t class; /* enum transfer_class, while in_queue */
	bool oack;     /* the OACK is to be sent */
	bool in_queue;
	bool gso;
	bool began;        /* the first block has left */
	uint8_t request[]; /* the RRQ as it came: the OACK and the log are made from it */
};

/* Takes an RRQ that tftp_parse() has read. */
void session_request(struct worker *w, const struct listen_path *path, struct slice bytes,
    const struct tftp_packet *p);
/* Takes an ACK or ERROR for a transfer; false if there is none to which it belongs. */
bool session_packet(
    struct worker *w, const struct listen_path *path, size_t socket, const struct tftp_packet *p);
/* The bus's callback; `arg` is the worker. */
void session_answer(void *arg, void *cookie, const struct boot_answer *answer);
/* Ends one without a word. */
void session_free(struct session *s);
/* Sends an ERROR packet at once. */
void session_send_error(struct worker *w, const struct listen_path *path, size_t socket,
    enum tftp_error code, struct slice text);

/* For the queue (queue.c).  Writes the OACK: its length, 0 if there is none. */
size_t session_oack(const struct session *s, uint8_t buf[static BATCH_PACKET]);
/* Blocks, or for `n` 0 the OACK, have left. */
void session_sent(struct session *s, uint64_t first, uint32_t n);
/* The file cannot be read any more. */
void session_broken(struct session *s);

#endif
