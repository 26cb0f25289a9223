/* Tests of tftpd/clients.c. */
#include "tftpd/clients.h"

#include "tests/test.h"

#include <errno.h>

static struct clients clients;

static struct ipaddr
address(const char *text)
{
	struct ipaddr ip;

	CHECK_INT(ip_parse(slice_str(text), &ip), 0);
	return ip;
}

int
main(void)
{
	struct ipaddr a = address("10.0.0.1"), b = address("10.0.0.2"), c = address("fd00::1");
	int32_t places[3], place;

	clients_init(&clients);

	test_case("a client has so many places and no more");
	for (size_t i = 0; i < 3; i++) {
		places[i] = clients_take(&clients, &a, 3);
		CHECK(places[i] >= 0);
	}
	CHECK_INT(clients_take(&clients, &a, 3), -EDQUOT);

	test_case("another client has its own");
	/* one in 65,536 times they share a counter: then this run has no second client */
	place = clients_take(&clients, &b, 4);
	CHECK(place >= 0);
	clients_drop(&clients, place);
	place = clients_take(&clients, &c, 4);
	CHECK(place >= 0);
	clients_drop(&clients, place);

	test_case("what is given back can be taken again, and a refusal took nothing");
	clients_drop(&clients, places[0]);
	places[0] = clients_take(&clients, &a, 3);
	CHECK(places[0] >= 0);
	CHECK_INT(clients_take(&clients, &a, 3), -EDQUOT);
	for (size_t i = 0; i < 3; i++)
		clients_drop(&clients, places[i]);
	CHECK_INT(clients_take(&clients, &a, 0), -EDQUOT);
	CHECK_INT(atomic_load(&clients.counts[places[0]]), 0);
	return test_end();
}
