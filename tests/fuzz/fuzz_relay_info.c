/* Option 82: what is found lies inside it, and identifiers are text that tells them apart. */
#include "common/relay_info.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void
check_inside(struct slice part, struct slice whole)
{
	MUST(part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

static void
check_text(struct slice id)
{
	char text[RELAY_ID_STRLEN], *end;

	relay_id_format(id, text);
	for (const char *p = text; *p != '\0'; p++)
		MUST(*p >= ' ' && *p <= '~');
	if (strncmp(text, "0x", 2) != 0) {
		MUST(slice_is(id, text));
		return;
	}
	MUST(strlen(text) == 2 + 2 * id.n);
	for (size_t i = 0; i < id.n; i++) {
		const char octet[3] = { text[2 + 2 * i], text[3 + 2 * i], '\0' };

		MUST(strtoul(octet, &end, 16) == id.p[i] && *end == '\0');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice option = { data, size < 255 ? size : 255 };
	struct relay_info r;

	(void)relay_info_parse(option, &r); /* also what stood before an error is given */
	check_inside(r.circuit_id, option);
	check_inside(r.remote_id, option);
	check_inside(r.subscriber_id, option);
	MUST(r.link.family == 0 || r.link.family == 4);
	check_text(r.circuit_id);
	check_text(r.remote_id);
	return 0;
}
