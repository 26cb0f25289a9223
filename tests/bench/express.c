/* See express.h. */
#include "tests/bench/express.h"

#include "common/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAMES      1024 /* a power of two; so many can be on their way */
#define FRAME_BYTES 2048 /* the least that the kernel takes */

struct ring {
	uint32_t *producer, *consumer;
	void *entries;
};

struct frame {
	uint8_t to[6], from[6];
	uint16_t ethertype;
	struct iphdr ip;
	struct udphdr udp;
	uint8_t bytes[EXPRESS_BYTES];
} __attribute__((packed));

struct express {
	int fd;
	struct ring tx, done;
	uint8_t *frames;
	uint64_t idle[FRAMES]; /* offsets of frames that may be filled */
	uint32_t nidle;
	struct frame head; /* of all */
};

/* --- where packets go ------------------------------------------------------------------------ */

/* The interface that has an address; its index. */
static int
interface_of(struct in_addr address, char name[static IFNAMSIZ])
{
	struct ifaddrs *all;
	unsigned index = 0;

	if (getifaddrs(&all) < 0)
		return -errno;
	for (const struct ifaddrs *a = all; a != NULL && index == 0; a = a->ifa_next) {
		const struct sockaddr_in *in =
		    (const struct sockaddr_in *)(const void *)a->ifa_addr;

		if (in == NULL || in->sin_family != AF_INET ||
		    in->sin_addr.s_addr != address.s_addr)
			continue;
		(void)snprintf(name, IFNAMSIZ, "%s", a->ifa_name);
		index = if_nametoindex(name);
	}
	freeifaddrs(all);
	return index > 0 ? (int)index : -ENODEV;
}

/* Fills in the hardware addresses; the interface's index. */
static int
find_way(struct frame *f, const struct sockaddr_in *to)
{
	struct sockaddr_in own = { 0 };
	socklen_t len = sizeof(own);
	struct arpreq arp = { 0 };
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), index = -1;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&own, &len) == 0)
		index = interface_of(own.sin_addr, ifr.ifr_name);
	if (index > 0) {
		memcpy(&arp.arp_pa, to, sizeof(*to));
		memcpy(arp.arp_dev, ifr.ifr_name, sizeof(arp.arp_dev));
		if (ioctl(fd, SIOCGIFHWADDR, &ifr) < 0 || ioctl(fd, SIOCGARP, &arp) < 0)
			index = -errno;
		else if (ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER || (arp.arp_flags & ATF_COM) == 0)
			index = -ENODEV;
		memcpy(f->from, ifr.ifr_hwaddr.sa_data, sizeof(f->from));
		memcpy(f->to, arp.arp_ha.sa_data, sizeof(f->to));
	}
	close(fd);
	return index;
}

/* --- the socket ------------------------------------------------------------------------------ */

static int
map_ring(struct express *x, const struct xdp_ring_offset *off, size_t entry, off_t where,
    struct ring *ret)
{
	size_t size = off->desc + FRAMES * entry;
	uint8_t *p =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, x->fd, where);

	if (p == MAP_FAILED)
		return -errno;
	ret->producer = (uint32_t *)(void *)(p + off->producer);
	ret->consumer = (uint32_t *)(void *)(p + off->consumer);
	ret->entries = p + off->desc;
	return 0;
}

static int
open_socket(struct express *x, int index)
{
	const struct sockaddr_xdp to = {
		.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY, .sxdp_ifindex = (uint32_t)index
	};
	struct xdp_umem_reg reg = { .len = FRAMES * FRAME_BYTES, .chunk_size = FRAME_BYTES };
	struct xdp_mmap_offsets offsets;
	socklen_t len = sizeof(offsets);
	const int size = FRAMES;
	int rc;

	x->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (x->fd < 0)
		return -errno;
	x->frames = mmap(NULL, FRAMES * FRAME_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (x->frames == MAP_FAILED)
		return -errno;
	reg.addr = (uint64_t)(uintptr_t)x->frames;
	/* the kernel wants to have a ring for receiving, too */
	if (setsockopt(x->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) < 0 ||
	    setsockopt(x->fd, SOL_XDP, XDP_UMEM_FILL_RING, &size, sizeof(size)) < 0 ||
	    setsockopt(x->fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &size, sizeof(size)) < 0 ||
	    setsockopt(x->fd, SOL_XDP, XDP_TX_RING, &size, sizeof(size)) < 0 ||
	    getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &len) < 0)
		return -errno;
	rc = map_ring(x, &offsets.tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING, &x->tx);
	if (rc == 0)
		rc = map_ring(
		    x, &offsets.cr, sizeof(uint64_t), XDP_UMEM_PGOFF_COMPLETION_RING, &x->done);
	if (rc == 0 && bind(x->fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		rc = -errno;
	return rc;
}

int
express_open(const struct sockaddr_in *to, uint16_t port_be, struct express **ret)
{
	struct express *x = calloc(1, sizeof(*x));
	int rc;

	if (x == NULL)
		return -ENOMEM;
	x->fd = -1;
	x->head.ethertype = htons(0x0800);
	x->head.ip = (struct iphdr){ .version = 4,
		.ihl = 5,
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.frag_off = htons(IP_DF),
		.daddr = to->sin_addr.s_addr };
	x->head.udp.source = port_be; /* without a checksum (RFC 768) */
	rc = find_way(&x->head, to);
	if (rc > 0)
		rc = open_socket(x, rc);
	if (rc < 0) {
		if (x->fd >= 0)
			close(x->fd);
		free(x);
		return rc;
	}
	while (x->nidle < FRAMES) {
		x->idle[x->nidle] = (uint64_t)x->nidle * FRAME_BYTES;
		x->nidle++;
	}
	*ret = x;
	return 0;
}

/* --- sending --------------------------------------------------------------------------------- */

static void
reap(struct express *x)
{
	uint32_t at = *x->done.consumer, end = __atomic_load_n(x->done.producer, __ATOMIC_ACQUIRE);
	const uint64_t *entries = x->done.entries;

	for (; at != end; at++)
		x->idle[x->nidle++] = entries[at & (FRAMES - 1)];
	__atomic_store_n(x->done.consumer, at, __ATOMIC_RELEASE);
}

int
express_flush(struct express *x)
{
	while (__atomic_load_n(x->tx.consumer, __ATOMIC_ACQUIRE) != *x->tx.producer) {
		/* takes a few at a time, and tells so as EAGAIN */
		if (sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN &&
		    errno != EBUSY && errno != ENOBUFS && errno != EINTR)
			return -errno;
	}
	reap(x);
	return 0;
}

static uint16_t
ip_checksum(const struct frame *f)
{
	uint16_t words[10];
	uint32_t sum = 0;

	memcpy(words, (const uint8_t *)f + offsetof(struct frame, ip), sizeof(words));
	for (size_t i = 0; i < NITEMS(words); i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

void
express_put(struct express *x, struct in_addr from, uint16_t port_be, const void *p, size_t n)
{
	uint32_t at = *x->tx.producer;
	struct xdp_desc *desc = (struct xdp_desc *)x->tx.entries + (at & (FRAMES - 1));
	struct frame *f;
	uint64_t where;

	while (x->nidle == 0) /* all are on their way */
		(void)express_flush(x);
	where = x->idle[--x->nidle];
	f = (struct frame *)(void *)(x->frames + where);
	memcpy(f, &x->head, offsetof(struct frame, bytes));
	f->udp.dest = port_be;
	f->udp.len = htons((uint16_t)(sizeof(f->udp) + n));
	f->ip.saddr = from.s_addr;
	f->ip.tot_len = htons((uint16_t)(sizeof(f->ip) + sizeof(f->udp) + n));
	f->ip.check = ip_checksum(f);
	memcpy(f->bytes, p, n);
	*desc = (struct xdp_desc){ .addr = where,
		.len = (uint32_t)(offsetof(struct frame, bytes) + n) };
	__atomic_store_n(x->tx.producer, at + 1, __ATOMIC_RELEASE);
}
