/*
 * Scripts: whatever a client sends makes a request of one line, and whatever a script answers is
 * read or refused with a sentence.
 */
#include "common/hook.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void
answer(const char *data, size_t size)
{
	json_t *o = json_loadb(data, size, 0, NULL);
	struct verdict v;
	char error[256];

	for (enum hook h = 0; o != NULL && h < HOOKS; h++) {
		error[0] = '\0';
		if (hook_answer_parse(h, o, NULL, NULL, &v, error, sizeof(error)) == 0)
			verdict_fini(&v);
		else
			MUST(error[0] != '\0');
		(void)hook_self_test_check(o, error, sizeof(error));
	}
	json_decref(o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct boot_request r = { .stage = STAGE_BOOT, .client = CLIENT_IPXE };
	struct hook_facts facts = { .now_ms = 1700000000000, .deadline_ms = 1000 };
	json_t *o;
	char *text;

	r.params = (struct slice){ data, size };
	r.serial = (struct slice){ data, size < 64 ? size : 64 };
	r.relay_info = (struct slice){ data, size < 255 ? size : 255 };
	o = hook_request(HOOK_BOOT, &r, &facts);
	text = json_dumps(o, JSON_COMPACT);
	MUST(text != NULL && strchr(text, '\n') == NULL);
	free(text);
	json_decref(o);
	answer((const char *)data, size);
	return 0;
}
