/* See lookup.h. */
#include "handlerd/lookup.h"

#include <errno.h>
#include <string.h>

/* A path in any case of its letters. */
static int
try_path(int root_fd, struct folders *folders, const char *path, struct content_file *ret)
{
	char found[CONTENT_PATH_MAX];
	int rc = folders_find(folders, path, found);

	if (rc < 0)
		return rc;
	return content_stat_exactly(root_fd, found, ret);
}

/* What ends a look-up: anything but that there is no file here. */
static bool
is_final(int rc)
{
	return rc != -ENOENT && rc != -EISDIR && rc != -ENAMETOOLONG;
}

int
lookup_file(int root_fd, struct folders *folders, const struct names_ask *ask,
    char path[static CONTENT_PATH_MAX], int *ret_path_rc, struct content_file *ret)
{
	char candidate[CONTENT_PATH_MAX];
	struct names names;
	const char *twin;
	int rc, worst = -ENOENT;

	*ret_path_rc = names_begin(&names, ask, path);
	if (*ret_path_rc < 0)
		return *ret_path_rc;
	if (root_fd < 0)
		return -ENOSYS;
	/* most names are right as they are: the kernel finds those best */
	rc = content_stat_exactly(root_fd, path, ret);
	if (rc == 0 || is_final(rc))
		return rc;
	folders_round(folders);
	while (names_next(&names, candidate)) {
		rc = try_path(root_fd, folders, candidate, ret);
		if (rc == 0)
			memcpy(path, ret->path, strlen(ret->path) + 1);
		if (rc == 0 || is_final(rc))
			return rc;
		if (rc == -EISDIR)
			worst = rc;
	}
	twin = names.rc == 0 ? names_of_2pxe(path) : NULL;
	if (twin != NULL && try_path(root_fd, folders, twin, ret) == 0) {
		memcpy(path, ret->path, strlen(ret->path) + 1);
		return 0;
	}
	if (names.rc < 0)
		*ret_path_rc = names.rc;
	return names.rc < 0 ? names.rc : worst;
}
