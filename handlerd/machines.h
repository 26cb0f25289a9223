/*
 * The machines that were seen, in memory: found by any of their identifiers, with evidence.
 *
 * A request makes a claim (identity.h).  machines_match() weighs it against every machine that
 * shares an identifier with it and tells the best, with points for each identifier, and all others
 * with why they lost.  machines_learn() takes down what a claim adds.  Two machines may hold the
 * same identifier (an adapter that went from one to the other, cloned UUIDs): nothing is moved or
 * dropped without being told, and machines_duplicates() lists such cases.
 *
 * Pure: memory only, time is an argument.  What changes is told to the caller, who stores it.
 */
#ifndef HANDLERD_MACHINES_H
#define HANDLERD_MACHINES_H

#include "common/arch.h"
#include "handlerd/boots.h"
#include "handlerd/identity.h"

#define MACHINE_MACS 8 /* of a machine; one more pushes out the one seen longest ago */
/* Machines that can be found by one identifier's value.  More say that it does not identify:
 * it then counts nothing. */
#define MACHINE_SHARERS 16

enum machine_state {
	MACHINE_NEW, /* nobody has decided */
	MACHINE_APPROVED,
	MACHINE_DENIED,  /* asked for approval, did not get it */
	MACHINE_BLOCKED, /* never boots from us */
	MACHINE_HELD,    /* waits until it is released */
	MACHINE_QUARANTINED,
	MACHINE_STATES,
};

const char *machine_state_name(enum machine_state v);
int machine_state_parse(struct slice name, enum machine_state *ret); /* 0, or -EINVAL */

struct machine_mac {
	struct macaddr mac;
	bool sure; /* nobody else had it, or it came with the serial number or asset tag */
};

/*
 * One machine, as a view: slices stay until the next call that changes the table.  The same form
 * puts a machine back at start, machines_restore().
 */
struct machine {
	uint64_t id; /* never 0, never used again */
	uint64_t first_ms, last_ms;
	uint32_t nmacs;
	struct machine_mac macs[MACHINE_MACS]; /* the one seen last comes first */
	bool has_uuid;
	struct uuid uuid;
	struct slice serial, asset;
	struct slice manufacturer, product;
	struct slice platform, version; /* iPXE's */
	struct ipaddr relay;            /* switch port */
	struct slice remote, circuit;
	uint16_t arch;
	struct ipaddr address;

	enum machine_state state;
	struct slice group; /* "": none */
	/* assignment */
	struct slice entry; /* "": none; a NUL follows it */
	bool once;
	uint64_t until_ms; /* 0: no end */
	struct slice by;   /* who decided last: state or assignment */

	/* how its last boot ended, as far as is known */
	enum boot_phase phase;
	uint64_t phase_ms; /* 0: no boot yet */
	struct slice image;

	/* the roots that its last boot was told of, as in roots.h; "": none by us */
	struct slice roots;
	uint64_t roots_ms; /* since when they are these */
};

/* --- the table ------------------------------------------------------------------------------ */

/* Points; the reasons for the defaults stand beside them in match.c. */
struct match_weights {
	int mac, uuid, serial, asset;
	int mac_unsure;   /* a MAC that is not sure, see struct machine_mac */
	int serial_alone; /* the manufacturer is not known on both sides */
	int uuid_differs; /* taken off, as those below */
	int serial_differs;
	int asset_differs;
	int model_differs;
	int port;      /* only between candidates that are equal otherwise */
	int threshold; /* so many, and it is that machine */
};

extern const struct match_weights match_weights_default;

struct machines_conf {
	size_t max_machines;  /* see machines_evict() */
	uint64_t hash_key[2]; /* random, so that clients cannot choose where they are kept */
	struct match_weights weights;
	const struct identity_lists *lists; /* stays the caller's; may be changed between calls */
};

struct machines;

/* 0, or -ENOMEM. */
int machines_new(const struct machines_conf *conf, struct machines **ret);
void machines_free(struct machines *t);
/* Takes over everything but hash_key. */
void machines_set_conf(struct machines *t, const struct machines_conf *conf);

size_t machines_count(const struct machines *t);
/* Bytes in use, all in. */
size_t machines_bytes(const struct machines *t);

/*
 * Puts back a machine, or an alias, read from the store, in any order; machines_restored() ends
 * that.  0, -EEXIST, -EINVAL (id 0), or -ENOMEM.
 */
int machines_restore(struct machines *t, const struct machine *from);
int machines_restore_alias(struct machines *t, uint64_t old_id, uint64_t id);
/* Ids up to `last_id` have been used.  0 or -ENOMEM. */
int machines_restored(struct machines *t, uint64_t last_id);

/* The machine of this id, or that it was merged into.  False if there is none. */
bool machines_get(const struct machines *t, uint64_t id, struct machine *ret);
/* The id to which an id leads, itself or by merging; 0 if there is none. */
uint64_t machines_resolve(const struct machines *t, uint64_t id);
/*
 * The machines that go by this name: "#ID", a MAC in any notation, a UUID in either byte order, a
 * serial number, an asset tag.  Their number, of which at most `size` are in ret_ids; first those
 * whose identifier is of the kind that comes first here.
 */
size_t machines_find(const struct machines *t, const char *name, uint64_t *ret_ids, size_t size);
/*
 * For each, until fn returns false: first those that somebody decided about, then the others, each
 * kind by when it was seen or changed, the last first.  fn must not change the table.
 */
typedef bool machines_fn(void *arg, const struct machine *m);
void machines_each(const struct machines *t, machines_fn *fn, void *arg);

/* --- matching ------------------------------------------------------------------------------- */

enum evidence_kind {
	EVIDENCE_UNSAID,  /* one side does not say */
	EVIDENCE_SAME,    /* adds points */
	EVIDENCE_SWAPPED, /* the UUID in the other byte order; adds the same points */
	EVIDENCE_DIFFERS, /* takes points, or is nothing to go by (a MAC: machines have several) */
	EVIDENCE_SHARED,  /* same, but the adapter is on the list of shared ones: no points */
	VERDICT_OTHER_MAKER, /* the serial number of another manufacturer's machine: no points */
	EVIDENCE_BAD,        /* same, but it is a maker's default: no points */
	EVIDENCE_CROWDED,    /* same, but MACHINE_SHARERS have it: no points */
	EVIDENCE_KINDS,
};

const char *evidence_kind_name(enum evidence_kind v);

enum match_why {
	WHY_BEST,
	WHY_BELOW,   /* fewer points than the threshold */
	WHY_FEWER,   /* fewer points than the best */
	WHY_PORT,    /* as many, but the best is at the same switch port */
	WHY_OLDER,   /* as many, but the best was seen later */
	WHY_PASSING, /* known by no more than MAC and UUID; the best, with the serial number or
	              * asset tag, takes it over */
	MATCH_WHYS,
};

const char *match_why_name(enum match_why v);

struct candidate {
	uint64_t id;
	int score;
	int port; /* points for the switch port, which are not in the score */
	enum match_why why;
	struct {
		enum evidence_kind verdict;
		int points;
	} evidence[IDENTIFIERS];
};

#define MATCH_CANDIDATES (4 * MACHINE_SHARERS)

struct match {
	uint64_t id; /* of the best; 0: a new machine */
	int score;
	bool ambiguous; /* another had as many points; switch port or time decided */
	/* all that share an identifier with the claim, the best first, then by points */
	size_t ncandidates;
	struct candidate candidates[MATCH_CANDIDATES];
};

/* Never fails; changes nothing. */
void machines_match(const struct machines *t, const struct identity *claim, struct match *ret);

/* --- changes -------------------------------------------------------------------------------- */

/* What a call changed, as bits. */
enum {
	CHANGED_MAC_ADDED = 1u << 0,
	CHANGED_MAC_DROPPED = 1u << 1, /* the one seen longest ago, there were too many */
	CHANGED_MAC_MOVED = 1u << 2,   /* other machines that had it are no longer sure of it */
	CHANGED_UUID = 1u << 3,
	CHANGED_SERIAL = 1u << 4,
	CHANGED_ASSET = 1u << 5,
	CHANGED_MODEL = 1u << 6,
	CHANGED_PORT = 1u << 7,
	CHANGED_ADDRESS = 1u << 8,
	CHANGED_CLIENT = 1u << 9,  /* arch, platform, version */
	CHANGED_MERGED = 1u << 10, /* `merged` is now an alias */
	CHANGED_SEEN = 1u << 11,   /* always: last_ms, the order of MACs */
};

const char *machine_change_name(unsigned bit); /* of one bit */

struct machine_change {
	unsigned what;
	/* machines beside this one that are to be stored again, and the one that was merged */
	size_t nothers;
	uint64_t others[MACHINE_SHARERS];
	uint64_t merged;
	struct macaddr mac; /* dropped */
	/* as they were, if they are replaced: empty, or cut to fit */
	bool had_uuid;
	struct uuid uuid;
	char serial[IDENTITY_TEXT_MAX + 1], asset[IDENTITY_TEXT_MAX + 1];
};

/* What a request tells beside the claim; empty members leave what is known. */
struct machine_facts {
	uint16_t arch; /* or ARCH_UNKNOWN */
	struct ipaddr address;
	struct slice platform, version;
};

/*
 * Makes a machine of a claim that none matched.  0, -EINVAL (a claim by which it would not be found
 * again: nothing in it counts) or -ENOMEM.  Then call machines_evict().
 */
int machines_add(struct machines *t, const struct identity *claim,
    const struct machine_facts *facts, uint64_t now_ms, uint64_t *ret_id,
    struct machine_change *ret_change);
/*
 * Takes down what a claim adds to the machine that it was found to be.  0, -ENOENT or -ENOMEM.
 * Identifiers that do not count replace none that do.  A hardware address that comes with the
 * machine's serial number is sure, and no other machine is sure of it any more.  A machine that is
 * known by no more than this claim's MAC and UUID (WHY_PASSING) is merged into this one.
 */
int machines_learn(struct machines *t, uint64_t id, const struct identity *claim,
    const struct machine_facts *facts, uint64_t now_ms, struct machine_change *ret);

/* What people and boots decide.  0, -ENOENT or -ENOMEM; texts are cut to IDENTITY_TEXT_MAX. */
int machines_set_state(struct machines *t, uint64_t id, enum machine_state state, struct slice by);
int machines_set_group(struct machines *t, uint64_t id, struct slice group);
/* An empty entry takes the assignment away. */
int machines_assign(struct machines *t, uint64_t id, struct slice entry, bool once,
    uint64_t until_ms, struct slice by);
int machines_set_outcome(
    struct machines *t, uint64_t id, enum boot_phase phase, uint64_t at_ms, struct slice image);
/* 1 if that is new, 0 if they were known; else as above. */
int machines_set_roots(struct machines *t, uint64_t id, struct slice roots, uint64_t at_ms);

/*
 * Merges `from` into `into`: what `into` does not know comes from `from`, its decisions (state,
 * group, assignment) only where `into` has none; `from` becomes an alias.  MACs beyond MACHINE_MACS
 * are dropped, the last of them told in *ret.  0, -ENOENT, -EINVAL (the same), -ENOSPC (as many
 * aliases as machines are allowed) or -ENOMEM.
 */
int machines_merge(struct machines *t, uint64_t into, uint64_t from, struct machine_change *ret);
/*
 * Takes the identifiers of `parts` (MAC, UUID, serial, asset; a part may have several) from a
 * machine and makes another of them, which inherits manufacturer, product and times and is in state
 * new.  0, -ENOENT (no such machine, or it has not all of these), -EINVAL (nothing would be left,
 * or nothing taken) or -ENOMEM.
 */
int machines_split(struct machines *t, uint64_t id, const struct identity *parts, size_t nparts,
    uint64_t *ret_id, struct machine_change *ret_change);
/*
 * Forgets the machine unseen longest, if there are more than conf.max_machines; those that somebody
 * decided about (state, group, assignment) go only when no others are left.  The id that is gone,
 * or 0; call it until then, after adding, restoring or setting the configuration.
 */
uint64_t machines_evict(struct machines *t);
/* Forgets it; aliases that lead to it lead nowhere.  0 or -ENOENT. */
int machines_remove(struct machines *t, uint64_t id);

/* --- duplicates ----------------------------------------------------------------------------- */

enum duplicate_reason {
	DUPLICATE_UUID_CLONED, /* same UUID, other serial numbers: a maker's or a cloner's mistake
	                        */
	DUPLICATE_UUID,        /* same UUID, nothing against: perhaps one machine */
	DUPLICATE_SERIAL,      /* same maker and serial number, other UUIDs: a new board? */
	DUPLICATE_ASSET,       /* same asset tag */
	DUPLICATE_MAC,         /* a hardware address of two machines: it moved */
	DUPLICATE_SHARED_ADAPTER, /* ... of three or more UUIDs: put it on the list */
	DUPLICATE_REASONS,
};

const char *duplicate_reason_name(enum duplicate_reason v);

struct duplicate {
	enum duplicate_reason reason;
	enum identifier identifier;
	char value[IDENTITY_TEXT_MAX + 1]; /* as text */
	size_t n;
	uint64_t ids[MACHINE_SHARERS];
	bool crowded; /* there are more than these */
};

typedef void machines_duplicate_fn(void *arg, const struct duplicate *d);
/* For each value that several machines share; each once, at most `limit`. Their number. */
size_t machines_duplicates(
    const struct machines *t, size_t limit, machines_duplicate_fn *fn, void *arg);

#endif
