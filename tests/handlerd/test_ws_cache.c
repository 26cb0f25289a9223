/* Tests of handlerd/ws_cache.c. */
#include "handlerd/ws_cache.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct ws_cache *cache;

/* What the cache gives, as text; "-" for nothing. */
static const char *
get(int (*look)(struct ws_cache *c, const char *key, uint64_t now_ms, struct slice *ret),
    const char *key, uint64_t now_ms)
{
	static char text[64];
	struct slice s;

	if (look(cache, key, now_ms, &s) < 0)
		return "-";
	slice_copy(text, sizeof(text), s);
	return text;
}

static void
put(const char *key, const char *text, uint64_t fresh_ms, uint64_t stale_ms, bool unseen)
{
	ws_cache_put(cache, key, slice_str(text), 1000, fresh_ms, stale_ms, unseen);
}

static void
test_times(void)
{
	test_case("an answer serves for as long as it says, and stands in for longer");
	put("a", "A", 500, 2000, false);
	CHECK_STR(get(ws_cache_fresh, "a", 1499), "A");
	CHECK_STR(get(ws_cache_fresh, "a", 1500), "-");
	CHECK_STR(get(ws_cache_stale, "a", 2999), "A");
	CHECK_STR(get(ws_cache_stale, "a", 3000), "-");

	test_case("another key has no answer");
	CHECK_STR(get(ws_cache_fresh, "b", 1000), "-");
	CHECK_STR(get(ws_cache_stale, "b", 1000), "-");

	test_case("an answer that nobody saw serves one who asks, once");
	put("early", "E", 0, 0, true);
	CHECK_STR(get(ws_cache_fresh, "early", 1000 + WS_CACHE_UNSEEN_MS - 1), "E");
	CHECK_STR(get(ws_cache_fresh, "early", 1000 + WS_CACHE_UNSEEN_MS - 1), "-");

	test_case("it does not wait for ever");
	put("late", "L", 0, 0, true);
	CHECK_STR(get(ws_cache_fresh, "late", 1000 + WS_CACHE_UNSEEN_MS), "-");

	test_case("a newer answer takes the place of the older one");
	put("a", "A2", 500, 2000, false);
	CHECK_STR(get(ws_cache_fresh, "a", 1001), "A2");
	test_case("one that may not be kept only removes it");
	put("a", "A3", 0, 0, false);
	CHECK_STR(get(ws_cache_stale, "a", 1001), "-");
}

static void
test_bounds(void)
{
	char key[32], text[200];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	test_case("the room is bounded, and those unused longest make place");
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "machine%d", i);
		put(key, text, 100, 100, false);
		CHECK(ws_cache_bytes(cache) <= 16384);
		CHECK_INT(ws_cache_fresh(cache, "machine0", 1000, &(struct slice){ 0 }), 0);
	}
	CHECK(ws_cache_count(cache) > 40 && ws_cache_count(cache) < 100);
	CHECK_INT(ws_cache_fresh(cache, "machine999", 1000, &(struct slice){ 0 }), 0);
	CHECK_INT(ws_cache_fresh(cache, "machine1", 1000, &(struct slice){ 0 }), -ENOENT);

	test_case("an answer too large for it is not kept, and removes what stood there");
	{
		static char large[2000];

		memset(large, 'y', sizeof(large) - 1);
		put("machine999", large, 100, 100, false);
		CHECK_INT(ws_cache_fresh(cache, "machine999", 1000, &(struct slice){ 0 }), -ENOENT);
	}
}

int
main(void)
{
	CHECK_INT(ws_cache_new(16384, &cache), 0);
	test_times();
	ws_cache_free(cache);
	CHECK_INT(ws_cache_new(16384, &cache), 0);
	test_bounds();
	ws_cache_free(cache);
	ws_cache_free(NULL);
	return test_end();
}
