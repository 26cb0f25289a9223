/*
 * The head of the answer that gives a file: which status, which part, which validators, after what
 * the client said under which conditions it wants it (RFC 9110 sections 13 and 14).  Pure.
 */
#ifndef HTTPSBOOTD_FILEHEAD_H
#define HTTPSBOOTD_FILEHEAD_H

#include "common/content.h"
#include "httpsbootd/httpdate.h"
#include "httpsbootd/range.h"

enum filehead_status {
	FILEHEAD_WHOLE = 200,
	FILEHEAD_PART = 206,
	FILEHEAD_NOT_MODIFIED = 304,        /* without a body, or type */
	FILEHEAD_PRECONDITION_FAILED = 412, /* without a body */
	FILEHEAD_BEYOND = 416,              /* without a body, but with Content-Range */
};

/* What of a request bears on it: header fields as they came, NULL where there is none. */
struct filehead_asked {
	bool get;  /* ranges are defined for GET alone (RFC 9110 section 14.2) */
	bool head; /* with neither, all of it is sent, without conditions: a form was posted */
	const char *range, *if_range;
	const char *if_match, *if_none_match;
	const char *if_modified_since, *if_unmodified_since;
};

struct filehead {
	enum filehead_status status;
	struct range range; /* of WHOLE and PART; a file of no bytes has none */
	uint64_t bytes;     /* of the body: 0 unless WHOLE or PART; HEAD's answer tells them, too */
	char etag[56];      /* strong: inode, size and time of the last change */
	char modified[HTTPDATE_STRLEN];
	char content_range[72]; /* of PART and BEYOND, else "" */
};

void filehead_make(
    const struct content_file *f, const struct filehead_asked *asked, struct filehead *ret);

#endif
