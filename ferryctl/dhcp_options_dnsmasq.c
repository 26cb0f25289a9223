/* dnsmasq's configuration. */
#include "ferryctl/dhcp_options.h"

#include <stdio.h>

#define DNSMASQ_SPECIAL "\"\\"

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

/* --- DHCPv4 ---------------------------------------------------------------------------------- */

/* "tag:bootferry-x64,tag:!bootferry-ipxe,": the tags that make this case. */
static void
put_tags(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_case *c)
{
	const char *x = p->prefix;

	switch (c->who) {
	case DHCP_IPXE:
		wbuf_printf(w, "tag:%s-ipxe,", x);
		if (p->split)
			wbuf_printf(w, "tag:%s-https,tag:%s-trust,", x, x);
		break;
	case DHCP_IPXE_PLAIN: wbuf_printf(w, "tag:%s-ipxe,tag:%s-plain,", x, x); break;
	default: wbuf_printf(w, "tag:%s-%s,tag:!%s-ipxe,", x, c->name, x); break;
	}
	if (c->cpu == ARCH_CPU_BIOS || c->who == DHCP_RPI)
		wbuf_printf(w, "tag:%s%s-pi,", c->who == DHCP_RPI ? "" : "!", x);
}

static void
put_forced(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_case *c, unsigned code)
{
	wbuf_str(w, "dhcp-option-force=");
	put_tags(w, p, c);
	wbuf_printf(w, "%u,", code);
}

/* What a Raspberry Pi reads: where the server is, and a menu's text that makes it go on. */
static void
put_rpi(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_case *c)
{
	put_forced(w, p, c, 60);
	wbuf_str(w, "PXEClient\n");
	put_forced(w, p, c, 43);
	for (size_t i = 0; i < sizeof(DHCP_RPI_MENU) - 1; i += 2)
		wbuf_printf(w, "%s%.2s", i > 0 ? ":" : "", &DHCP_RPI_MENU[i]);
	wbuf_u8(w, '\n');
	/* dnsmasq puts a NUL after it, which most models want and the ROM of a Pi 3 minds */
	put_forced(w, p, c, 66);
	wbuf_printf(w, "\"%s\"\n", p->address);
}

static void
put_case(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_case *c)
{
	char words[160];

	wbuf_u8(w, '\n');
	put_line(w, dhcp_case_words(c, words));
	for (size_t i = 0; i < c->narchs; i++)
		wbuf_printf(w, "dhcp-match=set:%s-%s,option:client-arch,%u\n", p->prefix, c->name,
		    c->archs[i]);
	wbuf_str(w, "dhcp-boot=");
	put_tags(w, p, c);
	if (c->who != DHCP_RPI && dhcp_fits_header(c->file))
		dhcp_put_quoted(w, c->file, DNSMASQ_SPECIAL);
	wbuf_printf(w, ",,%s\n", p->address);
	if (c->who == DHCP_RPI) {
		put_rpi(w, p, c);
		return;
	}
	if (c->who == DHCP_HTTP_BOOT) {
		/* it takes no answer without */
		put_forced(w, p, c, 60);
		wbuf_str(w, "HTTPClient\n");
	}
	if (c->who == DHCP_HTTP_BOOT || !dhcp_fits_header(c->file)) {
		put_forced(w, p, c, 67);
		dhcp_put_quoted(w, c->file, DNSMASQ_SPECIAL);
		wbuf_u8(w, '\n');
	}
	if (c->who == DHCP_PXE && p->etherboot_n > 0) {
		put_forced(w, p, c, 175);
		dhcp_put_hex(w, p->etherboot, p->etherboot_n, "", ":");
		wbuf_u8(w, '\n');
		put_forced(w, p, c, 77);
		wbuf_str(w, "\"" DHCP_MARK "\"\n");
	}
}

void
dhcp_render_dnsmasq(struct wbuf *w, const struct dhcp_plan *p)
{
	static const char *const how[] = {
		"",
		"Where it goes: /etc/dnsmasq.d/bootferry.conf, or the main file.  What else",
		"names a boot file (dhcp-boot without tag, pxe-service, enable-tftp) is to go.",
		"To check: dnsmasq --test; then boot a machine beside `ferryctl boots watch`.",
		"",
		"The name stands in the answer's header, where shim and old firmware look.",
	};
	const char *x = p->prefix;

	dhcp_head(w, p, put_line);
	put_lines(w, how, NITEMS(how));
	wbuf_str(w, "dhcp-no-override\n\n");
	put_line(w, "iPXE, told by its user class (77) or its own options (175).");
	wbuf_printf(w, "dhcp-userclass=set:%s-ipxe,iPXE\n", x);
	wbuf_printf(w, "dhcp-userclass=set:%s-ipxe,gPXE\n", x);
	wbuf_printf(w, "dhcp-match=set:%s-ipxe,175\n", x);
	if (p->split) {
		put_line(w,
		    "Option 175 tells HTTPS by an octet 20; the user class is what firmware was");
		put_line(w, "given below with the fingerprint, and iPXE repeats it.");
		wbuf_printf(w, "dhcp-match=set:%s-https,175,20\n", x);
		wbuf_printf(w, "dhcp-userclass=set:%s-trust," DHCP_MARK "\n", x);
		wbuf_printf(w, "tag-if=set:%s-plain,tag:!%s-https\n", x, x);
		wbuf_printf(w, "tag-if=set:%s-plain,tag:!%s-trust\n", x, x);
	}
	put_line(w, "A Raspberry Pi says that it is x86 BIOS, and must not get an x86 program.");
	for (size_t i = 0; i < PXE_RPI_OUIS; i++) {
		wbuf_printf(w, "dhcp-mac=set:%s-pi,", x);
		dhcp_put_hex(w, pxe_rpi_ouis[i], 3, "", ":");
		wbuf_str(w, ":*:*:*\n");
	}
	for (size_t i = 0; i < p->ncases; i++)
		put_case(w, p, &p->cases[i]);
}

/* --- DHCPv6 ---------------------------------------------------------------------------------- */

static void
put_forced6(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_case *c, unsigned code)
{
	wbuf_str(w, "dhcp-option-force=");
	put_tags(w, p, c);
	wbuf_printf(w, "option6:%u,", code);
}

static void
put_case6(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_case *c)
{
	char words[160];

	wbuf_u8(w, '\n');
	put_line(w, dhcp_case_words(c, words));
	for (size_t i = 0; i < c->narchs; i++)
		wbuf_printf(w, "dhcp-vendorclass=set:%s-%s,enterprise:343,%s:Arch:%05u\n",
		    p->prefix, c->name, c->who == DHCP_HTTP_BOOT ? "HTTPClient" : "PXEClient",
		    c->archs[i]);
	if (c->who == DHCP_HTTP_BOOT) {
		/*
		 * dnsmasq 2.90 writes this option as strings with their lengths and has no way to
		 * write the enterprise's number before them.  edk2 looks at the text from the
		 * seventh octet on: so a string of two characters takes the number's place.
		 */
		put_line(w, "HTTP Boot takes no answer without option 16 = HTTPClient; \"--\" "
			    "stands where");
		put_line(w, "the enterprise's number is, which dnsmasq cannot write and edk2 does "
			    "not read.");
		put_forced6(w, p, c, 16);
		wbuf_str(w, "\"--\",\"HTTPClient\"\n");
	}
	put_forced6(w, p, c, 59);
	dhcp_put_quoted(w, c->file, DNSMASQ_SPECIAL);
	wbuf_u8(w, '\n');
}

void
dhcp_render_dnsmasq6(struct wbuf *w, const struct dhcp_plan *p)
{
	static const char *const how[] = {
		"",
		"Where it goes: /etc/dnsmasq.d/bootferry6.conf, or the main file.",
		"To check: dnsmasq --test; then boot a machine beside `ferryctl boots watch`.",
		"",
	};

	dhcp_head(w, p, put_line);
	put_lines(w, how, NITEMS(how));
	put_line(w, "iPXE, told by its user class (15).");
	wbuf_printf(w, "dhcp-userclass=set:%s-ipxe,iPXE\n", p->prefix);
	for (size_t i = 0; i < p->ncases; i++)
		put_case6(w, p, &p->cases[i]);
}
