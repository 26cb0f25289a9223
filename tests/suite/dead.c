/*
 * A network boot program that is no use: it says so on the console and hangs, as loaders do on
 * firmware that they do not get on with.  Built by media.py; see lister.c.
 */
#include <stdint.h>

#define EFIAPI __attribute__((ms_abi))

struct text_output {
	void *reset;
	uint64_t(EFIAPI *output_string)(struct text_output *self, const uint16_t *text);
};

struct system_table {
	uint8_t header[24];
	void *vendor;
	uint64_t revision;
	void *in_handle, *in, *out_handle;
	struct text_output *out;
};

uint64_t EFIAPI efi_main(void *handle, struct system_table *system);

uint64_t EFIAPI
efi_main(void *handle, struct system_table *system)
{
	static const uint16_t text[] = u"\r\nDEAD: nothing happens\r\n";

	(void)handle;
	system->out->output_string(system->out, text);
	for (;;)
		__asm__ volatile("pause");
}
