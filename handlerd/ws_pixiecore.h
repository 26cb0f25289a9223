/*
 * The open API of pixiecore, so that services written for it serve Bootferry too: a GET of
 * URL/v1/boot/MAC; the answer tells a kernel, initrds and its command line, or an iPXE script; "no
 * such machine" means that it is left alone.  Pure.
 *
 * Where pixiecore passes files on to the client, Bootferry gives the client their URLs: the client
 * must reach them.  file: URLs cannot be served.
 */
#ifndef HANDLERD_WS_PIXIECORE_H
#define HANDLERD_WS_PIXIECORE_H

#include "common/ident.h"
#include "handlerd/ws.h"

#define WS_PIXIECORE_ENTRY "webservice" /* the name of the entry that an answer makes */

/* Appends "/v1/boot/52:54:00:12:34:56" for the machine of a request; 0, or -EINVAL without MAC. */
int ws_pixiecore_path(const json_t *object, char *buf, size_t size);

/*
 * Reads an answer; `api` is the service's URL, which relative URLs start from.  As
 * ws_bootferry_answer() otherwise.
 */
int ws_pixiecore_answer(const json_t *object, const char *api, verdict_entry_fn *entry, void *arg,
    struct ws_answer *ret, char *error, size_t error_size);

/* The answer that a status other than 200 stands for. */
int ws_pixiecore_not_found(enum ws_not_found how, struct ws_answer *ret);

#endif
