/* Facts and the plan; see dhcp_options.h. */
#include "ferryctl/dhcp_options.h"

#include "common/hex.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HEADER_FILE_MAX 127 /* of the header's 128 octets one is a NUL (RFC 2131 section 2) */
#define IPXE_OPT_TRUST  90

const struct dhcp_server dhcp_servers[] = {
	{ "kea", "ISC Kea", dhcp_render_kea, dhcp_render_kea6 },
	{ "isc", "ISC dhcpd", dhcp_render_isc, dhcp_render_isc6 },
	{ "dnsmasq", "dnsmasq", dhcp_render_dnsmasq, dhcp_render_dnsmasq6 },
	{ "microsoft", "Windows DHCP server", dhcp_render_microsoft, NULL },
	{ "mikrotik", "MikroTik RouterOS", dhcp_render_mikrotik, NULL },
	{ "cisco", "Cisco IOS", dhcp_render_cisco, NULL },
};

const size_t dhcp_nservers = NITEMS(dhcp_servers);

/* --- facts ----------------------------------------------------------------------------------- */

/*
 * Some languages have no way to write a control character, and in none would one be meant: what
 * has one, or is too long, is refused.
 */
static bool
is_plain(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	}
	return n < DHCP_TEXT_MAX - 64; /* with what a URL needs besides */
}

/* A member that is a string, or `otherwise` if it is missing; false if it cannot be used. */
static bool
read_text(const json_t *o, const char *key, const char *otherwise, const char **ret)
{
	const json_t *v = json_object_get(o, key);

	*ret = v == NULL ? otherwise : json_string_value(v);
	return *ret == NULL ? v == NULL : is_plain(*ret);
}

static bool
read_address(const json_t *o, const char *key, uint8_t family, struct ipaddr *ret)
{
	const char *text;

	*ret = (struct ipaddr){ 0 };
	if (!read_text(o, key, "", &text))
		return false;
	return text[0] == '\0' || (ip_parse(slice_str(text), ret) == 0 && ret->family == family);
}

static bool
read_trust(const json_t *list, struct dhcp_facts *f)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		const char *hex = json_string_value(v);

		if (i == DHCP_TRUST_MAX || hex == NULL ||
		    hex_parse(slice_str(hex), f->trust + i * DHCP_TRUST_BYTES, DHCP_TRUST_BYTES) !=
			DHCP_TRUST_BYTES)
			return false;
		f->ntrust++;
	}
	return true;
}

static bool
read_archs(const json_t *list, uint16_t archs[static DHCP_CASE_ARCHS], size_t *n)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (*n == DHCP_CASE_ARCHS || !json_is_integer(v) || json_integer_value(v) < 0 ||
		    json_integer_value(v) > UINT16_MAX)
			return false;
		archs[(*n)++] = (uint16_t)json_integer_value(v);
	}
	return true;
}

static bool
read_loader(const json_t *o, struct dhcp_loader *l)
{
	const char *cpu;

	*l = (struct dhcp_loader){ .path = NULL };
	if (!read_text(o, "cpu", "", &cpu) || !read_text(o, "path", NULL, &l->path) ||
	    !read_text(o, "version", "", &l->version) || !read_text(o, "url", NULL, &l->url) ||
	    !read_text(o, "url6", NULL, &l->url6))
		return false;
	l->cpu = arch_cpu_from_name(slice_str(cpu));
	return l->cpu != ARCH_CPU_NONE && l->path != NULL && l->path[0] != '\0' &&
	       read_archs(json_object_get(o, "archs"), l->archs, &l->narchs) &&
	       read_archs(json_object_get(o, "http_archs"), l->http_archs, &l->nhttp_archs);
}

static bool
read_loaders(const json_t *list, struct dhcp_facts *f)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (i == NITEMS(f->loaders) || !read_loader(v, &f->loaders[i]))
			return false;
		f->nloaders++;
	}
	return true;
}

int
dhcp_facts_read(const json_t *o, struct dhcp_facts *ret, const char **ret_why)
{
	struct dhcp_facts f = { .subnet = NULL };
	const char *bad = NULL;

	if (!read_text(o, "subnet", "", &f.subnet))
		bad = "subnet";
	else if (!read_address(o, "address", 4, &f.v4))
		bad = "address";
	else if (!read_address(o, "address6", 6, &f.v6))
		bad = "address6";
	else if (!read_text(o, "script_url", NULL, &f.script_url) || f.script_url == NULL)
		bad = "script_url";
	else if (!read_text(o, "script_url_http", NULL, &f.script_plain))
		bad = "script_url_http";
	else if (!read_text(o, "script_url6", NULL, &f.script_url6) ||
		 (f.v6.family != 0 && f.script_url6 == NULL))
		bad = "script_url6";
	else if (!read_text(o, "script_url6_http", NULL, &f.script_plain6))
		bad = "script_url6_http";
	else if (!read_trust(json_object_get(o, "trust"), &f))
		bad = "trust";
	else if (!read_loaders(json_object_get(o, "loaders"), &f))
		bad = "loaders";
	if (bad != NULL) {
		*ret_why = bad;
		return -EINVAL;
	}
	*ret = f;
	return 0;
}

/* --- the plan -------------------------------------------------------------------------------- */

/* The names that are made up; what a server's language may not take in a name becomes a dash. */
static void
name_all(struct dhcp_plan *p, const char *subnet)
{
	size_t n;

	(void)snprintf(p->prefix, sizeof(p->prefix),
	    subnet[0] != '\0' ? "bootferry-%.60s" : "bootferry", subnet);
	n = strlen(p->prefix);
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)p->prefix[i]))
			p->prefix[i] = '-';
	}
}

static void
add_case(struct dhcp_plan *p, enum dhcp_who who, enum arch_cpu cpu, const char *file,
    const uint16_t *archs, size_t narchs)
{
	struct dhcp_case *c = &p->cases[p->ncases++];

	*c = (struct dhcp_case){ .who = who, .cpu = cpu, .file = file, .narchs = narchs };
	for (size_t i = 0; i < narchs; i++)
		c->archs[i] = archs[i];
	(void)snprintf(c->name, sizeof(c->name), "%s%s",
	    who == DHCP_IPXE         ? "ipxe"
	    : who == DHCP_IPXE_PLAIN ? "ipxe-plain"
	    : who == DHCP_HTTP_BOOT  ? "http-"
				     : "",
	    cpu != ARCH_CPU_NONE ? arch_cpu_name(cpu) : "");
}

static void
add_ipxe(struct dhcp_plan *p, bool plain_http)
{
	const struct dhcp_facts *f = p->facts;
	const char *secure = p->v6 ? f->script_url6 : f->script_url;
	const char *plain = p->v6 ? f->script_plain6 : f->script_plain;

	/* without DHCPv4's option 175 nothing makes a loader trust us */
	p->split = plain != NULL && !plain_http && f->ntrust > 0 && !p->v6;
	add_case(p, DHCP_IPXE, ARCH_CPU_NONE, plain != NULL && !p->split ? plain : secure, NULL, 0);
	if (p->split)
		add_case(p, DHCP_IPXE_PLAIN, ARCH_CPU_NONE, plain, NULL, 0);
}

/* DHCPv6 has no header: the server is in the loader's URL (RFC 5970 section 3.1). */
static const char *
tftp_url(struct dhcp_plan *p, const struct dhcp_loader *l)
{
	char *url = p->urls[l->cpu];

	(void)snprintf(url, sizeof(p->urls[0]), "tftp://[%s]/%s", p->address, l->path);
	return url;
}

static void
add_loaders(struct dhcp_plan *p)
{
	/* they say that they are BIOS PCs, and ought to say ARCH_RPI */
	static const uint16_t rpi[] = { 0, ARCH_RPI };
	const struct dhcp_facts *f = p->facts;

	for (size_t i = 0; i < f->nloaders; i++) {
		const struct dhcp_loader *l = &f->loaders[i];
		const char *url = p->v6 ? l->url6 : l->url;

		if (url != NULL && l->nhttp_archs > 0)
			add_case(p, DHCP_HTTP_BOOT, l->cpu, url, l->http_archs, l->nhttp_archs);
	}
	for (size_t i = 0; i < f->nloaders; i++) {
		const struct dhcp_loader *l = &f->loaders[i];

		if (l->cpu == ARCH_CPU_RPI && !p->v6)
			add_case(p, DHCP_RPI, l->cpu, l->path, rpi, NITEMS(rpi));
		/* no PC BIOS boots over IPv6 */
		if (l->narchs > 0 && !(p->v6 && l->cpu == ARCH_CPU_BIOS))
			add_case(p, DHCP_PXE, l->cpu, p->v6 ? tftp_url(p, l) : l->path, l->archs,
			    l->narchs);
	}
}

/* Servers that cannot look at the client get the loader of the commonest machines. */
static void
choose_first(struct dhcp_plan *p, enum arch_cpu cpu)
{
	const struct dhcp_facts *f = p->facts;

	for (size_t i = 0; i < f->nloaders; i++) {
		const struct dhcp_loader *l = &f->loaders[i];

		if (l->narchs > 0 &&
		    (cpu != ARCH_CPU_NONE ? l->cpu == cpu
					  : p->first == NULL || l->cpu == ARCH_CPU_X64))
			p->first = l;
	}
}

static void
fill_etherboot(struct dhcp_plan *p)
{
	const struct dhcp_facts *f = p->facts;
	size_t n = f->ntrust * DHCP_TRUST_BYTES;

	if (n == 0)
		return;
	p->etherboot[0] = IPXE_OPT_TRUST;
	p->etherboot[1] = (uint8_t)n;
	memcpy(p->etherboot + 2, f->trust, n);
	p->etherboot_n = n + 2;
}

int
dhcp_plan_make(const struct dhcp_facts *facts, const struct dhcp_wish *wish, struct dhcp_plan *ret,
    const char **ret_why)
{
	const struct ipaddr *ip = wish->v6 ? &facts->v6 : &facts->v4;
	struct dhcp_plan *p = ret;

	if (ip->family == 0) {
		*ret_why = wish->v6 ? "no front daemon has announced an IPv6 address (--address6 "
		                      "names one)"
		                    : "no front daemon has announced an IPv4 address (--address "
		                      "names one)";
		return -EINVAL;
	}
	if (wish->plain_http && facts->script_plain == NULL) {
		*ret_why = "plain HTTP is off: httpsbootd's http_port opens it";
		return -EINVAL;
	}
	*p = (struct dhcp_plan){ .facts = facts, .v6 = wish->v6 };
	(void)ip_format(ip, p->address);
	name_all(p, facts->subnet);
	add_ipxe(p, wish->plain_http);
	add_loaders(p);
	choose_first(p, wish->cpu);
	if (wish->cpu != ARCH_CPU_NONE && p->first == NULL) {
		*ret_why = "there is no loader for that CPU";
		return -EINVAL;
	}
	fill_etherboot(p);
	return 0;
}

/* --- what renderers share -------------------------------------------------------------------- */

bool
dhcp_fits_header(const char *file)
{
	return strlen(file) <= HEADER_FILE_MAX;
}

const char *
dhcp_case_words(const struct dhcp_case *c, char buf[static 160])
{
	char archs[64] = "";
	size_t n = 0;

	for (size_t i = 0; i < c->narchs; i++)
		n += (size_t)snprintf(
		    archs + n, sizeof(archs) - n, "%s%u", i > 0 ? ", " : "", c->archs[i]);
	switch (c->who) {
	case DHCP_IPXE:
		(void)snprintf(buf, 160, "iPXE gets the URL of its script, never a loader again");
		break;
	case DHCP_IPXE_PLAIN:
		(void)snprintf(buf, 160,
		    "iPXE that lacks HTTPS, or trust in this site, gets its script over plain "
		    "HTTP");
		break;
	case DHCP_HTTP_BOOT:
		(void)snprintf(buf, 160,
		    "UEFI HTTP Boot, %s (architecture %s): the URL of the loader",
		    arch_cpu_name(c->cpu), archs);
		break;
	case DHCP_PXE:
		(void)snprintf(buf, 160, "%s, %s (architecture %s): the loader, by TFTP",
		    c->cpu == ARCH_CPU_BIOS ? "PC BIOS" : "UEFI PXE", arch_cpu_name(c->cpu), archs);
		break;
	case DHCP_RPI:
		(void)snprintf(
		    buf, 160, "Raspberry Pi, told by its hardware address: where its files are");
		break;
	}
	return buf;
}

void
dhcp_put_hex(struct wbuf *w, const void *bytes, size_t n, const char *before, const char *between)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < n; i++)
		wbuf_printf(w, "%s%s%02x", i > 0 ? between : "", before, b[i]);
}

void
dhcp_put_quoted(struct wbuf *w, const char *text, const char *special)
{
	wbuf_u8(w, '"');
	for (; *text != '\0'; text++) {
		if (strchr(special, *text) != NULL)
			wbuf_u8(w, '\\');
		wbuf_u8(w, (uint8_t)*text);
	}
	wbuf_u8(w, '"');
}

void
dhcp_head(struct wbuf *w, const struct dhcp_plan *p, dhcp_line_fn *put)
{
	const struct dhcp_facts *f = p->facts;
	char line[DHCP_TEXT_MAX + 100];

	put(w, "Network boot from Bootferry by this DHCP server's own options, without a proxy.");
	put(w,
	    "Made by `ferryctl dhcp-options`.  Print it again when loaders, names, addresses or");
	put(w, "the CA have changed.");
	(void)snprintf(line, sizeof(line), "Boot server %s%s%s, scripts at %s", p->address,
	    f->subnet[0] != '\0' ? ", subnet " : "", f->subnet,
	    p->v6 ? f->script_url6 : f->script_url);
	put(w, line);
	if (!p->v6 && f->ntrust == 0)
		put(w,
		    "There is no fingerprint of a CA: loaders do not trust this site over HTTPS.");
	for (size_t i = 0; !p->v6 && i < f->ntrust; i++) {
		char hex[2 * DHCP_TRUST_BYTES + 1];

		(void)hex_format(
		    (struct slice){ f->trust + i * DHCP_TRUST_BYTES, DHCP_TRUST_BYTES }, hex);
		(void)snprintf(line, sizeof(line), "CA fingerprint %s", hex);
		put(w, line);
	}
	if (p->v6) {
		put(w,
		    "DHCPv6 has nothing that makes iPXE trust this site's CA: HTTPS is for builds");
		put(w, "that have it, plain HTTP for all others.");
		return;
	}
	put(w, "Never set option 60 to PXEClient here: UEFI firmware would then ask port 4011 of");
	put(w,
	    "this host, and take no proxy's offer.  Secure Boot: list the shim as the loader in");
	put(w,
	    "handlerd's `loaders`; shim and GRUB find their next files by the server and name in");
	put(w, "the header of this server's answer.");
}
