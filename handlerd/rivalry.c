/* See rivalry.h. */
#include "handlerd/rivalry.h"

#include "common/log.h"
#include "handlerd/handlerd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define AN_HOUR_MS 3600000u
/* How long a server that keeps machines from here is a problem after its last offer. */
#define PROBLEM_MS (24u * AN_HOUR_MS)

/* --- the file ------------------------------------------------------------------------------- */

static void
file_path(const struct handlerd *h, const char *suffix, char path[static 4096])
{
	(void)snprintf(
	    path, 4096, "%s-servers.json%s", handlerd_store_path(h->conf->store), suffix);
}

int
rivalry_open(struct handlerd *h)
{
	struct rivalry *r = &h->rivalry;
	json_int_t began;
	json_t *dump;

	if (rivals_init(&r->table, RIVALRY_SERVERS) < 0)
		return -ENOMEM;
	dump = handlerd_state_load(h, "-servers.json");
	if (dump == NULL)
		return 0;
	began = json_integer_value(json_object_get(dump, "began_ms"));
	r->began_ms = began > 0 ? (uint64_t)began : 0;
	rivals_restore(&r->table, json_object_get(dump, "servers"));
	log_info("servers: %zu other DHCP and PXE servers remembered", r->table.n);
	json_decref(dump);
	return 0;
}

void
rivalry_close(struct handlerd *h)
{
	rivals_fini(&h->rivalry.table);
}

void
rivalry_save(struct handlerd *h)
{
	struct rivalry *r = &h->rivalry;
	char path[4096], fresh[4096];
	json_t *dump;

	if (!r->changed)
		return;
	file_path(h, "", path);
	file_path(h, ".new", fresh);
	dump = json_pack(
	    "{s:I, s:o}", "began_ms", (json_int_t)r->began_ms, "servers", rivals_dump(&r->table));
	if (dump == NULL || json_dump_file(dump, fresh, JSON_COMPACT) < 0 ||
	    rename(fresh, path) < 0)
		log_warn("servers: \"%s\"", path);
	else
		r->changed = false;
	json_decref(dump);
}

/* --- what is heard -------------------------------------------------------------------------- */

/* A dhcpproxyd of ours has this address. */
static bool
is_one_of_us(const struct handlerd *h, const struct ipaddr *address)
{
	for (size_t i = 0; i < SERVICES_MAX; i++) {
		const struct service *s = &h->services.v[i];

		if (s->origin != 0 && s->daemon == DAEMON_DHCPPROXYD && ip_eq(&s->address, address))
			return true;
	}
	return false;
}

static int
write_line(struct handlerd *h, uint64_t origin, const struct boot_event *e, const char *kind,
    const char *reason, const char *text)
{
	struct entry_record entry = {
		.at_ms = e->at_ms,
		.origin = origin,
		.seq = e->seq,
		.kind = slice_str(kind),
		.via = e->via,
		.mac = e->mac,
		.address = e->address,
		.subnet = e->subnet,
		.file = e->file,
		.reason = slice_str(reason),
		.text = slice_str(text),
	};

	return notes_entry(&h->notes, NULL, &entry, wall_clock_ms());
}

static void
sound_alarm(struct handlerd *h, uint64_t origin, const struct boot_event *e, const struct rival *r,
    const char *text)
{
	char ip[IP_STRLEN], mac[MAC_STRLEN], subnet[LOG_QUOTE_SIZE], interface[LOG_QUOTE_SIZE];

	h->rivalry.alarms++;
	log_peer_warn("new server address=%s mac=%s subnet=%s interface=%s: %s; ferryctl rivals "
		      "accept, or expected_servers, say that it belongs there",
	    ip_format(&r->address, ip), mac_format(&r->mac, mac), log_quote(e->subnet, subnet),
	    log_quote(e->interface, interface), text);
	(void)write_line(h, origin, e, "server-new", "not-seen-before", text);
}

int
rivalry_event(struct handlerd *h, uint64_t origin, const struct boot_event *e)
{
	const struct rival_id id = { e->address, e->mac, e->interface, e->subnet };
	struct rivalry *t = &h->rivalry;
	uint64_t now_ms = wall_clock_ms();
	struct rival_offer offer = { .next = e->rival_next, .offers = e->bytes };
	char sends[256], text[1024];
	const struct rival_judgement *j;
	const struct rival_offer *before;
	bool is_new, changed, learning;
	struct rival *r;

	if (e->address.family == 0)
		return 0; /* from a daemon that says less */
	offer.sends = e->rival_sends & ~(RIVAL_IS_EXPECTED | RIVAL_IS_SIBLING);
	(void)slice_copy(offer.file, sizeof(offer.file), e->file);
	if (t->began_ms == 0)
		t->began_ms = now_ms;
	learning = now_ms - t->began_ms < (uint64_t)h->conf->learn_servers_h * AN_HOUR_MS;
	r = rivals_note(&t->table, &id, now_ms, &is_new);
	r->is_expected = (e->rival_sends & RIVAL_IS_EXPECTED) != 0;
	r->is_sibling = (e->rival_sends & RIVAL_IS_SIBLING) != 0 || is_one_of_us(h, &e->address);
	r->is_usual = r->is_usual || (is_new && learning);
	before = &r->to[e->rival_client];
	changed = before->offers == 0 || !rival_is_same(before->sends, &before->next, &offer);
	rival_note_offer(r, e->rival_client, &offer, now_ms);
	t->changed = true;
	if (!is_new && !changed)
		return 0;
	j = rival_judge(e->rival_client, &offer);
	(void)snprintf(text, sizeof(text), "sends %s to %s clients: %s%s%s",
	    rival_sends_format(offer.sends, sends, sizeof(sends)),
	    rival_client_name(e->rival_client), j->words,
	    j->cure[0] != '\0' ? "; to cure it, " : "", j->cure);
	if (is_new && !r->is_usual && !r->is_expected && !r->is_sibling)
		sound_alarm(h, origin, e, r, text);
	return write_line(
	    h, origin, e, event_kind_name(EVENT_RIVAL), rival_effect_name(j->effect), text);
}

void
rivalry_problems(const struct handlerd *h, uint64_t now_ms, json_t *list)
{
	const struct rivals *t = &h->rivalry.table;

	for (size_t i = 0; i < t->n; i++) {
		const struct rival *r = &t->v[i];
		const struct rival_judgement *j = rival_worst(r);
		char ip[IP_STRLEN], mac[MAC_STRLEN], subnet[LOG_QUOTE_SIZE];

		if (j->effect != RIVAL_WINS || r->is_expected || r->is_sibling ||
		    now_ms - r->last_ms > PROBLEM_MS)
			continue;
		json_array_append_new(
		    list, json_sprintf("server %s (%s) on subnet %s: %s; %s",
			      ip_format(&r->address, ip), mac_format(&r->mac, mac),
			      log_quote(slice_str(r->subnet), subnet), j->words, j->cure));
	}
}

/* --- the control socket --------------------------------------------------------------------- */

json_t *
rpc_rivals(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	const struct handlerd *h = arg;

	(void)conn;
	(void)params;
	(void)error;
	return rivals_dump(&h->rivalry.table);
}

/* The parameter "server" (NULL: there is none); false with *error set if it is no string. */
static bool
get_server(const json_t *params, const char **ret, struct rpc_error *error)
{
	const json_t *server = json_object_get(params, "server");

	*ret = json_string_value(server);
	if (server != NULL && *ret == NULL) {
		(void)rpc_fail(error, RPC_INVALID_PARAMS, "\"server\" is not a string");
		return false;
	}
	return true;
}

json_t *
rpc_rivals_forget(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	const char *server;
	size_t n;

	(void)conn;
	if (!get_server(params, &server, error))
		return NULL;
	n = rivals_forget(&h->rivalry.table, server);
	if (n == 0 && server != NULL)
		return rpc_fail(error, RPC_NOT_FOUND, "no server \"%.64s\" was seen", server);
	h->rivalry.changed = true;
	rivalry_save(h); /* who was told so relies on it */
	return json_integer((json_int_t)n);
}

json_t *
rpc_rivals_accept(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	const char *server;
	size_t n;

	(void)conn;
	if (!get_server(params, &server, error))
		return NULL;
	if (server == NULL)
		return rpc_fail(error, RPC_INVALID_PARAMS, "\"server\" is missing");
	n = rivals_accept(&h->rivalry.table, server);
	if (n == 0)
		return rpc_fail(error, RPC_NOT_FOUND, "no server \"%.64s\" was seen", server);
	h->rivalry.changed = true;
	rivalry_save(h); /* who was told so relies on it */
	return json_integer((json_int_t)n);
}
