/* What the web service's parts share; see ws.h. */
#include "handlerd/ws.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct ws_feature_info ws_features[WS_FEATURES] = {
	[WS_BOOT_REQUEST] = { "boot_request", "/v1/boot", "BootRequest", WS_DECISION, NULL },
	[WS_REPORT_CONFIGURATION] = { "report_configuration", "/v1/report/configuration",
	    "ReportBootConfiguration", WS_REPORT, NULL },
	[WS_REPORT_DOWNLOAD_START] = { "report_download_start", "/v1/report/download-start",
	    "ReportDLStart", WS_REPORT, NULL },
	[WS_REPORT_DOWNLOAD_COMPLETE] = { "report_download_complete",
	    "/v1/report/download-complete", "ReportDLComplete", WS_REPORT, NULL },
	[WS_REPORT_BOOT] = { "report_boot", "/v1/report/boot", "ReportDLBoot", WS_REPORT, NULL },
	[WS_WINPE_START] = { "winpe_start", "/v1/winpe/start", "RunCmdLineWinPE", WS_CONTENT,
	    "winpe/start.cmd" },
	[WS_EXTRA_FILE] = { "extra_file", "/v1/winpe/extra-file", "ExtraFile", WS_CONTENT,
	    "winpe/extra" },
	[WS_WINPESHL] = { "winpeshl", "/v1/winpe/winpeshl", "WinPEShl", WS_CONTENT,
	    "winpe/winpeshl.ini" },
	[WS_CONFIG] = { "config", "/v1/winpe/config", "Config", WS_CONTENT, "winpe/config.ini" },
	[WS_WINPE_END] = { "winpe_end", "/v1/winpe/end", "RunCmdLineWinPEEnd", WS_CONTENT,
	    "winpe/end.cmd" },
};

const char *const ws_fallback_names[] = { "local", "deny", "wait", NULL };
const char *const ws_dialect_names[] = { "bootferry", "pixiecore", NULL };
const char *const ws_not_found_names[] = { "local", "none", "deny", NULL };

enum ws_feature
ws_feature_of_file(struct slice path)
{
	for (int i = 0; i < WS_FEATURES; i++) {
		const char *file = ws_features[i].file;

		if (file != NULL && path.n == strlen(file) &&
		    strncasecmp((const char *)path.p, file, path.n) == 0)
			return (enum ws_feature)i;
	}
	return WS_FEATURES;
}

int
ws_answer_init(struct ws_answer *a)
{
	*a = (struct ws_answer){ .status = strdup(""),
		.name = strdup(""),
		.text = strdup(""),
		.url = strdup(""),
		.keep = true };
	if (verdict_init(&a->verdict) < 0 || a->status == NULL || a->name == NULL ||
	    a->text == NULL || a->url == NULL) {
		ws_answer_fini(a);
		return -ENOMEM;
	}
	return 0;
}

void
ws_pairs_free(struct ws_pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(pairs[i].name);
		free(pairs[i].value);
	}
	free(pairs);
}

int
ws_pairs_copy(const struct ws_pair *from, size_t n, struct ws_pair **ret)
{
	struct ws_pair *pairs = n > 0 ? calloc(n, sizeof(*pairs)) : NULL;

	if (pairs == NULL && n > 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		pairs[i] = (struct ws_pair){ strdup(from[i].name), strdup(from[i].value) };
		if (pairs[i].name == NULL || pairs[i].value == NULL) {
			ws_pairs_free(pairs, n);
			return -ENOMEM;
		}
	}
	*ret = pairs;
	return 0;
}

void
ws_answer_fini(struct ws_answer *a)
{
	verdict_fini(&a->verdict);
	ws_pairs_free(a->carry, a->ncarry);
	free(a->status);
	free(a->name);
	free(a->text);
	free(a->url);
	*a = (struct ws_answer){ 0 };
}
