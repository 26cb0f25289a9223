/* Names of content: what is accepted is normal, stays below the root and hides nothing. */
#include "common/path.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[CONTENT_PATH_MAX], again[CONTENT_PATH_MAX];

	if (path_normalise((struct slice){ data, size }, path) < 0)
		return 0;
	MUST(path[0] != '\0' && path[0] != '/' && path[0] != '.');
	MUST(strlen(path) < sizeof(path) && path[strlen(path) - 1] != '/');
	MUST(strstr(path, "//") == NULL && strstr(path, "/.") == NULL);
	MUST(strchr(path, '\\') == NULL);
	for (const char *p = path; *p != '\0'; p++)
		MUST((unsigned char)*p >= ' ');
	MUST(path_normalise(slice_str(path), again) == 0 && strcmp(path, again) == 0);
	MUST(path_base(path)[0] != '\0');
	return 0;
}
