/* What ferryctl doctor found, for people and for programs; see doctor.h. */
#include "ferryctl/doctor.h"

#include "ferryctl/emulate_offer.h"
#include "ferryctl/table.h"

#include <stdio.h>

static enum finding_verdict
worst_of(const struct doctor *d)
{
	enum finding_verdict worst = findings_worst(&d->findings);

	for (size_t i = 0; d->segment != NULL && i < EMULATES; i++) {
		if (d->clients[i].verdict > worst)
			worst = d->clients[i].verdict;
	}
	return worst;
}

/* --- for programs --------------------------------------------------------------------------- */

static json_t *
dump_client(const struct doctor_client *c)
{
	static const char *const nexts[] = { "nothing", "ask", "tftp", "url", "local" };
	json_t *steps = json_array(), *o;
	char server[V4_STRLEN];

	for (size_t i = 0; i < c->v.nsteps; i++)
		json_array_append_new(steps, json_string(c->v.steps[i]));
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:o}", "client", emulate_key(c->machine.kind),
	    "name", emulate_name(c->machine.kind), "verdict", finding_verdict_name(c->verdict),
	    "told", c->told, "next", nexts[c->v.next], "leased", c->v.leased, "steps", steps);
	if (c->v.file[0] != '\0') {
		/* as it came: not all of it need be text */
		json_t *file = json_string(c->v.file);

		json_object_set_new(o, "file", file != NULL ? file : json_null());
	}
	if (c->v.next == EMULATE_TFTP || c->v.next == EMULATE_ASK)
		json_object_set_new(o, "server", json_string(v4_format(c->v.server, server)));
	if (c->fetched)
		json_object_set_new(o, "size", json_integer((json_int_t)c->size));
	if (c->reason[0] != '\0')
		json_object_set_new(o, "reason", json_string(c->reason));
	if (c->rule[0] != '\0')
		json_object_set_new(o, "rule", json_string(c->rule));
	if (c->effect != NULL)
		json_object_set_new(o, "effect", json_string(c->effect));
	if (c->cure != NULL)
		json_object_set_new(o, "cure", json_string(c->cure));
	return o;
}

static json_t *
dump_server(const struct doctor_server *s)
{
	char id[V4_STRLEN], mac[MAC_STRLEN];
	struct macaddr m = { .len = 6,
		.b = { s->mac[0], s->mac[1], s->mac[2], s->mac[3], s->mac[4], s->mac[5] } };

	return json_pack("{s:s, s:s, s:b, s:b, s:b, s:b}", "address", v4_format(s->id, id), "mac",
	    mac_format(&m, mac), "leases", s->leases, "proxies", s->proxies, "option_60",
	    s->pxe || s->http, "lease_has_option_60", s->pxe_lease);
}

static int
print_json(const struct doctor *d)
{
	json_t *clients = json_array(), *servers = json_array();

	for (size_t i = 0; d->segment != NULL && i < EMULATES; i++)
		json_array_append_new(clients, dump_client(&d->clients[i]));
	for (size_t i = 0; i < d->nservers; i++)
		json_array_append_new(servers, dump_server(&d->servers[i]));
	return ctl_print_json(json_pack("{s:s, s:s, s:o, s:o, s:o}", "verdict",
	    finding_verdict_name(worst_of(d)), "interface", d->interface, "findings",
	    findings_dump(&d->findings), "servers", servers, "clients", clients));
}

/* --- for people ----------------------------------------------------------------------------- */

static void
print_more(const char *effect, const char *cure, const char *margin)
{
	if (effect != NULL)
		printf("%swhich means: %s\n", margin, effect);
	if (cure != NULL)
		printf("%swhat to do:  %s\n", margin, cure);
}

static void
print_findings(const struct doctor *d)
{
	for (size_t i = 0; i < d->findings.n; i++) {
		const struct finding *f = &d->findings.v[i];

		printf("%-8s %-11s %s\n", finding_verdict_name(f->verdict), f->check, f->found);
		print_more(f->effect, f->cure, "                     ");
	}
}

static void
print_clients(const struct doctor *d)
{
	puts("\nWhat machines would do here (they are emulated; nothing is started):");
	for (size_t i = 0; i < EMULATES; i++) {
		const struct doctor_client *c = &d->clients[i];

		printf("\n%s: %s: %s\n", emulate_name(c->machine.kind),
		    finding_verdict_name(c->verdict), c->told);
		for (size_t at = 0; at < c->v.nsteps; at++)
			printf("    %s\n", c->v.steps[at]);
		print_more(c->effect, c->cure, "  ");
	}
}

int
doctor_print(const struct doctor *d)
{
	enum finding_verdict worst = worst_of(d);

	if (d->c->json) {
		(void)print_json(d);
	} else {
		print_findings(d);
		if (d->segment != NULL)
			print_clients(d);
		printf("\nin all: %s\n", worst == FINDING_GOOD      ? "good"
					 : worst == FINDING_WARNING ? "good, with warnings"
								    : "something is wrong");
	}
	return worst == FINDING_FAULT ? CTL_FAIL : CTL_OK;
}
