/*
 * The URL that a referred client is given: the target's own, the parameters that the client posted
 * to us, and the mark by which a loop is recognised.  Pure.
 */
#ifndef HANDLERD_REFERRAL_H
#define HANDLERD_REFERRAL_H

#include "common/ident.h"

/* Names the servers that a client has passed, their ids with dots between them. */
#define REFERRAL_VIA       "bfvia"
#define REFERRAL_VIA_MAX   160 /* bytes of its value */
#define REFERRAL_ID_MAX    16  /* bytes of an id: lower-case letters and digits */
#define REFERRAL_NAME_MAX  64  /* decoded bytes of a name that is carried along */
#define REFERRAL_VALUE_MAX 512 /* decoded bytes of one value that is carried along */
#define REFERRAL_URL_MAX   4096

/* The server that a URL leads to. */
struct url_place {
	char host[256]; /* in lower case, an IPv6 address without brackets */
	uint16_t port;
	size_t path_at; /* where the URL's path begins, or its end */
};

/*
 * Of "SCHEME://HOST[:PORT][/...]"; the port is `port` if the URL has none.  0, or -EINVAL, also for
 * one with a user's name in it.
 */
int url_place(const char *url, const char *scheme, uint16_t port, struct url_place *ret);
/* Of an http (port 80) or https (443) URL. */
int url_place_http(const char *url, struct url_place *ret);

/* Who we are, so that a way that leads back can be told. */
struct referral_self {
	const char *id;                 /* see keyring_site() */
	const struct ipaddr *addresses; /* of our tftpds */
	size_t naddresses;
	const struct url_place *places; /* of our httpsbootds, by name and by address */
	size_t nplaces;
};

/* How many servers `via` names; -1 if it is none (too long, or other characters). */
int referral_via_hops(struct slice via);
bool referral_via_has(struct slice via, const char *id);

/*
 * Finds the first `name` (compared without case) of a URL-encoded form and decodes its value to
 * `dst`, which is not terminated.  The length; 0 if it is not there, cannot be decoded or does not
 * fit.
 */
size_t referral_param(struct slice form, const char *name, uint8_t *dst, size_t size);

/* Whether a parameter of that name (compared without case) is between the client and us. */
bool referral_keeps(struct slice name);

struct referral_url_result {
	unsigned carried;  /* parameters that stand in the URL */
	unsigned dropped;  /* those that are between the client and us: tokens, our own URLs */
	unsigned left_out; /* those that could not be carried: malformed, too long, no room */
};

/*
 * Appends `url` with the parameters of `form` (URL-encoded, as it was posted) in its query, and
 * bfvia with `id` added, to `w`; a fragment of `url` ("##params=paramdata") stays at its end.  What
 * the client posted is written with %XX for all but letters, digits and "-._~", so that neither
 * iPXE nor a shell finds anything to expand in it.
 *
 * Dropped are token, tokenid, requestid, statusid, updatedparams, boot, pxeurl, wsurl, authmethod,
 * authvalue and bfvia itself.  A name that the URL's own query sets already is left to it, and
 * counts as dropped.  Values with control characters are left out.
 *
 * 0; -EINVAL if `via` is none; -EMSGSIZE with nothing appended if not even the URL and bfvia fit
 * into REFERRAL_URL_MAX bytes or the space.
 */
int referral_url(struct wbuf *w, const char *url, struct slice form, struct slice via,
    const char *id, struct referral_url_result *ret);

#endif
