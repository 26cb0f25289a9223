/* Tests of handlerd/probe.c, against sockets of the loopback and tests/suite/webservice.py. */
#include "handlerd/probe.h"

#include "common/log.h"
#include "common/sockaddr.h"
#include "tests/service.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct config_table table = {
	.daemon = "handlerd",
	.keys = referral_keys,
	.size = sizeof(struct referral_conf),
};

static struct loop *loop;
static struct loop_timer tick;
static uint64_t give_up_ms;

/* --- a site of one target -----------------------------------------------------------------------
 */

struct site {
	struct referral_conf conf;
	struct targets *targets;
	struct prober *prober;
};

static void
no_error(void *arg, const char *path, const char *what)
{
	(void)arg;
	test_fail(__FILE__, __LINE__, "%s: %s", path, what);
}

/* Probes as often as it can be told to; `probe` adds to the block of that name. */
static void
open_site(struct site *s, const char *ca, const char *probe)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
	    "{\"probe_ca\": \"%s\", \"targets\": [{\"name\": \"a\", \"url\": \"http://a/\","
	    "\"probe\": {\"interval_ms\": 200, \"rise\": 2, \"fall\": 2, %s}}]}",
	    ca, probe);
	CHECK_INT(config_parse(&table, text, strlen(text), &s->conf, no_error, NULL), 0);
	referral_check(&s->conf, no_error, NULL);
	CHECK_INT(targets_new(&s->conf, &s->targets), 0);
	CHECK_INT(prober_open(loop, &s->conf, s->targets, &s->prober), 0);
}

static void
close_site(struct site *s)
{
	prober_close(s->prober);
	targets_free(s->targets);
	config_free(&table, &s->conf);
}

static const struct target_health *
health_of(const struct site *s)
{
	return prober_health(s->prober);
}

/* --- waiting ------------------------------------------------------------------------------------
 */

static struct {
	const struct site *site;
	uint64_t probes;
	int down; /* -1: either */
} awaited;

static void
on_tick(void *arg)
{
	const struct target_health *h = health_of(awaited.site);

	(void)arg;
	if ((h->probes >= awaited.probes && (awaited.down < 0 || h->down == awaited.down)) ||
	    loop_now_ms(loop) > give_up_ms)
		loop_stop(loop);
	else
		CHECK_INT(loop_timer_set(loop, &tick, 10), 0);
}

/* Serves until so many more probes were made and the state is that; false after 20 s. */
static bool
await(const struct site *s, uint64_t probes, int down)
{
	awaited.site = s;
	awaited.probes = health_of(s)->probes + probes;
	awaited.down = down;
	give_up_ms = loop_now_ms(loop) + 20000;
	loop_timer_init(&tick, on_tick, NULL);
	CHECK_INT(loop_timer_set(loop, &tick, 1), 0);
	CHECK_INT(loop_run(loop), 0);
	loop_timer_clear(loop, &tick);
	return health_of(s)->probes >= awaited.probes && (down < 0 || health_of(s)->down == down);
}

/* --- TCP ----------------------------------------------------------------------------------------
 */

/* A socket on a free port of the loopback, or on `port`. */
static int
bind_socket(int family, int type, uint16_t *port)
{
	struct sockaddr_storage sa;
	socklen_t n;
	struct ipaddr ip;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	CHECK_INT(ip_parse(slice_str(family == AF_INET ? "127.0.0.1" : "::1"), &ip), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	n = sockaddr_from_ip(&ip, *port, &sa);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, n) < 0)
		return -1;
	(void)getsockname(fd, (struct sockaddr *)&sa, &n);
	*port = ntohs(family == AF_INET ? ((struct sockaddr_in *)&sa)->sin_port
					: ((struct sockaddr_in6 *)&sa)->sin6_port);
	return fd;
}

static void
test_tcp(void)
{
	struct site s, next;
	uint16_t port = 0;
	int fd = bind_socket(AF_INET, SOCK_STREAM, &port);
	char probe[128];

	test_case("tcp: a server that takes connections is up");
	CHECK(fd >= 0 && listen(fd, 100) == 0);
	(void)snprintf(probe, sizeof(probe), "\"kind\": \"tcp\", \"at\": \"127.0.0.1:%u\"", port);
	open_site(&s, "", probe);
	CHECK(!health_of(&s)->probed);
	CHECK(await(&s, 2, false));
	CHECK_INT(health_of(&s)->failures, 0);

	test_case("tcp: a server that ends is down after two probes, with the reason");
	close(fd);
	CHECK(await(&s, 2, true));
	CHECK_STR(health_of(&s)->why, strerror(ECONNREFUSED));
	CHECK(health_of(&s)->failures >= 2);

	test_case("tcp: a reload keeps what is known of the same probe, not of another");
	open_site(&next, "", probe);
	CHECK(!health_of(&next)->down);
	prober_adopt(next.prober, s.prober);
	CHECK(health_of(&next)->down);
	close_site(&s);
	open_site(&s, "", "\"kind\": \"tcp\", \"at\": \"127.0.0.1:9\"");
	prober_adopt(s.prober, next.prober);
	CHECK(!health_of(&s)->down);
	close_site(&s);

	test_case("tcp: it is up again when it takes connections again");
	fd = bind_socket(AF_INET, SOCK_STREAM, &port);
	CHECK(fd >= 0 && listen(fd, 100) == 0);
	CHECK(await(&next, 2, false));
	CHECK_STR(health_of(&next)->why, "");
	close_site(&next);
	close(fd);
}

/* Calls until the listener's queue is full and calls are no longer answered.  False if that cannot
 * be brought about. */
static bool
fill_queue(uint16_t port, int *calls, size_t n)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < n; i++) {
		struct pollfd pfd;

		calls[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(calls[i], (struct sockaddr *)&sa, sizeof(sa));
		pfd = (struct pollfd){ .fd = calls[i], .events = POLLOUT };
		if (poll(&pfd, 1, 200) == 0)
			return true;
	}
	return false;
}

static void
test_tcp_silence(void)
{
	struct site s;
	uint16_t port = 0;
	int fd = bind_socket(AF_INET, SOCK_STREAM, &port), calls[32];
	char probe[128];

	memset(calls, -1, sizeof(calls));
	CHECK(fd >= 0 && listen(fd, 0) == 0);
	if (fill_queue(port, calls, NITEMS(calls))) {
		test_case("tcp: a server that does not answer at all is down");
		(void)snprintf(probe, sizeof(probe),
		    "\"kind\": \"tcp\", \"at\": \"127.0.0.1:%u\", \"timeout_ms\": 100", port);
		open_site(&s, "", probe);
		CHECK(await(&s, 1, true));
		CHECK_STR(health_of(&s)->why, "no answer within 100 ms");
		close_site(&s);
	}
	for (size_t i = 0; i < NITEMS(calls); i++)
		if (calls[i] >= 0)
			close(calls[i]);
	close(fd);
}

static void
test_tcp6(void)
{
	struct site s;
	uint16_t port = 0;
	int fd = bind_socket(AF_INET6, SOCK_STREAM, &port);
	char probe[128];

	if (fd < 0)
		return; /* a machine without IPv6 */
	test_case("tcp: IPv6");
	CHECK_INT(listen(fd, 10), 0);
	(void)snprintf(probe, sizeof(probe), "\"kind\": \"tcp\", \"at\": \"[::1]:%u\"", port);
	open_site(&s, "", probe);
	CHECK(await(&s, 1, false));
	close_site(&s);
	close(fd);
}

/* --- TFTP ---------------------------------------------------------------------------------------
 */

static struct {
	struct loop_fd lf;
	int fd, transfer_fd; /* answers come from a port of their own */
	struct slice answers[3];
	unsigned skip; /* so many requests of each probe are lost */
	unsigned requests, ends;
	bool good; /* the request was as it must be */
	uint16_t end_code;
} tftp;

static void
on_request(void *arg, uint32_t events)
{
	static const char want[] = "\0\1boot/x.efi\0octet\0tsize\0"
				   "0";
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	char packet[600];
	ssize_t got;

	(void)arg;
	(void)events;
	got = recvfrom(tftp.fd, packet, sizeof(packet), 0, (struct sockaddr *)&sa, &n);
	if (got < 0)
		return;
	tftp.good = got == sizeof(want) && memcmp(packet, want, sizeof(want)) == 0;
	if (tftp.requests++ < tftp.skip)
		return;
	for (size_t i = 0; i < NITEMS(tftp.answers) && tftp.answers[i].p != NULL; i++)
		(void)!sendto(tftp.transfer_fd, tftp.answers[i].p, tftp.answers[i].n, 0,
		    (struct sockaddr *)&sa, n);
}

/* What the prober sent to the port of the transfer. */
static void
count_ends(void)
{
	uint8_t packet[100];
	ssize_t n;

	while ((n = recv(tftp.transfer_fd, packet, sizeof(packet), 0)) > 0) {
		tftp.ends += n > 4 && packet[1] == 5;
		tftp.end_code = packet[3];
	}
}

#define PACKET(bytes)                                                                              \
	{                                                                                          \
		(const uint8_t *)(bytes), sizeof(bytes) - 1                                        \
	}
#define OACK                                                                                       \
	PACKET("\0\6tsize\0"                                                                       \
	       "1234\0")
#define DATA          PACKET("\0\3\0\1xyz")
#define ENOENT_PACKET PACKET("\0\5\0\1not found\0")

static void
test_tftp(void)
{
	static const struct {
		const char *what;
		struct slice answers[3];
		unsigned skip;
		const char *more; /* of the block `probe` */
		bool down;
		const char *why;
		int end_code; /* of the ERROR that ends the transfer; -1: none is sent */
	} cases[] = {
		{ "a server that takes the option", { OACK }, 0, "\"any_answer\": false", false, "",
		    8 },
		{ "one that takes no options", { DATA }, 0, "\"any_answer\": false", false, "", 0 },
		{ "no such file, which is a sign of life", { ENOENT_PACKET }, 0,
		    "\"any_answer\": true", false, "", -1 },
		{ "no such file, which is a failure by choice", { ENOENT_PACKET }, 0,
		    "\"any_answer\": false", true, "TFTP error 1", -1 },
		{ "the first request is lost", { OACK }, 1, "\"any_answer\": false", false, "", 8 },
		{ "nonsense before the answer", { PACKET("x"), PACKET("\0\4\0\0"), OACK }, 0,
		    "\"any_answer\": false", false, "", 8 },
		{ "half an error", { PACKET("\0\5\0") }, 0,
		    "\"any_answer\": true, \"timeout_ms\": 100", true, "no answer within 100 ms",
		    -1 },
		{ "silence", { { NULL, 0 } }, 0, "\"timeout_ms\": 100", true,
		    "no answer within 100 ms", -1 },
	};
	uint16_t port = 0, transfer_port = 0;
	char probe[256];

	tftp.fd = bind_socket(AF_INET, SOCK_DGRAM, &port);
	tftp.transfer_fd = bind_socket(AF_INET, SOCK_DGRAM, &transfer_port);
	CHECK_INT(loop_add(loop, &tftp.lf, tftp.fd, EPOLLIN, on_request, NULL), 0);
	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct site s;

		test_case("tftp: %s", cases[i].what);
		memcpy(tftp.answers, cases[i].answers, sizeof(tftp.answers));
		tftp.skip = cases[i].skip;
		tftp.requests = tftp.ends = 0;
		(void)snprintf(probe, sizeof(probe),
		    "\"kind\": \"tftp\", \"at\": \"tftp://127.0.0.1:%u/boot/x.efi\", %s", port,
		    cases[i].more);
		open_site(&s, "", probe);
		CHECK(await(&s, 1, cases[i].down));
		CHECK_STR(health_of(&s)->why, cases[i].why);
		CHECK(tftp.good);
		count_ends();
		CHECK_INT(tftp.ends > 0, cases[i].end_code >= 0);
		if (cases[i].end_code >= 0)
			CHECK_INT(tftp.end_code, cases[i].end_code);
		close_site(&s);
	}
	loop_del(loop, &tftp.lf);
	close(tftp.fd);
	close(tftp.transfer_fd);
}

/* --- HTTP(S)
 * -------------------------------------------------------------------------------------- */

static void
test_https(void)
{
	static struct service service;
	static const struct {
		const char *what, *mode, *ca, *more;
		bool down;
		const char *why; /* "": any */
	} cases[] = {
		{ "a good answer", "status 200", "ca.pem", "\"any_answer\": false", false, "" },
		{ "a status below 500 is a sign of life", "status 404", "ca.pem",
		    "\"any_answer\": true", false, "" },
		{ "unless it must be good", "status 404", "ca.pem", "\"any_answer\": false", true,
		    "status 404" },
		{ "a server in trouble is none", "status 503", "ca.pem", "\"any_answer\": true",
		    true, "status 503" },
		{ "an answer without end", "huge 100000", "ca.pem", "\"any_answer\": false", false,
		    "" },
		{ "silence", "hang", "ca.pem", "\"timeout_ms\": 300", true, "" },
		{ "a server of another CA", "status 200", "stranger-ca.pem", "\"any_answer\": true",
		    true, "" },
	};
	char probe[256];
	struct site s;

	service_start(&service);
	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("https: %s", cases[i].what);
		service_mode(&service, cases[i].mode);
		(void)snprintf(probe, sizeof(probe), "\"kind\": \"https\", \"at\": \"%s\", %s",
		    service_url("https", service.https, "/health"), cases[i].more);
		open_site(&s, service_file(&service, cases[i].ca), probe);
		CHECK(await(&s, 1, cases[i].down));
		if (cases[i].why[0] != '\0')
			CHECK_STR(health_of(&s)->why, cases[i].why);
		else
			CHECK_INT(health_of(&s)->why[0] != '\0', cases[i].down);
		close_site(&s);
	}

	test_case("https: plain HTTP, too, and nobody there");
	service_mode(&service, "status 200");
	(void)snprintf(probe, sizeof(probe), "\"kind\": \"https\", \"at\": \"%s\"",
	    service_url("http", service.http, "/"));
	open_site(&s, "", probe);
	CHECK(await(&s, 1, false));
	close_site(&s);
	(void)snprintf(probe, sizeof(probe), "\"kind\": \"https\", \"at\": \"%s\"",
	    service_url("http", service_dead_port(), "/"));
	open_site(&s, "", probe);
	CHECK(await(&s, 1, true));
	close_site(&s);

	test_case("https: closed while a probe is under way");
	service_mode(&service, "hang");
	(void)snprintf(probe, sizeof(probe),
	    "\"kind\": \"https\", \"at\": \"%s\", \"timeout_ms\": 60000",
	    service_url("https", service.https, "/"));
	open_site(&s, service_file(&service, "ca.pem"), probe);
	give_up_ms = loop_now_ms(loop) + 500; /* the first probe begins within 200 ms */
	awaited.site = &s;
	awaited.probes = 1;
	loop_timer_init(&tick, on_tick, NULL);
	CHECK_INT(loop_timer_set(loop, &tick, 1), 0);
	CHECK_INT(loop_run(loop), 0);
	CHECK(!health_of(&s)->probed);
	close_site(&s);
	service_stop(&service);
}

static void
test_status(void)
{
	struct site s;
	json_t *status;
	const json_t *one;

	test_case("status: a target without a probe is up");
	open_site(&s, "", "\"kind\": \"none\"");
	status = prober_status(s.prober);
	one = json_array_get(status, 0);
	CHECK_INT(json_array_size(status), 1);
	CHECK_STR(json_string_value(json_object_get(one, "name")), "a");
	CHECK_STR(json_string_value(json_object_get(one, "state")), "up");
	CHECK_STR(json_string_value(json_object_get(one, "probe")), "none");
	CHECK_INT(json_integer_value(json_object_get(one, "probes")), 0);
	json_decref(status);
	close_site(&s);
	prober_close(NULL);
}

int
main(void)
{
	log_init("test_probe", true);
	log_set_level(LOG_LEVEL_ERROR);
	CHECK_INT(loop_new(&loop), 0);
	test_tcp();
	test_tcp_silence();
	test_tcp6();
	test_tftp();
	test_https();
	test_status();
	loop_free(loop);
	return test_end();
}
