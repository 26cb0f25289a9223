/*
 * Tests of handlerd/adapt.c and adapt_dump.c.  A row is a story: words for what happens to machines
 * of one model, and after each '?' the loader that is expected and why.
 */
#include "handlerd/adapt.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW    UINT64_C(1700000000000)
#define DAY_MS UINT64_C(86400000)
#define MODEL  "model:Dell|X|7"

static const struct loader_choice loaders[] = {
	{ "boot/x64/a.efi", 1 },
	{ "boot/x64/b.efi", 1 },
	{ "boot/x64/c.efi", 1 },
};

static struct adapt *t;
static uint64_t now_ms;

/*
 * One word of a story.
 *   1?a:preferred  machine 1 DISCOVERs, is given a, for that reason
 *   1s             it fetches what it was given, and is silent (3 s pass)
 *   1v             it fetches it, and iPXE asks
 *   1f             it fetches it; 1 s passes
 *   1x             it fetches another file
 *   1d             one second passes, and it DISCOVERs again as if for the first time
 *   +30            days pass
 */
static void
tell(const char *word)
{
	struct macaddr mac = { 6, { 2, 0, 0, 0, 0, (uint8_t)(word[0] - '0') } };
	static size_t given[10];
	enum adapt_reason reason;
	char got[64];
	size_t i;

	if (word[0] == '+') {
		now_ms += (uint64_t)atoi(word + 1) * DAY_MS;
		return;
	}
	i = given[word[0] - '0'];
	switch (word[1]) {
	case '?':
		(void)adapt_silent(t, &mac, now_ms);
		i = adapt_choose(t, MODEL, &mac, loaders, NITEMS(loaders), now_ms, &reason);
		(void)snprintf(
		    got, sizeof(got), "%c?%c:%s", word[0], "abc"[i], adapt_reason_name(reason));
		CHECK_STR(got, word);
		adapt_given(t, MODEL, &mac, loaders, i, now_ms);
		given[word[0] - '0'] = i;
		break;
	case 's':
		adapt_fetched(t, &mac, loaders[i].path, now_ms);
		now_ms += 3000;
		break;
	case 'v':
		adapt_fetched(t, &mac, loaders[i].path, now_ms);
		CHECK(adapt_alive(t, &mac, now_ms));
		CHECK(!adapt_alive(t, &mac, now_ms));
		now_ms += 3000;
		break;
	case 'f':
		adapt_fetched(t, &mac, loaders[i].path, now_ms);
		now_ms += 1000;
		break;
	case 'x':
		adapt_fetched(t, &mac, "images/x/vmlinuz", now_ms);
		now_ms += 3000;
		break;
	default: now_ms += 1000;
	}
}

static const struct {
	const char *what, *story;
} stories[] = {
	{ "nothing known: the preferred one, each time",
	    "1?a:preferred 1v 1?a:preferred 2?a:preferred" },
	{ "a DISCOVER that is repeated before the fetch is the same trial",
	    "1?a:preferred 1d 1?a:preferred 1d 1?a:preferred 1v" },
	{ "asked again right after the fetch: too soon to say", "1?a:preferred 1f 1?a:preferred" },
	{ "what was not fetched whole cannot be silent",
	    "1?a:preferred 1x 1?a:preferred 1x 1?a:preferred" },
	{ "silent: the next one, and the next, and round again",
	    "1?a:preferred 1s 1?b:silent-before 1s 1?c:silent-before 1s 1?a:all-silent 1s "
	    "1?b:silent-before 1s 1?c:silent-before 1v 1?c:machine" },
	{ "the port 4011 request gets the same answer as the DISCOVER",
	    "1?a:preferred 1s 1?b:silent-before 1?b:silent-before 1f 1?b:silent-before" },
	{ "what came to life is kept on that machine, and on that alone",
	    "1?a:preferred 1s 1?b:silent-before 1v 1?b:machine 1v 2?a:preferred" },
	{ "... until it is silent once: then the preferred one",
	    "1?a:preferred 1s 1?b:silent-before 1v 1?b:machine 1s 1?a:silent-before 1v "
	    "1?a:preferred" },
	{ "... or 90 days pass",
	    "1?a:preferred 1s 1?b:silent-before 1v +89 1?b:machine +2 1?a:preferred" },
	{ "one flaky boot changes nothing for the model",
	    "1?a:preferred 1s 1?b:silent-before 1v 2?a:preferred 2v 3?a:preferred 3v" },
	{ "three machines change it",
	    "1?a:preferred 1s 1?b:silent-before 1v 2?a:preferred 2s 2?b:silent-before 2v "
	    "3?a:preferred 3s 3?b:silent-before 3v 4?b:model 4v 5?b:model" },
	{ "... also three in one week",
	    "1?a:preferred 1s 1?b:silent-before 1v +3 2?a:preferred 2s 2?b:silent-before 2v "
	    "+3 3?a:preferred 3s 3?b:silent-before 3v +1 4?b:model" },
	{ "one machine cannot, however often it fails",
	    "1?a:preferred 1s 1?b:silent-before 1s 1?c:silent-before 1s 1?a:all-silent 1s "
	    "1?b:silent-before 1s 1?c:silent-before 1s 1?a:all-silent 1s 1?b:silent-before 1s "
	    "2?a:preferred" },
	{ "three silences, but no other one ever came to life: still the preferred one",
	    "1?a:preferred 1s 2?a:preferred 2s 3?a:preferred 3s 1?b:silent-before "
	    "2?b:silent-before "
	    "3?b:silent-before 4?a:preferred" },
	{ "signs of life between keep it in favour",
	    "1?a:preferred 1s 1?b:silent-before 1v 2?a:preferred 2s 2?b:silent-before 2v "
	    "4?a:preferred 4v 3?a:preferred 3s 3?b:silent-before 3v 5?a:preferred" },
	{ "a machine on which the preferred one lives keeps it when the model turns away",
	    "9?a:preferred 9v 1?a:preferred 1s 1?b:silent-before 1v 2?a:preferred 2s "
	    "2?b:silent-before 2v 3?a:preferred 3s 3?b:silent-before 3v 4?b:model "
	    "9?a:preferred" },
	{ "a failure of the one that took over brings the preferred one back, until it fails again",
	    "1?a:preferred 1s 1?b:silent-before 1v 2?a:preferred 2s 2?b:silent-before 2v "
	    "3?a:preferred 3s 3?b:silent-before 3v 4?b:model 4s 4?a:silent-before 5?a:preferred 5s "
	    "5?b:silent-before 5v 6?b:model" },
	{ "doubt fades: after a month it is tried again, and two more failures renew it",
	    "1?a:preferred 1s 1?b:silent-before 1v 2?a:preferred 2s 2?b:silent-before 2v "
	    "3?a:preferred 3s 3?b:silent-before 3v 4?b:model +31 5?a:preferred 5s "
	    "5?b:silent-before 5v 6?a:preferred 6s 6?b:silent-before 6v 7?b:model" },
	{ "what happened long ago is no evidence", "1?a:preferred 1s +2 1?a:preferred 1v" },
	{ "when the one that took over is in doubt, too, the next one that lives",
	    "1?a:preferred 1s 1?b:silent-before 1s 1?c:silent-before 1v 2?a:preferred 2s "
	    "2?b:silent-before 2s 2?c:silent-before 2v 3?a:preferred 3s 3?b:silent-before 3s "
	    "3?c:silent-before 3v 4?a:preferred 4s 4?b:silent-before 4v" },
};

static void
fresh(void)
{
	adapt_free(t);
	t = NULL;
	CHECK_INT(adapt_new(16, 100, &t), 0);
	now_ms = NOW;
}

static void
test_stories(void)
{
	for (size_t i = 0; i < NITEMS(stories); i++) {
		char words[512], *save = NULL;

		test_case("story: %s", stories[i].what);
		fresh();
		(void)snprintf(words, sizeof(words), "%s", stories[i].story);
		for (char *w = strtok_r(words, " ", &save); w != NULL;
		     w = strtok_r(NULL, " ", &save))
			tell(w);
	}
}

static void
play(const char *story)
{
	char words[512], *save = NULL;

	(void)snprintf(words, sizeof(words), "%s", story);
	for (char *w = strtok_r(words, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		tell(w);
}

/* Three machines fail with a and live with b. */
#define LEARN                                                                                      \
	"1?a:preferred 1s 1?b:silent-before 1v 2?a:preferred 2s 2?b:silent-before 2v "             \
	"3?a:preferred 3s 3?b:silent-before 3v 4?b:model "

static size_t
choose(const char *key, const struct macaddr *mac, const struct loader_choice *list, size_t n)
{
	enum adapt_reason reason;

	return adapt_choose(t, key, mac, list, n, now_ms, &reason);
}

static void
test_files(void)
{
	const struct macaddr other = { 6, { 2, 9 } }, one = { 6, { 2, 0, 0, 0, 0, 1 } };
	struct loader_choice list[NITEMS(loaders)];
	struct loader_choice many[ADAPT_LOADERS + 4];
	static char paths[ADAPT_LOADERS + 4][16];

	test_case("another build of the preferred file begins without a past, on all machines");
	fresh();
	play(LEARN);
	memcpy(list, loaders, sizeof(list));
	CHECK_INT(choose(MODEL, &other, list, 3), 1);
	CHECK_INT(choose(MODEL, &one, list, 3), 1);
	list[0].build = 2;
	CHECK_INT(choose(MODEL, &other, list, 3), 0);
	CHECK_INT(choose(MODEL, &one, list, 3), 0);

	test_case("another order is the site's will: machines do not cling to the old one");
	list[0] = loaders[2];
	list[2] = loaders[0];
	CHECK_INT(choose(MODEL, &one, list, 3), 0);

	test_case("a loader that was taken away is not chosen");
	list[0] = loaders[0];
	list[1] = loaders[2];
	CHECK_INT(choose(MODEL, &other, list, 2), 0);
	CHECK_INT(choose(MODEL, &other, list, 1), 0);

	test_case("another model knows nothing of it");
	CHECK_INT(choose("model:HP|Y|7", &other, loaders, 3), 0);

	test_case("a machine without a MAC has the model's experience, and gives none");
	{
		const struct macaddr none = { 0 };

		CHECK_INT(choose(MODEL, &none, loaders, 3), 1);
		adapt_given(t, MODEL, &none, loaders, 1, now_ms);
		adapt_fetched(t, &none, loaders[1].path, now_ms);
		CHECK(!adapt_alive(t, &none, now_ms));
		CHECK(!adapt_silent(t, &none, now_ms + 5000));
	}

	test_case("a list that is too long is used as far as there is room");
	for (size_t i = 0; i < NITEMS(many); i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "boot/%zu", i);
		many[i] = (struct loader_choice){ paths[i], 1 };
	}
	for (size_t i = 0; i < ADAPT_LOADERS; i++) {
		CHECK_INT(choose("nic:m", &other, many, NITEMS(many)), i);
		adapt_given(t, "nic:m", &other, many, i, now_ms);
		adapt_fetched(t, &other, many[i].path, now_ms);
		now_ms += 3000;
		CHECK(adapt_silent(t, &other, now_ms));
		CHECK(!adapt_silent(t, &other, now_ms));
	}
	CHECK_INT(choose("nic:m", &other, many, NITEMS(many)), 0);
}

static void
test_dump(void)
{
	const struct macaddr other = { 6, { 2, 9 } }, one = { 6, { 2, 0, 0, 0, 0, 1 } };
	static const char *const bad[] = { "null", "[]", "{}", "{\"models\": 1, \"machines\": {}}",
		"{\"models\": [1, {}, {\"key\": \"x\"}, {\"key\": \"x\", \"loaders\": [{}]},"
		"{\"key\": \"x\", \"loaders\": [{\"path\": \"p\", \"build\": 1, \"silences\": -1,"
		"\"lives\": 0, \"at_ms\": 0}]}]}",
		"{\"machines\": [{}, {\"mac\": \"zz\", \"kept_ms\": 1}, {\"mac\": \"02:00\"}]}" };
	struct adapt *before;
	json_t *dump, *again;
	uint64_t changes;

	test_case("dump: what is known survives a restart");
	fresh();
	play(LEARN "5?b:model 5s 5?a:silent-before");
	changes = adapt_changes(t);
	CHECK(changes > 0);
	dump = adapt_dump(t);
	before = t;
	t = NULL;
	CHECK_INT(adapt_new(16, 100, &t), 0);
	CHECK_INT(adapt_restore(t, dump), 1 + 4);
	again = adapt_dump(t);
	CHECK(json_equal(dump, again));
	CHECK_INT(choose(MODEL, &one, loaders, 3), 1);
	CHECK_INT(choose(MODEL, &other, loaders, 3), 0); /* b's failure brought a back */
	json_decref(dump);
	json_decref(again);
	adapt_free(before);

	test_case("dump: nonsense is skipped");
	for (size_t i = 0; i < NITEMS(bad); i++) {
		dump = json_loads(bad[i], JSON_DECODE_ANY, NULL);
		fresh();
		CHECK(dump != NULL);
		CHECK_INT(adapt_restore(t, dump), 0);
		json_decref(dump);
	}
	CHECK_INT(adapt_restore(t, NULL), 0);

	test_case("forget: a model, a machine");
	fresh();
	play(LEARN);
	CHECK(adapt_forget_model(t, MODEL));
	CHECK(!adapt_forget_model(t, MODEL));
	CHECK_INT(choose(MODEL, &other, loaders, 3), 0);
	CHECK_INT(choose(MODEL, &one, loaders, 3), 1);
	CHECK(adapt_forget_machine(t, &one));
	CHECK(!adapt_forget_machine(t, &one));
	CHECK_INT(choose(MODEL, &one, loaders, 3), 0);
}

static void
test_bounds(void)
{
	struct macaddr mac = { 6, { 2 } };
	char key[ADAPT_KEY_MAX], lengthy[300];
	json_t *dump;

	test_case("bounds: many models and machines, those used longest ago make room");
	fresh();
	for (unsigned i = 0; i < 5000; i++) {
		mac.b[4] = (uint8_t)(i >> 8);
		mac.b[5] = (uint8_t)i;
		(void)snprintf(key, sizeof(key), "model:%u", i);
		adapt_given(t, key, &mac, loaders, 0, now_ms);
		CHECK(adapt_alive(t, &mac, now_ms));
	}
	dump = adapt_dump(t);
	CHECK_INT(json_array_size(json_object_get(dump, "models")), 16);
	CHECK_INT(json_array_size(json_object_get(dump, "machines")), 100);
	CHECK_STR(json_string_value(
		      json_object_get(json_array_get(json_object_get(dump, "models"), 15), "key")),
	    "model:4999");
	json_decref(dump);

	test_case("bounds: a trial whose model was forgotten meanwhile harms nothing");
	adapt_given(t, MODEL, &mac, loaders, 0, now_ms);
	CHECK(adapt_forget_model(t, MODEL));
	adapt_fetched(t, &mac, loaders[0].path, now_ms);
	CHECK(adapt_silent(t, &mac, now_ms + 3000));

	test_case("keys: maker and product, else the card and its firmware");
	mac = (struct macaddr){ 6, { 0x52, 0x54, 0, 1, 2, 3 } };
	CHECK_STR(adapt_key(slice_str("Dell Inc."), slice_str("OptiPlex 7090"), &mac,
		      slice_str("PXEClient"), 7, key),
	    "model:Dell Inc.|OptiPlex 7090|7");
	CHECK_STR(adapt_key(slice_str(""), slice_str(""), &mac,
		      slice_str("PXEClient:Arch:00007:UNDI:003016"), 7, key),
	    "nic:525400|PXEClient:Arch:00007:UNDI:003016|7");
	CHECK_STR(adapt_key(slice_str(NULL), slice_str(NULL), &(struct macaddr){ 0 },
		      slice_str(NULL), 0, key),
	    "nic:000000||0");
	test_case("keys: what does not print, and what is too long");
	memset(lengthy, 'x', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = '\0';
	CHECK_INT(strlen(adapt_key(slice_str(lengthy), slice_str(lengthy), &mac, slice_str(lengthy),
		      65535, key)),
	    6 + 64 + 1 + 64 + 1 + 5);
	CHECK_STR(adapt_key(slice_str("a\nb\xc3\xa4"), slice_str("c"), &mac, slice_str(""), 7, key),
	    "model:a?b??|c|7");
	CHECK_STR(adapt_reason_name(ADAPT_REASONS), "?");
}

int
main(void)
{
	test_stories();
	test_files();
	test_dump();
	test_bounds();
	adapt_free(t);
	adapt_free(NULL);
	return test_end();
}
