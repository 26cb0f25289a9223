/*
 * What the content root offers: network boot programs and images.  Scanned at start and whenever
 * something is published there.
 */
#ifndef HANDLERD_CATALOGUE_H
#define HANDLERD_CATALOGUE_H

#include "common/loop.h"
#include "common/origins.h"
#include "handlerd/decide.h"

#define CATALOGUE_LOADERS 256
#define CATALOGUE_RPI     "boot/rpi" /* the firmware of Raspberry Pis */
#define CATALOGUE_IMAGES  1024

struct catalogue {
	struct loader *loaders; /* by path */
	char (*sources)[ORIGINS_SOURCE];
	size_t nloaders;
	const struct loader *best[ARCH_CPUS]; /* NULL: none for that CPU */
	struct image *images;                 /* by name */
	size_t nimages;
	size_t broken; /* manifests and files that could not be used, which the log names */
};

/* An empty content root is a good one.  0, or -ENOMEM. */
int catalogue_scan(int root_fd, struct catalogue **ret);
void catalogue_free(struct catalogue *c);
/* True if any image's files need a token. */
bool catalogue_has_secrets(const struct catalogue *c);
const struct image *catalogue_image(const struct catalogue *c, const char *name);

struct watch;

/* Calls `fn` some time after something changed below boot/ or in images/.  0, or a negative errno.
 */
int watch_open(
    struct loop *loop, const char *root, loop_timer_fn *fn, void *arg, struct watch **ret);
void watch_close(struct watch *w);

#endif
