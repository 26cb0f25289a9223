/*
 * The decision: a pure function of the request, the site's policy and the facts that handlerd
 * gathered.  Equal inputs give equal answers.
 */
#ifndef HANDLERD_DECIDE_H
#define HANDLERD_DECIDE_H

#include "common/image.h"
#include "common/loader.h"
#include "common/msg.h"
#include "common/path.h"

/* Room for what an answer is made of: URLs, a script.  A script must fit a BIOS iPXE's memory. */
#define DECIDE_SCRATCH (64 * 1024)

struct policy {
	enum offer_style uefi_style; /* OFFER_BINL or OFFER_PXE10 */
	enum offer_style bios_style; /* ... or OFFER_PXE10_PROMPT */
	const char *menu_title;
	const char *menu_default; /* name of an image; "": the one flagged, else the first */
	uint32_t menu_timeout_ms; /* 0: waits for ever */
};

/* A network boot program of the content root. */
struct loader {
	char path[CONTENT_PATH_MAX];
	struct loader_info info;
	int rank;
	uint64_t size;
};

/* Where the client of this request reaches httpsbootd. */
struct web {
	const char *host; /* name or address for HTTPS URLs */
	const char *ip;   /* address for HTTP Boot, whose firmware may not ask DNS */
	uint16_t port;
	uint16_t http_port; /* 0: plain HTTP is off */
	struct slice trust; /* fingerprints for option 175.90 */
};

struct facts {
	const struct loader *loader; /* the best for this request's CPU; NULL: there is none */
	const struct image *images;  /* sorted by name */
	size_t nimages;
	struct web web;
	struct ipaddr tftp; /* none: the answering daemon's own address */
	uint64_t boot;      /* the id */
	bool trusted;       /* the firmware's offer carried our fingerprint */
	bool by_http;       /* the loader came by plain HTTP */
	uint16_t arch;      /* the boot's, for requests that do not tell it */
	/* STAGE_FILE: the look-up of `path`, the name normalised */
	int path_rc; /* of path_normalise() */
	const char *path;
	int file_rc; /* 0, -ENOENT, ...; -ENOSYS: handlerd does not see the content root */
};

/*
 * Answers.  Slices of *ret point into `scratch` (DECIDE_SCRATCH bytes), the request, the facts or
 * constants.  ret->id is left 0.
 */
void decide(const struct boot_request *r, const struct policy *policy, const struct facts *facts,
    struct wbuf *scratch, struct boot_answer *ret);

/* The CPU that a request's client has, by its architecture or by what iPXE says of itself. */
enum arch_cpu request_cpu(const struct boot_request *r, uint16_t boot_arch);

#endif
