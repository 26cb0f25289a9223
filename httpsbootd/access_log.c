/* See access_log.h. */
#include "httpsbootd/access_log.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROOM (4u << 20) /* for lines that wait to be written */

/* Lines, one behind the other. */
struct page {
	char *text;
	size_t n, lines;
};

struct access_log {
	pthread_mutex_t lock;
	bool to_log;
	char *path; /* NULL: to no file */
	int fd;
	struct page fill, out; /* `out` is the main thread's alone */
	uint64_t lost;
	bool failing; /* it has been told */
};

int
access_log_new(const char *where, struct access_log **ret)
{
	struct access_log *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return -ENOMEM;
	a->fd = -1;
	pthread_mutex_init(&a->lock, NULL);
	a->to_log = strcmp(where, "log") == 0;
	if (where[0] == '/') {
		a->path = strdup(where);
		a->fill.text = malloc(ROOM);
		a->out.text = malloc(ROOM);
		if (a->path == NULL || a->fill.text == NULL || a->out.text == NULL) {
			access_log_free(a);
			return -ENOMEM;
		}
	}
	*ret = a;
	return 0;
}

void
access_log_free(struct access_log *a)
{
	if (a == NULL)
		return;
	if (a->fd >= 0) {
		access_log_flush(a);
		close(a->fd);
	}
	pthread_mutex_destroy(&a->lock);
	free(a->path);
	free(a->fill.text);
	free(a->out.text);
	free(a);
}

bool
access_log_is_on(const struct access_log *a)
{
	return a->to_log || a->path != NULL;
}

static void
append(struct access_log *a, const char *line)
{
	char stamp[40];
	struct timespec now;
	struct tm tm;
	size_t n = strlen(line), stamp_n;

	clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	stamp_n = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	stamp_n += (size_t)snprintf(
	    stamp + stamp_n, sizeof(stamp) - stamp_n, ".%03ldZ ", now.tv_nsec / 1000000);
	pthread_mutex_lock(&a->lock);
	if (ROOM - a->fill.n < stamp_n + n + 1) {
		a->lost++;
	} else {
		memcpy(a->fill.text + a->fill.n, stamp, stamp_n);
		memcpy(a->fill.text + a->fill.n + stamp_n, line, n);
		a->fill.n += stamp_n + n;
		a->fill.text[a->fill.n++] = '\n';
		a->fill.lines++;
	}
	pthread_mutex_unlock(&a->lock);
}

void
access_log_write(struct access_log *a, const struct access_line *line)
{
	char text[ACCESS_LINE_MAX];

	if (a->to_log)
		log_peer_info("%s", access_line_format(line, text));
	else if (a->path != NULL)
		append(a, access_line_format(line, text));
}

/* Told once until it works again. */
static void
note_failure(struct access_log *a, int error)
{
	if (!a->failing)
		log_warnx("access_log: \"%s\": %s; lines are lost", a->path, strerror(error));
	a->failing = true;
}

void
access_log_flush(struct access_log *a)
{
	struct page filled;
	size_t done = 0;
	int error = 0;

	if (a->path == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	filled = a->fill;
	a->fill = a->out;
	a->fill.n = a->fill.lines = 0;
	pthread_mutex_unlock(&a->lock);
	a->out = filled;
	while (done < filled.n && error == 0) {
		ssize_t n = write(a->fd, filled.text + done, filled.n - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			error = n == 0 ? EIO : errno;
	}
	if (error != 0) {
		note_failure(a, error);
		pthread_mutex_lock(&a->lock);
		a->lost += filled.lines; /* also if some of them are there */
		pthread_mutex_unlock(&a->lock);
	} else if (filled.n > 0) {
		a->failing = false;
	}
}

int
access_log_reopen(struct access_log *a)
{
	int fd;

	if (a->path == NULL)
		return 0;
	if (a->fd >= 0)
		access_log_flush(a);
	fd = open(a->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	if (fd < 0) {
		int rc = -errno;

		log_warn("access_log: \"%s\"", a->path);
		return rc;
	}
	if (a->fd >= 0)
		close(a->fd);
	a->fd = fd;
	return 0;
}

uint64_t
access_log_lost(struct access_log *a)
{
	uint64_t lost;

	pthread_mutex_lock(&a->lock);
	lost = a->lost;
	pthread_mutex_unlock(&a->lock);
	return lost;
}
