/*
 * dhcp.options: what a DHCP server has to hand out where no dhcpproxyd does.  The facts are those
 * that decisions are made by (announcements, catalogue, policy), so that they are never older than
 * the daemons that run.  `ferryctl dhcp-options` makes a configuration of them.
 *
 * Rules, states and assignments have no part in it: a DHCP server cannot ask for them.  They count
 * when iPXE asks for its script.
 */
#include "handlerd/control_dhcp.h"

#include "common/arch.h"
#include "common/hex.h"
#include "handlerd/control_machines.h"
#include "handlerd/decision.h"
#include "handlerd/gather.h"

#include <stdlib.h>
#include <string.h>

#define URL_MAX      1024
#define TFTP_PORT    69
#define TRUST_BYTES  32 /* of one fingerprint */
#define ARCH_NUMBERS 64 /* more than the registry has */

/* The addresses to name, as the caller wants them; else as they were announced. */
struct places {
	struct ipaddr v4, v6;
};

/* A URL below httpsbootd's base as a new string. */
static json_t *
make_url(const struct web *web, bool secure, bool by_ip, const char *folder, const char *path)
{
	uint8_t room[URL_MAX];
	struct wbuf w;

	wbuf_init(&w, room, sizeof(room));
	put_base(&w, web, secure, by_ip);
	wbuf_str(&w, folder);
	wbuf_str(&w, path);
	return w.bad ? NULL : json_stringn((const char *)room, w.used);
}

/* The numbers of option 93 (61 in DHCPv6) that mean this CPU, for one way of loading. */
static json_t *
list_archs(enum arch_cpu cpu, bool http)
{
	json_t *list = json_array();

	for (uint16_t i = 0; i < ARCH_NUMBERS; i++) {
		const struct arch *a = arch_find(i);
		bool fits = http ? a->kind == ARCH_KIND_HTTP
		                 : a->kind == ARCH_KIND_BIOS || a->kind == ARCH_KIND_UEFI;

		if (fits && a->cpu == cpu)
			json_array_append_new(list, json_integer(a->number));
	}
	return list;
}

/* httpsbootd as IPv6 clients reach it; `ip` is "" if they do not. */
static struct web
web_at(const struct web *web, const char *ip)
{
	struct web w = *web;

	w.ip = ip;
	if (strcmp(web->host, web->ip) == 0)
		w.host = ip;
	return w;
}

static json_t *
dump_loader(
    const struct loader *l, enum arch_cpu cpu, const struct web *web, const struct web *web6)
{
	bool secure = web->http_port == 0;
	json_t *http = list_archs(cpu, true), *o;

	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "cpu", arch_cpu_name(cpu), "path",
	    l->path, "kind", loader_kind_name(l->info.kind), "version", l->info.version, "https",
	    loader_https_name(l->info.https), "trust", loader_trust_words(l->info.trust), "archs",
	    list_archs(cpu, false));
	if (o == NULL || json_array_size(http) == 0) {
		json_decref(http);
		return o;
	}
	json_object_set_new(o, "http_archs", http);
	/* by address, as a name needs DNS; but a certificate is checked by its name */
	json_object_set_new(o, "url", make_url(web, secure, !secure, "2PXE/file/", l->path));
	if (web6->ip[0] != '\0')
		json_object_set_new(
		    o, "url6", make_url(web6, secure, !secure, "2PXE/file/", l->path));
	return o;
}

/* The same with the host that the site names for HTTP Boot, if it does. */
static struct web
web_for_boot(const struct policy *policy, const struct web *web)
{
	struct web w = *web;

	if (policy->conf.http_host[0] != '\0' && web->ip[0] != '\0')
		w.host = w.ip = policy->conf.http_host;
	return w;
}

static json_t *
list_loaders(struct handlerd *h, const struct facts *facts, const struct web *web6)
{
	struct web boot = web_for_boot(h->policy, &facts->web);
	struct web boot6 = web_for_boot(h->policy, web6);
	json_t *list = json_array();

	for (enum arch_cpu cpu = ARCH_CPU_NONE + 1; cpu < ARCH_CPUS; cpu++) {
		struct facts f = *facts;
		const struct loader *l;

		f.subject.cpu = cpu;
		l = decide_loader(h->policy, &f);
		if (l != NULL)
			json_array_append_new(list, dump_loader(l, cpu, &boot, &boot6));
	}
	return list;
}

static json_t *
list_trust(struct slice trust)
{
	char hex[2 * TRUST_BYTES + 1];
	json_t *list = json_array();

	for (size_t at = 0; at + TRUST_BYTES <= trust.n; at += TRUST_BYTES)
		json_array_append_new(list,
		    json_string(hex_format((struct slice){ trust.p + at, TRUST_BYTES }, hex)));
	return list;
}

/* What would keep machines from booting by these options. */
static json_t *
find_problems(const struct facts *f, const struct service *tftp, size_t nloaders)
{
	json_t *list = json_array();

	if (tftp == NULL)
		json_array_append_new(list, json_string("no tftpd has announced itself yet"));
	else if (tftp->port != TFTP_PORT)
		json_array_append_new(list,
		    json_sprintf("tftpd is at port %u, and firmware knows 69 alone", tftp->port));
	if (!f->web.known)
		json_array_append_new(list,
		    json_string("no httpsbootd has announced itself yet: its name and port are "
				"guessed"));
	else if (f->web.trust.n == 0)
		json_array_append_new(list,
		    json_string("httpsbootd sends no root certificate with its own, so loaders "
				"cannot be made to trust it"));
	if (nloaders == 0)
		json_array_append_new(list,
		    json_string("there is no loader that could reach its script: `ferryctl loaders "
				"import` brings some"));
	return list;
}

/* A parameter that is an address of that family or missing; false with *error set. */
static bool
get_address(const json_t *params, const char *key, uint8_t family, struct ipaddr *ret,
    struct rpc_error *error)
{
	const char *text = control_text(params, key, error);

	if (text == NULL)
		return false;
	if (text[0] == '\0')
		return true;
	if (ip_parse(slice_str(text), ret) == 0 && ret->family == family && !ip_is_any(ret))
		return true;
	(void)rpc_fail(
	    error, RPC_INVALID_PARAMS, "\"%s\": \"%s\" is no IPv%u address", key, text, family);
	return false;
}

/* Where the front daemons of this subnet are, by what they announced. */
static void
find_places(struct handlerd *h, struct slice subnet, uint64_t now_ms, struct places *p)
{
	static const enum daemon_kind kinds[] = { DAEMON_TFTPD, DAEMON_HTTPSBOOTD,
		DAEMON_DHCPPROXYD };

	for (size_t i = 0; i < NITEMS(kinds); i++) {
		const struct service *s = services_pick(&h->services, kinds[i], subnet, now_ms);

		if (s == NULL)
			continue;
		if (p->v4.family == 0)
			(void)service_address(s, 4, &p->v4); /* it need not have one */
		if (p->v6.family == 0)
			(void)service_address(s, 6, &p->v6);
	}
}

static json_t *
dump_facts(struct handlerd *h, const struct facts *f, const struct service *tftp,
    struct slice subnet, const struct places *p)
{
	char ip[IP_STRLEN] = "", ip6[IP_STRLEN] = "";
	json_t *loaders, *o;
	struct web web6;

	if (p->v4.family != 0)
		(void)ip_format(&p->v4, ip);
	if (p->v6.family != 0)
		(void)ip_format(&p->v6, ip6);
	web6 = web_at(&f->web, ip6);
	loaders = list_loaders(h, f, &web6);
	o = json_pack("{s:s%, s:s, s:s, s:s, s:i, s:i, s:o, s:o, s:o, s:o}", "subnet",
	    subnet.n > 0 ? (const char *)subnet.p : "", subnet.n, "address", ip, "address6", ip6,
	    "name", f->web.host, "port", f->web.port, "http_port", f->web.http_port, "trust",
	    list_trust(f->web.trust), "problems", find_problems(f, tftp, json_array_size(loaders)),
	    "loaders", loaders, "script_url", make_url(&f->web, true, false, "2PXE/boot", ""));
	if (o != NULL && f->web.http_port != 0)
		json_object_set_new(
		    o, "script_url_http", make_url(&f->web, false, false, "2PXE/boot", ""));
	if (o == NULL || ip6[0] == '\0')
		return o;
	json_object_set_new(o, "script_url6", make_url(&web6, true, false, "2PXE/boot", ""));
	if (f->web.http_port != 0)
		json_object_set_new(
		    o, "script_url6_http", make_url(&web6, false, false, "2PXE/boot", ""));
	return o;
}

json_t *
rpc_dhcp_options(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	const char *subnet = control_text(params, "subnet", error);
	uint64_t now_ms = wall_clock_ms();
	struct places p = { 0 };
	struct boot_request r;
	struct facts f;
	char ip[IP_STRLEN];
	json_t *o;

	(void)conn;
	if (subnet == NULL || !get_address(params, "address", 4, &p.v4, error) ||
	    !get_address(params, "address6", 6, &p.v6, error))
		return NULL;
	r = (struct boot_request){
		.stage = STAGE_DISCOVER,
		.client = CLIENT_PXE,
		.via = VIA_DHCP,
		.arch = ARCH_UNKNOWN,
		.server = p.v4,
		.subnet = slice_str(subnet),
	};
	find_places(h, r.subnet, now_ms, &p);
	if (p.v4.family == 0 && p.v6.family == 0)
		return rpc_fail(error, RPC_FAILED,
		    "no front daemon has announced an address yet: start them, or name it by "
		    "\"address\"");
	if (r.server.family == 0)
		r.server = p.v4.family != 0 ? p.v4 : p.v6;
	gather(h, &r, NULL, h->policy, now_ms, true, h->room, &f);
	/* who names an address knows how the clients reach us, and a host name is better known to
	 * httpsbootd */
	if (json_object_get(params, "address") != NULL || f.web.ip[0] == '\0') {
		bool by_address = strcmp(f.web.host, f.web.ip) == 0;

		f.web.ip = ip_format(&r.server, ip);
		if (by_address)
			f.web.host = f.web.ip;
	}
	o = dump_facts(
	    h, &f, services_pick(&h->services, DAEMON_TFTPD, r.subnet, now_ms), r.subnet, &p);
	return o != NULL ? o : rpc_fail(error, RPC_FAILED, "out of memory");
}
