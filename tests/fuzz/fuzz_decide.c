/*
 * Decisions about whatever a front daemon could send: the bytes of a request message, under a
 * policy that uses most of what there is.  What comes out is a whole answer within its bounds, and
 * the same the second time.
 */
#include "common/path.h"
#include "common/relay_info.h"
#include "handlerd/explain.h"
#include "tests/fuzz/fuzz.h"
#include "tests/stock.h"

#include <errno.h>
#include <string.h>

static const char conf[] =
    "{\"unknown\":\"approval\","
    "\"prompt\":{\"bios_text\":\"F12\",\"uefi_text\":\"F12\",\"key\":\"F12\"},"
    "\"groups\":[{\"name\":\"lab\",\"members\":[\"52:54:00:12:34:56\",\"SN1\"]}],"
    "\"loaders\":[{\"arch\":\"x64\",\"paths\":[\"none\",\"boot/x64/snponly.efi\"]}],"
    "\"referral\":{\"targets\":[{\"name\":\"two\",\"next_server\":\"10.9.0.1\",\"files\":["
    "{\"arch\":\"bios\",\"file\":\"two.0\"},{\"arch\":\"x64\",\"file\":\"two.efi\"}],"
    "\"near\":[\"10.1.0.0/16\",\"office\"],\"url\":\"http://10.9.0.1:8060/2PXE/boot\"},"
    "{\"name\":\"three\",\"url\":\"https://three.example/boot?x=1#f\",\"order\":1}]},"
    "\"entries\":[{\"name\":\"disk\",\"type\":\"local\"},"
    "{\"name\":\"arm\",\"type\":\"linux\",\"kernel\":\"k/${buildarch}\",\"arch\":[\"arm64\"]},"
    "{\"name\":\"pe\",\"type\":\"wim\",\"wimboot\":\"w\",\"wim\":\"boot.wim\","
    "\"files\":[\"u.xml as v.xml\"],\"secret\":true},"
    "{\"name\":\"away\",\"type\":\"refer\",\"target\":\"three\"},"
    "{\"name\":\"big\",\"type\":\"efi\",\"file\":\"b.efi\",\"min_memory_mb\":4096}],"
    "\"menus\":[{\"name\":\"top\",\"items\":[{\"kind\":\"entry\",\"name\":\"disk\"},"
    "{\"kind\":\"entry\",\"name\":\"pe\"},{\"kind\":\"entry\",\"name\":\"away\"},"
    "{\"kind\":\"menu\",\"name\":\"sub\"}]},"
    "{\"name\":\"sub\",\"items\":[{\"kind\":\"entry\",\"name\":\"arm\"},"
    "{\"kind\":\"entry\",\"name\":\"tiny\"},{\"kind\":\"menu\",\"name\":\"top\"}]}],"
    "\"rules\":["
    "{\"name\":\"files\",\"action\":\"refuse\",\"when\":{\"stage\":[\"file\"],"
    "\"file\":[\"*.secret\",\"*/../*\"]}},"
    "{\"name\":\"slow\",\"action\":\"ignore\",\"when\":{\"waited_s\":[\">=60\"],"
    "\"client\":[\"pxe\"]}},"
    "{\"name\":\"pin\",\"action\":\"menu\",\"menu\":\"top\",\"standing\":\"pe\","
    "\"when\":{\"param\":[\"pin=1*4?\",\"menu=*\"]}},"
    "{\"name\":\"model\",\"action\":\"loader\",\"loaders\":[\"boot/bios/undionly.kpxe\"],"
    "\"when\":{\"vendor_class\":[\"PXEClient:Arch:0000?:*\"]},\"unless\":{\"arch\":[\"x64\"]}},"
    "{\"name\":\"old\",\"action\":\"script\",\"when\":{\"ipxe_version\":[\"<1.21\"],"
    "\"ipxe_feature\":[\"http\"]}},"
    "{\"name\":\"maker\",\"action\":\"entry\",\"entry\":\"tiny\",\"when\":{\"manufacturer\":"
    "[\"*a*b*c*\",\"Dell*\"]},\"prompt\":{\"uefi_text\":\"Go?\"}},"
    "{\"name\":\"near\",\"action\":\"refer\",\"when\":{\"network\":[\"10.1.0.0/16\"]}},"
    "{\"name\":\"serial\",\"action\":\"quarantine\",\"when\":{\"serial\":[\"bad*\"]}},"
    "{\"name\":\"mac\",\"action\":\"approval\",\"when\":{\"mac\":[\"02\"]}},"
    "{\"name\":\"uuid\",\"action\":\"refuse\",\"when\":{\"uuid\":"
    "[\"00112233-4455-6677-8899-aabbccddeeff\"]}},"
    "{\"name\":\"product\",\"when\":{\"product\":[\"?*\"]}}]}";

static uint8_t scratch[2][DECIDE_SCRATCH];

static bool
same(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static void
check_answer(const struct decision *d)
{
	const struct boot_answer *a = &d->answer;

	MUST(a->action < ACTIONS && a->reason < REASONS && a->style < OFFER_STYLES);
	MUST(a->rule.n > 0 && a->boot == STOCK_BOOT);
	MUST(memchr(d->entry, 0, sizeof(d->entry)) != NULL);
	if (d->need != 0)
		return;
	MUST(a->reason != REASON_UNSPECIFIED);
	if (a->action == ACTION_DATA && slice_begins(a->data, "regf")) {
		MUST(d->as_boot && a->data.n % 4096 == 0 && a->data.n <= DECIDE_SCRATCH);
	} else if (a->action == ACTION_DATA) {
		MUST(slice_begins(a->data, d->as_boot ? "# made by Bootferry" : "#!ipxe\n"));
		MUST(a->data.n <= DECIDE_SCRATCH && a->data.p[a->data.n - 1] == '\n');
		MUST(memchr(a->data.p, 0, a->data.n) == NULL);
	}
	MUST(a->delay_ms == 0 || (a->action == ACTION_OFFER && a->delay_ms < 8000));
	MUST((a->delay_ms == 0) == (d->delay_words.n == 0));
	if (a->action == ACTION_OFFER)
		MUST(a->file.n > 0 || a->style == OFFER_LOCAL);
	if (a->action == ACTION_FILE)
		MUST(a->file.n > 0 && a->file.p[0] != '/');
	if (a->action == ACTION_ERROR)
		MUST(a->error != BOOT_ERROR_NONE && a->text.n > 0);
}

static void
decide_all(const struct boot_request *r, const struct policy *policy)
{
	static char path[CONTENT_PATH_MAX];
	struct decision d, again;
	struct facts f;
	struct wbuf w;
	json_t *o;

	stock_facts(r, (r->id & 1) != 0, (r->id & 2) != 0 ? 8060 : 0, path, &f);
	f.file_rc = (r->id & 4) != 0 ? -ENOENT : 0;
	f.file_secret = (r->id & 8) != 0;
	f.token = (r->id & 16) != 0 ? "abcDEF0-_" : "";
	f.tftp_load = (uint32_t)(r->id >> 6) % 1200;
	f.tftp_subnet = r->subnet;
	if ((r->id & 32) != 0)
		f.sources[SOURCE_BOOT].state = SOURCE_LATE;
	memset(scratch[1], 0xa5, sizeof(scratch[1]));
	wbuf_init(&w, scratch[0], sizeof(scratch[0]));
	decide(r, policy, &f, &w, &d);
	MUST(w.used <= sizeof(scratch[0]));
	check_answer(&d);
	wbuf_init(&w, scratch[1], sizeof(scratch[1]));
	decide(r, policy, &f, &w, &again);
	MUST(again.answer.action == d.answer.action && again.answer.reason == d.answer.reason);
	MUST(same(again.answer.data, d.answer.data) && same(again.answer.file, d.answer.file));
	MUST(again.need == d.need && again.effects == d.effects);
	MUST(again.answer.delay_ms == d.answer.delay_ms);
	o = explain_decision(r, policy, &f, &d);
	MUST(o != NULL);
	/* what cannot be written as JSON would be lost on its way to ferryctl */
	free(json_dumps(o, 0));
	json_decref(o);
	/* less room: refused, never cut */
	wbuf_init(&w, scratch[1], 600);
	decide(r, policy, &f, &w, &again);
	check_answer(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy *policies[2];
	struct boot_request r;
	struct msg_reader m;
	int rc;

	if (policies[0] == NULL) {
		policies[0] = stock_policy_of(conf);
		policies[1] = stock_policy_of(
		    "{\"script\":{\"boot\":\"/b\",\"images\":\"/i\",\"allow_boot\":\"/a\"}}");
	}
	if (msg_open(&m, data, size) < 0 || m.header.kind != MSG_REQUESTS)
		return 0;
	while ((rc = msg_get_request(&m, &r)) != -ENOENT) {
		struct relay_info info;

		if (rc < 0)
			continue;
		(void)relay_info_parse(r.relay_info, &info);
		for (size_t i = 0; i < NITEMS(policies); i++)
			decide_all(&r, policies[i]);
	}
	return 0;
}
