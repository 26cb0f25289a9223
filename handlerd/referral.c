/* The URL for a referred client; see referral.h. */
#include "handlerd/referral.h"

#include "common/params.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* What is between the client and us, and what would lead it back to us. */
static const char *const ours[] = {
	"authmethod",
	"authvalue",
	"boot",
	"pxeurl",
	"requestid",
	"statusid",
	"token",
	"tokenid",
	"updatedparams",
	"wsurl",
	REFERRAL_VIA,
};

int
url_place(const char *url, const char *scheme, uint16_t port, struct url_place *ret)
{
	size_t n = strlen(scheme), host_n;
	struct url_place place = { .port = port };
	const char *host, *p, *end;
	struct ipaddr ip;

	if (strncasecmp(url, scheme, n) != 0 || strncmp(url + n, "://", 3) != 0)
		return -EINVAL;
	host = url + n + 3;
	end = host + strcspn(host, "/?#");
	if (memchr(host, '@', (size_t)(end - host)) != NULL)
		return -EINVAL;
	p = host;
	if (*host == '[') {
		p = memchr(host, ']', (size_t)(end - host));
		if (p == NULL)
			return -EINVAL;
		host++;
		host_n = (size_t)(p++ - host);
		if (memchr(host, ':', host_n) == NULL)
			return -EINVAL;
	} else {
		p += strcspn(p, ":/?#");
		host_n = (size_t)(p - host);
	}
	if (host_n == 0 || host_n >= sizeof(place.host))
		return -EINVAL;
	for (size_t i = 0; i < host_n; i++) {
		char c = host[i];

		if (c <= ' ' || c == 0x7f)
			return -EINVAL;
		place.host[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	if (ip_parse(slice_str(place.host), &ip) == 0)
		(void)ip_format(&ip, place.host); /* one address, one spelling */
	else if (url[n + 3] == '[')
		return -EINVAL;
	if (p < end) {
		char digits[6];
		uint64_t v;

		if (*p != ':' || (size_t)(end - p - 1) >= sizeof(digits))
			return -EINVAL;
		(void)slice_copy(digits, sizeof(digits),
		    (struct slice){ (const uint8_t *)p + 1, (size_t)(end - p - 1) });
		if (parse_u64(digits, &v) < 0 || v == 0 || v > UINT16_MAX)
			return -EINVAL;
		place.port = (uint16_t)v;
	}
	place.path_at = (size_t)(end - url);
	*ret = place;
	return 0;
}

int
url_place_http(const char *url, struct url_place *ret)
{
	int rc = url_place(url, "https", 443, ret);

	return rc < 0 ? url_place(url, "http", 80, ret) : rc;
}

/* --- the mark of servers passed --------------------------------------------------------------- */

static bool
is_id_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

int
referral_via_hops(struct slice via)
{
	int hops = via.n > 0;
	size_t run = 0;

	if (via.n > REFERRAL_VIA_MAX)
		return -1;
	for (size_t i = 0; i < via.n; i++) {
		if (is_id_char(via.p[i])) {
			if (++run > REFERRAL_ID_MAX)
				return -1;
			continue;
		}
		if (via.p[i] != '.' || run == 0)
			return -1;
		hops++;
		run = 0;
	}
	return via.n > 0 && run == 0 ? -1 : hops;
}

bool
referral_via_has(struct slice via, const char *id)
{
	size_t n = strlen(id), at = 0;

	while (n > 0 && at < via.n) {
		const uint8_t *dot = memchr(via.p + at, '.', via.n - at);
		size_t end = dot != NULL ? (size_t)(dot - via.p) : via.n;

		if (end - at == n && memcmp(via.p + at, id, n) == 0)
			return true;
		at = end + 1;
	}
	return false;
}

/* --- forms, pair by pair ---------------------------------------------------------------------- */

struct pair {
	struct slice name, value; /* as they stand there */
};

/* The next pair with a name; false after the last. */
static bool
next_pair(struct slice *form, struct pair *ret)
{
	while (form->n > 0) {
		const uint8_t *amp = memchr(form->p, '&', form->n);
		size_t n = amp != NULL ? (size_t)(amp - form->p) : form->n;
		const uint8_t *equals = n > 0 ? memchr(form->p, '=', n) : NULL;
		size_t name_n = equals != NULL ? (size_t)(equals - form->p) : n;

		ret->name = (struct slice){ form->p, name_n };
		ret->value = (struct slice){ form->p + n, 0 };
		if (equals != NULL)
			ret->value = (struct slice){ equals + 1, n - name_n - 1 };
		form->p += n + (amp != NULL);
		form->n -= n + (amp != NULL);
		if (name_n > 0)
			return true;
	}
	return false;
}

static bool
same_name(const uint8_t *name, size_t n, const char *text)
{
	return strlen(text) == n && strncasecmp((const char *)name, text, n) == 0;
}

size_t
referral_param(struct slice form, const char *name, uint8_t *dst, size_t size)
{
	uint8_t got[REFERRAL_NAME_MAX];
	struct pair pair;

	while (next_pair(&form, &pair)) {
		int n = url_decode(pair.name, true, (char *)got, sizeof(got));

		if (n < 0 || !same_name(got, (size_t)n, name))
			continue;
		n = url_decode(pair.value, true, (char *)dst, size);
		return n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

static bool
is_ours(const uint8_t *name, size_t n)
{
	for (size_t i = 0; i < NITEMS(ours); i++) {
		if (same_name(name, n, ours[i]))
			return true;
	}
	return false;
}

bool
referral_keeps(struct slice name)
{
	return is_ours(name.p, name.n);
}

/* True if the query of the target's own URL sets that name. */
static bool
is_set_by(struct slice query, const uint8_t *name, size_t n)
{
	uint8_t got[REFERRAL_NAME_MAX];
	struct pair pair;

	while (next_pair(&query, &pair)) {
		int k = url_decode(pair.name, true, (char *)got, sizeof(got));

		if (k >= 0 && (size_t)k == n &&
		    strncasecmp((const char *)got, (const char *)name, n) == 0)
			return true;
	}
	return false;
}

static void
put_encoded(struct wbuf *w, const uint8_t *p, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		uint8_t c = p[i], lower = c | 0x20;

		if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
		    c == '.' || c == '_' || c == '~') {
			wbuf_u8(w, c);
			continue;
		}
		wbuf_u8(w, '%');
		wbuf_u8(w, (uint8_t)hex[c >> 4]);
		wbuf_u8(w, (uint8_t)hex[c & 15]);
	}
}

static bool
has_control(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] < ' ' || p[i] == 0x7f)
			return true;
	}
	return false;
}

/* --- the URL ---------------------------------------------------------------------------------- */

struct building {
	struct wbuf w;      /* the URL up to its fragment */
	struct slice query; /* of the target's own URL */
	bool has_query;
	struct referral_url_result result;
};

static void
put_separator(struct building *b)
{
	uint8_t last = b->w.used > 0 ? b->w.p[b->w.used - 1] : 0;

	if (!b->has_query)
		wbuf_u8(&b->w, '?');
	else if (last != '?' && last != '&')
		wbuf_u8(&b->w, '&');
	b->has_query = true;
}

/* Adds one pair of the client's, if it may and fits; what does not leaves no trace. */
static void
carry(struct building *b, const struct pair *pair)
{
	uint8_t name[REFERRAL_NAME_MAX], value[REFERRAL_VALUE_MAX];
	int name_n = url_decode(pair->name, true, (char *)name, sizeof(name));
	int value_n = url_decode(pair->value, true, (char *)value, sizeof(value));
	struct building before = *b;

	if (name_n > 0 &&
	    (is_ours(name, (size_t)name_n) || is_set_by(b->query, name, (size_t)name_n))) {
		b->result.dropped++;
		return;
	}
	if (name_n <= 0 || value_n < 0 || has_control(name, (size_t)name_n) ||
	    has_control(value, (size_t)value_n)) {
		b->result.left_out++;
		return;
	}
	put_separator(b);
	put_encoded(&b->w, name, (size_t)name_n);
	wbuf_u8(&b->w, '=');
	put_encoded(&b->w, value, (size_t)value_n);
	if (b->w.bad) {
		*b = before;
		b->result.left_out++;
	} else {
		b->result.carried++;
	}
}

int
referral_url(struct wbuf *w, const char *url, struct slice form, struct slice via, const char *id,
    struct referral_url_result *ret)
{
	struct slice fragment = slice_str(url + strcspn(url, "#"));
	struct slice base = { (const uint8_t *)url, strlen(url) - fragment.n };
	const uint8_t *question = memchr(base.p, '?', base.n);
	struct building b = { .has_query = question != NULL };
	size_t room = w->size - w->used;
	struct pair pair;

	if (room > REFERRAL_URL_MAX)
		room = REFERRAL_URL_MAX;
	if (referral_via_hops(via) < 0)
		return -EINVAL;
	if (w->bad || fragment.n >= room)
		return -EMSGSIZE;
	if (question != NULL)
		b.query = (struct slice){ question + 1, base.n - (size_t)(question + 1 - base.p) };
	/* the mark goes first: nothing that the client sent may push it out */
	wbuf_init(&b.w, w->p + w->used, room - fragment.n);
	wbuf_slice(&b.w, base);
	put_separator(&b);
	wbuf_str(&b.w, REFERRAL_VIA "=");
	wbuf_slice(&b.w, via);
	wbuf_str(&b.w, via.n > 0 ? "." : "");
	wbuf_str(&b.w, id);
	if (b.w.bad)
		return -EMSGSIZE;
	while (next_pair(&form, &pair))
		carry(&b, &pair);
	w->used += b.w.used;
	wbuf_slice(w, fragment);
	*ret = b.result;
	return 0;
}
