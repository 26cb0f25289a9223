/* The choice among referral targets; see targets.h. */
#include "handlerd/targets.h"

#include "common/arch.h"
#include "common/pxe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAR_BY_NAME 200 /* above any prefix: 1 + 128 */

const char *
target_probe_name(enum target_probe v)
{
	static const char *const names[TARGET_PROBES] = {
		[PROBE_NONE] = "none",
		[PROBE_TCP] = "tcp",
		[PROBE_TFTP] = "tftp",
		[PROBE_HTTPS] = "https",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

const char *
target_verdict_name(enum target_verdict v)
{
	static const char *const names[TARGET_VERDICTS] = {
		[TARGET_UP] = "up",
		[TARGET_DOWN] = "down",
		[TARGET_NOT_NAMED] = "not-named",
		[TARGET_NO_FILE] = "no-file",
		[TARGET_SELF] = "leads-to-us",
		[TARGET_VISITED] = "loop",
		[TARGET_HOPS] = "too-many-hops",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

static int
add_target(struct targets *t, const struct target_conf *conf)
{
	struct target *target = &t->v[t->n++];

	target->conf = conf;
	target->near = calloc(conf->near.n + 1, sizeof(*target->near));
	if (target->near == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < conf->near.n; i++) {
		struct target_near *near = &target->near[i];

		near->text = conf->near.v[i];
		near->by_name = cidr_parse(slice_str(near->text), &near->cidr) < 0;
		target->nnear++;
	}
	return conf->url[0] == '\0' ? 0 : url_place_http(conf->url, &target->place);
}

int
targets_new(const struct referral_conf *conf, struct targets **ret)
{
	struct targets *t = calloc(1, sizeof(*t));
	int rc = t == NULL ? -ENOMEM : conf->targets.n > TARGETS_MAX ? -EINVAL : 0;

	for (size_t i = 0; rc == 0 && i < conf->targets.n; i++)
		rc = add_target(t, (const struct target_conf *)conf->targets.v + i);
	if (rc < 0) {
		targets_free(t);
		return rc;
	}
	*ret = t;
	return 0;
}

void
targets_free(struct targets *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].near);
	free(t);
}

static int
place_of_tcp(const struct target_conf *conf, struct probe_place *ret)
{
	const char *at = conf->probe.at;
	struct url_place place;
	char url[TARGET_URL_MAX + 8];

	/* "ADDRESS:PORT" reads as the middle of a URL */
	(void)snprintf(url, sizeof(url), "tcp://%s", at);
	if (at[0] != '\0' ? url_place(url, "tcp", 0, &place) < 0 || url[place.path_at] != '\0'
			  : url_place_http(conf->url, &place) < 0)
		return -EINVAL;
	ret->port = place.port;
	return place.port == 0 ? -EINVAL : ip_parse(slice_str(place.host), &ret->address);
}

static int
place_of_tftp(const struct target_conf *conf, struct probe_place *ret)
{
	const char *at = conf->probe.at;
	struct url_place place;

	ret->address = conf->next_server;
	ret->port = 69;
	if (strncmp(at, "tftp://", 7) == 0) {
		if (url_place(at, "tftp", 69, &place) < 0 || at[place.path_at] != '/' ||
		    ip_parse(slice_str(place.host), &ret->address) < 0)
			return -EINVAL;
		ret->port = place.port;
		at += place.path_at + 1;
	}
	for (size_t i = 0; at[0] == '\0' && i < conf->files.n; i++) {
		const struct target_file *f = (const struct target_file *)conf->files.v + i;

		if (strchr(f->arch, '-') == NULL) /* those of HTTP Boot are URLs */
			at = f->file;
	}
	if (at[0] == '\0' || ip_is_any(&ret->address))
		return -EINVAL;
	(void)snprintf(ret->what, sizeof(ret->what), "%s", at);
	return 0;
}

static int
place_of_https(const struct target_conf *conf, struct probe_place *ret)
{
	bool own = conf->probe.at[0] != '\0';
	const char *url = own ? conf->probe.at : conf->url;
	struct url_place place;

	if (url_place_http(url, &place) < 0)
		return -EINVAL;
	if (own)
		(void)snprintf(ret->what, sizeof(ret->what), "%s", url);
	else if (place.path_at >= TARGET_URL_MAX)
		return -EINVAL;
	else
		(void)snprintf(ret->what, sizeof(ret->what), "%.*s/", (int)place.path_at, url);
	return 0;
}

int
target_probe_place(const struct target_conf *conf, struct probe_place *ret)
{
	*ret = (struct probe_place){ .port = 0 };
	switch ((enum target_probe)conf->probe.kind) {
	case PROBE_TCP: return place_of_tcp(conf, ret);
	case PROBE_TFTP: return place_of_tftp(conf, ret);
	case PROBE_HTTPS: return place_of_https(conf, ret);
	default: return -EINVAL;
	}
}

bool
target_health_note(struct target_health *h, const struct target_conf *conf, const char *why,
    uint32_t took_ms, uint64_t now_ms)
{
	bool failed = why != NULL;
	unsigned needed = (unsigned)(failed ? conf->probe.fall : conf->probe.rise);
	bool changed = false;

	h->probes++;
	h->failures += failed;
	h->probed_ms = now_ms;
	h->took_ms = took_ms;
	(void)snprintf(h->why, sizeof(h->why), "%s", failed ? why : "");
	if (failed == h->down)
		h->run = 0;
	else if (++h->run >= needed || !h->probed)
		changed = true;
	h->probed = true;
	if (changed) {
		h->down = failed;
		h->run = 0;
		h->since_ms = now_ms;
	}
	return changed;
}

/* --- the choice ----------------------------------------------------------------------------- */

struct pick {
	const struct referral_self *self;
	const struct boot_request *r;
	const char *const *names;
	size_t nnames;
	bool visited, too_far; /* these hold for all targets alike */
	const struct ipaddr *place;
	uint64_t machine; /* a hash of what tells it apart */
};

/* FNV-1a, in which the values of several calls can be strung together. */
static uint64_t
hash(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* Spreads what differs in few bits over all of them (the finaliser of splitmix64). */
static uint64_t
mix(uint64_t h)
{
	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 31;
}

/* log2(2^64 / h), in steps of 2^-16. */
static uint64_t
log2_share(uint64_t h)
{
	unsigned whole = 63 - (unsigned)__builtin_clzll(h | 1);
	uint64_t m = (h | 1) << (63 - whole) >> 32; /* the number, scaled to [2^31, 2^32) */
	uint64_t fraction = 0;

	for (int i = 0; i < 16; i++) {
		uint64_t square = m * m; /* each squaring yields one more bit of the logarithm */

		fraction = fraction << 1 | square >> 63;
		m = square >> 63 != 0 ? square >> 32 : square >> 31;
	}
	return (UINT64_C(64) << 16) - ((uint64_t)whole << 16 | fraction);
}

/*
 * Weighted rendezvous hashing: with h uniform in (0, 1), -log(h) / weight is smallest for each
 * target in proportion to its weight, and no other target has a part in it.
 */
static uint64_t
cost_of(const struct pick *p, const struct target_conf *conf)
{
	uint64_t h = mix(hash(p->machine, conf->name, strlen(conf->name)));

	return conf->weight <= 0 ? UINT64_MAX : (log2_share(h) << 32) / (uint64_t)conf->weight;
}

static uint64_t
machine_hash(const struct boot_request *r)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	if (r->mac.len > 0)
		return hash(h, r->mac.b, r->mac.len);
	if (r->has_uuid)
		return hash(h, r->uuid.b, sizeof(r->uuid.b));
	return hash(h, r->address.b, r->address.family == 4 ? 4 : 16);
}

/* Firmware is given a file, iPXE a URL; what asks for a script is iPXE. */
static bool
wants_url(const struct boot_request *r)
{
	return r->client == CLIENT_IPXE ||
	       (r->stage != STAGE_DISCOVER && r->stage != STAGE_BOOTSERVER);
}

static const char *
file_for(const struct target_conf *conf, const struct boot_request *r)
{
	const struct arch *arch = arch_find(r->arch);
	bool http = pxe_wants_url(r->client, r->arch);
	char name[32];

	if (arch->cpu == ARCH_CPU_NONE || (!http && conf->next_server.family == 0))
		return NULL;
	(void)snprintf(name, sizeof(name), "%s%s", arch_cpu_name(arch->cpu), http ? "-http" : "");
	for (size_t i = 0; i < conf->files.n; i++) {
		const struct target_file *f = (const struct target_file *)conf->files.v + i;

		if (strcmp(f->arch, name) == 0)
			return f->file;
	}
	return NULL;
}

static bool
is_our_place(const struct referral_self *self, const struct url_place *place)
{
	for (size_t i = 0; i < self->nplaces; i++) {
		if (self->places[i].port == place->port &&
		    strcmp(self->places[i].host, place->host) == 0)
			return true;
	}
	return false;
}

static bool
leads_to_us(const struct pick *p, const struct target *target, const struct target_choice *c)
{
	const struct url_place *place = &target->place;
	struct url_place own;

	if (!c->by_url) {
		for (size_t i = 0; i < p->self->naddresses; i++) {
			if (ip_eq(&p->self->addresses[i], &c->server))
				return true;
		}
		return false;
	}
	if (c->file != target->conf->url) {
		if (url_place_http(c->file, &own) < 0)
			return false;
		place = &own;
	}
	return is_our_place(p->self, place);
}

static bool
is_named(const struct pick *p, const char *name)
{
	for (size_t i = 0; i < p->nnames; i++) {
		if (strcmp(p->names[i], name) == 0)
			return true;
	}
	return p->nnames == 0;
}

/* 0 for a target that is near to nobody in particular. */
static void
find_near(const struct pick *p, const struct target *target, struct target_choice *c)
{
	c->nearness = target->nnear > 0 ? -1 : 0;
	for (size_t i = 0; i < target->nnear; i++) {
		const struct target_near *near = &target->near[i];
		int found = -1;

		if (near->by_name && slice_is(p->r->subnet, near->text))
			found = NEAR_BY_NAME;
		else if (!near->by_name && cidr_holds(&near->cidr, p->place))
			found = 1 + near->cidr.bits;
		if (found > c->nearness) {
			c->nearness = found;
			c->near = near->text;
		}
	}
}

static void
judge(const struct pick *p, const struct target *target, const struct target_health *health,
    struct target_choice *c)
{
	const struct target_conf *conf = target->conf;

	*c = (struct target_choice){ .target = target, .health = health };
	find_near(p, target, c);
	c->cost = cost_of(p, conf);
	c->by_url = wants_url(p->r) || pxe_wants_url(p->r->client, p->r->arch);
	c->file = file_for(conf, p->r);
	if (wants_url(p->r))
		c->file = conf->url[0] != '\0' ? conf->url : NULL;
	if (!c->by_url)
		c->server = conf->next_server;
	if (!is_named(p, conf->name))
		c->verdict = TARGET_NOT_NAMED;
	else if (c->file == NULL)
		c->verdict = TARGET_NO_FILE;
	else if (leads_to_us(p, target, c))
		c->verdict = TARGET_SELF;
	else if (p->visited)
		c->verdict = TARGET_VISITED;
	else if (p->too_far)
		c->verdict = TARGET_HOPS;
	else
		c->verdict = health != NULL && health->down ? TARGET_DOWN : TARGET_UP;
	if (!target_is_usable(c))
		c->file = NULL;
}

bool
target_is_usable(const struct target_choice *c)
{
	return c->verdict == TARGET_UP || c->verdict == TARGET_DOWN;
}

/* True if `a` goes before `b`; both came in the order of the configuration. */
static bool
is_better(const struct target_choice *a, const struct target_choice *b)
{
	if (!target_is_usable(a) || !target_is_usable(b))
		return target_is_usable(a) && !target_is_usable(b);
	if (a->verdict != b->verdict)
		return a->verdict == TARGET_UP;
	if (a->nearness != b->nearness)
		return a->nearness > b->nearness;
	if (a->target->conf->order != b->target->conf->order)
		return a->target->conf->order < b->target->conf->order;
	return a->cost < b->cost;
}

size_t
targets_pick(const struct targets *t, const struct target_health *health,
    const struct referral_self *self, int64_t max_hops, const struct boot_request *r,
    struct slice via, const char *const *names, size_t nnames,
    struct target_choice ret[static TARGETS_MAX])
{
	int hops = referral_via_hops(via);
	struct pick p = {
		.self = self,
		.r = r,
		.names = names,
		.nnames = nnames,
		.visited = referral_via_has(via, self->id),
		.too_far = hops < 0 || hops >= max_hops, /* a spoilt mark is not believed */
		.place = !ip_is_any(&r->relay)     ? &r->relay
		         : !ip_is_any(&r->address) ? &r->address
		                                   : &r->server,
		.machine = machine_hash(r),
	};
	size_t usable = 0;

	for (size_t i = 0; i < t->n; i++) {
		struct target_choice c;
		size_t at = i;

		judge(&p, &t->v[i], health != NULL ? &health[i] : NULL, &c);
		usable += target_is_usable(&c);
		for (; at > 0 && is_better(&c, &ret[at - 1]); at--)
			ret[at] = ret[at - 1];
		ret[at] = c;
	}
	return usable;
}
