/* dhcpproxyd's part in a self-test; see selftest.h. */
#include "dhcpproxyd/selftest.h"

json_t *
selftest_begin(struct selftest *t, const json_t *params, struct rpc_error *error)
{
	const json_t *macs = json_object_get(params, "macs"), *item;
	json_int_t seconds = json_integer_value(json_object_get(params, "seconds"));
	struct macaddr mac;
	size_t i;

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
	emulated_begin(&t->emulated, loop_now_ms(t->loop) + (uint64_t)seconds * 1000);
	json_array_foreach(macs, i, item)
	{
		(void)mac_parse(slice_str(json_string_value(item)), &mac);
		(void)emulated_add(&t->emulated, &mac); /* their number was checked */
	}
	return json_true();
}
