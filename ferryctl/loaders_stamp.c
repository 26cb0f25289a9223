/*
 * ferryctl loaders stamp: loaders that trust this site's CA without option 175.90, for networks
 * where the offer is not ours.  The original stays beside the file, under a hidden name, which is
 * no content.
 */
#include "ferryctl/ca.h"
#include "ferryctl/loaders.h"
#include "ferryctl/stamp.h"
#include "ferryctl/table.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USAGE                                                                                      \
	"loaders stamp [PATH]... [--dir DIR] [--remove]\n"                                         \
	"    PATH is one as `ferryctl loaders list` prints it; without: every loader that can be " \
	"stamped"

struct stamping {
	char *root;
	json_t *notes;
	uint8_t print[DIGEST_BYTES];
	bool remove;
	bool only_stamped; /* what is stamped already gets the new print */
	char **paths;      /* NULL-terminated; none: all */
	size_t done, failed;
	json_t *report;
};

/* "boot/x64/.snponly.efi.original" */
static void
original_name(const struct loader_file *f, char ret[static PUBLISH_PATH])
{
	const char *name = strrchr(f->file, '/') + 1;

	(void)snprintf(ret, PUBLISH_PATH, "%.*s.%s.original", (int)(name - f->file), f->file, name);
}

/*
 * A note goes before the bytes that it is of: cut off in between, the file has an earlier stamp
 * that no note tells of.  It is known by the original beside it.
 */
static bool
is_stamped_without_note(struct loader_file *f, const char *original)
{
	uint8_t *bytes;
	size_t n;
	bool is;

	if (f->info.trust == LOADER_TRUST_STAMPED || access(original, F_OK) < 0)
		return false;
	bytes = loaders_read(original, &n);
	is = bytes != NULL && stamp_read((struct slice){ f->bytes, f->n },
				  (struct slice){ bytes, n }, loader_ipxe_root, f->info.stamp);
	free(bytes);
	return is;
}

static bool
is_wanted(const struct stamping *st, const struct loader_file *f)
{
	if (st->paths[0] == NULL)
		return true;
	for (char **p = st->paths; *p != NULL; p++) {
		if (strcmp(*p, f->path) == 0)
			return true;
	}
	return false;
}

static int
tell(struct stamping *st, const struct loader_file *f, const char *what, bool failed)
{
	st->failed += failed;
	json_array_append_new(
	    st->report, json_pack("{s:s, s:s, s:s, s:b}", "path", f->path, "version",
			    f->info.version, "what", what, "failed", failed));
	return CTL_OK;
}

/* The bytes to begin with: those of before an earlier stamp. */
static uint8_t *
read_original(const struct loader_file *f, const char *original, size_t *ret_n)
{
	uint8_t *bytes;

	if (f->info.trust == LOADER_TRUST_STAMPED)
		return loaders_read(original, ret_n);
	bytes = malloc(f->n + 1);
	if (bytes != NULL) {
		memcpy(bytes, f->bytes, f->n);
		*ret_n = f->n;
	}
	return bytes;
}

static void
note(struct stamping *st, const struct loader_file *f, struct slice bytes, const char *stamp)
{
	struct origin_note n;
	uint8_t digest[DIGEST_BYTES];

	if (!origins_get(st->notes, f->path, &n)) {
		n = (struct origin_note){ 0 };
		(void)slice_copy(n.path, sizeof(n.path), slice_str(f->path));
		(void)slice_copy(n.version, sizeof(n.version), slice_str(f->info.version));
	}
	digest_bytes(bytes, digest);
	(void)digest_format(digest, n.sha256);
	(void)snprintf(n.stamp, sizeof(n.stamp), "%s", stamp);
	origins_set(&st->notes, &n);
}

/* The original first, then the file: cut off in between, a second try begins where this one did. */
static int
publish(struct stamping *st, struct loader_file *f, const char *original, uint8_t *bytes, size_t n)
{
	char hex[DIGEST_STRLEN];
	bool is_signed = stamp_is_signed((struct slice){ bytes, n });
	int rc = stamp_apply(bytes, n, loader_ipxe_root, st->print);

	if (rc < 0)
		return tell(st, f,
		    rc == -ENOENT ? "cannot be stamped: it is compressed, or has roots of its own"
				  : "cannot be stamped: the fingerprint is in it more than once",
		    true);
	if (f->info.trust != LOADER_TRUST_STAMPED &&
	    publish_bytes(original, f->bytes, f->n, 0644) < 0)
		return CTL_FAIL;
	/* a note of bytes that are not there yet does no harm, bytes without a note would */
	note(st, f, (struct slice){ bytes, n }, digest_format(st->print, hex));
	if (loaders_write_notes(st->root, st->notes) != CTL_OK ||
	    publish_bytes(f->file, bytes, n, 0644) < 0)
		return CTL_FAIL;
	st->done++;
	return tell(st, f,
	    is_signed ? "stamped; its Secure Boot signature is worthless now: such machines refuse "
			"it"
		      : "stamped",
	    false);
}

static int
restore(struct stamping *st, struct loader_file *f, const char *original)
{
	size_t n;
	uint8_t *bytes;
	int rc = CTL_FAIL;

	if (f->info.trust != LOADER_TRUST_STAMPED)
		return CTL_OK;
	bytes = loaders_read(original, &n);
	if (bytes == NULL)
		return CTL_FAIL;
	note(st, f, (struct slice){ bytes, n }, "");
	if (publish_bytes(f->file, bytes, n, 0644) == 0 &&
	    loaders_write_notes(st->root, st->notes) == CTL_OK)
		rc = unlink(original) < 0 ? ctl_error("%s: %s", original, strerror(errno)) : CTL_OK;
	free(bytes);
	st->done++;
	return rc == CTL_OK ? tell(st, f, "as it was", false) : rc;
}

static int
on_loader(void *arg, struct loader_file *f)
{
	struct stamping *st = arg;
	char original[PUBLISH_PATH];
	uint8_t *bytes;
	size_t n = 0;
	bool unnoted;
	int rc;

	if (!is_wanted(st, f))
		return CTL_OK;
	original_name(f, original);
	unnoted = is_stamped_without_note(f, original);
	if (unnoted)
		f->info.trust = LOADER_TRUST_STAMPED;
	if (st->remove)
		return restore(st, f, original);
	if (f->info.trust == LOADER_TRUST_STAMPED && !unnoted &&
	    memcmp(f->info.stamp, st->print, sizeof(st->print)) == 0)
		return st->only_stamped ? CTL_OK : tell(st, f, "stamped already", false);
	if (f->info.trust != LOADER_TRUST_STAMPED && st->only_stamped)
		return CTL_OK;
	/* without being named, only what can be stamped is looked at */
	if (f->info.trust != LOADER_TRUST_STAMPED && f->info.trust != LOADER_TRUST_OFFER &&
	    st->paths[0] == NULL)
		return CTL_OK;
	if (f->info.trust == LOADER_TRUST_OFFER && st->paths[0] == NULL &&
	    memmem(f->bytes, f->n, loader_ipxe_root, sizeof(loader_ipxe_root)) == NULL)
		return CTL_OK;       /* compressed */
	if (f->n == LOADER_READ_MAX) /* and there is more of it, which would be lost */
		return tell(st, f, "cannot be stamped: it has more than 8 MB", true);
	bytes = read_original(f, original, &n);
	if (bytes == NULL)
		return CTL_FAIL;
	rc = publish(st, f, original, bytes, n);
	free(bytes);
	return rc;
}

static int
run(const struct ctl *c, struct stamping *st)
{
	int rc;

	st->root = ctl_root(c);
	st->notes = loaders_notes(st->root);
	st->report = json_array();
	rc = loaders_scan(st->root, st->notes, on_loader, st);
	if (st->done > 0)
		ctl_content_changed(c);
	free(st->root);
	json_decref(st->notes);
	return rc;
}

static int
get_print(const char *dir, uint8_t ret[static DIGEST_BYTES])
{
	struct ca_store s;
	int rc = ca_store_open(&s, dir, false);

	if (rc == CTL_OK && X509_digest(ca_store_signer(&s, NULL), EVP_sha256(), ret, NULL) != 1)
		rc = ca_openssl_error("digest");
	ca_store_close(&s);
	return rc;
}

int
cmd_loaders_stamp(const struct ctl *c, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "dir", required_argument, NULL, 'd' },
		{ "remove", no_argument, NULL, 'r' },
		{ 0 },
	};
	static const char *const headings[] = { "PATH", "VERSION", "", NULL };
	const char *dir = CTL_ETC;
	struct stamping st = { 0 };
	const json_t *line;
	struct table t;
	size_t i;
	int k, rc;

	optind = 0; /* anew: options may stand behind words here, which main() forbids */
	while ((k = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (k == 'd')
			dir = optarg;
		else if (k == 'r')
			st.remove = true;
		else
			return ctl_usage(USAGE);
	}
	st.paths = argv + optind;
	if (!st.remove && get_print(dir, st.print) != CTL_OK)
		return CTL_FAIL;
	rc = run(c, &st);
	if (rc == CTL_OK && st.paths[0] != NULL && json_array_size(st.report) == 0)
		rc = ctl_error("%s: no such loader, or nothing to do", st.paths[0]);
	if (st.failed > 0)
		rc = CTL_FAIL;
	if (c->json) {
		(void)ctl_print_json(st.report);
		return rc;
	}
	table_init(&t, headings);
	json_array_foreach(st.report, i, line)
	    table_add(&t, (const char *const[]){ member_text(line, "path"),
			      member_text(line, "version"), member_text(line, "what") });
	table_print(&t, "nothing to do");
	json_decref(st.report);
	return rc;
}

/* handlerd knows the content root; a wrong one has no stamped loaders, which looks like success. */
static void
tell_of_guess(const struct ctl *c)
{
	json_t *conf = c->root == NULL ? ctl_try(c, "config.show", NULL) : NULL;

	if (c->root == NULL && conf == NULL)
		fprintf(stderr,
		    "handlerd does not answer: stamped loaders are looked for below %s (--root DIR "
		    "before the command, for another place)\n",
		    CTL_ROOT);
	json_decref(conf);
}

int
ca_restamp(const struct ctl *c, X509 *ca, bool first)
{
	char *none[] = { NULL };
	struct stamping st = { .only_stamped = true, .paths = none };
	int rc;

	if (X509_digest(ca, EVP_sha256(), st.print, NULL) != 1)
		return ca_openssl_error("digest");
	if (!first)
		tell_of_guess(c);
	rc = run(c, &st);
	if (st.done > 0 && !c->json)
		printf("%zu stamped loaders got the new fingerprint\n", st.done);
	if (st.failed > 0)
		rc = ctl_error("some stamped loaders could not be stamped anew: `ferryctl loaders "
			       "stamp` tells which");
	json_decref(st.report);
	return rc;
}
