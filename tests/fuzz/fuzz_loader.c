/* What a boot program is, by its bytes. */
#include "common/loader.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "snponly.efi", "undionly.kpxe", "bootx64.efi", "x" };
	struct loader_info info;

	for (size_t i = 0; i < NITEMS(names); i++) {
		loader_inspect((struct slice){ data, size }, names[i], &info);
		MUST(info.kind < LOADER_KINDS && info.cpu < ARCH_CPUS);
		MUST(memchr(info.version, '\0', sizeof(info.version)) != NULL);
		MUST(info.https != LOADER_HTTPS_NO || info.trust != LOADER_TRUST_OFFER);
		(void)loader_rank(&info, names[i]);
		MUST(loader_kind_name(info.kind)[0] != '\0');
	}
	return 0;
}
