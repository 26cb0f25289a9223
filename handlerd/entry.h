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

/* Bounds of the lists in an entry and in a menu. */
#define ENTRY_INITRDS_MAX 16
#define ENTRY_FILES_MAX   32
#define MENU_ITEMS_MAX    256

/* In the order of entry_type_name(). */
enum entry_type {
	/*
	 * The image of the content root that `image` names, as its manifest says, but with `args`
	 * instead of its own if there are any, and with `initrds` or `files` besides its own.
	 */
	ENTRY_IMAGE,
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
 * be followed by " as NAME": the name by which what is booted knows the file, else the last part
 * of the path.  iPXE expands its settings there, as in "images/x/${buildarch}/vmlinuz".
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
	/* "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white", or "" */
	char *text_colour, *background_colour;
	char *selected_colour, *selected_background;
};

/* Asks for a key before it goes on. */
struct prompt {
	char *bios_text, *uefi_text; /* "": no prompt on that firmware */
	char *key; /* "": any; "F5" to "F12", "Enter", "Esc", a character, a code as "0x197e" */
	int64_t timeout_ms; /* no key in that time: leaves network boot */
};

/* Whom an entry must suit. */
struct entry_client {
	enum arch_cpu cpu;            /* ARCH_CPU_NONE: not known */
	enum entry_firmware firmware; /* ENTRY_ANY_FIRMWARE: not known */
	uint32_t memory_mb;           /* 0: not known */
};

/*
 * What there is to choose from.  Names are looked up among the entries first, here and in `next`,
 * then among the images.
 */
struct choices {
	const struct entry *entries;
	size_t nentries;
	const struct menu *menus;
	size_t nmenus;
	const struct image *images; /* by name, as strcmp() orders */
	size_t nimages;
	const struct choices *next; /* or NULL */
};

/*
 * Something that can be booted: an entry, with its image if it is of type ENTRY_IMAGE, or an image
 * that no entry dresses up (`entry` is NULL).
 */
struct choice {
	const struct entry *entry;
	const struct image *image;
};

/* 0, or -ENOENT if there is no such entry or image, or the entry's image is not there. */
int choices_find(const struct choices *from, const char *name, struct choice *ret);
/*
 * Calls `fn` for each entry and each image without an entry that suit the client, until it says
 * true.  True if it did.
 */
typedef bool choices_fn(void *arg, struct choice c);
bool choices_each(
    const struct choices *from, const struct entry_client *client, choices_fn *fn, void *arg);
const struct menu *choices_menu(const struct choices *from, const char *name); /* or NULL */
/*
 * True if a client can boot it, as far as is known: what is not known rules nothing out.  A BIOS
 * client takes what is for "bios" and for x86 CPUs, but no EFI program.
 */
bool choice_suits(struct choice c, const struct entry_client *client);
const char *choice_name(struct choice c);
const char *choice_title(struct choice c); /* the name if it has no title */
/* True if its files are given out only with a token of the boot. */
bool choice_is_secret(struct choice c);

/*
 * The keys of an entry, a menu and a prompt in a configuration, with the places in struct entry,
 * struct menu and struct prompt.
 */
extern const struct config_key entry_keys[];
extern const struct config_key menu_keys[];
extern const struct config_key prompt_keys[];

/*
 * Tells of all that is wrong with one of them beyond what its keys can say; `path` is where it
 * stands in the configuration ("entries[2]").
 */
void entry_check(const struct entry *e, const char *path, config_error_fn *error, void *arg);
void menu_check(const struct menu *m, const char *path, config_error_fn *error, void *arg);
void prompt_check(const struct prompt *p, const char *path, config_error_fn *error, void *arg);
/*
 * The same for the lists "entries" and "menus" of a configuration: each of them, names that occur
 * twice, and menu items that lead to no menu.  Names of entries may be those of images, which come
 * and go.
 */
void choices_check(const struct choices *c, config_error_fn *error, void *arg);

/* A place in its parts, which point into it.  0, or -EINVAL if it is none. */
struct place {
	struct slice at;   /* the URL or the path */
	struct slice name; /* by which what is booted knows the file */
	bool named;        /* it said " as NAME" */
	bool is_url;
};

int place_parse(const char *text, struct place *ret);

/* iPXE's code of a prompt's key.  0, or -EINVAL. */
int entry_key_parse(const char *name, uint16_t *ret);
/* iPXE's number of a colour.  0, or -EINVAL. */
int entry_colour_parse(const char *name, unsigned *ret);

const char *entry_type_name(enum entry_type v);
int entry_type_parse(const char *name, enum entry_type *ret); /* 0, or -EINVAL */

#endif
