/*
 * ferryctl dhcp-options: what a DHCP server is to be told so that machines boot without any proxy,
 * written in that server's own language.
 *
 * Facts (handlerd's method dhcp.options) become a plan: cases that exclude each other, each with
 * the name or URL that such a client gets.  A renderer a server writes the plan down.  Plan and
 * renderers are pure.
 */
#ifndef FERRYCTL_DHCP_OPTIONS_H
#define FERRYCTL_DHCP_OPTIONS_H

#include "common/arch.h"
#include "common/ident.h"
#include "common/pxe.h"

#include <jansson.h>

#define DHCP_TRUST_MAX   7 /* fingerprints that fit one option 175 */
#define DHCP_TRUST_BYTES 32
#define DHCP_CASE_ARCHS  4
#define DHCP_CASES       (3 + 2 * ARCH_CPUS)
#define DHCP_TEXT_MAX    700 /* a name or URL with its NUL */
#define DHCP_TEXT_ROOM   (128 * 1024)

/* What is told of a loader. */
struct dhcp_loader {
	enum arch_cpu cpu;
	const char *path;       /* below the content root, which is its TFTP name */
	const char *version;    /* of an iPXE, or "" */
	const char *url, *url6; /* for HTTP Boot; NULL: none */
	uint16_t archs[DHCP_CASE_ARCHS], http_archs[DHCP_CASE_ARCHS];
	size_t narchs, nhttp_archs;
};

/* Strings are those of the JSON that was read. */
struct dhcp_facts {
	const char *subnet;                      /* "": all of them */
	struct ipaddr v4, v6;                    /* family 0: none */
	const char *script_url;                  /* https:// */
	const char *script_plain;                /* http://, or NULL */
	const char *script_url6, *script_plain6; /* the same over IPv6, or NULL */
	uint8_t trust[DHCP_TRUST_MAX * DHCP_TRUST_BYTES];
	size_t ntrust; /* fingerprints */
	struct dhcp_loader loaders[ARCH_CPUS];
	size_t nloaders;
};

/* Who asks. */
enum dhcp_who {
	DHCP_IPXE,       /* gets the script's URL over HTTPS */
	DHCP_IPXE_PLAIN, /* one that lacks HTTPS or our fingerprint: over HTTP */
	DHCP_HTTP_BOOT,  /* UEFI HTTP Boot: the loader's URL */
	DHCP_PXE,        /* firmware: the loader's name, by TFTP */
	DHCP_RPI,        /* a Raspberry Pi, which knows its files' names: where they are */
};

struct dhcp_case {
	enum dhcp_who who;
	enum arch_cpu cpu;
	char name[16];                   /* "ipxe", "http-x64", "x64": letters, digits and dashes */
	uint16_t archs[DHCP_CASE_ARCHS]; /* none for iPXE */
	size_t narchs;
	const char *file; /* name or URL */
};

struct dhcp_plan {
	const struct dhcp_facts *facts;
	char prefix[80]; /* of all names that are made up: "bootferry", or with the subnet's name */
	char address[IP_STRLEN];
	bool v6;    /* for DHCPv6 */
	bool split; /* iPXE that trusts us, over HTTPS, and other iPXE are two cases */
	struct dhcp_case cases[DHCP_CASES];
	size_t ncases;
	char urls[ARCH_CPUS][DHCP_TEXT_MAX]; /* DHCPv6: loaders by TFTP */
	uint8_t etherboot[255];              /* what is in option 175 */
	size_t etherboot_n;                  /* 0: no option 175 */
	const struct dhcp_loader *first; /* for servers that can name one loader alone, or NULL */
};

/* How the facts are to be used. */
struct dhcp_wish {
	bool v6;
	bool plain_http; /* every iPXE gets its script over plain HTTP */
	enum arch_cpu
	    cpu; /* the one loader of servers that can name but one; NONE: the best known */
};

/*
 * Reads the result of dhcp.options; views into `o`.  0, or -EINVAL with *ret_why naming the member
 * that is missing or cannot be written into a configuration.
 */
int dhcp_facts_read(const json_t *o, struct dhcp_facts *ret, const char **ret_why);

/*
 * Makes the plan, which points into `facts`.  0, or -EINVAL with *ret_why: there is nothing that
 * such a server could be told.
 */
int dhcp_plan_make(const struct dhcp_facts *facts, const struct dhcp_wish *wish,
    struct dhcp_plan *ret, const char **ret_why);

/* The renderer for a server's name; NULL: there is none (for DHCPv6). */
typedef void dhcp_render_fn(struct wbuf *w, const struct dhcp_plan *p);
struct dhcp_server {
	const char *name;  /* as --for has it */
	const char *title; /* for people */
	dhcp_render_fn *v4, *v6;
};
extern const struct dhcp_server dhcp_servers[];
extern const size_t dhcp_nservers;

dhcp_render_fn dhcp_render_kea, dhcp_render_kea6, dhcp_render_isc, dhcp_render_isc6,
    dhcp_render_dnsmasq, dhcp_render_dnsmasq6, dhcp_render_microsoft, dhcp_render_mikrotik,
    dhcp_render_cisco;

/* --- what renderers share --------------------------------------------------------------------- */

/* What stands at the head of each, a call a line. */
typedef void dhcp_line_fn(struct wbuf *w, const char *line);
void dhcp_head(struct wbuf *w, const struct dhcp_plan *p, dhcp_line_fn *put);
/* What a case is, for a comment. */
const char *dhcp_case_words(const struct dhcp_case *c, char buf[static 160]);
/* A name or URL that fits the header's field `file`. */
bool dhcp_fits_header(const char *file);
/* "9f:af:..." or, without separator, "9faf...", or "0x9f,0xaf", by what goes before and between. */
void dhcp_put_hex(
    struct wbuf *w, const void *bytes, size_t n, const char *before, const char *between);
/* Text between double quotes, where a back-slash goes before each of `special`. */
void dhcp_put_quoted(struct wbuf *w, const char *text, const char *special);

/*
 * A user class (option 77) for firmware, with the fingerprint.  iPXE starts with the firmware's
 * packets as settings and repeats the user class in its own requests: so the server can tell an
 * iPXE that knows the fingerprint from a network card's ROM that does not.
 */
#define DHCP_MARK "iPXE-trust"

/* DHCPv6's option 16 in answers to HTTP Boot: enterprise 343 (Intel), a length, "HTTPClient". */
#define DHCP6_HTTP_CLASS "00000157000a48545450436c69656e74"

/* Option 43 for a Raspberry Pi, which goes on for its text alone (see common/reply.c). */
#define DHCP_RPI_MENU "0601030a0400505845091400001152617370626572727920506920426f6f74ff"

#endif
