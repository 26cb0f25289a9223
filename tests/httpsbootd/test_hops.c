/* Tests of httpsbootd/hops.c. */
#include "httpsbootd/hops.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define A "bootferry-hq.boot-0123456789abcdef"
#define B "bootferry-branch-fedcba9876543210"

static void
test_names(void)
{
	static const struct {
		const char *what, *instance, *host;
		uint64_t random;
		const char *want;
	} rows[] = {
		{ "subnet and host", "lab", "boot.example", 0x1f,
		    "bootferry-lab.boot.example-000000000000001f" },
		{ "no subnet", "", "boot", UINT64_MAX, "bootferry-boot-ffffffffffffffff" },
		{ "no host", "lab", "", 1, "bootferry-lab-0000000000000001" },
		{ "what may not stand in a Via", "a b", "[fe80::1],(x)", 1,
		    "bootferry-a_b._fe80__1___x_-0000000000000001" },
	};
	char name[HOP_STRLEN], other[HOP_STRLEN], longest[400];

	for (size_t i = 0; i < NITEMS(rows); i++) {
		test_case("%s", rows[i].what);
		CHECK_STR(
		    hops_own(rows[i].instance, rows[i].host, rows[i].random, name), rows[i].want);
	}
	test_case("a name that is too long is cut, not what tells it from others");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	hops_own("lab", longest, 1, name);
	hops_own("lab", longest, 2, other);
	CHECK(strlen(name) == HOP_STRLEN - 1 && strcmp(name, other) != 0);
	CHECK_STR(name + strlen(name) - 17, "-0000000000000001");
}

static void
test_read(void)
{
	static const struct {
		const char *what, *via, *want; /* the field that goes on */
	} rows[] = {
		{ "nothing", "", "Via: 1.1 me" },
		{ "one", "1.1 " A, "Via: 1.1 " A ", 1.1 me" },
		{ "two, and one of another kind between them", "1.1 " A ", 1.0 proxy:3128,1.1 " B,
		    "Via: 1.1 " A ", 1.1 " B ", 1.1 me" },
		{ "another protocol, blanks, a comment", " HTTP/2 \t" A "  (x, 1.1 " B ") ,",
		    "Via: 1.1 " A ", 1.1 me" },
		{ "a comment in a comment, and one that does not end",
		    "1.1 p (a (b), \\) 1.1 " B "), 1.1 " A " (", "Via: 1.1 " A ", 1.1 me" },
		{ "empty members", ",, ,1.1 " A ",,", "Via: 1.1 " A ", 1.1 me" },
		{ "a name without its protocol is none", A, "Via: 1.1 me" },
		{ "a name that would be two headers", "1.1 bootferry-a\r\nX:y", "Via: 1.1 me" },
		{ "a name in quotes", "1.1 \"" A "\"", "Via: 1.1 me" },
	};
	char line[HOPS_STRLEN];

	for (size_t i = 0; i < NITEMS(rows); i++) {
		struct hops h = { 0 };

		test_case("%s", rows[i].what);
		hops_read(&h, slice_str(rows[i].via));
		CHECK_STR(hops_line(&h, "me", line), rows[i].want);
		CHECK(!h.full);
	}
	test_case("every truncation of a good one is harmless");
	for (size_t n = 0; n <= strlen(rows[4].via); n++) {
		struct hops h = { 0 };
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, rows[4].via, n);
		hops_read(&h, (struct slice){ copy, n });
		CHECK(h.n <= 1); /* the other one is no server of our kind */
		free(copy);
	}
}

static void
test_limits(void)
{
	char via[64], line[HOPS_STRLEN], longest[HOP_STRLEN + 8];
	struct hops h = { 0 }, again = { 0 };

	test_case("more than fit are noticed");
	for (int i = 0; i <= HOPS_MAX; i++) {
		CHECK(!h.full);
		(void)snprintf(via, sizeof(via), "1.1 bootferry-%d", i);
		hops_read(&h, slice_str(via));
	}
	CHECK(h.full && h.n == HOPS_MAX);
	test_case("so is a name that is too long");
	(void)snprintf(longest, sizeof(longest), "1.1 bootferry-%0*d", HOP_STRLEN - 10, 7);
	hops_read(&again, slice_str(longest));
	CHECK(again.full && again.n == 0);
	test_case("the longest field fits");
	h = (struct hops){ 0 };
	for (int i = 0; i < HOPS_MAX; i++) {
		(void)snprintf(longest, sizeof(longest), "1.1 bootferry-%0*d", HOP_STRLEN - 11, i);
		hops_read(&h, slice_str(longest));
	}
	CHECK(!h.full && h.n == HOPS_MAX);
	hops_line(&h, h.name[0], line);
	CHECK_INT(strlen(line), 5 + (HOPS_MAX + 1) * (4 + HOP_STRLEN - 1) + HOPS_MAX * 2);
	CHECK(strcmp(line + strlen(line) - HOP_STRLEN + 1, h.name[0]) == 0);
}

static void
test_rings(void)
{
	struct hops h = { 0 }, more = { 0 };
	char words[100];

	test_case("a ring of one");
	hops_read(&h, slice_str("1.1 " A));
	CHECK(hops_has(&h, A) && !hops_has(&h, B));
	CHECK_STR(hops_ring(&h, A, words, sizeof(words)), "hq.boot > hq.boot");
	test_case("what another request came through joins once");
	hops_read(&more, slice_str("1.1 " A ", 1.1 " B));
	CHECK(hops_join(&h, &more));
	CHECK(!hops_join(&h, &more));
	CHECK(hops_has(&h, B) && h.n == 2);
	test_case("a ring that begins in the middle, told as far as there is room");
	hops_read(&h, slice_str("1.1 bootferry-x"));
	CHECK_STR(hops_ring(&h, B, words, sizeof(words)), "branch > bootferry-x > branch");
	CHECK_STR(hops_ring(&h, B, words, 12), "branch > ");
}

int
main(void)
{
	test_names();
	test_read();
	test_limits();
	test_rings();
	return test_end();
}
