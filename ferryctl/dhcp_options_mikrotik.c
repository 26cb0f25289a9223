/* Commands for MikroTik's RouterOS 7. */
#include "ferryctl/dhcp_options.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void
put_line(struct wbuf *w, const char *line)
{
	wbuf_printf(w, "%s%s\n", line[0] != '\0' ? "# " : "#", line);
}

/*
 * The value of an option: s'text', or its octets if a character means something to RouterOS
 * between quotes.
 */
static void
put_value(struct wbuf *w, const char *text)
{
	bool safe = true;

	for (const char *s = text; *s != '\0'; s++)
		safe = safe && (isalnum((unsigned char)*s) || strchr(":/.-_,+=", *s) != NULL);
	if (safe) {
		wbuf_printf(w, "\"s'%s'\"", text);
		return;
	}
	wbuf_str(w, "0x");
	dhcp_put_hex(w, text, strlen(text), "", "");
}

static void
put_option(struct wbuf *w, const struct dhcp_plan *p, const char *name, unsigned code,
    const char *text, bool force)
{
	wbuf_printf(
	    w, "add name=%s-%s code=%u%s value=", p->prefix, name, code, force ? " force=yes" : "");
	put_value(w, text);
	wbuf_u8(w, '\n');
}

static void
put_options(struct wbuf *w, const struct dhcp_plan *p)
{
	wbuf_str(w, "\n/ip dhcp-server option\n");
	for (size_t i = 0; i < p->ncases; i++) {
		if (p->cases[i].who != DHCP_RPI)
			put_option(w, p, p->cases[i].name, 67, p->cases[i].file, false);
	}
	for (size_t i = 0; i < p->ncases; i++) {
		if (p->cases[i].who == DHCP_HTTP_BOOT) {
			put_option(w, p, "http", 60, "HTTPClient", true);
			break;
		}
	}
	if (p->etherboot_n == 0)
		return;
	/* firmware asks for neither, and keeps them for iPXE */
	wbuf_printf(w, "add name=%s-trust code=175 force=yes value=0x", p->prefix);
	dhcp_put_hex(w, p->etherboot, p->etherboot_n, "", "");
	wbuf_u8(w, '\n');
	put_option(w, p, "mark", 77, DHCP_MARK, true);
}

static void
put_sets(struct wbuf *w, const struct dhcp_plan *p)
{
	const char *x = p->prefix;

	wbuf_str(w, "\n/ip dhcp-server option sets\n");
	for (size_t i = 0; i < p->ncases; i++) {
		const struct dhcp_case *c = &p->cases[i];

		if (c->who == DHCP_RPI)
			continue;
		wbuf_printf(w, "add name=%s-%s options=%s-%s", x, c->name, x, c->name);
		if (c->who == DHCP_HTTP_BOOT)
			wbuf_printf(w, ",%s-http", x);
		if (c->who == DHCP_PXE && p->etherboot_n > 0)
			wbuf_printf(w, ",%s-trust,%s-mark", x, x);
		wbuf_u8(w, '\n');
	}
}

static void
put_matcher(struct wbuf *w, const struct dhcp_plan *p, const char *set, const char *suffix,
    unsigned code, const char *type, const char *value)
{
	wbuf_printf(w,
	    "add name=%s-%s%s server=$server address-pool=$pool code=%u matching-type=%s "
	    "value=\"%s\" option-set=%s-%s\n",
	    p->prefix, set, suffix, code, type, value, p->prefix, set);
}

static void
put_matchers(struct wbuf *w, const struct dhcp_plan *p)
{
	char words[160], value[40], suffix[16];

	wbuf_str(w, "\n/ip dhcp-server matcher\n");
	for (size_t i = 0; i < p->ncases; i++) {
		const struct dhcp_case *c = &p->cases[i];

		if (c->who == DHCP_RPI)
			continue;
		put_line(w, dhcp_case_words(c, words));
		if (c->who == DHCP_IPXE)
			put_matcher(w, p, c->name, "-trust", 77, "exact", DHCP_MARK);
		if (c->who == DHCP_IPXE_PLAIN || (c->who == DHCP_IPXE && !p->split))
			put_matcher(w, p, c->name, "", 77, "exact", "iPXE");
		for (size_t k = 0; k < c->narchs; k++) {
			(void)snprintf(value, sizeof(value), "%s:Arch:%05u",
			    c->who == DHCP_HTTP_BOOT ? "HTTPClient" : "PXEClient", c->archs[k]);
			suffix[0] = '\0';
			if (k > 0)
				(void)snprintf(suffix, sizeof(suffix), "-%u", c->archs[k]);
			put_matcher(w, p, c->name, suffix, 60, "substring", value);
		}
	}
}

void
dhcp_render_mikrotik(struct wbuf *w, const struct dhcp_plan *p)
{
	static const char *const how[] = {
		"",
		"Where it goes: a file bootferry.rsc on the router, then `/import",
		"bootferry.rsc`.  Needs RouterOS 7 with /ip dhcp-server matcher.  The three",
		"names below are this router's own.  The network's boot-file-name must be empty:",
		"iPXE would take it for its script.",
		"To check: /ip dhcp-server matcher print; /ip dhcp-server option print",
		"(raw-value); then boot a machine beside `ferryctl boots watch`: iPXE must get",
		"the URL, not the loader.",
		"",
		"What RouterOS cannot do: look into option 175, or set next-server a client.  A",
		"file name goes out as option 67 alone, so shim does not find its next file:",
		"Secure Boot by TFTP needs another DHCP server.  A Raspberry Pi says that it is",
		"x86 BIOS and gets that loader.",
		"The order of matchers is taken to be theirs below: iPXE stands first.",
		"",
		"Nobody has run this text on a router yet: look at what it made before machines",
		"boot.",
	};

	dhcp_head(w, p, put_line);
	for (size_t i = 0; i < NITEMS(how); i++)
		put_line(w, how[i]);
	wbuf_str(w,
	    "\n:local server \"dhcp1\"\n:local pool \"pool1\"\n:local network \"10.0.0.0/24\"\n");
	put_options(w, p);
	put_sets(w, p);
	put_matchers(w, p);
	wbuf_printf(w, "\n/ip dhcp-server network\nset [find address=$network] next-server=%s\n",
	    p->address);
}
