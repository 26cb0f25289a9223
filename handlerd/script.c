/* iPXE scripts: their common parts, and those that boot nothing themselves; see script.h. */
#include "handlerd/script.h"

#include "handlerd/script_parts.h"

#include <string.h>

/* Tries of the boot request, with a pause that grows from 1 s by a second each: 66 s. */
#define PRINT_DIGITS 64 /* of a fingerprint in hexadecimal */
#define ASK_TRIES    12

/* Pauses of a client that waits for approval, which goes on for ever. */
#define WAIT_STEP_S 2
#define WAIT_MAX_S  30

/* Time to read why a machine is not booted. */
#define READ_S 10

static const char *
text_of(const char *s)
{
	return s != NULL ? s : "";
}

/* --- text -----------------------------------------------------------------------------------
 *
 * iPXE splits a line into words, expands each of them, and joins words that "&&" and "||" stand
 * between to commands.  A backslash at the end of a line joins it to the next.  What is expanded
 * is expanded again if it holds "${...}".
 */

static bool
is_joint(struct slice word)
{
	return slice_is(word, "&&") || slice_is(word, "||");
}

#define TEXT_EXPANDS 1u /* "${...}" stays what it is */
#define TEXT_FIRST   2u /* the command takes no word before, so that "-" would begin an option */

static void
put_text(struct wbuf *w, struct slice text, unsigned flags)
{
	size_t at = 0, words = 0, start = w->used;

	while (at < text.n) {
		struct slice word = { text.p + at, 0 };

		while (at + word.n < text.n && text.p[at + word.n] > ' ' &&
		       text.p[at + word.n] != 0x7f)
			word.n++;
		at += word.n + 1;
		/* no options, no joints */
		while ((flags & TEXT_FIRST) != 0 && words == 0 && word.n > 0 && word.p[0] == '-') {
			word.p++;
			word.n--;
		}
		if (word.n == 0 || is_joint(word))
			continue;
		if (words++ > 0)
			wbuf_u8(w, ' ');
		for (size_t i = 0; i < word.n; i++) {
			wbuf_u8(w, word.p[i]);
			if ((flags & TEXT_EXPANDS) == 0 && word.p[i] == '$' && i + 1 < word.n &&
			    word.p[i + 1] == '{')
				wbuf_u8(w, ' ');
		}
	}
	/* no line that goes on */
	if (w->used > start && w->p[w->used - 1] == '\\')
		w->p[w->used - 1] = '/';
}

void
script_put_title(struct wbuf *w, const char *text)
{
	put_text(w, slice_str(text), TEXT_EXPANDS | TEXT_FIRST);
}

void
script_put_words(struct wbuf *w, const char *text)
{
	put_text(w, slice_str(text), TEXT_EXPANDS);
}

void
script_put_lines(struct wbuf *w, const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		wbuf_str(w, "echo ");
		put_text(w, (struct slice){ (const uint8_t *)text, n }, TEXT_FIRST);
		wbuf_u8(w, '\n');
		text += n + (text[n] == '\n');
	}
}

/* One word that stands for itself in a script. */
static bool
is_plain(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '$' || s.p[i] == '\\')
			return false;
	}
	return s.n > 0 && !is_joint(s);
}

/* The site's own, which may hold "${...}". */
static bool
is_plain_url(const char *url)
{
	for (const char *p = url; *p != '\0'; p++) {
		if (*p <= ' ' || *p == 0x7f || *p == '\\')
			return false;
	}
	return url[0] != '\0';
}

/* Sets a variable, if there is something to set it to. */
static void
put_set(struct wbuf *w, const char *name, const char *value)
{
	if (is_plain(slice_str(value)))
		wbuf_printf(w, "set %s %s\n", name, value);
}

/* --- variables and servers ------------------------------------------------------------------ */

static void
put_urls(struct wbuf *w)
{
	wbuf_str(w, "set fileurl ${pxeurl}2PXE/file/\n"
		    "set reporturl ${pxeurl}2PXE/report/\n");
}

/* What the web service wants carried; `tokens`: those alone that are for this server only. */
static void
put_carry(struct wbuf *w, const struct script_ctx *ctx, bool tokens)
{
	for (size_t i = 0; i < ctx->ncarry; i++) {
		const struct ws_pair *p = &ctx->carry[i];

		if (script_may_carry(p->name) && (!tokens || script_is_token(p->name)))
			put_set(w, p->name, p->value);
	}
}

void
script_put_head(struct wbuf *w, const struct script_ctx *ctx)
{
	char id[BOOT_ID_STRLEN];

	wbuf_printf(w, "#!ipxe\nset pxeurl %s\n", ctx->base);
	put_urls(w);
	if (ctx->nothers > 0) {
		wbuf_printf(w, "set bf-server:int32 0\nset bf-server-0 %s\n", ctx->base);
		for (size_t i = 0; i < ctx->nothers; i++)
			wbuf_printf(w, "set bf-server-%zu %s\n", i + 1, ctx->others[i]);
		/* an earlier script may have known of more */
		wbuf_printf(w, "clear bf-server-%zu ||\n", ctx->nothers + 1);
	}
	if (ctx->boot != 0)
		wbuf_printf(w, "set bootid %s\n", boot_id_format(ctx->boot, id));
	put_set(w, "token", text_of(ctx->token));
	put_carry(w, ctx, false);
}

void
script_put_next_server(struct wbuf *w, const struct script_ctx *ctx)
{
	if (ctx->nothers == 0)
		return;
	wbuf_str(w, "inc bf-server\n"
		    "isset ${bf-server-${bf-server}} || set bf-server:int32 0\n"
		    "set pxeurl ${bf-server-${bf-server}}\n");
	put_urls(w);
}

/* --- asking and leaving --------------------------------------------------------------------- */

void
script_put_ask(struct wbuf *w, const struct script_ctx *ctx)
{
	/* each `dhcp` waits some 17 s for IPv4 where there is none (measured on iPXE 1.21 and 2.0)
	 */
	wbuf_printf(w,
	    ":bf_ask\n"
	    "set bf-tries:int32 0\n"
	    ":bf_try\n"
	    "isset ${netX/%s} || dhcp || goto bf_again\n",
	    ctx->ipv6 ? "ip6" : "ip");
	script_put_params(w, ctx, true, 0);
	wbuf_printf(w,
	    "isset ${bf-post} && goto bf_post ||\n"
	    "chain --replace --autofree ${pxeurl}2PXE/boot?${paramquery} || goto bf_again\n"
	    ":bf_post\n"
	    "chain --replace --autofree ${pxeurl}2PXE/boot##params=paramdata || goto bf_again\n"
	    ":bf_again\n"
	    "inc bf-tries\n"
	    "iseq ${bf-tries} %d && goto bf_leave ||\n"
	    "echo Bootferry: no script from ${pxeurl} (error ${errno}), trying again in "
	    "${bf-tries} s\n",
	    ASK_TRIES);
	script_put_next_server(w, ctx);
	wbuf_str(w, "sleep ${bf-tries} ||\n"
		    "goto bf_try\n");
}

void
script_put_place(
    struct wbuf *w, const struct script_ctx *ctx, const struct place *place, bool secret)
{
	if (!place->is_url)
		wbuf_str(w, "${fileurl}");
	wbuf_slice(w, place->at);
	if (secret && !place->is_url && is_plain(slice_str(text_of(ctx->token))))
		wbuf_str(w, "?token=${token}");
}

void
script_put_leave(struct wbuf *w)
{
	/*
	 * A BIOS that gets the machine back may try the network again, so the first disk is
	 * started from here.  UEFI takes success for the end of booting and shows its menu; after
	 * an error it goes on with the next boot option.
	 */
	wbuf_str(w, ":bf_leave\n"
		    "echo Bootferry: leaving network boot\n"
		    "imgfree ||\n"
		    "iseq ${platform} pcbios && sanboot --no-describe --drive 0x80 ||\n"
		    "exit 1\n");
}

void
script_put_report(struct wbuf *w)
{
	wbuf_str(w, "imgfetch --name bf-report --timeout 5000 ${reporturl}failed/ipxe"
		    "?boot=${bootid}&item=${bf-item}&error=${bf-error} ||\n"
		    "imgfree bf-report ||\n");
}

void
script_put_pause(struct wbuf *w, const char *variable, unsigned limit)
{
	wbuf_printf(w,
	    "isset ${%s} || set %s:int32 0\n"
	    "inc %s\n"
	    "iseq ${%s} %u && goto bf_leave ||\n"
	    "sleep ${%s} ||\n",
	    variable, variable, variable, variable, limit, variable);
}

/* --- whole scripts -------------------------------------------------------------------------- */

/* Builds without HTTPS have no such setting: it is empty there. */
static void
put_if_trusted(struct wbuf *w, const struct script_ctx *ctx, const char *a, size_t a_n,
    const char *b, size_t b_n)
{
	wbuf_printf(w, "iseq ${trust:hexraw} %.*s%.*s && set pxeurl %s ||\n", (int)a_n, a, (int)b_n,
	    b, ctx->trusted_base);
}

/*
 * While the CA is rolled over there are two fingerprints: a DHCP server may have been told either,
 * or both in the order of then, and each is enough.
 */
static void
put_trusts(struct wbuf *w, const struct script_ctx *ctx)
{
	size_t n = strlen(ctx->trust);

	put_if_trusted(w, ctx, ctx->trust, n, "", 0);
	for (size_t at = 0; n > PRINT_DIGITS && at + PRINT_DIGITS <= n; at += PRINT_DIGITS)
		put_if_trusted(w, ctx, ctx->trust + at, PRINT_DIGITS, "", 0);
	if (n == 2 * PRINT_DIGITS)
		put_if_trusted(
		    w, ctx, ctx->trust + PRINT_DIGITS, PRINT_DIGITS, ctx->trust, PRINT_DIGITS);
}

void
script_collect(struct wbuf *w, const struct script_ctx *ctx)
{
	script_put_head(w, ctx);
	if (ctx->trusted_base != NULL) {
		put_trusts(w, ctx);
		put_urls(w);
		if (ctx->nothers > 0)
			wbuf_str(w, "set bf-server-0 ${pxeurl}\n");
	}
	script_put_ask(w, ctx);
	script_put_leave(w);
}

void
script_wait(struct wbuf *w, const struct script_ctx *ctx, const char *text)
{
	script_put_head(w, ctx);
	/* each answer to the same wait is such a script: the page is shown once */
	wbuf_str(w, "isset ${bf-waits} && goto bf_wait ||\n"
		    "set bf-waits:int32 0\n"
		    "echo\n");
	script_put_lines(w, text);
	wbuf_str(w, "echo Model ${manufacturer} ${product}, serial number ${serial}\n"
		    "echo MAC address ${netX/mac}, UUID ${uuid}\n");
	if (ctx->boot != 0)
		wbuf_str(w, "echo Boot ${bootid}\n");
	wbuf_printf(w,
	    ":bf_wait\n"
	    "inc bf-waits %d\n"
	    "iseq ${bf-waits} %d && set bf-waits:int32 %d ||\n"
	    "echo Bootferry: asking again in ${bf-waits} s\n"
	    "sleep ${bf-waits} ||\n",
	    WAIT_STEP_S, WAIT_MAX_S + WAIT_STEP_S, WAIT_MAX_S);
	script_put_ask(w, ctx);
	script_put_leave(w);
}

void
script_message(struct wbuf *w, const struct script_ctx *ctx, const char *text, enum script_end end)
{
	script_put_head(w, ctx);
	wbuf_str(w, "echo\n");
	script_put_lines(w, text);
	if (end == SCRIPT_ASK) {
		wbuf_str(w, "echo Bootferry: asking again soon\n");
		script_put_pause(w, "bf-asked", ASK_TRIES);
		script_put_ask(w, ctx);
	} else {
		wbuf_printf(w, "sleep %d ||\n", READ_S);
	}
	script_put_leave(w);
}

void
script_leave(struct wbuf *w, const struct script_ctx *ctx)
{
	script_put_head(w, ctx);
	script_put_leave(w);
}

void
script_put_refer(struct wbuf *w, const struct script_ctx *ctx, const char *const *urls, size_t n)
{
	size_t taken = 0;

	for (size_t i = 0; i < n; i++) {
		if (!is_plain_url(urls[i]))
			continue;
		wbuf_printf(w, "set bf-url-%zu %s\nset bf-joint-%zu %s\n", taken, urls[i], taken,
		    strchr(urls[i], '?') != NULL ? "&" : "?");
		taken++;
	}
	wbuf_printf(w, "clear bf-url-%zu ||\nset bf-item refer\nset bf-url:int32 0\n", taken);
	wbuf_str(w, "clear token ||\n"
		    "clear tokenid ||\n"
		    "clear requestid ||\n"
		    "clear statusid ||\n"
		    ":bf_refer\n"
		    "isset ${bf-url-${bf-url}} || goto bf_nowhere\n"
		    "echo Bootferry: on to ${bf-url-${bf-url}}\n");
	script_put_params(w, ctx, false, 1);
	/* what takes no form may still be a plain script on some web server */
	wbuf_str(w,
	    "isset ${bf-post} || goto bf_get\n"
	    "chain --replace --autofree ${bf-url-${bf-url}}##params=paramdata ||\n"
	    ":bf_get\n"
	    "chain --replace --autofree ${bf-url-${bf-url}}${bf-joint-${bf-url}}${paramquery} ||\n"
	    "set bf-error ${errno}\n"
	    "echo Bootferry: no script from ${bf-url-${bf-url}} (error ${bf-error})\n");
	script_put_report(w);
	wbuf_str(w, "inc bf-url\n"
		    "goto bf_refer\n"
		    ":bf_nowhere\n");
	script_put_pause(w, "bf-asked", ASK_TRIES);
	put_carry(w, ctx, true);
	script_put_ask(w, ctx);
	script_put_leave(w);
}

void
script_refer(struct wbuf *w, const struct script_ctx *ctx, const char *const *urls, size_t n)
{
	script_put_head(w, ctx);
	script_put_refer(w, ctx, urls, n);
}

void
script_empty(struct wbuf *w)
{
	wbuf_str(w, "#!ipxe\n");
}
