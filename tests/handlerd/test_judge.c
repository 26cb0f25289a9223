/* Tests of handlerd/judge.c: its steps, in order, each with who decided and why (not). */
#include "handlerd/judge.h"

#include "tests/stock.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char steps[4096];

/* "+step: why" if it decided, else "-step: why". */
static void
note(void *arg, const char *step, bool decided, const char *why)
{
	size_t used = strlen(steps);

	(void)arg;
	(void)snprintf(
	    steps + used, sizeof(steps) - used, "%c%s: %s\n", decided ? '+' : '-', step, why);
}

struct known {
	enum machine_state state;
	const char *entry;
	bool assigned;
	unsigned bits;
};

static char no[] = "";

#define VERDICT(kind_)                                                                             \
	[kind_] = { .kind = kind_,                                                                 \
		.text = no,                                                                        \
		.name = no,                                                                        \
		.url = no,                                                                         \
		.title = no,                                                                       \
		.standing = no,                                                                    \
		.reason = no }

static const struct verdict verdicts[] = {
	VERDICT(VERDICT_NONE),
	VERDICT(VERDICT_ALLOW),
	VERDICT(VERDICT_DENY),
	VERDICT(VERDICT_OVERRIDE),
};

#define SAYS(kind)                                                                                 \
	{                                                                                          \
		.state = SOURCE_ANSWERED, .verdict = &verdicts[kind]                               \
	}

static void
test_steps(void)
{
	static const struct {
		const char *what, *conf;
		bool firmware; /* a DISCOVER of UEFI firmware, else a boot request */
		struct known known;
		struct source_answer sources[SOURCES];
		enum ruling_kind kind;
		const char *rule;
		const char *steps;
	} cases[] = {
		{ "nothing is configured", "{}", false, { 0 }, { { 0 } }, RULING_MENU, "default",
		    "-state: the machine is not known\n"
		    "-assignment: nothing is assigned\n"
		    "-unknown: serve\n"
		    "+mode: script\n" },
		{ "the state ends it", "{\"rules\":[{\"name\":\"r\"}]}", false,
		    { MACHINE_BLOCKED, "tiny", true, 0 }, { { 0 } }, RULING_REFUSE, "state",
		    "+state: blocked\n" },
		{ "then the assignment", "{\"rules\":[{\"name\":\"r\"}]}", false,
		    { MACHINE_APPROVED, "tiny", true, 0 }, { { 0 } }, RULING_ENTRY, "assignment",
		    "-state: approved\n+assignment: tiny\n" },
		{ "whose time may be over", "{}", false, { MACHINE_APPROVED, "tiny", false, 2 },
		    { { 0 } }, RULING_MENU, "default",
		    "-state: approved\n-assignment: its time is over\n"
		    "-unknown: somebody decided about this machine\n+mode: script\n" },
		{ "each rule up to the one that holds, and none after it",
		    "{\"rules\":["
		    "{\"name\":\"a\",\"when\":{\"stage\":[\"discover\"]}},"
		    "{\"name\":\"b\",\"unless\":{\"arch\":[\"x64\"]}},"
		    "{\"name\":\"c\",\"action\":\"refuse\",\"when\":{\"via\":[\"https\"]}},"
		    "{\"name\":\"d\"}]}",
		    false, { 0 }, { { 0 } }, RULING_REFUSE, "c",
		    "-state: the machine is not known\n"
		    "-assignment: nothing is assigned\n"
		    "-a: stage is boot; the rule wants \"discover\"\n"
		    "-b: arch is x64; the rule is not for \"x64\"\n"
		    "+c: all its conditions hold\n" },
		{ "all rules when none holds, then the policy for unknown machines",
		    "{\"unknown\":\"approval\",\"rules\":["
		    "{\"name\":\"a\",\"when\":{\"product\":[\"X*\"]}},"
		    "{\"name\":\"b\",\"when\":{\"stage\":[\"file\"]}}]}",
		    false, { 0 }, { { 0 } }, RULING_WAIT, "unknown",
		    "-state: the machine is not known\n"
		    "-assignment: nothing is assigned\n"
		    "-a: product is not known; the rule wants \"X*\"\n"
		    "-b: stage is boot; the rule wants \"file\"\n"
		    "+unknown: approval\n" },
		{ "a rule that only names loaders goes on to the next at the boot stage",
		    "{\"rules\":[{\"name\":\"l\",\"action\":\"loader\",\"loaders\":[\"x\"]},"
		    "{\"name\":\"e\",\"action\":\"entry\",\"entry\":\"tiny\"}]}",
		    false, { 0 }, { { 0 } }, RULING_ENTRY, "e",
		    "-state: the machine is not known\n"
		    "-assignment: nothing is assigned\n"
		    "+l: it has no condition\n"
		    "+e: it has no condition\n" },
		{ "and decides for firmware",
		    "{\"rules\":[{\"name\":\"l\",\"action\":\"loader\",\"loaders\":[\"x\"]},"
		    "{\"name\":\"e\",\"action\":\"entry\",\"entry\":\"tiny\"}]}",
		    true, { 0 }, { { 0 } }, RULING_MENU, "l",
		    "-state: the machine is not known\n"
		    "-assignment: nothing is assigned\n"
		    "+l: it has no condition\n"
		    "+mode: script\n" },
		{ "firmware waits for no script", "{\"script\":{\"boot\":\"/b\"}}", true, { 0 },
		    { { 0 } }, RULING_MENU, "default",
		    "-state: the machine is not known\n"
		    "-assignment: nothing is assigned\n"
		    "-unknown: serve\n"
		    "-boot: it is asked at the boot stage\n"
		    "+mode: script\n" },
		{ "the web service, then the hooks, each without an opinion, then the mode",
		    "{\"script\":{\"boot\":\"/b\",\"allow_boot\":\"/a\",\"images\":\"/i\"},"
		    "\"rules\":[{\"name\":\"r\",\"action\":\"webservice\"}]}",
		    false, { 0 },
		    { [SOURCE_WEBSERVICE] = SAYS(VERDICT_OVERRIDE),
			[SOURCE_BOOT] = SAYS(VERDICT_NONE),
			[SOURCE_ALLOW] = SAYS(VERDICT_ALLOW),
			[SOURCE_IMAGES] = { .state = SOURCE_FAILED, .why = "it ended" } },
		    RULING_MENU, "r",
		    "-state: the machine is not known\n"
		    "-assignment: nothing is assigned\n"
		    "+r: it has no condition\n"
		    "-webservice: override\n"
		    "-boot: none\n"
		    "-allow_boot: allow\n"
		    "-images: it ended; fall-back local\n"
		    "+mode: script\n" },
		{ "who denies ends it", "{\"script\":{\"allow_boot\":\"/a\",\"images\":\"/i\"}}",
		    false, { 0 }, { [SOURCE_ALLOW] = SAYS(VERDICT_DENY) }, RULING_REFUSE,
		    "allow_boot",
		    "-state: the machine is not known\n"
		    "-assignment: nothing is assigned\n"
		    "-unknown: serve\n"
		    "+allow_boot: deny\n" },
		{ "who has to be asked first", "{\"script\":{\"allow_boot\":\"/a\"}}", false, { 0 },
		    { { 0 } }, RULING_PENDING, "allow_boot",
		    "-state: the machine is not known\n"
		    "-assignment: nothing is assigned\n"
		    "-unknown: serve\n"
		    "+allow_boot: it has to be asked\n" },
		{ "who is late", "{\"script\":{\"allow_boot\":\"/a\"}}", false, { 0 },
		    { [SOURCE_ALLOW] = { .state = SOURCE_LATE } }, RULING_WAIT, "allow_boot",
		    "-state: the machine is not known\n"
		    "-assignment: nothing is assigned\n"
		    "-unknown: serve\n"
		    "+allow_boot: it is still thinking; the client asks again\n" },
		{ "in mode referral no hook is asked",
		    "{\"mode\":\"referral\",\"script\":{\"boot\":\"/b\"},\"referral\":{\"targets\":"
		    "[{\"name\":\"t\",\"url\":\"http://10.0.0.9/\"}]}}",
		    false, { 0 }, { { 0 } }, RULING_REFER, "default",
		    "-state: the machine is not known\n"
		    "-assignment: nothing is assigned\n"
		    "-unknown: serve\n"
		    "+mode: referral\n" },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		const struct known *k = &cases[i].known;
		struct boot_request r = {
			.id = 1,
			.stage = cases[i].firmware ? STAGE_DISCOVER : STAGE_BOOT,
			.client = cases[i].firmware ? CLIENT_PXE : CLIENT_IPXE,
			.via = cases[i].firmware ? VIA_DHCP : VIA_HTTPS,
			.arch = 7,
			.mac = { 6, { 2 } },
		};
		struct policy *policy = stock_policy_of(cases[i].conf);
		static char path[CONTENT_PATH_MAX];
		struct ruling ruling, silent;
		struct facts f;

		stock_facts(&r, true, 0, path, &f);
		memcpy(f.sources, cases[i].sources, sizeof(f.sources));
		if (k->entry != NULL) {
			f.machine.known = true;
			f.machine.is_assigned = k->assigned;
			f.machine.m.state = k->state;
			f.machine.m.entry = slice_str(k->entry);
			f.subject.machine = k->bits;
		}
		test_case("steps: %s", cases[i].what);
		steps[0] = '\0';
		judge(policy, &f, note, NULL, &ruling);
		CHECK_STR(steps, cases[i].steps);
		CHECK_INT(ruling.kind, cases[i].kind);
		CHECK_STR(ruling.rule, cases[i].rule);
		/* being watched changes nothing */
		judge(policy, &f, NULL, NULL, &silent);
		CHECK(silent.kind == ruling.kind && silent.reason == ruling.reason &&
		      silent.need == ruling.need && silent.effects == ruling.effects &&
		      strcmp(silent.rule, ruling.rule) == 0);
		policy_unref(policy);
	}
}

int
main(void)
{
	test_steps();
	return test_end();
}
