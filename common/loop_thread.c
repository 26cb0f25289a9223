/* See loop_thread.h. */
#include "common/loop_thread.h"

#include "common/log.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void
on_command(void *arg, uint32_t events)
{
	struct loop_thread *t = arg;
	uint64_t count;

	(void)events;
	if (read(t->command_fd, &count, sizeof(count)) < 0)
		return;
	if (atomic_load(&t->stopping))
		t->stop(t->arg);
	if (atomic_load(&t->ending))
		loop_stop(t->loop);
}

int
loop_thread_open(struct loop_thread *t, loop_timer_fn *stop, void *arg)
{
	int rc;

	t->stop = stop;
	t->arg = arg;
	rc = loop_new(&t->loop);
	if (rc < 0)
		return rc;
	t->command_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = t->command_fd < 0 ? -errno
	                       : loop_add(t->loop, &t->lf, t->command_fd, EPOLLIN, on_command, t);
	if (rc < 0)
		loop_thread_close(t);
	return rc;
}

static void *
run(void *arg)
{
	struct loop_thread *t = arg;
	int rc = loop_run(t->loop);

	if (rc < 0)
		log_errx("worker: %s", strerror(-rc));
	return NULL;
}

int
loop_thread_start(struct loop_thread *t)
{
	int rc = -pthread_create(&t->thread, NULL, run, t);

	t->started = rc == 0;
	return rc;
}

static void
command(struct loop_thread *t, _Atomic bool *word)
{
	uint64_t one = 1;

	atomic_store(word, true);
	if (write(t->command_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it wakes anyhow */
}

void
loop_thread_stop(struct loop_thread *t)
{
	command(t, &t->stopping);
}

void
loop_thread_end(struct loop_thread *t)
{
	if (!t->started)
		return;
	command(t, &t->ending);
	pthread_join(t->thread, NULL);
	t->started = false;
}

void
loop_thread_close(struct loop_thread *t)
{
	if (t->loop == NULL)
		return;
	loop_del(t->loop, &t->lf);
	if (t->command_fd >= 0)
		close(t->command_fd);
	loop_free(t->loop);
	t->loop = NULL;
}

size_t
loop_thread_count(int64_t wanted, size_t most)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (wanted > 0)
		return (size_t)wanted;
	return cpus < 1 ? 1 : (size_t)cpus > most ? most : (size_t)cpus;
}
