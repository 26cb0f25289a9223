/* Requests; see inquire.h. */
#include "handlerd/inquire.h"

#include "common/arch.h"
#include "common/form.h"
#include "common/log.h"
#include "common/params.h"
#include "handlerd/explain.h"
#include "handlerd/gather.h"
#include "handlerd/judge.h"
#include "handlerd/quirks.h"
#include "handlerd/recall.h"
#include "handlerd/report.h"
#include "handlerd/roots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX 1024 /* of a line of the timeline */

/* A decision under way, and all that it points to. */
struct inquiry {
	struct handlerd *h;
	struct boot_request r; /* slices into `copy`, or the sender's while it does not wait */
	uint8_t *copy;
	uint64_t boot;        /* by its id: the boot may be gone when an answer comes */
	struct boot *at_hand; /* the same, while nothing was waited for; or NULL */
	uint64_t started_ms;
	struct policy *policy;
	unsigned wanted;  /* sources that the decision asked for */
	unsigned may_ask; /* those whom it may ask; of others counts only what they said before */
	bool late;        /* the client cannot wait longer */
	bool waits;       /* is in the list */
	struct source_waiter waiters[SOURCES];
	struct loop_timer deadline;
	struct inquiry *next, **prev;
	/* for a front daemon */
	struct bus_reply to;
	bool opened; /* it is the first request of its boot */
	bool quiet;  /* a self-test: answered, and nothing is written down */
	struct styles_return style_before;
	/* for a person */
	explain_fn *result;
	void *arg;
	struct boot imagined; /* the boot that the machine would begin; id 0: it is in one */

	struct facts facts; /* into h->room: good until the next request */
	struct decision decision;
};

static void conclude(struct inquiry *q);

static struct boot *
real_boot(const struct inquiry *q)
{
	if (q->at_hand != NULL)
		return q->at_hand;
	return q->boot != 0 ? boots_find(q->h->boots, q->boot) : NULL;
}

static const struct boot *
boot_of(const struct inquiry *q)
{
	return q->imagined.id != 0 ? &q->imagined : real_boot(q);
}

/* --- deciding ------------------------------------------------------------------------------- */

/* What a script or the web service is told beside the request. */
struct hook_room {
	struct hook_facts facts;
	struct hook_machine machine;
	struct hook_boot last;
	struct hook_entry entries[CATALOGUE_IMAGES];
	char id[24], name[4][IDENTITY_TEXT_MAX + 1], base[300];
};

static void
describe_machine(const struct facts *f, struct hook_room *room)
{
	const struct machine *m = &f->machine.m;

	if (!f->machine.known)
		return;
	(void)snprintf(room->id, sizeof(room->id), "#%llu", (unsigned long long)m->id);
	(void)slice_copy(room->name[0], sizeof(room->name[0]), m->group);
	(void)slice_copy(room->name[1], sizeof(room->name[1]), m->entry);
	(void)slice_copy(room->name[2], sizeof(room->name[2]), m->image);
	room->machine = (struct hook_machine){
		.id = room->id,
		.group = room->name[0],
		.state = machine_state_name(m->state),
		.entry = f->machine.is_assigned ? room->name[1] : "",
		.once = m->once,
		.first_ms = m->first_ms,
		.last_ms = m->last_ms,
	};
	room->facts.machine = &room->machine;
	if (m->phase_ms == 0)
		return;
	room->last = (struct hook_boot){
		.started_ms = m->phase_ms,
		.phase = boot_phase_name(m->phase),
		.entry = room->name[2],
	};
	room->facts.boots = &room->last;
	room->facts.nboots = 1;
}

static void
describe_entries(const struct inquiry *q, struct hook_room *room)
{
	const struct policy_conf *conf = &q->policy->conf;
	const struct entry *entries = conf->entries.v;
	size_t n = 0;

	for (size_t i = 0; i < conf->entries.n && n < NITEMS(room->entries); i++)
		room->entries[n++] = (struct hook_entry){
			.name = entries[i].name,
			.title = entries[i].title[0] != '\0' ? entries[i].title : NULL,
			.type = entry_type_name((enum entry_type)entries[i].type),
		};
	for (size_t i = 0; i < q->facts.nimages && n < NITEMS(room->entries); i++) {
		const struct image *im = &q->facts.images[i];

		if (!image_suits(im, q->facts.subject.cpu))
			continue;
		room->entries[n++] = (struct hook_entry){
			.name = im->name,
			.title = im->title[0] != '\0' ? im->title : NULL,
			.type = image_type_name(im->type),
		};
	}
	room->facts.entries = room->entries;
	room->facts.nentries = n;
}

/* Static, as it is large and used by one thread within one call. */
static const struct hook_facts *
describe(const struct inquiry *q)
{
	static struct hook_room room;
	const struct policy_conf *conf = &q->policy->conf;
	const struct web *web = &q->facts.web;
	const struct boot *b = boot_of(q);

	memset(&room.facts, 0, sizeof(room.facts));
	(void)snprintf(room.base, sizeof(room.base),
	    strchr(web->host, ':') != NULL ? "https://[%s]:%u/" : "https://%s:%u/", web->host,
	    web->port);
	room.facts.now_ms = wall_clock_ms();
	room.facts.deadline_ms = q->r.wait_ms;
	room.facts.arch = b != NULL ? b->arch : ARCH_UNKNOWN;
	room.facts.standing = conf->menu_default[0] != '\0' ? conf->menu_default : NULL;
	room.facts.title = conf->menu_title;
	room.facts.menu_timeout_ms = (uint32_t)conf->menu_timeout_ms;
	room.facts.root = q->h->conf->root;
	room.facts.base = room.base;
	describe_machine(&q->facts, &room);
	describe_entries(q, &room);
	return &room.facts;
}

/* The request for a file, which tells nothing of the machine, with what the boot knows of it. */
static const struct boot_request *
describe_request(const struct inquiry *q, const struct boot *b, enum ws_feature feature)
{
	static struct boot_request known;
	const struct machine *m = &q->facts.machine.m;

	if (q->r.stage != STAGE_FILE || b == NULL)
		return &q->r;
	known = q->r;
	if (feature == WS_BOOT_REQUEST)
		known.stage = STAGE_BOOT;
	known.mac = b->mac;
	known.has_uuid = b->has_uuid;
	known.uuid = b->uuid;
	if (q->facts.machine.known) {
		known.manufacturer = m->manufacturer;
		known.product = m->product;
		known.serial = m->serial;
		known.asset = m->asset;
	}
	return &known;
}

static struct question
question_of(const struct inquiry *q, bool early)
{
	const struct boot *b = boot_of(q);
	enum ws_feature feature = WS_FEATURES;
	char value[2];

	if (q->r.stage == STAGE_FILE)
		feature = ws_feature_of_file(slice_str(q->facts.path));
	/* what a file is made for that other loaders boot by is a boot request, too */
	if (feature == WS_FEATURES)
		feature = WS_BOOT_REQUEST;
	return (struct question){
		.request = describe_request(q, b, feature),
		.feature = feature,
		.facts = describe(q),
		.machine = b != NULL && b->machine != 0 ? b->machine : q->boot,
		.boot = q->boot,
		.choice = params_text(q->r.params, "entry", value, sizeof(value)) != -ENOENT,
		.early = early,
	};
}

/* Fills in what the wanted sources say.  True if all have spoken, or none can be waited for. */
static bool
consult(struct inquiry *q)
{
	struct question question;
	bool all = true;

	if (q->wanted == 0)
		return true;
	question = question_of(q, false);
	for (enum source i = 0; i < SOURCES; i++) {
		struct source_answer *a = &q->facts.sources[i];

		if ((q->wanted >> i & 1) == 0)
			continue;
		question.peek = (q->may_ask >> i & 1) == 0;
		if (sources_consult(q->h->sources, i, &question, q->waits ? &q->waiters[i] : NULL,
			a) != SOURCE_UNASKED)
			continue;
		if (question.peek)
			continue;
		*a = (struct source_answer){ .state = q->late ? SOURCE_LATE : SOURCE_UNASKED };
		all = all && q->late;
	}
	return all;
}

/* One round: facts, sources, decision.  True if the decision stands. */
static bool
decide_once(struct inquiry *q)
{
	struct handlerd *h = q->h;
	struct wbuf scratch;

	gather(h, &q->r, boot_of(q), q->policy, wall_clock_ms(), q->result != NULL || q->quiet,
	    h->room, &q->facts);
	if (!consult(q))
		return false;
	wbuf_init(&scratch, h->scratch, sizeof(h->scratch));
	decide(&q->r, q->policy, &q->facts, &scratch, &q->decision);
	/* whoever may not be asked stays unasked, which is an answer to a person */
	return (q->decision.need & q->may_ask) == 0;
}

/* --- waiting -------------------------------------------------------------------------------- */

static void
stop_waiting(struct inquiry *q)
{
	if (!q->waits)
		return;
	for (size_t i = 0; i < SOURCES; i++)
		sources_leave(&q->waiters[i]);
	loop_timer_clear(q->h->loop, &q->deadline);
	*q->prev = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	q->h->ninquiries--;
	q->waits = false;
}

static void
inquiry_free(struct inquiry *q)
{
	stop_waiting(q);
	policy_unref(q->policy);
	free(q->copy);
	free(q);
}

/* Goes as far as it can without waiting. */
static void
go_on(struct inquiry *q)
{
	while (!decide_once(q)) {
		if ((q->decision.need & ~q->wanted) == 0)
			return; /* somebody has to speak first */
		q->wanted |= q->decision.need;
	}
	conclude(q);
	inquiry_free(q);
}

static void
on_source(void *arg)
{
	go_on(arg);
}

static void
on_deadline(void *arg)
{
	struct inquiry *q = arg;

	q->late = true;
	q->h->late_inquiries++;
	go_on(q);
}

/* The request's own copy: the bytes that it came in are gone when an answer comes. */
static int
keep_request(struct inquiry *q, const struct boot_request *r)
{
	size_t size = r->params.n + 16384;
	struct msg_writer w;
	struct msg_reader reader;
	struct slice message;

	q->copy = malloc(size);
	if (q->copy == NULL)
		return -ENOMEM;
	msg_begin(&w, q->copy, size, MSG_REQUESTS, 0);
	if (msg_put_request(&w, r) < 0)
		return -EMSGSIZE;
	message = msg_end(&w);
	if (msg_open(&reader, message.p, message.n) < 0)
		return -EBADMSG;
	return msg_get_request(&reader, &q->r);
}

/* Puts a decision that cannot be made at once aside. */
static void
wait_for_sources(struct inquiry *q)
{
	struct handlerd *h = q->h;
	uint32_t wait_ms = q->r.wait_ms != 0 ? q->r.wait_ms : INQUIRE_WAIT_MS;

	q->next = h->inquiries;
	q->prev = &h->inquiries;
	if (q->next != NULL)
		q->next->prev = &q->next;
	h->inquiries = q;
	h->ninquiries++;
	q->waits = true;
	for (size_t i = 0; i < SOURCES; i++)
		q->waiters[i] = (struct source_waiter){ .fn = on_source, .arg = q };
	loop_timer_init(&q->deadline, on_deadline, q);
	if (loop_timer_set(h->loop, &q->deadline,
		wait_ms > 2 * INQUIRE_MARGIN_MS ? wait_ms - INQUIRE_MARGIN_MS : wait_ms / 2) < 0)
		q->late = true; /* out of memory: it does not wait at all */
	q->wanted |= q->decision.need;
	go_on(q);
}

static void
begin(struct inquiry *q)
{
	struct inquiry *kept;

	if (decide_once(q)) {
		conclude(q);
		policy_unref(q->policy);
		return;
	}
	kept = q->h->ninquiries < (size_t)q->h->conf->max_inquiries ? malloc(sizeof(*kept)) : NULL;
	if (kept != NULL) {
		*kept = *q;
		kept->at_hand = NULL;
	}
	if (kept == NULL || keep_request(kept, &q->r) < 0) {
		/* no room to wait: as if the client could not */
		if (kept != NULL)
			free(kept->copy);
		free(kept);
		q->late = true;
		while (!decide_once(q) && (q->decision.need & ~q->wanted) != 0)
			q->wanted |= q->decision.need;
		conclude(q);
		policy_unref(q->policy);
		return;
	}
	wait_for_sources(kept);
}

/* --- what follows from a decision ----------------------------------------------------------- */

/* A machine whose last loader was never heard of gets another one; see adapt.h. */
static void
note_silence(struct inquiry *q, struct boot *b)
{
	if (b == NULL || q->r.stage != STAGE_DISCOVER || q->r.client == CLIENT_IPXE)
		return;
	if (adapt_silent(q->h->adapt, &b->mac, wall_clock_ms()))
		notes_remark(&q->h->notes, b, "loader-silent", "no-sign-of-life",
		    "the loader of its last attempt was fetched and not heard of again");
}

/* Signs of life of a loader. */
static void
note_life(struct inquiry *q, struct boot *b)
{
	const struct facts *f = &q->facts;
	bool ipxe = q->r.client == CLIENT_IPXE || q->r.stage == STAGE_BOOT;

	/* a site's own autoexec.ipxe need not lead to any other request */
	if (q->r.stage == STAGE_FILE && f->path_rc == 0 &&
	    strcasecmp(path_base(f->path), AUTOEXEC) == 0)
		ipxe = true;
	if (b != NULL && ipxe)
		(void)adapt_alive(q->h->adapt, &b->mac, wall_clock_ms());
}

static void
note_loader(struct inquiry *q, const struct boot *b)
{
	const struct subject *s = &q->facts.subject;
	char key[ADAPT_KEY_MAX];

	adapt_given(q->h->adapt,
	    adapt_key(s->manufacturer, s->product, &s->mac, s->vendor_class, s->arch, key), &b->mac,
	    q->decision.loaders, q->decision.loader_at, wall_clock_ms());
}

/* Said once a model: what to do about it is for a person, and the same for each of its packets. */
static void
note_strange_arch(struct inquiry *q)
{
	const struct subject *s = &q->facts.subject;
	char key[ADAPT_KEY_MAX], class[LOG_QUOTE_SIZE];

	switch (told_note(&q->h->strange_archs,
	    adapt_key(s->manufacturer, s->product, &s->mac, s->vendor_class, s->arch, key))) {
	case TOLD_NEW:
		log_warnx("%s, vendor class %s, has an architecture that is in no table: %s%s, as "
			  "offers.unknown_arch says (told once)",
		    key, log_quote(s->vendor_class, class),
		    s->cpu == ARCH_CPU_NONE ? "no answer" : "taken for ",
		    s->cpu == ARCH_CPU_NONE ? "" : arch_cpu_name(s->cpu));
		break;
	case TOLD_FULL:
		log_warnx("more than %d models have architectures that are in no table; what "
			  "follows is only counted",
		    TOLD_MAX);
		break;
	case TOLD_OVER: break;
	}
}

static void
apply_effects(struct inquiry *q, struct boot *b)
{
	struct handlerd *h = q->h;
	unsigned effects = q->decision.effects;
	const struct boot_answer *a = &q->decision.answer;
	char rule[LOG_QUOTE_SIZE];

	if ((effects & EFFECT_LOG) != 0)
		log_peer_warn(
		    "rule %s decided: %s", log_quote(a->rule, rule), boot_reason_name(a->reason));
	if (b == NULL)
		return;
	if ((q->r.stage == STAGE_BOOT || q->decision.as_boot) && a->reason != REASON_COLLECT)
		b->waits = a->reason == REASON_APPROVAL || a->reason == REASON_HELD;
	if ((effects & EFFECT_STRANGE_ARCH) != 0)
		note_strange_arch(q);
	if ((effects & EFFECT_LOADER) != 0)
		note_loader(q, b);
	if ((effects & EFFECT_QUARANTINE) != 0 && q->facts.machine.known &&
	    q->facts.machine.m.state != MACHINE_QUARANTINED)
		handlerd_set_state(h, b->machine, MACHINE_QUARANTINED, a->rule);
	if ((effects & EFFECT_WANT_APPROVAL) != 0)
		notes_remark(&h->notes, b, "approval-wanted", boot_reason_name(a->reason),
		    "ferryctl approve or ferryctl deny decides");
}

/* The report that ends an assignment for one boot. */
static void
end_assignment(struct handlerd *h, struct boot *b, const struct policy *policy)
{
	struct machine m;
	bool over = b->phase == PHASE_DONE ||
	            (b->phase == PHASE_STARTED && policy->conf.once_ends == ONCE_STARTED);

	if (!over || b->machine == 0 || !machines_get(h->inventory.table, b->machine, &m) ||
	    m.entry.n == 0 || !m.once)
		return;
	/* one that was made while another entry runs is for the boot after this one; where that is
	 * not known any more it ends: better once too little than again and again */
	if (b->given != 0 && b->given != boot_given(m.entry))
		return;
	handlerd_assign(h, b->machine, (struct slice){ 0 }, false, 0, slice_str("report"));
	notes_remark(&h->notes, b, "assignment-done", "", "it was for one boot");
}

static void
note_phase(struct inquiry *q, struct boot *b, enum boot_phase before)
{
	struct handlerd *h = q->h;

	if (b->phase == before || b->machine == 0)
		return;
	if (inventory_set_outcome(
		&h->inventory, b->machine, b->phase, wall_clock_ms(), slice_str(b->image)) < 0)
		log_peer_warn(
		    "machine #%llu: its boot could not be noted", (unsigned long long)b->machine);
	if (q->r.stage == STAGE_REPORT)
		end_assignment(h, b, q->policy);
}

/* The line of the timeline. */
static void
note_request(struct inquiry *q, struct boot *b)
{
	const struct boot_answer *a = &q->decision.answer;
	const struct boot_request *r = &q->r;
	bool dhcp = r->stage == STAGE_DISCOVER || r->stage == STAGE_BOOTSERVER;
	char form[TEXT_MAX], waits[TEXT_MAX], asked[TEXT_MAX];
	struct entry_record e = {
		.at_ms = wall_clock_ms(),
		.kind = slice_str(boot_stage_name(r->stage)),
		.via = r->via,
		.mac = r->mac,
		.address = r->address,
		.subnet = r->subnet,
		.action = slice_str(boot_action_name(a->action)),
		.reason = slice_str(boot_reason_name(a->reason)),
		.rule = a->rule,
		.file = dhcp ? a->file
		        : q->decision.entry[0] != '\0'
		            ? slice_str(q->decision.entry)
		            : form_without_secrets(r->file, asked, sizeof(asked)),
		.text = dhcp ? slice_str(boot_client_name(r->client))
		        : r->stage == STAGE_REPORT
		            ? form_without_secrets(r->params, form, sizeof(form))
		            : a->text,
	};

	if (q->decision.delay_words.n > 0) {
		(void)snprintf(waits, sizeof(waits), "%s, %.*s", boot_client_name(r->client),
		    (int)q->decision.delay_words.n, (const char *)q->decision.delay_words.p);
		e.text = slice_str(waits);
	}
	if (e.text.n > TEXT_MAX)
		e.text.n = TEXT_MAX;
	if (notes_entry(&q->h->notes, b, &e, e.at_ms) < 0)
		log_peer_warn("store: it is too far behind, a record is lost");
}

/* Whether the script that it gets is that of its machine's assignment. */
static void
note_given(const struct inquiry *q, struct boot *b)
{
	const struct machine_knowledge *k = &q->facts.machine;

	if ((q->r.stage != STAGE_BOOT && !q->decision.as_boot) ||
	    q->decision.answer.reason == REASON_COLLECT)
		return;
	b->given = k->known && k->is_assigned && q->decision.entry[0] != '\0'
	               ? boot_given(k->m.entry)
	               : GIVEN_OTHER;
}

/* What the web service says of this boot. */
static void
note_status(struct inquiry *q, struct boot *b)
{
	const struct source_answer *a = &q->facts.sources[SOURCE_WEBSERVICE];

	if (b != NULL && a->status != NULL)
		notes_remark(&q->h->notes, b, "status", source_name(SOURCE_WEBSERVICE), a->status);
}

/* Who the client proved to be. */
static void
note_certificate(struct inquiry *q, struct boot *b)
{
	const struct boot_request *r = &q->r;
	char text[TEXT_MAX];

	if (b == NULL || r->stage != STAGE_BOOT || r->client_subject.n == 0)
		return;
	(void)snprintf(text, sizeof(text), "%.*s, of %.*s, serial %.*s, SHA-256 %.*s",
	    (int)r->client_subject.n, (const char *)r->client_subject.p, (int)r->client_issuer.n,
	    (const char *)r->client_issuer.p, (int)r->client_serial.n,
	    (const char *)r->client_serial.p, (int)r->client_fingerprint.n,
	    (const char *)r->client_fingerprint.p);
	notes_remark(&q->h->notes, b, "client-certificate", "", text);
}

/*
 * What the machine knows of our roots: those of the offer that its loader came with, or, if it
 * comes to iPXE without one, none by us.
 */
static void
note_roots(struct inquiry *q, struct boot *b)
{
	char text[ROOTS_TEXT];
	struct slice prints = { 0 };
	uint64_t mark;

	if (boot_is_told_roots(&q->r, &q->decision.answer))
		prints = q->decision.answer.trust;
	else if (b->trusted || q->r.stage != STAGE_BOOT)
		return;
	mark = roots_mark(prints);
	if (b->machine == 0 || b->roots == mark)
		return;
	b->roots = mark;
	if (inventory_set_roots(
		&q->h->inventory, b->machine, roots_text(prints, text), wall_clock_ms()) < 0)
		log_peer_warn(
		    "machine #%llu: its roots could not be noted", (unsigned long long)b->machine);
}

static void
write_down(struct inquiry *q)
{
	struct boot *b = real_boot(q);
	struct boot_answer *a = &q->decision.answer;

	q->h->decisions++;
	q->h->by_reason[a->reason]++;
	q->h->offers_delayed += a->delay_ms != 0;
	if (b != NULL) {
		enum boot_phase before = b->phase;

		boot_note_answer(b, &q->r, a);
		if (q->decision.as_boot)
			boot_note_script(b);
		note_given(q, b);
		if (q->decision.entry[0] != '\0')
			boot_note_entry(b, q->decision.entry);
		if (q->r.stage == STAGE_REPORT)
			boot_note_report(b, q->r.file);
		note_life(q, b);
		quirks_note(q->h, &q->r, b, &q->style_before, &q->decision);
		apply_effects(q, b);
		note_phase(q, b, before);
		note_roots(q, b);
		notes_boot(&q->h->notes, b);
	}
	a->told =
	    b != NULL && a->action == ACTION_OFFER && notes_offer_is_told(b, a, q->facts.now_ms);
	notes_log(&q->r, b, a);
	note_request(q, b);
	note_status(q, b);
	note_certificate(q, b);
	recall_keep(q->h, &q->r, b, &q->facts, &q->decision);
	report_decision(q->h, &q->r, b, &q->facts, &q->decision);
}

/* Asks slow sources when the machine appears, so that the boot request finds them ready. */
static void
ask_early(struct inquiry *q)
{
	const struct boot *b = boot_of(q);
	struct question question;
	struct source_answer ignored;
	struct ruling ruling;

	if (!q->opened || q->r.stage != STAGE_DISCOVER || q->r.client == CLIENT_IPXE || b == NULL ||
	    !q->facts.machine.known || q->facts.machine.m.product.n == 0 ||
	    q->decision.answer.action != ACTION_OFFER)
		return;
	/* what was written down meanwhile may have moved the machine that the facts point to */
	gather(q->h, &q->r, b, q->policy, wall_clock_ms(), true, q->h->room, &q->facts);
	q->facts.subject.stage = STAGE_BOOT;
	q->facts.subject.client = CLIENT_IPXE;
	q->r.manufacturer = q->facts.machine.m.manufacturer;
	q->r.product = q->facts.machine.m.product;
	q->r.serial = q->facts.machine.m.serial;
	q->r.asset = q->facts.machine.m.asset;
	judge(q->policy, &q->facts, NULL, NULL, &ruling);
	if (ruling.need == 0)
		return;
	question = question_of(q, true);
	for (enum source i = 0; i < SOURCES; i++) {
		if ((ruling.need >> i & 1) != 0)
			(void)sources_consult(q->h->sources, i, &question, NULL, &ignored);
	}
}

static void
conclude(struct inquiry *q)
{
	if (q->result != NULL) {
		q->result(q->arg, explain_decision(&q->r, q->policy, &q->facts, &q->decision));
		return;
	}
	if (q->quiet) {
		selftest_answer(q->decision.need, &q->decision.answer);
		bus_answer(q->h->bus, &q->to, &q->decision.answer);
		return;
	}
	write_down(q);
	bus_answer(q->h->bus, &q->to, &q->decision.answer);
	ask_early(q);
}

/* --- beginnings ----------------------------------------------------------------------------- */

/* The boot that a request would begin, by what is known of its machine. */
static void
imagine_boot(struct handlerd *h, const struct boot_request *r, struct boot *b)
{
	struct identity claim;
	struct match match;
	struct machine m;

	*b = (struct boot){
		.id = UINT64_MAX, /* no boot has it */
		.started_ms = wall_clock_ms(),
		.mac = r->mac,
		.has_uuid = r->has_uuid,
		.uuid = r->uuid,
		.arch = r->arch,
		.attempt = 1,
	};
	identity_from_request(r, &claim);
	machines_match(h->inventory.table, &claim, &match);
	if (match.id == 0 || !machines_get(h->inventory.table, match.id, &m)) {
		b->machine_is_new = true;
		return;
	}
	b->machine = match.id;
	b->before = m.phase;
	b->before_ms = m.phase_ms;
	if (b->arch == ARCH_UNKNOWN)
		b->arch = m.arch;
}

/*
 * A self-test's request gets what any machine would get that nobody knows, by the rules in force
 * now; no script and no web service hears of it.
 */
static void
inquire_quietly(struct handlerd *h, const struct bus_reply *to, const struct boot_request *r)
{
	struct inquiry q = { .h = h, .r = *r, .to = *to, .quiet = true };

	imagine_boot(h, r, &q.imagined);
	/* a loader of this site, started by an offer of ours, would have our CA from it */
	q.imagined.trusted = r->client == CLIENT_IPXE;
	q.policy = policy_ref(h->policy);
	begin(&q);
}

/*
 * A machine of which nothing was heard but its address may tell its hardware address in the name of
 * a file.  It is believed where nothing is known that it would contradict.
 */
static void
learn_mac(struct handlerd *h, struct boot_request *r, uint64_t now_ms)
{
	struct boot_request named = *r;
	const struct boot *b;

	if (r->stage != STAGE_FILE || r->via != VIA_TFTP || r->mac.len != 0 ||
	    names_mac(r->file, &named.mac) < 0)
		return;
	b = boots_peek(h->boots, r, now_ms);
	if (b != NULL && b->mac.len != 0)
		return;
	b = boots_peek(h->boots, &named, now_ms);
	if (b == NULL || b->address.family == 0 || ip_eq(&b->address, &r->address))
		r->mac = named.mac;
}

void
inquire(struct handlerd *h, const struct bus_reply *to, const struct boot_request *asked)
{
	struct inquiry q = { .h = h, .r = *asked, .to = *to, .may_ask = ~0u };
	uint64_t now_ms = wall_clock_ms();
	const struct boot_request *r = &q.r;
	struct boot *b;

	if (selftest_takes(&h->selftest, r, now_ms)) {
		inquire_quietly(h, to, r);
		return;
	}
	learn_mac(h, &q.r, now_ms);
	gather_token_owner(h, &q.r, now_ms);
	b = boots_for_request(h->boots, r, now_ms, &q.opened);
	if (b != NULL) {
		q.boot = b->id;
		q.at_hand = b;
		if (b->policy == NULL)
			b->policy = policy_ref(h->policy);
		if (b->machine == 0 || q.opened || r->stage == STAGE_BOOT)
			gather_machine(h, r, b, now_ms);
	}
	q.policy = policy_ref(b != NULL ? b->policy : h->policy);
	if (q.opened)
		note_silence(&q, b);
	q.style_before = quirks_arrive(h, r, q.policy);
	begin(&q);
}

void
inquire_explain(struct handlerd *h, const struct boot_request *r, struct policy *policy,
    unsigned may_ask, explain_fn *result, void *arg)
{
	struct inquiry q = { .h = h, .r = *r, .may_ask = may_ask, .result = result, .arg = arg };
	const struct boot *b = boots_peek(h->boots, r, wall_clock_ms());

	if (b != NULL)
		q.boot = b->id;
	else
		imagine_boot(h, r, &q.imagined);
	q.policy = policy_ref(policy != NULL                   ? policy
			      : b != NULL && b->policy != NULL ? b->policy
							       : h->policy);
	begin(&q);
}

void
inquire_stop(struct handlerd *h)
{
	while (h->inquiries != NULL) {
		struct inquiry *q = h->inquiries;

		if (q->result != NULL)
			q->result(q->arg, NULL);
		inquiry_free(q);
	}
}
