/* The decision: an answer for each stage; see decide.h. */
#include "handlerd/decide.h"

#include "common/arch.h"
#include "handlerd/decision.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

void
answer_ignore(const struct deciding *d, enum boot_reason reason)
{
	d->a->action = ACTION_IGNORE;
	d->a->reason = reason;
}

void
answer_refuse(
    const struct deciding *d, enum boot_error error, enum boot_reason reason, const char *text)
{
	d->a->action = ACTION_ERROR;
	d->a->error = error;
	d->a->reason = reason;
	d->a->text = slice_str(text);
}

bool
answer_take(const struct deciding *d, size_t start, struct slice *ret)
{
	if (d->scratch->bad) {
		answer_refuse(d, BOOT_ERROR_UNAVAILABLE, REASON_TOO_LONG, "the answer is too long");
		return false;
	}
	*ret = (struct slice){ d->scratch->p + start, d->scratch->used - start };
	return true;
}

void
answer_script(const struct deciding *d, size_t start, enum boot_reason reason)
{
	if (!answer_take(d, start, &d->a->data))
		return;
	d->a->action = ACTION_DATA;
	d->a->reason = reason;
}

static void
put_host(struct wbuf *w, const char *host)
{
	bool v6 = strchr(host, ':') != NULL;

	wbuf_printf(w, "%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "");
}

bool
is_trusted(const struct facts *f)
{
	const struct loader *best = f->best[f->subject.cpu];

	if (f->trusted || best == NULL || best->info.trust != LOADER_TRUST_STAMPED)
		return f->trusted;
	for (size_t at = 0; at + sizeof(best->info.stamp) <= f->web.trust.n;
	     at += sizeof(best->info.stamp)) {
		if (memcmp(f->web.trust.p + at, best->info.stamp, sizeof(best->info.stamp)) == 0)
			return true;
	}
	return false;
}

void
put_base(struct wbuf *w, const struct web *web, bool secure, bool by_ip)
{
	wbuf_str(w, secure ? "https://" : "http://");
	put_host(w, by_ip ? web->ip : web->host);
	wbuf_printf(w, ":%u/", secure ? web->port : web->http_port);
}

bool
request_is_strange(const struct boot_request *r, uint16_t boot_arch)
{
	return (r->stage == STAGE_DISCOVER || r->stage == STAGE_BOOTSERVER) &&
	       r->client != CLIENT_IPXE &&
	       arch_find(r->arch != ARCH_UNKNOWN ? r->arch : boot_arch)->number == ARCH_UNKNOWN;
}

enum arch_cpu
request_cpu(const struct boot_request *r, uint16_t boot_arch, enum arch_cpu strange)
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
		/* as 2PXE's media and scripts call them */
		{ "x86", ARCH_CPU_IA32 },
		{ "x64", ARCH_CPU_X64 },
		{ "amd64", ARCH_CPU_X64 },
	};

	if (slice_is(r->platform, "pcbios"))
		return ARCH_CPU_BIOS;
	for (size_t i = 0; i < NITEMS(table); i++) {
		if (slice_is(r->buildarch, table[i].buildarch) ||
		    slice_is(r->platform, table[i].buildarch))
			return table[i].cpu;
	}
	if (request_is_strange(r, boot_arch))
		return strange;
	return arch_find(r->arch != ARCH_UNKNOWN ? r->arch : boot_arch)->cpu;
}

/* A file that is given out only with a token of this boot. */
static bool
may_have_secret(const struct deciding *d)
{
	if (d->r->via == VIA_TFTP)
		answer_refuse(d, BOOT_ERROR_FORBIDDEN, REASON_TOKEN,
		    "it is secret, and TFTP gives out public files only");
	else if (d->r->via == VIA_HTTP)
		answer_refuse(
		    d, BOOT_ERROR_FORBIDDEN, REASON_TOKEN, "it is secret, and this is plain HTTP");
	else if (d->facts->token_fault != TOKEN_GOOD)
		answer_refuse(
		    d, BOOT_ERROR_FORBIDDEN, REASON_TOKEN, token_fault_name(d->facts->token_fault));
	else
		return true;
	return false;
}

/* True if a rule forbids the file. */
static bool
is_forbidden(const struct deciding *d)
{
	const struct rules *rules = d->policy->rules;
	size_t at = rules_match(rules, &d->facts->subject, 0);

	const struct rule_conf *rule;

	if (at == rules_count(rules))
		return false;
	rule = rules_conf(rules, at);
	d->a->rule = slice_str(rule->name);
	if (rule->action != RULE_IGNORE && rule->action != RULE_REFUSE)
		return false;
	answer_refuse(d, BOOT_ERROR_FORBIDDEN, REASON_RULE_REFUSES,
	    rule->text[0] != '\0' ? rule->text : "a rule of this site forbids it");
	return true;
}

static void
give_file(const struct deciding *d)
{
	if (is_forbidden(d))
		return;
	if (d->facts->file_secret && !may_have_secret(d))
		return;
	d->a->action = ACTION_FILE;
	d->a->reason = d->facts->file_rc == -ENOENT ? REASON_ORIGIN_FILE : REASON_PUBLIC_FILE;
	d->a->file = slice_str(d->facts->path);
	if (!d->facts->web.pulls)
		return;
	d->a->file_size = d->facts->file_size;
	if (d->facts->file_sha256 != NULL)
		d->a->file_sha256 = (struct slice){ d->facts->file_sha256, IMAGE_SHA256 };
}

/*
 * A file that the web service is asked for.  iPXE repeats a request that was answered by "try again
 * later" and, where an entry injects such a file, goes on without one that is not there.
 */
static void
give_content(const struct deciding *d, enum ws_feature feature)
{
	const struct source_answer *said = &d->facts->sources[SOURCE_WINPE];
	enum fallback fallback = (enum fallback)d->policy->conf.winpe_fallbacks[feature];

	if (is_forbidden(d))
		return;
	d->a->rule = slice_str(source_name(SOURCE_WINPE));
	if (said->state == SOURCE_UNASKED)
		d->out->need |= 1u << SOURCE_WINPE;
	if (said->state == SOURCE_FAILED && fallback == FALLBACK_LOCAL) {
		answer_refuse(d, BOOT_ERROR_NOT_FOUND, REASON_SOURCE_FAILED, "no such file");
	} else if (said->state != SOURCE_ANSWERED) {
		answer_refuse(d, BOOT_ERROR_UNAVAILABLE,
		    said->state == SOURCE_FAILED ? REASON_SOURCE_FAILED : REASON_SOURCE_LATE,
		    "the web service has not answered yet");
	} else if (said->content == NULL || said->content[0] == '\0') {
		answer_refuse(d, BOOT_ERROR_NOT_FOUND, REASON_NO_SUCH_FILE, "nothing is wanted");
	} else {
		d->a->action = ACTION_DATA;
		d->a->reason = REASON_SOURCE_FILE;
		d->a->data = slice_str(said->content);
	}
}

bool
is_in_loop(const struct deciding *d)
{
	if (d->facts->loop_until_ms <= d->facts->now_ms)
		return false;
	d->a->rule = slice_str("loop-guard");
	return true;
}

static bool
is_loader(const struct facts *f)
{
	for (size_t i = 0; i < f->nloaders; i++) {
		if (f->path_rc == 0 && strcmp(f->loaders[i].path, f->path) == 0)
			return true;
	}
	return false;
}

static void
decide_file(const struct deciding *d)
{
	const struct facts *f = d->facts;
	enum ws_feature feature = WS_FEATURES;

	if (f->path_rc == 0 && f->file_rc == -ENOENT && d->r->via != VIA_TFTP)
		feature = ws_feature_of_file(slice_str(f->path));
	/* a DHCP server's own boot file leads here without any offer of ours */
	if (f->loop_until_ms > f->now_ms && is_loader(f) && is_in_loop(d))
		answer_refuse(d, BOOT_ERROR_FORBIDDEN, REASON_LOOP,
		    "this machine fetched it again and again");
	else if (feature != WS_FEATURES && (d->policy->conf.winpe_features >> feature & 1) != 0)
		give_content(d, feature);
	else if (f->path_rc == -EACCES)
		answer_refuse(d, BOOT_ERROR_FORBIDDEN, REASON_BAD_NAME, "not a public name");
	else if (f->path_rc < 0)
		answer_refuse(d, BOOT_ERROR_NOT_FOUND, REASON_BAD_NAME,
		    f->path_rc == -ENAMETOOLONG ? "the name is too long" : "not a name of a file");
	else if (f->file_rc == 0 || f->file_rc == -ENOSYS)
		give_file(d);
	else if (strcasecmp(path_base(f->path), AUTOEXEC) == 0)
		/* the site has none of its own: lead iPXE to the boot request */
		give_collector(d);
	else if (f->file_rc == -ENOENT && d->r->via != VIA_TFTP && f->web.pulls)
		give_file(d); /* the origin knows whether it is there */
	else if (d->r->via == VIA_TFTP && is_for_native(f))
		give_native(d);
	else if (d->r->via == VIA_TFTP && is_for_windows(f))
		give_bcd(d);
	else if (f->file_rc == -EACCES)
		answer_refuse(
		    d, BOOT_ERROR_FORBIDDEN, REASON_BAD_NAME, "not below the content root");
	else if (f->file_rc == -EISDIR)
		answer_refuse(d, BOOT_ERROR_NOT_FOUND, REASON_NO_SUCH_FILE,
		    "a folder or a special file, not a file");
	else if (f->file_rc == -EMFILE || f->file_rc == -ENFILE || f->file_rc == -ENOMEM ||
		 f->file_rc == -EIO)
		answer_refuse(d, BOOT_ERROR_UNAVAILABLE, REASON_SHORTAGE,
		    "it cannot be looked for now: out of descriptors or memory, or a broken disk");
	else
		answer_refuse(d, BOOT_ERROR_NOT_FOUND, REASON_NO_SUCH_FILE, "no such file");
}

void
decide(const struct boot_request *r, const struct policy *policy, const struct facts *facts,
    struct wbuf *scratch, struct decision *ret)
{
	struct deciding d = { .r = r,
		.policy = policy,
		.facts = facts,
		.scratch = scratch,
		.out = ret,
		.a = &ret->answer };

	*ret = (struct decision){ .answer = { .boot = facts->boot, .rule = slice_str("default") } };
	switch (r->stage) {
	case STAGE_DISCOVER:
	case STAGE_BOOTSERVER: decide_offer(&d); break;
	case STAGE_FILE: decide_file(&d); break;
	case STAGE_BOOT: decide_boot(&d); break;
	case STAGE_REPORT: {
		size_t start = scratch->used;

		script_empty(scratch);
		answer_script(&d, start, REASON_REPORT);
		break;
	}
	default: answer_ignore(&d, REASON_NOT_A_BOOT); break;
	}
}
