/* Boots under way; see boots.h. */
#include "handlerd/boots.h"

#include "common/arch.h"
#include "common/path.h"
#include "handlerd/policy.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* An iPXE that asks DHCP again so soon after its script does so because of the script. */
#define SCRIPT_DHCP_MS 30000

/* So long after firmware last asked, a request to the boot server may be a part of that. */
#define STEP_MS 90000

struct boots {
	size_t n, limit;
	size_t nchains; /* a power of two */
	uint64_t idle_ms;
	boots_random_fn *random;
	void *random_arg;
	struct boot **by_id, **by_mac, **by_ip, **by_ip6, **by_uuid;
	struct boot *oldest, *newest;
};

const char *
boot_phase_name(enum boot_phase v)
{
	static const char *const names[PHASES] = {
		[PHASE_FIRMWARE] = "firmware",
		[PHASE_LOADER] = "loader",
		[PHASE_IPXE] = "ipxe",
		[PHASE_SCRIPT] = "script",
		[PHASE_IMAGE] = "image",
		[PHASE_STARTED] = "started",
		[PHASE_DONE] = "done",
		[PHASE_FAILED] = "failed",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

static uint64_t
hash_bytes(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3u;
	return h ^ h >> 31;
}

static struct boot **
id_chain(const struct boots *t, uint64_t id)
{
	return &t->by_id[hash_bytes(&id, sizeof(id)) & (t->nchains - 1)];
}

static struct boot **
mac_chain(const struct boots *t, const struct macaddr *mac)
{
	return &t->by_mac[hash_bytes(mac->b, mac->len) & (t->nchains - 1)];
}

static struct boot **
ip_chain(const struct boots *t, const struct ipaddr *ip)
{
	return ip->family == 6 ? &t->by_ip6[hash_bytes(ip->b, 16) & (t->nchains - 1)]
	                       : &t->by_ip[hash_bytes(ip->b, 4) & (t->nchains - 1)];
}

static struct boot **
uuid_chain(const struct boots *t, const struct uuid *uuid)
{
	return &t->by_uuid[hash_bytes(uuid->b, sizeof(uuid->b)) & (t->nchains - 1)];
}

/* The chains are alike but for their links' names. */
#define CHAIN(which)                                                                               \
	static void link_##which(struct boot *b, struct boot **chain)                              \
	{                                                                                          \
		b->next_##which = *chain;                                                          \
		b->prev_##which = chain;                                                           \
		if (*chain != NULL)                                                                \
			(*chain)->prev_##which = &b->next_##which;                                 \
		*chain = b;                                                                        \
	}                                                                                          \
	static void unlink_##which(struct boot *b)                                                 \
	{                                                                                          \
		if (b->prev_##which == NULL)                                                       \
			return;                                                                    \
		*b->prev_##which = b->next_##which;                                                \
		if (b->next_##which != NULL)                                                       \
			b->next_##which->prev_##which = b->prev_##which;                           \
		b->prev_##which = NULL;                                                            \
	}
CHAIN(id)
CHAIN(mac)
CHAIN(ip)
CHAIN(ip6)
CHAIN(uuid)

static void
age_unlink(struct boots *t, struct boot *b)
{
	*(b->older != NULL ? &b->older->newer : &t->oldest) = b->newer;
	*(b->newer != NULL ? &b->newer->older : &t->newest) = b->older;
	b->newer = b->older = NULL;
}

static void
age_link(struct boots *t, struct boot *b)
{
	b->older = t->newest;
	b->newer = NULL;
	*(t->newest != NULL ? &t->newest->newer : &t->oldest) = b;
	t->newest = b;
}

int
boots_new(
    size_t limit, uint64_t idle_ms, boots_random_fn *random, void *random_arg, struct boots **ret)
{
	struct boots *t = calloc(1, sizeof(*t));

	assert(limit > 0);
	if (t == NULL)
		return -ENOMEM;
	t->limit = limit;
	t->idle_ms = idle_ms;
	t->random = random;
	t->random_arg = random_arg;
	t->nchains = 1024;
	while (t->nchains < limit)
		t->nchains *= 2;
	t->by_id = calloc(t->nchains, sizeof(struct boot *));
	t->by_mac = calloc(t->nchains, sizeof(struct boot *));
	t->by_ip = calloc(t->nchains, sizeof(struct boot *));
	t->by_ip6 = calloc(t->nchains, sizeof(struct boot *));
	t->by_uuid = calloc(t->nchains, sizeof(struct boot *));
	if (t->by_id == NULL || t->by_mac == NULL || t->by_ip == NULL || t->by_ip6 == NULL ||
	    t->by_uuid == NULL) {
		boots_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

static void
remove_boot(struct boots *t, struct boot *b)
{
	unlink_id(b);
	unlink_mac(b);
	unlink_ip(b);
	unlink_ip6(b);
	unlink_uuid(b);
	age_unlink(t, b);
	t->n--;
	policy_unref(b->policy);
	free(b);
}

void
boots_free(struct boots *t)
{
	if (t == NULL)
		return;
	while (t->oldest != NULL)
		remove_boot(t, t->oldest);
	free(t->by_id);
	free(t->by_mac);
	free(t->by_ip);
	free(t->by_ip6);
	free(t->by_uuid);
	free(t);
}

size_t
boots_count(const struct boots *t)
{
	return t->n;
}

void
boots_set_idle(struct boots *t, uint64_t idle_ms)
{
	t->idle_ms = idle_ms;
}

struct boot *
boots_find(const struct boots *t, uint64_t id)
{
	struct boot *b = *id_chain(t, id);

	while (b != NULL && b->id != id)
		b = b->next_id;
	return b;
}

static struct boot *
find_mac(const struct boots *t, const struct macaddr *mac)
{
	struct boot *b;

	if (mac->len == 0)
		return NULL;
	b = *mac_chain(t, mac);
	while (b != NULL && !mac_eq(&b->mac, mac))
		b = b->next_mac;
	return b;
}

static struct boot *
find_ip(const struct boots *t, const struct ipaddr *ip)
{
	struct boot *b;

	if (ip->family == 0)
		return NULL;
	b = *ip_chain(t, ip);
	if (ip->family == 6) {
		while (b != NULL && !ip_eq(&b->address6, ip))
			b = b->next_ip6;
		return b;
	}
	while (b != NULL && !ip_eq(&b->address, ip))
		b = b->next_ip;
	return b;
}

/*
 * The boot whose boot server step this is.  Over IPv6 firmware takes that step from whichever
 * address it has, not the one that it boots with, and names itself by its UUID alone (measured on
 * OVMF).  UUIDs are cloned: so it must be a boot that has just asked, and the last one that did.
 */
static struct boot *
find_step(const struct boots *t, const struct boot_request *r, uint64_t now_ms)
{
	struct boot *found = NULL;

	if (r->stage != STAGE_BOOTSERVER || r->mac.len != 0 || !r->has_uuid)
		return NULL;
	for (struct boot *b = *uuid_chain(t, &r->uuid); b != NULL; b = b->next_uuid) {
		if (memcmp(&b->uuid, &r->uuid, sizeof(b->uuid)) == 0 &&
		    b->phase == PHASE_FIRMWARE && b->last_ms + STEP_MS >= now_ms &&
		    (found == NULL || b->last_ms > found->last_ms))
			found = b;
	}
	return found;
}

/* The boot goes by this hardware address from now on, and no other does. */
static void
set_mac(struct boots *t, struct boot *b, const struct macaddr *mac)
{
	struct boot *other;

	if (mac->len == 0 || (b->prev_mac != NULL && mac_eq(&b->mac, mac)))
		return;
	other = find_mac(t, mac);
	if (other != NULL)
		unlink_mac(other);
	unlink_mac(b);
	b->mac = *mac;
	link_mac(b, mac_chain(t, mac));
	b->dirty = true;
}

/* An address of IPv6 stands beside one of IPv4: many machines use both in one boot. */
static void
set_ip(struct boots *t, struct boot *b, const struct ipaddr *ip)
{
	struct boot *other;

	if (ip->family == 0 || (ip->family == 6 ? b->prev_ip6 != NULL && ip_eq(&b->address6, ip)
						: b->prev_ip != NULL && ip_eq(&b->address, ip)))
		return;
	b->dirty = true;
	other = find_ip(t, ip);
	if (ip->family == 6) {
		if (other != NULL)
			unlink_ip6(other);
		unlink_ip6(b);
		b->address6 = *ip;
		link_ip6(b, ip_chain(t, ip));
		if (b->address.family != 4)
			b->address = *ip;
		return;
	}
	if (other != NULL)
		unlink_ip(other);
	unlink_ip(b);
	b->address = *ip;
	link_ip(b, ip_chain(t, ip));
}

static struct boot *
add_boot(struct boots *t, uint64_t id, uint64_t now_ms)
{
	struct boot *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	while (t->n >= t->limit)
		remove_boot(t, t->oldest);
	b->id = id;
	b->started_ms = b->last_ms = now_ms;
	b->arch = ARCH_UNKNOWN;
	b->dirty = true;
	link_id(b, id_chain(t, id));
	age_link(t, b);
	t->n++;
	return b;
}

static uint64_t
new_id(struct boots *t)
{
	uint64_t id;

	do
		id = t->random(t->random_arg) & ((UINT64_C(1) << BOOT_ID_BITS) - 1);
	while (id == 0 || boots_find(t, id) != NULL);
	return id;
}

/* Whether a request begins a new boot of a machine that has this one. */
static bool
is_over(const struct boots *t, const struct boot *b, const struct boot_request *r, uint64_t now_ms)
{
	uint64_t silence_ms = now_ms > b->last_ms ? now_ms - b->last_ms : 0;

	if (silence_ms > t->idle_ms)
		return true;
	if (r->stage != STAGE_DISCOVER)
		return b->phase == PHASE_DONE && r->stage == STAGE_BOOT;
	if (r->client != CLIENT_IPXE) /* firmware starts at the beginning */
		return b->phase != PHASE_FIRMWARE;
	return b->phase > PHASE_SCRIPT || (b->phase == PHASE_SCRIPT && silence_ms > SCRIPT_DHCP_MS);
}

/* A machine has several IPv6 addresses, and each of its systems takes others: its link is the same.
 */
static bool
is_same_place(const struct ipaddr *a, const struct boot *b)
{
	if (a->family != 6)
		return ip_eq(a, &b->address);
	return b->address6.family == 6 && memcmp(a->b, b->address6.b, 8) == 0;
}

static struct boot *
find_for_request(const struct boots *t, const struct boot_request *r, uint64_t now_ms)
{
	struct boot *b = r->boot != 0 ? boots_find(t, r->boot) : NULL;

	/* an id is a claim: it must not tie one machine's requests to another's boot */
	if (b != NULL && (r->mac.len == 0 || b->mac.len == 0 || mac_eq(&r->mac, &b->mac)) &&
	    (r->mac.len != 0 || b->address.family == 0 || is_same_place(&r->address, b)))
		return b;
	b = find_mac(t, &r->mac);
	if (b == NULL)
		b = find_step(t, r, now_ms);
	if (b != NULL)
		return b;
	b = find_ip(t, &r->address);
	/* an address may have passed on to another machine */
	if (b != NULL && r->mac.len != 0 && b->mac.len != 0)
		return NULL;
	return b;
}

/* Attempts count on while a machine comes no further than its loader, within an hour. */
#define ATTEMPT_MS 3600000

static struct boot *
open_boot(struct boots *t, const struct boot *last, uint64_t now_ms)
{
	struct boot before = { .attempt = 0 };
	struct boot *b;

	/* adding may push the last one out */
	if (last != NULL)
		before = *last;
	b = add_boot(t, new_id(t), now_ms);
	if (b == NULL)
		return NULL;
	b->attempt = 1;
	if (last == NULL)
		return b;
	b->before = before.phase;
	b->before_ms = before.last_ms;
	b->machine = before.machine;
	if (before.phase <= PHASE_LOADER && now_ms - before.last_ms < ATTEMPT_MS)
		b->attempt += before.attempt;
	return b;
}

const struct boot *
boots_peek(const struct boots *t, const struct boot_request *r, uint64_t now_ms)
{
	const struct boot *b = find_for_request(t, r, now_ms);

	return b != NULL && !is_over(t, b, r, now_ms) ? b : NULL;
}

struct boot *
boots_for_request(struct boots *t, const struct boot_request *r, uint64_t now_ms, bool *opened)
{
	struct boot *b = find_for_request(t, r, now_ms);

	*opened = false;
	if (b == NULL || is_over(t, b, r, now_ms)) {
		b = open_boot(t, b, now_ms);
		if (b == NULL)
			return NULL;
		b->client = r->client;
		*opened = true;
	}
	set_mac(t, b, &r->mac);
	/* over IPv6 the boot server is not asked from the address that files are */
	if (r->stage != STAGE_BOOTSERVER || r->server.family != 6 || b->address6.family == 0)
		set_ip(t, b, &r->address);
	if (r->has_uuid && !b->has_uuid) {
		b->has_uuid = true;
		b->uuid = r->uuid;
		b->dirty = true;
	}
	if (r->server.family == 6 && b->has_uuid && b->prev_uuid == NULL)
		link_uuid(b, uuid_chain(t, &b->uuid));
	if (r->arch != ARCH_UNKNOWN && b->arch == ARCH_UNKNOWN) {
		b->arch = r->arch;
		b->dirty = true;
	}
	if (b->client == CLIENT_UNKNOWN)
		b->client = r->client;
	if (r->relay.family != 0)
		b->relay = r->relay;
	if (r->subnet.n > 0)
		(void)slice_copy(b->subnet, sizeof(b->subnet), r->subnet);
	b->last_ms = now_ms;
	age_unlink(t, b);
	age_link(t, b);
	return b;
}

struct boot *
boots_for_event(struct boots *t, const struct boot_event *e, uint64_t now_ms)
{
	struct boot *b = e->boot != 0 ? boots_find(t, e->boot) : NULL;

	if (b == NULL)
		b = find_mac(t, &e->mac);
	if (b == NULL)
		b = find_ip(t, &e->address);
	if (b == NULL)
		return NULL;
	if (e->kind == EVENT_LEASE)
		set_ip(t, b, &e->address);
	if (now_ms > b->last_ms)
		b->last_ms = now_ms;
	age_unlink(t, b);
	age_link(t, b);
	return b;
}

struct boot *
boots_restore(struct boots *t, const struct boot *from)
{
	struct boot *b;

	if (boots_find(t, from->id) != NULL)
		return NULL;
	b = add_boot(t, from->id, from->started_ms);
	if (b == NULL)
		return NULL;
	b->last_ms = from->last_ms;
	b->machine = from->machine;
	b->has_uuid = from->has_uuid;
	b->uuid = from->uuid;
	b->relay = from->relay;
	b->phase = from->phase;
	b->client = from->client;
	b->arch = from->arch;
	b->trusted = from->trusted;
	b->by_http = from->by_http;
	memcpy(b->image, from->image, sizeof(b->image));
	memcpy(b->subnet, from->subnet, sizeof(b->subnet));
	set_mac(t, b, &from->mac);
	set_ip(t, b, &from->address);
	b->dirty = false;
	return b;
}

static void
set_phase(struct boot *b, enum boot_phase phase)
{
	if (b->phase != phase) {
		b->phase = phase;
		b->dirty = true;
	}
}

/* What merely repeats an earlier step never takes a boot back. */
static void
advance(struct boot *b, enum boot_phase phase)
{
	if (phase > b->phase || b->phase == PHASE_FAILED)
		set_phase(b, phase);
}

/* The image that a path below images/ belongs to. */
static void
note_image(struct boot *b, const char *path)
{
	const char *name = path + strlen("images");
	size_t n;

	name += *name == '/';
	n = strcspn(name, "/");
	if (n == 0 || n >= sizeof(b->image) || name[n] == '\0')
		return;
	if (strncmp(b->image, name, n) != 0 || b->image[n] != '\0') {
		memcpy(b->image, name, n);
		b->image[n] = '\0';
		b->dirty = true;
	}
}

static void
note_file(struct boot *b, const struct boot_request *r, const struct boot_answer *a)
{
	char path[CONTENT_PATH_MAX];

	(void)slice_copy(path, sizeof(path), a->file);
	if (names_is_loader(path)) {
		names_folder(path, b->folder);
		b->loader_ms = b->last_ms;
	}
	if (path_is_below(path, "images")) {
		note_image(b, path);
		advance(b, PHASE_IMAGE);
	} else if (b->phase == PHASE_FIRMWARE) {
		set_phase(b, PHASE_LOADER);
		b->by_http = r->via == VIA_HTTP;
	}
}

bool
boot_is_told_roots(const struct boot_request *r, const struct boot_answer *a)
{
	return (r->stage == STAGE_DISCOVER || r->stage == STAGE_BOOTSERVER) &&
	       (r->client != CLIENT_IPXE || a->reason == REASON_LOADER_NEWER) &&
	       a->action == ACTION_OFFER && a->trust.n > 0;
}

void
boot_note_answer(struct boot *b, const struct boot_request *r, const struct boot_answer *a)
{
	switch (r->stage) {
	case STAGE_DISCOVER:
	case STAGE_BOOTSERVER:
		if (r->client == CLIENT_IPXE)
			advance(b, PHASE_IPXE);
		if (boot_is_told_roots(r, a) && !b->trusted) {
			b->trusted = true;
			b->dirty = true;
		}
		break;
	case STAGE_FILE:
		if (a->action == ACTION_FILE)
			note_file(b, r, a);
		break;
	case STAGE_BOOT:
		if (a->reason == REASON_COLLECT)
			advance(b, PHASE_IPXE);
		else
			set_phase(b, PHASE_SCRIPT);
		break;
	default: break;
	}
}

uint64_t
boot_given(struct slice entry)
{
	return hash_bytes(entry.p, entry.n) | UINT64_C(1) << 63;
}

void
boot_note_script(struct boot *b)
{
	set_phase(b, PHASE_SCRIPT);
}

void
boot_note_entry(struct boot *b, const char *name)
{
	if (strcmp(b->image, name) == 0)
		return;
	(void)slice_copy(b->image, sizeof(b->image), slice_str(name));
	b->dirty = true;
}

void
boot_note_report(struct boot *b, struct slice word)
{
	static const struct {
		const char *word; /* compared without case, as 2PXE's clients send both */
		enum boot_phase phase;
	} words[] = {
		{ "started", PHASE_STARTED },
		{ "kernel", PHASE_STARTED },
		{ "done", PHASE_DONE },
		{ "deployend", PHASE_DONE },
		{ "failed", PHASE_FAILED },
		{ "failure", PHASE_FAILED },
	};

	for (size_t i = 0; i < NITEMS(words); i++) {
		size_t n = strlen(words[i].word);

		if (word.n >= n && strncasecmp((const char *)word.p, words[i].word, n) == 0 &&
		    (word.n == n || word.p[n] == '/')) {
			set_phase(b, words[i].phase);
			return;
		}
	}
}

bool
boot_has_note(const struct boot *b, enum boot_note kind, uint64_t note, uint64_t now_ms)
{
	return note == b->last[kind].note && now_ms - b->last[kind].at_ms < BOOT_REPEAT_MS;
}

bool
boot_is_repetition(
    struct boot *b, enum boot_note kind, uint64_t note, uint64_t now_ms, uint32_t *repeats)
{
	if (boot_has_note(b, kind, note, now_ms)) {
		b->last[kind].repeats++;
		return true;
	}
	*repeats = b->last[kind].repeats;
	b->last[kind].repeats = 0;
	b->last[kind].note = note;
	b->last[kind].at_ms = now_ms;
	return false;
}

void
boot_break_repetition(struct boot *b)
{
	for (size_t i = 0; i < BOOT_NOTES; i++)
		b->last[i].note = 0;
}

uint32_t
boot_take_repeats(struct boot *b, uint64_t now_ms, bool ending)
{
	uint32_t n = b->last[NOTE_REQUEST].repeats;

	if (!ending && now_ms - b->last[NOTE_REQUEST].at_ms < BOOT_REPEAT_MS)
		return 0;
	b->last[NOTE_REQUEST].repeats = 0;
	return n;
}

void
boots_each(const struct boots *t, size_t part, size_t parts, void (*fn)(void *arg, struct boot *b),
    void *arg)
{
	for (size_t i = t->nchains * part / parts; i < t->nchains * (part + 1) / parts; i++) {
		for (struct boot *b = t->by_id[i]; b != NULL; b = b->next_id)
			fn(arg, b);
	}
}

struct boot *
boots_newest(const struct boots *t)
{
	return t->newest;
}
