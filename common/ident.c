/* Hardware addresses, UUIDs, IP addresses, boot ids; see ident.h. */
#include "common/ident.h"

#include "common/hex.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

/*
 * Reads pairs of hexadecimal digits, each pair but the first optionally after one of the
 * characters of `seps`.  The number of octets, or -EINVAL.
 */
static int
hex_octets(struct slice s, const char *seps, uint8_t *dst, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i += 2) {
		int hi, lo;

		if (n > 0 && s.p[i] != '\0' && strchr(seps, s.p[i]) != NULL)
			i++;
		if (i + 2 > s.n || n == max)
			return -EINVAL;
		hi = hex_digit(s.p[i]);
		lo = hex_digit(s.p[i + 1]);
		if (hi < 0 || lo < 0)
			return -EINVAL;
		dst[n++] = (uint8_t)(hi << 4 | lo);
	}
	return n == 0 ? -EINVAL : (int)n;
}

int
mac_parse(struct slice s, struct macaddr *ret)
{
	struct macaddr mac = { 0 };
	int n = hex_octets(s, ":-", mac.b, sizeof(mac.b));

	if (n < 0)
		return n;
	mac.len = (uint8_t)n;
	*ret = mac;
	return 0;
}

const char *
mac_format(const struct macaddr *mac, char buf[static MAC_STRLEN])
{
	char *p = buf;

	for (size_t i = 0; i < mac->len && i < sizeof(mac->b); i++) {
		if (i > 0)
			*p++ = ':';
		*p++ = hex_digits[mac->b[i] >> 4];
		*p++ = hex_digits[mac->b[i] & 15];
	}
	*p = '\0';
	return buf;
}

bool
mac_eq(const struct macaddr *a, const struct macaddr *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

int
uuid_parse(struct slice s, struct uuid *ret)
{
	struct uuid u = { 0 };

	if (hex_octets(s, "-", u.b, sizeof(u.b)) != (int)sizeof(u.b))
		return -EINVAL;
	*ret = u;
	return 0;
}

const char *
uuid_format(const struct uuid *u, char buf[static UUID_STRLEN])
{
	char *p = buf;

	for (size_t i = 0; i < sizeof(u->b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex_digits[u->b[i] >> 4];
		*p++ = hex_digits[u->b[i] & 15];
	}
	*p = '\0';
	return buf;
}

void
uuid_from_smbios(const uint8_t wire[static 16], struct uuid *ret)
{
	static const uint8_t from[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

	for (size_t i = 0; i < sizeof(from); i++)
		ret->b[i] = wire[from[i]];
}

bool
uuid_is_zero(const struct uuid *u)
{
	static const struct uuid zero;

	return memcmp(u, &zero, sizeof(zero)) == 0;
}

int
ip_parse(struct slice s, struct ipaddr *ret)
{
	struct ipaddr ip = { 0 };
	char text[IP_STRLEN];

	if (s.n >= sizeof(text) || slice_copy(text, sizeof(text), s) != s.n)
		return -EINVAL;
	if (inet_pton(AF_INET, text, ip.b) == 1)
		ip.family = 4;
	else if (inet_pton(AF_INET6, text, ip.b) == 1)
		ip.family = 6;
	else
		return -EINVAL;
	*ret = ip;
	return 0;
}

/* What inet_ntop() does, at a tenth of its time: every request has one. */
static void
format_v4(const uint8_t b[static 4], char *p)
{
	for (size_t i = 0; i < 4; i++) {
		if (i > 0)
			*p++ = '.';
		if (b[i] >= 100)
			*p++ = (char)('0' + b[i] / 100);
		if (b[i] >= 10)
			*p++ = (char)('0' + b[i] / 10 % 10);
		*p++ = (char)('0' + b[i] % 10);
	}
	*p = '\0';
}

const char *
ip_format(const struct ipaddr *ip, char buf[static IP_STRLEN])
{
	buf[0] = '\0';
	if (ip->family == 4)
		format_v4(ip->b, buf);
	else if (ip->family == 6)
		(void)inet_ntop(AF_INET6, ip->b, buf, IP_STRLEN); /* it is large enough */
	return buf;
}

struct ipaddr
ip_from_v4(const uint8_t b[static 4])
{
	struct ipaddr ip = { 0 };

	memcpy(ip.b, b, 4);
	if (b[0] != 0 || b[1] != 0 || b[2] != 0 || b[3] != 0)
		ip.family = 4;
	return ip;
}

static size_t
ip_len(const struct ipaddr *ip)
{
	return ip->family == 4 ? 4 : ip->family == 6 ? 16 : 0;
}

bool
ip_eq(const struct ipaddr *a, const struct ipaddr *b)
{
	return a->family == b->family && memcmp(a->b, b->b, ip_len(a)) == 0;
}

bool
ip_is_any(const struct ipaddr *ip)
{
	static const uint8_t zero[16];

	return memcmp(ip->b, zero, ip_len(ip)) == 0;
}

bool
mac_from_ipv6(const struct ipaddr *ip, struct macaddr *ret)
{
	const uint8_t *b = ip->b;

	/* not of a group, and ff:fe in the middle; the hardware address is not a group's either */
	if (ip->family != 6 || b[0] == 0xff || b[11] != 0xff || b[12] != 0xfe || (b[8] & 1) != 0)
		return false;
	*ret = (struct macaddr){ .len = 6,
		.b = { (uint8_t)(b[8] ^ 2), b[9], b[10], b[13], b[14], b[15] } };
	return true;
}

static const char base32[] = "0123456789abcdefghjkmnpqrstvwxyz";

const char *
boot_id_format(uint64_t id, char buf[static BOOT_ID_STRLEN])
{
	if (id == 0) {
		memcpy(buf, "-", 2);
		return buf;
	}
	for (int i = BOOT_ID_STRLEN - 2; i >= 0; i--) {
		buf[i] = base32[id & 31];
		id >>= 5;
	}
	buf[BOOT_ID_STRLEN - 1] = '\0';
	return buf;
}

int
boot_id_parse(struct slice s, uint64_t *ret)
{
	uint64_t id = 0;

	if (s.n != BOOT_ID_STRLEN - 1)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20 : s.p[i];
		const char *at = c == '\0' ? NULL : strchr(base32, c);

		if (at == NULL)
			return -EINVAL;
		id = id << 5 | (uint64_t)(at - base32);
	}
	if (id == 0)
		return -EINVAL;
	*ret = id;
	return 0;
}
