/* See reqhead.h. */
#include "httpsbootd/reqhead.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS 18 /* of a length: an exabyte is more than any client has */

static const struct {
	const char *name, *words;
	unsigned status;
} faults[] = {
	[REQHEAD_FINE] = { "fine", "nothing is wrong", 200 },
	[REQHEAD_LINE] = { "request-line", "this is no request line of HTTP", 400 },
	[REQHEAD_VERSION] = { "http-version", "HTTP/1.1 and HTTP/1.0 are served", 505 },
	[REQHEAD_LONG_TARGET] = { "long-target", "the URL is too long", 414 },
	[REQHEAD_LARGE] = { "large-head", "the head of the request is too large", 431 },
	[REQHEAD_LINE_END] = { "line-end", "a line of the head does not end with CR LF", 400 },
	[REQHEAD_NAME] = { "field-name", "a header field has no proper name", 400 },
	[REQHEAD_VALUE] = { "field-value", "a header field holds a control character", 400 },
	[REQHEAD_FOLDED] = { "folded-field", "a header field goes over several lines", 400 },
	[REQHEAD_LENGTH] = { "content-length", "Content-Length is no number", 400 },
	[REQHEAD_LENGTHS] = { "two-lengths", "two lengths for one body", 400 },
	[REQHEAD_CODING] = { "transfer-coding", "a transfer coding that is not known", 400 },
	[REQHEAD_NO_HOST] = { "no-host", "HTTP/1.1 without a Host", 400 },
	[REQHEAD_HOST] = { "host", "two Hosts, or one that is none", 400 },
	[REQHEAD_CHUNK] = { "chunk", "the chunks of the body are broken", 400 },
};
_Static_assert(NITEMS(faults) == REQHEAD_FAULTS, "a row for each");

const char *
reqhead_fault_name(enum reqhead_fault v)
{
	return (unsigned)v < REQHEAD_FAULTS ? faults[v].name : "?";
}

const char *
reqhead_fault_words(enum reqhead_fault v)
{
	return (unsigned)v < REQHEAD_FAULTS ? faults[v].words : "?";
}

unsigned
reqhead_fault_status(enum reqhead_fault v)
{
	return (unsigned)v < REQHEAD_FAULTS ? faults[v].status : 400;
}

/* What an octet may be part of. */
enum {
	TOKEN = 1,  /* RFC 9110 section 5.6.2 */
	TARGET = 2, /* more than RFC 3986 lets: GRUB sends file names as they are */
	VALUE = 4,  /* RFC 9110 section 5.5 */
	HOST = 8,   /* RFC 3986 section 3.2.2, and the port */
};

#define PRINTS (TARGET | VALUE)
static const uint8_t classes[256] = {
	['\t'] = VALUE,
	[' '] = VALUE,
	['"'] = PRINTS,
	['/'] = PRINTS,
	['<' ... '@'] = PRINTS,
	['\\'] = PRINTS,
	['{'] = PRINTS,
	['}'] = PRINTS,
	['#'] = PRINTS | TOKEN,
	['^'] = PRINTS | TOKEN,
	['`'] = PRINTS | TOKEN,
	['|'] = PRINTS | TOKEN,
	['('] = PRINTS | HOST,
	[')'] = PRINTS | HOST,
	[','] = PRINTS | HOST,
	[':'] = PRINTS | HOST,
	[';'] = PRINTS | HOST,
	['['] = PRINTS | HOST,
	[']'] = PRINTS | HOST,
	['!'] = PRINTS | TOKEN | HOST,
	['$' ... '\''] = PRINTS | TOKEN | HOST,
	['*' ... '+'] = PRINTS | TOKEN | HOST,
	['-' ... '.'] = PRINTS | TOKEN | HOST,
	['0' ... '9'] = PRINTS | TOKEN | HOST,
	['A' ... 'Z'] = PRINTS | TOKEN | HOST,
	['_'] = PRINTS | TOKEN | HOST,
	['a' ... 'z'] = PRINTS | TOKEN | HOST,
	['~'] = PRINTS | TOKEN | HOST,
	[0x80 ... 0xff] = PRINTS,
};

/* The first octet that is not of a class; the last octet of what is looked at is a line feed. */
static uint8_t *
pass(uint8_t *p, unsigned class)
{
	while (classes[*p] & class)
		p++;
	return p;
}

int
reqhead_find(const uint8_t *p, size_t n, size_t *line, size_t *seen)
{
	const uint8_t *end;

	if (*seen == 0 && n > 0 && !(classes[p[0]] & TOKEN) && p[0] != '\r')
		return p[0] == '\n' ? -EBADMSG : -EPROTO;
	while (*seen < n && (end = memchr(p + *seen, '\n', n - *seen)) != NULL) {
		size_t at = (size_t)(end - p), length = at - *line;

		if (length == 0 || end[-1] != '\r')
			return -EBADMSG;
		*line = *seen = at + 1;
		if (length == 1)
			return (int)*line;
	}
	*seen = n;
	return 0;
}

/* RFC 9112 section 3; *ret is what follows the line. */
static enum reqhead_fault
check_line(uint8_t *p, uint8_t **ret, bool *old)
{
	static const char name[] = "HTTP/";
	const size_t n = sizeof(name) - 1;
	uint8_t *end = pass(p, TOKEN), *target = end + 1;

	if (end == p || *end != ' ')
		return REQHEAD_LINE;
	end = pass(target, TARGET);
	if (end == target || *end != ' ')
		return REQHEAD_LINE;
	p = end + 1;
	end = pass(p, TARGET);
	if (end - p != (ptrdiff_t)n + 3 || memcmp(p, name, n) != 0 || p[n] < '0' || p[n] > '9' ||
	    p[n + 1] != '.' || p[n + 2] < '0' || p[n + 2] > '9' || end[0] != '\r' || end[1] != '\n')
		return REQHEAD_LINE;
	if (p[n] != '1')
		return REQHEAD_VERSION;
	*old = p[n + 2] == '0';
	*ret = end + 2;
	return REQHEAD_FINE;
}

static bool
is_number(const uint8_t *p, const uint8_t *end, uint64_t *ret)
{
	uint64_t n = 0;

	if (p == end || end - p > LENGTH_DIGITS)
		return false;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	*ret = n;
	return true;
}

static bool
is_named(const uint8_t *name, size_t n, const char *want)
{
	return n == strlen(want) && strncasecmp((const char *)name, want, n) == 0;
}

/* What is counted while the fields are gone through. */
struct tally {
	size_t fields, hosts, lengths, codings;
	uint64_t length;
};

/* One field; the value is without blanks around it. */
static enum reqhead_fault
take_field(uint8_t *name, size_t n, uint8_t *value, const uint8_t *end, struct tally *t)
{
	t->fields++;
	if (is_named(name, n, "Host")) {
		t->hosts++;
		if (pass(value, HOST) != end)
			return REQHEAD_HOST;
	} else if (is_named(name, n, "Content-Length")) {
		t->lengths++;
		if (!is_number(value, end, &t->length))
			return REQHEAD_LENGTH;
	} else if (is_named(name, n, "Transfer-Encoding")) {
		t->codings++;
		if (!is_named(value, (size_t)(end - value), "chunked"))
			return REQHEAD_CODING;
	} else if (is_named(name, n, "Cookie")) {
		name[0] = '-';
	}
	return REQHEAD_FINE;
}

/* RFC 9112 section 5; *ret is what follows the line. */
static enum reqhead_fault
check_field(uint8_t *name, uint8_t **ret, struct tally *t)
{
	uint8_t *colon = pass(name, TOKEN), *value = colon + 1, *end;
	size_t n, blanks = 0;

	if (*name == ' ' || *name == '\t')
		return REQHEAD_FOLDED;
	if (colon == name || *colon != ':')
		return REQHEAD_NAME;
	end = pass(value, VALUE);
	if (end[0] != '\r' || end[1] != '\n')
		return REQHEAD_VALUE;
	*ret = end + 2;
	while (*value == ' ' || *value == '\t')
		value++;
	while (end - blanks > value &&
	       (end[-1 - (ptrdiff_t)blanks] == ' ' || end[-1 - (ptrdiff_t)blanks] == '\t'))
		blanks++;
	n = (size_t)(end - value) - blanks;
	if (blanks > 0) {
		memmove(value + blanks, value, n);
		memset(value, ' ', blanks);
		value += blanks;
	}
	return take_field(name, (size_t)(colon - name), value, end, t);
}

enum reqhead_fault
reqhead_check(uint8_t *p, size_t n, struct reqhead *ret)
{
	const uint8_t *end = p + n - 2; /* the empty line */
	struct tally t = { 0 };
	bool old = false;
	enum reqhead_fault fault = check_line(p, &p, &old);

	while (fault == REQHEAD_FINE && p < end)
		fault = check_field(p, &p, &t);
	if (fault != REQHEAD_FINE)
		return fault;
	/*
	 * RFC 9112 sections 6.1 and 6.3: a proxy before us may take the one length where we take
	 * the other, and then takes a part of one client's request for another one's.
	 */
	if (t.lengths + t.codings > 1)
		return REQHEAD_LENGTHS;
	if (t.codings > 0 && old)
		return REQHEAD_CODING;
	/* RFC 9112 section 3.2; U-Boot's wget speaks HTTP/1.0 and sends none */
	if (t.hosts > 1)
		return REQHEAD_HOST;
	if (t.hosts == 0 && !old)
		return REQHEAD_NO_HOST;
	*ret = (struct reqhead){
		.body = t.codings > 0   ? REQHEAD_IN_CHUNKS
		        : t.lengths > 0 ? REQHEAD_OF_LENGTH
		                        : REQHEAD_NO_BODY,
		.length = t.length,
		.fields = t.fields,
	};
	return REQHEAD_FINE;
}

void
reqhead_guess(const uint8_t *p, size_t n, struct slice *ret_method, struct slice *ret_target)
{
	size_t method = 0, end;

	*ret_method = *ret_target = (struct slice){ NULL, 0 };
	while (method < n && (classes[p[method]] & TOKEN))
		method++;
	if (method == 0 || method == n || p[method] != ' ')
		return;
	for (end = method + 1; end < n && (classes[p[end]] & TARGET);)
		end++;
	*ret_method = (struct slice){ p, method };
	*ret_target = (struct slice){ p + method + 1, end - method - 1 };
}
