/*
 * iPXE scripts.  They run on iPXE of 2019, which has neither `param` nor HTTPS, as on 2.0: what a
 * build may lack is tried with `||`.  Each begins with variables and then includes the site's own
 * text unchanged, so that iPXE itself is the template language.  Pure.
 */
#ifndef HANDLERD_SCRIPT_H
#define HANDLERD_SCRIPT_H

#include "handlerd/decide.h"

struct script_vars {
	const char *base; /* "https://boot.example:8050/" */
	uint64_t boot;
};

/* Makes iPXE tell which machine it runs on, by POST, or by GET where it has no `param`. */
void script_collect(struct wbuf *w, const struct script_vars *vars);

/*
 * A menu of those images that suit the client, with the default and the time limit of the policy,
 * each of them ready to boot.
 */
void script_menu(struct wbuf *w, const struct script_vars *vars, const struct policy *policy,
    const struct image *images, size_t n, enum arch_cpu cpu);

/* Says why there is nothing to boot and leaves network boot. */
void script_no_image(struct wbuf *w, const struct script_vars *vars);

/* An empty script, as the answer to a report. */
void script_empty(struct wbuf *w);

#endif
