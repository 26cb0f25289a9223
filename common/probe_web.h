/*
 * Asks a web server for a URL as a boot client would: HTTP/1.1, TLS 1.2, and of the server's
 * certificate whether it is good for the URL's host by a root that the client trusts.
 */
#ifndef COMMON_PROBE_WEB_H
#define COMMON_PROBE_WEB_H

#include "common/probe_tftp.h"

struct probe_web {
	const char *url;
	const char *method; /* "HEAD" or "GET" */
	struct ipaddr from; /* own address to ask from; none: as the routes say */
	/*
	 * SHA-256 of root certificates, 32 bytes each, of which one must stand behind the server's.
	 * None: any root that the server sends with it.
	 */
	struct slice trust;
	uint32_t wait_ms; /* for each step */
};

/* Blocks until the answer is there or the time is over.  Good: status 200. */
void probe_web(const struct probe_web *ask, struct probe_result *ret);

#endif
