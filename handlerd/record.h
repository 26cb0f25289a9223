/*
 * What handlerd writes down: machines, boots, and the entries of their timelines.  A record is the
 * form in which they wait for the store (journal.h).
 */
#ifndef HANDLERD_RECORD_H
#define HANDLERD_RECORD_H

#include "handlerd/boots.h"

enum record_kind {
	RECORD_NONE,
	RECORD_MACHINE,
	RECORD_BOOT,
	RECORD_ENTRY,
	RECORD_KINDS,
};

/* What is known of a machine; empty fields leave what is stored as it is. */
struct machine_record {
	struct macaddr mac;
	uint64_t seen_ms;
	bool has_uuid;
	struct uuid uuid;
	uint16_t arch;
	struct ipaddr address;
	struct slice manufacturer, product, serial, asset, platform, version;
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

/* A record of one of the kinds; slices point into the decoded bytes. */
struct record {
	enum record_kind kind;
	union {
		struct machine_record machine;
		struct boot boot; /* without its links */
		struct entry_record entry;
	};
};

/* Appends the encoded record; sets w->bad if it does not fit. */
void record_encode(struct wbuf *w, const struct record *r);
/* 0, or -EBADMSG. */
int record_decode(struct slice bytes, struct record *ret);

#endif
