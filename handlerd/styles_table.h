/* What styles.c and styles_dump.c share: the table's insides. */
#ifndef HANDLERD_STYLES_TABLE_H
#define HANDLERD_STYLES_TABLE_H

#include "handlerd/styles.h"

/*
 * Both tables are rows of so many places; a hash says which row, and the oldest there makes room.
 * The keys of a row stand together, so that finding a place costs a line of the cache.
 */
#define STYLES_WAYS  8

#define AGAINST_UNIT 256 /* what speaks against a style is kept in parts of this: it fades */

struct model_tally {
	uint32_t successes, failures;
	uint32_t against; /* in 1/AGAINST_UNIT, as of at_ms */
	uint64_t at_ms;
};

struct model {
	uint64_t seen_ms;
	uint32_t ndi;
	uint16_t arch;
	bool has_adapter, hopeless;
	uint8_t adapter[3];
	uint8_t class_n, param_list_n;
	uint8_t class[FIRMWARE_TEXT_MAX], param_list[FIRMWARE_TEXT_MAX];
	struct model_tally tally[OFFER_STYLES];
};

enum trial_state {
	TRIAL_NONE,
	TRIAL_GIVEN,
	TRIAL_BACK, /* it was unanswered; the next style is due */
	TRIAL_FOLLOWED,
};

struct machine_style {
	uint64_t model;
	uint64_t offered_ms; /* when the trial began */
	uint32_t kept_s;
	uint32_t xid;
	uint16_t secs;
	uint16_t tried;   /* bits: unanswered in this round */
	uint16_t strong;  /* of these, in spite of a lease */
	uint16_t counted; /* bits: it speaks against these */
	struct macaddr mac;
	bool http, leased;        /* a lease in this trial */
	uint8_t state;            /* enum trial_state */
	uint8_t given, why;       /* the trial's style, enum style_why */
	uint8_t first;            /* the default then */
	uint8_t misses;           /* unanswered trials of this style in a row */
	bool has_kept;            /* rule 2: */
	uint8_t kept, kept_first; /* the style, and the default then */
};

_Static_assert(OFFER_STYLES <= 16, "struct machine_style has 16 bits for styles");

struct styles {
	uint64_t *model_keys; /* 0: a free place */
	struct model *models;
	uint32_t *machine_tags; /* likewise */
	struct machine_style *machines;
	size_t model_rows, machine_rows; /* powers of two */
	uint64_t changes, news;
};

uint32_t styles_faded(const struct model_tally *tally, uint64_t now_ms);
bool styles_in_doubt(const struct model_tally *tally, uint64_t now_ms);

struct model *styles_peek_model(const struct styles *t, uint64_t key);
/* Makes one if it is not there. */
struct model *styles_get_model(
    struct styles *t, uint64_t key, const struct firmware *f, uint64_t now_ms);
struct machine_style *styles_peek_machine(
    const struct styles *t, const struct macaddr *mac, bool http);
struct machine_style *styles_get_machine(struct styles *t, const struct macaddr *mac, bool http);
/* Whether a machine would be told something else than a new one of its model. */
bool styles_is_odd(const struct styles *t, const struct machine_style *m, uint64_t now_ms);
struct firmware styles_firmware(const struct model *m);

#endif
