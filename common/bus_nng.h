/* What both ends of the bus need of nng: its errors as ours, TLS, URLs. */
#ifndef COMMON_BUS_NNG_H
#define COMMON_BUS_NNG_H

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdbool.h>

/* A negative errno for an nng error; 0 stays 0. */
int bus_errno(int nng_error);
/* True for tls+tcp://. */
bool bus_url_is_tls(const char *url);
/* True for tcp://, which anybody who reaches the port can use. */
bool bus_url_is_open(const char *url);
/*
 * A new configuration that wants a certificate of `ca` from the other side and shows our own.
 * A client also wants the host of `url` among the names of that certificate; a server passes NULL.
 * 0, or a negative errno after logging which file is at fault.
 */
int bus_tls_new(const char *url, const char *ca, const char *certificate, nng_tls_config **ret);

#endif
