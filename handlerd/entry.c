/* Entries: names, look-ups, places; see entry.h. */
#include "handlerd/entry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const type_names[ENTRY_TYPES] = {
	[ENTRY_IMAGE] = "image",
	[ENTRY_LINUX] = "linux",
	[ENTRY_WIM] = "wim",
	[ENTRY_EFI] = "efi",
	[ENTRY_ISO] = "iso",
	[ENTRY_SCRIPT] = "script",
	[ENTRY_LOCAL] = "local",
	[ENTRY_REFER] = "refer",
};

const char *
entry_type_name(enum entry_type v)
{
	return (size_t)v < NITEMS(type_names) ? type_names[v] : "?";
}

int
entry_type_parse(const char *name, enum entry_type *ret)
{
	for (size_t i = 0; i < NITEMS(type_names); i++) {
		if (strcmp(type_names[i], name) == 0) {
			*ret = (enum entry_type)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* --- what there is to choose from ----------------------------------------------------------- */

static int
by_name(const void *name, const void *image)
{
	return strcmp(name, ((const struct image *)image)->name);
}

static const struct image *
find_image(const struct choices *from, const char *name)
{
	const struct image *im = NULL;

	for (; im == NULL && from != NULL; from = from->next) {
		if (from->nimages > 0)
			im = bsearch(
			    name, from->images, from->nimages, sizeof(*from->images), by_name);
	}
	return im;
}

static const char *
image_of(const struct entry *e)
{
	return e->image[0] != '\0' ? e->image : e->name;
}

/* The entry with its image; false if that is not there. */
static bool
complete(const struct choices *from, const struct entry *e, struct choice *ret)
{
	struct choice c = { .entry = e };

	if (e->type == ENTRY_IMAGE) {
		c.image = find_image(from, image_of(e));
		if (c.image == NULL)
			return false;
	}
	*ret = c;
	return true;
}

int
choices_find(const struct choices *from, const char *name, struct choice *ret)
{
	struct choice c = { 0 };

	for (const struct choices *s = from; s != NULL; s = s->next) {
		for (size_t i = 0; i < s->nentries; i++) {
			if (strcmp(s->entries[i].name, name) == 0)
				return complete(from, &s->entries[i], ret) ? 0 : -ENOENT;
		}
	}
	c.image = find_image(from, name);
	if (c.image == NULL)
		return -ENOENT;
	*ret = c;
	return 0;
}

/* True if an entry has its name, or shows it under another one. */
static bool
is_dressed(const struct choices *from, const struct image *image)
{
	for (; from != NULL; from = from->next) {
		for (size_t i = 0; i < from->nentries; i++) {
			const struct entry *e = &from->entries[i];

			if (strcmp(e->name, image->name) == 0 ||
			    (e->type == ENTRY_IMAGE && strcmp(image_of(e), image->name) == 0))
				return true;
		}
	}
	return false;
}

bool
choices_each(
    const struct choices *from, const struct entry_client *client, choices_fn *fn, void *arg)
{
	struct choice c;

	for (const struct choices *s = from; s != NULL; s = s->next) {
		for (size_t i = 0; i < s->nentries; i++) {
			if (complete(from, &s->entries[i], &c) && choice_suits(c, client) &&
			    fn(arg, c))
				return true;
		}
	}
	for (const struct choices *s = from; s != NULL; s = s->next) {
		for (size_t i = 0; i < s->nimages; i++) {
			assert(s->images != NULL);
			c = (struct choice){ .image = &s->images[i] };
			if (choice_suits(c, client) && !is_dressed(from, c.image) && fn(arg, c))
				return true;
		}
	}
	return false;
}

const struct menu *
choices_menu(const struct choices *from, const char *name)
{
	for (; from != NULL; from = from->next) {
		for (size_t i = 0; i < from->nmenus; i++) {
			if (strcmp(from->menus[i].name, name) == 0)
				return &from->menus[i];
		}
	}
	return NULL;
}

static bool
cpu_suits(enum arch_cpu wanted, enum arch_cpu cpu)
{
	return wanted == cpu ||
	       (cpu == ARCH_CPU_BIOS && (wanted == ARCH_CPU_X64 || wanted == ARCH_CPU_IA32));
}

static bool
entry_suits(const struct entry *e, const struct entry_client *client)
{
	bool is_bios = client->firmware == ENTRY_BIOS || client->cpu == ARCH_CPU_BIOS;
	bool is_uefi = client->firmware == ENTRY_UEFI ||
	               (client->cpu != ARCH_CPU_NONE && client->cpu != ARCH_CPU_BIOS);
	bool suits = e->arch.n == 0 || client->cpu == ARCH_CPU_NONE;

	if ((is_bios && (e->firmware == ENTRY_UEFI || e->type == ENTRY_EFI)) ||
	    (is_uefi && e->firmware == ENTRY_BIOS))
		return false;
	if (client->memory_mb != 0 && client->memory_mb < e->min_memory_mb)
		return false;
	for (size_t i = 0; !suits && i < e->arch.n; i++)
		suits = cpu_suits(arch_cpu_from_name(slice_str(e->arch.v[i])), client->cpu);
	return suits;
}

bool
choice_suits(struct choice c, const struct entry_client *client)
{
	if (c.entry != NULL && !entry_suits(c.entry, client))
		return false;
	if (c.image == NULL)
		return true;
	if (client->firmware == ENTRY_BIOS && c.image->type == IMAGE_EFI)
		return false;
	return image_suits(c.image, client->cpu) &&
	       (client->memory_mb == 0 || client->memory_mb >= c.image->min_memory_mb);
}

const char *
choice_name(struct choice c)
{
	return c.entry != NULL ? c.entry->name : c.image->name;
}

const char *
choice_title(struct choice c)
{
	if (c.entry != NULL && c.entry->title[0] != '\0')
		return c.entry->title;
	if (c.image != NULL && c.image->title[0] != '\0')
		return c.image->title;
	return choice_name(c);
}

bool
choice_is_secret(struct choice c)
{
	return (c.entry != NULL && c.entry->secret) || (c.image != NULL && c.image->is_secret);
}

/* --- places, keys, colours ------------------------------------------------------------------ */

/* "http://..." and the like. */
static bool
has_scheme(struct slice s)
{
	static const char *const schemes[] = { "http://", "https://", "tftp://", "nfs://", "ftp://",
		"file:" };

	for (size_t i = 0; i < NITEMS(schemes); i++) {
		size_t n = strlen(schemes[i]);

		if (s.n > n && strncasecmp((const char *)s.p, schemes[i], n) == 0)
			return true;
	}
	return false;
}

/* One word of a script's line. */
static bool
is_word(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '\\')
			return false;
	}
	return s.n > 0;
}

/* Below the content root: no way up, nothing hidden, nothing that a URL would take otherwise. */
static bool
is_path(struct slice s)
{
	bool begins = true;

	for (size_t i = 0; i < s.n; i++) {
		if ((begins && (s.p[i] == '.' || s.p[i] == '/')) || strchr("?#%&", s.p[i]) != NULL)
			return false;
		begins = s.p[i] == '/';
	}
	return !begins;
}

static struct slice
last_part(struct slice s)
{
	size_t end = 0, start;

	while (end < s.n && s.p[end] != '?' && s.p[end] != '#')
		end++;
	for (start = end; start > 0 && s.p[start - 1] != '/'; start--)
		;
	return (struct slice){ s.p + start, end - start };
}

int
place_parse(const char *text, struct place *ret)
{
	static const char as[] = " as ";
	const char *name = strstr(text, as);
	struct place p = { .at = slice_str(text) };

	if (name != NULL) {
		p.at.n = (size_t)(name - text);
		p.name = slice_str(name + sizeof(as) - 1);
		p.named = true;
	} else {
		p.name = last_part(p.at);
	}
	p.is_url = has_scheme(p.at);
	if (!is_word(p.at) || !is_word(p.name) || (!p.is_url && !is_path(p.at)))
		return -EINVAL;
	if (memchr(p.name.p, '/', p.name.n) != NULL || p.name.p[0] == '-')
		return -EINVAL;
	*ret = p;
	return 0;
}

int
entry_key_parse(const char *name, uint16_t *ret)
{
	/* iPXE makes ESC [ n ~ of a function key to 0x100 * (n + 1) + '~' */
	static const struct {
		const char *name;
		uint16_t code;
	} keys[] = {
		{ "F5", 0x107e },
		{ "F6", 0x127e },
		{ "F7", 0x137e },
		{ "F8", 0x147e },
		{ "F9", 0x157e },
		{ "F10", 0x167e },
		{ "F11", 0x187e },
		{ "F12", 0x197e },
		{ "Enter", 0x0a }, /* iPXE makes this of the key's 0x0d */
		{ "Esc", 0x1b },
		{ "Space", 0x20 },
	};
	unsigned long code = 0;
	char *end;

	for (size_t i = 0; i < NITEMS(keys); i++) {
		if (strcasecmp(keys[i].name, name) == 0) {
			*ret = keys[i].code;
			return 0;
		}
	}
	if (name[0] > ' ' && name[0] < 0x7f && name[1] == '\0') {
		*ret = (uint16_t)name[0];
		return 0;
	}
	if (strncmp(name, "0x", 2) != 0)
		return -EINVAL;
	code = strtoul(name + 2, &end, 16);
	if (name[2] == '\0' || *end != '\0' || strlen(name) > 6 || code == 0)
		return -EINVAL;
	*ret = (uint16_t)code;
	return 0;
}

int
entry_colour_parse(const char *name, unsigned *ret)
{
	static const char *const names[] = { "black", "red", "green", "yellow", "blue", "magenta",
		"cyan", "white" };

	for (unsigned i = 0; i < NITEMS(names); i++) {
		if (strcmp(names[i], name) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}
