/* See watch.h. */
#include "dhcpproxyd/watch.h"

#include "common/log.h"
#include "common/rival.h"
#include "dhcpproxyd/probe.h"
#include "dhcpproxyd/rate.h"
#include "dhcpproxyd/seen.h"
#include "dhcpproxyd/servers.h"
#include "dhcpproxyd/tap.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define OWN_MAX       64
#define OWN_MS        5000  /* between two looks at our own addresses */
#define HOST_MS       30000 /* and for other servers on this host */
#define QUEUE         64
#define CLIENTS       16384 /* whose DISCOVERs are remembered, 12 bytes each */
#define IPXE_YIELD_MS 900   /* iPXE leaves after 2 s, and its tries are 1 s apart */
#define CLIENT_PORT   68
#define RELAY_PORT    67
#define BOOT_PORT     4011

/* How many packets of servers are looked at; a flood of them must not take the whole process. */
static const struct rate_limit look_limit = { 2000, 4000 };
/* And how many are told of: who pretends to be ever new servers fills no log. */
static const struct rate_limit tell_limit = { 2, 60 };

struct queued {
	struct tap_packet packet;
	uint8_t bytes[TAP_PACKET];
};

struct watch {
	struct loop *loop;
	const struct dhcpproxyd_conf *conf;
	const struct networks *networks;
	const char *subnet;
	watch_event_fn *event;
	void *arg;
	struct tap *tap;
	int ifindex; /* that it looks at, of networks_scope() */
	uint32_t born;
	int error; /* why there is none, as it was logged */
	bool stopped;
	struct probe *probe;
	struct rivals rivals;
	struct seen *seen;
	struct servers expected, siblings, yield_to;
	struct rate_bucket looks, tells;
	struct loop_timer own_timer, host_timer;
	bool outgoing;
	struct ipaddr own[OWN_MAX];
	size_t nown;
	struct watch_stats stats;
	struct loop_hook hook;
	size_t nqueue;
	struct queued queue[QUEUE];
};

static void
look_at_own(void *arg)
{
	struct watch *w = arg;
	struct ifaddrs *list;

	(void)loop_timer_set(w->loop, &w->own_timer, OWN_MS); /* else as it was is as good */
	if (getifaddrs(&list) < 0)
		return;
	w->nown = 0;
	if (w->conf->address.family == 4)
		w->own[w->nown++] = w->conf->address;
	for (const struct ifaddrs *i = list; i != NULL && w->nown < OWN_MAX; i = i->ifa_next) {
		struct sockaddr_in sin;

		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET)
			continue;
		memcpy(&sin, i->ifa_addr, sizeof(sin));
		w->own[w->nown++] = ip_from_v4((const uint8_t *)&sin.sin_addr);
	}
	freeifaddrs(list);
}

/* The port in a line of the kernel's table of sockets: "  12: 00000000:0043 ..."; 0 without. */
static unsigned long
port_of(const char *line)
{
	const char *at = strchr(line, ':');

	at = at != NULL ? strchr(at + 1, ':') : NULL;
	return at != NULL ? strtoul(at + 1, NULL, 16) : 0;
}

/* How many sockets of this host have the port of DHCP servers. */
static size_t
count_dhcp_sockets(void)
{
	FILE *f = fopen("/proc/self/net/udp", "re");
	char line[512];
	size_t n = 0;

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		n += port_of(line) == RELAY_PORT;
	(void)fclose(f); /* it was only read */
	return n;
}

/*
 * What this host sends is looked at only while somebody else here has the port, as that costs each
 * packet that leaves a little.
 */
static void
look_at_host(void *arg)
{
	struct watch *w = arg;
	size_t ours = w->conf->port == RELAY_PORT ? networks_udp_sockets(w->networks) : 0;
	bool outgoing = count_dhcp_sockets() > ours;

	(void)loop_timer_set(w->loop, &w->host_timer, HOST_MS);
	if (w->tap == NULL || outgoing == w->outgoing)
		return;
	if (tap_set_outgoing(w->tap, outgoing) < 0)
		return; /* an old kernel: it sees all, always */
	w->outgoing = outgoing;
	log_debug("servers on this host are %s", outgoing ? "watched" : "not watched");
}

static bool
is_own(const struct watch *w, const struct ipaddr *ip)
{
	for (size_t i = 0; i < w->nown; i++) {
		if (ip_eq(&w->own[i], ip))
			return true;
	}
	return false;
}

/* --- telling -------------------------------------------------------------------------------- */

static void
log_server(const struct rival *r, enum rival_client client, enum rival_news news)
{
	const struct rival_offer *o = &r->to[client];
	const struct rival_judgement *j = rival_judge(client, o);
	char ip[IP_STRLEN], mac[MAC_STRLEN], next[IP_STRLEN], sends[256], file[LOG_QUOTE_SIZE];
	bool harmful = j->effect >= RIVAL_LOSES && !r->is_expected && !r->is_sibling;
	bool has_file = o->file[0] != '\0', has_cure = harmful && j->cure[0] != '\0';

	(harmful ? log_warnx : log_info)(
	    "server address=%s mac=%s interface=%s for=%s sends=%s%s%s%s%s effect=%s%s%s: %s%s%s",
	    ip_format(&r->address, ip), mac_format(&r->mac, mac), r->interface,
	    rival_client_name(client), rival_sends_format(o->sends, sends, sizeof(sends)),
	    o->next.family != 0 ? " next=" : "", ip_format(&o->next, next),
	    has_file ? " file=" : "", has_file ? log_quote(slice_str(o->file), file) : "",
	    rival_effect_name(j->effect), news == RIVAL_CHANGED ? " changed" : "",
	    r->is_sibling    ? " sibling"
	    : r->is_expected ? " expected"
			     : "",
	    j->words, has_cure ? "; to cure it, " : "", has_cure ? j->cure : "");
}

static void
send_event(const struct watch *w, struct rival *r, enum rival_client client)
{
	struct rival_offer *o = &r->to[client];
	struct boot_event e = {
		.kind = EVENT_RIVAL,
		.via = VIA_DHCP,
		.mac = r->mac,
		.address = r->address,
		.bytes = o->untold,
		.subnet = slice_str(w->subnet),
		.file = slice_str(o->file),
		.interface = slice_str(r->interface),
		.rival_client = client,
		.rival_sends = o->sends | (r->is_expected ? RIVAL_IS_EXPECTED : 0) |
		               (r->is_sibling ? RIVAL_IS_SIBLING : 0),
		.rival_next = o->next,
	};

	o->untold = 0;
	w->event(w->arg, &e);
}

static void
tell(struct watch *w, struct rival *r, enum rival_client client, uint64_t now_ms)
{
	struct rate_bucket before = w->tells;
	enum rival_news news;

	if (!rate_take(&w->tells, &tell_limit, now_ms))
		return; /* its next packet may find room */
	news = rival_tell(r, client, now_ms);
	if (news == RIVAL_NO_NEWS)
		w->tells = before;
	else
		send_event(w, r, client);
	if (news == RIVAL_FIRST || news == RIVAL_CHANGED)
		log_server(r, client, news);
}

/* --- looking -------------------------------------------------------------------------------- */

/* The client that a packet is for, as watch_discover() counts it. */
static uint32_t
client_of(const struct watch *w, const struct dhcp_packet *p)
{
	return seen_hash(w->seen, p->xid, (struct slice){ p->chaddr, p->hlen });
}

static void
look_at(struct watch *w, const struct tap_packet *packet)
{
	uint64_t now_ms = loop_now_ms(w->loop), wall_ms;
	struct rival_id id = { .subnet = slice_str(w->subnet), .mac.len = 6 };
	struct rival_offer offer;
	struct dhcp_packet p;
	enum rival_client client;
	struct rival *r;
	bool is_new;

	if (dhcp_parse(packet->bytes, &p) < 0 || rival_read(&p, packet->from, packet->from_port,
						     w->own, w->nown, &id.address, &offer) < 0)
		return;
	/* ours, or of another proxy on this host, which cannot be told apart */
	if ((offer.sends & RIVAL_SENDS_ADDRESS) == 0 && is_own(w, &id.address))
		return;
	memcpy(id.mac.b, packet->from_mac, 6);
	id.interface = slice_str(networks_name(w->networks, packet->ifindex));
	if ((offer.sends & RIVAL_SENDS_BOOT) != 0 &&
	    servers_has(&w->yield_to, &id.address, &id.mac))
		seen_served(w->seen, client_of(w, &p), now_ms);
	client = seen_kind(w->seen, client_of(w, &p), now_ms);
	wall_ms = wall_clock_ms();
	r = rivals_note(&w->rivals, &id, wall_ms, &is_new);
	r->is_expected = servers_has(&w->expected, &id.address, &id.mac) ||
	                 servers_has(&w->yield_to, &id.address, &id.mac);
	r->is_sibling = servers_has(&w->siblings, &id.address, &id.mac);
	w->stats.rivals += (offer.sends & RIVAL_SENDS_BOOT) != 0 && !r->is_sibling;
	rival_note_offer(r, client, &offer, wall_ms);
	tell(w, r, client, wall_ms);
}

static void
look_at_queue(void *arg)
{
	struct watch *w = arg;

	for (size_t i = 0; i < w->nqueue; i++)
		look_at(w, &w->queue[i].packet);
	w->nqueue = 0;
}

/* Of these each one counts: what is not seen is answered by us, too. */
static bool
is_yielded_to(const struct watch *w, const struct tap_packet *packet)
{
	const struct ipaddr from = ip_from_v4(packet->from);
	struct macaddr mac = { .len = 6 };

	memcpy(mac.b, packet->from_mac, 6);
	return w->yield_to.n > 0 && servers_has(&w->yield_to, &from, &mac);
}

/*
 * Packets are looked at when all that came in this round of the loop is read: a fast server's
 * offer may be read before the DISCOVER that it answers.
 */
static void
on_packet(void *arg, const struct tap_packet *packet)
{
	struct watch *w = arg;
	struct queued *q;

	if (packet->bytes.n == 0 || packet->bytes.p[0] != DHCP_BOOTREPLY)
		return;
	/* several are looked at together with those that are not ours; a VLAN's packets are seen on
	 * the interface below it, too */
	if (w->ifindex == 0 && w->conf->interfaces.n > 0 &&
	    (packet->vlan != 0 || !networks_serve(w->networks, packet->ifindex)))
		return;
	w->stats.packets++;
	if (!rate_take(&w->looks, &look_limit, loop_now_ms(w->loop)) && !is_yielded_to(w, packet)) {
		w->stats.skipped++;
		return;
	}
	if (w->nqueue == QUEUE)
		look_at_queue(w);
	q = &w->queue[w->nqueue++];
	q->packet = *packet;
	memcpy(q->bytes, packet->bytes.p, packet->bytes.n); /* TAP_PACKET at the most */
	q->packet.bytes.p = q->bytes;
}

uint32_t
watch_discover(struct watch *w, const struct dhcp_ask *ask)
{
	uint32_t asker = seen_hash(w->seen, ask->xid, (struct slice){ ask->chaddr, ask->hlen });

	seen_note(w->seen, asker, rival_client_of(ask->client.client, ask->client.arch),
	    loop_now_ms(w->loop));
	return asker;
}

bool
watch_is_served(const struct watch *w, uint32_t asker)
{
	return seen_is_served(w->seen, asker, loop_now_ms(w->loop));
}

uint32_t
watch_yield_ms(const struct watch *w, const struct dhcp_ask *ask)
{
	uint32_t ms = (uint32_t)w->conf->yield_ms;

	if (w->yield_to.n == 0 || w->tap == NULL)
		return 0;
	return ask->client.client == CLIENT_IPXE && ms > IPXE_YIELD_MS ? IPXE_YIELD_MS : ms;
}

/* --- asking ---------------------------------------------------------------------------------- */

static bool
is_served(void *arg, int ifindex)
{
	const struct watch *w = arg;

	return networks_serve(w->networks, ifindex);
}

static void
on_probe(void *arg, enum rival_client kind, uint32_t xid, struct slice mac)
{
	struct watch *w = arg;

	seen_note(w->seen, seen_hash(w->seen, xid, mac), kind, loop_now_ms(w->loop));
}

static int
open_probe(struct watch *w)
{
	const struct probe_conf conf = { .serves = is_served, .sent = on_probe, .arg = w };
	int rc = probe_new(w->loop, &conf, &w->probe);

	if (rc < 0 && rc != -ENOMEM)
		log_warnx("other servers are not asked: %s", strerror(-rc));
	return rc == -ENOMEM ? rc : 0;
}

size_t
watch_probe(struct watch *w)
{
	return w->probe != NULL ? probe_now(w->probe) : 0;
}

/* --- life ----------------------------------------------------------------------------------- */

static void
ignore_error(void *arg, const char *path, const char *what)
{
	(void)arg; /* the configuration was checked when it was read */
	(void)path;
	(void)what;
}

void
watch_reload(struct watch *w)
{
	const struct dhcpproxyd_conf *c = w->conf;

	(void)servers_parse(
	    &c->expected_servers, "expected_servers", ignore_error, NULL, &w->expected);
	(void)servers_parse(&c->siblings, "siblings", ignore_error, NULL, &w->siblings);
	(void)servers_parse(&c->yield_to, "yield_to", ignore_error, NULL, &w->yield_to);
	if (w->probe != NULL)
		probe_set(w->probe, (uint32_t)c->probe_servers_s);
	if (w->yield_to.n > 0 && w->tap == NULL && w->ifindex != -ENODEV)
		log_warnx("yield_to: other servers' offers are not seen here, so nobody is yielded "
			  "to");
}

static void
open_tap(struct watch *w)
{
	struct tap_conf conf = {
		.ports = { CLIENT_PORT, BOOT_PORT, RELAY_PORT },
		.outgoing = true,
		.replies = true,
		.fn = on_packet,
		.arg = w,
	};
	int rc;

	w->ifindex = networks_scope(w->networks, &w->born);
	if (w->ifindex == -ENODEV) { /* until it is there */
		w->error = 0;
		return;
	}
	conf.ifindex = w->ifindex;
	rc = tap_open(w->loop, &conf, &w->tap);
	if (rc < 0 && rc != -ENODEV && rc != w->error)
		log_warnx("other servers are not watched: %s%s", strerror(-rc),
		    rc == -EPERM ? " (CAP_NET_RAW is needed)" : "");
	w->error = rc;
	w->outgoing = true;
	if (rc == 0 && w->stopped)
		tap_stop(w->tap);
}

void
watch_update(struct watch *w)
{
	uint32_t born;

	/* called before it is there while interfaces are asked for */
	if (w == NULL || !w->conf->watch_servers)
		return;
	if (networks_scope(w->networks, &born) == w->ifindex && born == w->born && w->tap != NULL)
		return;
	tap_close(w->tap);
	w->tap = NULL;
	open_tap(w);
	look_at_host(w);
	if (w->probe != NULL && w->tap != NULL)
		probe_soon(w->probe);
}

int
watch_new(struct loop *loop, const struct dhcpproxyd_conf *conf, const struct networks *networks,
    const char *subnet, watch_event_fn *event, void *arg, struct watch **ret)
{
	struct watch *w = calloc(1, sizeof(*w));
	uint64_t key[2];
	int rc;

	if (w == NULL)
		return -ENOMEM;
	*w = (struct watch){
		.loop = loop,
		.conf = conf,
		.networks = networks,
		.subnet = subnet,
		.event = event,
		.arg = arg,
	};
	rc = getrandom(key, sizeof(key), 0) == (ssize_t)sizeof(key) ? 0 : -EIO;
	if (rc == 0)
		rc = rivals_init(&w->rivals, WATCH_SERVERS);
	if (rc == 0)
		rc = seen_new(CLIENTS, key, &w->seen);
	if (rc == 0 && conf->watch_servers)
		open_tap(w);
	if (rc == 0 && conf->watch_servers)
		rc = open_probe(w);
	if (rc < 0) {
		watch_free(w);
		return rc;
	}
	loop_timer_init(&w->own_timer, look_at_own, w);
	loop_timer_init(&w->host_timer, look_at_host, w);
	loop_hook_add(loop, &w->hook, look_at_queue, w);
	w->outgoing = true;
	look_at_own(w);
	look_at_host(w);
	watch_reload(w);
	*ret = w;
	return 0;
}

void
watch_stop(struct watch *w)
{
	w->stopped = true;
	tap_stop(w->tap);
	if (w->probe != NULL)
		probe_set(w->probe, 0);
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	loop_timer_clear(w->loop, &w->own_timer);
	loop_timer_clear(w->loop, &w->host_timer);
	loop_hook_del(w->loop, &w->hook);
	probe_free(w->probe);
	tap_close(w->tap);
	rivals_fini(&w->rivals);
	seen_free(w->seen);
	free(w);
}

void
watch_get_stats(const struct watch *w, struct watch_stats *ret)
{
	*ret = w->stats;
	ret->forgotten = w->rivals.made_room;
}

json_t *
watch_dump(const struct watch *w)
{
	return rivals_dump(&w->rivals);
}

size_t
watch_forget(struct watch *w, const char *name)
{
	return rivals_forget(&w->rivals, name);
}
