/*
 * The emulated clients of ferryctl doctor: they ask through the interface, as machines of the
 * segment would, and what each would do with the answers is judged; see doctor.h.
 *
 * On the host of dhcpproxyd a broadcast out of the interface comes back to its sockets as if it
 * came from there, but a packet to an address of the host itself goes through the loopback, where
 * nobody listens who is bound to the interface.  So its boot server is asked by broadcast, too.
 */
#include "ferryctl/doctor.h"

#include "common/sockaddr.h"
#include "ferryctl/emulate_offer.h"
#include "ferryctl/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define TEST_S       60    /* how long dhcpproxyd is to know these machines */
#define LEASES_MS    36000 /* the longest wait for offers of addresses */
#define LEASE_GAP_MS 3500  /* from one to the next: dnsmasq pings for 3 s before each */
#define ANSWERS_MS   2500  /* for the boot server: edk2's first two tries */
#define SLICE_MS     50
#define BETWEEN_MS   5  /* from one DISCOVER to the next */
#define FIRST_XIDS   16 /* of each client */

/* Locally administered; always the same ten, so that no DHCP server's table fills. */
static const uint8_t mac_prefix[5] = { 0x02, 0xd0, 0xc7, 0x00, 0x00 };

bool
doctor_is_own(const struct doctor *d, const uint8_t b[static 4])
{
	for (size_t i = 0; i < d->facts.naddresses; i++) {
		if (memcmp(d->facts.addresses[i].b, b, 4) == 0)
			return true;
	}
	return false;
}

/* --- asking --------------------------------------------------------------------------------- */

static void
prepare(struct doctor *d)
{
	uint32_t xid = 0;

	/* cannot fail for so few bytes once the system is up; if it did, 0 would serve */
	(void)!getrandom(&xid, sizeof(xid), 0);
	for (size_t i = 0; i < EMULATES; i++) {
		struct emulate_client *m = &d->clients[i].machine;

		m->kind = (enum emulate_kind)i;
		memcpy(m->mac, mac_prefix, sizeof(mac_prefix));
		m->mac[5] = (uint8_t)(i + 1);
		m->xid = xid + (uint32_t)i * FIRST_XIDS;
		if (m->kind == EMULATE_RELAYED)
			memcpy(m->giaddr, d->here.b, 4);
	}
}

/* Tells dhcpproxyd which machines are not there.  False after printing why it cannot be told. */
static bool
announce(const struct doctor *d)
{
	struct ctl proxy = *d->c;
	json_t *macs, *result;

	if (d->proxy_socket == NULL)
		return true;
	macs = json_array();
	for (size_t i = 0; i < EMULATES; i++) {
		struct macaddr mac = { .len = 6 };
		char text[MAC_STRLEN];

		memcpy(mac.b, d->clients[i].machine.mac, 6);
		json_array_append_new(macs, json_string(mac_format(&mac, text)));
	}
	proxy.socket = d->proxy_socket;
	result = ctl_call(&proxy, "selftest.begin",
	    json_pack(
		"{s:o, s:i, s:s}", "macs", macs, "seconds", TEST_S, "interface", d->interface));
	if (result == NULL)
		return false;
	json_decref(result);
	return true;
}

static bool
send_discovers(struct doctor *d)
{
	static const uint8_t nobody[4];

	for (size_t i = 0; i < EMULATES; i++) {
		struct doctor_client *c = &d->clients[i];
		bool relayed = c->machine.kind == EMULATE_RELAYED;

		if (relayed && d->here.family != 4)
			continue;
		c->asked_ms = segment_clock_ms();
		for (unsigned form = 0; form < emulate_forms(c->machine.kind); form++) {
			uint8_t bytes[DOCTOR_PACKET];
			struct wbuf w;
			int rc;

			wbuf_init(&w, bytes, sizeof(bytes));
			emulate_discover(&c->machine, form, &w);
			rc = segment_broadcast(d->segment, relayed ? d->here.b : nobody,
			    relayed ? 67 : 68, 67, wbuf_view(&w));
			if (rc < 0) {
				(void)ctl_error("%s: sending: %s", d->interface, strerror(-rc));
				return false;
			}
			(void)usleep(BETWEEN_MS * 1000);
		}
	}
	return true;
}

/* --- hearing -------------------------------------------------------------------------------- */

static struct doctor_server *
server_of(struct doctor *d, const struct offer *o)
{
	for (size_t i = 0; i < d->nservers; i++) {
		if (memcmp(d->servers[i].id, o->id, 4) == 0)
			return &d->servers[i];
	}
	if (d->nservers == DOCTOR_SERVERS)
		return NULL;
	memcpy(d->servers[d->nservers].id, o->id, 4);
	return &d->servers[d->nservers++];
}

/* What this offer tells of who sent it. */
static void
note_server(struct doctor *d, struct doctor_client *c, const struct segment_datagram *from)
{
	const struct emulate_packet *last = &c->packets[c->n - 1];
	struct doctor_server *s;
	struct offer o, before;

	if (offer_read(last, c->machine.xid, c->machine.mac, &o) != NULL || o.p.type != DHCP_OFFER)
		return;
	s = server_of(d, &o);
	if (s == NULL)
		return;
	memcpy(s->mac, from->from_mac, sizeof(s->mac));
	s->answers++;
	s->leases = s->leases || !o.proxy;
	if (!o.proxy) {
		c->leased = true;
		d->leased_ms = from->at_ms;
	}
	s->proxies = s->proxies || o.proxy;
	s->pxe = s->pxe || o.pxe;
	s->pxe10 = s->pxe10 || o.shape == SHAPE_PXE10;
	s->http = s->http || o.http;
	s->pxe_lease = s->pxe_lease || (!o.proxy && (o.pxe || o.http));
	s->file_lease = s->file_lease || (!o.proxy && o.file.n > 0);
	for (size_t i = 0; i + 1 < c->n; i++) {
		if (offer_read(&c->packets[i], c->machine.xid, c->machine.mac, &before) == NULL &&
		    memcmp(before.id, o.id, 4) == 0 && before.proxy == o.proxy) {
			s->doubles++;
			break;
		}
	}
}

static void
on_datagram(void *arg, const struct segment_datagram *from)
{
	struct doctor *d = arg;
	struct doctor_client *c;
	const uint8_t *mac = from->bytes.p + 28; /* chaddr */
	struct emulate_packet *p;

	if (from->bytes.n < DHCP_HEADER_BYTES || from->bytes.n > DOCTOR_PACKET ||
	    from->bytes.p[0] != DHCP_BOOTREPLY ||
	    memcmp(mac, mac_prefix, sizeof(mac_prefix)) != 0 || mac[5] < 1 || mac[5] > EMULATES)
		return;
	c = &d->clients[mac[5] - 1];
	/* a relay's own ports are for what it relays */
	if ((from->to_port == 67) != (c->machine.kind == EMULATE_RELAYED && c->v.nsteps == 0) ||
	    c->n == EMULATE_PACKETS)
		return;
	/* an offer that comes when the boot server is asked comes too late */
	if (c->v.nsteps > 0 && c->v.port != 67 && from->to_port == 68)
		return;
	memcpy(c->bytes[c->n], from->bytes.p, from->bytes.n);
	p = &c->packets[c->n];
	*p = (struct emulate_packet){
		.bytes = { c->bytes[c->n], from->bytes.n },
		.from_port = from->from_port,
		.after_ms = (uint32_t)(from->at_ms - c->asked_ms),
	};
	memcpy(p->from, from->from, 4);
	c->n++;
	if (c->v.nsteps == 0)
		note_server(d, c, from);
}

static bool
all_leased(const struct doctor *d)
{
	for (size_t i = 0; i < EMULATES; i++) {
		if (!d->clients[i].leased && i != EMULATE_RELAYED)
			return false;
	}
	return true;
}

/*
 * To the end of the clients' window, and longer for a DHCP server that offers one address after
 * the other: clients would ask it again, while what proxies said is kept.
 */
static void
hear_offers(struct doctor *d)
{
	uint64_t now_ms = segment_clock_ms(), least_ms = now_ms + EMULATE_WINDOW_MS;
	uint64_t most_ms = now_ms + LEASES_MS;

	while (now_ms < least_ms || (now_ms < most_ms && d->leased_ms != 0 &&
					now_ms < d->leased_ms + LEASE_GAP_MS && !all_leased(d))) {
		segment_hear(d->segment, 0, now_ms + SLICE_MS, on_datagram, d);
		now_ms = segment_clock_ms();
	}
}

/* From another host nobody says whose offers these are to be: the first proxy's that speaks. */
static void
guess_own(struct doctor *d)
{
	for (size_t i = 0; i < d->nservers && d->own.family == 0; i++) {
		if (d->servers[i].proxies)
			d->own = ip_from_v4(d->servers[i].id);
	}
}

/* --- the boot server ------------------------------------------------------------------------ */

static int
open_port(uint16_t *ret_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &n) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static void
send_request(struct doctor *d, struct doctor_client *c, int fd, uint16_t port, uint32_t xid)
{
	static const uint8_t broadcast[4] = { 255, 255, 255, 255 };
	bool everybody = memcmp(c->v.server, broadcast, 4) == 0;
	struct ipaddr server = ip_from_v4(c->v.server);
	struct sockaddr_storage to;
	uint8_t bytes[DOCTOR_PACKET];
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	emulate_request(&c->machine, &c->v, xid, d->here.b, &w);
	c->n = 0;
	c->asked_ms = segment_clock_ms();
	/* one that does not leave is one that is not answered, which is told */
	if (everybody || doctor_is_own(d, c->v.server))
		(void)segment_broadcast(
		    d->segment, d->here.b, everybody ? 68 : port, c->v.port, wbuf_view(&w));
	else
		(void)sendto(fd, bytes, w.used, 0, (const struct sockaddr *)&to,
		    sockaddr_from_ip(&server, c->v.port, &to));
}

static bool
all_answered(const struct doctor *d)
{
	for (size_t i = 0; i < EMULATES; i++) {
		if (d->clients[i].v.next == EMULATE_ASK && d->clients[i].n == 0)
			return false;
	}
	return true;
}

static void
ask_boot_servers(struct doctor *d)
{
	uint64_t end_ms;
	uint16_t port = 0;
	int fd = open_port(&port);

	if (fd < 0)
		return;
	for (size_t i = 0; i < EMULATES; i++) {
		struct doctor_client *c = &d->clients[i];

		if (c->v.next == EMULATE_ASK)
			send_request(d, c, fd, port,
			    c->machine.xid +
				(emulate_new_xid(c->machine.kind) ? FIRST_XIDS / 2 : 0));
	}
	end_ms = segment_clock_ms() + ANSWERS_MS;
	while (segment_clock_ms() < end_ms && !all_answered(d))
		segment_hear(d->segment, port, segment_clock_ms() + SLICE_MS, on_datagram, d);
	close(fd);
	for (size_t i = 0; i < EMULATES; i++) {
		struct doctor_client *c = &d->clients[i];

		if (c->v.next == EMULATE_ASK)
			emulate_answers(&c->machine,
			    c->machine.xid +
				(emulate_new_xid(c->machine.kind) ? FIRST_XIDS / 2 : 0),
			    c->packets, c->n, &c->v);
	}
}

/* --- what dhcpproxyd saw --------------------------------------------------------------------- */

static void
read_outcomes(struct doctor *d)
{
	struct ctl proxy = *d->c;
	const json_t *o;
	unsigned seen = 0;
	json_t *list;
	size_t at;

	if (d->proxy_socket == NULL)
		return;
	proxy.socket = d->proxy_socket;
	list = ctl_try(&proxy, "selftest.show", NULL);
	json_array_foreach(list, at, o)
	{
		struct doctor_client *c;
		struct macaddr mac;

		if (mac_parse(slice_str(member_text(o, "mac")), &mac) < 0 || mac.len != 6 ||
		    mac.b[5] < 1 || mac.b[5] > EMULATES)
			continue;
		c = &d->clients[mac.b[5] - 1];
		(void)snprintf(c->end, sizeof(c->end), "%.15s", member_text(o, "end"));
		(void)snprintf(c->reason, sizeof(c->reason), "%.39s", member_text(o, "reason"));
		(void)snprintf(c->rule, sizeof(c->rule), "%.63s", member_text(o, "rule"));
		seen += member_int(o, "discovers") > 0;
	}
	json_decref(list);
	if (d->facts.dhcp_port == 0)
		finding_add(&d->findings, FINDING_WARNING, "broadcasts",
		    "clients come here only if the DHCP server sends them, by option 60 and "
		    "next-server",
		    "set listen_dhcp, or be sure of the DHCP server",
		    "dhcpproxyd does not listen for them (listen_dhcp)");
	else if (seen == 0)
		finding_add(&d->findings, FINDING_FAULT, "broadcasts", "no client is heard",
		    "see `interface` and `port`, who holds the port, and the firewall's rules for "
		    "UDP to port 67",
		    "dhcpproxyd sees none of those that this host sends out of %s", d->interface);
	else
		finding_good(
		    &d->findings, "broadcasts", "dhcpproxyd sees them on %s", d->interface);
}

/* --- all ------------------------------------------------------------------------------------ */

bool
doctor_run_clients(struct doctor *d)
{
	prepare(d);
	if (!announce(d) || !send_discovers(d))
		return false;
	hear_offers(d);
	guess_own(d);
	for (size_t i = 0; i < EMULATES; i++) {
		struct doctor_client *c = &d->clients[i];

		emulate_offers(&c->machine, c->packets, c->n, d->own.b, &c->v);
	}
	ask_boot_servers(d);
	read_outcomes(d);
	doctor_judge_servers(d);
	for (size_t i = 0; i < EMULATES; i++)
		doctor_judge_client(d, &d->clients[i]);
	return true;
}
