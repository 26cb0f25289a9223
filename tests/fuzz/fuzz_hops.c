/* The field Via: what goes on of it is one line, and reads the same again. */
#include "httpsbootd/hops.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hops h = { 0 }, again = { 0 };
	char line[HOPS_STRLEN], words[64];

	hops_read(&h, (struct slice){ data, size });
	MUST(h.n <= HOPS_MAX);
	hops_line(&h, "bootferry-own", line);
	MUST(strlen(line) + 1 < sizeof(line) && strpbrk(line, "\r\n") == NULL);
	hops_read(&again, slice_str(line + 5));
	MUST(again.n == (h.n < HOPS_MAX ? h.n + 1 : h.n));
	for (size_t i = 0; i < h.n; i++)
		MUST(strcmp(h.name[i], again.name[i]) == 0);
	MUST(strlen(hops_ring(&h, "bootferry-own", words, sizeof(words))) < sizeof(words));
	return 0;
}
