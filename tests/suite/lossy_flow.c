/* See lossy_flow.h. */
#include "tests/suite/lossy_flow.h"

#include "tests/suite/lossy_rules.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ETHERNET       14
#define CHAINS         4096
#define TRIES_A_SECOND 6
#define SILENT_TRIES   16

struct flow_totals totals;
static struct flow *flows[CHAINS];

static uint64_t
hash(uint64_t h, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint16_t
u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* --- packets ---------------------------------------------------------------------------------- */

static bool
read_udp(uint8_t *p, size_t left, struct datagram *d)
{
	if (left < 8 || u16(p + 4) < 8)
		return false;
	d->udp = p;
	d->source = u16(p);
	d->destination = u16(p + 2);
	d->payload = p + 8;
	d->n = left - 8;
	d->whole_n = u16(p + 4) - 8u;
	if (d->n > d->whole_n)
		d->n = d->whole_n;
	return true;
}

static bool
read_ipv4(uint8_t *p, size_t left, enum way way, struct datagram *d)
{
	size_t head = left > 0 ? (p[0] & 15u) * 4u : 0;

	if (head < 20 || left < head)
		return false;
	d->ip_n = u16(p + 2);
	d->address_n = 4;
	d->client = p + (way == TO_SERVER ? 12 : 16);
	d->server = p + (way == TO_SERVER ? 16 : 12);
	if (d->ip_n < head || d->ip_n > left || p[9] != IPPROTO_UDP || (u16(p + 6) & 0x1fff) != 0)
		return false;
	return read_udp(p + head, d->ip_n - head, d);
}

static bool
read_ipv6(uint8_t *p, size_t left, enum way way, struct datagram *d)
{
	size_t head = 40;
	uint8_t next;

	if (left < head)
		return false;
	d->ip_n = head + u16(p + 4);
	d->address_n = 16;
	d->client = p + (way == TO_SERVER ? 8 : 24);
	d->server = p + (way == TO_SERVER ? 24 : 8);
	next = p[6];
	if (d->ip_n > left)
		return false;
	if (next == IPPROTO_FRAGMENT && d->ip_n >= head + 8 && (u16(p + head + 2) & 0xfff8) == 0) {
		next = p[head];
		head += 8;
	}
	return next == IPPROTO_UDP && read_udp(p + head, d->ip_n - head, d);
}

bool
read_frame(uint8_t *p, size_t n, enum way way, struct datagram *d)
{
	*d = (struct datagram){ 0 };
	if (n < ETHERNET)
		return false;
	if (u16(p + 12) == 0x0800)
		return read_ipv4(p + ETHERNET, n - ETHERNET, way, d);
	return u16(p + 12) == 0x86dd && read_ipv6(p + ETHERNET, n - ETHERNET, way, d);
}

static uint32_t
sum(uint32_t s, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		s += u16(p + i);
	if (n % 2 != 0)
		s += (uint32_t)p[n - 1] << 8;
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

void
finish_checksum(const struct datagram *d)
{
	uint8_t *udp = d->udp;
	uint32_t s = IPPROTO_UDP + (uint32_t)d->whole_n + 8;

	udp[6] = udp[7] = 0;
	s = sum(s, d->client, d->address_n);
	s = sum(s, d->server, d->address_n);
	s = sum(s, udp, d->n + 8);
	s = s == 0xffff ? s : ~s & 0xffff;
	udp[6] = (uint8_t)(s >> 8);
	udp[7] = (uint8_t)s;
}

/* --- transfers -------------------------------------------------------------------------------- */

/*
 * A packet to which something was done costs a window that is sent again, and more of them while
 * the client waits in silence for a second, as some do; at its end it may be silent for good.
 */
static void
settle_flow(const struct flow *f)
{
	totals.transfers++;
	totals.blocks += f->highest;
	totals.repeats += f->repeats;
	if (f->repeats > totals.worst)
		totals.worst = f->repeats;
	totals.storms += f->repeats > f->windowsize * (TRIES_A_SECOND * f->events + SILENT_TRIES);
}

void
flows_settle(void)
{
	for (size_t i = 0; i < CHAINS; i++) {
		for (const struct flow *f = flows[i]; f != NULL; f = f->next)
			settle_flow(f);
	}
}

/* A new request from the same port begins another transfer; the same one again does not. */
static void
begin_flow(struct flow *f, const struct datagram *d, uint64_t seed)
{
	uint64_t request = hash(1, d->payload, d->n);
	struct flow *next = f->next;

	if (f->request == request && !f->ended)
		return;
	if (f->request != 0) {
		settle_flow(f);
		forget_held(f);
		*f = (struct flow){ .next = next };
	}
	memcpy(f->client, d->client, d->address_n);
	f->port = d->source;
	f->request = request;
	f->chance = seed ^ request;
	f->blksize = 512;
	f->windowsize = 1;
}

struct flow *
find_flow(const struct datagram *d, enum way way, uint64_t seed)
{
	uint16_t port = way == TO_SERVER ? d->source : d->destination;
	struct flow **chain = &flows[(hash(port, d->client, d->address_n) >> 7) % CHAINS],
		    *f = *chain;
	bool begins = way == TO_SERVER && d->destination == 69 && d->n > 2 && u16(d->payload) == 1;

	while (f != NULL && (f->port != port || memcmp(f->client, d->client, d->address_n) != 0))
		f = f->next;
	if (f == NULL && begins) {
		f = calloc(1, sizeof(*f));
		if (f == NULL)
			die("out of memory");
		f->next = *chain;
		*chain = f;
	}
	if (begins)
		begin_flow(f, d, seed);
	return f;
}

/* Calls nothing agreed but what an OACK says. */
static void
read_oack(struct flow *f, const uint8_t *p, size_t n)
{
	size_t at = 2;

	f->blksize = 512;
	f->windowsize = 1;
	while (at < n) {
		const char *name = (const char *)p + at;
		size_t value = at + strnlen(name, n - at) + 1;

		if (value >= n || memchr(p + value, 0, n - value) == NULL)
			return;
		if (strcasecmp(name, "blksize") == 0)
			f->blksize = (uint32_t)strtoul((const char *)p + value, NULL, 10);
		else if (strcasecmp(name, "windowsize") == 0)
			f->windowsize = (uint32_t)strtoul((const char *)p + value, NULL, 10);
		at = value + strlen((const char *)p + value) + 1;
	}
}

static void
see_data(struct flow *f, uint16_t block)
{
	int16_t ahead = (int16_t)(uint16_t)(block - (uint16_t)f->highest);

	if (ahead > 0 && f->highest / BLOCKS != (f->highest + (uint64_t)ahead) / BLOCKS)
		memset(f->times, 0, sizeof(f->times)); /* they begin anew at 0 */
	if (ahead > 0)
		f->highest += (uint64_t)ahead;
	else
		f->repeats++;
	if (f->times[block] < UINT8_MAX)
		f->times[block]++;
	if (f->times[block] > totals.most)
		totals.most = f->times[block];
}

static unsigned
kinds_of(struct flow *f, const struct datagram *d, enum way way)
{
	unsigned kinds = 1u << (way == TO_SERVER ? UP : DOWN);
	uint16_t block;

	if (d->n < 4)
		return 0;
	block = u16(d->payload + 2);
	switch (u16(d->payload)) {
	case 1: return kinds | 1u << RRQ;
	case 3:
		see_data(f, block);
		kinds |= 1u << DATA;
		if (d->whole_n - 4 < f->blksize) {
			kinds |= 1u << LAST;
			f->short_seen = true;
			f->short_block = block;
		}
		return kinds;
	case 4:
		kinds |= 1u << ACK;
		if (f->short_seen && f->short_block == block) {
			kinds |= 1u << LASTACK;
			f->ended = true;
		}
		return kinds;
	case 5: return kinds | 1u << ERROR;
	case 6: read_oack(f, d->payload, d->n); return kinds | 1u << OACK;
	default: return 0;
	}
}

unsigned
see_packet(struct flow *f, const struct datagram *d, enum way way)
{
	unsigned kinds = kinds_of(f, d, way);

	for (size_t k = 0; k < KINDS; k++)
		f->seen[k] += kinds >> k & 1;
	return kinds;
}
