/* Tests of handlerd/admission.c: who waits how long for a tftpd that has its hands full. */
#include "handlerd/admission.h"

#include "tests/test.h"

#include <stdio.h>

static struct boot_request
request(enum boot_stage stage, enum boot_client client, uint16_t secs, uint8_t family)
{
	return (struct boot_request){ .stage = stage,
		.client = client,
		.secs = secs,
		.server = { family, { 10, 0, 0, 1 } },
		.mac = { 6, { 0x52, 0x54, 0, 1, 2, 3 } } };
}

static void
test_windows(void)
{
	static const struct {
		const char *what;
		enum boot_stage stage;
		enum boot_client client;
		enum arch_cpu cpu;
		uint16_t secs;
		uint8_t family;
		uint32_t window_ms;
	} cases[] = {
		{ "a BIOS ROM's DISCOVER: within the 2 s of the least patient", STAGE_DISCOVER,
		    CLIENT_PXE, ARCH_CPU_BIOS, 0, 4, 1500 },
		{ "its request to the boot server: within the first second", STAGE_BOOTSERVER,
		    CLIENT_PXE, ARCH_CPU_BIOS, 0, 4, 700 },
		{ "UEFI firmware waits out its 4 s, a late offer wins nothing", STAGE_DISCOVER,
		    CLIENT_PXE, ARCH_CPU_X64, 0, 4, 0 },
		{ "but it asks the boot server for 10 s", STAGE_BOOTSERVER, CLIENT_PXE,
		    ARCH_CPU_X64, 0, 4, 8000 },
		{ "on any CPU", STAGE_BOOTSERVER, CLIENT_PXE, ARCH_CPU_ARM64, 0, 4, 8000 },
		{ "who asks again has waited", STAGE_BOOTSERVER, CLIENT_PXE, ARCH_CPU_X64, 1, 4,
		    0 },
		{ "whichever way round its octets are", STAGE_DISCOVER, CLIENT_PXE, ARCH_CPU_BIOS,
		    0x400, 4, 0 },
		{ "iPXE leaves discovery after 2 s", STAGE_DISCOVER, CLIENT_IPXE, ARCH_CPU_BIOS, 0,
		    4, 0 },
		{ "and loads by HTTP", STAGE_BOOTSERVER, CLIENT_IPXE, ARCH_CPU_X64, 0, 4, 0 },
		{ "so does HTTP Boot", STAGE_DISCOVER, CLIENT_HTTP, ARCH_CPU_X64, 0, 4, 0 },
		{ "U-Boot takes the first offer", STAGE_DISCOVER, CLIENT_UBOOT, ARCH_CPU_ARM64, 0,
		    4, 0 },
		{ "a Raspberry Pi too", STAGE_DISCOVER, CLIENT_RPI, ARCH_CPU_RPI, 0, 4, 0 },
		{ "even where it says that it is a PXE ROM", STAGE_DISCOVER, CLIENT_PXE,
		    ARCH_CPU_RPI, 0, 4, 0 },
		{ "a CPU that nobody knows", STAGE_BOOTSERVER, CLIENT_PXE, ARCH_CPU_NONE, 0, 4, 0 },
		{ "DHCPv6", STAGE_BOOTSERVER, CLIENT_PXE, ARCH_CPU_X64, 0, 6, 0 },
		{ "a file", STAGE_FILE, CLIENT_PXE, ARCH_CPU_X64, 0, 4, 0 },
		{ "a boot request", STAGE_BOOT, CLIENT_PXE, ARCH_CPU_X64, 0, 4, 0 },
	};
	struct boot_request nobody = request(STAGE_BOOTSERVER, CLIENT_PXE, 0, 4);

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot_request r =
		    request(cases[i].stage, cases[i].client, cases[i].secs, cases[i].family);

		test_case("window: %s", cases[i].what);
		CHECK_INT(admission_window_ms(&r, cases[i].cpu), cases[i].window_ms);
	}
	test_case("window: without a hardware address nobody could be told from others");
	nobody.mac.len = 0;
	CHECK_INT(admission_window_ms(&nobody, ARCH_CPU_X64), 0);
}

/* The delays of `n` machines with neighbouring addresses. */
static void
delays(uint32_t load, uint32_t from, uint32_t n, uint32_t *ret_least, uint32_t *ret_most,
    uint32_t tenths[static 10])
{
	*ret_least = UINT32_MAX;
	*ret_most = 0;
	for (size_t i = 0; i < 10; i++)
		tenths[i] = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct boot_request r = request(STAGE_BOOTSERVER, CLIENT_PXE, 0, 4);
		uint32_t ms;

		r.mac.b[4] = (uint8_t)(i >> 8);
		r.mac.b[5] = (uint8_t)i;
		ms = admission_delay_ms(load, from, &r, ARCH_CPU_X64);
		CHECK_INT(admission_delay_ms(load, from, &r, ARCH_CPU_X64), ms);
		*ret_least = ms < *ret_least ? ms : *ret_least;
		*ret_most = ms > *ret_most ? ms : *ret_most;
		tenths[ms / 800 < 10 ? ms / 800 : 9]++;
	}
}

static void
test_delays(void)
{
	static const struct {
		const char *what;
		uint32_t load, from;
		uint32_t least_most, most; /* the most that is waited lies between these */
	} cases[] = {
		{ "nothing below the threshold", 699, 700, 0, 0 },
		{ "next to nothing at it", 700, 700, 1, 30 },
		{ "half of the window half-way", 850, 700, 3900, 4100 },
		{ "all of the window when it is full", 1000, 700, 7900, 7999 },
		{ "and not more when it says that it is more than full", 4000, 700, 7900, 7999 },
		{ "a threshold of 1000 is all or nothing: nothing", 999, 1000, 0, 0 },
		{ "all", 1000, 1000, 7900, 7999 },
		{ "a threshold of 1", 1000, 1, 7900, 7999 },
		{ "no threshold, no waiting", 1000, 0, 0, 0 },
	};
	uint32_t least, most, tenths[10];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("delay: %s", cases[i].what);
		delays(cases[i].load, cases[i].from, 1000, &least, &most, tenths);
		CHECK(most >= cases[i].least_most && most <= cases[i].most);
	}
	test_case("delay: a thousand neighbours are spread evenly over the window");
	delays(1000, 700, 1000, &least, &most, tenths);
	CHECK(least < 100);
	for (size_t i = 0; i < 10; i++)
		CHECK(tenths[i] >= 70 && tenths[i] <= 130);
	test_case("delay: who asks again is answered at once, however full it is");
	{
		struct boot_request r = request(STAGE_BOOTSERVER, CLIENT_PXE, 3, 4);

		CHECK_INT(admission_delay_ms(1000, 700, &r, ARCH_CPU_X64), 0);
	}
}

static void
test_words(void)
{
	char text[ADMISSION_WORDS_MAX + 1];
	struct wbuf w;

	test_case("words: they say how long, for whom and why");
	wbuf_init(&w, text, sizeof(text) - 1);
	admission_words(&w, 1200, slice_str("lab"), 905);
	text[w.used] = '\0';
	CHECK_STR(text, "delayed 1200 ms: tftpd of subnet lab is at 90.5 %");
}

int
main(void)
{
	test_windows();
	test_delays();
	test_words();
	return test_end();
}
