/* dhcpproxyd: where codec, sockets and bus meet; see dhcpproxyd.h. */
#include "dhcpproxyd/dhcpproxyd.h"

#include "common/arch.h"
#include "common/log.h"
#include "common/reply.h"
#include "dhcpproxyd/checkup.h"
#include "dhcpproxyd/drops.h"
#include "dhcpproxyd/hold.h"
#include "dhcpproxyd/limits.h"
#include "dhcpproxyd/networks.h"
#include "dhcpproxyd/probe.h"
#include "dhcpproxyd/proxy6.h"
#include "dhcpproxyd/selftest.h"
#include "dhcpproxyd/watch.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_PORT 68
/* The longest that handlerd may have a reply wait: no firmware is more patient. */
#define DELAY_MAX_MS 10000

/* A question under way.  Free ones are chained. */
struct pending {
	struct asked asked;
	struct dhcpproxyd *d;
	struct pending *next;
	struct dhcp_ask ask;
	struct sockaddr_in from;
	int ifindex;
	uint8_t local[4];
	uint32_t asker; /* of watch_discover() */
	bool selftest;
};

struct stats {
	uint64_t discovers;  /* taken from boot clients */
	uint64_t bootserver; /* requests to the boot server */
	uint64_t leases;     /* requests to DHCP servers, noted */
	uint64_t ignored;    /* not from boot clients, or not for us */
	uint64_t malformed;
	uint64_t no_address;              /* came to an interface without an address */
	uint64_t refused;                 /* too many pending */
	uint64_t client_rate, total_rate; /* over these limits */
	uint64_t hold_full;               /* too many replies wait */
	uint64_t delayed;                 /* replies that wait as handlerd says, */
	uint64_t delayed_again;           /* whose clients asked again meanwhile, */
	uint64_t delayed_dropped;         /* or gave their exchange up, */
	uint64_t delayed_not;             /* or that found no room to wait and left at once */
	uint64_t yielded, stepped_in;     /* to the server of yield_to, and for it */
	struct watch_stats watch;
	uint64_t offers;
	uint64_t acks;
	uint64_t silent;     /* handlerd said so */
	uint64_t unanswered; /* handlerd said nothing in time */
	uint64_t unfit;      /* the reply would not fit into what the client takes */
	uint64_t selftests;  /* of the requests, those of a self-test */
	struct ports_stats ports;
	struct proxy6_stats six;
};

#define STAT(member, text)                                                                         \
	{                                                                                          \
#member, offsetof(struct stats, member), text                                      \
	}
#define PORT_STAT2(name, member, text)                                                             \
	{                                                                                          \
#name, offsetof(struct stats, ports.member), text                                  \
	}
#define PORT_STAT(member, text) PORT_STAT2(member, member, text)
#define STAT6(member, text)                                                                        \
	{                                                                                          \
		"ipv6_" #member, offsetof(struct stats, six.member), text                          \
	}
static const struct counter counters[] = {
	PORT_STAT(received, "packets received"),
	STAT(discovers, "DISCOVERs of boot clients"),
	STAT(bootserver, "requests to the boot server"),
	STAT(leases, "requests of boot clients to DHCP servers"),
	STAT(ignored, "packets that are not for a boot server"),
	STAT(malformed, "packets that are no DHCP"),
	PORT_STAT(too_long, "packets too long for DHCP"),
	PORT_STAT2(bad_length, malformed, "packets whose lengths do not fit"),
	PORT_STAT2(bad_checksum, checksum, "packets with a wrong checksum"),
	PORT_STAT(not_ours, "packets to other hosts, seen by a packet socket"),
	PORT_STAT(lost, "packets that found the kernel's queue full"),
	STAT(no_address, "packets on an interface without an address"),
	STAT(refused, "requests dropped because too many were pending"),
	STAT(client_rate, "requests dropped because their client asks too often"),
	STAT(total_rate, "requests dropped because too many clients ask"),
	STAT(hold_full, "replies dropped because too many were waiting for their time"),
	STAT(delayed, "replies that waited because a tftpd has its hands full"),
	STAT(delayed_again, "requests repeated while their reply waited for that"),
	STAT(delayed_dropped, "replies that waited until their client began anew"),
	STAT(delayed_not, "replies sent at once because too many were waiting for that"),
	STAT(yielded, "offers left to a server of yield_to"),
	STAT(stepped_in, "offers made because no server of yield_to did"),
	{ "server_packets", offsetof(struct stats, watch.packets), "packets of other servers" },
	{ "rival_offers", offsetof(struct stats, watch.rivals),
	    "offers of others with something for boot clients" },
	{ "servers_skipped", offsetof(struct stats, watch.skipped),
	    "packets of other servers that were not looked at, too many came" },
	{ "servers_forgotten", offsetof(struct stats, watch.forgotten),
	    "other servers that made room for more" },
	STAT(offers, "offers"),
	STAT(acks, "boot server answers"),
	STAT(silent, "requests that handlerd left to others"),
	STAT(unanswered, "requests that handlerd did not answer in time"),
	STAT(unfit, "answers that do not fit into a packet"),
	STAT(selftests, "requests of self-tests"),
	PORT_STAT(sent, "packets sent"),
	PORT_STAT(send_failed, "packets that could not be sent"),
	PORT_STAT(gone, "replies whose interface was gone"),
	STAT6(received, "IPv6: packets received"),
	STAT6(solicits, "IPv6: SOLICITs of boot clients"),
	STAT6(informs, "IPv6: INFORMATION-REQUESTs of boot clients"),
	STAT6(bootserver, "IPv6: requests to the boot server"),
	STAT6(leases, "IPv6: requests of boot clients to DHCPv6 servers"),
	STAT6(ignored, "IPv6: packets that are not for a boot server"),
	STAT6(malformed, "IPv6: packets that are no DHCPv6"),
	STAT6(too_long, "IPv6: packets too long for DHCPv6"),
	STAT6(bad_length, "IPv6: packets whose lengths do not fit"),
	STAT6(no_address, "IPv6: packets on an interface without an address"),
	STAT6(refused, "IPv6: requests dropped because too many were pending"),
	STAT6(client_rate, "IPv6: requests dropped because their client asks too often"),
	STAT6(total_rate, "IPv6: requests dropped because too many clients ask"),
	STAT6(advertises, "IPv6: ADVERTISEs"),
	STAT6(replies, "IPv6: REPLYs"),
	STAT6(silent, "IPv6: requests that handlerd left to others"),
	STAT6(unanswered, "IPv6: requests that handlerd did not answer in time"),
	STAT6(unfit, "IPv6: answers that do not fit into a packet"),
	STAT6(sent, "IPv6: packets sent"),
	STAT6(send_failed, "IPv6: packets that could not be sent"),
	{ 0 },
};

/* What of these is in the log's line of drops. */
static const struct counter drop_reasons[] = {
	STAT(malformed, "malformed"),
	PORT_STAT(too_long, "too long"),
	PORT_STAT2(bad_length, malformed, "of lengths that do not fit"),
	PORT_STAT2(bad_checksum, checksum, "with a wrong checksum"),
	PORT_STAT(lost, "from the kernel's full queue"),
	PORT_STAT(gone, "replies whose interface was gone"),
	STAT(refused, "while too many were pending"),
	STAT(client_rate, "over client_rate"),
	STAT6(malformed, "malformed (IPv6)"),
	STAT6(too_long, "too long (IPv6)"),
	STAT6(bad_length, "of lengths that do not fit (IPv6)"),
	STAT6(refused, "while too many were pending (IPv6)"),
	STAT6(client_rate, "over client_rate (IPv6)"),
	STAT6(total_rate, "over total_rate (IPv6)"),
	STAT(total_rate, "over total_rate"),
	STAT(hold_full, "while too many replies were waiting"),
	{ "servers_skipped", offsetof(struct stats, watch.skipped),
	    "of other servers, not looked at" },
	{ 0 },
};

struct dhcpproxyd {
	struct dhcpproxyd_conf *conf;
	struct front front;
	struct networks *networks;
	char problem[512]; /* as announced last */
	struct proxy6 *six;
	struct pending *pool, *free_pending;
	size_t npending;
	bool stopping;
	struct stats stats;
	struct limits limits;
	struct drops drops;
	struct holds *holds;
	struct watch *watch;
	struct selftest selftest;
	struct checkup *checkup;
};

/* The address that clients of this interface are told. */
static const uint8_t *
server_address(const struct dhcpproxyd *d, const struct listen_packet *packet)
{
	return d->conf->address.family == 4 ? d->conf->address.b : packet->local;
}

/* A boot client asks a DHCP server for this address: that ties its later file requests to it. */
static void
note_lease(struct dhcpproxyd *d, const struct dhcp_packet *p)
{
	struct slice ip = p->opt[DHCP_OPT_REQUESTED_IP];
	struct boot_event e = { .kind = EVENT_LEASE, .via = VIA_DHCP };

	if (ip.n != 4)
		return;
	d->stats.leases++;
	e.mac = pxe_mac(p);
	e.address = ip_from_v4(ip.p);
	e.subnet = slice_str(d->front.instance);
	bus_event(d->front.bus, &e);
}

/* How long the reply to this request waits. */
static uint32_t
reply_delay(const struct dhcpproxyd *d, const struct dhcp_ask *ask)
{
	uint32_t yield_ms, delay_ms;

	if (ask->kind != ASK_DISCOVER)
		return 0;
	yield_ms = watch_yield_ms(d->watch, ask);
	delay_ms = ask->client.client == CLIENT_IPXE ? 0 : (uint32_t)d->conf->reply_delay_ms;
	return yield_ms > delay_ms ? yield_ms : delay_ms;
}

/* True if a client's request is within the limits. */
static bool
is_within_limits(struct dhcpproxyd *d, const struct dhcp_packet *p)
{
	switch (limits_take(&d->limits, p, loop_now_ms(d->front.loop))) {
	case LIMITS_CLIENT: d->stats.client_rate++; return false;
	case LIMITS_TOTAL: d->stats.total_rate++; return false;
	case LIMITS_PASSED: break;
	}
	return true;
}

/* True if a reply to this request waits already, because handlerd wants it to. */
static bool
is_held(struct dhcpproxyd *d, const struct dhcp_ask *ask)
{
	switch (holds_again(d->holds, &ask->client.mac, ask->xid, ask->boot_port)) {
	case HOLD_SAME: d->stats.delayed_again++; return true;
	case HOLD_DROPPED: d->stats.delayed_dropped++; return false;
	case HOLD_NONE: break;
	}
	return false;
}

static void
ask_handlerd(struct dhcpproxyd *d, const struct listen_packet *packet, const struct dhcp_packet *p,
    const struct dhcp_ask *ask)
{
	struct pending *pending = d->free_pending;
	uint32_t delay_ms = reply_delay(d, ask);
	struct boot_request request;

	if (pending == NULL) {
		d->stats.refused++;
		return;
	}
	pending->ask = *ask;
	pending->from = packet->from;
	pending->ifindex = packet->ifindex;
	memcpy(pending->local, packet->local, 4);
	if (ask->kind == ASK_DISCOVER)
		pending->asker = watch_discover(d->watch, ask);
	ask_to_request(
	    ask, p, d->front.instance, networks_name(d->networks, packet->ifindex), &request);
	request.wait_ms = request.wait_ms > delay_ms ? request.wait_ms - delay_ms : 1;
	pending->selftest = emulated_takes(&d->selftest.emulated, ask, loop_now_ms(d->front.loop));
	request.selftest = pending->selftest;
	d->stats.selftests += pending->selftest;
	if (bus_ask(d->front.bus, &request, pending) == 0) {
		d->stats.refused++;
		return;
	}
	d->free_pending = pending->next;
	d->npending++;
}

static void
take_packet(struct dhcpproxyd *d, const struct listen_packet *packet, bool boot_port)
{
	const uint8_t *server = server_address(d, packet);
	static const uint8_t none[4];
	struct dhcp_packet p;
	enum ask_kind kind;
	struct dhcp_ask ask;

	if (dhcp_parse(packet->bytes, &p) < 0) {
		d->stats.malformed++;
		log_peer_debug("dropped a packet of %zu bytes that is no DHCP", packet->bytes.n);
		return;
	}
	kind = probe_is_one(&p) ? ASK_NOTHING : ask_from_packet(&p, boot_port, server, &ask);
	if (kind != ASK_NOTHING && !is_within_limits(d, &p))
		return;
	switch (kind) {
	case ASK_NOTHING: d->stats.ignored++; return;
	case ASK_LEASE: note_lease(d, &p); return;
	case ASK_DISCOVER: d->stats.discovers++; break;
	case ASK_BOOTSERVER: d->stats.bootserver++; break;
	}
	if (memcmp(server, none, 4) == 0) {
		d->stats.no_address++;
		log_peer_warn("interface %s has no address to answer from",
		    networks_name(d->networks, packet->ifindex));
		return;
	}
	if (!is_held(d, &ask))
		ask_handlerd(d, packet, &p, &ask);
}

static void
on_dhcp_packet(void *arg, const struct listen_packet *packet)
{
	take_packet(arg, packet, false);
}

static void
on_boot_packet(void *arg, const struct listen_packet *packet)
{
	take_packet(arg, packet, true);
}

/*
 * Where a reply goes: an OFFER to the relay, or as a broadcast, for its client has no address yet
 * (RFC 2131 section 4.1); an ACK to exactly where the request came from.
 */
static struct sockaddr_in
destination(const struct pending *pending)
{
	static const uint8_t none[4];
	struct sockaddr_in to = { .sin_family = AF_INET };

	if (pending->ask.boot_port && pending->from.sin_addr.s_addr != INADDR_ANY)
		return pending->from;
	if (memcmp(pending->ask.giaddr, none, 4) != 0) {
		memcpy(&to.sin_addr, pending->ask.giaddr, 4);
		to.sin_port = htons(67); /* relays listen there (RFC 1542 section 5.4) */
	} else if (memcmp(pending->ask.ciaddr, none, 4) != 0) {
		memcpy(&to.sin_addr, pending->ask.ciaddr, 4);
		to.sin_port = htons(CLIENT_PORT);
	} else {
		to.sin_addr.s_addr = INADDR_BROADCAST;
		to.sin_port = htons(CLIENT_PORT);
	}
	return to;
}

static void
report_offer(struct dhcpproxyd *d, const struct held *h)
{
	struct boot_event e = {
		.kind = EVENT_OFFER,
		.via = VIA_DHCP,
		.boot = h->boot,
		.mac = h->mac,
		.address = h->address,
		.subnet = slice_str(d->front.instance),
		.file = h->file,
		.text = slice_str(offer_style_name(h->style)),
	};

	bus_event(d->front.bus, &e);
}

/* A reply leaves, and handlerd is told if it wants to be. */
static void
let_leave(struct dhcpproxyd *d, const struct held *h)
{
	networks_send(
	    d->networks, h->boot_port, h->bytes, &h->to, h->came_by, h->ifindex, h->local);
	if (h->reports)
		report_offer(d, h);
}

static void
on_hold_over(void *arg, const struct held *h)
{
	struct dhcpproxyd *d = arg;

	if (h->yields && watch_is_served(d->watch, h->asker)) {
		d->stats.yielded++;
		return;
	}
	d->stats.stepped_in += h->yields;
	let_leave(d, h);
}

static void
send_reply(struct dhcpproxyd *d, const struct pending *pending, const struct boot_answer *answer,
    struct slice bytes)
{
	uint32_t delay_ms = reply_delay(d, &pending->ask);
	struct held h = {
		.to = destination(pending),
		.came_by = pending->ifindex,
		.boot_port = pending->ask.boot_port,
		.asker = pending->asker,
		.bytes = bytes,
		.xid = pending->ask.xid,
		.mac = pending->ask.client.mac,
		.reports = !answer->told && !pending->selftest,
		.boot = answer->boot,
		.address = ip_from_v4(pending->ask.ciaddr),
		.style = answer->style,
		.file = answer->file,
		.admitted = answer->delay_ms > 0 && !pending->selftest && !d->stopping,
	};

	/* a unicast reply takes the route that there is: it may be another interface */
	h.ifindex = h.to.sin_addr.s_addr == INADDR_BROADCAST ? pending->ifindex : 0;
	memcpy(h.local, pending->local, 4);
	if (h.admitted && answer->delay_ms > delay_ms)
		delay_ms = answer->delay_ms < DELAY_MAX_MS ? answer->delay_ms : DELAY_MAX_MS;
	if (delay_ms == 0) {
		let_leave(d, &h);
		return;
	}
	h.yields = watch_yield_ms(d->watch, &pending->ask) > 0;
	if (holds_add(d->holds, &h, delay_ms) == 0) {
		d->stats.delayed += h.admitted;
	} else if (h.admitted && reply_delay(d, &pending->ask) == 0) {
		/* to be early serves this client better than silence */
		d->stats.delayed_not++;
		let_leave(d, &h);
	} else {
		d->stats.hold_full++; /* the client will ask again */
	}
}

/* One line an exchange, joined with the other daemons' by the boot's id. */
static void
log_exchange(const struct pending *pending, const struct boot_answer *answer, const char *what)
{
	const struct pxe_client *c = &pending->ask.client;
	struct ipaddr relay = ip_from_v4(pending->ask.giaddr);
	char mac_text[MAC_STRLEN], id[BOOT_ID_STRLEN], ip[IP_STRLEN], file[LOG_QUOTE_SIZE];
	char delay[32] = "";

	if (pending->selftest)
		return;
	if (answer->delay_ms > 0)
		(void)snprintf(delay, sizeof(delay), " delay_ms=%u", answer->delay_ms);
	log_peer_info("%s boot=%s mac=%s xid=%08x client=%s arch=%u%s%s style=%s file=%s why=%s%s",
	    what, boot_id_format(answer->boot, id), mac_format(&c->mac, mac_text), pending->ask.xid,
	    boot_client_name(c->client), c->arch, relay.family != 0 ? " giaddr=" : "",
	    ip_format(&relay, ip), offer_style_name(answer->style), log_quote(answer->file, file),
	    boot_reason_name(answer->reason), delay);
}

static void
on_answer(void *arg, void *cookie, const struct boot_answer *answer)
{
	struct dhcpproxyd *d = arg;
	struct pending *pending = cookie;
	uint8_t bytes[DHCP_REPLY_MAX];
	bool left = false;
	struct wbuf w;

	if (((struct asked *)cookie)->ipv6) {
		proxy6_answered(d->six, cookie, answer);
		return;
	}
	if (((struct asked *)cookie)->selftest) {
		checkup_answered(d->checkup, cookie, answer);
		return;
	}
	wbuf_init(&w, bytes, sizeof(bytes));
	if (answer == NULL) {
		d->stats.unanswered++;
		log_peer_warn("no answer from handlerd: staying silent to a client");
	} else if (answer->action != ACTION_OFFER) {
		d->stats.silent++;
		log_exchange(pending, answer, "silent");
	} else if (reply_build(&pending->ask, answer, &w) < 0) {
		d->stats.unfit++;
		log_exchange(pending, answer, "unfit");
	} else {
		bool ack = pending->ask.kind == ASK_BOOTSERVER;

		d->stats.acks += ack;
		d->stats.offers += !ack;
		left = true;
		send_reply(d, pending, answer, wbuf_view(&w));
		log_exchange(pending, answer, ack ? "ack" : "offer");
	}
	if (pending->selftest)
		emulated_note(&d->selftest.emulated, &pending->ask, answer, left);
	pending->next = d->free_pending;
	d->free_pending = pending;
	d->npending--;
}

static void
stop(void *arg)
{
	struct dhcpproxyd *d = arg;

	d->stopping = true;
	holds_flush(d->holds); /* what they wait for may take longer than the end */
	networks_stop(d->networks);
	watch_stop(d->watch);
	proxy6_stop(d->six);
}

static bool
idle(void *arg)
{
	const struct dhcpproxyd *d = arg;

	return d->npending == 0 && holds_count(d->holds) == 0 && proxy6_is_idle(d->six);
}

static void
reloaded(void *arg)
{
	struct dhcpproxyd *d = arg;

	limits_set(&d->limits, d->conf);
	watch_reload(d->watch);
}

static void
gather(void *arg)
{
	struct dhcpproxyd *d = arg;
	networks_get_stats(d->networks, &d->stats.ports);
	watch_get_stats(d->watch, &d->stats.watch);
	proxy6_gather(d->six);
}

static void
announce(void *arg, struct daemon_status *status)
{
	struct dhcpproxyd *d = arg;

	status->address = networks_address(d->networks);
	status->address6 = proxy6_address(d->six);
	status->port = (uint16_t)d->conf->port;
	networks_problem(d->networks, d->problem, sizeof(d->problem));
	status->problem = slice_str(d->problem);
}

static void
add_status(void *arg, json_t *status)
{
	const struct dhcpproxyd *d = arg;

	networks_status(d->networks, status);
}

static void
on_server_event(void *arg, struct boot_event *e)
{
	struct dhcpproxyd *d = arg;

	bus_event(d->front.bus, e);
}

/* --- the control socket --------------------------------------------------------------------- */

static json_t *
rpc_rivals(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	const struct front *f = arg;
	const struct dhcpproxyd *d = f->arg;

	(void)conn;
	(void)params;
	(void)error;
	return watch_dump(d->watch);
}

static json_t *
rpc_rivals_forget(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	const struct front *f = arg;
	const struct dhcpproxyd *d = f->arg;
	const json_t *server = json_object_get(params, "server");

	(void)conn;
	if (server != NULL && !json_is_string(server))
		return rpc_fail(error, RPC_INVALID_PARAMS, "\"server\" is not a string");
	return json_integer((json_int_t)watch_forget(d->watch, json_string_value(server)));
}

static json_t *
rpc_rivals_probe(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	const struct front *f = arg;
	const struct dhcpproxyd *d = f->arg;
	size_t n = watch_probe(d->watch);

	(void)conn;
	(void)params;
	if (n == 0)
		return rpc_fail(error, RPC_FAILED,
		    "there is no interface to ask on, or no CAP_NET_RAW; the log tells");
	return json_integer((json_int_t)n);
}

static json_t *
rpc_selftest_begin(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	const struct front *f = arg;
	struct dhcpproxyd *d = f->arg;

	(void)conn;
	return selftest_begin(&d->selftest, params, error);
}

static json_t *
rpc_selftest_show(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	const struct front *f = arg;
	const struct dhcpproxyd *d = f->arg;

	(void)conn;
	(void)params;
	(void)error;
	return emulated_dump(&d->selftest.emulated);
}

static const struct rpc_method methods[] = {
	{ "rivals.probe", rpc_rivals_probe, "",
	    "asks who is there by DISCOVERs like firmware's: on how many interfaces" },
	{ "rivals", rpc_rivals, "", "the other servers on this network, and what they do" },
	{ "rivals.forget", rpc_rivals_forget, "server?",
	    "forgets the servers with this address or MAC, or all" },
	{ "selftest.begin", rpc_selftest_begin, "macs, seconds, interface?",
	    "for so long, requests of these hardware addresses are answered as any others and "
	    "leave no trace" },
	{ "selftest.show", rpc_selftest_show, "", "what became of their requests" },
	{ 0 },
};

static const struct front_ops ops = {
	.stop = stop,
	.idle = idle,
	.reloaded = reloaded,
	.announce = announce,
	.gather = gather,
	.status = add_status,
};

static int
alloc_pending(struct dhcpproxyd *d)
{
	size_t n = (size_t)d->conf->max_pending;

	d->pool = calloc(n, sizeof(*d->pool));
	if (d->pool == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		d->pool[i].next = d->free_pending;
		d->free_pending = &d->pool[i];
	}
	return 0;
}

static void
on_networks_changed(void *arg)
{
	struct dhcpproxyd *d = arg;

	watch_update(d->watch);
}

static int
open_networks(struct dhcpproxyd *d)
{
	const struct dhcpproxyd_conf *c = d->conf;
	struct networks_conf conf = { .interfaces = &c->interfaces,
		.address = &c->address,
		.listen_dhcp = c->listen_dhcp,
		.listen_boot = c->listen_boot,
		.port = (uint16_t)c->port,
		.boot_port = (uint16_t)c->boot_port,
		.dhcp_socket = (enum ports_mode)c->dhcp_socket,
		.dhcp = on_dhcp_packet,
		.boot = on_boot_packet,
		.changed = on_networks_changed,
		.arg = d };

	return networks_open(d->front.loop, &conf, &d->networks);
}

int
dhcpproxyd_open(struct dhcpproxyd **ret, struct dhcpproxyd_conf *conf, const struct opts *opts)
{
	struct dhcpproxyd *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return -ENOMEM;
	d->conf = conf;
	d->front = (struct front){
		.daemon = DAEMON_DHCPPROXYD,
		.table = &dhcpproxyd_config,
		.conf = conf,
		.opts = opts,
		.ops = &ops,
		.arg = d,
		.counters = counters,
		.counter_base = &d->stats,
		.methods = methods,
		.shares_loop = true,
		/* for interfaces that come after root was given up */
		.keep = (uint64_t)1 << CAP_NET_BIND_SERVICE | (uint64_t)1 << CAP_NET_RAW,
	};
	rc = front_open(&d->front);
	if (rc == 0)
		rc = alloc_pending(d);
	if (rc == 0)
		rc = open_networks(d);
	if (rc == 0) {
		selftest_init(&d->selftest, d->front.loop, d->networks, on_dhcp_packet, d);
		rc = limits_init(&d->limits, conf);
	}
	if (rc == 0)
		rc = drops_open(&d->drops, d->front.loop, drop_reasons, &d->stats, gather, d);
	if (rc == 0)
		rc =
		    holds_new(d->front.loop, (size_t)conf->max_pending, on_hold_over, d, &d->holds);
	if (rc == 0)
		rc = watch_new(d->front.loop, conf, d->networks, d->front.instance, on_server_event,
		    d, &d->watch);
	if (rc == 0)
		rc = proxy6_open(&d->front, conf, d->networks, &d->limits, &d->stats.six, &d->six);
	if (rc < 0) {
		dhcpproxyd_close(d);
		return rc;
	}
	*ret = d;
	return 0;
}

int
dhcpproxyd_run(struct dhcpproxyd *d)
{
	int rc;

	front_drop(&d->front);
	rc = front_connect(&d->front, (uint32_t)d->conf->max_pending, on_answer);
	if (rc == 0 && d->conf->self_test)
		rc = checkup_start(&d->front, d->networks, &d->checkup);
	if (rc < 0)
		return rc;
	return front_run(&d->front);
}

void
dhcpproxyd_close(struct dhcpproxyd *d)
{
	if (d == NULL)
		return;
	checkup_free(d->checkup);
	selftest_fini(&d->selftest);
	watch_free(d->watch);
	holds_free(d->holds);
	drops_close(&d->drops);
	limits_fini(&d->limits);
	networks_close(d->networks);
	proxy6_close(d->six);
	front_close(&d->front);
	free(d->pool);
	free(d);
}
