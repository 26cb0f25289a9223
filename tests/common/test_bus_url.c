/* Tests of common/bus_url.c. */
#include "common/bus_url.h"

#include "tests/test.h"

#include <stdio.h>
#include <string.h>

static char told[512];

static void
on_error(void *arg, const char *path, const char *what)
{
	(void)arg;
	(void)snprintf(told, sizeof(told), "%s: %s", path, what);
}

/* "ipc:///xxx" with a path of n octets. */
static char *
url_of(size_t n)
{
	static char url[256];

	(void)snprintf(url, sizeof(url), "ipc:///");
	memset(url + strlen(url), 'x', n - 1);
	url[strlen("ipc://") + n] = '\0';
	return url;
}

int
main(void)
{
	static char too_long[256];
	static const struct {
		const char *url, *tls, *fault; /* NULL: none */
	} rows[] = {
		{ "ipc:///run/bootferry/handlerd", "", NULL },
		{ "tcp://127.0.0.1:7000", "", NULL },
		{ "tls+tcp://boot.example:7000", "/file", NULL },
		{ "tls+tcp://boot.example:7000", "", "needs handler_ca and handler_certificate" },
		{ "ipc://", "", "is no URL" },
		{ "http://boot.example/", "", "is no URL" },
		{ too_long, "", "at most 107 octets" },
	};

	strcpy(too_long, url_of(108));
	for (size_t i = 0; i < NITEMS(rows); i++) {
		char *url = (char *)rows[i].url;
		const struct config_strings urls = { .v = &url, .n = 1 };

		test_case("%s", rows[i].url);
		told[0] = '\0';
		bus_check_urls(&urls, "handler", rows[i].tls, rows[i].tls, on_error, NULL);
		if (rows[i].fault == NULL)
			CHECK_STR(told, "");
		else
			CHECK(strncmp(told, "handler: ", 9) == 0 &&
			      strstr(told, rows[i].fault) != NULL);
	}

	test_case("a path of 107 octets fits");
	{
		char *url = url_of(107);
		const struct config_strings urls = { .v = &url, .n = 1 };

		told[0] = '\0';
		bus_check_urls(&urls, "handler", "", "", on_error, NULL);
		CHECK_STR(told, "");
	}
	return test_end();
}
