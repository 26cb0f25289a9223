/* dhcpproxyd's part in a self-test; see selftest.h. */
#include "dhcpproxyd/selftest.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#define CHADDR_AT 28 /* in a DHCP packet */

static void
on_over(void *arg)
{
	struct selftest *t = arg;

	(void)networks_echo(t->networks, 0, NULL, NULL); /* ending it does not fail */
}

/* Of what this host sends itself only the test's own packets count. */
static void
on_echo(void *arg, const struct listen_packet *packet)
{
	struct selftest *t = arg;

	if (packet->bytes.n >= DHCP_HEADER_BYTES &&
	    emulated_knows(&t->emulated, packet->bytes.p + CHADDR_AT))
		t->fn(t->arg, packet);
}

void
selftest_init(struct selftest *t, struct loop *loop, struct networks *networks,
    listen_packet_fn *fn, void *arg)
{
	t->loop = loop;
	t->networks = networks;
	t->fn = fn;
	t->arg = arg;
	loop_timer_init(&t->over, on_over, t);
}

void
selftest_fini(struct selftest *t)
{
	if (t->loop != NULL)
		loop_timer_clear(t->loop, &t->over);
}

/* The interface on which the test's packets leave. */
static int
hear_own(struct selftest *t, const json_t *interface, uint32_t seconds)
{
	const char *name = json_string_value(interface);
	unsigned ifindex = name != NULL ? if_nametoindex(name) : 0;
	int rc;

	if (ifindex == 0)
		return -ENODEV;
	rc = networks_echo(t->networks, (int)ifindex, on_echo, t);
	if (rc == 0)
		rc = loop_timer_set(t->loop, &t->over, (uint64_t)seconds * 1000);
	return rc;
}

json_t *
selftest_begin(struct selftest *t, const json_t *params, struct rpc_error *error)
{
	const json_t *macs = json_object_get(params, "macs"), *item;
	const json_t *interface = json_object_get(params, "interface");
	json_int_t seconds = json_integer_value(json_object_get(params, "seconds"));
	struct macaddr mac;
	size_t i;
	int rc;

	if (seconds < 1 || seconds > EMULATED_S_MAX)
		return rpc_fail(error, RPC_INVALID_PARAMS,
		    "\"seconds\" is a whole number from 1 to %d", EMULATED_S_MAX);
	if (!json_is_array(macs) || json_array_size(macs) < 1 ||
	    json_array_size(macs) > EMULATED_MAX)
		return rpc_fail(error, RPC_INVALID_PARAMS,
		    "\"macs\" is a list of 1 to %d hardware addresses", EMULATED_MAX);
	json_array_foreach(macs, i, item)
	{
		if (mac_parse(slice_str(json_string_value(item)), &mac) < 0)
			return rpc_fail(error, RPC_INVALID_PARAMS,
			    "\"macs\": number %zu is no hardware address", i + 1);
	}
	rc = interface != NULL ? hear_own(t, interface, (uint32_t)seconds) : 0;
	if (rc == -ENODEV)
		return rpc_fail(
		    error, RPC_INVALID_PARAMS, "\"interface\": there is none so called");
	/* without CAP_NET_RAW the port is not read by packet sockets either, but by UDP */
	if (rc < 0 && rc != -EPERM)
		return rpc_fail(error, RPC_FAILED, "packet socket: %s", strerror(-rc));
	emulated_begin(&t->emulated, loop_now_ms(t->loop) + (uint64_t)seconds * 1000);
	json_array_foreach(macs, i, item)
	{
		(void)mac_parse(slice_str(json_string_value(item)), &mac);
		(void)emulated_add(&t->emulated, &mac); /* their number was checked */
	}
	return json_true();
}
