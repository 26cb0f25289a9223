/* See path.h. */
#include "common/path.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool
is_slash(uint8_t c)
{
	return c == '/' || c == '\\';
}

/* What stands behind a name that a ROM read past the end of its option, or typed with a blank. */
static bool
is_tail(uint8_t c)
{
	return c != '\0' && (c <= ' ' || c == 0x7f || c == 0xff);
}

int
path_normalise(struct slice name, char ret[static CONTENT_PATH_MAX])
{
	char path[CONTENT_PATH_MAX];
	size_t used = 0, depth = 0;

	while (name.n > 0 && is_tail(name.p[name.n - 1]))
		name.n--;
	for (size_t i = 0; i < name.n;) {
		size_t start, n;

		if (is_slash(name.p[i])) {
			i++;
			continue;
		}
		for (start = i; i < name.n && !is_slash(name.p[i]); i++) {
			if (name.p[i] < ' ' || name.p[i] == 0x7f)
				return -EINVAL;
		}
		n = i - start;
		if (n == 1 && name.p[start] == '.')
			continue;
		if (name.p[start] == '.')
			return -EACCES;
		if (used + n + 2 > sizeof(path) || ++depth > CONTENT_DEPTH_MAX)
			return -ENAMETOOLONG;
		if (used > 0)
			path[used++] = '/';
		memcpy(path + used, name.p + start, n);
		used += n;
	}
	/* a slash or a "." behind the tail */
	while (used > 0 && (is_tail((uint8_t)path[used - 1]) || path[used - 1] == '/'))
		used--;
	if (used == 0)
		return -EINVAL;
	path[used] = '\0';
	memcpy(ret, path, used + 1);
	return 0;
}

bool
path_is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncasecmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

const char *
path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}
