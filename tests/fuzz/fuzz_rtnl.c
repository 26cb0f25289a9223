/* The kernel's messages about interfaces, taken down: the tables stay in order. */
#include "dhcpproxyd/links.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t from[4] = { 10, 77, 1, 50 }, all[4] = { 255, 255, 255, 255 };
	struct slice left = { data, size };
	struct links t = { 0 };
	struct rtnl_message m;
	uint8_t own[4];
	int rc;

	while ((rc = rtnl_next(&left, &m)) != -ENOENT) {
		MUST(left.n == 0 || (left.p >= data && left.p + left.n == data + size));
		if (rc < 0)
			continue;
		MUST(memchr(m.name, '\0', sizeof(m.name)) != NULL);
		MUST(m.prefix <= 32 && m.mac_n <= sizeof(m.mac));
		if (m.kind == RTNL_DONE)
			links_mark(&t);
		(void)links_apply(&t, &m);
		if (m.kind == RTNL_LINK)
			MUST(links_find(&t, m.ifindex) != NULL);
		if (m.kind == RTNL_LINK_GONE)
			MUST(links_find(&t, m.ifindex) == NULL);
		if (m.kind == RTNL_ADDRESS)
			MUST(links_local(&t, m.ifindex, from, m.address, own));
	}
	for (size_t i = 1; i < t.n; i++)
		MUST(t.v[i - 1].ifindex < t.v[i].ifindex);
	for (size_t i = 1; i < t.naddresses; i++)
		MUST(t.addresses[i - 1].ifindex <= t.addresses[i].ifindex);
	for (size_t i = 0; i < t.n; i++)
		MUST(links_local(&t, t.v[i].ifindex, from, all, own));
	(void)links_sweep(&t);
	links_fini(&t);
	return 0;
}
