/* An image's manifest: what is read can be written again, and reads the same. */
#include "common/image.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct image image, again;
	char error[256] = "";
	json_t *dump;
	char *text;

	if (image_parse((const char *)data, size, &image, error, sizeof(error)) < 0) {
		MUST(error[0] != '\0');
		return 0;
	}
	(void)image_check(&image, error, sizeof(error));
	dump = image_dump(&image);
	text = json_dumps(dump, 0);
	MUST(text != NULL);
	MUST(image_parse(text, strlen(text), &again, error, sizeof(error)) == 0);
	MUST(again.nfiles == image.nfiles && strcmp(again.args, image.args) == 0);
	free(text);
	json_decref(dump);
	return 0;
}
