/* What a child that runs somebody's script may not do. */
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Bounds the calling process and all that it starts, for good: no new privileges, no core dumps,
 * at most `memory_bytes` of private memory for each process (0: as before), no look into other
 * processes, no io_uring (whose calls no filter sees), and, unless `network`, no sockets.  0, or a
 * negative errno; -ENOSYS without `network` on other processors than x86-64 and arm64.  Safe
 * between fork and exec.
 */
int sandbox_enter(uint64_t memory_bytes, bool network);

#endif
