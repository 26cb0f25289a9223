/*
 * Tests of common/bus_link.c, and of how common/bus_client.c gives links up: a handlerd in a
 * process of its own (this program again, called with "serve") is killed and started while nng's
 * reaper thread hangs in this process.  What hangs it is a callback of ours that waits: it stands
 * for the fault of nng 1.5 that bus_link.h tells of, which strikes once in some hundred kills under
 * load.
 */
#include "common/bus_link.h"

#include "common/bus_client.h"
#include "common/bus_nng.h"
#include "common/bus_server.h"
#include "common/log.h"
#include "tests/test.h"

#include <nng/protocol/pair0/pair.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* --- a reaper that hangs ------------------------------------------------------------------ */

static sem_t hanging, go_on;
static nng_socket left, right;

static void
hang(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	(void)pipe;
	(void)ev;
	(void)arg;
	sem_post(&hanging);
	while (sem_wait(&go_on) < 0)
		;
}

/* From its return until reaper_go() nng takes no connection down in this process. */
static void
reaper_hang(void)
{
	CHECK_INT(sem_init(&hanging, 0, 0) | sem_init(&go_on, 0, 0), 0);
	CHECK_INT(nng_pair0_open(&left), 0);
	CHECK_INT(nng_pair0_open(&right), 0);
	CHECK_INT(nng_pipe_notify(left, NNG_PIPE_EV_REM_POST, hang, NULL), 0);
	CHECK_INT(nng_listen(left, "inproc://hang", NULL, 0), 0);
	CHECK_INT(nng_dial(right, "inproc://hang", NULL, 0), 0);
	/* a message, so that both sides are past the beginning */
	CHECK_INT(nng_send(right, &(char){ 'x' }, 1, 0), 0);
	CHECK_INT(nng_recv(left, &(char){ 0 }, &(size_t){ 1 }, 0), 0);
	bus_close_socket(right); /* says after a second that nng hangs */
	while (sem_wait(&hanging) < 0)
		;
}

static void
reaper_go(void)
{
	sem_post(&go_on);
	nng_close(left);
}

/* --- links ----------------------------------------------------------------------------------- */

/* Waits until the link is connected, or is not; false after 5 s. */
static bool
becomes(struct bus_link *l, bool connected)
{
	struct pollfd p = { .fd = bus_link_wake_fd(l), .events = POLLIN };

	for (int i = 0; i < 50; i++) {
		if (bus_link_state(l).connected == connected)
			return true;
		(void)poll(&p, 1, 100);
	}
	return false;
}

static void
test_link(void)
{
	const struct bus_link_conf conf = { .url = url };
	struct bus_closing *closing;
	struct bus_link *l;
	pid_t pid;

	test_case("a link waits for a handlerd that is not there yet");
	CHECK_INT(bus_link_open(&conf, &l), 0);
	CHECK(!bus_link_state(l).connected);
	pid = spawn();
	CHECK(becomes(l, true));
	CHECK_INT(bus_link_state(l).losses, 0);

	test_case("the end of a handlerd is told, and so is the next one");
	end(pid);
	CHECK(becomes(l, false));
	CHECK(bus_link_state(l).losses > 0);
	pid = spawn();
	CHECK(becomes(l, true));

	test_case("a link that is given up is closed without waiting for it");
	bus_link_close(l, &closing);
	CHECK(closing != NULL);
	bus_close_wait(closing);
	CHECK(bus_close_is_done(closing));
	CHECK(bus_close_is_done(closing));
	bus_close_end(closing);
	end(pid);
}

/* --- the client --------------------------------------------------------------------------- */

static struct bus_client *client;
static struct loop_timer tick, limit;
static int answered, hints, broken;

static void
on_answer(void *arg, void *cookie, const struct boot_answer *a)
{
	(void)arg;
	(void)cookie;
	answered += a != NULL;
}

static void
on_broken(void *arg, bool at_once)
{
	(void)arg;
	hints += !at_once;
	broken += at_once;
}

static void
on_limit(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* Asks now and then until there is an answer. */
static void
on_tick(void *arg)
{
	struct boot_request r = { .stage = STAGE_FILE, .file = slice_str("x") };

	(void)arg;
	(void)bus_ask(client, &r, NULL);
	if (answered > 0 || broken > 0)
		loop_stop(loop);
	else
		(void)loop_timer_set(loop, &tick, 50);
}

/* Runs until a request is answered or the client says that it is broken; false after `ms`. */
static bool
run(uint64_t ms)
{
	answered = 0;
	loop_timer_init(&tick, on_tick, NULL);
	loop_timer_init(&limit, on_limit, NULL);
	(void)loop_timer_set(loop, &tick, 50);
	(void)loop_timer_set(loop, &limit, ms);
	CHECK_INT(loop_run(loop), 0);
	loop_timer_clear(loop, &tick);
	loop_timer_clear(loop, &limit);
	return answered > 0 || broken > 0;
}

static void
test_client(void)
{
	const char *urls[] = { url };
	const struct bus_client_conf conf = {
		.urls = urls,
		.nurls = 1,
		.deadline_ms = 1000,
		.max_pending = 1000,
		.answer = on_answer,
		.broken = on_broken,
		.renew_ms = 1,
	};
	struct bus_client_stats stats, before;
	pid_t pid = spawn();

	CHECK_INT(loop_new(&loop), 0);
	CHECK_INT(bus_client_open(loop, &conf, &client), 0);
	CHECK(run(10000));
	/* a slow start may have cost a link or two, which nng could still close */
	bus_client_stats(client, &before);

	test_case("a handlerd killed and started again is found though nng's reaper hangs");
	reaper_hang();
	for (int i = 0; i < 2; i++) {
		end(pid);
		pid = spawn();
		CHECK(run(20000));
		CHECK(answered > 0);
	}
	bus_client_stats(client, &stats);
	CHECK(stats.renewed >= 2);
	CHECK_INT(broken, 0);

	test_case("that it hangs is told once, so that the daemon ends when nothing is in hand");
	loop_timer_init(&limit, on_limit, NULL);
	(void)loop_timer_set(loop, &limit, BUS_CLOSE_MS + 2 * BUS_PING_MS);
	CHECK_INT(loop_run(loop), 0);
	CHECK_INT(hints, 1);

	test_case("when too many sockets hang, it is told once that the daemon should end now");
	end(pid);
	CHECK(run(60000));
	CHECK_INT(broken, 1);
	CHECK_INT(hints, 1);
	bus_client_stats(client, &stats);
	CHECK(stats.renewed >= BUS_GIVEN_UP);
	CHECK(stats.renewed - before.renewed <= BUS_GIVEN_UP);
	broken = 0;
	CHECK(!run(1000));

	test_case("a client is closed though nng hangs");
	bus_client_close(client);
	reaper_go();
	loop_free(loop);
}

int
main(int argc, char *argv[])
{
	char command[256];

	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	CHECK(mkdtemp(dir) != NULL);
	(void)snprintf(url, sizeof(url), "ipc://%s/handlerd", dir);
	log_init("test_bus_link", true);
	log_set_level(LOG_LEVEL_ERROR);
	test_link();
	test_client();
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	CHECK_INT(system(command), 0);
	return test_end();
}
