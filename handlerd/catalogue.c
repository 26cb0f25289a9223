/* Scanning the content root; see catalogue.h. */
#include "handlerd/catalogue.h"

#include "common/content.h"
#include "common/digest.h"
#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST_MAX (1u << 20)
#define LOADER_DEPTH 2 /* folders below boot/ */

/* The first `max` bytes of a file below the root as new memory, or NULL with *rc. */
static uint8_t *
read_content(int root_fd, const char *path, size_t max, size_t *ret_n, int *rc)
{
	struct content_file f;
	uint8_t *bytes;
	size_t n = 0;

	*rc = content_open(root_fd, path, &f);
	if (*rc < 0)
		return NULL;
	if (f.size < max)
		max = (size_t)f.size;
	bytes = malloc(max + 1);
	*rc = bytes == NULL ? -ENOMEM : 0;
	while (bytes != NULL && n < max) {
		ssize_t got = read(f.fd, bytes + n, max - n);

		if (got < 0)
			*rc = -errno;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	close(f.fd);
	if (*rc < 0) {
		free(bytes);
		return NULL;
	}
	bytes[n] = '\0';
	*ret_n = n;
	return bytes;
}

static DIR *
open_dir(int root_fd, const char *path)
{
	int fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir;

	if (fd < 0)
		return NULL;
	dir = fdopendir(fd);
	if (dir == NULL)
		close(fd);
	return dir;
}

static void
add_loader(struct catalogue *c, int root_fd, const char *path, const json_t *notes)
{
	struct loader *l = &c->loaders[c->nloaders];
	uint8_t digest[DIGEST_BYTES], *bytes;
	char hex[DIGEST_STRLEN];
	size_t n;
	int rc;

	bytes = read_content(root_fd, path, LOADER_READ_MAX, &n, &rc);
	if (bytes == NULL) {
		log_warnx("content: %s: %s", path, strerror(-rc));
		c->broken++;
		return;
	}
	memset(l, 0, sizeof(*l));
	(void)snprintf(l->path, sizeof(l->path), "%s", path);
	l->size = n;
	if (path_is_below(path, CATALOGUE_RPI))
		loader_inspect_rpi(&l->info);
	else
		loader_inspect((struct slice){ bytes, n }, path_base(path), &l->info);
	digest_bytes((struct slice){ bytes, n }, digest);
	free(bytes);
	origins_apply(notes, path, digest_format(digest, hex), &l->info, c->sources[c->nloaders]);
	l->rank = loader_rank(&l->info, path_base(path));
	if (l->rank == 0)
		return;
	if (l->info.cpu_by_name)
		log_warnx("content: %s is no program that is known; it counts as one for %s by its "
			  "name alone",
		    path, arch_cpu_name(l->info.cpu));
	c->nloaders++;
}

static void
scan_loaders(struct catalogue *c, int root_fd, const char *path, int depth, const json_t *notes)
{
	DIR *dir = open_dir(root_fd, path);
	const struct dirent *e;

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		char sub[CONTENT_PATH_MAX];
		struct stat st;

		if (e->d_name[0] == '.' || strcmp(e->d_name, ORIGINS_FILE) == 0 ||
		    snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name) >= (int)sizeof(sub) ||
		    fstatat(root_fd, sub, &st, 0) < 0)
			continue;
		/* a Pi's firmware is some hundred files, of which few tell anything */
		if (strcasecmp(path, CATALOGUE_RPI) == 0 &&
		    (S_ISDIR(st.st_mode) || !loader_is_rpi(e->d_name)))
			continue;
		if (S_ISDIR(st.st_mode) && depth > 0)
			scan_loaders(c, root_fd, sub, depth - 1, notes);
		else if (S_ISREG(st.st_mode) && c->nloaders < CATALOGUE_LOADERS)
			add_loader(c, root_fd, sub, notes);
	}
	closedir(dir);
}

static int
by_rank(const void *a, const void *b)
{
	const struct loader *x = a, *y = b;

	if (x->info.cpu != y->info.cpu)
		return x->info.cpu < y->info.cpu ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return strcmp(x->path, y->path);
}

/* Orders loaders by CPU and rank; their sources go with them. */
static int
sort_loaders(struct catalogue *c)
{
	struct pair {
		struct loader loader; /* first, so that by_rank() sees it */
		char source[ORIGINS_SOURCE];
	} *pairs = calloc(c->nloaders + 1, sizeof(*pairs));

	if (pairs == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < c->nloaders; i++) {
		pairs[i].loader = c->loaders[i];
		memcpy(pairs[i].source, c->sources[i], sizeof(pairs[i].source));
	}
	qsort(pairs, c->nloaders, sizeof(*pairs), by_rank);
	for (size_t i = 0; i < c->nloaders; i++) {
		c->loaders[i] = pairs[i].loader;
		memcpy(c->sources[i], pairs[i].source, sizeof(pairs[i].source));
		if (c->best[c->loaders[i].info.cpu] == NULL)
			c->best[c->loaders[i].info.cpu] = &c->loaders[i];
	}
	free(pairs);
	return 0;
}

/* The files of an image must be there, in the size that the manifest says. */
static int
check_files(int root_fd, const struct image *im, char *error, size_t size)
{
	for (size_t i = 0; i < im->nfiles; i++) {
		char path[CONTENT_PATH_MAX];
		struct content_file f;
		int rc;

		(void)snprintf(path, sizeof(path), "images/%s/%s", im->name, im->files[i].name);
		rc = content_stat(root_fd, path, &f);
		if (rc < 0) {
			(void)snprintf(error, size, "%s: %s", im->files[i].name, strerror(-rc));
			return rc;
		}
		if (f.size != im->files[i].size) {
			(void)snprintf(error, size, "%s has %llu bytes, the manifest says %llu",
			    im->files[i].name, (unsigned long long)f.size,
			    (unsigned long long)im->files[i].size);
			return -EINVAL;
		}
	}
	return 0;
}

static void
add_image(struct catalogue *c, int root_fd, const char *name)
{
	struct image *im = &c->images[c->nimages];
	char path[CONTENT_PATH_MAX], error[256] = "";
	uint8_t *text;
	size_t n;
	int rc;

	(void)snprintf(path, sizeof(path), "images/%s/" IMAGE_MANIFEST, name);
	text = read_content(root_fd, path, MANIFEST_MAX, &n, &rc);
	if (text == NULL) {
		(void)snprintf(error, sizeof(error), "%s", strerror(-rc));
	} else {
		rc = image_parse((const char *)text, n, im, error, sizeof(error));
		free(text);
		if (rc == 0 && strcmp(im->name, name) != 0) {
			(void)snprintf(error, sizeof(error), "it is called \"%s\"", im->name);
			rc = -EINVAL;
		}
		if (rc == 0)
			rc = check_files(root_fd, im, error, sizeof(error));
	}
	if (rc < 0) {
		log_warnx("content: %s: %s; leaving this image out", path, error);
		c->broken++;
		return;
	}
	c->nimages++;
}

static int
by_name(const void *a, const void *b)
{
	return strcasecmp(((const struct image *)a)->name, ((const struct image *)b)->name);
}

static void
scan_images(struct catalogue *c, int root_fd)
{
	DIR *dir = open_dir(root_fd, "images");
	const struct dirent *e;

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || !image_name_valid(e->d_name))
			continue;
		if (c->nimages == CATALOGUE_IMAGES) {
			log_warnx("content: more than %d images", CATALOGUE_IMAGES);
			break;
		}
		add_image(c, root_fd, e->d_name);
	}
	closedir(dir);
	qsort(c->images, c->nimages, sizeof(*c->images), by_name);
}

int
catalogue_scan(int root_fd, struct catalogue **ret)
{
	struct catalogue *c = calloc(1, sizeof(*c));
	json_t *notes = NULL;
	uint8_t *text;
	size_t n;
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->loaders = calloc(CATALOGUE_LOADERS, sizeof(*c->loaders));
	c->sources = calloc(CATALOGUE_LOADERS, sizeof(*c->sources));
	c->images = calloc(CATALOGUE_IMAGES, sizeof(*c->images));
	if (c->loaders == NULL || c->sources == NULL || c->images == NULL) {
		catalogue_free(c);
		return -ENOMEM;
	}
	if (root_fd >= 0) {
		text = read_content(root_fd, "boot/" ORIGINS_FILE, MANIFEST_MAX, &n, &rc);
		if (text != NULL)
			notes = json_loadb((const char *)text, n, 0, NULL);
		free(text);
		scan_loaders(c, root_fd, "boot", LOADER_DEPTH, notes);
		json_decref(notes);
		scan_images(c, root_fd);
	}
	rc = sort_loaders(c);
	if (rc < 0) {
		catalogue_free(c);
		return rc;
	}
	*ret = c;
	return 0;
}

void
catalogue_free(struct catalogue *c)
{
	if (c == NULL)
		return;
	free(c->loaders);
	free(c->sources);
	free(c->images);
	free(c);
}

bool
catalogue_has_secrets(const struct catalogue *c)
{
	for (size_t i = 0; i < c->nimages; i++) {
		if (c->images[i].is_secret)
			return true;
	}
	return false;
}

const struct image *
catalogue_image(const struct catalogue *c, const char *name)
{
	for (size_t i = 0; i < c->nimages; i++) {
		if (strcmp(c->images[i].name, name) == 0)
			return &c->images[i];
	}
	return NULL;
}
