/*
 * Small UDP packets (IPv4) that leave as whole frames by an AF_XDP socket: past the sender's
 * sockets, routes and queues, of which a load would pay for each packet more than for what it does
 * itself. What happens at the receiver is the same.
 */
#ifndef TESTS_BENCH_EXPRESS_H
#define TESTS_BENCH_EXPRESS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define EXPRESS_BYTES 64 /* of a packet, at most */

struct express;

/*
 * For packets to `to`, which must be a neighbour that has been spoken to: its hardware address is
 * looked up, not asked for.  0, or a negative errno where it is not one, or the kernel has no
 * AF_XDP.
 */
int express_open(const struct sockaddr_in *to, uint16_t port_be, struct express **ret);
/* From any address; `port_be` of `to` is that of this packet. */
void express_put(struct express *x, struct in_addr from, uint16_t port_be, const void *p, size_t n);
/* Sends what was put.  0, or a negative errno. */
int express_flush(struct express *x);

#endif
