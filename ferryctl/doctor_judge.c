/*
 * Verdicts of ferryctl doctor about what emulated clients got, and about the servers that were
 * heard; what a client would fetch is fetched.  See doctor.h.
 */
#include "ferryctl/doctor.h"

#include "common/content.h"
#include "common/loader.h"
#include "common/msg.h"
#include "common/probe_web.h"
#include "ferryctl/emulate_offer.h"
#include "ferryctl/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FETCH_MS 3000

static bool
is_ours(const struct doctor *d, const uint8_t id[static 4])
{
	return d->own.family == 4 && memcmp(d->own.b, id, 4) == 0;
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
	const struct ipaddr *from =
	    d->own.family == 4 && doctor_is_own(d, d->own.b) ? &d->own : &d->here;

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
		{ REASON_NO_HTTPS, "it cannot do HTTPS, http_port is off, and there is no "
				   "iPXE with HTTPS for its CPU" },
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

void
doctor_judge_client(const struct doctor *d, struct doctor_client *c)
{
	if (c->v.next == EMULATE_TFTP || c->v.next == EMULATE_URL)
		judge_file(d, c);
	else if (c->v.next == EMULATE_LOCAL)
		rule(c, FINDING_GOOD, NULL, NULL, "it is told to leave network boot at once");
	else
		judge_nothing(d, c);
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

void
doctor_judge_servers(struct doctor *d)
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
