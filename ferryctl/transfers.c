/* ferryctl transfers: what is being carried now, and how far it is. */
#include "ferryctl/ctl.h"
#include "ferryctl/table.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WATCH_S 2

static void
add_row(struct table *t, const json_t *x, uint64_t now_ms)
{
	char machine[24] = "-", percent[24] = "-", done[32], rate[24] = "-", block[24] = "-";
	char window[24] = "-", resent[24], age[32];
	int64_t size = member_int(x, "size"), bytes = member_int(x, "bytes");
	int64_t blksize = member_int(x, "blksize");

	if (member_int(x, "machine") != 0)
		snprintf(machine, sizeof(machine), "#%lld", (long long)member_int(x, "machine"));
	if (size > 0)
		snprintf(percent, sizeof(percent), "%lld %%",
		    (long long)((double)bytes * 100 / (double)size));
	if (member_int(x, "bytes_per_s") > 0)
		snprintf(rate, sizeof(rate), "%.1f", (double)member_int(x, "bytes_per_s") / 1e6);
	if (blksize > 0) { /* TFTP has blocks */
		snprintf(block, sizeof(block), "%lld", (long long)blksize);
		snprintf(window, sizeof(window), "%lld", (long long)member_int(x, "windowsize"));
	}
	snprintf(resent, sizeof(resent), "%lld", (long long)member_int(x, "retransmits"));
	table_add(t,
	    (const char *const[]){ member_text(x, "address"), machine, member_text(x, "via"),
		member_text(x, "file"), percent, format_bytes((uint64_t)bytes, done), rate, block,
		window, resent, format_age((uint64_t)member_int(x, "began_ms"), now_ms, age) });
}

static int
show(const struct ctl *c, uint64_t limit, bool clear)
{
	static const char *const headings[] = { "CLIENT", "MACHINE", "VIA", "FILE", "DONE", "BYTES",
		"MB/S", "BLKSIZE", "WINDOW", "RESENT", "BEGAN", NULL };
	json_t *result = ctl_call(
	    c, "transfers", limit > 0 ? json_pack("{s:I}", "limit", (json_int_t)limit) : NULL);
	const json_t *list = json_object_get(result, "transfers"), *x;
	struct table t;
	size_t i;

	if (result == NULL)
		return CTL_FAIL;
	if (c->json) {
		json_dumpf(result, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(result);
		return CTL_OK;
	}
	if (clear)
		fputs("\033[H\033[J", stdout);
	table_init(&t, headings);
	json_array_foreach(list, i, x) add_row(&t, x, (uint64_t)member_int(result, "now_ms"));
	table_print(&t, "no transfer is under way");
	if (member_int(result, "running") > (int64_t)json_array_size(list))
		printf("and %lld more: --limit N\n",
		    (long long)member_int(result, "running") - (long long)json_array_size(list));
	json_decref(result);
	return CTL_OK;
}

int
cmd_transfers(const struct ctl *c, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "limit", required_argument, NULL, 'l' },
		{ "watch", no_argument, NULL, 'w' },
		{ 0 },
	};
	const struct timespec pause = { .tv_sec = WATCH_S };
	bool watch = false;
	uint64_t limit = 0;
	int o, rc;

	optind = 1;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'w')
			watch = true;
		else if (o != 'l' || parse_u64(optarg, &limit) < 0 || limit == 0)
			return ctl_usage("transfers [--watch] [--limit N]");
	}
	if (optind != argc)
		return ctl_usage("transfers [--watch] [--limit N]");
	rc = show(c, limit, watch && isatty(STDOUT_FILENO));
	while (watch && rc == CTL_OK) {
		fflush(stdout);
		(void)nanosleep(&pause, NULL);
		rc = show(c, limit, isatty(STDOUT_FILENO));
	}
	return rc;
}
