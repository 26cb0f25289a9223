/* Tests of common/relay_info.c. */
#include "common/relay_info.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

static void
test_parse(void)
{
	static const struct {
		const char *what, *option;
		int rc;
		const char *circuit, *remote, *subscriber; /* in hexadecimal */
		const char *link;
	} cases[] = {
		{ "nothing", "", 0, "", "", "", NULL },
		{ "circuit-id and remote-id of a Cisco switch",
		    "0106 00040010 0105 0208 0006 001122334455", 0, "000400100105",
		    "0006001122334455", "", NULL },
		{ "text of a Linux relay", "0104 65746830", 0, "65746830", "", "", NULL },
		{ "all that is known", "0101 61 0201 62 0504 0a4d0100 0601 63", 0, "61", "62", "63",
		    "10.77.1.0" },
		{ "unknown sub-options are passed over", "9703 010203 0101 61 0b04 01020304", 0,
		    "61", "", "", NULL },
		{ "the first of the same kind", "0101 61 0101 62 0504 01020304 0504 05060708", 0,
		    "61", "", "", "1.2.3.4" },
		{ "an empty circuit-id", "0100 0201 62", 0, "", "62", "", NULL },
		{ "a sub-option that runs out", "0101 61 0205 62", -EBADMSG, "61", "", "", NULL },
		{ "a sub-option without its length", "0101 61 02", -EBADMSG, "61", "", "", NULL },
		{ "link selection of a wrong length", "0101 61 0503 0a4d01", -EBADMSG, "61", "", "",
		    NULL },
		{ "0 and 255 are no padding and no end here", "0001 61 ff01 62 0101 63", 0, "63",
		    "", "", NULL },
	};
	uint8_t option[255], want[64];
	struct relay_info r;
	char ip[IP_STRLEN];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		size_t n = test_unhex(cases[i].option, option, sizeof(option));

		test_case("option 82: %s", cases[i].what);
		CHECK_INT(relay_info_parse((struct slice){ option, n }, &r), cases[i].rc);
		CHECK_BYTES(r.circuit_id,
		    ((struct slice){ want, test_unhex(cases[i].circuit, want, sizeof(want)) }));
		CHECK_BYTES(r.remote_id,
		    ((struct slice){ want, test_unhex(cases[i].remote, want, sizeof(want)) }));
		CHECK_BYTES(r.subscriber_id,
		    ((struct slice){ want, test_unhex(cases[i].subscriber, want, sizeof(want)) }));
		CHECK_INT(r.link.family, cases[i].link != NULL ? 4 : 0);
		if (cases[i].link != NULL)
			CHECK_STR(ip_format(&r.link, ip), cases[i].link);
	}

	test_case("option 82: cut anywhere, it gives what was whole");
	{
		size_t n =
		    test_unhex("0101 61 0201 62 0504 0a4d0100 0601 63", option, sizeof(option));

		for (size_t cut = 0; cut < n; cut++) {
			int rc = relay_info_parse((struct slice){ option, cut }, &r);

			CHECK(rc == (cut == 0 || cut == 3 || cut == 6 || cut == 12 ? 0 : -EBADMSG));
			CHECK_INT(r.circuit_id.n, cut >= 3);
			CHECK_INT(r.remote_id.n, cut >= 6);
		}
	}
}

static void
test_format(void)
{
	static const struct {
		const char *what, *id, *out;
	} cases[] = {
		{ "nothing", "", "" },
		{ "text", "4769312f302f3132", "Gi1/0/12" },
		{ "text with a blank", "706f72742031", "port 1" },
		{ "binary", "000400100105", "0x000400100105" },
		{ "text that ends with a NUL", "6574683000", "0x6574683000" },
		{ "a line feed", "610a", "0x610a" },
		{ "above ASCII", "c3bc", "0xc3bc" },
		{ "text that looks like digits", "30783631", "0x30783631" },
		{ "and with a capital X", "305861", "0x305861" },
		{ "a mere nought", "30", "0" },
	};
	char text[RELAY_ID_STRLEN];
	uint8_t id[300];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		size_t n = test_unhex(cases[i].id, id, sizeof(id));

		test_case("identifier: %s", cases[i].what);
		CHECK_STR(relay_id_format((struct slice){ id, n }, text), cases[i].out);
	}

	test_case("identifier: the longest, and one that is longer");
	memset(id, 0xff, sizeof(id));
	CHECK_INT(
	    strlen(relay_id_format((struct slice){ id, RELAY_ID_MAX }, text)), RELAY_ID_STRLEN - 1);
	CHECK_INT(
	    strlen(relay_id_format((struct slice){ id, sizeof(id) }, text)), RELAY_ID_STRLEN - 1);
	memset(id, 'a', sizeof(id));
	CHECK_INT(strlen(relay_id_format((struct slice){ id, sizeof(id) }, text)), RELAY_ID_MAX);
}

int
main(void)
{
	test_parse();
	test_format();
	return test_end();
}
