/* See origins.h. */
#include "common/origins.h"

#include "common/hex.h"

#include <stdlib.h>
#include <string.h>

static const char *
member(const json_t *note, const char *key)
{
	const char *s = json_string_value(json_object_get(note, key));

	return s != NULL ? s : "";
}

static json_t *
find(const json_t *root, const char *path)
{
	json_t *list = json_object_get(root, "loaders"), *note;
	size_t i;

	json_array_foreach(list, i, note)
	{
		if (strcmp(member(note, "path"), path) == 0)
			return note;
	}
	return NULL;
}

enum loader_https
origins_https_of_version(const char *version)
{
	unsigned long major, minor;
	char *end;

	major = strtoul(version, &end, 10);
	if (end == version || *end != '.')
		return LOADER_HTTPS_UNSEEN;
	version = end + 1;
	minor = strtoul(version, &end, 10);
	if (end == version)
		return LOADER_HTTPS_UNSEEN;
	return major > 1 || (major == 1 && minor >= 21) ? LOADER_HTTPS_YES : LOADER_HTTPS_NO;
}

void
origins_apply(const json_t *root, const char *path, const char *sha256, struct loader_info *info,
    char source[static ORIGINS_SOURCE])
{
	const json_t *note = find(root, path);

	source[0] = '\0';
	if (note == NULL || strcmp(member(note, "sha256"), sha256) != 0)
		return;
	(void)slice_copy(source, ORIGINS_SOURCE, slice_str(member(note, "source")));
	if (info->kind != LOADER_IPXE)
		return;
	if (info->https == LOADER_HTTPS_YES &&
	    hex_parse(slice_str(member(note, "stamp")), info->stamp, sizeof(info->stamp)) ==
		(int)sizeof(info->stamp))
		info->trust = LOADER_TRUST_STAMPED;
	if (info->version[0] == '\0')
		(void)slice_copy(
		    info->version, sizeof(info->version), slice_str(member(note, "version")));
	if (info->https != LOADER_HTTPS_UNSEEN)
		return; /* what the bytes show needs no note */
	info->https = origins_https_of_version(info->version);
	if (info->https == LOADER_HTTPS_YES)
		info->trust = LOADER_TRUST_OFFER;
	else if (info->https == LOADER_HTTPS_NO)
		info->trust = LOADER_TRUST_NONE;
}

bool
origins_get(const json_t *root, const char *path, struct origin_note *ret)
{
	const json_t *note = find(root, path);

	if (note == NULL)
		return false;
	*ret = (struct origin_note){ 0 };
	(void)slice_copy(ret->path, sizeof(ret->path), slice_str(path));
	(void)slice_copy(ret->sha256, sizeof(ret->sha256), slice_str(member(note, "sha256")));
	(void)slice_copy(ret->version, sizeof(ret->version), slice_str(member(note, "version")));
	(void)slice_copy(ret->source, sizeof(ret->source), slice_str(member(note, "source")));
	(void)slice_copy(ret->stamp, sizeof(ret->stamp), slice_str(member(note, "stamp")));
	return true;
}

void
origins_set(json_t **root, const struct origin_note *note)
{
	json_t *fresh = json_pack("{s:s, s:s, s:s, s:s}", "path", note->path, "sha256",
	    note->sha256, "version", note->version, "source", note->source);
	json_t *list, *old;
	size_t i;

	if (note->stamp[0] != '\0')
		json_object_set_new(fresh, "stamp", json_string(note->stamp));

	if (*root == NULL || !json_is_array(json_object_get(*root, "loaders"))) {
		json_decref(*root);
		*root = json_pack("{s:[]}", "loaders");
	}
	list = json_object_get(*root, "loaders");
	json_array_foreach(list, i, old)
	{
		if (strcmp(member(old, "path"), note->path) == 0) {
			json_array_set_new(list, i, fresh);
			return;
		}
	}
	json_array_append_new(list, fresh);
}
