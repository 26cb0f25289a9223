/* The kernel's list of sockets: it ends, and nothing is read behind its end. */
#include "dhcpproxyd/diag.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice left = { data, size };
	struct diag_message m;
	int rc;

	while ((rc = diag_next(&left, &m)) == 0)
		MUST(left.n == 0 || left.p + left.n == data + size);
	MUST(rc == -ENOENT || rc == -EBADMSG);
	MUST(left.n == 0);
	return 0;
}
