/* The end of a transfer in plain words; see outcome.h. */
#include "tftpd/outcome.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Of the client's own words. */
#define QUOTE_MAX 64

uint32_t
outcome_first_bytes(const struct outcome *o)
{
	return transfer_block_size(o->t, o->size, 1);
}

static void __attribute__((format(printf, 2, 3)))
add(char buf[static OUTCOME_TEXT_SIZE], const char *fmt, ...)
{
	size_t used = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf + used, OUTCOME_TEXT_SIZE - used, fmt, ap);
	va_end(ap);
}

/* ": error 3, "Disk full"", with what is not printable as dots. */
static void
add_error(const struct outcome *o, char buf[static OUTCOME_TEXT_SIZE])
{
	char text[QUOTE_MAX + 1];
	size_t n = o->error_text.n < QUOTE_MAX ? o->error_text.n : QUOTE_MAX;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = o->error_text.p[i];

		text[i] = c < 0x20 || c > 0x7e || c == '"' || c == '\\' ? '.' : (char)c;
	}
	text[n] = '\0';
	if (n > 0)
		add(buf, ": error %u, \"%s\"", o->error, text);
	else
		add(buf, ": error %u", o->error);
}

/* Clients tell in words, under any code, that the file does not fit. */
static bool
is_full(const struct outcome *o)
{
	static const char *const words[] = { "memory", "full", "space", "too large", "too big",
		"buffer", "no room" };
	char text[QUOTE_MAX + 1];

	if (o->error == TFTP_ERROR_FULL)
		return true;
	(void)slice_copy(text, sizeof(text), o->error_text);
	for (size_t i = 0; text[i] != '\0'; i++)
		text[i] = (char)tolower((unsigned char)text[i]);
	for (size_t i = 0; i < NITEMS(words); i++) {
		if (strstr(text, words[i]) != NULL)
			return true;
	}
	return false;
}

/*
 * Some loaders count blocks in 16 bits, or in 15, and fail behind the last number: Intel's old ROMs
 * and the boot loader of the Raspberry Pi 5 do.
 */
static uint32_t
broken_count(const struct transfer *t)
{
	static const uint32_t lasts[] = { 32767, 65535 };

	for (size_t i = 0; i < NITEMS(lasts); i++) {
		if (t->blocks > lasts[i] && t->acked + t->window >= lasts[i] &&
		    t->acked <= lasts[i] + 1)
			return lasts[i];
	}
	return 0;
}

/* Nothing that was sent has arrived. */
static void
add_nothing_arrived(const struct outcome *o, char buf[static OUTCOME_TEXT_SIZE])
{
	if (!o->t->oack || o->t->oack_out) {
		add(buf, "the first packet was never answered: a firewall drops UDP ");
		if (o->first_port == 0)
			add(buf, "from all ports but that of requests");
		else if (o->first_port == o->last_port)
			add(buf, "from port %u", o->first_port);
		else
			add(buf, "from ports %u-%u", o->first_port, o->last_port);
		add(buf, ", or the client gave up");
		return;
	}
	add(buf, "the client confirmed the options but never the first block");
	if (outcome_first_bytes(o) <= TFTP_DEFAULT_BLKSIZE) {
		add(buf, ": it gave up, or the network broke");
		return;
	}
	add(buf, " of %u bytes: large packets are lost on the way", outcome_first_bytes(o));
	if (o->next_blksize != 0)
		add(buf, ", its next request is offered %u", o->next_blksize);
}

static void
add_stopped(const struct outcome *o, char buf[static OUTCOME_TEXT_SIZE])
{
	const struct transfer *t = o->t;
	uint32_t last = broken_count(t);

	if (t->acked == 0)
		add_nothing_arrived(o, buf);
	else if (last != 0)
		add(buf,
		    "the client stopped asking at block %u of %llu: many loaders cannot count "
		    "further, larger blocks or a smaller file help",
		    last, (unsigned long long)t->blocks);
	else if (t->acked == 1)
		add(buf, "the client stopped asking after block 1: firewall or size probe");
	else
		add(buf,
		    "the client stopped asking after block %llu of %llu: it was switched off, or "
		    "the network broke",
		    (unsigned long long)t->acked, (unsigned long long)t->blocks);
}

static void
add_aborted(const struct outcome *o, char buf[static OUTCOME_TEXT_SIZE])
{
	const struct transfer *t = o->t;
	uint32_t last = broken_count(t);

	if (is_full(o))
		add(buf, "the client's memory is full, the file has %llu bytes",
		    (unsigned long long)o->size);
	else if (t->oack_out)
		add(buf, "the client refused the options");
	else if (last != 0)
		add(buf,
		    "the client ended it at block %u of %llu, many loaders cannot count further",
		    last, (unsigned long long)t->blocks);
	else if (t->acked <= 1)
		add(buf, "the client ended it after block %llu of %llu, maybe a size probe",
		    (unsigned long long)t->acked, (unsigned long long)t->blocks);
	else
		add(buf, "the client ended it at block %llu of %llu", (unsigned long long)t->acked,
		    (unsigned long long)t->blocks);
	add_error(o, buf);
}

const char *
outcome_text(const struct outcome *o, char buf[static OUTCOME_TEXT_SIZE])
{
	const struct transfer *t = o->t;

	buf[0] = '\0';
	switch (o->result) {
	case TRANSFER_GOING_ON: break;
	case TRANSFER_DONE:
		if (t->blocks >= 16 && t->retransmits > t->blocks / 10)
			add(buf,
			    "done, but %u blocks were sent again for the %llu of the file: packets "
			    "are "
			    "lost on the way",
			    t->retransmits, (unsigned long long)t->blocks);
		break;
	case TRANSFER_DONE_SILENT:
		add(buf, "done, the last block was never confirmed: many loaders start at once");
		break;
	case TRANSFER_PROBED: add(buf, "the client only asked for the size"); break;
	case TRANSFER_ABORTED: add_aborted(o, buf); break;
	case TRANSFER_TIMED_OUT: add_stopped(o, buf); break;
	case TRANSFER_REPLACED:
		if (t->acked == 0)
			add_nothing_arrived(o, buf);
		else
			add(buf, "the client asked anew after block %llu of %llu",
			    (unsigned long long)t->acked, (unsigned long long)t->blocks);
		break;
	}
	return buf;
}
