/* Dates of HTTP headers (RFC 9110 section 5.6.7).  Pure. */
#ifndef HTTPSBOOTD_HTTPDATE_H
#define HTTPSBOOTD_HTTPDATE_H

#include <stdint.h>

#define HTTPDATE_STRLEN 30 /* "Sun, 06 Nov 1994 08:49:37 GMT" and the NUL */

/* Seconds since 1970, of the years 1970 to 9999 (what lies outside is moved to the edge). */
char *httpdate_format(int64_t seconds, char ret[static HTTPDATE_STRLEN]);

/*
 * Reads any of the three forms that the RFC wants understood: the one above, RFC 850's ("Sunday,
 * 06-Nov-94 08:49:37 GMT", a year of two digits read as one from 1970 to 2069), and asctime's ("Sun
 * Nov  6 08:49:37 1994").  0, or -EINVAL with *ret untouched.
 */
int httpdate_parse(const char *text, int64_t *ret);

#endif
