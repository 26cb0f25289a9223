/* Answers to DHCP: which loader, which URL, or none; see decide.h. */
#include "handlerd/decision.h"

#include "common/pxe.h"
#include "handlerd/admission.h"
#include "handlerd/extra.h"

#include <string.h>

#define LOADERS_MAX ADAPT_LOADERS
/* Who comes so soon after it fetched a loader is that loader: seen after 3 s, and it asks for 15 s.
 */
#define NEWER_MS 30000

static void
offer(const struct deciding *d, enum offer_style style, struct slice file, enum boot_reason reason)
{
	d->a->action = ACTION_OFFER;
	d->a->style = style;
	d->a->file = file;
	d->a->reason = reason;
	/* DHCPv6 has no counterpart of option 175: it carries no fingerprint */
	if (d->r->server.family != 6)
		d->a->trust = d->facts->web.trust;
}

/* A loader that could never reach its script would only end another server's chance. */
static bool
is_dead_end(const struct facts *f, const struct loader *l)
{
	return l->info.kind == LOADER_IPXE && l->info.https == LOADER_HTTPS_NO &&
	       f->web.http_port == 0;
}

static const struct loader *
find_loader(const struct facts *f, const char *path)
{
	for (size_t i = 0; i < f->nloaders; i++) {
		if (strcmp(f->loaders[i].path, path) == 0)
			return &f->loaders[i];
	}
	return NULL;
}

static size_t
list_named(const struct facts *f, const struct config_strings *paths,
    const struct loader *list[static LOADERS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < paths->n && n < LOADERS_MAX; i++) {
		const struct loader *l = find_loader(f, paths->v[i]);

		if (l != NULL && !is_dead_end(f, l))
			list[n++] = l;
	}
	return n;
}

/*
 * A Raspberry Pi says that it is a BIOS PC, and could run nothing that is meant for one: of what a
 * rule or the site names only its own counts.
 */
static size_t
keep_rpi(const struct loader *list[static LOADERS_MAX], size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (list[i]->info.cpu == ARCH_CPU_RPI)
			list[kept++] = list[i];
	}
	return kept;
}

/* The loaders for this request in order of preference: a rule's, the site's, the best there are. */
static size_t
list_loaders(const struct deciding *d, const struct rule_conf *rule, bool *ret_dead,
    const struct loader *list[static LOADERS_MAX])
{
	const struct facts *f = d->facts;
	enum arch_cpu cpu = f->subject.cpu;
	size_t n = 0;

	*ret_dead = false;
	if (rule != NULL || d->policy->loaders[cpu] != NULL) {
		n = list_named(f, rule != NULL ? &rule->loaders : d->policy->loaders[cpu], list);
		return cpu == ARCH_CPU_RPI ? keep_rpi(list, n) : n;
	}
	for (const struct loader *l = f->best[cpu];
	     l != NULL && l < f->loaders + f->nloaders && l->info.cpu == cpu && n < LOADERS_MAX;
	     l++) {
		if (is_dead_end(f, l))
			*ret_dead = true;
		else
			list[n++] = l;
	}
	return n;
}

/*
 * iPXE that cannot do HTTPS, such as a network card's ROM of 2019, where plain HTTP is off: like
 * firmware it loads an iPXE that can, and with this offer that one has its reason to trust us.
 */
static void
offer_newer(const struct deciding *d)
{
	const struct loader *list[LOADERS_MAX];
	bool dead;
	size_t n = list_loaders(d, NULL, &dead, list);

	/* of some loaders it cannot be seen that they lack it, too */
	if (d->facts->loop_until_ms > d->facts->now_ms) {
		answer_ignore(d, REASON_LOOP);
		return;
	}
	if (d->facts->loader_ms != 0 && d->facts->now_ms - d->facts->loader_ms < NEWER_MS)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		/* DHCPv6 would bring it no fingerprint */
		if (list[i]->info.kind != LOADER_IPXE || d->r->server.family == 6)
			continue;
		if (d->facts->tftp_other_family) {
			answer_ignore(d, REASON_OTHER_FAMILY);
			return;
		}
		d->a->server = d->facts->tftp;
		offer(d, OFFER_IPXE, slice_str(list[i]->path), REASON_LOADER_NEWER);
		return;
	}
	answer_ignore(d, REASON_NO_HTTPS);
}

/*
 * Where iPXE asks when it knows none of the roots that it is shown.  Its own answer to that is a
 * server in the Internet, for whose name it waits 15 s where there is no DNS; by address, over
 * plain HTTP, ours answers at once, if only that it has none.
 */
static void
add_crosscert(const struct deciding *d)
{
	const char *conf = d->policy->conf.crosscert;
	size_t start = d->scratch->used;
	struct slice url = slice_str(conf);

	if (slice_is(url, "own")) {
		if (d->facts->web.http_port == 0 || d->facts->web.other_family)
			return;
		put_base(d->scratch, &d->facts->web, false, true);
		wbuf_str(d->scratch, "auto");
		if (d->scratch->bad)
			return;
		url = (struct slice){ d->scratch->p + start, d->scratch->used - start };
	}
	d->a->crosscert = url;
}

/* iPXE: the boot URL.  HTTPS if it can do that and has a reason to trust us, else plain HTTP. */
static void
offer_script(const struct deciding *d)
{
	const struct facts *f = d->facts;
	bool plain = f->web.http_port != 0;
	bool can = (d->r->ipxe_features & IPXE_FEATURE_HTTPS) != 0 || !d->r->has_ipxe_features;
	bool secure = can && (is_trusted(f) || !plain) && !(f->by_http && plain);
	size_t start = d->scratch->used;
	struct slice url;

	/* by name, or over the other version, if the client has got that, too */
	if (f->web.other_family && strcmp(f->web.host, f->web.ip) == 0) {
		answer_ignore(d, REASON_OTHER_FAMILY);
		return;
	}
	if (!can && !plain) {
		offer_newer(d);
		return;
	}
	put_base(d->scratch, &f->web, secure, false);
	wbuf_str(d->scratch, "2PXE/boot");
	if (!answer_take(d, start, &url))
		return;
	offer(d, OFFER_IPXE, url,
	    secure ? REASON_SCRIPT_URL
	    : can  ? REASON_SCRIPT_URL_UNTRUSTED
		   : REASON_SCRIPT_URL_HTTP);
	/* DHCPv6 has no counterpart of option 175 */
	if (can && d->r->server.family != 6)
		add_crosscert(d);
}

/* The one among them that experience speaks for. */
static const struct loader *
choose_loader(const struct deciding *d, const struct loader *const *list, size_t n)
{
	const struct subject *s = &d->facts->subject;
	struct decision *out = d->out;
	char key[ADAPT_KEY_MAX];

	for (size_t i = 0; i < n; i++)
		out->loaders[i] = (struct loader_choice){ list[i]->path, list[i]->size };
	(void)adapt_key(s->manufacturer, s->product, &s->mac, s->vendor_class, s->arch, key);
	out->loader_at = adapt_choose(
	    d->facts->adapt, key, &s->mac, out->loaders, n, d->facts->now_ms, &out->loader_why);
	out->effects |= EFFECT_LOADER;
	return list[out->loader_at];
}

/* The style of a rule, or of the configuration for this kind of firmware. */
static enum offer_style
fixed_style(const struct deciding *d, const struct rule_conf *rule)
{
	/* the names of a rule's styles have one before them for "by firmware" */
	if (rule != NULL && rule->style > 0)
		return policy_style(rule->style - 1);
	/* by the CPU, which also tells what a number that nobody knows is taken for */
	return policy_style(d->facts->subject.cpu == ARCH_CPU_BIOS ? d->policy->conf.offer_bios
								   : d->policy->conf.offer_uefi);
}

/*
 * The style that experience speaks for, if it is firmware that has a choice and no rule names one.
 */
static enum offer_style
choose_style(const struct deciding *d, enum offer_style fixed, bool by_rule)
{
	const struct facts *f = d->facts;
	enum offer_style list[STYLES_MAX];
	bool http = d->r->client == CLIENT_HTTP;
	struct decision *out = d->out;
	enum styles_kind kind;
	size_t n;

	out->style_first = fixed;
	out->style_why = STYLE_RULE;
	/* DHCPv6 has no styles */
	if (by_rule || !d->policy->conf.offer_adapt || (d->r->client != CLIENT_PXE && !http) ||
	    d->r->server.family == 6 || !styles_kind_of(d->r->arch, http, &kind))
		return fixed;
	n = styles_list(kind, fixed, list);
	out->effects |= EFFECT_STYLE;
	return list[styles_choose(
	    f->styles, &f->subject.mac, http, f->firmware, list, n, f->now_ms, &out->style_why)];
}

/* Firmware that is about to load from a tftpd that has its hands full waits a little. */
static void
delay_offer(const struct deciding *d)
{
	const struct facts *f = d->facts;
	uint32_t from = (uint32_t)d->policy->conf.admission_permille;
	size_t start = d->scratch->used;

	if (from == 0 || f->tftp_load < from)
		return;
	d->a->delay_ms = admission_delay_ms(f->tftp_load, from, d->r, f->subject.cpu);
	if (d->a->delay_ms == 0)
		return;
	admission_words(d->scratch, d->a->delay_ms, f->tftp_subnet, f->tftp_load);
	if (d->scratch->bad)
		d->a->delay_ms = 0; /* rather no delay than no offer */
	else
		(void)answer_take(d, start, &d->out->delay_words);
}

static void
offer_path(const struct deciding *d, const struct loader *l, enum offer_style style)
{
	enum boot_reason reason = d->out->loader_why != ADAPT_PREFERRED ? REASON_LOADER_LEARNED
	                          : style != d->out->style_first        ? REASON_STYLE_LEARNED
	                                                                : REASON_LOADER;

	if (d->facts->tftp_other_family) {
		answer_ignore(d, REASON_OTHER_FAMILY);
		return;
	}
	d->a->server = d->facts->tftp;
	offer(d, style, slice_str(l->path), reason);
	delay_offer(d);
}

/*
 * UEFI HTTP Boot: the loader's URL, by address, as a name would need DNS from the DHCP server;
 * unless the site names a host, or its certificate may be for the name alone.
 */
static void
offer_url(const struct deciding *d, const struct loader *l)
{
	const char *host = d->policy->conf.http_host;
	bool secure = d->facts->web.http_port == 0, named = host[0] != '\0';
	size_t start = d->scratch->used;
	struct web web = d->facts->web;
	struct slice url;

	if (d->facts->web.other_family && !named) {
		answer_ignore(d, REASON_OTHER_FAMILY);
		return;
	}
	if (named)
		web.host = host;
	put_base(d->scratch, &web, secure, !secure && !named);
	wbuf_printf(d->scratch, "2PXE/file/%s", l->path);
	if (answer_take(d, start, &url))
		offer(d, choose_style(d, OFFER_HTTP, false), url,
		    secure ? REASON_LOADER_HTTPS : REASON_LOADER);
}

/* What the rule's program reads besides.  It was checked when the policy was made. */
static void
add_options(const struct deciding *d, const struct rule_conf *rule)
{
	size_t start = d->scratch->used;
	const char *why;

	if (rule == NULL || rule->options.n == 0 || d->a->action != ACTION_OFFER)
		return;
	for (size_t i = 0; i < rule->options.n; i++)
		(void)extra_put(d->scratch, rule->options.v[i], &why);
	(void)answer_take(d, start, &d->a->options);
}

static void
offer_loader(const struct deciding *d, const struct rule_conf *rule)
{
	const struct loader *list[LOADERS_MAX], *l;
	bool dead;
	size_t n = list_loaders(d, rule, &dead, list);

	if (n == 0) {
		answer_ignore(d, dead ? REASON_NO_HTTPS
				 : arch_find(d->facts->subject.arch)->kind == ARCH_KIND_NONE
				     ? REASON_UNKNOWN_ARCH
				     : REASON_NO_LOADER);
		return;
	}
	if (list[0]->info.cpu == ARCH_CPU_RPI) {
		/* it goes its own way from there, so there is nothing to learn */
		d->out->loader_why = ADAPT_PREFERRED;
		offer_path(d, list[0], choose_style(d, OFFER_RPI, true));
		add_options(d, rule);
		return;
	}
	l = choose_loader(d, list, n);
	if (pxe_wants_url(d->r->client, d->r->arch))
		offer_url(d, l);
	else
		offer_path(
		    d, l, choose_style(d, fixed_style(d, rule), rule != NULL && rule->style > 0));
	add_options(d, rule);
}

/*
 * Another boot server, if one has a file for this firmware.  A target that only has a URL for iPXE
 * is for the boot stage: this firmware gets our loader first.
 */
static bool
offer_target(const struct deciding *d, const struct ruling *ruling)
{
	struct target_choice choices[TARGETS_MAX];
	const struct config_strings *names = ruling->names;
	const char *one = ruling->entry;
	size_t n = targets_pick(d->policy->targets, d->facts->health, &d->facts->self,
	    d->policy->conf.referral.max_hops, d->r, (struct slice){ 0 },
	    names != NULL ? (const char *const *)names->v : &one,
	    names != NULL                   ? names->n
	    : one != NULL && one[0] != '\0' ? 1
					    : 0,
	    choices);

	if (n == 0)
		return false;
	d->a->server = choices[0].server;
	d->a->text = slice_str(choices[0].target->conf->name);
	offer(d,
	    choices[0].by_url ? (d->r->client == CLIENT_IPXE ? OFFER_IPXE : OFFER_HTTP)
	    : d->facts->subject.cpu == ARCH_CPU_RPI ? OFFER_RPI
						    : fixed_style(d, NULL),
	    slice_str(choices[0].file), REASON_REFERRED);
	d->a->trust = (struct slice){ 0 };
	return true;
}

static bool
is_boot_client(const struct boot_request *r)
{
	return r->client != CLIENT_UNKNOWN;
}

/*
 * The answer that ends this firmware's attempt; iPXE gets a script that leaves.  A Raspberry Pi and
 * U-Boot know no menus: nothing ends their attempts sooner than silence.
 */
static void
offer_end(const struct deciding *d, const struct ruling *ruling)
{
	if (d->r->client == CLIENT_IPXE) {
		offer_script(d);
		return;
	}
	if (d->r->client == CLIENT_RPI || d->r->client == CLIENT_UBOOT) {
		answer_ignore(d, ruling->reason);
		return;
	}
	offer(d, OFFER_LOCAL, (struct slice){ 0 }, ruling->reason);
	d->a->trust = (struct slice){ 0 };
}

void
decide_offer(const struct deciding *d)
{
	struct ruling ruling;

	if (!is_boot_client(d->r)) {
		answer_ignore(d, REASON_NOT_A_BOOT);
		return;
	}
	if (request_is_strange(d->r, d->facts->subject.arch))
		d->out->effects |= EFFECT_STRANGE_ARCH;
	if (is_in_loop(d)) {
		/* iPXE is told so by its script */
		if (d->r->client == CLIENT_IPXE)
			offer_script(d);
		else
			answer_ignore(d, REASON_LOOP);
		return;
	}
	judge(d->policy, d->facts, NULL, NULL, &ruling);
	d->a->rule = slice_str(ruling.rule);
	d->out->effects |= ruling.effects & ~(unsigned)EFFECT_WANT_APPROVAL;
	if (ruling.kind == RULING_IGNORE)
		answer_ignore(d, ruling.reason);
	else if (ruling.kind == RULING_REFUSE)
		offer_end(d, &ruling);
	else if (ruling.kind == RULING_REFER && ruling.url == NULL && ruling.loader_rule == NULL &&
		 (d->r->client != CLIENT_IPXE || !d->facts->web.known) && offer_target(d, &ruling))
		return;
	else if (d->r->client == CLIENT_IPXE)
		offer_script(d);
	else
		offer_loader(d, ruling.loader_rule);
}

const struct loader *
decide_loader(const struct policy *policy, const struct facts *facts)
{
	const struct deciding d = { .policy = policy, .facts = facts };
	const struct loader *list[LOADERS_MAX];
	bool dead;

	return list_loaders(&d, NULL, &dead, list) > 0 ? list[0] : NULL;
}
