/* Judging a host's network; see netcheck.h. */
#include "common/netcheck.h"

#include "common/wire.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETHERNET_MTU 1500

static const char interface_check[] = "interface", address_check[] = "address", mtu_check[] = "mtu",
		  mask_check[] = "netmask", port_check[] = "ports", place_check[] = "container";

static const char *
v4(const uint8_t b[static 4], char buf[static IP_STRLEN])
{
	(void)snprintf(buf, IP_STRLEN, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	return buf;
}

/* False if nothing else needs to be looked at. */
static bool
judge_interface(const struct netfacts *f, struct findings *out)
{
	static const char deaf[] = "no client is heard";

	if (f->interface[0] == '\0') {
		finding_good(out, interface_check, "all interfaces are listened on");
		return true;
	}
	if (!f->exists) {
		finding_add(out, FINDING_FAULT, interface_check, deaf,
		    "correct the key `interface`, or make the interface",
		    "there is no interface %s", f->interface);
		return false;
	}
	if (!f->up) {
		finding_add(out, FINDING_FAULT, interface_check, deaf, "ip link set it up",
		    "%s is down", f->interface);
		return false;
	}
	if (!f->carrier) {
		finding_add(out, FINDING_FAULT, interface_check, deaf,
		    "look at the cable, the switch port, the virtual switch", "%s has no link",
		    f->interface);
		return false;
	}
	if (f->loopback || !f->broadcast)
		finding_add(out, FINDING_FAULT, interface_check,
		    "DHCP is broadcasts: no client is heard but through relays",
		    "name an interface of the clients' network", "%s %s", f->interface,
		    f->loopback ? "is the loopback" : "knows no broadcasts (point to point)");
	else
		finding_good(out, interface_check, "%s is up and has a link", f->interface);
	return true;
}

static void
judge_mtu(const struct netfacts *f, struct findings *out)
{
	if (f->interface[0] == '\0' || f->loopback)
		return;
	if (f->mtu < ETHERNET_MTU)
		finding_add(out, FINDING_WARNING, mtu_check,
		    "TFTP blocks of 1468 bytes, as firmware asks for, come in fragments, which "
		    "many ROMs cannot put together",
		    "set tftpd's max_blksize to the MTU less 32, or raise the MTU",
		    "%s has an MTU of %u bytes", f->interface, f->mtu);
	else
		finding_good(out, mtu_check, "%u bytes", f->mtu);
}

/* An address of the interface that is asked about (or of any), or NULL. */
static const struct netfacts_address *
find_address(const struct netfacts *f, const uint8_t *b, bool here)
{
	for (size_t i = 0; i < f->naddresses; i++) {
		const struct netfacts_address *a = &f->addresses[i];

		if (here && f->interface[0] != '\0' && strcmp(a->interface, f->interface) != 0)
			continue;
		if (here && f->interface[0] == '\0' && a->b[0] == 127)
			continue;
		if (b == NULL || memcmp(a->b, b, 4) == 0)
			return a;
	}
	return NULL;
}

static void
judge_mask(const struct netfacts_address *a, struct findings *out)
{
	char text[IP_STRLEN];

	if (a->prefix == 31)
		finding_add(out, FINDING_WARNING, mask_check,
		    "UEFI refuses an address with the mask 255.255.255.254: \"Lease is denied\"",
		    "give clients a larger network", "%s is in a network of two addresses (/31)",
		    v4(a->b, text));
	else if (a->prefix == 32)
		finding_add(out, FINDING_WARNING, mask_check,
		    "clients that are told the same have no network to ask in",
		    "see that the DHCP server gives clients the mask of their network",
		    "%s has the mask /32", v4(a->b, text));
	else
		finding_good(out, mask_check, "%s/%u", v4(a->b, text), a->prefix);
}

static void
judge_address(const struct netfacts *f, struct findings *out)
{
	static const char lost[] = "clients ask where nobody answers: PXE-E18, PXE-E32, PXE-E55";
	const struct netfacts_address *here, *anywhere;
	char text[IP_STRLEN];

	if (f->address.family != 4) {
		here = find_address(f, NULL, true);
		if (here == NULL) {
			finding_add(out, FINDING_FAULT, address_check, "no client is answered",
			    "give the interface an IPv4 address", "%s has no IPv4 address",
			    f->interface[0] != '\0' ? f->interface : "this host");
			return;
		}
		finding_good(out, address_check, "clients are told %s, an address of %s",
		    v4(here->b, text), here->interface);
		judge_mask(here, out);
		return;
	}
	v4(f->address.b, text);
	if (f->address.b[0] == 127 || ip_is_any(&f->address)) {
		finding_add(out, FINDING_FAULT, address_check, lost,
		    "correct the key `address`, or take it out",
		    "clients are told %s, at which they reach nobody but themselves", text);
		return;
	}
	here = find_address(f, f->address.b, true);
	anywhere = find_address(f, f->address.b, false);
	if (here != NULL) {
		finding_good(out, address_check, "clients are told %s, an address of %s", text,
		    here->interface);
		judge_mask(here, out);
	} else if (anywhere != NULL) {
		finding_add(out, FINDING_WARNING, address_check,
		    "clients reach it only if their network routes to there",
		    "set `address` to one of the interface's own, or be sure of the route",
		    "clients are told %s, which is on %s and not on %s", text, anywhere->interface,
		    f->interface);
	} else {
		finding_add(out, FINDING_FAULT, address_check, lost,
		    "correct the key `address`, or give the interface that address",
		    "clients are told %s, which is no address of this host", text);
	}
}

static void
judge_port(const struct netfacts *f, uint16_t port, struct findings *out)
{
	bool ours = false;
	char text[IP_STRLEN];

	for (size_t i = 0; i < f->nholders; i++)
		ours = ours ||
		       (f->holders[i].port == port && f->pid != 0 && f->holders[i].pid == f->pid);
	for (size_t i = 0; i < f->nholders; i++) {
		const struct netfacts_holder *h = &f->holders[i];
		const char *name = h->name[0] != '\0' ? h->name : "a process that may not be seen";

		if (h->port != port || (f->pid != 0 && h->pid == f->pid))
			continue;
		if (f->packet && port == f->dhcp_port) {
			finding_good(out, port_check,
			    "port %u is held by %s (process %d); dhcpproxyd reads it by a packet "
			    "socket",
			    port, name, (int)h->pid);
			return;
		}
		if (strcmp(h->name, "dhcpproxyd") == 0)
			finding_add(out, FINDING_WARNING, port_check,
			    "of two on one interface both answer each client",
			    "see that each has an `interface` of its own",
			    "port %u: another dhcpproxyd (process %d) has it, too", port,
			    (int)h->pid);
		else if (f->pid == 0 || ours)
			finding_add(out, FINDING_WARNING, port_check,
			    "broadcasts reach both, but of what relays send only one gets each "
			    "packet",
			    "let it listen on its own interface or address, or set it aside",
			    "port %u is shared with %s (process %d, at %s)", port, name,
			    (int)h->pid, v4(h->address, text));
		else
			finding_add(out, FINDING_WARNING, port_check,
			    "dhcpproxyd sees clients only if it listens by a packet socket",
			    "see which way it listens, below",
			    "port %u is held by %s (process %d, at %s), not by dhcpproxyd", port,
			    name, (int)h->pid, v4(h->address, text));
		return;
	}
	if (ours)
		finding_good(out, port_check, "port %u is dhcpproxyd's alone", port);
	else
		finding_good(out, port_check, "port %u is held by nobody else", port);
}

void
netcheck_judge(const struct netfacts *f, struct findings *out)
{
	if (f->container && f->veth && !f->neighbours)
		finding_add(out, FINDING_WARNING, place_check,
		    "in a network of the container's own no broadcast of a client arrives: only "
		    "relays reach it",
		    "run it in the host's network (--network host), or give it a macvlan in the "
		    "clients' network",
		    "this is a container, and %s its cable to a bridge of the host", f->interface);
	if (!judge_interface(f, out))
		return;
	judge_mtu(f, out);
	judge_address(f, out);
	if (f->dhcp_port != 0)
		judge_port(f, f->dhcp_port, out);
	if (f->boot_port != 0)
		judge_port(f, f->boot_port, out);
}

int
netcheck_read_udp(const char *line, struct netfacts_holder *ret)
{
	/*
	 * What stands behind slot, address, port, the other end's two, state, the two queues, the
	 * timer and its time, retries, uid, timeout, inode: a colon, or (@) a blank.
	 */
	static const char behind[] = "::@:@@:@:@@@@@";
	enum {
		ADDRESS = 1,
		PORT = 2,
		DECIMAL = 11,
		INODE = 13,
		FIELDS
	};
	uint64_t v[FIELDS];
	uint32_t address;

	for (int i = 0; i < FIELDS; i++) {
		char *end;

		line += strspn(line, " ");
		if (!isxdigit((unsigned char)*line))
			return -EBADMSG;
		v[i] = strtoull(line, &end, i == 0 || i >= DECIMAL ? 10 : 16);
		if (end == line || (behind[i] == ':' && *end != ':') ||
		    (i < INODE && behind[i] == '@' && *end != ' '))
			return -EBADMSG;
		line = end + (behind[i] == ':');
	}
	if (v[ADDRESS] > UINT32_MAX || v[PORT] > UINT16_MAX)
		return -EBADMSG;
	memset(ret, 0, sizeof(*ret));
	ret->port = (uint16_t)v[PORT];
	address = (uint32_t)v[ADDRESS];
	memcpy(ret->address, &address, 4); /* the kernel prints it as it lies in memory */
	ret->inode = v[INODE];
	return 0;
}
