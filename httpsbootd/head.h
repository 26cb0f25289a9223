/*
 * The head of an answer whose body does not pass through the HTTP engine: the engine writes it for
 * a body of no octets, and the true length is put in here.  Pure.
 */
#ifndef HTTPSBOOTD_HEAD_H
#define HTTPSBOOTD_HEAD_H

#include <stddef.h>
#include <stdint.h>

#define HEAD_LENGTH_DIGITS 20 /* of the largest length */

/*
 * Changes the "Content-Length: 0" of a whole head of `n` octets to `length`, in place; there must
 * be room for HEAD_LENGTH_DIGITS more.  The head's new size; -EBADMSG if it is not one head, from
 * the status line to the empty line, with exactly one such field.
 */
int head_put_length(uint8_t *head, size_t n, uint64_t length);

#endif
