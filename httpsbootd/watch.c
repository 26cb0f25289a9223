/* See watch.h. */
#include "httpsbootd/watch.h"

#include "common/log.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#define TICK_MS  100
#define ROUND_MS 1000 /* in which each connection is looked at once */
#define EVICT_MS 1000 /* a connection that is younger is not put out for another */
#define EVICT_OF 64   /* connections among which the one to be put out is sought */

struct watched {
	struct watch *watch;
	struct watched *next, *prev; /* a ring */
	struct ipaddr peer;
	struct pace pace;
	void *user;
	int fd;
	bool cut;
};

struct watch {
	struct loop *loop;
	const struct watch_ops *ops;
	void *arg;
	struct pace_limits limits;
	struct watch_shared *shared;
	struct watched *cursor; /* whose turn it is; NULL: there is none */
	size_t n;
	struct loop_timer timer;
	struct watch_stats stats;
};

static void
read_counts(const struct watched *c, struct pace_counts *ret)
{
	struct tcp_info info = { 0 };
	socklen_t n = sizeof(info);

	/* for a socket that is no TCP connection (any more) zeros are as good as anything */
	(void)getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &n);
	*ret = (struct pace_counts){
		.received = info.tcpi_bytes_received,
		.acked = info.tcpi_bytes_acked,
		.unsent = info.tcpi_notsent_bytes > 0 || info.tcpi_unacked > 0,
	};
}

static void
cut(struct watched *c)
{
	const struct linger none = { .l_onoff = 1 };

	c->cut = true;
	/* what it does not take is thrown away: else the kernel would keep it for minutes */
	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	/* its owner hears of it as of any broken connection, and closes it */
	(void)shutdown(c->fd, SHUT_RDWR);
}

static void
look(struct watched *c)
{
	struct watch *w = c->watch;
	uint64_t now_ms = loop_now_ms(w->loop);
	struct pace_counts counts;
	enum pace_fault fault;

	if (c->cut)
		return;
	/* while it waits for us, or its answer has just begun, there is nothing to be seen */
	if (c->pace.stage == PACE_THINK ||
	    (c->pace.stage == PACE_ANSWER && now_ms - c->pace.since_ms < ROUND_MS))
		return;
	read_counts(c, &counts);
	fault = pace_look(&c->pace, &w->limits, now_ms, &counts);
	if (fault != PACE_FINE) {
		w->stats.slow[fault]++;
		w->ops->slow(w->arg, c, fault);
		cut(c);
	} else if (c->pace.stage == PACE_ANSWER) {
		w->ops->progress(
		    w->arg, c, now_ms - c->pace.since_ms, pace_taken(&c->pace, &counts));
	}
}

static void
on_tick(void *arg)
{
	struct watch *w = arg;
	size_t share = w->n * TICK_MS / ROUND_MS + 1;

	/* looking closes nothing, so the ring stays as it is */
	for (size_t i = 0; i < share && w->cursor != NULL; i++) {
		look(w->cursor);
		w->cursor = w->cursor->next;
	}
	if (w->n > 0)
		(void)loop_timer_set(w->loop, &w->timer, TICK_MS);
}

int
watch_new(struct loop *loop, const struct pace_limits *limits, struct watch_shared *shared,
    const struct watch_ops *ops, void *arg, struct watch **ret)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return -ENOMEM;
	w->loop = loop;
	w->limits = *limits;
	w->shared = shared;
	w->ops = ops;
	w->arg = arg;
	loop_timer_init(&w->timer, on_tick, w);
	*ret = w;
	return 0;
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	while (w->cursor != NULL)
		watch_close(w->cursor);
	loop_timer_clear(w->loop, &w->timer);
	free(w);
}

/*
 * Puts out the connection that has been without a request for longest, among some: better one that
 * asks for nothing than one that has just come.  False if there is none.
 */
static bool
evict(struct watch *w)
{
	uint64_t now_ms = loop_now_ms(w->loop);
	struct watched *c = w->cursor, *best = NULL;

	for (size_t i = 0; i < EVICT_OF && i < w->n; i++, c = c->next) {
		if (c->cut || c->pace.stage > PACE_HEAD || now_ms - c->pace.since_ms < EVICT_MS)
			continue;
		if (best == NULL || c->pace.since_ms < best->pace.since_ms)
			best = c;
	}
	if (best == NULL)
		return false;
	w->cursor = c;
	w->stats.evicted++;
	cut(best);
	return true;
}

static enum crowd_room
enter(struct watch_shared *s, const struct ipaddr *peer, bool squeeze)
{
	enum crowd_room room;

	pthread_mutex_lock(&s->lock);
	room = crowd_enter(s->crowd, peer, squeeze);
	pthread_mutex_unlock(&s->lock);
	return room;
}

static void
leave(struct watch_shared *s, const struct ipaddr *peer)
{
	pthread_mutex_lock(&s->lock);
	crowd_leave(s->crowd, peer);
	pthread_mutex_unlock(&s->lock);
}

static bool
is_let_in(struct watch *w, const struct ipaddr *peer)
{
	enum crowd_room room = enter(w->shared, peer, false);
	char ip[IP_STRLEN];

	if (room == CROWD_FULL && evict(w))
		room = enter(w->shared, peer, true);
	if (room == CROWD_IN)
		return true;
	if (room == CROWD_ADDRESS_FULL) {
		w->stats.turned_address++;
		log_peer_warn("max_connections_per_address: a connection from %s was turned away",
		    ip_format(peer, ip));
	} else {
		w->stats.turned++;
		log_peer_warn(
		    "max_connections: a connection from %s was turned away", ip_format(peer, ip));
	}
	return false;
}

struct watched *
watch_open(struct watch *w, int fd, const struct ipaddr *peer)
{
	struct pace_counts counts;
	struct watched *c;

	if (!is_let_in(w, peer))
		return NULL;
	c = malloc(sizeof(*c));
	if (c == NULL) {
		leave(w->shared, peer);
		return NULL;
	}
	*c = (struct watched){ .watch = w, .fd = fd, .peer = *peer };
	read_counts(c, &counts);
	pace_init(&c->pace, loop_now_ms(w->loop), &counts);
	if (w->cursor == NULL) {
		c->next = c->prev = w->cursor = c;
	} else { /* behind all others */
		c->next = w->cursor;
		c->prev = w->cursor->prev;
		c->next->prev = c->prev->next = c;
	}
	w->n++;
	if (!loop_timer_is_set(&w->timer))
		(void)loop_timer_set(w->loop, &w->timer, TICK_MS);
	return c;
}

void
watch_close(struct watched *c)
{
	struct watch *w;

	if (c == NULL)
		return;
	w = c->watch;
	leave(w->shared, &c->peer);
	if (w->cursor == c)
		w->cursor = c->next != c ? c->next : NULL;
	c->next->prev = c->prev;
	c->prev->next = c->next;
	w->n--;
	free(c);
}

void
watch_enter(struct watched *c, enum pace_stage stage)
{
	struct pace_counts counts = { 0 };

	if (c == NULL)
		return;
	if (stage != PACE_THINK)
		read_counts(c, &counts);
	pace_enter(&c->pace, stage, loop_now_ms(c->watch->loop), &counts);
}

uint64_t
watch_taken(struct watched *c)
{
	struct pace_counts counts;

	if (c == NULL)
		return 0;
	read_counts(c, &counts);
	return pace_taken(&c->pace, &counts);
}

bool
watch_is_cut(const struct watched *c)
{
	return c != NULL && c->cut;
}

void
watch_set_user(struct watched *c, void *user)
{
	if (c != NULL)
		c->user = user;
}

void *
watch_user(const struct watched *c)
{
	return c->user;
}

const struct ipaddr *
watch_peer(const struct watched *c)
{
	return &c->peer;
}

const struct watch_stats *
watch_get_stats(const struct watch *w)
{
	return &w->stats;
}
