/* ferryctl quirks: what models of firmware are known to need, shared between sites as a file. */
#include "ferryctl/ctl.h"
#include "ferryctl/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Models of one call: a line of the control socket has an end. */
#define A_PIECE 500

/* "binl 0/2, pxe10 3/0": boots that followed a style, and offers that led to nothing. */
static void
styles_text(const json_t *m, char *buf, size_t size)
{
	json_t *styles = json_object_get(m, "styles"), *s;
	const char *name;
	size_t n = 0;

	buf[0] = '\0';
	json_object_foreach(styles, name, s)
	{
		snprintf(buf + n, size - n, "%s%s %lld/%lld", n > 0 ? ", " : "", name,
		    (long long)member_int(s, "successes"), (long long)member_int(s, "failures"));
		n += strlen(buf + n);
	}
}

static void
loaders_text(const json_t *m, char *buf, size_t size)
{
	const json_t *l;
	size_t i, n = 0;

	buf[0] = '\0';
	json_array_foreach(json_object_get(m, "loaders"), i, l)
	{
		/* silences count in 256ths */
		snprintf(buf + n, size - n, "%s%.80s %lld/%.1f", n > 0 ? ", " : "",
		    member_text(l, "path"), (long long)member_int(l, "lives"),
		    (double)member_int(l, "silences") / 256);
		n += strlen(buf + n);
	}
}

static int
by_time(const void *a, const void *b)
{
	int64_t x = member_int(*(json_t *const *)a, "seen_ms");
	int64_t y = member_int(*(json_t *const *)b, "seen_ms");

	return x < y ? 1 : x > y ? -1 : 0;
}

static void
print_models(const json_t *models)
{
	static const char *const headings[] = { "MODEL", "FIRMWARE", "STYLE", "FOLLOWED/NOT",
		"LAST SEEN", NULL };
	size_t n = json_array_size(models);
	const json_t **sorted = calloc(n + 1, sizeof(json_t *));
	struct table t;

	table_init(&t, headings);
	for (size_t i = 0; sorted != NULL && i < n; i++)
		sorted[i] = json_array_get(models, i);
	if (sorted != NULL)
		qsort(sorted, n, sizeof(json_t *), by_time);
	for (size_t i = 0; sorted != NULL && i < n; i++) {
		const json_t *m = sorted[i];
		char styles[512], time[32], style[64];

		styles_text(m, styles, sizeof(styles));
		snprintf(style, sizeof(style), "%.30s%s",
		    json_is_true(json_object_get(m, "hopeless")) ? "none works"
								 : member_text(m, "style"),
		    strcmp(member_text(m, "style"), member_text(m, "default")) != 0 ? " (learned)"
										    : "");
		table_add(
		    &t, (const char *const[]){ member_text(m, "model"), member_text(m, "words"),
			    style, styles, format_time((uint64_t)member_int(m, "seen_ms"), time) });
	}
	table_print(&t, "no firmware was seen yet");
	free(sorted);
}

static void
print_loaders(const json_t *list)
{
	static const char *const headings[] = { "LOADERS OF", "ALIVE/SILENT", NULL };
	const json_t *m;
	struct table t;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	puts("");
	table_init(&t, headings);
	json_array_foreach(list, i, m)
	{
		char loaders[1024];

		loaders_text(m, loaders, sizeof(loaders));
		table_add(&t, (const char *const[]){ member_text(m, "key"), loaders });
	}
	table_print(&t, "");
}

static int
list_quirks(const struct ctl *c, int argc, char *argv[])
{
	json_t *result;

	(void)argv;
	if (argc != 1)
		return ctl_usage("quirks list");
	result = ctl_call(c, "quirks.list", NULL);
	if (result == NULL || c->json)
		return ctl_print_json(result);
	print_models(json_object_get(result, "models"));
	print_loaders(json_object_get(result, "loaders"));
	json_decref(result);
	return CTL_OK;
}

static int
show_model(const struct ctl *c, int argc, char *argv[])
{
	static const char *const fields[] = { "model", "words", "class", "ndi", "uuid", "options",
		"adapter", "default", "style" };
	json_t *m, *s;
	const char *name;
	char time[32];

	if (argc != 2)
		return ctl_usage("quirks show MODEL");
	m = ctl_call(c, "quirks.show", json_pack("{s:s}", "model", argv[1]));
	if (m == NULL || c->json)
		return ctl_print_json(m);
	for (size_t i = 0; i < NITEMS(fields); i++) {
		char *safe = table_safe(member_text(m, fields[i]));

		printf("%-9s  %s\n", fields[i], safe);
		free(safe);
	}
	printf("%-9s  %lld\n", "arch", (long long)member_int(m, "arch"));
	printf("%-9s  %s\n", "last seen", format_time((uint64_t)member_int(m, "seen_ms"), time));
	json_object_foreach(json_object_get(m, "styles"), name, s)
	    printf("%-12s  followed by %lld boots, not by %lld; %.1f machines speak against it\n",
		name, (long long)member_int(s, "successes"), (long long)member_int(s, "failures"),
		json_number_value(json_object_get(s, "against")));
	if (json_is_true(json_object_get(m, "hopeless")))
		puts(
		    "no style is followed: the main DHCP server has to send the PXE options, which "
		    "`ferryctl dhcp-options` prints");
	print_loaders(json_object_get(m, "loaders"));
	json_decref(m);
	return CTL_OK;
}

static int
forget_model(const struct ctl *c, int argc, char *argv[])
{
	json_t *result;

	if (argc != 2)
		return ctl_usage("quirks forget MODEL");
	result = ctl_call(c, "quirks.forget", json_pack("{s:s}", "model", argv[1]));
	if (result == NULL || c->json)
		return ctl_print_json(result);
	json_decref(result);
	return CTL_OK;
}

/* --- files ------------------------------------------------------------------------------------ */

static int
export_quirks(const struct ctl *c, int argc, char *argv[])
{
	char fresh[4096];
	json_t *quirks;
	int rc = CTL_OK;

	if (argc != 2)
		return ctl_usage("quirks export FILE");
	quirks = ctl_call(c, "quirks.export", NULL);
	if (quirks == NULL)
		return CTL_FAIL;
	(void)snprintf(fresh, sizeof(fresh), "%s.%d", argv[1], (int)getpid());
	if (json_dump_file(quirks, fresh, JSON_INDENT(1)) < 0 || rename(fresh, argv[1]) < 0) {
		rc = ctl_error("%s: %s", argv[1], strerror(errno));
		(void)unlink(fresh); /* if it is there */
	} else if (!c->json) {
		printf("%zu models\n", json_array_size(json_object_get(quirks, "models")));
	}
	if (c->json && rc == CTL_OK)
		return ctl_print_json(quirks);
	json_decref(quirks);
	return rc;
}

/* A part of the file as a call: all but the other models. */
static json_t *
piece_of(const json_t *quirks, const char *file, size_t at, bool check)
{
	const json_t *models = json_object_get(quirks, "models");
	json_t *piece = json_copy((json_t *)(uintptr_t)quirks), *some = json_array();

	for (size_t i = at; i < at + A_PIECE && i < json_array_size(models); i++)
		json_array_append(some, json_array_get(models, i));
	/* what is no list stays as it is, to be told of */
	if (json_is_array(models))
		json_object_set(piece, "models", some);
	json_decref(some);
	return json_pack("{s:o, s:s, s:I, s:b}", "quirks", piece, "name", file, "at",
	    (json_int_t)at, "check", check);
}

static int
import_quirks(const struct ctl *c, int argc, char *argv[])
{
	json_error_t error;
	json_t *quirks, *result;
	size_t n;

	if (argc != 2)
		return ctl_usage("quirks import FILE");
	quirks = json_load_file(argv[1], JSON_REJECT_DUPLICATES, &error);
	if (quirks == NULL)
		return ctl_error("%s:%d: %s", argv[1], error.line > 0 ? error.line : 0, error.text);
	n = json_array_size(json_object_get(quirks, "models"));
	/* all of it is looked at before any of it counts */
	for (int check = 1; check >= 0; check--) {
		for (size_t at = 0; at == 0 || at < n; at += A_PIECE) {
			result =
			    ctl_call(c, "quirks.import", piece_of(quirks, argv[1], at, check != 0));
			if (result == NULL) {
				json_decref(quirks);
				return CTL_FAIL;
			}
			json_decref(result);
		}
	}
	json_decref(quirks);
	if (c->json)
		return ctl_print_json(json_pack("{s:I}", "models", (json_int_t)n));
	printf("%zu models\n", n);
	return CTL_OK;
}

int
cmd_quirks(const struct ctl *c, int argc, char *argv[])
{
	static const struct {
		const char *name;
		int (*fn)(const struct ctl *c, int argc, char *argv[]);
	} actions[] = {
		{ "list", list_quirks },
		{ "show", show_model },
		{ "export", export_quirks },
		{ "import", import_quirks },
		{ "forget", forget_model },
	};

	for (size_t i = 0; argc > 1 && i < NITEMS(actions); i++) {
		if (strcmp(argv[1], actions[i].name) == 0)
			return actions[i].fn(c, argc - 1, argv + 1);
	}
	return ctl_usage("quirks list\n"
			 "ferryctl quirks show MODEL\n"
			 "ferryctl quirks export FILE\n"
			 "ferryctl quirks import FILE\n"
			 "ferryctl quirks forget MODEL");
}
