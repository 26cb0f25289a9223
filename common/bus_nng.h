/* What both ends of the bus need of nng: its errors as ours, TLS, URLs. */
#ifndef COMMON_BUS_NNG_H
#define COMMON_BUS_NNG_H

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdbool.h>

/* A negative errno for an nng error; 0 stays 0. */
int bus_errno(int nng_error);
/* True for tls+tcp://. */
bool bus_url_is_tls(const char *url);
/* True for tcp://, which anybody who reaches the port can use. */
bool bus_url_is_open(const char *url);
/*
 * A new configuration that wants a certificate of `ca` from the other side and shows our own.
 * A client also wants the host of `url` among the names of that certificate; a server passes NULL.
 * 0, or a negative errno after logging which file is at fault.
 */
int bus_tls_new(const char *url, const char *ca, const char *certificate, nng_tls_config **ret);
/*
 * Closes a socket.  nng before 1.8 can wait for ever in nng_close() when messages are on their way
 * (nng's issue 1813): it is left to itself after BUS_CLOSE_MS, which costs what the socket holds
 * and only matters at the end of the process anyhow.
 */
void bus_close_socket(nng_socket socket);

/*
 * The same without waiting: a thread closes the socket, then calls `closed` (NULL: nothing), which
 * may free what nng's callbacks used.  0, with *ret to be given to bus_close_end(); or a negative
 * errno: the socket is still open.
 */
struct bus_closing;
typedef void bus_closed_fn(void *arg);
int bus_close_begin(nng_socket socket, bus_closed_fn *closed, void *arg, struct bus_closing **ret);
bool bus_close_is_done(struct bus_closing *c);
/* Waits for the end, BUS_CLOSE_MS at most, and not at all once a socket took longer. */
void bus_close_wait(struct bus_closing *c);
/* Asks no more; what goes on goes on.  NULL is allowed. */
void bus_close_end(struct bus_closing *c);

/*
 * Sends a message without waiting.  0: nng owns it; or an error of nng, then it is freed.
 */
int bus_send_message(nng_socket socket, nng_msg *m);

#define BUS_CLOSE_MS 1000

#endif
