/* See loaders.h. */
#include "ferryctl/loaders.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

uint8_t *
loaders_read(const char *path, size_t *ret_n)
{
	uint8_t *bytes = malloc(LOADER_READ_MAX);
	FILE *f = fopen(path, "rbe");

	if (bytes == NULL || f == NULL) {
		(void)ctl_error("%s: %s", path, strerror(errno));
		free(bytes);
		bytes = NULL;
	} else {
		*ret_n = fread(bytes, 1, LOADER_READ_MAX, f);
	}
	if (f != NULL)
		fclose(f);
	return bytes;
}

json_t *
loaders_notes(const char *root)
{
	char path[PUBLISH_PATH];

	(void)snprintf(path, sizeof(path), "%s/boot/" ORIGINS_FILE, root);
	return json_load_file(path, 0, NULL);
}

int
loaders_write_notes(const char *root, const json_t *notes)
{
	char path[PUBLISH_PATH];
	char *text = json_dumps(notes, JSON_INDENT(2));
	int rc = CTL_FAIL;

	(void)snprintf(path, sizeof(path), "%s/boot/" ORIGINS_FILE, root);
	if (text != NULL && publish_bytes(path, text, strlen(text), 0644) == 0)
		rc = CTL_OK;
	free(text);
	return rc;
}

static int
no_dots(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int
look_at(struct loader_file *f, const json_t *notes, const char *name,
    int (*fn)(void *arg, struct loader_file *f), void *arg)
{
	char hex[DIGEST_STRLEN];
	struct stat st;
	int rc = CTL_OK;

	if (lstat(f->file, &st) < 0 || !S_ISREG(st.st_mode))
		return CTL_OK;
	f->bytes = loaders_read(f->file, &f->n);
	if (f->bytes == NULL)
		return CTL_FAIL;
	loader_inspect((struct slice){ f->bytes, f->n }, name, &f->info);
	digest_bytes((struct slice){ f->bytes, f->n }, f->sha256);
	origins_apply(notes, f->path, digest_format(f->sha256, hex), &f->info, f->source);
	if (f->info.kind != LOADER_UNKNOWN)
		rc = fn(arg, f);
	free(f->bytes);
	f->bytes = NULL;
	return rc;
}

static int
scan_folder(const char *root, const char *folder, const json_t *notes,
    int (*fn)(void *arg, struct loader_file *f), void *arg)
{
	char path[PUBLISH_PATH];
	struct dirent **list;
	int n, rc = CTL_OK;

	(void)snprintf(path, sizeof(path), "%s/boot/%s", root, folder);
	n = scandir(path, &list, no_dots, alphasort);
	for (int i = 0; i < n; i++) {
		struct loader_file f = { 0 };

		if (rc == CTL_OK &&
		    snprintf(f.path, sizeof(f.path), "boot/%s/%s", folder, list[i]->d_name) <
			(int)sizeof(f.path) &&
		    snprintf(f.file, sizeof(f.file), "%s/%s", root, f.path) < (int)sizeof(f.file))
			rc = look_at(&f, notes, list[i]->d_name, fn, arg);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return rc;
}

int
loaders_scan(
    const char *root, json_t *notes, int (*fn)(void *arg, struct loader_file *f), void *arg)
{
	char path[PUBLISH_PATH];
	struct dirent **list;
	int n, rc = CTL_OK;

	(void)snprintf(path, sizeof(path), "%s/boot", root);
	n = scandir(path, &list, no_dots, alphasort);
	if (n < 0 && errno != ENOENT)
		return ctl_error("%s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (rc == CTL_OK && list[i]->d_type != DT_REG)
			rc = scan_folder(root, list[i]->d_name, notes, fn, arg);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return rc;
}
