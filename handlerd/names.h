/*
 * The paths that a TFTP name may stand for.  Firmware, boot managers and second stages send names
 * in many spellings, and most of them mean a place beside what the machine loaded before.  This is
 * the plan of a look-up, in the order in which paths are to be tried; docs/tftp.md tells it to
 * people.  Pure: nothing is looked up here.
 *
 * A path is a stem of a spelling, in a place.
 *
 * Spellings: as it was asked; without what a URL, a drive or a UNC name begins with; cut where a
 * ROM read past the end of its option; with its %-escapes decoded; as UTF-8 if it was latin-1.
 *
 * Stems: the whole; without the serial number or MAC address that a Raspberry Pi begins with;
 * without a folder that is built into the loader ("boot/", "grub/", "EFI/Microsoft/Boot/", ...).
 *
 * Places: the content root; the folder of the loader that this boot loaded last, and those above
 * it; the Raspberry Pis' folder; the folder of the loaders for this CPU, and those above it.
 */
#ifndef HANDLERD_NAMES_H
#define HANDLERD_NAMES_H

#include "common/arch.h"
#include "common/ident.h"
#include "common/path.h"

/* Folders of loaders that are remembered; loaders in longer ones are as if in none. */
#define NAMES_FOLDER_MAX 128 /* with the NUL */
#define NAMES_PLACES     12

struct names_ask {
	struct slice name;  /* as it came */
	bool as_it_is;      /* one spelling, one place: a URL's path, which says what it means */
	const char *folder; /* of the loader that came last, normalised; "" or NULL: none */
	const char *rpi;    /* the Raspberry Pis' folder, or NULL: this site has none */
	const char *best;   /* the loader that the machine would be offered, or NULL */
	enum arch_cpu cpu;
};

/* A look-up under way.  It points into what `ask` points to. */
struct names {
	const struct names_ask *ask;
	struct slice places[NAMES_PLACES];
	size_t nplaces;
	char asked[CONTENT_PATH_MAX];   /* the first spelling, "" if that is no path */
	char spelled[CONTENT_PATH_MAX]; /* the one in hand */
	size_t spelling, stem, place;   /* what comes next */
	size_t stems[3], nstems;        /* where they begin in it */
	int rc;
};

/*
 * Begins.  0, or what path_normalise() said of the name if no spelling of it is a path, or of the
 * first one that is forbidden.  `first` gets the normalised name then, for people and rules.
 */
int names_begin(struct names *n, const struct names_ask *ask, char first[static CONTENT_PATH_MAX]);
/*
 * The next path.  False after the last one: n->rc is -EACCES then if a spelling was forbidden, else
 * 0.
 */
bool names_next(struct names *n, char ret[static CONTENT_PATH_MAX]);

/*
 * The hardware address in the name of a file for one machine: "01-52-54-00-12-34-56" at the end, as
 * pxelinux, GRUB and U-Boot ask for (the first number is its type).  0, or -ENOENT.
 */
int names_mac(struct slice name, struct macaddr *ret);

/*
 * What 2PXE calls a loader: the path of ours that it stands for, or NULL.  Tried last: who has a
 * file of that name means it.
 */
const char *names_of_2pxe(const char *path);

/* True if a file of this path is a program that asks for others beside it. */
bool names_is_loader(const char *path);
/* The folder of a path, or "" if that is the root or too long to be remembered. */
void names_folder(const char *path, char ret[static NAMES_FOLDER_MAX]);

#endif
