/*
 * The inventory: the table of machines (machines.h) and the store in step.  Every change goes to
 * both, with an event where somebody may ask later who did it and why.
 *
 * Calls take `by`, who decided: the account of a control client, a rule, "" for handlerd itself.
 */
#ifndef HANDLERD_INVENTORY_H
#define HANDLERD_INVENTORY_H

#include "handlerd/machines.h"
#include "handlerd/store.h"

struct inventory {
	struct machines *table;
	struct store *store;
	struct machines_conf conf;
	struct identity_lists lists;
	uint64_t lost; /* changes that the store had no room for; they are in memory only */
};

/*
 * Reads all machines from the store.  `lists` are copied by reference: the configuration owns the
 * strings.  0, -ENOMEM or -EIO after logging.
 */
int inventory_open(struct inventory *v, struct store *store, size_t max_machines,
    const struct identity_lists *lists);
void inventory_close(struct inventory *v);
/* A new bound and new lists; what is too many goes. */
void inventory_set_limits(
    struct inventory *v, size_t max_machines, const struct identity_lists *lists);

/*
 * The machine that a claim is of, made if there is none, with what the claim adds taken down.
 * 0 if nothing in the claim identifies, or out of memory (logged).
 */
uint64_t inventory_note(struct inventory *v, const struct identity *claim,
    const struct machine_facts *facts, uint64_t now_ms);

/* As machines_...() of the same name; 0 or its error. */
int inventory_merge(
    struct inventory *v, uint64_t into, uint64_t from, struct slice by, uint64_t now_ms);
int inventory_split(struct inventory *v, uint64_t id, const struct identity *parts, size_t nparts,
    struct slice by, uint64_t now_ms, uint64_t *ret_id);
int inventory_set_state(
    struct inventory *v, uint64_t id, enum machine_state state, struct slice by, uint64_t now_ms);
int inventory_set_group(
    struct inventory *v, uint64_t id, struct slice group, struct slice by, uint64_t now_ms);
int inventory_assign(struct inventory *v, uint64_t id, struct slice entry, bool once,
    uint64_t until_ms, struct slice by, uint64_t now_ms);
/* How a boot of it goes; no event, the boot's timeline tells it. */
int inventory_set_outcome(
    struct inventory *v, uint64_t id, enum boot_phase phase, uint64_t at_ms, struct slice image);
/* The roots that its boot was told of, in the form of roots.h.  The same again costs nothing. */
int inventory_set_roots(struct inventory *v, uint64_t id, struct slice roots, uint64_t at_ms);

#endif
