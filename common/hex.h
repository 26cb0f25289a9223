/* Bytes as hexadecimal digits.  Pure. */
#ifndef COMMON_HEX_H
#define COMMON_HEX_H

#include "common/wire.h"

/* What a digit of either case stands for, 0 to 15; -1: it is none. */
int hex_digit(uint8_t c);
/* Two lower-case digits a byte, ended by a NUL; `dst` has room for 2 * s.n + 1.  Returns it. */
char *hex_format(struct slice s, char *dst);
/* The number of bytes; -EINVAL for what is no such text, -EMSGSIZE for more than `size`. */
int hex_parse(struct slice text, uint8_t *dst, size_t size);

#endif
