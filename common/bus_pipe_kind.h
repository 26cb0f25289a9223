/* What the two kinds of connections have in common; for bus_pipe.c, bus_stream.c and bus_local.c.
 */
#ifndef COMMON_BUS_PIPE_KIND_H
#define COMMON_BUS_PIPE_KIND_H

#include "common/bus_frame.h"
#include "common/bus_pipe.h"

/* As the functions of bus_pipe.h. */
struct bus_pipe_kind {
	void (*free)(struct bus_pipe *p);
	int (*send)(struct bus_pipe *p, struct slice message);
	int (*recv)(struct bus_pipe *p, struct slice *ret);
	void (*again)(struct bus_pipe *p);
};

/* Stands first in the struct of either kind. */
struct bus_pipe {
	const struct bus_pipe_kind *kind;
	struct loop *loop;
	bus_pipe_fn *fn;
	void *arg;
	bool ended;
	struct bus_incoming in;
	struct bus_buffer out; /* gathers what is to be sent */
};

#endif
