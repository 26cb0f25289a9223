/*
 * What a machine gets: state, assignment, rules, the policy for unknown machines, the web service,
 * the hooks and the operational mode, in this order.  The first that has an opinion decides.  Pure.
 */
#ifndef HANDLERD_JUDGE_H
#define HANDLERD_JUDGE_H

#include "handlerd/decide.h"

enum ruling_kind {
	RULING_IGNORE,  /* silence */
	RULING_REFUSE,  /* an answer that ends the attempt at once, `text` where words are possible
	                 */
	RULING_MENU,    /* `menu`, or the menu of everything, out of `choices` */
	RULING_ENTRY,   /* `entry` by name, out of `choices` */
	RULING_SCRIPT,  /* the iPXE script `text` */
	RULING_LOCAL,   /* leave network boot */
	RULING_WAIT,    /* asks again until something changes */
	RULING_MESSAGE, /* `text`, and there it stays */
	RULING_REFER,   /* one of the targets called `names`, or `url` */
	RULING_PENDING, /* sources have to be asked */
};

struct ruling {
	enum ruling_kind kind;
	enum boot_reason reason;
	const char *rule; /* name of what decided */
	const char *text;
	const char *said; /* the source's own reason, for the timeline, or NULL */
	const char *entry;
	const char *url;
	const struct menu *menu;              /* NULL: the policy's menu of everything */
	const struct verdict *verdict;        /* that shaped the menu, or NULL */
	const struct choices *inline_choices; /* looked at before the site's own, or NULL */
	const struct config_strings *names;   /* of targets; NULL: all */
	const struct prompt *prompt;          /* before it boots; NULL: none */
	const char *standing;                 /* the item that a menu stands on, or NULL */
	const struct rule_conf *loader_rule;  /* the rule that names loaders, or NULL */
	unsigned need;
	unsigned effects;
};

/* Takes the steps of a judgement: who was asked, whether that decided, and why (not). */
typedef void judge_trace_fn(void *arg, const char *step, bool decided, const char *why);

/* `trace` may be NULL. */
void judge(const struct policy *policy, const struct facts *facts, judge_trace_fn *trace, void *arg,
    struct ruling *ret);

#endif
