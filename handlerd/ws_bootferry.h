/*
 * The web service's own dialect: bodies that go out and answers that come back, as
 * docs/openapi.json states them.  Pure.
 */
#ifndef HANDLERD_WS_BOOTFERRY_H
#define HANDLERD_WS_BOOTFERRY_H

#include "handlerd/ws.h"

/*
 * Makes the body of a question or report from what a script would be asked (hook_request()): `type`
 * becomes the feature's name, and what 2PXE's clients carry along is lifted from the client's
 * parameters to the top: tokenid, requestid, statusid, wsurl, authmethod, authvalue, offerid as
 * strings, mandatory, nomenu as booleans, all parameters as `paramdata`, and `pxeurl`.
 * 0, or -ENOMEM.
 */
int ws_bootferry_body(json_t *object, enum ws_feature feature);

/* True if the client asks for the local handler (wsoverride=1): the service is not to be asked. */
bool ws_bootferry_override(const json_t *object);

/*
 * Reads the answer to a question.  `entry` (with `arg`) judges inline entries, or NULL.  0, and
 * *ret is for ws_answer_fini(); -EINVAL with a sentence in `error` that names the key; -ENOMEM.
 */
int ws_bootferry_answer(enum ws_feature feature, const json_t *object, verdict_entry_fn *entry,
    void *arg, struct ws_answer *ret, char *error, size_t error_size);

/*
 * A name or value that a client can carry: it becomes a word of an iPXE script, so it holds nothing
 * that iPXE would expand or take for the end of the command.
 */
bool ws_carry_name_valid(const char *name);
bool ws_carry_value_valid(const char *value);

#endif
