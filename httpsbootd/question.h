/* What handlerd is asked: a struct boot_request of URL, form and client. */
#ifndef HTTPSBOOTD_QUESTION_H
#define HTTPSBOOTD_QUESTION_H

#include "httpsbootd/exchange.h"

/* Asks; exchange_answer() will be called.  False if that cannot be. */
bool question_ask(struct exchange *x);

#endif
