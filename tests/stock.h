/*
 * A site as `ferryctl loaders import` and `ferryctl ca init` leave it, for tests that decide
 * without a content root: an iPXE with HTTPS for each CPU, one image, a name for httpsbootd.
 */
#ifndef TESTS_STOCK_H
#define TESTS_STOCK_H

#include "handlerd/decide.h"

#define STOCK_ADDRESS  "10.77.1.10"
#define STOCK_ADDRESS6 "fd77:1::10"
#define STOCK_BOOT     42

/* The policy of an empty configuration, and of one with these keys (JSON); aborts on mistakes. */
const struct policy *stock_policy(void);
struct policy *stock_policy_of(const char *text);

/*
 * The facts for a request.  `path` is room for the normalised name of STAGE_FILE, whose file is
 * always there.
 */
void stock_facts(const struct boot_request *r, bool trusted, uint16_t http_port,
    char path[static CONTENT_PATH_MAX], struct facts *ret);

#endif
