/* Tests of common/bus_local.c where the peer reads, but less than waits for it. */
#include "common/bus_frame.h"
#include "common/bus_pipe.h"

#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PART  (256u << 10) /* a message and its length */
#define PARTS 200

static struct loop *loop;
static uint8_t buf[PART];

static void
on_pipe(void *arg)
{
	(void)arg;
}

static void
on_stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
go_round(void)
{
	struct loop_timer stop;

	loop_timer_init(&stop, on_stop, NULL);
	CHECK_INT(loop_timer_set(loop, &stop, 0), 0);
	CHECK_INT(loop_run(loop), 0);
}

/* Reads a message, and checks that it is whole. */
static void
take_part(int fd, uint8_t number)
{
	for (size_t got = 0; got < PART;) {
		ssize_t n = recv(fd, buf + got, PART - got, MSG_DONTWAIT);

		if (n > 0)
			got += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			go_round();
		else
			abort();
	}
	CHECK(buf[1] == 3 && buf[4] == number && buf[PART - 1] == number);
}

int
main(void)
{
	static uint8_t message[PART - 4];
	struct bus_pipe *p;
	int fds[2], unsent = 0, n;

	CHECK_INT(loop_new(&loop), 0);
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	CHECK_INT(bus_local_new(loop, fds[0], on_pipe, NULL, &p), 0);

	test_case("a peer that is never through gets all, however much passes");
	for (int i = 0; i < PARTS; i++) {
		memset(message, i, sizeof(message));
		unsent += bus_pipe_send(p, (struct slice){ message, sizeof(message) }) != 0;
		go_round();
		if (i >= 8)
			take_part(fds[1], (uint8_t)(i - 8));
	}
	CHECK_INT(unsent, 0);
	for (int i = PARTS - 8; i < PARTS; i++)
		take_part(fds[1], (uint8_t)i);

	test_case("for one that does not read a bounded amount waits");
	for (n = 0; n < 1000 && bus_pipe_send(p, (struct slice){ message, sizeof(message) }) == 0;)
		n++;
	CHECK_INT(n, BUS_OUT_BYTES / PART);

	test_case("when it reads again, there is room again");
	for (int i = 0; i < n; i++)
		take_part(fds[1], (uint8_t)(PARTS - 1));
	CHECK_INT(bus_pipe_send(p, (struct slice){ message, sizeof(message) }), 0);

	bus_pipe_free(p);
	close(fds[1]);
	loop_free(loop);
	return test_end();
}
