/*
 * Boot configuration data (BCD) for Windows' boot manager that was loaded by TFTP: a registry hive
 * with an object for the manager and two for each Windows image, of which it shows a menu.
 *
 * The layout of devices is that of the stores on Microsoft's media.  Pure.
 */
#ifndef HANDLERD_BCD_H
#define HANDLERD_BCD_H

#include "common/wire.h"

/* Images in one store. */
#define BCD_IMAGES 12

struct bcd_image {
	const char *title; /* in UTF-8 */
	struct slice wim;  /* path below the content root */
	struct slice sdi;
};

struct bcd {
	bool uefi;
	struct bcd_image images[BCD_IMAGES];
	size_t nimages;
	size_t standing;   /* the image that the menu stands on */
	int64_t timeout_s; /* 0: it is booted at once; -1: the menu waits */
};

/* Writes the store.  Empty if `size` is too small. */
struct slice bcd_build(const struct bcd *bcd, void *buf, size_t size);

#endif
