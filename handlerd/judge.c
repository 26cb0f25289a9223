/* What a machine gets; see judge.h. */
#include "handlerd/judge.h"

#include <stdio.h>
#include <string.h>

struct judgement {
	const struct policy *policy;
	const struct facts *facts;
	const struct subject *s;
	judge_trace_fn *trace;
	void *arg;
	struct ruling *ret;
};

/* Where the steps before the rules and behind them go on. */
enum outcome {
	NO_OPINION,
	DECIDED,
};

static void
tell(const struct judgement *j, const char *step, bool decided, const char *why)
{
	if (j->trace != NULL)
		j->trace(j->arg, step, decided, why);
}

static enum outcome
rule_so(const struct judgement *j, enum ruling_kind kind, enum boot_reason reason, const char *rule)
{
	j->ret->kind = kind;
	j->ret->reason = reason;
	j->ret->rule = rule;
	return DECIDED;
}

static enum outcome
wait_for(const struct judgement *j, enum boot_reason reason, const char *rule, const char *text)
{
	j->ret->text = text != NULL && text[0] != '\0' ? text : j->policy->conf.wait_text;
	return rule_so(j, RULING_WAIT, reason, rule);
}

static enum outcome
deny(const struct judgement *j, enum boot_reason reason, const char *rule, const char *text)
{
	j->ret->text = text != NULL && text[0] != '\0' ? text : j->policy->conf.deny_text;
	return rule_so(j, RULING_REFUSE, reason, rule);
}

static enum outcome
quarantine(const struct judgement *j, const char *rule, const char *text, const char *entry)
{
	j->ret->text = text[0] != '\0' ? text : j->policy->conf.quarantine_text;
	j->ret->entry = entry;
	return rule_so(
	    j, entry[0] != '\0' ? RULING_ENTRY : RULING_MESSAGE, REASON_QUARANTINE, rule);
}

/* What it gets there is still up to the rule that sent it, as long as that holds. */
static enum outcome
stay_in_quarantine(const struct judgement *j, const char *step)
{
	const struct rules *rules = j->policy->rules;

	for (size_t i = rules_match(rules, j->s, 0); i < rules_count(rules);
	     i = rules_match(rules, j->s, i + 1)) {
		const struct rule_conf *r = rules_conf(rules, i);

		if (r->action == RULE_QUARANTINE)
			return quarantine(j, step, r->text, r->entry);
	}
	return quarantine(j, step, "", "");
}

static enum outcome
by_state(const struct judgement *j)
{
	static const char step[] = "state";
	const struct machine_knowledge *k = &j->facts->machine;

	if (!k->known) {
		tell(j, step, false, "the machine is not known");
		return NO_OPINION;
	}
	tell(j, step, k->m.state > MACHINE_APPROVED, machine_state_name(k->m.state));
	switch (k->m.state) {
	case MACHINE_BLOCKED: return deny(j, REASON_BLOCKED, step, NULL);
	case MACHINE_DENIED: return deny(j, REASON_DENIED, step, NULL);
	case MACHINE_HELD: return wait_for(j, REASON_HELD, step, NULL);
	case MACHINE_QUARANTINED: return stay_in_quarantine(j, step);
	default: return NO_OPINION;
	}
}

static enum outcome
by_assignment(const struct judgement *j)
{
	static const char step[] = "assignment";
	const struct machine_knowledge *k = &j->facts->machine;

	if (!k->is_assigned) {
		tell(j, step, false,
		    k->known && k->m.entry.n > 0 ? "its time is over" : "nothing is assigned");
		return NO_OPINION;
	}
	/* it ends with a NUL, as texts of the table of machines do */
	j->ret->entry = (const char *)k->m.entry.p;
	tell(j, step, true, j->ret->entry);
	return rule_so(j, RULING_ENTRY, REASON_ASSIGNED, step);
}

/* --- rules ---------------------------------------------------------------------------------- */

static bool
is_firmware_asking(const struct subject *s)
{
	return (s->stage == STAGE_DISCOVER || s->stage == STAGE_BOOTSERVER) &&
	       s->client != CLIENT_IPXE;
}

/* What follows the rules: those who are asked, then the mode. */
enum going_on {
	GO_UNKNOWN,    /* by the policy for unknown machines, then as below */
	GO_SERVE,      /* with the web service */
	GO_WEBSERVICE, /* likewise, and a rule wanted that */
	GO_HOOKS,      /* with the hooks */
	GO_NOWHERE,    /* it is decided */
};

static enum going_on
apply_rule(const struct judgement *j, const struct rule_conf *r, bool *ret_next)
{
	struct ruling *ret = j->ret;

	*ret_next = false;
	ret->rule = r->name;
	switch ((enum rule_action)r->action) {
	case RULE_IGNORE: rule_so(j, RULING_IGNORE, REASON_RULE_SILENCE, r->name); break;
	case RULE_REFUSE: deny(j, REASON_RULE_REFUSES, r->name, r->text); break;
	case RULE_LOADER:
		ret->loader_rule = r;
		if (!is_firmware_asking(j->s)) {
			*ret_next = true;
			break;
		}
		return GO_SERVE;
	case RULE_ENTRY:
		ret->entry = r->entry;
		rule_so(j, RULING_ENTRY, REASON_RULE_ENTRY, r->name);
		break;
	case RULE_SHOW_MENU: {
		const struct choices site = { .menus = j->policy->conf.menus.v,
			.nmenus = j->policy->conf.menus.n };

		ret->menu = r->menu[0] != '\0' ? choices_menu(&site, r->menu) : NULL;
		ret->standing = r->standing[0] != '\0' ? r->standing : NULL;
		if (ret->prompt == NULL)
			ret->prompt = &j->policy->conf.prompt;
		rule_so(j, RULING_MENU, REASON_MENU, r->name);
		break;
	}
	case RULE_APPROVAL:
		if (j->facts->machine.known && j->facts->machine.m.state == MACHINE_APPROVED) {
			*ret_next = true;
			break;
		}
		ret->effects |= EFFECT_WANT_APPROVAL;
		wait_for(j, REASON_APPROVAL, r->name, r->text);
		break;
	case RULE_REFER:
		ret->names = r->targets.n > 0 ? &r->targets : NULL;
		rule_so(j, RULING_REFER, REASON_REFERRED, r->name);
		break;
	case RULE_QUARANTINE:
		ret->effects |= EFFECT_QUARANTINE;
		quarantine(j, r->name, r->text, r->entry);
		break;
	case RULE_SCRIPT: return GO_HOOKS;
	case RULE_WEBSERVICE: return GO_WEBSERVICE;
	default: return GO_SERVE;
	}
	return GO_NOWHERE;
}

static void
explain_rules(const struct judgement *j, size_t from, size_t to)
{
	const struct rules *rules = j->policy->rules;
	char why[512];

	if (j->trace == NULL)
		return;
	for (size_t i = from; i < to && i < rules_count(rules); i++) {
		bool holds = rules_explain(rules, i, j->s, why, sizeof(why));

		tell(j, rules_conf(rules, i)->name, holds, why);
	}
}

static enum going_on
by_rules(const struct judgement *j)
{
	const struct rules *rules = j->policy->rules;
	const struct rule_conf *rule = NULL;
	enum going_on go = GO_UNKNOWN;
	size_t from = 0, at;
	bool next = true;

	while (next && (at = rules_match(rules, j->s, from)) < rules_count(rules)) {
		explain_rules(j, from, at + 1);
		rule = rules_conf(rules, at);
		go = apply_rule(j, rule, &next);
		from = at + 1;
	}
	if (next) {
		explain_rules(j, from, rules_count(rules));
		/* a rule that only passed the machine on is not what decides */
		j->ret->rule = NULL;
		return GO_UNKNOWN;
	}
	if (rule->log)
		j->ret->effects |= EFFECT_LOG;
	if (rule->prompt.bios_text[0] != '\0' || rule->prompt.uefi_text[0] != '\0')
		j->ret->prompt = &rule->prompt;
	return go;
}

static enum outcome
by_unknown(const struct judgement *j)
{
	static const char step[] = "unknown";
	bool unknown = (j->s->machine >> RULE_MACHINE_UNKNOWN & 1) != 0;
	enum unknown_policy policy = (enum unknown_policy)j->policy->conf.unknown;

	if (!unknown) {
		tell(j, step, false, "somebody decided about this machine");
		return NO_OPINION;
	}
	tell(j, step, policy != UNKNOWN_SERVE, unknown_policy_name(policy));
	switch (policy) {
	case UNKNOWN_APPROVAL:
		j->ret->effects |= EFFECT_WANT_APPROVAL;
		return wait_for(j, REASON_APPROVAL, step, NULL);
	case UNKNOWN_IGNORE: return rule_so(j, RULING_IGNORE, REASON_UNKNOWN_MACHINE, step);
	default: return NO_OPINION;
	}
}

/* --- sources -------------------------------------------------------------------------------- */

static enum outcome
by_verdict(const struct judgement *j, enum source source)
{
	const struct source_answer *a = &j->facts->sources[source];
	const struct verdict *v = a->verdict;
	const char *name = source_name(source);
	struct ruling *ret = j->ret;

	tell(j, name, v->kind > VERDICT_ALLOW && v->kind != VERDICT_OVERRIDE,
	    verdict_kind_name(v->kind));
	ret->inline_choices = a->inline_choices;
	ret->said = v->reason[0] != '\0' ? v->reason : NULL;
	switch (v->kind) {
	case VERDICT_DENY: return deny(j, REASON_SOURCE_DENIES, name, v->text);
	case VERDICT_HOLD:
		ret->effects |= EFFECT_WANT_APPROVAL;
		return wait_for(j, REASON_APPROVAL, name, v->text);
	case VERDICT_ENTRY:
		ret->entry = v->name[0] != '\0' ? v->name : v->items[0].name;
		return rule_so(j, RULING_ENTRY, REASON_SOURCE_ENTRY, name);
	case VERDICT_MENU: ret->verdict = v; return rule_so(j, RULING_MENU, REASON_MENU, name);
	case VERDICT_SCRIPT:
		ret->text = v->text;
		return rule_so(j, RULING_SCRIPT, REASON_SOURCE_SCRIPT, name);
	case VERDICT_LOCAL: return rule_so(j, RULING_LOCAL, REASON_LOCAL, name);
	case VERDICT_REFER:
		ret->entry = v->name;
		ret->url = v->url[0] != '\0' ? v->url : NULL;
		return rule_so(j, RULING_REFER, REASON_REFERRED, name);
	default: ret->said = NULL; return NO_OPINION;
	}
}

static enum outcome
by_fallback(const struct judgement *j, enum source source, enum fallback fallback)
{
	const char *name = source_name(source), *why = j->facts->sources[source].why;
	char text[256];

	(void)snprintf(text, sizeof(text), "%s; fall-back %s", why != NULL ? why : "it failed",
	    fallback_name(fallback));
	tell(j, name, fallback != FALLBACK_LOCAL, text);
	if (fallback == FALLBACK_DENY)
		return deny(j, REASON_SOURCE_FAILED, name, NULL);
	if (fallback == FALLBACK_WAIT)
		return wait_for(j, REASON_SOURCE_FAILED, name,
		    "The server that decides about this machine does not answer.");
	return NO_OPINION;
}

/* A source that has to be asked makes it pending; early stages do not wait for any. */
static enum outcome
by_source(const struct judgement *j, enum source source, enum fallback fallback)
{
	switch (j->facts->sources[source].state) {
	case SOURCE_ANSWERED: return by_verdict(j, source);
	case SOURCE_FAILED: return by_fallback(j, source, fallback);
	case SOURCE_LATE:
		tell(j, source_name(source), true, "it is still thinking; the client asks again");
		return wait_for(j, REASON_SOURCE_LATE, source_name(source),
		    "The server still decides about this machine.");
	default: break;
	}
	if (j->s->stage != STAGE_BOOT) {
		tell(j, source_name(source), false, "it is asked at the boot stage");
		return NO_OPINION;
	}
	tell(j, source_name(source), true, "it has to be asked");
	j->ret->need |= 1u << source;
	return rule_so(j, RULING_PENDING, REASON_UNSPECIFIED, source_name(source));
}

static enum outcome
by_hooks(const struct judgement *j)
{
	static const enum source pair[] = { SOURCE_ALLOW, SOURCE_IMAGES };
	const struct hooks_conf *h = &j->policy->conf.hooks;
	enum fallback fallback = (enum fallback)h->fallback;

	if (h->paths[SOURCE_BOOT][0] != '\0' && by_source(j, SOURCE_BOOT, fallback) == DECIDED)
		return DECIDED;
	for (size_t i = 0; i < NITEMS(pair); i++) {
		if (h->paths[pair[i]][0] == '\0')
			continue;
		if (by_source(j, pair[i], fallback) == NO_OPINION)
			continue;
		/* both are asked at once: the wait is the longer one, not the sum */
		if (j->ret->kind == RULING_PENDING && i == 0 &&
		    h->paths[SOURCE_IMAGES][0] != '\0' &&
		    j->facts->sources[SOURCE_IMAGES].state == SOURCE_UNASKED)
			j->ret->need |= 1u << SOURCE_IMAGES;
		return DECIDED;
	}
	return NO_OPINION;
}

static void
by_mode(const struct judgement *j)
{
	static const char step[] = "mode";

	tell(j, step, true, mode_name((enum mode)j->policy->conf.mode));
	if (j->ret->rule == NULL)
		j->ret->rule = "default";
	if (j->policy->conf.mode == MODE_REFERRAL)
		rule_so(j, RULING_REFER, REASON_REFERRED, j->ret->rule);
	else
		rule_so(j, RULING_MENU, REASON_MENU, j->ret->rule);
}

void
judge(const struct policy *policy, const struct facts *facts, judge_trace_fn *trace, void *arg,
    struct ruling *ret)
{
	const struct judgement j = { policy, facts, &facts->subject, trace, arg, ret };
	enum going_on go;

	*ret = (struct ruling){ .rule = NULL };
	if (by_state(&j) == DECIDED || by_assignment(&j) == DECIDED)
		return;
	go = by_rules(&j);
	if (go == GO_NOWHERE)
		return;
	if (go == GO_UNKNOWN && by_unknown(&j) == DECIDED)
		return;
	if (ret->prompt == NULL)
		ret->prompt = &policy->conf.prompt;
	if (go != GO_HOOKS && policy->conf.ask_webservice &&
	    by_source(&j, SOURCE_WEBSERVICE, (enum fallback)policy->conf.webservice_fallback) ==
		DECIDED)
		return;
	if ((go == GO_HOOKS || policy->conf.mode == MODE_SCRIPT) && by_hooks(&j) == DECIDED)
		return;
	by_mode(&j);
}
