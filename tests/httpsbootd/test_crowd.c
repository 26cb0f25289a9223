/* Tests of httpsbootd/crowd.c: connections are counted, in all and by address. */
#include "httpsbootd/crowd.h"

#include "tests/test.h"

static const uint64_t key[2] = { 1, 2 };

static struct ipaddr
address(unsigned i)
{
	return ip_from_v4(
	    (const uint8_t[4]){ 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i });
}

static enum crowd_room
enter(struct crowd *c, unsigned i, bool squeeze)
{
	struct ipaddr ip = address(i);

	return crowd_enter(c, &ip, squeeze);
}

static void
leave(struct crowd *c, unsigned i)
{
	struct ipaddr ip = address(i);

	crowd_leave(c, &ip);
}

int
main(void)
{
	struct ipaddr six = { .family = 6, .b = { 0xfd } }, other = six, one = address(1);
	struct crowd *c;

	test_case("crowd: so many from one address, and others still");
	CHECK_INT(crowd_new(16, 3, key, &c), 0);
	for (int i = 0; i < 3; i++)
		CHECK_INT(enter(c, 1, false), CROWD_IN);
	CHECK_INT(enter(c, 1, false), CROWD_ADDRESS_FULL);
	CHECK_INT(enter(c, 1, true), CROWD_ADDRESS_FULL);
	CHECK_INT(enter(c, 2, false), CROWD_IN);
	CHECK_INT(crowd_from(c, &one), 3);
	CHECK_INT(crowd_size(c), 4);
	leave(c, 1);
	CHECK_INT(enter(c, 1, false), CROWD_IN);

	test_case("crowd: so many in all; a few more while others are being put out");
	for (unsigned i = 0; i < 12; i++)
		CHECK_INT(enter(c, 100 + i, false), CROWD_IN);
	CHECK_INT(enter(c, 200, false), CROWD_FULL);
	for (unsigned i = 0; i < 3; i++)
		CHECK_INT(enter(c, 200 + i, true), CROWD_IN);
	CHECK_INT(enter(c, 300, true), CROWD_PACKED);
	CHECK_INT(enter(c, 300, false), CROWD_PACKED);
	CHECK_INT(crowd_size(c), 19);

	test_case("crowd: all leave, and there is room again for as many others");
	for (unsigned i = 0; i < 12; i++)
		leave(c, 100 + i);
	for (unsigned i = 0; i < 3; i++)
		leave(c, 200 + i);
	for (int i = 0; i < 3; i++)
		leave(c, 1);
	leave(c, 2);
	CHECK_INT(crowd_size(c), 0);
	for (unsigned i = 0; i < 16; i++)
		CHECK_INT(enter(c, 1000 + i, false), CROWD_IN);
	CHECK_INT(crowd_from(c, &one), 0);
	crowd_free(c);

	test_case("crowd: IPv6 addresses of one segment count each by itself");
	other.b[15] = 1;
	CHECK_INT(crowd_new(16, 1, key, &c), 0);
	CHECK_INT(crowd_enter(c, &six, false), CROWD_IN);
	CHECK_INT(crowd_enter(c, &six, false), CROWD_ADDRESS_FULL);
	CHECK_INT(crowd_enter(c, &other, false), CROWD_IN);
	crowd_free(c);

	test_case("crowd: thousands come and go");
	CHECK_INT(crowd_new(5000, 0, key, &c), 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 5000; i++)
			CHECK_INT(enter(c, i * 7 % 2500, false), CROWD_IN);
		CHECK_INT(crowd_from(c, &one), 2);
		for (unsigned i = 0; i < 5000; i++)
			leave(c, i % 2500);
		CHECK_INT(crowd_size(c), 0);
	}
	crowd_free(c);
	return test_end();
}
