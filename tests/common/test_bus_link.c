/*
 * Tests of common/bus_link.c, common/bus_local.c and common/bus_stream.c against a handlerd in a
 * process of its own (this program again, called with "serve"), which is killed and started, and
 * spoken to by strangers: over a Unix socket, and over TCP as nng carries it.
 */
#include "common/bus_link.h"

#include "common/bus_server.h"
#include "common/log.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop *loop;
static char dir[] = "/tmp/bootferry-test-XXXXXX";
static char url[128];

/* --- the handlerd ------------------------------------------------------------------------ */

static struct bus_server *server;

static void
serve_request(void *arg, const struct bus_reply *to, const struct boot_request *r)
{
	struct boot_answer a = { .action = ACTION_DATA, .data = r->file };

	(void)arg;
	bus_answer(server, to, &a);
}

static bool
serve_event(void *arg, uint64_t origin, const struct boot_event *e)
{
	(void)arg;
	(void)origin;
	(void)e;
	return true;
}

static void
serve_status(void *arg, uint64_t origin, const struct daemon_status *s)
{
	(void)arg;
	(void)origin;
	(void)s;
}

static int
serve(const char *at)
{
	static const struct bus_server_ops ops = { serve_request, serve_event, serve_status };
	const struct bus_server_conf conf = { .urls = &at, .nurls = 1, .ops = &ops };

	log_init("server", true);
	if (loop_new(&loop) < 0 || bus_server_open(loop, &conf, &server) < 0)
		return EXIT_FAILURE;
	return loop_run(loop) < 0;
}

static pid_t
spawn(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "test_bus_link", "serve", url, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- links ----------------------------------------------------------------------------------- */

static struct loop_timer limit;
static int calls;

static void
on_limit(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
on_link(void *arg)
{
	(void)arg;
	calls++;
	loop_stop(loop);
}

/* Runs until the link is (not) connected; false after 5 s. */
static bool
becomes(struct bus_link *l, bool connected)
{
	struct slice message;

	for (int i = 0; i < 50; i++) {
		(void)bus_link_recv(l, &message);
		if (bus_link_is_connected(l) == connected)
			return true;
		loop_timer_init(&limit, on_limit, NULL);
		(void)loop_timer_set(loop, &limit, 100);
		CHECK_INT(loop_run(loop), 0);
		loop_timer_clear(loop, &limit);
	}
	return false;
}

static bool
pings(struct bus_link *l)
{
	struct msg_writer w;
	struct slice message;
	uint8_t buf[32];

	msg_begin(&w, buf, sizeof(buf), MSG_PING, 1);
	CHECK_INT(bus_link_send(l, msg_end(&w)), 0);
	for (int i = 0; i < 50; i++) {
		if (bus_link_recv(l, &message))
			return message.n >= 4 && message.p[3] == MSG_PONG;
		loop_timer_init(&limit, on_limit, NULL);
		(void)loop_timer_set(loop, &limit, 100);
		CHECK_INT(loop_run(loop), 0);
		loop_timer_clear(loop, &limit);
	}
	return false;
}

/*
 * Answers in one piece that are more than a socket's buffer takes: four thousand requests leave
 * before anything is read, each for its own 250 octets.
 */
#define QUESTIONS 4000
static int
questions_answered(struct bus_link *l)
{
	static uint8_t buf[QUESTIONS * 400];
	static char text[250];
	struct boot_answer a;
	struct msg_reader r;
	struct msg_writer w;
	struct slice message;
	int n = 0;

	memset(text, 'x', sizeof(text));
	for (uint64_t i = 1; i <= QUESTIONS; i++) {
		struct boot_request q = {
			.id = i, .stage = STAGE_FILE, .file = { (uint8_t *)text, sizeof(text) }
		};

		msg_begin(&w, buf, sizeof(buf), MSG_REQUESTS, 1);
		CHECK_INT(msg_put_request(&w, &q), 0);
		CHECK_INT(bus_link_send(l, msg_end(&w)), 0);
	}
	for (int i = 0; i < 100 && n < QUESTIONS; i++) {
		while (bus_link_recv(l, &message)) {
			CHECK_INT(msg_open(&r, message.p, message.n), 0);
			while (msg_get_answer(&r, &a) == 0)
				n += a.data.n == sizeof(text);
		}
		loop_timer_init(&limit, on_limit, NULL);
		(void)loop_timer_set(loop, &limit, 100);
		CHECK_INT(loop_run(loop), 0);
		loop_timer_clear(loop, &limit);
	}
	return n;
}

static void
test_link(void)
{
	const struct bus_link_conf conf = { .url = url, .fn = on_link };
	struct bus_link *l;
	pid_t pid;

	test_case("a link waits for a handlerd that is not there yet");
	CHECK_INT(loop_new(&loop), 0);
	CHECK_INT(bus_link_open(loop, &conf, &l), 0);
	CHECK(!bus_link_is_connected(l));
	CHECK_INT(bus_link_send(l, slice_str("x")), -ENOTCONN);
	pid = spawn();
	CHECK(becomes(l, true));
	CHECK_INT(bus_link_losses(l), 0);
	CHECK(calls > 0);
	CHECK(pings(l));

	test_case("more than a socket holds goes through, in both directions");
	CHECK_INT(questions_answered(l), QUESTIONS);

	test_case("the end of a handlerd is told, and so is the next one");
	end(pid);
	CHECK(becomes(l, false));
	CHECK_INT(bus_link_losses(l), 1);
	pid = spawn();
	CHECK(becomes(l, true));
	CHECK(pings(l));

	test_case("a link that is renewed has lost its connection and gets another");
	bus_link_renew(l);
	CHECK(!bus_link_is_connected(l));
	CHECK_INT(bus_link_losses(l), 2);
	CHECK(becomes(l, true));
	CHECK(pings(l));

	test_case("one that is closed while it dials, and one while it is connected");
	end(pid);
	CHECK(becomes(l, false));
	bus_link_close(l);
	CHECK_INT(bus_link_open(loop, &conf, &l), 0);
	bus_link_close(l);
	pid = spawn();
	CHECK_INT(bus_link_open(loop, &conf, &l), 0);
	CHECK(becomes(l, true));
	bus_link_close(l);
	end(pid);
	loop_free(loop);
}

/* --- what is no message ------------------------------------------------------------------------
 */

/* A plain connection to the handlerd, which must close it or answer within 5 s: bytes read. */
static ssize_t
speak(const void *bytes, size_t n, uint8_t *answer, size_t size)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct timeval patience = { .tv_sec = 5 };
	ssize_t got = -1;

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s/handlerd", dir);
	CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	for (int i = 0; i < 50; i++) {
		if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
			break;
		usleep(100000);
	}
	CHECK_INT(write(fd, bytes, n), (long long)n);
	got = read(fd, answer, size);
	close(fd);
	return got;
}

static void
test_strangers(void)
{
	static const uint8_t too_long[] = { 0xff, 0, 0, 0, 'x' }, old_nng[] = "\0SP\0\0\x30\0";
	uint8_t ping[64], answer[64];
	struct msg_writer w;
	pid_t pid = spawn();
	struct slice m;

	test_case("a length beyond any message ends the connection");
	CHECK_INT(speak(too_long, sizeof(too_long), answer, sizeof(answer)), 0);
	test_case("so does the greeting of another protocol");
	CHECK_INT(speak(old_nng, sizeof(old_nng), answer, sizeof(answer)), 0);
	test_case("nonsense of a right length is counted, and what follows it is answered");
	memcpy(ping, "\0\0\0\4junk\0\0\0", 11);
	msg_begin(&w, ping + 12, sizeof(ping) - 12, MSG_PING, 1);
	m = msg_end(&w);
	ping[11] = (uint8_t)m.n;
	CHECK(speak(ping, 12 + m.n, answer, sizeof(answer)) > 7);
	CHECK_INT(answer[7], MSG_PONG);
	end(pid);
}

/* What keeps a front daemon out for good is in the log, once. */
static void
test_fault(void)
{
	struct bus_link_conf conf = { .url = url, .fn = on_link };
	char path[160], log[1024] = "";
	struct bus_link *l;
	int err = dup(STDERR_FILENO), fd;
	const char *line;

	test_case("a path that leads nowhere is logged once");
	(void)snprintf(path, sizeof(path), "%s/log", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && err >= 0);
	(void)snprintf(url, sizeof(url), "ipc://%s/log/handlerd", dir);
	log_set_level(LOG_LEVEL_WARNING);
	CHECK(dup2(fd, STDERR_FILENO) >= 0);
	CHECK_INT(loop_new(&loop), 0);
	CHECK_INT(bus_link_open(loop, &conf, &l), 0);
	for (int i = 0; i < 3; i++) {
		loop_timer_init(&limit, on_limit, NULL);
		CHECK_INT(loop_timer_set(loop, &limit, 100), 0);
		CHECK_INT(loop_run(loop), 0);
	}
	bus_link_close(l);
	loop_free(loop);
	CHECK(dup2(err, STDERR_FILENO) >= 0);
	log_set_level(LOG_LEVEL_ERROR);
	CHECK(pread(fd, log, sizeof(log) - 1, 0) > 0);
	line = strstr(log, "/log/handlerd\": Not a directory\n");
	CHECK(line != NULL && strstr(line + 1, "/log/handlerd") == NULL);
	close(fd);
	close(err);
}

/* A TCP port that nobody has, now. */
static unsigned
free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(at);

	CHECK_INT(bind(fd, (const struct sockaddr *)&at, n), 0);
	CHECK_INT(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	close(fd);
	return ntohs(at.sin_port);
}

int
main(int argc, char *argv[])
{
	char command[256];

	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	CHECK(mkdtemp(dir) != NULL);
	log_init("test_bus_link", true);
	log_set_level(LOG_LEVEL_ERROR);
	(void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", free_port());
	test_link();
	(void)snprintf(url, sizeof(url), "ipc://%s/handlerd", dir);
	test_link();
	test_strangers();
	test_fault();
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	CHECK_INT(system(command), 0);
	return test_end();
}
