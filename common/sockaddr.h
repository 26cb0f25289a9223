/* Between the system's socket addresses and struct ipaddr. */
#ifndef COMMON_SOCKADDR_H
#define COMMON_SOCKADDR_H

#include "common/ident.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* An IPv4 address mapped into IPv6 becomes the IPv4 one it is. */
struct ipaddr ip_from_in6(const struct in6_addr *a);
/* Of an AF_INET or AF_INET6 address; of any other, or NULL, none. */
struct ipaddr ip_from_sockaddr(const struct sockaddr *sa);
/* The address and port for bind(); an address of family 0 is an error of the caller. */
socklen_t sockaddr_from_ip(const struct ipaddr *ip, uint16_t port, struct sockaddr_storage *ret);
/* The local address of a connected socket. */
struct ipaddr ip_of_socket(int fd);

#endif
