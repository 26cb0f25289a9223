/* Machines that are not there; see emulated.h. */
#include "dhcpproxyd/emulated.h"

#include "common/json_text.h"

#include <string.h>

const char *
emulated_end_name(enum emulated_end v)
{
	static const char *const names[EMULATED_ENDS] = { "unseen", "pending", "answered", "silent",
		"unanswered", "unfit" };

	return (size_t)v < EMULATED_ENDS ? names[v] : "?";
}

void
emulated_begin(struct emulated *e, uint64_t until_ms)
{
	e->until_ms = until_ms;
	e->n = 0;
}

bool
emulated_add(struct emulated *e, const struct macaddr *mac)
{
	if (e->n == EMULATED_MAX)
		return false;
	e->v[e->n++] = (struct emulated_client){ .mac = *mac };
	return true;
}

bool
emulated_knows(const struct emulated *e, const uint8_t chaddr[static 6])
{
	for (size_t i = 0; i < e->n; i++) {
		if (e->v[i].mac.len == 6 && memcmp(e->v[i].mac.b, chaddr, 6) == 0)
			return true;
	}
	return false;
}

static struct emulated_client *
find(struct emulated *e, const struct dhcp_ask *ask)
{
	for (size_t i = 0; i < e->n; i++) {
		if (e->v[i].mac.len == ask->hlen &&
		    memcmp(e->v[i].mac.b, ask->chaddr, ask->hlen) == 0)
			return &e->v[i];
	}
	return NULL;
}

bool
emulated_takes(struct emulated *e, const struct dhcp_ask *ask, uint64_t now_ms)
{
	struct emulated_client *c;

	if (e->until_ms == 0)
		return false;
	if (now_ms >= e->until_ms) {
		e->until_ms = 0; /* what became of them can still be asked */
		return false;
	}
	c = find(e, ask);
	if (c == NULL || c->discovers + c->requests >= EMULATED_PACKETS)
		return false;
	if (ask->kind == ASK_DISCOVER)
		c->discovers++;
	else
		c->requests++;
	c->end = EMULATED_PENDING;
	return true;
}

void
emulated_note(
    struct emulated *e, const struct dhcp_ask *ask, const struct boot_answer *answer, bool fits)
{
	struct emulated_client *c = find(e, ask);

	if (c == NULL)
		return; /* that test is over */
	if (answer == NULL) {
		c->end = EMULATED_UNANSWERED;
		return;
	}
	c->end = answer->action != ACTION_OFFER ? EMULATED_SILENT
	         : fits                         ? EMULATED_ANSWERED
	                                        : EMULATED_UNFIT;
	c->reason = answer->reason;
	c->style = answer->style;
	(void)slice_copy(c->rule, sizeof(c->rule), answer->rule);
	(void)slice_copy(c->file, sizeof(c->file), answer->file);
}

json_t *
emulated_dump(const struct emulated *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < e->n; i++) {
		const struct emulated_client *c = &e->v[i];
		char mac[MAC_STRLEN];
		json_t *o = json_pack("{s:s, s:I, s:I, s:s}", "mac", mac_format(&c->mac, mac),
		    "discovers", (json_int_t)c->discovers, "requests", (json_int_t)c->requests,
		    "end", emulated_end_name(c->end));

		if (c->reason != REASON_UNSPECIFIED) {
			json_object_set_new(o, "reason", json_string(boot_reason_name(c->reason)));
			json_object_set_new(o, "style", json_string(offer_style_name(c->style)));
			json_object_set_new(o, "rule", json_text(slice_str(c->rule)));
			json_object_set_new(o, "file", json_text(slice_str(c->file)));
		}
		json_array_append_new(list, o);
	}
	return list;
}
