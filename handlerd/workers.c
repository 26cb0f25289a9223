/* The workers of one script; see workers.h. */
#include "handlerd/workers.h"

#include "common/log.h"
#include "handlerd/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* How often the file is looked at; a change must be as old before it is taken. */
#define LOOK_MS 500
/* The pause after the second failure in a row; it doubles with each more. */
#define PAUSE_MS     100
#define PAUSE_MAX_MS 30000

/* A file as it was at some time. */
struct look {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

struct workers_ask {
	struct workers *pool;
	uint64_t id;
	char *text; /* NULL once it was sent */
	size_t n;
	uint32_t deadline_ms;
	struct loop_timer timer;
	workers_fn *done; /* NULL: cancelled while a worker has it */
	void *arg;
	struct member *member;           /* that has it; NULL: it waits */
	struct workers_ask *next, *prev; /* of those that wait */
};

enum member_state {
	MEMBER_TESTING, /* it has the self-test */
	MEMBER_IDLE,
	MEMBER_BUSY,   /* it has a request */
	MEMBER_ENDING, /* it was killed, and counts no more */
};

/* A worker's place in the pool. */
struct member {
	struct workers *pool;
	struct worker *worker;
	enum member_state state;
	bool leaving; /* its successor is there: it goes after its request */
	uint32_t generation;
	uint32_t served;
	struct workers_ask *ask;
	struct loop_timer timer; /* of the self-test */
	struct member *next;
};

struct workers {
	struct loop *loop;
	struct spawner *spawner;
	struct workers_conf conf;
	char *path;
	const char *name; /* the file's, for the log */
	struct member *members;
	struct workers_ask *first, *last; /* that wait */
	uint32_t nwaiting;
	uint64_t last_id;

	uint32_t generation; /* of the file as it is */
	uint32_t taken;      /* that a worker has proved */
	uint32_t complained; /* whose failure was logged */
	struct look look, last_look;
	struct loop_timer look_timer;

	uint32_t failures; /* in a row */
	struct loop_timer pause;
	struct loop_timer soon; /* to do the rest from the loop */
	struct workers_stats stats;
};

static void on_line(void *arg, const char *text, size_t n);
static void on_ended(void *arg, const char *why, const struct spawn_end *end);
static void condemn(struct member *m, int error, const char *why);
static void hand_out(struct workers *p);
static void go_on(struct workers *p);

static const struct worker_ops worker_ops = { .line = on_line, .ended = on_ended };

/* The rest is done from the loop, where workers may be freed. */
static void
come_back(struct workers *p)
{
	(void)loop_timer_set(p->loop, &p->soon, 0); /* no memory: the next event does it */
}

/* --- requests ------------------------------------------------------------------------------- */

static void
put_last(struct workers_ask *ask)
{
	struct workers *p = ask->pool;

	ask->prev = p->last;
	*(p->last != NULL ? &p->last->next : &p->first) = ask;
	p->last = ask;
	p->nwaiting++;
}

static void
take_out(struct workers_ask *ask)
{
	struct workers *p = ask->pool;

	*(ask->prev != NULL ? &ask->prev->next : &p->first) = ask->next;
	*(ask->next != NULL ? &ask->next->prev : &p->last) = ask->prev;
	p->nwaiting--;
}

static void
free_ask(struct workers_ask *ask)
{
	loop_timer_clear(ask->pool->loop, &ask->timer);
	free(ask->text);
	free(ask);
}

/* Ends a request: it is in no list any more when its asker hears. */
static void
finish(struct workers_ask *ask, int error, json_t *answer, const char *why)
{
	struct workers *p = ask->pool;
	workers_fn *done = ask->done;
	void *arg = ask->arg;

	if (ask->member != NULL) {
		if (ask->member->ask == ask)
			ask->member->ask = NULL;
	} else {
		take_out(ask);
	}
	free_ask(ask);
	if (done == NULL)
		return;
	if (error == 0)
		p->stats.answered++;
	else if (error == -ETIMEDOUT)
		p->stats.timed_out++;
	else
		p->stats.failed++;
	done(arg, error, answer, why);
}

static void
on_deadline(void *arg)
{
	struct workers_ask *ask = arg;
	struct workers *p = ask->pool;
	struct member *m = ask->member;
	char why[CHILD_ERROR];

	if (m == NULL) {
		finish(ask, -ETIMEDOUT, NULL, "no worker was free in time");
		return;
	}
	(void)snprintf(why, sizeof(why), "gave no answer within %u ms", ask->deadline_ms);
	m->state = MEMBER_ENDING;
	worker_stop(m->worker, why);
	(void)snprintf(p->stats.trouble, sizeof(p->stats.trouble), "%s", why);
	log_peer_warn("script %s[%d] %s and is replaced", p->name, (int)worker_pid(m->worker), why);
	finish(ask, -ETIMEDOUT, NULL, why);
	go_on(p);
}

int
workers_ask(struct workers *p, const json_t *request, uint32_t deadline_ms, workers_fn *done,
    void *arg, struct workers_ask **ret)
{
	struct workers_ask *ask;
	const struct member *m;
	char *body;
	int n;

	if (!json_is_object(request))
		return -EINVAL;
	for (m = p->members; m != NULL; m = m->next) {
		if (m->state != MEMBER_ENDING)
			break;
	}
	/* between a worker's end and its successor's start there may be a moment without any */
	if (!spawner_works(p->spawner) || (m == NULL && !loop_timer_is_set(&p->soon))) {
		p->stats.refused++;
		return -EPIPE;
	}
	if (p->nwaiting >= p->conf.max_waiting) {
		p->stats.refused++;
		return -ENOBUFS;
	}
	ask = calloc(1, sizeof(*ask));
	body = json_dumps(request, JSON_COMPACT);
	if (ask == NULL || body == NULL) {
		free(ask);
		free(body);
		return -ENOMEM;
	}
	ask->pool = p;
	ask->id = ++p->last_id;
	ask->deadline_ms = deadline_ms;
	ask->done = done;
	ask->arg = arg;
	n = asprintf(&ask->text, "{\"id\":%llu%s%s\n", (unsigned long long)ask->id,
	    body[1] == '}' ? "" : ",", body + 1);
	free(body);
	loop_timer_init(&ask->timer, on_deadline, ask);
	if (n < 0 || loop_timer_set(p->loop, &ask->timer, deadline_ms) < 0) {
		if (n < 0)
			ask->text = NULL;
		free_ask(ask);
		return -ENOMEM;
	}
	ask->n = (size_t)n;
	put_last(ask);
	p->stats.asked++;
	hand_out(p);
	*ret = ask;
	return 0;
}

void
workers_cancel(struct workers_ask *ask)
{
	ask->pool->stats.cancelled++;
	ask->done = NULL;
	if (ask->member == NULL)
		finish(ask, -ECANCELED, NULL, "");
}

/* --- workers -------------------------------------------------------------------------------- */

/* After a failure the next start waits; the first time it does not. */
static void
note_failure(struct workers *p, const char *why)
{
	uint32_t shift = p->failures < 10 ? p->failures : 10;
	uint64_t pause_ms = shift == 0 ? 0 : (uint64_t)PAUSE_MS << (shift - 1);

	p->failures++;
	if (pause_ms > PAUSE_MAX_MS)
		pause_ms = PAUSE_MAX_MS;
	p->stats.pause_ms = (uint32_t)pause_ms;
	(void)snprintf(p->stats.trouble, sizeof(p->stats.trouble), "%s", why);
	if (pause_ms > 0)
		(void)loop_timer_set(p->loop, &p->pause, pause_ms); /* no memory: at once then */
}

static void
note_success(struct workers *p)
{
	p->failures = 0;
	p->stats.trouble[0] = '\0';
	p->stats.pause_ms = 0;
	loop_timer_clear(p->loop, &p->pause);
}

static void
remove_member(struct member *m)
{
	struct member **at = &m->pool->members;

	loop_timer_clear(m->pool->loop, &m->timer);
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	worker_free(m->worker);
	free(m);
}

/* Ends a worker that did wrong, and its request with `error`. */
static void
condemn(struct member *m, int error, const char *why)
{
	struct workers *p = m->pool;
	bool testing = m->state == MEMBER_TESTING;

	m->state = MEMBER_ENDING;
	loop_timer_clear(p->loop, &m->timer);
	worker_stop(m->worker, why);
	note_failure(p, why);
	/* a script that stays broken is complained of once, what clients may cause at a bound rate
	 */
	if (!testing)
		log_peer_warn(
		    "script %s[%d] %s and is replaced", p->name, (int)worker_pid(m->worker), why);
	else if (p->complained != m->generation)
		log_warnx("script %s: a new worker %s%s", p->name, why,
		    p->taken > 0 && p->taken != m->generation
			? "; those of the script before the change go on"
			: "");
	if (testing)
		p->complained = m->generation;
	if (m->ask != NULL)
		finish(m->ask, error, NULL, why);
	come_back(p);
}

static void
on_test_deadline(void *arg)
{
	struct member *m = arg;
	char why[CHILD_ERROR];

	(void)snprintf(why, sizeof(why), "gave no answer to the self-test within %u ms",
	    m->pool->conf.start_ms);
	condemn(m, -ETIMEDOUT, why);
}

/* True if a fresh worker is to take its place. */
static bool
is_due(const struct member *m)
{
	const struct workers *p = m->pool;

	return m->generation != p->generation ||
	       (p->conf.max_requests > 0 && m->served >= p->conf.max_requests);
}

static void
on_tested(struct member *m, const json_t *answer)
{
	struct workers *p = m->pool;
	char what[CHILD_ERROR - 32], why[CHILD_ERROR];

	if (hook_self_test_check(answer, what, sizeof(what)) < 0) {
		(void)snprintf(why, sizeof(why), "failed the self-test: %s", what);
		condemn(m, -EBADMSG, why);
		return;
	}
	loop_timer_clear(p->loop, &m->timer);
	m->state = MEMBER_IDLE;
	if (p->taken != m->generation)
		log_info("script %s: %s", p->name,
		    p->taken == 0 ? "ready" : "changed, the new one is taken");
	p->taken = p->stats.generation = m->generation;
	p->complained = 0;
	hand_out(p);
	come_back(p);
}

/* The id in an answer is optional; one that is there must be right. */
static bool
has_foreign_id(const json_t *answer, uint64_t id)
{
	const json_t *value = json_object_get(answer, "id");

	return value != NULL &&
	       (!json_is_integer(value) || (uint64_t)json_integer_value(value) != id);
}

/* No worker may be freed here: the call comes from within one. */
static void
on_line(void *arg, const char *text, size_t n)
{
	struct member *m = arg;
	struct workers *p = m->pool;
	json_t *answer;

	if (m->state == MEMBER_ENDING)
		return;
	if (m->state == MEMBER_IDLE) {
		condemn(m, -EBADMSG, "wrote a line that nobody had asked for");
		return;
	}
	answer = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(answer)) {
		condemn(m, -EBADMSG, "wrote a line that is no JSON object");
	} else if (m->state == MEMBER_TESTING) {
		on_tested(m, answer);
	} else if (has_foreign_id(answer, m->ask->id)) {
		condemn(m, -EBADMSG, "answered with the id of another request");
	} else {
		struct workers_ask *ask = m->ask;

		m->served++;
		m->state = MEMBER_IDLE;
		m->ask = NULL;
		note_success(p);
		if (is_due(m) || m->leaving)
			come_back(p);
		if (!m->leaving)
			hand_out(p); /* the next one is at work while this asker takes its time */
		finish(ask, 0, answer, "");
	}
	json_decref(answer);
}

static void
on_ended(void *arg, const char *why, const struct spawn_end *end)
{
	struct member *m = arg;
	struct workers *p = m->pool;
	char text[CHILD_ERROR];

	log_debug("script %s[%d] %s; %u requests, %u ms of CPU time, %llu kB", p->name,
	    (int)end->pid, end->text, m->served, end->cpu_ms, (unsigned long long)end->peak_kb);
	if (m->state != MEMBER_ENDING) {
		(void)snprintf(text, sizeof(text), "%s%.220s",
		    end->pid == 0 ? "could not be started: " : "", why);
		condemn(m, -EPIPE, text);
	}
	remove_member(m);
	go_on(p);
}

/* Starts one worker; false if that failed at once. */
static bool
start_one(struct workers *p)
{
	struct member *m = calloc(1, sizeof(*m));
	json_t *test = hook_self_test(p->conf.hook);
	char *text = json_dumps(test, JSON_COMPACT), *line = NULL;
	int rc = -ENOMEM, n;

	json_decref(test);
	n = text != NULL ? asprintf(&line, "%s\n", text) : -1;
	free(text);
	if (m != NULL && n >= 0) {
		m->pool = p;
		m->generation = p->generation;
		loop_timer_init(&m->timer, on_test_deadline, m);
		rc = worker_start(p->loop, p->spawner, p->name, p->path, &p->conf.limits,
		    &worker_ops, m, &m->worker);
	}
	if (rc == 0)
		rc = loop_timer_set(p->loop, &m->timer, p->conf.start_ms);
	if (rc == 0) {
		m->next = p->members;
		p->members = m;
		p->stats.started++;
		(void)worker_send(m->worker, line, (size_t)n); /* its first: it is taken */
		return true;
	}
	if (n >= 0)
		free(line);
	if (m != NULL)
		worker_free(m->worker);
	free(m);
	note_failure(p, strerror(-rc));
	log_peer_warn("script %s: cannot start a worker: %s", p->name, strerror(-rc));
	return false;
}

/* Starts as many as are missing, or one to take the place of another. */
static void
start_missing(struct workers *p)
{
	unsigned present = 0, testing = 0, due = 0;
	const struct member *m;

	for (m = p->members; m != NULL; m = m->next) {
		if (m->state == MEMBER_ENDING || m->leaving)
			continue;
		present++;
		testing += m->state == MEMBER_TESTING;
		due += m->state != MEMBER_TESTING && is_due(m);
	}
	if (!spawner_works(p->spawner) || loop_timer_is_set(&p->pause))
		return;
	if (present < p->conf.count) {
		/* after a failure one after the other, as it may fail again */
		while (
		    present < p->conf.count && (p->failures == 0 || testing == 0) && start_one(p)) {
			present++;
			testing++;
		}
	} else if (due > 0 && present == p->conf.count && testing == 0) {
		(void)start_one(p); /* it has noted the failure */
	}
}

/* --- handing out ---------------------------------------------------------------------------- */

/* An idle worker, of the script as it is if there is one. */
static struct member *
find_idle(struct workers *p)
{
	struct member *m, *idle = NULL;

	for (m = p->members; m != NULL; m = m->next) {
		if (m->state == MEMBER_IDLE && !m->leaving &&
		    (idle == NULL || m->generation > idle->generation))
			idle = m;
	}
	return idle;
}

static void
hand_out(struct workers *p)
{
	struct workers_ask *ask;
	struct member *m;

	while ((ask = p->first) != NULL && (m = find_idle(p)) != NULL) {
		if (worker_send(m->worker, ask->text, ask->n) < 0) {
			condemn(m, -EBADMSG, "wrote a line that nobody had asked for");
			continue;
		}
		ask->text = NULL;
		take_out(ask);
		m->state = MEMBER_BUSY;
		m->ask = ask;
		ask->member = m;
	}
}

/* --- both together -------------------------------------------------------------------------- */

/* No worker will come soon: whoever waits is told so now, and has its default in time. */
static void
give_up(struct workers *p)
{
	char why[CHILD_ERROR];
	const struct member *m;

	for (m = p->members; m != NULL; m = m->next) {
		if (m->state != MEMBER_ENDING)
			return;
	}
	(void)snprintf(why, sizeof(why), "no worker runs: the last one %.200s", p->stats.trouble);
	while (p->first != NULL)
		finish(p->first, -EPIPE, NULL, why);
}

/* Of two workers the one that goes first: due before not, idle before busy. */
static bool
goes_before(const struct member *m, const struct member *other)
{
	if (other == NULL || is_due(m) != is_due(other))
		return other == NULL || is_due(m);
	return m->state == MEMBER_IDLE && other->state != MEMBER_IDLE;
}

/* When there is one more than there should be, its successor is ready: one goes. */
static void
retire(struct workers *p)
{
	struct member *m, *next, *first = NULL;
	unsigned ready = 0;

	for (m = p->members; m != NULL; m = m->next) {
		if (m->leaving || (m->state != MEMBER_IDLE && m->state != MEMBER_BUSY))
			continue;
		ready++;
		if (goes_before(m, first))
			first = m;
	}
	if (ready > p->conf.count)
		first->leaving = true;
	for (m = p->members; m != NULL; m = next) {
		next = m->next;
		if (m->leaving && m->state == MEMBER_IDLE)
			remove_member(m);
	}
}

/* Does what can be done now. */
static void
go_on(struct workers *p)
{
	retire(p);
	start_missing(p);
	hand_out(p);
	give_up(p);
}

static void
on_soon(void *arg)
{
	go_on(arg);
}

/* --- the file ------------------------------------------------------------------------------- */

static struct look
look_at(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct look){ 0 };
	return (struct look){ st.st_dev, st.st_ino, st.st_size, st.st_mtim };
}

static bool
same_look(const struct look *a, const struct look *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

void
workers_renew(struct workers *p)
{
	p->generation++;
	p->failures = 0;
	p->stats.pause_ms = 0;
	loop_timer_clear(p->loop, &p->pause);
	come_back(p);
}

static void
on_look(void *arg)
{
	struct workers *p = arg;
	const struct look now = look_at(p->path);

	/* taken when it has rested: an editor may be writing it; gone is no change to take */
	if (now.ino != 0 && same_look(&now, &p->last_look) && !same_look(&now, &p->look)) {
		p->look = now;
		workers_renew(p);
	}
	p->last_look = now;
	(void)loop_timer_set(p->loop, &p->look_timer, LOOK_MS); /* was set before: has its place */
}

/* --------------------------------------------------------------------------------------------- */

int
workers_open(struct loop *loop, struct spawner *spawner, const struct workers_conf *conf,
    struct workers **ret)
{
	struct workers *p;
	const char *slash;

	if (conf->count < 1 || conf->count > WORKERS_MAX || conf->path[0] != '/' ||
	    conf->hook >= HOOKS)
		return -EINVAL;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	p->loop = loop;
	p->spawner = spawner;
	p->conf = *conf;
	p->path = strdup(conf->path);
	p->generation = 1;
	loop_timer_init(&p->pause, on_soon, p);
	loop_timer_init(&p->soon, on_soon, p);
	loop_timer_init(&p->look_timer, on_look, p);
	if (p->path == NULL || loop_timer_set(loop, &p->look_timer, LOOK_MS) < 0) {
		workers_close(p);
		return -ENOMEM;
	}
	p->conf.path = p->path;
	slash = strrchr(p->path, '/');
	p->name = slash + 1;
	p->look = p->last_look = look_at(p->path);
	go_on(p);
	*ret = p;
	return 0;
}

void
workers_close(struct workers *p)
{
	struct member *m, *next;

	if (p == NULL)
		return;
	for (m = p->members; m != NULL; m = next) {
		next = m->next;
		if (m->ask != NULL)
			finish(m->ask, -ECANCELED, NULL, "handlerd stops asking it");
		remove_member(m);
	}
	while (p->first != NULL)
		finish(p->first, -ECANCELED, NULL, "handlerd stops asking it");
	loop_timer_clear(p->loop, &p->pause);
	loop_timer_clear(p->loop, &p->soon);
	loop_timer_clear(p->loop, &p->look_timer);
	free(p->path);
	free(p);
}

void
workers_stats(const struct workers *p, struct workers_stats *ret)
{
	const struct member *m;

	*ret = p->stats;
	ret->waiting = p->nwaiting;
	for (m = p->members; m != NULL; m = m->next) {
		ret->starting += m->state == MEMBER_TESTING;
		ret->idle += m->state == MEMBER_IDLE;
		ret->busy += m->state == MEMBER_BUSY;
	}
}
