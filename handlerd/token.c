/*
 * The token codec and its check; see token.h.
 *
 * Bytes: version 1, key 2, id 8, boot 5, expiry 4 (seconds), scope 1, uses 2; then 8 each for MAC,
 * address and name, all zeros where it is bound to none; then 16 of the HMAC over all before.
 */
#include "handlerd/token.h"

#include <errno.h>
#include <string.h>

#define TOKEN_VERSION 1
#define BIND_BYTES    8
#define BIND_AT       23
#define TAG_BYTES     16
#define TAG_AT        (TOKEN_BYTES - TAG_BYTES)
#define NAME_MAX_     512 /* no path below the content root is longer */

_Static_assert(BIND_AT + 3 * BIND_BYTES == TAG_AT, "the layout has no gaps");

const char *
token_scope_name(enum token_scope v)
{
	static const char *const names[TOKEN_SCOPES] = {
		[TOKEN_SCOPE_BOOT] = "boot",
		[TOKEN_SCOPE_IMAGE] = "image",
		[TOKEN_SCOPE_FILE] = "file",
		[TOKEN_SCOPE_REPORT] = "report",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

const char *
token_fault_name(enum token_fault v)
{
	static const char *const names[TOKEN_FAULTS] = {
		[TOKEN_GOOD] = "good",
		[TOKEN_MALFORMED] = "malformed",
		[TOKEN_UNKNOWN_KEY] = "unknown-key",
		[TOKEN_FORGED] = "forged",
		[TOKEN_EXPIRED] = "expired",
		[TOKEN_OTHER_MACHINE] = "other-machine",
		[TOKEN_OTHER_ADDRESS] = "other-address",
		[TOKEN_OTHER_SCOPE] = "other-scope",
		[TOKEN_USED_UP] = "used-up",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

/* --- base 64 of RFC 4648 section 5, whose 63 bytes need no padding ---------------------------- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

_Static_assert(TOKEN_BYTES % 3 == 0 && TOKEN_STRLEN == TOKEN_BYTES / 3 * 4 + 1, "no padding");

static void
text_from_bytes(const uint8_t b[static TOKEN_BYTES], char ret[static TOKEN_STRLEN])
{
	char *p = ret;

	for (size_t i = 0; i < TOKEN_BYTES; i += 3) {
		uint32_t v = (uint32_t)b[i] << 16 | (uint32_t)b[i + 1] << 8 | b[i + 2];

		for (int shift = 18; shift >= 0; shift -= 6)
			*p++ = digits[v >> shift & 63];
	}
	*p = '\0';
}

static int
bytes_from_text(struct slice text, uint8_t ret[static TOKEN_BYTES])
{
	uint32_t v = 0;

	if (text.n != TOKEN_STRLEN - 1)
		return -EBADMSG;
	for (size_t i = 0; i < text.n; i++) {
		const char *at = text.p[i] != '\0' ? strchr(digits, text.p[i]) : NULL;

		if (at == NULL)
			return -EBADMSG;
		v = v << 6 | (uint32_t)(at - digits);
		if (i % 4 == 3) {
			ret[i / 4 * 3] = (uint8_t)(v >> 16);
			ret[i / 4 * 3 + 1] = (uint8_t)(v >> 8);
			ret[i / 4 * 3 + 2] = (uint8_t)v;
		}
	}
	return 0;
}

/* --- the parts -------------------------------------------------------------------------------- */

/* True if they differ; takes as long wherever they do. */
static bool
differs(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint8_t d = 0;

	for (size_t i = 0; i < n; i++)
		d |= (uint8_t)(a[i] ^ b[i]);
	return d != 0;
}

static bool
is_zero(const uint8_t *p, size_t n)
{
	uint8_t d = 0;

	for (size_t i = 0; i < n; i++)
		d |= p[i];
	return d == 0;
}

/*
 * The hash of one thing that a token is bound to.  `kind` keeps the uses of the key apart, and the
 * token's id keeps two tokens of one machine from looking alike.
 */
static int
bind_hash(const struct token_signer *s, uint16_t key, uint64_t id, char kind, const void *p,
    size_t n, uint8_t ret[static BIND_BYTES])
{
	uint8_t bytes[32 + NAME_MAX_], mac[TOKEN_MAC];
	struct wbuf w;
	int rc;

	wbuf_init(&w, bytes, sizeof(bytes));
	wbuf_str(&w, "bootferry token bind ");
	wbuf_u8(&w, (uint8_t)kind);
	wbuf_u64(&w, id);
	wbuf_bytes(&w, p, n);
	if (w.bad)
		return -EINVAL;
	rc = s->hash(s->arg, key, wbuf_view(&w), &key, mac);
	if (rc == 0)
		memcpy(ret, mac, BIND_BYTES);
	return rc;
}

static int
bind_mac(const struct token_signer *s, uint16_t key, uint64_t id, const struct macaddr *mac,
    uint8_t ret[static BIND_BYTES])
{
	return bind_hash(s, key, id, 'm', mac->b, mac->len, ret);
}

static int
bind_address(const struct token_signer *s, uint16_t key, uint64_t id, const struct ipaddr *ip,
    uint8_t ret[static BIND_BYTES])
{
	return bind_hash(s, key, id, 'a', ip->b, ip->family == 4 ? 4 : 16, ret);
}

static int
bind_name(const struct token_signer *s, uint16_t key, uint64_t id, enum token_scope scope,
    const char *name, uint8_t ret[static BIND_BYTES])
{
	return bind_hash(
	    s, key, id, scope == TOKEN_SCOPE_IMAGE ? 'i' : 'f', name, strlen(name), ret);
}

static int
tag_hash(const struct token_signer *s, uint16_t key, const uint8_t token[static TAG_AT],
    uint8_t ret[static TOKEN_MAC])
{
	static const char label[] = "bootferry token tag ";
	uint8_t bytes[sizeof(label) - 1 + TAG_AT];

	memcpy(bytes, label, sizeof(label) - 1);
	memcpy(bytes + sizeof(label) - 1, token, TAG_AT);
	return s->hash(s->arg, key, (struct slice){ bytes, sizeof(bytes) }, &key, ret);
}

static bool
has_name(enum token_scope scope)
{
	return scope == TOKEN_SCOPE_IMAGE || scope == TOKEN_SCOPE_FILE;
}

int
token_mint(
    const struct token_signer *s, const struct token_claims *claims, char ret[static TOKEN_STRLEN])
{
	uint64_t expires_s = claims->expires_ms / 1000 + (claims->expires_ms % 1000 != 0);
	uint8_t b[TOKEN_BYTES] = { 0 }, mac[TOKEN_MAC];
	uint8_t *bind = b + BIND_AT;
	struct wbuf w;
	uint16_t key;
	int rc;

	if (claims->boot >> BOOT_ID_BITS != 0 || expires_s > UINT32_MAX ||
	    claims->scope >= TOKEN_SCOPES ||
	    (has_name(claims->scope) && (claims->name == NULL || claims->name[0] == '\0')))
		return -EINVAL;
	/* which key is the newest, that is: what it hashes here matters to nobody */
	rc = s->hash(s->arg, 0, slice_str("bootferry token key"), &key, mac);
	wbuf_init(&w, b, BIND_AT);
	wbuf_u8(&w, TOKEN_VERSION);
	wbuf_u16(&w, rc == 0 ? key : 0);
	wbuf_u64(&w, claims->id);
	wbuf_u8(&w, (uint8_t)(claims->boot >> 32));
	wbuf_u32(&w, (uint32_t)claims->boot);
	wbuf_u32(&w, (uint32_t)expires_s);
	wbuf_u8(&w, (uint8_t)claims->scope);
	wbuf_u16(&w, claims->uses);
	if (rc == 0 && claims->mac.len > 0)
		rc = bind_mac(s, key, claims->id, &claims->mac, bind);
	if (rc == 0 && claims->address.family != 0)
		rc = bind_address(s, key, claims->id, &claims->address, bind + BIND_BYTES);
	if (rc == 0 && has_name(claims->scope))
		rc = bind_name(
		    s, key, claims->id, claims->scope, claims->name, bind + 2 * BIND_BYTES);
	if (rc == 0)
		rc = tag_hash(s, key, b, mac);
	if (rc < 0)
		return rc;
	memcpy(b + TAG_AT, mac, TAG_BYTES);
	text_from_bytes(b, ret);
	return 0;
}

/* The bytes, the claims in them and the key that they name. */
static int
decode(struct slice text, uint8_t b[static TOKEN_BYTES], struct token_claims *ret, uint16_t *key)
{
	struct token_claims c = { .id = 0 };
	struct rbuf r;
	uint8_t version, scope;

	if (bytes_from_text(text, b) < 0)
		return -EBADMSG;
	rbuf_init(&r, b, BIND_AT);
	version = rbuf_u8(&r);
	*key = rbuf_u16(&r);
	c.id = rbuf_u64(&r);
	c.boot = (uint64_t)rbuf_u8(&r) << 32;
	c.boot |= rbuf_u32(&r);
	c.expires_ms = (uint64_t)rbuf_u32(&r) * 1000;
	scope = rbuf_u8(&r);
	c.uses = rbuf_u16(&r);
	if (version != TOKEN_VERSION || scope >= TOKEN_SCOPES || *key == 0)
		return -EBADMSG;
	c.scope = (enum token_scope)scope;
	*ret = c;
	return 0;
}

int
token_peek(struct slice text, struct token_claims *ret)
{
	uint8_t b[TOKEN_BYTES];
	uint16_t key;

	return decode(text, b, ret, &key);
}

/* What of a use a token of this scope is bound to: the name, or NULL if it does not open it. */
static const char *
name_of_use(enum token_scope scope, const struct token_use *use)
{
	if (use->scope != TOKEN_SCOPE_FILE)
		return NULL;
	return scope == TOKEN_SCOPE_IMAGE ? use->image : use->path;
}

static bool
opens(const struct token_signer *s, uint16_t key, const struct token_claims *c,
    const uint8_t bound[static BIND_BYTES], const struct token_use *use)
{
	uint8_t want[BIND_BYTES];
	const char *name;

	if (c->scope == TOKEN_SCOPE_BOOT)
		return true;
	if (use->scope == TOKEN_SCOPE_REPORT)
		return c->scope == TOKEN_SCOPE_REPORT || c->scope == TOKEN_SCOPE_IMAGE;
	name = has_name(c->scope) ? name_of_use(c->scope, use) : NULL;
	return name != NULL && bind_name(s, key, c->id, c->scope, name, want) == 0 &&
	       !differs(bound, want, BIND_BYTES);
}

enum token_fault
token_check(const struct token_signer *s, struct slice text, const struct token_use *use,
    uint64_t now_ms, struct token_claims *ret)
{
	uint8_t b[TOKEN_BYTES], mac[TOKEN_MAC], want[BIND_BYTES];
	const uint8_t *bind = b + BIND_AT;
	struct token_claims c;
	uint16_t key;

	if (decode(text, b, &c, &key) < 0)
		return TOKEN_MALFORMED;
	if (tag_hash(s, key, b, mac) < 0)
		return TOKEN_UNKNOWN_KEY;
	if (differs(b + TAG_AT, mac, TAG_BYTES))
		return TOKEN_FORGED;
	if (now_ms >= c.expires_ms)
		return TOKEN_EXPIRED;
	if (!is_zero(bind, BIND_BYTES) &&
	    (use->mac.len == 0 || bind_mac(s, key, c.id, &use->mac, want) < 0 ||
		differs(bind, want, BIND_BYTES)))
		return TOKEN_OTHER_MACHINE;
	bind += BIND_BYTES;
	if (!is_zero(bind, BIND_BYTES) &&
	    (use->address.family == 0 || bind_address(s, key, c.id, &use->address, want) < 0 ||
		differs(bind, want, BIND_BYTES)))
		return TOKEN_OTHER_ADDRESS;
	if (!opens(s, key, &c, bind + BIND_BYTES, use))
		return TOKEN_OTHER_SCOPE;
	*ret = c;
	return TOKEN_GOOD;
}
