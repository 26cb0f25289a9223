/* See keep.h. */
#include "httpsbootd/keep.h"

#include "common/hex.h"
#include "common/json_text.h"

#include <errno.h>
#include <string.h>

#define PAUSE_FIRST_MS 1000
#define PAUSE_MAX_MS   30000

const char *
keep_name(const char *path, char ret[static KEEP_NAME_STRLEN])
{
	uint8_t digest[DIGEST_BYTES];

	digest_bytes(slice_str(path), digest);
	return hex_format((struct slice){ digest, sizeof(digest) }, ret);
}

bool
keep_is_name(const char *name, size_t n)
{
	return n == KEEP_NAME_STRLEN - 1 && strspn(name, "0123456789abcdef") >= n;
}

json_t *
keep_dump(const struct keep_note *note)
{
	char hex[DIGEST_STRLEN];

	return json_pack("{s:o, s:I, s:s, s:o, s:I, s:b, s:I, s:I}", "path",
	    json_text(slice_str(note->path)), "size", (json_int_t)note->size, "sha256",
	    hex_format((struct slice){ note->sha256, sizeof(note->sha256) }, hex), "etag",
	    json_text(slice_str(note->etag)), "modified_s", (json_int_t)note->modified_s, "dated",
	    note->dated, "tag", (json_int_t)note->tag, "checked_ms", (json_int_t)note->checked_ms);
}

bool
keep_is_plain(const char *value)
{
	for (; *value != '\0'; value++) {
		if ((unsigned char)*value < ' ' || *value == 0x7f)
			return false;
	}
	return true;
}

int
keep_parse(const json_t *json, struct keep_note *ret)
{
	const char *path, *sha256, *etag;
	json_int_t size, modified, tag, checked;
	char normal[CONTENT_PATH_MAX];
	struct keep_note note = { 0 };
	int dated;

	/* an older format is an unpack error: the file is fetched again */
	if (json_unpack((json_t *)json, "{s:s, s:I, s:s, s:s, s:I, s:b, s:I, s:I}", "path", &path,
		"size", &size, "sha256", &sha256, "etag", &etag, "modified_s", &modified, "dated",
		&dated, "tag", &tag, "checked_ms", &checked) < 0 ||
	    size < 0 || checked < 0 || path_normalise(slice_str(path), normal) < 0 ||
	    strcmp(path, normal) != 0 || strlen(etag) >= sizeof(note.etag) ||
	    !keep_is_plain(etag) ||
	    hex_parse(slice_str(sha256), note.sha256, sizeof(note.sha256)) != DIGEST_BYTES)
		return -EINVAL;
	memcpy(note.path, normal, sizeof(note.path));
	strcpy(note.etag, etag); /* checked above */
	note.size = (uint64_t)size;
	note.modified_s = modified;
	note.dated = dated != 0;
	note.tag = (uint64_t)tag;
	note.checked_ms = (uint64_t)checked;
	*ret = note;
	return 0;
}

enum keep_use
keep_judge(
    const struct keep_note *note, const struct keep_want *want, uint64_t now_ms, uint64_t fresh_ms)
{
	if (want->size != 0 && want->size != note->size)
		return KEEP_WRONG;
	if (want->sha256 != NULL)
		return memcmp(want->sha256, note->sha256, DIGEST_BYTES) == 0 ? KEEP_GOOD
		                                                             : KEEP_WRONG;
	/* a clock that was set back makes it old */
	return note->checked_ms <= now_ms && now_ms - note->checked_ms < fresh_ms ? KEEP_GOOD
	                                                                          : KEEP_OLD;
}

int
keep_check_head(const struct keep_want *want, int64_t length, bool framed, uint64_t max_bytes,
    int64_t *ret_size, const char **ret_text)
{
	int64_t size = length >= 0 ? length : want->size != 0 ? (int64_t)want->size : -1;

	if (want->size != 0 && size != (int64_t)want->size) {
		*ret_text = "the origin's file has another size than handlerd knows";
		return -EBADMSG;
	}
	/* one that ends with the connection may have been cut short */
	if (size < 0 && !framed && want->sha256 == NULL) {
		*ret_text = "the origin does not say where the file ends";
		return -EBADMSG;
	}
	if (size > 0 && (uint64_t)size > max_bytes) {
		*ret_text = "the file is larger than origin.max_bytes";
		return -EFBIG;
	}
	*ret_size = size;
	return 0;
}

int
keep_check_end(const struct keep_want *want, int64_t size, uint64_t came,
    const uint8_t sha256[static DIGEST_BYTES], const char **ret_text)
{
	if (size >= 0 && came != (uint64_t)size) {
		*ret_text = came < (uint64_t)size ? "the origin sent less than the whole file"
		                                  : "the origin sent more than the file";
		return -EBADMSG;
	}
	/* asked for by somebody who came when it was on its way already */
	if (want->size != 0 && came != want->size) {
		*ret_text = "the origin's file has another size than handlerd knows";
		return -EBADMSG;
	}
	if (want->sha256 != NULL && memcmp(want->sha256, sha256, DIGEST_BYTES) != 0) {
		*ret_text = "the origin's file has another SHA-256 than its manifest says";
		return -EBADMSG;
	}
	return 0;
}

uint64_t
keep_ready(uint64_t came, uint64_t size)
{
	uint64_t most = size > KEEP_HELD_BYTES ? size - KEEP_HELD_BYTES : 0;

	return came < most ? came : most;
}

uint64_t
keep_pause_ms(unsigned failures)
{
	uint64_t ms = PAUSE_FIRST_MS;

	if (failures == 0)
		return 0;
	while (--failures > 0 && ms < PAUSE_MAX_MS)
		ms *= 2;
	return ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS;
}
