/* The loaders in the content root, as ferryctl looks at them. */
#ifndef FERRYCTL_LOADERS_H
#define FERRYCTL_LOADERS_H

#include "common/origins.h"
#include "common/path.h"
#include "ferryctl/ctl.h"
#include "ferryctl/publish.h"

/* One of them. */
struct loader_file {
	char path[CONTENT_PATH_MAX]; /* below the content root */
	char file[PUBLISH_PATH];
	uint8_t *bytes;
	size_t n;
	uint8_t sha256[DIGEST_BYTES];
	struct loader_info info;
	char source[ORIGINS_SOURCE];
};

/* Calls `fn` for each, in the order of their names.  CTL_OK, or CTL_FAIL if `fn` said so or after
 * printing why. */
int loaders_scan(
    const char *root, json_t *notes, int (*fn)(void *arg, struct loader_file *f), void *arg);
/* The whole file, up to LOADER_READ_MAX, as new memory; NULL after printing why. */
uint8_t *loaders_read(const char *path, size_t *ret_n);
/* boot/loaders.json: a new object, or NULL; and writing it.  CTL_OK, or CTL_FAIL after printing. */
json_t *loaders_notes(const char *root);
int loaders_write_notes(const char *root, const json_t *notes);

int cmd_loaders_stamp(const struct ctl *c, int argc, char *argv[]);

#endif
