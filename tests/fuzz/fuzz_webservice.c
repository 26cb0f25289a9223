/*
 * What a web service says.  The first line of the input: the feature's number, the dialect's, the
 * status; the rest is the body.  What is read twice, also from the cache, is the same.
 */
#include "handlerd/ws_bootferry.h"
#include "handlerd/ws_decode.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void
check_answer(const struct ws_answer *a, enum ws_feature feature)
{
	MUST(a->ncarry <= WS_CARRY_MAX);
	for (size_t i = 0; i < a->ncarry; i++)
		MUST(ws_carry_name_valid(a->carry[i].name) &&
		     ws_carry_value_valid(a->carry[i].value));
	MUST(strpbrk(a->status, "\r\n") == NULL && strpbrk(a->name, "/\\") == NULL);
	MUST(a->text[0] == '\0' || a->url[0] == '\0');
	if (ws_features[feature].kind == WS_CONTENT)
		MUST(a->verdict.kind == VERDICT_NONE);
	if (a->verdict.kind == VERDICT_SCRIPT)
		MUST(strncmp(a->verdict.text, "#!ipxe", 6) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ws_said said = { .url = "https://service.example:8051/x" };
	struct ws_decoder decoder = { .stale_ms = 1000 };
	char *text = fuzz_text(data, size), error[WS_ERROR_SIZE];
	unsigned feature, dialect, status;
	struct ws_answer a, again;
	int skipped = 0, rc;

	if (sscanf(text, "%2u %1u %3u%n", &feature, &dialect, &status, &skipped) != 3 ||
	    text[skipped] != '\n')
		goto out;
	decoder.dialect = dialect % WS_DIALECTS;
	/* webservice_check() sees to it that pixiecore is asked nothing else */
	feature = decoder.dialect == WS_PIXIECORE ? WS_BOOT_REQUEST : feature % WS_FEATURES;
	said.status = (long)status;
	said.body =
	    (struct slice){ (const uint8_t *)text + skipped + 1, size - (size_t)skipped - 1 };
	rc = ws_decode(&decoder, feature, &said, &a, error);
	if (rc < 0)
		goto out;
	check_answer(&a, feature);
	MUST(ws_cache_new(1 << 20, &decoder.cache) == 0);
	ws_keep(&decoder, "k", &said, &a, 1, true);
	MUST(ws_recall(&decoder, feature, "k", 1, false, &again) == 0);
	MUST(again.verdict.kind == a.verdict.kind && again.ncarry == a.ncarry &&
	     strcmp(again.text, a.text) == 0);
	ws_answer_fini(&again);
	MUST((ws_recall(&decoder, feature, "k", 1, true, &again) == 0) == a.keep);
	if (a.keep)
		ws_answer_fini(&again);
	ws_answer_fini(&a);
	ws_cache_free(decoder.cache);
out:
	free(text);
	return 0;
}
