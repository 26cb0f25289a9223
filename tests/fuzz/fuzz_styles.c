/*
 * The adaptive style of offers.  Input that begins with '{' is a file of quirks: what is taken over
 * can be written again, and reads the same.  Any other is a story of machines: whatever they do,
 * they get a style of their list, and what is known of them can be written and read.
 */
#include "handlerd/styles.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define NOW UINT64_C(1700000000000)

static void
ignore_mistake(void *arg, const char *path, const char *what)
{
	unsigned *mistakes = arg;

	MUST(path[0] != '\0' && what[0] != '\0');
	++*mistakes;
}

static void
check_dump(const struct styles *t)
{
	json_t *dump = styles_dump(t), *again;
	struct styles *other;

	MUST(dump != NULL);
	MUST(styles_new(64, 64, &other) == 0);
	(void)styles_restore(other, dump);
	again = styles_dump(other);
	MUST(json_array_size(json_object_get(again, "models")) ==
	     json_array_size(json_object_get(dump, "models")));
	json_decref(again);
	json_decref(dump);
	styles_free(other);
}

static void
read_file(struct styles *t, const uint8_t *data, size_t size)
{
	json_t *o = json_loadb((const char *)data, size, 0, NULL), *out, *back;
	unsigned mistakes = 0;
	struct styles *other;

	if (o == NULL)
		return;
	if (styles_import(t, o, true, NOW, ignore_mistake, &mistakes) < 0) {
		MUST(mistakes > 0);
		MUST(styles_import(t, o, false, NOW, NULL, NULL) < 0 && styles_changes(t) == 0);
		json_decref(o);
		return;
	}
	MUST(mistakes == 0 && styles_changes(t) == 0);
	MUST(styles_import(t, o, false, NOW, NULL, NULL) >= 0);
	out = styles_export(t, NOW);
	MUST(styles_new(64, 64, &other) == 0);
	MUST(styles_import(other, out, false, NOW, ignore_mistake, &mistakes) >= 0);
	back = styles_export(other, NOW);
	MUST(json_array_size(json_object_get(back, "models")) ==
	     json_array_size(json_object_get(out, "models")));
	json_decref(back);
	json_decref(out);
	json_decref(o);
	styles_free(other);
}

static void
tell_story(struct styles *t, const uint8_t *data, size_t size)
{
	uint64_t now_ms = NOW;
	struct rbuf r;

	rbuf_init(&r, data, size);
	while (r.left >= 4) {
		uint8_t what = rbuf_u8(&r), who = rbuf_u8(&r), model = rbuf_u8(&r);
		uint8_t then = rbuf_u8(&r);
		struct macaddr mac = { 6, { 2, 0, 0, 0, 0, who } };
		struct firmware f = {
			.arch = model % 41,
			.ndi = model / 64u,
			.class = slice_str(model % 2 != 0 ? "HTTPClient" : "PXEClient"),
		};
		bool http = firmware_is_http(&f);
		struct styles_sight sight = { &mac, &f, firmware_key(&f), then / 16u, then % 16u };
		enum offer_style list[STYLES_MAX];
		enum styles_kind kind;
		enum style_why why;
		size_t n, at;

		now_ms += (uint64_t)1 << what % 32;
		if (what >= 128) {
			(void)styles_followed(t, &mac, (enum styles_sign)(then % 5), now_ms);
			if (then % 7 == 0)
				styles_leased(t, &mac);
			if (then == 255)
				(void)styles_forget(t, sight.key);
			if (then == 254)
				styles_void(t, &mac, http);
			continue;
		}
		if (!styles_kind_of(f.arch, http, &kind))
			continue;
		(void)styles_arrive(t, &sight, now_ms);
		n = styles_list(kind, http ? OFFER_HTTP : (enum offer_style)(then % 3), list);
		at = styles_choose(
		    t, &mac, http, what % 5 == 0 ? 0 : sight.key, list, n, now_ms, &why);
		MUST(at < n && (size_t)why < STYLE_WHYS);
		styles_given(t, &sight, list[at], list[0], why, now_ms);
		if (why == STYLE_ROUND)
			(void)styles_hopeless(t, sight.key);
		/* asked again at once, it gets the same */
		MUST(!styles_arrive(t, &sight, now_ms).unanswered);
		MUST(styles_choose(t, &mac, http, sight.key, list, n, now_ms, &why) == at);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct styles *t;

	MUST(styles_new(64, 64, &t) == 0);
	if (size > 0 && data[0] == '{')
		read_file(t, data, size);
	else
		tell_story(t, data, size);
	check_dump(t);
	styles_free(t);
	return 0;
}
