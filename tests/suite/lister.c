/*
 * A small EFI program for boot tests: prints its arguments and the files beside it, then does what
 * the arguments say: "back" returns, "fail" returns an error, else the machine is switched off.
 * Built by media.py; the layouts are those of the UEFI specification, as far as they are needed.
 */
#include <stddef.h>
#include <stdint.h>

#ifdef __x86_64__
#define EFIAPI __attribute__((ms_abi))
#else /* arm64: the ABI of the compiler */
#define EFIAPI
#endif

typedef uint64_t efi_status;

#define EFI_ABORTED (UINT64_C(1) << 63 | 21)

struct guid {
	uint32_t a;
	uint16_t b, c;
	uint8_t d[8];
};

struct text_output {
	void *reset;
	efi_status(EFIAPI *output_string)(struct text_output *self, const uint16_t *text);
};

struct runtime_services {
	uint8_t header[24];
	void *others[10];
	void(EFIAPI *reset_system)(int type, efi_status status, uint64_t size, const void *data);
};

struct boot_services {
	uint8_t header[24];
	void *others[16];
	efi_status(EFIAPI *handle_protocol)(void *handle, const struct guid *guid, void **ret);
};

struct system_table {
	uint8_t header[24];
	void *vendor;
	uint64_t revision;
	void *in_handle, *in, *out_handle;
	struct text_output *out;
	void *error_handle, *error;
	struct runtime_services *runtime;
	struct boot_services *boot;
};

struct loaded_image {
	uint64_t revision;
	void *parent, *system, *device, *path, *reserved;
	uint32_t options_size;
	const uint16_t *options;
};

struct file {
	uint64_t revision;
	void *open, *close, *remove;
	efi_status(EFIAPI *read)(struct file *self, uint64_t *size, void *buf);
};

struct file_system {
	uint64_t revision;
	efi_status(EFIAPI *open_volume)(struct file_system *self, struct file **ret);
};

struct file_info {
	uint64_t size, file_size, physical_size;
	uint8_t times[48];
	uint64_t attribute;
	uint16_t name[256];
};

static const struct guid loaded_image_guid = { 0x5b1b31a1, 0x9562, 0x11d2,
	{ 0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } };
static const struct guid file_system_guid = { 0x964e5b22, 0x6459, 0x11d2,
	{ 0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } };

static struct system_table *st;

static void
put(const uint16_t *text)
{
	st->out->output_string(st->out, text);
}

static void
put_number(uint64_t v)
{
	uint16_t buf[24];
	size_t at = 23;

	buf[at] = 0;
	do {
		buf[--at] = (uint16_t)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	put(buf + at);
}

static int
has_word(const struct loaded_image *image, const char *word)
{
	size_t n = image->options != NULL ? image->options_size / 2 : 0;

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (word[k] != '\0' && i + k < n && image->options[i + k] == (uint16_t)word[k])
			k++;
		if (word[k] == '\0')
			return 1;
	}
	return 0;
}

static void
list(const struct loaded_image *image)
{
	static struct file_info info;
	struct file_system *fs;
	struct file *root;
	void *p;

	if (st->boot->handle_protocol(image->device, &file_system_guid, &p) != 0)
		return;
	fs = p;
	if (fs->open_volume(fs, &root) != 0)
		return;
	for (;;) {
		uint64_t size = sizeof(info);

		if (root->read(root, &size, &info) != 0 || size == 0)
			break;
		put(u"LISTER: file ");
		put(info.name);
		put(u" ");
		put_number(info.file_size);
		put(u"\r\n");
	}
}

efi_status EFIAPI efi_main(void *handle, struct system_table *table);

efi_status EFIAPI
efi_main(void *handle, struct system_table *table)
{
	struct loaded_image *image;
	void *p;

	st = table;
	if (st->boot->handle_protocol(handle, &loaded_image_guid, &p) != 0)
		return EFI_ABORTED;
	image = p;
	put(u"\r\nLISTER: arguments ");
	if (image->options != NULL && image->options_size >= 2 &&
	    image->options[image->options_size / 2 - 1] == 0)
		put(image->options);
	put(u"\r\n");
	list(image);
	put(u"LISTER: end\r\n");
	if (has_word(image, "fail"))
		return EFI_ABORTED;
	if (!has_word(image, "back"))
		st->runtime->reset_system(2, 0, 0, NULL);
	return 0;
}
