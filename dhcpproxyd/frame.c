/* IPv4 and UDP headers; see frame.h. */
#include "dhcpproxyd/frame.h"

#include <netinet/in.h>
#include <string.h>

#define TTL 64
#define IP_MORE_OR_LATER                                                                           \
	0x3fffu /* the flag "more fragments" and the offset (RFC 791 section 3.1) */

/* Adds up 16-bit words (RFC 1071); an odd last octet counts as if a zero followed. */
static uint64_t
sum_bytes(uint64_t sum, const uint8_t *p, size_t n)
{
	/* any byte order does, for the sum is turned like its words (RFC 1071 section 2): so eight
	 * octets at a time, the carry added at once */
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		sum += v;
		sum += sum < v;
	}
	if (n > 0) {
		uint64_t v = 0;

		memcpy(&v, p, n);
		sum += v;
		sum += sum < v;
	}
	return sum;
}

/* The sum folded into 16 bits, in network byte order as a number. */
static uint16_t
fold(uint64_t sum)
{
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	return ntohs((uint16_t)sum);
}

/* Of the datagram with its pseudo-header (RFC 768); 0xffff when a checksum within is right. */
static uint16_t
sum_datagram(const uint8_t from[static 4], const uint8_t to[static 4], const uint8_t *udp,
    struct slice payload)
{
	uint16_t n = (uint16_t)(FRAME_UDP_BYTES + payload.n);
	const uint8_t pseudo[] = { from[0], from[1], from[2], from[3], to[0], to[1], to[2], to[3],
		0, IPPROTO_UDP, (uint8_t)(n >> 8), (uint8_t)n, 0, 0, 0, 0 };
	uint64_t sum = sum_bytes(0, pseudo, sizeof(pseudo));

	sum = sum_bytes(sum, udp, FRAME_UDP_BYTES);
	return fold(sum_bytes(sum, payload.p, payload.n));
}

enum frame_fault
frame_parse(struct slice packet, bool unsummed, struct frame *ret)
{
	const uint8_t *ip = packet.p, *udp;
	struct frame f;
	size_t header, total, n;
	struct rbuf r;

	if (packet.n < FRAME_IP_BYTES)
		return FRAME_SHORT;
	header = (size_t)(ip[0] & 15) * 4;
	total = (size_t)ip[2] << 8 | ip[3];
	if (ip[0] >> 4 != 4 || ip[9] != IPPROTO_UDP)
		return FRAME_NOT_UDP;
	if (header < FRAME_IP_BYTES || total > packet.n || total < header + FRAME_UDP_BYTES)
		return FRAME_SHORT;
	if ((((unsigned)ip[6] << 8 | ip[7]) & IP_MORE_OR_LATER) != 0)
		return FRAME_FRAGMENT;
	if (fold(sum_bytes(0, ip, header)) != 0xffff)
		return FRAME_CHECKSUM;
	memcpy(f.from, ip + 12, 4);
	memcpy(f.to, ip + 16, 4);
	udp = ip + header;
	rbuf_init(&r, udp, total - header);
	f.from_port = rbuf_u16(&r);
	f.to_port = rbuf_u16(&r);
	n = rbuf_u16(&r);
	if (n < FRAME_UDP_BYTES || n > total - header)
		return FRAME_SHORT;
	f.payload = (struct slice){ udp + FRAME_UDP_BYTES, n - FRAME_UDP_BYTES };
	/* 0: the sender made none (RFC 768) */
	if (!unsummed && rbuf_u16(&r) != 0 && sum_datagram(f.from, f.to, udp, f.payload) != 0xffff)
		return FRAME_CHECKSUM;
	*ret = f;
	return FRAME_GOOD;
}

void
frame_headers(const struct frame *f, uint8_t ret[static FRAME_IP_BYTES + FRAME_UDP_BYTES])
{
	size_t n = FRAME_UDP_BYTES + f->payload.n;
	static const uint8_t any[4];
	struct wbuf w;
	uint16_t sum;

	wbuf_init(&w, ret, FRAME_IP_BYTES + FRAME_UDP_BYTES);
	wbuf_u16(&w, 0x4500); /* version 4, a header of 5 words */
	wbuf_u16(&w, (uint16_t)(FRAME_IP_BYTES + n));
	wbuf_u32(&w, 0); /* identification; may be fragmented, as some ROMs dislike the DF bit */
	wbuf_u8(&w, TTL);
	wbuf_u8(&w, IPPROTO_UDP);
	wbuf_u16(&w, 0);
	wbuf_bytes(&w, f->from, 4);
	wbuf_bytes(&w, f->to, 4);
	wbuf_u16(&w, f->from_port);
	wbuf_u16(&w, f->to_port);
	wbuf_u16(&w, (uint16_t)n);
	wbuf_u16(&w, 0);
	if (memcmp(f->from, any, 4) == 0)
		return;
	sum = (uint16_t)~sum_datagram(f->from, f->to, ret + FRAME_IP_BYTES, f->payload);
	wbuf_patch_u16(
	    &w, FRAME_IP_BYTES + 6, sum != 0 ? sum : 0xffff); /* 0 would say that there is none */
}
