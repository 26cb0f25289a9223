/* Reports to the web service; see report.h. */
#include "handlerd/report.h"

#include "common/path.h"

#include <stdio.h>
#include <string.h>

/* Sends what is known of the boot as a report; `more` (taken over) stands beside it. */
static void
send_report(struct handlerd *h, enum ws_feature feature, const struct boot *b,
    const struct boot_request *r, json_t *more)
{
	const struct hook_facts facts = { .now_ms = wall_clock_ms(), .arch = b->arch };
	struct boot_request known = *r;
	char machine[24], id[BOOT_ID_STRLEN];
	json_t *body;

	/* a URL of a report or a file names the boot at most */
	if (known.mac.len == 0)
		known.mac = b->mac;
	if (!known.has_uuid) {
		known.has_uuid = b->has_uuid;
		known.uuid = b->uuid;
	}
	body = hook_request(HOOK_BOOT, &known, &facts);
	if (body == NULL) {
		json_decref(more);
		return;
	}
	json_object_set_new(body, "boot", json_string(boot_id_format(b->id, id)));
	json_object_update(body, more);
	json_decref(more);
	(void)snprintf(machine, sizeof(machine), "%llu",
	    (unsigned long long)(b->machine != 0 ? b->machine : b->id));
	sources_report(h->sources, feature, body, machine);
}

void
report_decision(struct handlerd *h, const struct boot_request *r, const struct boot *b,
    const struct facts *facts, const struct decision *d)
{
	(void)facts;
	if (b == NULL)
		return;
	if (r->stage == STAGE_BOOT && d->entry[0] != '\0' && d->answer.action == ACTION_DATA &&
	    sources_wants_report(h->sources, WS_REPORT_CONFIGURATION))
		send_report(h, WS_REPORT_CONFIGURATION, b, r,
		    json_pack("{s:s, s:s}", "entry", d->entry, "reason",
			boot_reason_name(d->answer.reason)));
	if (r->stage == STAGE_REPORT && sources_wants_report(h->sources, WS_REPORT_BOOT)) {
		char word[64];

		(void)slice_copy(word, sizeof(word), r->file);
		send_report(h, WS_REPORT_BOOT, b, r,
		    json_pack(
			"{s:s+, s:s}", "report", word, "", "phase", boot_phase_name(b->phase)));
	}
}

void
report_transfer(struct handlerd *h, const struct boot *b, const struct boot_event *e)
{
	enum ws_feature feature = e->kind == EVENT_TRANSFER_BEGAN ? WS_REPORT_DOWNLOAD_START
	                                                          : WS_REPORT_DOWNLOAD_COMPLETE;
	struct boot_request r = {
		.stage = STAGE_FILE,
		.via = e->via,
		.arch = b->arch,
		.address = e->address,
		.boot = b->id,
		.file = e->file,
	};
	char path[CONTENT_PATH_MAX];

	if ((e->kind != EVENT_TRANSFER_BEGAN && e->kind != EVENT_TRANSFER_FINISHED) ||
	    !sources_wants_report(h->sources, feature))
		return;
	(void)slice_copy(path, sizeof(path), e->file);
	if (!path_is_below(path, "images"))
		return; /* a loader's way is not what it asked for */
	send_report(h, feature, b, &r,
	    json_pack(
		"{s:I, s:i}", "bytes", (json_int_t)e->bytes, "duration_ms", (int)e->duration_ms));
}
