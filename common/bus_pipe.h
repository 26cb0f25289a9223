/*
 * One connection of the bus: whole messages over a stream of bytes (bus_frame.h).  Belongs to the
 * thread of its loop.
 *
 * Between hosts the stream is nng's (tcp, tls+tcp).  On one host it is a Unix socket that the loop
 * itself reads: the bytes are the same as on nng's ipc, but a message wakes one thread instead of
 * three.  nng's messaging sockets would take four wake-ups a message and direction.
 *
 * What came is read when all that came before was taken: while this process works, what the other
 * side sends gathers in the kernel and is read at once.
 */
#ifndef COMMON_BUS_PIPE_H
#define COMMON_BUS_PIPE_H

#include "common/loop.h"
#include "common/wire.h"

#include <nng/nng.h>

struct bus_pipe;

/* Something came, or the connection ended: bus_pipe_recv() tells.  May free the pipe. */
typedef void bus_pipe_fn(void *arg);

/* Takes over a stream of nng, also when it fails.  0, or a negative errno. */
int bus_stream_new(
    struct loop *loop, nng_stream *stream, bus_pipe_fn *fn, void *arg, struct bus_pipe **ret);
/* Takes over a connected socket that does not block, also when it fails.  0, or a negative errno.
 */
int bus_local_new(struct loop *loop, int fd, bus_pipe_fn *fn, void *arg, struct bus_pipe **ret);
/* Ends the connection.  What was not sent is lost.  NULL is allowed. */
void bus_pipe_free(struct bus_pipe *p);

/*
 * Sends a message of at most MSG_MAX_BYTES.  0, -EAGAIN when too much waits to be sent, or -EPIPE
 * when the connection has ended.
 */
int bus_pipe_send(struct bus_pipe *p, struct slice message);

/*
 * The next message, valid until the next call.  0, -EAGAIN when there is none now, -EPIPE when the
 * connection has ended, -EBADMSG when what came has not the form of messages: no use to go on.
 */
int bus_pipe_recv(struct bus_pipe *p, struct slice *ret);

/* Has `fn` called again by the loop's thread, after what else is due. */
void bus_pipe_again(struct bus_pipe *p);

#endif
