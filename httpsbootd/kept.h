/*
 * The certificate and key that were served last, kept in a folder of httpsbootd's own: what it
 * starts with when the files that its configuration names cannot be used.  Somebody has replaced
 * one of the two and not yet the other, or a power cut came between; machines go on booting
 * meanwhile.
 *
 * One file holds both, so that they always fit.
 */
#ifndef HTTPSBOOTD_KEPT_H
#define HTTPSBOOTD_KEPT_H

#include "httpsbootd/tls_pair.h"

#define KEPT_PATH 4096

/* Where those of a certificate's file are kept; empty if `folder` is, or the name is too long. */
void kept_name(const char *folder, const char *cert_file, char ret[static KEPT_PATH]);
/* 0, also if the same is there already; or a negative errno: -EWOULDBLOCK while another daemon
 * writes. */
int kept_write(const char *name, const struct tls_pair *p);

#endif
