/* Tests of dhcpproxyd/conf.c: what is wrong with a configuration is said by key. */
#include "dhcpproxyd/dhcpproxyd.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static char errors[512];

static void
collect(void *arg, const char *path, const char *what)
{
	size_t n = strlen(errors);

	(void)arg;
	(void)snprintf(errors + n, sizeof(errors) - n, "%s%s: %s", n > 0 ? "; " : "", path, what);
}

static const struct {
	const char *text;
	const char *errors;
} rows[] = {
	{ "{}", "" },
	{ "{\"address\": \"10.0.0.1\", \"address6\": \"fd00::1\"}", "" },
	{ "{\"address\": \"fd00::1\"}", "" },
	{ "{\"address\": \"0.0.0.0\"}", "address: it is not the address of a host" },
	{ "{\"address\": \"255.255.255.255\"}", "address: it is not the address of a host" },
	{ "{\"address\": \"239.1.1.1\"}", "address: it is not the address of a host" },
	{ "{\"address\": \"::\"}", "address: it is not the address of a host" },
	{ "{\"address6\": \"::\"}", "address6: it is not the address of a host" },
	{ "{\"address6\": \"ff02::1\"}", "address6: it is not the address of a host" },
	{ "{\"address6\": \"10.0.0.1\"}",
	    "address6: it is an IPv4 address: that is for `address`" },
	{ "{\"port\": 4011}", "boot_port: it is the same as `port`" },
	{ "{\"port\": 4011, \"listen_boot\": false}", "" },
	{ "{\"interface\": [\"eth0\", \"vlan*\"]}", "" },
	{ "{\"interface\": [\"eth 0\"]}",
	    "interface: \"eth 0\" is not the name of a network interface" },
	{ "{\"yield_to\": [\"kea\"]}",
	    "yield_to[0]: \"kea\" is neither an IPv4 address nor a hardware address" },
};

int
main(void)
{
	for (size_t i = 0; i < NITEMS(rows); i++) {
		struct dhcpproxyd_conf conf = { 0 };
		int rc;

		test_case("%s", rows[i].text);
		errors[0] = '\0';
		rc = config_parse(
		    &dhcpproxyd_config, rows[i].text, strlen(rows[i].text), &conf, collect, NULL);
		CHECK_INT(rc, rows[i].errors[0] == '\0' ? 0 : -EINVAL);
		CHECK_STR(errors, rows[i].errors);
		if (rc == 0)
			config_free(&dhcpproxyd_config, &conf);
	}
	return test_end();
}
