/* Tests of common/bus_local.c where the peer reads less than waits for it, and of a server then. */
#include "common/bus_frame.h"
#include "common/bus_pipe.h"
#include "common/bus_server.h"
#include "common/local_socket.h"
#include "common/log.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
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

/* Sends pings, many at a time, and reads nothing. */
static void
flood(int fd)
{
	static uint8_t pings[64 << 10];
	struct msg_writer w;
	struct slice m;
	size_t n = 0, sent = 0;
	uint8_t one[32];

	msg_begin(&w, one + 4, sizeof(one) - 4, MSG_PING, 1);
	m = msg_end(&w);
	memcpy(one, (uint8_t[]){ 0, 0, 0, (uint8_t)m.n }, 4);
	for (; n + 4 + m.n <= sizeof(pings); n += 4 + m.n)
		memcpy(pings + n, one, 4 + m.n);
	while (sent < 2u * BUS_OUT_BYTES) {
		ssize_t k = send(fd, pings + sent % n, n - sent % n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (k > 0)
			sent += (size_t)k;
		else
			go_round();
	}
}

static void
test_server(void)
{
	char dir[] = "/tmp/bootferry-test-XXXXXX", path[64], url[80];
	const char *urls = url;
	const struct bus_server_conf conf = { .urls = &urls, .nurls = 1 };
	struct bus_server_stats stats;
	struct bus_server *server;
	int fd;

	CHECK(mkdtemp(dir) != NULL);
	(void)snprintf(path, sizeof(path), "%s/handlerd", dir);
	(void)snprintf(url, sizeof(url), "ipc://%s", path);
	CHECK_INT(bus_server_open(loop, &conf, &server), 0);

	test_case("what a server drops for one that does not read is counted");
	fd = local_connect(path);
	CHECK(fd >= 0);
	flood(fd);
	bus_server_stats(server, &stats);
	CHECK_INT(stats.connections, 1);
	CHECK(stats.unread > 0 && stats.unread < stats.messages);
	CHECK_INT(stats.malformed, 0);
	close(fd);
	for (int i = 0; i < 1000 && stats.connections > 0; i++) {
		go_round();
		bus_server_stats(server, &stats);
	}
	CHECK_INT(stats.connections, 0);

	test_case("a server that ends removes its socket, but none that took its place");
	bus_server_close(server);
	CHECK_INT(local_connect(path), -ENOENT);
	CHECK_INT(bus_server_open(loop, &conf, &server), 0);
	CHECK_INT(unlink(path), 0);
	fd = local_listen(path, 0600, 1);
	CHECK(fd >= 0);
	bus_server_close(server);
	CHECK_INT(unlink(path), 0);
	close(fd);
	CHECK_INT(rmdir(dir), 0);
}

int
main(void)
{
	static uint8_t message[PART - 4];
	struct bus_pipe *p;
	int fds[2], unsent = 0, n;

	log_init("test_bus_local", true);
	log_set_level(LOG_LEVEL_ERROR);
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
	test_server();
	loop_free(loop);
	return test_end();
}
