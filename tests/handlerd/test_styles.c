/*
 * Tests of handlerd/styles.c and styles_dump.c.  A row is a story: words for what happens to
 * machines of one model, and after each DISCOVER the style that is expected and why.
 */
#include "handlerd/styles.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW    UINT64_C(1700000000000)
#define DAY_MS UINT64_C(86400000)
#define CLASS  "PXEClient:Arch:00007:UNDI:003016"
#define LIST   "\1\2\3\6\103"

static struct styles *t;
static uint64_t now_ms;
static uint32_t next_xid;
static unsigned hopeless;

static struct {
	uint32_t xid;
	uint16_t secs;
} machines[128];

/* The firmware of a machine by its name: digits are one model, letters another and HTTP Boot. */
static struct firmware
firmware_of(char name)
{
	bool http = name >= 'A' && name <= 'Z';
	struct firmware f = {
		.arch = http ? 16 : 7,
		.ndi = NDI_UUID(NDI_UUID_GIVEN) | 0x010310,
		.has_adapter = true,
		.adapter = { 0x00, 0x23, 0x24 },
		.class = slice_str(http ? "HTTPClient:Arch:00016:UNDI:003016" : CLASS),
		.param_list = slice_str(LIST),
	};

	if (name >= 'a' && name <= 'z')
		f.class = slice_str("PXEClient:Arch:00007:UNDI:003000");
	return f;
}

static struct macaddr
mac_of(char name)
{
	/* an adapter is what HTTP Boot and PXE of one machine have in common */
	if (name >= 'A' && name <= 'I')
		name = (char)('1' + name - 'A');
	return (struct macaddr){ 6, { 0, 0x23, 0x24, 0, 0, (uint8_t)name } };
}

/* A DISCOVER, its answer, and what was told of the trial before. */
static void
discover(const char *word, enum offer_style first)
{
	char name = word[0], got[80];
	struct firmware f = firmware_of(name);
	struct macaddr mac = mac_of(name);
	struct styles_sight sight = { &mac, &f, firmware_key(&f), machines[(int)name].xid,
		machines[(int)name].secs };
	struct styles_return back = styles_arrive(t, &sight, now_ms);
	enum offer_style list[STYLES_MAX];
	enum styles_kind kind;
	enum style_why why;
	size_t n, at;

	CHECK(styles_kind_of(f.arch, firmware_is_http(&f), &kind));
	n = styles_list(kind, firmware_is_http(&f) ? OFFER_HTTP : first, list);
	at = styles_choose(t, &mac, firmware_is_http(&f), sight.key, list, n, now_ms, &why);
	(void)snprintf(got, sizeof(got), "%c%c%s:%s%s%s", name, word[1], offer_style_name(list[at]),
	    style_why_name(why), back.unanswered ? "!" : "", back.leased ? "!" : "");
	CHECK_STR(got, word);
	styles_given(t, &sight, list[at], list[0], why, now_ms);
	if (why == STYLE_ROUND && back.unanswered && styles_hopeless(t, sight.key))
		hopeless++;
}

/* clang-format off */
/*
 * One word of a story.
 *   1?binl:default  a minute passes, machine 1 DISCOVERs anew, is given BINL, for that reason; a `!`
 *                   behind it: the trial before was unanswered; another: in spite of a lease
 *   1^...           8 s pass, it DISCOVERs by the same xid, `secs` 8 more
 *   1'...           so after 4 s
 *   1=...           a copy of the DISCOVER, by another path, at once
 *   1~...           1 s passes, it DISCOVERs by another xid
 *   1@... 1%...     the site's default is PXE10, or the menu now; as 1? else
 *   1b 1i 1t 1g 1l  it asks port 4011, so with an item, fetches by TFTP, HTTP, runs its loader
 *   1L              it asks a DHCP server for its address
 *   1v              something else is offered, which is no trial
 *   +30 -30         days, minutes pass
 */
/* clang-format on */
static void
tell(const char *word)
{
	static const char signs[] = "bitgl";
	int name = word[0];
	struct macaddr mac = mac_of(word[0]);

	if (word[0] == '+' || word[0] == '-') {
		now_ms += (uint64_t)atoi(word + 1) * (word[0] == '+' ? DAY_MS : 60000);
		return;
	}
	switch (word[1]) {
	case '?':
	case '@':
	case '%':
		now_ms += 60000;
		machines[name].xid = ++next_xid;
		machines[name].secs = 0;
		discover(word, word[1] == '@'   ? OFFER_PXE10
			       : word[1] == '%' ? OFFER_MENU
						: OFFER_BINL);
		break;
	case '^':
	case '\'':
		now_ms += word[1] == '^' ? 8000 : 4000;
		machines[name].secs = (uint16_t)(machines[name].secs + (word[1] == '^' ? 8 : 4));
		discover(word, OFFER_BINL);
		break;
	case '=': discover(word, OFFER_BINL); break;
	case '~':
		now_ms += 1000;
		machines[name].xid = ++next_xid;
		machines[name].secs = 0;
		discover(word, OFFER_BINL);
		break;
	case 'L': styles_leased(t, &mac); break;
	case 'v': styles_void(t, &mac, false); break;
	default:
		now_ms += 500;
		CHECK(strchr(signs, word[1]) != NULL);
		(void)styles_followed(
		    t, &mac, (enum styles_sign)(strchr(signs, word[1]) - signs), now_ms);
	}
}

static const struct {
	const char *what, *story;
} stories[] = {
	{ "followed: the same again, for all machines",
	    "1?binl:default 1b 1t 1l 1?binl:default 1b 2?binl:default" },
	{ "a copy by another path, and a quick new start, get the same",
	    "1?binl:default 1=binl:default 1=binl:default 1~binl:default 1=binl:default 1b "
	    "1?binl:default" },
	{ "after 4 s without an address the DHCP server may be slow: the same offer, once",
	    "1?binl:default 1'binl:default 1^pxe10:unanswered-before!" },
	{ "with an address it had its chance: another one at once",
	    "1?binl:default 1L 1'pxe10:unanswered-before!!" },
	{ "a round without a sign: style after style, and round again",
	    "1?binl:default 1^pxe10:unanswered-before! 1=pxe10:unanswered-before "
	    "1^menu:unanswered-before! 1^pxe10-prompt:unanswered-before! 1^binl:all-unanswered! "
	    "1^pxe10:unanswered-before!" },
	{ "an anew start counts as well, whatever the xid",
	    "1?binl:default 1?pxe10:unanswered-before! 1t 1?pxe10:machine" },
	{ "with a lease the day after; without one, an hour is too long",
	    "1?binl:default 1L -1440 1?pxe10:unanswered-before!! 2?binl:default -61 "
	    "2?binl:default" },
	{ "two days after, not even with a lease", "1?binl:default 1L +2 1?binl:default" },
	{ "kept for 90 days on this machine, and one machine is not its model",
	    "1?binl:default 1L 1?pxe10:unanswered-before!! 1t 2?binl:default 2b +80 "
	    "1?pxe10:machine "
	    "1t +91 1?binl:default" },
	{ "what it followed is told by what it does: of BINL and PXE10 offered, BINL",
	    "1?binl:default 1^pxe10:unanswered-before! 1b 1?binl:default" },
	{ "... of the menu and BINL, the menu, if it names the item",
	    "1?binl:default 1^pxe10:unanswered-before! 1^menu:unanswered-before! 1i "
	    "1?menu:machine" },
	{ "... of PXE10 and then the menu, PXE10, if it fetches at once",
	    "1?binl:default 1^pxe10:unanswered-before! 1^menu:unanswered-before! 1t "
	    "1?pxe10:machine" },
	{ "a menu followed without naming the item",
	    "1%menu:default 1b 1%menu:default 1%menu:tried-twice! 1%binl:unanswered-before!" },
	{ "port 4011 asked although nothing led there: no experience with PXE10",
	    "1@pxe10:default 1b 1@pxe10:default 2@pxe10:default 2@binl:unanswered-before!" },
	{ "two machines that follow another style change the model",
	    "3?binl:default 3b 4?binl:default 4b 5?binl:default 5L 5?binl:tried-twice!! 5L "
	    "5?pxe10:unanswered-before!! 5t 6?binl:default 6L 6?binl:tried-twice!! 6L "
	    "6?pxe10:unanswered-before!! 6t 7?pxe10:model 3?binl:default 3b 8?binl:default" },
	{ "... and at once where the default never worked",
	    "1?binl:default 1?pxe10:unanswered-before! 1t 2?binl:default "
	    "2?pxe10:unanswered-before! "
	    "2t 3?pxe10:model 3t 3?pxe10:machine" },
	{ "machines that only fail change nothing for others",
	    "1?binl:default 1?pxe10:unanswered-before! 1?menu:unanswered-before! 2?binl:default "
	    "2?pxe10:unanswered-before! 3?binl:default 3?pxe10:unanswered-before! 4?binl:default" },
	{ "one machine cannot, however often it turns away",
	    "1?binl:default 1L 1?pxe10:unanswered-before!! 1t 1L 1?pxe10:machine "
	    "1?pxe10:tried-twice! 1?binl:unanswered-before! 1?menu:unanswered-before! 1t "
	    "1?pxe10:machine 2?binl:default" },
	{ "a style that works on the model is not left after one failure",
	    "1?binl:default 1b 2?binl:default 2?binl:tried-twice! 2b 2?binl:default" },
	{ "... nor one that worked on this machine",
	    "1?binl:default 1?pxe10:unanswered-before! 1t 1?pxe10:machine 1?pxe10:tried-twice! 1t "
	    "1?pxe10:machine" },
	{ "a silent DHCP server spoils nothing that was learned, however many machines come back",
	    "9?binl:default 9b 1?binl:default 1^binl:tried-twice! 1^pxe10:unanswered-before! 1t "
	    "2?binl:default 2^binl:tried-twice! 2^pxe10:unanswered-before! 2t "
	    "3?binl:default 3^binl:tried-twice! 3^pxe10:unanswered-before! 3t "
	    "4?binl:default 4b 9?binl:default" },
	{ "the default that is followed again wins its model back",
	    "1?binl:default 1?pxe10:unanswered-before! 1t 2?binl:default "
	    "2?pxe10:unanswered-before! "
	    "2t 3?pxe10:model 3L 3?pxe10:tried-twice!! 3L 3?binl:unanswered-before!! 3b "
	    "4?binl:default" },
	{ "doubt fades: in half a year the default is tried again",
	    "1?binl:default 1?pxe10:unanswered-before! 1t 2?binl:default "
	    "2?pxe10:unanswered-before! "
	    "2t 3?pxe10:model +180 4?binl:default" },
	{ "known styles are tried before unknown ones",
	    "1?binl:default 1?pxe10:unanswered-before! 1?menu:unanswered-before! 1i "
	    "2?binl:default 2?menu:unanswered-before! 2i 3?menu:model" },
	{ "another default is begun with, by those that kept the old one, too",
	    "1?binl:default 1b 1@pxe10:default 1t 1@pxe10:default" },
	{ "a trial of the old default says nothing when there is a new one",
	    "1?binl:default 1@pxe10:default! 1t 1@pxe10:default" },
	{ "what is offered otherwise is no trial", "1?binl:default 1v 1?binl:default" },
	{ "another model has another past", "1?binl:default 1?pxe10:unanswered-before! 1t "
					    "2?binl:default 2?pxe10:unanswered-before! "
					    "2t a?binl:default" },
	{ "HTTP Boot has one style, and its own trials",
	    "A?http:default 1?binl:default A?http:tried-twice! 1b A?http:all-unanswered! Ag "
	    "A?http:default 1?binl:default" },
	{ "a machine that gave PXE up for HTTP Boot has not followed PXE",
	    "1?binl:default A?http:default Ag 1?pxe10:unanswered-before!" },
	{ "a loader that runs is the last offer's",
	    "1?binl:default A?http:default Al 1?pxe10:unanswered-before! Al 1?pxe10:machine" },
};

static void
fresh(void)
{
	styles_free(t);
	t = NULL;
	CHECK_INT(styles_new(16, 100, &t), 0);
	now_ms = NOW;
}

static void
tell_story(const char *story)
{
	char copy[1024], *word, *rest;

	(void)snprintf(copy, sizeof(copy), "%s", story);
	for (word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
		tell(word);
}

static void
test_stories(void)
{
	for (size_t i = 0; i < NITEMS(stories); i++) {
		test_case("%s", stories[i].what);
		fresh();
		tell_story(stories[i].story);
	}
}

static void
test_times(void)
{
	static const struct {
		const char *what;
		bool leased, same_xid;
		uint16_t secs;
		uint64_t after_ms;
		bool unanswered;
	} cases[] = {
		{ "the same packet", true, true, 0, 20, false },
		{ "the same xid, higher secs, too soon", true, true, 2, STYLES_RETRY_MS - 1,
		    false },
		{ "the same xid, higher secs", true, true, 2, STYLES_RETRY_MS, true },
		{ "secs with their octets exchanged", true, true, 0x0400, 4000, true },
		{ "firmware that does not count secs", true, true, 0, STYLES_ANEW_MS, true },
		{ "... asks again soon", true, true, 0, STYLES_ANEW_MS - 1, false },
		{ "another xid, too soon", true, false, 0, STYLES_ANEW_MS - 1, false },
		{ "another xid", true, false, 0, STYLES_ANEW_MS, true },
		{ "without a lease, higher secs", false, true, 4, STYLES_PATIENCE_MS - 1, false },
		{ "... later", false, true, 12, STYLES_PATIENCE_MS, true },
		{ "without a lease, another xid", false, false, 0, STYLES_PATIENCE_MS - 1, false },
		{ "... within the hour", false, false, 0, STYLES_UNLEASED_MS, true },
		{ "... after the hour", false, false, 0, STYLES_UNLEASED_MS + 1, false },
	};
	struct firmware f = firmware_of('1');
	struct macaddr mac = mac_of('1');

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct styles_sight sight = { &mac, &f, firmware_key(&f), 7, 0 };

		test_case("times: %s", cases[i].what);
		fresh();
		styles_given(t, &sight, OFFER_BINL, OFFER_BINL, STYLE_DEFAULT, now_ms);
		if (cases[i].leased)
			styles_leased(t, &mac);
		sight.xid = cases[i].same_xid ? 7 : 8;
		sight.secs = cases[i].secs;
		CHECK_INT(styles_arrive(t, &sight, now_ms + cases[i].after_ms).unanswered,
		    cases[i].unanswered);
		CHECK(!styles_arrive(t, &sight, now_ms + cases[i].after_ms).unanswered);
	}

	test_case("times: a clock that was set back does no harm");
	fresh();
	{
		struct styles_sight sight = { &mac, &f, firmware_key(&f), 7, 0 };

		styles_given(t, &sight, OFFER_BINL, OFFER_BINL, STYLE_DEFAULT, now_ms);
		sight.xid = 8;
		CHECK(!styles_arrive(t, &sight, now_ms - DAY_MS).unanswered);
		CHECK(styles_followed(t, &mac, STYLES_SIGN_BOOTSERVER, now_ms - DAY_MS));
	}
}

static void
test_hopeless(void)
{
	struct firmware f = firmware_of('1');
	struct styles_model m;

	test_case("a model that follows nothing is told of once, and again after it followed one");
	fresh();
	tell_story("1?binl:default 1?pxe10:unanswered-before! 1?menu:unanswered-before! "
		   "1?pxe10-prompt:unanswered-before!");
	CHECK_INT(styles_count_hopeless(t), 0);
	hopeless = 0;
	tell_story("1?binl:all-unanswered! 2?binl:default 2?pxe10:unanswered-before! "
		   "2?menu:unanswered-before! 2?pxe10-prompt:unanswered-before! "
		   "2?binl:all-unanswered!");
	CHECK_INT(hopeless, 1);
	CHECK_INT(styles_count_hopeless(t), 1);
	CHECK(!styles_hopeless(t, firmware_key(&f)));
	CHECK(!styles_hopeless(t, 12345));
	CHECK_INT(styles_find_model(t, "", now_ms, &m), -ENOENT);
	tell_story("3?binl:default 3b");
	CHECK_INT(styles_count_hopeless(t), 0);
	CHECK(styles_hopeless(t, firmware_key(&f)));
}

static void
test_bounds(void)
{
	struct firmware f = firmware_of('1');
	struct macaddr none = { .len = 0 }, mac = { 6, { 0 } };
	struct styles_sight sight = { &none, &f, firmware_key(&f), 1, 0 };
	enum offer_style list[STYLES_MAX];
	size_t n = styles_list(STYLES_UEFI, OFFER_BINL, list);
	enum style_why why;

	test_case("a machine without a MAC has no past");
	fresh();
	styles_given(t, &sight, OFFER_BINL, OFFER_BINL, STYLE_DEFAULT, now_ms);
	sight.xid++;
	CHECK(!styles_arrive(t, &sight, now_ms + 5000).unanswered);
	CHECK(!styles_followed(t, &none, STYLES_SIGN_TFTP, now_ms));

	test_case("any number of machines and models fits; what is new pushes out what is old");
	sight.mac = &mac;
	for (uint32_t i = 0; i < 20000; i++) {
		uint8_t text[8];

		memcpy(mac.b, &i, sizeof(i));
		memcpy(text, &i, sizeof(i));
		memcpy(text + 4, &i, sizeof(i));
		f.param_list = (struct slice){ text, sizeof(text) };
		sight.key = firmware_key(&f);
		styles_given(t, &sight, OFFER_BINL, OFFER_BINL, STYLE_DEFAULT, now_ms + i);
	}
	sight.xid++;
	CHECK(styles_arrive(t, &sight, now_ms + 20000 + STYLES_PATIENCE_MS).unanswered);
	n = styles_choose(t, &mac, false, 0, list, n, now_ms + 30000, &why);
	CHECK_INT(list[n], OFFER_PXE10);
	CHECK_INT(why, STYLE_NEXT);

	test_case("models that were followed stay longest");
	fresh();
	tell_story("1?binl:default 1b");
	f = firmware_of('1');
	sight.key = firmware_key(&f);
	for (uint32_t i = 0; i < 5000; i++) {
		struct firmware other = f;

		other.ndi = i;
		styles_given(t, &(struct styles_sight){ &mac, &other, firmware_key(&other), i, 0 },
		    OFFER_BINL, OFFER_BINL, STYLE_DEFAULT, now_ms + i);
	}
	{
		char key[FIRMWARE_KEY_STRLEN];
		struct styles_model m;

		CHECK_INT(styles_find_model(t, firmware_key_format(sight.key, key), now_ms, &m), 0);
		CHECK_INT(m.tally[OFFER_BINL].successes, 1);
	}
}

/* --- files ------------------------------------------------------------------------------------ */

static void
test_restore(void)
{
	struct styles *before;
	json_t *dump;
	size_t models;

	test_case("what is known comes back from a dump; what is like its model is not in it");
	fresh();
	tell_story("1?binl:default 1?pxe10:unanswered-before! 1t 2?binl:default "
		   "2?pxe10:unanswered-before! 2t 3?pxe10:model 3L 3?pxe10:tried-twice!! 3L "
		   "3?binl:unanswered-before!! 3b 4?binl:default 4b");
	dump = styles_dump(t);
	CHECK_INT(json_array_size(json_object_get(dump, "models")), 1);
	models = json_array_size(json_object_get(dump, "machines"));
	CHECK_INT(models, 2); /* 1 and 2 keep PXE10, 3 and 4 do as their model */
	before = t;
	CHECK_INT(styles_new(16, 100, &t), 0);
	CHECK_INT(styles_restore(t, dump), 1 + models);
	{
		json_t *again = styles_dump(t);

		CHECK(json_equal(dump, again));
		json_decref(again);
	}
	tell_story("1?pxe10:machine 4?binl:default 5?binl:default");
	styles_free(before);
	json_decref(dump);

	test_case("what is malformed of a dump is passed over");
	fresh();
	dump = json_loads("{\"models\": [1, {}, {\"class\": \"PXEClient\"}], \"machines\": "
			  "[{}, 7, {\"mac\": \"x\"}, {\"mac\": \"02:00:00:00:00:01\", \"model\": "
			  "\"00\", \"kept\": \"binl\", \"first\": \"binl\", \"kept_s\": 1}]}",
	    0, NULL);
	CHECK_INT(styles_restore(t, dump), 0);
	json_decref(dump);
	CHECK_INT(styles_restore(t, NULL), 0);
}

#define MODEL(styles)                                                                              \
	"{\"bootferry_quirks\": 1, \"models\": [{\"class\": \"" CLASS                              \
	"\", \"arch\": 7, \"ndi\": \"1.3.16\", \"uuid\": \"given\", \"options\": "                 \
	"\"0102030643\", \"adapter\": \"00:23:24\", \"styles\": {" styles "}}]}"
#define TALLY(s, f, a) "{\"successes\": " #s ", \"failures\": " #f ", \"against\": " #a "}"

static char mistakes[2000];

static void
note_mistake(void *arg, const char *path, const char *what)
{
	size_t n = strlen(mistakes);

	(void)arg;
	(void)snprintf(
	    mistakes + n, sizeof(mistakes) - n, "%s%s %s", n > 0 ? "; " : "", path, what);
}

static int
import(const char *text, bool check)
{
	json_t *o = json_loads(text, 0, NULL);
	int rc;

	mistakes[0] = '\0';
	rc = styles_import(t, o, check, now_ms, note_mistake, NULL);
	json_decref(o);
	return rc;
}

static void
test_import(void)
{
	static const char known[] =
	    MODEL("\"binl\": " TALLY(0, 9, 3) ", \"pxe10\": " TALLY(7, 0, 0));
	static const struct {
		const char *what, *text, *mistakes;
	} cases[] = {
		{ "something else", "{\"x\": 1}",
		    "bootferry_quirks is not 1: this is no file of `ferryctl quirks export`; "
		    "models "
		    "is no list of up to 100000 models; x is not known" },
		{ "a later format", "{\"bootferry_quirks\": 2, \"models\": []}",
		    "bootferry_quirks 2 is not 1: this is no file of `ferryctl quirks export`" },
		{ "a style that there is not", MODEL("\"magic\": " TALLY(1, 1, 1)),
		    "models[0].styles.magic is no style of offers" },
		{ "numbers out of range", MODEL("\"menu\": " TALLY(-1, 1.5, 7)),
		    "models[0].styles.menu.successes -1 is no whole number from 0 to 1000000000; "
		    "models[0].styles.menu.failures 1.5 is no whole number from 0 to 1000000000; "
		    "models[0].styles.menu.against 7 is no number from 0 to 6" },
		{ "a whole MAC",
		    "{\"bootferry_quirks\": 1, \"models\": [{\"class\": \"PXEClient\", \"arch\": "
		    "7, "
		    "\"ndi\": \"0.0.0\", \"uuid\": \"odd\", \"options\": \"\", \"adapter\": "
		    "\"00:23:24:01:02:03\", \"styles\": {}}]}",
		    "models[0].adapter \"00:23:24:01:02:03\" is neither empty nor the first three "
		    "octets of a MAC" },
		{ "an unknown key and a missing one",
		    "{\"bootferry_quirks\": 1, \"models\": [{\"klass\": \"PXEClient\"}, 5]}",
		    "models[0].class is missing; models[0].klass is not known; models[0].styles is "
		    "no object; models[1] 5 is no object" },
	};
	struct firmware f = firmware_of('1');
	char key[FIRMWARE_KEY_STRLEN];
	struct styles_model m;
	json_t *o, *again;
	char *text;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("import: %s", cases[i].what);
		fresh();
		CHECK_INT(import(cases[i].text, false), -EINVAL);
		CHECK_STR(mistakes, cases[i].mistakes);
		CHECK_INT(styles_changes(t), 0);
	}

	test_case("import: what another site knows helps the first machine here");
	fresh();
	CHECK_INT(import(known, true), 1);
	tell_story("1?binl:default 1v");
	CHECK_INT(import(known, false), 1);
	CHECK_INT(import(known, false), 1);
	tell_story("2?pxe10:model");
	CHECK_INT(styles_find_model(t, firmware_key_format(firmware_key(&f), key), now_ms, &m), 0);
	CHECK_INT(m.tally[OFFER_PXE10].successes, 7);
	CHECK_INT(m.tally[OFFER_BINL].failures, 9);

	test_case("import: what works here is not put in doubt by others");
	fresh();
	tell_story("1?binl:default 1b");
	CHECK_INT(import(known, false), 1);
	tell_story("2?binl:default");

	test_case("an export tells nothing of machines, and comes back as it went");
	fresh();
	CHECK_INT(import(known, false), 1);
	tell_story("1?pxe10:model 1?pxe10:tried-twice! 1?binl:unanswered-before! 1b");
	o = styles_export(t, now_ms);
	text = json_dumps(o, JSON_COMPACT);
	CHECK(text != NULL && strstr(text, "00:23:24:") == NULL && strstr(text, "_ms") == NULL &&
	      strstr(text, "mac") == NULL);
	fresh();
	CHECK_INT(import(text, false), 1);
	again = styles_export(t, now_ms);
	CHECK(json_equal(o, again));
	free(text);
	json_decref(o);
	json_decref(again);
}

static void
test_forget(void)
{
	struct firmware f = firmware_of('1');

	test_case("a model that is forgotten begins anew, and so do its machines");
	fresh();
	tell_story("1?binl:default 1?pxe10:unanswered-before! 1t 2?binl:default "
		   "2?pxe10:unanswered-before! 2t 3?pxe10:model a?binl:default "
		   "a?pxe10:unanswered-before! at");
	CHECK(styles_forget(t, firmware_key(&f)));
	CHECK(!styles_forget(t, firmware_key(&f)));
	tell_story("3?binl:default 1?binl:default a?pxe10:machine");
}

int
main(void)
{
	test_stories();
	test_times();
	test_hopeless();
	test_bounds();
	test_restore();
	test_import();
	test_forget();
	styles_free(t);
	return test_end();
}
