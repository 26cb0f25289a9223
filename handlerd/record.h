/*
 * What handlerd writes down: machines, boots, and the entries of their timelines.  A record is the
 * form in which they wait for the store (journal.h).
 */
#ifndef HANDLERD_RECORD_H
#define HANDLERD_RECORD_H

#include "handlerd/machines.h"

enum record_kind {
	RECORD_NONE,
	RECORD_BOOT = 2, /* 1 was a machine before machines had ids; such a record is passed over */
	RECORD_ENTRY,
	RECORD_MACHINE, /* all that is known of it: it replaces what is stored */
	RECORD_MACHINE_GONE,
	RECORD_MACHINE_EVENT,
	RECORD_REQUEST,
	RECORD_KINDS,
};

/* What happened to a machine beside its boots. */
enum machine_event_kind {
	MACHINE_EVENT_CHANGED, /* an identifier, as `text` says */
	MACHINE_EVENT_MERGED, /* `other` into `machine`, which gets its boots and its id as alias */
	MACHINE_EVENT_SPLIT,  /* `other` from `machine`: boots go with the MACs that only it has */
	MACHINE_EVENT_STATE,  /* `text` is the new one */
	MACHINE_EVENT_GROUP,  /* likewise */
	MACHINE_EVENT_ASSIGNED, /* `text` is the entry, "" when it was taken away */
	MACHINE_EVENTS,
};

const char *machine_event_name(enum machine_event_kind v);

struct machine_event {
	uint64_t machine;
	uint64_t other; /* or 0 */
	uint64_t at_ms;
	enum machine_event_kind kind;
	struct slice by; /* who did it; "": handlerd itself */
	struct slice text;
};

/* One line of a timeline. */
struct entry_record {
	uint64_t boot;
	uint64_t at_ms;
	uint64_t origin, seq; /* of the event that it came from; 0: it was a request */
	struct slice kind;    /* "discover", "transfer-finished", ... */
	enum boot_via via;
	struct macaddr mac;
	struct ipaddr address;
	struct slice subnet;
	struct slice action; /* of a request: what was answered, */
	struct slice reason; /* why, */
	struct slice rule;   /* and by which rule */
	struct slice file;
	uint64_t bytes;
	uint32_t duration_ms, blksize, windowsize, retransmits;
	uint32_t repeats; /* how often the entry before was repeated */
	struct slice text;
};

/* A request and what was answered, for trying another configuration on it. */
struct request_record {
	uint64_t at_ms;
	uint64_t boot, machine;
	struct macaddr mac;
	enum boot_stage stage;
	struct slice request;   /* as a message of one record */
	struct slice outcome;   /* explain_outcome(), as JSON */
	struct slice sources;   /* what scripts and the web service said, as JSON */
	enum boot_phase before; /* how its last boot had ended, */
	uint64_t before_ms;     /* and when; 0: there was none */
	uint32_t attempt;
};

/* A record of one of the kinds; slices point into the decoded bytes. */
struct record {
	enum record_kind kind;
	union {
		struct machine machine;
		uint64_t machine_gone; /* id */
		struct machine_event machine_event;
		struct request_record request;
		struct boot boot; /* without its links */
		struct entry_record entry;
	};
};

/* Appends the encoded record; sets w->bad if it does not fit. */
void record_encode(struct wbuf *w, const struct record *r);
/* 0, or -EBADMSG. */
int record_decode(struct slice bytes, struct record *ret);

#endif
