/* Lists of servers in the configuration: by IPv4 address or by hardware address.  Pure. */
#ifndef DHCPPROXYD_SERVERS_H
#define DHCPPROXYD_SERVERS_H

#include "common/config.h"

#define SERVERS_MAX 64

struct servers {
	size_t n;
	struct {
		struct ipaddr address; /* none: it is the MAC that counts */
		struct macaddr mac;
	} v[SERVERS_MAX];
};

/* 0, or -EINVAL after each entry that is neither was told as `key`. */
int servers_parse(const struct config_strings *list, const char *key, config_error_fn *error,
    void *arg, struct servers *ret);
bool servers_has(const struct servers *s, const struct ipaddr *address, const struct macaddr *mac);

#endif
