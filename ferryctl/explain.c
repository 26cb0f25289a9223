/*
 * ferryctl explain: what a machine would get, or what would be sent for captured packets.
 */
#include "ferryctl/capture.h"
#include "ferryctl/ctl.h"
#include "ferryctl/table.h"

#include "common/hex.h"
#include "common/reply.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES         "#ID|MAC|UUID|SERIAL|ASSET"
#define MESSAGE_BYTES 8192

/* --- explain ------------------------------------------------------------------------------------
 */

static void
print_answer(const json_t *o)
{
	static const char *const keys[] = { "action", "rule", "reason", "style", "server", "file",
		"entry", "text", "loader_why", "style_why", "style_words", "model", "delay_why" };

	for (size_t i = 0; i < NITEMS(keys); i++) {
		char *safe;

		if (member_text(o, keys[i])[0] == '\0')
			continue;
		safe = table_safe(member_text(o, keys[i]));
		printf("  %-10s  %s\n", keys[i], safe);
		free(safe);
	}
	if (member_int(o, "tftpd_load") != 0) {
		char *safe = table_safe(member_text(o, "tftpd_subnet"));

		printf("  %-10s  tftpd of subnet %s is at %.1f %%\n", "load", safe,
		    (double)member_int(o, "tftpd_load") / 10);
		free(safe);
	}
}

static void
print_steps(const json_t *o)
{
	const json_t *step;
	size_t i;

	json_array_foreach(json_object_get(o, "steps"), i, step)
	{
		char *name = table_safe(member_text(step, "step"));
		char *why = table_safe(member_text(step, "why"));

		printf("  %s %-16s  %s\n",
		    json_is_true(json_object_get(step, "decided")) ? "->" : "  ", name, why);
		free(name);
		free(why);
	}
}

static void
print_explanation(const json_t *o)
{
	const json_t *discover = json_object_get(o, "discover");
	const char *script = member_text(o, "script"), *stage;

	if (discover != NULL) {
		puts("to its firmware:");
		print_answer(discover);
	}
	stage = member_text(json_object_get(o, "request"), "stage");
	printf("%s:\n", strcmp(stage, "boot") == 0 ? "to its boot request" : stage);
	print_answer(o);
	puts("by these steps:");
	print_steps(o);
	if (script[0] != '\0') {
		puts("the script:");
		for (const char *p = script; *p != '\0';) {
			size_t n = strcspn(p, "\n");
			char line[512], *safe;

			snprintf(line, sizeof(line), "%.*s", n < 500 ? (int)n : 500, p);
			safe = table_safe(line);
			printf("  %s\n", safe);
			free(safe);
			p += n + (p[n] == '\n');
		}
	}
}

static int
explain(const struct ctl *c, json_t *params)
{
	json_t *result = ctl_call(c, "explain", params);

	if (result == NULL || c->json)
		return ctl_print_json(result);
	print_explanation(result);
	json_decref(result);
	return CTL_OK;
}

/* --- captured packets --------------------------------------------------------------------------
 */

struct captured {
	const struct ctl *c;
	const json_t *params; /* those of every call */
	json_t *list;         /* for programs */
	size_t asked;
};

static void
print_option(const char *name, struct slice s)
{
	char hex[2 * 255 + 1];

	if (s.n > 0 && s.n <= 255)
		printf("  option %-4s %s\n", name, hex_format(s, hex));
}

/* The packet that would be sent. */
static json_t *
print_reply(const struct captured *x, struct dhcp_ask *ask, const json_t *result)
{
	const char *hex = member_text(result, "message");
	uint8_t message[MESSAGE_BYTES], bytes[DHCP_REPLY_MAX];
	char text[2 * DHCP_REPLY_MAX + 1];
	struct boot_answer answer;
	struct msg_reader reader;
	struct dhcp_packet p;
	struct ipaddr own;
	struct wbuf w;
	int n = hex_parse(slice_str(hex), message, sizeof(message));

	if (n < 0 || msg_open(&reader, message, (size_t)n) < 0 ||
	    msg_get_answer(&reader, &answer) < 0 || answer.action != ACTION_OFFER)
		return NULL;
	if (ip_parse(slice_str(member_text(result, "own_address")), &own) == 0 && own.family == 4)
		memcpy(ask->server, own.b, sizeof(ask->server));
	wbuf_init(&w, bytes, sizeof(bytes));
	if (reply_build(ask, &answer, &w) < 0 || dhcp_parse(wbuf_view(&w), &p) < 0) {
		if (!x->c->json)
			puts("  it does not fit into what the client takes: nothing is sent");
		return NULL;
	}
	if (!x->c->json) {
		printf("  %s of %zu bytes, siaddr %u.%u.%u.%u\n",
		    p.type == DHCP_OFFER ? "OFFER" : "ACK", w.used, p.siaddr[0], p.siaddr[1],
		    p.siaddr[2], p.siaddr[3]);
		print_option("60", p.opt[DHCP_OPT_CLASS]);
		print_option("66", p.opt[DHCP_OPT_TFTP_SERVER]);
		print_option("67", p.opt[DHCP_OPT_BOOT_FILE]);
		print_option("43", p.opt[DHCP_OPT_VENDOR]);
		print_option("97", p.opt[DHCP_OPT_UUID]);
		print_option("175", p.opt[DHCP_OPT_ETHERBOOT]);
		print_option("82", p.opt[DHCP_OPT_RELAY_INFO]);
	}
	return json_string(hex_format(wbuf_view(&w), text));
}

static json_t *
message_of(const struct boot_request *r)
{
	uint8_t bytes[MESSAGE_BYTES];
	char hex[2 * MESSAGE_BYTES + 1];
	struct msg_writer w;

	msg_begin(&w, bytes, sizeof(bytes), MSG_REQUESTS, 0);
	if (msg_put_request(&w, r) < 0)
		return NULL;
	return json_string(hex_format(msg_end(&w), hex));
}

static int
explain_packet(void *arg, const struct capture_packet *packet)
{
	static const uint8_t anywhere[4];
	struct captured *x = arg;
	struct boot_request r;
	struct dhcp_packet p;
	struct dhcp_ask ask;
	enum ask_kind kind;
	json_t *params, *result, *reply;

	if (dhcp_parse(packet->payload, &p) < 0)
		return 0;
	kind = ask_from_packet(&p, packet->to_port == 4011, anywhere, &ask);
	if (kind != ASK_DISCOVER && kind != ASK_BOOTSERVER)
		return 0;
	ask_to_request(&ask, &p, "", "", &r);
	r.id = 1;
	params = json_copy((json_t *)(uintptr_t)x->params);
	json_object_set_new(params, "message", message_of(&r));
	result = ctl_call(x->c, "explain", params);
	if (result == NULL)
		return -EIO;
	x->asked++;
	if (!x->c->json) {
		printf("packet %u, %s:\n", packet->number, boot_stage_name(r.stage));
		print_answer(result);
	}
	reply = print_reply(x, &ask, result);
	if (!x->c->json)
		print_steps(result);
	json_object_set_new(result, "packet", json_integer(packet->number));
	if (reply != NULL)
		json_object_set_new(result, "reply", reply);
	json_array_append_new(x->list, result);
	return 0;
}

static int
explain_capture(const struct ctl *c, const char *path, json_t *params)
{
	struct captured x = { .c = c, .params = params, .list = json_array() };
	int rc = capture_read(path, explain_packet, &x);

	json_decref(params);
	if (rc == -EBADMSG || rc == -EPROTONOSUPPORT)
		(void)ctl_error("%s: %s", path,
		    rc == -EBADMSG
			? "it is no capture in pcap form, or broken"
			: "a link type, or pcapng, that is not read: tcpdump -w writes pcap");
	else if (rc < 0 && rc != -EIO)
		(void)ctl_error("%s: %s", path, strerror(-rc));
	else if (rc == 0 && x.asked == 0 && !c->json)
		puts("no packet of a boot client to port 67 or 4011 is in it");
	if (c->json && rc == 0)
		return ctl_print_json(x.list);
	json_decref(x.list);
	return rc == 0 ? CTL_OK : CTL_FAIL;
}

/* --- the command --------------------------------------------------------------------------------
 */

int
cmd_explain(const struct ctl *c, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "stage", required_argument, NULL, 's' },
		{ "request", required_argument, NULL, 'r' },
		{ "pcap", required_argument, NULL, 'p' },
		{ "ask", no_argument, NULL, 'a' },
		{ 0 },
	};
	static const char usage[] = "explain " NAMES " | --request R.json | --pcap FILE\n"
				    "    [--stage discover|boot|...] [--config NEW] [--ask]";
	json_t *params = json_object(), *v;
	const char *pcap = NULL;
	int o;

	optind = 0; /* main stopped at the command: names and options may be mixed here */
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'p') {
			pcap = optarg;
			continue;
		}
		v = o == 'c'   ? ctl_read_text(optarg)
		    : o == 's' ? json_string(optarg)
		    : o == 'r' ? json_load_file(optarg, 0, NULL)
		               : json_true();
		if (o == '?' || v == NULL) {
			json_decref(params);
			return o == 'r'   ? ctl_error("%s: it is not JSON", optarg)
			       : o == '?' ? ctl_usage(usage)
			                  : CTL_FAIL;
		}
		json_object_set_new(params,
		    o == 'c'   ? "config"
		    : o == 's' ? "stage"
		    : o == 'r' ? "request"
			       : "ask",
		    v);
	}
	if (argc - optind != (json_object_get(params, "request") == NULL && pcap == NULL)) {
		json_decref(params);
		return ctl_usage(usage);
	}
	if (optind < argc)
		json_object_set_new(params, "machine", json_string(argv[optind]));
	return pcap != NULL ? explain_capture(c, pcap, params) : explain(c, params);
}
