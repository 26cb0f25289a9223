/* The note beside a file in the cache: what is read can be written again, and reads the same. */
#include "httpsbootd/keep.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keep_note note, again;
	char normal[CONTENT_PATH_MAX];
	json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	int rc = json != NULL ? keep_parse(json, &note) : -1;

	json_decref(json);
	if (rc < 0)
		return 0;
	/* it becomes part of a request to the origin */
	MUST(path_normalise(slice_str(note.path), normal) == 0 && strcmp(normal, note.path) == 0);
	MUST(strpbrk(note.etag, "\r\n") == NULL);
	json = keep_dump(&note);
	MUST(json != NULL && keep_parse(json, &again) == 0);
	MUST(strcmp(again.path, note.path) == 0 && strcmp(again.etag, note.etag) == 0);
	MUST(again.size == note.size && again.tag == note.tag && again.dated == note.dated);
	MUST(again.modified_s == note.modified_s && again.checked_ms == note.checked_ms);
	MUST(memcmp(again.sha256, note.sha256, sizeof(note.sha256)) == 0);
	json_decref(json);
	return 0;
}
