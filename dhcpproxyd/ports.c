/* A port on several interfaces; see ports.h. */
#include "dhcpproxyd/ports.h"

#include "common/log.h"
#include "dhcpproxyd/holders.h"
#include "dhcpproxyd/sender.h"
#include "dhcpproxyd/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TAP_BUFFER (8 << 20) /* bytes, as listen.c's */

/* The port on one interface; ifindex 0: on all. */
struct door {
	struct ports *ports;
	int ifindex;
	uint32_t born; /* of that interface */
	char name[RTNL_NAME];
	struct listen_socket *udp;
	struct tap *tap;
	int error; /* why neither is open */
};

struct ports {
	struct loop *loop;
	struct ports_conf conf;
	struct loop_timer watch;
	struct sender *sender; /* for all taps */
	struct door **doors;
	size_t ndoors;
	struct door *last; /* the one that replied last */
	bool stopped;
	bool full;        /* told that there are too many interfaces */
	bool tap_refused; /* told that a packet socket would be needed */
	struct ports_stats stats;
	struct ports_stats closed; /* of doors that are no more */
};

static void
on_tap(void *arg, const struct tap_packet *tapped)
{
	struct door *d = arg;
	struct ports *p = d->ports;
	struct listen_packet packet = { .bytes = tapped->bytes,
		.from = { .sin_family = AF_INET, .sin_port = htons(tapped->from_port) },
		.ifindex = tapped->ifindex };

	memcpy(&packet.from.sin_addr, tapped->from, 4);
	if (!links_local(p->conf.links, tapped->ifindex, tapped->from, tapped->to, packet.local)) {
		p->stats.not_ours++;
		return;
	}
	p->conf.fn(p->conf.arg, &packet);
}

static int
open_tap(struct door *d)
{
	struct ports *p = d->ports;
	struct tap_conf conf = { .ifindex = d->ifindex,
		.ports = { p->conf.port },
		.buffer = TAP_BUFFER,
		.fn = on_tap,
		.arg = d };
	int rc = 0;

	if (p->sender == NULL)
		rc = sender_open(p->loop, p->conf.port, &p->sender);
	if (rc == 0)
		rc = tap_open(p->loop, &conf, &d->tap);
	if (rc == 0 && p->stopped)
		tap_stop(d->tap);
	return rc;
}

static int
open_udp(struct door *d, bool share)
{
	struct ports *p = d->ports;
	int rc =
	    listen_open(p->loop, d->name, p->conf.port, share, p->conf.fn, p->conf.arg, &d->udp);

	if (rc == 0 && p->stopped)
		listen_stop(d->udp);
	return rc;
}

/*
 * A broadcast reaches all sockets of a port, but a relayed datagram, which is unicast, only one:
 * shared with a DHCP server, either it or we would miss relayed clients.
 */
static int
open_auto(struct door *d)
{
	int held = holders_find(d->ports->conf.port, d->ifindex, -1);
	int rc = -EADDRINUSE;

	if (held <= 0) /* open to a server that comes later and shares, if we shall know of it */
		rc = open_udp(d, held == 0);
	return rc == -EADDRINUSE ? open_tap(d) : rc;
}

static void
warn_shared(const struct door *d)
{
	if (holders_find(d->ports->conf.port, d->ifindex, -1) == 1)
		log_warnx("%s: %u is shared with another process: relayed requests reach only one "
			  "of the two; \"dhcp_socket\": \"packet\" shows us all of them",
		    d->ports->conf.key, d->ports->conf.port);
}

static int
open_door(struct door *d)
{
	switch (d->ports->conf.mode) {
	case PORTS_AUTO: return open_auto(d);
	case PORTS_PACKET: return open_tap(d);
	case PORTS_UDP: warn_shared(d); return open_udp(d, true);
	case PORTS_OWN: return open_udp(d, false);
	}
	return -EINVAL;
}

/* What is wrong, by the key that it has to do with. */
static void
log_error(const struct door *d, int rc)
{
	const struct ports_conf *c = &d->ports->conf;
	const char *on = d->name[0] != '\0' ? " on " : "";
	unsigned port = c->port;

	if (rc == -EADDRINUSE)
		log_errx("%s: %u%s%s: another process holds this port and does not share it (ss "
			 "-lunp \"sport = %u\" tells which)",
		    c->key, port, on, d->name, port);
	else if (rc == -EACCES)
		log_errx(
		    "%s: %u%s%s: needs root or CAP_NET_BIND_SERVICE", c->key, port, on, d->name);
	else if (rc == -EPERM && c->mode == PORTS_PACKET)
		log_errx("dhcp_socket: a packet socket%s%s needs root or CAP_NET_RAW", on, d->name);
	else if (rc == -EPERM && c->mode == PORTS_AUTO)
		log_errx("%s: %u%s%s: another process holds this port; the packet socket that sees "
			 "its packets needs root or CAP_NET_RAW",
		    c->key, port, on, d->name);
	else
		log_errx("%s: %u%s%s: %s", c->key, port, on, d->name, strerror(-rc));
}

static void
log_open(const struct door *d)
{
	const struct ports_conf *c = &d->ports->conf;

	log_info("listening on port %u%s%s%s", c->port, d->name[0] != '\0' ? " of " : "", d->name,
	    d->tap == NULL          ? ""
	    : c->mode == PORTS_AUTO ? " by a packet socket, for another process holds it"
				    : " by a packet socket");
}

static void
add_stats(const struct door *d, struct ports_stats *sum)
{
	struct listen_stats udp;
	struct tap_stats tap;

	if (d->udp != NULL) {
		listen_get_stats(d->udp, &udp);
		sum->received += udp.received;
		sum->too_long += udp.too_long;
		sum->sent += udp.sent;
		sum->send_failed += udp.send_failed;
		sum->lost += udp.lost;
	}
	if (d->tap != NULL) {
		tap_get_stats(d->tap, &tap);
		sum->received += tap.received + tap.too_long + tap.malformed + tap.checksum;
		sum->too_long += tap.too_long;
		sum->malformed += tap.malformed;
		sum->checksum += tap.checksum;
		sum->lost += tap.lost;
	}
}

/* Its sockets; it may be opened anew. */
static void
shut(struct door *d)
{
	add_stats(d, &d->ports->closed);
	listen_close(d->udp);
	tap_close(d->tap);
	d->udp = NULL;
	d->tap = NULL;
}

static void
drop_door(struct ports *p, size_t i)
{
	struct door *d = p->doors[i];

	shut(d);
	if (p->last == d)
		p->last = NULL;
	p->doors[i] = p->doors[--p->ndoors];
	free(d);
}

/* 0, or a negative errno after logging it; the door is there all the same, to be tried again. */
static int
add_door(struct ports *p, int ifindex, uint32_t born, const char *name)
{
	struct door *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return -ENOMEM;
	*d = (struct door){ .ports = p, .ifindex = ifindex, .born = born };
	strcpy(d->name, name); /* of RTNL_NAME bytes at most, both */
	p->doors[p->ndoors++] = d;
	d->error = open_door(d);
	if (d->error == 0)
		log_open(d);
	else if (d->error != -ENODEV) /* gone again: the kernel will say so */
		log_error(d, d->error);
	return d->error == -ENODEV ? 0 : d->error;
}

static bool
is_known(const struct ports *p, const struct link *l)
{
	for (size_t i = 0; i < p->ndoors; i++) {
		if (p->doors[i]->ifindex == l->ifindex)
			return true;
	}
	return false;
}

/* Doors for interfaces that have none: 0, or the first error. */
static int
open_missing(struct ports *p)
{
	const struct links *t = p->conf.links;
	int result = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct link *l = &t->v[i];
		int rc;

		if (!links_name_fits(l->name, p->conf.interfaces, p->conf.ninterfaces) ||
		    is_known(p, l))
			continue;
		if (p->ndoors == PORTS_MAX) {
			if (!p->full)
				log_warnx("interface: %s and others are not served: %d are the "
					  "most at once",
				    l->name, PORTS_MAX);
			p->full = true;
			break;
		}
		rc = add_door(p, l->ifindex, l->born, l->name);
		if (result == 0)
			result = rc;
	}
	return result;
}

void
ports_update(struct ports *p)
{
	if (p == NULL || p->conf.ninterfaces == 0)
		return;
	for (size_t i = p->ndoors; i > 0; i--) {
		const struct door *d = p->doors[i - 1];
		const struct link *l = links_find(p->conf.links, d->ifindex);

		if (l != NULL && l->born == d->born && strcmp(l->name, d->name) == 0)
			continue;
		log_info("no longer listening on port %u of %s: the interface is gone",
		    p->conf.port, d->name);
		drop_door(p, i - 1);
	}
	(void)open_missing(p); /* logged, and tried again later */
}

/* A server came later and shares the port: it shall get its relayed packets, and we ours. */
static void
give_way(struct ports *p, struct door *d)
{
	if (holders_find(p->conf.port, d->ifindex, listen_fd(d->udp)) != 1)
		return;
	/* the raw socket needs what the packet socket needs */
	if (p->sender == NULL && sender_open(p->loop, p->conf.port, &p->sender) < 0) {
		if (!p->tap_refused)
			log_warnx("%s: %u is shared with another process by now: relayed requests "
				  "reach only one of the two, unless we get CAP_NET_RAW",
			    p->conf.key, p->conf.port);
		p->tap_refused = true;
		return;
	}
	shut(d); /* first, so that no packet is seen twice */
	d->error = open_tap(d);
	if (d->error == 0)
		log_open(d);
	else
		log_error(d, d->error);
}

static void
on_watch(void *arg)
{
	struct ports *p = arg;
	/* one question for all, as a rule */
	bool others = p->conf.mode == PORTS_AUTO && ports_udp_sockets(p) > 0 &&
	              holders_count(p->conf.port) > (int)ports_udp_sockets(p);

	for (size_t i = 0; i < p->ndoors; i++) {
		struct door *d = p->doors[i];
		int was = d->error;

		if (others && d->udp != NULL)
			give_way(p, d);
		if (was == 0)
			continue;
		d->error = open_door(d);
		if (d->error == 0)
			log_open(d);
		else if (d->error != was)
			log_error(d, d->error);
	}
	(void)loop_timer_set(p->loop, &p->watch, PORTS_WATCH_MS);
}

int
ports_open(struct loop *loop, const struct ports_conf *conf, struct ports **ret)
{
	struct ports *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL || (p->doors = calloc(PORTS_MAX, sizeof(struct door *))) == NULL) {
		free(p);
		return -ENOMEM;
	}
	p->loop = loop;
	p->conf = *conf;
	loop_timer_init(&p->watch, on_watch, p);
	rc = conf->ninterfaces == 0 ? add_door(p, 0, 0, "") : open_missing(p);
	if (rc == 0)
		rc = loop_timer_set(loop, &p->watch, PORTS_WATCH_MS);
	if (rc < 0) {
		ports_close(p);
		return rc;
	}
	*ret = p;
	return 0;
}

void
ports_close(struct ports *p)
{
	if (p == NULL)
		return;
	loop_timer_clear(p->loop, &p->watch);
	while (p->ndoors > 0)
		drop_door(p, p->ndoors - 1);
	sender_close(p->sender);
	free(p->doors);
	free(p);
}

void
ports_stop(struct ports *p)
{
	if (p == NULL)
		return;
	p->stopped = true;
	for (size_t i = 0; i < p->ndoors; i++) {
		listen_stop(p->doors[i]->udp);
		tap_stop(p->doors[i]->tap);
	}
}

static struct door *
find_door(const struct ports *p, int ifindex)
{
	if (p->conf.ninterfaces == 0)
		return p->doors[0];
	if (p->last != NULL && p->last->ifindex == ifindex)
		return p->last;
	for (size_t i = 0; i < p->ndoors; i++) {
		if (p->doors[i]->ifindex == ifindex)
			return p->doors[i];
	}
	return NULL;
}

void
ports_send(struct ports *p, struct slice bytes, const struct sockaddr_in *to, int came_by,
    int ifindex, const uint8_t local[static 4])
{
	struct door *d = find_door(p, came_by);

	if (d != NULL && d->udp != NULL) {
		listen_send(d->udp, bytes, to, ifindex, local);
	} else if (d != NULL && d->tap != NULL) {
		sender_send(p->sender, bytes, to, ifindex, local);
	} else {
		p->stats.gone++;
		return;
	}
	p->last = d;
}

void
ports_get_stats(const struct ports *p, struct ports_stats *ret)
{
	struct ports_stats sum = p->closed;
	struct sender_stats sender;

	sum.not_ours = p->stats.not_ours;
	sum.gone = p->stats.gone;
	for (size_t i = 0; i < p->ndoors; i++)
		add_stats(p->doors[i], &sum);
	if (p->sender != NULL) {
		sender_get_stats(p->sender, &sender);
		sum.sent += sender.sent;
		sum.send_failed += sender.failed;
	}
	*ret = sum;
}

size_t
ports_udp_sockets(const struct ports *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->ndoors; i++)
		n += p->doors[i]->udp != NULL;
	return n;
}

const char *
ports_kind(const struct ports *p, int ifindex, int *error)
{
	const struct door *d = find_door(p, ifindex);

	*error = d != NULL ? d->error : 0;
	if (d == NULL || (d->udp == NULL && d->tap == NULL))
		return NULL;
	return d->udp != NULL ? "udp" : "packet";
}
