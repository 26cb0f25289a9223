/* URLs; see route.h. */
#include "httpsbootd/route.h"

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

int
route_parse(const char *target, struct route *ret)
{
	static const struct {
		const char *word;
		enum route_kind kind;
		bool has_rest;
	} routes[] = {
		{ "boot", ROUTE_BOOT, false },
		{ "file", ROUTE_FILE, true },
		{ "report", ROUTE_REPORT, true },
	};
	const char *query, *p, *end, *rest;
	char path[ROUTE_PATH_MAX];
	int n;

	if (strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0) {
		target = strchr(strchr(target, ':') + 3, '/');
		if (target == NULL)
			return -EINVAL;
	}
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
	for (size_t i = 0; p != NULL && i < NITEMS(routes); i++) {
		rest = pass_word(p, end, routes[i].word);
		if (rest == NULL)
			continue;
		while (rest < end && *rest == '/')
			rest++;
		if (routes[i].has_rest == (rest < end)) {
			ret->kind = routes[i].kind;
			ret->rest_n = (size_t)(end - rest);
			memcpy(ret->rest, rest, ret->rest_n);
		}
		break;
	}
	return 0;
}

/* The name of a pair, decoded; a name that cannot be is none of those. */
static bool
is_secret(const char *name, size_t n)
{
	static const char *const secrets[] = { "token", "tokenid", "authvalue" };
	char decoded[16];
	int k = url_decode(
	    (struct slice){ (const uint8_t *)name, n }, true, decoded, sizeof(decoded) - 1);

	if (k < 0)
		return false;
	decoded[k] = '\0';
	for (size_t i = 0; i < NITEMS(secrets); i++) {
		if (strcasecmp(decoded, secrets[i]) == 0)
			return true;
	}
	return false;
}

const char *
route_without_secrets(const char *target, char *dst, size_t size)
{
	const char *p = target + strcspn(target, "?");
	struct wbuf w;

	wbuf_init(&w, dst, size - 1);
	if (*p == '?')
		p++;
	wbuf_bytes(&w, target, (size_t)(p - target) < size - 1 ? (size_t)(p - target) : size - 1);
	while (*p != '\0' && !w.bad) {
		size_t n = strcspn(p, "&"), name_n = strcspn(p, "=&");

		if (p[name_n] == '=' && is_secret(p, name_n)) {
			wbuf_bytes(&w, p, name_n + 1);
			wbuf_str(&w, "...");
		} else {
			size_t room = w.size - w.used;

			wbuf_bytes(&w, p, n < room ? n : room);
		}
		p += n;
		if (*p == '&') {
			wbuf_u8(&w, '&');
			p++;
		}
	}
	dst[w.used] = '\0';
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
		{ ".txt", "text/plain" },
		{ ".json", "application/json" },
		{ ".png", "image/png" },
		{ ".wim", "application/x-ms-wim" },
	};
	size_t n = strlen(path);

	for (size_t i = 0; i < NITEMS(types); i++) {
		size_t k = strlen(types[i].end);

		if (n > k && strcasecmp(path + n - k, types[i].end) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}
