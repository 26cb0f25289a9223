/* See resume.h. */
#include "httpsbootd/resume.h"

#include "httpsbootd/httpdate.h"
#include "httpsbootd/keep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/*
 * A date tells two versions apart if no second one can have come within its second.  RFC 9110
 * section 8.8.2.2 is content with one second between it and the answer; clocks are not always.
 */
#define STRONG_S 60
#define FIRST_MS 200

static bool
is_strong_date(const struct resume_head *head)
{
	int64_t modified, date;

	return httpdate_parse(head->modified, &modified) == 0 &&
	       httpdate_parse(head->date, &date) == 0 && date - modified >= STRONG_S;
}

bool
resume_mark(const struct resume_head *head, struct resume_mark *ret)
{
	*ret = (struct resume_mark){ .etag = "" };
	if (head->etag[0] == '"' && strlen(head->etag) < sizeof(ret->etag) &&
	    keep_is_plain(head->etag))
		strcpy(ret->etag, head->etag); /* checked above */
	/* as it stands: it is compared letter by letter */
	if (strlen(head->modified) < sizeof(ret->date) && keep_is_plain(head->modified) &&
	    is_strong_date(head))
		strcpy(ret->date, head->modified);
	return ret->etag[0] != '\0' || ret->date[0] != '\0';
}

void
resume_ask(const struct resume_mark *mark, uint64_t came, char range[static RESUME_LINE_SIZE],
    char if_range[static RESUME_LINE_SIZE])
{
	(void)snprintf(range, RESUME_LINE_SIZE, "Range: bytes=%" PRIu64 "-", came);
	(void)snprintf(if_range, RESUME_LINE_SIZE, "If-Range: %s",
	    mark->etag[0] != '\0' ? mark->etag : mark->date);
}

/*
 * A 206 has the ETag that a 200 would have (RFC 9110 section 15.3.7), but need not have its date:
 * that it is no 200 says that If-Range was true.
 */
static bool
is_same(const struct resume_mark *mark, const struct resume_head *head)
{
	if (mark->etag[0] != '\0')
		return strcmp(head->etag, mark->etag) == 0;
	return strcmp(head->modified, mark->date) == 0 ||
	       (head->status == 206 && head->modified[0] == '\0');
}

/* A decimal number, and behind it `end`.  Where it goes on, or NULL. */
static const char *
take_number(const char *s, char end, uint64_t *ret)
{
	uint64_t n = 0;
	size_t i = 0;

	while (s[i] >= '0' && s[i] <= '9' && i < 19) /* 10^19 - 1 fits */
		n = n * 10 + (uint64_t)(s[i++] - '0');
	if (i == 0 || s[i] != end)
		return NULL;
	*ret = n;
	return s + i + 1;
}

/* Whether a Content-Range is "bytes CAME-LAST/SIZE", the whole rest. */
static bool
is_rest(const char *text, uint64_t came, uint64_t size)
{
	uint64_t first = 0, last = 0, whole = 0;

	if (strncasecmp(text, "bytes ", 6) != 0)
		return false;
	text = take_number(text + 6, '-', &first);
	if (text != NULL)
		text = take_number(text, '/', &last);
	return text != NULL && take_number(text, '\0', &whole) != NULL && first == came &&
	       whole == size && last + 1 == size;
}

enum resume_way
resume_judge(
    const struct resume_mark *mark, uint64_t came, uint64_t size, const struct resume_head *head)
{
	bool whole = head->status == 200;

	if (!whole && head->status != 206)
		return RESUME_ODD;
	if (!is_same(mark, head))
		return RESUME_CHANGED;
	if (whole)
		return head->length < 0 || (uint64_t)head->length == size ? RESUME_WHOLE
		                                                          : RESUME_CHANGED;
	if (head->length >= 0 && (uint64_t)head->length != size - came)
		return RESUME_ODD;
	return is_rest(head->range, came, size) ? RESUME_REST : RESUME_ODD;
}

uint64_t
resume_pause_ms(unsigned n)
{
	/* most often the other side has only closed what it thought idle or too old */
	return n <= 1 ? FIRST_MS : keep_pause_ms(n - 1);
}
