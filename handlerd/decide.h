/*
 * The decision: a pure function of the request, the site's policy and the facts that handlerd
 * gathered.  Equal inputs give equal answers.
 *
 * It has two halves.  judge() (judge.h) finds out what a machine gets, whatever protocol it asks
 * by; decide() puts that into an answer of the stage.  What depends on somebody outside is not
 * waited for here: the decision says which sources it needs, and is made again with their words.
 */
#ifndef HANDLERD_DECIDE_H
#define HANDLERD_DECIDE_H

#include "common/loader.h"
#include "common/path.h"
#include "common/verdict.h"
#include "handlerd/adapt.h"
#include "handlerd/machines.h"
#include "handlerd/policy.h"
#include "handlerd/referral.h"
#include "handlerd/styles.h"
#include "handlerd/token.h"
#include "handlerd/ws.h"

/* Room for what an answer is made of: URLs, a script.  A script must fit a BIOS iPXE's memory. */
#define DECIDE_SCRATCH (64 * 1024)

/* iPXE asks for this by itself, in the folder of its loader or in the root. */
#define AUTOEXEC "autoexec.ipxe"

/* A network boot program of the content root. */
struct loader {
	char path[CONTENT_PATH_MAX];
	struct loader_info info;
	int rank;
	uint64_t size;
};

/* Where the client of this request reaches httpsbootd. */
struct web {
	bool known;        /* one has been heard of; else it is guessed where it would be */
	bool other_family; /* it has no address of the client's IP version */
	const char *host;  /* name or address for HTTPS URLs */
	const char *ip;    /* address for HTTP Boot, whose firmware may not ask DNS */
	uint16_t port;
	uint16_t http_port; /* 0: plain HTTP is off */
	bool pulls;         /* it fetches files that it lacks from an origin */
	struct slice trust; /* fingerprints for option 175.90 */
	/* base URLs ("https://x:8050/") of others, for scripts to try next */
	const char *const *others;
	size_t nothers;
};

enum source_state {
	SOURCE_UNASKED,
	SOURCE_ANSWERED,
	SOURCE_FAILED, /* `why` tells; the fall-back counts */
	SOURCE_LATE,   /* it is still thinking, and the client cannot wait longer: it asks again */
};

/* What a source says. */
struct source_answer {
	enum source_state state;
	const struct verdict *verdict;
	const struct choices *inline_choices; /* the entries that it told whole, or NULL */
	const char *why;
	const struct ws_pair *carry; /* that the client is to bring back */
	size_t ncarry;
	const char *status;  /* what it says of this boot, for people, or NULL */
	const char *content; /* SOURCE_WINPE: the file's text, "" if nothing is wanted; or NULL */
};

/* What is known of the machine; nothing if it is not known. */
struct machine_knowledge {
	bool known;
	struct machine m;
	bool is_new;      /* not seen before this boot */
	bool is_assigned; /* and the assignment holds now */
};

struct facts {
	/* the content root */
	const struct loader *loaders; /* those of a CPU together, the best of them first */
	size_t nloaders;
	const struct loader *const *best; /* the first of each CPU, or NULL */
	const struct image *images;       /* sorted by name */
	size_t nimages;
	/* the place */
	struct web web;
	struct ipaddr tftp;     /* none: the answering daemon's own address */
	bool tftp_other_family; /* it has no address of the client's IP version */
	uint32_t tftp_load;     /* permille of what it can carry */
	struct slice tftp_subnet;
	const struct target_health *health;
	struct referral_self self;
	/* the machine and its boot */
	struct subject subject; /* what rules ask about */
	struct machine_knowledge machine;
	const struct adapt *adapt;
	const struct styles *styles;
	uint64_t firmware; /* its firmware_key(); 0: this request does not tell */
	uint64_t now_ms;
	uint64_t boot;          /* the id */
	bool trusted;           /* the firmware's offer carried our fingerprint */
	bool by_http;           /* the loader came by plain HTTP */
	uint64_t loader_ms;     /* when this boot asked for a loader; 0: for none */
	uint64_t loop_until_ms; /* the loop guard holds the machine until then; 0: it does not */
	uint32_t memory_mb;
	const char *token; /* for this boot's secret files; "": there is none */
	/* the sources outside */
	struct source_answer sources[SOURCES];
	/* STAGE_FILE: the look-up of `path`, the name normalised */
	int path_rc; /* of path_normalise() */
	const char *path;
	bool has_menu_program; /* pxelinux's menu.c32 is there for whom asks */
	int file_rc;        /* 0, -ENOENT, ...; -ENOSYS: handlerd does not see the content root */
	uint64_t file_size; /* 0: not known */
	const uint8_t *file_sha256; /* by the manifest of its image; NULL: not known */
	bool file_secret;           /* only with a token */
	enum token_fault token_fault;
};

/* What handlerd is to do besides answering. */
enum {
	EFFECT_QUARANTINE = 1u << 0,    /* the machine's state becomes quarantined */
	EFFECT_WANT_APPROVAL = 1u << 1, /* somebody ought to be told that it waits */
	EFFECT_LOADER = 1u << 2,        /* a loader was offered: adapt_given() */
	EFFECT_LOG = 1u << 3,           /* the rule wants a line in the log */
	EFFECT_STRANGE_ARCH = 1u << 4,  /* firmware of an architecture that nobody knows */
	EFFECT_STYLE = 1u << 5,         /* experience chose the style: styles_given() */
};

struct decision {
	struct boot_answer answer;
	unsigned need; /* bit n: enum source n is to be asked; the answer is not to be used then */
	unsigned effects;
	/* EFFECT_LOADER: loaders[loader_at] was offered */
	struct loader_choice loaders[ADAPT_LOADERS];
	size_t loader_at;
	enum adapt_reason loader_why;
	/* of an offer of a loader: why in this style, and which one is the default */
	enum style_why style_why;
	enum offer_style style_first;
	struct slice delay_words; /* why the offer waits, if it does */
	bool as_boot;             /* a file was made that does what a boot request's script does */
	char entry[IMAGE_NAME_MAX]; /* the entry that this boot is about, or "" */
};

/*
 * Decides.  Slices of ret->answer point into `scratch` (DECIDE_SCRATCH bytes), the request, the
 * policy, the facts or constants.  answer.id is left 0.
 */
void decide(const struct boot_request *r, const struct policy *policy, const struct facts *facts,
    struct wbuf *scratch, struct decision *ret);

/*
 * The CPU that a request's client has, by its architecture or by what iPXE says of itself.
 * `strange`: that of firmware with a number that is not in the table.
 */
enum arch_cpu request_cpu(const struct boot_request *r, uint16_t boot_arch, enum arch_cpu strange);
/* True for firmware, not iPXE, with such a number. */
bool request_is_strange(const struct boot_request *r, uint16_t boot_arch);

#endif
