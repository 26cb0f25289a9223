/*
 * Tokens that a client shows: whatever it is, it is refused unless every bit of it is ours.  The
 * input is the text; a good token with some bytes of the input mixed in comes next.
 */
#include "handlerd/token.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

/* Not a secure hash, but one that a fuzzer will not see through by chance. */
static int
toy_hash(void *arg, uint16_t key_id, struct slice bytes, uint16_t *ret_key_id,
    uint8_t ret[static TOKEN_MAC])
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	(void)arg;
	if (key_id > 1)
		return -ENOKEY;
	for (size_t k = 0; k < TOKEN_MAC; k++) {
		for (size_t i = 0; i < bytes.n; i++)
			h = (h ^ bytes.p[i]) * UINT64_C(0x100000001b3);
		h ^= h >> 29;
		ret[k] = (uint8_t)(h >> 56);
	}
	*ret_key_id = 1;
	return 0;
}

static const struct token_signer signer = { toy_hash, NULL };
static const struct token_claims claims = { .id = 7,
	.boot = 42,
	.expires_ms = 2000,
	.scope = TOKEN_SCOPE_IMAGE,
	.name = "x",
	.mac = { 6, { 2, 1 } },
	.address = { 4, { 10, 0, 0, 1 } } };
static const struct token_use use = { { 6, { 2, 1 } }, { 4, { 10, 0, 0, 1 } }, TOKEN_SCOPE_FILE,
	"images/x/f", "x" };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { data, size };
	char good[TOKEN_STRLEN], mixed[TOKEN_STRLEN];
	struct token_claims got = { .id = 0 };
	enum token_fault fault;

	MUST(token_mint(&signer, &claims, good) == 0);
	fault = token_check(&signer, text, &use, 1000, &got);
	MUST((fault == TOKEN_GOOD) == slice_is(text, good));
	MUST((fault == TOKEN_MALFORMED) == (token_peek(text, &got) < 0));
	memcpy(mixed, good, sizeof(mixed));
	for (size_t i = 0; i < size && i + 1 < sizeof(mixed); i++) {
		if (data[i] > ' ')
			mixed[i] = (char)data[i];
	}
	fault = token_check(&signer, slice_str(mixed), &use, 1000, &got);
	MUST((fault == TOKEN_GOOD) == (strcmp(mixed, good) == 0));
	return 0;
}
