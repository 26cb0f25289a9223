/*
 * Replacing the CA while machines boot; see ca.h.
 *
 *   begin   makes the new CA.  The old one's certificate stays in use, in a chain that also leads
 * to the new one; offers carry both fingerprints, as httpsbootd announces the roots it sends.
 *   switch  a certificate of the new CA takes its place, in a chain that also leads to the old one.
 *   finish  the old CA is forgotten.
 *   abort   goes back: from `switch` first to what `begin` made, for who knows the new one alone by
 * now, and from there to where it came from.
 *
 * In the first two phases a machine is content with either fingerprint: one that was told the old
 * one alone, before `begin`, still boots after `switch`.  Each step may be repeated, also after it
 * was cut off in the middle.
 */
#include "ferryctl/ca.h"

#include "ferryctl/table.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Nobody stands in iPXE for longer, with what it was told at its start. */
#define SETTLE_MS (24 * 3600 * UINT64_C(1000))

static const enum ca_key kinds[CA_PAIRS] = { CA_KEY_RSA, CA_KEY_ECDSA };

/* --- what server certificates become --------------------------------------------------------- */

static bool
is_by(X509 *leaf, X509 *ca)
{
	return X509_check_issued(ca, leaf) == X509_V_OK &&
	       X509_verify(leaf, X509_get0_pubkey(ca)) == 1;
}

bool
ca_is_ours(const struct ca_store *s, X509 *leaf)
{
	return is_by(leaf, s->ca) || (s->next != NULL && is_by(leaf, s->next));
}

/* Puts a pair into the chain of this phase, with a leaf of the CA that signs in it. */
static int
set_pair(const struct ca_store *s, enum ca_key kind, struct ca_options *o)
{
	EVP_PKEY *signer_key;
	X509 *signer = ca_store_signer(s, &signer_key), *fresh;
	struct ca_pair p;
	int rc = ca_pair_open(s, kind, &p);

	if (rc != CTL_OK || p.leaf == NULL)
		return rc;
	if (!is_by(p.leaf, signer)) {
		ca_drop_names(o);
		if (!ca_is_ours(s, p.leaf)) {
			(void)ctl_error("%s: it is of another CA, and stays as it is", p.cert_file);
			ca_pair_close(&p);
			return CTL_OK;
		}
		if (p.key == NULL)
			rc = ctl_error("%s: it cannot be read", p.key_file);
		else
			rc = ca_add_of(o, p.leaf);
		if (rc == CTL_OK && o->nnames + o->naddresses == 0)
			rc = ctl_error("%s: it names no host: `ferryctl ca renew --name HOST "
				       "--address IP` makes one that does",
			    p.cert_file);
		if (rc != CTL_OK) {
			ca_pair_close(&p);
			return rc;
		}
		fresh = ca_make_leaf(p.key, signer, signer_key, o);
		if (fresh == NULL) {
			ca_pair_close(&p);
			return CTL_FAIL;
		}
		X509_free(p.leaf);
		p.leaf = fresh;
	}
	rc = ca_pair_write(s, &p);
	ca_pair_close(&p);
	return rc;
}

int
ca_refresh_pairs(const struct ca_store *s, struct ca_options *o)
{
	int rc = CTL_OK;

	for (size_t i = 0; rc == CTL_OK && i < CA_PAIRS; i++)
		rc = set_pair(s, kinds[i], o);
	return rc;
}

/* --- steps ---------------------------------------------------------------------------------- */

static uint64_t
wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000;
}

/* The phase is old enough.  A clock that was set back since tells nothing: it is not. */
static bool
has_settled(const struct ca_store *s)
{
	uint64_t now_ms = wall_ms();

	return now_ms >= s->since_ms && now_ms - s->since_ms >= SETTLE_MS;
}

static bool
is_pair(X509 *cert, EVP_PKEY *key)
{
	return cert != NULL && key != NULL && X509_check_private_key(cert, key) == 1;
}

/* The new CA, unless a `begin` that was cut off left one. */
static int
make_next(struct ca_store *s, const struct ca_options *o)
{
	enum ca_key kind = o->ca_key;

	if (is_pair(s->next, s->next_key))
		return CTL_OK;
	if (kind == CA_KEY_UNSET)
		kind = EVP_PKEY_get_base_id(s->ca_key) == EVP_PKEY_RSA ? CA_KEY_RSA : CA_KEY_ECDSA;
	EVP_PKEY_free(s->next_key);
	X509_free(s->next);
	s->next = NULL;
	s->next_key = ca_new_key(kind, o->bits);
	if (s->next_key != NULL)
		s->next = ca_make_root(s->next_key, o->ca_days);
	if (s->next == NULL || ca_store_put_key(s, "ca/next.key", s->next_key) != CTL_OK)
		return CTL_FAIL;
	return ca_store_put_cert(s, "ca/next.pem", s->next);
}

/* Each is signed by the other, if it has room for that. */
static int
make_ties(struct ca_store *s)
{
	X509_free(s->ca_by_next);
	X509_free(s->next_by_ca);
	s->next_by_ca = NULL;
	s->ca_by_next = ca_make_cross(s->ca, s->next, s->next_key);
	if (s->ca_by_next == NULL ||
	    ca_store_put_cert(s, "ca/ca-by-next.pem", s->ca_by_next) != CTL_OK)
		return CTL_FAIL;
	if (!ca_can_vouch(s->ca))
		return ca_store_remove(s, "ca/next-by-ca.pem");
	s->next_by_ca = ca_make_cross(s->next, s->ca, s->ca_key);
	if (s->next_by_ca == NULL)
		return CTL_FAIL;
	return ca_store_put_cert(s, "ca/next-by-ca.pem", s->next_by_ca);
}

static int
begin(struct ca_store *s, struct ca_options *o)
{
	if (s->phase == CA_SWITCHED)
		return ctl_error("the roll-over is past that: `ferryctl ca roll finish` ends it");
	if (!is_pair(s->ca, s->ca_key))
		return ctl_error(
		    "%s/ca/ca.key: it is not the key of ca.pem, or cannot be read", s->dir);
	/* an abort that was cut off leaves the phase without the CA */
	if (s->phase == CA_STEADY || s->back || s->next == NULL) {
		if (make_next(s, o) != CTL_OK || make_ties(s) != CTL_OK ||
		    ca_store_set_phase(s, CA_BEGUN, false) != CTL_OK)
			return CTL_FAIL;
	}
	return ca_refresh_pairs(s, o);
}

/* Another root vouches for the CA of today and not for the next: loaders that know it would stop.
 */
static bool
loses_cross(const struct ca_store *s)
{
	bool today = false, next = false;

	for (int i = 0; i < sk_X509_num(s->cross); i++) {
		const X509_NAME *name = X509_get_subject_name(sk_X509_value(s->cross, i));

		today = today || X509_NAME_cmp(name, X509_get_subject_name(s->ca)) == 0;
		next = next || X509_NAME_cmp(name, X509_get_subject_name(s->next)) == 0;
	}
	return today && !next;
}

static int
switch_over(struct ca_store *s, struct ca_options *o)
{
	if (s->phase == CA_STEADY)
		return ctl_error("no roll-over is under way: `ferryctl ca roll begin` starts one");
	if (s->next == NULL)
		return ctl_error("`ferryctl ca roll %s` was cut off: repeat it",
		    s->phase == CA_SWITCHED ? "finish" : "abort");
	if (!is_pair(s->next, s->next_key))
		return ctl_error("%s/ca/next.key: it is not the key of next.pem, or cannot be "
				 "read",
		    s->dir);
	if (s->phase == CA_BEGUN && loses_cross(s) && !o->force)
		return ctl_error("another root vouches for today's CA and not for the next one: "
				 "have it sign %s/ca/next.pem and bring that in with `ferryctl ca "
				 "cross`, or use --force",
		    s->dir);
	if (s->phase == CA_BEGUN && s->next_by_ca == NULL && !o->force && !has_settled(s))
		return ctl_error("today's CA was made without room to vouch for another: machines "
				 "that started before `begin` know it alone; switch a day after "
				 "that, or use --force");
	if (s->phase == CA_BEGUN)
		ca_roots_warn(o, s->next, false);
	if (s->phase == CA_BEGUN && ca_store_set_phase(s, CA_SWITCHED, false) != CTL_OK)
		return CTL_FAIL;
	if (ca_refresh_pairs(s, o) != CTL_OK)
		return CTL_FAIL;
	return ca_restamp(o->ctl, s->next, false);
}

/* The next CA becomes the CA.  A step that was cut off is known by which files are still there. */
static int
take_place(struct ca_store *s)
{
	char from[PUBLISH_PATH], to[PUBLISH_PATH], old[64];
	uint8_t digest[DIGEST_BYTES];

	if (s->next == NULL)
		return CTL_OK; /* it has */
	if (!is_pair(s->next, s->ca_key)) {
		if (X509_digest(s->ca, EVP_sha256(), digest, NULL) != 1)
			return ca_openssl_error("digest");
		(void)snprintf(old, sizeof(old), "ca/old-%02x%02x%02x%02x.pem", digest[0],
		    digest[1], digest[2], digest[3]);
		if (ca_store_put_cert(s, old, s->ca) != CTL_OK)
			return CTL_FAIL;
		ca_store_path(s, "ca/next.key", from);
		ca_store_path(s, "ca/ca.key", to);
		if (rename(from, to) < 0)
			return ctl_error("cannot rename %s: %m", from);
	}
	ca_store_path(s, "ca/next.pem", from);
	ca_store_path(s, "ca/ca.pem", to);
	return rename(from, to) < 0 ? ctl_error("cannot rename %s: %m", from) : CTL_OK;
}

/*
 * The certificate first, as a CA without its key could not sign; the phase last, as it tells that
 * there is something left to be done.
 */
static int
clean_up(const struct ca_store *s)
{
	static const char *const files[] = { "ca/next.pem", "ca/next.key", "ca/ca-by-next.pem",
		"ca/next-by-ca.pem", "ca/roll.json" };

	for (size_t i = 0; i < NITEMS(files); i++) {
		if (ca_store_remove(s, files[i]) != CTL_OK)
			return CTL_FAIL;
	}
	return CTL_OK;
}

static int
finish(struct ca_store *s, struct ca_options *o)
{
	struct ca_store after = { 0 };
	int rc;

	if (s->phase == CA_STEADY)
		return CTL_OK; /* done already */
	if (s->phase != CA_SWITCHED)
		return ctl_error("the new CA's certificate is not in use yet: `ferryctl ca roll "
				 "switch` puts it there");
	if (!o->force && !has_settled(s))
		return ctl_error("machines that started before the roll-over may still know the "
				 "old CA alone: finish a day after `switch`, or use --force");
	ca_roots_warn(o, s->next != NULL ? s->next : s->ca, true);
	rc = take_place(s);
	if (rc == CTL_OK)
		rc = ca_store_open(&after, o->dir, false);
	if (rc == CTL_OK) {
		/* once more, for what came back since the switch, or was not found then */
		rc = ca_restamp(o->ctl, after.ca, false);
		/* what is sent from now on leads to the new one alone */
		after.phase = CA_STEADY;
		if (rc == CTL_OK)
			rc = ca_refresh_pairs(&after, o);
	}
	ca_store_close(&after);
	return rc == CTL_OK ? clean_up(s) : rc;
}

static int
go_back(struct ca_store *s, struct ca_options *o)
{
	int rc;

	if (s->phase == CA_STEADY && s->next == NULL)
		return ctl_error("no roll-over is under way");
	if (!is_pair(s->ca, s->ca_key))
		return ctl_error("it is too late: the old CA's key is gone; `ferryctl ca roll "
				 "finish` ends the roll-over");
	/* who started since the switch may know the new CA alone */
	if (s->phase == CA_SWITCHED && s->next != NULL &&
	    ca_store_set_phase(s, CA_BEGUN, true) != CTL_OK)
		return CTL_FAIL;
	if (!s->back || o->force || has_settled(s))
		s->phase = CA_STEADY;
	rc = ca_refresh_pairs(s, o);
	if (rc == CTL_OK)
		rc = ca_restamp(o->ctl, s->ca, false);
	if (rc == CTL_OK && s->phase == CA_STEADY)
		rc = clean_up(s);
	return rc;
}

/* --- telling -------------------------------------------------------------------------------- */

static void
print_state(const struct ca_store *s)
{
	char time[32];

	if (s->phase == CA_STEADY) {
		puts("no roll-over is under way\n\n"
		     "  ferryctl ca roll begin    makes a new CA; offers carry both fingerprints, "
		     "nothing else changes");
		return;
	}
	printf("%s since %s\n\n", ca_phase_name(s->phase), format_time(s->since_ms, time));
	ca_print_cert("old CA", NULL, s->ca);
	if (s->next != NULL)
		ca_print_cert("new CA", NULL, s->next);
	if (s->phase == CA_BEGUN && s->back)
		puts(
		    "\nThe old CA's certificate is served again, and loaders are stamped with it.  "
		    "What was given the new\nCA alone is given the old one, or both, as after "
		    "`begin`; then, a day later\n"
		    "  ferryctl ca roll abort    all is as it was (--force: at once)\n"
		    "  ferryctl ca roll switch   or the new CA's certificate once more");
	else if (s->phase == CA_BEGUN)
		printf(
		    "\nWhat knows one CA alone is given the new one, or both, now:\n"
		    "  DHCP servers    ferryctl dhcp-options prints both fingerprints\n"
		    "  firmware        enrol what ferryctl ca export prints\n"
		    "  other hosts     ferryctl ca issue again, for the certificates they serve\n"
		    "then\n"
		    "  ferryctl ca roll switch   serves the new CA's certificate, stamps loaders "
		    "anew;%s\n"
		    "  ferryctl ca roll abort    all is as it was\n",
		    s->next_by_ca != NULL ? " who knows the old CA still boots"
					  : " who knows the old CA alone no longer boots");
	else
		printf(
		    "\nWhat still knows the old CA alone, and stops with the next step:\n"
		    "  DHCP servers    that were not given what ferryctl dhcp-options prints\n"
		    "  firmware        in which the new CA is not enrolled\n"
		    "  other hosts     ferryctl ca issue again, for the certificates they serve\n"
		    "then, a day after the switch\n"
		    "  ferryctl ca roll finish   the old CA is forgotten, its key destroyed\n"
		    "  ferryctl ca roll abort    back to the old CA's certificate; who knows the "
		    "new one still boots\n");
}

static int
tell(const struct ca_options *o)
{
	json_t *told = NULL;
	struct ca_store s;
	int rc = ca_store_open(&s, o->dir, false);

	if (rc == CTL_OK && s.next != NULL)
		told = ca_roots_ask(o, s.next);
	if (rc == CTL_OK && o->ctl->json) {
		json_t *state = json_pack("{s:s, s:I, s:o}", "phase", ca_phase_name(s.phase),
		    "since_ms", (json_int_t)s.since_ms, "ca", ca_dump_cert(s.ca));

		if (s.next != NULL)
			json_object_set_new(state, "next", ca_dump_cert(s.next));
		if (told != NULL)
			json_object_set(state, "machines", told);
		rc = ctl_print_json(state);
	} else if (rc == CTL_OK) {
		print_state(&s);
		if (s.next != NULL)
			ca_roots_print(o, told);
	}
	json_decref(told);
	ca_store_close(&s);
	return rc;
}

int
ca_roll(struct ca_options *o)
{
	static const struct {
		const char *name;
		int (*fn)(struct ca_store *s, struct ca_options *o);
	} steps[] = { { "begin", begin }, { "switch", switch_over }, { "finish", finish },
		{ "abort", go_back } };
	struct ca_store s;
	int rc;

	if (o->nargs == 0 || strcmp(o->args[0], "status") == 0)
		return tell(o);
	for (size_t i = 0; i < NITEMS(steps); i++) {
		if (strcmp(o->args[0], steps[i].name) != 0)
			continue;
		rc = ca_store_open(&s, o->dir, false);
		if (rc == CTL_OK)
			rc = steps[i].fn(&s, o);
		ca_store_close(&s);
		return rc == CTL_OK ? tell(o) : rc;
	}
	return ctl_error("ca roll: status, begin, switch, finish or abort");
}
