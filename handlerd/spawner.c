/* The process that starts scripts; see spawner.h.  First what it does, then handlerd's side. */
#include "handlerd/spawner.h"

#include "common/log.h"
#include "common/priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum order_kind {
	ORDER_START,
	ORDER_KILL,
};

/* From handlerd; with three descriptors for ORDER_START. */
struct order {
	uint32_t kind;
	uint32_t id;
	uint64_t memory_bytes;
	uint32_t network;
	char path[CHILD_PATH_MAX];
};

/* To handlerd: a child runs, or has ended. */
struct notice {
	uint32_t id;
	uint32_t ended;
	struct spawn_end end;
};

/* --- the process ---------------------------------------------------------------------------- */

struct nursery {
	int fd;
	struct {
		uint32_t id;
		pid_t pid; /* 0: free */
	} children[SPAWNER_CHILDREN];
};

static void
tell(const struct nursery *n, const struct notice *notice)
{
	/* fails only when handlerd is gone, which the next read notices */
	(void)send(n->fd, notice, sizeof(*notice), MSG_NOSIGNAL);
}

/* The place of a child, or of a free one for pid 0; SPAWNER_CHILDREN if there is none. */
static size_t
place_of(const struct nursery *n, pid_t pid)
{
	size_t i = 0;

	while (i < SPAWNER_CHILDREN && n->children[i].pid != pid)
		i++;
	return i;
}

static void
start(struct nursery *n, const struct order *o, const int fds[static 3])
{
	const struct child_limits limits = { o->memory_bytes, o->network != 0 };
	struct notice notice = { .id = o->id };
	size_t place = place_of(n, 0);
	int rc = -EAGAIN;

	if (place == SPAWNER_CHILDREN)
		(void)snprintf(notice.end.text, sizeof(notice.end.text),
		    "cannot be started: %d processes of scripts run already", SPAWNER_CHILDREN);
	else
		rc = child_start(o->path, &limits, fds, &n->children[place].pid, notice.end.text,
		    sizeof(notice.end.text));
	if (rc == 0) {
		n->children[place].id = o->id;
		notice.end.pid = n->children[place].pid;
	}
	notice.ended = rc < 0;
	tell(n, &notice);
}

static void
kill_child(const struct nursery *n, uint32_t id)
{
	for (size_t i = 0; i < SPAWNER_CHILDREN; i++) {
		if (n->children[i].pid != 0 && n->children[i].id == id)
			(void)kill(-n->children[i].pid, SIGKILL); /* it may be gone */
	}
}

/*
 * What a script left behind outside its process group came to us as the nearest subreaper: a child
 * that is in no row of the table.
 */
static void
sweep(const struct nursery *n)
{
	char path[64], *word = NULL;
	size_t size = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "re");
	if (f == NULL)
		return; /* a kernel without this list: such processes stay until handlerd ends */
	while (getdelim(&word, &size, ' ', f) > 0) {
		pid_t pid = (pid_t)strtol(word, NULL, 10);

		if (pid > 1 && place_of(n, pid) == SPAWNER_CHILDREN)
			(void)kill(pid, SIGKILL);
	}
	free(word);
	fclose(f);
}

static void
bury(struct nursery *n)
{
	siginfo_t info = { 0 };

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
		struct notice notice = { .ended = 1, .end.pid = info.si_pid };
		size_t place = place_of(n, info.si_pid);
		struct rusage usage;

		/* its group first: while it is not waited for, nobody else can have the number */
		if (place < SPAWNER_CHILDREN)
			(void)kill(-info.si_pid, SIGKILL);
		if (wait4(info.si_pid, &notice.end.status, 0, &usage) < 0)
			break;
		info.si_pid = 0;
		if (place == SPAWNER_CHILDREN)
			continue;
		n->children[place].pid = 0;
		notice.id = n->children[place].id;
		notice.end.peak_kb = (uint64_t)usage.ru_maxrss;
		notice.end.cpu_ms =
		    (uint32_t)((usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
			       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000);
		(void)child_status_text(
		    notice.end.status, notice.end.text, sizeof(notice.end.text));
		tell(n, &notice);
	}
	sweep(n);
}

/* One order; false at the end of handlerd. */
static bool
obey(struct nursery *n)
{
	union {
		char buf[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct order o;
	struct iovec iov = { &o, sizeof(o) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	const struct cmsghdr *c;
	ssize_t got = recvmsg(n->fd, &m, MSG_CMSG_CLOEXEC);
	int fds[3];

	if (got <= 0)
		return got < 0 && errno == EINTR;
	c = CMSG_FIRSTHDR(&m);
	if (o.kind == ORDER_KILL) {
		kill_child(n, o.id);
	} else if (c != NULL && c->cmsg_type == SCM_RIGHTS &&
		   c->cmsg_len == CMSG_LEN(sizeof(fds))) {
		memcpy(fds, CMSG_DATA(c), sizeof(fds));
		start(n, &o, fds);
		for (int i = 0; i < 3; i++)
			close(fds[i]);
	}
	return true;
}

/* The account, what is not needed, and what a script must not reach.  0, or a negative errno. */
static int
settle(int fd, const char *user, int *ret_signals)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
	sigset_t set;
	int rc = priv_drop(user);

	if (rc < 0)
		return rc;
	/* handlerd decides when to end */
	for (size_t i = 0; i < NITEMS(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_SETMASK, &set, NULL); /* cannot fail */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || prctl(PR_SET_NAME, "handlerd-scripts") < 0)
		return -errno;
	if (fd > 3)
		(void)close_range(3, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, ~0u, 0); /* a tidy table, no more: exec closes, too */
	*ret_signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (*ret_signals < 0)
		return -errno;
	/* scripts have the same account: they shall not look into this process */
	return prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : 0;
}

static _Noreturn void
serve(int fd, const char *user)
{
	struct nursery n = { .fd = fd };
	struct pollfd wait[2] = { { .fd = fd, .events = POLLIN }, { .events = POLLIN } };
	struct signalfd_siginfo info;
	bool on = true;
	int rc = settle(fd, user, &wait[1].fd);

	/* the first message tells whether it came up */
	if (send(fd, &rc, sizeof(rc), MSG_NOSIGNAL) != (ssize_t)sizeof(rc) || rc < 0)
		_exit(EXIT_FAILURE);
	while (on) {
		if (poll(wait, NITEMS(wait), -1) < 0)
			continue; /* EINTR */
		while (read(wait[1].fd, &info, sizeof(info)) > 0)
			;
		bury(&n);
		if (wait[0].revents != 0)
			on = obey(&n);
	}
	for (size_t i = 0; i < SPAWNER_CHILDREN; i++) {
		if (n.children[i].pid != 0)
			(void)kill(-n.children[i].pid, SIGKILL);
	}
	bury(&n);
	_exit(EXIT_SUCCESS);
}

/* --- handlerd's side ------------------------------------------------------------------------ */

struct spawner {
	struct loop *loop; /* NULL until attached */
	struct loop_fd lf;
	int fd; /* -1: lost */
	pid_t pid;
	uint32_t last_id;
	struct spawned *children;
};

int
spawner_fork(const char *user, struct spawner **ret)
{
	struct spawner *s = calloc(1, sizeof(*s));
	int fds[2], rc = 0;

	if (s == NULL)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		rc = -errno;
		free(s);
		return rc;
	}
	s->fd = fds[0];
	s->pid = fork();
	if (s->pid == 0)
		serve(fds[1], user);
	if (s->pid < 0)
		rc = -errno;
	close(fds[1]);
	if (rc == 0 && recv(s->fd, &rc, sizeof(rc), 0) != (ssize_t)sizeof(rc))
		rc = -EIO;
	if (rc < 0) {
		spawner_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

/* Takes a child out of the list. */
static void
unlink_child(struct spawner *s, struct spawned *child)
{
	struct spawned **at = &s->children;

	while (*at != NULL && *at != child)
		at = &(*at)->next;
	if (*at != NULL)
		*at = child->next;
	child->id = 0;
}

static void
lose(struct spawner *s)
{
	struct spawn_end end = { .text = "went with the process that starts scripts" };

	log_errx("scripts: the process that starts them has ended; no script is asked until "
		 "handlerd starts again");
	loop_del(s->loop, &s->lf);
	close(s->fd);
	s->fd = -1;
	while (s->children != NULL) {
		struct spawned *child = s->children;

		unlink_child(s, child);
		end.pid = child->pid;
		child->fn(child->arg, &end);
	}
}

static void
on_notice(struct spawner *s, const struct notice *notice)
{
	struct spawned *child = s->children;

	while (child != NULL && child->id != notice->id)
		child = child->next;
	if (child == NULL)
		return; /* forgotten */
	if (!notice->ended) {
		child->pid = notice->end.pid;
		return;
	}
	unlink_child(s, child);
	child->fn(child->arg, &notice->end);
}

/* False if it cannot be sent now. */
static bool
send_kill(struct spawner *s, uint32_t id)
{
	const struct order o = { .kind = ORDER_KILL, .id = id };

	return send(s->fd, &o, offsetof(struct order, path), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
	       errno != EAGAIN;
}

/* One notice; false when there is none now. */
static bool
hear(struct spawner *s)
{
	struct notice notice;
	ssize_t n = recv(s->fd, &notice, sizeof(notice), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	if (n <= 0) {
		lose(s);
		return false;
	}
	if (n == (ssize_t)sizeof(notice))
		on_notice(s, &notice);
	return s->fd >= 0;
}

static void
on_readable(void *arg, uint32_t events)
{
	struct spawner *s = arg;

	(void)events;
	while (hear(s))
		;
	/* it has got on: what it had no room for can be said now */
	for (struct spawned *child = s->children; child != NULL; child = child->next) {
		if (child->kill_pending)
			child->kill_pending = !send_kill(s, child->id);
	}
}

int
spawner_attach(struct spawner *s, struct loop *loop)
{
	assert(s->loop == NULL);
	s->loop = loop;
	return loop_add(loop, &s->lf, s->fd, EPOLLIN, on_readable, s);
}

bool
spawner_works(const struct spawner *s)
{
	return s->fd >= 0;
}

void
spawner_close(struct spawner *s)
{
	if (s == NULL)
		return;
	if (s->loop != NULL)
		loop_del(s->loop, &s->lf);
	if (s->fd >= 0)
		close(s->fd);
	/* it ends at the end of the socket, after killing what is left */
	while (s->pid > 0 && waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(s);
}

int
spawner_start(struct spawner *s, const char *path, const struct child_limits *limits,
    const int fds[static 3], struct spawned *child, spawned_fn *fn, void *arg)
{
	union {
		char buf[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct order o = { .kind = ORDER_START,
		.memory_bytes = limits->memory_bytes,
		.network = limits->network };
	struct iovec iov = { &o, sizeof(o) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (s->fd < 0)
		return -ENOTCONN;
	if (strlen(path) >= sizeof(o.path))
		return -ENAMETOOLONG;
	strcpy(o.path, path);
	do
		o.id = ++s->last_id;
	while (o.id == 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(3 * sizeof(int));
	memcpy(CMSG_DATA(c), fds, 3 * sizeof(int));
	if (sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return errno == EPIPE ? -ENOTCONN : -errno;
	*child = (struct spawned){ .id = o.id, .fn = fn, .arg = arg, .next = s->children };
	s->children = child;
	return 0;
}

void
spawner_kill(struct spawner *s, struct spawned *child)
{
	if (child->id != 0 && s->fd >= 0)
		child->kill_pending = !send_kill(s, child->id);
}

void
spawner_forget(struct spawner *s, struct spawned *child)
{
	if (child->id == 0)
		return;
	if (s->fd >= 0)
		(void)send_kill(s, child->id); /* no room: it ends when its input does */
	unlink_child(s, child);
}
