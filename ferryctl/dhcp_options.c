/* The command dhcp-options; see dhcp_options.h. */
#include "ferryctl/dhcp_options.h"

#include "ferryctl/ctl.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USAGE                                                                                      \
	"dhcp-options --for kea|isc|dnsmasq|microsoft|mikrotik|cisco [-6]\n"                       \
	"    [--subnet NAME] [--address IP] [--address6 IP] [--arch CPU] [--plain-http] [--from "  \
	"FILE]"

struct call {
	const struct dhcp_server *server;
	struct dhcp_wish wish;
	json_t *params;
	const char *from; /* facts that were saved with --json, or NULL */
};

static const struct dhcp_server *
find_server(const char *name)
{
	for (size_t i = 0; i < dhcp_nservers; i++) {
		if (strcmp(dhcp_servers[i].name, name) == 0)
			return &dhcp_servers[i];
	}
	(void)ctl_error(
	    "--for: \"%s\" is none of kea, isc, dnsmasq, microsoft, mikrotik, cisco", name);
	return NULL;
}

/* CTL_OK, or the exit status after printing why. */
static int
read_options(int argc, char *argv[], struct call *x)
{
	static const struct option options[] = {
		{ "for", required_argument, NULL, 'f' },
		{ "subnet", required_argument, NULL, 's' },
		{ "address", required_argument, NULL, 'a' },
		{ "address6", required_argument, NULL, 'b' },
		{ "arch", required_argument, NULL, 'c' },
		{ "plain-http", no_argument, NULL, 'p' },
		{ "from", required_argument, NULL, 'i' },
		{ 0 },
	};
	int o;

	optind = 0; /* main stopped at the command */
	while ((o = getopt_long(argc, argv, "6", options, NULL)) != -1) {
		switch (o) {
		case 'f':
			x->server = find_server(optarg);
			if (x->server == NULL)
				return CTL_USAGE;
			break;
		case 's': json_object_set_new(x->params, "subnet", json_string(optarg)); break;
		case 'a': json_object_set_new(x->params, "address", json_string(optarg)); break;
		case 'b': json_object_set_new(x->params, "address6", json_string(optarg)); break;
		case 'c':
			x->wish.cpu = arch_cpu_from_name(slice_str(optarg));
			if (x->wish.cpu == ARCH_CPU_NONE) {
				(void)ctl_error("--arch: \"%s\" is no CPU", optarg);
				return CTL_USAGE;
			}
			break;
		case 'p': x->wish.plain_http = true; break;
		case 'i': x->from = optarg; break;
		case '6': x->wish.v6 = true; break;
		default: return ctl_usage(USAGE);
		}
	}
	return optind == argc ? CTL_OK : ctl_usage(USAGE);
}

static json_t *
get_facts(const struct ctl *c, struct call *x)
{
	json_error_t why;
	json_t *facts;

	if (x->from == NULL) {
		facts = ctl_call(c, "dhcp.options", x->params);
		x->params = NULL;
		return facts;
	}
	facts = json_load_file(x->from, 0, &why);
	if (facts == NULL)
		(void)ctl_error("%s:%d: %s", x->from, why.line, why.text);
	return facts;
}

static int
render(const struct call *x, const json_t *o)
{
	dhcp_render_fn *fn = x->wish.v6 ? x->server->v6 : x->server->v4;
	static uint8_t room[DHCP_TEXT_ROOM];
	static struct dhcp_facts facts;
	static struct dhcp_plan plan;
	const char *why;
	struct wbuf w;

	if (fn == NULL)
		return ctl_error("%s: there is no form for DHCPv6", x->server->title);
	if (dhcp_facts_read(o, &facts, &why) < 0)
		return ctl_error(
		    "facts: \"%s\" is missing, or cannot be written into a configuration", why);
	if (dhcp_plan_make(&facts, &x->wish, &plan, &why) < 0)
		return ctl_error("%s", why);
	wbuf_init(&w, room, sizeof(room));
	fn(&w, &plan);
	if (w.bad)
		return ctl_error("the text is longer than %d bytes", DHCP_TEXT_ROOM);
	return fwrite(room, 1, w.used, stdout) == w.used && fflush(stdout) == 0
	           ? CTL_OK
	           : ctl_error("the text could not be written");
}

int
cmd_dhcp_options(const struct ctl *c, int argc, char *argv[])
{
	struct call x = { .params = json_object() };
	int status = read_options(argc, argv, &x);
	const json_t *problem;
	json_t *facts;
	size_t i;

	if (status == CTL_OK && x.server == NULL && !c->json)
		status = ctl_usage(USAGE);
	if (status != CTL_OK) {
		json_decref(x.params);
		return status;
	}
	facts = get_facts(c, &x);
	json_decref(x.params);
	if (facts == NULL || c->json)
		return ctl_print_json(facts);
	json_array_foreach(json_object_get(facts, "problems"), i, problem)(void)
	    ctl_error("warning: %s", json_string_value(problem));
	status = render(&x, facts);
	json_decref(facts);
	return status;
}
