/* See queue.h. */
#include "tftpd/queue.h"

#include "common/log.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Whose a message of the batch is, and what is in it. */
struct sent {
	struct session *s;
	uint64_t first;
	uint32_t n; /* blocks; 0: the OACK */
};

static struct outgoing *
outgoing_of(const struct session *s)
{
	return worker_outgoing(s->w, s->path.set, s->socket);
}

/* Keeps count of what waits while a transfer has `n` blocks to send. */
static void
set_count(struct session *s, uint32_t n)
{
	struct tftpd_stats *stats = &s->w->stats;

	stats->waiting_blocks += (uint64_t)n - s->count;
	stats->waiting_bytes += ((uint64_t)n - s->count) * s->t.blksize;
	s->count = n;
}

static void
unlink_session(struct session *s)
{
	if (!s->in_queue)
		return;
	TAILQ_REMOVE(&outgoing_of(s)->lists[s->class], s, queued);
	s->in_queue = false;
	s->w->queued--;
}

void
queue_put(struct session *s, const struct transfer_action *a)
{
	s->oack = a->send_oack;
	s->first = a->first;
	set_count(s, a->count);
	/* in its class it keeps its place */
	if (s->in_queue && s->class == (uint8_t)a->class)
		return;
	unlink_session(s);
	s->class = (uint8_t)a->class;
	s->in_queue = true;
	s->w->queued++;
	TAILQ_INSERT_TAIL(&outgoing_of(s)->lists[a->class], s, queued);
}

void
queue_sent(struct session *s, uint32_t n)
{
	assert(n <= s->count);
	if (n == 0)
		s->oack = false;
	s->first += n;
	set_count(s, s->count - n);
	if (!s->oack && s->count == 0)
		unlink_session(s);
}

void
queue_remove(struct session *s)
{
	set_count(s, 0);
	s->oack = false;
	unlink_session(s);
}

static uint16_t
wire(const void *arg, uint64_t block)
{
	return transfer_wire(arg, block);
}

/* Adds what a transfer has to send, as far as the batch takes it; false if that was not all. */
static bool
add(struct batch *b, struct session *s, struct sent *sent)
{
	uint64_t first = s->first;
	uint32_t left = s->count;

	if (s->oack) {
		if (batch_is_full(b))
			return false;
		sent[b->nmsgs] = (struct sent){ .s = s };
		batch_packet_end(b, &s->path, session_oack(s, batch_packet(b)));
	}
	while (left > 0) {
		struct batch_run run = {
			.block = first,
			.count = left,
			.blksize = s->t.blksize,
			.last_bytes = transfer_block_size(&s->t, s->served->size, first + left - 1),
			.segmented = s->gso,
		};
		size_t at = b->nmsgs;
		uint32_t n;

		if (s->served->data != NULL)
			run.data = s->served->data + (first - 1) * s->t.blksize;
		n = batch_blocks(b, &s->path, &run, wire, &s->t);
		if (n == 0)
			return false;
		sent[at] = (struct sent){ .s = s, .first = first, .n = n };
		first += n;
		left -= n;
	}
	return true;
}

/* A message could not leave, and not for lack of room.  True if it may be tried again. */
static bool
on_failure(struct session *s, int rc)
{
	/* segments larger than the MTU, or a device that cannot: block by block from now on */
	if (s->gso && (rc == -EINVAL || rc == -EMSGSIZE || rc == -EIO || rc == -EOPNOTSUPP)) {
		s->gso = false;
		return true;
	}
	s->w->stats.unsent++;
	log_peer_warn("sending to a client: %s", strerror(-rc));
	return false;
}

/*
 * Sends the batch.  Stops early, with the rest still in the queue, when the socket is full or a
 * message has to be made anew: then `false`.
 */
static bool
send_batch(struct worker *w, struct outgoing *o, const struct sent *sent)
{
	struct batch *b = &w->batch;
	size_t at = 0;

	while (at < b->nmsgs) {
		int rc = batch_send(b, listen_fd(o->set, o->socket), at);
		struct session *s = sent[at].s;

		assert(s != NULL); /* add() named one for each message */

		for (int i = 0; i < rc; i++, at++)
			session_sent(sent[at].s, sent[at].first, sent[at].n);
		if (rc > 0)
			continue;
		if (rc == -EINTR)
			continue;
		if (rc == -EAGAIN || rc == -ENOBUFS || rc == 0) {
			w->stats.no_room++;
			o->blocked = true;
			if (rc == -EAGAIN)
				listen_wait(o->set, o->socket);
			else
				listen_pause(o->set, o->socket);
			return false;
		}
		if (rc == -EFAULT) { /* the mapped file was cut short */
			session_broken(s);
			return false;
		}
		if (on_failure(s, rc))
			return false;
		/* lost on the way, as far as TFTP goes */
		session_sent(s, sent[at].first, sent[at].n);
		at++;
	}
	return true;
}

/* Sends from one list; the number of blocks that left. */
static void
send_list(struct worker *w, struct outgoing *o, enum transfer_class class, size_t *turn)
{
	struct session_list *list = &o->lists[class];
	struct sent sent[BATCH_MESSAGES] = { { 0 } };

	while (!o->blocked && *turn > 0 && !TAILQ_EMPTY(list)) {
		struct session *s = TAILQ_FIRST(list);

		batch_clear(&w->batch);
		while (s != NULL && add(&w->batch, s, sent))
			s = TAILQ_NEXT(s, queued);
		(void)send_batch(w, o, sent);
		*turn -= w->batch.nheaders < *turn ? w->batch.nheaders : *turn;
	}
}

void
queue_send(struct worker *w)
{
	size_t turn = QUEUE_TURN_BLOCKS;
	bool more = false;

	/* another socket is the first each time: one could take the whole turn, and again the next
	 */
	w->first_outgoing = w->first_outgoing + 1 < w->noutgoing ? w->first_outgoing + 1 : 0;
	for (int class = 0; w->queued > 0 && class < TRANSFER_CLASSES; class ++) {
		for (size_t i = 0; i < w->noutgoing; i++) {
			size_t at = (w->first_outgoing + i) % w->noutgoing;

			send_list(w, &w->outgoing[at], (enum transfer_class) class, &turn);
		}
	}
	if (w->queued == 0)
		return;
	for (size_t i = 0; i < w->noutgoing; i++) {
		for (int class = 0; class < TRANSFER_CLASSES && !w->outgoing[i].blocked; class ++)
			more |= !TAILQ_EMPTY(&w->outgoing[i].lists[class]);
	}
	if (more)
		loop_hurry(w->thread.loop);
}
