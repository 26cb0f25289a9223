/* Noticing changes of the content root by inotify; see catalogue.h. */
#include "handlerd/catalogue.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* A copy in progress raises many events: wait until it is quiet for so long. */
#define SETTLE_MS 300
/* Where there is no inotify, or the folder is made later: look again from time to time. */
#define AGAIN_MS 30000
#define INTEREST                                                                                   \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |        \
	    IN_DELETE_SELF | IN_MOVE_SELF)

struct watch {
	struct loop *loop;
	struct loop_fd lf;
	struct loop_timer settle, again;
	char *root;
	loop_timer_fn *fn;
	void *arg;
};

static void
add(struct watch *w, const char *sub)
{
	char path[4096];

	if (snprintf(path, sizeof(path), "%s/%s", w->root, sub) < (int)sizeof(path))
		(void)inotify_add_watch(w->lf.fd, path, INTEREST | IN_ONLYDIR); /* may not exist */
}

static void
add_all(struct watch *w)
{
	char path[4096];
	const struct dirent *e;
	DIR *dir;

	add(w, ".");
	add(w, "images");
	add(w, "boot");
	(void)snprintf(path, sizeof(path), "%s/boot", w->root);
	dir = opendir(path);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || e->d_type == DT_REG ||
		    snprintf(path, sizeof(path), "boot/%s", e->d_name) >= (int)sizeof(path))
			continue;
		add(w, path);
	}
	if (dir != NULL)
		closedir(dir);
}

static void
on_settled(void *arg)
{
	struct watch *w = arg;

	add_all(w); /* folders that are new; those watched already stay as they are */
	w->fn(w->arg);
}

static void
on_again(void *arg)
{
	struct watch *w = arg;

	add_all(w);
	(void)loop_timer_set(w->loop, &w->again, AGAIN_MS);
}

static void
on_readable(void *arg, uint32_t events)
{
	struct watch *w = arg;
	char buf[4096] __attribute__((aligned(8)));

	(void)events;
	while (read(w->lf.fd, buf, sizeof(buf)) > 0)
		;
	(void)loop_timer_set(w->loop, &w->settle, SETTLE_MS);
}

int
watch_open(struct loop *loop, const char *root, loop_timer_fn *fn, void *arg, struct watch **ret)
{
	struct watch *w = calloc(1, sizeof(*w));
	int fd, rc;

	if (w == NULL)
		return -ENOMEM;
	w->loop = loop;
	w->fn = fn;
	w->arg = arg;
	w->root = strdup(root);
	loop_timer_init(&w->settle, on_settled, w);
	loop_timer_init(&w->again, on_again, w);
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	rc = fd < 0 ? -errno : w->root == NULL ? -ENOMEM : 0;
	if (rc == 0)
		rc = loop_add(loop, &w->lf, fd, EPOLLIN, on_readable, w);
	if (rc < 0) {
		if (fd >= 0)
			close(fd);
		free(w->root);
		free(w);
		return rc;
	}
	on_again(w);
	*ret = w;
	return 0;
}

void
watch_close(struct watch *w)
{
	if (w == NULL)
		return;
	loop_timer_clear(w->loop, &w->settle);
	loop_timer_clear(w->loop, &w->again);
	loop_del(w->loop, &w->lf);
	close(w->lf.fd);
	free(w->root);
	free(w);
}
