/* See services.h. */
#include "handlerd/services.h"

#include <errno.h>
#include <string.h>

bool
service_is_alive(const struct service *s, uint64_t now_ms)
{
	return now_ms - s->seen_ms <= SERVICE_ALIVE_MS || s->seen_ms > now_ms;
}

/* Same daemon: a restarted one takes the place of the one before. */
static bool
is_same(const struct service *s, const struct daemon_status *status)
{
	return s->daemon == status->daemon && slice_is(status->subnet, s->subnet) &&
	       ip_eq(&s->address, &status->address) && ip_eq(&s->address6, &status->address6) &&
	       s->port == status->port;
}

/* Its place: its own, else that of its predecessor, else a free one, else the oldest. */
static struct service *
find_place(struct services *t, uint64_t origin, const struct daemon_status *status, uint64_t now_ms)
{
	struct service *place = &t->v[0];

	for (size_t i = 0; i < SERVICES_MAX; i++) {
		if (t->v[i].origin == origin)
			return &t->v[i];
	}
	for (size_t i = 0; i < SERVICES_MAX; i++) {
		/* one that has spoken since this one began is another daemon, on another host */
		if (t->v[i].origin != 0 && is_same(&t->v[i], status) &&
		    (t->v[i].seen_ms <= status->started_ms + SERVICE_PERIOD_MS ||
			!service_is_alive(&t->v[i], now_ms)))
			return &t->v[i];
	}
	for (size_t i = 0; i < SERVICES_MAX; i++) {
		if (t->v[i].seen_ms < place->seen_ms)
			place = &t->v[i];
	}
	return place;
}

bool
services_note(
    struct services *t, uint64_t origin, const struct daemon_status *status, uint64_t now_ms)
{
	struct service *s = find_place(t, origin, status, now_ms);
	bool fresh = s->origin != origin || !service_is_alive(s, now_ms);
	const struct service_load before =
	    is_same(s, status) ? s->load : (struct service_load){ 0 };
	size_t place = (size_t)(s - t->v);

	if (place >= t->n)
		t->n = place + 1;

	/* a predecessor that could not be told from a twin has fallen silent by now */
	for (size_t i = 0; i < SERVICES_MAX; i++) {
		if (&t->v[i] != s && t->v[i].origin != 0 && is_same(&t->v[i], status) &&
		    !service_is_alive(&t->v[i], now_ms))
			memset(&t->v[i], 0, sizeof(t->v[i]));
	}
	memset(s, 0, sizeof(*s));
	s->origin = origin;
	s->daemon = status->daemon;
	s->seen_ms = now_ms;
	s->started_ms = status->started_ms;
	s->pid = status->pid;
	s->address = status->address;
	if (ip_is_any(&s->address))
		s->address = (struct ipaddr){ 0 };
	s->address6 = status->address6;
	if (ip_is_any(&s->address6))
		s->address6 = (struct ipaddr){ 0 };
	s->port = status->port;
	s->http_port = status->http_port;
	s->pulls = status->pulls;
	(void)slice_copy(s->subnet, sizeof(s->subnet), status->subnet);
	(void)slice_copy(s->version, sizeof(s->version), status->version);
	(void)slice_copy(s->host_name, sizeof(s->host_name), status->host_name);
	(void)slice_copy(s->counters, sizeof(s->counters), status->counters);
	(void)slice_copy(s->problem, sizeof(s->problem), status->problem);
	s->certificate_ms = status->certificate_ms;
	s->load = (struct service_load){
		.transfers = status->transfers,
		.max_transfers = status->max_transfers,
		.bytes_per_s = status->bytes_per_s,
		.retransmit_permille = status->retransmit_permille,
		.queue_blocks = status->queue_blocks,
		.permille = status->load_permille,
		.admitting = before.admitting,
		.heavy_ms = before.heavy_ms,
	};
	/* whole fingerprints only */
	s->trust_n = status->trust.n > sizeof(s->trust) ? sizeof(s->trust) : status->trust.n;
	s->trust_n -= s->trust_n % 32;
	if (s->trust_n > 0)
		memcpy(s->trust, status->trust.p, s->trust_n);
	return fresh;
}

int
service_address(const struct service *s, uint8_t family, struct ipaddr *ret)
{
	if (s->address6.family == family && family != 0)
		*ret = s->address6;
	else if (s->address.family == family)
		*ret = s->address;
	else if (s->address.family == 0) /* it listens on all addresses of both */
		*ret = (struct ipaddr){ 0 };
	else
		return -EAFNOSUPPORT;
	return 0;
}

const struct service *
services_pick(
    const struct services *t, enum daemon_kind daemon, struct slice subnet, uint64_t now_ms)
{
	const struct service *best = NULL;
	int best_score = -1;

	for (size_t i = 0; i < t->n; i++) {
		const struct service *s = &t->v[i];
		int score;

		if (s->origin == 0 || s->daemon != daemon)
			continue;
		score = 2 * slice_is(subnet, s->subnet) + service_is_alive(s, now_ms);
		if (best == NULL || score > best_score ||
		    (score == best_score && s->seen_ms > best->seen_ms)) {
			best = s;
			best_score = score;
		}
	}
	return best;
}

enum load_change
services_admission(
    struct services *t, size_t i, uint32_t from_permille, uint32_t slack, uint64_t now_ms)
{
	struct service *s = &t->v[i];
	bool alive = service_is_alive(s, now_ms), was = s->load.admitting;
	uint32_t load = alive ? s->load.permille : 0;

	if (load > 0 && load + (was ? slack : 0) >= from_permille)
		s->load.heavy_ms = now_ms;
	s->load.admitting = alive && from_permille != 0 && s->load.heavy_ms != 0 &&
	                    now_ms - s->load.heavy_ms < (was ? SERVICE_CALM_MS : 1);
	return s->load.admitting == was ? LOAD_SAME : was ? LOAD_EASED : LOAD_HIGH;
}
