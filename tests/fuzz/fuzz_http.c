/*
 * The pure part of an HTTP request: target, form, Range header, the log's line.  Lines of the
 * input: the target, the form, the Range header.  What a form says travels over the bus and becomes
 * a script.
 */
#include "common/form.h"
#include "httpsbootd/access_line.h"
#include "httpsbootd/range.h"
#include "httpsbootd/route.h"
#include "tests/fuzz/fuzz.h"
#include "tests/stock.h"

#include <string.h>

static void
decide_script(const struct boot_request *r)
{
	static uint8_t scratch[DECIDE_SCRATCH], bytes[65536];
	char path[CONTENT_PATH_MAX];
	struct boot_request heard;
	struct boot_answer answer;
	struct msg_writer mw;
	struct msg_reader m;
	struct decision decision;
	struct facts facts;
	struct wbuf w;
	struct slice s;

	msg_begin(&mw, bytes, sizeof(bytes), MSG_REQUESTS, 1);
	MUST(msg_put_request(&mw, r) == 0);
	s = msg_end(&mw);
	MUST(msg_open(&m, s.p, s.n) == 0 && msg_get_request(&m, &heard) == 0);
	stock_facts(&heard, true, 8060, path, &facts);
	wbuf_init(&w, scratch, sizeof(scratch));
	decide(&heard, stock_policy(), &facts, &w, &decision);
	answer = decision.answer;
	MUST(answer.action == ACTION_DATA && slice_begins(answer.data, "#!ipxe\n"));
}

/* Wherever a token stands, and behind or before whatever, no line shows it. */
static void
check_token(const char *target, const char *token)
{
	size_t n = strlen(target), k = strlen(token);
	char *with = malloc(n + 2 * k + 1), line[ACCESS_LINE_MAX];
	const struct access_line l = { .method = "GET", .target = with, .agent = with };

	MUST(with != NULL);
	(void)snprintf(with, n + 2 * k + 1, "%s%s", target, token);
	MUST(strstr(access_line_format(&l, line), token) == NULL);
	(void)snprintf(with, n + 2 * k + 1, "%s%s%s", token, target, token);
	MUST(strstr(access_line_format(&l, line), token) == NULL);
	free(with);
}

/* Whatever a client says, its line is one, and of bounded length. */
static void
check_line(const char *target, const char *agent)
{
	const struct access_line line = {
		.method = "GET", .target = target, .file = target, .agent = agent
	};
	char text[ACCESS_LINE_MAX];
	size_t n = strlen(access_line_format(&line, text));

	MUST(n < ACCESS_LINE_MAX);
	for (size_t i = 0; i < n; i++)
		MUST(text[i] >= ' ' && text[i] < 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const patterns[] = { "*", "/2PXE/boot", "/2PXE/*/*.efi",
		"/2PXE/file/*a*b*" };
	static uint8_t decoded[65536];
	struct boot_request request = { .id = 1, .stage = STAGE_BOOT, .via = VIA_HTTPS };
	char *text = fuzz_text(data, size), *form_text, *header = NULL, path[CONTENT_PATH_MAX];
	static struct route route;
	struct form form = { 0 };
	struct range range;
	struct wbuf w;

	form_text = strchr(text, '\n');
	if (form_text != NULL) {
		*form_text++ = '\0';
		header = strchr(form_text, '\n');
		if (header != NULL)
			*header++ = '\0';
	}
	check_line(text, form_text);
	check_token(text,
	    "AQACabcdefghijklmnopqrstuvwxyz-_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnop");
	if (route_parse(text, &route) == 0) {
		MUST(route_is_listed(&route, patterns, 1) == (route.kind != ROUTE_NONE));
		(void)route_is_listed(&route, patterns, NITEMS(patterns));
	}
	if (route_parse(text, &route) == 0 && route.kind == ROUTE_FILE) {
		MUST(route.rest_n <= sizeof(route.rest));
		if (path_normalise((struct slice){ (uint8_t *)route.rest, route.rest_n }, path) ==
		    0)
			MUST(media_type(path)[0] != '\0');
	}
	if (form_text != NULL && strlen(form_text) < sizeof(decoded)) {
		wbuf_init(&w, decoded, sizeof(decoded));
		form_parse(slice_str(form_text), &w, &form);
		form_to_request(&form, &request);
		decide_script(&request);
	}
	if (range_parse(header, 100000, &range) == 0)
		MUST(range.first <= range.last && range.last < 100000);
	free(text);
	return 0;
}
