/*
 * The front daemons' end of the bus; see bus_client.h.
 *
 * One raw REQ socket a handlerd, so that it is ours to say which of them gets what.  A pending
 * request keeps its encoded record until it is answered or too old: that is what goes to the
 * next handlerd when one dies.
 */
#include "common/bus_client.h"

#include "common/bus_events.h"
#include "common/bus_nng.h"
#include "common/log.h"

#include <assert.h>
#include <errno.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define NO_PEER        UINT32_MAX
#define NO_SLOT        UINT32_MAX
#define BATCH_BYTES    (256u << 10) /* a message is closed when it passes this */
#define RETRY_MS       5            /* until a send is tried again that found no room */
#define QUEUE_MESSAGES 256          /* nng's queues, in messages */

struct peer {
	struct bus_client *client;
	uint32_t index;
	const char *url;
	nng_socket socket;
	bool open;
	struct loop_fd recv_lf;
	uint32_t next_header; /* nng's request id; unused, as ours stand in the records */

	/* written by nng's threads */
	atomic_int pipes;
	atomic_uint losses;

	/* the loop's view of them */
	bool connected;
	unsigned losses_seen;
	uint64_t heard_ms;
	uint64_t status_ms;
	bool silent; /* connected, but does not answer pings */
};

/* A pending request.  Free slots are chained by `next`; used ones stand in order of age. */
struct slot {
	uint64_t id;
	void *cookie;
	uint64_t expires_ms;
	uint32_t peer; /* to which it went; NO_PEER: to nobody yet */
	uint32_t next, prev;
	uint8_t *record;
	uint32_t record_n;
};

struct bus_client {
	struct loop *loop;
	struct bus_client_conf conf;
	uint64_t origin;
	int wake_fd;
	struct loop_fd wake_lf;
	struct loop_hook hook;
	struct loop_timer ping_timer, retry_timer, expiry_timer;
	struct peer peers[BUS_HANDLERS];
	uint32_t npeers;
	uint32_t active; /* NO_PEER: none lives */

	struct slot *slots;
	uint32_t nslots, free_slot, oldest, newest;
	uint32_t unsent;
	uint64_t generation;

	struct bus_events events;
	uint8_t *buf; /* for building messages */
	struct bus_client_stats stats;
};

static void
wake(struct bus_client *c)
{
	uint64_t one = 1;

	/* fails only when the counter is full, and then the loop wakes anyhow */
	if (write(c->wake_fd, &one, sizeof(one)) < 0)
		return;
}

/* On a thread of nng: hand over and return. */
static void
on_pipe(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct peer *p = arg;

	(void)pipe;
	if (ev == NNG_PIPE_EV_ADD_POST) {
		atomic_fetch_add(&p->pipes, 1);
	} else {
		atomic_fetch_sub(&p->pipes, 1);
		atomic_fetch_add(&p->losses, 1);
	}
	wake(p->client);
}

/* Sends `message` to a peer.  0, or -EAGAIN when it takes no more now. */
static int
peer_send(struct peer *p, struct slice message)
{
	nng_msg *m;
	int rc;

	rc = nng_msg_alloc(&m, 0);
	if (rc != 0)
		return bus_errno(rc);
	/* the top bit ends nng's list of hops */
	rc = nng_msg_header_append_u32(m, 0x80000000u | (p->next_header++ & 0x7fffffffu));
	if (rc == 0)
		rc = nng_msg_append(m, message.p, message.n);
	if (rc != 0) {
		nng_msg_free(m);
		return bus_errno(rc);
	}
	return bus_errno(bus_send_message(p->socket, m));
}

static void
send_bare(struct bus_client *c, struct peer *p, enum msg_kind kind)
{
	struct msg_writer w;
	uint8_t buf[32];

	msg_begin(&w, buf, sizeof(buf), kind, c->origin);
	/* a full queue means that the peer does not read: its silence will show that */
	(void)peer_send(p, msg_end(&w));
}

static void
send_status(struct bus_client *c, struct peer *p)
{
	struct daemon_status status = { 0 };
	struct msg_writer w;

	if (c->conf.status == NULL)
		return;
	c->conf.status(c->conf.status_arg, &status);
	msg_begin(&w, c->buf, MSG_MAX_BYTES, MSG_STATUS, c->origin);
	if (msg_put_status(&w, &status) == 0 && peer_send(p, msg_end(&w)) == 0)
		p->status_ms = loop_now_ms(c->loop);
}

static struct slot *
slot_of(struct bus_client *c, uint64_t id)
{
	uint32_t i = (uint32_t)id;

	if (i >= c->nslots || c->slots[i].id != id)
		return NULL;
	return &c->slots[i];
}

static void
slot_release(struct bus_client *c, struct slot *s)
{
	uint32_t i = (uint32_t)(s - c->slots);

	if (s->peer == NO_PEER)
		c->unsent--;
	if (s->prev != NO_SLOT)
		c->slots[s->prev].next = s->next;
	else
		c->oldest = s->next;
	if (s->next != NO_SLOT)
		c->slots[s->next].prev = s->prev;
	else
		c->newest = s->prev;
	free(s->record);
	s->record = NULL;
	s->id = 0;
	s->next = c->free_slot;
	c->free_slot = i;
}

static void
on_expiry(void *arg)
{
	struct bus_client *c = arg;
	uint64_t now_ms = loop_now_ms(c->loop);

	while (c->oldest != NO_SLOT && c->slots[c->oldest].expires_ms <= now_ms) {
		struct slot *s = &c->slots[c->oldest];
		void *cookie = s->cookie;

		slot_release(c, s);
		c->stats.expired++;
		c->conf.answer(c->conf.answer_arg, cookie, NULL);
	}
	if (c->oldest != NO_SLOT)
		(void)loop_timer_set(
		    c->loop, &c->expiry_timer, c->slots[c->oldest].expires_ms - now_ms);
}

/* All requests that went to this peer wait to be sent again. */
static void
take_back(struct bus_client *c, uint32_t peer)
{
	for (uint32_t i = c->oldest; i != NO_SLOT; i = c->slots[i].next) {
		if (c->slots[i].peer == peer) {
			c->slots[i].peer = NO_PEER;
			c->unsent++;
			c->stats.resent++;
		}
	}
	bus_events_resend(&c->events);
}

static uint32_t
pick_peer(const struct bus_client *c)
{
	for (uint32_t i = 0; i < c->npeers; i++) {
		if (c->peers[i].connected && !c->peers[i].silent)
			return i;
	}
	return NO_PEER;
}

/* Looks at what nng's threads left and at the pings, and settles which handlerd is in use. */
/* Tells the log what became of a handlerd, once a process. */
static void
tell(const struct bus_client *c, const struct peer *p, void (*log)(const char *fmt, ...),
    const char *what)
{
	if (!c->conf.quiet)
		log("bus: handlerd %s: %s", p->url, what);
}

static void
review_peers(struct bus_client *c)
{
	uint64_t now_ms = loop_now_ms(c->loop);
	uint32_t was = c->active;

	for (uint32_t i = 0; i < c->npeers; i++) {
		struct peer *p = &c->peers[i];
		unsigned losses = atomic_load(&p->losses);
		bool connected = atomic_load(&p->pipes) > 0;

		if (losses != p->losses_seen || (p->connected && !connected)) {
			if (p->connected)
				tell(c, p, log_warnx, "lost");
			p->losses_seen = losses;
			p->connected = false;
			take_back(c, i);
		}
		if (connected && !p->connected) {
			tell(c, p, log_info, "connected");
			p->connected = true;
			p->silent = false;
			p->heard_ms = now_ms;
			send_status(c, p);
		}
		if (p->connected && !p->silent && now_ms - p->heard_ms > BUS_SILENCE_MS) {
			tell(c, p, log_warnx, "does not answer pings");
			p->silent = true;
			take_back(c, i);
		}
	}
	c->active = pick_peer(c);
	if (c->active != was) {
		c->stats.failovers += was != NO_PEER && c->active != NO_PEER;
		if (c->active != NO_PEER)
			tell(c, &c->peers[c->active], log_info, "in use");
		else if (!c->conf.quiet)
			log_warnx("bus: no handlerd lives");
	}
}

static void
retry_soon(struct bus_client *c)
{
	if (!loop_timer_is_set(&c->retry_timer))
		(void)loop_timer_set(c->loop, &c->retry_timer, RETRY_MS);
}

/* Sends one message of waiting requests, oldest first; false when there is no more to do now. */
static bool
flush_batch(struct bus_client *c, struct peer *p)
{
	uint32_t waiting[MSG_MAX_RECORDS], most = c->unsent, n = 0, first;
	struct msg_writer w;

	if (most > MSG_MAX_RECORDS)
		most = MSG_MAX_RECORDS;
	/* the waiting ones are the newest, but for those taken back: so look from the end */
	for (uint32_t i = c->newest; i != NO_SLOT && n < most; i = c->slots[i].prev) {
		if (c->slots[i].peer == NO_PEER)
			waiting[n++] = i;
	}
	msg_begin(&w, c->buf, MSG_MAX_BYTES, MSG_REQUESTS, c->origin);
	for (first = n; first > 0 && w.w.used < BATCH_BYTES; first--) {
		/* cppcheck-suppress uninitvar; the loop above filled the first n */
		const struct slot *s = &c->slots[waiting[first - 1]];

		if (msg_put_record(&w, (struct slice){ s->record, s->record_n }) < 0)
			break;
	}
	if (w.records == 0)
		return false;
	if (peer_send(p, msg_end(&w)) < 0) {
		retry_soon(c);
		return false;
	}
	for (uint32_t i = first; i < n; i++)
		c->slots[waiting[i]].peer = p->index;
	c->unsent -= n - first;
	return c->unsent > 0;
}

static void
flush_events(struct bus_client *c, struct peer *p)
{
	struct msg_writer w;
	uint64_t seq;

	msg_begin(&w, c->buf, MSG_MAX_BYTES, MSG_EVENTS, c->origin);
	seq = bus_events_pack(&c->events, &w, BATCH_BYTES);
	if (seq == 0)
		return;
	if (peer_send(p, msg_end(&w)) < 0) {
		retry_soon(c);
		return;
	}
	bus_events_sent(&c->events, seq, loop_now_ms(c->loop));
}

/* The loop's hook: what this round brought leaves now. */
static void
flush(void *arg)
{
	struct bus_client *c = arg;
	struct peer *p;

	if (c->active == NO_PEER)
		return;
	p = &c->peers[c->active];
	while (c->unsent > 0 && flush_batch(c, p))
		;
	if (bus_events_due(&c->events, loop_now_ms(c->loop)))
		flush_events(c, p);
}

static void
on_ack(struct bus_client *c, uint64_t seq)
{
	if (bus_events_acked(&c->events, seq)) {
		struct boot_event e = bus_events_losses(&c->events);

		bus_event(c, &e);
	}
}

static void
on_message(struct bus_client *c, struct peer *p, const void *body, size_t n)
{
	struct boot_answer answer;
	struct msg_reader r;
	struct msg_ack ack;
	int rc;

	if (msg_open(&r, body, n) < 0) {
		c->stats.malformed++;
		return;
	}
	p->heard_ms = loop_now_ms(c->loop);
	if (p->silent) {
		tell(c, p, log_info, "answers again");
		p->silent = false;
		review_peers(c);
	}
	switch (r.header.kind) {
	case MSG_ANSWERS:
		while ((rc = msg_get_answer(&r, &answer)) != -ENOENT) {
			struct slot *s = rc == 0 ? slot_of(c, answer.id) : NULL;
			void *cookie;

			if (rc < 0) {
				c->stats.malformed++;
				continue;
			}
			if (s == NULL) {
				c->stats.late++;
				continue;
			}
			cookie = s->cookie;
			slot_release(c, s);
			c->stats.answered++;
			c->conf.answer(c->conf.answer_arg, cookie, &answer);
		}
		break;
	case MSG_ACK:
		if (msg_get_ack(&r, &ack) == 0)
			on_ack(c, ack.seq);
		break;
	case MSG_PONG: break;
	default: c->stats.malformed++; break;
	}
}

static void
on_readable(void *arg, uint32_t events)
{
	struct peer *p = arg;
	nng_msg *m;

	(void)events;
	while (p->open && nng_recvmsg(p->socket, &m, NNG_FLAG_NONBLOCK) == 0) {
		on_message(p->client, p, nng_msg_body(m), nng_msg_len(m));
		nng_msg_free(m);
	}
}

static void
on_wake(void *arg, uint32_t events)
{
	struct bus_client *c = arg;
	uint64_t count;

	(void)events;
	if (read(c->wake_fd, &count, sizeof(count)) < 0)
		return; /* already taken */
	review_peers(c);
}

static void
on_ping(void *arg)
{
	struct bus_client *c = arg;
	uint64_t now_ms = loop_now_ms(c->loop);

	(void)loop_timer_set(c->loop, &c->ping_timer, BUS_PING_MS);
	for (uint32_t i = 0; i < c->npeers; i++) {
		struct peer *p = &c->peers[i];

		if (!p->connected)
			continue;
		send_bare(c, p, MSG_PING);
		if (now_ms - p->status_ms >= BUS_STATUS_MS)
			send_status(c, p);
	}
	review_peers(c);
}

static void
on_retry(void *arg)
{
	/* the hook that follows each round sends */
	(void)arg;
}

static int
peer_dial(struct bus_client *c, struct peer *p)
{
	nng_tls_config *tls = NULL;
	nng_dialer d;
	int fd, rc;

	rc = nng_req0_open_raw(&p->socket);
	if (rc != 0)
		goto out;
	p->open = true;
	if ((rc = nng_socket_set_int(p->socket, NNG_OPT_SENDBUF, QUEUE_MESSAGES)) != 0 ||
	    (rc = nng_socket_set_int(p->socket, NNG_OPT_RECVBUF, QUEUE_MESSAGES)) != 0 ||
	    (rc = nng_socket_set_size(p->socket, NNG_OPT_RECVMAXSZ, MSG_MAX_BYTES)) != 0 ||
	    (rc = nng_socket_set_ms(p->socket, NNG_OPT_RECONNMINT, 50)) != 0 ||
	    (rc = nng_socket_set_ms(p->socket, NNG_OPT_RECONNMAXT, 500)) != 0 ||
	    (rc = nng_pipe_notify(p->socket, NNG_PIPE_EV_ADD_POST, on_pipe, p)) != 0 ||
	    (rc = nng_pipe_notify(p->socket, NNG_PIPE_EV_REM_POST, on_pipe, p)) != 0 ||
	    (rc = nng_dialer_create(&d, p->socket, p->url)) != 0)
		goto out;
	if (bus_url_is_tls(p->url)) {
		rc = bus_tls_new(p->url, c->conf.tls_ca, c->conf.tls_certificate, &tls);
		if (rc < 0)
			return rc;
		rc = nng_dialer_set_ptr(d, NNG_OPT_TLS_CONFIG, tls);
		nng_tls_config_free(tls); /* the dialer holds it now */
		if (rc != 0)
			goto out;
	}
	if ((rc = nng_socket_get_int(p->socket, NNG_OPT_RECVFD, &fd)) != 0 ||
	    (rc = nng_dialer_start(d, NNG_FLAG_NONBLOCK)) != 0)
		goto out;
	return loop_add(c->loop, &p->recv_lf, fd, EPOLLIN, on_readable, p);
out:
	if (rc != 0)
		log_errx("handler: \"%s\": %s", p->url, nng_strerror(rc));
	return bus_errno(rc);
}

static int
alloc_slots(struct bus_client *c)
{
	c->nslots = c->conf.max_pending;
	c->slots = calloc(c->nslots, sizeof(*c->slots));
	if (c->slots == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->nslots; i++)
		c->slots[i].next = i + 1 < c->nslots ? i + 1 : NO_SLOT;
	c->oldest = c->newest = NO_SLOT;
	return 0;
}

int
bus_client_open(struct loop *loop, const struct bus_client_conf *conf, struct bus_client **ret)
{
	struct bus_client *c = calloc(1, sizeof(*c));
	int rc;

	assert(conf->max_pending > 0 && conf->nurls <= BUS_HANDLERS);
	if (c == NULL)
		return -ENOMEM;
	c->loop = loop;
	c->conf = *conf;
	c->active = NO_PEER;
	bus_events_init(&c->events);
	loop_timer_init(&c->ping_timer, on_ping, c);
	loop_timer_init(&c->retry_timer, on_retry, c);
	loop_timer_init(&c->expiry_timer, on_expiry, c);
	loop_hook_add(loop, &c->hook, flush, c);
	c->buf = malloc(MSG_MAX_BYTES);
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = c->buf == NULL || c->wake_fd < 0 ? -ENOMEM : alloc_slots(c);
	if (rc == 0 && getrandom(&c->origin, sizeof(c->origin), 0) < 0)
		rc = -errno;
	if (rc == 0)
		rc = loop_add(loop, &c->wake_lf, c->wake_fd, EPOLLIN, on_wake, c);
	for (size_t i = 0; rc == 0 && i < conf->nurls; i++) {
		struct peer *p = &c->peers[c->npeers++];

		*p = (struct peer){ .client = c, .index = (uint32_t)i, .url = conf->urls[i] };
		if (bus_url_is_open(p->url) && !c->conf.quiet)
			log_warnx("handler: \"%s\": tcp has neither secrecy nor authentication; "
				  "prefer tls+tcp",
			    p->url);
		rc = peer_dial(c, p);
	}
	if (rc == 0)
		rc = loop_timer_set(loop, &c->ping_timer, BUS_PING_MS);
	if (rc < 0) {
		bus_client_close(c);
		return rc;
	}
	*ret = c;
	return 0;
}

void
bus_client_close(struct bus_client *c)
{
	if (c == NULL)
		return;
	for (uint32_t i = 0; i < c->npeers; i++) {
		loop_del(c->loop, &c->peers[i].recv_lf);
		if (c->peers[i].open)
			bus_close_socket(c->peers[i].socket);
		c->peers[i].open = false;
	}
	loop_timer_clear(c->loop, &c->ping_timer);
	loop_timer_clear(c->loop, &c->retry_timer);
	loop_timer_clear(c->loop, &c->expiry_timer);
	loop_hook_del(c->loop, &c->hook);
	loop_del(c->loop, &c->wake_lf);
	if (c->wake_fd >= 0)
		close(c->wake_fd);
	bus_events_fini(&c->events);
	for (uint32_t i = 0; c->slots != NULL && i < c->nslots; i++)
		free(c->slots[i].record);
	free(c->slots);
	free(c->buf);
	free(c);
}

uint64_t
bus_ask(struct bus_client *c, struct boot_request *r, void *cookie)
{
	uint32_t i = c->free_slot;
	struct msg_writer w;
	struct slice record;
	struct slot *s;

	if (i == NO_SLOT) {
		c->stats.refused++;
		return 0;
	}
	s = &c->slots[i];
	/* the slot below, a count above: never 0, and never the same twice in practice */
	r->id = ++c->generation << 32 | i;
	msg_begin(&w, c->buf, MSG_MAX_BYTES, MSG_REQUESTS, c->origin);
	if (msg_put_request(&w, r) < 0) {
		c->stats.refused++;
		return 0;
	}
	record = msg_last_record(&w);
	s->record = malloc(record.n);
	if (s->record == NULL) {
		c->stats.refused++;
		return 0;
	}
	memcpy(s->record, record.p, record.n);
	s->record_n = (uint32_t)record.n;
	s->id = r->id;
	s->cookie = cookie;
	s->expires_ms = loop_now_ms(c->loop) + c->conf.deadline_ms;
	s->peer = NO_PEER;
	c->free_slot = s->next;
	s->next = NO_SLOT;
	s->prev = c->newest;
	if (c->newest != NO_SLOT)
		c->slots[c->newest].next = i;
	else
		c->oldest = i;
	c->newest = i;
	c->unsent++;
	c->stats.asked++;
	if (!loop_timer_is_set(&c->expiry_timer))
		(void)loop_timer_set(c->loop, &c->expiry_timer, c->conf.deadline_ms);
	return r->id;
}

void
bus_cancel(struct bus_client *c, uint64_t id)
{
	struct slot *s = slot_of(c, id);

	if (s != NULL)
		slot_release(c, s);
}

void
bus_event(struct bus_client *c, struct boot_event *e)
{
	if (e->at_ms == 0)
		e->at_ms = wall_clock_ms();
	c->stats.events++;
	if (bus_events_add(&c->events, e, c->buf, MSG_MAX_BYTES) < 0)
		c->stats.events_lost++;
}

bool
bus_is_up(const struct bus_client *c)
{
	return c->active != NO_PEER;
}

bool
bus_is_drained(const struct bus_client *c)
{
	return c->events.n == 0;
}

void
bus_client_stats(const struct bus_client *c, struct bus_client_stats *ret)
{
	*ret = c->stats;
	ret->events_queued = c->events.n;
}

void
bus_client_counters(const struct bus_client *c, struct wbuf *w)
{
	const struct bus_client_stats *s = &c->stats;

	wbuf_printf(w, "bus_asked %llu\n", (unsigned long long)s->asked);
	wbuf_printf(w, "bus_answered %llu\n", (unsigned long long)s->answered);
	wbuf_printf(w, "bus_expired %llu\n", (unsigned long long)s->expired);
	wbuf_printf(w, "bus_refused %llu\n", (unsigned long long)s->refused);
	wbuf_printf(w, "bus_late %llu\n", (unsigned long long)s->late);
	wbuf_printf(w, "bus_malformed %llu\n", (unsigned long long)s->malformed);
	wbuf_printf(w, "bus_resent %llu\n", (unsigned long long)s->resent);
	wbuf_printf(w, "bus_failovers %llu\n", (unsigned long long)s->failovers);
	wbuf_printf(w, "events %llu\n", (unsigned long long)s->events);
	wbuf_printf(w, "events_lost %llu\n", (unsigned long long)s->events_lost);
	wbuf_printf(w, "events_queued %zu\n", c->events.n);
}
