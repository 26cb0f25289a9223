/* The log; see log.h. */
#include "common/log.h"

#include "common/quote.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

const char *const log_level_names[LOG_LEVELS] = { "error", "warning", "info", "debug" };

static const int syslog_priority[LOG_LEVELS] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* The logger is one of the few globals: every thread and file writes to it. */
static struct {
	const char *ident;
	bool to_syslog;
	bool journal; /* systemd reads our standard error */
	_Atomic int level;
} logger = { .ident = "bootferry", .level = LOG_LEVEL_INFO };

void
log_init(const char *ident, bool foreground)
{
	logger.ident = ident;
	logger.to_syslog = !foreground;
	logger.journal = getenv("JOURNAL_STREAM") != NULL;
	if (logger.to_syslog)
		openlog(ident, LOG_PID, LOG_DAEMON);
}

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&logger.level, (int)level, memory_order_relaxed);
}

enum log_level
log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&logger.level, memory_order_relaxed);
}

static void
write_line(enum log_level level, const char *text)
{
	char line[LINE_MAX_BYTES + 128];
	struct timespec now;
	struct tm tm;
	int n;

	if (logger.to_syslog) {
		syslog(syslog_priority[level], "%s", text);
		return;
	}
	if (logger.journal) {
		n = snprintf(line, sizeof(line), "<%d>%s\n", syslog_priority[level], text);
	} else {
		char stamp[32];

		clock_gettime(CLOCK_REALTIME, &now);
		gmtime_r(&now.tv_sec, &tm);
		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
		n = snprintf(line, sizeof(line), "%s.%03ldZ %s[%d] %s: %s\n", stamp,
		    now.tv_nsec / 1000000, logger.ident, (int)getpid(), log_level_names[level],
		    text);
	}
	if (n > 0) {
		size_t len = (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1;

		/* one write a line, so that lines of threads do not mix; nobody to tell if it
		 * fails */
		if (write(STDERR_FILENO, line, len) < 0)
			return;
	}
}

static void __attribute__((format(printf, 3, 0)))
log_va(enum log_level level, int err, const char *fmt, va_list ap)
{
	char text[LINE_MAX_BYTES];
	int n;

	if (level > log_get_level())
		return;
	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n >= 0 && err != 0 && (size_t)n < sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n, ": %s", strerror(err));
	write_line(level, text);
}

#define LOG_FN(name, level, err)                                                                   \
	void name(const char *fmt, ...)                                                            \
	{                                                                                          \
		int saved = errno;                                                                 \
		va_list ap;                                                                        \
		va_start(ap, fmt);                                                                 \
		log_va(level, err, fmt, ap);                                                       \
		va_end(ap);                                                                        \
		errno = saved;                                                                     \
	}

LOG_FN(log_debug, LOG_LEVEL_DEBUG, 0)
LOG_FN(log_info, LOG_LEVEL_INFO, 0)
LOG_FN(log_warnx, LOG_LEVEL_WARNING, 0)
LOG_FN(log_warn, LOG_LEVEL_WARNING, saved)
LOG_FN(log_errx, LOG_LEVEL_ERROR, 0)

void
fatal(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	log_va(LOG_LEVEL_ERROR, saved, fmt, ap);
	va_end(ap);
	exit(EXIT_FAILURE);
}

void
fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(LOG_LEVEL_ERROR, 0, fmt, ap);
	va_end(ap);
	exit(EXIT_FAILURE);
}

bool
log_limit_pass(struct log_limit *limit, uint64_t now_ms, uint32_t *dropped)
{
	uint64_t earned;

	if (limit->at_ms == 0) {
		limit->tokens = LOG_LIMIT_BURST;
		limit->at_ms = now_ms;
	}
	earned = (now_ms - limit->at_ms) * LOG_LIMIT_PER_S / 1000;
	if (earned > 0) {
		limit->tokens = earned > LOG_LIMIT_BURST - limit->tokens
		                    ? LOG_LIMIT_BURST
		                    : limit->tokens + (uint32_t)earned;
		limit->at_ms = now_ms;
	}
	if (limit->tokens == 0) {
		limit->dropped++;
		return false;
	}
	limit->tokens--;
	*dropped = limit->dropped;
	limit->dropped = 0;
	return true;
}

bool
log_limit_open(struct log_limit *limit, enum log_level level, uint32_t *dropped)
{
	struct timespec now;

	if (level > log_get_level())
		return false;
	/* read at the kernel's ticks: good enough for this, and cheaper */
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return log_limit_pass(
	    limit, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1, dropped);
}

void
log_limited(uint32_t dropped, enum log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* a cut line is still a line */
	va_end(ap);
	if (dropped > 0) {
		size_t n = strlen(text);

		snprintf(text + n, sizeof(text) - n, " (%u such lines left out before)", dropped);
	}
	write_line(level, text);
}

const char *
log_quote(struct slice s, char buf[static LOG_QUOTE_SIZE])
{
	return quote(s, buf, LOG_QUOTE_SIZE);
}
