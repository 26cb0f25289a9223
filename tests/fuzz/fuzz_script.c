/*
 * Scripts with what a client posted and with texts from elsewhere: whatever these hold, each line
 * begins with a command of ours and nothing is expanded that is not ours.
 */
#include "handlerd/script.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static uint8_t buf[64 * 1024];

static const struct script_ctx ctx = {
	.base = "http://10.0.0.1:8060/",
	.boot = 42,
};

static bool
begins(const uint8_t *line, size_t n, const char *const *with, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(with[i]);

		if (n >= len && memcmp(line, with[i], len) == 0)
			return true;
	}
	return false;
}

static void
check_line(const uint8_t *line, size_t n)
{
	static const char *const commands[] = { "#!ipxe", "set ", "clear ", ":bf_", "isset ",
		"params ", "param ", "chain ", "inc ", "iseq ", "echo", "sleep ", "goto bf_",
		"imgfree", "exit 1" };
	static const char *const ours[] = { "pxeurl", "netX/", "uuid", "manufacturer", "product",
		"serial", "asset", "platform", "buildarch", "version", "memsize", "smbios/",
		"filename", "bootid", "bf-", "tokenid", "requestid", "statusid", "wsurl", "errno",
		"paramquery" };

	MUST(begins(line, n, commands, NITEMS(commands)));
	for (size_t i = 0; i < n; i++) {
		MUST(line[i] >= ' ' && line[i] != 0x7f);
		if (line[i] == '$' && i + 1 < n && line[i + 1] == '{')
			MUST(begins(line + i + 2, n - i - 2, ours, NITEMS(ours)));
	}
	MUST(n == 0 || line[n - 1] != '\\');
}

/* Words that would begin another command stand only where our scripts have them. */
static void
check_echo(const uint8_t *line, size_t n)
{
	if (n < 5 || memcmp(line, "echo ", 5) != 0)
		return;
	MUST(n == 5 || line[5] != '-');
	for (size_t i = 0; i + 3 <= n; i++) {
		bool word = line[i] == ' ' && (i + 3 == n || line[i + 3] == ' ');

		MUST(!word || memcmp(line + i + 1, "&&", 2) != 0);
		MUST(!word || memcmp(line + i + 1, "||", 2) != 0);
	}
}

static void
check_script(const struct wbuf *w)
{
	size_t at = 0;

	MUST(!w->bad && w->used > 0 && w->p[w->used - 1] == '\n');
	while (at < w->used) {
		const uint8_t *end = memchr(w->p + at, '\n', w->used - at);
		size_t n = (size_t)(end - (w->p + at));

		check_line(w->p + at, n);
		check_echo(w->p + at, n);
		at += n + 1;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char wsurl[] = "wsurl", tokenid[] = "tokenid";
	struct script_ctx with = ctx;
	char *text = fuzz_text(data, size);
	struct wbuf w;

	with.params = (struct slice){ data, size };
	with.carry = (const struct ws_pair[]){ { wsurl, text }, { tokenid, text } };
	with.ncarry = 2;
	wbuf_init(&w, buf, sizeof(buf));
	script_collect(&w, &with);
	check_script(&w);
	(void)script_memory_mb(with.params);
	if (size < sizeof(buf) / 8) {
		wbuf_init(&w, buf, sizeof(buf));
		script_message(&w, &ctx, text, SCRIPT_LEAVE);
		check_script(&w);
		wbuf_init(&w, buf, sizeof(buf));
		script_wait(&w, &ctx, text);
		check_script(&w);
	}
	free(text);
	return 0;
}
