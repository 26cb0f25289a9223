/*
 * See capture.h.  Formats: draft-ietf-opsawg-pcap (the file), pcap-linktype(7) at tcpdump.org (the
 * heads of frames).  Lengths come from the file and are checked against what is left of it.
 */
#include "ferryctl/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC_US        0xa1b2c3d4
#define MAGIC_NS        0xa1b23c4d
#define MAGIC_NG        0x0a0d0d0a /* pcapng; the same in both byte orders */
#define PORT_DHCP       67
#define PORT_BOOTSERVER 4011
#define PROTO_UDP       17
#define TYPE_IPV4       0x0800

enum link_type {
	LINK_ETHERNET = 1,
	LINK_RAW_BSD = 12, /* what DLT_RAW is on most systems */
	LINK_RAW_OPENBSD = 14,
	LINK_RAW = 101,
	LINK_SLL = 113,
	LINK_IPV4 = 228,
	LINK_SLL2 = 276,
};

/* Where a frame's head has the type of what follows, and how long it is. */
static const struct {
	uint16_t type;
	uint8_t at;    /* of the Ethernet type */
	uint8_t bytes; /* of the head */
	bool tags;     /* VLAN tags may follow the head's addresses */
} links[] = {
	{ LINK_ETHERNET, 12, 14, true },
	{ LINK_SLL, 14, 16, true },
	{ LINK_SLL2, 0, 20, true },
	{ LINK_RAW, 0, 0, false },
	{ LINK_RAW_BSD, 0, 0, false },
	{ LINK_RAW_OPENBSD, 0, 0, false },
	{ LINK_IPV4, 0, 0, false },
};

struct capture {
	struct rbuf r;
	bool little;
	bool nano;
	size_t link; /* of links */
};

static uint32_t
read_u32(struct capture *c)
{
	uint32_t v = rbuf_u32(&c->r);

	return c->little ? __builtin_bswap32(v) : v;
}

/* The file's head: 24 bytes. */
static int
read_head(struct capture *c)
{
	uint32_t magic = rbuf_u32(&c->r), type;

	if (magic == MAGIC_NG)
		return -EPROTONOSUPPORT;
	c->little = magic == __builtin_bswap32(MAGIC_US) || magic == __builtin_bswap32(MAGIC_NS);
	if (c->little)
		magic = __builtin_bswap32(magic);
	if (magic != MAGIC_US && magic != MAGIC_NS)
		return -EBADMSG;
	c->nano = magic == MAGIC_NS;
	(void)rbuf_slice(&c->r, 16); /* version, time zone, accuracy, length kept: of no use */
	type = read_u32(c) & 0xffff; /* above it: whether frames have a check sum behind them */
	if (c->r.bad)
		return -EBADMSG;
	for (c->link = 0; c->link < NITEMS(links); c->link++) {
		if (links[c->link].type == type)
			return 0;
	}
	return -EPROTONOSUPPORT;
}

/* Behind the frame's head: what kind of packet, and its bytes. */
static uint16_t
open_frame(const struct capture *c, struct rbuf *r)
{
	struct rbuf head = *r;
	uint16_t type = TYPE_IPV4;

	if (links[c->link].bytes == 0)
		return type;
	(void)rbuf_slice(&head, links[c->link].at);
	type = rbuf_u16(&head);
	(void)rbuf_slice(r, links[c->link].bytes);
	/* 802.1Q, and 802.1ad around it */
	for (int i = 0; i < 2 && links[c->link].tags && (type == 0x8100 || type == 0x88a8); i++) {
		(void)rbuf_u16(r);
		type = rbuf_u16(r);
	}
	return type;
}

/* The datagram of an IPv4 packet. 0, or -1 if it holds none that is whole. */
static int
find_datagram(struct rbuf *r, struct capture_packet *p)
{
	uint8_t version = rbuf_u8(r);
	size_t options = (version & 15u) * 4u, length;
	uint16_t total, fragment;

	if (version >> 4 != 4 || options < 20)
		return -1;
	(void)rbuf_u8(r);
	total = rbuf_u16(r); /* 0 where the network card divides the packet later */
	(void)rbuf_u16(r);
	fragment = rbuf_u16(r);
	(void)rbuf_u8(r);
	if (rbuf_u8(r) != PROTO_UDP || (fragment & 0x3fff) != 0 ||
	    (total != 0 && total < options + 8))
		return -1;
	(void)rbuf_u16(r);
	rbuf_bytes(r, p->from, sizeof(p->from));
	rbuf_bytes(r, p->to, sizeof(p->to));
	(void)rbuf_slice(r, options - 20);
	p->from_port = rbuf_u16(r);
	p->to_port = rbuf_u16(r);
	length = rbuf_u16(r);
	(void)rbuf_u16(r);
	if (r->bad || length < 8)
		return -1;
	length -= 8;
	p->cut = length > r->left;
	p->payload = rbuf_slice(r, p->cut ? r->left : length);
	return 0;
}

/* One frame of the file: 1, or 0 at the end of the file, or -EBADMSG. */
static int
next_frame(struct capture *c, struct slice *ret, struct capture_packet *p)
{
	uint32_t seconds, part, kept;

	if (c->r.left < 16)
		return 0;
	seconds = read_u32(c);
	part = read_u32(c);
	kept = read_u32(c);
	(void)read_u32(c); /* as long as it was on the wire */
	if (kept > CAPTURE_FRAME_MAX)
		return -EBADMSG;
	if (kept > c->r.left)
		return 0;
	*p = (struct capture_packet){
		.number = p->number + 1,
		.at_us = (uint64_t)seconds * 1000000 + (c->nano ? part / 1000 : part),
	};
	*ret = rbuf_slice(&c->r, kept);
	return 1;
}

int
capture_parse(struct slice file, capture_fn *fn, void *arg)
{
	struct capture_packet p = { 0 };
	struct capture c = { 0 };
	struct slice frame;
	struct rbuf r;
	int rc;

	rbuf_init(&c.r, file.p, file.n);
	rc = read_head(&c);
	if (rc < 0)
		return rc;
	while ((rc = next_frame(&c, &frame, &p)) == 1) {
		rbuf_init(&r, frame.p, frame.n);
		if (open_frame(&c, &r) != TYPE_IPV4 || find_datagram(&r, &p) < 0 ||
		    (p.to_port != PORT_DHCP && p.to_port != PORT_BOOTSERVER))
			continue;
		rc = fn(arg, &p);
		if (rc != 0)
			return rc;
	}
	return rc;
}

/* The bytes of an open file; free() them. */
static int
read_all(int fd, size_t size, uint8_t **ret, size_t *ret_n)
{
	uint8_t *bytes = malloc(size + 1);
	size_t used = 0;
	ssize_t n = 0;

	if (bytes == NULL)
		return -ENOMEM;
	while (used < size && (n = read(fd, bytes + used, size - used)) > 0)
		used += (size_t)n;
	if (n < 0) {
		int error = errno;

		free(bytes);
		return -error;
	}
	*ret = bytes;
	*ret_n = used;
	return 0;
}

int
capture_read(const char *path, capture_fn *fn, void *arg)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;
	uint8_t *bytes = NULL;
	struct stat st;
	size_t n = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EINVAL;
	else if (st.st_size > (off_t)CAPTURE_FILE_MAX)
		rc = -EFBIG;
	else
		rc = read_all(fd, (size_t)st.st_size, &bytes, &n);
	(void)close(fd); /* only read from */
	if (rc == 0)
		rc = capture_parse((struct slice){ bytes, n }, fn, arg);
	free(bytes);
	return rc;
}
