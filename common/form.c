/* Forms; see form.h. */
#include "common/form.h"

#include "common/hex.h"
#include "common/params.h"

#include <string.h>
#include <strings.h>

/* Decodes one name or value into the scratch space; false if it cannot be. */
static bool
decode(struct slice s, struct wbuf *scratch, struct slice *ret)
{
	size_t start = scratch->used;
	int n =
	    url_decode(s, true, (char *)scratch->p + scratch->used, scratch->size - scratch->used);

	if (n < 0)
		return false;
	scratch->used += (size_t)n;
	*ret = (struct slice){ scratch->p + start, (size_t)n };
	return true;
}

void
form_parse(struct slice text, struct wbuf *scratch, struct form *form)
{
	struct slice name, value;

	while (form->n < FORM_FIELDS && params_next(&text, &name, &value)) {
		struct form_field *f = &form->fields[form->n];

		if (decode(name, scratch, &f->name) && decode(value, scratch, &f->value))
			form->n++;
	}
}

struct slice
form_get(const struct form *form, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < form->n; i++) {
		const struct form_field *f = &form->fields[i];

		if (f->name.n == n && strncasecmp((const char *)f->name.p, name, n) == 0)
			return f->value;
	}
	return (struct slice){ NULL, 0 };
}

/* At most `max` bytes of what the client says. */
static struct slice
text_field(const struct form *form, const char *name, const char *other, size_t max)
{
	struct slice v = form_get(form, name);

	if (v.n == 0 && other != NULL)
		v = form_get(form, other);
	if (v.n > max)
		v.n = max;
	return v;
}

void
form_to_request(const struct form *form, struct boot_request *r)
{
	struct slice uuid = text_field(form, "uuid", "guid", 64);

	/* what is no address or no UUID is left out; the raw form still has it */
	(void)mac_parse(text_field(form, "mac", NULL, 64), &r->mac);
	r->has_uuid = uuid_parse(uuid, &r->uuid) == 0 && !uuid_is_zero(&r->uuid);
	(void)boot_id_parse(text_field(form, "boot", NULL, 64), &r->boot);
	r->manufacturer = text_field(form, "manufacturer", "make", 1024);
	r->product = text_field(form, "product", "model", 1024);
	r->serial = text_field(form, "serial", NULL, 1024);
	r->asset = text_field(form, "asset", NULL, 1024);
	r->platform = text_field(form, "platform", NULL, 64);
	r->buildarch = text_field(form, "buildarch", "architecture", 64);
	r->version = text_field(form, "version", NULL, 255);
	r->token = text_field(form, "token", NULL, BOOT_TOKEN_MAX);
}

/* --- what is kept out of logs --------------------------------------------------------------- */

#define RUN_MAX   72 /* characters in one piece: a token has 84 (docs/tokens.md) */
#define RUN_SHOWN 8

/* A run of the characters that words and tokens are made of. */
struct run {
	size_t n;            /* characters */
	size_t begin, shown; /* where it begins in the text, and where its first few end */
	char word[12];       /* the first characters, decoded */
};

/* As much as fits. */
static void
put_cut(struct wbuf *w, const void *p, size_t n)
{
	wbuf_bytes(w, p, n < w->size - w->used ? n : w->size - w->used);
}

/*
 * The character at the front of a text, however often it is encoded ("%74", "%2574"); how many
 * octets it takes.
 */
static size_t
next_character(const uint8_t *p, size_t n, char *ret)
{
	size_t i = 1;
	int high, low;

	*ret = (char)p[0];
	if (p[0] != '%')
		return 1;
	while (n - i >= 4 && p[i] == '2' && p[i + 1] == '5' && hex_digit(p[i + 2]) >= 0 &&
	       hex_digit(p[i + 3]) >= 0)
		i += 2;
	high = n - i >= 2 ? hex_digit(p[i]) : -1;
	low = n - i >= 2 ? hex_digit(p[i + 1]) : -1;
	if (high < 0 || low < 0)
		return 1;
	*ret = (char)(high << 4 | low);
	return i + 2;
}

static bool
is_word(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
	       c == '_';
}

static bool
names_secret(const struct run *run)
{
	static const char *const secrets[] = { "authvalue", "token", "tokenid" };

	for (size_t i = 0; i < NITEMS(secrets); i++) {
		size_t n = strlen(secrets[i]);

		if (run->n == n && strncasecmp(run->word, secrets[i], n) == 0)
			return true;
	}
	return false;
}

/* Writes a run that ends at `end`, unless it may be a token, and begins another. */
static void
put_run(struct wbuf *w, struct slice text, struct run *run, size_t end)
{
	if (run->n >= RUN_MAX) {
		put_cut(w, text.p + run->begin, run->shown - run->begin);
		put_cut(w, "...", 3);
	} else if (run->n > 0) {
		put_cut(w, text.p + run->begin, end - run->begin);
	}
	run->n = 0;
}

struct slice
form_without_secrets(struct slice text, char *dst, size_t size)
{
	struct run run = { .n = 0 };
	struct wbuf w;
	size_t at = 0;

	wbuf_init(&w, dst, size);
	while (at < text.n) {
		char c;
		size_t n = next_character(text.p + at, text.n - at, &c);
		bool hides;

		if (is_word(c)) {
			if (run.n == 0)
				run.begin = at;
			if (run.n < sizeof(run.word))
				run.word[run.n] = c;
			if (++run.n == RUN_SHOWN)
				run.shown = at + n;
			at += n;
			continue;
		}
		hides = c == '=' && names_secret(&run);
		put_run(&w, text, &run, at);
		put_cut(&w, text.p + at, n);
		at += n;
		if (hides) {
			const uint8_t *amp = memchr(text.p + at, '&', text.n - at);

			put_cut(&w, "...", 3);
			at = amp != NULL ? (size_t)(amp - text.p) : text.n;
		}
	}
	put_run(&w, text, &run, text.n);
	return wbuf_view(&w);
}
