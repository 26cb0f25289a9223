/*
 * Taking up a file that broke off where it ended, if it still is the same one (RFC 9110 sections
 * 8.8, 13.1.5 and 14).  Pure.
 */
#ifndef HTTPSBOOTD_RESUME_H
#define HTTPSBOOTD_RESUME_H

#include "httpsbootd/keep.h"

#define RESUME_DATE_MAX  64
#define RESUME_LINE_SIZE (KEEP_ETAG_MAX + 40)

/* What a version of a file is known by: strong validators only, "" where there is none. */
struct resume_mark {
	char etag[KEEP_ETAG_MAX];
	char date[RESUME_DATE_MAX];
};

/* What the head of an answer says of itself; "" where it says nothing. */
struct resume_head {
	long status;
	int64_t length;
	const char *etag, *modified, *date, *range;
};

/* Of the head that the file begins with.  False if nothing in it is strong enough. */
bool resume_mark(const struct resume_head *head, struct resume_mark *ret);

/* The fields of a request for the rest of it. */
void resume_ask(const struct resume_mark *mark, uint64_t came, char range[static RESUME_LINE_SIZE],
    char if_range[static RESUME_LINE_SIZE]);

enum resume_way {
	RESUME_REST,    /* the rest follows */
	RESUME_WHOLE,   /* all of it follows again: what is here is to be passed over */
	RESUME_CHANGED, /* it is another version, or may be */
	RESUME_ODD,     /* not what was asked for */
};

/* What follows the head of the answer, to somebody who has `came` octets of `size`. */
enum resume_way resume_judge(
    const struct resume_mark *mark, uint64_t came, uint64_t size, const struct resume_head *head);

/* How long to wait before the `n`th try in a row, in ms. */
uint64_t resume_pause_ms(unsigned n);

#endif
