/*
 * The parameters of a boot request: what a script makes iPXE post, what of a posted form goes along
 * with the next ones, and the memory that it tells of.
 */
#include "common/hex.h"
#include "handlerd/referral.h"
#include "handlerd/script.h"
#include "handlerd/script_parts.h"

#include <string.h>
#include <strings.h>

/* What a client's parameters may cost in each script. */
#define CARRIED_MAX       32
#define CARRIED_NAME_MAX  64
#define CARRIED_VALUE_MAX 256

/*
 * What is posted, under which name, and the same for a query.  The values are iPXE's settings.
 * "uristring" takes a setting's raw bytes as they are, so it is for those that are strings: a MAC
 * or UUID would leave as binary.
 */
static const struct {
	const char *name, *setting, *query;
	bool ours; /* not for other servers */
} posted[] = {
	{ "mac", "netX/mac", "netX/mac:hexhyp", false },
	{ "uuid", "uuid", "uuid", false },
	{ "manufacturer", "manufacturer", "manufacturer:uristring", false },
	{ "product", "product", "product:uristring", false },
	{ "serial", "serial", "serial:uristring", false },
	{ "asset", "asset", "asset:uristring", false },
	{ "platform", "platform", "platform:uristring", false },
	{ "buildarch", "buildarch", "buildarch:uristring", false },
	{ "version", "version", "version:uristring", false },
	{ "memsize", "memsize", "memsize", false },
	/* memory by SMBIOS, for builds without memsize; see script_memory_mb() */
	{ "mem0", "smbios/0.19.4.8:hexraw", "smbios/0.19.4.8:hexraw", false },
	{ "mem1", "smbios/1.19.4.8:hexraw", "smbios/1.19.4.8:hexraw", false },
	{ "ifname", "netX/ifname", "netX/ifname:uristring", false },
	{ "chip", "netX/chip", "netX/chip:uristring", false },
	/* as DHCP had it, often with a NUL, where iPXE would end the query */
	{ "filename", "filename", NULL, false },
	{ "boot", "bootid", "bootid", true },
	{ "entry", "bf-entry", "bf-entry", true },
};

/* Those of 2PXE that tie a client to one web service. */
static const char *const tokens[] = { "tokenid", "requestid", "statusid" };

/* Decodes a form's value; false if it is none, too long, or iPXE would expand it. */
static bool
decode(struct slice s, uint8_t ret[static CARRIED_VALUE_MAX], size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i] == '+' ? ' ' : s.p[i];

		if (c == '%') {
			int high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
			int low = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		}
		if (n == CARRIED_VALUE_MAX || c == '\0')
			return false;
		if (n > 0 && ret[n - 1] == '$' && c == '{')
			return false;
		ret[n++] = c;
	}
	*ret_n = n;
	return true;
}

static bool
is_name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

static bool
is_name(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_name_byte(s.p[i]))
			return false;
	}
	return s.n > 0 && s.n <= CARRIED_NAME_MAX && s.p[0] != '-';
}

static bool
name_is(struct slice s, const char *name)
{
	return s.n == strlen(name) && strncasecmp((const char *)s.p, name, s.n) == 0;
}

bool
script_param_is_own(struct slice name)
{
	static const char *const others[] = { "token", "guid", "make", "model", "architecture",
		"pxeurl" };

	for (size_t i = 0; i < NITEMS(posted); i++) {
		if (name_is(name, posted[i].name))
			return true;
	}
	for (size_t i = 0; i < NITEMS(tokens); i++) {
		if (name_is(name, tokens[i]))
			return true;
	}
	for (size_t i = 0; i < NITEMS(others); i++) {
		if (name_is(name, others[i]))
			return true;
	}
	return false;
}

bool
script_is_token(const char *name)
{
	for (size_t i = 0; i < NITEMS(tokens); i++) {
		if (strcasecmp(name, tokens[i]) == 0)
			return true;
	}
	return false;
}

bool
script_may_carry(const char *name)
{
	static const char *const ours[] = { "fileurl", "reporturl", "bootid", "paramquery",
		"paramdata" };

	for (size_t i = 0; i < NITEMS(ours); i++) {
		if (strcasecmp(name, ours[i]) == 0)
			return false;
	}
	/* a service may hand back all that it was told: of that, what we say anyway is left out */
	return strncasecmp(name, "bf-", 3) != 0 &&
	       (script_is_token(name) || !script_param_is_own(slice_str(name)));
}

/* True if the web service sets it anew. */
static bool
is_set_anew(const struct script_ctx *ctx, struct slice name)
{
	for (size_t i = 0; i < ctx->ncarry; i++) {
		if (name_is(name, ctx->carry[i].name))
			return true;
	}
	return false;
}

/* A parameter that goes along, as it stands in the form, and decoded. */
struct carried {
	struct slice name, encoded;
	uint8_t value[CARRIED_VALUE_MAX];
	size_t n;
};

/* The next field of the form from *at on; false after the last. */
static bool
next_field(struct slice form, size_t *at, struct carried *ret)
{
	while (*at < form.n) {
		const uint8_t *p = form.p + *at, *end, *equals;

		end = memchr(p, '&', form.n - *at);
		if (end == NULL)
			end = form.p + form.n;
		*at = (size_t)(end - form.p) + 1;
		equals = memchr(p, '=', (size_t)(end - p));
		if (equals == NULL)
			continue;
		ret->name = (struct slice){ p, (size_t)(equals - p) };
		ret->encoded = (struct slice){ equals + 1, (size_t)(end - equals) - 1 };
		return true;
	}
	return false;
}

/* The next one of the client's form that goes along; `abroad`: to another boot server. */
static bool
next_carried(const struct script_ctx *ctx, bool abroad, size_t *at, struct carried *ret)
{
	while (next_field(ctx->params, at, ret)) {
		if (is_name(ret->name) && !script_param_is_own(ret->name) &&
		    !is_set_anew(ctx, ret->name) && !(abroad && referral_keeps(ret->name)) &&
		    decode(ret->encoded, ret->value, &ret->n))
			return true;
	}
	return false;
}

/*
 * Values go as bytes into a variable of its own, as they could hold blanks and joints; expanded,
 * they stay within their word.
 */
static void
put_carried_param(struct wbuf *w, const struct carried *c, unsigned i)
{
	wbuf_printf(w, "set bf-param-%u:hex ", i);
	for (size_t k = 0; k < c->n; k++)
		wbuf_printf(w, "%s%02x", k > 0 ? ":" : "", c->value[k]);
	wbuf_printf(w, "\nparam --params paramdata %.*s ${bf-param-%u:string} ||\n", (int)c->name.n,
	    (const char *)c->name.p, i);
}

/* "&name=value", encoded anew: what stood in the form may hold anything. */
static void
put_carried_query(struct wbuf *w, const struct carried *c)
{
	wbuf_u8(w, '&');
	wbuf_slice(w, c->name);
	wbuf_u8(w, '=');
	for (size_t k = 0; k < c->n; k++) {
		uint8_t v = c->value[k];

		if (is_name_byte(v))
			wbuf_u8(w, v);
		else
			wbuf_printf(w, "%%%02X", v);
	}
}

/* The name of the next one that the web service sets, beside the tokens; NULL after the last. */
static const char *
next_set(const struct script_ctx *ctx, bool abroad, size_t *at)
{
	while (*at < ctx->ncarry) {
		const char *name = ctx->carry[(*at)++].name;

		if (script_may_carry(name) && !script_is_token(name) &&
		    !(abroad && referral_keeps(slice_str(name))))
			return name;
	}
	return NULL;
}

void
script_put_params(struct wbuf *w, const struct script_ctx *ctx, bool with_tokens, unsigned at)
{
	struct carried c;
	const char *sep = "", *name;
	size_t pos = 0;

	wbuf_printf(w,
	    "clear bf-post ||\n"
	    "params --name paramdata || goto bf_query_%u\n"
	    "set bf-post 1\n",
	    at);
	for (size_t i = 0; i < NITEMS(posted); i++) {
		if (with_tokens || !posted[i].ours)
			wbuf_printf(w, "param --params paramdata %s ${%s} ||\n", posted[i].name,
			    posted[i].setting);
	}
	for (size_t i = 0; with_tokens && i < NITEMS(tokens); i++)
		wbuf_printf(w, "param --params paramdata %s ${%s} ||\n", tokens[i], tokens[i]);
	for (size_t i = 0; (name = next_set(ctx, !with_tokens, &i)) != NULL;)
		wbuf_printf(w, "param --params paramdata %s ${%s} ||\n", name, name);
	for (unsigned i = 0; i < CARRIED_MAX && next_carried(ctx, !with_tokens, &pos, &c); i++)
		put_carried_param(w, &c, i);
	wbuf_printf(w, ":bf_query_%u\nset paramquery ", at);
	for (size_t i = 0; i < NITEMS(posted); i++) {
		if (posted[i].query == NULL || (posted[i].ours && !with_tokens))
			continue;
		wbuf_printf(w, "%s%s=${%s}", sep, posted[i].name, posted[i].query);
		sep = "&";
	}
	for (size_t i = 0; with_tokens && i < NITEMS(tokens); i++)
		wbuf_printf(w, "&%s=${%s:uristring}", tokens[i], tokens[i]);
	for (size_t i = 0; (name = next_set(ctx, !with_tokens, &i)) != NULL;)
		wbuf_printf(w, "&%s=${%s:uristring}", name, name);
	pos = 0;
	for (unsigned i = 0; i < CARRIED_MAX && next_carried(ctx, !with_tokens, &pos, &c); i++)
		put_carried_query(w, &c);
	wbuf_u8(w, '\n');
}

/* --- memory --------------------------------------------------------------------------------- */

/* A number of four bytes in hexadecimal, the lowest first, as SMBIOS has it. */
static bool
little_endian(const uint8_t *p, uint32_t *ret)
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		int high = hex_digit(p[2 * i]), low = hex_digit(p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		v |= (uint32_t)(high << 4 | low) << (8 * i);
	}
	*ret = v;
	return true;
}

/*
 * A memory array mapped address (SMBIOS type 19): first and last kilobyte.  All bits set stands
 * for an address that does not fit, 4 TB or more.
 */
static uint64_t
range_kb(struct slice v)
{
	uint32_t first, last;

	if (v.n != 16 || !little_endian(v.p, &first) || !little_endian(v.p + 8, &last))
		return 0;
	return last > first ? (uint64_t)last - first + 1 : 0;
}

static uint64_t
number(struct slice v)
{
	char text[16];
	uint64_t n;

	return v.n < sizeof(text) && slice_copy(text, sizeof(text), v) == v.n &&
	               parse_u64(text, &n) == 0
	           ? n
	           : 0;
}

uint32_t
script_memory_mb(struct slice form)
{
	uint64_t told_mb = 0, kb = 0, mb;
	struct carried c;
	size_t at = 0;

	while (next_field(form, &at, &c)) {
		if (name_is(c.name, "memsize"))
			told_mb = number(c.encoded);
		else if (name_is(c.name, "mem0") || name_is(c.name, "mem1"))
			kb += range_kb(c.encoded);
	}
	mb = told_mb != 0 ? told_mb : kb / 1024;
	return mb < UINT32_MAX ? (uint32_t)mb : UINT32_MAX;
}
