/* tftpd: where codec, state machines, sockets and bus meet; see tftpd.h. */
#include "tftpd/tftpd.h"

#include "common/arch.h"
#include "common/content.h"
#include "common/log.h"
#include "tftpd/listen.h"
#include "tftpd/served.h"
#include "tftpd/transfer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FULL_SOCKET_US 2000 /* until a send that found no room goes on */
#define REQUEST_MAX    1024
#define REPEATED_MS    2000 /* for so long the same request again is a repetition */
/* IPv6's header is longer than IPv4's, for which max_blksize is meant. */
#define IPV6_MORE_BYTES 20

/*
 * A client's request, from its RRQ to the end of its transfer.  There is one for each address and
 * port of clients: a new request from the same port ends the old one.
 */
struct session {
	struct tftpd *d;
	struct session *next, **prev; /* of its hash chain */
	struct listen_path path;
	size_t socket;
	uint64_t boot;
	uint64_t question; /* the id at handlerd while it is asked, else 0 */
	struct served *served;
	struct transfer t;
	struct loop_timer timer;
	uint64_t began_ms;
	bool gso;
	bool began; /* the first block has left */
	enum tftp_mode mode;
	uint16_t name_n, request_n;
	uint8_t request[]; /* the RRQ as it came: the OACK and the log are made from it */
};

struct stats {
	uint64_t rrq, wrq, malformed, strangers, merged, replaced, refused, unanswered, silent;
	uint64_t errors, not_found, started, finished, probes, failed, retransmits, blocks, bytes;
	uint64_t no_room;
	uint64_t transfers; /* now */
};

#define STAT(member, text)                                                                         \
	{                                                                                          \
#member, offsetof(struct stats, member), text                                      \
	}
static const struct counter counters[] = {
	STAT(rrq, "read requests"),
	STAT(wrq, "write requests, refused"),
	STAT(malformed, "packets that are no TFTP"),
	STAT(strangers, "packets that belong to no transfer"),
	STAT(merged, "repeated requests of one client, taken as one"),
	STAT(replaced, "transfers ended by a new request from the same port"),
	STAT(refused, "requests dropped because of max_transfers"),
	STAT(unanswered, "requests that handlerd did not answer in time"),
	STAT(silent, "requests that handlerd left unanswered on purpose"),
	STAT(errors, "errors sent"),
	STAT(not_found, "errors sent for files that are not there"),
	STAT(started, "transfers started"),
	STAT(finished, "transfers finished"),
	STAT(probes, "size probes"),
	STAT(failed, "transfers failed"),
	STAT(retransmits, "blocks sent again"),
	STAT(blocks, "blocks sent"),
	STAT(bytes, "bytes delivered by finished transfers"),
	STAT(no_room, "sends that waited for the socket"),
	STAT(transfers, "transfers and requests under way"),
	{ 0 },
};

struct tftpd {
	struct tftpd_conf *conf;
	struct front front;
	struct listen_set *sockets, *sockets6; /* the latter for `address6` beside `address` */
	int root_fd;
	struct served_files files;
	struct session **chains; /* hash by client */
	size_t nchains;          /* a power of two */
	struct stats stats;
};

/* How much of what it may carry it does. */
static uint32_t
load_permille(const struct tftpd *d)
{
	return (uint32_t)(d->stats.transfers * LOAD_FULL / (uint64_t)d->conf->max_transfers);
}

static size_t
hash_peer(const struct tftpd *d, const struct listen_path *path)
{
	struct ipaddr ip = listen_peer_ip(path);
	uint64_t h = 0xcbf29ce484222325u ^ listen_peer_port(path);

	for (size_t i = 0; i < sizeof(ip.b); i++)
		h = (h ^ ip.b[i]) * 0x100000001b3u;
	return (size_t)(h ^ h >> 29) & (d->nchains - 1);
}

static struct session *
find_session(const struct tftpd *d, const struct listen_path *path)
{
	struct session *s = d->chains[hash_peer(d, path)];

	while (s != NULL && !listen_peer_eq(&s->path, path))
		s = s->next;
	return s;
}

static void
session_free(struct session *s)
{
	struct tftpd *d = s->d;

	if (s->question != 0)
		bus_cancel(d->front.bus, s->question);
	loop_timer_clear(d->front.loop, &s->timer);
	served_release(&d->files, s->served);
	*s->prev = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	d->stats.transfers--;
	bus_load(d->front.bus, load_permille(d));
	free(s);
}

static struct slice
session_name(const struct session *s)
{
	return (struct slice){ s->request + 2, s->name_n };
}

static void
send_error(struct tftpd *d, const struct listen_path *path, size_t socket, enum tftp_error code,
    const char *text)
{
	uint8_t buf[TFTP_ERROR_TEXT_MAX + 8];
	struct wbuf w;

	wbuf_init(&w, buf, sizeof(buf));
	tftp_put_error(&w, code, text);
	d->stats.errors++;
	d->stats.not_found += code == TFTP_ERROR_NOT_FOUND;
	/* one that cannot leave is one that is lost: the client asks again */
	(void)listen_send(path->set, socket, path, wbuf_view(&w));
}

/* Words for what became of a transfer. */
static void
describe_end(const struct session *s, enum transfer_result result, struct slice peer_text,
    char text[static 200])
{
	char quoted[LOG_QUOTE_SIZE];

	text[0] = '\0';
	switch (result) {
	case TRANSFER_ABORTED:
		(void)snprintf(text, 200, "the client ended it at block %llu of %llu: %s",
		    (unsigned long long)s->t.acked, (unsigned long long)s->t.blocks,
		    log_quote(peer_text, quoted));
		break;
	case TRANSFER_TIMED_OUT:
		if (s->t.oack_out)
			(void)snprintf(text, 200,
			    "the client never answered the first packet: is a firewall between?");
		else
			(void)snprintf(text, 200,
			    "the client stopped asking after block %llu of %llu%s",
			    (unsigned long long)s->t.acked, (unsigned long long)s->t.blocks,
			    s->t.acked == 0 ? ": are large packets dropped on the way?" : "");
		break;
	case TRANSFER_DONE_SILENT:
		(void)snprintf(text, 200, "the last block was never confirmed");
		break;
	default: break;
	}
}

static void
report_end(struct session *s, enum transfer_result result, const char *text)
{
	struct tftpd *d = s->d;
	bool done = result == TRANSFER_DONE || result == TRANSFER_DONE_SILENT;
	uint64_t ms = loop_now_ms(d->front.loop) - s->began_ms;
	uint64_t bytes = s->t.acked * s->t.blksize;
	char id[BOOT_ID_STRLEN], ip[IP_STRLEN], name[LOG_QUOTE_SIZE];
	struct boot_event e = {
		.kind = done                        ? EVENT_TRANSFER_FINISHED
		        : result == TRANSFER_PROBED ? EVENT_SIZE_PROBE
		                                    : EVENT_TRANSFER_FAILED,
		.via = VIA_TFTP,
		.boot = s->boot,
		.address = listen_peer_ip(&s->path),
		.duration_ms = ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms,
		.blksize = s->t.blksize,
		.windowsize = s->t.windowsize,
		.retransmits = (uint32_t)s->t.retransmits,
		.subnet = slice_str(d->front.instance),
		.file = session_name(s),
		.text = slice_str(text),
	};

	if (done || bytes > s->served->size)
		bytes = s->served->size;
	e.bytes = bytes;
	d->stats.finished += done;
	d->stats.probes += result == TRANSFER_PROBED;
	d->stats.failed += !done && result != TRANSFER_PROBED;
	d->stats.bytes += done ? bytes : 0;
	d->stats.retransmits += s->t.retransmits;
	bus_event(d->front.bus, &e);
	log_peer_info("tftp boot=%s client=%s port=%u file=%s result=%s bytes=%llu ms=%llu "
		      "blksize=%u windowsize=%u retransmits=%llu%s%s",
	    boot_id_format(s->boot, id), ip_format(&e.address, ip), listen_peer_port(&s->path),
	    log_quote(e.file, name), transfer_result_name(result), (unsigned long long)bytes,
	    (unsigned long long)ms, s->t.blksize, s->t.windowsize,
	    (unsigned long long)s->t.retransmits, text[0] != '\0' ? " why=" : "", text);
}

static void
report_begin(struct session *s)
{
	struct boot_event e = {
		.kind = EVENT_TRANSFER_BEGAN,
		.via = VIA_TFTP,
		.boot = s->boot,
		.address = listen_peer_ip(&s->path),
		.bytes = s->served->size,
		.blksize = s->t.blksize,
		.windowsize = s->t.windowsize,
		.subnet = slice_str(s->d->front.instance),
		.file = session_name(s),
	};

	s->began = true;
	bus_event(s->d->front.bus, &e);
}

static void
send_oack(struct session *s)
{
	struct tftp_limits limits;
	struct tftp_packet request;
	struct tftp_opts opts;
	uint8_t buf[TFTP_OACK_MAX];
	struct wbuf w;
	unsigned seen;

	/* the request parsed when it came, and settles to the same */
	(void)tftp_parse((struct slice){ s->request, s->request_n }, &request);
	limits = (struct tftp_limits){ s->t.blksize, s->t.windowsize, s->served->size };
	seen = tftp_opts_settle(&request, &limits, &opts);
	wbuf_init(&w, buf, sizeof(buf));
	tftp_put_oack(&w, &request, &opts, seen);
	if (!w.bad)
		(void)listen_send(s->path.set, s->socket, &s->path, wbuf_view(&w));
}

/* Sends blocks as far as the socket takes them; the number that left, or a negative errno. */
static int
send_blocks(struct session *s, uint64_t first, uint32_t count)
{
	struct listen_block blocks[LISTEN_SEGMENTS];
	int sent;

	assert(count <= NITEMS(blocks));
	for (uint32_t i = 0; i < count; i++) {
		uint64_t block = first + i;
		struct wbuf w;

		wbuf_init(&w, blocks[i].header, sizeof(blocks[i].header));
		tftp_put_data_header(&w, transfer_wire(&s->t, block));
		blocks[i].n = transfer_block_size(&s->t, s->served->size, block);
		blocks[i].data =
		    s->served->data == NULL ? NULL : s->served->data + (block - 1) * s->t.blksize;
	}
	sent = listen_send_blocks(s->path.set, s->socket, &s->path, blocks, count, &s->gso);
	if (sent > 0)
		s->d->stats.blocks += (uint64_t)sent;
	return sent;
}

static void
finish(struct session *s, enum transfer_result result, struct slice peer_text)
{
	char text[200];

	describe_end(s, result, peer_text, text);
	report_end(s, result, text);
	session_free(s);
}

/* Does what the state machine says.  The session may be gone afterwards. */
static void
step(struct session *s, enum transfer_event event, struct transfer_ack ack, struct slice peer_text)
{
	struct tftpd *d = s->d;
	struct transfer_action a;

	transfer_step(&s->t, event, ack, loop_now_us(d->front.loop), &a);
	if (a.result != TRANSFER_GOING_ON) {
		finish(s, a.result, peer_text);
		return;
	}
	if (a.send_oack) {
		send_oack(s);
		a.wake_us = transfer_sent(&s->t, 0, 1, loop_now_us(d->front.loop));
	}
	if (a.count > 0) {
		int sent = send_blocks(s, a.first, a.count);

		if (sent < 0 && sent != -EAGAIN && sent != -ENOBUFS) {
			/* EFAULT: the mapped file was cut short; else the way there is broken */
			log_peer_warn("sending a block: %s", strerror(-sent));
			if (sent == -EFAULT) {
				send_error(d, &s->path, s->socket, TFTP_ERROR_UNDEFINED,
				    "The file changed");
				report_end(s, TRANSFER_ABORTED, "the file was cut short meanwhile");
				session_free(s);
				return;
			}
			sent = (int)a.count; /* lost on the way, as far as TFTP goes */
		}
		if (sent < 0)
			sent = 0;
		if (sent > 0)
			a.wake_us = transfer_sent(
			    &s->t, a.first, (uint32_t)sent, loop_now_us(d->front.loop));
		if ((uint32_t)sent < a.count) {
			d->stats.no_room++;
			a.wake_us = FULL_SOCKET_US;
		}
		if (!s->began)
			report_begin(s);
	}
	(void)loop_timer_set(d->front.loop, &s->timer, (a.wake_us + 999) / 1000);
}

static void
on_timer(void *arg)
{
	step(arg, TRANSFER_TICK, (struct transfer_ack){ 0 }, (struct slice){ 0 });
}

/* Starts the transfer of what s->served holds. */
static void
start(struct session *s)
{
	const struct tftpd_conf *conf = s->d->conf;
	struct ipaddr peer = listen_peer_ip(&s->path);
	struct tftp_limits limits = {
		.blksize = (uint64_t)conf->max_blksize,
		.windowsize = (uint64_t)conf->max_windowsize,
		.tsize = s->served->size,
	};
	struct tftp_packet request;
	struct tftp_opts opts;
	unsigned seen;

	if (peer.family == 6)
		limits.blksize -= IPV6_MORE_BYTES;
	(void)tftp_parse((struct slice){ s->request, s->request_n }, &request); /* as before */
	seen = tftp_opts_settle(&request, &limits, &opts);
	transfer_init(&s->t, s->served->size, &opts, seen);
	s->began_ms = loop_now_ms(s->d->front.loop);
	s->gso = true;
	s->d->stats.started++;
	step(s, TRANSFER_START, (struct transfer_ack){ 0 }, (struct slice){ 0 });
}

/* Opens what the answer names. */
static int
open_answer(struct session *s, const struct boot_answer *answer)
{
	char path[CONTENT_PATH_MAX];
	struct content_file file;
	int rc;

	if (answer->action == ACTION_DATA)
		return s->mode == TFTP_MODE_NETASCII ? served_netascii(answer->data, &s->served)
		                                     : served_bytes(answer->data, &s->served);
	rc = path_normalise(answer->file, path);
	if (rc == 0)
		rc = content_open(s->d->root_fd, path, &file);
	if (rc < 0)
		return rc;
	return s->mode == TFTP_MODE_NETASCII ? served_netascii_file(&file, &s->served)
	                                     : served_file(&s->d->files, &file, &s->served);
}

/* Ends a request with an ERROR packet and a line in the log. */
static void
refuse(struct session *s, enum tftp_error code, const char *text, const char *why)
{
	struct ipaddr peer = listen_peer_ip(&s->path);
	char id[BOOT_ID_STRLEN], ip[IP_STRLEN], name[LOG_QUOTE_SIZE];

	send_error(s->d, &s->path, s->socket, code, text);
	log_peer_info("tftp boot=%s client=%s file=%s error=%d why=%s", boot_id_format(s->boot, id),
	    ip_format(&peer, ip), log_quote(session_name(s), name), code, why);
	session_free(s);
}

static void
on_answer(void *arg, void *cookie, const struct boot_answer *answer)
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
	struct tftpd *d = arg;
	struct session *s = cookie;
	int rc;

	s->question = 0;
	if (answer == NULL) {
		d->stats.unanswered++;
		log_peer_warn("no answer from handlerd: staying silent, the client will ask again");
		session_free(s);
		return;
	}
	s->boot = answer->boot;
	if (answer->action == ACTION_ERROR) {
		refuse(s, errors[answer->error].code, errors[answer->error].text,
		    boot_reason_name(answer->reason));
		return;
	}
	if (answer->action != ACTION_FILE && answer->action != ACTION_DATA) {
		d->stats.silent++;
		session_free(s);
		return;
	}
	rc = open_answer(s, answer);
	if (rc == -ENOENT || rc == -EISDIR)
		refuse(s, TFTP_ERROR_NOT_FOUND, "File not found", strerror(-rc));
	else if (rc == -EACCES)
		refuse(s, TFTP_ERROR_ACCESS, "Access violation", strerror(-rc));
	else if (rc < 0)
		refuse(s, TFTP_ERROR_UNDEFINED, "The file cannot be read", strerror(-rc));
	else
		start(s);
}

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
	       (s->t.acked == 0 && loop_now_ms(s->d->front.loop) - s->began_ms < REPEATED_MS);
}

static void
take_request(struct tftpd *d, const struct listen_path *path, struct slice bytes,
    const struct tftp_packet *p)
{
	struct session *s = find_session(d, path), **chain;
	struct boot_request request = {
		.stage = STAGE_FILE,
		.via = VIA_TFTP,
		.arch = ARCH_UNKNOWN,
		.address = listen_peer_ip(path),
		.server = listen_local_ip(path),
		.subnet = slice_str(d->front.instance),
		.file = p->file,
	};

	/* no DHCP server was asked for such an address, but it tells the hardware address */
	(void)mac_from_ipv6(&request.address, &request.mac);
	d->stats.rrq++;
	if (s != NULL && is_repeated(s, bytes)) {
		d->stats.merged++;
		return;
	}
	if (s != NULL) {
		d->stats.replaced++;
		session_free(s);
	}
	if (d->stats.transfers >= (uint64_t)d->conf->max_transfers ||
	    (s = malloc(sizeof(*s) + bytes.n)) == NULL) {
		d->stats.refused++;
		log_peer_warn("dropped a request: %llu transfers are under way",
		    (unsigned long long)d->stats.transfers);
		return;
	}
	*s = (struct session){ .d = d,
		.path = *path,
		.socket = listen_pick(path->set),
		.mode = p->mode,
		.name_n = (uint16_t)p->file.n,
		.request_n = (uint16_t)bytes.n };
	memcpy(s->request, bytes.p, bytes.n);
	loop_timer_init(&s->timer, on_timer, s);
	chain = &d->chains[hash_peer(d, path)];
	s->next = *chain;
	s->prev = chain;
	if (s->next != NULL)
		s->next->prev = &s->next;
	*chain = s;
	d->stats.transfers++;
	bus_load(d->front.bus, load_permille(d));
	s->question = bus_ask(d->front.bus, &request, s);
	if (s->question == 0) {
		d->stats.refused++;
		session_free(s);
	}
}

static void
take_new(struct tftpd *d, const struct listen_path *path, struct slice bytes,
    const struct tftp_packet *p)
{
	if (p->op == TFTP_WRQ) {
		d->stats.wrq++;
		send_error(
		    d, path, listen_pick(path->set), TFTP_ERROR_ACCESS, "This server only reads");
	} else if (p->mode == TFTP_MODE_OTHER) {
		send_error(d, path, listen_pick(path->set), TFTP_ERROR_ILLEGAL, "Unknown mode");
	} else if (bytes.n > REQUEST_MAX) {
		send_error(
		    d, path, listen_pick(path->set), TFTP_ERROR_ILLEGAL, "The request is too long");
	} else {
		take_request(d, path, bytes, p);
	}
}

static void
on_packet(void *arg, size_t socket, const struct listen_path *path, struct slice bytes)
{
	struct tftpd *d = arg;
	struct tftp_packet p;
	struct session *s;

	if (tftp_parse(bytes, &p) < 0) {
		d->stats.malformed++;
		return;
	}
	if (p.op == TFTP_RRQ || p.op == TFTP_WRQ) {
		if (socket == 0)
			take_new(d, path, bytes, &p);
		else
			d->stats.strangers++;
		return;
	}
	s = find_session(d, path);
	if (s == NULL || s->socket != socket || s->served == NULL) {
		/*
		 * RFC 1350 wants an ERROR here; it would end the client's other, living transfer
		 * when the packet is merely late, and answer forged senders: silence serves better.
		 */
		d->stats.strangers++;
		return;
	}
	if (p.op == TFTP_ACK)
		step(s, TRANSFER_ACK, (struct transfer_ack){ p.block, p.window },
		    (struct slice){ 0 });
	else if (p.op == TFTP_ERROR)
		step(s, TRANSFER_ERROR, (struct transfer_ack){ 0 }, p.text);
	else
		d->stats.strangers++;
}

static void
stop(void *arg)
{
	struct tftpd *d = arg;

	listen_stop(d->sockets);
	listen_stop(d->sockets6);
}

static bool
idle(void *arg)
{
	const struct tftpd *d = arg;

	return d->stats.transfers == 0;
}

static void
reloaded(void *arg)
{
	(void)arg; /* all that may change is read where it is used */
}

static void
announce(void *arg, struct daemon_status *status)
{
	const struct tftpd *d = arg;

	status->address = d->conf->address;
	status->address6 = d->conf->address6;
	status->port = (uint16_t)d->conf->port;
	status->transfers = (uint32_t)d->stats.transfers;
	status->max_transfers = (uint32_t)d->conf->max_transfers;
	status->load_permille = load_permille(d);
}

static const struct front_ops ops = {
	.stop = stop,
	.idle = idle,
	.reloaded = reloaded,
	.announce = announce,
};

static int
alloc_chains(struct tftpd *d)
{
	d->nchains = 1024;
	while (d->nchains < (size_t)d->conf->max_transfers)
		d->nchains *= 2;
	d->chains = calloc(d->nchains, sizeof(struct session *));
	return d->chains != NULL ? 0 : -ENOMEM;
}

int
tftpd_open(struct tftpd **ret, struct tftpd_conf *conf, const struct opts *opts)
{
	struct tftpd *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return -ENOMEM;
	d->conf = conf;
	d->front = (struct front){
		.daemon = DAEMON_TFTPD,
		.table = &tftpd_config,
		.conf = conf,
		.opts = opts,
		.ops = &ops,
		.arg = d,
		.counters = counters,
		.counter_base = &d->stats,
	};
	d->root_fd = content_root_open(conf->root);
	rc = d->root_fd < 0 ? d->root_fd : alloc_chains(d);
	if (d->root_fd < 0)
		log_errx("root: \"%s\": %s", conf->root, content_strerror(-rc));
	if (rc == 0)
		rc = front_open(&d->front);
	if (rc == 0)
		rc = listen_open(d->front.loop, &conf->address, (uint16_t)conf->port,
		    &conf->transfer_ports, on_packet, d, &d->sockets);
	/* without `address` all of both families are listened on already */
	if (rc == 0 && conf->address.family != 0 && conf->address6.family != 0)
		rc = listen_open(d->front.loop, &conf->address6, (uint16_t)conf->port,
		    &conf->transfer_ports, on_packet, d, &d->sockets6);
	if (rc < 0) {
		tftpd_close(d);
		return rc;
	}
	*ret = d;
	return 0;
}

int
tftpd_run(struct tftpd *d)
{
	int rc;

	front_drop(&d->front);
	rc = front_connect(&d->front, (uint32_t)d->conf->max_transfers, on_answer);
	if (rc < 0)
		return rc;
	return front_run(&d->front);
}

void
tftpd_close(struct tftpd *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; d->chains != NULL && i < d->nchains; i++) {
		while (d->chains[i] != NULL)
			session_free(d->chains[i]);
	}
	listen_close(d->sockets);
	listen_close(d->sockets6);
	front_close(&d->front);
	if (d->root_fd >= 0)
		close(d->root_fd);
	free(d->chains);
	free(d);
}
