/*
 * Menus and boot commands for second stages that are not iPXE: pxelinux and GRUB.  A machine that
 * loads one of them instead of iPXE asks by TFTP for its configuration; where the site has none, it
 * is made here, and says the same as the iPXE script would.
 *
 * Both load by TFTP.  What they cannot load (Windows, ISO images, scripts, secret files, URLs) is
 * booted by way of iPXE where that can be started: it then asks for itself.
 *
 * Pure: everything is appended to a buffer, whose `bad` tells that it did not fit.
 */
#ifndef HANDLERD_NATIVE_H
#define HANDLERD_NATIVE_H

#include "handlerd/policy.h"

enum native_kind {
	NATIVE_NONE,
	NATIVE_PXELINUX, /* pxelinux.cfg/default, the last name that it tries */
	NATIVE_GRUB,     /* grub.cfg */
};

/* Whose configuration this is, by its name alone. */
enum native_kind native_kind(const char *path);

/* A word that stands for something in the arguments of an entry, as iPXE would expand it. */
struct native_value {
	const char *name; /* "bootid" */
	const char *value;
};

struct native_ctx {
	enum native_kind kind;
	const char *path; /* of the configuration, for asking again */
	struct entry_client client;
	const char *ipxe;  /* path of an iPXE that pxelinux can start, or NULL */
	bool has_menu;     /* menu.c32 lies where pxelinux finds it */
	const char *local; /* GRUB: the suffix of EFI programs for this CPU ("x64"), or "" */
	const struct policy *policy;       /* which knows what is secret, or NULL */
	const struct native_value *values; /* the last one has no name */
};

/* True if the choice can be booted here: by itself, or by way of iPXE. */
bool native_can(const struct native_ctx *ctx, struct choice c);

/* Boots one choice, without asking. */
void native_entry(struct wbuf *w, const struct native_ctx *ctx, struct choice c);

/*
 * A menu, with those that it leads to below their titles; what cannot be booted here is left out,
 * and an item that leaves network boot is always there.  `prompt`, if it has a text for this
 * firmware, or NULL: then leaving is what happens by itself, in its time.
 */
void native_menu(struct wbuf *w, const struct native_ctx *ctx, const struct choices *choices,
    const struct menu *root, const struct prompt *prompt);

enum native_end {
	NATIVE_LEAVE, /* leaves network boot, where the loader can */
	NATIVE_ASK,   /* asks again, every 30 s */
};

/* Says something, whatever characters it holds, and ends. */
void native_message(
    struct wbuf *w, const struct native_ctx *ctx, const char *text, enum native_end end);
/* Leaves network boot for what the firmware boots next. */
void native_leave(struct wbuf *w, const struct native_ctx *ctx);
/* On to iPXE, which ctx->ipxe names, and which asks for itself. */
void native_ipxe(struct wbuf *w, const struct native_ctx *ctx);

#endif
