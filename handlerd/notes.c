/* What is written down; see notes.h. */
#include "handlerd/notes.h"

#include "common/form.h"
#include "common/json_text.h"
#include "common/log.h"

#include <string.h>

void
notes_put(struct notes *n, const struct record *r)
{
	if (store_put(n->store, r) < 0)
		log_peer_warn("store: it is too far behind, a record is lost");
	n->put_something = true;
}

/* Tells those who watch. */
static void
publish(struct notes *n, const struct entry_record *e)
{
	char id[BOOT_ID_STRLEN], mac[MAC_STRLEN], ip[IP_STRLEN];
	const struct {
		const char *name;
		struct slice value;
	} texts[] = {
		{ "kind", e->kind },
		{ "mac", slice_str(mac_format(&e->mac, mac)) },
		{ "address", slice_str(ip_format(&e->address, ip)) },
		{ "subnet", e->subnet },
		{ "action", e->action },
		{ "reason", e->reason },
		{ "file", e->file },
		{ "text", e->text },
	};
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{ "at_ms", e->at_ms },
		{ "bytes", e->bytes },
		{ "duration_ms", e->duration_ms },
		{ "blksize", e->blksize },
		{ "windowsize", e->windowsize },
		{ "retransmits", e->retransmits },
	};
	json_t *o;

	if (n->rpc == NULL || !rpc_has_subscribers(n->rpc))
		return;
	o = json_pack(
	    "{s:s, s:s}", "boot", boot_id_format(e->boot, id), "via", boot_via_name(e->via));
	for (size_t i = 0; i < NITEMS(texts); i++) {
		if (texts[i].value.n == 0)
			continue;
		json_object_set_new(o, texts[i].name, json_text(texts[i].value));
	}
	for (size_t i = 0; i < NITEMS(numbers); i++) {
		if (numbers[i].value != 0)
			json_object_set_new(
			    o, numbers[i].name, json_integer((json_int_t)numbers[i].value));
	}
	rpc_publish(n->rpc, "entry", o);
}

static uint64_t
mix(uint64_t h, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 0x100000001b3u;
	return (h ^ s.n) * 0x100000001b3u;
}

/* A hash of what an entry says. */
static uint64_t
note_of(const struct entry_record *e)
{
	uint64_t note = mix(0xcbf29ce484222325u, e->kind);

	note = mix(mix(mix(note, e->file), e->reason), slice_str(boot_via_name(e->via)));
	return mix(note, e->text);
}

/* True if the timeline says just this already. */
static bool
is_repetition(struct boot *b, struct entry_record *e, uint64_t now_ms)
{
	bool offer = slice_is(e->kind, event_kind_name(EVENT_OFFER));

	if (e->origin != 0 && !offer) {
		boot_break_repetition(b);
		return false;
	}
	return boot_is_repetition(
	    b, offer ? NOTE_OFFER : NOTE_REQUEST, note_of(e), now_ms, &e->repeats);
}

bool
notes_offer_is_told(const struct boot *b, const struct boot_answer *a, uint64_t now_ms)
{
	const struct entry_record e = {
		.kind = slice_str(event_kind_name(EVENT_OFFER)),
		.via = VIA_DHCP,
		.file = a->file,
		.text = slice_str(offer_style_name(a->style)),
	};

	return boot_has_note(b, NOTE_OFFER, note_of(&e), now_ms);
}

/* Adds to a boot's timeline, unless it says what the line before said. */
int
notes_entry(struct notes *n, struct boot *b, struct entry_record *e, uint64_t now_ms)
{
	struct record r;

	if (b != NULL && is_repetition(b, e, now_ms))
		return 0;
	if (b != NULL && ++b->lines >= BOOT_LINES_MAX) {
		if (b->lines > BOOT_LINES_MAX)
			return 0;
		e->text = slice_str("too many lines; what follows is not kept");
	}
	e->boot = b != NULL ? b->id : 0;
	if (b != NULL && e->mac.len == 0)
		e->mac = b->mac;
	publish(n, e);
	r = (struct record){ .kind = RECORD_ENTRY, .entry = *e };
	if (e->origin != 0)
		r.entry.repeats = 0; /* of an offer: its request's say the same */
	n->put_something = true;
	return store_put(n->store, &r);
}

/* Counts of repetitions that no other line has told of. */
struct telling {
	struct notes *n;
	uint64_t now_ms;
	bool ending;
};

static void
tell_repeats(void *arg, struct boot *b)
{
	const struct telling *t = arg;
	uint32_t repeats = boot_take_repeats(b, t->now_ms, t->ending);
	struct record r;

	if (repeats == 0)
		return;
	r = (struct record){ .kind = RECORD_ENTRY, .entry = { .boot = b->id, .repeats = repeats } };
	notes_put(t->n, &r);
}

void
notes_repeats(struct notes *n)
{
	struct telling telling = { .n = n, .now_ms = wall_clock_ms() };

	boots_each(n->boots, n->part, NOTES_PARTS, tell_repeats, &telling);
	n->part = (n->part + 1) % NOTES_PARTS;
}

void
notes_last_repeats(struct notes *n)
{
	struct telling telling = { .n = n, .now_ms = wall_clock_ms(), .ending = true };

	boots_each(n->boots, 0, 1, tell_repeats, &telling);
}

void
notes_boot(struct notes *n, struct boot *b)
{
	struct record r;

	if (!b->dirty)
		return;
	b->dirty = false;
	r = (struct record){ .kind = RECORD_BOOT, .boot = *b };
	notes_put(n, &r);
}

void
notes_log(const struct boot_request *r, const struct boot *b, const struct boot_answer *a)
{
	char id[BOOT_ID_STRLEN], mac[MAC_STRLEN], ip[IP_STRLEN], file[LOG_QUOTE_SIZE];
	char product[LOG_QUOTE_SIZE], asked[LOG_QUOTE_SIZE], clean[LOG_QUOTE_SIZE + 1];

	(void)boot_id_format(a->boot, id);
	(void)mac_format(b != NULL ? &b->mac : &r->mac, mac);
	log_peer_info("decide boot=%s stage=%s via=%s mac=%s ip=%s client=%s%s%s action=%s%s%s "
		      "rule=%.*s why=%s",
	    id, boot_stage_name(r->stage), boot_via_name(r->via), mac, ip_format(&r->address, ip),
	    boot_client_name(b != NULL ? b->client : r->client),
	    r->product.n > 0 ? " product="
	    : r->file.n > 0  ? " asked="
			     : "",
	    r->product.n > 0 ? log_quote(r->product, product)
	    : r->file.n > 0  ? log_quote(form_without_secrets(r->file, clean, sizeof(clean)), asked)
			     : "",
	    boot_action_name(a->action), a->file.n > 0 ? " file=" : "",
	    a->file.n > 0 ? log_quote(a->file, file) : "", (int)a->rule.n, (const char *)a->rule.p,
	    boot_reason_name(a->reason));
	if (a->reason == REASON_SCRIPT_URL_HTTP || a->reason == REASON_SCRIPT_URL_UNTRUSTED)
		log_peer_warn("boot=%s mac=%s: this iPXE %s, so it gets its scripts by plain HTTP",
		    id, mac,
		    a->reason == REASON_SCRIPT_URL_HTTP
			? "cannot do HTTPS"
			: "did not get this site's CA from an offer of ours");
	if (a->reason == REASON_NO_HTTPS)
		log_peer_warn("boot=%s mac=%s: it cannot do HTTPS, httpsbootd's http_port is off, "
			      "and there is no iPXE with HTTPS for its CPU (or what it got as one "
			      "lacks it): it gets no answer",
		    id, mac);
	if (a->reason == REASON_OTHER_FAMILY)
		log_peer_warn("boot=%s mac=%s: it asks over IPv%u, and %s has no address of that "
			      "version: it gets no answer",
		    id, mac, r->server.family, r->client == CLIENT_PXE ? "tftpd" : "httpsbootd");
}

void
notes_remark(struct notes *n, struct boot *b, const char *kind, const char *why, const char *text)
{
	struct entry_record e = {
		.at_ms = wall_clock_ms(),
		.kind = slice_str(kind),
		.reason = slice_str(why),
		.text = slice_str(text),
	};

	if (notes_entry(n, b, &e, e.at_ms) < 0)
		log_peer_warn("store: it is too far behind, a record is lost");
}
