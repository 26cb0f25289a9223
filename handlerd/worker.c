/* One worker process; see worker.h. */
#include "handlerd/worker.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_STEP 4096
/* of a line of standard error; a longer one goes to the log in parts */
#define SAID_MAX 120

struct worker {
	struct loop *loop;
	struct spawner *spawner;
	const char *name;
	const struct worker_ops *ops;
	void *arg;
	struct spawned child;
	struct loop_fd in, out, err; /* its standard input, output, error; our ends */

	char *text; /* being sent */
	size_t text_n, text_at;
	char *heard; /* what it wrote, from heard_at not delivered yet */
	size_t heard_at, heard_n, heard_size;
	char said[SAID_MAX];
	size_t said_n;
	char why[CHILD_ERROR]; /* it is being killed; "": it is not */
};

static void
close_end(struct worker *w, struct loop_fd *lf)
{
	if (lf->fd < 0)
		return;
	loop_del(w->loop, lf);
	close(lf->fd);
	lf->fd = -1;
}

void
worker_stop(struct worker *w, const char *why)
{
	if (w->why[0] == '\0')
		(void)snprintf(w->why, sizeof(w->why), "%s", why);
	spawner_kill(w->spawner, &w->child);
}

/* --- its standard input --------------------------------------------------------------------- */

static void
write_on(struct worker *w)
{
	while (w->text_at < w->text_n) {
		ssize_t n = write(w->in.fd, w->text + w->text_at, w->text_n - w->text_at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			loop_mod(w->loop, &w->in, EPOLLOUT);
			return;
		}
		if (n < 0)
			break; /* on_in() hears of it, too */
		w->text_at += (size_t)n;
	}
	loop_mod(w->loop, &w->in, 0);
	free(w->text);
	w->text = NULL;
}

static void
on_in(void *arg, uint32_t events)
{
	struct worker *w = arg;

	if ((events & EPOLLERR) != 0) { /* nobody reads there: how it ends will be told */
		close_end(w, &w->in);
		spawner_kill(w->spawner, &w->child);
	} else if (w->text != NULL) {
		write_on(w);
	}
}

/* --- its standard output -------------------------------------------------------------------- */

/* Hands over the complete lines. */
static void
deliver(struct worker *w)
{
	char *end;

	while (w->why[0] == '\0' &&
	       (end = memchr(w->heard + w->heard_at, '\n', w->heard_n - w->heard_at)) != NULL) {
		char *line = w->heard + w->heard_at;
		size_t n = (size_t)(end - line);

		w->heard_at += n + 1;
		if (n > 0 && line[n - 1] == '\r')
			n--;
		line[n] = '\0';
		w->ops->line(w->arg, line, n);
	}
	memmove(w->heard, w->heard + w->heard_at, w->heard_n - w->heard_at);
	w->heard_n -= w->heard_at;
	w->heard_at = 0;
}

/* Takes in what there is: the number of bytes, 0 at the end, -EAGAIN, or another error. */
static ssize_t
hear(struct worker *w)
{
	ssize_t n;

	if (w->heard_size - w->heard_n < READ_STEP) {
		size_t size = w->heard_size == 0 ? 2 * READ_STEP : w->heard_size * 2;
		char *heard = realloc(w->heard, size);

		if (heard == NULL)
			return -ENOMEM;
		w->heard = heard;
		w->heard_size = size;
	}
	do
		n = read(w->out.fd, w->heard + w->heard_n, w->heard_size - w->heard_n);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	w->heard_n += (size_t)n;
	return n;
}

/* All that there is now; false at the end. */
static bool
hear_all(struct worker *w)
{
	ssize_t n;

	while ((n = hear(w)) > 0) {
		deliver(w);
		if (w->heard_n >= WORKER_LINE_MAX) {
			worker_stop(w, "wrote a line of more than 512 KiB");
			w->heard_n = 0;
		}
		if (w->why[0] != '\0')
			return true; /* the rest is of no interest, and may never end */
	}
	return n == -EAGAIN;
}

static void
on_out(void *arg, uint32_t events)
{
	struct worker *w = arg;

	(void)events;
	if (w->why[0] == '\0' && hear_all(w))
		return;
	/* killed, or it has closed its output: how it ends will be told */
	close_end(w, &w->out);
	if (w->why[0] == '\0')
		spawner_kill(w->spawner, &w->child);
}

int
worker_send(struct worker *w, char *text, size_t n)
{
	if (w->text != NULL)
		return -EBUSY;
	if (w->heard_n > w->heard_at || (w->out.fd >= 0 && hear(w) > 0))
		return -EBADMSG;
	w->text = text;
	w->text_n = n;
	w->text_at = 0;
	if (w->in.fd >= 0) /* without it the worker is about to end, which will be told */
		write_on(w);
	return 0;
}

/* --- its standard error --------------------------------------------------------------------- */

static void
say(struct worker *w)
{
	char quoted[LOG_QUOTE_SIZE];

	if (w->said_n > 0)
		log_peer_info("script %s[%d]: %s", w->name, (int)w->child.pid,
		    log_quote((struct slice){ (const uint8_t *)w->said, w->said_n }, quoted));
	w->said_n = 0;
}

/* False at the end. */
static bool
listen_on(struct worker *w)
{
	char buf[1024];
	ssize_t n = read(w->err.fd, buf, sizeof(buf));

	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\n' || w->said_n == sizeof(w->said))
			say(w);
		if (buf[i] != '\n')
			w->said[w->said_n++] = buf[i];
	}
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void
on_err(void *arg, uint32_t events)
{
	struct worker *w = arg;

	(void)events;
	if (listen_on(w))
		return;
	say(w);
	close_end(w, &w->err);
}

/* --- life ----------------------------------------------------------------------------------- */

static void
on_ended(void *arg, const struct spawn_end *end)
{
	struct worker *w = arg;
	char why[CHILD_ERROR];

	/* it may have answered, and said why it ends, just before */
	if (w->out.fd >= 0 && w->why[0] == '\0')
		(void)hear_all(w);
	if (w->err.fd >= 0) {
		(void)listen_on(w);
		say(w);
	}
	memcpy(why, w->why[0] != '\0' ? w->why : end->text, sizeof(why));
	w->ops->ended(w->arg, why, end);
}

/* A pipe whose end `ours` does not block. */
static int
make_pipe(int fds[static 2], int ours)
{
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	return fcntl(fds[ours], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int
join(struct worker *w, const int ours[static 3])
{
	int rc = loop_add(w->loop, &w->in, ours[0], 0, on_in, w);

	if (rc == 0)
		rc = loop_add(w->loop, &w->out, ours[1], EPOLLIN, on_out, w);
	return rc == 0 ? loop_add(w->loop, &w->err, ours[2], EPOLLIN, on_err, w) : rc;
}

int
worker_start(struct loop *loop, struct spawner *spawner, const char *name, const char *path,
    const struct child_limits *limits, const struct worker_ops *ops, void *arg, struct worker **ret)
{
	int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	struct worker *w = calloc(1, sizeof(*w));
	int ours[3], theirs[3], rc = 0;

	if (w == NULL)
		return -ENOMEM;
	w->loop = loop;
	w->spawner = spawner;
	w->name = name;
	w->ops = ops;
	w->arg = arg;
	for (int i = 0; i < 3 && rc == 0; i++)
		rc = make_pipe(pipes[i], i == 0 ? 1 : 0);
	for (int i = 0; i < 3; i++) {
		ours[i] = pipes[i][i == 0 ? 1 : 0];
		theirs[i] = pipes[i][i == 0 ? 0 : 1];
	}
	w->in.fd = ours[0];
	w->out.fd = ours[1];
	w->err.fd = ours[2];
	if (rc == 0)
		rc = join(w, ours);
	if (rc == 0)
		rc = spawner_start(spawner, path, limits, theirs, &w->child, on_ended, w);
	for (int i = 0; i < 3; i++) {
		if (theirs[i] >= 0)
			close(theirs[i]);
	}
	if (rc < 0) {
		worker_free(w);
		return rc;
	}
	*ret = w;
	return 0;
}

pid_t
worker_pid(const struct worker *w)
{
	return w->child.pid;
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	spawner_forget(w->spawner, &w->child);
	close_end(w, &w->in);
	close_end(w, &w->out);
	close_end(w, &w->err);
	free(w->text);
	free(w->heard);
	free(w);
}
