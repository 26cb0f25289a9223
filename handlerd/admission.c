/* How long offers wait; see admission.h. */
#include "handlerd/admission.h"

/*
 * BIOS ROMs of Intel's kind take offers for 4 s and more, some for 2 s (PXE 2.1 section 2.2.5 has
 * 4, 8, 16 and 32 s), and many leave as soon as they have what they need: there the offer decides
 * when their transfer begins.
 */
#define BIOS_OFFER_MS 1500
/* They ask a boot server four times, after 1, 2, 3 and 4 s, by the same specification. */
#define BIOS_BOOT_SERVER_MS 700
/*
 * UEFI firmware (edk2) waits its whole 4 s whatever comes when: a late offer wins nothing.  It asks
 * the boot server four times with 1, 2, 3 and 4 s to wait and one xid, takes the answer in any of
 * them, and begins to load when that one's time is over: after 1, 3, 6 or 10 s.
 */
#define UEFI_BOOT_SERVER_MS 8000

uint32_t
admission_window_ms(const struct boot_request *r, enum arch_cpu cpu)
{
	bool boot_server = r->stage == STAGE_BOOTSERVER;

	/*
	 * iPXE leaves discovery after 2 s and loads its script by HTTP.  U-Boot and Raspberry Pis
	 * take the first offers that come.  How patient firmware is over DHCPv6 was not measured.
	 */
	if (r->client != CLIENT_PXE || r->secs != 0 || r->server.family == 6 || r->mac.len == 0 ||
	    (r->stage != STAGE_DISCOVER && !boot_server))
		return 0;
	switch (cpu) {
	case ARCH_CPU_NONE:
	case ARCH_CPU_RPI: return 0;
	case ARCH_CPU_BIOS: return boot_server ? BIOS_BOOT_SERVER_MS : BIOS_OFFER_MS;
	default: return boot_server ? UEFI_BOOT_SERVER_MS : 0;
	}
}

/* A number below `below`, the same for the same address and far apart for neighbours. */
static uint32_t
spread(const struct macaddr *mac, uint64_t below)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < mac->len; i++)
		h = (h ^ mac->b[i]) * 0x100000001b3u;
	h = (h ^ h >> 32) * 0x9e3779b97f4a7c15u;
	return (uint32_t)((h >> 32) * below >> 32);
}

uint32_t
admission_delay_ms(
    uint32_t load_permille, uint32_t from_permille, const struct boot_request *r, enum arch_cpu cpu)
{
	uint64_t window_ms;
	uint32_t load = load_permille < LOAD_FULL ? load_permille : LOAD_FULL;

	if (from_permille == 0 || load < from_permille)
		return 0;
	window_ms = admission_window_ms(r, cpu);
	/* at the threshold itself a little, so that it is a threshold also when it is LOAD_FULL */
	return spread(
	    &r->mac, window_ms * (load - from_permille + 1) / (LOAD_FULL - from_permille + 1));
}

void
admission_words(struct wbuf *w, uint32_t delay_ms, struct slice subnet, uint32_t load)
{
	wbuf_printf(w, "delayed %u ms: tftpd of subnet %.*s is at %u.%u %%", delay_ms,
	    (int)subnet.n, (const char *)subnet.p, load / 10, load % 10);
}
