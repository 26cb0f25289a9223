/* The networks served; see networks.h. */
#include "dhcpproxyd/networks.h"

#include "common/log.h"
#include "dhcpproxyd/netlink.h"
#include "dhcpproxyd/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was logged last of an interface. */
struct told {
	int ifindex;
	char text[128];
};

struct networks {
	struct networks_conf conf;
	struct loop *loop;
	struct tap *echo;
	listen_packet_fn *echo_fn;
	void *echo_arg;
	struct netlink *netlink;
	const struct links *links;
	struct ports *dhcp, *boot; /* NULL: not listened on */
	struct told *told;
	size_t ntold;
};

static bool
is_served(const struct networks *n, const struct link *l)
{
	return links_name_fits(l->name, n->conf.interfaces->v, n->conf.interfaces->n);
}

/* In words: what keeps an interface from being served, or that it is. */
static const char *
state_of(const struct networks *n, const struct link *l, char buf[static 96])
{
	const struct ports *ports[] = { n->dhcp, n->boot };
	size_t naddresses;

	for (size_t i = 0; i < NITEMS(ports); i++) {
		int error = 0;

		if (ports[i] == NULL || ports_kind(ports[i], l->ifindex, &error) != NULL)
			continue;
		if (error == 0)
			return "not served: too many interfaces";
		(void)snprintf(buf, 96, "port %d cannot be opened: %s",
		    i == 0 ? n->conf.port : n->conf.boot_port, strerror(-error));
		return buf;
	}
	if (!l->up)
		return "down";
	if (!l->running)
		return "no carrier";
	(void)links_addresses(n->links, l->ifindex, &naddresses);
	if (naddresses == 0)
		return n->conf.address->family == 4 ? "serving; it has no address of its own"
		                                    : "waiting for an address";
	return "serving";
}

/* "eth0: serving, 10.0.0.1 10.0.0.2". */
static void
describe(const struct networks *n, const struct link *l, char *buf, size_t size)
{
	char state[96], ip[INET_ADDRSTRLEN];
	const struct link_address *a;
	size_t naddresses;
	struct wbuf w;

	wbuf_init(&w, buf, size - 1);
	wbuf_printf(&w, "%s: %s", l->name, state_of(n, l, state));
	a = links_addresses(n->links, l->ifindex, &naddresses);
	for (size_t i = 0; i < naddresses; i++)
		wbuf_printf(
		    &w, "%s %s", i == 0 ? "," : "", inet_ntop(AF_INET, a[i].b, ip, sizeof(ip)));
	buf[w.used] = '\0';
}

/* What was told of an interface; NULL if there is no memory for it. */
static struct told *
told_of(struct networks *n, int ifindex)
{
	struct told *grown;

	for (size_t i = 0; i < n->ntold; i++) {
		if (n->told[i].ifindex == ifindex)
			return &n->told[i];
	}
	grown = realloc(n->told, (n->ntold + 1) * sizeof(*grown));
	if (grown == NULL)
		return NULL;
	n->told = grown;
	n->told[n->ntold] = (struct told){ .ifindex = ifindex };
	return &n->told[n->ntold++];
}

/* A line for each interface whose state or addresses are others than were logged last. */
static void
tell_changes(struct networks *n)
{
	char text[sizeof(n->told->text)];

	for (size_t i = n->ntold; i > 0; i--) {
		if (links_find(n->links, n->told[i - 1].ifindex) == NULL)
			n->told[i - 1] = n->told[--n->ntold];
	}
	if (n->conf.interfaces->n == 0)
		return;
	for (size_t i = 0; i < n->links->n; i++) {
		const struct link *l = &n->links->v[i];
		struct told *told;

		if (!is_served(n, l) || (told = told_of(n, l->ifindex)) == NULL)
			continue;
		describe(n, l, text, sizeof(text));
		if (strcmp(text, told->text) == 0)
			continue;
		memcpy(told->text, text, sizeof(text));
		log_peer_info("interface %s", text);
	}
}

/* A name that no interface fits. */
static bool
is_missing(const struct networks *n, char *const *name)
{
	for (size_t i = 0; i < n->links->n; i++) {
		if (links_name_fits(n->links->v[i].name, name, 1))
			return false;
	}
	return true;
}

static void
tell_missing(const struct networks *n)
{
	for (size_t i = 0; i < n->conf.interfaces->n; i++) {
		if (is_missing(n, &n->conf.interfaces->v[i]))
			log_warnx("interface: there is no \"%s\" yet: waiting for it",
			    n->conf.interfaces->v[i]);
	}
}

static void
tell_address(const struct networks *n)
{
	char ip[IP_STRLEN];

	if (n->conf.address->family == 4 && !links_have(n->links, n->conf.address->b))
		log_warnx("address: no interface of this host has %s: clients that are told it "
			  "may find nobody there",
		    ip_format(n->conf.address, ip));
}

static void
on_change(void *arg)
{
	struct networks *n = arg;

	ports_update(n->dhcp);
	ports_update(n->boot);
	tell_changes(n);
	n->conf.changed(n->conf.arg);
}

static int
open_ports(struct networks *n, struct loop *loop, bool boot, struct ports **ret)
{
	const struct networks_conf *c = &n->conf;
	struct ports_conf conf = { .links = n->links,
		.interfaces = c->interfaces->v,
		.ninterfaces = c->interfaces->n,
		.port = boot ? c->boot_port : c->port,
		.mode = boot ? PORTS_OWN : c->dhcp_socket,
		.key = boot ? "boot_port" : "port",
		.fn = boot ? c->boot : c->dhcp,
		.arg = c->arg };

	return ports_open(loop, &conf, ret);
}

int
networks_open(struct loop *loop, const struct networks_conf *conf, struct networks **ret)
{
	struct networks *n = calloc(1, sizeof(*n));
	int rc;

	if (n == NULL)
		return -ENOMEM;
	n->conf = *conf;
	n->loop = loop;
	rc = netlink_open(loop, on_change, n, &n->netlink);
	if (rc == 0) {
		n->links = netlink_links(n->netlink);
		tell_address(n);
		tell_missing(n);
	}
	if (rc == 0 && conf->listen_dhcp)
		rc = open_ports(n, loop, false, &n->dhcp);
	if (rc == 0 && conf->listen_boot)
		rc = open_ports(n, loop, true, &n->boot);
	if (rc < 0) {
		networks_close(n);
		return rc;
	}
	tell_changes(n);
	*ret = n;
	return 0;
}

void
networks_close(struct networks *n)
{
	if (n == NULL)
		return;
	tap_close(n->echo);
	ports_close(n->dhcp);
	ports_close(n->boot);
	netlink_close(n->netlink);
	free(n->told);
	free(n);
}

void
networks_stop(struct networks *n)
{
	ports_stop(n->dhcp);
	ports_stop(n->boot);
}

void
networks_send(struct networks *n, bool boot_port, struct slice bytes, const struct sockaddr_in *to,
    int came_by, int ifindex, const uint8_t local[static 4])
{
	ports_send(boot_port ? n->boot : n->dhcp, bytes, to, came_by, ifindex, local);
}

const char *
networks_name(const struct networks *n, int ifindex)
{
	const struct link *l = links_find(n->links, ifindex);

	return l != NULL ? l->name : "";
}

static void
on_echo(void *arg, const struct tap_packet *tapped)
{
	struct networks *n = arg;
	struct listen_packet packet = { .bytes = tapped->bytes,
		.from = { .sin_family = AF_INET, .sin_port = htons(tapped->from_port) },
		.ifindex = tapped->ifindex };
	const char *kind;
	int error;

	if (!tapped->outgoing || n->dhcp == NULL)
		return;
	/* in mode auto this may have changed since */
	kind = ports_kind(n->dhcp, tapped->ifindex, &error);
	memcpy(&packet.from.sin_addr, tapped->from, 4);
	if (kind != NULL && strcmp(kind, "packet") == 0 &&
	    links_local(n->links, tapped->ifindex, tapped->from, tapped->to, packet.local))
		n->echo_fn(n->echo_arg, &packet);
}

int
networks_echo(struct networks *n, int ifindex, listen_packet_fn *fn, void *arg)
{
	struct tap_conf conf = { .ifindex = ifindex,
		.ports = { n->conf.port },
		.outgoing = true,
		.fn = on_echo,
		.arg = n };

	tap_close(n->echo);
	n->echo = NULL;
	n->echo_fn = fn;
	n->echo_arg = arg;
	return fn != NULL ? tap_open(n->loop, &conf, &n->echo) : 0;
}

bool
networks_serve(const struct networks *n, int ifindex)
{
	const struct link *l = links_find(n->links, ifindex);

	return l != NULL && is_served(n, l);
}

int
networks_scope(const struct networks *n, uint32_t *born)
{
	const struct config_strings *names = n->conf.interfaces;

	*born = 0;
	if (names->n != 1 || strpbrk(names->v[0], "*?[") != NULL)
		return 0;
	for (size_t i = 0; i < n->links->n; i++) {
		if (strcmp(n->links->v[i].name, names->v[0]) != 0)
			continue;
		*born = n->links->v[i].born;
		return n->links->v[i].ifindex;
	}
	return -ENODEV;
}

size_t
networks_udp_sockets(const struct networks *n)
{
	return n->dhcp != NULL ? ports_udp_sockets(n->dhcp) : 0;
}

struct ipaddr
networks_address(const struct networks *n)
{
	static const uint8_t any[4], all[4] = { 255, 255, 255, 255 };
	const struct link *only = NULL;
	uint8_t own[4];

	if (n->conf.address->family != 0 || n->conf.interfaces->n == 0)
		return *n->conf.address;
	for (size_t i = 0; i < n->links->n; i++) {
		if (!is_served(n, &n->links->v[i]))
			continue;
		if (only != NULL)
			return (struct ipaddr){ 0 };
		only = &n->links->v[i];
	}
	if (only == NULL || !links_local(n->links, only->ifindex, any, all, own))
		return (struct ipaddr){ 0 };
	return ip_from_v4(own);
}

void
networks_get_stats(const struct networks *n, struct ports_stats *ret)
{
	const struct ports *ports[] = { n->dhcp, n->boot };

	*ret = (struct ports_stats){ 0 };
	for (size_t i = 0; i < NITEMS(ports); i++) {
		struct ports_stats s;

		if (ports[i] == NULL)
			continue;
		ports_get_stats(ports[i], &s);
		ret->received += s.received;
		ret->too_long += s.too_long;
		ret->malformed += s.malformed;
		ret->checksum += s.checksum;
		ret->not_ours += s.not_ours;
		ret->lost += s.lost;
		ret->sent += s.sent;
		ret->send_failed += s.send_failed;
		ret->gone += s.gone;
	}
}

/* "udp", "packet", or "off". */
static json_t *
socket_of(const struct ports *p, int ifindex)
{
	const char *kind;
	int error;

	if (p == NULL)
		return json_string("off");
	kind = ports_kind(p, ifindex, &error);
	return json_string(kind != NULL ? kind : "none");
}

static json_t *
link_status(const struct networks *n, const struct link *l)
{
	json_t *addresses = json_array();
	char state[96], text[INET_ADDRSTRLEN + 4], mac_text[MAC_STRLEN];
	struct macaddr mac = { .len = l->mac_n };
	const struct link_address *a;
	size_t naddresses;

	a = links_addresses(n->links, l->ifindex, &naddresses);
	for (size_t i = 0; i < naddresses; i++) {
		(void)inet_ntop(AF_INET, a[i].b, text, sizeof(text));
		(void)snprintf(
		    text + strlen(text), sizeof(text) - strlen(text), "/%u", a[i].prefix);
		json_array_append_new(addresses, json_string(text));
	}
	memcpy(mac.b, l->mac, l->mac_n);
	return json_pack("{s:s, s:i, s:s, s:s, s:o, s:o, s:o}", "name", l->name, "index",
	    l->ifindex, "state", state_of(n, l, state), "mac",
	    l->mac_n > 0 ? mac_format(&mac, mac_text) : "", "addresses", addresses, "dhcp",
	    socket_of(n->dhcp, l->ifindex), "boot", socket_of(n->boot, l->ifindex));
}

/*
 * Only of what is named: that some interface of a host is unused is no news.  What does not fit is
 * left out, for the first thing to mend stands there.
 */
void
networks_problem(const struct networks *n, char *buf, size_t size)
{
	const struct config_strings *names = n->conf.interfaces;
	char state[96], ip[IP_STRLEN];
	struct wbuf w;

	wbuf_init(&w, buf, size - 1);
	for (size_t i = 0; i < names->n; i++) {
		if (is_missing(n, &names->v[i]))
			wbuf_printf(
			    &w, "%sinterface %s is not there", w.used > 0 ? "; " : "", names->v[i]);
	}
	for (size_t i = 0; names->n > 0 && i < n->links->n; i++) {
		const struct link *l = &n->links->v[i];

		if (is_served(n, l) && strncmp(state_of(n, l, state), "serving", 7) != 0)
			wbuf_printf(&w, "%sinterface %s: %s", w.used > 0 ? "; " : "", l->name,
			    state_of(n, l, state));
	}
	if (n->conf.address->family == 4 && !links_have(n->links, n->conf.address->b))
		wbuf_printf(&w, "%sno interface has the address %s", w.used > 0 ? "; " : "",
		    ip_format(n->conf.address, ip));
	buf[w.used] = '\0';
}

void
networks_status(const struct networks *n, json_t *status)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n->links->n; i++) {
		if (is_served(n, &n->links->v[i]))
			json_array_append_new(list, link_status(n, &n->links->v[i]));
	}
	for (size_t i = 0; i < n->conf.interfaces->n; i++) {
		if (is_missing(n, &n->conf.interfaces->v[i]))
			json_array_append_new(
			    list, json_pack("{s:s, s:s}", "name", n->conf.interfaces->v[i], "state",
				      "waiting: there is no such interface"));
	}
	json_object_set_new(status, "interfaces", list);
}
