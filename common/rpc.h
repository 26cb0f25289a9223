/*
 * The control socket: JSON-RPC 2.0 over a Unix socket, one object a line.  Its permissions are
 * the access control: mode 0660, the daemon's group.
 */
#ifndef COMMON_RPC_H
#define COMMON_RPC_H

#include "common/loop.h"

#include <jansson.h>

#define RPC_PARSE_ERROR      (-32700)
#define RPC_INVALID_REQUEST  (-32600)
#define RPC_METHOD_NOT_FOUND (-32601)
#define RPC_INVALID_PARAMS   (-32602)
#define RPC_INTERNAL_ERROR   (-32603)
#define RPC_FAILED           (-32000) /* understood, and not possible; the text says why */
#define RPC_NOT_FOUND        (-32001) /* no such boot, machine, image, ... */

#define RPC_LINE_MAX         (1024 * 1024)
#define RPC_OUTPUT_MAX       (16 * 1024 * 1024) /* unread answers before a connection is closed */
#define RPC_CONNECTIONS      64

struct rpc_server;
struct rpc_conn;

struct rpc_error {
	int code;
	char text[256];
	json_t *data; /* more for programs, or NULL; given away with the error */
};

/* Sets the error and returns NULL, so that a method can return it. */
json_t *rpc_fail(struct rpc_error *error, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with `data` (taken over). */
json_t *rpc_fail_with(struct rpc_error *error, int code, json_t *data, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * A method: returns its new result, or NULL with *error set.  `params` is an object (empty if the
 * caller sent none) and belongs to the caller.
 */
typedef json_t *rpc_method_fn(
    void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error);

/*
 * From within a method whose answer takes time: returns what rpc_finish() wants, and the method
 * returns NULL.  NULL when out of memory; the method then answers at once.
 */
struct rpc_deferred;
struct rpc_deferred *rpc_defer(struct rpc_conn *conn);
/*
 * Answers a call that was put off: `result` (taken over), or *error if that is NULL.  Must be
 * called once for each rpc_defer(), also after the connection or the server is gone.
 */
void rpc_finish(struct rpc_deferred *d, json_t *result, const struct rpc_error *error);

struct rpc_method {
	const char *name; /* NULL ends the array */
	rpc_method_fn *fn;
	const char *params; /* for people: "id", "limit?, since_ms?" or "" */
	const char *help;
};

/*
 * Listens at `path`; a socket left there by a dead process is replaced.  `methods` must stay
 * valid; "rpc.methods" is added to them.  0, or a negative errno (-EADDRINUSE: somebody serves
 * there).
 */
int rpc_open(struct loop *loop, const char *path, const struct rpc_method *methods, void *arg,
    struct rpc_server **ret);
/* Closes all connections and removes the socket.  NULL is allowed. */
void rpc_close(struct rpc_server *server);

/* From now on this connection gets what rpc_publish() sends. */
void rpc_subscribe(struct rpc_conn *conn);
/* True if anybody would get it. */
bool rpc_has_subscribers(const struct rpc_server *server);
/* Sends a notification to all subscribers; takes over `params`. */
void rpc_publish(struct rpc_server *server, const char *method, json_t *params);

#endif
