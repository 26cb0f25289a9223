/* Facts; see gather.h. */
#include "handlerd/gather.h"

#include "common/arch.h"
#include "common/log.h"
#include "handlerd/lookup.h"
#include "handlerd/native.h"
#include "handlerd/pattern.h"
#include "handlerd/script.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* httpsbootd's port where none has announced itself yet: it may just be starting. */
#define HTTPS_PORT 8050

/* --- the place ------------------------------------------------------------------------------ */

static const char *
host_of(const struct service *s, const char *ip)
{
	return s->host_name[0] != '\0' ? s->host_name : ip;
}

/* Base URLs of the other httpsbootds that live, those of this subnet first. */
static void
gather_others(struct handlerd *h, const struct service *own, uint8_t family, bool secure,
    uint64_t now_ms, struct fact_room *room, struct web *web)
{
	for (size_t i = 0; i < SERVICES_MAX && web->nothers < GATHER_OTHERS; i++) {
		const struct service *s = &h->services.v[i];
		char ip[IP_STRLEN];
		struct ipaddr at;
		const char *host;

		if (s == own || s->origin == 0 || s->daemon != DAEMON_HTTPSBOOTD ||
		    service_address(s, family, &at) < 0 || at.family == 0 ||
		    !service_is_alive(s, now_ms) || (!secure && s->http_port == 0))
			continue;
		host = host_of(s, ip_format(&at, ip));
		(void)snprintf(room->others[web->nothers], sizeof(room->others[0]),
		    strchr(host, ':') != NULL ? "%s://[%s]:%u/" : "%s://%s:%u/",
		    secure ? "https" : "http", host, secure ? s->port : s->http_port);
		room->other_list[web->nothers] = room->others[web->nothers];
		web->nothers++;
	}
	web->others = room->other_list;
}

/* The IP version that a client talks to us by; DHCP's first packets come from no address. */
static uint8_t
family_of(const struct boot_request *r)
{
	return r->server.family != 0 ? r->server.family : 4;
}

/* The web address for this request's client. */
static void
gather_web(struct handlerd *h, const struct boot_request *r, uint64_t now_ms,
    struct fact_room *room, struct web *web)
{
	const struct service *s = services_pick(&h->services, DAEMON_HTTPSBOOTD, r->subnet, now_ms);
	uint8_t family = family_of(r);
	struct ipaddr ip = { 0 };
	/* one that came by HTTP reaches us where it did: httpsbootd may have several addresses */
	bool came = r->server.family != 0 && (r->via == VIA_HTTP || r->via == VIA_HTTPS);
	bool other = !came && s != NULL && service_address(s, family, &ip) < 0;

	if (other)
		ip = s->address;
	else if (came || ip.family == 0)
		ip = r->server;
	(void)ip_format(&ip, room->ip);
	(void)slice_copy(
	    room->host, sizeof(room->host), slice_str(s != NULL ? host_of(s, room->ip) : room->ip));
	*web = (struct web){
		.host = room->host, .ip = room->ip, .port = HTTPS_PORT, .other_family = other
	};
	if (s != NULL) {
		web->known = true;
		web->port = s->port;
		web->http_port = s->http_port;
		web->pulls = s->pulls;
		web->trust = (struct slice){ s->trust, s->trust_n };
	}
	if (r->stage == STAGE_BOOT)
		gather_others(h, s, family, r->via != VIA_HTTP, now_ms, room, web);
}

/* One of our own addresses; one of an httpsbootd is also a place that URLs lead to. */
static void
add_own(const struct service *s, const struct ipaddr *ip, struct fact_room *room, size_t *n,
    size_t *places)
{
	struct url_place *place = &room->places[*places];

	if (ip->family == 0)
		return;
	if (s->daemon == DAEMON_TFTPD)
		room->own[(*n)++] = *ip;
	if (s->daemon != DAEMON_HTTPSBOOTD)
		return;
	(void)ip_format(ip, place->host);
	place->port = s->port;
	(*places)++;
}

/* Who we are, for telling a referral that leads back. */
static void
gather_self(struct handlerd *h, struct fact_room *room, struct referral_self *self)
{
	size_t n = 0, places = 0;

	for (size_t i = 0; i < SERVICES_MAX; i++) {
		const struct service *s = &h->services.v[i];
		struct url_place *place;

		if (s->origin == 0 || (s->address.family == 0 && s->address6.family == 0))
			continue;
		add_own(s, &s->address, room, &n, &places);
		add_own(s, &s->address6, room, &n, &places);
		if (s->daemon != DAEMON_HTTPSBOOTD || s->host_name[0] == '\0')
			continue;
		place = &room->places[places++];
		(void)slice_copy(place->host, sizeof(place->host), slice_str(s->host_name));
		place->port = s->port;
	}
	*self = (struct referral_self){
		.id = keyring_site(h->keyring),
		.addresses = room->own,
		.naddresses = n,
		.places = room->places,
		.nplaces = places,
	};
}

/* --- the machine ---------------------------------------------------------------------------- */

void
gather_machine(struct handlerd *h, const struct boot_request *r, struct boot *b, uint64_t now_ms)
{
	const struct machine_facts facts = {
		.arch = r->arch != ARCH_UNKNOWN ? r->arch : b->arch,
		.address = r->address,
		.platform = identity_text(r->platform),
		.version = identity_text(r->version),
	};
	struct identity claim;
	struct machine m;
	uint64_t id;

	identity_from_request(r, &claim);
	if (claim.mac.len == 0)
		claim.mac = b->mac;
	if (!claim.has_uuid && b->has_uuid) {
		claim.has_uuid = true;
		claim.uuid = b->uuid;
	}
	id = inventory_note(&h->inventory, &claim, &facts, now_ms);
	h->notes.put_something = true;
	/* its last boot may be gone from memory, but the machine knows how it ended */
	if (b->before_ms == 0 && machines_get(h->inventory.table, id, &m) && m.phase_ms != 0 &&
	    m.phase_ms < b->started_ms) {
		b->before = m.phase;
		b->before_ms = m.phase_ms;
	}
	if (id == 0 || id == b->machine)
		return;
	b->machine = id;
	b->dirty = true;
	b->machine_is_new = machines_get(h->inventory.table, id, &m) && m.first_ms >= b->started_ms;
}

static void
gather_knowledge(
    struct handlerd *h, const struct boot *b, uint64_t now_ms, struct machine_knowledge *k)
{
	if (b == NULL || b->machine == 0 || !machines_get(h->inventory.table, b->machine, &k->m))
		return;
	k->known = true;
	k->is_new = b->machine_is_new;
	k->is_assigned = k->m.entry.n > 0 && (k->m.until_ms == 0 || k->m.until_ms > now_ms);
}

static enum rule_outcome
outcome_of(enum boot_phase phase)
{
	switch (phase) {
	case PHASE_FIRMWARE:
	case PHASE_LOADER: return OUTCOME_LOADER;
	case PHASE_IPXE:
	case PHASE_SCRIPT:
	case PHASE_IMAGE: return OUTCOME_SCRIPT;
	case PHASE_STARTED: return OUTCOME_STARTED;
	case PHASE_DONE: return OUTCOME_DONE;
	default: return OUTCOME_FAILED;
	}
}

/* --- the subject of rules ------------------------------------------------------------------- */

static struct slice
either(struct slice said, struct slice known)
{
	return said.n > 0 ? said : known;
}

/* An identifier of option 82 as rules write it. */
static struct slice
port_text(struct slice id, char room[static RELAY_ID_STRLEN])
{
	return id.n > 0 ? slice_str(relay_id_format(id, room)) : (struct slice){ 0 };
}

static unsigned
machine_bits(const struct machine_knowledge *k, size_t ngroups)
{
	bool approved = k->known && k->m.state == MACHINE_APPROVED;
	bool is_new = !k->known || k->is_new;
	bool decided = approved || k->is_assigned || ngroups > 0;
	unsigned bits = 1u << (is_new ? RULE_MACHINE_NEW : RULE_MACHINE_SEEN);

	if (!decided)
		bits |= 1u << RULE_MACHINE_UNKNOWN;
	if (approved)
		bits |= 1u << RULE_MACHINE_APPROVED;
	if (k->is_assigned)
		bits |= 1u << RULE_MACHINE_ASSIGNED;
	return bits;
}

static void
gather_groups(const struct policy *policy, const struct machine_knowledge *k, struct subject *s)
{
	struct macaddr macs[MACHINE_MACS + 1];
	struct group_claim claim = {
		.macs = macs,
		.uuid = s->has_uuid ? &s->uuid : NULL,
		.serial = s->serial,
		.asset = s->asset,
	};

	if (s->mac.len > 0)
		macs[claim.nmacs++] = s->mac;
	for (size_t i = 0; k->known && i < k->m.nmacs; i++)
		macs[claim.nmacs++] = k->m.macs[i].mac;
	s->ngroups = policy_groups(policy, &claim, s->groups, GROUPS_MAX - 1);
	if (k->known && k->m.group.n > 0)
		s->groups[s->ngroups++] = k->m.group;
}

static void
gather_time(struct handlerd *h, uint64_t now_ms, struct subject *s)
{
	time_t now = (time_t)(now_ms / 1000);

	/* localtime_r() looks at its file each time; a minute's precision is all that is asked */
	if (now / 60 != h->local_minute) {
		(void)localtime_r(&now, &h->local);
		h->local_minute = now / 60;
	}
	s->weekday = h->local.tm_wday;
	s->minute = h->local.tm_hour * 60 + h->local.tm_min;
}

static void
gather_subject(struct handlerd *h, const struct boot_request *r, const struct boot *b,
    const struct policy *policy, uint64_t now_ms, const struct machine_knowledge *k,
    struct subject *s)
{
	uint16_t boot_arch = b != NULL ? b->arch : ARCH_UNKNOWN;
	struct relay_info info;
	uint64_t version;

	*s = (struct subject){
		.stage = r->stage,
		.client = r->client != CLIENT_UNKNOWN ? r->client
		          : r->stage == STAGE_BOOT    ? CLIENT_IPXE
		                                      : CLIENT_UNKNOWN,
		.via = r->via,
		.arch = r->arch != ARCH_UNKNOWN ? r->arch : boot_arch,
		.cpu = request_cpu(r, boot_arch, (enum arch_cpu)policy->conf.strange_arch),
		.attempt = b != NULL ? b->attempt : 1,
		.waited_s = r->secs,
		.ipxe_version = r->ipxe_version,
		.has_ipxe_features = r->has_ipxe_features,
		.ipxe_features = r->ipxe_features,
		.mac = r->mac.len > 0 || b == NULL ? r->mac : b->mac,
		.address = r->address,
		.relay = r->relay.family != 0 || b == NULL ? r->relay : b->relay,
		.server = r->server,
		.subnet = r->subnet,
		.interface = r->interface,
		.vendor_class = r->vendor_class,
		.user_class = r->user_class,
		.client_subject = r->client_subject,
		.client_issuer = r->client_issuer,
		.client_serial = r->client_serial,
		.client_fingerprint = r->client_fingerprint,
		.file = r->file,
		.params = r->params,
	};
	if (s->ipxe_version == 0 && version_parse(r->version, &version) == 0)
		s->ipxe_version = (uint32_t)version;
	s->has_uuid = r->has_uuid || (b != NULL && b->has_uuid);
	s->uuid = r->has_uuid || b == NULL ? r->uuid : b->uuid;
	s->manufacturer = either(r->manufacturer, k->m.manufacturer);
	s->product = either(r->product, k->m.product);
	s->serial = either(r->serial, k->m.serial);
	s->asset = either(r->asset, k->m.asset);
	(void)relay_info_parse(r->relay_info, &info); /* what can be read of it counts */
	s->circuit_id = port_text(either(info.circuit_id, k->m.circuit), h->room->circuit);
	s->remote_id = port_text(either(info.remote_id, k->m.remote), h->room->remote);
	s->outcome = b == NULL || b->before_ms == 0 ? OUTCOME_NONE : outcome_of(b->before);
	s->outcome_age_s = b == NULL || b->before_ms == 0 || b->before_ms > now_ms
	                       ? 0
	                       : (uint32_t)((now_ms - b->before_ms) / 1000);
	gather_time(h, now_ms, s);
	gather_groups(policy, k, s);
	s->machine = machine_bits(k, s->ngroups);
}

/* --- files and tokens ------------------------------------------------------------------------- */

/* The image whose folder a path is in. */
static const struct image *
image_of_path(const struct handlerd *h, const char *path)
{
	char name[IMAGE_NAME_MAX];
	const char *at = path + strlen("images/");
	size_t n;

	if (!path_is_below(path, "images"))
		return NULL;
	n = strcspn(at, "/");
	if (n >= sizeof(name) || at[n] == '\0')
		return NULL;
	memcpy(name, at, n);
	name[n] = '\0';
	return catalogue_image(h->catalogue, name);
}

/* What the image's manifest says of a file of it; NULL: nothing. */
static const uint8_t *
digest_of_path(const struct image *im, const char *path)
{
	for (size_t i = 0; im != NULL && i < im->nfiles; i++) {
		if (strcmp(im->files[i].name, path_base(path)) == 0 &&
		    strlen(path) ==
			strlen("images//") + strlen(im->name) + strlen(im->files[i].name))
			return im->files[i].sha256;
	}
	return NULL;
}

/*
 * What a secret file was refused for is counted, logged and told; that a token was used up, once,
 * for what follows only repeats it.  A token that is none of ours names no boot that could be told.
 */
static void
note_token(struct handlerd *h, const struct boot_request *r, const struct token_claims *claims,
    const struct facts *f, uint32_t uses)
{
	enum token_fault fault = f->token_fault;
	char file[LOG_QUOTE_SIZE], ip[IP_STRLEN];

	h->by_token_fault[fault]++;
	if (fault == TOKEN_GOOD)
		return;
	log_peer_warn("token: client=%s file=%s refused: %s", ip_format(&r->address, ip),
	    log_quote(slice_str(f->path), file),
	    r->token.n == 0 ? "it shows none" : token_fault_name(fault));
	if (fault == TOKEN_USED_UP && uses != (uint32_t)claims->uses + 1)
		return;
	if (fault > TOKEN_FORGED)
		notes_remark(&h->notes, boots_find(h->boots, claims->boot),
		    fault == TOKEN_USED_UP ? "token-reused" : "token-refused",
		    token_fault_name(fault), f->path);
}

static void
check_token(struct handlerd *h, const struct boot_request *r, const struct image *im,
    uint64_t now_ms, bool only_look, struct facts *f)
{
	struct token_use use = {
		.address = r->address,
		.scope = TOKEN_SCOPE_FILE,
		.path = f->path,
		.image = im != NULL ? im->name : NULL,
	};
	struct token_claims claims = { .boot = 0 };
	const struct boot *b;
	uint32_t uses = 0;

	f->token_fault = TOKEN_MALFORMED;
	if (token_peek(r->token, &claims) == 0) {
		b = boots_find(h->boots, claims.boot);
		if (b != NULL)
			use.mac = b->mac;
		f->token_fault =
		    token_check(keyring_signer(h->keyring), r->token, &use, now_ms, &claims);
	}
	if (only_look)
		return;
	/* by any other way it gets no secret file, which is no use of the token; nor is the look at
	 * its size that UEFI HTTP Boot takes first.  Names of nothing would push out the count of
	 * what a token was used for. */
	if (f->token_fault == TOKEN_GOOD && r->via == VIA_HTTPS && !r->head_only &&
	    (f->file_rc != -ENOENT || f->web.pulls))
		f->token_fault = token_uses_note(h->tokens.uses, &claims, f->path, now_ms, &uses);
	note_token(h, r, &claims, f, uses);
}

void
gather_token_owner(struct handlerd *h, struct boot_request *r, uint64_t now_ms)
{
	struct token_use use = { .address = r->address, .scope = TOKEN_SCOPE_BOOT };
	struct token_claims claims;
	const struct boot *b;

	if (r->token.n == 0 || r->mac.len != 0 || token_peek(r->token, &claims) < 0)
		return;
	b = boots_find(h->boots, claims.boot);
	if (b == NULL || b->mac.len == 0)
		return;
	use.mac = b->mac;
	if (token_check(keyring_signer(h->keyring), r->token, &use, now_ms, &claims) != TOKEN_GOOD)
		return;
	r->boot = b->id;
	r->mac = b->mac;
}

/* Whether pxelinux, which asks for this configuration, would find its menu's program. */
static bool
has_menu_program(struct handlerd *h, const struct names_ask *as, const char *config)
{
	static const char *const programs[] = { "menu.c32", "libutil.c32" };
	size_t n = strlen(config) - strlen("pxelinux.cfg/default");

	for (size_t i = 0; i < NITEMS(programs); i++) {
		char name[CONTENT_PATH_MAX], path[CONTENT_PATH_MAX];
		struct names_ask ask = *as;
		struct content_file file;
		int rc;

		if (snprintf(name, sizeof(name), "%.*s%s", (int)n, config, programs[i]) >=
		    (int)sizeof(name))
			return false;
		ask.name = slice_str(name);
		if (lookup_file(h->root_fd, h->folders, &ask, path, &rc, &file) < 0)
			return false;
	}
	return true;
}

static void
gather_file(struct handlerd *h, const struct boot_request *r, const struct boot *b,
    const struct policy *policy, uint64_t now_ms, bool only_look, struct fact_room *room,
    struct facts *f)
{
	const struct loader *best = f->best[f->subject.cpu];
	const struct names_ask ask = {
		.name = r->file,
		.as_it_is = r->via != VIA_TFTP,
		.folder = b != NULL ? b->folder : NULL,
		.rpi = f->best[ARCH_CPU_RPI] != NULL ? CATALOGUE_RPI : NULL,
		.best = best != NULL ? best->path : NULL,
		.cpu = f->subject.cpu,
	};
	struct content_file file;
	const struct image *im;

	f->path = room->path;
	f->file_rc = lookup_file(h->root_fd, h->folders, &ask, room->path, &f->path_rc, &file);
	if (f->path_rc < 0)
		return;
	if (f->file_rc == 0)
		f->file_size = file.size;
	if (f->file_rc == -ENOENT && r->via == VIA_TFTP &&
	    native_kind(room->path) == NATIVE_PXELINUX)
		f->has_menu_program = has_menu_program(h, &ask, room->path);
	im = image_of_path(h, room->path);
	if (f->web.pulls && r->via != VIA_TFTP)
		f->file_sha256 = digest_of_path(im, room->path);
	f->file_secret = (im != NULL && im->is_secret) || policy_path_is_secret(policy, room->path);
	if (f->file_secret)
		check_token(h, r, im, now_ms, only_look, f);
}

/* A token for what is secret in this boot, if anything is. */
static void
gather_token(struct handlerd *h, const struct policy *policy, const struct boot *b,
    const struct boot_request *r, uint64_t now_ms, struct fact_room *room)
{
	struct token_claims claims;

	room->token[0] = '\0';
	if (!policy_has_secrets(policy) && !catalogue_has_secrets(h->catalogue))
		return;
	claims = (struct token_claims){
		.id = keyring_random(),
		.boot = b->id,
		.expires_ms = now_ms + (uint64_t)h->conf->tokens.life_s * 1000,
		.scope = TOKEN_SCOPE_BOOT,
		.uses = (uint16_t)h->conf->tokens.uses,
		.mac = b->mac,
		.address = h->conf->tokens.bind_address ? r->address : (struct ipaddr){ 0 },
	};

	if (token_mint(keyring_signer(h->keyring), &claims, room->token) < 0) {
		log_peer_warn("token: none could be made; secret files stay closed");
		room->token[0] = '\0';
	}
}

/* Requests after the DISCOVER tell less, and so does one that a person made up. */
static uint64_t
firmware_of(const struct boot_request *r)
{
	struct firmware f;

	if (r->vendor_class.n == 0)
		return 0;
	firmware_of_request(r, &f);
	return firmware_key(&f);
}

/* --- all of it -------------------------------------------------------------------------------- */

void
gather(struct handlerd *h, const struct boot_request *r, const struct boot *b,
    const struct policy *policy, uint64_t now_ms, bool only_look, struct fact_room *room,
    struct facts *f)
{
	const struct service *tftp = services_pick(&h->services, DAEMON_TFTPD, r->subnet, now_ms);

	*f = (struct facts){
		.loaders = h->catalogue->loaders,
		.nloaders = h->catalogue->nloaders,
		.best = h->catalogue->best,
		.images = h->catalogue->images,
		.nimages = h->catalogue->nimages,
		.adapt = h->adapt,
		.styles = h->styles,
		.firmware = r->stage == STAGE_DISCOVER ? firmware_of(r) : 0,
		/* a policy before this one has other targets */
		.health =
		    h->prober != NULL && policy == h->policy ? prober_health(h->prober) : NULL,
		.now_ms = now_ms,
		.boot = b != NULL ? b->id : 0,
		.trusted = b != NULL && b->trusted,
		.by_http = b != NULL && b->by_http,
		.loader_ms = b != NULL ? b->loader_ms : 0,
		.memory_mb = script_memory_mb(r->params),
		.token = "",
	};
	f->loop_until_ms =
	    loops_held_until(h->loops, b != NULL && r->mac.len == 0 ? &b->mac : &r->mac, now_ms);
	if (tftp != NULL && tftp->load.permille != 0 && service_is_alive(tftp, now_ms)) {
		f->tftp_load = tftp->load.permille;
		f->tftp_subnet = slice_str(tftp->subnet);
	}
	f->tftp_other_family = tftp != NULL && service_address(tftp, family_of(r), &f->tftp) < 0;
	gather_web(h, r, now_ms, room, &f->web);
	gather_knowledge(h, b, now_ms, &f->machine);
	gather_subject(h, r, b, policy, now_ms, &f->machine, &f->subject);
	if (policy->targets->n > 0)
		gather_self(h, room, &f->self);
	if (r->stage == STAGE_FILE)
		gather_file(h, r, b, policy, now_ms, only_look, room, f);
	if (r->stage == STAGE_BOOT && b != NULL) {
		gather_token(h, policy, b, r, now_ms, room);
		f->token = room->token;
	}
}
