/*
 * Entries: what a machine can be booted into, and the menus that show them.  An entry stands in
 * the configuration, comes from a script or a web service, or is an image of the content root;
 * all three give the same struct.  Strings are owned by whoever owns the struct and never NULL:
 * "" means "none".
 */
#ifndef HANDLERD_ENTRY_H
#define HANDLERD_ENTRY_H

#include "common/config.h"
#include "common/image.h"

/* In the order of entry_type_name(). */
enum entry_type {
	ENTRY_IMAGE,  /* the image of the content root that `image` names, as its manifest says */
	ENTRY_LINUX,  /* `kernel`, `initrds`, `args` */
	ENTRY_WIM,    /* `wimboot`, `bcd`, `sdi`, `wim`, `files` injected, `args` for wimboot */
	ENTRY_EFI,    /* `file`, an EFI application, `args` */
	ENTRY_ISO,    /* `file`, an ISO image that is booted as a disk over HTTP */
	ENTRY_SCRIPT, /* `text`, iPXE commands of the site, or `file`, such a script */
	ENTRY_LOCAL,  /* leave network boot as this firmware needs it */
	ENTRY_REFER,  /* on to the boot server that `target` names, or to the URL in `file` */
	ENTRY_TYPES,
};

/* For which firmware an entry is. */
enum entry_firmware {
	ENTRY_ANY_FIRMWARE,
	ENTRY_BIOS,
	ENTRY_UEFI,
	ENTRY_FIRMWARES,
};

/*
 * A place is an absolute URL, or a path below the content root such as "images/x/vmlinuz".  It may
 * be followed by " as NAME": the name by which what is booted knows the file.
 */
struct entry {
	char *name;  /* as image_name_valid() wants it */
	char *title; /* for the menu; "": the name */
	int type;    /* enum entry_type */
	char *image; /* "": the entry's name */
	char *kernel;
	struct config_strings initrds;
	char *wimboot, *bcd, *sdi, *wim; /* places; bcd and sdi "": those within the WIM */
	struct config_strings files;     /* places, with the name that each has in WinPE */
	char *file;
	char *text;
	char *args;
	char *target;
	struct config_strings arch; /* names of CPUs ("x64", "bios", ...); none: all */
	int firmware;               /* enum entry_firmware */
	int64_t min_memory_mb;      /* 0: any */
	bool secret;                /* its files need a token of this boot */
};

/* One line of a menu. */
enum menu_item_kind {
	MENU_ENTRY, /* `name` is an entry's */
	MENU_MENU,  /* `name` is a menu's */
	MENU_TEXT,  /* a heading, or a gap if `title` is "" */
	MENU_LOCAL, /* leave network boot */
	MENU_SHELL, /* iPXE's shell */
	MENU_ITEM_KINDS,
};

struct menu_item {
	int kind;
	char *name;
	char *title; /* "": the entry's or menu's own */
	char *key;   /* a letter or digit that chooses it, or "" */
};

struct menu {
	char *name;
	char *title;
	struct config_list items; /* of struct menu_item */
	char *standing;           /* the item that the menu stands on, by name; "": the first */
	int64_t timeout_ms;       /* 0: waits for ever */
	char *picture;            /* place of a PNG, or "" */
	char *text_colour, *background_colour; /* iPXE's names or numbers, or "" */
	char *selected_colour, *selected_background;
};

/* Asks for a key before it goes on. */
struct prompt {
	char *bios_text, *uefi_text; /* "": no prompt on that firmware */
	char *key;                   /* "": any; "F12", a letter, or iPXE's code such as "0x197e" */
	int64_t timeout_ms;          /* no key in that time: leaves network boot */
};

const char *entry_type_name(enum entry_type v);
int entry_type_parse(const char *name, enum entry_type *ret); /* 0, or -EINVAL */

#endif
