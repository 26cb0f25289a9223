/* See probe.h. */
#include "dhcpproxyd/probe.h"

#include "common/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPT_CLIENT_ID 61
#define OPT_PARAMS    55
#define OPT_NDI       94
#define FRAME_MAX     1024

/* A type octet that is none of a hardware address (RFC 2132 section 9.14), then the name. */
static const char marker[] = "\0bootferry-probe";
#define MARKER_BYTES (sizeof(marker) - 1)

static const struct {
	const char *class;
	uint16_t arch;
} kinds[RIVAL_CLIENTS] = {
	[RIVAL_BIOS] = { "PXEClient:Arch:00000:UNDI:002001", 0 },
	[RIVAL_UEFI] = { "PXEClient:Arch:00007:UNDI:003000", 7 },
	[RIVAL_HTTP] = { "HTTPClient:Arch:00016:UNDI:003000", 16 },
	[RIVAL_IPXE] = { "PXEClient:Arch:00007:UNDI:003010", 7 },
};

static struct slice
bytes(const void *p, size_t n)
{
	return (struct slice){ p, n };
}

void
probe_build(enum rival_client kind, const uint8_t mac[static 6], uint32_t xid, struct wbuf *w)
{
	static const uint8_t wanted[] = { 1, 3, 6, 12, 15, 17, 43, 54, 60, 66, 67, 97, 175 };
	static const uint8_t features[] = { 0x13, 1, 1, 0x14, 1, 1, 0xeb, 3, 2, 0, 0 };
	static const uint8_t size[] = { 1472 >> 8, 1472 & 0xff }, ndi[] = { 1, 3, 0 };
	const uint8_t arch[] = { (uint8_t)(kinds[kind].arch >> 8), (uint8_t)kinds[kind].arch };
	const uint8_t type = DHCP_DISCOVER;
	uint8_t uuid[17] = { 0 };

	memcpy(uuid + 11, mac, 6);
	wbuf_u8(w, DHCP_BOOTREQUEST);
	wbuf_u8(w, ARPHRD_ETHER);
	wbuf_u8(w, 6);
	wbuf_u8(w, 0);
	wbuf_u32(w, xid);
	wbuf_u16(w, 4);
	wbuf_u16(w, DHCP_FLAG_BROADCAST);
	wbuf_fill(w, 0, 16);
	wbuf_bytes(w, mac, 6);
	wbuf_fill(w, 0, DHCP_CHADDR_BYTES - 6 + DHCP_SNAME_BYTES + DHCP_FILE_BYTES);
	wbuf_u32(w, DHCP_COOKIE);
	dhcp_put_option(w, DHCP_OPT_TYPE, bytes(&type, 1));
	dhcp_put_option(w, DHCP_OPT_MAX_SIZE, bytes(size, sizeof(size)));
	dhcp_put_option(w, OPT_PARAMS, bytes(wanted, sizeof(wanted)));
	dhcp_put_option(w, OPT_CLIENT_ID, bytes(marker, MARKER_BYTES));
	dhcp_put_option(w, DHCP_OPT_UUID, bytes(uuid, sizeof(uuid)));
	dhcp_put_option(w, OPT_NDI, bytes(ndi, sizeof(ndi)));
	dhcp_put_option(w, DHCP_OPT_ARCH, bytes(arch, sizeof(arch)));
	dhcp_put_option(w, DHCP_OPT_CLASS, slice_str(kinds[kind].class));
	if (kind == RIVAL_IPXE) {
		dhcp_put_option(w, DHCP_OPT_USER_CLASS, slice_str("iPXE"));
		dhcp_put_option(w, DHCP_OPT_ETHERBOOT, bytes(features, sizeof(features)));
	}
	wbuf_u8(w, DHCP_OPT_END);
}

/* RFC 1071 section 1, of a header of whole 16-bit words. */
static uint16_t
checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void
probe_frame(const uint8_t mac[static 6], struct slice payload, struct wbuf *w)
{
	size_t udp_bytes = 8 + payload.n, ip_at;

	wbuf_fill(w, 0xff, 6);
	wbuf_bytes(w, mac, 6);
	wbuf_u16(w, ETHERTYPE_IP);
	ip_at = w->used;
	wbuf_u16(w, 0x4500); /* IPv4, 20 bytes of header */
	wbuf_u16(w, (uint16_t)(20 + udp_bytes));
	wbuf_u32(w, 0); /* one datagram, no fragments */
	wbuf_u8(w, 64);
	wbuf_u8(w, IPPROTO_UDP);
	wbuf_u16(w, 0);
	wbuf_u32(w, 0); /* we ask as one that has no address */
	wbuf_u32(w, INADDR_BROADCAST);
	if (!w->bad)
		wbuf_patch_u16(w, ip_at + 10, checksum(w->p + ip_at, 20));
	wbuf_u16(w, 68);
	wbuf_u16(w, 67);
	wbuf_u16(w, (uint16_t)udp_bytes);
	wbuf_u16(w, 0); /* none: IPv4 allows it (RFC 768), and relays' kernels make their own */
	wbuf_slice(w, payload);
}

bool
probe_is_one(const struct dhcp_packet *p)
{
	struct slice id = p->opt[OPT_CLIENT_ID];

	return id.n == MARKER_BYTES && memcmp(id.p, marker, MARKER_BYTES) == 0;
}

/* --- sending them --------------------------------------------------------------------------- */

struct probe {
	struct loop *loop;
	struct probe_conf conf;
	struct loop_timer timer;
	uint32_t every_s;
	int fd;
};

static void
send_one(struct probe *p, const struct sockaddr_ll *ll, enum rival_client kind)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETHERTYPE_IP),
		.sll_ifindex = ll->sll_ifindex,
		.sll_halen = 6 };
	uint8_t mac[6], payload[FRAME_MAX], frame[FRAME_MAX];
	struct wbuf w, f;
	uint32_t xid;

	if (getrandom(&xid, sizeof(xid), 0) != (ssize_t)sizeof(xid))
		return;
	memcpy(mac, ll->sll_addr, sizeof(mac));
	memset(to.sll_addr, 0xff, 6);
	wbuf_init(&w, payload, sizeof(payload));
	probe_build(kind, mac, xid, &w);
	wbuf_init(&f, frame, sizeof(frame));
	probe_frame(mac, wbuf_view(&w), &f);
	/* before the answers can be there */
	p->conf.sent(p->conf.arg, kind, xid, (struct slice){ mac, sizeof(mac) });
	if (sendto(p->fd, frame, f.used, MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof(to)) <
	    0)
		log_debug("probe: %s", strerror(errno)); /* the interface is down, say */
}

/* True if an interface has an IPv4 address. */
static bool
has_address(const struct ifaddrs *list, const char *name)
{
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET &&
		    strcmp(i->ifa_name, name) == 0)
			return true;
	}
	return false;
}

size_t
probe_now(struct probe *p)
{
	struct ifaddrs *list;
	size_t n = 0;

	if (getifaddrs(&list) < 0)
		return 0;
	for (const struct ifaddrs *i = list; i != NULL && n < PROBE_INTERFACES; i = i->ifa_next) {
		struct sockaddr_ll ll;

		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_PACKET ||
		    (i->ifa_flags & (IFF_UP | IFF_BROADCAST | IFF_LOOPBACK)) !=
			(IFF_UP | IFF_BROADCAST))
			continue;
		memcpy(&ll, i->ifa_addr, sizeof(ll));
		if (ll.sll_hatype != ARPHRD_ETHER || ll.sll_halen != 6 ||
		    !has_address(list, i->ifa_name) || !p->conf.serves(p->conf.arg, ll.sll_ifindex))
			continue;
		for (enum rival_client kind = RIVAL_BIOS; kind < RIVAL_CLIENTS; kind++)
			send_one(p, &ll, kind);
		n++;
	}
	freeifaddrs(list);
	return n;
}

static void
on_time(void *arg)
{
	struct probe *p = arg;

	(void)probe_now(p);
	(void)loop_timer_set(p->loop, &p->timer, (uint64_t)p->every_s * 1000);
}

void
probe_set(struct probe *p, uint32_t every_s)
{
	bool first = p->every_s == 0;

	if (every_s == p->every_s)
		return;
	p->every_s = every_s;
	if (every_s == 0)
		loop_timer_clear(p->loop, &p->timer);
	else
		(void)loop_timer_set(
		    p->loop, &p->timer, first ? PROBE_START_MS : (uint64_t)every_s * 1000);
}

void
probe_soon(struct probe *p)
{
	if (p->every_s != 0)
		(void)loop_timer_set(p->loop, &p->timer, PROBE_START_MS);
}

int
probe_new(struct loop *loop, const struct probe_conf *conf, struct probe **ret)
{
	struct probe *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL)
		return -ENOMEM;
	*p = (struct probe){ .loop = loop, .conf = *conf };
	/* of no protocol: it only sends */
	p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0) {
		rc = -errno;
		free(p);
		return rc;
	}
	loop_timer_init(&p->timer, on_time, p);
	*ret = p;
	return 0;
}

void
probe_free(struct probe *p)
{
	if (p == NULL)
		return;
	loop_timer_clear(p->loop, &p->timer);
	close(p->fd);
	free(p);
}
