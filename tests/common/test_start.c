/* Tests of what is pure in common/start.c, of common/counters.c and of common/sockaddr.c. */
#include "common/counters.h"
#include "common/sockaddr.h"
#include "common/start.h"

#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

static void
check_instance(const char *path, const char *subnet, const char *want)
{
	char *name = config_instance(path, subnet);

	CHECK_STR(name, want);
	free(name);
}

int
main(void)
{
	struct stats {
		uint64_t a, b;
	} stats = { 5, UINT64_MAX };
	static const struct counter table[] = {
		{ "first", offsetof(struct stats, a), "" },
		{ "second", offsetof(struct stats, b), "" },
		{ 0 },
	};
	struct sockaddr_storage ss;
	struct ipaddr ip;
	uint8_t buf[256];
	char text[IP_STRLEN];
	struct wbuf w;
	json_t *o;

	test_case("an instance is called as the key says, else as its file, else default");
	check_instance("/etc/bootferry/subnet/hall.json", "", "hall");
	check_instance("/etc/bootferry/subnet/hall.json", "lab", "lab");
	check_instance("x.conf", "", "x.conf");
	check_instance(".json", "", ".json");
	check_instance(NULL, "", "default");

	test_case("counters that are printed read back");
	wbuf_init(&w, buf, sizeof(buf));
	counters_print(&w, table, &stats);
	CHECK_BYTES(wbuf_view(&w), slice_str("first 5\nsecond 18446744073709551615\n"));
	o = counters_parse(slice_str("first 5\nno number\n\n 7\nlast 9"));
	CHECK_INT(json_object_size(o), 2);
	CHECK_INT(json_integer_value(json_object_get(o, "last")), 9);
	json_decref(o);

	test_case("socket addresses of both families come back as they went");
	CHECK_INT(ip_parse(slice_str("10.1.2.3"), &ip), 0);
	CHECK_INT(sockaddr_from_ip(&ip, 69, &ss), sizeof(struct sockaddr_in));
	ip = ip_from_sockaddr((struct sockaddr *)&ss);
	CHECK_STR(ip_format(&ip, text), "10.1.2.3");
	CHECK_INT(ip_parse(slice_str("2001:db8::5"), &ip), 0);
	CHECK_INT(sockaddr_from_ip(&ip, 69, &ss), sizeof(struct sockaddr_in6));
	ip = ip_from_sockaddr((struct sockaddr *)&ss);
	CHECK_STR(ip_format(&ip, text), "2001:db8::5");

	test_case("an IPv4 address mapped into IPv6 is an IPv4 address");
	CHECK_INT(ip_parse(slice_str("::ffff:10.1.2.3"), &ip), 0);
	(void)sockaddr_from_ip(&ip, 69, &ss);
	ip = ip_from_sockaddr((struct sockaddr *)&ss);
	CHECK_INT(ip.family, 4);
	CHECK_INT(ip_from_sockaddr(NULL).family, 0);
	return test_end();
}
