/* ferryctl machines: what is known of them, which look alike, merging and splitting. */
#include "ferryctl/ctl.h"
#include "ferryctl/table.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES "#ID|MAC|UUID|SERIAL|ASSET"
#define IDENTIFY                                                                                   \
	"machines identify [--mac M] [--uuid U] [--serial S] [--asset A]\n"                        \
	"    [--manufacturer X] [--product X] [--relay IP --circuit X [--remote X]]"

/* Options that each take a text, as parameters of their names; NULL after printing the usage. */
static json_t *
text_params(int argc, char *argv[], const struct option *options, const char *usage)
{
	json_t *params = json_object();
	uint64_t n;
	int o, which;

	optind = 1;
	while ((o = getopt_long(argc, argv, "", options, &which)) == 0) {
		const char *name = options[which].name;
		bool number = strcmp(name, "limit") == 0;

		if (number && parse_u64(optarg, &n) < 0)
			break;
		json_object_set_new(
		    params, name, number ? json_integer((json_int_t)n) : json_string(optarg));
	}
	if (o == -1 && optind == argc)
		return params;
	json_decref(params);
	(void)ctl_usage(usage);
	return NULL;
}

static const char *
format_id(const json_t *m, char buf[static 24])
{
	snprintf(buf, 24, "#%lld", (long long)member_int(m, "id"));
	return buf;
}

/* Prints a line of text that may hold anything. */
static void
print_safe(const char *line)
{
	char *safe = table_safe(line);

	puts(safe);
	free(safe);
}

static const struct option limit_option[] = {
	{ "limit", required_argument, NULL, 0 },
	{ 0 },
};

static int
list_machines(const struct ctl *c, int argc, char *argv[])
{
	static const char *const headings[] = { "ID", "MAC", "LAST SEEN", "ADDRESS", "BOOTS",
		"STATE", "MODEL", "SERIAL", "UUID", NULL };
	json_t *params = text_params(argc, argv, limit_option, "machines list [--limit N]");
	json_t *list;
	const json_t *m;
	struct table t;
	size_t i;

	if (params == NULL)
		return CTL_USAGE;
	list = ctl_call(c, "machines.list", params);
	if (list == NULL || c->json)
		return ctl_print_json(list);
	table_init(&t, headings);
	json_array_foreach(list, i, m)
	{
		char id[24], time[32], boots[24], model[300];

		snprintf(boots, sizeof(boots), "%lld", (long long)member_int(m, "boots"));
		snprintf(model, sizeof(model), "%.140s %.140s", member_text(m, "manufacturer"),
		    member_text(m, "product"));
		table_add(&t, (const char *const[]){ format_id(m, id), member_text(m, "mac"),
				  format_time((uint64_t)member_int(m, "last_ms"), time),
				  member_text(m, "address"), boots, member_text(m, "state"), model,
				  member_text(m, "serial"), member_text(m, "uuid") });
	}
	table_print(&t, "no machine was seen yet");
	json_decref(list);
	return CTL_OK;
}

/* --- one machine ---------------------------------------------------------------------------- */

static void
print_fields(const json_t *m)
{
	static const char *const fields[] = { "uuid", "serial", "asset", "manufacturer", "product",
		"platform", "version", "address", "relay", "remote", "circuit", "state", "group",
		"entry", "by", "phase", "image" };
	const json_t *mac, *other;
	char id[24], line[512], time[32];
	size_t i;

	printf("%-12s  %s\n", "id", format_id(m, id));
	json_array_foreach(json_object_get(m, "macs"), i, mac)
	    printf("%-12s  %s%s\n", i == 0 ? "mac" : "", member_text(mac, "mac"),
		member_int(mac, "sure") != 0 ? "" : "  (not sure)");
	for (i = 0; i < NITEMS(fields); i++) {
		snprintf(line, sizeof(line), "%-12s  %.400s", fields[i], member_text(m, fields[i]));
		if (member_text(m, fields[i])[0] != '\0')
			print_safe(line);
	}
	printf("%-12s  %s\n", "first seen", format_time((uint64_t)member_int(m, "first_ms"), time));
	printf("%-12s  %s\n", "last seen", format_time((uint64_t)member_int(m, "last_ms"), time));
	json_array_foreach(json_object_get(m, "others"), i, other)
	    printf("%-12s  #%lld has this name, too\n", i == 0 ? "others" : "",
		(long long)json_integer_value(other));
	printf("\n");
}

static void
print_events(const json_t *events)
{
	static const char *const headings[] = { "TIME", "WHAT", "BY", "DETAILS", NULL };
	const json_t *e;
	struct table t;
	size_t i;

	if (json_array_size(events) == 0)
		return;
	printf("\n");
	table_init(&t, headings);
	json_array_foreach(events, i, e)
	{
		char time[32], details[1200], other[32] = "";

		if (member_int(e, "other") != 0)
			snprintf(other, sizeof(other), "#%lld ", (long long)member_int(e, "other"));
		snprintf(details, sizeof(details), "%s%.1100s", other, member_text(e, "text"));
		table_add(
		    &t, (const char *const[]){ format_time((uint64_t)member_int(e, "at_ms"), time),
			    member_text(e, "kind"), member_text(e, "by"), details });
	}
	table_print(&t, "");
}

static int
show_machine(const struct ctl *c, int argc, char *argv[])
{
	static const char *const headings[] = { "BOOT", "LAST", "REACHED", "IMAGE", NULL };
	const json_t *history, *b;
	char time[32];
	struct table t;
	json_t *m;
	size_t i;

	if (argc != 2)
		return ctl_usage("machines show " NAMES);
	m = ctl_call(c, "machines.show", json_pack("{s:s}", "machine", argv[1]));
	if (m == NULL || c->json)
		return ctl_print_json(m);
	print_fields(m);
	table_init(&t, headings);
	history = json_object_get(m, "history");
	json_array_foreach(history, i, b)
	    table_add(&t, (const char *const[]){ member_text(b, "id"),
			      format_time((uint64_t)member_int(b, "last_ms"), time),
			      member_text(b, "phase"), member_text(b, "image") });
	table_print(&t, "no boots");
	print_events(json_object_get(m, "events"));
	json_decref(m);
	return CTL_OK;
}

/* --- several machines ----------------------------------------------------------------------- */

/* What is to be done about a duplicate, by its reason. */
static const char *
advice(const char *reason)
{
	static const struct {
		const char *reason, *words;
	} rows[] = {
		{ "uuid-cloned",
		    "one UUID, several serial numbers: list the UUID as bad, or set new ones" },
		{ "uuid", "one UUID: perhaps one machine, merge them" },
		{ "serial", "one serial number, several UUIDs: a new board? merge them" },
		{ "asset", "one asset tag: a new board, or a tag that was typed twice" },
		{ "mac", "one MAC: an adapter that moved" },
		{ "shared-adapter", "one MAC, three or more UUIDs: list it as a shared adapter" },
	};

	for (size_t i = 0; i < NITEMS(rows); i++) {
		if (strcmp(rows[i].reason, reason) == 0)
			return rows[i].words;
	}
	return reason;
}

static void
add_machine(struct table *t, const char *first, const json_t *m)
{
	char id[24], time[32], model[300];

	snprintf(model, sizeof(model), "%.140s %.140s", member_text(m, "manufacturer"),
	    member_text(m, "product"));
	table_add(t, (const char *const[]){ first, format_id(m, id), member_text(m, "mac"),
			 format_time((uint64_t)member_int(m, "last_ms"), time), model,
			 member_text(m, "serial"), member_text(m, "uuid") });
}

static int
list_duplicates(const struct ctl *c, int argc, char *argv[])
{
	static const char *const headings[] = { "SHARED", "ID", "MAC", "LAST SEEN", "MODEL",
		"SERIAL", "UUID", NULL };
	json_t *params = text_params(argc, argv, limit_option, "machines duplicates [--limit N]");
	const json_t *d, *m;
	struct table t;
	json_t *list;
	size_t i, j;

	if (params == NULL)
		return CTL_USAGE;
	list = ctl_call(c, "machines.duplicates", params);
	if (list == NULL || c->json)
		return ctl_print_json(list);
	if (json_array_size(list) == 0)
		puts("no two machines share an identifier");
	json_array_foreach(list, i, d)
	{
		char title[400];

		snprintf(title, sizeof(title), "%s %.150s: %s%s", member_text(d, "identifier"),
		    member_text(d, "value"), advice(member_text(d, "reason")),
		    json_is_true(json_object_get(d, "crowded")) ? " (more machines have it)" : "");
		if (i > 0)
			printf("\n");
		print_safe(title);
		table_init(&t, headings);
		json_array_foreach(json_object_get(d, "machines"), j, m)
		    add_machine(&t, member_text(d, "identifier"), m);
		table_print(&t, "");
	}
	json_decref(list);
	return CTL_OK;
}

static int
merge_machines(const struct ctl *c, int argc, char *argv[])
{
	char id[24];
	json_t *m;

	if (argc != 3)
		return ctl_usage("machines merge INTO FROM");
	m = ctl_call(c, "machines.merge",
	    json_pack("{s:s, s:s, s:o}", "into", argv[1], "from", argv[2], "by", ctl_caller()));
	if (m == NULL || c->json)
		return ctl_print_json(m);
	printf("%s is now known by the names of both\n", format_id(m, id));
	json_decref(m);
	return CTL_OK;
}

static int
split_machine(const struct ctl *c, int argc, char *argv[])
{
	json_t *identifiers, *result;
	char id[24];

	if (argc < 3)
		return ctl_usage("machines split " NAMES " IDENTIFIER...");
	identifiers = json_array();
	for (int i = 2; i < argc; i++)
		json_array_append_new(identifiers, json_string(argv[i]));
	result = ctl_call(c, "machines.split",
	    json_pack("{s:s, s:o, s:o}", "machine", argv[1], "identifiers", identifiers, "by",
		ctl_caller()));
	if (result == NULL || c->json)
		return ctl_print_json(result);
	printf("made %s\n", format_id(json_object_get(result, "split"), id));
	json_decref(result);
	return CTL_OK;
}

/* The evidence of a candidate as "mac +40 same, uuid -20 differs". */
static void
describe_evidence(const json_t *evidence, char *buf, size_t size)
{
	const json_t *e;
	const char *name;
	struct wbuf w;

	wbuf_init(&w, buf, size - 1);
	json_object_foreach((json_t *)(uintptr_t)evidence, name, e) wbuf_printf(&w, "%s%s %+d %s",
	    w.used > 0 ? ", " : "", name, (int)member_int(e, "points"), member_text(e, "verdict"));
	buf[w.used] = '\0';
}

static int
identify(const struct ctl *c, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "mac", required_argument, NULL, 0 },
		{ "uuid", required_argument, NULL, 0 },
		{ "serial", required_argument, NULL, 0 },
		{ "asset", required_argument, NULL, 0 },
		{ "manufacturer", required_argument, NULL, 0 },
		{ "product", required_argument, NULL, 0 },
		{ "relay", required_argument, NULL, 0 },
		{ "remote", required_argument, NULL, 0 },
		{ "circuit", required_argument, NULL, 0 },
		{ 0 },
	};
	static const char *const headings[] = { "ID", "POINTS", "WHY", "EVIDENCE", NULL };
	json_t *params = text_params(argc, argv, options, IDENTIFY), *result;
	const json_t *candidate;
	struct table t;
	size_t i;

	if (params == NULL)
		return CTL_USAGE;
	result = ctl_call(c, "machines.identify", params);
	if (result == NULL || c->json)
		return ctl_print_json(result);
	if (json_is_null(json_object_get(result, "machine")))
		printf("a new machine: none reaches %lld points\n\n",
		    (long long)member_int(result, "threshold"));
	else
		printf("machine #%lld%s\n\n", (long long)member_int(result, "machine"),
		    json_is_true(json_object_get(result, "ambiguous"))
			? ", but another has as many points"
			: "");
	table_init(&t, headings);
	json_array_foreach(json_object_get(result, "candidates"), i, candidate)
	{
		char id[24], points[16], evidence[512];

		snprintf(points, sizeof(points), "%d", (int)member_int(candidate, "score"));
		describe_evidence(
		    json_object_get(candidate, "evidence"), evidence, sizeof(evidence));
		table_add(
		    &t, (const char *const[]){ format_id(json_object_get(candidate, "machine"), id),
			    points, member_text(candidate, "why"), evidence });
	}
	table_print(&t, "no machine shares an identifier with it");
	json_decref(result);
	return CTL_OK;
}

int
cmd_machines(const struct ctl *c, int argc, char *argv[])
{
	static const struct {
		const char *name;
		int (*fn)(const struct ctl *c, int argc, char *argv[]);
	} commands[] = {
		{ "list", list_machines },
		{ "show", show_machine },
		{ "duplicates", list_duplicates },
		{ "merge", merge_machines },
		{ "split", split_machine },
		{ "identify", identify },
	};

	if (argc == 1)
		return list_machines(c, argc, argv);
	for (size_t i = 0; i < NITEMS(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].fn(c, argc - 1, argv + 1);
	}
	return ctl_usage("machines list | show " NAMES
			 " | duplicates | merge INTO FROM | split M IDENTIFIER... | identify ...");
}
