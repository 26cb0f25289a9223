/* See guard.h. */
#include "handlerd/guard.h"

#include "common/log.h"
#include "handlerd/handlerd.h"

#include <stdio.h>

static bool
is_loader(const struct handlerd *h, struct slice path)
{
	for (size_t i = 0; i < h->catalogue->nloaders; i++) {
		if (slice_is(path, h->catalogue->loaders[i].path))
			return true;
	}
	return false;
}

void
guard_fetched(struct handlerd *h, struct boot *b, struct slice path)
{
	const struct loops_conf *conf = &h->conf->loop_guard;
	char text[256], mac[MAC_STRLEN], id[BOOT_ID_STRLEN], file[LOG_QUOTE_SIZE];

	if (!is_loader(h, path) || !loops_fetched(h->loops, conf, &b->mac, path, wall_clock_ms()))
		return;
	(void)snprintf(text, sizeof(text),
	    "it fetched the same loader %d times within %d s: no offers for %d s",
	    (int)conf->fetches, (int)conf->within_s, (int)conf->hold_s);
	log_peer_warn("boot=%s mac=%s file=%s loop guard: %s; ferryctl loops release lets it go",
	    boot_id_format(b->id, id), mac_format(&b->mac, mac), log_quote(path, file), text);
	notes_remark(&h->notes, b, "loop-guard", boot_reason_name(REASON_LOOP), text);
	h->loops_held++;
}

json_t *
rpc_loops(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	const struct handlerd *h = arg;
	uint64_t since_ms, until_ms, now_ms = wall_clock_ms();
	json_t *list = json_array();
	char text[MAC_STRLEN];
	struct macaddr mac;
	size_t at = 0;

	(void)conn;
	(void)params;
	(void)error;
	while (loops_next(h->loops, &at, now_ms, &mac, &since_ms, &until_ms))
		json_array_append_new(
		    list, json_pack("{s:s, s:I, s:I}", "mac", mac_format(&mac, text), "since_ms",
			      (json_int_t)since_ms, "until_ms", (json_int_t)until_ms));
	return list;
}

json_t *
rpc_loops_release(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	const json_t *v = json_object_get(params, "mac");
	struct handlerd *h = arg;
	struct macaddr mac;

	(void)conn;
	if (v != NULL &&
	    (!json_is_string(v) || mac_parse(slice_str(json_string_value(v)), &mac) < 0))
		return rpc_fail(error, RPC_INVALID_PARAMS, "\"mac\" is no hardware address");
	return json_integer(
	    (json_int_t)loops_release(h->loops, v != NULL ? &mac : NULL, wall_clock_ms()));
}
