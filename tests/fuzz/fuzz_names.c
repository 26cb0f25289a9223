/* The paths that a name may stand for: each is below the root, hides nothing, and they end. */
#include "handlerd/names.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* More than all spellings, stems and places together. */
#define PATHS_MAX (7 * 3 * NAMES_PLACES)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct names_ask ask = { .name = { data, size },
		.folder = "boot/x64/secure",
		.rpi = "boot/rpi",
		.best = "boot/x64/snponly.efi",
		.cpu = ARCH_CPU_X64 };
	char first[CONTENT_PATH_MAX], path[CONTENT_PATH_MAX], again[CONTENT_PATH_MAX];
	char folder[NAMES_FOLDER_MAX];
	struct names n;
	struct macaddr mac;
	int paths = 0;

	(void)names_mac(ask.name, &mac);
	if (names_begin(&n, &ask, first) < 0)
		return 0;
	while (names_next(&n, path)) {
		MUST(++paths <= PATHS_MAX);
		MUST(paths > 1 || strcmp(path, first) == 0);
		/* CONTENT_DEPTH_MAX counts the name's own components */
		MUST(path[0] != '/' && path[0] != '.' && strstr(path, "/.") == NULL);
		MUST(strchr(path, '\\') == NULL && strstr(path, "//") == NULL);
		if (path_normalise(slice_str(path), again) == 0)
			MUST(strcmp(path, again) == 0);
		(void)names_is_loader(path);
		names_folder(path, folder);
		MUST(strlen(folder) < sizeof(folder));
	}
	MUST(paths > 0);
	return 0;
}
