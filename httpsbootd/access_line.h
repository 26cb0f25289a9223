/* A line of the access log.  Pure. */
#ifndef HTTPSBOOTD_ACCESS_LINE_H
#define HTTPSBOOTD_ACCESS_LINE_H

#include "common/ident.h"

#define ACCESS_LINE_MAX 1400

/* A request and what became of it; strings may be NULL or "". */
struct access_line {
	bool secure;
	uint64_t boot; /* 0: none */
	struct ipaddr client;
	const char *method;
	const char *target; /* as it came: secrets are taken out here */
	unsigned status;    /* 0: it was broken off before there was one */
	uint64_t bytes;     /* of the body that the client took */
	uint64_t of;        /* of the body that was to be sent */
	uint64_t ms;
	const char *why; /* handlerd's reason */
	const char *file;
	const char *tls_version, *tls_suite;
	const char *agent;
	const char *end; /* how it ended, if not well */
};

/* "https boot=... client=... ...", without a time before or an end of line behind.  Returns dst. */
const char *access_line_format(const struct access_line *l, char dst[static ACCESS_LINE_MAX]);

#endif
