/* Tests of decisions that scripts, the web service and other boot servers take. */
#include "tests/handlerd/deciding.h"

#include "tests/stock.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

/* --- sources -------------------------------------------------------------------------------- */

static const char hooks[] = "{\"script\":{\"allow_boot\":\"/a\",\"images\":\"/i\"}}";
static const char boot_hook[] = "{\"script\":{\"boot\":\"/b\",\"images\":\"/i\"}}";
static const char hooks_deny[] =
    "{\"script\":{\"allow_boot\":\"/a\",\"images\":\"/i\",\"fallback\":\"deny\"}}";
static const char hooks_wait[] = "{\"script\":{\"allow_boot\":\"/a\",\"fallback\":\"wait\"}}";
static const char web_rule[] = RULE("\"action\":\"webservice\"");
static const char referral_hooks[] =
    "{\"mode\":\"referral\",\"script\":{\"boot\":\"/b\"}," TARGETS "}";

#define BIT(source) (1u << (source))

/* What a source says: NULL is unasked, "!..." a failure, "?" late, else a verdict's JSON. */
static void
source_says(struct facts *f, enum source source, const char *says, struct verdict *v)
{
	static const struct verdict_rules any = { VERDICT_ANY, VERDICT_NONE, NULL, NULL };
	struct source_answer *a = &f->sources[source];
	char error[256] = "";
	json_t *object;

	if (says == NULL)
		return;
	a->state = says[0] == '!' ? SOURCE_FAILED : says[0] == '?' ? SOURCE_LATE : SOURCE_ANSWERED;
	a->why = says + 1;
	if (a->state != SOURCE_ANSWERED)
		return;
	object = json_loads(says, 0, NULL);
	if (object == NULL || verdict_parse(object, &any, v, error, sizeof(error)) < 0) {
		test_fail(__FILE__, __LINE__, "%s: %s", says, error);
		abort();
	}
	json_decref(object);
	a->verdict = v;
}

static void
test_sources(void)
{
	static const struct {
		const char *what, *conf;
		enum ask ask;
		const char *says[SOURCES];
		unsigned need;
		struct want want;
	} cases[] = {
		{ "both hooks are asked at once", hooks, ASK_BOOT, { NULL },
		    BIT(SOURCE_ALLOW) | BIT(SOURCE_IMAGES), { 0, 0, 0, NULL, "allow_boot", 0 } },
		{ "only the second, when the first has spoken", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "{\"action\":\"allow\"}" }, BIT(SOURCE_IMAGES),
		    { 0, 0, 0, NULL, "images", 0 } },
		{ "a whole answer is asked for first", boot_hook, ASK_BOOT, { NULL },
		    BIT(SOURCE_BOOT), { 0, 0, 0, NULL, "boot", 0 } },
		{ "and with no opinion the others are", boot_hook, ASK_BOOT,
		    { [SOURCE_BOOT] = "{\"action\":\"none\"}" }, BIT(SOURCE_IMAGES),
		    { 0, 0, 0, NULL, "images", 0 } },
		{ "firmware does not wait for anybody", hooks, ASK_UEFI, { NULL }, 0,
		    { ACTION_OFFER, REASON_LOADER, OFFER_BINL, "boot/x64/snponly.efi", "default",
			EFFECT_LOADER } },
		{ "but what was said already counts", hooks, ASK_UEFI,
		    { [SOURCE_ALLOW] = "{\"action\":\"deny\"}" }, 0,
		    { ACTION_OFFER, REASON_SOURCE_DENIES, OFFER_LOCAL, NULL, "allow_boot", 0 } },
		{ "a file waits for nobody", hooks, ASK_FILE, { NULL }, 0, FILE_BY_DEFAULT },
		{ "allowed, and no opinion on entries: all of them", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "{\"action\":\"allow\"}",
			[SOURCE_IMAGES] = "{\"action\":\"none\"}" },
		    0, { ACTION_DATA, REASON_MENU, 0, "item tiny ", "default", 0 } },
		{ "denied, with words", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "{\"action\":\"deny\",\"text\":\"BIOS too old\"}" }, 0,
		    { ACTION_DATA, REASON_SOURCE_DENIES, 0, "BIOS too old", "allow_boot", 0 } },
		{ "denied without words", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "{\"action\":\"deny\"}" }, 0,
		    { ACTION_DATA, REASON_SOURCE_DENIES, 0, "may not boot from here", "allow_boot",
			0 } },
		{ "held until somebody approves", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "{\"action\":\"hold\",\"text\":\"Call 112\"}" }, 0,
		    { ACTION_DATA, REASON_APPROVAL, 0, "Call 112", "allow_boot",
			EFFECT_WANT_APPROVAL } },
		{ "an entry by name", boot_hook, ASK_BOOT,
		    { [SOURCE_BOOT] = "{\"action\":\"entry\",\"entry\":\"tiny\"}" }, 0,
		    { ACTION_DATA, REASON_SOURCE_ENTRY, 0, "images/tiny/vmlinuz", "boot", 0 } },
		{ "an entry that is not there", boot_hook, ASK_BOOT,
		    { [SOURCE_BOOT] = "{\"action\":\"entry\",\"entry\":\"gone\"}" }, 0,
		    { ACTION_DATA, REASON_NO_ENTRY, 0, "The entry gone is not", "boot", 0 } },
		{ "a menu with its own title, default and time", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "{\"action\":\"none\"}",
			[SOURCE_IMAGES] =
			    "{\"action\":\"menu\",\"entries\":[\"tiny\"],\"title\":\"For you\","
			    "\"default\":\"tiny\",\"timeout_ms\":4321}" },
		    0,
		    { ACTION_DATA, REASON_MENU, 0, "--default tiny --timeout 4321", "images", 0 } },
		{ "a menu of what is not there", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "{\"action\":\"none\"}",
			[SOURCE_IMAGES] = "{\"action\":\"menu\",\"entries\":[\"gone\"]}" },
		    0, { ACTION_DATA, REASON_NO_IMAGE, 0, NULL, "images", 0 } },
		{ "a script", boot_hook, ASK_BOOT,
		    { [SOURCE_BOOT] =
			    "{\"action\":\"script\",\"script\":\"#!ipxe\\necho mine\\n\"}" },
		    0, { ACTION_DATA, REASON_SOURCE_SCRIPT, 0, "\necho mine\n", "boot", 0 } },
		{ "the local disk", boot_hook, ASK_BOOT,
		    { [SOURCE_BOOT] = "{\"action\":\"local\"}" }, 0,
		    { ACTION_DATA, REASON_LOCAL, 0, "exit 1\n", "boot", 0 } },
		{ "a referral by URL", boot_hook, ASK_BOOT,
		    { [SOURCE_BOOT] = "{\"action\":\"refer\",\"url\":\"http://10.1.1.1/x\"}" }, 0,
		    { ACTION_DATA, REASON_REFERRED, 0, "http://10.1.1.1/x?bfvia=stock", "boot",
			0 } },
		{ "a referral by a target's name", referral_hooks, ASK_BOOT, { NULL }, 0,
		    { ACTION_DATA, REASON_REFERRED, 0, "http://10.9.0.1:8060/2PXE/boot?", "default",
			0 } },
		{ "which only counts where hooks are asked",
		    "{\"script\":{\"boot\":\"/b\"}," TARGETS "}", ASK_BOOT,
		    { [SOURCE_BOOT] = "{\"action\":\"refer\",\"target\":\"three\"}" }, 0,
		    { ACTION_DATA, REASON_REFERRED, 0, "https://three.example/boot?", "boot", 0 } },
		{ "a referral to a target that is not there",
		    "{\"script\":{\"boot\":\"/b\"}," TARGETS "}", ASK_BOOT,
		    { [SOURCE_BOOT] = "{\"action\":\"refer\",\"target\":\"nine\"}" }, 0,
		    { ACTION_DATA, REASON_NO_TARGET, 0, NULL, "boot", 0 } },
		{ "in mode referral a rule can ask the hooks",
		    "{\"mode\":\"referral\",\"script\":{\"boot\":\"/b\"}," TARGETS
		    ",\"rules\":[{\"name\":\"r\",\"action\":\"script\"}]}",
		    ASK_BOOT, { [SOURCE_BOOT] = "{\"action\":\"local\"}" }, 0,
		    { ACTION_DATA, REASON_LOCAL, 0, NULL, "boot", 0 } },
		{ "a hook that failed: as if it had no opinion", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "!it ended", [SOURCE_IMAGES] = "!it ended" }, 0,
		    { ACTION_DATA, REASON_MENU, 0, "item tiny ", "default", 0 } },
		{ "a hook that failed: denied", hooks_deny, ASK_BOOT,
		    { [SOURCE_ALLOW] = "!it ended" }, 0,
		    { ACTION_DATA, REASON_SOURCE_FAILED, 0, "may not boot from here", "allow_boot",
			0 } },
		{ "a hook that failed: it waits", hooks_wait, ASK_BOOT,
		    { [SOURCE_ALLOW] = "!it ended" }, 0,
		    { ACTION_DATA, REASON_SOURCE_FAILED, 0, "does not answer", "allow_boot", 0 } },
		{ "a hook that is late: the client asks again", hooks_deny, ASK_BOOT,
		    { [SOURCE_ALLOW] = "?" }, 0,
		    { ACTION_DATA, REASON_SOURCE_LATE, 0, "still decides", "allow_boot", 0 } },
		{ "the web service is asked before the hooks", web_rule, ASK_BOOT, { NULL },
		    BIT(SOURCE_WEBSERVICE), { 0, 0, 0, NULL, "webservice", 0 } },
		{ "the web service decides", web_rule, ASK_BOOT,
		    { [SOURCE_WEBSERVICE] = "{\"action\":\"entry\",\"entry\":\"tiny\"}" }, 0,
		    { ACTION_DATA, REASON_SOURCE_ENTRY, 0, NULL, "webservice", 0 } },
		{ "the web service leaves it to us", web_rule, ASK_BOOT,
		    { [SOURCE_WEBSERVICE] = "{\"action\":\"override\"}" }, 0,
		    { ACTION_DATA, REASON_MENU, 0, NULL, NULL, 0 } },
		{ "the web service failed: as if there were none", web_rule, ASK_BOOT,
		    { [SOURCE_WEBSERVICE] = "!no connection" }, 0,
		    { ACTION_DATA, REASON_MENU, 0, NULL, NULL, 0 } },
		{ "the web service is late", web_rule, ASK_BOOT, { [SOURCE_WEBSERVICE] = "?" }, 0,
		    { ACTION_DATA, REASON_SOURCE_LATE, 0, NULL, "webservice", 0 } },
		{ "a choice within a script's menu", hooks, ASKS,
		    { [SOURCE_ALLOW] = "{\"action\":\"none\"}",
			[SOURCE_IMAGES] = "{\"action\":\"menu\",\"entries\":[\"tiny\"]}" },
		    0, { ACTION_DATA, REASON_CHOSEN, 0, "images/tiny/vmlinuz", "images", 0 } },
		{ "a choice that is not in it", hooks, ASKS,
		    { [SOURCE_ALLOW] = "{\"action\":\"none\"}",
			[SOURCE_IMAGES] = "{\"action\":\"menu\",\"entries\":[\"other\"]}" },
		    0, { ACTION_DATA, REASON_NOT_OFFERED, 0, NULL, "images", 0 } },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct verdict verdicts[SOURCES];
		/* ASKS: the boot request with a choice */
		struct boot_request r = request_of(cases[i].ask == ASKS ? ASK_BOOT : cases[i].ask);
		struct policy *policy = stock_policy_of(cases[i].conf);
		struct decision d;
		struct facts f;

		if (cases[i].ask == ASKS)
			r.params = slice_str("entry=tiny");
		f = facts_of(&r);
		test_case("source: %s", cases[i].what);
		for (enum source s = 0; s < SOURCES; s++)
			source_says(&f, s, cases[i].says[s], &verdicts[s]);
		if (strstr(cases[i].conf, "\"mode\"") != NULL &&
		    strstr(cases[i].conf, "\"rules\"") == NULL)
			CHECK_INT(policy->conf.mode, MODE_REFERRAL);
		run(&r, policy, &f, &d);
		CHECK_INT(d.need, cases[i].need);
		check_want(&d, &cases[i].want);
		for (enum source s = 0; s < SOURCES; s++) {
			if (f.sources[s].verdict != NULL)
				verdict_fini(&verdicts[s]);
		}
		policy_unref(policy);
	}
}

static void
test_web_fallbacks(void)
{
	static const struct {
		enum fallback fallback;
		struct want want;
	} cases[] = {
		{ FALLBACK_LOCAL, { ACTION_DATA, REASON_MENU, 0, "item tiny ", NULL, 0 } },
		{ FALLBACK_DENY,
		    { ACTION_DATA, REASON_SOURCE_FAILED, 0, "may not boot", "webservice", 0 } },
		{ FALLBACK_WAIT,
		    { ACTION_DATA, REASON_SOURCE_FAILED, 0, "asking again", "webservice", 0 } },
	};
	struct boot_request r = request_of(ASK_BOOT);
	struct facts f = facts_of(&r);

	f.sources[SOURCE_WEBSERVICE] =
	    (struct source_answer){ .state = SOURCE_FAILED, .why = "no connection" };
	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct policy *policy = stock_policy_of(web_rule);
		struct decision d;

		policy->conf.webservice_fallback = (int)cases[i].fallback;
		test_case("source: a dead web service with fall-back %s",
		    fallback_name(cases[i].fallback));
		run(&r, policy, &f, &d);
		check_want(&d, &cases[i].want);
		policy_unref(policy);
	}
}

/* Entries that a source tells whole. */
static void
test_inline(void)
{
	static const char said[] =
	    "{\"action\":\"menu\",\"entries\":[\"tiny\",{\"name\":\"theirs\",\"type\":\"linux\","
	    "\"kernel\":\"theirs/vmlinuz\",\"title\":\"Theirs\"}]}";
	struct boot_request r = request_of(ASK_BOOT);
	struct choices inlined = { .nentries = 1 };
	struct verdict v;
	struct entry e;
	struct facts f = facts_of(&r);
	struct decision d;

	source_says(&f, SOURCE_IMAGES, said, &v);
	if (config_parse_object(entry_keys, v.items[1].object, &e, sizeof(e), NULL, NULL) < 0)
		abort();
	inlined.entries = &e;
	f.sources[SOURCE_IMAGES].inline_choices = &inlined;

	test_case("inline: the menu shows what a script told whole beside the site's");
	decide_by("{\"script\":{\"images\":\"/i\"}}", &r, &f,
	    &(struct want){ ACTION_DATA, REASON_MENU, 0, "item theirs Theirs\n", "images", 0 }, &d);
	check_holds(&d, "item tiny ");

	test_case("inline: it boots when it is chosen");
	r.params = slice_str("entry=theirs");
	f.subject.params = r.params;
	decide_by("{\"script\":{\"images\":\"/i\"}}", &r, &f,
	    &(struct want){ ACTION_DATA, REASON_CHOSEN, 0, "theirs/vmlinuz", "images", 0 }, &d);
	CHECK_STR(d.entry, "theirs");

	test_case("inline: it is nobody else's");
	f.sources[SOURCE_IMAGES] = (struct source_answer){ .state = SOURCE_UNASKED };
	decide_by("{}", &r, &f,
	    &(struct want){ ACTION_DATA, REASON_NO_ENTRY, 0, "theirs is not", "default", 0 }, &d);
	config_free_object(entry_keys, &e);
	verdict_fini(&v);
}

/* --- referral ------------------------------------------------------------------------------- */

static void
test_referral(void)
{
	static const char mode[] = "{\"mode\":\"referral\"," TARGETS "}";
	static const char one[] = "{\"mode\":\"referral\",\"referral\":{\"targets\":["
				  "{\"name\":\"three\",\"url\":\"https://three.example/boot\"}]}}";
	static const struct {
		const char *what, *conf;
		enum ask ask;
		const char *params;
		bool down[2];
		struct want want;
	} cases[] = {
		{ "firmware is pointed at the file of its kind", mode, ASK_BIOS, "", { false },
		    { ACTION_OFFER, REASON_REFERRED, OFFER_PXE10_PROMPT, "two.0", "default", 0 } },
		{ "with its next server", mode, ASK_4011, "", { false },
		    { ACTION_OFFER, REASON_REFERRED, OFFER_BINL, "two.efi", "default", 0 } },
		{ "iPXE is pointed at us, as only the script carries the parameters", mode,
		    ASK_IPXE, "", { false },
		    { ACTION_OFFER, REASON_SCRIPT_URL, OFFER_IPXE,
			"https://10.77.1.10:8050/2PXE/boot", "default", 0 } },
		{ "no file for this firmware: our loader first", one, ASK_UEFI, "", { false },
		    { ACTION_OFFER, REASON_LOADER, OFFER_BINL, "boot/x64/snponly.efi", "default",
			EFFECT_LOADER } },
		{ "the boot request goes on, with what was posted, without our token", mode,
		    ASK_BOOT, "serial=x%20y&token=secret", { false },
		    { ACTION_DATA, REASON_REFERRED, 0,
			"http://10.9.0.1:8060/2PXE/boot?bfvia=stock&serial=x%20y", "default", 0 } },
		{ "the first choice is down", mode, ASK_BOOT, "", { true },
		    { ACTION_DATA, REASON_REFERRED, 0, "set bf-url-0 https://three.example/boot?",
			"default", 0 } },
		{ "all are down: tried all the same, as a probe can be wrong", mode, ASK_BOOT, "",
		    { true, true },
		    { ACTION_DATA, REASON_REFERRED, 0,
			"set bf-url-0 http://10.9.0.1:8060/2PXE/boot?", "default", 0 } },
		{ "a client that came from us before is a loop", mode, ASK_BOOT, "bfvia=stock",
		    { false }, { ACTION_DATA, REASON_NO_TARGET, 0, NULL, "default", 0 } },
		{ "one that passed others is not", mode, ASK_BOOT, "bfvia=other", { false },
		    { ACTION_DATA, REASON_REFERRED, 0, "bfvia=other.stock", "default", 0 } },
		{ "bfvia with nonsense in it is refused", mode, ASK_BOOT, "bfvia=%24%7bx%7d%20boot",
		    { false }, { ACTION_DATA, REASON_NO_TARGET, 0, NULL, "default", 0 } },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct target_health health[2] = { { .probed = true, .down = cases[i].down[0] },
			{ .probed = true, .down = cases[i].down[1] } };
		struct boot_request r = request_of(cases[i].ask);
		struct facts f;
		struct decision d;

		r.params = slice_str(cases[i].params);
		f = facts_of(&r);
		f.health = health;
		test_case("referral: %s", cases[i].what);
		decide_by(cases[i].conf, &r, &f, &cases[i].want, &d);
		if (d.answer.action == ACTION_OFFER && d.answer.reason == REASON_REFERRED) {
			char ip[IP_STRLEN];

			CHECK_STR(ip_format(&d.answer.server, ip), "10.9.0.1");
			CHECK_INT(d.answer.trust.n, 0);
		}
		if (d.answer.action == ACTION_DATA)
			CHECK(!holds(d.answer.data, "secret"));
	}
	{
		struct boot_request r = request_of(ASK_IPXE);
		struct facts f = facts_of(&r);
		struct decision d;

		test_case("referral: without a web server of ours iPXE gets the target's URL");
		f.web.known = false;
		decide_by(one, &r, &f,
		    &(struct want){ ACTION_OFFER, REASON_REFERRED, OFFER_IPXE,
			"https://three.example/boot", "default", 0 },
		    &d);
	}
}

int
main(void)
{
	test_sources();
	test_web_fallbacks();
	test_inline();
	test_referral();
	return test_end();
}
