/* What the control socket tells of who has been told of a root; see roots.h. */
#include "handlerd/control_roots.h"

#include "common/digest.h"
#include "common/hex.h"
#include "common/json_text.h"
#include "handlerd/control_machines.h"
#include "handlerd/roots.h"

#include <string.h>

#define DAYS_DEFAULT  7
#define DAYS_MAX      3650
#define LIMIT_DEFAULT 20
#define LIMIT_MAX     10000
#define DAY_MS        (24 * 3600 * UINT64_C(1000))

struct count {
	const struct handlerd *h;
	uint8_t print[DIGEST_BYTES];
	uint64_t since_ms;
	json_int_t limit;
	json_int_t n[ROOTS_KINDS];
	json_t *untold, *foreign;
};

static bool
count_one(void *arg, const struct machine *m)
{
	struct count *c = arg;
	enum roots_told told = roots_judge(m, c->print, c->since_ms);
	json_t *list = told == ROOTS_UNTOLD ? c->untold : told == ROOTS_FOREIGN ? c->foreign : NULL;

	c->n[told]++;
	if (list != NULL && (json_int_t)json_array_size(list) < c->limit)
		json_array_append_new(list, control_machine_brief(c->h, m->id));
	return true;
}

/* Each httpsbootd, and whether its chain leads to that root. */
static json_t *
list_servers(const struct handlerd *h, const uint8_t *print, uint64_t now_ms)
{
	json_t *list = json_array();

	for (size_t i = 0; i < h->services.n; i++) {
		const struct service *s = &h->services.v[i];
		bool sends = false;
		char ip[IP_STRLEN];

		if (s->origin == 0 || s->daemon != DAEMON_HTTPSBOOTD)
			continue;
		for (size_t at = 0; at + DIGEST_BYTES <= s->trust_n; at += DIGEST_BYTES)
			sends = sends || memcmp(s->trust + at, print, DIGEST_BYTES) == 0;
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:b, s:b}", "subnet", s->subnet, "address",
			      s->host_name[0] != '\0' ? s->host_name : ip_format(&s->address, ip),
			      "alive", service_is_alive(s, now_ms), "sends", sends));
	}
	return list;
}

/* A number of the parameters within bounds; false with *error set. */
static bool
get_number(const json_t *params, const char *key, json_int_t fallback, json_int_t max,
    json_int_t *ret, struct rpc_error *error)
{
	const json_t *v = json_object_get(params, key);

	*ret = v != NULL ? json_integer_value(v) : fallback;
	if ((v == NULL || json_is_integer(v)) && *ret >= 0 && *ret <= max)
		return true;
	(void)rpc_fail(error, RPC_INVALID_PARAMS, "\"%s\" is a whole number from 0 to %lld", key,
	    (long long)max);
	return false;
}

json_t *
rpc_machines_roots(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct count c = { .h = arg };
	const char *text = control_text(params, "sha256", error);
	uint64_t now_ms = wall_clock_ms();
	json_int_t days;

	(void)conn;
	if (text == NULL || !get_number(params, "days", DAYS_DEFAULT, DAYS_MAX, &days, error) ||
	    !get_number(params, "limit", LIMIT_DEFAULT, LIMIT_MAX, &c.limit, error))
		return NULL;
	if (hex_parse(slice_str(text), c.print, sizeof(c.print)) != sizeof(c.print))
		return rpc_fail(error, RPC_INVALID_PARAMS,
		    "\"sha256\" is the SHA-256 of a root certificate, 64 digits");
	c.since_ms = now_ms - (uint64_t)days * DAY_MS;
	c.untold = json_array();
	c.foreign = json_array();
	machines_each(c.h->inventory.table, count_one, &c);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "days", days, "told",
	    c.n[ROOTS_TOLD] + c.n[ROOTS_BOOTED], "booted", c.n[ROOTS_BOOTED], "untold",
	    c.n[ROOTS_UNTOLD], "elsewhere", c.n[ROOTS_FOREIGN], "silent", c.n[ROOTS_SILENT],
	    "untold_machines", c.untold, "elsewhere_machines", c.foreign, "servers",
	    list_servers(c.h, c.print, now_ms));
}
