/* ferryctl doctor: the command, the daemons and the host; see doctor.h. */
#include "ferryctl/doctor.h"

#include "ferryctl/table.h"

#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARP_WAIT_MS 1000

static const char usage[] = "doctor dhcp [--interface IF] [--subnet NAME | --socket PATH]\n"
			    "    [--from-here [--server ADDRESS]]";

/* --- what the daemons say ------------------------------------------------------------------- */

static json_t *
ask_proxy(const struct doctor *d, const char *method)
{
	struct ctl proxy = *d->c;

	proxy.socket = d->proxy_socket;
	return ctl_try(&proxy, method, NULL);
}

/* The only socket of a dhcpproxyd beside handlerd's; NULL after printing why there is none. */
static char *
find_proxy(const struct ctl *c, const char *subnet)
{
	char *copy = strdup(c->socket), pattern[512], *found = NULL;
	glob_t g;

	if (copy == NULL)
		return NULL;
	(void)snprintf(pattern, sizeof(pattern), "%s/dhcpproxyd%s%s.sock", dirname(copy),
	    subnet != NULL ? "-" : "*", subnet != NULL ? subnet : "");
	free(copy);
	if (glob(pattern, 0, NULL, &g) != 0) {
		(void)ctl_error("%s: no dhcpproxyd has a control socket there; --from-here asks as "
				"a client of the network would",
		    pattern);
		return NULL;
	}
	if (g.gl_pathc > 1) {
		(void)ctl_error("there are several dhcpproxyd: say --subnet NAME");
		for (size_t i = 0; i < g.gl_pathc; i++)
			(void)ctl_error("  %s", g.gl_pathv[i]);
	} else {
		found = strdup(g.gl_pathv[0]);
	}
	globfree(&g);
	return found;
}

/* The interface of the configuration: a name, or a list of names and patterns. */
static void
take_interface(struct doctor *d, const json_t *conf)
{
	const json_t *v = json_object_get(conf, "interface");
	const char *name = json_string_value(json_is_array(v) ? json_array_get(v, 0) : v);

	if (d->interface[0] == '\0' && name != NULL && strpbrk(name, "*?[") == NULL)
		(void)snprintf(d->interface, sizeof(d->interface), "%.15s", name);
}

/* Asks dhcpproxyd how it is set up. */
static bool
read_proxy(struct doctor *d)
{
	json_t *conf = ask_proxy(d, "config.show"), *status = ask_proxy(d, "status");
	const json_t *link;
	size_t i;
	bool up;

	if (conf == NULL || status == NULL) {
		json_decref(conf);
		json_decref(status);
		(void)ctl_error(
		    "%s: dhcpproxyd does not answer; --from-here asks without it", d->proxy_socket);
		return false;
	}
	take_interface(d, conf);
	(void)ip_parse(slice_str(member_text(conf, "address")), &d->facts.address);
	if (json_is_true(json_object_get(conf, "listen_dhcp")))
		d->facts.dhcp_port = (uint16_t)member_int(conf, "port");
	if (json_is_true(json_object_get(conf, "listen_boot")))
		d->facts.boot_port = (uint16_t)member_int(conf, "boot_port");
	d->facts.pid = (pid_t)member_int(status, "pid");
	json_array_foreach(json_object_get(status, "interfaces"), i, link)
	{
		if (strcmp(member_text(link, "name"), d->interface) == 0)
			d->facts.packet = strcmp(member_text(link, "dhcp"), "packet") == 0;
	}
	up = json_is_true(json_object_get(status, "handlerd"));
	if (up)
		finding_good(&d->findings, "handlerd", "dhcpproxyd is connected to it");
	else
		finding_add(&d->findings, FINDING_FAULT, "handlerd",
		    "without it dhcpproxyd stays silent to all clients",
		    "start bootferry-handlerd, or correct the key `handler`",
		    "dhcpproxyd is connected to none");
	json_decref(conf);
	json_decref(status);
	return true;
}

/* The other front daemons, as handlerd knows them. */
static void
read_handlerd(struct doctor *d)
{
	static const char *const needed[] = { "tftpd", "httpsbootd" };
	static const char *const effects[] = { "no loader is fetched by TFTP (PXE-E32)",
		"iPXE gets no script, HTTP Boot no loader" };
	json_t *status = ctl_try(d->c, "status", NULL);
	const json_t *s, *services = json_object_get(status, "services");
	size_t at;

	if (status == NULL) {
		finding_add(&d->findings, FINDING_WARNING, "handlerd",
		    "what it knows is not told here", "ask on the host on which it runs",
		    "its control socket %s does not answer", d->c->socket);
		return;
	}
	for (size_t i = 0; i < NITEMS(needed); i++) {
		const char *where = NULL;

		json_array_foreach(services, at, s)
		{
			if (strcmp(member_text(s, "daemon"), needed[i]) == 0 &&
			    json_is_true(json_object_get(s, "alive")))
				where = member_text(s, "address");
		}
		if (where != NULL)
			finding_good(&d->findings, needed[i], "it is connected to handlerd (%s)",
			    where[0] != '\0' ? where : "any address");
		else
			finding_add(&d->findings, FINDING_FAULT, needed[i], effects[i],
			    "start it, and see its log", "it is not connected to handlerd");
	}
	json_decref(status);
}

/* --- the host ------------------------------------------------------------------------------- */

/* The address that clients are told, and that of this host on the interface. */
static void
take_addresses(struct doctor *d)
{
	for (size_t i = 0; i < d->facts.naddresses && d->here.family == 0; i++) {
		const struct netfacts_address *a = &d->facts.addresses[i];

		if (strcmp(a->interface, d->interface) == 0)
			d->here = ip_from_v4(a->b);
	}
	if (d->from_here)
		return;
	d->own = d->facts.address.family == 4 ? d->facts.address : d->here;
}

/* The interface with the first address that is not the loopback's. */
static void
guess_interface(struct doctor *d)
{
	for (size_t i = 0; i < d->facts.naddresses && d->interface[0] == '\0'; i++) {
		if (d->facts.addresses[i].b[0] != 127)
			memcpy(d->interface, d->facts.addresses[i].interface, sizeof(d->interface));
	}
}

static void
look_for_twin(struct doctor *d)
{
	uint8_t mac[6];
	char text[IP_STRLEN];

	if (d->own.family != 4)
		return;
	if (segment_has_other(d->segment, d->own.b, ARP_WAIT_MS, mac))
		finding_add(&d->findings, FINDING_FAULT, "address",
		    "clients reach one of the two by chance",
		    "find the other host by its hardware address, give it another address",
		    "%s is also the address of %02x:%02x:%02x:%02x:%02x:%02x",
		    ip_format(&d->own, text), mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	else
		finding_good(&d->findings, "address", "nobody else on %s has %s", d->interface,
		    ip_format(&d->own, text));
}

static bool
open_segment(struct doctor *d)
{
	int rc;

	if (!d->facts.exists || !d->facts.up || !d->facts.carrier)
		return false; /* which was told */
	rc = segment_open(d->interface, &d->segment);
	if (rc == -EPERM || rc == -EACCES)
		(void)ctl_error("sending as clients do needs root");
	else if (rc < 0)
		(void)ctl_error("%s: %s", d->interface, strerror(-rc));
	return rc == 0;
}

/* --- the command ---------------------------------------------------------------------------- */

/* What can be said without sending a packet, then with. */
static int
examine(struct doctor *d)
{
	bool named;
	int status;

	if (d->proxy_socket != NULL && !read_proxy(d))
		return CTL_FAIL;
	named = d->interface[0] != '\0';
	memcpy(d->facts.interface, d->interface, sizeof(d->interface));
	netfacts_read(&d->facts);
	if (!named) {
		guess_interface(d);
		if (d->interface[0] == '\0')
			return ctl_error("no interface has an address: say --interface");
		/* of which the rest is still to be known */
		memcpy(d->facts.interface, d->interface, sizeof(d->interface));
		d->facts.naddresses = d->facts.nholders = 0;
		netfacts_read(&d->facts);
	}
	take_addresses(d);
	if (!d->from_here)
		read_handlerd(d);
	if (open_segment(d)) {
		look_for_twin(d);
		if (!doctor_run_clients(d))
			return CTL_FAIL;
		d->facts.neighbours = segment_strangers(d->segment) > 0;
	} else if (d->facts.exists && d->facts.up && d->facts.carrier) {
		return CTL_FAIL;
	}
	if (d->from_here) {
		d->facts.address = (struct ipaddr){ 0 };
		d->facts.dhcp_port = d->facts.boot_port = 0;
	}
	netcheck_judge(&d->facts, &d->findings);
	status = doctor_print(d);
	return status;
}

static int
doctor_dhcp(const struct ctl *c, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "interface", required_argument, NULL, 'i' },
		{ "subnet", required_argument, NULL, 'n' },
		{ "socket", required_argument, NULL, 's' },
		{ "from-here", no_argument, NULL, 'f' },
		{ "server", required_argument, NULL, 'a' },
		{ 0 },
	};
	static struct doctor d;
	const char *subnet = NULL;
	char *found = NULL;
	int o, rc;

	d.c = c;
	optind = 0; /* main stopped at the command */
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'i':
			if (strlen(optarg) >= sizeof(d.interface))
				return ctl_error("--interface: \"%s\" is too long", optarg);
			(void)strcpy(d.interface, optarg);
			break;
		case 'n': subnet = optarg; break;
		case 's': d.proxy_socket = optarg; break;
		case 'f': d.from_here = true; break;
		case 'a':
			if (ip_parse(slice_str(optarg), &d.own) < 0 || d.own.family != 4)
				return ctl_error("--server: \"%s\" is no IPv4 address", optarg);
			break;
		default: return ctl_usage(usage);
		}
	}
	if (optind != argc || (d.from_here && (subnet != NULL || d.proxy_socket != NULL)) ||
	    (!d.from_here && d.own.family != 0))
		return ctl_usage(usage);
	if (!d.from_here && d.proxy_socket == NULL) {
		found = find_proxy(c, subnet);
		if (found == NULL)
			return CTL_FAIL;
		d.proxy_socket = found;
	}
	d.clients = calloc(EMULATES, sizeof(*d.clients));
	if (d.clients == NULL)
		return ctl_error("out of memory");
	if (!d.from_here)
		d.root = ctl_root(c);
	(void)signal(SIGPIPE, SIG_IGN); /* a server may hang up */
	rc = examine(&d);
	segment_close(d.segment);
	free(d.clients);
	free(d.root);
	free(found);
	return rc;
}

int
cmd_doctor(const struct ctl *c, int argc, char *argv[])
{
	if (argc < 2 || strcmp(argv[1], "dhcp") != 0)
		return ctl_usage(usage);
	return doctor_dhcp(c, argc - 1, argv + 1);
}
