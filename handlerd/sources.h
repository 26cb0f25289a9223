/*
 * Sources: the scripts and the web service, whom handlerd asks about a boot.
 *
 * What a source said is kept for a while under its machine: the requests that make up one boot see
 * one answer, an answer that comes too late for one request serves the next, and what was asked
 * early, at the DISCOVER, is there when the boot request comes.
 */
#ifndef HANDLERD_SOURCES_H
#define HANDLERD_SOURCES_H

#include "common/hook.h"
#include "handlerd/decide.h"
#include "handlerd/webservice.h"
#include "handlerd/workers.h"

#define SOURCES_KEPT      65536       /* answers; those longest unused make room */
#define SOURCES_BYTES     (64u << 20) /* of answers, about */
#define SOURCES_FRESH_MS  1000        /* an answer that was waited for serves so long */
#define SOURCES_UNSEEN_MS 60000       /* one that nobody has seen yet */
#define SOURCES_FAILED_MS 10000       /* a failure that nobody has seen yet */
#define SOURCES_CHOICE_MS 3600000     /* for the choice from the menu that it made */

struct sources;

/* Something arrived, or failed: sources_consult() tells. */
typedef void sources_fn(void *arg);

/* One who waits; the caller's storage, zeroed at first. */
struct source_waiter {
	sources_fn *fn;
	void *arg;
	uint64_t print; /* of the question */
	struct source_waiter *next, **prev;
};

/* What a question is about.  Pointers are only read during the call. */
struct question {
	const struct boot_request *request;
	const struct hook_facts *facts;
	uint64_t machine; /* or the boot's id if there is no machine */
	uint64_t boot;
	enum ws_feature feature; /* for SOURCE_WINPE */
	bool choice;             /* an item of the menu that the source made */
	bool early;              /* nobody waits yet */
	bool peek;               /* nobody is asked: only what was said counts */
};

int sources_new(struct loop *loop, struct spawner *spawner, struct sources **ret); /* or -ENOMEM */
void sources_free(struct sources *s);

/*
 * Makes the pools of scripts, and the web service's client, as the configuration says; those whose
 * settings did not change go on.  0, or a negative errno after logging.
 */
int sources_configure(
    struct sources *s, const struct hooks_conf *hooks, const struct webservice_conf *web);

/*
 * What a source says.  ANSWERED or FAILED with *ret filled, valid until the loop's next round; or
 * UNASKED: it was asked, or was asked before, and `waiter` (or NULL) is told once.
 */
enum source_state sources_consult(struct sources *s, enum source source, const struct question *q,
    struct source_waiter *waiter, struct source_answer *ret);
/* Does not want to be told any more.  Harmless if it was. */
void sources_leave(struct source_waiter *waiter);

/* True if the web service wants this report; then send it. */
bool sources_wants_report(const struct sources *s, enum ws_feature feature);
/* Sends a report; takes over `body` (hook_request()). */
void sources_report(struct sources *s, enum ws_feature feature, json_t *body, const char *machine);

/* The scripts are started anew: what they read may have changed. */
void sources_renew(struct sources *s);
/* For `ferryctl status`: a new object. */
json_t *sources_status(const struct sources *s);

#endif
