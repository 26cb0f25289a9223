/* The URLs of the bus, as a configuration has them. */
#ifndef COMMON_BUS_URL_H
#define COMMON_BUS_URL_H

#include "common/config.h"

/*
 * Tells each URL of the key `path` that is of no known kind, or whose socket's path is too long,
 * and of tls+tcp those for which PATH_ca or PATH_certificate is not set.
 */
void bus_check_urls(const struct config_strings *urls, const char *path, const char *ca,
    const char *certificate, config_error_fn *error, void *arg);

/* The path of "ipc://PATH"; NULL: the URL is of another kind. */
const char *bus_url_path(const char *url);
/* True if one of them is of another kind: threads of nng bring messages then. */
bool bus_urls_need_nng(const struct config_strings *urls);

#endif
