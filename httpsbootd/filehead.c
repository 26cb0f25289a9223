/* See filehead.h. */
#include "httpsbootd/filehead.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * True if a list of entity tags, or "*", names this one.  A weak tag fits only where weak
 * comparison is enough (RFC 9110 section 8.8.3.2).
 */
static bool
names_tag(const char *list, const char *etag, bool weak)
{
	size_t n = strlen(etag);

	list += strspn(list, " \t,"); /* empty elements are none (RFC 9110 section 5.6.1.2) */
	if (list[0] == '*')
		return list[1 + strspn(list + 1, " \t")] == '\0';
	for (const char *p = list; *p != '\0';) {
		bool is_weak = strncmp(p, "W/", 2) == 0;
		const char *end;

		p += is_weak ? 2 : 0;
		if (*p != '"')
			return false; /* no list of tags: it names none */
		end = strchr(p + 1, '"');
		if (end == NULL)
			return false;
		if ((size_t)(end + 1 - p) == n && memcmp(p, etag, n) == 0 && (weak || !is_weak))
			return true;
		p = end + 1 + strspn(end + 1, " \t,");
	}
	return false;
}

/* True if the file is no newer than a date; a date that cannot be read counts as none. */
static bool
is_since(const char *date, const struct content_file *f, bool otherwise)
{
	int64_t t;

	return httpdate_parse(date, &t) < 0 ? otherwise : (int64_t)f->mtime.tv_sec <= t;
}

/* Sections 13.2.2: the order in which conditions count. */
static enum filehead_status
judge(const struct content_file *f, const struct filehead_asked *a, const char *etag)
{
	if (a->if_match != NULL
		? !names_tag(a->if_match, etag, false)
		: a->if_unmodified_since != NULL && !is_since(a->if_unmodified_since, f, true))
		return FILEHEAD_PRECONDITION_FAILED;
	if (a->if_none_match != NULL
		? names_tag(a->if_none_match, etag, true)
		: a->if_modified_since != NULL && is_since(a->if_modified_since, f, false))
		return FILEHEAD_NOT_MODIFIED;
	return FILEHEAD_WHOLE;
}

/*
 * True if the client's condition for a range, if it has one, holds (section 13.1.5).  A date has to
 * be the very one that we sent.
 */
static bool
range_applies(const struct filehead_asked *a, const struct filehead *h)
{
	if (!a->get || a->range == NULL)
		return false;
	return a->if_range == NULL || strcmp(a->if_range, h->etag) == 0 ||
	       strcmp(a->if_range, h->modified) == 0;
}

void
filehead_make(
    const struct content_file *f, const struct filehead_asked *asked, struct filehead *ret)
{
	struct filehead h = { .status = FILEHEAD_WHOLE };
	unsigned long long size = f->size;
	int rc;

	(void)snprintf(h.etag, sizeof(h.etag), "\"%llx-%llx-%llx\"", (unsigned long long)f->inode,
	    size,
	    (unsigned long long)f->mtime.tv_sec * 1000000000ull +
		(unsigned long long)f->mtime.tv_nsec);
	(void)httpdate_format(f->mtime.tv_sec, h.modified);
	if (asked->get || asked->head)
		h.status = judge(f, asked, h.etag);
	if (h.status == FILEHEAD_WHOLE) {
		h.range = (struct range){ 0, f->size > 0 ? f->size - 1 : 0 };
		h.bytes = f->size;
	}
	if (h.status == FILEHEAD_WHOLE && range_applies(asked, &h)) {
		rc = range_parse(asked->range, f->size, &h.range);
		if (rc == -ERANGE) {
			h.status = FILEHEAD_BEYOND;
			h.bytes = 0;
			(void)snprintf(
			    h.content_range, sizeof(h.content_range), "bytes */%llu", size);
		} else if (rc == 0) {
			h.status = FILEHEAD_PART;
			h.bytes = h.range.last - h.range.first + 1;
			(void)snprintf(h.content_range, sizeof(h.content_range),
			    "bytes %llu-%llu/%llu", (unsigned long long)h.range.first,
			    (unsigned long long)h.range.last, size);
		}
	}
	*ret = h;
}
