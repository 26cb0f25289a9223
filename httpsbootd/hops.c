/* See hops.h. */
#include "httpsbootd/hops.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define RANDOM_STRLEN 17 /* "-" and 16 digits */

/* RFC 9110 section 5.6.2 */
static bool
is_token(uint8_t c)
{
	return isalnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

const char *
hops_own(const char *instance, const char *host, uint64_t random, char ret[static HOP_STRLEN])
{
	(void)snprintf(ret, HOP_STRLEN - RANDOM_STRLEN, HOPS_ID_TEXT "%s%s%s", instance,
	    instance[0] != '\0' && host[0] != '\0' ? "." : "", host);
	for (char *p = ret; *p != '\0'; p++) {
		if (!is_token((uint8_t)*p))
			*p = '_';
	}
	(void)snprintf(
	    ret + strlen(ret), RANDOM_STRLEN + 1, "-%016llx", (unsigned long long)random);
	return ret;
}

bool
hops_has(const struct hops *h, const char *name)
{
	for (size_t i = 0; i < h->n; i++) {
		if (strcmp(h->name[i], name) == 0)
			return true;
	}
	return false;
}

static void
add(struct hops *h, struct slice name)
{
	if (h->n == HOPS_MAX || name.n >= HOP_STRLEN) {
		h->full = true;
		return;
	}
	(void)slice_copy(h->name[h->n++], HOP_STRLEN, name);
}

static void
skip_blanks(struct slice *s)
{
	while (s->n > 0 && (*s->p == ' ' || *s->p == '\t')) {
		s->p++;
		s->n--;
	}
}

/* Up to the next blank or comma. */
static struct slice
take_word(struct slice *s)
{
	struct slice word = { s->p, 0 };

	while (s->n > 0 && *s->p != ' ' && *s->p != '\t' && *s->p != ',') {
		s->p++;
		s->n--;
		word.n++;
	}
	return word;
}

/* Behind the comma that ends this member; one within a comment does not. */
static void
skip_member(struct slice *s)
{
	size_t depth = 0;

	while (s->n > 0) {
		uint8_t c = *s->p;
		size_t step = c == '\\' && s->n > 1 ? 2 : 1;

		s->p += step;
		s->n -= step;
		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == ',' && depth == 0)
			return;
	}
}

static bool
is_ours(struct slice name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (!is_token(name.p[i])) /* it goes out in a header again */
			return false;
	}
	return slice_begins(name, HOPS_ID_TEXT);
}

void
hops_read(struct hops *h, struct slice via)
{
	while (via.n > 0) {
		struct slice name;

		skip_blanks(&via);
		(void)take_word(&via); /* the protocol */
		skip_blanks(&via);
		name = take_word(&via);
		if (is_ours(name))
			add(h, name);
		skip_member(&via);
	}
}

bool
hops_join(struct hops *h, const struct hops *more)
{
	struct hops before = *h;
	bool news = false;

	for (size_t i = 0; i < more->n; i++)
		news = news || !hops_has(h, more->name[i]);
	if (!news)
		return false;
	*h = *more; /* in its order, for hops_ring() */
	for (size_t i = 0; i < before.n; i++) {
		if (!hops_has(h, before.name[i]))
			add(h, slice_str(before.name[i]));
	}
	return true;
}

const char *
hops_line(const struct hops *h, const char *own, char dst[static HOPS_STRLEN])
{
	size_t n = (size_t)snprintf(dst, HOPS_STRLEN, "Via: ");

	for (size_t i = 0; i < h->n; i++)
		n += (size_t)snprintf(dst + n, HOPS_STRLEN - n, "1.1 %s, ", h->name[i]);
	(void)snprintf(dst + n, HOPS_STRLEN - n, "1.1 %s", own);
	return dst;
}

/* A name without what is there for machines. */
static void
put_words(struct wbuf *w, const char *name)
{
	size_t n = strlen(name), before = sizeof(HOPS_ID_TEXT) - 1;

	if (n <= before + RANDOM_STRLEN)
		wbuf_str(w, name);
	else
		wbuf_bytes(w, name + before, n - before - RANDOM_STRLEN);
}

const char *
hops_ring(const struct hops *h, const char *own, char *dst, size_t size)
{
	struct wbuf w;
	size_t i = 0;

	wbuf_init(&w, dst, size - 1);
	while (i < h->n && strcmp(h->name[i], own) != 0)
		i++;
	for (; i < h->n; i++) {
		put_words(&w, h->name[i]);
		wbuf_str(&w, " > ");
	}
	put_words(&w, own);
	dst[w.used] = '\0';
	return dst;
}
