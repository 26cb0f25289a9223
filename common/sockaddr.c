/* See sockaddr.h. */
#include "common/sockaddr.h"

#include <assert.h>
#include <string.h>

struct ipaddr
ip_from_in6(const struct in6_addr *a)
{
	struct ipaddr ip = { .family = 6 };

	if (IN6_IS_ADDR_V4MAPPED(a))
		return ip_from_v4(a->s6_addr + 12);
	memcpy(ip.b, a->s6_addr, sizeof(ip.b));
	return ip;
}

struct ipaddr
ip_from_sockaddr(const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (sa != NULL && sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		return ip_from_v4((const uint8_t *)&in.sin_addr);
	}
	if (sa != NULL && sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		return ip_from_in6(&in6.sin6_addr);
	}
	return (struct ipaddr){ 0 };
}

socklen_t
sockaddr_from_ip(const struct ipaddr *ip, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	assert(ip->family == 4 || ip->family == 6);
	memset(ret, 0, sizeof(*ret));
	if (ip->family == 4) {
		memcpy(&in.sin_addr, ip->b, 4);
		memcpy(ret, &in, sizeof(in));
		return sizeof(in);
	}
	memcpy(&in6.sin6_addr, ip->b, 16);
	memcpy(ret, &in6, sizeof(in6));
	return sizeof(in6);
}

struct ipaddr
ip_of_socket(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return (struct ipaddr){ 0 };
	return ip_from_sockaddr((const struct sockaddr *)&ss);
}
