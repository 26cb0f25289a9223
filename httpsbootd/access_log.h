/*
 * The access log: one line a request, in a file of its own or in the daemon's log.
 *
 * In a file every request has its line.  Workers hand theirs over in memory, and the main thread
 * writes them a few times a second: a disk that is slow holds up no client.  In the daemon's log
 * they are bounded as all lines are that strangers cause.
 */
#ifndef HTTPSBOOTD_ACCESS_LOG_H
#define HTTPSBOOTD_ACCESS_LOG_H

#include "httpsbootd/access_line.h"

struct access_log;

#define ACCESS_LOG_FLUSH_MS 250 /* at most so old is a line when it is written */

/*
 * `where`: "off", "log", or the path of a file, which access_log_reopen() opens or makes: as the
 * account that the daemon serves under, so that it can do so again.  0, or -ENOMEM.
 */
int access_log_new(const char *where, struct access_log **ret);
void access_log_free(struct access_log *a); /* writes what is left; NULL is allowed */

/* True if a line would go anywhere. */
bool access_log_is_on(const struct access_log *a);
/* From any thread. */
void access_log_write(struct access_log *a, const struct access_line *line);

/* From the main thread: writes what has been handed over. */
void access_log_flush(struct access_log *a);
/*
 * Likewise; after that the file of that name is written to, for the one in use may have been
 * renamed.  0, or a negative errno after logging why; the one in use then stays.
 */
int access_log_reopen(struct access_log *a);

/* Lines that found no room, or that could not be written. */
uint64_t access_log_lost(struct access_log *a);

#endif
