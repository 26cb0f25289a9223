/*
 * Tests of common/bus_client.c and common/bus_server.c: a client in this process, handlerds in
 * processes of their own (this program again, called with "serve"), which get stopped and killed.
 */
#include "common/bus_client.h"
#include "common/bus_events.h"
#include "common/bus_server.h"

#include "common/log.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* more than handlerd's silence takes to show, by enough for a machine under load */
#define DEADLINE_MS 2000

static struct loop *loop;

/* --- the handlerd ------------------------------------------------------------------------ */

static struct bus_server *server;
static const char *server_name;
static int server_log;

struct delayed {
	struct loop_timer timer;
	struct bus_reply to;
};

static void
answer(const struct bus_reply *to)
{
	struct boot_answer a = { .action = ACTION_DATA, .data = slice_str(server_name) };

	bus_answer(server, to, &a);
}

static void
on_delay(void *arg)
{
	struct delayed *d = arg;

	answer(&d->to);
	free(d);
}

static void
serve_request(void *arg, const struct bus_reply *to, const struct boot_request *r)
{
	(void)arg;
	if (slice_is(r->file, "never"))
		return;
	if (slice_is(r->file, "late")) {
		struct delayed *d = calloc(1, sizeof(*d));

		d->to = *to;
		loop_timer_init(&d->timer, on_delay, d);
		CHECK_INT(loop_timer_set(loop, &d->timer, DEADLINE_MS + 500), 0);
		return;
	}
	answer(to);
}

static bool
serve_event(void *arg, uint64_t origin, const struct boot_event *e)
{
	(void)arg;
	(void)origin;
	return dprintf(server_log, "%llu\n", (unsigned long long)e->seq) > 0;
}

static void
serve_status(void *arg, uint64_t origin, const struct daemon_status *s)
{
	(void)arg;
	(void)origin;
	(void)dprintf(server_log, "status %s %u load %u\n", daemon_kind_name(s->daemon), s->port,
	    s->load_permille);
}

/* The process of a handlerd: serves at `url` until it is killed. */
static int
serve(const char *url, const char *log_path)
{
	static const struct bus_server_ops ops = { serve_request, serve_event, serve_status };
	const struct bus_server_conf conf = { .urls = &url, .nurls = 1, .ops = &ops };

	log_init("server", true);
	server_name = strrchr(url, '/') + 1;
	server_log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (server_log < 0 || loop_new(&loop) < 0 || bus_server_open(loop, &conf, &server) < 0)
		return EXIT_FAILURE;
	return loop_run(loop) < 0;
}

static pid_t
spawn(const char *url, const char *log_path)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "test_bus", "serve", url, log_path, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void
end(pid_t pid, int signo)
{
	kill(pid, signo);
	kill(pid, SIGCONT);
	waitpid(pid, NULL, 0);
}

/* --- the client -------------------------------------------------------------------------- */

static struct bus_client *client;
static int answered, expired;
static uint32_t load_now;
static char last_answer[32];

static void
on_answer(void *arg, void *cookie, const struct boot_answer *a)
{
	(void)arg;
	(void)cookie;
	if (a == NULL) {
		expired++;
		return;
	}
	answered++;
	slice_copy(last_answer, sizeof(last_answer), a->data);
}

static void
on_status(void *arg, struct daemon_status *status)
{
	(void)arg;
	status->daemon = DAEMON_TFTPD;
	status->port = 69;
	status->load_permille = load_now;
}

static void
set_load(uint32_t permille)
{
	load_now = permille;
	bus_load(client, permille);
}

static bool (*until)(void);
static struct loop_timer tick, limit;

static void
on_tick(void *arg)
{
	(void)arg;
	if (until != NULL && until())
		loop_stop(loop);
	else
		(void)loop_timer_set(loop, &tick, 5);
}

static void
on_limit(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* Runs the loop until `done` (NULL: never) or for ms; true if it became true. */
static bool
run(bool (*done)(void), uint64_t ms)
{
	until = done;
	loop_timer_init(&tick, on_tick, NULL);
	loop_timer_init(&limit, on_limit, NULL);
	(void)loop_timer_set(loop, &tick, 1);
	(void)loop_timer_set(loop, &limit, ms);
	CHECK_INT(loop_run(loop), 0);
	loop_timer_clear(loop, &tick);
	loop_timer_clear(loop, &limit);
	return done != NULL && done();
}

static int wanted;

static bool
all_answered(void)
{
	return answered >= wanted;
}

static bool
all_settled(void)
{
	return answered + expired >= wanted;
}

static bool
is_up(void)
{
	return bus_is_up(client);
}

static bool
is_drained(void)
{
	return bus_is_drained(client);
}

static void
ask(const char *file, int times)
{
	answered = expired = 0;
	last_answer[0] = '\0';
	wanted = times;
	for (int i = 0; i < times; i++) {
		struct boot_request r = { .stage = STAGE_FILE, .file = slice_str(file) };

		CHECK(bus_ask(client, &r, NULL) != 0);
	}
}

static bool
is_late(void)
{
	struct bus_client_stats stats;

	bus_client_stats(client, &stats);
	return stats.late == 1;
}

/* Asks until the first handlerd is the one that answers; false after 20 s. */
static bool
first_answers(void)
{
	for (int i = 0; i < 100; i++) {
		(void)run(NULL, 200);
		ask("x", 1);
		if (run(all_settled, 3000) && strcmp(last_answer, "first") == 0)
			return true;
	}
	return false;
}

static void
send_events(int n)
{
	for (int i = 0; i < n; i++) {
		struct boot_event e = { .kind = EVENT_OFFER };

		bus_event(client, &e);
	}
}

/* How many different event numbers a handlerd wrote down; *repeated counts the others. */
static int
events_in(const char *path, int *repeated)
{
	static bool seen[100000];
	FILE *f = fopen(path, "r");
	char line[64];
	int n = 0;

	memset(seen, 0, sizeof(seen));
	*repeated = 0;
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		unsigned long seq = strtoul(line, NULL, 10);

		if (seq == 0 || seq >= NITEMS(seen))
			continue;
		*repeated += seen[seq];
		n += !seen[seq];
		seen[seq] = true;
	}
	if (f != NULL)
		fclose(f);
	return n;
}

/* How many lines of the file hold the text. */
static int
lines_with(const char *path, const char *text)
{
	FILE *f = fopen(path, "r");
	char line[64];
	int n = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, text) != NULL;
	if (f != NULL)
		fclose(f);
	return n;
}

/*
 * More messages in one piece than a connection may have in its turn: all are answered, though
 * nothing comes later that would wake the server.  How many were; PINGS at the most.
 */
#define PINGS 300
static int
pings_answered(const char *path)
{
	static uint8_t bytes[PINGS * 64], answers[PINGS * 64];
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 3 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t used = 0, got = 0, one = 0;
	ssize_t n;

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%.100s", path);
	CHECK_INT(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	for (int i = 0; i < PINGS; i++) {
		struct msg_writer w;
		struct slice message;

		msg_begin(&w, bytes + used + 4, sizeof(bytes) - used - 4, MSG_PING, 1);
		message = msg_end(&w);
		memset(bytes + used, 0, 3);
		bytes[used + 3] = (uint8_t)message.n;
		one = 4 + message.n; /* of a PONG as well */
		used += one;
	}
	CHECK_INT(write(fd, bytes, used), used);
	while (got < used && (n = read(fd, answers + got, used - got)) > 0)
		got += (size_t)n;
	close(fd);
	return (int)(got / one);
}

int
main(int argc, char *argv[])
{
	char dir[] = "/tmp/bootferry-test-XXXXXX";
	char first[128], second[128], log1[128], log2[128], command[256];
	const char *urls[] = { first, second };
	struct bus_client_conf conf = {
		.urls = urls,
		.nurls = 2,
		.deadline_ms = DEADLINE_MS,
		.max_pending = 20000,
		.answer = on_answer,
		.status = on_status,
	};
	struct bus_client_stats stats;
	struct boot_request r;
	pid_t a, b;
	uint64_t id;
	int repeated;

	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argv[3]);

	CHECK(mkdtemp(dir) != NULL);
	snprintf(first, sizeof(first), "ipc://%s/first", dir);
	snprintf(second, sizeof(second), "ipc://%s/second", dir);
	snprintf(log1, sizeof(log1), "%s/log1", dir);
	snprintf(log2, sizeof(log2), "%s/log2", dir);
	log_init("test_bus", true);
	log_set_level(LOG_LEVEL_ERROR);
	CHECK_INT(loop_new(&loop), 0);

	test_case("without any handlerd a request ends at its deadline");
	CHECK_INT(bus_client_open(loop, &conf, &client), 0);
	ask("x", 1);
	CHECK(run(all_settled, 3000));
	CHECK_INT(expired, 1);

	test_case("a handlerd that appears later is found and gets what still waits");
	ask("x", 1);
	a = spawn(first, log1);
	b = spawn(second, log2);
	CHECK(run(all_settled, 3000));
	CHECK_INT(answered, 1);
	CHECK(run(is_up, 3000));
	(void)run(NULL, 700); /* both are connected then */

	test_case("a connection that sends much at once is served to the end");
	CHECK_INT(pings_answered(first + strlen("ipc://")), PINGS);

	test_case("of two handlerds the first in the list is used");
	ask("x", 1);
	CHECK(run(all_answered, 3000));
	CHECK_STR(last_answer, "first");

	test_case("ten thousand requests asked at once are all answered");
	ask("x", 10000);
	CHECK(run(all_answered, 10000));
	CHECK_INT(answered, 10000);

	test_case("an answer that comes late is dropped and counted");
	ask("late", 1);
	CHECK(run(all_settled, 3000));
	CHECK_INT(expired, 1);
	CHECK(run(is_late, 3000));
	CHECK_INT(answered, 0);
	bus_client_stats(client, &stats);
	CHECK_INT(stats.late, 1);

	test_case("a cancelled request calls nobody back");
	answered = expired = 0;
	r = (struct boot_request){ .stage = STAGE_FILE, .file = slice_str("never") };
	id = bus_ask(client, &r, NULL);
	bus_cancel(client, id);
	bus_cancel(client, id);
	(void)run(NULL, DEADLINE_MS + 200);
	CHECK_INT(answered + expired, 0);

	test_case("events are confirmed once each");
	send_events(3000);
	CHECK(run(is_drained, 5000));
	CHECK_INT(events_in(log1, &repeated), 3000);
	CHECK_INT(repeated, 0);

	test_case("when the handlerd in use is killed, the next answers before the deadline");
	ask("never", 3);
	(void)run(NULL, 50);
	end(a, SIGKILL);
	ask("x", 100);
	CHECK(run(all_settled, 3000));
	CHECK_INT(answered, 100);
	CHECK_STR(last_answer, "second");

	test_case("the first one is used again when it is back");
	a = spawn(first, log1);
	CHECK(first_answers());

	test_case(
	    "a handlerd that hangs is left before the deadline, and what it had goes to the next");
	kill(a, SIGSTOP);
	ask("x", 100);
	CHECK(run(all_settled, 3000));
	CHECK_INT(answered, 100);
	CHECK_STR(last_answer, "second");
	kill(a, SIGCONT);
	CHECK(first_answers());

	test_case("no event is lost when the handlerd is killed and started again");
	end(b, SIGKILL);
	for (int i = 0; i < 10; i++) {
		send_events(200);
		(void)run(NULL, 20);
		if (i == 3)
			end(a, SIGKILL);
	}
	CHECK(!bus_is_drained(client));
	a = spawn(first, log1);
	CHECK(run(is_drained, 20000));
	CHECK_INT(events_in(log1, &repeated), 5000);

	test_case("the announcement reaches a handlerd before anything else");
	snprintf(command, sizeof(command), "grep -q '^status tftpd 69 load 0$' %s", log2);
	CHECK_INT(system(command), 0);
	snprintf(command, sizeof(command), "head -n 1 %s | grep -q '^status'", log1);
	CHECK_INT(system(command), 0);

	test_case("a load that changed is announced at once, though not too often");
	(void)run(NULL, BUS_HASTE_MS + 50);
	set_load(BUS_LOAD_STEP - 1);
	(void)run(NULL, 50);
	CHECK_INT(lines_with(log1, "load 49"), 0);
	set_load(600);
	(void)run(NULL, 100);
	CHECK_INT(lines_with(log1, "load 600"), 1);
	for (uint32_t i = 700; i <= 720; i++)
		set_load(i);
	(void)run(NULL, BUS_HASTE_MS + 100);
	CHECK_INT(lines_with(log1, "load 7"), 1);
	CHECK_INT(lines_with(log1, "load 720"), 1);
	(void)run(NULL, BUS_HASTE_MS + 50);
	set_load(980);
	(void)run(NULL, BUS_HASTE_MS + 50);
	set_load(LOAD_FULL);
	(void)run(NULL, 100);
	CHECK_INT(lines_with(log1, "load 1000"), 1);
	load_now = 0;

	test_case("events beyond the queue's bound are counted as lost, and that is reported");
	end(a, SIGKILL);
	(void)run(NULL, 300);
	send_events(BUS_EVENTS + 500);
	bus_client_stats(client, &stats);
	CHECK_INT(stats.events_lost, 500);
	CHECK_INT(stats.events_queued, BUS_EVENTS);
	a = spawn(first, log1);
	CHECK(run(is_drained, 20000));
	CHECK_INT(events_in(log1, &repeated), 5000 + BUS_EVENTS + 1);

	test_case("requests beyond max_pending are refused at once");
	ask("never", 0);
	for (int i = 0; i < 20000; i++) {
		r = (struct boot_request){ .stage = STAGE_FILE, .file = slice_str("never") };
		CHECK(bus_ask(client, &r, NULL) != 0);
	}
	CHECK_INT(bus_ask(client, &r, NULL), 0);
	wanted = 20000;
	CHECK(run(all_settled, 5000));
	CHECK_INT(expired, 20000);

	bus_client_close(client);
	end(a, SIGKILL);
	loop_free(loop);

	test_case("a URL that nng does not know is refused with its name");
	CHECK_INT(loop_new(&loop), 0);
	urls[0] = "carrier-pigeon://x";
	conf.nurls = 1;
	CHECK(bus_client_open(loop, &conf, &client) < 0);
	loop_free(loop);

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	CHECK_INT(system(command), 0);
	return test_end();
}
