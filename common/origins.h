/*
 * Where loaders came from, as boot/loaders.json says: what an import knew about a file that the
 * file itself does not show, because it is compressed.  A note counts only for the very bytes that
 * it was made for.
 */
#ifndef COMMON_ORIGINS_H
#define COMMON_ORIGINS_H

#include "common/loader.h"

#include <jansson.h>

#define ORIGINS_FILE   "loaders.json"
#define ORIGINS_SOURCE 128

/* A note about one file. */
struct origin_note {
	char path[512];  /* below the content root */
	char sha256[65]; /* in hexadecimal */
	char version[LOADER_VERSION_MAX];
	char source[ORIGINS_SOURCE]; /* "Debian trixie, ipxe 1.21.1+git..." */
	char stamp[65];              /* the fingerprint that was put into it, or "" */
};

/*
 * Adds to `info` what the notes in `root` (the parsed file, or NULL) say of the file at `path` with
 * this digest, and copies the source to `source` ("" if there is no note).
 */
void origins_apply(const json_t *root, const char *path, const char *sha256,
    struct loader_info *info, char source[static ORIGINS_SOURCE]);
/* Puts a note in place of one for the same path; *root may be NULL at first. */
void origins_set(json_t **root, const struct origin_note *note);
/* Reads the note for a path, whatever its digest.  False: there is none. */
bool origins_get(const json_t *root, const char *path, struct origin_note *ret);
/*
 * What the version of Debian's ipxe package tells of its builds: HTTPS is in all of them, BIOS too,
 * since 1.21.1.
 */
enum loader_https origins_https_of_version(const char *version);

#endif
