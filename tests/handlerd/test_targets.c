/* Tests of handlerd/targets.c and targets_conf.c: which target a machine is referred to. */
#include "handlerd/targets.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct config_table table = {
	.daemon = "handlerd",
	.keys = referral_keys,
	.size = sizeof(struct referral_conf),
};

static struct referral_conf conf;
static struct targets *targets;
static struct target_health health[TARGETS_MAX];
static struct target_choice got[TARGETS_MAX];
static char errors[4096];

static void
note_error(void *arg, const char *path, const char *what)
{
	size_t n = strlen(errors);

	(void)arg;
	(void)snprintf(errors + n, sizeof(errors) - n, "%s: %s\n", path, what);
}

static void
unload(void)
{
	targets_free(targets);
	targets = NULL;
	config_free(&table, &conf);
	memset(&conf, 0, sizeof(conf));
}

static void
load(const char *text)
{
	unload();
	errors[0] = '\0';
	memset(health, 0, sizeof(health));
	CHECK_INT(config_parse(&table, text, strlen(text), &conf, note_error, NULL), 0);
	referral_check(&conf, note_error, NULL);
	CHECK_STR(errors, "");
	CHECK_INT(targets_new(&conf, &targets), 0);
}

/* --- the choice ----------------------------------------------------------------------------- */

static const char site[] =
    "{\"targets\": ["
    "{\"name\": \"hq\", \"url\": \"https://hq.example:8050/2PXE/boot\"},"
    "{\"name\": \"north\", \"next_server\": \"10.1.0.5\", \"near\": [\"10.1.0.0/16\"],"
    " \"url\": \"http://10.1.0.5/start.ipxe\","
    " \"files\": [{\"arch\": \"x64\", \"file\": \"boot/x.efi\"},"
    "             {\"arch\": \"bios\", \"file\": \"boot/u.kpxe\"},"
    "             {\"arch\": \"x64-http\", \"file\": \"http://10.1.0.5/x.efi\"}]},"
    "{\"name\": \"lab\", \"order\": 1, \"near\": [\"10.1.7.0/24\", \"lab7\"], \"next_server\": "
    "\"10.1.7.5\","
    " \"files\": [{\"arch\": \"x64\", \"file\": \"lab.efi\"}],"
    " \"url\": \"https://lab.example/b\"},"
    "{\"name\": \"spare\", \"order\": 1, \"url\": \"https://spare.example/b\"}]}";

static const struct ipaddr our_addresses[] = { { 4, { 10, 9, 0, 1 } }, { 4, { 10, 1, 7, 5 } } };
static const struct url_place our_places[] = { { "us.example", 8050, 0 },
	{ "hq.example", 8050, 0 } };
static const struct referral_self nobody = { .id = "me" };

struct pick_case {
	const char *what;
	struct boot_request r;
	const char *via;
	const char *names[3];
	const char *down; /* a target */
	bool self;        /* with our places and addresses */
	size_t usable;
	const char *want; /* "name verdict file" of each, in order */
};

#define IPXE   .stage = STAGE_BOOT, .client = CLIENT_IPXE, .arch = UINT16_MAX
#define DHCP_X .stage = STAGE_DISCOVER, .client = CLIENT_PXE, .arch = 7
static const struct pick_case pick_cases[] = {
	{ "far from all that are near to somebody: the general one, then by order",
	    { IPXE, .address = { 4, { 10, 2, 0, 9 } } }, "", { 0 }, NULL, false, 4,
	    "hq up https://hq.example:8050/2PXE/boot\nspare up https://spare.example/b\n"
	    "north up http://10.1.0.5/start.ipxe\nlab up https://lab.example/b\n" },
	{ "near by a network, before the general ones", { IPXE, .address = { 4, { 10, 1, 2, 9 } } },
	    "", { 0 }, NULL, false, 4,
	    "north up http://10.1.0.5/start.ipxe\nhq up https://hq.example:8050/2PXE/boot\n"
	    "spare up https://spare.example/b\nlab up https://lab.example/b\n" },
	{ "the longest prefix is the nearest", { IPXE, .address = { 4, { 10, 1, 7, 9 } } }, "",
	    { 0 }, NULL, false, 4,
	    "lab up https://lab.example/b\nnorth up http://10.1.0.5/start.ipxe\n"
	    "hq up https://hq.example:8050/2PXE/boot\nspare up https://spare.example/b\n" },
	{ "the relay counts before the client's address",
	    { IPXE, .address = { 4, { 10, 2, 0, 9 } }, .relay = { 4, { 10, 1, 3, 1 } } }, "", { 0 },
	    NULL, false, 4,
	    "north up http://10.1.0.5/start.ipxe\nhq up https://hq.example:8050/2PXE/boot\n"
	    "spare up https://spare.example/b\nlab up https://lab.example/b\n" },
	{ "without either it is our own address on the client's segment",
	    { DHCP_X, .server = { 4, { 10, 1, 3, 1 } } }, "", { 0 }, NULL, false, 2,
	    "north up boot/x.efi\nlab up lab.efi\nhq no-file -\nspare no-file -\n" },
	{ "the name of the subnet is nearer than any prefix",
	    { IPXE, .subnet = { (const uint8_t *)"lab7", 4 }, .address = { 4, { 10, 1, 2, 9 } } },
	    "", { 0 }, NULL, false, 4,
	    "lab up https://lab.example/b\nnorth up http://10.1.0.5/start.ipxe\n"
	    "hq up https://hq.example:8050/2PXE/boot\nspare up https://spare.example/b\n" },
	{ "one that is down comes last, but is there", { IPXE, .address = { 4, { 10, 1, 2, 9 } } },
	    "", { 0 }, "north", false, 4,
	    "hq up https://hq.example:8050/2PXE/boot\nspare up https://spare.example/b\n"
	    "lab up https://lab.example/b\nnorth down http://10.1.0.5/start.ipxe\n" },
	{ "only those that the rule names", { IPXE, .address = { 4, { 10, 1, 7, 9 } } }, "",
	    { "spare", "north" }, NULL, false, 2,
	    "north up http://10.1.0.5/start.ipxe\nspare up https://spare.example/b\n"
	    "hq not-named -\nlab not-named -\n" },
	{ "a name that no target has", { IPXE }, "", { "nowhere" }, NULL, false, 0,
	    "hq not-named -\nnorth not-named -\nlab not-named -\nspare not-named -\n" },
	{ "firmware needs a file for its CPU",
	    { .stage = STAGE_BOOTSERVER,
		.client = CLIENT_PXE,
		.arch = 0,
		.address = { 4, { 10, 1, 7, 9 } } },
	    "", { 0 }, NULL, false, 1,
	    "north up boot/u.kpxe\nhq no-file -\nlab no-file -\nspare no-file -\n" },
	{ "HTTP Boot needs a URL", { .stage = STAGE_DISCOVER, .client = CLIENT_HTTP, .arch = 16 },
	    "", { 0 }, NULL, false, 1,
	    "north up http://10.1.0.5/x.efi\nhq no-file -\nlab no-file -\nspare no-file -\n" },
	{ "an architecture that nobody knows",
	    { .stage = STAGE_DISCOVER, .client = CLIENT_PXE, .arch = 999 }, "", { 0 }, NULL, false,
	    0, "hq no-file -\nnorth no-file -\nlab no-file -\nspare no-file -\n" },
	{ "iPXE gets the URL at its DISCOVER, too",
	    { .stage = STAGE_DISCOVER, .client = CLIENT_IPXE, .arch = 7 }, "", { "hq" }, NULL,
	    false, 1,
	    "hq up https://hq.example:8050/2PXE/boot\nnorth not-named -\nlab not-named -\n"
	    "spare not-named -\n" },
	{ "a URL that is ours, by its name and port", { IPXE }, "", { "hq", "spare" }, NULL, true,
	    1,
	    "spare up https://spare.example/b\nhq leads-to-us -\nnorth not-named -\n"
	    "lab not-named -\n" },
	{ "a next-server that is ours", { DHCP_X }, "", { 0 }, NULL, true, 1,
	    "north up boot/x.efi\nhq no-file -\nlab leads-to-us -\nspare no-file -\n" },
	{ "a client that was here before is in a loop", { IPXE }, "x1.me.y2", { "hq" }, NULL, false,
	    0, "hq loop -\nnorth not-named -\nlab not-named -\nspare not-named -\n" },
	{ "one that passed as many servers as are allowed", { IPXE }, "a.b.c.d", { "hq" }, NULL,
	    false, 0,
	    "hq too-many-hops -\nnorth not-named -\nlab not-named -\nspare not-named -\n" },
	{ "one less is fine", { IPXE }, "a.b.c", { "hq" }, NULL, false, 1,
	    "hq up https://hq.example:8050/2PXE/boot\nnorth not-named -\nlab not-named -\n"
	    "spare not-named -\n" },
	{ "a mark that is none is not believed", { IPXE }, "../..", { "hq" }, NULL, false, 0,
	    "hq too-many-hops -\nnorth not-named -\nlab not-named -\nspare not-named -\n" },
};

static void
test_choice(void)
{
	const struct referral_self us = { "me", our_addresses, NITEMS(our_addresses), our_places,
		NITEMS(our_places) };

	test_case("the sample site loads");
	load(site);
	for (size_t i = 0; i < NITEMS(pick_cases); i++) {
		const struct pick_case *c = &pick_cases[i];
		char text[1024] = "";
		size_t names = 0, usable;

		test_case("choice: %s", c->what);
		while (names < NITEMS(c->names) && c->names[names] != NULL)
			names++;
		for (size_t k = 0; k < targets->n; k++)
			health[k].down =
			    c->down != NULL && strcmp(c->down, targets->v[k].conf->name) == 0;
		usable = targets_pick(targets, health, c->self ? &us : &nobody, conf.max_hops,
		    &c->r, slice_str(c->via), c->names, names, got);
		CHECK_INT(usable, c->usable);
		for (size_t k = 0; k < targets->n; k++) {
			size_t n = strlen(text);

			(void)snprintf(text + n, sizeof(text) - n, "%s %s %s\n",
			    got[k].target->conf->name, target_verdict_name(got[k].verdict),
			    got[k].file != NULL ? got[k].file : "-");
			CHECK_INT(target_is_usable(&got[k]), k < usable);
		}
		CHECK_STR(text, c->want);
	}

	test_case("choice: no health known is all up, no targets is no choice");
	CHECK_INT(
	    targets_pick(targets, NULL, &nobody, 4, &pick_cases[0].r, slice_str(""), NULL, 0, got),
	    4);
	load("{}");
	CHECK_INT(
	    targets_pick(targets, NULL, &nobody, 4, &pick_cases[0].r, slice_str(""), NULL, 0, got),
	    0);
}

/* --- weights ---------------------------------------------------------------------------------- */

#define MACHINES 20000

/* Whom each of many machines prefers, and how many prefer each. */
static void
poll_machines(uint8_t choice[static MACHINES], unsigned count[static TARGETS_MAX])
{
	struct boot_request r = { IPXE, .mac = { 6, { 0x52, 0x54 } } };

	memset(count, 0, TARGETS_MAX * sizeof(*count));
	for (unsigned i = 0; i < MACHINES; i++) {
		size_t k;

		r.mac.b[4] = (uint8_t)(i >> 8);
		r.mac.b[5] = (uint8_t)i;
		(void)targets_pick(targets, health, &nobody, 4, &r, slice_str(""), NULL, 0, got);
		k = (size_t)(got[0].target - targets->v);
		choice[i] = (uint8_t)k;
		count[k]++;
	}
}

static void
test_weights(void)
{
	static uint8_t before[MACHINES], after[MACHINES];
	unsigned count[TARGETS_MAX], was[TARGETS_MAX], moved = 0;

	test_case("weights: machines are shared out in proportion to them");
	load("{\"targets\": [{\"name\": \"a\", \"url\": \"http://a/\", \"weight\": 100},"
	     "{\"name\": \"b\", \"url\": \"http://b/\", \"weight\": 300},"
	     "{\"name\": \"c\", \"url\": \"http://c/\", \"weight\": 600},"
	     "{\"name\": \"d\", \"url\": \"http://d/\", \"weight\": 0}]}");
	poll_machines(before, was);
	CHECK(was[0] > MACHINES / 10 * 9 / 10 && was[0] < MACHINES / 10 * 11 / 10);
	CHECK(was[1] > MACHINES * 3 / 10 * 9 / 10 && was[1] < MACHINES * 3 / 10 * 11 / 10);
	CHECK(was[2] > MACHINES * 6 / 10 * 9 / 10 && was[2] < MACHINES * 6 / 10 * 11 / 10);
	CHECK_INT(was[3], 0);

	test_case("weights: when one is down, its machines move and no others");
	health[1].down = true;
	poll_machines(after, count);
	for (size_t i = 0; i < MACHINES; i++)
		moved += before[i] != 1 && before[i] != after[i];
	CHECK_INT(moved, 0);
	CHECK_INT(count[1], 0);
	CHECK(count[0] > was[0] && count[2] > was[2]);

	test_case("weights: one of weight 0 is used when the others are down");
	health[0].down = health[2].down = true;
	poll_machines(after, count);
	CHECK_INT(count[3], MACHINES);

	test_case("weights: the order in the configuration does not matter, nor what is added far "
		  "away");
	load("{\"targets\": [{\"name\": \"x\", \"url\": \"http://x/\", \"near\": [\"10.0.0.0/8\"]},"
	     "{\"name\": \"c\", \"url\": \"http://c/\", \"weight\": 600},"
	     "{\"name\": \"b\", \"url\": \"http://b/\", \"weight\": 300},"
	     "{\"name\": \"a\", \"url\": \"http://a/\", \"weight\": 100}]}");
	poll_machines(after, count);
	for (size_t i = 0; i < MACHINES; i++)
		moved += (before[i] == 0 ? 3 : before[i] == 2 ? 1 : 2) != after[i];
	CHECK_INT(moved, 0);

	test_case("weights: a machine without a MAC goes by its UUID");
	{
		struct boot_request r = { IPXE, .has_uuid = true };
		uint64_t cost;

		(void)targets_pick(targets, health, &nobody, 4, &r, slice_str(""), NULL, 0, got);
		cost = got[0].cost;
		r.uuid.b[3] = 9;
		(void)targets_pick(targets, health, &nobody, 4, &r, slice_str(""), NULL, 0, got);
		CHECK(got[0].cost != cost);
	}
}

/* --- health ----------------------------------------------------------------------------------- */

static void
test_health(void)
{
	/* '+' a good probe, '-' a failed one; then the state: U, D, in capitals when it changed */
	static const struct {
		const char *what, *probes, *states;
	} cases[] = {
		{ "the first probe decides, if it fails", "-", "D" },
		{ "the first probe decides, if it is good", "+", "u" },
		{ "three failures bring it down", "+---", "uuuD" },
		{ "two failures and a good one do not", "+--+--+", "uuuuuuu" },
		{ "two good ones bring it up again", "-++", "DdU" },
		{ "one good one does not", "-+-+-", "Ddddd" },
		{ "from up to down to up", "+---+-++", "uuuDdddU" },
	};
	struct target_conf t = { .probe = { .rise = 2, .fall = 3 } };

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct target_health h = { .probed = false };
		char states[16] = "";

		test_case("health: %s", cases[i].what);
		for (size_t k = 0; cases[i].probes[k] != '\0'; k++) {
			bool good = cases[i].probes[k] == '+';
			bool changed =
			    target_health_note(&h, &t, good ? NULL : "refused", 7, 1000 + k);

			states[k] = h.down ? (changed ? 'D' : 'd') : (changed ? 'U' : 'u');
			CHECK_STR(h.why, good ? "" : "refused");
			CHECK(!changed || h.since_ms == 1000 + k);
		}
		CHECK_STR(states, cases[i].states);
		CHECK_INT(h.probes, strlen(cases[i].probes));
	}
}

/* --- configuration ---------------------------------------------------------------------------- */

static const struct {
	const char *what, *target, *want;
} conf_cases[] = {
	{ "a target without anything", "{}",
	    "[0].name: \"\" is no name: letters, digits and ._- are\n"
	    "[0].url: is missing, and there are no files\n" },
	{ "a URL of another kind", "{\"name\": \"a\", \"url\": \"ftp://a/\"}",
	    "[0].url: \"ftp://a/\" is no http or https URL\n" },
	{ "a URL with a blank, which would end a word of a script",
	    "{\"name\": \"a\", \"url\": \"http://a/ shell\"}",
	    "[0].url: \"http://a/ shell\" is no http or https URL\n" },
	{ "files without a next-server",
	    "{\"name\": \"a\", \"files\": [{\"arch\": \"x64\", \"file\": \"x\"}]}",
	    "[0].next_server: is missing: the files are for firmware\n" },
	{ "files for what does not exist, and twice",
	    "{\"name\": \"a\", \"next_server\": \"10.0.0.1\", \"files\": ["
	    "{\"arch\": \"pdp11\", \"file\": \"x\"}, {\"arch\": \"none\", \"file\": \"x\"},"
	    "{\"arch\": \"X64\", \"file\": \"x\"}, {\"arch\": \"bios-http\", \"file\": "
	    "\"http://a/\"},"
	    "{\"arch\": \"x64\", \"file\": \"x\"}, {\"arch\": \"x64\", \"file\": \"y\"}]}",
	    "[0].files[0].arch: \"pdp11\" is no kind of firmware\n"
	    "[0].files[1].arch: \"none\" is no kind of firmware\n"
	    "[0].files[2].arch: \"X64\" is no kind of firmware\n"
	    "[0].files[3].arch: \"bios-http\" is no kind of firmware\n"
	    "[0].files[5].arch: \"x64\" has a file already\n" },
	{ "files that are none",
	    "{\"name\": \"a\", \"next_server\": \"10.0.0.1\", \"files\": ["
	    "{\"arch\": \"x64\"}, {\"arch\": \"x64-http\", \"file\": \"boot/x.efi\"}]}",
	    "[0].files[0].file: \"\" is no name of a file\n"
	    "[0].files[1].file: \"boot/x.efi\" is no http or https URL\n" },
	{ "networks that are none",
	    "{\"name\": \"a\", \"url\": \"http://a/\", \"near\": [\"10.0.0.1/8\", \"lab\", \"\"]}",
	    "[0].near[0]: \"10.0.0.1/8\" is neither a network nor the name of a subnet\n"
	    "[0].near[2]: \"\" is neither a network nor the name of a subnet\n" },
	{ "a tcp probe of a name",
	    "{\"name\": \"a\", \"url\": \"http://a/\", \"probe\": {\"kind\": \"tcp\"}}",
	    "[0].probe.at: \"\" is no ADDRESS:PORT, and `url` tells none\n" },
	{ "a tcp probe without a port",
	    "{\"name\": \"a\", \"url\": \"http://a/\", \"probe\": {\"kind\": \"tcp\","
	    " \"at\": \"10.0.0.1\"}}",
	    "[0].probe.at: \"10.0.0.1\" is no ADDRESS:PORT, and `url` tells none\n" },
	{ "a tftp probe of nothing",
	    "{\"name\": \"a\", \"url\": \"http://a/\", \"probe\": {\"kind\": \"tftp\"}}",
	    "[0].probe.at: \"\" names no file, and `next_server` and `files` tell none\n" },
	{ "an https probe of a file",
	    "{\"name\": \"a\", \"url\": \"http://a/\", \"probe\": {\"kind\": \"https\","
	    " \"at\": \"x\"}}",
	    "[0].probe.at: \"x\" is no URL, and `url` tells none\n" },
	{ "the same name twice",
	    "{\"name\": \"a\", \"url\": \"http://a/\"}, {\"name\": \"a\", \"url\": \"http://b/\"}",
	    "[1].name: \"a\" is the name of another target\n" },
};

static void
test_conf(void)
{
	char text[1024], want[1024];

	for (size_t i = 0; i < NITEMS(conf_cases); i++) {
		const char *line = conf_cases[i].want, *end;

		test_case("config: %s", conf_cases[i].what);
		unload();
		(void)snprintf(text, sizeof(text), "{\"targets\": [%s]}", conf_cases[i].target);
		CHECK_INT(config_parse(&table, text, strlen(text), &conf, note_error, NULL), 0);
		errors[0] = want[0] = '\0';
		referral_check(&conf, note_error, NULL);
		for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
			size_t n = strlen(want);

			(void)snprintf(want + n, sizeof(want) - n, "referral.targets%.*s\n",
			    (int)(end - line), line);
		}
		CHECK_STR(errors, want);
	}
}

static void
test_probe_places(void)
{
	static const struct {
		const char *what, *target, *address, *where;
		uint16_t port;
	} cases[] = {
		{ "tcp: that of the URL",
		    "\"url\": \"https://10.0.0.1/x\","
		    "\"probe\": {\"kind\": \"tcp\"}",
		    "10.0.0.1", "", 443 },
		{ "tcp: its own",
		    "\"url\": \"http://a/\","
		    "\"probe\": {\"kind\": \"tcp\", \"at\": \"[2001:db8::1]:80\"}",
		    "2001:db8::1", "", 80 },
		{ "tftp: the first file that is one",
		    "\"next_server\": \"10.0.0.1\", \"files\": ["
		    "{\"arch\": \"x64-http\", \"file\": \"http://a/\"},"
		    "{\"arch\": \"x64\", \"file\": \"x.efi\"}], \"probe\": {\"kind\": \"tftp\"}",
		    "10.0.0.1", "x.efi", 69 },
		{ "tftp: a file of the next-server",
		    "\"next_server\": \"10.0.0.1\", \"files\": ["
		    "{\"arch\": \"x64\", \"file\": \"x\"}], \"probe\": {\"kind\": \"tftp\","
		    " \"at\": \"a/b c\"}",
		    "10.0.0.1", "a/b c", 69 },
		{ "tftp: a URL",
		    "\"url\": \"http://a/\", \"probe\": {\"kind\": \"tftp\","
		    " \"at\": \"tftp://10.0.0.2:6969/a/b\"}",
		    "10.0.0.2", "a/b", 6969 },
		{ "https: the root of the URL",
		    "\"url\": \"https://a:8050/2PXE/boot?x=1\","
		    "\"probe\": {\"kind\": \"https\"}",
		    "", "https://a:8050/", 0 },
		{ "https: its own",
		    "\"url\": \"https://a/\", \"probe\": {\"kind\": \"https\","
		    " \"at\": \"http://b/health?x=1\"}",
		    "", "http://b/health?x=1", 0 },
	};
	char text[512], ip[IP_STRLEN];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct probe_place p = { .port = 1 };

		test_case("probe: %s", cases[i].what);
		(void)snprintf(
		    text, sizeof(text), "{\"targets\": [{\"name\": \"a\", %s}]}", cases[i].target);
		load(text);
		CHECK_INT(target_probe_place(targets->v[0].conf, &p), 0);
		CHECK_STR(ip_format(&p.address, ip), cases[i].address);
		CHECK_STR(p.what, cases[i].where);
		CHECK_INT(p.port, cases[i].port);
	}
}

int
main(void)
{
	test_choice();
	test_weights();
	test_health();
	test_conf();
	test_probe_places();
	unload();
	return test_end();
}
