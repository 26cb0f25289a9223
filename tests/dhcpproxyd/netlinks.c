/* See netlinks.h. */
#include "tests/dhcpproxyd/netlinks.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

static void
put_attribute(struct wbuf *w, unsigned type, const void *value, size_t n)
{
	struct rtattr a = { (unsigned short)(sizeof(a) + n), (unsigned short)type };

	wbuf_bytes(w, &a, sizeof(a));
	wbuf_bytes(w, value, n);
	wbuf_fill(w, 0, RTA_ALIGN(n) - n);
}

static size_t
begin(struct wbuf *w, unsigned type)
{
	struct nlmsghdr h = { .nlmsg_type = (uint16_t)type };

	wbuf_bytes(w, &h, sizeof(h));
	return w->used - sizeof(h);
}

static void
end(struct wbuf *w, size_t at)
{
	uint32_t n = (uint32_t)(w->used - at);

	memcpy(w->p + at, &n, sizeof(n));
}

void
put_link(struct wbuf *w, unsigned type, int ifindex, const char *name, unsigned flags)
{
	struct ifinfomsg info = { .ifi_index = ifindex, .ifi_flags = flags };
	const uint8_t mac[] = { 2, 0, 0, 0, 0, (uint8_t)ifindex }, all[6] = { 255 };
	uint32_t mtu = 1500;
	size_t at = begin(w, type);

	wbuf_bytes(w, &info, sizeof(info));
	if (name != NULL)
		put_attribute(w, IFLA_IFNAME, name, strlen(name) + 1);
	put_attribute(w, IFLA_MTU, &mtu, sizeof(mtu));
	put_attribute(w, IFLA_ADDRESS, mac, sizeof(mac));
	put_attribute(w, IFLA_BROADCAST, all, sizeof(all));
	end(w, at);
}

void
put_address(struct wbuf *w, unsigned type, int ifindex, const char *address, unsigned prefix,
    const char *peer, unsigned flags)
{
	struct ifaddrmsg info = { .ifa_family = AF_INET,
		.ifa_prefixlen = (uint8_t)prefix,
		.ifa_flags = (uint8_t)flags,
		.ifa_index = (uint32_t)ifindex };
	size_t at = begin(w, type);
	struct in_addr ip;

	wbuf_bytes(w, &info, sizeof(info));
	(void)inet_pton(AF_INET, peer != NULL ? peer : address, &ip);
	put_attribute(w, IFA_ADDRESS, &ip, 4);
	(void)inet_pton(AF_INET, address, &ip);
	put_attribute(w, IFA_LOCAL, &ip, 4);
	end(w, at);
}
