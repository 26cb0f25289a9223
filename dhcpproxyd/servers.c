/* See servers.h. */
#include "dhcpproxyd/servers.h"

#include <errno.h>
#include <stdio.h>

int
servers_parse(const struct config_strings *list, const char *key, config_error_fn *error, void *arg,
    struct servers *ret)
{
	char path[64], what[128];
	int rc = 0;

	ret->n = 0;
	for (size_t i = 0; i < list->n && ret->n < SERVERS_MAX; i++) {
		struct slice s = slice_str(list->v[i]);
		struct ipaddr address = { 0 };
		struct macaddr mac = { 0 };

		/* six octets: "10" is hexadecimal, too, and nobody's adapter */
		if ((ip_parse(s, &address) < 0 || address.family != 4) &&
		    (mac_parse(s, &mac) < 0 || mac.len != 6)) {
			(void)snprintf(path, sizeof(path), "%s[%zu]", key, i);
			(void)snprintf(what, sizeof(what),
			    "\"%.60s\" is neither an IPv4 address nor a hardware address",
			    list->v[i]);
			error(arg, path, what);
			rc = -EINVAL;
			continue;
		}
		ret->v[ret->n].address = address;
		ret->v[ret->n].mac = mac;
		ret->n++;
	}
	return rc;
}

bool
servers_has(const struct servers *s, const struct ipaddr *address, const struct macaddr *mac)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].address.family != 0 ? ip_eq(&s->v[i].address, address)
						: mac_eq(&s->v[i].mac, mac))
			return true;
	}
	return false;
}
