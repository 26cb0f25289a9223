/*
 * The front daemons' end of the bus; see bus_client.h.
 *
 * One link a handlerd, so that it is ours to say which of them gets what.  A pending request keeps
 * its encoded record until it is answered or too old: that is what goes to the next handlerd when
 * one dies.
 */
#include "common/bus_client.h"

#include "common/bus_events.h"
#include "common/bus_link.h"
#include "common/bus_nng.h"
#include "common/log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NO_PEER     UINT32_MAX
#define NO_SLOT     UINT32_MAX
#define BATCH_BYTES (256u << 10) /* a message is closed when it passes this */
#define RETRY_MS    5            /* until a send is tried again that found no room */

/* A handlerd.  Without a sign of life its connection is given up now and then for a new one. */
struct peer {
	struct bus_client *client;
	uint32_t index;
	const char *url;
	struct bus_link *link;
	bool connected;
	bool silent; /* connected, but does not answer pings */
	unsigned losses_seen;
	uint64_t heard_ms;
	uint64_t status_ms;
	uint64_t renewed_ms; /* when it was dialled, or life was last seen */
	uint64_t renew_ms;   /* how long after that it is given up */
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
	struct loop_hook hook;
	struct loop_timer ping_timer, retry_timer, expiry_timer;
	struct peer peers[BUS_HANDLERS];
	uint32_t npeers;
	uint32_t active;    /* NO_PEER: none lives */
	uint32_t load_told; /* in the last announcement */
	struct loop_timer haste_timer;
	uint64_t told_ms; /* when that was */

	struct slot *slots;
	uint32_t nslots, free_slot, oldest, newest;
	uint32_t unsent;
	uint64_t generation;

	struct bus_events events;
	uint8_t *buf; /* for building messages */
	struct bus_client_stats stats;
};

static void
send_bare(struct bus_client *c, struct peer *p, enum msg_kind kind)
{
	struct msg_writer w;
	uint8_t buf[32];

	msg_begin(&w, buf, sizeof(buf), kind, c->origin);
	/* a full queue means that the peer does not read: its silence will show that */
	(void)bus_link_send(p->link, msg_end(&w));
}

static void
send_status(struct bus_client *c, struct peer *p)
{
	struct daemon_status status = { 0 };
	struct msg_writer w;

	if (c->conf.status == NULL)
		return;
	c->conf.status(c->conf.status_arg, &status);
	c->load_told = status.load_permille;
	c->told_ms = loop_now_ms(c->loop);
	msg_begin(&w, c->buf, MSG_MAX_BYTES, MSG_STATUS, c->origin);
	if (msg_put_status(&w, &status) == 0 && bus_link_send(p->link, msg_end(&w)) == 0)
		p->status_ms = loop_now_ms(c->loop);
}

static void
announce(struct bus_client *c)
{
	for (uint32_t i = 0; i < c->npeers; i++) {
		if (c->peers[i].connected)
			send_status(c, &c->peers[i]);
	}
}

static void
on_haste(void *arg)
{
	announce(arg);
}

void
bus_load(struct bus_client *c, uint32_t load_permille)
{
	uint32_t told = c->load_told;
	uint32_t change = load_permille > told ? load_permille - told : told - load_permille;
	uint64_t since_ms;

	if (change < BUS_LOAD_STEP && (load_permille >= LOAD_FULL) == (told >= LOAD_FULL))
		return;
	if (loop_timer_is_set(&c->haste_timer))
		return;
	since_ms = loop_now_ms(c->loop) - c->told_ms;
	/* without memory for a timer the next announcement of every BUS_STATUS_MS tells */
	if (since_ms < BUS_HASTE_MS)
		(void)loop_timer_set(c->loop, &c->haste_timer, BUS_HASTE_MS - since_ms);
	else
		announce(c);
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

/* Tells the log what became of a handlerd, once a process. */
static void
tell(const struct bus_client *c, const struct peer *p, void (*log)(const char *fmt, ...),
    const char *what)
{
	if (!c->conf.quiet)
		log("bus: handlerd %s: %s", p->url, what);
}

static void
review_peer(struct bus_client *c, struct peer *p, uint64_t now_ms)
{
	bool connected = bus_link_is_connected(p->link);
	unsigned losses = bus_link_losses(p->link);

	if (losses != p->losses_seen) {
		if (p->connected)
			tell(c, p, log_warnx, "lost");
		p->losses_seen = losses;
		p->connected = false;
		take_back(c, p->index);
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
		take_back(c, p->index);
	}
}

/* Looks at the links and at the pings, and settles which handlerd is in use. */
static void
review_peers(struct bus_client *c)
{
	uint64_t now_ms = loop_now_ms(c->loop);
	uint32_t was = c->active;

	for (uint32_t i = 0; i < c->npeers; i++)
		review_peer(c, &c->peers[i], now_ms);
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
	if (bus_link_send(p->link, msg_end(&w)) < 0) {
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
	if (bus_link_send(p->link, msg_end(&w)) < 0) {
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
on_message(struct bus_client *c, struct peer *p, struct slice message)
{
	struct boot_answer answer;
	struct msg_reader r;
	struct msg_ack ack;
	int rc;

	if (msg_open(&r, message.p, message.n) < 0) {
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
on_link(void *arg)
{
	struct peer *p = arg;
	struct slice message;

	while (bus_link_recv(p->link, &message))
		on_message(p->client, p, message);
	if (bus_link_is_connected(p->link) != p->connected ||
	    bus_link_losses(p->link) != p->losses_seen)
		review_peers(p->client);
}

/* A connection that shows no life may end at a host that is gone, which nobody tells. */
static void
renew_peers(struct bus_client *c)
{
	uint64_t now_ms = loop_now_ms(c->loop);

	for (uint32_t i = 0; i < c->npeers; i++) {
		struct peer *p = &c->peers[i];

		if (p->connected && !p->silent) {
			p->renewed_ms = now_ms;
			p->renew_ms = BUS_RENEW_MS;
		} else if (now_ms - p->renewed_ms >= p->renew_ms) {
			p->renewed_ms = now_ms;
			if (p->renew_ms < BUS_RENEW_MS * BUS_RENEW_SLOWER)
				p->renew_ms *= 2;
			c->stats.renewed += p->connected;
			bus_link_renew(p->link);
		}
	}
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
	renew_peers(c);
	review_peers(c);
}

static void
on_retry(void *arg)
{
	/* the hook that follows each round sends */
	(void)arg;
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
	loop_timer_init(&c->haste_timer, on_haste, c);
	loop_hook_add(loop, &c->hook, flush, c);
	c->buf = malloc(MSG_MAX_BYTES);
	rc = c->buf == NULL ? -ENOMEM : alloc_slots(c);
	if (rc == 0 && getrandom(&c->origin, sizeof(c->origin), 0) < 0)
		rc = -errno;
	for (size_t i = 0; rc == 0 && i < conf->nurls; i++) {
		struct peer *p = &c->peers[i];
		const struct bus_link_conf link = {
			.url = conf->urls[i],
			.tls_ca = conf->tls_ca,
			.tls_certificate = conf->tls_certificate,
			.fn = on_link,
			.arg = p,
		};

		*p = (struct peer){
			.client = c,
			.index = (uint32_t)i,
			.url = conf->urls[i],
			.renewed_ms = loop_now_ms(loop),
			.renew_ms = BUS_RENEW_MS,
		};
		if (bus_url_is_open(p->url) && !c->conf.quiet)
			log_warnx("handler: \"%s\": tcp has neither secrecy nor authentication; "
				  "prefer tls+tcp",
			    p->url);
		rc = bus_link_open(loop, &link, &p->link);
		if (rc == 0)
			c->npeers++;
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
	for (uint32_t i = 0; i < c->npeers; i++)
		bus_link_close(c->peers[i].link);
	loop_timer_clear(c->loop, &c->ping_timer);
	loop_timer_clear(c->loop, &c->retry_timer);
	loop_timer_clear(c->loop, &c->expiry_timer);
	loop_timer_clear(c->loop, &c->haste_timer);
	loop_hook_del(c->loop, &c->hook);
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
	if (r->wait_ms == 0 || r->wait_ms > c->conf.deadline_ms)
		r->wait_ms = c->conf.deadline_ms;
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
bus_stats_add(struct bus_client_stats *sum, const struct bus_client_stats *s)
{
	const uint64_t *from = (const uint64_t *)s;
	uint64_t *to = (uint64_t *)sum;

	_Static_assert(sizeof(*sum) % sizeof(*to) == 0, "it holds nothing but uint64_t");
	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

void
bus_stats_print(const struct bus_client_stats *s, struct wbuf *w)
{
	wbuf_printf(w, "bus_asked %llu\n", (unsigned long long)s->asked);
	wbuf_printf(w, "bus_answered %llu\n", (unsigned long long)s->answered);
	wbuf_printf(w, "bus_expired %llu\n", (unsigned long long)s->expired);
	wbuf_printf(w, "bus_refused %llu\n", (unsigned long long)s->refused);
	wbuf_printf(w, "bus_late %llu\n", (unsigned long long)s->late);
	wbuf_printf(w, "bus_malformed %llu\n", (unsigned long long)s->malformed);
	wbuf_printf(w, "bus_resent %llu\n", (unsigned long long)s->resent);
	wbuf_printf(w, "bus_failovers %llu\n", (unsigned long long)s->failovers);
	wbuf_printf(w, "bus_renewed %llu\n", (unsigned long long)s->renewed);
	wbuf_printf(w, "events %llu\n", (unsigned long long)s->events);
	wbuf_printf(w, "events_lost %llu\n", (unsigned long long)s->events_lost);
	wbuf_printf(w, "events_queued %llu\n", (unsigned long long)s->events_queued);
}
