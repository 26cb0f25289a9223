/*
 * The certificates that are served, as the main thread looks after them: read at start, at a reload
 * and when their files change; ticket keys replaced in time; and told of when they are about to
 * expire.
 */
#ifndef HTTPSBOOTD_CERTIFICATES_H
#define HTTPSBOOTD_CERTIFICATES_H

#include "httpsbootd/httpsbootd.h"
#include "httpsbootd/tls_settings.h"

#include <jansson.h>
#include <pthread.h>

/* TLS settings that can be exchanged while workers use them. */
struct tls_shared {
	pthread_mutex_t lock;
	struct tls_settings settings;
};

/* A reference of the caller's own: SSL_CTX_free() it. */
SSL_CTX *tls_shared_get(struct tls_shared *s);

struct certificates;

/* What there is to count. */
struct certificates_stats {
	uint64_t loads, failed_loads;
	uint64_t days_left; /* until the first certificate expires */
	uint64_t not_yet;   /* certificates that are not valid yet */
	struct tls_tickets_stats tickets;
};

/* `front` is set up already.  0, or a negative errno after logging why. */
int certificates_open(
    struct front *front, const struct httpsbootd_conf *conf, struct certificates **ret);
void certificates_close(struct certificates *c);
struct tls_shared *certificates_shared(struct certificates *c);
/* Once the daemon serves: begins to watch. */
void certificates_watch(struct certificates *c);
/* The configuration changed; what is in use stays if the files are not good. */
void certificates_reload(struct certificates *c);
void certificates_announce(struct certificates *c, struct daemon_status *status);
void certificates_gather(struct certificates *c, struct certificates_stats *ret);
json_t *certificates_dump(struct certificates *c);

/* Who makes the successor of a certificate. */
enum expiry_cure {
	EXPIRY_RENEW,  /* the site's CA */
	EXPIRY_ROLL,   /* that expires just as soon: it is replaced itself */
	EXPIRY_IMPORT, /* somebody else */
	EXPIRY_CROSS,  /* another root, which vouches for the site's CA */
	EXPIRY_CLIENT, /* a CA of clients' certificates: whoever runs it */
};

struct expiry_facts {
	const char *what;
	uint64_t from_ms, until_ms; /* since 1970: valid in between; 0: not known */
	enum expiry_cure cure;
	const char *issuer; /* for the latter two */
};

/*
 * What is to be said of a certificate at this time: an empty text while there is nothing.  The
 * level tells how urgent that is: 0, or 1, 2, 3 for 30, 7 and 1 days until it expires, 4: it is not
 * valid, because it has expired, or is not valid yet by this host's clock.  Level 3 also for a
 * clock that must be wrong.
 */
#define EXPIRY_WORDS 512
int expiry_judge(const struct expiry_facts *f, uint64_t now_ms, char words[static EXPIRY_WORDS]);

#endif
