/* The answer to an HTTP request: a file, bytes, or an error, as the client can use it. */
#ifndef HTTPSBOOTD_ANSWER_H
#define HTTPSBOOTD_ANSWER_H

#include "httpsbootd/exchange.h"

/*
 * Queues what x->action, or a fault found before, asks for; or suspends the connection until the
 * origin has said more of a file (EXCHANGE_PULLING).  MHD_NO: the connection is to be closed.
 */
enum MHD_Result answer_send(struct exchange *x);

#endif
