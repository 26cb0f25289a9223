/*
 * Patterns of conditions: text with wildcards, ranges of numbers, times of the week.
 * Pure; each is compiled once and tried many times.
 */
#ifndef HANDLERD_PATTERN_H
#define HANDLERD_PATTERN_H

#include "common/wire.h"

/* '*' stands for any characters, '?' for one; without case.  True if all of `text` fits. */
bool glob_match(struct slice pattern, struct slice text);
/* An octet as it is compared. */
uint8_t glob_fold(uint8_t c);

/* Inclusive. */
struct number_range {
	uint64_t min, max;
};

typedef int number_parse_fn(struct slice text, uint64_t *ret);

/* "3", "<3", "<=3", ">3", ">=3", "2-4", each number read by `parse`.  0, or -EINVAL. */
int number_range_parse(const char *text, number_parse_fn *parse, struct number_range *ret);
int number_parse(struct slice text, uint64_t *ret);
/*
 * "1.21.1" as ipxe_version has it: major << 16 | minor << 8 | patch, absent parts 0.  A leading
 * "v" and what follows after a "+" or a blank is left out.
 */
int version_parse(struct slice text, uint64_t *ret);
/* "90s", "30m", "2h", "7d" in seconds. */
int age_parse(struct slice text, uint64_t *ret);

/* Days of the week (bit 0: Sunday) and minutes of the day; from > to runs over midnight. */
struct week_time {
	uint8_t days;
	uint16_t from, to; /* [from, to); 0 and 1440: the whole day */
};

/* "mon-fri 08:00-17:30", "sat,sun", "22:00-06:00".  0, or -EINVAL. */
int week_time_parse(const char *text, struct week_time *ret);
/* A span over midnight belongs to the day on which it begins. */
bool week_time_has(const struct week_time *t, int weekday, int minute);

#endif
