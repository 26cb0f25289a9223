/* ferryctl: options and commands. */
#include "common/start.h"
#include "ferryctl/ctl.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int (*fn)(const struct ctl *c, int argc, char *argv[]);
	const char *help;
} commands[] = {
	{ "status", cmd_status,
	    "what handlerd and the front daemons are doing, and what is wrong" },
	{ "boots", cmd_boots, "list | show ID | watch: the boots and their timelines" },
	{ "transfers", cmd_transfers,
	    "[--watch]: the files under way, to whom, how far and how fast" },
	{ "machines", cmd_machines,
	    "list | show | duplicates | merge | split | identify: the machines that were seen" },
	{ "explain", cmd_explain, "MACHINE: what it would get now, who decides that and why" },
	{ "replay", cmd_replay, "--config NEW: whose answers another configuration would change" },
	{ "assign", cmd_assign, "MACHINE ENTRY [--once] [--until T]: what it boots" },
	{ "unassign", cmd_assign, "MACHINE: takes that away" },
	{ "approve", cmd_state, "MACHINE: it may boot" },
	{ "deny", cmd_state, "MACHINE: it may not" },
	{ "block", cmd_state, "MACHINE: its attempts end at once" },
	{ "hold", cmd_state, "MACHINE: it waits until it is approved or released" },
	{ "release", cmd_state, "MACHINE: as if nobody had decided; also from quarantine" },
	{ "group", cmd_group, "MACHINE GROUP: the group that rules know it by" },
	{ "waiting", cmd_waiting, "machines that wait for approval or release" },
	{ "loops", cmd_loops, "[release MAC|--all]: machines that the loop guard holds" },
	{ "rivals", cmd_rivals,
	    "list | show | accept | forget: other DHCP and PXE servers, and what they do" },
	{ "images", cmd_images, "list | show | add | remove | verify: what can be booted" },
	{ "cache", cmd_cache, "list | drop: what httpsbootd here fetched from its origin" },
	{ "loaders", cmd_loaders, "list | import | stamp: network boot programs" },
	{ "dhcp-options", cmd_dhcp_options,
	    "--for SERVER: what the DHCP server is told, where no proxy is wanted" },
	{ "quirks", cmd_quirks,
	    "list | show | export | import | forget: what models of firmware follow" },
	{ "script", cmd_script, "test FILE --request R.json: asks a script as handlerd would" },
	{ "ca", cmd_ca,
	    "init | renew | issue | show | export | check | import | roll | cross: the site's CA "
	    "and "
	    "the servers' certificates" },
	{ "doctor", cmd_doctor,
	    "dhcp: looks for what keeps machines from booting, and asks as ten kinds of them" },
	{ "config", cmd_config, "show: handlerd's effective configuration" },
	{ "reload", cmd_reload,
	    "[--check]: reads the configuration and the content root again, or tells what would "
	    "change" },
};

static void
print_help(FILE *f)
{
	fputs("usage: ferryctl [--socket PATH] [--root DIR] [--json] COMMAND [...]\n"
	      "  --socket PATH  control socket (" CTL_SOCKET ")\n"
	      "  --root DIR     content root, for what is done to files there\n"
	      "  --json         for programs\n"
	      "  --version\n",
	    f);
	for (size_t i = 0; i < NITEMS(commands); i++)
		fprintf(f, "  %-12s %s\n", commands[i].name, commands[i].help);
}

int
main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "root", required_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct ctl c = { .socket = CTL_SOCKET };
	const char *name;
	int o;

	while ((o = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
		switch (o) {
		case 's': c.socket = optarg; break;
		case 'r': c.root = optarg; break;
		case 'j': c.json = true; break;
		case 'h': print_help(stdout); return CTL_OK;
		case 'V': puts("ferryctl (Bootferry) " BOOTFERRY_VERSION); return CTL_OK;
		default: print_help(stderr); return CTL_USAGE;
		}
	}
	if (optind == argc) {
		print_help(stderr);
		return CTL_USAGE;
	}
	name = argv[optind];
	for (size_t i = 0; i < NITEMS(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].fn(&c, argc - optind, argv + optind);
	}
	(void)ctl_error("there is no command \"%s\"", name);
	print_help(stderr);
	return CTL_USAGE;
}
