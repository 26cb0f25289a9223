/* See cidr.h. */
#include "handlerd/cidr.h"

#include <errno.h>
#include <string.h>

/* True if the first `bits` bits are the same. */
static bool
same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned left = bits % 8;

	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return left == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - left) == 0;
}

int
cidr_parse(struct slice s, struct cidr *ret)
{
	const uint8_t *slash = s.n > 0 ? memchr(s.p, '/', s.n) : NULL;
	size_t n = slash != NULL ? (size_t)(slash - s.p) : s.n;
	struct cidr c = { .bits = 0 };
	unsigned most, bits = 0;

	if (ip_parse((struct slice){ s.p, n }, &c.net) < 0)
		return -EINVAL;
	most = c.net.family == 4 ? 32 : 128;
	if (slash == NULL) {
		bits = most;
	} else {
		size_t digits = s.n - n - 1;

		if (digits == 0 || digits > 3)
			return -EINVAL;
		for (size_t i = n + 1; i < s.n; i++) {
			if (s.p[i] < '0' || s.p[i] > '9')
				return -EINVAL;
			bits = bits * 10 + (unsigned)(s.p[i] - '0');
		}
	}
	if (bits > most)
		return -EINVAL;
	for (unsigned i = bits; i < most; i++) {
		if ((c.net.b[i / 8] >> (7 - i % 8) & 1) != 0)
			return -EINVAL;
	}
	c.bits = (uint8_t)bits;
	*ret = c;
	return 0;
}

bool
cidr_holds(const struct cidr *c, const struct ipaddr *ip)
{
	return ip->family != 0 && ip->family == c->net.family &&
	       same_prefix(c->net.b, ip->b, c->bits);
}
