/*
 * Referral targets: the other boot infrastructure that a machine may be sent to, and which of it
 * is the best for this machine.  Pure; handlerd/probe finds out which targets live, and
 * handlerd/referral builds the URL that a client is given.
 *
 * The order: targets that can be used come before those that are down, nearer ones before others,
 * then the smaller `order`, then by weight.  Of equals each machine has a favourite that depends on
 * its MAC, the names and the weights alone (weighted rendezvous hashing): the same machine always
 * comes to the same target, and when one is down only its machines move.
 */
#ifndef HANDLERD_TARGETS_H
#define HANDLERD_TARGETS_H

#include "common/config.h"
#include "common/msg.h"
#include "handlerd/cidr.h"
#include "handlerd/referral.h"

#define TARGETS_MAX      64
#define TARGET_NAME_MAX  64
#define TARGET_URL_MAX   1024 /* of one in the configuration */
#define TARGET_NEAR_MAX  64
#define TARGET_FILES_MAX 16

/* How a target's health is found out. */
enum target_probe {
	PROBE_NONE,  /* not at all: it counts as up */
	PROBE_TCP,   /* a connection can be made */
	PROBE_TFTP,  /* a read request is answered */
	PROBE_HTTPS, /* a URL, also of plain HTTP, is answered with status 200 to 399 */
	TARGET_PROBES,
};

const char *target_probe_name(enum target_probe v);

/*
 * A boot file for one kind of client.  `arch` is the CPU's name for PXE firmware (bios, ia32, x64,
 * arm32, arm64, riscv64, loong64), with "-http" behind it for UEFI HTTP Boot (x64-http), whose
 * `file` is a URL.
 */
struct target_file {
	char *arch;
	char *file;
};

/* The block `probe` of a target. */
struct target_probe_conf {
	int kind; /* enum target_probe */
	/*
	 * What is probed.  tcp: "ADDRESS:PORT"; "": that of `url`.  https: a URL; "": the root of
	 * that of `url`.  tftp: the name of a file at next_server, or "tftp://ADDRESS:PORT/NAME";
	 * "": the first of `files`.
	 */
	char *at;
	bool any_answer; /* "no such file", or a status below 500, is a sign of life, too */
	int64_t interval_ms, timeout_ms;
	int64_t rise, fall; /* so many in a row that succeed or fail change the state */
};

/* One element of the list `targets` in the block `referral`. */
struct target_conf {
	char *name;
	struct ipaddr next_server;  /* DHCP stage; none: this target has no files for PXE */
	struct config_list files;   /* struct target_file */
	char *url;                  /* where iPXE is chained to, or "" */
	int64_t weight;             /* 0: only when all others of its order are down */
	int64_t order;              /* smaller is better */
	struct config_strings near; /* "10.1.0.0/16", "2001:db8::/32", or a subnet's name */
	struct target_probe_conf probe;
};

/* The block `referral`. */
struct referral_conf {
	struct config_list targets; /* struct target_conf */
	int64_t max_hops;           /* servers that a client may have passed */
	char *probe_ca;             /* CA file for https probes, "": the system's */
};

/* The rows of the block; their places are within struct referral_conf. */
extern const struct config_key referral_keys[];

/* Hands every mistake in the block to `error`, with paths below "referral". */
void referral_check(const struct referral_conf *conf, config_error_fn *error, void *arg);

/* One element of a target's list `near`. */
struct target_near {
	const char *text;
	bool by_name; /* it is the name of a subnet, else `cidr` */
	struct cidr cidr;
};

struct target {
	const struct target_conf *conf;
	struct target_near *near;
	size_t nnear;
	struct url_place place; /* of conf->url; port 0 if there is none */
};

struct targets {
	struct target v[TARGETS_MAX];
	size_t n;
};

/* `conf` is one that referral_check() had nothing against, and must outlive *ret.  0, -ENOMEM, or
 * -EINVAL. */
int targets_new(const struct referral_conf *conf, struct targets **ret);
void targets_free(struct targets *t);

/* Where a probe goes. */
struct probe_place {
	struct ipaddr address; /* tcp and tftp */
	uint16_t port;
	char what[TARGET_URL_MAX + 1]; /* tftp: the file; https: the URL */
};

/*
 * By kind, `at` and the target's other keys.  0, or -EINVAL if they tell no place.  tcp and tftp
 * want an address: to look up a name would hold up everything else.
 */
int target_probe_place(const struct target_conf *conf, struct probe_place *ret);

/* What is known of a target's health; zeros are a target that was never probed and counts as up. */
struct target_health {
	bool probed, down;
	unsigned run;      /* probes in a row that speak against the state */
	uint64_t since_ms; /* since when the state is what it is; wall clock, 0: always */
	uint64_t probed_ms;
	uint32_t took_ms;
	uint64_t probes, failures;
	char why[80]; /* what the last probe found; of a good one "" */
};

/*
 * Takes down a probe: `why` is NULL for a good one, else what was wrong.  True if the state
 * changed.  The first probe of all decides at once; later `rise` or `fall` in a row do.
 */
bool target_health_note(struct target_health *h, const struct target_conf *conf, const char *why,
    uint32_t took_ms, uint64_t now_ms);

enum target_verdict {
	TARGET_UP,
	TARGET_DOWN,      /* usable when nothing better is there: the probe can be wrong */
	TARGET_NOT_NAMED, /* what decided allows only others */
	TARGET_NO_FILE,   /* it has nothing for this kind of client */
	TARGET_SELF,      /* it leads to us */
	TARGET_VISITED,   /* the client has come from us and was sent back: a loop */
	TARGET_HOPS,      /* the client was referred too often */
	TARGET_VERDICTS,
};

const char *target_verdict_name(enum target_verdict v);

/* One target as an answer to one request. */
struct target_choice {
	const struct target *target;
	enum target_verdict verdict; /* usable if TARGET_UP or TARGET_DOWN */
	bool by_url;          /* `file` is a URL: for iPXE a script, for HTTP Boot a loader */
	const char *file;     /* what the client is given; NULL if it is not usable */
	struct ipaddr server; /* next-server; none if by_url */
	const struct target_health *health; /* NULL if none was given */
	const char *near;                   /* the element of its list that made it near, or NULL */
	int nearness;                       /* larger is nearer; -1: it is near for others only */
	uint64_t cost;                      /* of equals the smallest is taken */
};

bool target_is_usable(const struct target_choice *c);

/*
 * Puts all targets into ret, the usable ones first, the best of them first; the others follow in
 * the order of the configuration with what speaks against them.  Returns how many are usable.
 *
 * `health` has an element for each target, or is NULL: all are up.  `names`: only these are
 * allowed; none: all are.  `via`: the value of the form's parameter bfvia, decoded, or empty.
 * Nearness goes by the name of the subnet, then by the longest prefix that holds the relay, else
 * the client's address, else ours that was asked.
 */
size_t targets_pick(const struct targets *t, const struct target_health *health,
    const struct referral_self *self, int64_t max_hops, const struct boot_request *r,
    struct slice via, const char *const *names, size_t nnames,
    struct target_choice ret[static TARGETS_MAX]);

#endif
