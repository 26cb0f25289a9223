/*
 * Tables for people.  Cells may hold text of strangers: what does not print is escaped, so that no
 * machine's name can drive the terminal.
 */
#ifndef FERRYCTL_TABLE_H
#define FERRYCTL_TABLE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_COLUMNS 12

struct table {
	size_t columns;
	size_t rows;
	char **cells; /* rows * columns, the first row being the headings */
};

/* `headings` is a NULL-terminated list. */
void table_init(struct table *t, const char *const headings[]);
/* Adds a row of as many strings; NULL is an empty cell. */
void table_add(struct table *t, const char *const cells[]);
/* Prints it, or `empty` if there is no row, and frees it. */
void table_print(struct table *t, const char *empty);

/* Text that is safe to print, as new memory. */
char *table_safe(const char *s);

/* "2026-11-22 08:15:00" in local time; "-" for 0. */
const char *format_time(uint64_t ms, char buf[static 32]);
/* "1.4 MB". */
const char *format_bytes(uint64_t n, char buf[static 32]);
/* "3 min ago". */
const char *format_age(uint64_t ms, uint64_t now_ms, char buf[static 32]);

/* A member's text or number; "" or 0 if it is missing. */
const char *member_text(const json_t *o, const char *key);
int64_t member_int(const json_t *o, const char *key);

#endif
