/* See bcd.h. */
#include "handlerd/bcd.h"

#include "handlerd/hive.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define GUID_STRLEN 39  /* with braces and the NUL */
#define TEXT_MAX    600 /* characters of UTF-16 in a path or title */

/* Types of objects and elements, as bcdedit names them. */
#define OBJECT_MANAGER 0x10100002u
#define OBJECT_LOADER  0x10200003u
#define OBJECT_DEVICE  0x30000000u

static const char manager_guid[] = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}";

/* Ours: the last digits count the images. */
#define LOADER_GUID "{bf0b0075-0001-4000-8000-0000000000%02x}"
#define DEVICE_GUID "{bf0b0075-0002-4000-8000-0000000000%02x}"

/* What over a network is both safe and quick; larger blocks become fragments. */
#define TFTP_BLOCKSIZE  1456
#define TFTP_WINDOWSIZE 16

/* Kinds of devices in a store. */
#define DEVICE_LOCAL  0 /* what follows tells which */
#define DEVICE_BOOT   5 /* where the boot manager came from */
#define LOCAL_RAMDISK 3
#define DEVICE_BYTES  0x48 /* of one without a path */
#define RAMDISK_BYTES 0x18
#define FILE_IS_PATH  5 /* the file of a RAM disk is a device and a path on it */

/* --- little-endian text and numbers --------------------------------------------------------- */

static void
put32(struct wbuf *w, size_t v)
{
	for (int i = 0; i < 4; i++)
		wbuf_u8(w, (uint8_t)(v >> 8 * i));
}

static void
put16(struct wbuf *w, uint32_t v)
{
	wbuf_u8(w, (uint8_t)v);
	wbuf_u8(w, (uint8_t)(v >> 8));
}

/* The next character of UTF-8; a byte that is none stands for itself, as latin-1. */
static uint32_t
next_character(struct slice *s)
{
	uint8_t c = s->p[0];
	size_t n = c < 0xc2 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 1;
	uint32_t v = n == 1 ? c : c & (0xffu >> (n + 1));

	for (size_t i = 1; i < n; i++) {
		if (i >= s->n || (s->p[i] & 0xc0) != 0x80) {
			n = 1;
			v = c;
			break;
		}
		v = v << 6 | (s->p[i] & 0x3f);
	}
	s->p += n;
	s->n -= n;
	return v;
}

/* Text as UTF-16 with its NUL; `slash` takes the place of slashes. */
static void
put_utf16(struct wbuf *w, struct slice s, char slash)
{
	size_t end = w->used + 2 * (size_t)TEXT_MAX;

	while (s.n > 0 && w->used < end) {
		uint32_t c = next_character(&s);

		if (c == '/')
			c = (uint8_t)slash;
		if (c >= 0x10000) {
			put16(w, 0xd800 + ((c - 0x10000) >> 10));
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		put16(w, c);
	}
	put16(w, 0);
}

/* The path of a file of ours: from the root, with back-slashes. */
static void
put_path(struct wbuf *w, struct slice path)
{
	put16(w, '\\');
	put_utf16(w, path, '\\');
}

/* A GUID as it stands in memory: its first three parts are numbers. */
static void
put_guid(struct wbuf *w, const char *text)
{
	static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	uint8_t b[16] = { 0 };
	size_t digits = 0;

	for (; *text != '\0' && digits < 32; text++) {
		int digit = *text >= '0' && *text <= '9'   ? *text - '0'
		            : *text >= 'a' && *text <= 'f' ? *text - 'a' + 10
		                                           : -1;

		if (digit < 0)
			continue;
		b[digits / 2] = (uint8_t)(b[digits / 2] << 4 | digit);
		digits++;
	}
	for (size_t i = 0; i < 16; i++)
		wbuf_u8(w, b[order[i]]);
}

/* --- devices -------------------------------------------------------------------------------- */

/* Where the boot manager came from: the TFTP server. */
static void
put_boot_device(struct wbuf *w)
{
	put32(w, DEVICE_BOOT);
	put32(w, 0);
	put32(w, DEVICE_BYTES);
	wbuf_fill(w, 0, DEVICE_BYTES - 12);
}

/* ramdisk=[boot]\PATH,{options} */
static void
put_ramdisk(struct wbuf *w, const char *options, struct slice path)
{
	uint8_t bytes[2 * TEXT_MAX + 8];
	struct wbuf text;
	size_t file;

	wbuf_init(&text, bytes, sizeof(bytes));
	put_path(&text, path);
	file = 12 + DEVICE_BYTES + text.used;
	put_guid(w, options);
	put32(w, DEVICE_LOCAL);
	put32(w, 1);
	put32(w, 16 + RAMDISK_BYTES + file);
	put32(w, 0);
	put32(w, LOCAL_RAMDISK);
	wbuf_fill(w, 0, RAMDISK_BYTES - 4);
	put32(w, 1);
	put32(w, file);
	put32(w, FILE_IS_PATH);
	put_boot_device(w);
	wbuf_slice(w, wbuf_view(&text));
	w->bad = w->bad || text.bad;
}

/* --- objects -------------------------------------------------------------------------------- */

#define ELEMENTS_MAX 12

struct object {
	struct hive *h;
	uint32_t elements[ELEMENTS_MAX]; /* in the order of their numbers */
	size_t n;
};

static void
add(struct object *o, const char *number, enum hive_type type, struct slice data)
{
	uint32_t value = hive_value(o->h, "Element", type, data);

	assert(o->n < ELEMENTS_MAX);
	o->elements[o->n++] = hive_key(o->h, number, NULL, 0, &value, 1);
}

static void
add_text(struct object *o, const char *number, struct slice text)
{
	uint8_t bytes[2 * TEXT_MAX + 8];
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	put_utf16(&w, text, '/');
	add(o, number, HIVE_SZ, wbuf_view(&w));
}

static void
add_string(struct object *o, const char *number, const char *text)
{
	add_text(o, number, slice_str(text));
}

static void
add_number(struct object *o, const char *number, uint64_t v)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(v >> 8 * i);
	add(o, number, HIVE_BINARY, (struct slice){ bytes, sizeof(bytes) });
}

static void
add_yes(struct object *o, const char *number)
{
	static const uint8_t yes = 1;

	add(o, number, HIVE_BINARY, (struct slice){ &yes, 1 });
}

/* The object with its elements. */
static uint32_t
end_object(struct object *o, const char *guid, uint32_t type)
{
	uint8_t bytes[4];
	struct wbuf w;
	uint32_t value, keys[2];

	wbuf_init(&w, bytes, sizeof(bytes));
	put32(&w, type);
	value = hive_value(o->h, "Type", HIVE_DWORD, wbuf_view(&w));
	keys[0] = hive_key(o->h, "Description", NULL, 0, &value, 1);
	keys[1] = hive_key(o->h, "Elements", o->elements, o->n, NULL, 0);
	return hive_key(o->h, guid, keys, 2, NULL, 0);
}

static uint32_t
put_manager(struct hive *h, const struct bcd *bcd)
{
	struct object o = { .h = h };
	uint8_t bytes[BCD_IMAGES * 2 * GUID_STRLEN + 2];
	char guid[GUID_STRLEN];
	struct wbuf w;

	add_string(&o, "12000004", "Windows Boot Manager");
	add_string(&o, "12000005", "en-US");
	(void)snprintf(guid, sizeof(guid), LOADER_GUID, (unsigned)bcd->standing);
	add_string(&o, "23000003", guid);
	wbuf_init(&w, bytes, sizeof(bytes));
	for (size_t i = 0; i < bcd->nimages; i++) {
		(void)snprintf(guid, sizeof(guid), LOADER_GUID, (unsigned)i);
		put_utf16(&w, slice_str(guid), '/');
	}
	put16(&w, 0);
	add(&o, "24000001", HIVE_MULTI_SZ, wbuf_view(&w));
	/* without one the menu waits for ever */
	if (bcd->timeout_s >= 0)
		add_number(&o, "25000004", (uint64_t)bcd->timeout_s);
	return end_object(&o, manager_guid, OBJECT_MANAGER);
}

static uint32_t
put_loader(struct hive *h, const struct bcd *bcd, size_t i)
{
	const struct bcd_image *im = &bcd->images[i];
	struct object o = { .h = h };
	uint8_t bytes[2 * TEXT_MAX + 256];
	char guid[GUID_STRLEN], options[GUID_STRLEN];
	struct wbuf device;

	(void)snprintf(guid, sizeof(guid), LOADER_GUID, (unsigned)i);
	(void)snprintf(options, sizeof(options), DEVICE_GUID, (unsigned)i);
	wbuf_init(&device, bytes, sizeof(bytes));
	put_ramdisk(&device, options, im->wim);
	h->bad = h->bad || device.bad;
	add(&o, "11000001", HIVE_BINARY, wbuf_view(&device));
	add_string(&o, "12000002",
	    bcd->uefi ? "\\windows\\system32\\boot\\winload.efi"
		      : "\\windows\\system32\\boot\\winload.exe");
	add_string(&o, "12000004", im->title);
	add_string(&o, "12000005", "en-US");
	add(&o, "21000001", HIVE_BINARY, wbuf_view(&device));
	add_string(&o, "22000002", "\\windows");
	add_yes(&o, "26000010"); /* finds out which HAL it needs */
	add_yes(&o, "26000022"); /* is Windows PE */
	return end_object(&o, guid, OBJECT_LOADER);
}

static uint32_t
put_options(struct hive *h, const struct bcd *bcd, size_t i)
{
	struct object o = { .h = h };
	uint8_t bytes[2 * TEXT_MAX + 8];
	char guid[GUID_STRLEN];
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	wbuf_fill(&w, 0, 16);
	put_boot_device(&w);
	add(&o, "31000003", HIVE_BINARY, wbuf_view(&w));
	wbuf_init(&w, bytes, sizeof(bytes));
	put_path(&w, bcd->images[i].sdi);
	add(&o, "32000004", HIVE_SZ, wbuf_view(&w));
	add_number(&o, "35000007", TFTP_BLOCKSIZE);
	add_number(&o, "35000008", TFTP_WINDOWSIZE);
	(void)snprintf(guid, sizeof(guid), DEVICE_GUID, (unsigned)i);
	return end_object(&o, guid, OBJECT_DEVICE);
}

/* What the store says of itself. */
static uint32_t
put_description(struct hive *h)
{
	static const uint8_t one[4] = { 1 };
	uint8_t bytes[64];
	uint32_t values[3];
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	put_utf16(&w, slice_str("BCD00000001"), '/');
	values[0] = hive_value(h, "KeyName", HIVE_SZ, wbuf_view(&w));
	values[1] = hive_value(h, "System", HIVE_DWORD, (struct slice){ one, sizeof(one) });
	values[2] = hive_value(h, "TreatAsSystem", HIVE_DWORD, (struct slice){ one, sizeof(one) });
	return hive_key(h, "Description", NULL, 0, values, 3);
}

struct slice
bcd_build(const struct bcd *bcd, void *buf, size_t size)
{
	uint32_t objects[1 + 2 * BCD_IMAGES], keys[2];
	struct hive h;
	size_t n = 0;

	assert(bcd->nimages <= BCD_IMAGES);
	hive_begin(&h, buf, size);
	/* by their GUIDs in capitals */
	objects[n++] = put_manager(&h, bcd);
	for (size_t i = 0; i < bcd->nimages; i++)
		objects[n++] = put_loader(&h, bcd, i);
	for (size_t i = 0; i < bcd->nimages; i++)
		objects[n++] = put_options(&h, bcd, i);
	keys[0] = put_description(&h);
	keys[1] = hive_key(&h, "Objects", objects, n, NULL, 0);
	return hive_end(&h, hive_key(&h, "NewStoreRoot", keys, 2, NULL, 0));
}
