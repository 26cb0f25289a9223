/*
 * What booting a choice takes: a program and the files that it gets.  Entries and images both
 * become such a plan, so that there is one way to write each kind in the language of each loader.
 */
#ifndef HANDLERD_PLAN_H
#define HANDLERD_PLAN_H

#include "handlerd/entry.h"

#define PLAN_PARTS (IMAGE_FILES_MAX + ENTRY_INITRDS_MAX + ENTRY_FILES_MAX + 3)

struct plan {
	enum entry_type type;
	struct place program; /* kernel, wimboot, EFI program, ISO image, script */
	const char *args;
	struct place parts[PLAN_PARTS]; /* in the order of loading */
	size_t nparts;
	bool secret;
	/* the paths of an image's files */
	char paths[IMAGE_FILES_MAX][sizeof("images/") + IMAGE_NAME_MAX + IMAGE_FILE_MAX];
};

/* The plan of an entry or an image, whose strings it points to; none if it boots nothing of ours.
 */
void plan_choice(struct plan *plan, struct choice c);

#endif
