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

const char *
route_without_secrets(const char *target, char *dst, size_t size)
{
	size_t n = strcspn(target, "?");
	struct slice query = slice_str(target + n);
	size_t used;

	if (query.n > 0) {
		n++; /* the question mark stands before the first name */
		query.p++;
		query.n--;
	}
	used = slice_copy(dst, size, (struct slice){ (const uint8_t *)target, n });
	used += form_without_secrets(query, dst + used, size - 1 - used).n;
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
