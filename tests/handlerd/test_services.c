/* Tests of handlerd/services.c. */
#include "handlerd/services.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct services t;

static bool
note(uint64_t origin, enum daemon_kind daemon, const char *subnet, uint8_t last_octet,
    uint16_t port, uint64_t now_ms)
{
	struct daemon_status s = {
		.daemon = daemon,
		.subnet = slice_str(subnet),
		.port = port,
		.address = { 4, { 10, 0, 0, last_octet } },
		.trust = slice_str("0123456789abcdef0123456789abcdefXX"),
	};

	if (last_octet == 0)
		s.address = (struct ipaddr){ 4, { 0 } };
	return services_note(&t, origin, &s, now_ms);
}

static int
pick(enum daemon_kind daemon, const char *subnet, uint64_t now_ms)
{
	const struct service *s = services_pick(&t, daemon, slice_str(subnet), now_ms);

	return s != NULL ? s->port : -1;
}

int
main(void)
{
	const struct service *s;

	test_case("none has announced itself");
	CHECK_INT(pick(DAEMON_TFTPD, "lab", 1000), -1);

	test_case("an announcement is news once, and again after silence");
	CHECK(note(1, DAEMON_HTTPSBOOTD, "lab", 1, 8050, 1000));
	CHECK(!note(1, DAEMON_HTTPSBOOTD, "lab", 1, 8050, 3000));
	CHECK(note(1, DAEMON_HTTPSBOOTD, "lab", 1, 8050, 3000 + SERVICE_ALIVE_MS + 1));

	test_case("what is wrong is kept until the next announcement");
	{
		struct daemon_status wrong = { .daemon = DAEMON_DHCPPROXYD,
			.subnet = slice_str("lab"),
			.problem = slice_str("interface eth0: down") };

		(void)services_note(&t, 9, &wrong, 10000);
		CHECK_STR(services_pick(&t, DAEMON_DHCPPROXYD, slice_str("lab"), 10000)->problem,
		    "interface eth0: down");
		wrong.problem = (struct slice){ 0 };
		(void)services_note(&t, 9, &wrong, 12000);
		CHECK_STR(
		    services_pick(&t, DAEMON_DHCPPROXYD, slice_str("lab"), 12000)->problem, "");
	}

	test_case("the subnet's own daemon goes first, else any of its kind");
	CHECK(note(2, DAEMON_HTTPSBOOTD, "hall", 2, 8051, 10100));
	CHECK_INT(pick(DAEMON_HTTPSBOOTD, "lab", 10200), 8050);
	CHECK_INT(pick(DAEMON_HTTPSBOOTD, "hall", 10200), 8051);
	CHECK_INT(pick(DAEMON_HTTPSBOOTD, "elsewhere", 10200), 8051);
	CHECK_INT(pick(DAEMON_TFTPD, "lab", 10200), -1);

	test_case("a dead one of the subnet is better than a living stranger's");
	CHECK(note(2, DAEMON_HTTPSBOOTD, "hall", 2, 8051, 50000));
	CHECK_INT(pick(DAEMON_HTTPSBOOTD, "lab", 50000), 8050);

	test_case("a restarted daemon takes its predecessor's place");
	CHECK(note(77, DAEMON_HTTPSBOOTD, "lab", 1, 8050, 51000));
	s = services_pick(&t, DAEMON_HTTPSBOOTD, slice_str("lab"), 51000);
	CHECK(s != NULL && s->origin == 77);

	test_case("daemons of two hosts with the same names keep their places");
	CHECK(note(79, DAEMON_HTTPSBOOTD, "lab", 1, 8050, 51500));
	CHECK(!note(77, DAEMON_HTTPSBOOTD, "lab", 1, 8050, 52000));
	CHECK(!note(79, DAEMON_HTTPSBOOTD, "lab", 1, 8050, 52500));

	test_case("only whole fingerprints are kept, and 0.0.0.0 is no address");
	CHECK_INT(s->trust_n, 32);
	CHECK(note(78, DAEMON_HTTPSBOOTD, "any", 0, 8052, 51000));
	s = services_pick(&t, DAEMON_HTTPSBOOTD, slice_str("any"), 51000);
	CHECK_INT(s->address.family, 0);

	test_case("where clients of each IP version reach a daemon");
	{
		static const struct {
			const char *what, *address, *address6, *v4, *v6; /* NULL: not at all */
		} rows[] = {
			{ "anywhere", "", "", "", "" },
			{ "anywhere, but told one", "", "fd77::1", "", "fd77::1" },
			{ "IPv4 alone", "10.0.0.1", "", "10.0.0.1", NULL },
			{ "IPv6 alone", "fd77::1", "", NULL, "fd77::1" },
			{ "both", "10.0.0.1", "fd77::1", "10.0.0.1", "fd77::1" },
			{ ":: is no address", "10.0.0.1", "::", "10.0.0.1", NULL },
		};

		for (size_t i = 0; i < NITEMS(rows); i++) {
			struct daemon_status status = { .daemon = DAEMON_TFTPD,
				.subnet = slice_str("versions") };
			const char *want[] = { rows[i].v4, rows[i].v6 };

			test_case("IP versions: %s", rows[i].what);
			(void)ip_parse(slice_str(rows[i].address), &status.address);
			(void)ip_parse(slice_str(rows[i].address6), &status.address6);
			(void)services_note(&t, 90, &status, 52600);
			s = services_pick(&t, DAEMON_TFTPD, slice_str("versions"), 52600);
			for (size_t k = 0; k < 2; k++) {
				struct ipaddr ip = { 0 };
				char text[IP_STRLEN];

				CHECK_INT(service_address(s, k == 0 ? 4 : 6, &ip),
				    want[k] != NULL ? 0 : -EAFNOSUPPORT);
				CHECK_STR(ip_format(&ip, text), want[k] != NULL ? want[k] : "");
			}
		}
	}

	test_case("when all places are taken, the one silent longest makes room");
	for (int i = 0; i < 2 * SERVICES_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		note(1000 + (uint64_t)i, DAEMON_TFTPD, name, 9, (uint16_t)(1000 + i),
		    60000 + (uint64_t)i);
	}
	CHECK_INT(pick(DAEMON_TFTPD, "s511", 60600), 1511);
	CHECK_INT(pick(DAEMON_HTTPSBOOTD, "lab", 60600), -1);
	test_case("a load above the threshold is told once, and once when it is well below");
	{
		struct daemon_status busy = {
			.daemon = DAEMON_TFTPD, .subnet = slice_str("busy"), .max_transfers = 10
		};
		static const struct {
			uint32_t load;
			enum load_change change;
			uint32_t after_ms;
		} steps[] = {
			{ 699, LOAD_SAME, 0 },
			{ 700, LOAD_HIGH, 0 },
			{ 1000, LOAD_SAME, 0 },
			{ 0, LOAD_SAME, 1000 },   /* for a moment */
			{ 650, LOAD_SAME, 1000 }, /* within the slack */
			{ 599, LOAD_SAME, SERVICE_CALM_MS - 1 },
			{ 599, LOAD_EASED, 1 },
			{ 650, LOAD_SAME, 0 },
			{ 800, LOAD_HIGH, 0 },
		};
		uint64_t now_ms = 500000;
		size_t at = 0;

		(void)services_note(&t, 77, &busy, now_ms);
		while (t.v[at].origin != 77)
			at++;
		for (size_t i = 0; i < NITEMS(steps); i++) {
			busy.load_permille = steps[i].load;
			now_ms += steps[i].after_ms;
			(void)services_note(&t, 77, &busy, now_ms);
			CHECK_INT(services_admission(&t, at, 700, 100, now_ms), steps[i].change);
			CHECK_INT(services_admission(&t, at, 700, 100, now_ms), LOAD_SAME);
		}
		test_case("a daemon that is gone carries nothing");
		CHECK_INT(services_admission(&t, at, 700, 100, now_ms + SERVICE_ALIVE_MS + 1),
		    LOAD_EASED);
		test_case("and without a threshold nobody ever waits");
		CHECK_INT(services_admission(&t, at, 0, 100, now_ms), LOAD_SAME);
		test_case("a low threshold is left when there is nothing to carry");
		CHECK_INT(services_admission(&t, at, 50, 100, now_ms), LOAD_HIGH);
		busy.load_permille = 0;
		now_ms += SERVICE_CALM_MS;
		(void)services_note(&t, 77, &busy, now_ms);
		CHECK_INT(services_admission(&t, at, 50, 100, now_ms), LOAD_EASED);
	}
	return test_end();
}
