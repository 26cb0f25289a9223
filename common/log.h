/*
 * The log: to standard error in the foreground (with the journal's priority prefix when systemd
 * reads it), to syslog otherwise.  One line a call.  Text that came from the network goes through
 * log_quote() first.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "common/wire.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVELS,
};

/* "error", "warning", "info", "debug": the values of the key log_level. */
extern const char *const log_level_names[LOG_LEVELS];

/* `ident` must stay valid.  The level starts at info. */
void log_init(const char *ident, bool foreground);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Appends ": " and the text of errno. */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_errx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Start-up only: log as an error and exit(1); fatal() appends the text of errno. */
_Noreturn void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fatalx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * For lines that a stranger on the network can cause: at most LOG_LIMIT_BURST of them at once and
 * LOG_LIMIT_PER_S a second for each place in the code; what was left out is counted in the next
 * line that passes.
 */
#define LOG_LIMIT_BURST 200
#define LOG_LIMIT_PER_S 50

struct log_limit {
	uint64_t at_ms;
	uint32_t tokens;
	uint32_t dropped;
};

/* True if a line may be written now; *dropped is then the number left out since the last one. */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ms, uint32_t *dropped);
/* True if a line of that level may be written now, to be followed by log_limited(). */
bool log_limit_open(struct log_limit *limit, enum log_level level, uint32_t *dropped);
void log_limited(uint32_t dropped, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * One bucket a place and thread.  The arguments are worked out only for a line that is written: a
 * storm of clients would pay for the others in every packet.
 */
#define LOG_PEER(level, ...)                                                                       \
	do {                                                                                       \
		static _Thread_local struct log_limit limit_;                                      \
		uint32_t dropped_;                                                                 \
		if (log_limit_open(&limit_, level, &dropped_))                                     \
			log_limited(dropped_, level, __VA_ARGS__);                                 \
	} while (0)
#define log_peer_info(...)  LOG_PEER(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_peer_warn(...)  LOG_PEER(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_peer_debug(...) LOG_PEER(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * `s` made fit for a log line: quoted when it is empty or holds a blank, with \xNN for what does
 * not print, cut with "..." when it does not fit.  Returns buf.
 */
#define LOG_QUOTE_SIZE 160
const char *log_quote(struct slice s, char buf[static LOG_QUOTE_SIZE]);

#endif
