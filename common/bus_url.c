/* See bus_url.h. */
#include "common/bus_url.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* A longer one no system call takes: a front daemon would try for ever, and say nothing. */
#define LOCAL_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

void
bus_check_urls(const struct config_strings *urls, const char *path, const char *ca,
    const char *certificate, config_error_fn *error, void *arg)
{
	static const char *const kinds[] = { "ipc://", "tcp://", "tls+tcp://" };

	for (size_t i = 0; i < urls->n; i++) {
		const char *url = urls->v[i];
		bool known = false;
		char what[512];

		for (size_t k = 0; k < NITEMS(kinds); k++)
			known |= strncmp(url, kinds[k], strlen(kinds[k])) == 0 &&
			         url[strlen(kinds[k])] != '\0';
		if (!known) {
			(void)snprintf(what, sizeof(what),
			    "\"%.200s\" is no URL of ipc://, tcp:// or tls+tcp://", url);
			error(arg, path, what);
		} else if (bus_url_path(url) != NULL &&
			   strlen(bus_url_path(url)) > LOCAL_PATH_MAX) {
			(void)snprintf(what, sizeof(what),
			    "\"%.200s\": a socket's path has at most %zu octets", url,
			    LOCAL_PATH_MAX);
			error(arg, path, what);
		} else if (strncmp(url, "tls", 3) == 0 &&
			   (ca[0] == '\0' || certificate[0] == '\0')) {
			(void)snprintf(what, sizeof(what),
			    "\"%.200s\" needs %s_ca and %s_certificate", url, path, path);
			error(arg, path, what);
		}
	}
}

const char *
bus_url_path(const char *url)
{
	return strncmp(url, "ipc://", 6) == 0 ? url + 6 : NULL;
}

bool
bus_urls_need_nng(const struct config_strings *urls)
{
	for (size_t i = 0; i < urls->n; i++) {
		if (bus_url_path(urls->v[i]) == NULL)
			return true;
	}
	return false;
}
