/* handlerd: where requests, facts, decisions and records meet; see handlerd.h. */
#include "handlerd/handlerd.h"

#include "common/arch.h"
#include "common/content.h"
#include "common/log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* httpsbootd's ports where none has announced itself yet: it may just be starting. */
#define HTTPS_PORT 8050

static uint64_t
random_bits(void *arg)
{
	uint64_t v = 0;

	(void)arg;
	/* cannot fail for so few bytes once the system is up */
	if (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
		v = wall_clock_ms() * 0x9e3779b97f4a7c15u;
	return v;
}

static void
put(struct handlerd *h, const struct record *r)
{
	if (store_put(h->store, r) < 0)
		log_peer_warn("store: it is too far behind, a record is lost");
	h->put_something = true;
}

static void
on_round(void *arg)
{
	struct handlerd *h = arg;

	if (h->put_something)
		store_kick(h->store);
	h->put_something = false;
}

/* Tells those who watch. */
static void
publish(struct handlerd *h, const struct entry_record *e)
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

	if (h->rpc == NULL || !rpc_has_subscribers(h->rpc))
		return;
	o = json_pack(
	    "{s:s, s:s}", "boot", boot_id_format(e->boot, id), "via", boot_via_name(e->via));
	for (size_t i = 0; i < NITEMS(texts); i++) {
		char quoted[LOG_QUOTE_SIZE];
		json_t *v;

		if (texts[i].value.n == 0)
			continue;
		v = json_stringn((const char *)texts[i].value.p, texts[i].value.n);
		if (v == NULL) /* no UTF-8 */
			v = json_string(log_quote(texts[i].value, quoted));
		json_object_set_new(o, texts[i].name, v);
	}
	for (size_t i = 0; i < NITEMS(numbers); i++) {
		if (numbers[i].value != 0)
			json_object_set_new(
			    o, numbers[i].name, json_integer((json_int_t)numbers[i].value));
	}
	rpc_publish(h->rpc, "entry", o);
}

static uint64_t
mix(uint64_t h, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 0x100000001b3u;
	return (h ^ s.n) * 0x100000001b3u;
}

/* True if the timeline says just this already. */
static bool
is_repetition(struct boot *b, struct entry_record *e, uint64_t now_ms)
{
	bool offer = slice_is(e->kind, event_kind_name(EVENT_OFFER));
	uint64_t note = mix(0xcbf29ce484222325u, e->kind);

	if (e->origin != 0 && !offer) {
		boot_break_repetition(b);
		return false;
	}
	note = mix(mix(mix(note, e->file), e->reason), slice_str(boot_via_name(e->via)));
	note = mix(note, e->text);
	return boot_is_repetition(b, offer ? NOTE_OFFER : NOTE_REQUEST, note, now_ms, &e->repeats);
}

/* Adds to a boot's timeline, unless it says what the line before said. */
static int
put_entry(struct handlerd *h, struct boot *b, struct entry_record *e, uint64_t now_ms)
{
	struct record r = { .kind = RECORD_ENTRY };

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
	publish(h, e);
	r.entry = *e;
	if (e->origin != 0)
		r.entry.repeats = 0; /* of an offer: its request's say the same */
	h->put_something = true;
	return store_put(h->store, &r);
}

/* Stores the counts of repetitions that no other line has told of. */
static void
put_repeats(struct handlerd *h, bool ending)
{
	uint64_t now_ms = wall_clock_ms();

	for (struct boot *b = boots_newest(h->boots);
	     b != NULL && now_ms - b->last_ms < 3 * BOOT_REPEAT_MS; b = b->older) {
		struct record r = { .kind = RECORD_ENTRY, .entry = { .boot = b->id } };

		r.entry.repeats = boot_take_repeats(b, now_ms, ending);
		if (r.entry.repeats > 0)
			put(h, &r);
	}
}

static void
on_repeats(void *arg)
{
	struct handlerd *h = arg;

	put_repeats(h, false);
	(void)loop_timer_set(h->loop, &h->repeats_timer, BOOT_REPEAT_MS);
}

/* How far a boot came is what is known of its machine's last one, from the image on. */
static void
note_outcome(struct handlerd *h, const struct boot *b)
{
	struct machine m;

	if (b->phase < PHASE_IMAGE || !machines_get(h->inventory.table, b->machine, &m))
		return;
	if (m.phase == b->phase && m.phase_ms >= b->started_ms && slice_is(m.image, b->image))
		return;
	(void)inventory_set_outcome(
	    &h->inventory, b->machine, b->phase, b->last_ms, slice_str(b->image));
}

static void
put_boot(struct handlerd *h, struct boot *b)
{
	struct record r = { .kind = RECORD_BOOT, .boot = *b };

	if (!b->dirty)
		return;
	b->dirty = false;
	put(h, &r);
	note_outcome(h, b);
}

/* Finds out which machine a boot is of, and takes down what a request tells about it. */
static void
note_machine(struct handlerd *h, const struct boot_request *r, struct boot *b, uint64_t now_ms)
{
	const struct machine_facts facts = {
		.arch = r->arch != ARCH_UNKNOWN ? r->arch : b->arch,
		.address = r->address,
		.platform = identity_text(r->platform),
		.version = identity_text(r->version),
	};
	struct identity claim;
	uint64_t id;

	identity_from_request(r, &claim);
	if (claim.mac.len == 0)
		claim.mac = b->mac;
	if (!claim.has_uuid && b->has_uuid) {
		claim.has_uuid = true;
		claim.uuid = b->uuid;
	}
	id = inventory_note(&h->inventory, &claim, &facts, now_ms);
	h->put_something = true;
	if (id == 0 || id == b->machine)
		return;
	b->machine = id;
	b->dirty = true;
}

/* --- facts ---------------------------------------------------------------------------------- */

struct fact_texts {
	char host[256];
	char ip[IP_STRLEN];
	char path[CONTENT_PATH_MAX];
};

/* The web address for this request's client. */
static void
gather_web(struct handlerd *h, const struct boot_request *r, uint64_t now_ms,
    struct fact_texts *texts, struct web *web)
{
	const struct service *s = services_pick(&h->services, DAEMON_HTTPSBOOTD, r->subnet, now_ms);
	const struct ipaddr *ip = s != NULL && s->address.family != 0 ? &s->address : &r->server;

	(void)ip_format(ip, texts->ip);
	(void)slice_copy(texts->host, sizeof(texts->host),
	    slice_str(s != NULL && s->host_name[0] != '\0' ? s->host_name : texts->ip));
	*web = (struct web){ .host = texts->host, .ip = texts->ip, .port = HTTPS_PORT };
	if (s != NULL) {
		web->port = s->port;
		web->http_port = s->http_port;
		web->trust = (struct slice){ s->trust, s->trust_n };
	}
}

static void
gather_file(
    struct handlerd *h, const struct boot_request *r, struct fact_texts *texts, struct facts *f)
{
	struct content_file file;

	f->path = texts->path;
	f->path_rc = path_normalise(r->file, texts->path);
	if (f->path_rc < 0)
		return;
	f->file_rc = h->root_fd < 0 ? -ENOSYS : content_stat(h->root_fd, texts->path, &file);
	/* the name as it is on the disk, so that timelines agree on it */
	if (f->file_rc == 0)
		memcpy(texts->path, file.path, sizeof(texts->path));
}

static void
gather(struct handlerd *h, const struct boot_request *r, const struct boot *b, uint64_t now_ms,
    struct fact_texts *texts, struct facts *f)
{
	const struct service *tftp = services_pick(&h->services, DAEMON_TFTPD, r->subnet, now_ms);

	*f = (struct facts){
		.images = h->catalogue->images,
		.nimages = h->catalogue->nimages,
		.boot = b != NULL ? b->id : 0,
		.trusted = b != NULL && b->trusted,
		.by_http = b != NULL && b->by_http,
		.arch = b != NULL ? b->arch : ARCH_UNKNOWN,
	};
	f->loader = h->catalogue->best[request_cpu(r, f->arch)];
	if (tftp != NULL && tftp->address.family == 4)
		f->tftp = tftp->address;
	gather_web(h, r, now_ms, texts, &f->web);
	if (r->stage == STAGE_FILE)
		gather_file(h, r, texts, f);
}

static void
set_policy(const struct handlerd *h, struct policy *p)
{
	*p = (struct policy){
		.uefi_style = (enum offer_style)h->conf->offer_uefi,
		.bios_style = (enum offer_style)h->conf->offer_bios,
		.menu_title = h->conf->script_title,
		.menu_default = h->conf->script_default,
		.menu_timeout_ms = (uint32_t)h->conf->script_timeout_ms,
	};
}

/* --- requests and events -------------------------------------------------------------------- */

static void
log_decision(const struct boot_request *r, const struct boot *b, const struct boot_answer *a)
{
	char id[BOOT_ID_STRLEN], mac[MAC_STRLEN], ip[IP_STRLEN], file[LOG_QUOTE_SIZE];
	char product[LOG_QUOTE_SIZE], asked[LOG_QUOTE_SIZE];

	log_peer_info("decide boot=%s stage=%s via=%s mac=%s ip=%s client=%s%s%s action=%s%s%s "
		      "rule=%.*s why=%s",
	    boot_id_format(a->boot, id), boot_stage_name(r->stage), boot_via_name(r->via),
	    mac_format(b != NULL ? &b->mac : &r->mac, mac), ip_format(&r->address, ip),
	    boot_client_name(b != NULL ? b->client : r->client),
	    r->product.n > 0 ? " product="
	    : r->file.n > 0  ? " asked="
			     : "",
	    r->product.n > 0 ? log_quote(r->product, product)
	    : r->file.n > 0  ? log_quote(r->file, asked)
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
		log_peer_warn("boot=%s mac=%s: it cannot do HTTPS, and httpsbootd's http_port is "
			      "off: it gets no answer",
		    id, mac);
}

static void
on_request(void *arg, const struct bus_reply *to, const struct boot_request *r)
{
	struct handlerd *h = arg;
	uint64_t now_ms = wall_clock_ms();
	struct entry_record e = { .at_ms = now_ms };
	struct boot_answer answer;
	struct fact_texts texts;
	struct policy policy;
	struct facts facts;
	struct wbuf scratch;
	struct boot *b;
	bool opened;

	b = boots_for_request(h->boots, r, now_ms, &opened);
	gather(h, r, b, now_ms, &texts, &facts);
	set_policy(h, &policy);
	wbuf_init(&scratch, h->scratch, sizeof(h->scratch));
	decide(r, &policy, &facts, &scratch, &answer);
	h->decisions++;
	h->by_reason[answer.reason]++;
	if (b != NULL) {
		boot_note_answer(b, r, &answer);
		if (r->stage == STAGE_REPORT)
			boot_note_report(b, r->file);
		if (opened || r->stage == STAGE_BOOT)
			note_machine(h, r, b, now_ms);
		put_boot(h, b);
	}
	log_decision(r, b, &answer);
	e.kind = slice_str(boot_stage_name(r->stage));
	e.via = r->via;
	e.mac = r->mac;
	e.address = r->address;
	e.subnet = r->subnet;
	e.action = slice_str(boot_action_name(answer.action));
	e.reason = slice_str(boot_reason_name(answer.reason));
	e.rule = answer.rule;
	e.file = r->stage == STAGE_DISCOVER || r->stage == STAGE_BOOTSERVER ? answer.file : r->file;
	e.text = r->stage == STAGE_DISCOVER || r->stage == STAGE_BOOTSERVER
	             ? slice_str(boot_client_name(r->client))
	         : r->stage == STAGE_REPORT ? r->params
	                                    : answer.text;
	if (e.text.n > 1024)
		e.text.n = 1024;
	if (put_entry(h, b, &e, now_ms) < 0)
		log_peer_warn("store: it is too far behind, a record is lost");
	bus_answer(h->bus, to, &answer);
}

/* The place where a sender's last event is remembered. */
static size_t
find_origin(struct handlerd *h, uint64_t origin, uint64_t now_ms)
{
	size_t place = 0;

	for (size_t i = 0; i < HANDLERD_ORIGINS; i++) {
		if (h->origins[i].origin == origin) {
			h->origins[i].used = now_ms;
			return i;
		}
		if (h->origins[i].used < h->origins[place].used)
			place = i;
	}
	h->origins[place].origin = origin;
	h->origins[place].seq = 0;
	h->origins[place].used = now_ms;
	return place;
}

static bool
on_event(void *arg, uint64_t origin, const struct boot_event *e)
{
	struct handlerd *h = arg;
	uint64_t now_ms = wall_clock_ms();
	size_t place = find_origin(h, origin, now_ms);
	struct entry_record entry;
	struct boot *b;

	if (e->seq <= h->origins[place].seq) {
		h->repeated_events++; /* its confirmation was lost */
		return true;
	}
	if (!store_has_room(h->store))
		return false;
	b = boots_for_event(h->boots, e, now_ms);
	if (b != NULL)
		put_boot(h, b);
	entry = (struct entry_record){
		.at_ms = e->at_ms,
		.origin = origin,
		.seq = e->seq,
		.kind = slice_str(event_kind_name(e->kind)),
		.via = e->via,
		.mac = e->mac,
		.address = e->address,
		.subnet = e->subnet,
		.file = e->file,
		.bytes = e->bytes,
		.duration_ms = e->duration_ms,
		.blksize = e->blksize,
		.windowsize = e->windowsize,
		.retransmits = e->retransmits,
		.text = e->text,
	};
	/* a lease of a machine that is in no boot is of no interest */
	if ((b != NULL || e->kind != EVENT_LEASE) && put_entry(h, b, &entry, now_ms) < 0)
		return false;
	h->origins[place].seq = e->seq;
	return true;
}

static void
on_status(void *arg, uint64_t origin, const struct daemon_status *s)
{
	struct handlerd *h = arg;
	char subnet[LOG_QUOTE_SIZE], version[LOG_QUOTE_SIZE], ip[IP_STRLEN];

	if (s->daemon == DAEMON_NONE || !services_note(&h->services, origin, s, wall_clock_ms()))
		return;
	log_peer_info("service daemon=%s subnet=%s address=%s port=%u http_port=%u version=%s",
	    daemon_kind_name(s->daemon), log_quote(s->subnet, subnet), ip_format(&s->address, ip),
	    s->port, s->http_port, log_quote(s->version, version));
}

static const struct bus_server_ops bus_ops = {
	.request = on_request,
	.event = on_event,
	.status = on_status,
};

/* --- life ----------------------------------------------------------------------------------- */

void
handlerd_rescan(struct handlerd *h)
{
	struct catalogue *fresh;

	if (catalogue_scan(h->root_fd, &fresh) < 0) {
		log_warnx("content: out of memory, keeping what was known");
		return;
	}
	if (h->catalogue == NULL || h->catalogue->nimages != fresh->nimages ||
	    h->catalogue->nloaders != fresh->nloaders)
		log_info("content: %zu loaders, %zu images", fresh->nloaders, fresh->nimages);
	catalogue_free(h->catalogue);
	h->catalogue = fresh;
}

static void
on_change(void *arg)
{
	handlerd_rescan(arg);
}

static struct store_limits
limits_of(const struct handlerd_conf *conf)
{
	return (struct store_limits){
		.keep_days = conf->keep_days,
		.max_boots = conf->max_boots,
		.max_entries = conf->max_entries,
	};
}

static void
apply_conf(struct handlerd *h)
{
	const struct store_limits limits = limits_of(h->conf);

	log_set_level(h->opts->verbose ? LOG_LEVEL_DEBUG : (enum log_level)h->conf->log_level);
	if (h->boots != NULL)
		boots_set_idle(h->boots, (uint64_t)h->conf->boot_idle_s * 1000);
	if (h->store != NULL)
		store_set_limits(h->store, &limits);
	if (h->inventory.table != NULL)
		inventory_set_limits(
		    &h->inventory, (size_t)h->conf->max_machines, &h->conf->identity);
}

json_t *
handlerd_reload(struct handlerd *h)
{
	json_t *result = config_reload(h->opts, &handlerd_config, h->conf);

	if (result == NULL)
		return NULL;
	apply_conf(h);
	handlerd_rescan(h);
	return result;
}

static void
on_signal(void *arg, int signo)
{
	struct handlerd *h = arg;

	if (signo == SIGHUP) {
		json_decref(handlerd_reload(h));
		return;
	}
	log_info("stopping");
	start_stopping();
	loop_stop(h->loop);
}

static void
restore_boot(void *arg, const struct boot *b)
{
	struct handlerd *h = arg;

	(void)boots_restore(h->boots, b); /* out of memory: that boot goes on as a new one */
}

static void
restore_origin(void *arg, uint64_t origin, uint64_t seq)
{
	struct handlerd *h = arg;

	/* they come oldest first: when there is no room for all, the newest stay */
	h->origins[find_origin(h, origin, ++h->restored_origins)].seq = seq;
}

static void
open_root(struct handlerd *h)
{
	h->root_fd = content_root_open(h->conf->root);
	if (h->root_fd < 0)
		log_warnx("root: \"%s\": %s; deciding without seeing what is there", h->conf->root,
		    content_strerror(-h->root_fd));
}

int
handlerd_open(struct handlerd **ret, struct handlerd_conf *conf, const struct opts *opts)
{
	struct handlerd *h = calloc(1, sizeof(*h));
	int rc;

	if (h == NULL)
		return -ENOMEM;
	h->conf = conf;
	h->opts = opts;
	h->started_ms = wall_clock_ms();
	apply_conf(h);
	(void)start_make_folder(conf->control, conf->user, "handlerd"); /* told below, if at all */
	(void)start_make_folder(handlerd_store_path(conf->store), conf->user, "handlerd");
	open_root(h);
	rc = loop_new(&h->loop);
	if (rc == 0)
		rc = loop_signals(h->loop, on_signal, h);
	if (rc < 0) {
		log_errx("event loop: %s", strerror(-rc));
	} else {
		rc = rpc_open(h->loop, conf->control, handlerd_methods, h, &h->rpc);
		if (rc < 0)
			log_errx("control: \"%s\": %s", conf->control, strerror(-rc));
	}
	if (rc < 0) {
		handlerd_close(h);
		return rc;
	}
	*ret = h;
	return 0;
}

static int
open_rest(struct handlerd *h)
{
	const struct store_limits limits = limits_of(h->conf);
	const struct bus_server_conf bus = {
		.urls = (const char *const *)h->conf->listen.v,
		.nurls = h->conf->listen.n,
		.tls_ca = h->conf->listen_ca,
		.tls_certificate = h->conf->listen_certificate,
		.ops = &bus_ops,
		.arg = h,
	};
	uint64_t idle_ms = (uint64_t)h->conf->boot_idle_s * 1000;
	int rc;

	rc = store_open(handlerd_store_path(h->conf->store), &limits, &h->store);
	if (rc == 0)
		rc = inventory_open(
		    &h->inventory, h->store, (size_t)h->conf->max_machines, &h->conf->identity);
	if (rc == 0)
		rc = boots_new(
		    (size_t)h->conf->max_open_boots, idle_ms, random_bits, NULL, &h->boots);
	if (rc == 0)
		rc = store_each_boot(h->store, wall_clock_ms() - idle_ms, restore_boot, h);
	if (rc == 0)
		rc = store_each_origin(h->store, restore_origin, h);
	if (rc < 0)
		return rc;
	handlerd_rescan(h);
	if (h->catalogue == NULL)
		return -ENOMEM;
	if (watch_open(h->loop, h->conf->root, on_change, h, &h->watch) < 0)
		log_warnx("content: cannot watch it; `ferryctl reload` tells of changes");
	loop_hook_add(h->loop, &h->kick_hook, on_round, h);
	return bus_server_open(h->loop, &bus, &h->bus);
}

int
handlerd_run(struct handlerd *h)
{
	int rc;

	start_drop(h->conf->user, "handlerd");
	rc = open_rest(h);
	if (rc < 0)
		return rc;
	loop_timer_init(&h->repeats_timer, on_repeats, h);
	rc = loop_timer_set(h->loop, &h->repeats_timer, BOOT_REPEAT_MS);
	if (rc < 0)
		return rc;
	start_ready();
	rc = loop_run(h->loop);
	put_repeats(h, true);
	if (rc < 0)
		log_errx("event loop: %s", strerror(-rc));
	return rc;
}

void
handlerd_close(struct handlerd *h)
{
	if (h == NULL)
		return;
	bus_server_close(h->bus);
	rpc_close(h->rpc);
	watch_close(h->watch);
	inventory_close(&h->inventory);
	store_close(h->store);
	boots_free(h->boots);
	catalogue_free(h->catalogue);
	loop_free(h->loop);
	if (h->root_fd >= 0)
		close(h->root_fd);
	free(h);
}
