/* What the files of the decision share: decide.c, decide_offer.c (DHCP), decide_boot.c (iPXE),
 * decide_native.c (pxelinux and GRUB), decide_windows.c (its boot manager). */
#ifndef HANDLERD_DECISION_H
#define HANDLERD_DECISION_H

#include "handlerd/judge.h"
#include "handlerd/script.h"

struct deciding {
	const struct boot_request *r;
	const struct policy *policy;
	const struct facts *facts;
	struct wbuf *scratch;
	struct decision *out;
	struct boot_answer *a; /* &out->answer */
};

void answer_ignore(const struct deciding *d, enum boot_reason reason);
void answer_refuse(
    const struct deciding *d, enum boot_error error, enum boot_reason reason, const char *text);
/* What was written to the scratch space since `start`; too much of it becomes a refusal. */
bool answer_take(const struct deciding *d, size_t start, struct slice *ret);
/* Answers with the script written since `start`. */
void answer_script(const struct deciding *d, size_t start, enum boot_reason reason);
/* "https://host:8050/" or "http://...", by the port that is to be used. */
void put_base(struct wbuf *w, const struct web *web, bool secure, bool by_ip);

/*
 * True if the client's loader has a reason to trust us over HTTPS: the firmware's offer carried our
 * fingerprint, or it is stamped with one of ours.
 */
bool is_trusted(const struct facts *f);

/* True, with the guard as what decides, if the loop guard holds the machine. */
bool is_in_loop(const struct deciding *d);

void decide_offer(const struct deciding *d);
void decide_boot(const struct deciding *d);
/* The loader that a CPU (facts->subject.cpu) gets where no rule names one; NULL: none. */
const struct loader *decide_loader(const struct policy *policy, const struct facts *facts);
/* A script that makes iPXE tell who it is. */
void give_collector(const struct deciding *d);

/* What there is for this machine: what a source told whole, then the site's. */
struct offered {
	struct choices site;
	struct choices inlined;
	const struct choices *all;
};
void set_offered(const struct deciding *d, const struct ruling *ruling, struct offered *o);
/* The menu that RULING_MENU shows; `items` and `standing` are room for it. */
void menu_of_ruling(const struct deciding *d, const struct ruling *ruling, struct menu *menu,
    struct menu_item items[static VERDICT_ENTRIES_MAX], char standing[static IMAGE_NAME_MAX]);

/* True if a file is asked for that is made for pxelinux or GRUB, as the site has none. */
bool is_for_native(const struct facts *f);
void give_native(const struct deciding *d);
/* The same for the BCD of Windows' boot manager. */
bool is_for_windows(const struct facts *f);
void give_bcd(const struct deciding *d);

#endif
