/* Packet sockets; see tap.h. */
#include "dhcpproxyd/tap.h"

#include "common/log.h"
#include "dhcpproxyd/frame.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define A_ROUND       8 /* batches read before others get their turn */
#define CONTROL_BYTES CMSG_SPACE(sizeof(struct tpacket_auxdata))
#define FILTER_MAX    (40 + TAP_PORTS)
#define OP_AT         8 /* from the UDP header: BOOTP's op and yiaddr */
#define YIADDR_AT     24
#define SKIP          0x80u /* marks a jump that is final */
#define ETHERNET      14    /* bytes of its header */

struct tap {
	struct loop *loop;
	struct loop_fd lf;
	tap_packet_fn *fn;
	void *arg;
	struct tap_stats stats;
	struct mmsghdr msgs[TAP_BATCH];
	struct iovec iov[TAP_BATCH];
	struct sockaddr_ll from[TAP_BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_BYTES];
	} control[TAP_BATCH];
	uint8_t packets[TAP_BATCH][TAP_PACKET];
};

/* A filter under construction: each test that fails jumps to the end, which drops. */
struct filter {
	struct sock_filter code[FILTER_MAX];
	unsigned short n;
};

static void
put(struct filter *f, unsigned op, uint32_t k)
{
	f->code[f->n++] = (struct sock_filter){ .code = (uint16_t)op, .k = k };
}

/* Goes on if the value loaded last is `k` (BPF_JEQ) or has a bit of it (BPF_JSET), or if not. */
static void
need(struct filter *f, unsigned test, uint32_t k, bool is)
{
	/* 1 stands for the end until it is known where that is */
	f->code[f->n++] = (struct sock_filter){ .code = (uint16_t)(BPF_JMP | test | BPF_K),
		.jt = is ? 0 : 1,
		.jf = is ? 1 : 0,
		.k = k };
}

/* With the length of the IP header in X: goes on with what tap_conf.replies asks for. */
static void
need_reply(struct filter *f)
{
	const uint32_t net = (uint32_t)SKF_NET_OFF, ancillary = (uint32_t)SKF_AD_OFF;

	put(f, BPF_LD | BPF_B | BPF_IND, net + OP_AT);
	need(f, BPF_JEQ, 2, true);
	put(f, BPF_LD | BPF_B | BPF_ABS, ancillary + SKF_AD_PKTTYPE);
	/* what others sent jumps over the look at yiaddr: no jump of need(), whose 1 is the end */
	f->code[f->n++] = (struct sock_filter){
		.code = BPF_JMP | BPF_JEQ | BPF_K, .jf = SKIP | 2, .k = PACKET_OUTGOING
	};
	put(f, BPF_LD | BPF_W | BPF_IND, net + YIADDR_AT);
	need(f, BPF_JEQ, 0, false);
}

/*
 * Loads relative to SKF_NET_OFF find the IP header behind link headers of any length, and those
 * relative to SKF_AD_OFF what the kernel knows of the packet.
 */
static void
make_filter(struct filter *f, const struct tap_conf *conf)
{
	const uint32_t net = (uint32_t)SKF_NET_OFF, ancillary = (uint32_t)SKF_AD_OFF;
	unsigned short ports_at, drop_at;
	size_t nports = 0;

	f->n = 0;
	put(f, BPF_LD | BPF_H | BPF_ABS, ancillary + SKF_AD_PROTOCOL);
	need(f, BPF_JEQ, ETH_P_IP, true);
	put(f, BPF_LD | BPF_B | BPF_ABS, net + 9);
	need(f, BPF_JEQ, IPPROTO_UDP, true);
	put(f, BPF_LD | BPF_H | BPF_ABS, net + 6);
	need(f, BPF_JSET, 0x3fff, false); /* fragments */
	if (conf->ifindex != 0) {
		/* the interface below a VLAN, bond or bridge sees what goes to those, too */
		put(f, BPF_LD | BPF_W | BPF_ABS, ancillary + SKF_AD_IFINDEX);
		need(f, BPF_JEQ, (uint32_t)conf->ifindex, true);
	}
	if (!conf->outgoing) {
		/* with a tag that nobody here takes, or for another host (promiscuous mode) */
		put(f, BPF_LD | BPF_B | BPF_ABS, ancillary + SKF_AD_PKTTYPE);
		need(f, BPF_JEQ, PACKET_OTHERHOST, false);
	}
	put(f, BPF_LD | BPF_B | BPF_ABS, net);
	put(f, BPF_ALU | BPF_AND | BPF_K, 15);
	put(f, BPF_ALU | BPF_LSH | BPF_K, 2);
	put(f, BPF_MISC | BPF_TAX, 0);
	if (conf->replies)
		need_reply(f);
	put(f, BPF_LD | BPF_H | BPF_IND, net + 2); /* destination port */
	ports_at = f->n;
	while (nports < TAP_PORTS && conf->ports[nports] != 0)
		nports++;
	for (size_t i = 0; i < nports; i++)
		f->code[f->n++] = (struct sock_filter){ .code = BPF_JMP | BPF_JEQ | BPF_K,
			.jt = (uint8_t)(nports - i), /* over the other ports and the drop */
			.k = conf->ports[i] };
	drop_at = f->n;
	put(f, BPF_RET | BPF_K, 0);
	put(f, BPF_RET | BPF_K, 0xffff); /* the whole packet */
	for (unsigned short i = 0; i < ports_at; i++) {
		if (BPF_CLASS(f->code[i].code) != BPF_JMP)
			continue;
		if ((f->code[i].jf & SKIP) != 0) {
			f->code[i].jf &= (uint8_t)~SKIP;
			continue;
		}
		f->code[i].jt = f->code[i].jt != 0 ? (uint8_t)(drop_at - i - 1) : 0;
		f->code[i].jf = f->code[i].jf != 0 ? (uint8_t)(drop_at - i - 1) : 0;
	}
}

static void
prepare(struct tap *t)
{
	for (size_t i = 0; i < TAP_BATCH; i++) {
		t->iov[i] = (struct iovec){ t->packets[i], sizeof(t->packets[i]) };
		t->msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &t->from[i],
			.msg_namelen = sizeof(t->from[i]),
			.msg_iov = &t->iov[i],
			.msg_iovlen = 1,
			.msg_control = t->control[i].bytes,
			.msg_controllen = CONTROL_BYTES,
		};
	}
}

/* What the kernel says of a packet; zeros if it said nothing. */
static struct tpacket_auxdata
auxdata_of(struct msghdr *m)
{
	struct tpacket_auxdata aux = { 0 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA)
			memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	}
	return aux;
}

static void
deliver(struct tap *t, struct mmsghdr *m, const uint8_t *bytes)
{
	const struct sockaddr_ll *ll = m->msg_hdr.msg_name;
	struct tpacket_auxdata aux = auxdata_of(&m->msg_hdr);
	struct tap_packet packet = { .ifindex = ll->sll_ifindex };
	struct frame f;

	if ((m->msg_hdr.msg_flags & MSG_TRUNC) != 0) {
		t->stats.too_long++;
		return;
	}
	if (aux.tp_net > m->msg_len) {
		t->stats.malformed++;
		return;
	}
	/*
	 * What comes over veth, or from this very host, has no checksum yet: the sender left it to
	 * hardware that there is not.
	 */
	switch (frame_parse((struct slice){ bytes + aux.tp_net, m->msg_len - aux.tp_net },
	    (aux.tp_status & (TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID)) != 0, &f)) {
	case FRAME_GOOD: break;
	case FRAME_CHECKSUM: t->stats.checksum++; return;
	case FRAME_SHORT:
	case FRAME_NOT_UDP:
	case FRAME_FRAGMENT: t->stats.malformed++; return;
	}
	packet.bytes = f.payload;
	memcpy(packet.from, f.from, 4);
	memcpy(packet.to, f.to, 4);
	packet.from_port = f.from_port;
	packet.to_port = f.to_port;
	if (aux.tp_net >= ETHERNET && ll->sll_hatype == ARPHRD_ETHER) {
		memcpy(packet.to_mac, bytes, 6);
		memcpy(packet.from_mac, bytes + 6, 6);
	}
	if ((aux.tp_status & TP_STATUS_VLAN_VALID) != 0)
		packet.vlan = aux.tp_vlan_tci & 0xfff;
	packet.outgoing = ll->sll_pkttype == PACKET_OUTGOING;
	packet.unicast = (packet.to_mac[0] & 1) == 0 && ll->sll_pkttype != PACKET_BROADCAST &&
	                 ll->sll_pkttype != PACKET_MULTICAST;
	t->stats.received++;
	t->fn(t->arg, &packet);
}

static void
on_readable(void *arg, uint32_t events)
{
	struct tap *t = arg;

	(void)events;
	for (int round = 0; round < A_ROUND; round++) {
		int n;

		prepare(t);
		n = recvmmsg(t->lf.fd, t->msgs, TAP_BATCH, MSG_DONTWAIT, NULL);
		if (n < 0) {
			/* ENETDOWN: its interface went down, and may come up again */
			if (errno != EAGAIN && errno != EINTR && errno != ENETDOWN)
				log_peer_warn("receiving: %s", strerror(errno));
			break;
		}
		for (int i = 0; i < n; i++)
			deliver(t, &t->msgs[i], t->packets[i]);
		if (n < TAP_BATCH)
			break;
	}
}

/* Of no protocol until its filter is in place, so that nothing passes unfiltered. */
static int
open_socket(const struct tap_conf *conf)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
		.sll_protocol = htons(conf->outgoing ? ETH_P_ALL : ETH_P_IP),
		.sll_ifindex = conf->ifindex };
	struct filter f;
	struct sock_fprog program = { .filter = f.code };
	int fd, rc, on = 1;

	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	make_filter(&f, conf);
	program.len = f.n;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0)
		goto fail;
	/* the limit of the system may hold without CAP_NET_ADMIN: then as much as it gives */
	if (conf->buffer > 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &conf->buffer, sizeof(conf->buffer)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &conf->buffer, sizeof(conf->buffer));
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		goto fail;
	return fd;
fail:
	rc = -errno;
	close(fd);
	return rc;
}

int
tap_open(struct loop *loop, const struct tap_conf *conf, struct tap **ret)
{
	struct tap *t = calloc(1, sizeof(*t));
	int fd, rc;

	if (t == NULL)
		return -ENOMEM;
	t->loop = loop;
	t->fn = conf->fn;
	t->arg = conf->arg;
	fd = open_socket(conf);
	rc = fd < 0 ? fd : loop_add(loop, &t->lf, fd, EPOLLIN, on_readable, t);
	if (rc < 0) {
		if (fd >= 0)
			close(fd);
		free(t);
		return rc;
	}
	*ret = t;
	return 0;
}

int
tap_set_outgoing(struct tap *t, bool on)
{
	int ignore = !on;

	return setsockopt(t->lf.fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignore, sizeof(ignore)) < 0
	           ? -errno
	           : 0;
}

void
tap_stop(struct tap *t)
{
	if (t != NULL)
		loop_mod(t->loop, &t->lf, 0);
}

void
tap_close(struct tap *t)
{
	if (t == NULL)
		return;
	loop_del(t->loop, &t->lf);
	close(t->lf.fd);
	free(t);
}

void
tap_get_stats(struct tap *t, struct tap_stats *ret)
{
	struct tpacket_stats kernel;
	socklen_t n = sizeof(kernel);

	/* reading sets the kernel's figures back to 0 */
	if (getsockopt(t->lf.fd, SOL_PACKET, PACKET_STATISTICS, &kernel, &n) == 0)
		t->stats.lost += kernel.tp_drops;
	*ret = t->stats;
}
