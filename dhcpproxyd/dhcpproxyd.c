/* dhcpproxyd: where codec, sockets and bus meet; see dhcpproxyd.h. */
#include "dhcpproxyd/dhcpproxyd.h"

#include "common/arch.h"
#include "common/log.h"
#include "common/reply.h"
#include "dhcpproxyd/listen.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_PORT 68

/* A question under way.  Free ones are chained. */
struct pending {
	struct dhcpproxyd *d;
	struct pending *next;
	struct dhcp_ask ask;
	struct sockaddr_in from;
	int ifindex;
	uint8_t local[4];
};

/* A reply that waits for reply_delay_ms to pass. */
struct delayed {
	struct dhcpproxyd *d;
	struct loop_timer timer;
	struct sockaddr_in to;
	int ifindex;
	uint8_t local[4];
	bool boot_port;
	size_t n;
	uint8_t bytes[DHCP_REPLY_MAX];
};

struct stats {
	uint64_t discovers;  /* taken from boot clients */
	uint64_t bootserver; /* requests to the boot server */
	uint64_t leases;     /* requests to DHCP servers, noted */
	uint64_t ignored;    /* not from boot clients, or not for us */
	uint64_t malformed;
	uint64_t no_address; /* came to an interface without an address */
	uint64_t refused;    /* too many pending */
	uint64_t offers;
	uint64_t acks;
	uint64_t silent;     /* handlerd said so */
	uint64_t unanswered; /* handlerd said nothing in time */
	uint64_t unfit;      /* the reply would not fit into what the client takes */
	uint64_t received, too_long, sent, send_failed; /* of both sockets */
};

#define STAT(member, text)                                                                         \
	{                                                                                          \
#member, offsetof(struct stats, member), text                                      \
	}
static const struct counter counters[] = {
	STAT(received, "packets received"),
	STAT(discovers, "DISCOVERs of boot clients"),
	STAT(bootserver, "requests to the boot server"),
	STAT(leases, "requests of boot clients to DHCP servers"),
	STAT(ignored, "packets that are not for a boot server"),
	STAT(malformed, "packets that are no DHCP"),
	STAT(too_long, "packets too long for DHCP"),
	STAT(no_address, "packets on an interface without an address"),
	STAT(refused, "requests dropped because too many were pending"),
	STAT(offers, "offers"),
	STAT(acks, "boot server answers"),
	STAT(silent, "requests that handlerd left to others"),
	STAT(unanswered, "requests that handlerd did not answer in time"),
	STAT(unfit, "answers that do not fit into a packet"),
	STAT(sent, "packets sent"),
	STAT(send_failed, "packets that could not be sent"),
	{ 0 },
};

struct dhcpproxyd {
	struct dhcpproxyd_conf *conf;
	struct front front;
	struct listen_socket *dhcp, *boot;
	struct pending *pool, *free_pending;
	size_t npending;
	size_t ndelayed;
	bool stopping;
	struct stats stats;

	/* the name of the interface used last, so that it is not looked up for each packet */
	int if_index;
	char if_name[IF_NAMESIZE];
};

static const char *
interface_name(struct dhcpproxyd *d, int ifindex)
{
	if (ifindex != d->if_index || d->if_name[0] == '\0') {
		d->if_index = ifindex;
		if (if_indextoname((unsigned)ifindex, d->if_name) == NULL)
			d->if_name[0] = '\0';
	}
	return d->if_name;
}

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
	e.mac.len = p->hlen;
	memcpy(e.mac.b, p->chaddr, p->hlen);
	e.address = ip_from_v4(ip.p);
	e.subnet = slice_str(d->front.instance);
	bus_event(d->front.bus, &e);
}

static void
ask_handlerd(struct dhcpproxyd *d, const struct listen_packet *packet, const struct dhcp_packet *p,
    const struct dhcp_ask *ask)
{
	struct pending *pending = d->free_pending;
	uint32_t delay_ms = ask->kind == ASK_DISCOVER ? (uint32_t)d->conf->reply_delay_ms : 0;
	struct boot_request request;

	if (pending == NULL) {
		d->stats.refused++;
		log_peer_warn("dropped a request: %zu are waiting for handlerd", d->npending);
		return;
	}
	pending->ask = *ask;
	pending->from = packet->from;
	pending->ifindex = packet->ifindex;
	memcpy(pending->local, packet->local, 4);
	ask_to_request(ask, p, d->front.instance, interface_name(d, packet->ifindex), &request);
	request.wait_ms = request.wait_ms > delay_ms ? request.wait_ms - delay_ms : 1;
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
	struct dhcp_ask ask;

	if (dhcp_parse(packet->bytes, &p) < 0) {
		d->stats.malformed++;
		log_peer_debug("dropped a packet of %zu bytes that is no DHCP", packet->bytes.n);
		return;
	}
	switch (ask_from_packet(&p, boot_port, server, &ask)) {
	case ASK_NOTHING: d->stats.ignored++; return;
	case ASK_LEASE: note_lease(d, &p); return;
	case ASK_DISCOVER: d->stats.discovers++; break;
	case ASK_BOOTSERVER: d->stats.bootserver++; break;
	}
	if (memcmp(server, none, 4) == 0) {
		d->stats.no_address++;
		log_peer_warn("interface %s has no address to answer from",
		    interface_name(d, packet->ifindex));
		return;
	}
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
on_delay(void *arg)
{
	struct delayed *late = arg;
	struct dhcpproxyd *d = late->d;

	listen_send(late->boot_port ? d->boot : d->dhcp, (struct slice){ late->bytes, late->n },
	    &late->to, late->ifindex, late->local);
	d->ndelayed--;
	free(late);
}

static void
send_reply(struct dhcpproxyd *d, const struct pending *pending, struct slice bytes)
{
	bool broadcast, boot_port = pending->ask.boot_port;
	struct sockaddr_in to = destination(pending);
	struct delayed *late;
	int ifindex;

	/* a unicast reply takes the route that there is: it may be another interface */
	broadcast = to.sin_addr.s_addr == INADDR_BROADCAST;
	ifindex = broadcast ? pending->ifindex : 0;
	if (d->conf->reply_delay_ms == 0 || pending->ask.kind != ASK_DISCOVER ||
	    pending->ask.client.client == CLIENT_IPXE ||
	    d->ndelayed >= (size_t)d->conf->max_pending || (late = malloc(sizeof(*late))) == NULL) {
		listen_send(boot_port ? d->boot : d->dhcp, bytes, &to, ifindex, pending->local);
		return;
	}
	*late = (struct delayed){
		.d = d, .to = to, .ifindex = ifindex, .boot_port = boot_port, .n = bytes.n
	};
	memcpy(late->local, pending->local, 4);
	memcpy(late->bytes, bytes.p, bytes.n);
	loop_timer_init(&late->timer, on_delay, late);
	d->ndelayed++;
	if (loop_timer_set(d->front.loop, &late->timer, (uint64_t)d->conf->reply_delay_ms) < 0)
		on_delay(late);
}

static struct macaddr
mac_of(const struct dhcp_ask *ask)
{
	struct macaddr mac = { .len = ask->hlen };

	memcpy(mac.b, ask->chaddr, ask->hlen);
	return mac;
}

/* One line an exchange, joined with the other daemons' by the boot's id. */
static void
log_exchange(const struct pending *pending, const struct boot_answer *answer, const char *what)
{
	const struct pxe_client *c = &pending->ask.client;
	struct macaddr mac = mac_of(&pending->ask);
	struct ipaddr relay = ip_from_v4(pending->ask.giaddr);
	char mac_text[MAC_STRLEN], id[BOOT_ID_STRLEN], ip[IP_STRLEN], file[LOG_QUOTE_SIZE];

	log_peer_info("%s boot=%s mac=%s xid=%08x client=%s arch=%u%s%s style=%s file=%s why=%s",
	    what, boot_id_format(answer->boot, id), mac_format(&mac, mac_text), pending->ask.xid,
	    boot_client_name(c->client), c->arch, relay.family != 0 ? " giaddr=" : "",
	    ip_format(&relay, ip), offer_style_name(answer->style), log_quote(answer->file, file),
	    boot_reason_name(answer->reason));
}

static void
report_offer(struct dhcpproxyd *d, const struct pending *pending, const struct boot_answer *answer)
{
	struct boot_event e = {
		.kind = EVENT_OFFER,
		.via = VIA_DHCP,
		.boot = answer->boot,
		.mac = mac_of(&pending->ask),
		.address = ip_from_v4(pending->ask.ciaddr),
		.subnet = slice_str(d->front.instance),
		.file = answer->file,
		.text = slice_str(offer_style_name(answer->style)),
	};

	bus_event(d->front.bus, &e);
}

static void
on_answer(void *arg, void *cookie, const struct boot_answer *answer)
{
	struct dhcpproxyd *d = arg;
	struct pending *pending = cookie;
	uint8_t bytes[DHCP_REPLY_MAX];
	struct wbuf w;

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
		send_reply(d, pending, wbuf_view(&w));
		log_exchange(pending, answer, ack ? "ack" : "offer");
		report_offer(d, pending, answer);
	}
	pending->next = d->free_pending;
	d->free_pending = pending;
	d->npending--;
}

static void
stop(void *arg)
{
	struct dhcpproxyd *d = arg;

	listen_stop(d->dhcp);
	listen_stop(d->boot);
}

static bool
idle(void *arg)
{
	const struct dhcpproxyd *d = arg;

	return d->npending == 0 && d->ndelayed == 0;
}

static void
reloaded(void *arg)
{
	(void)arg; /* all that may change is read where it is used */
}

static void
gather(void *arg)
{
	struct dhcpproxyd *d = arg;
	struct listen_socket *sockets[] = { d->dhcp, d->boot };

	d->stats.received = d->stats.too_long = d->stats.sent = d->stats.send_failed = 0;
	for (size_t i = 0; i < NITEMS(sockets); i++) {
		struct listen_stats s;

		if (sockets[i] == NULL)
			continue;
		listen_get_stats(sockets[i], &s);
		d->stats.received += s.received;
		d->stats.too_long += s.too_long;
		d->stats.sent += s.sent;
		d->stats.send_failed += s.send_failed;
	}
}

static void
announce(void *arg, struct daemon_status *status)
{
	const struct dhcpproxyd *d = arg;

	status->address = d->conf->address;
	status->port = (uint16_t)d->conf->port;
}

static const struct front_ops ops = {
	.stop = stop,
	.idle = idle,
	.reloaded = reloaded,
	.announce = announce,
	.gather = gather,
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
	};
	rc = front_open(&d->front);
	if (rc == 0)
		rc = alloc_pending(d);
	if (rc == 0 && conf->listen_dhcp)
		rc = listen_open(d->front.loop, conf->interface, (uint16_t)conf->port,
		    on_dhcp_packet, d, &d->dhcp);
	if (rc == 0 && conf->listen_boot)
		rc = listen_open(d->front.loop, conf->interface, (uint16_t)conf->boot_port,
		    on_boot_packet, d, &d->boot);
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
	if (rc < 0)
		return rc;
	return front_run(&d->front);
}

void
dhcpproxyd_close(struct dhcpproxyd *d)
{
	if (d == NULL)
		return;
	listen_close(d->dhcp);
	listen_close(d->boot);
	front_close(&d->front);
	free(d->pool);
	free(d);
}
