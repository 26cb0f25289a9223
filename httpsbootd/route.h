/*
 * URLs.  Paths are compared without case and doubled slashes are folded, as 2PXE's client media
 * send both.  Pure.
 */
#ifndef HTTPSBOOTD_ROUTE_H
#define HTTPSBOOTD_ROUTE_H

#include "common/msg.h"

#define ROUTE_PATH_MAX 4096

enum route_kind {
	ROUTE_NONE, /* nothing is served there */
	ROUTE_BOOT, /* /2PXE/boot: an iPXE script, whatever happens */
	/* /2PXE/file/PATH; /2PXE/boot/PATH and /2PXE/certificate/PATH are its boot/PATH and so on
	 */
	ROUTE_FILE,
	ROUTE_REPORT, /* /2PXE/report/WORD */
};

struct route {
	enum route_kind kind;
	char rest[ROUTE_PATH_MAX]; /* what stands behind the prefix, decoded; may hold NULs */
	size_t rest_n;
	struct slice query; /* behind '?', as it came */
};

/*
 * Sorts a request's target as it stands in the request line ("/2PXE/boot?mac=..."; an absolute URI
 * loses its scheme and host).  0, or -EINVAL if it is no path, is too long, or a percent sign is
 * not followed by two hexadecimal digits.
 */
int route_parse(const char *target, struct route *ret);

/*
 * True if one of the patterns takes in what a route leads to: "/2PXE/boot", "/2PXE/file/PATH",
 * "/2PXE/report/WORD", slashes folded.  A file that has two names may be listed by either.  A
 * pattern's "*" stands for any characters, also slashes; case does not count.
 */
bool route_is_listed(const struct route *route, const char *const *patterns, size_t n);

/* A target, or other text, without what form_without_secrets() takes out.  Cut to `size` - 1
 * bytes.  Returns dst. */
const char *route_without_secrets(const char *text, char *dst, size_t size);

/* The media type that boot clients want for a file of this name, never with a parameter. */
const char *media_type(const char *path);

#endif
