/* What the control socket tells of transfers under way; see transfers.h. */
#ifndef HANDLERD_CONTROL_TRANSFERS_H
#define HANDLERD_CONTROL_TRANSFERS_H

#include "handlerd/handlerd.h"

rpc_method_fn rpc_transfers;

/* Those of one boot, as a new list. */
json_t *control_boot_transfers(const struct handlerd *h, uint64_t boot);
/* How many there are, and how they ended, as a new object. */
json_t *control_transfers_counts(const struct handlerd *h);

#endif
