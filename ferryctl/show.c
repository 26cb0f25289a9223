/* The commands that show what handlerd knows. */
#include "ferryctl/ctl.h"
#include "ferryctl/table.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --limit N and --machine M, for lists.  The parameters, or NULL after printing the usage. */
static json_t *
list_params(int argc, char *argv[], const char *usage)
{
	static const struct option options[] = {
		{ "limit", required_argument, NULL, 'l' },
		{ "machine", required_argument, NULL, 'm' },
		{ 0 },
	};
	json_t *params = json_object();
	uint64_t n;
	int o;

	optind = 1;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'l' && parse_u64(optarg, &n) == 0) {
			json_object_set_new(params, "limit", json_integer((json_int_t)n));
		} else if (o == 'm') {
			json_object_set_new(params, "machine", json_string(optarg));
		} else {
			json_decref(params);
			(void)ctl_usage(usage);
			return NULL;
		}
	}
	if (optind != argc) {
		json_decref(params);
		(void)ctl_usage(usage);
		return NULL;
	}
	return params;
}

static void
print_services(const json_t *services, uint64_t now_ms)
{
	static const char *const headings[] = { "DAEMON", "SUBNET", "ADDRESS", "PORT", "HTTP",
		"LOAD", "VERSION", "SEEN", NULL };
	const json_t *s;
	struct table t;
	size_t i;

	table_init(&t, headings);
	json_array_foreach(services, i, s)
	{
		char port[16], http[16], age[32], percent[16] = "-";
		const char *address = member_text(s, "name");
		const json_t *load = json_object_get(s, "load");

		snprintf(port, sizeof(port), "%d", (int)member_int(s, "port"));
		snprintf(http, sizeof(http), "%d", (int)member_int(s, "http_port"));
		if (address[0] == '\0')
			address = member_text(s, "address");
		if (load != NULL)
			snprintf(percent, sizeof(percent), "%.1f %%",
			    (double)member_int(load, "permille") / 10);
		table_add(
		    &t, (const char *const[]){ member_text(s, "daemon"), member_text(s, "subnet"),
			    address[0] != '\0' ? address : "(as asked)", port,
			    member_int(s, "http_port") != 0 ? http : "-", percent,
			    member_text(s, "version"),
			    json_is_true(json_object_get(s, "alive"))
				? "now"
				: format_age((uint64_t)member_int(s, "seen_ms"), now_ms, age) });
	}
	table_print(&t, "no front daemon has announced itself");
}

/* When certificates expire. */
static void
print_certificates(const json_t *services, uint64_t now_ms)
{
	const json_t *s;
	size_t i;

	json_array_foreach(services, i, s)
	{
		uint64_t ms = (uint64_t)member_int(s, "certificate_ms");
		char time[32];

		if (ms == 0)
			continue;
		printf("certificate of subnet %s: %s %s, %lld days\n", member_text(s, "subnet"),
		    ms > now_ms ? "until" : "expired", format_time(ms, time),
		    (long long)(((int64_t)ms - (int64_t)now_ms) / (24 * 3600 * 1000LL)));
	}
}

/* The loads of tftpd that offers wait for, in words. */
static void
print_loads(const json_t *services)
{
	const json_t *s;
	size_t i;

	json_array_foreach(services, i, s)
	{
		const json_t *l = json_object_get(s, "load");
		char *subnet, bytes[32];

		if (!json_is_true(json_object_get(l, "offers_wait")))
			continue;
		subnet = table_safe(member_text(s, "subnet"));
		printf("offers wait for tftpd of subnet %s: %lld of %lld transfers, %s/s, %.1f %% "
		       "of the blocks sent again, %lld blocks in the queue\n",
		    subnet, (long long)member_int(l, "transfers"),
		    (long long)member_int(l, "max_transfers"),
		    format_bytes((uint64_t)member_int(l, "bytes_per_s"), bytes),
		    (double)member_int(l, "retransmit_permille") / 10,
		    (long long)member_int(l, "queue_blocks"));
		free(subnet);
	}
}

/* What front daemons dropped, by reason. */
static void
print_drops(const json_t *services)
{
	static const char *const reasons[] = { "client_rate", "total_rate", "refused", "hold_full",
		"lost", "servers_skipped", "events_lost" };
	const json_t *s;
	size_t i;

	json_array_foreach(services, i, s)
	{
		const json_t *counters = json_object_get(s, "counters");
		char line[512], *safe;
		struct wbuf w;
		size_t n = 0;

		wbuf_init(&w, line, sizeof(line) - 1);
		wbuf_printf(&w, "dropped by %s of subnet %s: ", member_text(s, "daemon"),
		    member_text(s, "subnet"));
		for (size_t k = 0; k < NITEMS(reasons); k++) {
			if (member_int(counters, reasons[k]) != 0)
				wbuf_printf(&w, "%s%lld %s", n++ > 0 ? ", " : "",
				    (long long)member_int(counters, reasons[k]), reasons[k]);
		}
		line[w.used] = '\0';
		if (n == 0)
			continue;
		safe = table_safe(line);
		puts(safe);
		free(safe);
	}
}

/* Of dhcpproxyd: where it listens, and what keeps it from that. */
static void
print_interfaces(const json_t *list)
{
	static const char *const headings[] = { "INTERFACE", "STATE", "ADDRESSES", "DHCP", "BOOT",
		NULL };
	const json_t *link, *address;
	struct table t;
	size_t i, k;

	table_init(&t, headings);
	json_array_foreach(list, i, link)
	{
		char addresses[256] = "";
		size_t used = 0;

		json_array_foreach(json_object_get(link, "addresses"), k, address)
		{
			const char *text = json_string_value(address);

			if (text == NULL || used + strlen(text) + 2 > sizeof(addresses))
				break;
			used += (size_t)snprintf(addresses + used, sizeof(addresses) - used, "%s%s",
			    k == 0 ? "" : " ", text);
		}
		table_add(&t,
		    (const char *const[]){ member_text(link, "name"), member_text(link, "state"),
			addresses, member_text(link, "dhcp"), member_text(link, "boot") });
	}
	table_print(&t, "no interface");
	printf("\n");
}

/* Of httpsbootd: what it proves itself with. */
static void
print_tls(const json_t *tls)
{
	const json_t *cert, *root;
	char time[32];
	size_t i;

	json_array_foreach(json_object_get(tls, "certificates"), i, cert) printf(
	    "certificate  %s, %s, until %s: %s\n", member_text(cert, "subject"),
	    member_text(cert, "kind"), format_time((uint64_t)member_int(cert, "expires_ms"), time),
	    member_text(cert, "file"));
	json_array_foreach(json_object_get(tls, "roots"), i, root)
	    printf("root         %s\n", json_string_value(root));
	printf("profile      %s\n\n", member_text(tls, "profile"));
}

/* What the control socket of a front daemon tells. */
static void
print_front(const json_t *s)
{
	const json_t *interfaces = json_object_get(s, "interfaces");
	const json_t *tls = json_object_get(s, "tls");
	char time[32];
	const char *name;
	json_t *value;

	printf("%s %s of subnet %s, since %s, %s\n\n", member_text(s, "daemon"),
	    member_text(s, "version"), member_text(s, "subnet"),
	    format_time((uint64_t)member_int(s, "started_ms"), time),
	    json_is_true(json_object_get(s, "handlerd")) ? "connected to handlerd"
							 : "without handlerd");
	if (interfaces != NULL)
		print_interfaces(interfaces);
	if (tls != NULL)
		print_tls(tls);
	json_object_foreach(json_object_get(s, "counters"), name, value)
	{
		if (json_integer_value(value) != 0)
			printf("%-18s %lld\n", name, (long long)json_integer_value(value));
	}
}

static void
print_transfers(const json_t *t)
{
	const json_t *failures = json_object_get(t, "failures"), *f;
	size_t i;

	printf("carried  %lld transfers, %lld failed, %lld under way; %lld offers were delayed\n",
	    (long long)member_int(t, "finished"), (long long)member_int(t, "failed"),
	    (long long)member_int(t, "running"), (long long)member_int(t, "offers_delayed"));
	json_array_foreach(failures, i, f)
	{
		char *reason = table_safe(member_text(f, "reason"));

		printf("  failed %6lld  %s\n", (long long)member_int(f, "count"), reason);
		free(reason);
	}
}

int
cmd_status(const struct ctl *c, int argc, char *argv[])
{
	const json_t *store, *kept, *problems, *problem;
	char time[32], age[32];
	json_t *s;
	size_t i;

	(void)argv;
	if (argc != 1)
		return ctl_usage("status");
	s = ctl_call(c, "status", NULL);
	if (s == NULL || c->json)
		return ctl_print_json(s);
	/* handlerd names itself, too */
	if (strcmp(member_text(s, "daemon"), "handlerd") != 0) {
		print_front(s);
		json_decref(s);
		return CTL_OK;
	}
	store = json_object_get(s, "store");
	kept = json_object_get(s, "kept");
	printf("handlerd %s, mode %s, since %s (%s)\n", member_text(s, "version"),
	    member_text(s, "mode"), format_time((uint64_t)member_int(s, "started_ms"), time),
	    format_age(
		(uint64_t)member_int(s, "started_ms"), (uint64_t)member_int(s, "now_ms"), age));
	printf("content  %s: %lld loaders, %lld images\n", member_text(s, "root"),
	    (long long)member_int(s, "loaders"), (long long)member_int(s, "images"));
	printf("boots    %lld under way, %lld kept; %lld machines\n",
	    (long long)member_int(s, "open_boots"), (long long)member_int(kept, "boots"),
	    (long long)member_int(kept, "machines"));
	printf("decided  %lld requests; store: %lld records, %lld lost\n",
	    (long long)member_int(s, "decisions"), (long long)member_int(store, "records"),
	    (long long)member_int(store, "lost"));
	print_transfers(json_object_get(s, "transfers"));
	printf("\n");
	print_services(json_object_get(s, "services"), (uint64_t)member_int(s, "now_ms"));
	print_certificates(json_object_get(s, "services"), (uint64_t)member_int(s, "now_ms"));
	print_loads(json_object_get(s, "services"));
	print_drops(json_object_get(s, "services"));
	problems = json_object_get(s, "problems");
	json_array_foreach(problems, i, problem)
	    printf("%sproblem: %s\n", i == 0 ? "\n" : "", json_string_value(problem));
	json_decref(s);
	return CTL_OK;
}

/* --- boots ---------------------------------------------------------------------------------- */

static int
list_boots(const struct ctl *c, int argc, char *argv[])
{
	static const char *const headings[] = { "BOOT", "LAST", "MAC", "ADDRESS", "CLIENT",
		"REACHED", "IMAGE", "MODEL", NULL };
	json_t *params =
	    list_params(argc, argv, "boots list [--machine #ID|MAC|UUID|SERIAL|ASSET] [--limit N]");
	json_t *list;
	const json_t *b;
	struct table t;
	size_t i;

	if (params == NULL)
		return CTL_USAGE;
	list = ctl_call(c, "boots.list", params);
	if (list == NULL || c->json)
		return ctl_print_json(list);
	table_init(&t, headings);
	json_array_foreach(list, i, b)
	{
		char time[32];

		table_add(&t, (const char *const[]){ member_text(b, "id"),
				  format_time((uint64_t)member_int(b, "last_ms"), time),
				  member_text(b, "mac"), member_text(b, "address"),
				  member_text(b, "client"), member_text(b, "phase"),
				  member_text(b, "image"), member_text(b, "model") });
	}
	table_print(&t, "no boots yet");
	json_decref(list);
	return CTL_OK;
}

/* What happened, in words. */
static void
describe_entry(const json_t *e, char *buf, size_t size)
{
	char bytes[32];
	int64_t n = member_int(e, "bytes"), ms = member_int(e, "duration_ms");
	size_t used = 0;
	struct wbuf w;

	wbuf_init(&w, buf, size - 1);
	if (strcmp(member_text(e, "kind"), "lease") == 0)
		wbuf_printf(&w, "asks for %s ", member_text(e, "address"));
	if (json_object_get(e, "file") != NULL)
		wbuf_printf(&w, "%s ", member_text(e, "file"));
	if (n > 0)
		wbuf_printf(&w, "%s ", format_bytes((uint64_t)n, bytes));
	if (ms > 0)
		wbuf_printf(&w, "in %.3f s ", (double)ms / 1000);
	if (n > 0 && ms > 0)
		wbuf_printf(&w, "(%.1f MB/s) ", (double)n / 1000 / (double)ms);
	if (member_int(e, "blksize") > 0)
		wbuf_printf(&w, "blksize %lld windowsize %lld ",
		    (long long)member_int(e, "blksize"), (long long)member_int(e, "windowsize"));
	if (member_int(e, "retransmits") > 0)
		wbuf_printf(&w, "retransmits %lld ", (long long)member_int(e, "retransmits"));
	if (json_object_get(e, "action") != NULL)
		wbuf_printf(&w, "-> %s (%s) ", member_text(e, "action"), member_text(e, "reason"));
	if (json_object_get(e, "text") != NULL)
		wbuf_printf(&w, "%s ", member_text(e, "text"));
	if (member_int(e, "repeats") > 0)
		wbuf_printf(&w, "[%lldx]", (long long)member_int(e, "repeats") + 1);
	used = w.used;
	while (used > 0 && buf[used - 1] == ' ')
		used--;
	buf[used] = '\0';
}

/* A boot's transfers under way. */
static void
print_running(const json_t *transfers)
{
	const json_t *x;
	size_t i;

	json_array_foreach(transfers, i, x)
	{
		int64_t size = member_int(x, "size"), bytes = member_int(x, "bytes");
		char *file = table_safe(member_text(x, "file")), text[32], all[32];

		printf("%sunder way: %s by %s, %s", i == 0 ? "\n" : "", file, member_text(x, "via"),
		    format_bytes((uint64_t)bytes, text));
		free(file);
		if (size > 0)
			printf(" of %s (%.0f %%)", format_bytes((uint64_t)size, all),
			    (double)bytes * 100 / (double)size);
		if (member_int(x, "bytes_per_s") > 0)
			printf(", %.1f MB/s", (double)member_int(x, "bytes_per_s") / 1e6);
		if (member_int(x, "blksize") > 0)
			printf(", blksize %lld windowsize %lld",
			    (long long)member_int(x, "blksize"),
			    (long long)member_int(x, "windowsize"));
		if (member_int(x, "retransmits") > 0)
			printf(", retransmits %lld", (long long)member_int(x, "retransmits"));
		putchar('\n');
	}
}

static int
show_boot(const struct ctl *c, int argc, char *argv[])
{
	static const char *const headings[] = { "TIME", "WHAT", "VIA", "DETAILS", NULL };
	const json_t *timeline, *e;
	char time[32];
	json_t *b;
	struct table t;
	size_t i;

	if (argc != 2)
		return ctl_usage("boots show ID");
	b = ctl_call(c, "boots.show", json_pack("{s:s}", "id", argv[1]));
	if (b == NULL || c->json)
		return ctl_print_json(b);
	printf("boot %s of %s, began %s, reached: %s\n", member_text(b, "id"),
	    member_text(b, "mac"), format_time((uint64_t)member_int(b, "started_ms"), time),
	    member_text(b, "phase"));
	printf("address %s%s%s, subnet %s, client %s%s%s\n\n", member_text(b, "address"),
	    json_object_get(b, "relay") != NULL ? " behind relay " : "", member_text(b, "relay"),
	    member_text(b, "subnet"), member_text(b, "client"),
	    json_object_get(b, "image") != NULL ? ", image " : "", member_text(b, "image"));
	table_init(&t, headings);
	timeline = json_object_get(b, "timeline");
	json_array_foreach(timeline, i, e)
	{
		char at[32], details[2048];
		double s = (double)(member_int(e, "at_ms") - member_int(b, "started_ms")) / 1000;

		snprintf(at, sizeof(at), "%+9.3f s", s);
		describe_entry(e, details, sizeof(details));
		table_add(&t, (const char *const[]){
				  at, member_text(e, "kind"), member_text(e, "via"), details });
	}
	table_print(&t, "nothing was noted");
	print_running(json_object_get(b, "transfers"));
	json_decref(b);
	return CTL_OK;
}

static void
print_entry(void *arg, const json_t *e)
{
	const struct ctl *c = arg;
	char time[32], details[2048], line[2400];
	uint64_t at_ms = (uint64_t)member_int(e, "at_ms");
	char *safe;

	if (c->json) {
		json_dumpf(e, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		describe_entry(e, details, sizeof(details));
		snprintf(line, sizeof(line), "%s.%03d  %s  %-17s  %-17s  %-5s  %s",
		    format_time(at_ms, time) + 11, (int)(at_ms % 1000), member_text(e, "boot"),
		    member_text(e, "mac"), member_text(e, "kind"), member_text(e, "via"), details);
		safe = table_safe(line);
		puts(safe);
		free(safe);
	}
	fflush(stdout);
}

int
cmd_boots(const struct ctl *c, int argc, char *argv[])
{
	if (argc == 1 || strcmp(argv[1], "list") == 0)
		return list_boots(c, argc - (argc > 1), argv + (argc > 1));
	if (strcmp(argv[1], "show") == 0)
		return show_boot(c, argc - 1, argv + 1);
	if (strcmp(argv[1], "watch") == 0 && argc == 2)
		return ctl_follow(c, "boots.watch", print_entry, (void *)(uintptr_t)c);
	return ctl_usage(
	    "boots list [--machine #ID|MAC|UUID|SERIAL|ASSET] [--limit N] | show ID | watch");
}

/* --- configuration -------------------------------------------------------------------------- */

int
cmd_config(const struct ctl *c, int argc, char *argv[])
{
	if (argc > 2 || (argc == 2 && strcmp(argv[1], "show") != 0))
		return ctl_usage("config show");
	return ctl_print_json(ctl_call(c, "config.show", NULL));
}

int
cmd_reload(const struct ctl *c, int argc, char *argv[])
{
	const json_t *changed, *restart, *v;
	json_t *result;
	const char *key;
	size_t i;

	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--check") != 0))
		return ctl_usage("reload [--check]");
	result = ctl_call(c, "reload", json_pack("{s:b}", "check", argc == 2));
	if (result == NULL || c->json)
		return ctl_print_json(result);
	changed = json_object_get(result, "changed");
	restart = json_object_get(result, "restart");
	json_object_foreach((json_t *)(uintptr_t)changed, key, v)
	{
		char *was = json_dumps(json_array_get(v, 0), JSON_ENCODE_ANY);
		char *is = json_dumps(json_array_get(v, 1), JSON_ENCODE_ANY);

		printf("%s: %s -> %s\n", key, was, is);
		free(was);
		free(is);
	}
	json_array_foreach(restart, i, v)
	    printf("%s: changed, takes effect after a restart\n", json_string_value(v));
	if (json_object_size(changed) == 0 && json_array_size(restart) == 0)
		puts("nothing changed in the configuration");
	json_decref(result);
	return CTL_OK;
}
