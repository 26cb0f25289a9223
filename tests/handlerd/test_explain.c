/* Tests of handlerd/explain.c: decisions as JSON. */
#include "handlerd/explain.h"

#include "tests/stock.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

static uint8_t scratch[DECIDE_SCRATCH];

static const char *
string_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "(none)";
}

/* Decides for a request, with facts that `change` may alter; the explanation. */
static json_t *
explain(const char *conf, struct boot_request *r, void (*change)(struct facts *f), json_t **outcome)
{
	struct policy *policy = stock_policy_of(conf);
	static char path[CONTENT_PATH_MAX];
	struct decision d;
	struct facts f;
	struct wbuf w;
	json_t *o;

	stock_facts(r, true, 0, path, &f);
	if (change != NULL)
		change(&f);
	wbuf_init(&w, scratch, sizeof(scratch));
	decide(r, policy, &f, &w, &d);
	o = explain_decision(r, policy, &f, &d);
	*outcome = explain_outcome(&d);
	policy_unref(policy);
	if (o == NULL || *outcome == NULL)
		abort();
	return o;
}

/* Whether each key of `small` is in `large` with the same value. */
static bool
has_all(const json_t *large, json_t *small)
{
	const char *key;
	json_t *value;

	json_object_foreach(small, key, value)
	{
		if (!json_equal(json_object_get(large, key), value))
			return false;
	}
	return true;
}

static void
make_known(struct facts *f)
{
	static const struct macaddr mac = { 6, { 2, 0, 0, 0, 0, 1 } };

	f->machine = (struct machine_knowledge){
		.known = true,
		.is_new = true,
		.m = { .id = 17,
		    .state = MACHINE_HELD,
		    .entry = slice_str("tiny"),
		    .group = slice_str("lab") },
	};
	f->machine.m.macs[0].mac = mac;
	f->subject.manufacturer = slice_str("M\xfc"
					    "ller");
	f->subject.groups[0] = slice_str("lab");
	f->subject.ngroups = 1;
	f->subject.outcome = OUTCOME_FAILED;
}

static void
test_offer(void)
{
	struct boot_request r = {
		.id = 1,
		.stage = STAGE_DISCOVER,
		.client = CLIENT_PXE,
		.via = VIA_DHCP,
		.arch = 7,
		.mac = { 6, { 0x52, 0x54, 0, 1, 2, 3 } },
		.subnet = slice_str("office"),
	};
	json_t *outcome, *o = explain("{}", &r, NULL, &outcome), *steps;

	test_case("an offer: the loader, why, and each step");
	CHECK_STR(string_of(o, "action"), "offer");
	CHECK_STR(string_of(o, "rule"), "default");
	CHECK_STR(string_of(o, "reason"), boot_reason_name(REASON_LOADER));
	CHECK_STR(string_of(o, "style"), offer_style_name(OFFER_BINL));
	CHECK_STR(string_of(o, "file"), "boot/x64/snponly.efi");
	CHECK_STR(string_of(o, "loader_why"), adapt_reason_name(ADAPT_PREFERRED));
	CHECK_STR(string_of(o, "style_why"), style_why_name(STYLE_DEFAULT));
	CHECK_STR(string_of(o, "style_words"), style_why_words(STYLE_DEFAULT));
	CHECK(json_is_null(json_object_get(o, "machine")));
	CHECK_INT(json_array_size(json_object_get(o, "asks")), 0);
	CHECK_STR(string_of(json_object_get(o, "request"), "mac"), "52:54:00:01:02:03");
	CHECK_STR(string_of(json_object_get(o, "request"), "subnet"), "office");
	CHECK_STR(string_of(json_object_get(o, "request"), "arch"), "x64");
	steps = json_object_get(o, "steps");
	CHECK_STR(string_of(json_array_get(steps, 0), "step"), "state");
	CHECK_STR(string_of(json_array_get(steps, json_array_size(steps) - 1), "step"), "mode");

	test_case("the outcome is what of it makes a difference to the machine");
	CHECK(has_all(o, outcome));
	CHECK_INT(json_object_size(outcome), 5);
	json_decref(outcome);
	json_decref(o);
}

static void
test_script(void)
{
	struct boot_request r = {
		.id = 1,
		.stage = STAGE_BOOT,
		.via = VIA_HTTPS,
		.arch = 7,
		.mac = { 6, { 0x52, 0x54, 0, 1, 2, 3 } },
		.has_uuid = true,
		.params = slice_str("entry=tiny"),
	};
	json_t *outcome, *o = explain("{}", &r, NULL, &outcome);
	json_t *list;

	test_case("a boot request: the entry and the whole script");
	CHECK_STR(string_of(o, "action"), "data");
	CHECK_STR(string_of(o, "entry"), "tiny");
	CHECK(strstr(string_of(o, "script"), "images/tiny/vmlinuz") != NULL);
	CHECK_STR(string_of(json_object_get(o, "request"), "uuid"),
	    "00000000-0000-0000-0000-000000000000");
	test_case("the outcome has the entry but not the script, which differs each time");
	CHECK(has_all(o, outcome));
	CHECK_STR(string_of(outcome, "entry"), "tiny");
	CHECK(json_object_get(outcome, "script") == NULL);
	json_decref(outcome);
	json_decref(o);

	test_case("a machine: its state and what is known of it; octets that are no UTF-8");
	o = explain("{}", &r, make_known, &outcome);
	list = json_object_get(o, "machine");
	CHECK_INT(json_integer_value(json_object_get(list, "id")), 17);
	CHECK_STR(string_of(list, "state"), "held");
	CHECK_STR(string_of(list, "entry"), "tiny");
	CHECK_STR(string_of(list, "group"), "lab");
	CHECK(json_is_true(json_object_get(list, "new")));
	CHECK(json_is_false(json_object_get(list, "assigned")));
	list = json_object_get(o, "request");
	CHECK_STR(string_of(list, "manufacturer"), "M\xc3\xbcller");
	CHECK_STR(string_of(list, "outcome"), "failed");
	CHECK_STR(json_string_value(json_array_get(json_object_get(list, "groups"), 0)), "lab");
	CHECK_STR(string_of(o, "reason"), boot_reason_name(REASON_HELD));
	json_decref(outcome);
	json_decref(o);

	test_case("a decision that waits for scripts says which");
	o = explain("{\"script\":{\"allow_boot\":\"/a\",\"images\":\"/i\"}}", &r, NULL, &outcome);
	CHECK_STR(string_of(outcome, "action"), "pending");
	list = json_object_get(o, "asks");
	CHECK_INT(json_array_size(list), 2);
	CHECK_STR(json_string_value(json_array_get(list, 0)), "allow_boot");
	CHECK_STR(json_string_value(json_array_get(list, 1)), "images");
	json_decref(outcome);
	json_decref(o);
}

static void
test_file(void)
{
	struct boot_request r = { .id = 1,
		.stage = STAGE_FILE,
		.via = VIA_TFTP,
		.arch = ARCH_UNKNOWN,
		.file = slice_str("../\xff") };
	json_t *outcome, *o = explain("{}", &r, NULL, &outcome);

	test_case("a file: no steps, as nobody is asked; the refusal's words");
	CHECK_STR(string_of(o, "action"), "error");
	CHECK_INT(json_array_size(json_object_get(o, "steps")), 0);
	CHECK_STR(string_of(outcome, "text"), "not a public name");
	json_decref(outcome);
	json_decref(o);
}

int
main(void)
{
	test_offer();
	test_script();
	test_file();
	return test_end();
}
