/*
 * What a self-test found: each finding says what was looked at, how it is, and, unless it is good,
 * what that does to clients and what to do.  Pure.
 */
#ifndef COMMON_FINDING_H
#define COMMON_FINDING_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define FINDINGS_MAX 96
#define FINDING_TEXT 400

enum finding_verdict {
	FINDING_GOOD,
	FINDING_WARNING, /* some clients may fail, or it may become a fault */
	FINDING_FAULT,   /* clients fail */
	FINDING_VERDICTS,
};

struct finding {
	enum finding_verdict verdict;
	const char *check; /* static: "interface", "port 67", ... */
	char found[FINDING_TEXT];
	const char *effect; /* static; NULL where it is good */
	const char *cure;
};

struct findings {
	size_t n; /* what does not fit is left out */
	struct finding v[FINDINGS_MAX];
};

const char *finding_verdict_name(enum finding_verdict v); /* "good", "warning", "fault" */

/* Adds one.  What does not print in `fmt`'s text is replaced. */
void finding_add(struct findings *f, enum finding_verdict verdict, const char *check,
    const char *effect, const char *cure, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
void finding_good(struct findings *f, const char *check, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The worst of them. */
enum finding_verdict findings_worst(const struct findings *f);
/* A new list of {verdict, check, found, effect?, cure?}. */
json_t *findings_dump(const struct findings *f);

#endif
