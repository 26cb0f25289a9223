/*
 * Answers to emulated clients: a byte for the kind, then packets, each behind two bytes of length
 * and one that says whether xid and address are made to fit.  Whatever came, the words print and
 * what follows is complete.
 */
#include "ferryctl/emulate.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const uint8_t own[4] = { 10, 77, 0, 2 };

static void
check_verdict(const struct emulate_verdict *v)
{
	MUST(v->nsteps > 0 && v->nsteps <= EMULATE_STEPS);
	for (size_t i = 0; i < v->nsteps; i++) {
		MUST(memchr(v->steps[i], '\0', EMULATE_STEP) != NULL && v->steps[i][0] != '\0');
		for (const char *p = v->steps[i]; *p != '\0'; p++)
			MUST((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f);
	}
	MUST(memchr(v->file, '\0', EMULATE_FILE) != NULL);
	MUST((v->next != EMULATE_TFTP && v->next != EMULATE_URL) || v->file[0] != '\0');
	MUST(v->next != EMULATE_ASK || v->port != 0);
	MUST(v->trust_n <= EMULATE_TRUST);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[EMULATE_PACKETS + 2][2048];
	struct emulate_packet packets[EMULATE_PACKETS + 2];
	struct emulate_client c = { .mac = { 2, 0xd0, 0xc7, 0, 0, 1 }, .xid = 0x0badcafe };
	struct emulate_verdict v;
	uint8_t request[1500];
	struct rbuf r;
	struct wbuf w;
	size_t n = 0;

	rbuf_init(&r, data, size);
	c.kind = (enum emulate_kind)(rbuf_u8(&r) % EMULATES);
	while (r.left > 3 && n < NITEMS(packets)) {
		size_t length = rbuf_u16(&r) % sizeof(bytes[0]);
		uint8_t how = rbuf_u8(&r);
		struct slice s = rbuf_slice(&r, length < r.left ? length : r.left);

		memcpy(bytes[n], s.p, s.n);
		if ((how & 1) != 0 && s.n >= 34) {
			static const uint8_t xid[] = { 0x0b, 0xad, 0xca, 0xfe };

			bytes[n][0] = 2;
			bytes[n][2] = 6;
			memcpy(bytes[n] + 4, xid, sizeof(xid));
			memcpy(bytes[n] + 28, c.mac, sizeof(c.mac));
		}
		packets[n] = (struct emulate_packet){
			.bytes = { bytes[n], s.n },
			.from = { 10, 77, 0, how },
			.from_port = (how & 2) != 0 ? 4011 : 67,
			.after_ms = (how & 4) != 0 ? 3500 : 1,
		};
		n++;
	}
	emulate_offers(&c, packets, n, own, &v);
	check_verdict(&v);
	if (v.next != EMULATE_ASK)
		return 0;
	wbuf_init(&w, request, sizeof(request));
	emulate_request(&c, &v, c.xid, own, &w);
	MUST(!w.bad);
	emulate_answers(&c, c.xid, packets, n, &v);
	check_verdict(&v);
	MUST(v.next != EMULATE_ASK);
	return 0;
}
