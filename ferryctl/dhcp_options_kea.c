/*
 * Kea's JSON, whole and valid: comments are its own members "comment" and "user-context", which
 * every tool that rewrites the file keeps.
 */
#include "ferryctl/dhcp_options.h"

#include <stdio.h>

#define JSON_SPECIAL "\"\\"

static void
put_string(struct wbuf *w, const char *text)
{
	dhcp_put_quoted(w, text, JSON_SPECIAL);
}

static void
put_line(struct wbuf *w, const char *line)
{
	wbuf_str(w, "        ");
	put_string(w, line);
	wbuf_str(w, ",\n");
}

static void
put_head(struct wbuf *w, const struct dhcp_plan *p, const char *const *how, size_t nhow)
{
	wbuf_printf(w, "{\n  \"Dhcp%u\": {\n    \"user-context\": {\n      \"bootferry\": [\n",
	    p->v6 ? 6 : 4);
	dhcp_head(w, p, put_line);
	for (size_t i = 0; i + 1 < nhow; i++)
		put_line(w, how[i]);
	wbuf_str(w, "        ");
	put_string(w, how[nhow - 1]);
	wbuf_str(w, "\n      ]\n    },\n");
}

/* "a == 1 or a == 2" for the architectures of a case. */
static void
put_archs(struct wbuf *w, const struct dhcp_case *c, unsigned code)
{
	wbuf_u8(w, '(');
	for (size_t i = 0; i < c->narchs; i++)
		wbuf_printf(w, "%ssubstring(option[%u].hex, 0, 2) == 0x%04x", i > 0 ? " or " : "",
		    code, c->archs[i]);
	wbuf_u8(w, ')');
}

static void
begin_class(struct wbuf *w, const struct dhcp_plan *p, const char *name, const char *words)
{
	wbuf_printf(
	    w, "      {\n        \"name\": \"%s-%s\",\n        \"comment\": ", p->prefix, name);
	put_string(w, words);
	wbuf_str(w, ",\n        \"test\": \"");
}

/* An option whose value is text; in hexadecimal, as Kea would take a comma for a separator. */
static void
put_text_option(struct wbuf *w, unsigned code, const char *text, const char *comment)
{
	wbuf_printf(w,
	    "          { \"code\": %u, \"csv-format\": false, \"always-send\": true, "
	    "\"data\": \"",
	    code);
	dhcp_put_hex(w, text, slice_str(text).n, "", "");
	wbuf_str(w, "\",\n            \"comment\": ");
	put_string(w, comment);
	wbuf_str(w, " }");
}

/* --- DHCPv4 ---------------------------------------------------------------------------------- */

static void
put_test(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_case *c)
{
	const char *known = "option[77].hex == '" DHCP_MARK "' and option[175].option[20].exists";

	if (c->who == DHCP_IPXE || c->who == DHCP_IPXE_PLAIN) {
		wbuf_printf(w, "member('%s-any-ipxe')", p->prefix);
		if (p->split)
			wbuf_printf(w, " and %s(%s)", c->who == DHCP_IPXE ? "" : "not ", known);
		return;
	}
	wbuf_printf(w, "not member('%s-any-ipxe') and ", p->prefix);
	if (c->who == DHCP_HTTP_BOOT)
		wbuf_str(w, "substring(option[60].hex, 0, 10) == 'HTTPClient' and ");
	else
		wbuf_str(w, "substring(option[60].hex, 0, 9) == 'PXEClient' and ");
	put_archs(w, c, 93);
	if (c->cpu != ARCH_CPU_BIOS && c->who != DHCP_RPI)
		return;
	wbuf_str(w, c->who == DHCP_RPI ? " and (" : " and not (");
	for (size_t i = 0; i < PXE_RPI_OUIS; i++) {
		wbuf_printf(w, "%ssubstring(pkt4.mac, 0, 3) == 0x", i > 0 ? " or " : "");
		dhcp_put_hex(w, pxe_rpi_ouis[i], 3, "", "");
	}
	wbuf_u8(w, ')');
}

/* What a Raspberry Pi reads: where the server is, and the text that makes it go on. */
static void
put_rpi(struct wbuf *w, const struct dhcp_plan *p)
{
	put_text_option(w, 60, "PXEClient", "option 43 is read with it alone: PXEClient");
	wbuf_str(w,
	    ",\n          { \"code\": 43, \"csv-format\": false, \"always-send\": true, "
	    "\"data\": \"" DHCP_RPI_MENU "\",\n            \"comment\": \"a menu with the text "
	    "'Raspberry Pi Boot'\" },\n");
	put_text_option(w, 66, p->address, p->address);
	wbuf_str(w, "\n        ]\n      }");
}

static void
put_options(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_case *c)
{
	const char *between = "";
	bool long_name = !dhcp_fits_header(c->file);

	wbuf_str(w, "        \"option-data\": [\n");
	if (c->who == DHCP_RPI) {
		put_rpi(w, p);
		return;
	}
	if (c->who == DHCP_HTTP_BOOT) {
		put_text_option(
		    w, 60, "HTTPClient", "HTTP Boot takes no answer without it: HTTPClient");
		between = ",\n";
	}
	if (c->who == DHCP_HTTP_BOOT || long_name) {
		wbuf_str(w, between);
		put_text_option(w, 67, c->file, c->file);
		between = ",\n";
	}
	if (c->who == DHCP_PXE && p->etherboot_n > 0) {
		wbuf_str(w, between);
		wbuf_str(w,
		    "          { \"code\": 175, \"always-send\": true,\n"
		    "            \"comment\": \"firmware does not ask for it, but keeps it for "
		    "iPXE\" },\n"
		    "          { \"space\": \"bootferry-ipxe\", \"code\": 90, \"csv-format\": "
		    "false, \"always-send\": true,\n"
		    "            \"data\": \"");
		dhcp_put_hex(w, p->etherboot + 2, p->etherboot_n - 2, "", "");
		wbuf_str(w, "\",\n            \"comment\": \"trust: the CA's fingerprint\" },\n");
		put_text_option(w, 77, DHCP_MARK,
		    "iPXE repeats it, and is known by it to have the fingerprint: " DHCP_MARK);
	}
	wbuf_str(w, "\n        ]\n      }");
}

static bool
has_options(const struct dhcp_plan *p, const struct dhcp_case *c)
{
	return c->who == DHCP_HTTP_BOOT || c->who == DHCP_RPI || !dhcp_fits_header(c->file) ||
	       (c->who == DHCP_PXE && p->etherboot_n > 0);
}

static void
put_case(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_case *c)
{
	char words[160];

	begin_class(w, p, c->name, dhcp_case_words(c, words));
	put_test(w, p, c);
	wbuf_printf(w, "\",\n        \"next-server\": \"%s\"", p->address);
	if (c->who != DHCP_RPI && dhcp_fits_header(c->file)) {
		wbuf_str(w, ",\n        \"boot-file-name\": ");
		put_string(w, c->file);
	}
	if (has_options(p, c)) {
		wbuf_str(w, ",\n");
		put_options(w, p, c);
	} else {
		wbuf_str(w, "\n      }");
	}
}

void
dhcp_render_kea(struct wbuf *w, const struct dhcp_plan *p)
{
	static const char *const how[] = {
		"",
		"Where it goes: the members of the two lists below into the same lists of",
		"\"Dhcp4\" in kea-dhcp4.conf; next-server and boot-file-name elsewhere stay as",
		"they are, for what a class says goes first.  For one subnet alone:",
		"\"only-if-required\": true in each class that has a boot-file-name, and its",
		"name in the subnet's \"require-client-classes\" (from Kea 2.7.4:",
		"\"only-in-additional-list\" and \"evaluate-additional-classes\").",
		"To check: kea-dhcp4 -t kea-dhcp4.conf; then boot a machine beside `ferryctl",
		"boots watch`.",
	};

	put_head(w, p, how, NITEMS(how));
	wbuf_str(w,
	    "    \"option-def\": [\n"
	    "      { \"name\": \"bootferry-etherboot\", \"code\": 175, \"space\": \"dhcp4\", "
	    "\"type\": \"empty\", \"encapsulate\": \"bootferry-ipxe\",\n"
	    "        \"comment\": \"iPXE's options; leave it out if 175 is defined already, and "
	    "use that space's name below\" },\n"
	    "      { \"name\": \"trust\", \"code\": 90, \"space\": \"bootferry-ipxe\", "
	    "\"type\": \"binary\" }\n"
	    "    ],\n"
	    "    \"client-classes\": [\n");
	begin_class(w, p, "any-ipxe", "iPXE in any form, told by its options 175 and 77");
	wbuf_str(w, "option[175].exists or option[77].hex == 'iPXE' or option[77].hex == "
		    "0x0469505845 or option[77].hex == 'gPXE'\"\n      }");
	for (size_t i = 0; i < p->ncases; i++) {
		wbuf_str(w, ",\n");
		put_case(w, p, &p->cases[i]);
	}
	wbuf_str(w, "\n    ]\n  }\n}\n");
}

/* --- DHCPv6 ---------------------------------------------------------------------------------- */

static void
put_case6(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_case *c)
{
	char words[160];

	begin_class(w, p, c->name, dhcp_case_words(c, words));
	if (c->who == DHCP_IPXE) {
		wbuf_printf(w, "member('%s-any-ipxe')", p->prefix);
	} else {
		/* 4 octets of the enterprise's number and 2 of length are before the text */
		wbuf_printf(w,
		    "not member('%s-any-ipxe') and substring(option[16].hex, 6, %s' and ",
		    p->prefix,
		    c->who == DHCP_HTTP_BOOT ? "10) == 'HTTPClient" : "9) == 'PXEClient");
		put_archs(w, c, 61);
	}
	wbuf_str(w, "\",\n        \"option-data\": [\n");
	if (c->who == DHCP_HTTP_BOOT) {
		wbuf_str(w,
		    "          { \"code\": 16, \"csv-format\": false, \"always-send\": true, "
		    "\"data\": \"" DHCP6_HTTP_CLASS "\",\n            \"comment\": \"HTTP Boot "
		    "takes no answer without it: HTTPClient\" },\n");
	}
	put_text_option(w, 59, c->file, c->file);
	/* edk2 reads the URL up to a zero octet, which is the first of the next option's code */
	wbuf_str(w,
	    ",\n          { \"code\": 82, \"csv-format\": false, \"always-send\": true, "
	    "\"data\": \"00000e10\",\n            \"comment\": \"the usual SOL_MAX_RT, to have "
	    "an option after 59: some firmware reads on\" }\n        ]\n      }");
}

void
dhcp_render_kea6(struct wbuf *w, const struct dhcp_plan *p)
{
	static const char *const how[] = {
		"",
		"Where it goes: the classes into \"client-classes\" of \"Dhcp6\" in",
		"kea-dhcp6.conf.",
		"To check: kea-dhcp6 -t kea-dhcp6.conf; then boot a machine beside `ferryctl",
		"boots watch`.",
	};

	put_head(w, p, how, NITEMS(how));
	wbuf_str(w, "    \"client-classes\": [\n");
	begin_class(w, p, "any-ipxe", "iPXE, told by its user class (15)");
	wbuf_str(w,
	    "substring(option[15].hex, 2, 4) == 'iPXE' or substring(option[15].hex, 0, 4) == "
	    "'iPXE'\"\n      }");
	for (size_t i = 0; i < p->ncases; i++) {
		wbuf_str(w, ",\n");
		put_case6(w, p, &p->cases[i]);
	}
	wbuf_str(w, "\n    ]\n  }\n}\n");
}
