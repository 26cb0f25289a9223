/*
 * The URL of a referral.  Lines of the input: the target's URL, bfvia, the form.  What comes out is
 * bounded, holds nothing that a script would expand, no token, and bfvia once, at the front.
 */
#include "handlerd/targets.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <strings.h>

/* The part of the URL that is made from what the client sent. */
static void
check_query(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i], lower = c | 0x20;

		MUST((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
		     strchr("-._~%=&", c) != NULL);
		MUST(c != '&' || strncasecmp(p + i, "&token=", 7) != 0);
		MUST(c != '&' || strncasecmp(p + i, "&bfvia=", 7) != 0);
		MUST(c != '&' || strncasecmp(p + i, "&authvalue=", 11) != 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char buf[REFERRAL_URL_MAX];
	char *text = fuzz_text(data, size), *via, *form = NULL;
	struct referral_url_result r;
	struct url_place place;
	uint8_t value[64];
	struct wbuf w;

	via = strchr(text, '\n');
	if (via != NULL) {
		*via++ = '\0';
		form = strchr(via, '\n');
		if (form != NULL)
			*form++ = '\0';
	}
	if (url_place_http(text, &place) == 0) {
		MUST(place.host[0] != '\0' && place.port != 0 && place.path_at <= strlen(text));
		MUST(strchr(place.host, '/') == NULL && strchr(place.host, '@') == NULL);
	}
	(void)referral_via_has(slice_str(via), "me");
	MUST(referral_param(slice_str(form), "mac", value, sizeof(value)) <= sizeof(value));
	wbuf_init(&w, buf, sizeof(buf));
	if (referral_url(&w, text, slice_str(form), slice_str(via), "me", &r) == 0) {
		size_t fragment = strlen(text + strcspn(text, "#"));
		size_t base = strlen(text) - fragment;

		MUST(!w.bad && w.used >= strlen(text));
		MUST(memcmp(buf, text, base) == 0);
		MUST(memcmp(buf + w.used - fragment, text + base, fragment) == 0);
		MUST(memchr(buf + base, '=', w.used - base) != NULL);
		check_query(buf + base + 1, w.used - fragment - base - 1);
	} else {
		MUST(w.used == 0);
	}
	free(text);
	return 0;
}
