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
