/* Forms; see form.h. */
#include "common/form.h"

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

/* By its decoded name; one that cannot be decoded is no field's. */
static bool
is_secret(struct slice name)
{
	static const char *const secrets[] = { "authvalue", "token", "tokenid" };
	char decoded[16];
	int n = url_decode(name, true, decoded, sizeof(decoded));

	for (size_t i = 0; n > 0 && i < NITEMS(secrets); i++) {
		if (strlen(secrets[i]) == (size_t)n &&
		    strncasecmp(decoded, secrets[i], (size_t)n) == 0)
			return true;
	}
	return false;
}

/* As much as fits. */
static void
put_cut(struct wbuf *w, const void *p, size_t n)
{
	wbuf_bytes(w, p, n < w->size - w->used ? n : w->size - w->used);
}

struct slice
form_without_secrets(struct slice text, char *dst, size_t size)
{
	struct wbuf w;
	size_t at = 0;

	wbuf_init(&w, dst, size);
	while (at < text.n) {
		const uint8_t *p = text.p + at, *amp = memchr(p, '&', text.n - at), *equals;
		size_t n = amp != NULL ? (size_t)(amp - p) : text.n - at;

		equals = n > 0 ? memchr(p, '=', n) : NULL;
		if (equals != NULL && is_secret((struct slice){ p, (size_t)(equals - p) })) {
			put_cut(&w, p, (size_t)(equals - p) + 1);
			put_cut(&w, "...", 3);
		} else {
			put_cut(&w, p, n);
		}
		put_cut(&w, "&", amp != NULL);
		at += n + (amp != NULL);
	}
	return wbuf_view(&w);
}
