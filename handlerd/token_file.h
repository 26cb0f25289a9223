/*
 * The file of how often tokens were used: memory that outlives this process, so that a handlerd
 * that was killed does not give used-up tokens new life.
 *
 * Counting a use writes to a mapped file, as the journal does: no system call, no wait, and the
 * kernel has it from that moment on.  After a power cut what the kernel had not yet written to the
 * disk is gone.
 */
#ifndef HANDLERD_TOKEN_FILE_H
#define HANDLERD_TOKEN_FILE_H

#include "handlerd/token.h"

struct token_file {
	struct token_uses *uses;
	void *ring; /* NULL: there is no file */
	size_t bytes;
};

/*
 * A table of `limit` that goes on from the file at `path`, which a fresh one takes the place of.
 * If that cannot be made uses are counted in memory alone, which is logged.  0, or -ENOMEM.
 */
int token_file_open(const char *path, size_t limit, uint64_t now_ms, struct token_file *ret);
void token_file_close(struct token_file *f);

#endif
