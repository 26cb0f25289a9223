/*
 * The emulated clients of ferryctl doctor: they ask through the interface, as machines of the
 * segment would, and what each would do with the answers is judged; see doctor.h.
 *
 * On the host of dhcpproxyd a broadcast out of the interface comes back to its sockets as if it
 * came from there, but a packet to an address of the host itself goes through the loopback, where
 * nobody listens who is bound to the interface.  So its boot server is asked by broadcast, too.
 */
#include "ferryctl/doctor.h"

#include "common/content.h"
#include "common/loader.h"
#include "common/probe_web.h"
#include "common/pxe.h"
#include "common/sockaddr.h"
#include "ferryctl/emulate_offer.h"
#include "ferryctl/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
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
#define BETWEEN_MS   5 /* from one DISCOVER to the next */
#define FETCH_MS     3000
#define FIRST_XIDS   16 /* of each client */

/* Locally administered; always the same ten, so that no DHCP server's table fills. */
static const uint8_t mac_prefix[5] = { 0x02, 0xd0, 0xc7, 0x00, 0x00 };

static bool
is_own(const struct doctor *d, const uint8_t b[static 4])
{
	for (size_t i = 0; i < d->facts.naddresses; i++) {
		if (memcmp(d->facts.addresses[i].b, b, 4) == 0)
			return true;
	}
	return false;
}

static bool
is_ours(const struct doctor *d, const uint8_t id[static 4])
{
	return d->own.family == 4 && memcmp(d->own.b, id, 4) == 0;
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
	if (everybody || is_own(d, c->v.server))
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

/* --- fetching ------------------------------------------------------------------------------- */

/* What the file at this name is for, by its bytes; NONE if it cannot be told from here. */
static enum arch_cpu
cpu_of_file(const struct doctor *d, const char *name)
{
	char path[CONTENT_PATH_MAX];
	struct loader_info info = { .cpu = ARCH_CPU_NONE };
	struct content_file file;
	uint8_t *bytes;
	ssize_t n;
	int root;

	if (d->root == NULL || path_normalise(slice_str(name), path) < 0)
		return ARCH_CPU_NONE;
	root = content_root_open(d->root);
	if (root < 0)
		return ARCH_CPU_NONE;
	if (content_open(root, path, &file) == 0) {
		bytes = malloc(LOADER_READ_MAX);
		n = bytes != NULL ? read(file.fd, bytes, LOADER_READ_MAX) : -1;
		if (n > 0)
			loader_inspect((struct slice){ bytes, (size_t)n }, path_base(path), &info);
		free(bytes);
		close(file.fd);
	}
	close(root);
	return info.kind == LOADER_UNKNOWN ? ARCH_CPU_NONE : info.cpu;
}

static void
fetch(const struct doctor *d, struct doctor_client *c, struct probe_result *ret)
{
	/* handlerd knows that what this address fetches now is part of the test */
	const struct ipaddr *from = d->own.family == 4 && is_own(d, d->own.b) ? &d->own : &d->here;

	if (c->v.next == EMULATE_TFTP) {
		const struct probe_tftp ask = { .server = ip_from_v4(c->v.server),
			.port = c->v.port,
			.from = *from,
			.name = c->v.file,
			.wait_ms = FETCH_MS };

		probe_tftp(&ask, ret);
	} else {
		bool http = c->machine.kind == EMULATE_HTTP;
		const struct probe_web ask = { .url = c->v.file,
			.method = http ? "HEAD" : "GET",
			.from = *from,
			.trust = { http ? NULL : c->v.trust, http ? 0 : c->v.trust_n },
			.wait_ms = FETCH_MS };

		probe_web(&ask, ret);
	}
	c->fetched = ret->good;
	c->size = ret->size;
}

/* --- verdicts ------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 5, 6))) rule(struct doctor_client *c,
    enum finding_verdict verdict, const char *effect, const char *cure, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(c->told, sizeof(c->told), fmt, ap);
	va_end(ap);
	for (char *p = c->told; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			*p = '?';
	}
	c->verdict = verdict;
	c->effect = effect;
	c->cure = cure;
}

static void
judge_file(const struct doctor *d, struct doctor_client *c)
{
	enum arch_cpu want = emulate_cpu(c->machine.kind), is;
	char size[32], name[200];
	struct probe_result r;

	(void)snprintf(name, sizeof(name), "%.190s", c->v.file);
	fetch(d, c, &r);
	if (c->v.foreign) {
		char from[V4_STRLEN];

		rule(c, FINDING_FAULT, "machines of this kind do not come to this server",
		    "let that server send neither option 60 nor a boot file, or let it name this "
		    "one (next-server)",
		    "it boots what another server names: %s from %s%s", name,
		    c->v.next == EMULATE_TFTP ? v4_format(c->v.server, from) : "there",
		    r.good ? "" : ", which is not to be had");
		return;
	}
	if (c->v.loops) {
		rule(c, FINDING_FAULT, "it loads itself for ever",
		    "see ferryctl explain, and whose file it is", "iPXE is sent to %s", name);
		return;
	}
	if (!r.good && c->machine.kind == EMULATE_PI) {
		rule(c, FINDING_WARNING, "a Raspberry Pi finds no firmware here",
		    "put its files into boot/rpi of the content root", "%s: %s", name, r.text);
		return;
	}
	if (!r.good) {
		rule(c, FINDING_FAULT, "it starts and finds nothing",
		    c->v.next == EMULATE_TFTP
			? "see that tftpd runs at that address, its log, and the file in the "
			  "content root"
			: "see that httpsbootd runs at that address, its log, its certificate",
		    "%s is not to be had: %s", name, r.text);
		return;
	}
	is = c->v.next == EMULATE_TFTP ? cpu_of_file(d, c->v.file) : ARCH_CPU_NONE;
	if (is != ARCH_CPU_NONE && want != ARCH_CPU_NONE && is != want) {
		rule(c, FINDING_FAULT, "firmware refuses it, or hangs",
		    "correct the key `loaders` or the rule, or replace the file",
		    "%s is a program for %s, and this machine is %s", name, arch_cpu_name(is),
		    arch_cpu_name(want));
		return;
	}
	if (r.size > 0)
		rule(c, FINDING_GOOD, NULL, NULL, "it boots %s (%s): it is there", name,
		    format_bytes(r.size, size));
	else
		rule(c, FINDING_GOOD, NULL, NULL, "it boots %s: it is there", name);
}

/* Words for why handlerd is silent. */
static const char *
reason_words(const char *reason)
{
	static const struct {
		enum boot_reason reason;
		const char *words;
	} table[] = {
		{ REASON_NO_LOADER, "there is no loader for its CPU in the content root" },
		{ REASON_UNKNOWN_ARCH, "its architecture has no loader at all" },
		{ REASON_NO_HTTPS, "it cannot do HTTPS, and http_port is off" },
		{ REASON_NOT_A_BOOT, "it does not ask as a network boot client" },
		{ REASON_RULE_SILENCE, "a rule leaves it alone" },
		{ REASON_UNKNOWN_MACHINE, "machines that are not known are left alone" },
		{ REASON_SOURCE_LATE, "a script or the web service decides, which this test does "
				      "not ask" },
	};

	for (size_t i = 0; i < NITEMS(table); i++) {
		if (strcmp(reason, boot_reason_name(table[i].reason)) == 0)
			return table[i].words;
	}
	return reason;
}

static void
judge_nothing(const struct doctor *d, struct doctor_client *c)
{
	bool offered = false;

	for (size_t i = 0; i < c->n; i++) {
		struct offer o;

		for (unsigned form = 0; form < emulate_forms(c->machine.kind); form++)
			offered = offered || (offer_read(&c->packets[i], c->machine.xid + form,
						  c->machine.mac, &o) == NULL &&
						 is_ours(d, o.id));
	}
	if (c->machine.kind == EMULATE_RELAYED && d->here.family != 4)
		rule(c, FINDING_WARNING, NULL, NULL,
		    "not tried: %s has no address that a relay could have", d->interface);
	else if (c->v.foreign)
		rule(c, FINDING_FAULT, "machines of this kind do not come to this server",
		    "let that server send no option 60, or let it name this one (next-server)",
		    "it follows another server's answer and fails: %s",
		    c->v.nsteps > 0 ? c->v.steps[c->v.nsteps - 1] : "");
	else if (offered || c->v.used != SIZE_MAX)
		rule(c,
		    c->machine.kind == EMULATE_PI || c->machine.kind == EMULATE_UBOOT
			? FINDING_WARNING
			: FINDING_FAULT,
		    "it goes on to its next boot option, after up to a minute",
		    "see its steps; ferryctl explain tells who decides", "it cannot boot: %s",
		    c->v.nsteps > 0 ? c->v.steps[c->v.nsteps - 1] : "");
	else if (strcmp(c->end, "silent") == 0)
		rule(c, FINDING_WARNING, "machines of this kind do not boot from here",
		    strcmp(c->reason, boot_reason_name(REASON_NO_LOADER)) == 0
			? c->machine.kind == EMULATE_PI
		              ? "if there are such machines, put their files into boot/rpi of the "
		                "content root"
		              : "ferryctl loaders import, if there are such machines"
			: "if there are such machines, see ferryctl explain",
		    "no offer within %d s: handlerd says: %s", EMULATE_WINDOW_MS / 1000,
		    reason_words(c->reason));
	else if (strcmp(c->end, "unseen") == 0)
		rule(c, c->machine.kind == EMULATE_UBOOT ? FINDING_WARNING : FINDING_FAULT,
		    "no client of this kind is heard", "see what is said of broadcasts",
		    "its DISCOVER did not come to a question of dhcpproxyd's to handlerd");
	else if (strcmp(c->end, "unanswered") == 0 || strcmp(c->end, "pending") == 0)
		rule(c, FINDING_FAULT, "clients get silence", "see handlerd",
		    "handlerd gave no answer in time");
	else if (strcmp(c->end, "unfit") == 0)
		rule(c, FINDING_FAULT, "clients get silence", "shorten names and URLs",
		    "the offer does not fit into what this client takes");
	else if (strcmp(c->end, "answered") == 0)
		rule(c, FINDING_FAULT, "no client hears dhcpproxyd",
		    "look for a firewall's rules for UDP from port 67",
		    "dhcpproxyd sent an offer, and it was not heard on %s", d->interface);
	else
		rule(c, FINDING_WARNING, "machines of this kind do not boot from here",
		    "see ferryctl doctor on the boot server", "no offer within %d s",
		    EMULATE_WINDOW_MS / 1000);
}

static void
judge_client(const struct doctor *d, struct doctor_client *c)
{
	if (c->v.next == EMULATE_TFTP || c->v.next == EMULATE_URL)
		judge_file(d, c);
	else if (c->v.next == EMULATE_LOCAL)
		rule(c, FINDING_GOOD, NULL, NULL, "it is told to leave network boot at once");
	else
		judge_nothing(d, c);
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

/* --- the other servers ----------------------------------------------------------------------- */

static void
judge_own(struct doctor *d, const struct doctor_server *s)
{
	char id[V4_STRLEN];

	if (s->doubles > 0)
		finding_add(&d->findings, FINDING_WARNING, "twins",
		    "each packet is answered twice, and one of both may be wrong",
		    "see that one dhcpproxyd listens on an interface",
		    "%s answers each DISCOVER more than once: two dhcpproxyd serve one interface, "
		    "or a relay brings its packets a second time",
		    v4_format(s->id, id));
}

static void
judge_server(struct doctor *d, const struct doctor_server *s)
{
	char id[V4_STRLEN], name[80];

	(void)snprintf(name, sizeof(name), "%s (%02x:%02x:%02x:%02x:%02x:%02x)",
	    v4_format(s->id, id), s->mac[0], s->mac[1], s->mac[2], s->mac[3], s->mac[4], s->mac[5]);
	if (s->pxe_lease)
		finding_add(&d->findings, FINDING_FAULT, "rivals",
		    "UEFI and many ROMs then look at no proxy: they ask that server's port 4011 "
		    "(PXE-E18, PXE-E55)",
		    "take option 60 (PXEClient, HTTPClient) out of that server's answers, or let "
		    "its next-server be this host",
		    "the DHCP server %s sends option 60 in its own offers", name);
	else if (s->file_lease)
		finding_add(&d->findings, FINDING_WARNING, "rivals",
		    "UEFI and iPXE prefer our offer while it comes in time; old ROMs may not",
		    "take the boot file out of that server's answers",
		    "the DHCP server %s names a boot file itself", name);
	else if (s->leases)
		finding_good(&d->findings, "dhcp server",
		    "%s offers addresses, and says nothing of network boot", name);
	if (s->proxies && (s->pxe || s->http))
		finding_add(&d->findings, FINDING_WARNING, "rivals",
		    s->pxe10 ? "UEFI takes the first offer with option 43, and goes there if ours "
			       "has none"
			     : "UEFI tries the servers in the order of their answers",
		    "switch it off here, or let each answer only its own machines",
		    "another PXE server answers: %s", name);
}

static void
judge_servers(struct doctor *d)
{
	bool leases = false;

	for (size_t i = 0; i < d->nservers; i++) {
		const struct doctor_server *s = &d->servers[i];

		leases = leases || s->leases;
		if (is_ours(d, s->id))
			judge_own(d, s);
		if (!is_ours(d, s->id) || s->leases)
			judge_server(d, s);
	}
	if (!leases)
		finding_add(&d->findings, FINDING_WARNING, "dhcp server",
		    "a machine that gets no address does not boot (PXE-E51, PXE-E52)",
		    "see the DHCP server; if it serves known machines only, all is well",
		    "none offered an address within %d s", EMULATE_WINDOW_MS / 1000);
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
	judge_servers(d);
	for (size_t i = 0; i < EMULATES; i++)
		judge_client(d, &d->clients[i]);
	return true;
}
