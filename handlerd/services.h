/*
 * The front daemons that announced themselves: where clients reach them, which name and which root
 * certificate they use.  handlerd's answers are built from this, so that no address has to be
 * configured twice.  Pure.
 */
#ifndef HANDLERD_SERVICES_H
#define HANDLERD_SERVICES_H

#include "common/msg.h"

#define SERVICES_MAX      256 /* the one silent longest makes room */
#define SERVICE_ALIVE_MS  7000
#define SERVICE_PERIOD_MS 2500 /* between two announcements, generously */
#define SERVICE_TRUST_MAX 256  /* bytes of fingerprints */
#define SERVICE_COUNTERS  8192
#define SERVICE_PROBLEM   512 /* bytes of words, with the NUL */

/* What a tftpd carries, as struct daemon_status tells it. */
struct service_load {
	uint32_t transfers, max_transfers; /* the latter 0: it does not tell */
	uint64_t bytes_per_s;
	uint32_t retransmit_permille, queue_blocks, permille;
	bool admitting;    /* by services_admission(): offers wait for it now */
	uint64_t heavy_ms; /* when it was last too high to end that */
};

struct service {
	uint64_t origin; /* of its messages; 0: free */
	enum daemon_kind daemon;
	uint64_t seen_ms, started_ms; /* since 1970 */
	uint32_t pid;
	struct ipaddr address, address6; /* none: wherever it was asked */
	uint16_t port, http_port;
	bool pulls; /* httpsbootd: it has an origin */
	char subnet[64];
	char version[64];
	char host_name[256];
	uint8_t trust[SERVICE_TRUST_MAX];
	size_t trust_n;
	char counters[SERVICE_COUNTERS];
	char problem[SERVICE_PROBLEM];
	uint64_t certificate_ms; /* when the first of its certificates expires; 0: it has none */
	struct service_load load;
};

struct services {
	size_t n; /* places used so far; behind them all are free */
	struct service v[SERVICES_MAX];
};

/* Takes down an announcement; true if this daemon was not known, or had fallen silent. */
bool services_note(
    struct services *t, uint64_t origin, const struct daemon_status *s, uint64_t now_ms);

/*
 * The daemon of this kind that serves a subnet: one of that name, else any; one that lives, else
 * the one heard last.  NULL if none ever announced itself.
 */
const struct service *services_pick(
    const struct services *t, enum daemon_kind daemon, struct slice subnet, uint64_t now_ms);

/*
 * Where clients of this family (4 or 6) reach it: 0 with *ret, none for wherever they asked it; or
 * -EAFNOSUPPORT if it only serves the other family.
 */
int service_address(const struct service *s, uint8_t family, struct ipaddr *ret);

/* What became of the daemons' loads. */
enum load_change {
	LOAD_SAME,
	LOAD_HIGH, /* from now on offers wait, */
	LOAD_EASED /* and no longer */
};

/* A load has to stay low for so long: loads go up and down. */
#define SERVICE_CALM_MS 5000

/*
 * Keeps in mind whether offers wait for the daemon at place `i` by its load, the threshold (0:
 * they never do) and the slack that it has to stay below that for SERVICE_CALM_MS.  Dead ones carry
 * nothing.
 */
enum load_change services_admission(
    struct services *t, size_t i, uint32_t from_permille, uint32_t slack, uint64_t now_ms);

bool service_is_alive(const struct service *s, uint64_t now_ms);

#endif
