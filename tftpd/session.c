/* See session.h. */
#include "tftpd/session.h"

#include "common/arch.h"
#include "common/content.h"
#include "common/hash.h"
#include "common/log.h"
#include "tftpd/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEATED_MS 2000  /* for so long the same request again is a repetition */
#define PROGRESS_MS 5000  /* of a long transfer is told so often */
#define QUEUED_US   10000 /* while its packets wait for the socket, a transfer has time */

_Static_assert(sizeof(struct session) <= SESSION_BYTES, "10,000 of them are to fit in 5 MB");

static size_t
chain_of(const struct worker *w, const struct listen_path *path)
{
	struct ipaddr ip = listen_peer_ip(path);
	uint16_t port = listen_peer_port(path);
	uint8_t key[18];

	memcpy(key, ip.b, 16);
	memcpy(key + 16, &port, 2);
	return hash_keyed(w->hash_key, (struct slice){ key, sizeof(key) }) & (w->nchains - 1);
}

static struct session *
find(const struct worker *w, const struct listen_path *path)
{
	struct session *s = w->chains[chain_of(w, path)];

	while (s != NULL && !listen_peer_eq(&s->path, path))
		s = s->next;
	return s;
}

void
session_free(struct session *s)
{
	struct worker *w = s->w;

	if (s->question != 0)
		bus_cancel(w->bus, s->question);
	queue_remove(s);
	loop_timer_clear(w->thread.loop, &s->timer);
	served_release(&w->shared->files, s->served);
	clients_drop(&w->shared->clients, s->client);
	atomic_fetch_sub(&w->shared->transfers, 1);
	*s->prev = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	w->stats.transfers--;
	free(s);
}

static struct slice
name_of(const struct session *s)
{
	return (struct slice){ s->request + 2, s->name_n };
}

void
session_send_error(struct worker *w, const struct listen_path *path, size_t socket,
    enum tftp_error code, struct slice text)
{
	uint8_t buf[TFTP_ERROR_TEXT_MAX + 8];
	char words[TFTP_ERROR_TEXT_MAX + 1];
	struct wbuf out;

	(void)snprintf(words, sizeof(words), "%.*s", (int)text.n, (const char *)text.p);
	wbuf_init(&out, buf, sizeof(buf));
	tftp_put_error(&out, code, words);
	w->stats.errors++;
	w->stats.not_found += code == TFTP_ERROR_NOT_FOUND;
	/* one that cannot leave is one that is lost: the client asks again */
	(void)listen_send(path, socket, wbuf_view(&out));
}

/* --- reports --------------------------------------------------------------------------------- */

/* What all events of a transfer tell. */
static struct boot_event
event_of(const struct session *s, enum event_kind kind)
{
	return (struct boot_event){
		.kind = kind,
		.via = VIA_TFTP,
		.boot = s->boot,
		.address = listen_peer_ip(&s->path),
		.blksize = s->t.blksize,
		.windowsize = s->t.windowsize,
		.retransmits = (uint32_t)s->t.retransmits,
		.transfer = s->number,
		.size = s->served->size,
		.subnet = slice_str(s->w->shared->instance),
		.file = name_of(s),
	};
}

/* Bytes that the client has confirmed. */
static uint64_t
confirmed(const struct session *s)
{
	uint64_t bytes = s->t.acked * s->t.blksize;

	return bytes < s->served->size ? bytes : s->served->size;
}

static void
report_end(struct session *s, enum transfer_result result, const char *text)
{
	struct worker *w = s->w;
	bool done = result == TRANSFER_DONE || result == TRANSFER_DONE_SILENT;
	uint64_t ms = loop_now_ms(w->thread.loop) - s->began_ms;
	char id[BOOT_ID_STRLEN], ip[IP_STRLEN], name[LOG_QUOTE_SIZE];
	struct boot_event e = event_of(s, done                        ? EVENT_TRANSFER_FINISHED
					  : result == TRANSFER_PROBED ? EVENT_SIZE_PROBE
								      : EVENT_TRANSFER_FAILED);

	e.bytes = done ? s->served->size : confirmed(s);
	e.duration_ms = ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
	e.text = slice_str(text);
	w->stats.finished += done;
	w->stats.probes += result == TRANSFER_PROBED;
	w->stats.failed += !done && result != TRANSFER_PROBED;
	w->stats.bytes += done ? e.bytes : 0;
	bus_event(w->bus, &e);
	log_peer_info("tftp boot=%s client=%s port=%u file=%s result=%s bytes=%llu ms=%llu "
		      "blksize=%u windowsize=%u retransmits=%llu%s%s",
	    boot_id_format(s->boot, id), ip_format(&e.address, ip), listen_peer_port(&s->path),
	    log_quote(e.file, name), transfer_result_name(result), (unsigned long long)e.bytes,
	    (unsigned long long)ms, s->t.blksize, s->t.windowsize,
	    (unsigned long long)s->t.retransmits, text[0] != '\0' ? " why=" : "", text);
}

static void
report_begin(struct session *s)
{
	struct boot_event e = event_of(s, EVENT_TRANSFER_BEGAN);

	s->began = true;
	s->told_ms = loop_now_ms(s->w->thread.loop);
	e.bytes = s->served->size;
	bus_event(s->w->bus, &e);
}

static void
report_progress(struct session *s)
{
	uint64_t now_ms = loop_now_ms(s->w->thread.loop), ms = now_ms - s->told_ms;
	uint64_t all_ms = now_ms - s->began_ms;
	struct boot_event e;

	if (!s->began || ms < PROGRESS_MS)
		return;
	e = event_of(s, EVENT_TRANSFER_PROGRESS);
	e.bytes = confirmed(s);
	e.bytes_per_s = (e.bytes - s->told_bytes) * 1000 / ms;
	e.duration_ms = all_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)all_ms;
	s->told_ms = now_ms;
	s->told_bytes = e.bytes;
	bus_event(s->w->bus, &e);
}

/* Ends a transfer; `error` and `error_text` are those of the client's ERROR. */
static void
finish(struct session *s, enum transfer_result result, uint16_t error, struct slice error_text)
{
	struct tftpd_shared *shared = s->w->shared;
	const struct config_ports *ports = &shared->conf->transfer_ports;
	const struct ipaddr peer = listen_peer_ip(&s->path);
	struct outcome o = {
		.t = &s->t,
		.result = result,
		.size = s->served->size,
		.error = error,
		.error_text = error_text,
		.first_port = ports->first,
		.last_port = ports->last,
	};
	char text[OUTCOME_TEXT_SIZE];

	pthread_mutex_lock(&shared->paths_lock);
	paths_learn(&shared->paths, &peer, &o, loop_now_ms(s->w->thread.loop));
	pthread_mutex_unlock(&shared->paths_lock);
	report_end(s, result, outcome_text(&o, text));
	session_free(s);
}

void
session_broken(struct session *s)
{
	session_send_error(
	    s->w, &s->path, s->socket, TFTP_ERROR_UNDEFINED, slice_str("The file changed"));
	/* nothing is to be learned from it */
	report_end(s, TRANSFER_ABORTED, "the file was changed meanwhile");
	session_free(s);
}

/* --- the transfer ---------------------------------------------------------------------------- */

/*
 * A timer that fires too early costs little and is set again then; moving it at each ACK would cost
 * more.
 */
static void
wake_in(struct session *s, uint64_t us)
{
	struct loop *loop = s->w->thread.loop;
	uint64_t ms = (us + 999) / 1000;

	s->due_us = loop_now_us(loop) + us;
	if (!loop_timer_is_set(&s->timer) || s->timer.at_ms > loop_now_ms(loop) + ms)
		(void)loop_timer_set(loop, &s->timer, ms);
}

/* Does what the state machine says.  The session may be gone afterwards. */
static void
step(struct session *s, enum transfer_event event, struct transfer_ack ack, struct slice error_text)
{
	uint64_t before = s->t.retransmits;
	struct transfer_action a;

	transfer_step(&s->t, event, ack, loop_now_us(s->w->thread.loop), &a);
	s->w->stats.retransmits += s->t.retransmits - before;
	if (a.result != TRANSFER_GOING_ON) {
		if (a.tell)
			session_send_error(s->w, &s->path, s->socket, TFTP_ERROR_UNDEFINED,
			    slice_str("No answer, ask again"));
		finish(s, a.result, ack.block, error_text);
		return;
	}
	if (event == TRANSFER_ACK)
		report_progress(s);
	/* without its last block the client does not take what it has for a file */
	if (a.count > 0 && a.first + a.count > s->t.blocks && !served_is_unchanged(s->served)) {
		session_broken(s);
		return;
	}
	if (a.send_oack || a.count > 0)
		queue_put(s, &a);
	wake_in(s, a.wake_us);
}

static void
on_timer(void *arg)
{
	struct session *s = arg;
	uint64_t now_us = loop_now_us(s->w->thread.loop);

	if (now_us < s->due_us)
		wake_in(s, s->due_us - now_us);
	else if (s->in_queue)
		wake_in(s, QUEUED_US);
	else
		step(s, TRANSFER_TICK, (struct transfer_ack){ 0 }, (struct slice){ 0 });
}

void
session_sent(struct session *s, uint64_t first, uint32_t n)
{
	struct worker *w = s->w;
	uint64_t now_us = loop_now_us(w->thread.loop), before = s->t.retransmits;

	assert(n == 0 || first == s->first);
	queue_sent(s, n);
	w->stats.blocks += n;
	w->stats.sent_bytes += (uint64_t)n * s->t.blksize;
	wake_in(s, transfer_sent(&s->t, first, n > 0 ? n : 1, now_us));
	w->stats.retransmits += s->t.retransmits - before;
	if (n > 0 && !s->began)
		report_begin(s);
}

size_t
session_oack(const struct session *s, uint8_t buf[static BATCH_PACKET])
{
	struct tftp_limits limits;
	struct tftp_packet request;
	struct tftp_opts opts;
	struct wbuf out;
	unsigned seen;

	_Static_assert(TFTP_OACK_MAX <= BATCH_PACKET, "an OACK fits");
	/* the request parsed when it came, and settles to the same */
	(void)tftp_parse((struct slice){ s->request, s->request_n }, &request);
	limits = (struct tftp_limits){ s->t.blksize, s->t.windowsize, s->served->size };
	seen = tftp_opts_settle(&request, &limits, &opts);
	wbuf_init(&out, buf, BATCH_PACKET);
	tftp_put_oack(&out, &request, &opts, seen);
	return wbuf_view(&out).n;
}

/* The largest block whose packets this path takes whole. */
static uint32_t
path_blksize(const struct session *s)
{
	uint32_t headers = listen_peer_ip(&s->path).family == 6 ? 40 + 8 : 20 + 8, mtu;

	if (atomic_load(&s->w->shared->limits.fragments))
		return UINT32_MAX;
	mtu = listen_mtu(&s->path);
	if (mtu == 0)
		mtu = 1500;
	headers += TFTP_HEADER_BYTES;
	/* without the option it would be this size, whatever the path */
	return mtu > headers + TFTP_DEFAULT_BLKSIZE ? mtu - headers : TFTP_DEFAULT_BLKSIZE;
}

/* Starts the transfer of what s->served holds. */
static void
start(struct session *s)
{
	const struct tftpd_limits *most = &s->w->shared->limits;
	struct tftp_limits limits = {
		.blksize = atomic_load(&most->blksize),
		.windowsize = atomic_load(&most->windowsize),
		.tsize = s->served->size,
	};
	struct tftpd_shared *shared = s->w->shared;
	const struct ipaddr peer = listen_peer_ip(&s->path);
	uint32_t blksize = path_blksize(s), rtt_us;
	struct tftp_packet request;
	struct tftp_opts opts;
	unsigned seen;

	if (limits.blksize > blksize)
		limits.blksize = blksize;
	pthread_mutex_lock(&shared->paths_lock);
	paths_advise(&shared->paths, &peer, loop_now_ms(s->w->thread.loop), &limits.blksize,
	    &limits.windowsize, &rtt_us);
	pthread_mutex_unlock(&shared->paths_lock);
	(void)tftp_parse((struct slice){ s->request, s->request_n }, &request); /* as before */
	seen = tftp_opts_settle(&request, &limits, &opts);
	transfer_init(&s->t, s->served->size, &opts, seen, rtt_us);
	s->began_ms = loop_now_ms(s->w->thread.loop);
	s->gso = true;
	s->w->stats.started++;
	step(s, TRANSFER_START, (struct transfer_ack){ 0 }, (struct slice){ 0 });
}

/* --- the answer of handlerd ------------------------------------------------------------------- */

/* Opens what the answer names. */
static int
open_answer(struct session *s, const struct boot_answer *answer)
{
	struct tftpd_shared *shared = s->w->shared;
	char path[CONTENT_PATH_MAX];
	struct content_file file;
	int rc;

	if (answer->action == ACTION_DATA)
		return served_made(
		    &shared->files, answer->data, s->mode == TFTP_MODE_NETASCII, &s->served);
	rc = path_normalise(answer->file, path);
	if (rc == 0)
		rc = content_open(shared->root_fd, path, &file);
	if (rc < 0)
		return rc;
	return s->mode == TFTP_MODE_NETASCII
	           ? served_netascii_file(&shared->files, &file, &s->served)
	           : served_file(&shared->files, &file, &s->served);
}

/* Ends a request with an ERROR packet and a line in the log. */
static void
refuse(struct session *s, enum tftp_error code, struct slice text, const char *why)
{
	struct ipaddr peer = listen_peer_ip(&s->path);
	char id[BOOT_ID_STRLEN], ip[IP_STRLEN], name[LOG_QUOTE_SIZE];

	session_send_error(s->w, &s->path, s->socket, code, text);
	log_peer_info("tftp boot=%s client=%s file=%s error=%d why=%s", boot_id_format(s->boot, id),
	    ip_format(&peer, ip), log_quote(name_of(s), name), code, why);
	session_free(s);
}

static void
refuse_as_told(struct session *s, const struct boot_answer *answer)
{
	static const struct {
		enum tftp_error code;
		const char *text;
	} errors[BOOT_ERRORS] = {
		[BOOT_ERROR_NONE] = { TFTP_ERROR_UNDEFINED, "Refused" },
		[BOOT_ERROR_NOT_FOUND] = { TFTP_ERROR_NOT_FOUND, "File not found" },
		[BOOT_ERROR_FORBIDDEN] = { TFTP_ERROR_ACCESS, "Access violation" },
		[BOOT_ERROR_UNAVAILABLE] = { TFTP_ERROR_UNDEFINED, "Try again later" },
	};
	struct slice text = slice_str(errors[answer->error].text);

	/* the technician at the screen reads the reason there, if the firmware shows it */
	refuse(s, errors[answer->error].code, answer->text.n > 0 ? answer->text : text,
	    boot_reason_name(answer->reason));
}

void
session_answer(void *arg, void *cookie, const struct boot_answer *answer)
{
	struct worker *w = arg;
	struct session *s = cookie;
	int rc;

	s->question = 0;
	if (answer == NULL) {
		w->stats.unanswered++;
		log_peer_warn("no answer from handlerd: staying silent, the client will ask again");
		session_free(s);
		return;
	}
	s->boot = answer->boot;
	if (answer->action == ACTION_ERROR) {
		refuse_as_told(s, answer);
		return;
	}
	if (answer->action != ACTION_FILE && answer->action != ACTION_DATA) {
		w->stats.silent++;
		session_free(s);
		return;
	}
	rc = open_answer(s, answer);
	if (rc == -ENOENT || rc == -EISDIR)
		refuse(s, TFTP_ERROR_NOT_FOUND, slice_str("File not found"), strerror(-rc));
	else if (rc == -EACCES)
		refuse(s, TFTP_ERROR_ACCESS, slice_str("Access violation"), strerror(-rc));
	else if (rc < 0)
		refuse(
		    s, TFTP_ERROR_UNDEFINED, slice_str("The file cannot be read"), strerror(-rc));
	else
		start(s);
}

/* --- the request ----------------------------------------------------------------------------- */

/*
 * A second request from a port that has one: the same packet again, before a block was confirmed,
 * is a repetition, which the answer under way settles; a second transfer would end the first, on
 * whose port the client has settled.  Anything else starts afresh.
 */
static bool
is_repeated(const struct session *s, struct slice bytes)
{
	if (!slice_eq(bytes, (struct slice){ s->request, s->request_n }))
		return false;
	return s->question != 0 ||
	       (s->t.acked == 0 && loop_now_ms(s->w->thread.loop) - s->began_ms < REPEATED_MS);
}

/* A place among all transfers and among those of this client: 0, or -EDQUOT. */
static int
take_place(struct worker *w, const struct ipaddr *client, int32_t *ret)
{
	struct tftpd_shared *shared = w->shared;
	uint32_t most = (uint32_t)shared->conf->max_transfers;
	char ip[IP_STRLEN];
	int32_t place;

	place =
	    clients_take(&shared->clients, client, atomic_load(&shared->limits.client_transfers));
	if (place < 0) {
		w->stats.crowded++;
		log_peer_warn("dropped a request of %s: it has max_client_transfers under way",
		    ip_format(client, ip));
		return place;
	}
	if (atomic_fetch_add(&shared->transfers, 1) >= most) {
		atomic_fetch_sub(&shared->transfers, 1);
		clients_drop(&shared->clients, place);
		w->stats.refused++;
		log_peer_warn("dropped a request: %u transfers are under way, which is "
			      "max_transfers",
		    most);
		return -EDQUOT;
	}
	*ret = place;
	return 0;
}

static struct session *
new_session(struct worker *w, const struct listen_path *path, struct slice bytes)
{
	struct session *s, **chain = &w->chains[chain_of(w, path)];
	struct ipaddr client = listen_peer_ip(path);
	int32_t place;

	if (take_place(w, &client, &place) < 0)
		return NULL;
	s = malloc(sizeof(*s) + bytes.n);
	if (s == NULL) {
		clients_drop(&w->shared->clients, place);
		atomic_fetch_sub(&w->shared->transfers, 1);
		w->stats.refused++;
		return NULL;
	}
	*s = (struct session){ .w = w,
		.path = *path,
		.client = place,
		.number = ++w->begun,
		.socket = (uint8_t)listen_pick(path->set),
		.request_n = (uint16_t)bytes.n };
	memcpy(s->request, bytes.p, bytes.n);
	loop_timer_init(&s->timer, on_timer, s);
	s->next = *chain;
	s->prev = chain;
	if (s->next != NULL)
		s->next->prev = &s->next;
	*chain = s;
	w->stats.transfers++;
	return s;
}

void
session_request(struct worker *w, const struct listen_path *path, struct slice bytes,
    const struct tftp_packet *p)
{
	struct session *s = find(w, path);
	struct boot_request request = {
		.stage = STAGE_FILE,
		.via = VIA_TFTP,
		.arch = ARCH_UNKNOWN,
		.address = listen_peer_ip(path),
		.server = listen_local_ip(path),
		.subnet = slice_str(w->shared->instance),
		.file = p->file,
	};

	assert(bytes.n <= SESSION_REQUEST_MAX);
	/* no DHCP server was asked for such an address, but it tells the hardware address */
	(void)mac_from_ipv6(&request.address, &request.mac);
	w->stats.rrq++;
	if (s != NULL && is_repeated(s, bytes)) {
		w->stats.merged++;
		return;
	}
	if (s != NULL) {
		w->stats.replaced++;
		if (s->served != NULL)
			finish(s, TRANSFER_REPLACED, 0, (struct slice){ 0 });
		else
			session_free(s);
	}
	s = new_session(w, path, bytes);
	if (s == NULL)
		return;
	s->mode = (uint8_t)p->mode;
	s->name_n = (uint16_t)p->file.n;
	s->question = bus_ask(w->bus, &request, s);
	if (s->question == 0) {
		w->stats.refused++;
		session_free(s);
	}
}

bool
session_packet(
    struct worker *w, const struct listen_path *path, size_t socket, const struct tftp_packet *p)
{
	struct session *s = find(w, path);

	if (s == NULL || s->socket != socket || s->served == NULL)
		return false;
	if (p->op == TFTP_ACK)
		step(s, TRANSFER_ACK, (struct transfer_ack){ p->block, p->window },
		    (struct slice){ 0 });
	else if (p->op == TFTP_ERROR)
		step(s, TRANSFER_ERROR, (struct transfer_ack){ .block = p->error }, p->text);
	else
		return false;
	return true;
}
