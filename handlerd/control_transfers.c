/* See control_transfers.h. */
#include "handlerd/control_transfers.h"

#include "common/json_text.h"

#define LIST_DEFAULT 1000

struct listing {
	const struct handlerd *h;
	uint64_t boot; /* of it alone; 0: of all */
	json_t *list;
};

static void
add(void *arg, const struct running *r)
{
	const struct listing *l = arg;
	const struct boot *b;
	char id[BOOT_ID_STRLEN], mac[MAC_STRLEN], ip[IP_STRLEN];
	json_t *o;

	if (l->boot != 0 && r->boot != l->boot)
		return;
	o = json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "via",
	    boot_via_name(r->via), "address", ip_format(&r->address, ip), "mac",
	    mac_format(&r->mac, mac), "subnet", json_text(slice_str(r->subnet)), "file",
	    json_text(slice_str(r->file)), "bytes", (json_int_t)r->bytes, "size",
	    (json_int_t)r->size, "bytes_per_s", (json_int_t)r->bytes_per_s, "blksize",
	    (json_int_t)r->blksize, "windowsize", (json_int_t)r->windowsize, "retransmits",
	    (json_int_t)r->retransmits, "began_ms", (json_int_t)r->began_ms, "heard_ms",
	    (json_int_t)r->heard_ms);
	if (r->boot != 0)
		json_object_set_new(o, "boot", json_string(boot_id_format(r->boot, id)));
	b = r->boot != 0 ? boots_find(l->h->boots, r->boot) : NULL;
	if (b != NULL && b->machine != 0)
		json_object_set_new(o, "machine", json_integer((json_int_t)b->machine));
	json_array_append_new(l->list, o);
}

json_t *
rpc_transfers(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	struct listing l = { .h = h, .list = NULL };
	const json_t *v = json_object_get(params, "limit");
	json_int_t limit = v != NULL ? json_integer_value(v) : LIST_DEFAULT;

	(void)conn;
	if ((v != NULL && !json_is_integer(v)) || limit < 1 || limit > TRANSFERS_MAX)
		return rpc_fail(error, RPC_INVALID_PARAMS,
		    "\"limit\" is a whole number from 1 to %d", TRANSFERS_MAX);
	l.list = json_array();
	transfers_each(h->transfers, (size_t)limit, add, &l);
	return json_pack("{s:I, s:I, s:o}", "now_ms", (json_int_t)wall_clock_ms(), "running",
	    (json_int_t)transfers_stats(h->transfers).running, "transfers", l.list);
}

json_t *
control_boot_transfers(const struct handlerd *h, uint64_t boot)
{
	struct listing l = { .h = h, .boot = boot, .list = json_array() };

	transfers_each(h->transfers, TRANSFERS_MAX, add, &l);
	return l.list;
}

json_t *
control_transfers_counts(const struct handlerd *h)
{
	struct transfers_stats s = transfers_stats(h->transfers);
	json_t *failures = json_array();

	for (size_t i = 0; i < s.nfailures; i++)
		json_array_append_new(failures,
		    json_pack("{s:o, s:I}", "reason", json_text(slice_str(s.failures[i].words)),
			"count", (json_int_t)s.failures[i].n));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "offers_delayed",
	    (json_int_t)h->offers_delayed, "admissions", (json_int_t)h->admissions, "running",
	    (json_int_t)s.running, "finished", (json_int_t)s.finished, "failed",
	    (json_int_t)s.failed, "forgotten", (json_int_t)s.forgotten, "pushed",
	    (json_int_t)s.pushed, "failures", failures);
}
