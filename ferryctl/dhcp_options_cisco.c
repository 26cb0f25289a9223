/*
 * Commands for Cisco's IOS and IOS XE, whose DHCP server has one boot file a pool: the class that
 * option 60 gives chooses addresses, nothing else.
 */
#include "ferryctl/dhcp_options.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void
put_line(struct wbuf *w, const char *line)
{
	wbuf_printf(w, "%s%s\n", line[0] != '\0' ? "! " : "!", line);
}

/* "5a20.9faf.1234": as IOS wants hexadecimal digits. */
static void
put_dotted(struct wbuf *w, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < n; i++)
		wbuf_printf(w, "%s%02x", i > 0 && i % 2 == 0 ? "." : "", b[i]);
}

/* A word that the command line takes as it is. */
static bool
is_word(const char *text)
{
	for (; *text != '\0'; text++) {
		if (!isalnum((unsigned char)*text) && strchr(":/._-+=,", *text) == NULL)
			return false;
	}
	return true;
}

/*
 * UEFI builds ask the TFTP server for autoexec.ipxe from January 2022 on: 2.0, and snapshots such
 * as Debian's "1.21.1+git20250501", that are younger.
 */
static bool
asks_for_autoexec(const struct dhcp_loader *l)
{
	const char *git = strstr(l->version, "+git");

	if (l->cpu == ARCH_CPU_BIOS)
		return false;
	if (l->version[0] >= '2' && l->version[0] <= '9')
		return true;
	return git != NULL && strcmp(git + strcspn(git, "0123456789"), "202202") > 0;
}

/* What becomes of iPXE, which gets the boot file's name again. */
static void
put_loop(struct wbuf *w, const struct dhcp_loader *l)
{
	static const char *const by_itself[] = {
		"iPXE gets the name of this loader again when it asks.  This one asks the TFTP",
		"server for autoexec.ipxe before, and Bootferry answers that with the script.",
	};
	static const char *const loops[] = {
		"WARNING: iPXE gets the name of this loader again when it asks, and this one",
		"would load itself for ever.  UEFI builds since 2022 ask the TFTP server for",
		"autoexec.ipxe before, which Bootferry answers with the script: `ferryctl",
		"loaders import` brings such.  BIOS builds do not: they need another DHCP",
		"server, or dhcpproxyd.",
	};
	bool good = asks_for_autoexec(l);
	const char *const *lines = good ? by_itself : loops;

	for (size_t i = 0; i < (good ? NITEMS(by_itself) : NITEMS(loops)); i++)
		put_line(w, lines[i]);
}

static void
put_pool(struct wbuf *w, const struct dhcp_plan *p, const struct dhcp_loader *l)
{
	char line[100];

	(void)snprintf(line, sizeof(line), "The one boot file is that of %s; --arch takes another.",
	    arch_cpu_name(l->cpu));
	put_line(w, line);
	put_loop(w, l);
	wbuf_printf(w, "ip dhcp pool POOL\n next-server %s\n", p->address);
	if (is_word(l->path)) {
		wbuf_printf(w, " bootfile %s\n", l->path);
	} else {
		wbuf_str(w, " option 67 hex ");
		put_dotted(w, l->path, strlen(l->path));
		wbuf_u8(w, '\n');
	}
	if (p->etherboot_n > 0) {
		wbuf_str(w, " option 175 hex ");
		put_dotted(w, p->etherboot, p->etherboot_n);
		wbuf_str(w, "\n exit\n");
		put_line(w, "Option 175 holds the CA's fingerprint for iPXE.  Firmware does not "
			    "ask for it: look");
		put_line(w, "with a capture (tshark -O bootp) whether this release sends it all "
			    "the same.  If not,");
		put_line(w, "iPXE does not trust this site over HTTPS: plain HTTP (http_port) is "
			    "the way then.");
	} else {
		wbuf_str(w, " exit\n");
	}
}

/* Classes by option 60, as far as they go. */
static void
put_classes(struct wbuf *w, const struct dhcp_plan *p)
{
	put_line(w, "");
	put_line(w,
	    "Classes tell clients apart by option 60, and give each an address range of its own.");
	put_line(w,
	    "They are no way to give each a file of its own; so they stand here as comments.  A");
	put_line(w, "pool with classes leaves all others without an address.");
	for (size_t i = 0; i < p->ncases; i++) {
		const struct dhcp_case *c = &p->cases[i];

		for (size_t k = 0; c->who != DHCP_RPI && k < c->narchs; k++) {
			char text[40];

			(void)snprintf(text, sizeof(text), "%s:Arch:%05u",
			    c->who == DHCP_HTTP_BOOT ? "HTTPClient" : "PXEClient", c->archs[k]);
			wbuf_printf(w, "!   ip dhcp class %s-%s-%u\n!    option 60 hex ", p->prefix,
			    c->name, c->archs[k]);
			dhcp_put_hex(w, text, strlen(text), "", "");
			wbuf_printf(w, "*   %s\n", text);
		}
	}
	put_line(w, "  ip dhcp pool POOL");
	put_line(w, "   class NAME");
	put_line(w, "    address range FIRST LAST");
}

void
dhcp_render_cisco(struct wbuf *w, const struct dhcp_plan *p)
{
	static const char *const how[] = {
		"",
		"Where it goes: `configure terminal`; POOL is the pool's name.",
		"To check: show running-config | section dhcp; then boot a machine beside",
		"`ferryctl boots watch`.",
		"",
		"What IOS cannot do: choose the boot file by what the client is.  All clients",
		"of a pool get one name: one CPU and firmware can boot, UEFI HTTP Boot cannot,",
		"and iPXE gets no URL.  Where IOS only relays to a DHCP server, `ip",
		"helper-address` with this boot server's address beside the one that is there",
		"lets dhcpproxyd answer each as it should be.",
		"",
		"Nobody has run this text on a router yet: look at what it made before machines",
		"boot.",
		"",
	};

	dhcp_head(w, p, put_line);
	for (size_t i = 0; i < NITEMS(how); i++)
		put_line(w, how[i]);
	if (p->first != NULL)
		put_pool(w, p, p->first);
	else
		put_line(w, "There is no loader that could be named.");
	put_classes(w, p);
}
