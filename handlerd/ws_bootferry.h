/*
 * The web service's own dialect: bodies that go out and answers that come back, as
 * docs/openapi.json states them.  Pure.
 */
#ifndef HANDLERD_WS_BOOTFERRY_H
#define HANDLERD_WS_BOOTFERRY_H

#include "common/ident.h"
#include "handlerd/ws.h"

/* What a report tells.  Pointers may be NULL, numbers 0: not known. */
struct ws_report {
	uint64_t at_ms; /* since 1970 */
	uint64_t boot;  /* id */
	const struct macaddr *mac;
	const struct uuid *uuid;
	const struct ipaddr *address;
	const char *entry; /* what the machine was given */
	const char *url;   /* what it loads */
	uint64_t bytes;
	uint32_t duration_ms;
	const char *error; /* what failed */
};

/*
 * The body of a report, for webservice_report().  `object` is what hook_request() made of the
 * client's request, for a report that has one; it is taken over, in any case, or NULL.  NULL when
 * out of memory.
 */
json_t *ws_bootferry_report(json_t *object, const struct ws_report *report);

/*
 * Makes the body of a question or report from what a script would be asked (hook_request()): `type`
 * becomes the feature's name, and what 2PXE's clients carry along is lifted from the client's
 * parameters to the top: tokenid, requestid, statusid, wsurl, authmethod, authvalue, offerid as
 * strings, mandatory, nomenu as booleans, all parameters as `paramdata`, and `pxeurl`.
 * 0, or -ENOMEM.
 */
int ws_bootferry_body(json_t *object, enum ws_feature feature);

/* True if the client asks for the local handler (wsoverride=1), which any client can. */
bool ws_bootferry_override(const json_t *object);
/* True if what a person typed is part of the question: its answer concerns only this moment. */
bool ws_bootferry_personal(const json_t *object);

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
