/* Tests of handlerd/token.c and token_uses.c: what a token opens, to whom, how often. */
#include "handlerd/token.h"

#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * A keyed hash that is good enough to tell things apart.  The newest key is the number at `arg`;
 * keys 1 to 3 are known.
 */
static int
toy_hash(void *arg, uint16_t key_id, struct slice bytes, uint16_t *ret_key_id,
    uint8_t ret[static TOKEN_MAC])
{
	uint64_t h;

	if (key_id == 0)
		key_id = *(const uint16_t *)arg;
	if (key_id > 3)
		return -ENOKEY;
	h = UINT64_C(0xcbf29ce484222325) ^ key_id;
	for (size_t k = 0; k < TOKEN_MAC; k++) {
		for (size_t i = 0; i < bytes.n; i++)
			h = (h ^ bytes.p[i]) * UINT64_C(0x100000001b3);
		h ^= h >> 29;
		ret[k] = (uint8_t)(h >> 56);
	}
	*ret_key_id = key_id;
	return 0;
}

static uint16_t newest_key = 2;
static const struct token_signer signer = { toy_hash, &newest_key };

#define NOW UINT64_C(1700000000000)
#define MAC_A                                                                                      \
	{                                                                                          \
		6,                                                                                 \
		{                                                                                  \
			2, 0, 0, 0, 0, 0xa                                                         \
		}                                                                                  \
	}
#define MAC_B                                                                                      \
	{                                                                                          \
		6,                                                                                 \
		{                                                                                  \
			2, 0, 0, 0, 0, 0xb                                                         \
		}                                                                                  \
	}
#define IP_A                                                                                       \
	{                                                                                          \
		4,                                                                                 \
		{                                                                                  \
			10, 0, 0, 1                                                                \
		}                                                                                  \
	}
#define IP_B                                                                                       \
	{                                                                                          \
		4,                                                                                 \
		{                                                                                  \
			10, 0, 0, 2                                                                \
		}                                                                                  \
	}
#define FILE_OF(p, i) .scope = TOKEN_SCOPE_FILE, .path = (p), .image = (i)

static const struct check_case {
	const char *what;
	struct token_claims claims;
	struct token_use use;
	uint64_t at_ms; /* after NOW */
	enum token_fault want;
} cases[] = {
	{ "a whole boot, by its machine", { .mac = MAC_A, .address = IP_A },
	    { MAC_A, IP_A, TOKEN_SCOPE_BOOT, NULL, NULL }, 0, TOKEN_GOOD },
	{ "a whole boot opens any file", { .mac = MAC_A, .address = IP_A },
	    { MAC_A, IP_A, FILE_OF("images/x/secret", "x") }, 0, TOKEN_GOOD },
	{ "a whole boot opens files outside images", { .mac = MAC_A },
	    { MAC_A, IP_A, FILE_OF("boot/x.efi", NULL) }, 0, TOKEN_GOOD },
	{ "and reports", { .mac = MAC_A }, { MAC_A, IP_A, TOKEN_SCOPE_REPORT, NULL, NULL }, 0,
	    TOKEN_GOOD },
	{ "an image, one of its files",
	    { .mac = MAC_A, .scope = TOKEN_SCOPE_IMAGE, .name = "win11" },
	    { MAC_A, IP_A, FILE_OF("images/win11/boot.wim", "win11") }, 0, TOKEN_GOOD },
	{ "an image, its reports", { .mac = MAC_A, .scope = TOKEN_SCOPE_IMAGE, .name = "win11" },
	    { MAC_A, IP_A, TOKEN_SCOPE_REPORT, NULL, NULL }, 0, TOKEN_GOOD },
	{ "an image, a file of another",
	    { .mac = MAC_A, .scope = TOKEN_SCOPE_IMAGE, .name = "win11" },
	    { MAC_A, IP_A, FILE_OF("images/win10/boot.wim", "win10") }, 0, TOKEN_OTHER_SCOPE },
	{ "an image, a file of none", { .mac = MAC_A, .scope = TOKEN_SCOPE_IMAGE, .name = "win11" },
	    { MAC_A, IP_A, FILE_OF("boot/win11", NULL) }, 0, TOKEN_OTHER_SCOPE },
	{ "an image, the boot request", { .scope = TOKEN_SCOPE_IMAGE, .name = "win11" },
	    { MAC_A, IP_A, TOKEN_SCOPE_BOOT, NULL, NULL }, 0, TOKEN_OTHER_SCOPE },
	{ "one file", { .scope = TOKEN_SCOPE_FILE, .name = "images/x/key" },
	    { MAC_A, IP_A, FILE_OF("images/x/key", "x") }, 0, TOKEN_GOOD },
	{ "one file, another", { .scope = TOKEN_SCOPE_FILE, .name = "images/x/key" },
	    { MAC_A, IP_A, FILE_OF("images/x/key2", "x") }, 0, TOKEN_OTHER_SCOPE },
	{ "a file whose path is the name of the image", { .scope = TOKEN_SCOPE_IMAGE, .name = "x" },
	    { MAC_A, IP_A, FILE_OF("x", NULL) }, 0, TOKEN_OTHER_SCOPE },
	{ "one file, reports", { .scope = TOKEN_SCOPE_FILE, .name = "images/x/key" },
	    { MAC_A, IP_A, TOKEN_SCOPE_REPORT, NULL, NULL }, 0, TOKEN_OTHER_SCOPE },
	{ "reports alone", { .scope = TOKEN_SCOPE_REPORT },
	    { MAC_A, IP_A, TOKEN_SCOPE_REPORT, NULL, NULL }, 0, TOKEN_GOOD },
	{ "reports alone, a file", { .scope = TOKEN_SCOPE_REPORT },
	    { MAC_A, IP_A, FILE_OF("x", "x") }, 0, TOKEN_OTHER_SCOPE },
	{ "another machine", { .mac = MAC_A, .address = IP_A },
	    { MAC_B, IP_A, TOKEN_SCOPE_BOOT, NULL, NULL }, 0, TOKEN_OTHER_MACHINE },
	{ "a machine that is not known", { .mac = MAC_A, .address = IP_A },
	    { { 0 }, IP_A, TOKEN_SCOPE_BOOT, NULL, NULL }, 0, TOKEN_OTHER_MACHINE },
	{ "a MAC that is the beginning of ours", { .mac = { 6, { 2, 0, 0, 0, 0, 0 } } },
	    { { 5, { 2 } }, IP_A, TOKEN_SCOPE_BOOT, NULL, NULL }, 0, TOKEN_OTHER_MACHINE },
	{ "another address", { .mac = MAC_A, .address = IP_A },
	    { MAC_A, IP_B, TOKEN_SCOPE_BOOT, NULL, NULL }, 0, TOKEN_OTHER_ADDRESS },
	{ "no address", { .mac = MAC_A, .address = IP_A },
	    { MAC_A, { 0 }, TOKEN_SCOPE_BOOT, NULL, NULL }, 0, TOKEN_OTHER_ADDRESS },
	{ "bound to no machine: anybody's", { .address = IP_A },
	    { MAC_B, IP_A, TOKEN_SCOPE_BOOT, NULL, NULL }, 0, TOKEN_GOOD },
	{ "bound to no address: from anywhere", { .mac = MAC_A },
	    { MAC_A, IP_B, TOKEN_SCOPE_BOOT, NULL, NULL }, 0, TOKEN_GOOD },
	{ "the last moment", { .mac = MAC_A }, { MAC_A, IP_A, TOKEN_SCOPE_BOOT, NULL, NULL }, 59999,
	    TOKEN_GOOD },
	{ "expired", { .mac = MAC_A }, { MAC_A, IP_A, TOKEN_SCOPE_BOOT, NULL, NULL }, 60000,
	    TOKEN_EXPIRED },
	{ "expired comes before another machine", { .mac = MAC_A },
	    { MAC_B, IP_A, TOKEN_SCOPE_BOOT, NULL, NULL }, 60000, TOKEN_EXPIRED },
	{ "another machine comes before another scope",
	    { .mac = MAC_A, .scope = TOKEN_SCOPE_REPORT },
	    { MAC_B, IP_A, TOKEN_SCOPE_BOOT, NULL, NULL }, 0, TOKEN_OTHER_MACHINE },
};

static void
test_checks(void)
{
	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct token_claims claims = cases[i].claims, got = { .id = 0 };
		char text[TOKEN_STRLEN];

		test_case("check: %s", cases[i].what);
		claims.id = UINT64_C(0xfedcba9876543210);
		claims.boot = UINT64_C(0xff12345678);
		claims.expires_ms = NOW + 60000;
		claims.uses = 3;
		CHECK_INT(token_mint(&signer, &claims, text), 0);
		CHECK_INT(strlen(text), TOKEN_STRLEN - 1);
		CHECK_STR(token_fault_name(token_check(
			      &signer, slice_str(text), &cases[i].use, NOW + cases[i].at_ms, &got)),
		    token_fault_name(cases[i].want));
		if (cases[i].want != TOKEN_GOOD) {
			CHECK_INT(got.id, 0);
			continue;
		}
		CHECK(got.id == claims.id && got.boot == claims.boot);
		CHECK(got.expires_ms == claims.expires_ms && got.uses == 3);
		CHECK_INT(got.scope, claims.scope);
	}
}

static const struct token_use use_a = { MAC_A, IP_A, TOKEN_SCOPE_BOOT, NULL, NULL };

static void
mint_one(char text[static TOKEN_STRLEN])
{
	const struct token_claims claims = { .id = 7,
		.boot = 42,
		.expires_ms = NOW + 1,
		.mac = MAC_A,
		.address = IP_A,
		.scope = TOKEN_SCOPE_BOOT };

	CHECK_INT(token_mint(&signer, &claims, text), 0);
}

static void
test_forgeries(void)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char text[TOKEN_STRLEN], other[TOKEN_STRLEN];
	struct token_claims got;
	unsigned good = 0, faults[TOKEN_FAULTS] = { 0 };

	test_case("forgery: every flipped bit is seen");
	mint_one(text);
	for (size_t i = 0; i + 1 < sizeof(text); i++) {
		for (unsigned bit = 0; bit < 6; bit++) {
			size_t digit = (size_t)(strchr(digits, text[i]) - digits);
			enum token_fault fault;

			memcpy(other, text, sizeof(other));
			other[i] = digits[digit ^ 1u << bit];
			fault = token_check(&signer, slice_str(other), &use_a, NOW, &got);
			good += fault == TOKEN_GOOD;
			faults[fault]++;
		}
	}
	CHECK_INT(good, 0);
	CHECK_INT(faults[TOKEN_MALFORMED] + faults[TOKEN_UNKNOWN_KEY] + faults[TOKEN_FORGED],
	    TOKEN_BYTES * 8);

	test_case("forgery: every truncation and any longer text is malformed");
	for (size_t n = 0; n < strlen(text); n++) {
		char *exact = malloc(n + 1);

		memcpy(exact, text, n);
		CHECK_INT(token_check(&signer, (struct slice){ (const uint8_t *)exact, n }, &use_a,
			      NOW, &got),
		    TOKEN_MALFORMED);
		free(exact);
	}
	CHECK_INT(token_check(&signer, (struct slice){ (const uint8_t *)text, sizeof(text) },
		      &use_a, NOW, &got),
	    TOKEN_MALFORMED);
	CHECK_INT(
	    token_check(&signer, (struct slice){ NULL, 0 }, &use_a, NOW, &got), TOKEN_MALFORMED);

	test_case("forgery: characters outside the alphabet, those of plain base 64 too");
	for (const char *p = "+/= %\x7f\xff\n"; *p != '\0'; p++) {
		memcpy(other, text, sizeof(other));
		other[40] = *p;
		CHECK_INT(
		    token_check(&signer, slice_str(other), &use_a, NOW, &got), TOKEN_MALFORMED);
	}
	memcpy(other, text, sizeof(other));
	other[40] = '\0';
	CHECK_INT(token_check(&signer, (struct slice){ (const uint8_t *)other, TOKEN_STRLEN - 1 },
		      &use_a, NOW, &got),
	    TOKEN_MALFORMED);

	test_case("forgery: halves of two good tokens make no third");
	newest_key = 3;
	mint_one(other);
	newest_key = 2;
	memcpy(other + 60, text + 60, TOKEN_STRLEN - 60);
	CHECK_INT(token_check(&signer, slice_str(other), &use_a, NOW, &got), TOKEN_FORGED);
}

static void
test_keys(void)
{
	struct token_claims claims = { .expires_ms = NOW }, got;
	char text[TOKEN_STRLEN];

	test_case("keys: a token of the key before stays good");
	mint_one(text);
	newest_key = 3;
	CHECK_INT(token_check(&signer, slice_str(text), &use_a, NOW, &got), TOKEN_GOOD);
	CHECK_INT(token_peek(slice_str(text), &got), 0);
	CHECK(got.id == 7 && got.boot == 42 && got.expires_ms == NOW + 1000);

	test_case("keys: one whose key is gone is of an unknown key");
	mint_one(text);
	memcpy(text, "AQAE", 4); /* version 1, key 4 */
	CHECK_INT(token_check(&signer, slice_str(text), &use_a, NOW, &got), TOKEN_UNKNOWN_KEY);

	test_case("keys: nothing is minted when there is none");
	newest_key = 9;
	CHECK_INT(token_mint(&signer, &claims, text), -ENOKEY);
	newest_key = 2;

	test_case("claims out of range are refused");
	claims.boot = UINT64_C(1) << BOOT_ID_BITS;
	CHECK_INT(token_mint(&signer, &claims, text), -EINVAL);
	claims = (struct token_claims){ .expires_ms = UINT64_MAX };
	CHECK_INT(token_mint(&signer, &claims, text), -EINVAL);
	claims = (struct token_claims){ .scope = TOKEN_SCOPE_IMAGE, .name = "" };
	CHECK_INT(token_mint(&signer, &claims, text), -EINVAL);
	claims.name = NULL;
	CHECK_INT(token_mint(&signer, &claims, text), -EINVAL);
	claims.scope = TOKEN_SCOPES;
	CHECK_INT(token_mint(&signer, &claims, text), -EINVAL);

	test_case("names of faults and scopes");
	CHECK_STR(token_fault_name(TOKEN_USED_UP), "used-up");
	CHECK_STR(token_fault_name(TOKEN_FAULTS), "?");
	CHECK_STR(token_scope_name(TOKEN_SCOPE_REPORT), "report");
}

static void
test_uses(void)
{
	struct token_claims a = { .id = 1, .expires_ms = NOW + 1000, .uses = 2 };
	struct token_claims b = { .id = 2, .expires_ms = NOW + 1000, .uses = 0 };
	struct token_uses *t = NULL;
	uint32_t n;

	test_case("uses: each thing as often as the token says, then no more");
	CHECK_INT(token_uses_new(4, NULL, &t), 0);
	CHECK_INT(token_uses_note(t, &a, "x", NOW, &n), TOKEN_GOOD);
	CHECK_INT(n, 1);
	CHECK_INT(token_uses_note(t, &a, "x", NOW, &n), TOKEN_GOOD);
	CHECK_INT(token_uses_note(t, &a, "x", NOW, &n), TOKEN_USED_UP);
	CHECK_INT(n, a.uses + 1); /* the one to tell of */
	CHECK_INT(token_uses_note(t, &a, "x", NOW, &n), TOKEN_USED_UP);
	CHECK_INT(n, 4);
	CHECK_INT(token_uses_note(t, &a, "y", NOW, &n), TOKEN_GOOD);
	CHECK_INT(n, 1);

	test_case("uses: a token without a limit is counted, too");
	for (uint32_t i = 1; i <= 100; i++) {
		CHECK_INT(token_uses_note(t, &b, "x", NOW, &n), TOKEN_GOOD);
		CHECK_INT(n, i);
	}
	CHECK_INT(token_uses_stats(t).held, 3);

	test_case("uses: expired ones make room first");
	b.expires_ms = NOW + 5000;
	for (b.id = 10; b.id < 14; b.id++)
		(void)token_uses_note(t, &b, "x", NOW + 1000, &n);
	CHECK_INT(token_uses_stats(t).held, 4);
	CHECK_INT(token_uses_stats(t).made_room, 0);

	test_case("uses: then the one seen first longest ago, which is counted");
	(void)token_uses_note(t, &b, "x", NOW + 1000, &n);
	CHECK_INT(token_uses_stats(t).held, 4);
	CHECK_INT(token_uses_stats(t).made_room, 1);
	b.id = 11;
	(void)token_uses_note(t, &b, "x", NOW + 1000, &n);
	CHECK_INT(n, 2);
	b.id = 10;
	(void)token_uses_note(t, &b, "x", NOW + 1000, &n);
	CHECK_INT(n, 1); /* it was forgotten */

	test_case("uses: many, round and round");
	for (b.id = 100; b.id < 100000; b.id++) {
		(void)token_uses_note(t, &b, "x", NOW + 1000, &n);
		if (n != 1)
			break;
		(void)token_uses_note(t, &b, "x", NOW + 1000, &n);
		if (n != 2)
			break;
	}
	CHECK_INT(b.id, 100000);
	CHECK_INT(token_uses_stats(t).held, 4);
	token_uses_free(t);
	token_uses_free(NULL);
}

static void
no_error(void *arg, const char *path, const char *what)
{
	(void)arg;
	test_fail(__FILE__, __LINE__, "%s: %s", path, what);
}

static void
test_conf(void)
{
	static const struct config_table table = {
		.daemon = "handlerd",
		.keys = token_keys,
		.size = sizeof(struct token_conf),
	};
	struct token_conf conf;

	test_case("configuration: the defaults are within their bounds");
	CHECK_INT(config_parse(&table, NULL, 0, &conf, no_error, NULL), 0);
	CHECK_INT(conf.life_s, 3600);
	CHECK(conf.bind_address);
	CHECK_INT(conf.uses, 10);
	config_free(&table, &conf);
}

/* What another process finds in the ring of one that ended at any time. */
static void
test_uses_taken_over(void)
{
	struct token_claims a = { .id = 1, .expires_ms = NOW + 1000, .uses = 1 };
	struct token_uses *t = NULL, *next = NULL;
	uint64_t ring[32] = { 0 }, other[32] = { 0 };
	const struct slice left = { (const uint8_t *)ring, token_uses_bytes(4) };
	uint32_t n;

	CHECK(token_uses_bytes(6) <= sizeof(ring));
	CHECK_INT(token_uses_new(4, ring, &t), 0);
	for (a.id = 1; a.id <= 6; a.id++)
		(void)token_uses_note(t, &a, "x", NOW, &n);

	test_case("uses: a ring is taken over, and its order with it");
	CHECK_INT(token_uses_new(6, other, &next), 0);
	CHECK_INT(token_uses_take(next, left, NOW), 0);
	CHECK_INT(token_uses_stats(next).held, 4);
	a.id = 6;
	CHECK_INT(token_uses_note(next, &a, "x", NOW, &n), TOKEN_USED_UP);
	CHECK_INT(n, 2);
	for (a.id = 7; a.id <= 9; a.id++)
		CHECK_INT(token_uses_note(next, &a, "x", NOW, &n), TOKEN_GOOD);
	a.id = 4; /* 3 was the oldest, and is gone */
	CHECK_INT(token_uses_note(next, &a, "x", NOW, &n), TOKEN_USED_UP);
	a.id = 3;
	CHECK_INT(token_uses_note(next, &a, "x", NOW, &n), TOKEN_GOOD);
	token_uses_free(next);

	test_case("uses: by one with less room: the newest");
	CHECK_INT(token_uses_new(2, NULL, &next), 0);
	CHECK_INT(token_uses_take(next, left, NOW), 0);
	CHECK_INT(token_uses_stats(next).held, 2);
	for (a.id = 5; a.id <= 6; a.id++)
		CHECK_INT(token_uses_note(next, &a, "x", NOW, &n), TOKEN_USED_UP);
	token_uses_free(next);

	test_case("uses: expired ones are left, and what no token could have");
	CHECK_INT(token_uses_new(4, NULL, &next), 0);
	CHECK_INT(token_uses_take(next, left, NOW + 1000), 0);
	CHECK_INT(token_uses_stats(next).held, 0);
	CHECK_INT(token_uses_take(next, left, NOW - UINT64_C(1000) * (TOKEN_LIFE_MAX_S + 1)), 0);
	CHECK_INT(token_uses_stats(next).held, 0);

	test_case("uses: whatever is cut short or damaged is read without harm");
	for (size_t i = 0; i <= left.n; i++)
		(void)token_uses_take(next, (struct slice){ left.p, i }, NOW);
	for (size_t i = 0; i < left.n; i++) {
		memcpy(other, ring, left.n);
		((uint8_t *)other)[i] ^= 0xff;
		CHECK_INT(token_uses_take(next, (struct slice){ (uint8_t *)other, left.n }, NOW),
		    i < 8 ? -EBADMSG : 0);
	}
	CHECK_INT(token_uses_stats(next).held, 4);
	CHECK_INT(token_uses_take(next, (struct slice){ 0 }, NOW), -EBADMSG);
	token_uses_free(next);
	token_uses_free(t);
}

int
main(void)
{
	test_conf();
	test_checks();
	test_forgeries();
	test_keys();
	test_uses();
	test_uses_taken_over();
	return test_end();
}
