/* See proxy6.h. */
#include "dhcpproxyd/proxy6.h"

#include "common/log.h"
#include "common/reply6.h"
#include "common/sockaddr.h"
#include "dhcpproxyd/listen6.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_MS 2000 /* between two looks at interfaces and addresses */

/* A question under way. */
struct question {
	struct asked asked;
	bool boot_port;
	struct dhcp6_ask ask;
	struct sockaddr_in6 from;
	struct in6_addr local; /* ours that was asked; unspecified if it was a group */
	int ifindex;
};

struct proxy6 {
	struct front *front;
	const struct dhcpproxyd_conf *conf;
	const struct networks *networks;
	struct limits *limits;
	struct proxy6_stats *stats;
	struct listen6 *dhcp, *boot;
	struct loop_timer refresh;
	struct nets6 nets;
	int scope; /* the interface that the ports are bound to; 0: none */
	size_t npending;
};

/* --- interfaces ----------------------------------------------------------------------------- */

static void
join(struct proxy6 *x, int ifindex)
{
	if (x->dhcp != NULL)
		listen6_join(x->dhcp, ifindex);
	if (x->boot != NULL)
		listen6_join(x->boot, ifindex);
}

/* To the interface, if it is one alone; it may come late, or anew. */
static void
bind_ports(struct proxy6 *x)
{
	struct listen6 *const sockets[] = { x->dhcp, x->boot };
	uint32_t born;
	int scope = networks_scope(x->networks, &born), rc = 0;

	if (scope < 0 || scope == x->scope)
		return;
	for (size_t i = 0; i < NITEMS(sockets) && rc == 0; i++)
		rc = sockets[i] != NULL ? listen6_bind_to(sockets[i], scope) : 0;
	if (rc == 0)
		x->scope = scope;
	else
		log_peer_warn("binding the ports over IPv6 to interface %s: %s",
		    networks_name(x->networks, scope), strerror(-rc));
}

static void
on_refresh(void *arg)
{
	struct proxy6 *x = arg;
	int rc = nets6_read(&x->nets);

	bind_ports(x);
	if (rc < 0)
		log_peer_warn("reading the addresses of IPv6: %s", strerror(-rc));
	for (size_t i = 0; i < x->nets.n; i++) {
		if (networks_serve(x->networks, x->nets.v[i].ifindex))
			join(x, x->nets.v[i].ifindex);
	}
	(void)loop_timer_set(x->front->loop, &x->refresh, REFRESH_MS);
}

/*
 * The address that a client is told: the configured one, the one that it asked, the best of the
 * interface.  One of the link is good for clients on it alone.
 */
static struct ipaddr
server_address(const struct proxy6 *x, const struct listen6_packet *packet, bool relayed)
{
	const struct net6 *net = nets6_find(&x->nets, packet->ifindex);
	bool usable = !IN6_IS_ADDR_MULTICAST(&packet->to) && !IN6_IS_ADDR_LINKLOCAL(&packet->to) &&
	              !IN6_IS_ADDR_UNSPECIFIED(&packet->to);

	if (x->conf->address6.family == 6)
		return x->conf->address6;
	if (x->conf->address.family == 6)
		return x->conf->address;
	if (usable)
		return ip_from_in6(&packet->to);
	if (net == NULL)
		return (struct ipaddr){ 0 };
	if (net->global.family != 0 || relayed)
		return net->global;
	return net->link;
}

/* --- questions ------------------------------------------------------------------------------ */

/* A boot client asks a DHCPv6 server for this address: that ties its later requests to it. */
static void
note_lease(struct proxy6 *x, const struct macaddr *mac, const struct ipaddr *lease)
{
	struct boot_event e = {
		.kind = EVENT_LEASE,
		.via = VIA_DHCP,
		.mac = *mac,
		.address = *lease,
		.subnet = slice_str(x->front->instance),
	};

	if (mac->len == 0)
		return;
	x->stats->leases++;
	bus_event(x->front->bus, &e);
}

static void
ask_handlerd(struct proxy6 *x, const struct listen6_packet *packet, const struct dhcp6_packet *p,
    const struct dhcp6_ask *ask, bool boot_port)
{
	struct boot_request request;
	struct question *q = NULL;

	if (x->npending < (size_t)x->conf->max_pending)
		q = malloc(sizeof(*q));
	if (q == NULL) {
		x->stats->refused++;
		log_peer_warn(
		    "dropped a request over IPv6: %zu are waiting for handlerd", x->npending);
		return;
	}
	*q = (struct question){
		.asked = { .ipv6 = true },
		.boot_port = boot_port,
		.ask = *ask,
		.from = packet->from,
		.local = IN6_IS_ADDR_MULTICAST(&packet->to) ? in6addr_any : packet->to,
		.ifindex = packet->ifindex,
	};
	ask6_to_request(
	    &q->ask, p, x->front->instance, networks_name(x->networks, packet->ifindex), &request);
	if (bus_ask(x->front->bus, &request, q) == 0) {
		x->stats->refused++;
		free(q);
		return;
	}
	x->npending++;
}

static bool
is_over_limit(struct proxy6 *x, const struct dhcp6_ask *ask)
{
	struct slice who = { ask->client_id, ask->client_id_n };

	/* a DUID is as long and as new as its sender wants it to be */
	if (ask->mac.len > 0)
		who = (struct slice){ ask->mac.b, ask->mac.len };
	switch (limits_take_client(x->limits, who, loop_now_ms(x->front->loop))) {
	case LIMITS_CLIENT: x->stats->client_rate++; return true;
	case LIMITS_TOTAL: x->stats->total_rate++; return true;
	default: return false;
	}
}

static void
take_packet(struct proxy6 *x, const struct listen6_packet *packet, bool boot_port)
{
	struct dhcp6_place place = { .boot_port = boot_port, .boot_server_too = x->boot != NULL };
	struct dhcp6_packet p;
	struct dhcp6_ask ask;
	enum ask_kind kind;
	struct ipaddr lease;

	if (!networks_serve(x->networks, packet->ifindex))
		return; /* what a bound device would not have let in */
	if (dhcp6_parse(packet->bytes, &p) < 0) {
		x->stats->malformed++;
		log_peer_debug("dropped a packet of %zu bytes that is no DHCPv6", packet->bytes.n);
		return;
	}
	place.from = ip_from_in6(&packet->from.sin6_addr);
	place.server = server_address(x, packet, p.nrelays > 0);
	kind = ask6_from_packet(&p, &place, &ask, &lease);
	if (kind != ASK_NOTHING && is_over_limit(x, &ask))
		return;
	switch (kind) {
	case ASK_NOTHING: x->stats->ignored++; return;
	case ASK_LEASE: note_lease(x, &ask.mac, &lease); return;
	case ASK_DISCOVER:
		x->stats->solicits += ask.reply == DHCP6_ADVERTISE;
		x->stats->informs += ask.reply != DHCP6_ADVERTISE;
		break;
	case ASK_BOOTSERVER: x->stats->bootserver++; break;
	}
	if (place.server.family == 0) {
		x->stats->no_address++;
		log_peer_warn("interface %s has no IPv6 address to tell clients",
		    networks_name(x->networks, packet->ifindex));
		return;
	}
	ask_handlerd(x, packet, &p, &ask, boot_port);
}

static void
on_dhcp_packet(void *arg, const struct listen6_packet *packet)
{
	take_packet(arg, packet, false);
}

static void
on_boot_packet(void *arg, const struct listen6_packet *packet)
{
	take_packet(arg, packet, true);
}

/* --- answers -------------------------------------------------------------------------------- */

static void
send_reply(struct proxy6 *x, const struct question *q, struct slice bytes)
{
	struct listen6 *s = q->boot_port ? x->boot : x->dhcp;
	struct sockaddr_in6 to = q->from;
	bool of_link = IN6_IS_ADDR_LINKLOCAL(&to.sin6_addr);

	/* a relay listens at 547, unless it said otherwise (RFC 8357) */
	if (q->ask.nrelays > 0 && !q->ask.relay_port)
		to.sin6_port = htons(DHCP6_SERVER_PORT);
	if (of_link)
		to.sin6_scope_id = (uint32_t)q->ifindex;
	listen6_send(s, bytes, &to, &q->local, of_link ? q->ifindex : 0);
}

/* One line an exchange, joined with the other daemons' by the boot's id. */
static void
log_exchange(const struct question *q, const struct boot_answer *answer, const char *what)
{
	const struct pxe_client *c = &q->ask.client;
	char mac[MAC_STRLEN], id[BOOT_ID_STRLEN], relay[IP_STRLEN], file[LOG_QUOTE_SIZE];
	char from[IP_STRLEN];
	struct ipaddr ip = ip_from_in6(&q->from.sin6_addr);

	log_peer_info("%s boot=%s mac=%s xid=%06x from=%s client=%s arch=%u%s%s style=%s file=%s "
		      "why=%s",
	    what, boot_id_format(answer->boot, id), mac_format(&q->ask.mac, mac), q->ask.xid,
	    ip_format(&ip, from), boot_client_name(c->client), c->arch,
	    q->ask.relay.family != 0 ? " link=" : "", ip_format(&q->ask.relay, relay),
	    offer_style_name(answer->style), log_quote(answer->file, file),
	    boot_reason_name(answer->reason));
}

static void
report_offer(struct proxy6 *x, const struct question *q, const struct boot_answer *answer)
{
	struct boot_event e = {
		.kind = EVENT_OFFER,
		.via = VIA_DHCP,
		.boot = answer->boot,
		.mac = q->ask.mac,
		.address = q->ask.address,
		.subnet = slice_str(x->front->instance),
		.file = answer->file,
		.text = slice_str(offer_style_name(answer->style)),
	};

	bus_event(x->front->bus, &e);
}

void
proxy6_answered(struct proxy6 *x, struct asked *asked, const struct boot_answer *answer)
{
	struct question *q = (struct question *)asked;
	uint8_t bytes[DHCP6_REPLY_MAX];
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	if (answer == NULL) {
		x->stats->unanswered++;
		log_peer_warn("no answer from handlerd: staying silent to a client over IPv6");
	} else if (answer->action != ACTION_OFFER) {
		x->stats->silent++;
		log_exchange(q, answer, "silent");
	} else if (reply6_build(&q->ask, answer, &w) < 0) {
		x->stats->unfit++;
		log_exchange(q, answer, "unfit");
	} else {
		bool advertise = q->ask.reply == DHCP6_ADVERTISE;

		x->stats->advertises += advertise;
		x->stats->replies += !advertise;
		send_reply(x, q, wbuf_view(&w));
		log_exchange(q, answer, advertise ? "advertise" : "reply");
		report_offer(x, q, answer);
	}
	x->npending--;
	free(q);
}

/* --- opening -------------------------------------------------------------------------------- */

static int
open_port(struct proxy6 *x, uint16_t port, bool raw, listen6_packet_fn *fn, struct listen6 **ret)
{
	int rc = listen6_open(x->front->loop, port, raw, fn, x, ret);

	if (rc < 0)
		log_warnx("port %u over IPv6: %s: %s%s", port, raw ? "raw socket" : "socket",
		    strerror(-rc),
		    rc == -EPERM        ? " (it needs CAP_NET_RAW)"
		    : rc == -EADDRINUSE ? " (another daemon holds it and does not share)"
					: "");
	return rc;
}

static int
open_ports(struct proxy6 *x)
{
	int mode = x->conf->listen_dhcp6, rc;

	rc = open_port(x, DHCP6_SERVER_PORT, mode != DHCP6_LISTEN_UDP, on_dhcp_packet, &x->dhcp);
	if (rc == -EPERM && mode == DHCP6_LISTEN_AUTO)
		rc = open_port(x, DHCP6_SERVER_PORT, false, on_dhcp_packet, &x->dhcp);
	if (rc == 0 && x->conf->listen_boot)
		rc = open_port(x, (uint16_t)x->conf->boot_port, false, on_boot_packet, &x->boot);
	return rc;
}

int
proxy6_open(struct front *front, const struct dhcpproxyd_conf *conf,
    const struct networks *networks, struct limits *limits, struct proxy6_stats *stats,
    struct proxy6 **ret)
{
	struct proxy6 *x;
	int rc;

	if (conf->listen_dhcp6 == DHCP6_LISTEN_OFF)
		return 0;
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return -ENOMEM;
	x->front = front;
	x->conf = conf;
	x->networks = networks;
	x->limits = limits;
	x->stats = stats;
	loop_timer_init(&x->refresh, on_refresh, x);
	rc = open_ports(x);
	if (rc == 0) {
		on_refresh(x);
		*ret = x;
		return 0;
	}
	proxy6_close(x);
	if (conf->listen_dhcp6 == DHCP6_LISTEN_AUTO) {
		log_warnx("listen_dhcp6: going on without IPv6");
		return 0;
	}
	log_errx("listen_dhcp6: %s", strerror(-rc));
	return rc;
}

void
proxy6_close(struct proxy6 *x)
{
	if (x == NULL)
		return;
	loop_timer_clear(x->front->loop, &x->refresh);
	listen6_close(x->dhcp);
	listen6_close(x->boot);
	free(x);
}

void
proxy6_stop(struct proxy6 *x)
{
	if (x == NULL)
		return;
	listen6_stop(x->dhcp);
	listen6_stop(x->boot);
}

bool
proxy6_is_idle(const struct proxy6 *x)
{
	return x == NULL || x->npending == 0;
}

struct ipaddr
proxy6_address(const struct proxy6 *x)
{
	struct ipaddr found = { 0 };

	if (x == NULL || x->conf->address6.family != 0)
		return x != NULL ? x->conf->address6 : found;
	for (size_t i = 0; i < x->nets.n; i++) {
		const struct net6 *net = &x->nets.v[i];

		if (net->global.family == 0 || !networks_serve(x->networks, net->ifindex))
			continue;
		if (found.family != 0)
			return (struct ipaddr){ 0 };
		found = net->global;
	}
	return found;
}

void
proxy6_gather(struct proxy6 *x)
{
	const struct listen6 *sockets[2];

	if (x == NULL)
		return;
	sockets[0] = x->dhcp;
	sockets[1] = x->boot;
	x->stats->received = x->stats->too_long = x->stats->sent = x->stats->send_failed = 0;
	x->stats->bad_length = 0;
	for (size_t i = 0; i < NITEMS(sockets); i++) {
		struct listen6_stats s;

		if (sockets[i] == NULL)
			continue;
		listen6_get_stats(sockets[i], &s);
		x->stats->received += s.received;
		x->stats->too_long += s.too_long;
		x->stats->bad_length += s.malformed;
		x->stats->sent += s.sent;
		x->stats->send_failed += s.send_failed;
	}
}
