/*
 * iPXE scripts.  They run on iPXE of 2019, which has neither `param` nor HTTPS, as on 2.0: what a
 * build may lack is tried with `||`.  Each begins with variables and then includes the site's own
 * text unchanged, so that iPXE itself is the template language.
 *
 * No script is a dead end.  Where something fails it is reported, tried again after pauses that
 * grow, on the other servers too, and in the end the firmware goes on with what it would boot
 * next.  docs/entries.md tells which variables and labels a site's own text may use.
 *
 * Pure: everything is appended to a buffer, whose `bad` tells that it did not fit.
 */
#ifndef HANDLERD_SCRIPT_H
#define HANDLERD_SCRIPT_H

#include "common/msg.h"
#include "handlerd/entry.h"
#include "handlerd/ws.h"

/* The most bytes of a script that a menu takes; what does not fit is told in its last line. */
#define SCRIPT_MENU_BYTES (40 * 1024)

/* What all scripts of a request have in common.  Strings may be NULL where they may be "". */
struct script_ctx {
	const char *base;          /* "https://boot.example:8050/" */
	const char *const *others; /* such URLs of other servers, which are tried next, in order */
	size_t nothers;
	bool ipv6; /* the client asks over IPv6 */
	/*
	 * For script_collect(): what takes the place of `base` if the client was told to trust the
	 * roots with these fingerprints (hexadecimal digits), which it alone knows; or NULL.
	 */
	const char *trusted_base, *trust;
	uint64_t boot;
	struct entry_client client;
	/*
	 * The form that the client posted, URL-encoded.  What a script does not post anyway (the
	 * answer of an authentication, a choice of the site) is posted again by all that follows.
	 */
	struct slice params;
	const char *token; /* for secret files of this boot, URL-safe; "": none */
	/*
	 * What the web service wants carried: set as iPXE's settings, and posted by all that
	 * follows, instead of what the form said under these names.  Values stand for themselves
	 * (ws_carry_value_valid()).
	 */
	const struct ws_pair *carry;
	size_t ncarry;
};

/* Makes iPXE tell which machine it runs on, by POST, or by GET where it has no `param`. */
void script_collect(struct wbuf *w, const struct script_ctx *ctx);

/*
 * Boots one choice.  An entry of type ENTRY_REFER is taken if it has a URL; one with a target
 * needs script_refer().
 */
void script_entry(struct wbuf *w, const struct script_ctx *ctx, struct choice c);

/* The same after a prompt; without its key the client leaves network boot. */
void script_prompt(
    struct wbuf *w, const struct script_ctx *ctx, const struct prompt *prompt, struct choice c);

/*
 * A menu and those that it leads to.  What is chosen comes back as a boot request with the
 * parameter "entry", which script_entry() then answers: a menu that stood for an hour still gets a
 * fresh decision, a fresh token and the server that lives then, and it stays small.  Items that do
 * not suit the client are left out, and so are menus without any other.  A menu without items
 * shows everything that suits.
 *
 * `prompt` (or NULL) comes first; without its key the client leaves network boot.
 */
void script_menu(struct wbuf *w, const struct script_ctx *ctx, const struct choices *choices,
    const struct menu *root, const struct prompt *prompt);
/* True if the menu would show the client something to boot. */
bool script_menu_has_any(
    const struct script_ctx *ctx, const struct choices *choices, const struct menu *root);

/*
 * The machine waits, for approval say: `text` tells the person in front of it why, in one or more
 * lines, then which machine it is; then it asks again and again with pauses that grow to 30 s.
 */
void script_wait(struct wbuf *w, const struct script_ctx *ctx, const char *text);

enum script_end {
	SCRIPT_LEAVE, /* leaves network boot */
	SCRIPT_ASK,   /* sends the boot request again, and leaves after some times */
};

/* Says something and ends.  Nothing in `text` is expanded or run, whatever it holds. */
void script_message(
    struct wbuf *w, const struct script_ctx *ctx, const char *text, enum script_end end);

/* Leaves network boot: the firmware goes on with the local disk, or whatever is next. */
void script_leave(struct wbuf *w, const struct script_ctx *ctx);

/*
 * On to another boot infrastructure: the first of `urls` that answers.  What the client posted
 * goes along, but for our tokens.  If none answers it asks us again.
 */
void script_refer(struct wbuf *w, const struct script_ctx *ctx, const char *const *urls, size_t n);

/* The site's own text, "#!ipxe" at its beginning or not, with our variables before it. */
void script_site(struct wbuf *w, const struct script_ctx *ctx, const char *text);

/*
 * The memory that a posted form tells of, in MB; 0: it does not.  Most builds lack the setting
 * "memsize" but can read what SMBIOS says.
 */
uint32_t script_memory_mb(struct slice form);

/* True if scripts post a parameter of this name by themselves, or it is not for posting again. */
bool script_param_is_own(struct slice name);

/* An empty script, as the answer to a report. */
void script_empty(struct wbuf *w);

#endif
