/* What the files of the table of machines share: rows, keys and lists; see machines.h. */
#ifndef HANDLERD_MACHINES_DB_H
#define HANDLERD_MACHINES_DB_H

#include "handlerd/machines.h"
#include "handlerd/texts.h"

/* Texts that are kept once for all machines. */
enum row_text {
	ROW_MANUFACTURER,
	ROW_PRODUCT,
	ROW_PLATFORM,
	ROW_VERSION,
	ROW_REMOTE,
	ROW_CIRCUIT,
	ROW_GROUP,
	ROW_ENTRY,
	ROW_BY,
	ROW_IMAGE,
	ROW_ROOTS,
	ROW_TEXTS,
};

/* One machine, packed.  Behind it: MACs (an octet of length and sureness, then the address), serial
 * number, asset tag. */
struct row {
	uint64_t id, first_ms, last_ms, until_ms, phase_ms, roots_ms;
	uint32_t newer, older; /* in its list */
	uint32_t texts[ROW_TEXTS];
	struct uuid uuid;
	struct ipaddr address, relay;
	uint16_t arch;
	uint8_t state, phase;
	uint8_t has_uuid, once;
	uint8_t nmacs, macs_n, serial_n, asset_n;
	uint8_t bytes[];
};

#define ROW_MAC_SURE 0x80

/* What a row is found by. */
enum key_kind {
	KEY_ID,
	KEY_MAC,
	KEY_UUID,
	KEY_SERIAL,
	KEY_ASSET,
};

/* An index entry a key: id, UUID, serial number, asset tag, MACs. */
#define ROW_KEYS (4 + MACHINE_MACS)

struct row_list {
	uint32_t oldest, newest; /* by what was seen or changed last; INDEX_NONE: empty */
};

struct alias {
	uint64_t from, to;
};

struct machines {
	struct machines_conf conf;
	uint64_t key[2];
	uint64_t last_id;
	size_t n;         /* machines */
	size_t row_bytes; /* of all rows, as allocated */
	union row_slot {
		struct row *row;
		uint32_t next_free;
	} * v;
	uint32_t used, size; /* slots ever used, and allocated */
	uint32_t first_free; /* INDEX_NONE: none */
	uint8_t *sharing;    /* a bit a slot: some identifier of this row has another holder */
	struct row_list undecided, decided;
	struct index index; /* of all keys of all rows, to their slots */
	struct texts texts;
	struct alias *aliases;
	uint32_t naliases, aliases_size;
	struct index alias_index; /* by `from` */
};

/* The place of a machine, by its id or an alias; INDEX_NONE if there is none. */
uint32_t row_find(const struct machines *t, uint64_t id);
void row_view(const struct machines *t, const struct row *row, struct machine *ret);
/*
 * Writes what the view says to the row at *place, or to a new one if that is INDEX_NONE, which
 * then is the newest of its list.  The view may point into the row.  0, or -ENOMEM with nothing
 * changed.
 */
int row_put(struct machines *t, uint32_t *place, const struct machine *m);
void row_remove(struct machines *t, uint32_t place);
/* True if somebody decided about the machine. */
bool row_is_decided(const struct row *row);

/* Files a row under its identifiers, and under its id; index_reserve() comes first. */
void row_file(struct machines *t, uint32_t place);
void row_unfile(struct machines *t, uint32_t place);
void row_file_id(struct machines *t, uint32_t place);
void row_unfile_id(struct machines *t, uint32_t place);

struct slice row_serial(const struct row *row);
struct slice row_asset(const struct row *row);
bool row_has_mac(const struct row *row, const struct macaddr *mac);
/* EVIDENCE_SAME, EVIDENCE_SWAPPED, EVIDENCE_DIFFERS or EVIDENCE_UNSAID. */
enum evidence_kind row_has_uuid(const struct row *row, const struct uuid *uuid);

/* The rows that hold the claim's identifier of this kind; their number. */
size_t rows_holding(const struct machines *t, enum key_kind kind, const struct identity *claim,
    uint32_t ret_places[static MACHINE_SHARERS]);

/* Points that a machine with just these identifiers would have; < threshold: not found again. */
int match_worth(const struct machines *t, const struct identity *claim);
/* True for a machine that is known by no more than MACs and a UUID, and undecided. */
bool row_is_passing(const struct machines *t, const struct row *row);

/* 0, -ENOSPC or -ENOMEM. */
int alias_add(struct machines *t, uint64_t from, uint64_t to);
/* Takes back the one added last. */
void alias_take_back(struct machines *t);

#endif
