/*
 * The adaptive loader: which of several loaders a machine gets, learned from whether the one
 * before came to life.  Pure; time is an argument.
 *
 * A trial is one loader given to one machine.  It is alive when iPXE then asks something (DHCP,
 * HTTP, autoexec.ipxe); it is silent when the loader was fetched whole, nothing asked, and the
 * machine's firmware asks again ADAPT_SILENCE_MS or more after the fetch, but within a day.
 *
 * Rules, for loaders in the site's order of preference:
 *
 * 1. A machine whose last trial was silent gets the first loader in the order that was not silent
 *    on it since its last sign of life; when all were, the round begins again.
 * 2. A machine on which a loader came to life keeps that one, until it is silent once,
 *    ADAPT_KEEP_DAYS pass, or the first of the order is another loader, or another build of it.
 * 3. A model learns from its machines.  A silent trial adds 1 to the loader's silences there, once
 *    a machine until that machine shows life, so that one broken machine cannot speak for all, and
 *    up to ADAPT_SILENCES.  A sign of life halves the silences.  A loader with ADAPT_DOUBT or more
 *    is in doubt.
 * 4. Any other machine of the model gets the preferred loader; if that one is in doubt, the first
 * in the order that is not and that came to life on this model; if there is none, still the
 *    preferred one.
 * 5. Doubt fades: silences halve every ADAPT_HALF_DAYS, so a loader that fell back is tried again
 *    some day.  And each silent trial takes one silence from the model's other loaders that are in
 *    doubt: when the one that took over fails, the preferred one is back until it is silent again.
 *
 * So one flaky boot changes one machine's next attempt, and ADAPT_DOUBT machines change a model.
 * A file with other bytes (`build`) begins without a past.
 */
#ifndef HANDLERD_ADAPT_H
#define HANDLERD_ADAPT_H

#include "common/msg.h"

#include <jansson.h>

#define ADAPT_SILENCE_MS 2000
#define ADAPT_DOUBT      3
#define ADAPT_SILENCES   6
#define ADAPT_HALF_DAYS  30
#define ADAPT_KEEP_DAYS  90
#define ADAPT_LOADERS    8 /* of one list; more are not looked at */
#define ADAPT_PATH_MAX   256
#define ADAPT_KEY_MAX    160

struct adapt;

/* At most so many models and machines; those unused longest make room.  0, or -ENOMEM. */
int adapt_new(size_t max_models, size_t max_machines, struct adapt **ret);
void adapt_free(struct adapt *t);

/*
 * The name under which a machine's experience is kept: "model:Dell Inc.|OptiPlex 7090|7" if maker
 * or product is known, else "nic:525400|PXEClient:Arch:00007:UNDI:003016|7" by the vendor part of
 * the MAC and option 60; the number is the architecture.  What does not print becomes '?'.
 */
const char *adapt_key(struct slice manufacturer, struct slice product, const struct macaddr *mac,
    struct slice vendor_class, uint16_t arch, char ret[static ADAPT_KEY_MAX]);

struct loader_choice {
	const char *path; /* below the content root */
	uint64_t build;   /* changes with the file's bytes: its size, or part of a digest */
};

enum adapt_reason {
	ADAPT_PREFERRED, /* nothing speaks against the first of the list */
	ADAPT_NEXT,      /* rule 1: the one before was silent on this machine */
	ADAPT_AGAIN,     /* rule 1: all were silent, the round begins again */
	ADAPT_MACHINE,   /* rule 2: it came to life on this machine */
	ADAPT_MODEL,     /* rule 4: the preferred one is in doubt for this model */
	ADAPT_REASONS,
};

const char *adapt_reason_name(enum adapt_reason v);

/*
 * Which of list[0..n-1], n >= 1, in the order of preference, this machine gets.  Changes nothing. A
 * MAC of no length is a machine without a past.
 */
size_t adapt_choose(const struct adapt *t, const char *key, const struct macaddr *mac,
    const struct loader_choice *list, size_t n, uint64_t now_ms, enum adapt_reason *ret_reason);

/* list[i] was offered.  The same one again, not yet fetched, is the same trial. */
void adapt_given(struct adapt *t, const char *key, const struct macaddr *mac,
    const struct loader_choice *list, size_t i, uint64_t now_ms);
/* The machine has fetched all of `path`; other files than the one given are ignored. */
void adapt_fetched(struct adapt *t, const struct macaddr *mac, const char *path, uint64_t now_ms);
/*
 * iPXE asks something.  True if that is the first sign of life of this trial.  That of a loader
 * whose fetch was not heard of counts, too: events come later than requests.
 */
bool adapt_alive(struct adapt *t, const struct macaddr *mac, uint64_t now_ms);
/*
 * The firmware DISCOVERs: to be called before adapt_choose().  True if that shows that the trial
 * was silent, which is taken down once.
 */
bool adapt_silent(struct adapt *t, const struct macaddr *mac, uint64_t now_ms);

/* What is known of a model or a machine goes.  True if there was something. */
bool adapt_forget_model(struct adapt *t, const char *key);
bool adapt_forget_machine(struct adapt *t, const struct macaddr *mac);

/*
 * All that is known, but for trials under way, as a new JSON object, that used longest ago first,
 * and back.  Restoring skips what is malformed and returns how many models and machines it took.
 */
json_t *adapt_dump(const struct adapt *t);
size_t adapt_restore(struct adapt *t, const json_t *dump);

/* Counts changes since the start: for writing the dump only when there is something new. */
uint64_t adapt_changes(const struct adapt *t);

#endif
