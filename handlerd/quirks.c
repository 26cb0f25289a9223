/* The adaptive style of offers, as handlerd uses it; see quirks.h. */
#include "handlerd/quirks.h"

#include "common/log.h"

#include <stdio.h>

#define MODELS   2048
#define MACHINES 131072
/* What would be missed is written down so soon after it was learned, for handlerd may be killed. */
#define NEWS_MS 2000
/* Lines of timelines in a second; nobody reads more, and a storm must not fill the store. */
#define REMARKS_A_SECOND 50

static bool
is_firmware(const struct boot_request *r)
{
	return r->stage == STAGE_DISCOVER && r->server.family != 6 &&
	       (r->client == CLIENT_PXE || r->client == CLIENT_HTTP);
}

static void
sight_of(const struct boot_request *r, struct firmware *f, struct styles_sight *ret)
{
	firmware_of_request(r, f);
	*ret = (struct styles_sight){
		.mac = &r->mac,
		.firmware = f,
		.key = firmware_key(f),
		.xid = r->xid,
		.secs = r->secs,
	};
}

struct styles_return
quirks_arrive(struct handlerd *h, const struct boot_request *r, const struct policy *policy)
{
	struct styles_sight sight;
	struct firmware f;

	if (!is_firmware(r) || !policy->conf.offer_adapt)
		return (struct styles_return){ .unanswered = false };
	sight_of(r, &f, &sight);
	return styles_arrive(h->styles, &sight, wall_clock_ms());
}

/* --- what is told ----------------------------------------------------------------------------- */

static void
remark(struct handlerd *h, struct boot *b, const struct styles_return *before,
    const struct decision *d, uint64_t now_ms)
{
	const char *was = offer_style_name(before->style), *is = offer_style_name(d->answer.style);
	char text[160];

	if (now_ms / 1000 != h->styles_second) {
		h->styles_second = now_ms / 1000;
		h->styles_remarks = 0;
	}
	if (h->styles_remarks++ >= REMARKS_A_SECOND) {
		h->styles_unremarked++;
		return;
	}
	(void)snprintf(text, sizeof(text), "nothing followed the offer by %s%s; now %s: %s", was,
	    before->leased ? ", though it asked for an address" : "", is,
	    style_why_words(d->style_why));
	notes_remark(&h->notes, b, "offer-unanswered", was, text);
}

static void
tell_hopeless(struct handlerd *h, const struct styles_sight *sight, const struct boot *b,
    const struct styles_return *before)
{
	char words[FIRMWARE_WORDS_MAX], key[FIRMWARE_KEY_STRLEN], mac[MAC_STRLEN];

	if (!styles_hopeless(h->styles, sight->key))
		return;
	log_warnx(
	    "quirks: model %s (%s), mac=%s: no style of offer is followed. %s this model wants "
	    "the PXE options in the main DHCP server: `ferryctl dhcp-options --for kea` (or isc, "
	    "dnsmasq, microsoft, mikrotik, cisco) prints them",
	    firmware_key_format(sight->key, key), firmware_words(sight->firmware, words),
	    mac_format(&b->mac, mac),
	    before->leased ? "It gets an address, so" : "Unless no DHCP server answers it,");
}

/* --- what happens ----------------------------------------------------------------------------- */

static void
note_discover(struct handlerd *h, const struct boot_request *r, struct boot *b,
    const struct styles_return *before, const struct decision *d)
{
	uint64_t now_ms = wall_clock_ms();
	struct styles_sight sight;
	struct firmware f;

	if ((d->effects & EFFECT_STYLE) == 0 || d->answer.action != ACTION_OFFER) {
		styles_void(h->styles, &r->mac, r->client == CLIENT_HTTP);
		return;
	}
	sight_of(r, &f, &sight);
	styles_given(h->styles, &sight, d->answer.style, d->style_first, d->style_why, now_ms);
	if (!before->unanswered)
		return;
	remark(h, b, before, d, now_ms);
	if (d->style_why == STYLE_ROUND)
		tell_hopeless(h, &sight, b, before);
}

/* What a request shows of the offer before; false if nothing. */
static bool
sign_of(const struct boot_request *r, enum styles_sign *ret)
{
	/* what comes over IPv6 followed another offer, but for a loader's own requests */
	if (r->server.family == 6 && r->stage != STAGE_BOOT)
		return false;
	switch (r->stage) {
	case STAGE_DISCOVER:
	case STAGE_BOOT:
		*ret = STYLES_SIGN_LOADER;
		return r->stage == STAGE_BOOT || r->client == CLIENT_IPXE;
	case STAGE_BOOTSERVER:
		*ret = r->client == CLIENT_IPXE        ? STYLES_SIGN_LOADER
		       : (r->ndi & NDI_BOOT_ITEM) != 0 ? STYLES_SIGN_ITEM
		                                       : STYLES_SIGN_BOOTSERVER;
		return true;
	case STAGE_FILE:
		*ret = r->via == VIA_TFTP ? STYLES_SIGN_TFTP : STYLES_SIGN_HTTP;
		return true;
	default: return false;
	}
}

/* News go to the file soon, the rest when its minute comes. */
static void
note_news(struct handlerd *h)
{
	if (h->styles_due || h->styles_news == styles_news(h->styles))
		return;
	/* out of memory: the minute saves it */
	h->styles_due = loop_timer_set(h->loop, &h->styles_timer, NEWS_MS) == 0;
}

void
quirks_note(struct handlerd *h, const struct boot_request *r, struct boot *b,
    const struct styles_return *before, const struct decision *d)
{
	enum styles_sign sign;

	if (is_firmware(r))
		note_discover(h, r, b, before, d);
	else if (sign_of(r, &sign))
		(void)styles_followed(h->styles, &b->mac, sign, wall_clock_ms());
	note_news(h);
}

void
quirks_lease(struct handlerd *h, const struct macaddr *mac)
{
	styles_leased(h->styles, mac);
}

/* --- the file --------------------------------------------------------------------------------- */

static void
on_news(void *arg)
{
	struct handlerd *h = arg;

	h->styles_due = false;
	quirks_save(h);
}

int
quirks_open(struct handlerd *h)
{
	int rc = styles_new(MODELS, MACHINES, &h->styles);
	json_t *dump;

	if (rc < 0)
		return rc;
	loop_timer_init(&h->styles_timer, on_news, h);
	dump = handlerd_state_load(h, "-styles.json");
	if (dump == NULL)
		return 0;
	log_info("quirks: %zu models and machines remembered", styles_restore(h->styles, dump));
	json_decref(dump);
	return 0;
}

void
quirks_save(struct handlerd *h)
{
	uint64_t changes, news;

	if (h->styles == NULL || h->styles_saved == styles_changes(h->styles))
		return;
	changes = styles_changes(h->styles);
	news = styles_news(h->styles);
	if (!handlerd_state_save(h, "-styles.json", styles_dump(h->styles)))
		return;
	h->styles_saved = changes;
	h->styles_news = news;
}
