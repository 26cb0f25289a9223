/*
 * A handlerd for tests of the front daemons: it gives every DHCP request the same answer.
 *
 * usage: fake_handlerd URL STYLE [FILE]
 *
 * STYLE is the name of an offer style, or `silence`.  Each request is told as a line on stderr,
 * with the milliseconds since the first one.
 */
#include "common/bus_server.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct loop *loop;
static struct bus_server *server;
static struct boot_answer answer;
static uint64_t first_ms;

static void
on_request(void *arg, const struct bus_reply *to, const struct boot_request *r)
{
	struct boot_answer a = answer;

	(void)arg;
	if (first_ms == 0)
		first_ms = loop_now_ms(loop);
	log_info("request at=%llu stage=%s client=%s ip=%u secs=%u wait_ms=%u",
	    (unsigned long long)(loop_now_ms(loop) - first_ms), boot_stage_name(r->stage),
	    boot_client_name(r->client), r->server.family, r->secs, r->wait_ms);
	if (r->via != VIA_DHCP)
		a = (struct boot_answer){ .action = ACTION_ERROR, .error = BOOT_ERROR_NOT_FOUND };
	bus_answer(server, to, &a);
}

static bool
on_event(void *arg, uint64_t origin, const struct boot_event *e)
{
	(void)arg;
	(void)origin;
	(void)e;
	return true;
}

static void
on_status(void *arg, uint64_t origin, const struct daemon_status *s)
{
	(void)arg;
	(void)origin;
	(void)s;
}

int
main(int argc, char *argv[])
{
	static const struct bus_server_ops ops = { on_request, on_event, on_status };
	struct bus_server_conf conf = {
		.urls = (const char *const *)&argv[1], .nurls = 1, .ops = &ops
	};

	log_init("fake_handlerd", true);
	if (argc < 3)
		fatalx("usage: fake_handlerd URL STYLE [FILE]");
	answer.action = ACTION_OFFER;
	if (strcmp(argv[2], "silence") == 0)
		answer.action = ACTION_IGNORE;
	else
		while (strcmp(offer_style_name(answer.style), argv[2]) != 0)
			if (++answer.style == OFFER_STYLES)
				fatalx("%s: no such style", argv[2]);
	if (argc > 3)
		answer.file = slice_str(argv[3]);
	if (loop_new(&loop) < 0 || bus_server_open(loop, &conf, &server) < 0)
		fatalx("cannot start");
	log_info("ready");
	return loop_run(loop) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
