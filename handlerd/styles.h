/*
 * The adaptive style of offers: how the loader is offered to a machine, learned from whether it
 * followed the offer before.  Pure; time is an argument.
 *
 * A trial is one style offered to one machine.  It is answered when the machine then asks port
 * 4011, fetches a file, or runs its loader.  It is unanswered when its firmware DISCOVERs again and
 * nothing of that kind came meanwhile.  If it was seen to ask a DHCP server for its address: by the
 * same xid with higher `secs` STYLES_RETRY_MS or more after the offer, or by another xid (or the
 * same `secs`) STYLES_ANEW_MS after it, within STYLES_LEASED_MS.  If not: STYLES_PATIENCE_MS or
 * more after the offer, within an hour; servers that ping an address before they offer it are late
 * for the first of firmware's windows, which asks again after 4 s then.  A DISCOVER that comes
 * sooner is a copy by another path, or a repetition, and gets the same offer.
 *
 * Rules, for the styles of a kind of firmware in order, the site's default first:
 *
 * 1. A machine whose trial was unanswered gets another style: first one that this model is known to
 *    follow, then those not tried yet; when all were tried, the round begins again.  But a style
 *    that is known to work, on this machine or on its model, is tried twice: the DHCP server may
 *    have been silent, the power switched off.
 * 2. A machine keeps the style that it followed last, until that is unanswered, STYLES_KEEP_DAYS
 * pass, or the site's default changes.
 * 3. A model learns when a machine of it follows a style after others were unanswered: that speaks
 *    against these others, once a machine until it follows them again.  A style that this model has
 *    followed before loses only by trials in which the machine got as far as its DHCP server:
 * firmware that gets no address follows no offer, whatever it looks like.  Following a style halves
 * what speaks against it.
 * 4. Any other machine of the model gets the default; if more than one machine speaks against that,
 *    the first in order that this model has followed and that is not in doubt itself.
 * 5. Doubt fades: it halves every STYLES_HALF_DAYS.
 *
 * What is left over of earlier offers does no harm: edk2 keeps the offers of all its rounds and
 * chooses among them, so that which one it followed is told by what it does then: port 4011 with an
 * item is the menu, without one BINL, a file at once one of those that name it.
 */
#ifndef HANDLERD_STYLES_H
#define HANDLERD_STYLES_H

#include "handlerd/firmware.h"

#define STYLES_RETRY_MS    1500 /* some cards ask again after 2 s, most after 4 */
#define STYLES_ANEW_MS     3000
#define STYLES_PATIENCE_MS 6000
#define STYLES_UNLEASED_MS 3600000
#define STYLES_LEASED_MS   93600000 /* 26 h: a machine that is switched on once a day */
#define STYLES_DOUBT       1.5      /* machines that speak against a style */
#define STYLES_AGAINST_MAX 6
#define STYLES_HALF_DAYS   90
#define STYLES_KEEP_DAYS   90
#define STYLES_MAX         4 /* of one list */

enum styles_kind {
	STYLES_UEFI,
	STYLES_BIOS,
	STYLES_HTTP,
	STYLES_KINDS,
};

/* False for firmware whose offers have one shape, whatever happens (boards, U-Boot). */
bool styles_kind_of(uint16_t arch, bool http, enum styles_kind *ret);
/* The styles for a kind, `first` leading.  Their number. */
size_t styles_list(
    enum styles_kind kind, enum offer_style first, enum offer_style ret[static STYLES_MAX]);

struct styles;

/*
 * At most about so many models and machines (rounded up to a power of two; all memory is taken
 * here).  What was not heard of longest makes room.  0, or -ENOMEM.
 */
int styles_new(size_t max_models, size_t max_machines, struct styles **ret);
void styles_free(struct styles *t);

enum style_why {
	STYLE_DEFAULT, /* nothing speaks against the first of the list */
	STYLE_RULE,    /* not a matter of experience: a rule, or adapting is off */
	STYLE_TWICE,   /* rule 1: it was unanswered, but is known to work */
	STYLE_NEXT,    /* rule 1: the one before was unanswered by this machine */
	STYLE_ROUND,   /* rule 1: all were, the round begins again */
	STYLE_MACHINE, /* rule 2: this machine followed it before */
	STYLE_MODEL,   /* rule 4: the default is in doubt for this model */
	STYLE_WHYS,
};

const char *style_why_name(enum style_why v);
const char *style_why_words(enum style_why v);

/* A DISCOVER of firmware, not of iPXE. */
struct styles_sight {
	const struct macaddr *mac; /* of no length: nothing is learned */
	const struct firmware *firmware;
	uint64_t key; /* firmware_key() */
	uint32_t xid;
	uint16_t secs;
};

/* What a DISCOVER tells of the trial before. */
struct styles_return {
	bool unanswered; /* that was led to nothing */
	enum offer_style style;
	bool leased; /* although the machine asked a DHCP server for its address */
};

/* To be called before styles_choose(). */
struct styles_return styles_arrive(
    struct styles *t, const struct styles_sight *sight, uint64_t now_ms);

/*
 * Which of list[0..n-1], n >= 1, the machine gets.  Changes nothing.  `key` 0: whatever model it
 * was last time.
 */
size_t styles_choose(const struct styles *t, const struct macaddr *mac, bool http, uint64_t key,
    const enum offer_style *list, size_t n, uint64_t now_ms, enum style_why *ret_why);

/* It was offered that style, which was the default or not. */
void styles_given(struct styles *t, const struct styles_sight *sight, enum offer_style style,
    enum offer_style first, enum style_why why, uint64_t now_ms);
/* It was offered nothing of this kind: there is no trial. */
void styles_void(struct styles *t, const struct macaddr *mac, bool http);

/* What a machine does that shows that it followed an offer. */
enum styles_sign {
	STYLES_SIGN_BOOTSERVER, /* asks port 4011 */
	STYLES_SIGN_ITEM,       /* asks it for the item of a menu */
	STYLES_SIGN_TFTP,       /* fetches a file */
	STYLES_SIGN_HTTP,
	STYLES_SIGN_LOADER, /* runs its loader */
};

/* True if that is the first sign of this trial. */
bool styles_followed(
    struct styles *t, const struct macaddr *mac, enum styles_sign sign, uint64_t now_ms);
/* It asked a DHCP server for its address. */
void styles_leased(struct styles *t, const struct macaddr *mac);

/*
 * True once for a model on which all styles were unanswered, until it follows one.  `key`: that of
 * the DISCOVER that began the new round.
 */
bool styles_hopeless(struct styles *t, uint64_t key);
/* Models for which that holds now. */
size_t styles_count_hopeless(const struct styles *t);

/* What is known of a model, and of its machines, goes.  True if there was something. */
bool styles_forget(struct styles *t, uint64_t key);

/* --- for people and files --------------------------------------------------------------------- */

struct styles_tally {
	uint32_t successes; /* boots that followed it */
	uint32_t failures;  /* trials that were unanswered */
	double against;     /* machines that speak against it, as it has faded by now */
};

struct styles_model {
	uint64_t key;
	struct firmware firmware; /* good until the next change of the table */
	uint64_t seen_ms;
	bool hopeless;
	struct styles_tally tally[OFFER_STYLES];
};

/* Each model, in no order that means something. */
void styles_each_model(const struct styles *t, uint64_t now_ms,
    void (*fn)(void *arg, const struct styles_model *m), void *arg);
/* The model of a key, or of the only key that begins with these hexadecimal digits: 0, -ENOENT, or
 * -ENOTUNIQ. */
int styles_find_model(
    const struct styles *t, const char *name, uint64_t now_ms, struct styles_model *ret);
/* What a machine of the model that is new gets. */
size_t styles_of_model(
    const struct styles *t, uint64_t key, const enum offer_style *list, size_t n, uint64_t now_ms);

/*
 * All that is known, but for trials under way and machines that are like their models, as a new
 * JSON object; and back.  Restoring skips what is malformed and returns how many models and
 * machines it took.
 */
json_t *styles_dump(const struct styles *t);
size_t styles_restore(struct styles *t, const json_t *dump);

/* What other sites may have: models alone, nothing of machines. */
json_t *styles_export(const struct styles *t, uint64_t now_ms);
typedef void styles_mistake_fn(void *arg, const char *path, const char *what);
/*
 * Takes over an export, all of it or nothing: the number of models, or -EINVAL after every mistake
 * was told.  Of two counts the higher stays, so that a file may be read twice; what speaks
 * against a style does not count where this site saw it work.  `check`: nothing is taken over.
 */
int styles_import(struct styles *t, const json_t *object, bool check, uint64_t now_ms,
    styles_mistake_fn *mistake, void *arg);

/* Count changes since the start: all of them, and those that would be missed after a crash. */
uint64_t styles_changes(const struct styles *t);
uint64_t styles_news(const struct styles *t);

#endif
