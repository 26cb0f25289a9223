/* Tests of handlerd/transfers.c: the live list of transfers, by the events of front daemons. */
#include "handlerd/transfers.h"

#include "tests/test.h"

#include <stdio.h>
#include <string.h>

static struct transfers *t;

static void
note(uint64_t origin, uint64_t id, enum event_kind kind, uint64_t bytes, const char *text,
    uint64_t now_ms)
{
	const struct macaddr mac = { 6, { 2, 0, 0, 0, 0, (uint8_t)id } };
	const struct boot_event e = {
		.kind = kind,
		.via = VIA_TFTP,
		.transfer = id,
		.address = { 4, { 10, 0, 0, (uint8_t)id } },
		.bytes = bytes,
		.size = 1000,
		.bytes_per_s = kind == EVENT_TRANSFER_PROGRESS ? 50 : 0,
		.duration_ms = kind == EVENT_TRANSFER_BEGAN ? 0 : 700,
		.blksize = 1468,
		.windowsize = 4,
		.retransmits = 2,
		.subnet = slice_str("lab"),
		.file = slice_str("boot/x64/snponly.efi"),
		.text = slice_str(text),
	};

	transfers_note(t, origin, &e, 42, &mac, now_ms);
}

/* What a walk found: "1.7:500" is number 7 of sender 1 with 500 bytes. */
struct found {
	char text[256];
	struct running last;
};

static void
on_each(void *arg, const struct running *r)
{
	struct found *f = arg;
	size_t n = strlen(f->text);

	(void)snprintf(f->text + n, sizeof(f->text) - n, "%s%llu.%llu:%llu", n > 0 ? " " : "",
	    (unsigned long long)r->origin, (unsigned long long)r->id, (unsigned long long)r->bytes);
	f->last = *r;
}

static void
check_list(size_t limit, const char *want)
{
	struct found f = { 0 };

	transfers_each(t, limit, on_each, &f);
	CHECK_STR(f.text, want);
}

static void
test_life(void)
{
	struct found f = { 0 };

	CHECK_INT(transfers_new(4, &t), 0);
	test_case("transfers: a beginning is listed, its progress follows, its end removes it");
	note(1, 7, EVENT_TRANSFER_BEGAN, 1000, "", 10000);
	check_list(9, "1.7:0");
	note(1, 7, EVENT_TRANSFER_PROGRESS, 500, "", 12000);
	check_list(9, "1.7:500");
	transfers_each(t, 9, on_each, &f);
	CHECK(f.last.size == 1000 && f.last.bytes_per_s == 50 && f.last.boot == 42);
	CHECK(f.last.began_ms == 10000 && f.last.heard_ms == 12000 && f.last.progressed);
	CHECK(f.last.blksize == 1468 && f.last.windowsize == 4 && f.last.retransmits == 2);
	CHECK_STR(f.last.file, "boot/x64/snponly.efi");
	CHECK_STR(f.last.subnet, "lab");
	CHECK_INT(f.last.mac.b[5], 7);
	note(1, 7, EVENT_TRANSFER_FINISHED, 1000, "", 13000);
	check_list(9, "");
	CHECK_INT(transfers_stats(t).finished, 1);

	test_case(
	    "transfers: two of one client, and the same number of two senders, are different");
	note(1, 7, EVENT_TRANSFER_BEGAN, 0, "", 20000);
	note(2, 7, EVENT_TRANSFER_BEGAN, 0, "", 20001);
	note(1, 8, EVENT_TRANSFER_BEGAN, 0, "", 20002);
	note(1, 7, EVENT_TRANSFER_PROGRESS, 10, "", 20003);
	check_list(9, "1.7:10 1.8:0 2.7:0");
	check_list(2, "1.7:10 1.8:0");

	test_case("transfers: one whose beginning was missed is taken up, begun when it says");
	note(3, 1, EVENT_TRANSFER_PROGRESS, 90, "", 20004);
	check_list(1, "3.1:90");
	memset(&f, 0, sizeof(f));
	transfers_each(t, 1, on_each, &f);
	CHECK_INT(f.last.began_ms, 20004 - 700);

	test_case("transfers: at the limit the one that was silent longest makes room");
	note(3, 2, EVENT_TRANSFER_BEGAN, 0, "", 20005);
	check_list(9, "3.2:0 3.1:90 1.7:10 1.8:0");
	CHECK_INT(transfers_stats(t).pushed, 1);
	CHECK_INT(transfers_stats(t).running, 4);

	test_case("transfers: what is not heard of for long is told and forgotten");
	memset(&f, 0, sizeof(f));
	transfers_expire(t, 20002 + TRANSFERS_QUIET_MS, on_each, &f);
	CHECK_STR(f.text, "");
	transfers_expire(t, 20003 + 1 + TRANSFERS_QUIET_MS, on_each, &f);
	CHECK_STR(f.text, "1.8:0 1.7:10");
	CHECK_INT(transfers_stats(t).forgotten, 2);

	test_case("transfers: ends of what is not listed, and other events, do no harm");
	note(9, 9, EVENT_TRANSFER_FINISHED, 0, "", 90000);
	note(9, 0, EVENT_TRANSFER_BEGAN, 0, "", 90000);
	note(9, 9, EVENT_OFFER, 0, "", 90000);
	note(3, 1, EVENT_SIZE_PROBE, 0, "", 90000);
	check_list(9, "3.2:0");
	transfers_free(t);
	transfers_free(NULL);
}

static void
test_failures(void)
{
	struct transfers_stats s;
	char text[64];

	CHECK_INT(transfers_new(4, &t), 0);
	test_case("failures: counted by their words, whatever the numbers in them");
	note(1, 1, EVENT_TRANSFER_FAILED, 0, "stopped asking after block 12 of 340", 1);
	note(1, 2, EVENT_TRANSFER_FAILED, 0, "stopped asking after block 7 of 9", 1);
	note(1, 3, EVENT_TRANSFER_FAILED, 0, "", 1);
	s = transfers_stats(t);
	CHECK_INT(s.failed, 3);
	CHECK_INT(s.nfailures, 2);
	CHECK_STR(s.failures[0].words, "stopped asking after block N of N");
	CHECK_INT(s.failures[0].n, 2);
	CHECK_STR(s.failures[1].words, "no reason given");

	test_case("failures: words that clients make up do not fill the memory");
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(text, sizeof(text), "%c%c%s", 'a' + i % 26, 'a' + i / 26,
		    i % 2 == 0 ? " is what the client says, at a length that fits" : "");
		note(1, 1, EVENT_TRANSFER_FAILED, 0, text, 1);
	}
	s = transfers_stats(t);
	CHECK_INT(s.nfailures, TRANSFERS_REASONS);
	CHECK_STR(s.failures[TRANSFERS_REASONS - 1].words, "others");
	CHECK_INT(s.failures[TRANSFERS_REASONS - 1].n, 1000 - (TRANSFERS_REASONS - 3));

	test_case("failures: long words are cut");
	transfers_free(t);
	CHECK_INT(transfers_new(4, &t), 0);
	{
		char longer[300];

		memset(longer, 'x', sizeof(longer) - 1);
		longer[sizeof(longer) - 1] = '\0';
		note(1, 1, EVENT_TRANSFER_FAILED, 0, longer, 1);
		CHECK_INT(strlen(transfers_stats(t).failures[0].words), TRANSFERS_WORDS - 1);
	}
	transfers_free(t);
}

int
main(void)
{
	test_life();
	test_failures();
	return test_end();
}
