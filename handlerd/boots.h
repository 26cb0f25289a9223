/*
 * Boots under way.  A boot is one machine's way from its first DISCOVER to the report of what was
 * started; all requests and events that belong to it carry its id.
 *
 * They are tied together by the id itself where the client gives it, else by hardware address,
 * else by IP address.  Pure: memory only, time is an argument.
 */
#ifndef HANDLERD_BOOTS_H
#define HANDLERD_BOOTS_H

#include "common/image.h"
#include "common/msg.h"
#include "handlerd/names.h"

enum boot_phase {
	PHASE_FIRMWARE, /* the firmware asks for a loader */
	PHASE_LOADER,   /* it fetches one */
	PHASE_IPXE,     /* iPXE asks */
	PHASE_SCRIPT,   /* it has its script */
	PHASE_IMAGE,    /* it fetches an image */
	PHASE_STARTED,  /* the started system has reported */
	PHASE_DONE,     /* and says that it is through */
	PHASE_FAILED,   /* the client reported a failure; it may still go on */
	PHASES,
};

const char *boot_phase_name(enum boot_phase v);

/* Lines of a timeline that are kept; a boot that goes on for ever must not fill the store. */
#define BOOT_LINES_MAX 2000

/* Kinds of notes in a timeline that tend to repeat. */
enum boot_note {
	NOTE_REQUEST,
	NOTE_OFFER,
	BOOT_NOTES,
};

struct policy;

struct boot {
	uint64_t id;
	uint64_t machine;             /* 0: not known */
	uint64_t started_ms, last_ms; /* since 1970 */
	struct macaddr mac;
	bool has_uuid;
	struct uuid uuid;
	struct ipaddr address;  /* of IPv4 if it has one */
	struct ipaddr address6; /* many machines have both; known in this process alone */
	struct ipaddr relay;
	enum boot_phase phase;
	enum boot_client client; /* what asked first */
	uint16_t arch;
	bool trusted; /* the firmware's offer carried our CA's fingerprint */
	bool by_http; /* its loader came by plain HTTP: no more trust than that is to be had */
	bool dirty;   /* changed since it was written to the store */
	char image[IMAGE_NAME_MAX];
	char subnet[64];

	/* known in this process alone */
	struct policy *policy; /* the rules that it began with; a reference, or NULL */
	bool machine_is_new;   /* the machine was not seen before this boot */
	uint32_t attempt;      /* boots of it in a row that did not get to a script, this one too */
	enum boot_phase before; /* how its last boot ended, */
	uint64_t before_ms;     /* and when; 0: there was none */

	char folder[NAMES_FOLDER_MAX]; /* of the loader that it fetched last, for names beside it */
	uint64_t loader_ms;            /* when it asked for that; 0: for none */

	bool waits;     /* for approval or release */
	uint64_t given; /* boot_given() of the assigned entry it got; GIVEN_OTHER; 0: not known */
	uint64_t recall_note, recall_ms; /* what was recorded last */
	uint64_t roots;                  /* roots_mark() of those that it was told of last */
	uint32_t lines;                  /* of its timeline, kept since this handlerd has it */
	/* what was noted last, so that repetitions are only counted */
	struct {
		uint64_t note, at_ms;
		uint32_t repeats;
	} last[BOOT_NOTES];

	struct boot *next_ip6, **prev_ip6;
	struct boot *next_uuid, **prev_uuid; /* of boots over IPv6 */
	struct boot *next_id, **prev_id;     /* hash chains; prev NULL: in none */
	struct boot *next_mac, **prev_mac;
	struct boot *next_ip, **prev_ip;
	struct boot *newer, *older; /* by last_ms */
};

struct boots;

typedef uint64_t boots_random_fn(void *arg);

/*
 * At most `limit` boots; the one that was silent longest makes room.  `idle_ms`: a boot that was
 * silent for so long is over.  0, or -ENOMEM.
 */
int boots_new(
    size_t limit, uint64_t idle_ms, boots_random_fn *random, void *random_arg, struct boots **ret);
void boots_free(struct boots *t);
size_t boots_count(const struct boots *t);
void boots_set_idle(struct boots *t, uint64_t idle_ms);

/*
 * The boot that a request belongs to, opened if need be (*opened), with what the request tells
 * about it taken down.  NULL only when out of memory.  Valid until the next call that opens one.
 */
struct boot *boots_for_request(
    struct boots *t, const struct boot_request *r, uint64_t now_ms, bool *opened);
/* The one that it would belong to, untouched; NULL: a new one would be opened. */
const struct boot *boots_peek(const struct boots *t, const struct boot_request *r, uint64_t now_ms);
/* The boot that an event belongs to, or NULL: events open none. */
struct boot *boots_for_event(struct boots *t, const struct boot_event *e, uint64_t now_ms);
struct boot *boots_find(const struct boots *t, uint64_t id);
/* Puts back a boot read from the store.  NULL when out of memory or its id is there already. */
struct boot *boots_restore(struct boots *t, const struct boot *from);

/* True if the answer tells a loader that is yet to start which roots to trust. */
bool boot_is_told_roots(const struct boot_request *r, const struct boot_answer *a);
/* What an answer changes: phase, image, trust. */
void boot_note_answer(struct boot *b, const struct boot_request *r, const struct boot_answer *a);
/* An assigned entry in struct boot's `given`. */
#define GIVEN_OTHER 1 /* its script was not that of an assignment */
uint64_t boot_given(struct slice entry);
/* It has what another loader than iPXE boots by. */
void boot_note_script(struct boot *b);
/* What it is to boot. */
void boot_note_entry(struct boot *b, const char *name);
/* `word` is what stands behind /2PXE/report/ in a URL. */
void boot_note_report(struct boot *b, struct slice word);

/*
 * True if this note (a hash of what it says) merely repeats the last one of its kind, which then is
 * counted; else *repeats tells how often the one before was repeated.  After BOOT_REPEAT_MS, or
 * when something else happened, a repetition counts as new.
 */
#define BOOT_REPEAT_MS 10000
bool boot_is_repetition(
    struct boot *b, enum boot_note kind, uint64_t note, uint64_t now_ms, uint32_t *repeats);
/* True if it would be one; changes nothing. */
bool boot_has_note(const struct boot *b, enum boot_note kind, uint64_t note, uint64_t now_ms);
/* Something else happened. */
void boot_break_repetition(struct boot *b);
/*
 * How often the last request was repeated, if that is over (it came BOOT_REPEAT_MS ago, or
 * `ending`) and nobody was told; 0 otherwise.  It counts as told then.
 */
uint32_t boot_take_repeats(struct boot *b, uint64_t now_ms, bool ending);
/*
 * Calls `fn`, which adds and removes none, for each boot of one of `parts` parts of about the same
 * size, counted from 0; together they hold all.
 */
void boots_each(const struct boots *t, size_t part, size_t parts,
    void (*fn)(void *arg, struct boot *b), void *arg);
/* The boot that was active last, or NULL; `older` leads to the others. */
struct boot *boots_newest(const struct boots *t);

#endif
