/*
 * What is noted of a file that was fetched from the origin, as it stands beside the file in the
 * cache, and what follows from it.  Pure.
 */
#ifndef HTTPSBOOTD_KEEP_H
#define HTTPSBOOTD_KEEP_H

#include "common/digest.h"
#include "common/path.h"

#include <jansson.h>

#define KEEP_NAME_STRLEN DIGEST_STRLEN
#define KEEP_ETAG_MAX    256 /* with the NUL; a longer one counts as none */
/* The end of a file that is held back until all of it was checked. */
#define KEEP_HELD_BYTES (64 * 1024)

struct keep_note {
	char path[CONTENT_PATH_MAX];
	uint64_t size;
	uint8_t sha256[DIGEST_BYTES];
	char etag[KEEP_ETAG_MAX]; /* the origin's, or "" */
	int64_t modified_s;       /* the origin's Last-Modified, else when it came */
	bool dated;               /* the former */
	uint64_t tag;             /* what our own ETag is made of */
	uint64_t checked_ms;      /* when the origin last said that it is the file, since 1970 */
};

/* What is known of a file that somebody wants. */
struct keep_want {
	const char *path;
	uint64_t size;         /* 0: not known */
	const uint8_t *sha256; /* NULL: not known */
};

/* What the file is called in the cache, whatever its path: a digest. */
const char *keep_name(const char *path, char ret[static KEEP_NAME_STRLEN]);
/* True for what keep_name() may have made. */
bool keep_is_name(const char *name, size_t n);

/* True without control characters: what the origin sent may go out in a header again. */
bool keep_is_plain(const char *value);

json_t *keep_dump(const struct keep_note *note);
/* 0, or -EINVAL. */
int keep_parse(const json_t *json, struct keep_note *ret);

enum keep_use {
	KEEP_GOOD,
	KEEP_OLD,   /* the origin is asked whether it still is the file */
	KEEP_WRONG, /* another file than is wanted: it is fetched anew */
};

/* `fresh_ms`: so long the origin is not asked again; a digest makes that needless. */
enum keep_use keep_judge(
    const struct keep_note *note, const struct keep_want *want, uint64_t now_ms, uint64_t fresh_ms);

/*
 * Whether what the origin begins to send can be what is wanted: `length` -1 if it did not say;
 * `framed`: its end will be known.  0 with the size, -1 for one that will be known at the end; or a
 * negative errno and a sentence.
 */
int keep_check_head(const struct keep_want *want, int64_t length, bool framed, uint64_t max_bytes,
    int64_t *ret_size, const char **ret_text);
/* The same of all of it. */
int keep_check_end(const struct keep_want *want, int64_t size, uint64_t came,
    const uint8_t sha256[static DIGEST_BYTES], const char **ret_text);

/* How far a file of which so much is here can be given out before its end was checked. */
uint64_t keep_ready(uint64_t came, uint64_t size);

/* How long nothing is asked after so many failures in a row, in ms. */
uint64_t keep_pause_ms(unsigned failures);

#endif
