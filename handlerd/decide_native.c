/* Answers to pxelinux and GRUB, which ask for a configuration that the site has not; see decide.h.
 */
#include "handlerd/decision.h"
#include "handlerd/native.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define URL_MAX 320

/* What ${...} in the arguments of an entry stands for. */
struct room {
	char pxeurl[URL_MAX], fileurl[URL_MAX], reporturl[URL_MAX];
	char id[BOOT_ID_STRLEN], mac[MAC_STRLEN], uuid[UUID_STRLEN];
	struct native_value values[12];
};

static void
add_value(struct room *room, const char *name, const char *value)
{
	size_t i = 0;

	while (room->values[i].name != NULL)
		i++;
	if (i + 1 < NITEMS(room->values) && value[0] != '\0')
		room->values[i] = (struct native_value){ name, value };
}

static void
set_values(const struct deciding *d, struct room *room)
{
	const struct facts *f = d->facts;
	bool secure = f->web.http_port == 0;
	struct wbuf w;

	*room = (struct room){ .id = "" };
	wbuf_init(&w, room->pxeurl, sizeof(room->pxeurl) - 16);
	/* a kernel knows no CA of ours: plain HTTP, if that is on */
	put_base(&w, &f->web, secure, false);
	if (!w.bad) {
		(void)snprintf(room->fileurl, URL_MAX, "%.300s2PXE/file/", room->pxeurl);
		(void)snprintf(room->reporturl, URL_MAX, "%.300s2PXE/report/", room->pxeurl);
	}
	if (f->boot != 0)
		(void)boot_id_format(f->boot, room->id);
	if (f->subject.mac.len > 0)
		(void)mac_format(&f->subject.mac, room->mac);
	if (f->subject.has_uuid)
		(void)uuid_format(&f->subject.uuid, room->uuid);
	add_value(room, "pxeurl", w.bad ? "" : room->pxeurl);
	add_value(room, "fileurl", room->fileurl);
	add_value(room, "reporturl", room->reporturl);
	add_value(room, "bootid", room->id);
	add_value(room, "netX/mac", room->mac);
	add_value(room, "net0/mac", room->mac);
	add_value(room, "mac", room->mac);
	add_value(room, "uuid", room->uuid);
}

/*
 * The best iPXE that the second stage can start, or NULL.  pxelinux on a BIOS can; behind a GRUB
 * that came by the network iPXE finds no network card or hangs (measured with GRUB 2.06 and
 * iPXE 1.21.1).
 */
static const char *
find_ipxe(const struct facts *f, enum native_kind kind)
{
	for (size_t i = 0; i < f->nloaders && kind == NATIVE_PXELINUX; i++) {
		const struct loader *l = &f->loaders[i];

		if (l->info.kind == LOADER_IPXE && l->info.cpu == ARCH_CPU_BIOS &&
		    f->subject.cpu == ARCH_CPU_BIOS && l->rank > 0)
			return l->path;
	}
	return NULL;
}

static const char *
efi_suffix(enum arch_cpu cpu)
{
	switch (cpu) {
	case ARCH_CPU_IA32: return "ia32";
	case ARCH_CPU_X64: return "x64";
	case ARCH_CPU_ARM32: return "arm";
	case ARCH_CPU_ARM64: return "aa64";
	case ARCH_CPU_RISCV64: return "riscv64";
	default: return "";
	}
}

static void
say(const struct deciding *d, const struct native_ctx *ctx, enum boot_reason reason,
    enum native_end end, const char *text)
{
	size_t start = d->scratch->used;

	native_message(d->scratch, ctx, text, end);
	answer_script(d, start, reason);
}

/* What only iPXE can do. */
static void
go_to_ipxe(const struct deciding *d, const struct native_ctx *ctx, enum boot_reason reason)
{
	size_t start = d->scratch->used;

	if (ctx->ipxe == NULL) {
		say(d, ctx, REASON_NO_LOADER, NATIVE_LEAVE,
		    "This machine is to boot something that takes iPXE,\n"
		    "which this loader cannot start, or the server has not.");
		return;
	}
	native_ipxe(d->scratch, ctx);
	answer_script(d, start, reason);
}

static void
boot_entry(const struct deciding *d, const struct native_ctx *ctx, const struct offered *o,
    const struct ruling *ruling)
{
	char text[256];
	struct choice c;
	size_t start;

	if (choices_find(o->all, ruling->entry, &c) < 0) {
		(void)snprintf(
		    text, sizeof(text), "The entry %s is not on the server.", ruling->entry);
		say(d, ctx, REASON_NO_ENTRY, NATIVE_ASK, text);
		return;
	}
	if (!choice_suits(c, &ctx->client)) {
		(void)snprintf(text, sizeof(text),
		    "The entry %s is not for a machine of this kind.", ruling->entry);
		say(d, ctx, REASON_NO_ENTRY, NATIVE_LEAVE, text);
		return;
	}
	(void)snprintf(d->out->entry, sizeof(d->out->entry), "%s", choice_name(c));
	if (!native_can(ctx, c)) {
		go_to_ipxe(d, ctx, ruling->reason);
		return;
	}
	start = d->scratch->used;
	native_entry(d->scratch, ctx, c);
	answer_script(d, start, ruling->reason);
}

static void
show_menu(const struct deciding *d, const struct native_ctx *ctx, const struct offered *o,
    const struct ruling *ruling)
{
	struct menu_item items[VERDICT_ENTRIES_MAX];
	char standing[IMAGE_NAME_MAX];
	size_t start = d->scratch->used;
	struct menu menu;

	menu_of_ruling(d, ruling, &menu, items, standing);
	native_menu(d->scratch, ctx, o->all, &menu, ruling->prompt);
	answer_script(d, start, ruling->reason);
}

static void
answer_ruling(const struct deciding *d, const struct native_ctx *ctx, const struct ruling *ruling)
{
	struct offered o;
	size_t start = d->scratch->used;

	set_offered(d, ruling, &o);
	switch (ruling->kind) {
	case RULING_MENU: show_menu(d, ctx, &o, ruling); return;
	case RULING_ENTRY: boot_entry(d, ctx, &o, ruling); return;
	case RULING_REFER:
	case RULING_SCRIPT: go_to_ipxe(d, ctx, ruling->reason); return;
	case RULING_WAIT:
	case RULING_MESSAGE: say(d, ctx, ruling->reason, NATIVE_ASK, ruling->text); return;
	case RULING_REFUSE: say(d, ctx, ruling->reason, NATIVE_LEAVE, ruling->text); return;
	case RULING_IGNORE:
	case RULING_LOCAL:
	case RULING_PENDING: break;
	}
	native_leave(d->scratch, ctx);
	answer_script(d, start, ruling->reason);
}

bool
is_for_native(const struct facts *f)
{
	return f->path_rc == 0 && f->file_rc == -ENOENT && native_kind(f->path) != NATIVE_NONE;
}

void
give_native(const struct deciding *d)
{
	/* the question is the one that a boot request asks, and has the same answer */
	struct facts facts = *d->facts;
	struct room room;
	struct ruling ruling;
	enum arch_cpu cpu = facts.subject.cpu;
	const struct native_ctx ctx = {
		.kind = native_kind(facts.path),
		.path = facts.path,
		.client = { .cpu = cpu,
		    .firmware = cpu == ARCH_CPU_BIOS   ? ENTRY_BIOS
		                : cpu != ARCH_CPU_NONE ? ENTRY_UEFI
		                                       : ENTRY_ANY_FIRMWARE },
		.ipxe = find_ipxe(&facts, native_kind(facts.path)),
		.has_menu = facts.has_menu_program,
		.local = efi_suffix(cpu),
		.policy = d->policy,
		.values = room.values,
	};
	const struct deciding same = { d->r, d->policy, &facts, d->scratch, d->out, d->a };

	d->out->as_boot = true;
	facts.subject.stage = STAGE_BOOT;
	set_values(d, &room);
	judge(d->policy, &facts, NULL, NULL, &ruling);
	d->a->rule = slice_str(ruling.rule);
	d->out->need = ruling.need;
	d->out->effects |= ruling.effects;
	if (ruling.kind == RULING_PENDING)
		return;
	answer_ruling(&same, &ctx, &ruling);
	if (d->a->text.n == 0 && ruling.said != NULL)
		d->a->text = slice_str(ruling.said);
}
