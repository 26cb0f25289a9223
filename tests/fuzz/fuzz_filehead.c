/*
 * The head of a file's answer: the lines of the input are Range, If-Range, If-Match, If-None-Match,
 * If-Modified-Since and If-Unmodified-Since; an empty line is a missing header.
 */
#include "httpsbootd/filehead.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static const char *
take_line(char **text)
{
	char *line = *text, *end;

	if (line == NULL)
		return NULL;
	end = strchr(line, '\n');
	*text = end != NULL ? end + 1 : NULL;
	if (end != NULL)
		*end = '\0';
	return line[0] != '\0' ? line : NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct content_file f = {
		.size = 1000, .inode = 31, .mtime = { 784111777, 5 }
	};
	char *text = fuzz_text(data, size), *at = text;
	struct filehead_asked asked = { .get = true };
	struct filehead h;
	int64_t t;

	asked.range = take_line(&at);
	asked.if_range = take_line(&at);
	asked.if_match = take_line(&at);
	asked.if_none_match = take_line(&at);
	asked.if_modified_since = take_line(&at);
	asked.if_unmodified_since = take_line(&at);
	filehead_make(&f, &asked, &h);
	MUST((h.bytes > 0) == (h.status == FILEHEAD_WHOLE || h.status == FILEHEAD_PART));
	MUST(h.status != FILEHEAD_WHOLE || h.bytes == f.size);
	MUST(h.bytes == 0 || (h.range.first <= h.range.last && h.range.last < f.size &&
				 h.range.last - h.range.first + 1 == h.bytes));
	MUST((h.content_range[0] != '\0') ==
	     (h.status == FILEHEAD_PART || h.status == FILEHEAD_BEYOND));
	if (asked.if_modified_since != NULL && httpdate_parse(asked.if_modified_since, &t) == 0) {
		char date[HTTPDATE_STRLEN];
		int64_t again;

		MUST(httpdate_parse(httpdate_format(t, date), &again) == 0 && again == t);
	}
	free(text);
	return 0;
}
