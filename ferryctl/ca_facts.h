/* What ca_judge.c wants to know of a certificate and its chain. */
#ifndef FERRYCTL_CA_FACTS_H
#define FERRYCTL_CA_FACTS_H

#include "ferryctl/ca.h"
#include "ferryctl/ca_judge.h"

/* `hosts`: names and addresses that stand in URLs; NULL: none is looked for. */
void ca_read_facts(STACK_OF(X509) * chain, const struct ca_options *hosts, struct judge_facts *ret);

#endif
