/* Byte ranges (RFC 9110 section 14). */
#ifndef HTTPSBOOTD_RANGE_H
#define HTTPSBOOTD_RANGE_H

#include <stdint.h>

struct range {
	uint64_t first, last; /* both inclusive */
};

/*
 * The range of a Range header for a representation of `size` bytes.  0; -ENOENT if the whole is to
 * be sent, because the header is missing (NULL), of another unit, malformed, or asks for several
 * ranges; -ERANGE if it lies outside.
 */
int range_parse(const char *header, uint64_t size, struct range *ret);

#endif
