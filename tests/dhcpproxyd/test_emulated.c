/* Tests of dhcpproxyd/emulated.c: which requests are a self-test's, for how long, how many. */
#include "dhcpproxyd/emulated.h"

#include "tests/test.h"

#include <string.h>

static const struct macaddr here = { 6, { 2, 0xd0, 0xc7, 0, 0, 1 } };
static const struct macaddr away = { 6, { 0x52, 0x54, 0, 1, 2, 3 } };

static struct dhcp_ask
ask_of(const struct macaddr *mac, enum ask_kind kind)
{
	struct dhcp_ask a = { .kind = kind, .hlen = mac->len };

	memcpy(a.chaddr, mac->b, mac->len);
	return a;
}

static void
check_end(const struct emulated *e, const char *end, int discovers, int requests)
{
	json_t *list = emulated_dump(e);
	const json_t *o = json_array_get(list, 0);

	CHECK_INT(json_array_size(list), 1);
	CHECK_STR(json_string_value(json_object_get(o, "mac")), "02:d0:c7:00:00:01");
	CHECK_STR(json_string_value(json_object_get(o, "end")), end);
	CHECK_INT(json_integer_value(json_object_get(o, "discovers")), discovers);
	CHECK_INT(json_integer_value(json_object_get(o, "requests")), requests);
	json_decref(list);
}

int
main(void)
{
	struct dhcp_ask discover = ask_of(&here, ASK_DISCOVER), stranger;
	struct dhcp_ask request = ask_of(&here, ASK_BOOTSERVER);
	struct boot_answer answer = { .action = ACTION_OFFER, .reason = REASON_LOADER };
	struct emulated e = { 0 };

	stranger = ask_of(&away, ASK_DISCOVER);
	test_case("without a test nobody is one of its machines");
	CHECK(!emulated_takes(&e, &discover, 1));

	test_case("a machine that was named is, another is not");
	emulated_begin(&e, 1000);
	CHECK(emulated_add(&e, &here));
	check_end(&e, "unseen", 0, 0);
	CHECK(emulated_takes(&e, &discover, 999));
	CHECK(!emulated_takes(&e, &stranger, 999));
	check_end(&e, "pending", 1, 0);

	test_case("what became of it");
	emulated_note(&e, &discover, &answer, true);
	check_end(&e, "answered", 1, 0);
	emulated_note(&e, &discover, &answer, false);
	check_end(&e, "unfit", 1, 0);
	emulated_note(&e, &discover, NULL, false);
	check_end(&e, "unanswered", 1, 0);
	answer.action = ACTION_IGNORE;
	emulated_note(&e, &discover, &answer, false);
	check_end(&e, "silent", 1, 0);
	emulated_note(&e, &stranger, &answer, false);
	CHECK(emulated_takes(&e, &request, 999));
	check_end(&e, "pending", 1, 1);

	test_case("no more than so many packets a test");
	for (int i = 2; i < EMULATED_PACKETS; i++)
		CHECK(emulated_takes(&e, &discover, 999));
	CHECK(!emulated_takes(&e, &discover, 999));

	test_case("when its time is over it is over, and what became of it is still known");
	emulated_begin(&e, 1000);
	CHECK(emulated_add(&e, &here));
	CHECK(!emulated_takes(&e, &discover, 1000));
	CHECK(!emulated_takes(&e, &discover, 1));
	check_end(&e, "unseen", 0, 0);

	test_case("no more machines than there is room for");
	for (int i = 1; i < EMULATED_MAX; i++)
		CHECK(emulated_add(&e, &away));
	CHECK(!emulated_add(&e, &away));
	return test_end();
}
