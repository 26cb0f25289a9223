/* See certificates.h. */
#include "httpsbootd/certificates.h"

#include "common/log.h"
#include "httpsbootd/kept.h"
#include "httpsbootd/tls_chain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WATCH_MS       1000 /* between looks at the files */
#define DAY_MS         (24 * 3600 * UINT64_C(1000))
#define FILES          (2 * TLS_CERTS + 1)
#define PATH_MAX_BYTES 4096

/* What tells one version of a file from another. */
struct version {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

/* What was said of expiry, and when. */
struct told {
	int level;
	uint64_t said_ms;
	char problem[EXPIRY_WORDS];
};

struct certificates {
	struct front *front;
	const struct httpsbootd_conf *conf;
	struct tls_shared shared;
	struct tls_tickets *tickets;
	struct loop_timer watch_timer, ticket_timer;
	struct version loaded[FILES], seen[FILES];
	char ecdsa[2][PATH_MAX_BYTES]; /* found beside the other: certificate, key */
	char kept[TLS_CERTS][KEPT_PATH];
	uint64_t loads, failed_loads;
	struct told own, others; /* of the server's certificates, of what else expires */
	bool incomplete;         /* one of them is not in use */
	bool stale;              /* the files are not what is in use: they could not be taken */
	bool started;            /* certificates_watch() was called */
	bool unkept;             /* what is in use is still to be written down, */
	bool unkept_told;        /* which did not work */
};

SSL_CTX *
tls_shared_get(struct tls_shared *s)
{
	SSL_CTX *ctx;

	pthread_mutex_lock(&s->lock);
	ctx = s->settings.ctx;
	(void)SSL_CTX_up_ref(ctx); /* cannot fail for a live one */
	pthread_mutex_unlock(&s->lock);
	return ctx;
}

struct tls_shared *
certificates_shared(struct certificates *c)
{
	return &c->shared;
}

/* --- the files ------------------------------------------------------------------------------ */

/* "server.pem" gives "server-ecdsa.pem". */
static void
name_beside(const char *file, char ret[static PATH_MAX_BYTES])
{
	const char *slash = strrchr(file, '/'), *dot = strrchr(file, '.');
	size_t stem =
	    dot != NULL && (slash == NULL || dot > slash) ? (size_t)(dot - file) : strlen(file);

	(void)snprintf(ret, PATH_MAX_BYTES, "%.*s-ecdsa%s", (int)stem, file, file + stem);
}

/*
 * The names in force: without `certificate_ecdsa` one that lies beside `certificate` is taken, also
 * if it is the only one.
 */
static void
find_files(struct certificates *c, struct tls_conf *ret)
{
	const struct httpsbootd_conf *conf = c->conf;
	const char *cert = conf->certificate_ecdsa, *key = conf->key_ecdsa;
	bool beside = false;

	if (cert[0] == '\0') {
		name_beside(conf->certificate, c->ecdsa[0]);
		beside = access(c->ecdsa[0], F_OK) == 0;
		if (beside)
			cert = c->ecdsa[0];
	}
	if (cert[0] != '\0' && key[0] == '\0') {
		name_beside(conf->key, c->ecdsa[1]);
		key = c->ecdsa[1];
	}
	*ret = (struct tls_conf){
		.files = { { conf->certificate, conf->key, c->kept[0] },
		    { cert, key, c->kept[1] } },
		.profile = (enum tls_profile)conf->tls_profile,
		.client_certs = (enum tls_client_certs)conf->client_certificates,
		.client_ca = conf->client_ca,
		.tickets = conf->ticket_rotation_s > 0 ? c->tickets : NULL,
		.session_s = (uint64_t)conf->ticket_rotation_s * 2,
	};
	/* a key without its certificate is no choice of anybody's */
	if (beside && access(conf->certificate, F_OK) < 0 && errno == ENOENT &&
	    access(conf->key, F_OK) < 0 && errno == ENOENT)
		ret->files[0] = (struct tls_files){ "", "", NULL };
	for (size_t i = 0; i < TLS_CERTS; i++)
		kept_name(ret->files[i].certificate[0] != '\0' ? conf->kept_certificates : "",
		    ret->files[i].certificate, c->kept[i]);
}

static void
look_at(const char *file, struct version *ret)
{
	struct stat st;

	memset(ret, 0, sizeof(*ret)); /* they are compared as bytes */
	if (file[0] == '\0' || stat(file, &st) < 0)
		return;
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	ret->size = st.st_size;
	ret->mtime = st.st_mtim;
}

static void
look_at_files(struct certificates *c, struct version ret[static FILES])
{
	struct tls_conf t;

	find_files(c, &t);
	for (size_t i = 0; i < TLS_CERTS; i++) {
		look_at(t.files[i].certificate, &ret[2 * i]);
		look_at(t.files[i].key, &ret[2 * i + 1]);
	}
	look_at(t.client_certs == TLS_CLIENT_CERTS_OFF ? "" : t.client_ca, &ret[FILES - 1]);
}

/* --- expiry --------------------------------------------------------------------------------- */

/* The one that expires first. */
static const struct tls_cert *
first_to_expire(const struct certificates *c)
{
	const struct tls_settings *s = &c->shared.settings; /* only this thread changes them */
	const struct tls_cert *first = &s->certs[0];

	for (size_t i = 1; i < s->ncerts; i++) {
		if (s->certs[i].expires_ms < first->expires_ms)
			first = &s->certs[i];
	}
	return first;
}

/* The most urgent thing so far, of equal ones that which comes first. */
struct verdict {
	int level;
	uint64_t until_ms;
	char *words; /* EXPIRY_WORDS */
};

static void
judge(struct verdict *v, const struct expiry_facts *f, uint64_t now_ms)
{
	char text[EXPIRY_WORDS];
	int level = expiry_judge(f, now_ms, text);

	if (level < v->level || level == 0 || (level == v->level && f->until_ms >= v->until_ms))
		return;
	v->level = level;
	v->until_ms = f->until_ms;
	memcpy(v->words, text, sizeof(text));
}

/*
 * The server's own certificates, or what else expires: one of the latter that has expired long ago,
 * and has a successor, says nothing of the former.
 */
static int
judge_all(
    const struct certificates *c, bool own_ones, uint64_t now_ms, char words[static EXPIRY_WORDS])
{
	const struct tls_settings *s = &c->shared.settings;
	struct verdict v = { .words = words };

	words[0] = '\0';
	for (size_t i = 0; i < s->ncerts; i++) {
		const struct tls_cert *cert = &s->certs[i];
		char what[160];
		const struct expiry_facts own = { what, cert->begins_ms, cert->expires_ms,
			!cert->ours        ? EXPIRY_IMPORT
			: cert->ca_expires ? EXPIRY_ROLL
					   : EXPIRY_RENEW,
			cert->issuer };
		const struct expiry_facts other = { what, cert->voucher_from_ms,
			cert->voucher_until_ms, EXPIRY_CROSS, cert->voucher };

		(void)snprintf(what, sizeof(what), "the certificate in %.120s", cert->file);
		if (own_ones)
			judge(&v, &own, now_ms);
		(void)snprintf(what, sizeof(what), "the cross-certificate in %.120s", cert->file);
		if (!own_ones)
			judge(&v, &other, now_ms);
	}
	if (!own_ones)
		judge(&v,
		    &(struct expiry_facts){ "a CA in `client_ca`", s->clients_from_ms,
			s->clients_until_ms, EXPIRY_CLIENT, "" },
		    now_ms);
	return v.level;
}

static void
tell_expiry(struct certificates *c, struct told *t, int level, uint64_t now_ms)
{
	struct boot_event e = { .kind = EVENT_CERTIFICATE, .via = VIA_HTTPS };

	/* a clock that is set right may go backwards */
	if (level == 0 ||
	    (level == t->level && now_ms >= t->said_ms && now_ms - t->said_ms < DAY_MS)) {
		t->level = level;
		return;
	}
	log_warnx("certificate: %s", t->problem);
	/* an event when it gets more urgent, a line in the log every day */
	if (level > t->level && c->front->bus != NULL) {
		e.subnet = slice_str(c->front->instance);
		e.text = slice_str(t->problem);
		bus_event(c->front->bus, &e);
	}
	/* without a bus the event is still to be sent */
	if (c->front->bus != NULL)
		t->level = level;
	t->said_ms = now_ms;
}

static void
judge_expiry(struct certificates *c)
{
	uint64_t now_ms = wall_clock_ms();

	tell_expiry(c, &c->own, judge_all(c, true, now_ms, c->own.problem), now_ms);
	tell_expiry(c, &c->others, judge_all(c, false, now_ms, c->others.problem), now_ms);
}

/* --- loading -------------------------------------------------------------------------------- */

static void
say_what_is_missing(const struct tls_settings *s)
{
	bool rsa = false;

	for (size_t i = 0; i < s->ncerts; i++) {
		const STACK_OF(X509) *chain = s->certs[i].pair.chain;
		int line = tls_chain_line(chain);

		rsa = rsa || s->certs[i].old_clients;
		if (line < sk_X509_num(chain))
			log_warnx(
			    "certificate: \"%s\": its certificate %d is not signed by the next "
			    "one: iPXE refuses such a chain; `ferryctl ca import` puts it into "
			    "order",
			    s->certs[i].file, line);
	}
	if (s->ntrust == 0)
		log_warnx("certificate: \"%s\" holds no root certificate: iPXE, which knows only "
			  "a root's fingerprint, cannot trust it by our offers",
		    s->certs[0].file);
	if (!rsa)
		log_warnx("certificate: \"%s\" is of the kind %s: firmware of before 2025 and iPXE "
			  "of before 2.0 need an RSA certificate",
		    s->certs[0].file, s->certs[0].kind);
}

/* Writes down what is in use, for a start at which the files are at fault. */
static void
keep(struct certificates *c)
{
	const struct tls_settings *s = &c->shared.settings;
	int rc = 0;

	c->unkept = false;
	for (size_t i = 0; i < s->ncerts && c->conf->kept_certificates[0] != '\0'; i++) {
		char name[KEPT_PATH];

		kept_name(c->conf->kept_certificates, s->certs[i].file, name);
		if (name[0] != '\0' && !s->certs[i].kept && rc == 0)
			rc = kept_write(name, &s->certs[i].pair);
	}
	if (rc == -EWOULDBLOCK)
		c->unkept = true;                  /* another daemon is at it */
	else if (rc == -ENOENT && !c->unkept_told) /* there is no such folder, perhaps on purpose */
		log_info("kept_certificates: \"%s\": %s: nothing is kept",
		    c->conf->kept_certificates, strerror(-rc));
	else if (rc < 0 && !c->unkept_told)
		log_warnx("kept_certificates: \"%s\": %s: nothing would be served at a start with "
			  "files that do not fit each other",
		    c->conf->kept_certificates, strerror(-rc));
	/* once for as long as it lasts */
	c->unkept_told = rc < 0 && (c->unkept_told || !c->unkept);
}

static void
say_who_reads(const struct tls_conf *conf)
{
	struct stat st;

	for (size_t i = 0; i < TLS_CERTS; i++) {
		if (conf->files[i].key[0] != '\0' && stat(conf->files[i].key, &st) == 0 &&
		    (st.st_mode & (S_IROTH | S_IWOTH)) != 0)
			log_warnx("key: \"%s\": every account of this host can %s it (mode %04o)",
			    conf->files[i].key, (st.st_mode & S_IWOTH) != 0 ? "replace" : "read",
			    (unsigned)(st.st_mode & 07777));
	}
}

static int
load(struct certificates *c)
{
	struct tls_settings fresh, old;
	struct tls_conf conf;
	int rc;

	look_at_files(c, c->loaded);
	memcpy(c->seen, c->loaded, sizeof(c->seen));
	find_files(c, &conf);
	/* once something is in use, that is better than what was kept, or than half of it */
	conf.lenient = c->loads == 0;
	for (size_t i = 0; c->loads > 0 && i < TLS_CERTS; i++)
		conf.files[i].kept = NULL;
	rc = tls_settings_load(&conf, &fresh);
	if (rc < 0) {
		c->failed_loads++;
		c->stale = true;
		return rc;
	}
	c->loads++;
	c->stale = c->incomplete = fresh.incomplete;
	if (fresh.incomplete)
		log_warnx("certificate: \"%s\" is served alone until the other one is mended",
		    fresh.certs[0].file);
	for (size_t i = 0; i < fresh.ncerts; i++)
		c->stale = c->stale || fresh.certs[i].kept;
	c->failed_loads += c->stale;
	say_what_is_missing(&fresh);
	say_who_reads(&conf);
	pthread_mutex_lock(&c->shared.lock);
	old = c->shared.settings;
	c->shared.settings = fresh;
	pthread_mutex_unlock(&c->shared.lock);
	tls_settings_free(&old);
	judge_expiry(c);
	if (c->started)
		keep(c);
	return 0;
}

static void
set_ticket_timer(struct certificates *c)
{
	if (c->conf->ticket_rotation_s > 0)
		(void)loop_timer_set(
		    c->front->loop, &c->ticket_timer, (uint64_t)c->conf->ticket_rotation_s * 1000);
	else
		loop_timer_clear(c->front->loop, &c->ticket_timer);
}

void
certificates_reload(struct certificates *c)
{
	if (load(c) < 0)
		log_warnx("reload: the certificate in use stays");
	set_ticket_timer(c);
}

/*
 * A change counts when it has stood for two looks: whoever writes a certificate and its key one
 * after the other is done by then.
 */
static void
on_watch(void *arg)
{
	struct certificates *c = arg;
	struct version now[FILES];

	look_at_files(c, now);
	if (memcmp(now, c->seen, sizeof(now)) != 0) {
		memcpy(c->seen, now, sizeof(now));
	} else if (memcmp(now, c->loaded, sizeof(now)) != 0) {
		log_info("certificate: the files have changed");
		if (load(c) < 0)
			log_warnx("certificate: the one in use stays");
	}
	judge_expiry(c);
	if (c->unkept)
		keep(c);
	(void)loop_timer_set(c->front->loop, &c->watch_timer, WATCH_MS);
}

static void
on_rotation(void *arg)
{
	struct certificates *c = arg;

	if (tls_tickets_rotate(c->tickets) < 0)
		log_warnx("ticket_rotation_s: no random numbers, the key in use stays");
	set_ticket_timer(c);
}

int
certificates_open(
    struct front *front, const struct httpsbootd_conf *conf, struct certificates **ret)
{
	struct certificates *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->front = front;
	c->conf = conf;
	pthread_mutex_init(&c->shared.lock, NULL);
	loop_timer_init(&c->watch_timer, on_watch, c);
	loop_timer_init(&c->ticket_timer, on_rotation, c);
	rc = tls_tickets_new(&c->tickets);
	if (rc < 0)
		log_errx("ticket keys: %s", strerror(-rc));
	else
		rc = load(c);
	if (rc < 0) {
		certificates_close(c);
		return rc;
	}
	*ret = c;
	return 0;
}

void
certificates_watch(struct certificates *c)
{
	(void)loop_timer_set(c->front->loop, &c->watch_timer, WATCH_MS);
	set_ticket_timer(c);
	c->started = true;
	keep(c); /* not before: the file must be the account's own */
}

void
certificates_close(struct certificates *c)
{
	if (c == NULL)
		return;
	if (c->front->loop != NULL) {
		loop_timer_clear(c->front->loop, &c->watch_timer);
		loop_timer_clear(c->front->loop, &c->ticket_timer);
	}
	tls_settings_free(&c->shared.settings);
	tls_tickets_free(c->tickets);
	pthread_mutex_destroy(&c->shared.lock);
	free(c);
}

/* --- what is told --------------------------------------------------------------------------- */

void
certificates_announce(struct certificates *c, struct daemon_status *status)
{
	const struct tls_settings *s = &c->shared.settings;

	status->trust = (struct slice){ s->trust, s->ntrust * DIGEST_BYTES };
	status->certificate_ms = first_to_expire(c)->expires_ms;
	/* what would be noticed when the one in use expires, and not before */
	status->problem =
	    slice_str(c->incomplete ? "one of the certificates cannot be used, and is left out; "
				      "the log says why"
		      : c->stale    ? "the certificate's files cannot be used: the one "
				      "from before is served; the log says why"
		      : c->own.problem[0] != '\0' ? c->own.problem
						  : c->others.problem);
}

void
certificates_gather(struct certificates *c, struct certificates_stats *ret)
{
	uint64_t expires_ms = first_to_expire(c)->expires_ms, now_ms = wall_clock_ms();

	*ret = (struct certificates_stats){
		.loads = c->loads,
		.failed_loads = c->failed_loads,
		.days_left = expires_ms > now_ms ? (expires_ms - now_ms) / DAY_MS : 0,
	};
	for (size_t i = 0; i < c->shared.settings.ncerts; i++)
		ret->not_yet += c->shared.settings.certs[i].begins_ms > now_ms;
	tls_tickets_stats(c->tickets, &ret->tickets);
}

json_t *
certificates_dump(struct certificates *c)
{
	const struct tls_settings *s = &c->shared.settings;
	json_t *certs = json_array(), *roots = json_array();
	char hex[DIGEST_STRLEN];

	for (size_t i = 0; i < s->ncerts; i++)
		json_array_append_new(
		    certs, json_pack("{s:s, s:s, s:s, s:I}", "file", s->certs[i].file, "subject",
			       s->certs[i].subject, "kind", s->certs[i].kind, "expires_ms",
			       (json_int_t)s->certs[i].expires_ms));
	for (size_t i = 0; i < s->ntrust; i++)
		json_array_append_new(
		    roots, json_string(digest_format(s->trust + i * DIGEST_BYTES, hex)));
	return json_pack("{s:o, s:o, s:s, s:I}", "certificates", certs, "roots", roots, "profile",
	    c->conf->tls_profile == TLS_STRICT ? "strict" : "compat", "ticket_rotation_s",
	    (json_int_t)c->conf->ticket_rotation_s);
}
