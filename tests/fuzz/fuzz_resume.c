/* The head of an answer that is to go on with a file: lines of status, length, ETag, dates, range.
 */
#include "httpsbootd/resume.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define SIZE 5000
#define CAME 1000

static char *
take_line(char **at)
{
	char *line = strsep(at, "\n");

	return line != NULL ? line : "";
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *at = text;
	char range[RESUME_LINE_SIZE], if_range[RESUME_LINE_SIZE];
	struct resume_head head;
	struct resume_mark mark;

	MUST(text != NULL);
	head.status = atol(take_line(&at));
	head.length = atoll(take_line(&at));
	head.etag = take_line(&at);
	head.modified = take_line(&at);
	head.date = take_line(&at);
	head.range = take_line(&at);
	if (resume_mark(&head, &mark)) {
		enum resume_way way = resume_judge(&mark, CAME, SIZE, &head);

		resume_ask(&mark, CAME, range, if_range);
		MUST(strpbrk(range, "\r\n") == NULL && strpbrk(if_range, "\r\n") == NULL);
		MUST(mark.etag[0] != 'W');
		/* zeros before a number change nothing */
		MUST(way != RESUME_REST || (head.status == 206 && strstr(head.range, "4999/")));
		MUST(way != RESUME_WHOLE || head.status == 200);
		MUST(way != RESUME_CHANGED || head.length != SIZE || head.status != 200);
	}
	free(text);
	return 0;
}
