/*
 * ferryctl ca check and import: who accepts a certificate, in words, among generations of clients
 * and among the loaders of this server; see ca_judge.c.
 */
#include "ferryctl/ca_facts.h"
#include "ferryctl/loaders.h"
#include "ferryctl/table.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECKED_MAX 2

/* A certificate under judgement. */
struct checked {
	const char *file;
	STACK_OF(X509) * chain;
	struct judge_facts facts;
	struct judge_verdict verdict;
};

struct check {
	const struct ctl *ctl;
	struct checked v[CHECKED_MAX];
	size_t n;
	enum judge_weight best[JUDGE_CLIENTS]; /* with the certificate that suits it best */
	json_t *loaders;
	bool refused; /* by somebody */
};

/* --- hosts in URLs -------------------------------------------------------------------------- */

/* What clients are told: names and addresses of the httpsbootds that handlerd knows. */
static void
add_told(struct ca_options *o)
{
	json_t *status = ctl_try(o->ctl, "status", NULL);
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(status, "services"), i, s)
	{
		const char *name = member_text(s, "name"), *address = member_text(s, "address");

		if (strcmp(member_text(s, "daemon"), "httpsbootd") != 0)
			continue;
		if (name[0] != '\0' && o->nnames < CA_NAMES)
			(void)ca_add_name(o, name);
		if (address[0] != '\0' && o->naddresses < CA_NAMES)
			(void)ca_add_address(o, address);
	}
	json_decref(status);
}

/* --- judging -------------------------------------------------------------------------------- */

static int
add_file(struct check *k, const char *file, const struct ca_options *hosts)
{
	struct checked *c = &k->v[k->n];
	struct stat st;

	if (stat(file, &st) < 0)
		return ctl_error("%s: %s", file, strerror(errno));
	c->chain = ca_read_certs(file);
	if (c->chain == NULL)
		return ca_no_pem(file, "certificate");
	c->file = file;
	ca_read_facts(c->chain, hosts, &c->facts);
	judge_certificate(&c->facts, &c->verdict);
	k->n++;
	return CTL_OK;
}

/* Of two certificates a client is given the one that it can use. */
static void
find_best(struct check *k)
{
	for (size_t i = 0; i < JUDGE_CLIENTS; i++) {
		k->best[i] = JUDGE_REFUSES;
		for (size_t c = 0; c < k->n; c++) {
			if (k->v[c].verdict.worst[i] < k->best[i])
				k->best[i] = k->v[c].verdict.worst[i];
		}
		k->refused = k->refused || k->best[i] == JUDGE_REFUSES;
	}
}

/* True if a fingerprint is that of a root which is sent. */
static bool
sends_root(const struct check *k, const uint8_t print[static DIGEST_BYTES])
{
	uint8_t digest[DIGEST_BYTES];

	for (size_t c = 0; c < k->n; c++) {
		for (int i = 0; i < sk_X509_num(k->v[c].chain); i++) {
			if (X509_digest(
				sk_X509_value(k->v[c].chain, i), EVP_sha256(), digest, NULL) == 1 &&
			    memcmp(digest, print, DIGEST_BYTES) == 0)
				return true;
		}
	}
	return false;
}

static const char *
trust_of(const struct check *k, const struct loader_info *info, bool *refuses)
{
	*refuses = false;
	switch (info->trust) {
	case LOADER_TRUST_OFFER: return "trusts by option 175.90 of the offer";
	case LOADER_TRUST_STAMPED:
		if (sends_root(k, info->stamp))
			return "is stamped with this CA";
		*refuses = true;
		return "is stamped with another CA: `ferryctl loaders stamp`";
	case LOADER_TRUST_OWN:
		*refuses = true;
		return "trusts only the roots that it was built with, unless one of them vouches "
		       "for "
		       "this CA (`ferryctl ca cross`)";
	default: return "does not show whom it trusts";
	}
}

static int
on_loader(void *arg, struct loader_file *f)
{
	struct check *k = arg;
	enum judge_client client = judge_loader(&f->info);
	bool refuses;
	const char *words, *verdict;

	if (f->info.kind != LOADER_IPXE)
		return CTL_OK;
	if (client == JUDGE_CLIENTS) {
		verdict = "-";
		words = "has no HTTPS: it comes by plain HTTP (`http_port`)";
	} else {
		words = trust_of(k, &f->info, &refuses);
		verdict = judge_weight_name(refuses ? JUDGE_REFUSES : k->best[client]);
		if (!refuses && k->best[client] == JUDGE_REFUSES)
			words = "is of a generation that refuses the certificate, see there";
	}
	json_array_append_new(k->loaders,
	    json_pack("{s:s, s:s, s:s, s:s, s:s}", "path", f->path, "version", f->info.version,
		"client", client == JUDGE_CLIENTS ? "" : judge_client_name(client), "verdict",
		verdict, "why", words));
	return CTL_OK;
}

static int
judge_loaders(struct check *k)
{
	char *root = ctl_root(k->ctl);
	json_t *notes = loaders_notes(root);
	int rc;

	k->loaders = json_array();
	rc = loaders_scan(root, notes, on_loader, k);
	json_decref(notes);
	free(root);
	return rc;
}

/* --- telling -------------------------------------------------------------------------------- */

static json_t *
dump_clients(unsigned clients)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < JUDGE_CLIENTS; i++) {
		if ((clients & 1u << i) != 0)
			json_array_append_new(
			    list, json_string(judge_client_name((enum judge_client)i)));
	}
	return list;
}

static int
print_json(struct check *k)
{
	json_t *clients = json_object(), *certs = json_array();

	for (size_t i = 0; i < JUDGE_CLIENTS; i++)
		json_object_set_new(clients, judge_client_name((enum judge_client)i),
		    json_string(judge_weight_name(k->best[i])));
	for (size_t c = 0; c < k->n; c++) {
		const struct judge_verdict *v = &k->v[c].verdict;
		json_t *findings = json_array();

		for (size_t i = 0; i < v->n; i++)
			json_array_append_new(findings,
			    json_pack("{s:s, s:o, s:s}", "verdict",
				judge_weight_name(v->findings[i].weight), "clients",
				dump_clients(v->findings[i].clients), "text", v->findings[i].text));
		json_array_append_new(certs,
		    json_pack("{s:s, s:o, s:o}", "file", k->v[c].file, "certificate",
			ca_dump_cert(sk_X509_value(k->v[c].chain, 0)), "findings", findings));
	}
	return ctl_print_json(json_pack(
	    "{s:o, s:o, s:O}", "clients", clients, "certificates", certs, "loaders", k->loaders));
}

static void
print_findings(const struct checked *c)
{
	for (size_t i = 0; i < c->verdict.n; i++) {
		const struct judge_finding *f = &c->verdict.findings[i];
		size_t n = 0;

		printf("\n%s: %s\n ",
		    f->weight == JUDGE_NOTE ? "note" : judge_weight_name(f->weight), f->text);
		for (unsigned k = 0; k < JUDGE_CLIENTS; k++) {
			if ((f->clients & 1u << k) != 0)
				printf("%s %s", n++ > 0 ? ";" : "",
				    judge_client_words((enum judge_client)k));
		}
		printf("\n");
	}
}

static void
print_text(const struct check *k)
{
	static const char *const headings[] = { "CLIENT", "VERDICT", NULL };
	static const char *const loader_headings[] = { "LOADER", "VERSION", "VERDICT", "IT", NULL };
	const json_t *l;
	struct table t;
	size_t i;

	for (size_t c = 0; c < k->n; c++) {
		ca_print_cert("certificate", k->v[c].file, sk_X509_value(k->v[c].chain, 0));
		print_findings(&k->v[c]);
		printf("\n");
	}
	table_init(&t, headings);
	for (i = 0; i < JUDGE_CLIENTS; i++)
		table_add(&t, (const char *const[]){ judge_client_words((enum judge_client)i),
				  judge_weight_name(k->best[i]) });
	table_print(&t, "");
	printf("\n");
	table_init(&t, loader_headings);
	json_array_foreach(k->loaders, i, l)
	    table_add(&t, (const char *const[]){ member_text(l, "path"), member_text(l, "version"),
			      member_text(l, "verdict"), member_text(l, "why") });
	table_print(&t, "no iPXE in the content root: `ferryctl loaders import` brings it");
}

static void
check_fini(struct check *k)
{
	for (size_t i = 0; i < k->n; i++)
		sk_X509_pop_free(k->v[i].chain, X509_free);
	json_decref(k->loaders);
}

/* Judges and tells; CTL_OK also when somebody refuses. */
static int
judge_and_tell(struct check *k)
{
	int rc;

	find_best(k);
	rc = judge_loaders(k);
	if (rc == CTL_OK && k->ctl->json)
		rc = print_json(k);
	else if (rc == CTL_OK)
		print_text(k);
	return rc;
}

/* Whether the key beside a certificate fits, for who can read it. */
static int
check_key(const struct checked *c, const char *key_file)
{
	EVP_PKEY *key = ca_read_key(key_file, sk_X509_value(c->chain, 0));
	bool fits = key != NULL && X509_check_private_key(sk_X509_value(c->chain, 0), key) == 1;
	bool reads = access(key_file, R_OK) == 0 || errno == ENOENT, none = key == NULL;

	EVP_PKEY_free(key);
	if (fits || !reads)
		return CTL_OK;
	return ctl_error("%s: %s", key_file,
	    none ? "there is no key in PEM: httpsbootd cannot serve the certificate beside it"
		 : "it is not the key of the certificate beside it: httpsbootd goes on with the "
		   "pair before; replace both (`ferryctl ca import CERTIFICATE KEY`), or make "
		   "both anew (`ferryctl ca renew --new-key`)");
}

int
ca_check(struct ca_options *o)
{
	static const char *const names[] = { "tls/server", "tls/server-ecdsa" };
	struct check k = { .ctl = o->ctl };
	char files[CHECKED_MAX][PUBLISH_PATH], key_file[PUBLISH_PATH];
	struct stat st;
	int rc = CTL_OK, keys = CTL_OK;

	if (o->nnames + o->naddresses == 0)
		add_told(o);
	if (o->nargs > 0)
		rc = add_file(&k, o->args[0], o);
	for (size_t i = 0; rc == CTL_OK && o->nargs == 0 && i < NITEMS(names); i++) {
		(void)snprintf(files[i], sizeof(files[i]), "%s/%s.pem", o->dir, names[i]);
		if (stat(files[i], &st) < 0)
			continue;
		rc = add_file(&k, files[i], o);
		(void)snprintf(key_file, sizeof(key_file), "%s/%s.key", o->dir, names[i]);
		if (rc == CTL_OK && check_key(&k.v[k.n - 1], key_file) != CTL_OK)
			keys = CTL_FAIL;
	}
	if (rc == CTL_OK && k.n == 0) /* says why */
		rc = add_file(&k, files[0], o);
	if (rc == CTL_OK)
		rc = judge_and_tell(&k);
	if (rc == CTL_OK && (k.refused || keys != CTL_OK))
		rc = CTL_FAIL;
	check_fini(&k);
	return rc;
}

/* --- import --------------------------------------------------------------------------------- */

/* The root that the last of a chain is of, if it was given. */
static int
append_root(STACK_OF(X509) * chain, const char *file)
{
	X509 *root = ca_read_cert(file), *last = sk_X509_value(chain, sk_X509_num(chain) - 1);

	if (root == NULL)
		return ctl_error("%s: it holds no certificate in PEM", file);
	if (X509_cmp(last, root) == 0) { /* it is there already */
		X509_free(root);
		return CTL_OK;
	}
	if (X509_verify(last, X509_get0_pubkey(root)) != 1 || sk_X509_push(chain, root) == 0) {
		X509_free(root);
		return ctl_error("%s: it did not sign the last certificate of the chain", file);
	}
	return CTL_OK;
}

int
ca_import(struct ca_options *o)
{
	struct ca_store s = { 0 };
	struct check k = { .ctl = o->ctl };
	struct ca_pair p = { 0 };
	EVP_PKEY *key = NULL;
	int rc;

	if (o->nargs != 2)
		return ctl_usage("ca import CERTIFICATE KEY [--issuer ROOT] [--name HOST]... "
				 "[--address IP]... [--force] [--dir DIR]");
	if (strlen(o->dir) >= sizeof(s.dir))
		return ctl_error("%s: %s", o->dir, strerror(ENAMETOOLONG));
	strcpy(s.dir, o->dir);
	if (o->nnames + o->naddresses == 0)
		add_told(o);
	rc = add_file(&k, o->args[0], o);
	if (rc == CTL_OK) {
		key = ca_read_key(o->args[1], sk_X509_value(k.v[0].chain, 0));
		if (key == NULL)
			rc = ca_no_pem(o->args[1], "key");
	}
	if (rc == CTL_OK) {
		rc = ca_sort_chain(k.v[0].chain, key, o->args[0]);
		if (rc == -ENOENT)
			rc = ctl_error("%s: it is not the key of %s", o->args[1], o->args[0]);
	}
	if (rc == CTL_OK && o->issuer != NULL)
		rc = append_root(k.v[0].chain, o->issuer);
	if (rc == CTL_OK) {
		ca_read_facts(k.v[0].chain, o, &k.v[0].facts);
		judge_certificate(&k.v[0].facts, &k.v[0].verdict);
	}
	if (rc == CTL_OK)
		rc = judge_and_tell(&k);
	if (rc == CTL_OK && k.best[JUDGE_IPXE_2022] == JUDGE_REFUSES &&
	    k.best[JUDGE_IPXE_2] == JUDGE_REFUSES && !o->force)
		rc = ctl_error("iPXE refuses this certificate, see above: it was not imported; "
			       "--force does so all the same");
	if (rc == CTL_OK)
		rc = ca_store_make_folders(o->dir);
	if (rc == CTL_OK)
		rc = ca_pair_open(
		    &s, EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? CA_KEY_RSA : CA_KEY_ECDSA, &p);
	if (rc == CTL_OK) {
		EVP_PKEY_free(p.key);
		p.key = key;
		key = NULL;
		rc = ca_pair_write_chain(&p, k.v[0].chain);
	}
	if (rc == CTL_OK && !o->ctl->json)
		printf("\nimported as %s; httpsbootd takes it within seconds\n", p.cert_file);
	EVP_PKEY_free(key);
	ca_pair_close(&p);
	check_fini(&k);
	return rc;
}
