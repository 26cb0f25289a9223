/* The decision; see decide.h. */
#include "handlerd/decide.h"

#include "common/arch.h"
#include "handlerd/script.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* iPXE asks for this by itself, in the folder of its loader or in the root. */
#define AUTOEXEC "autoexec.ipxe"

struct decision {
	const struct boot_request *r;
	const struct policy *policy;
	const struct facts *facts;
	struct wbuf *scratch;
	struct boot_answer *a;
};

static void
ignore(const struct decision *d, enum boot_reason reason)
{
	d->a->action = ACTION_IGNORE;
	d->a->reason = reason;
}

static void
refuse(const struct decision *d, enum boot_error error, enum boot_reason reason, const char *text)
{
	d->a->action = ACTION_ERROR;
	d->a->error = error;
	d->a->reason = reason;
	d->a->text = slice_str(text);
}

/* What was written to the scratch space since `start`; too much of it becomes a refusal. */
static bool
take_scratch(const struct decision *d, size_t start, struct slice *ret)
{
	if (d->scratch->bad) {
		refuse(d, BOOT_ERROR_UNAVAILABLE, REASON_TOO_LONG, "the answer is too long");
		return false;
	}
	*ret = (struct slice){ d->scratch->p + start, d->scratch->used - start };
	return true;
}

static void
put_host(struct wbuf *w, const char *host)
{
	bool v6 = strchr(host, ':') != NULL;

	wbuf_printf(w, "%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "");
}

/* "https://host:8050/" or "http://...", by the port that is to be used. */
static void
put_base(struct wbuf *w, const struct web *web, bool secure, bool by_ip)
{
	wbuf_str(w, secure ? "https://" : "http://");
	put_host(w, by_ip ? web->ip : web->host);
	wbuf_printf(w, ":%u/", secure ? web->port : web->http_port);
}

enum arch_cpu
request_cpu(const struct boot_request *r, uint16_t boot_arch)
{
	static const struct {
		const char *buildarch;
		enum arch_cpu cpu;
	} table[] = {
		{ "i386", ARCH_CPU_IA32 },
		{ "x86_64", ARCH_CPU_X64 },
		{ "arm32", ARCH_CPU_ARM32 },
		{ "arm64", ARCH_CPU_ARM64 },
		{ "riscv64", ARCH_CPU_RISCV64 },
		{ "loong64", ARCH_CPU_LOONG64 },
	};

	if (slice_is(r->platform, "pcbios"))
		return ARCH_CPU_BIOS;
	for (size_t i = 0; i < NITEMS(table); i++) {
		if (slice_is(r->buildarch, table[i].buildarch))
			return table[i].cpu;
	}
	return arch_find(r->arch != ARCH_UNKNOWN ? r->arch : boot_arch)->cpu;
}

static void
offer(const struct decision *d, enum offer_style style, struct slice file, enum boot_reason reason)
{
	d->a->action = ACTION_OFFER;
	d->a->style = style;
	d->a->file = file;
	d->a->reason = reason;
	d->a->trust = d->facts->web.trust;
}

/* iPXE: the boot URL.  HTTPS if it can do that and has a reason to trust us, else plain HTTP. */
static void
offer_script(const struct decision *d)
{
	const struct facts *f = d->facts;
	bool plain = f->web.http_port != 0;
	bool can = (d->r->ipxe_features & IPXE_FEATURE_HTTPS) != 0 || !d->r->has_ipxe_features;
	bool secure = can && (f->trusted || !plain) && !(f->by_http && plain);
	size_t start = d->scratch->used;
	struct slice url;

	if (!can && !plain) {
		ignore(d, REASON_NO_HTTPS);
		return;
	}
	put_base(d->scratch, &f->web, secure, false);
	wbuf_str(d->scratch, "2PXE/boot");
	if (take_scratch(d, start, &url))
		offer(d, OFFER_IPXE, url,
		    secure ? REASON_SCRIPT_URL
		    : can  ? REASON_SCRIPT_URL_UNTRUSTED
			   : REASON_SCRIPT_URL_HTTP);
}

/* A loader that could never reach its script would only end another server's chance. */
static bool
is_dead_end(const struct facts *f)
{
	return f->loader->info.kind == LOADER_IPXE && f->loader->info.https == LOADER_HTTPS_NO &&
	       f->web.http_port == 0;
}

static void
offer_loader(const struct decision *d)
{
	const struct arch *arch = arch_find(d->r->arch);
	const struct facts *f = d->facts;

	if (f->loader == NULL) {
		ignore(d, arch->kind == ARCH_KIND_NONE ? REASON_UNKNOWN_ARCH : REASON_NO_LOADER);
		return;
	}
	if (is_dead_end(f)) {
		ignore(d, REASON_NO_HTTPS);
		return;
	}
	d->a->server = f->tftp;
	offer(d, arch->kind == ARCH_KIND_BIOS ? d->policy->bios_style : d->policy->uefi_style,
	    slice_str(f->loader->path), REASON_LOADER);
}

/* UEFI HTTP Boot: the loader's URL, by address, as a name would need DNS from the DHCP server. */
static void
offer_url(const struct decision *d)
{
	const struct facts *f = d->facts;
	bool secure = f->web.http_port == 0;
	size_t start = d->scratch->used;
	struct slice url;

	if (f->loader == NULL) {
		ignore(d, REASON_NO_LOADER);
		return;
	}
	put_base(d->scratch, &f->web, secure, !secure);
	wbuf_printf(d->scratch, "2PXE/file/%s", f->loader->path);
	if (take_scratch(d, start, &url))
		offer(d, OFFER_HTTP, url, secure ? REASON_LOADER_HTTPS : REASON_LOADER);
}

static void
deliver_script(const struct decision *d, size_t start, enum boot_reason reason)
{
	if (!take_scratch(d, start, &d->a->data))
		return;
	d->a->action = ACTION_DATA;
	d->a->reason = reason;
}

/* The base URL as a string in the scratch space, by the port that the client uses already. */
static const char *
script_base(const struct decision *d, bool secure)
{
	size_t start = d->scratch->used;

	put_base(d->scratch, &d->facts->web, secure, false);
	wbuf_u8(d->scratch, '\0');
	return d->scratch->bad ? "" : (const char *)d->scratch->p + start;
}

/*
 * Whether a script's URLs are to be HTTPS: as the client came, and for one that came by TFTP, if
 * its loader can do that and was given a reason to trust us.
 */
static bool
is_secure(const struct decision *d)
{
	const struct facts *f = d->facts;

	if (d->r->via == VIA_HTTPS || f->web.http_port == 0)
		return true;
	if (d->r->via == VIA_HTTP || f->by_http || !f->trusted)
		return false;
	return f->loader == NULL || f->loader->info.https != LOADER_HTTPS_NO;
}

static struct script_ctx
script_ctx_of(const struct decision *d)
{
	enum arch_cpu cpu = request_cpu(d->r, d->facts->arch);

	return (struct script_ctx){
		.base = script_base(d, is_secure(d)),
		.boot = d->facts->boot,
		.params = d->r->params,
		.client = {
			.cpu = cpu,
			.firmware = cpu == ARCH_CPU_BIOS   ? ENTRY_BIOS
				    : cpu == ARCH_CPU_NONE ? ENTRY_ANY_FIRMWARE
							   : ENTRY_UEFI,
			.memory_mb = script_memory_mb(d->r->params),
		},
	};
}

static void
give_collector(const struct decision *d)
{
	const struct script_ctx ctx = script_ctx_of(d);
	size_t start = d->scratch->used;

	script_collect(d->scratch, &ctx);
	deliver_script(d, start, REASON_COLLECT);
}

/* The parameter "entry" of the form, if it is a name. */
static bool
chosen_entry(struct slice form, char ret[static IMAGE_NAME_MAX])
{
	static const char key[] = "entry=";
	size_t n = sizeof(key) - 1;

	for (size_t at = 0; at + n < form.n; at++) {
		struct slice v = { form.p + at + n, 0 };

		if ((at > 0 && form.p[at - 1] != '&') || memcmp(form.p + at, key, n) != 0)
			continue;
		while (at + n + v.n < form.n && v.p[v.n] != '&')
			v.n++;
		return v.n < IMAGE_NAME_MAX && slice_copy(ret, IMAGE_NAME_MAX, v) == v.n &&
		       image_name_valid(ret);
	}
	return false;
}

static void
decide_boot(const struct decision *d)
{
	const struct choices choices = { .images = d->facts->images, .nimages = d->facts->nimages };
	char title[64 + 1], standing[IMAGE_NAME_MAX], empty[] = "", name[] = "all";
	const struct menu menu = {
		.name = name,
		.title = title,
		.standing = standing,
		.timeout_ms = d->policy->menu_timeout_ms,
		.picture = empty,
		.text_colour = empty,
		.background_colour = empty,
		.selected_colour = empty,
		.selected_background = empty,
	};
	char chosen[IMAGE_NAME_MAX];
	struct script_ctx ctx;
	struct choice c;
	size_t start;

	if (d->r->mac.len == 0 && !d->r->has_uuid) {
		give_collector(d);
		return;
	}
	slice_copy(title, sizeof(title), slice_str(d->policy->menu_title));
	slice_copy(standing, sizeof(standing), slice_str(d->policy->menu_default));
	ctx = script_ctx_of(d);
	start = d->scratch->used;
	if (chosen_entry(d->r->params, chosen) && choices_find(&choices, chosen, &c) == 0 &&
	    choice_suits(c, &ctx.client)) {
		script_entry(d->scratch, &ctx, c);
		deliver_script(d, start, REASON_MENU);
		return;
	}
	if (!script_menu_has_any(&ctx, &choices, &menu)) {
		script_message(d->scratch, &ctx,
		    "Bootferry: there is no image for this machine on the server\n"
		    "Bootferry: ferryctl images add ... makes one\n",
		    SCRIPT_LEAVE);
		deliver_script(d, start, REASON_NO_IMAGE);
		return;
	}
	script_menu(d->scratch, &ctx, &choices, &menu, NULL);
	deliver_script(d, start, REASON_MENU);
}

static void
decide_file(const struct decision *d)
{
	const struct facts *f = d->facts;

	if (f->path_rc == -EACCES)
		refuse(d, BOOT_ERROR_FORBIDDEN, REASON_BAD_NAME, "not a public name");
	else if (f->path_rc < 0)
		refuse(d, BOOT_ERROR_NOT_FOUND, REASON_BAD_NAME, "not a name of a file");
	else if (f->file_rc == 0 || f->file_rc == -ENOSYS) {
		d->a->action = ACTION_FILE;
		d->a->reason = REASON_PUBLIC_FILE;
		d->a->file = slice_str(f->path);
	} else if (strcasecmp(path_base(f->path), AUTOEXEC) == 0)
		/* the site has none of its own: lead iPXE to the boot request */
		give_collector(d);
	else if (f->file_rc == -EACCES)
		refuse(d, BOOT_ERROR_FORBIDDEN, REASON_BAD_NAME, "not below the content root");
	else
		refuse(d, BOOT_ERROR_NOT_FOUND, REASON_NO_SUCH_FILE, "no such file");
}

static void
decide_discover(const struct decision *d)
{
	switch (d->r->client) {
	case CLIENT_IPXE: offer_script(d); break;
	case CLIENT_PXE: offer_loader(d); break;
	case CLIENT_HTTP: offer_url(d); break;
	default: ignore(d, REASON_NOT_A_BOOT); break;
	}
}

void
decide(const struct boot_request *r, const struct policy *policy, const struct facts *facts,
    struct wbuf *scratch, struct boot_answer *ret)
{
	const struct decision d = { r, policy, facts, scratch, ret };

	*ret = (struct boot_answer){ .boot = facts->boot, .rule = slice_str("default") };
	switch (r->stage) {
	case STAGE_DISCOVER:
	case STAGE_BOOTSERVER: decide_discover(&d); break;
	case STAGE_FILE: decide_file(&d); break;
	case STAGE_BOOT: decide_boot(&d); break;
	case STAGE_REPORT: {
		size_t start = scratch->used;

		script_empty(scratch);
		deliver_script(&d, start, REASON_REPORT);
		break;
	}
	default: ignore(&d, REASON_NOT_A_BOOT); break;
	}
}
