/*
 * Decisions with many rules and many machines: for a machine of a large table, what handlerd knows
 * is gathered and the boot request decided, with rules of all kinds of which the last one holds.
 * Prints one JSON object.
 *
 * usage: decide_load RULES MACHINES
 */
#include "common/arch.h"
#include "handlerd/gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAMPLES 200000
#define MODELS  300

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
print_samples(const char *name, double *v)
{
	qsort(v, SAMPLES, sizeof(v[0]), by_value);
	printf("\"%s p50 us\": %.2f, \"%s p99 us\": %.2f, ", name, v[SAMPLES / 2] * 1e6, name,
	    v[SAMPLES / 100 * 99] * 1e6);
}

/* --- the site ------------------------------------------------------------------------------- */

/* A condition of each kind, none of which fits any of our machines. */
static void
put_condition(char *buf, size_t size, unsigned i)
{
	static const char *const forms[] = {
		"\"product\":[\"Model 9%03u*\",\"Board %u?\"]",
		"\"network\":[\"172.%u.0.0/16\",\"192.168.%u.0/24\"]",
		"\"mac\":[\"00:1b:%02x\",\"00:1c:%02x:00:00:00\"]",
		"\"stage\":[\"boot\"],\"serial\":[\"%u-*-%u\"]",
		"\"manufacturer\":[\"Maker*\"],\"product\":[\"*X%u*Y%u*\"]",
		"\"group\":[\"group-%u\",\"team-%u\"]",
		"\"param\":[\"pin=%u\",\"site=%u\"]",
		"\"circuit_id\":[\"Gi9/0/%u\",\"Gi8/0/%u\"]",
		"\"arch\":[\"x64\"],\"asset\":[\"B-%u*\",\"C-%u*\"]",
		"\"outcome\":[\"done\"],\"uuid\":[\"%08x-0000-0000-0000-%012x\"]",
		"\"firmware\":[\"uefi\"],\"relay\":[\"172.16.%u.0/24\",\"172.17.%u.0/24\"]",
		"\"ipxe_version\":[\">=1.0\"],\"remote_id\":[\"rack-%u\",\"row-%u\"]",
	};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(buf, size, forms[i % NITEMS(forms)], i & 0xff, i & 0xff);
#pragma GCC diagnostic pop
}

static void
complain(void *arg, const char *path, const char *what)
{
	(void)arg;
	fprintf(stderr, "%s: %s\n", path, what);
}

static struct policy *
make_policy(unsigned nrules)
{
	json_t *rules = json_array(), *object = json_pack("{s:o}", "rules", rules);
	struct policy_conf conf;
	struct policy *policy;

	for (unsigned i = 0; i < nrules; i++) {
		bool last = i + 1 == nrules;
		char when[256] = "\"manufacturer\":[\"Maker*\"],\"serial\":[\"5CD*\"]", text[400];

		if (!last)
			put_condition(when, sizeof(when), i);
		(void)snprintf(text, sizeof(text),
		    "{\"name\":\"rule-%u\",\"when\":{%s},\"action\":\"%s\",\"entry\":\"%s\"}", i,
		    when, last ? "entry" : "refuse", last ? "tiny" : "");
		json_array_append_new(rules, json_loads(text, 0, NULL));
	}
	if (json_array_size(rules) != nrules ||
	    config_parse_object(policy_keys, object, &conf, sizeof(conf), complain, NULL) < 0 ||
	    policy_new(&conf, 1, complain, NULL, &policy) < 0)
		exit(1);
	config_free_object(policy_keys, &conf);
	json_decref(object);
	return policy;
}

static struct image images[] = {
	{ .name = "tiny",
	    .type = IMAGE_LINUX,
	    .files = { { .role = IMAGE_KERNEL, .name = "vmlinuz", .size = 8000000 } },
	    .nfiles = 1 },
};

/* --- the machines --------------------------------------------------------------------------- */

static struct macaddr
mac_of(unsigned i)
{
	return (struct macaddr){ 6,
		{ 0x52, 0x54, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 0 } };
}

static struct uuid
uuid_of(unsigned i)
{
	struct uuid u = { { 0 } };
	uint32_t first = i * 2654435761u;

	memcpy(u.b, &first, sizeof(first));
	memcpy(u.b + 12, &i, sizeof(i));
	return u;
}

struct texts {
	char serial[16], asset[16], maker[16], product[16], circuit[16], remote[16];
};

static void
put_texts(unsigned i, struct texts *t)
{
	(void)snprintf(t->serial, sizeof(t->serial), "5CD%07u", i);
	(void)snprintf(t->asset, sizeof(t->asset), "A-%06u", i);
	(void)snprintf(t->maker, sizeof(t->maker), "Maker %u", i % 12);
	(void)snprintf(t->product, sizeof(t->product), "Model %u", i % MODELS);
	(void)snprintf(t->circuit, sizeof(t->circuit), "Gi1/0/%u", i % 48);
	(void)snprintf(t->remote, sizeof(t->remote), "switch-%u", i % 2000);
}

static int
fill(struct machines *t, unsigned n)
{
	for (unsigned i = 1; i <= n; i++) {
		struct texts text;
		struct machine m = {
			.id = i,
			.first_ms = 1700000000000u + i,
			.last_ms = 1700000000000u + i * 7919ull % n,
			.nmacs = 1,
			.macs = { { mac_of(i), true } },
			.has_uuid = true,
			.uuid = uuid_of(i),
			.arch = 7,
			.phase = PHASE_DONE,
			.phase_ms = 1700000000000u,
		};

		put_texts(i, &text);
		m.serial = slice_str(text.serial);
		m.asset = slice_str(text.asset);
		m.manufacturer = slice_str(text.maker);
		m.product = slice_str(text.product);
		m.circuit = slice_str(text.circuit);
		m.remote = slice_str(text.remote);
		m.version = slice_str("1.21.1+ (g1234)");
		if (machines_restore(t, &m) < 0)
			return -1;
	}
	return machines_restored(t, n);
}

/* --- the requests --------------------------------------------------------------------------- */

struct ask {
	struct texts text;
	char form[512];
	struct boot_request r;
	struct boot b;
};

static void
make_ask(unsigned i, struct ask *a)
{
	struct boot_request *r = &a->r;

	put_texts(i, &a->text);
	(void)snprintf(a->form, sizeof(a->form),
	    "mac=52-54-%02x-%02x-%02x-00&uuid=%08x&manufacturer=Maker%%20%u&product=Model%%20%u"
	    "&serial=%s&asset=%s&platform=efi&buildarch=x86_64&version=1.21.1%%2B&memsize=8192"
	    "&ifname=net0&chip=virtio&filename=boot&boot=0000002a",
	    i >> 16 & 255, i >> 8 & 255, i & 255, i, i % 12, i % MODELS, a->text.serial,
	    a->text.asset);
	*r = (struct boot_request){
		.id = 1,
		.stage = STAGE_BOOT,
		.client = CLIENT_IPXE,
		.via = VIA_HTTPS,
		.arch = ARCH_UNKNOWN,
		.mac = mac_of(i),
		.has_uuid = true,
		.uuid = uuid_of(i),
		.address = { 4, { 10, (uint8_t)(i % 200), 2, 3 } },
		.server = { 4, { 10, 0, 0, 1 } },
		.subnet = slice_str("office"),
		.manufacturer = slice_str(a->text.maker),
		.product = slice_str(a->text.product),
		.serial = slice_str(a->text.serial),
		.asset = slice_str(a->text.asset),
		.platform = slice_str("efi"),
		.buildarch = slice_str("x86_64"),
		.version = slice_str("1.21.1+ (g1234)"),
		.params = slice_str(a->form),
	};
	a->b = (struct boot){
		.id = 42,
		.machine = i,
		.started_ms = 1,
		.mac = r->mac,
		.has_uuid = true,
		.uuid = r->uuid,
		.arch = 7,
		.attempt = 1,
		.before = PHASE_DONE,
		.before_ms = 1,
	};
}

int
main(int argc, char *argv[])
{
	static double gathered[SAMPLES], decided[SAMPLES], both[SAMPLES];
	static uint8_t scratch[DECIDE_SCRATCH];
	static struct fact_room room;
	static struct handlerd h;
	static const struct identity_lists no_lists;
	static struct catalogue catalogue = { .images = images, .nimages = NITEMS(images) };
	const struct machines_conf conf = {
		.max_machines = 10000000,
		.hash_key = { 1, 2 },
		.weights = match_weights_default,
		.lists = &no_lists,
	};
	unsigned nrules = argc == 3 ? (unsigned)atoi(argv[1]) : 0;
	unsigned n = argc == 3 ? (unsigned)atoi(argv[2]) : 0, good = 0;
	struct policy *policy;

	if (nrules == 0 || n == 0)
		return 2;
	policy = make_policy(nrules);
	if (machines_new(&conf, &h.inventory.table) < 0 || fill(h.inventory.table, n) < 0 ||
	    adapt_new(1000, 1000, &h.adapt) < 0 || loops_new(1000, conf.hash_key, &h.loops) < 0)
		return 1;
	h.catalogue = &catalogue;
	h.policy = policy;
	h.room = &room;
	h.root_fd = -1;
	srand(1);
	for (int i = 0; i < SAMPLES; i++) {
		struct decision d;
		struct ask ask;
		struct facts f;
		struct wbuf w;
		double began, middle, ended;

		make_ask(1 + (unsigned)rand() % n, &ask);
		began = seconds();
		gather(&h, &ask.r, &ask.b, policy, 1700000000000u, true, &room, &f);
		middle = seconds();
		wbuf_init(&w, scratch, sizeof(scratch));
		decide(&ask.r, policy, &f, &w, &d);
		ended = seconds();
		gathered[i] = middle - began;
		decided[i] = ended - middle;
		both[i] = ended - began;
		good += d.answer.reason == REASON_RULE_ENTRY;
	}
	printf("{");
	print_samples("both", both);
	print_samples("decide", decided);
	print_samples("gather", gathered);
	printf("\"by the last rule %%\": %.1f, \"rules\": %zu, \"machines\": %zu}\n",
	    100.0 * good / SAMPLES, rules_count(policy->rules), machines_count(h.inventory.table));
	policy_unref(policy);
	machines_free(h.inventory.table);
	adapt_free(h.adapt);
	loops_free(h.loops);
	return 0;
}
