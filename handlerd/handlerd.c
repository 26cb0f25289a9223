/* handlerd: where requests, facts, decisions and records meet; see handlerd.h. */
#include "handlerd/handlerd.h"

#include "common/bus_url.h"
#include "common/content.h"
#include "common/log.h"
#include "handlerd/admission.h"
#include "handlerd/gather.h"
#include "handlerd/guard.h"
#include "handlerd/inquire.h"
#include "handlerd/quirks.h"
#include "handlerd/recall.h"
#include "handlerd/reload.h"
#include "handlerd/report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define A_MINUTE_MS    60000
#define ADAPT_MODELS   4096
#define ADAPT_MACHINES 50000

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
on_round(void *arg)
{
	struct handlerd *h = arg;

	if (h->notes.put_something)
		store_kick(h->store);
	h->notes.put_something = false;
}

/* The last that was heard of a transfer, whose end nobody told. */
static void
on_transfer_forgotten(void *arg, const struct running *r)
{
	struct handlerd *h = arg;
	uint64_t ms = r->heard_ms - r->began_ms;
	struct entry_record e = {
		.at_ms = r->heard_ms,
		.kind = slice_str(event_kind_name(EVENT_TRANSFER_PROGRESS)),
		.via = r->via,
		.mac = r->mac,
		.address = r->address,
		.subnet = slice_str(r->subnet),
		.file = slice_str(r->file),
		.bytes = r->bytes,
		.duration_ms = ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms,
		.blksize = r->blksize,
		.windowsize = r->windowsize,
		.retransmits = r->retransmits,
		.text = slice_str("nothing more was heard of it"),
	};

	if (r->progressed &&
	    notes_entry(&h->notes, boots_find(h->boots, r->boot), &e, wall_clock_ms()) < 0)
		log_peer_warn("store: it is too far behind, a record is lost");
}

static void
on_repeats(void *arg)
{
	struct handlerd *h = arg;

	transfers_expire(h->transfers, wall_clock_ms(), on_transfer_forgotten, h);
	notes_repeats(&h->notes);
	(void)loop_timer_set(h->loop, &h->repeats_timer, BOOT_REPEAT_MS / NOTES_PARTS);
}

/* --- what is decided about machines --------------------------------------------------------- */

void
handlerd_set_state(struct handlerd *h, uint64_t machine, enum machine_state state, struct slice by)
{
	h->notes.put_something = true;
	if (inventory_set_state(&h->inventory, machine, state, by, wall_clock_ms()) < 0)
		log_peer_warn(
		    "machine #%llu: its state could not be set", (unsigned long long)machine);
}

void
handlerd_assign(struct handlerd *h, uint64_t machine, struct slice entry, bool once,
    uint64_t until_ms, struct slice by)
{
	h->notes.put_something = true;
	if (inventory_assign(&h->inventory, machine, entry, once, until_ms, by, wall_clock_ms()) <
	    0)
		log_peer_warn(
		    "machine #%llu: its assignment could not be set", (unsigned long long)machine);
}

/* --- requests and events -------------------------------------------------------------------- */

static void
on_request(void *arg, const struct bus_reply *to, const struct boot_request *r)
{
	inquire(arg, to, r);
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

/* What a transfer tells beside its line in the timeline. */
static void
note_transfer(struct handlerd *h, const struct boot *b, const struct boot_event *e)
{
	char path[CONTENT_PATH_MAX];

	(void)slice_copy(path, sizeof(path), e->file);
	if (e->kind == EVENT_TRANSFER_FINISHED)
		adapt_fetched(h->adapt, &b->mac, path, wall_clock_ms());
	if (e->kind == EVENT_LEASE)
		quirks_lease(h, &b->mac);
	report_transfer(h, b, e);
}

static void
list_transfer(struct handlerd *h, uint64_t origin, const struct boot *b, const struct boot_event *e,
    uint64_t now_ms)
{
	transfers_note(
	    h->transfers, origin, e, b != NULL ? b->id : 0, b != NULL ? &b->mac : &e->mac, now_ms);
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
	if (selftest_covers(&h->selftest, e, now_ms))
		return true;
	if (!store_has_room(h->store))
		return false;
	if (e->kind == EVENT_RIVAL) { /* of a server, which is in no boot */
		if (rivalry_event(h, origin, e) < 0)
			return false;
		h->origins[place].seq = e->seq;
		return true;
	}
	b = boots_for_event(h->boots, e, now_ms);
	if (e->kind == EVENT_TRANSFER_PROGRESS) { /* timelines are spared it */
		h->origins[place].seq = e->seq;
		list_transfer(h, origin, b, e, now_ms);
		return true;
	}
	if (b != NULL)
		notes_boot(&h->notes, b);
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
	if ((b != NULL || e->kind != EVENT_LEASE) && notes_entry(&h->notes, b, &entry, now_ms) < 0)
		return false;
	h->origins[place].seq = e->seq;
	list_transfer(h, origin, b, e, now_ms);
	if (b != NULL)
		note_transfer(h, b, e);
	if (b != NULL && e->kind == EVENT_TRANSFER_FINISHED)
		guard_fetched(h, b, e->file);
	return true;
}

/* Told when it begins and when it ends, once a daemon: offers wait, or no longer do. */
static void
watch_loads(struct handlerd *h, uint64_t now_ms)
{
	uint32_t from = (uint32_t)h->policy->conf.admission_permille;
	char subnet[LOG_QUOTE_SIZE], text[160];

	for (size_t i = 0; i < h->services.n; i++) {
		const struct service *s = &h->services.v[i];
		struct entry_record e;
		enum load_change change;

		if (s->origin == 0 || s->daemon != DAEMON_TFTPD)
			continue;
		change = services_admission(&h->services, i, from, ADMISSION_SLACK, now_ms);
		if (change == LOAD_SAME)
			continue;
		h->admissions += change == LOAD_HIGH;
		(void)snprintf(text, sizeof(text),
		    "tftpd is at %u.%u %%, with %u of %u transfers: offers %s",
		    s->load.permille / 10, s->load.permille % 10, s->load.transfers,
		    s->load.max_transfers,
		    change == LOAD_HIGH ? "wait, as offers.admission says" : "no longer wait");
		if (!service_is_alive(s, now_ms))
			(void)snprintf(text, sizeof(text),
			    "tftpd is not heard of any more: offers no longer wait for it");
		(change == LOAD_HIGH ? log_warnx : log_info)(
		    "admission subnet=%s: %s", log_quote(slice_str(s->subnet), subnet), text);
		e = (struct entry_record){
			.at_ms = now_ms,
			.kind =
			    slice_str(change == LOAD_HIGH ? "admission-began" : "admission-ended"),
			.subnet = slice_str(s->subnet),
			.address = s->address,
			.text = slice_str(text),
		};
		if (notes_entry(&h->notes, NULL, &e, now_ms) < 0)
			log_peer_warn("store: it is too far behind, a record is lost");
	}
}

static void
on_status(void *arg, uint64_t origin, const struct daemon_status *s)
{
	struct handlerd *h = arg;
	char subnet[LOG_QUOTE_SIZE], version[LOG_QUOTE_SIZE], ip[IP_STRLEN];

	uint64_t now_ms = wall_clock_ms();
	bool fresh;

	if (s->daemon == DAEMON_NONE)
		return;
	fresh = services_note(&h->services, origin, s, now_ms);
	watch_loads(h, now_ms);
	if (!fresh)
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

/* --- what comes from outside ---------------------------------------------------------------- */

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
		.keep_requests_h = conf->keep_requests_h,
		.max_boots = conf->max_boots,
		.max_entries = conf->max_entries,
	};
}

void
handlerd_apply(struct handlerd *h)
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

static void
on_signal(void *arg, int signo)
{
	struct handlerd *h = arg;
	json_t *errors = NULL;

	if (signo == SIGHUP) {
		json_decref(handlerd_reload(h, NULL, false, &errors));
		json_decref(errors);
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

void
handlerd_state_path(const struct handlerd *h, const char *name, char path[static 4096])
{
	(void)snprintf(path, 4096, "%s%s", handlerd_store_path(h->conf->store), name);
}

json_t *
handlerd_state_load(const struct handlerd *h, const char *name)
{
	char path[4096], aside[4096 + 16];
	json_error_t je;
	json_t *dump;

	handlerd_state_path(h, name, path);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return NULL;
	dump = json_load_file(path, 0, &je);
	if (json_is_object(dump))
		return dump;
	if (dump != NULL)
		(void)snprintf(je.text, sizeof(je.text), "it is no object");
	json_decref(dump);
	/* the next save would write over what somebody may still want to mend */
	(void)snprintf(aside, sizeof(aside), "%s.damaged", path);
	log_warnx("state: \"%s\" line %d: %s; what it told is learned again%s", path, je.line,
	    je.text, rename(path, aside) == 0 ? ", the file is kept as *.damaged" : "");
	return NULL;
}

bool
handlerd_state_save(const struct handlerd *h, const char *name, json_t *dump)
{
	char path[4096], fresh[4096 + 8];
	bool saved;

	handlerd_state_path(h, name, path);
	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	saved = dump != NULL && json_dump_file(dump, fresh, JSON_COMPACT) == 0 &&
	        rename(fresh, path) == 0;
	if (!saved)
		log_warn("\"%s\"", path);
	json_decref(dump);
	return saved;
}

/* --- what was learned about loaders --------------------------------------------------------- */

static void
restore_adapt(struct handlerd *h)
{
	json_t *dump = handlerd_state_load(h, "-loaders.json");

	if (dump == NULL)
		return;
	log_info("loaders: %zu models and machines remembered", adapt_restore(h->adapt, dump));
	h->adapt_saved = adapt_changes(h->adapt);
	json_decref(dump);
}

static void
save_adapt(struct handlerd *h)
{
	if (h->adapt == NULL || h->adapt_saved == adapt_changes(h->adapt))
		return;
	if (handlerd_state_save(h, "-loaders.json", adapt_dump(h->adapt)))
		h->adapt_saved = adapt_changes(h->adapt);
}

static void
on_minute(void *arg)
{
	struct handlerd *h = arg;

	(void)loop_timer_set(h->loop, &h->minute_timer, A_MINUTE_MS);
	(void)keyring_refresh(
	    h->keyring, wall_clock_ms()); /* told there; the old keys still serve */
	save_adapt(h);
	rivalry_save(h);
	quirks_save(h);
}

/* --- life ----------------------------------------------------------------------------------- */

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
	h->root_fd = -1;
	handlerd_apply(h);
	(void)start_make_folder(conf->control, conf->user, "handlerd"); /* told below, if at all */
	(void)start_make_folder(handlerd_store_path(conf->store), conf->user, "handlerd");
	open_root(h);
	rc = loop_new(&h->loop);
	if (rc == 0 && bus_urls_need_nng(&conf->listen))
		rc = loop_share(h->loop);
	if (rc == 0)
		rc = loop_signals(h->loop, on_signal, h);
	if (rc < 0) {
		log_errx("event loop: %s", strerror(-rc));
	} else {
		rc = rpc_open(h->loop, conf->control, handlerd_methods, h, &h->rpc);
		if (rc < 0)
			log_errx("control: \"%s\": %s", conf->control, strerror(-rc));
	}
	/* while root can still be given up for the scripts' account, and before any thread */
	if (rc == 0) {
		rc = spawner_fork(conf->policy.hooks.user, &h->spawner);
		if (rc < 0)
			log_errx("script.user: \"%s\": %s", conf->policy.hooks.user, strerror(-rc));
	}
	if (rc < 0) {
		handlerd_close(h);
		return rc;
	}
	*ret = h;
	return 0;
}

static int
open_tables(struct handlerd *h)
{
	const struct store_limits limits = limits_of(h->conf);
	const uint64_t hash_key[2] = { random_bits(NULL), random_bits(NULL) };
	uint64_t idle_ms = (uint64_t)h->conf->boot_idle_s * 1000;
	char path[4096];
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
	if (rc == 0)
		rc = adapt_new(ADAPT_MODELS, ADAPT_MACHINES, &h->adapt);
	if (rc == 0)
		rc = loops_new(GUARD_PLACES, hash_key, &h->loops);
	if (rc == 0)
		rc = transfers_new(TRANSFERS_MAX, &h->transfers);
	if (rc == 0)
		rc = rivalry_open(h);
	if (rc == 0)
		rc = quirks_open(h);
	handlerd_state_path(h, "-tokens", path);
	if (rc == 0)
		rc = token_file_open(
		    path, (size_t)h->conf->tokens.max_held, wall_clock_ms(), &h->tokens);
	if (rc < 0)
		return rc;
	rc = folders_new(h->root_fd, &h->folders);
	if (rc < 0)
		return rc;
	h->room = calloc(1, sizeof(*h->room));
	if (h->room == NULL)
		return -ENOMEM;
	h->notes = (struct notes){ .store = h->store, .boots = h->boots, .rpc = h->rpc };
	restore_adapt(h);
	return 0;
}

static int
open_keyring(struct handlerd *h)
{
	char path[4096], *slash;

	(void)snprintf(path, sizeof(path), "%s", handlerd_store_path(h->conf->store));
	slash = strrchr(path, '/');
	if (slash != NULL && slash != path)
		*slash = '\0';
	else
		(void)snprintf(path, sizeof(path), "%s", slash != NULL ? "/" : ".");
	return keyring_open(path, (uint64_t)h->conf->tokens.key_life_s,
	    (uint64_t)h->conf->tokens.life_s, &h->keyring);
}

static int
open_rest(struct handlerd *h)
{
	const struct bus_server_conf bus = {
		.urls = (const char *const *)h->conf->listen.v,
		.nurls = h->conf->listen.n,
		.tls_ca = h->conf->listen_ca,
		.tls_certificate = h->conf->listen_certificate,
		.ops = &bus_ops,
		.arg = h,
	};
	int rc = open_tables(h);

	if (rc == 0)
		rc = open_keyring(h);
	if (rc == 0)
		rc = spawner_attach(h->spawner, h->loop);
	if (rc == 0)
		rc = sources_new(h->loop, h->spawner, &h->sources);
	if (rc == 0)
		rc = reload_first(h);
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

	start_drop(h->conf->user, "handlerd", 0);
#ifndef __SANITIZE_ADDRESS__
	/* scripts may run under the same account: they must not read keys out of our memory */
	(void)prctl(PR_SET_DUMPABLE, 0); /* cannot fail with this argument */
#endif
	rc = open_rest(h);
	if (rc < 0)
		return rc;
	loop_timer_init(&h->repeats_timer, on_repeats, h);
	loop_timer_init(&h->minute_timer, on_minute, h);
	rc = loop_timer_set(h->loop, &h->repeats_timer, BOOT_REPEAT_MS / NOTES_PARTS);
	if (rc == 0)
		rc = loop_timer_set(h->loop, &h->minute_timer, A_MINUTE_MS);
	if (rc < 0)
		return rc;
	start_ready();
	rc = loop_run(h->loop);
	notes_last_repeats(&h->notes);
	save_adapt(h);
	rivalry_save(h);
	quirks_save(h);
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
	inquire_stop(h);
	rpc_close(h->rpc);
	recall_stop(h);
	sources_free(h->sources);
	spawner_close(h->spawner);
	prober_close(h->prober);
	watch_close(h->watch);
	inventory_close(&h->inventory);
	store_close(h->store);
	boots_free(h->boots);
	policy_unref(h->policy);
	catalogue_free(h->catalogue);
	folders_free(h->folders);
	adapt_free(h->adapt);
	rivalry_close(h);
	loops_free(h->loops);
	transfers_free(h->transfers);
	styles_free(h->styles);
	token_file_close(&h->tokens);
	keyring_close(h->keyring);
	loop_free(h->loop);
	if (h->root_fd >= 0)
		close(h->root_fd);
	free(h->room);
	free(h);
}
