/* URLs; see route.h. */
#include "httpsbootd/route.h"

#include "common/form.h"
#include "common/params.h"
#include "common/path.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Passes slashes, then the word, then what ends it; the rest, or NULL. */
static const char *
pass_word(const char *p, const char *end, const char *word)
{
	size_t n = strlen(word);

	while (p < end && *p == '/')
		p++;
	if ((size_t)(end - p) < n || strncasecmp(p, word, n) != 0)
		return NULL;
	p += n;
	return p == end || *p == '/' ? p : NULL;
}

/* A file whose path in the content root has another beginning; false if it does not fit. */
static bool
put_rest(struct route *ret, const char *before, const char *rest, const char *end)
{
	size_t n = strlen(before);

	while (rest < end && *rest == '/')
		rest++;
	if (rest == end || n + (size_t)(end - rest) > sizeof(ret->rest))
		return false;
	ret->kind = ROUTE_FILE;
	memcpy(ret->rest, before, n);
	memcpy(ret->rest + n, rest, (size_t)(end - rest));
	ret->rest_n = n + (size_t)(end - rest);
	return true;
}

/*
 * The path of an absolute URI, "/" if it has none (RFC 9110 section 4.2.3); "" if it has no host.
 * Anything else as it is.
 */
static const char *
pass_authority(const char *target)
{
	size_t n;

	if (strncasecmp(target, "http://", 7) != 0 && strncasecmp(target, "https://", 8) != 0)
		return target;
	target = strchr(target, ':') + 3;
	n = strcspn(target, "/?");
	if (n == 0)
		return "";
	return target[n] == '/' ? target + n : "/";
}

int
route_parse(const char *target, struct route *ret)
{
	static const struct {
		const char *word;
		enum route_kind kind;
		bool has_rest;
		const char *before; /* put before the rest */
	} routes[] = {
		{ "boot", ROUTE_BOOT, false, "" },
		/* where 2PXE serves loaders to UEFI HTTP Boot: /2PXE/boot/x64/snponly_x64.efi */
		{ "boot", ROUTE_FILE, true, "boot/" },
		{ "file", ROUTE_FILE, true, "" },
		{ "certificate", ROUTE_FILE, true, "certificate/" },
		{ "report", ROUTE_REPORT, true, "" },
	};
	const char *query, *p, *end, *rest;
	char path[ROUTE_PATH_MAX];
	int n;

	target = pass_authority(target);
	if (target[0] != '/')
		return -EINVAL;
	query = strchr(target, '?');
	n = url_decode((struct slice){ (const uint8_t *)target,
			   query != NULL ? (size_t)(query - target) : strlen(target) },
	    false, path, sizeof(path));
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	ret->kind = ROUTE_NONE;
	ret->rest_n = 0;
	ret->query = slice_str(query != NULL ? query + 1 : "");
	end = path + n;
	p = pass_word(path, end, "2PXE");
	/* where iPXE looks for cross-certificates, below its setting `crosscert` */
	rest = p == NULL ? pass_word(path, end, "auto") : NULL;
	if (rest != NULL && rest + 1 < end && put_rest(ret, "certificate/auto/", rest, end))
		return 0;
	for (size_t i = 0; p != NULL && i < NITEMS(routes); i++) {
		size_t before = strlen(routes[i].before);

		rest = pass_word(p, end, routes[i].word);
		if (rest == NULL)
			continue;
		while (rest < end && *rest == '/')
			rest++;
		if (routes[i].has_rest != (rest < end))
			continue;
		ret->kind = routes[i].kind;
		/* fits: the word that it stands for is gone, and "/2PXE/" */
		memcpy(ret->rest, routes[i].before, before);
		memcpy(ret->rest + before, rest, (size_t)(end - rest));
		ret->rest_n = before + (size_t)(end - rest);
		break;
	}
	return 0;
}

/* "*" is tried the shortest way first and grows when what follows does not fit. */
static bool
fits(const char *pattern, struct slice s)
{
	const char *star = NULL;
	size_t at = 0, star_at = 0;

	while (at < s.n) {
		char c = (char)s.p[at];

		if (*pattern == '*') {
			star = pattern++;
			star_at = at;
		} else if (*pattern != '\0' && strncasecmp(pattern, &c, 1) == 0) {
			pattern++;
			at++;
		} else if (star != NULL) {
			pattern = star + 1;
			at = ++star_at;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

static bool
any_fits(const char *const *patterns, size_t n, const char *begin, struct slice rest)
{
	char text[32 + ROUTE_PATH_MAX];
	struct wbuf w;

	wbuf_init(&w, text, sizeof(text));
	wbuf_str(&w, begin);
	wbuf_slice(&w, rest);
	for (size_t i = 0; i < n; i++) {
		if (fits(patterns[i], wbuf_view(&w)))
			return true;
	}
	return false;
}

bool
route_is_listed(const struct route *route, const char *const *patterns, size_t n)
{
	struct slice rest = { (const uint8_t *)route->rest, route->rest_n };
	char path[CONTENT_PATH_MAX];

	switch (route->kind) {
	case ROUTE_BOOT: return any_fits(patterns, n, "/2PXE/boot", rest);
	case ROUTE_REPORT: return any_fits(patterns, n, "/2PXE/report/", rest);
	case ROUTE_FILE: break;
	default: return false;
	}
	/* the name as it will be looked for; handlerd refuses what is none */
	if (path_normalise(rest, path) < 0)
		return any_fits(patterns, n, "/2PXE/file/", rest);
	return any_fits(patterns, n, "/2PXE/file/", slice_str(path)) ||
	       ((path_is_below(path, "boot") || path_is_below(path, "certificate")) &&
		   any_fits(patterns, n, "/2PXE/", slice_str(path)));
}

const char *
route_without_secrets(const char *text, char *dst, size_t size)
{
	size_t used = form_without_secrets(slice_str(text), dst, size - 1).n;

	dst[used] = '\0';
	return dst;
}

const char *
media_type(const char *path)
{
	/* edk2 compares the whole header value (protocol of UEFI HTTP Boot) */
	static const struct {
		const char *end, *type;
	} types[] = {
		{ ".efi", "application/efi" },
		{ ".iso", "application/vnd.efi-iso" },
		{ ".img", "application/vnd.efi-img" },
		{ ".ipxe", "text/plain" },
		{ ".cfg", "text/plain" },
		{ ".txt", "text/plain" },
		{ ".json", "application/json" },
		{ ".xml", "text/xml" },
		{ ".png", "image/png" },
		{ ".jpg", "image/jpeg" },
		/* as IIS gives Windows' files */
		{ ".wim", "application/x-ms-wim" },
		{ ".sdi", "application/octet-stream" },
		{ ".bcd", "application/octet-stream" },
		{ ".crt", "application/x-x509-ca-cert" },
		{ ".der", "application/pkix-cert" },
		{ ".pem", "application/x-pem-file" },
	};
	size_t n = strlen(path);

	for (size_t i = 0; i < NITEMS(types); i++) {
		size_t k = strlen(types[i].end);

		if (n > k && strcasecmp(path + n - k, types[i].end) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}
