/*
 * What tls.c and stream.c share: a client's connection, and how bytes move between client, HTTP
 * engine and files.
 */
#ifndef HTTPSBOOTD_STREAM_H
#define HTTPSBOOTD_STREAM_H

#include "httpsbootd/gate.h"
#include "httpsbootd/tls.h"

#define PLAIN_BYTES (60 * 1024) /* taken from the engine or a file at once */
#define INPUT_BYTES (16 * 1024) /* taken from a client at once */

struct tls_conn {
	struct tls_front *front;
	struct tls_conn *next, **prev;
	struct tls_conn *ready_next, **ready_prev; /* NULL: not in that list */
	SSL *ssl;                                  /* NULL: plain HTTP */
	BIO *out;                                  /* of ssl, and owned by it */
	struct loop_fd client, engine;             /* engine.fd -1: none yet, or not any more */
	struct loop_timer timer;
	uint64_t moved_ms; /* when the client last sent or took something */
	int unconfirmed;   /* octets sent to it, when that was looked at last */
	struct sockaddr_storage peer;
	socklen_t peer_len;
	unsigned held; /* how many connections the engine still has of it */
	bool secure;
	bool gone;        /* lives on only because it is held */
	bool readable;    /* the client's socket may hold something */
	bool eof;         /* it will hold nothing more */
	bool lazy;        /* what waits is in no hurry, and goes with the next output */
	bool established; /* the handshake is over */
	bool client_done; /* sends no more */
	bool engine_done; /* the engine has closed its end: nothing more will come of it */
	bool broken;      /* to be ended at its next turn */
	bool file_failed; /* the body's: that is why it ends */
	bool timed_out;
	bool owed;    /* the client waits for us, not we for the client */
	bool lingers; /* all has been sent; what the client still sends is thrown away */
	struct gate gate;

	uint8_t *rest; /* output that the client has not taken yet; NULL: none */
	size_t rest_n, rest_off;
	uint64_t fed; /* to the engine, and not yet known to be a request that was answered */
	uint8_t *in;  /* input that the engine has not taken yet; NULL: none */
	size_t in_n, in_off;

	bool holding;  /* the engine writes the head of a body */
	uint8_t *head; /* of the body, until it has been sent; NULL: none, or sent */
	size_t head_n;
	struct delivery *body;
	bool starved; /* the client has all of it that is there */
};

struct tls_front {
	struct loop *loop;
	const struct tls_ops *ops;
	void *arg;
	struct tls_conn *conns, *ready;
	BIO_METHOD *bio;
	uint64_t idle_ms;
	size_t max_head;
	struct tls_stats stats;
	/* of the connection that has its turn: empty when the turn is over */
	uint8_t *out;
	size_t out_n, out_size;
	uint8_t plain[PLAIN_BYTES];
	uint8_t input[INPUT_BYTES];
	uint8_t room[INPUT_BYTES + GATE_ROOM]; /* of the gate */
};

/*
 * The BIO by which OpenSSL reads from a client's socket, and writes into the front's buffer.  Its
 * data is the struct tls_conn.  NULL: out of memory.
 */
BIO_METHOD *stream_bio_method(void);

/* Puts octets for the client into the turn's output.  False: out of memory, or the client is gone.
 */
bool stream_output(struct tls_conn *c, const uint8_t *p, size_t n);
/* True if the client shall take what waits before more is made for it. */
bool stream_is_blocked(const struct tls_conn *c);
/* stream_body.c: file to client.  False when the connection is broken. */
bool stream_pump_body(struct tls_conn *c);
/* Keeps the turn's output until there is more.  False when out of memory. */
bool stream_keep(struct tls_conn *c);
/* Sends what waits.  False when the client is gone. */
bool stream_flush(struct tls_conn *c);
/* Moves what can be moved.  False when the connection is over. */
bool stream_move(struct tls_conn *c);
/* Waits for what the state of the connection lets happen next. */
void stream_wait(struct tls_conn *c);
/* The connection gets its turn in tls_front_run(). */
void stream_make_ready(struct tls_conn *c);
void stream_drop_engine(struct tls_conn *c);

/* tls.c: moves what can be moved, and ends what is over. */
void tls_conn_serve(struct tls_conn *c);
/* tls.c: the engine gets its end of a pair.  0, or a negative errno. */
int tls_conn_connect(struct tls_conn *c);
/* tls.c */
void tls_conn_on_engine(void *arg, uint32_t events);

#endif
