/* The rules of lossy.c, which describes them. */
#ifndef TESTS_SUITE_LOSSY_RULES_H
#define TESTS_SUITE_LOSSY_RULES_H

#include "tests/suite/lossy_flow.h"

enum action {
	DROP,
	DOUBLE,
	DELAY,
	LATE,
	ACTIONS
};

struct rule {
	enum action action;
	enum kind kind;
	unsigned value;       /* ms, or packets */
	uint64_t first, last; /* 0: any */
	uint64_t every;
	double percent;
};

extern const char *const kind_names[KINDS];
extern const char *const done_names[ACTIONS];

/* Reads a rule, or ends the program. */
void add_rule(char *text);
/* The first rule of each action that applies to a packet of these kinds. */
void judge(struct flow *f, unsigned kinds, const struct rule *ret[static ACTIONS]);

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
#endif
