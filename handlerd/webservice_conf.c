/* The configuration keys of the web service. */
#include "common/http.h"
#include "handlerd/breaker.h"
#include "handlerd/webservice.h"

#include <stdio.h>
#include <string.h>

#define AT(member) .off = offsetof(struct webservice_conf, member)

#define FEATURE(feature, key, what)                                                                \
	{                                                                                          \
		.name = (key), .type = CONFIG_BOOL, AT(features[feature]), .def = "false",         \
		.help = (what)                                                                     \
	}

static const struct config_key feature_keys[] = {
	FEATURE(WS_BOOT_REQUEST, "boot_request", "asks what a machine is to boot"),
	FEATURE(
	    WS_REPORT_CONFIGURATION, "report_configuration", "reports what a machine was given"),
	FEATURE(WS_REPORT_DOWNLOAD_START, "report_download_start",
	    "reports that a machine began to load its image"),
	FEATURE(WS_REPORT_DOWNLOAD_COMPLETE, "report_download_complete",
	    "reports that it has its image"),
	FEATURE(WS_REPORT_BOOT, "report_boot", "reports that the image runs"),
	FEATURE(WS_WINPE_START, "winpe_start", "asks for commands to run when WinPE starts"),
	FEATURE(WS_EXTRA_FILE, "extra_file", "asks for a file to put into WinPE"),
	FEATURE(WS_WINPESHL, "winpeshl", "asks for WinPE's winpeshl.ini"),
	FEATURE(WS_CONFIG, "config", "asks for the configuration that WinPE reads"),
	FEATURE(WS_WINPE_END, "winpe_end", "asks for commands to run at WinPE's end"),
	{ 0 },
};

#define FALLBACK(feature, key, what)                                                               \
	{                                                                                          \
		.name = (key), .type = CONFIG_ENUM, AT(fallbacks[feature]), .def = "\"local\"",    \
		.names = ws_fallback_names, .help = (what)                                         \
	}

static const struct config_key fallback_keys[] = {
	FALLBACK(WS_BOOT_REQUEST, "boot_request",
	    "without an answer: `local` decides as if nobody had been asked, `deny` refuses, "
	    "`wait` "
	    "lets the client ask again"),
	FALLBACK(WS_WINPE_START, "winpe_start", "likewise; `local` leaves it out"),
	FALLBACK(WS_EXTRA_FILE, "extra_file", "likewise"),
	FALLBACK(WS_WINPESHL, "winpeshl", "likewise"),
	FALLBACK(WS_CONFIG, "config", "likewise"),
	FALLBACK(WS_WINPE_END, "winpe_end", "likewise"),
	{ 0 },
};

static const struct config_key breaker_keys[] = {
	{ .name = "failures",
	    .type = CONFIG_INT,
	    AT(breaker_failures),
	    .def = "5",
	    .min = 1,
	    .max = 1000,
	    .help = "after so many failures in a row a URL is not asked, but for probes" },
	{ .name = "share",
	    .type = CONFIG_INT,
	    AT(breaker_share),
	    .def = "50",
	    .max = 100,
	    .unit = "%",
	    .help = "or after such a share of the last 32 calls failed; 0: never" },
	{ .name = "max_wait_ms",
	    .type = CONFIG_INT,
	    AT(breaker_max_wait_ms),
	    .def = "10000",
	    .min = BREAKER_MIN_WAIT_MS,
	    .max = 3600000,
	    .unit = "ms",
	    .help = "the wait between probes doubles from 1000 ms up to this" },
	{ 0 },
};

static const struct config_key cache_keys[] = {
	{ .name = "size_mb",
	    .type = CONFIG_INT,
	    AT(cache_mb),
	    .def = "64",
	    .min = 1,
	    .max = 65536,
	    .unit = "MiB",
	    .help = "memory for answers that may serve again" },
	{ .name = "age_s",
	    .type = CONFIG_INT,
	    AT(cache_age_s),
	    .def = "0",
	    .max = 31536000,
	    .unit = "s",
	    .help =
		"for so long the last good answer stands in for a service that does not answer; "
		"0: never" },
	{ 0 },
};

static const struct config_key report_keys[] = {
	{ .name = "queue",
	    .type = CONFIG_INT,
	    AT(max_reports),
	    .def = "10000",
	    .min = 1,
	    .max = 1000000,
	    .help = "reports that wait for delivery; the oldest make room" },
	{ .name = "age_s",
	    .type = CONFIG_INT,
	    AT(report_age_s),
	    .def = "86400",
	    .min = 1,
	    .max = 31536000,
	    .unit = "s",
	    .help = "reports older than this are dropped" },
	{ 0 },
};

const struct config_key webservice_keys[] = {
	{ .name = "urls",
	    .type = CONFIG_STRINGS,
	    AT(urls),
	    .def = "[]",
	    .max = WEBSERVICE_URLS,
	    .help = "the service's URLs in order of preference; none: there is no web service" },
	{ .name = "dialect",
	    .type = CONFIG_ENUM,
	    AT(dialect),
	    .def = "\"bootferry\"",
	    .names = ws_dialect_names,
	    .help = "what it speaks: `docs/openapi.json`, or the API of pixiecore" },
	{ .name = "ca",
	    .type = CONFIG_STRING,
	    AT(ca),
	    .def = "\"\"",
	    .max = 4096,
	    .help = "PEM file with the only CAs that the service may have; empty: the system's" },
	{ .name = "certificate",
	    .type = CONFIG_STRING,
	    AT(certificate),
	    .def = "\"\"",
	    .max = 4096,
	    .help = "PEM file with the certificate to show to the service" },
	{ .name = "key",
	    .type = CONFIG_STRING,
	    AT(key),
	    .def = "\"\"",
	    .max = 4096,
	    .help = "PEM file with its key; empty: it stands in the same file" },
	{ .name = "token_file",
	    .type = CONFIG_STRING,
	    AT(token_file),
	    .def = "\"\"",
	    .max = 4096,
	    .help = "file with a bearer token; read again when it changes" },
	{ .name = "proxy",
	    .type = CONFIG_STRING,
	    AT(proxy),
	    .def = "\"\"",
	    .max = 2048,
	    .help = "URL of the proxy to use; empty: none, whatever the environment says" },
	{ .name = "timeout_ms",
	    .type = CONFIG_INT,
	    AT(timeout_ms),
	    .def = "5000",
	    .min = 50,
	    .max = 300000,
	    .unit = "ms",
	    .help = "the service may take so long; a client that cannot wait gets its fall-back "
		    "before" },
	{ .name = "max_calls",
	    .type = CONFIG_INT,
	    AT(max_calls),
	    .def = "16",
	    .min = 1,
	    .max = 1000,
	    .help = "calls under way at a time" },
	{ .name = "max_waiting",
	    .type = CONFIG_INT,
	    AT(max_waiting),
	    .def = "1024",
	    .min = 1,
	    .max = 1000000,
	    .help = "clients that wait for an answer; more get their fall-back at once" },
	{ .name = "max_answer_kb",
	    .type = CONFIG_INT,
	    AT(max_answer_kb),
	    .def = "256",
	    .min = 1,
	    .max = 16384,
	    .unit = "KiB",
	    .help = "a longer answer is an error" },
	{ .name = "not_found",
	    .type = CONFIG_ENUM,
	    AT(not_found),
	    .def = "\"local\"",
	    .names = ws_not_found_names,
	    .help =
		"a machine that a `pixiecore` service does not know: `local` leaves network boot, "
		"`none` decides without it, `deny` refuses" },
	{ .name = "client_override",
	    .type = CONFIG_BOOL,
	    AT(client_override),
	    .def = "false",
	    .help =
		"a client that posts `wsoverride=1` gets the local handler's decision; any client "
		"can post it" },
	{ .name = "features", .type = CONFIG_BLOCK, .sub = feature_keys },
	{ .name = "fallback", .type = CONFIG_BLOCK, .sub = fallback_keys },
	{ .name = "breaker", .type = CONFIG_BLOCK, .sub = breaker_keys },
	{ .name = "cache", .type = CONFIG_BLOCK, .sub = cache_keys },
	{ .name = "reports", .type = CONFIG_BLOCK, .sub = report_keys },
	{ 0 },
};

void
webservice_check(
    const struct webservice_conf *conf, const char *path, config_error_fn *error, void *arg)
{
	char key[128], what[256];
	bool any = false;

	(void)snprintf(key, sizeof(key), "%s.urls", path);
	for (size_t i = 0; i < conf->urls.n; i++) {
		const char *url = conf->urls.v[i];

		if (!http_url_valid(url) || strpbrk(url, "?") != NULL) {
			(void)snprintf(what, sizeof(what),
			    "\"%.150s\" is not of the form https://HOST[:PORT][/PATH]", url);
			error(arg, key, what);
		} else if (conf->token_file[0] != '\0' && !http_url_private(url)) {
			(void)snprintf(what, sizeof(what),
			    "\"%.150s\" would send the token unencrypted; use https", url);
			error(arg, key, what);
		}
	}
	for (int i = 0; i < WS_FEATURES; i++) {
		any |= conf->features[i];
		(void)snprintf(key, sizeof(key), "%s.features.%s", path, ws_features[i].name);
		if (conf->features[i] && conf->dialect == WS_PIXIECORE && i != WS_BOOT_REQUEST)
			error(arg, key, "the pixiecore dialect has no such thing");
	}
	(void)snprintf(key, sizeof(key), "%s.urls", path);
	if (any && conf->urls.n == 0)
		error(arg, key, "features are on, but there is no URL to ask");
	(void)snprintf(key, sizeof(key), "%s.key", path);
	if (conf->key[0] != '\0' && conf->certificate[0] == '\0')
		error(arg, key, "a key without a certificate");
}
