/*
 * ferryctl's commands about decisions: replay, and what a person decides about a
 * machine: assign, approve, deny, block, hold, release, group.
 */
#include "ferryctl/ctl.h"
#include "ferryctl/table.h"

#include "common/loop.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAMES "#ID|MAC|UUID|SERIAL|ASSET"

/* "24h", "90m", "7d", "30s" in ms; 0 if it is none. */
static uint64_t
parse_span(const char *text)
{
	static const struct {
		char unit;
		uint64_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
	size_t n = strspn(text, "0123456789");
	char number[16];
	uint64_t v;

	if (n == 0 || n >= sizeof(number) || text[n] == '\0' || text[n + 1] != '\0')
		return 0;
	memcpy(number, text, n);
	number[n] = '\0';
	for (size_t i = 0; i < NITEMS(units); i++) {
		if (text[n] == units[i].unit && parse_u64(number, &v) == 0 && v < 1000000)
			return v * units[i].ms;
	}
	return 0;
}

/* A span from now, or a time as "2026-12-24 18:00"; 0 if it is neither. */
static uint64_t
parse_until(const char *text)
{
	uint64_t span_ms = parse_span(text);
	struct tm tm = { .tm_isdst = -1 };
	const char *end = strptime(text, "%Y-%m-%d %H:%M", &tm);
	time_t t;

	if (span_ms != 0)
		return wall_clock_ms() + span_ms;
	if (end == NULL || *end != '\0')
		return 0;
	t = mktime(&tm);
	return t > 0 ? (uint64_t)t * 1000 : 0;
}

/* Prints a machine as handlerd gave it back. */
static int
print_machine(const struct ctl *c, json_t *m, const char *what)
{
	if (m == NULL || c->json)
		return ctl_print_json(m);
	printf("#%lld %s %s: %s\n", (long long)member_int(m, "id"), member_text(m, "mac"),
	    member_text(m, "product"), what);
	json_decref(m);
	return CTL_OK;
}

/* --- deciding about a machine ------------------------------------------------------------------
 */

static int
assign(const struct ctl *c, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "once", no_argument, NULL, 'o' },
		{ "until", required_argument, NULL, 'u' },
		{ 0 },
	};
	static const char usage[] =
	    "assign " NAMES " ENTRY [--once] [--until 4h|\"2026-12-24 18:00\"]";
	json_t *params = json_object();
	uint64_t until_ms;
	int o;

	optind = 0; /* main stopped at the command: names and options may be mixed here */
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		until_ms = o == 'u' ? parse_until(optarg) : 0;
		if (o == 'o') {
			json_object_set_new(params, "once", json_true());
		} else if (o == 'u' && until_ms != 0) {
			json_object_set_new(params, "until_ms", json_integer((json_int_t)until_ms));
		} else {
			json_decref(params);
			return ctl_usage(usage);
		}
	}
	if (argc - optind != 2) {
		json_decref(params);
		return ctl_usage(usage);
	}
	json_object_set_new(params, "machine", json_string(argv[optind]));
	json_object_set_new(params, "entry", json_string(argv[optind + 1]));
	json_object_set_new(params, "by", ctl_caller());
	return print_machine(c, ctl_call(c, "machines.assign", params), "assigned");
}

static int
unassign(const struct ctl *c, int argc, char *argv[])
{
	if (argc != 2)
		return ctl_usage("unassign " NAMES);
	return print_machine(c,
	    ctl_call(c, "machines.assign",
		json_pack("{s:s, s:s, s:o}", "machine", argv[1], "entry", "", "by", ctl_caller())),
	    "nothing is assigned");
}

int
cmd_assign(const struct ctl *c, int argc, char *argv[])
{
	return strcmp(argv[0], "assign") == 0 ? assign(c, argc, argv) : unassign(c, argc, argv);
}

int
cmd_state(const struct ctl *c, int argc, char *argv[])
{
	static const struct {
		const char *command, *state;
	} states[] = {
		{ "approve", "approved" },
		{ "deny", "denied" },
		{ "block", "blocked" },
		{ "hold", "held" },
		{ "release", "new" },
	};
	size_t i = 0;

	while (i + 1 < NITEMS(states) && strcmp(states[i].command, argv[0]) != 0)
		i++;
	if (argc != 2)
		return ctl_usage("approve|deny|block|hold|release " NAMES);
	return print_machine(c,
	    ctl_call(c, "machines.set_state",
		json_pack("{s:s, s:s, s:o}", "machine", argv[1], "state", states[i].state, "by",
		    ctl_caller())),
	    states[i].state);
}

int
cmd_group(const struct ctl *c, int argc, char *argv[])
{
	if (argc != 3)
		return ctl_usage("group " NAMES " GROUP|\"\"");
	return print_machine(c,
	    ctl_call(c, "machines.set_group",
		json_pack(
		    "{s:s, s:s, s:o}", "machine", argv[1], "group", argv[2], "by", ctl_caller())),
	    argv[2][0] != '\0' ? argv[2] : "in no group");
}

int
cmd_waiting(const struct ctl *c, int argc, char *argv[])
{
	static const char *const headings[] = { "BOOT", "WAITS SINCE", "ID", "MAC", "MODEL",
		"SERIAL", "STATE", NULL };
	const json_t *w;
	struct table t;
	json_t *list;
	size_t i;

	(void)argv;
	if (argc != 1)
		return ctl_usage("waiting");
	list = ctl_call(c, "machines.waiting", NULL);
	if (list == NULL || c->json)
		return ctl_print_json(list);
	table_init(&t, headings);
	json_array_foreach(list, i, w)
	{
		const json_t *m = json_object_get(w, "machine");
		char since[32], id[24], model[300];

		snprintf(id, sizeof(id), "#%lld", (long long)member_int(m, "id"));
		snprintf(model, sizeof(model), "%.140s %.140s", member_text(m, "manufacturer"),
		    member_text(m, "product"));
		table_add(&t, (const char *const[]){ member_text(w, "boot"),
				  format_time((uint64_t)member_int(w, "since_ms"), since), id,
				  member_text(m, "mac"), model, member_text(m, "serial"),
				  member_text(m, "state") });
	}
	table_print(&t, "no machine waits");
	json_decref(list);
	return CTL_OK;
}

/* --- replay -------------------------------------------------------------------------------------
 */

static void
outcome_text(const json_t *o, char *buf, size_t size)
{
	const char *what = member_text(o, "entry");

	if (what[0] == '\0')
		what = member_text(o, "file");
	snprintf(buf, size, "%s %.100s (%s: %s)", member_text(o, "action"), what,
	    member_text(o, "rule"), member_text(o, "reason"));
}

static void
print_replay(const json_t *result)
{
	static const char *const headings[] = { "MACHINE", "MAC", "STAGE", "NOW", "THEN", NULL };
	const json_t *change;
	struct table t;
	size_t i;

	table_init(&t, headings);
	json_array_foreach(json_object_get(result, "changes"), i, change)
	{
		char id[24], now[256], then[256];

		snprintf(id, sizeof(id), "#%lld", (long long)member_int(change, "machine"));
		outcome_text(json_object_get(change, "now"), now, sizeof(now));
		outcome_text(json_object_get(change, "then"), then, sizeof(then));
		table_add(&t, (const char *const[]){ id, member_text(change, "mac"),
				  member_text(change, "stage"), now, then });
	}
	table_print(&t, "no machine's answer would change");
	printf("%lld requests of %lld machines were decided again\n",
	    (long long)member_int(result, "requests"), (long long)member_int(result, "machines"));
}

int
cmd_replay(const struct ctl *c, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "since", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' },
		{ 0 },
	};
	static const char usage[] = "replay --config NEW [--since 24h]";
	uint64_t span_ms = 24 * 3600 * 1000; /* as the usage says */
	json_t *config = NULL, *result;
	int o;

	optind = 0; /* main stopped at the command: names and options may be mixed here */
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 's') {
			span_ms = parse_span(optarg);
		} else if (o == 'c') {
			json_decref(config);
			config = ctl_read_text(optarg);
			if (config == NULL)
				return CTL_FAIL;
		}
		if (o == '?' || span_ms == 0)
			break;
	}
	if (o != -1 || optind != argc || config == NULL) {
		json_decref(config);
		return ctl_usage(usage);
	}
	result = ctl_call(c, "replay",
	    json_pack("{s:o, s:I}", "config", config, "since_ms",
		(json_int_t)(wall_clock_ms() - span_ms)));
	if (result == NULL || c->json)
		return ctl_print_json(result);
	print_replay(result);
	json_decref(result);
	return CTL_OK;
}
