/* The plan of a look-up; see names.h. */
#include "handlerd/names.h"

#include "common/hex.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* --- characters ----------------------------------------------------------------------------- */

static bool
is_slash(uint8_t c)
{
	return c == '/' || c == '\\';
}

static bool
is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static struct slice
from(struct slice s, size_t n)
{
	return (struct slice){ s.p + n, s.n - n };
}

/* Where the first slash is, or the end. */
static size_t
to_slash(struct slice s)
{
	size_t n = 0;

	while (n < s.n && !is_slash(s.p[n]))
		n++;
	return n;
}

static bool
begins_with_slashes(struct slice s)
{
	return s.n > 2 && is_slash(s.p[0]) && is_slash(s.p[1]);
}

/* --- spellings ------------------------------------------------------------------------------ */

/* The name without a URL's scheme and host; of a Windows path without device prefix and drive. */
static struct slice
without_origin(struct slice s)
{
	size_t n = 0;

	/* \\?\C:\x and \\.\C:\x */
	if (s.n > 4 && begins_with_slashes(s) && (s.p[2] == '?' || s.p[2] == '.') &&
	    is_slash(s.p[3]))
		s = from(s, 4);
	while (n < s.n && is_letter(s.p[n]))
		n++;
	if (n == 1 && s.n > 2 && s.p[1] == ':')
		return from(s, 2);
	if (n > 1 && s.n > n + 3 && s.p[n] == ':' && begins_with_slashes(from(s, n + 1))) {
		s = from(s, n + 3);
		return from(s, to_slash(s));
	}
	return s;
}

/* \\server\share\x without the server, and without the share. */
static struct slice
without_server(struct slice s)
{
	if (!begins_with_slashes(s))
		return s;
	s = from(s, 2);
	return from(s, to_slash(s));
}

static struct slice
without_share(struct slice s)
{
	if (!begins_with_slashes(s))
		return s;
	s = without_server(s);
	if (s.n == 0)
		return s;
	s = from(s, 1);
	return from(s, to_slash(s));
}

/*
 * Up to 0xff, the End option that a ROM took for a part of the name with what stood behind it, and
 * without the bytes at the end that are no ASCII.
 */
static struct slice
without_garbage(struct slice s)
{
	const uint8_t *end = s.n > 0 ? memchr(s.p, 0xff, s.n) : NULL;

	if (end != NULL)
		s.n = (size_t)(end - s.p);
	while (s.n > 0 && (s.p[s.n - 1] >= 0x7f || s.p[s.n - 1] < ' '))
		s.n--;
	return s;
}

/* Decodes %-escapes, once.  True if there was one. */
static bool
decode(struct slice s, struct wbuf *w)
{
	bool any = false;

	for (size_t i = 0; i < s.n; i++) {
		int high = i + 2 < s.n && s.p[i] == '%' ? hex_digit(s.p[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(s.p[i + 2]) : -1;

		if (low >= 0) {
			wbuf_u8(w, (uint8_t)(high << 4 | low));
			any = true;
			i += 2;
		} else {
			wbuf_u8(w, s.p[i]);
		}
	}
	return any;
}

/* The length of the UTF-8 sequence that `s` begins with (RFC 3629), or 0 if it is none. */
static size_t
utf8_length(struct slice s)
{
	uint8_t c = s.p[0];
	size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++) {
		if (i >= s.n || (s.p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

/* Rewrites latin-1 as UTF-8.  True if it was not UTF-8 already. */
static bool
recode(struct slice s, struct wbuf *w)
{
	size_t n;

	for (size_t i = 0; i < s.n; i += n) {
		n = utf8_length(from(s, i));
		if (n == 0)
			break;
		if (i + n == s.n)
			return false;
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] >= 0x80)
			wbuf_u8(w, (uint8_t)(0xc0 | s.p[i] >> 6));
		wbuf_u8(w, s.p[i] < 0x80 ? s.p[i] : (uint8_t)(0x80 | (s.p[i] & 0x3f)));
	}
	return s.n > 0;
}

enum spelling {
	AS_ASKED,
	WITHOUT_ORIGIN,
	WITHOUT_SERVER,
	WITHOUT_SHARE,
	WITHOUT_GARBAGE,
	DECODED,
	RECODED,
	SPELLINGS,
};

/* One spelling of a name.  True if it is unlike the ones before it. */
static bool
spell(enum spelling how, struct slice name, struct wbuf *room, struct slice *ret)
{
	struct slice bare = without_origin(name), s = bare;
	bool differs = false;

	switch (how) {
	case AS_ASKED: *ret = name; return true;
	case WITHOUT_ORIGIN: differs = bare.n != name.n; break;
	case WITHOUT_SERVER: s = without_server(bare); break;
	case WITHOUT_SHARE: s = without_share(bare); break;
	case WITHOUT_GARBAGE: s = without_garbage(bare); break;
	case DECODED:
		differs = decode(bare, room);
		s = wbuf_view(room);
		break;
	case RECODED:
		while (
		    bare.n > 0 && bare.p[bare.n - 1] == 0xff) /* no letter at the end of a name */
			bare.n--;
		differs = recode(bare, room);
		s = wbuf_view(room);
		break;
	case SPELLINGS: break;
	}
	*ret = s;
	return (differs || s.n != bare.n) && !room->bad;
}

/* --- stems ---------------------------------------------------------------------------------- */

/*
 * Folders that second stages have built in, or look through: where the site keeps their files in
 * another one, what counts is the rest.
 */
static const char *const built_in[] = {
	"boot/grub",
	"debian-installer/amd64/grub",
	"debian-installer/arm64/grub",
	"grub",
	"grub2",
	"EFI/Microsoft/Boot",
	"EFI/BOOT",
	"EFI/debian",
	"EFI/ubuntu",
	"EFI/fedora",
	"EFI/redhat",
	"EFI/centos",
	"EFI/rocky",
	"EFI/almalinux",
	"EFI/opensuse",
	"boot/isolinux",
	"isolinux",
	"boot/syslinux",
	"syslinux",
	"sources",
	"boot",
};

/* Where the rest begins behind such a folder; 0: it begins with none. */
static size_t
behind_built_in(const char *path)
{
	for (size_t i = 0; i < NITEMS(built_in); i++) {
		size_t n = strlen(built_in[i]);

		if (strncasecmp(path, built_in[i], n) == 0 && path[n] == '/')
			return n + 1;
	}
	return 0;
}

/*
 * Behind the serial number (eight hexadecimal digits) or the MAC address (with dashes) of a
 * Raspberry Pi, which first looks for a folder of its own; 0: there is none.
 */
static size_t
behind_serial(const char *path)
{
	size_t n = strcspn(path, "/");

	if (path[n] == '\0' || (n != 8 && n != 17))
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (n == 17 && i % 3 == 2 ? path[i] != '-' : hex_digit((uint8_t)path[i]) < 0)
			return 0;
	}
	return n + 1;
}

static void
find_stems(struct names *n)
{
	size_t at;

	n->nstems = 0;
	n->stems[n->nstems++] = 0;
	if (n->ask->as_it_is)
		return;
	at = n->ask->rpi != NULL ? behind_serial(n->spelled) : 0;
	if (at > 0)
		n->stems[n->nstems++] = at;
	at = behind_built_in(n->spelled);
	if (at > 0)
		n->stems[n->nstems++] = at;
}

/* --- places --------------------------------------------------------------------------------- */

static void
add_place(struct names *n, struct slice folder)
{
	if (n->nplaces == NAMES_PLACES)
		return;
	for (size_t i = 0; i < n->nplaces; i++) {
		if (slice_eq(n->places[i], folder))
			return;
	}
	n->places[n->nplaces++] = folder;
}

/* A folder and those above it, without the root. */
static void
add_places(struct names *n, struct slice folder)
{
	while (folder.n > 0) {
		add_place(n, folder);
		while (folder.n > 0 && folder.p[folder.n - 1] != '/')
			folder.n--;
		folder.n -= folder.n > 0;
	}
}

static struct slice
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return (struct slice){ (const uint8_t *)path, slash != NULL ? (size_t)(slash - path) : 0 };
}

static const char *
cpu_folder(enum arch_cpu cpu)
{
	static const char *const names[ARCH_CPUS] = {
		[ARCH_CPU_BIOS] = "boot/bios",
		[ARCH_CPU_IA32] = "boot/ia32",
		[ARCH_CPU_X64] = "boot/x64",
		[ARCH_CPU_ARM32] = "boot/arm32",
		[ARCH_CPU_ARM64] = "boot/arm64",
		[ARCH_CPU_RISCV64] = "boot/riscv64",
		[ARCH_CPU_LOONG64] = "boot/loong64",
	};
	const char *name = (size_t)cpu < NITEMS(names) ? names[cpu] : NULL;

	return name != NULL ? name : "boot";
}

static void
find_places(struct names *n)
{
	const struct names_ask *ask = n->ask;

	n->nplaces = 0;
	add_place(n, (struct slice){ 0 });
	if (ask->as_it_is)
		return;
	add_places(n, slice_str(ask->folder));
	add_place(n, slice_str(ask->rpi));
	if (ask->best != NULL)
		add_places(n, folder_of(ask->best));
	add_places(n, slice_str(cpu_folder(ask->cpu)));
}

/* --- the plan ------------------------------------------------------------------------------- */

/* Goes on to the next spelling that is a path. */
static bool
next_spelling(struct names *n)
{
	size_t end = n->ask->as_it_is ? AS_ASKED + 1 : SPELLINGS;
	uint8_t bytes[2 * CONTENT_PATH_MAX];

	while (n->spelling < end) {
		enum spelling how = (enum spelling)n->spelling++;
		struct slice s;
		struct wbuf room;
		int rc;

		wbuf_init(&room, bytes, sizeof(bytes));
		if (!spell(how, n->ask->name, &room, &s))
			continue;
		rc = path_normalise(s, n->spelled);
		if (rc == -EACCES) {
			/* whatever else it may mean: nothing that tries this is served */
			n->rc = rc;
			n->spelling = end;
			return false;
		}
		if (rc < 0) {
			if (n->rc == 0)
				n->rc = rc;
			continue;
		}
		if (strcmp(n->spelled, n->asked) == 0)
			continue;
		if (how == AS_ASKED)
			memcpy(n->asked, n->spelled, strlen(n->spelled) + 1);
		find_stems(n);
		n->stem = n->place = 0;
		return true;
	}
	return false;
}

const char *
names_of_2pxe(const char *path)
{
	/* in DHCP options, in profiles of UEFI HTTP Boot, on media */
	static const struct {
		const char *theirs, *ours;
	} twins[] = {
		{ "boot/x86/undionly.kpxe", "boot/bios/undionly.kpxe" },
		{ "boot/x86/snponly_x86.efi", "boot/ia32/snponly.efi" },
		{ "boot/x64/snponly_x64.efi", "boot/x64/snponly.efi" },
		{ "boot/arm64/snponly_arm64.efi", "boot/arm64/snponly.efi" },
	};

	for (size_t i = 0; i < NITEMS(twins); i++) {
		if (strcasecmp(path, twins[i].theirs) == 0)
			return twins[i].ours;
	}
	return NULL;
}

int
names_begin(struct names *n, const struct names_ask *ask, char first[static CONTENT_PATH_MAX])
{
	n->ask = ask;
	n->rc = 0;
	n->spelling = 0;
	n->asked[0] = '\0';
	find_places(n);
	if (!next_spelling(n)) {
		n->nstems = 0;
		return n->rc;
	}
	n->rc = 0;
	memcpy(first, n->spelled, strlen(n->spelled) + 1);
	return 0;
}

bool
names_next(struct names *n, char ret[static CONTENT_PATH_MAX])
{
	while (true) {
		struct slice place;
		const char *stem;
		int len;

		if (n->place == n->nplaces) {
			n->place = 0;
			n->stem++;
		}
		if (n->stem >= n->nstems) {
			if (next_spelling(n))
				continue;
			n->nstems = 0;
			if (n->rc != -EACCES)
				n->rc = 0;
			return false;
		}
		place = n->places[n->place++];
		stem = n->spelled + n->stems[n->stem];
		len = snprintf(ret, CONTENT_PATH_MAX, "%.*s%s%s", (int)place.n,
		    place.n > 0 ? (const char *)place.p : "", place.n > 0 ? "/" : "", stem);
		if (len > 0 && len < CONTENT_PATH_MAX)
			return true;
	}
}

/* --- machines ------------------------------------------------------------------------------- */

/* "01-" and six pairs of digits with dashes between them */
#define MAC_NAME 20

int
names_mac(struct slice name, struct macaddr *ret)
{
	struct macaddr mac = { .len = 6 };
	const uint8_t *p;

	if (name.n < MAC_NAME)
		return -ENOENT;
	p = name.p + name.n - MAC_NAME;
	/* the end of a longer number is none */
	if (name.n > MAC_NAME && !is_slash(p[-1]) && p[-1] != '-')
		return -ENOENT;
	if (p[0] != '0' || p[1] != '1')
		return -ENOENT;
	for (size_t i = 0; i < 6; i++) {
		int high = hex_digit(p[3 * i + 3]), low = hex_digit(p[3 * i + 4]);

		if (p[3 * i + 2] != '-' || high < 0 || low < 0)
			return -ENOENT;
		mac.b[i] = (uint8_t)(high << 4 | low);
	}
	*ret = mac;
	return 0;
}

/* --- loaders -------------------------------------------------------------------------------- */

bool
names_is_loader(const char *path)
{
	static const char *const endings[] = { ".efi", ".0", ".com", ".n12", ".exe", ".kpxe",
		".kkpxe", ".pxe", ".kkkpxe", ".c32", ".e32", ".e64", ".elf", ".bin", ".nbp",
		".signed", ".lkrn" };
	const char *base = path_base(path), *dot = strrchr(base, '.');

	/* bootmgr and its like have none */
	if (dot == NULL)
		return strncasecmp(base, "bootmgr", 7) == 0;
	for (size_t i = 0; i < NITEMS(endings); i++) {
		if (strcasecmp(dot, endings[i]) == 0)
			return true;
	}
	return false;
}

void
names_folder(const char *path, char ret[static NAMES_FOLDER_MAX])
{
	struct slice folder = folder_of(path);

	if (folder.n >= NAMES_FOLDER_MAX)
		folder.n = 0;
	if (folder.n > 0)
		memcpy(ret, folder.p, folder.n);
	ret[folder.n] = '\0';
}
