/* ferryctl cache: what httpsbootd on this host fetched from its origin. */
#include "ferryctl/ctl.h"
#include "ferryctl/table.h"

#include <getopt.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#define SOCKETS "/run/bootferry/httpsbootd-%s.sock"

static const char usage[] = "cache [list | drop PATH|--all] [--subnet NAME]";

static uint64_t
now_ms(void)
{
	struct timeval tv;

	gettimeofday(&tv, NULL);
	return (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000;
}

/* The socket of this host's httpsbootd, or of that for a subnet. */
static int
find_socket(const char *subnet, char *dst, size_t size)
{
	glob_t found;
	size_t n;
	int rc = CTL_OK;

	(void)snprintf(dst, size, SOCKETS, subnet != NULL ? subnet : "*");
	if (subnet != NULL)
		return CTL_OK;
	n = glob(dst, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
	if (n == 1)
		(void)snprintf(dst, size, "%s", found.gl_pathv[0]);
	else if (n == 0)
		rc = ctl_error("no httpsbootd runs here: there is no %s", dst);
	else
		rc = ctl_error("httpsbootd serves %zu subnets here: --subnet NAME tells which", n);
	globfree(&found);
	return rc;
}

static int
list_files(const struct ctl *c)
{
	static const char *const headings[] = { "FILE", "BYTES", "CHECKED", "IN USE", "SHA256",
		NULL };
	json_t *list = ctl_call(c, "cache.list", NULL);
	const json_t *x;
	struct table t;
	size_t i;

	if (list == NULL || c->json)
		return ctl_print_json(list);
	table_init(&t, headings);
	json_array_foreach(list, i, x)
	{
		char size[32], age[32];

		table_add(&t, (const char *const[]){ member_text(x, "path"),
				  format_bytes((uint64_t)member_int(x, "size"), size),
				  format_age((uint64_t)member_int(x, "checked_ms"), now_ms(), age),
				  json_is_true(json_object_get(x, "in_use")) ? "yes" : "no",
				  member_text(x, "sha256") });
	}
	table_print(&t, "nothing is kept");
	json_decref(list);
	return CTL_OK;
}

static int
drop_files(const struct ctl *c, const char *path)
{
	json_t *result =
	    ctl_call(c, "cache.drop", path != NULL ? json_pack("{s:s}", "path", path) : NULL);
	int64_t n = member_int(result, "dropped");

	if (result == NULL)
		return CTL_FAIL;
	json_decref(result);
	if (path != NULL && n == 0)
		return ctl_error("\"%s\" is not kept", path);
	printf("%lld dropped\n", (long long)n);
	return CTL_OK;
}

int
cmd_cache(const struct ctl *c, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "subnet", required_argument, NULL, 's' },
		{ "all", no_argument, NULL, 'a' },
		{ 0 },
	};
	const char *subnet = NULL, *verb;
	struct ctl there = *c;
	char path[256];
	bool all = false;
	int o, rest;

	optind = 1;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 's')
			subnet = optarg;
		else if (o == 'a')
			all = true;
		else
			return ctl_usage(usage);
	}
	verb = optind < argc ? argv[optind++] : "list";
	rest = argc - optind;
	if (strcmp(verb, "list") == 0 ? rest != 0 || all
				      : strcmp(verb, "drop") != 0 || rest != (all ? 0 : 1))
		return ctl_usage(usage);
	/* one that was named is httpsbootd's */
	if (strcmp(c->socket, CTL_SOCKET) == 0) {
		int rc = find_socket(subnet, path, sizeof(path));

		if (rc != CTL_OK)
			return rc;
		there.socket = path;
	}
	return strcmp(verb, "list") == 0 ? list_files(&there)
	                                 : drop_files(&there, all ? NULL : argv[optind]);
}
