/* ISC dhcpd's configuration. */
#include "ferryctl/dhcp_options.h"

#include <stdio.h>

#define ISC_SPECIAL "\"\\"

static void
put_line(struct wbuf *w, const char *line)
{
	wbuf_printf(w, "%s%s\n", line[0] != '\0' ? "# " : "#", line);
}

static void
put_lines(struct wbuf *w, const char *const *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_line(w, lines[i]);
}

static void
put_words(struct wbuf *w, const struct dhcp_case *c)
{
	char words[160];

	wbuf_u8(w, '\n');
	put_line(w, dhcp_case_words(c, words));
}

static void
put_archs(struct wbuf *w, const struct dhcp_case *c, const char *option)
{
	wbuf_u8(w, '(');
	for (size_t i = 0; i < c->narchs; i++)
		wbuf_printf(w, "%ssubstring(option %s, 0, 2) = %02x:%02x", i > 0 ? " or " : "",
		    option, c->archs[i] >> 8, c->archs[i] & 255u);
	wbuf_u8(w, ')');
}

/* --- DHCPv4 ---------------------------------------------------------------------------------- */

#define IS_IPXE                                                                                    \
	"(exists ipxe-encap-opts or option user-class = \"iPXE\" or\n"                             \
	"      option user-class = 04:69:50:58:45 or option user-class = \"gPXE\")"

static void
put_match(struct wbuf *w, const struct dhcp_case *c)
{
	wbuf_str(w, "  match if ");
	if (c->who == DHCP_IPXE) {
		wbuf_str(w, IS_IPXE ";\n");
		return;
	}
	wbuf_printf(w, "not %s\n    and ", IS_IPXE);
	if (c->who == DHCP_HTTP_BOOT)
		wbuf_str(w,
		    "substring(option vendor-class-identifier, 0, 10) = \"HTTPClient\"\n    and ");
	else
		wbuf_str(
		    w, "substring(option vendor-class-identifier, 0, 9) = \"PXEClient\"\n    and ");
	put_archs(w, c, "pxe-system-type");
	if (c->cpu == ARCH_CPU_BIOS || c->who == DHCP_RPI) {
		wbuf_str(w, c->who == DHCP_RPI ? "\n    and (" : "\n    and not (");
		for (size_t i = 0; i < PXE_RPI_OUIS; i++) {
			wbuf_printf(
			    w, "%ssubstring(hardware, 1, 3) = ", i > 0 ? " or\n      " : "");
			dhcp_put_hex(w, pxe_rpi_ouis[i], 3, "", ":");
		}
		wbuf_u8(w, ')');
	}
	wbuf_str(w, ";\n");
}

/* Options that firmware does not ask for are sent if they stand in this list. */
static void
put_ask(struct wbuf *w, const char *codes)
{
	wbuf_printf(w,
	    "  option dhcp-parameter-request-list = concat(option dhcp-parameter-request-list, "
	    "%s);\n",
	    codes);
}

/* The name in the header, or in option 67 where it is too long for that. */
static void
put_file(struct wbuf *w, const char *indent, const char *file, bool as_option)
{
	if (dhcp_fits_header(file)) {
		wbuf_printf(w, "%sfilename ", indent);
		dhcp_put_quoted(w, file, ISC_SPECIAL);
		wbuf_str(w, ";\n");
	}
	if (as_option || !dhcp_fits_header(file)) {
		wbuf_printf(w, "%soption bootfile-name ", indent);
		dhcp_put_quoted(w, file, ISC_SPECIAL);
		wbuf_str(w, ";\n");
	}
}

/*
 * The choice stands inside one class: as a class of its own, "... and not (a and b)" is false in
 * dhcpd 4.4.3 for an iPXE to which neither applies.
 */
static void
put_ipxe(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_case *c)
{
	if (!p->split) {
		put_file(w, "  ", c->file, false);
		return;
	}
	wbuf_str(w,
	    "  # over HTTPS if it has that and the fingerprint, which firmware is given below\n"
	    "  if option user-class = \"" DHCP_MARK "\" and exists ipxe.https {\n");
	put_file(w, "    ", c->file, false);
	wbuf_str(w, "  } else {\n");
	put_file(w, "    ", p->facts->script_plain, false);
	wbuf_str(w, "  }\n");
}

static void
put_trust(struct wbuf *w, const struct dhcp_plan *p)
{
	wbuf_str(w, "  option ipxe.trust ");
	dhcp_put_hex(w, p->etherboot + 2, p->etherboot_n - 2, "", ":");
	wbuf_str(w,
	    ";\n"
	    "  option user-class \"" DHCP_MARK "\";  # iPXE repeats it: so it is known to have "
	    "the fingerprint\n");
}

/* What a Raspberry Pi reads: where the server is, and a menu's text that makes it go on. */
static void
put_rpi(struct wbuf *w, const struct dhcp_plan *p)
{
	wbuf_str(w, "  option vendor-class-identifier \"PXEClient\";\n"
		    "  option vendor-encapsulated-options ");
	for (size_t i = 0; i < sizeof(DHCP_RPI_MENU) - 1; i += 2)
		wbuf_printf(w, "%s%.2s", i > 0 ? ":" : "", &DHCP_RPI_MENU[i]);
	wbuf_printf(w, ";\n  option tftp-server-name \"%s\";\n", p->address);
	put_ask(w, "3c,2b,42");
}

static void
put_case(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_case *c)
{
	bool http = c->who == DHCP_HTTP_BOOT;
	bool trust = c->who == DHCP_PXE && p->etherboot_n > 0;

	put_words(w, c);
	wbuf_printf(w, "class \"%s-%s\" {\n", p->prefix, c->name);
	put_match(w, c);
	wbuf_printf(w, "  next-server %s;\n", p->address);
	if (c->who == DHCP_IPXE)
		put_ipxe(w, p, c);
	else if (c->who == DHCP_RPI)
		put_rpi(w, p);
	else
		put_file(w, "  ", c->file, http);
	if (http)
		wbuf_str(w,
		    "  option vendor-class-identifier \"HTTPClient\";  # it takes no answer "
		    "without\n");
	if (trust)
		put_trust(w, p);
	/* firmware asks for 67 and iPXE too; 60 is asked for by some, 175 and 77 by none */
	if (http)
		put_ask(w, "3c,43");
	else if (trust)
		put_ask(w, "43,af,4d");
	wbuf_str(w, "}\n");
}

void
dhcp_render_isc(struct wbuf *w, const struct dhcp_plan *p)
{
	static const char *const how[] = {
		"",
		"Where it goes: a file of its own, included outside of all subnets in",
		"dhcpd.conf:",
		"    include \"/etc/dhcp/bootferry.conf\";",
		"The classes hold for all subnets; next-server and filename there may stay, for",
		"what a class says goes first.",
		"To check: dhcpd -t -cf /etc/dhcp/dhcpd.conf; then boot a machine beside",
		"`ferryctl boots watch`.",
		"",
		"iPXE's options, as iPXE's documents call them; leave them out if they are",
		"there.",
	};

	dhcp_head(w, p, put_line);
	put_lines(w, how, NITEMS(how));
	wbuf_str(w,
	    "option space ipxe;\n"
	    "option ipxe-encap-opts code 175 = encapsulate ipxe;\n"
	    "option ipxe.https code 20 = unsigned integer 8;  # told by an iPXE that has it\n"
	    "option ipxe.trust code 90 = string;  # fingerprints of CAs, for iPXE's start\n");
	for (size_t i = 0; i < p->ncases; i++) {
		if (p->cases[i].who != DHCP_IPXE_PLAIN)
			put_case(w, p, &p->cases[i]);
	}
}

/* --- DHCPv6 ---------------------------------------------------------------------------------- */

#define IS_IPXE6                                                                                   \
	"(substring(option dhcp6.user-class, 2, 4) = \"iPXE\" or\n"                                \
	"      substring(option dhcp6.user-class, 0, 4) = \"iPXE\")"

static void
put_case6(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_case *c)
{
	put_words(w, c);
	wbuf_printf(w, "class \"%s-%s\" {\n  match if ", p->prefix, c->name);
	if (c->who == DHCP_IPXE) {
		wbuf_str(w, IS_IPXE6);
	} else {
		/* 4 octets of the enterprise's number and 2 of length are before the text */
		wbuf_printf(w,
		    "not %s\n    and substring(option dhcp6.vendor-class, 6, %s\"\n    and ",
		    IS_IPXE6, c->who == DHCP_HTTP_BOOT ? "10) = \"HTTPClient" : "9) = \"PXEClient");
		put_archs(w, c, "dhcp6.client-arch-type");
	}
	wbuf_str(w, ";\n  option dhcp6.bootfile-url ");
	dhcp_put_quoted(w, c->file, ISC_SPECIAL);
	wbuf_str(w, ";\n");
	if (c->who == DHCP_HTTP_BOOT)
		wbuf_str(w,
		    "  option dhcp6.vendor-class 343 10 \"HTTPClient\";  # it takes no answer "
		    "without\n");
	wbuf_str(w, "}\n");
}

void
dhcp_render_isc6(struct wbuf *w, const struct dhcp_plan *p)
{
	static const char *const how[] = {
		"",
		"Where it goes: a file of its own, included outside of all subnets in",
		"dhcpd6.conf:",
		"    include \"/etc/dhcp/bootferry6.conf\";",
		"To check: dhcpd -6 -t -cf /etc/dhcp/dhcpd6.conf; then boot a machine beside",
		"`ferryctl boots watch`.",
		"",
	};

	dhcp_head(w, p, put_line);
	put_lines(w, how, NITEMS(how));
	wbuf_str(w, "option dhcp6.user-class code 15 = string;\n"
		    "option dhcp6.vendor-class code 16 = { integer 32, integer 16, string };\n"
		    "option dhcp6.bootfile-url code 59 = string;\n"
		    "option dhcp6.client-arch-type code 61 = string;\n");
	for (size_t i = 0; i < p->ncases; i++)
		put_case6(w, p, &p->cases[i]);
}
