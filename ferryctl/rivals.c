/* ferryctl rivals, loops: other DHCP and PXE servers; machines that the loop guard holds. */
#include "ferryctl/ctl.h"
#include "ferryctl/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static const char usage[] = "rivals [list | show [SERVER] | accept SERVER | forget SERVER|--all]";

static uint64_t
now_ms(void)
{
	struct timeval tv;

	gettimeofday(&tv, NULL);
	return (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000;
}

/* What people want to know first of a server. */
static const char *
standing_of(const json_t *s)
{
	if (json_is_true(json_object_get(s, "sibling")))
		return "ours";
	if (json_is_true(json_object_get(s, "expected")))
		return "expected";
	return json_is_true(json_object_get(s, "usual")) ? "usual" : "NEW";
}

static void
print_line(const char *heading, const char *text)
{
	char *safe = table_safe(text);

	printf("%s%s\n", heading, safe);
	free(safe);
}

static int
list_rivals(const struct ctl *c)
{
	static const char *const headings[] = { "ADDRESS", "MAC", "SUBNET", "INTERFACE", "KIND",
		"IS", "OFFERS", "FIRST", "LAST", "EFFECT", NULL };
	json_t *list = ctl_call(c, "rivals", NULL);
	const json_t *s;
	struct table t;
	size_t i;

	if (list == NULL || c->json)
		return ctl_print_json(list);
	table_init(&t, headings);
	json_array_foreach(list, i, s)
	{
		char offers[24], first[32], last[32];

		snprintf(offers, sizeof(offers), "%lld", (long long)member_int(s, "offers"));
		table_add(
		    &t, (const char *const[]){ member_text(s, "address"), member_text(s, "mac"),
			    member_text(s, "subnet"), member_text(s, "interface"),
			    member_text(s, "kind"), standing_of(s), offers,
			    format_age((uint64_t)member_int(s, "first_ms"), now_ms(), first),
			    format_age((uint64_t)member_int(s, "last_ms"), now_ms(), last),
			    member_text(s, "effect") });
	}
	table_print(&t, "no other server was seen");
	json_array_foreach(list, i, s)
	{
		char line[512];

		if (member_text(s, "cure")[0] == '\0' || strcmp(standing_of(s), "ours") == 0)
			continue;
		snprintf(line, sizeof(line), "%s: %s", member_text(s, "address"),
		    member_text(s, "words"));
		print_line("\n", line);
		print_line("  to cure it: ", member_text(s, "cure"));
	}
	json_decref(list);
	return CTL_OK;
}

static void
show_client(const json_t *o)
{
	char line[512], age[32];

	snprintf(line, sizeof(line), "%s: %lld offers, the last %s", member_text(o, "client"),
	    (long long)member_int(o, "offers"),
	    format_age((uint64_t)member_int(o, "last_ms"), now_ms(), age));
	print_line("  for ", line);
	print_line("    sends        ", member_text(o, "sends"));
	if (member_text(o, "next_server")[0] != '\0')
		print_line("    next-server  ", member_text(o, "next_server"));
	if (member_text(o, "file")[0] != '\0')
		print_line("    boot file    ", member_text(o, "file"));
	print_line("    effect       ", member_text(o, "words"));
	if (member_text(o, "cure")[0] != '\0')
		print_line("    to cure it   ", member_text(o, "cure"));
}

/* Addresses as they are told, MACs in any case. */
static bool
is_called(const json_t *s, const char *name)
{
	return name == NULL || strcmp(member_text(s, "address"), name) == 0 ||
	       strcasecmp(member_text(s, "mac"), name) == 0;
}

static int
show_rivals(const struct ctl *c, const char *name)
{
	json_t *list = ctl_call(c, "rivals", NULL), *found = json_array();
	const json_t *s, *o;
	size_t i, k;

	json_array_foreach(list, i, s)
	{
		if (is_called(s, name))
			json_array_append(found, (json_t *)(uintptr_t)s);
	}
	if (list != NULL && name != NULL && json_array_size(found) == 0) {
		json_decref(list);
		json_decref(found);
		return ctl_error("no server \"%s\" was seen", name);
	}
	if (list == NULL || c->json) {
		bool failed = list == NULL;

		json_decref(list);
		if (failed)
			json_decref(found);
		return ctl_print_json(failed ? NULL : found);
	}
	json_array_foreach(found, i, s)
	{
		char line[512], first[32], last[32];

		snprintf(line, sizeof(line), "%s (%s), %s, on interface %s of subnet %s",
		    member_text(s, "address"), member_text(s, "mac"), member_text(s, "kind"),
		    member_text(s, "interface"), member_text(s, "subnet"));
		print_line(i > 0 ? "\n" : "", line);
		printf("  %s; first seen %s, last %s\n", standing_of(s),
		    format_time((uint64_t)member_int(s, "first_ms"), first),
		    format_time((uint64_t)member_int(s, "last_ms"), last));
		json_array_foreach(json_object_get(s, "clients"), k, o) show_client(o);
	}
	json_decref(list);
	json_decref(found);
	return CTL_OK;
}

/* accept, forget, release: says how many it was. */
static int
change(const struct ctl *c, const char *method, const char *key, const char *name, const char *done)
{
	json_t *result = ctl_call(c, method, name != NULL ? json_pack("{s:s}", key, name) : NULL);

	if (result == NULL || c->json)
		return ctl_print_json(result);
	printf("%s: %lld\n", done, (long long)json_integer_value(result));
	json_decref(result);
	return CTL_OK;
}

int
cmd_loops(const struct ctl *c, int argc, char *argv[])
{
	static const char *const headings[] = { "MAC", "SINCE", "UNTIL", NULL };
	const json_t *m;
	struct table t;
	json_t *list;
	size_t i;

	if (argc == 3 && strcmp(argv[1], "release") == 0)
		return change(c, "loops.release", "mac",
		    strcmp(argv[2], "--all") == 0 ? NULL : argv[2], "released");
	if (argc > 2 || (argc == 2 && strcmp(argv[1], "list") != 0))
		return ctl_usage("loops [list | release MAC|--all]");
	list = ctl_call(c, "loops", NULL);
	if (list == NULL || c->json)
		return ctl_print_json(list);
	table_init(&t, headings);
	json_array_foreach(list, i, m)
	{
		char since[32], until[32];

		table_add(&t, (const char *const[]){ member_text(m, "mac"),
				  format_time((uint64_t)member_int(m, "since_ms"), since),
				  format_time((uint64_t)member_int(m, "until_ms"), until) });
	}
	table_print(&t, "no machine is in a loop");
	json_decref(list);
	return CTL_OK;
}

int
cmd_rivals(const struct ctl *c, int argc, char *argv[])
{
	const char *what = argc > 1 ? argv[1] : "list";

	if (argc <= 2 && strcmp(what, "list") == 0)
		return list_rivals(c);
	if (argc <= 3 && strcmp(what, "show") == 0)
		return show_rivals(c, argc == 3 ? argv[2] : NULL);
	if (argc == 3 && strcmp(what, "accept") == 0)
		return change(c, "rivals.accept", "server", argv[2], "accepted");
	if (argc == 3 && strcmp(what, "forget") == 0)
		return change(c, "rivals.forget", "server",
		    strcmp(argv[2], "--all") == 0 ? NULL : argv[2], "forgotten");
	return ctl_usage(usage);
}
