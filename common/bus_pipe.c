/* See bus_pipe.h. */
#include "common/bus_pipe.h"

#include "common/bus_pipe_kind.h"

int
bus_pipe_send(struct bus_pipe *p, struct slice message)
{
	return p->kind->send(p, message);
}

int
bus_pipe_recv(struct bus_pipe *p, struct slice *ret)
{
	return p->kind->recv(p, ret);
}

void
bus_pipe_again(struct bus_pipe *p)
{
	p->kind->again(p);
}

void
bus_pipe_free(struct bus_pipe *p)
{
	if (p != NULL)
		p->kind->free(p);
}
