/*
 * Starting a site's script as a child process, with bounds (common/sandbox.h) and a clean
 * environment.  A file NAME.ps1 runs under pwsh; any other is an executable.
 */
#ifndef COMMON_CHILD_H
#define COMMON_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILD_PATH_MAX 1024 /* bytes of a script's path, with the NUL */
#define CHILD_ERROR    256  /* room for a sentence */

struct child_limits {
	uint64_t memory_bytes; /* of each process; 0: no bound */
	bool network;          /* it may have sockets */
};

/*
 * Starts the script at the absolute `path`: standard input, output and error are fds[0] to fds[2]
 * (they stay open here), nothing else is open; its folder is the working directory; it leads a
 * process group of its own, so that kill(-pid) ends all of it; it dies with the calling thread.
 * 0; or a negative errno with a sentence in `error`: -ENOENT, -EACCES (not executable, or others
 * may write to it), -ENOEXEC (no pwsh), ...
 */
int child_start(const char *path, const struct child_limits *limits, const int fds[static 3],
    pid_t *ret, char *error, size_t error_size);

/* How it ended, by its wait status: "ended with status 3", "was killed by signal 9 (Killed)". */
const char *child_status_text(int status, char *buf, size_t size);

#endif
