/* PowerShell for the DHCP server of Windows (2012 and later, module DhcpServer). */
#include "ferryctl/dhcp_options.h"

#include <stdio.h>
#include <string.h>

/*
 * A text in single quotes, where a quote is written twice.  PowerShell takes the typographic ones
 * (U+2018 to U+201B, in UTF-8 e2 80 98 to 9b) for quotes as well.
 */
static void
put_quoted(struct wbuf *w, const char *text)
{
	wbuf_u8(w, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			wbuf_u8(w, '\'');
		else if (strncmp(text, "\xe2\x80", 2) == 0 && (uint8_t)text[2] >= 0x98 &&
			 (uint8_t)text[2] <= 0x9b)
			wbuf_bytes(w, text, 3);
		wbuf_u8(w, (uint8_t)*text);
	}
	wbuf_u8(w, '\'');
}

static void
put_line(struct wbuf *w, const char *line)
{
	wbuf_printf(w, "%s%s\n", line[0] != '\0' ? "# " : "#", line);
}

static void
put_value(
    struct wbuf *w, const struct dhcp_plan *p, const char *name, unsigned code, const char *text)
{
	wbuf_printf(w,
	    "Set-DhcpServerv4OptionValue @Where -PolicyName '%s-%s' -OptionId %u -Value ",
	    p->prefix, name, code);
	put_quoted(w, text);
	wbuf_u8(w, '\n');
}

static void
put_policy(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_case *c, unsigned order)
{
	const char *x = p->prefix;
	char words[160];

	wbuf_u8(w, '\n');
	put_line(w, dhcp_case_words(c, words));
	if (c->who == DHCP_IPXE) {
		wbuf_printf(
		    w, "Add-DhcpServerv4Class -Name '%s-ipxe' -Type User -Data 'iPXE'\n", x);
		wbuf_printf(w,
		    "Add-DhcpServerv4Policy @Where -Name '%s-ipxe' -Condition OR -UserClass "
		    "EQ,'%s-ipxe' -ProcessingOrder %u\n",
		    x, x, order);
	} else {
		for (size_t i = 0; i < c->narchs; i++)
			wbuf_printf(w,
			    "Add-DhcpServerv4Class -Name '%s-arch-%u' -Type Vendor -Data "
			    "'%s:Arch:%05u'\n",
			    x, c->archs[i], c->who == DHCP_HTTP_BOOT ? "HTTPClient" : "PXEClient",
			    c->archs[i]);
		/* the star: the class's text is only how the client's begins */
		wbuf_printf(w,
		    "Add-DhcpServerv4Policy @Where -Name '%s-%s' -Condition OR -VendorClass EQ", x,
		    c->name);
		for (size_t i = 0; i < c->narchs; i++)
			wbuf_printf(w, ",'%s-arch-%u*'", x, c->archs[i]);
		wbuf_printf(w, " -ProcessingOrder %u\n", order);
	}
	put_value(w, p, c->name, 66, p->address);
	put_value(w, p, c->name, 67, c->file);
	if (c->who == DHCP_HTTP_BOOT)
		put_value(w, p, c->name, 60, "HTTPClient");
}

void
dhcp_render_microsoft(struct wbuf *w, const struct dhcp_plan *p)
{
	static const char *const how[] = {
		"",
		"Where it goes: a PowerShell with the rights of an administrator, on the DHCP",
		"server.",
		"$Where = @{} makes policies of the whole server, @{ ScopeId = '10.0.0.0' } of",
		"a scope.",
		"Options 66 and 67 become the server and the file name of the answer's header;",
		"66 is an address, as UEFI reads no names.  Policies are tried in their order:",
		"iPXE first.",
		"To check: Get-DhcpServerv4Policy @Where; Get-DhcpServerv4OptionValue @Where",
		"-PolicyName NAME; then boot a machine beside `ferryctl boots watch`.",
		"",
		"What this server cannot do: send an option that the client did not ask for.",
		"Firmware does not ask for 175, so an iPXE that it starts never learns the CA's",
		"fingerprint, and refuses this site over HTTPS.  Ways out: plain HTTP",
		"(httpsbootd's http_port; print this again then), a loader that was built with",
		"the CA, or dhcpproxyd beside this server.",
		"A Raspberry Pi says that it is x86 BIOS and gets that loader, which does it no",
		"good.",
		"",
		"Nobody has run this text on Windows yet: look at what it made before machines",
		"boot.",
	};
	unsigned order = 1;

	dhcp_head(w, p, put_line);
	for (size_t i = 0; i < NITEMS(how); i++)
		put_line(w, how[i]);
	wbuf_str(w, "\n$ErrorActionPreference = 'Stop'\n$Where = @{}\n");
	for (size_t i = 0; i < p->ncases; i++) {
		if (p->cases[i].who == DHCP_HTTP_BOOT) {
			wbuf_str(w, "if (-not (Get-DhcpServerv4OptionDefinition -OptionId 60 "
				    "-ErrorAction SilentlyContinue)) {\n"
				    "    Add-DhcpServerv4OptionDefinition -OptionId 60 -Name "
				    "'VendorClassIdentifier' -Type String\n}\n");
			break;
		}
	}
	for (size_t i = 0; i < p->ncases; i++) {
		struct dhcp_case c = p->cases[i];

		if (c.who == DHCP_IPXE_PLAIN || c.who == DHCP_RPI)
			continue;
		/* without the fingerprint HTTPS is the way only if there is no other */
		if (c.who == DHCP_IPXE && p->facts->script_plain != NULL)
			c.file = p->facts->script_plain;
		put_policy(w, p, &c, order++);
	}
}
