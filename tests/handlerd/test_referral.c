/* Tests of handlerd/referral.c: URLs, the mark against loops, what is carried along. */
#include "handlerd/referral.h"

#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
test_places(void)
{
	static const struct {
		const char *what, *url;
		int rc;
		const char *host;
		uint16_t port;
		const char *path;
	} cases[] = {
		{ "a URL with its port", "https://Boot.Example:8050/2PXE/boot", 0, "boot.example",
		    8050, "/2PXE/boot" },
		{ "the port of https", "https://b/x", 0, "b", 443, "/x" },
		{ "the port of http", "http://b", 0, "b", 80, "" },
		{ "a query without a path", "http://b?x=1", 0, "b", 80, "?x=1" },
		{ "a fragment behind the port", "http://b:81##params=p", 0, "b", 81, "##params=p" },
		{ "an IPv6 address, whatever its spelling", "HTTPS://[2001:DB8:0::1]:8050/", 0,
		    "2001:db8::1", 8050, "/" },
		{ "a user's name, behind which the host is easily misread", "http://a@b/", -EINVAL,
		    NULL, 0, NULL },
		{ "no host", "http:///x", -EINVAL, NULL, 0, NULL },
		{ "a port of nothing", "http://b:/", -EINVAL, NULL, 0, NULL },
		{ "port 0", "http://b:0/", -EINVAL, NULL, 0, NULL },
		{ "too large a port", "http://b:65536/", -EINVAL, NULL, 0, NULL },
		{ "a port of many digits", "http://b:0000080/", -EINVAL, NULL, 0, NULL },
		{ "brackets around a name", "http://[b]/", -EINVAL, NULL, 0, NULL },
		{ "a bracket that stays open", "http://[::1/", -EINVAL, NULL, 0, NULL },
		{ "something behind the bracket", "http://[::1]x/", -EINVAL, NULL, 0, NULL },
		{ "a blank in the host", "http://a b/", -EINVAL, NULL, 0, NULL },
		{ "another scheme", "tftp://b/x", -EINVAL, NULL, 0, NULL },
		{ "no scheme", "b/x", -EINVAL, NULL, 0, NULL },
		{ "nothing", "", -EINVAL, NULL, 0, NULL },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct url_place p = { .port = 1 };

		test_case("place: %s", cases[i].what);
		CHECK_INT(url_place_http(cases[i].url, &p), cases[i].rc);
		if (cases[i].rc < 0) {
			CHECK_INT(p.port, 1);
			continue;
		}
		CHECK_STR(p.host, cases[i].host);
		CHECK_INT(p.port, cases[i].port);
		CHECK_STR(cases[i].url + p.path_at, cases[i].path);
	}
}

static void
test_via(void)
{
	static const struct {
		const char *what, *via;
		int hops;
		bool has; /* "abc" */
	} cases[] = {
		{ "no server passed", "", 0, false },
		{ "one", "abc", 1, true },
		{ "three, ours among them", "x1.abc.y2", 3, true },
		{ "ours last", "x1.abc", 2, true },
		{ "one whose id begins like ours", "abcd", 1, false },
		{ "one whose id ends like ours", "xabc", 1, false },
		{ "an empty id", "x..y", -1, false },
		{ "a dot at the end", "abc.", -1, true },
		{ "a dot at the start", ".abc", -1, true },
		{ "capitals", "ABC", -1, false },
		{ "what could end the parameter", "a&token=b", -1, false },
		{ "what iPXE would expand", "${net0/mac}", -1, false },
		{ "an id that is too long", "abcdefghijklmnopq", -1, false },
	};
	char lengthy[REFERRAL_VIA_MAX + 2] = "a";

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("via: %s", cases[i].what);
		CHECK_INT(referral_via_hops(slice_str(cases[i].via)), cases[i].hops);
		CHECK_INT(referral_via_has(slice_str(cases[i].via), "abc"), cases[i].has);
		CHECK(!referral_via_has(slice_str(cases[i].via), ""));
	}
	test_case("via: one that is too long");
	for (size_t i = 1; i < sizeof(lengthy) - 1; i++)
		lengthy[i] = i % 2 == 0 ? 'a' : '.';
	CHECK_INT(referral_via_hops(slice_str(lengthy)), -1);
}

static void
test_params(void)
{
	uint8_t got[8];

	test_case("param: the first of its name, in any case, decoded");
	CHECK_INT(
	    referral_param(slice_str("a=1&BFvia=x%2Ey&bfvia=z"), "bfvia", got, sizeof(got)), 3);
	CHECK(memcmp(got, "x.y", 3) == 0);
	test_case("param: a name that is written with escapes");
	CHECK_INT(referral_param(slice_str("%62fvia=x"), "bfvia", got, sizeof(got)), 1);
	test_case("param: absent, without a value, too long, or not to be decoded");
	CHECK_INT(referral_param(slice_str("a=1&&b"), "bfvia", got, sizeof(got)), 0);
	CHECK_INT(referral_param(slice_str("bfvia"), "bfvia", got, sizeof(got)), 0);
	CHECK_INT(referral_param(slice_str("bfvia=123456789"), "bfvia", got, sizeof(got)), 0);
	CHECK_INT(referral_param(slice_str("bfvia=%z"), "bfvia", got, sizeof(got)), 0);
	CHECK_INT(referral_param((struct slice){ NULL, 0 }, "bfvia", got, sizeof(got)), 0);
}

static void
test_urls(void)
{
	static const struct {
		const char *what, *url, *form, *via;
		int rc;
		const char *want;
		unsigned carried, dropped, left_out;
	} cases[] = {
		{ "nothing to carry", "https://b:8050/2PXE/boot", "", "", 0,
		    "https://b:8050/2PXE/boot?bfvia=me", 0, 0, 0 },
		{ "parameters go along, and the mark grows", "https://b/2PXE/boot",
		    "mac=52%3A54%3A00&uuid=1-2&serial=A+1", "x1", 0,
		    "https://b/2PXE/boot?bfvia=x1.me&mac=52%3A54%3A00&uuid=1-2&serial=A%201", 3, 0,
		    0 },
		{ "the URL has a query already", "https://b/x?site=7", "mac=1", "", 0,
		    "https://b/x?site=7&bfvia=me&mac=1", 1, 0, 0 },
		{ "and one that ends openly", "https://b/x?", "mac=1", "", 0,
		    "https://b/x?bfvia=me&mac=1", 1, 0, 0 },
		{ "a fragment stays last, as iPXE wants it", "https://b/x##params=paramdata",
		    "mac=1", "", 0, "https://b/x?bfvia=me&mac=1##params=paramdata", 1, 0, 0 },
		{ "what the URL sets is not for the client to set again", "https://b/x?Site=7",
		    "site=8&SITE=9&sites=1", "", 0, "https://b/x?Site=7&bfvia=me&sites=1", 1, 2,
		    0 },
		{ "tokens stay here, in whatever spelling", "https://b/x",
		    "token=a&TokenID=b&requestid=c&statusid=d&updatedparams=e&%74oken=f&mac=1", "",
		    0, "https://b/x?bfvia=me&mac=1", 1, 6, 0 },
		{ "what leads back to us, the PIN that was typed for us, our boot", "https://b/x",
		    "pxeurl=https%3A%2F%2Fa%2F&wsurl=x&authmethod=pin&authvalue=1234&boot=0000001a",
		    "", 0, "https://b/x?bfvia=me", 0, 5, 0 },
		{ "a mark that the client invents beside the true one", "https://b/x",
		    "bfvia=zz&mac=1", "x1", 0, "https://b/x?bfvia=x1.me&mac=1", 1, 1, 0 },
		{ "iPXE's syntax, quotes, line feeds in escapes", "https://b/x",
		    "a=${net0%2Fmac}&b=\"'`&c=1%0Ashell&d=%00&e=%26x%3D1%23", "", 0,
		    "https://b/x?bfvia=me&a=%24%7Bnet0%2Fmac%7D&b=%22%27%60&e=%26x%3D1%23", 3, 0,
		    2 },
		{ "names are encoded likewise", "https://b/x", "${a}=1&%0a=2&=3&b", "", 0,
		    "https://b/x?bfvia=me&%24%7Ba%7D=1&b=", 2, 0, 1 },
		{ "what cannot be decoded", "https://b/x", "a=%zz&b=%2&c=1", "", 0,
		    "https://b/x?bfvia=me&c=1", 1, 0, 2 },
		{ "UTF-8", "https://b/x", "a=\xc3\xa4", "", 0, "https://b/x?bfvia=me&a=%C3%A4", 1,
		    0, 0 },
		{ "a spoilt mark is not passed on", "https://b/x", "", "a&b", -EINVAL, NULL, 0, 0,
		    0 },
	};
	static char buf[REFERRAL_URL_MAX + 10];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct referral_url_result r = { 0 };
		struct wbuf w;

		test_case("url: %s", cases[i].what);
		wbuf_init(&w, buf, sizeof(buf));
		wbuf_str(&w, "> ");
		CHECK_INT(referral_url(&w, cases[i].url, slice_str(cases[i].form),
			      slice_str(cases[i].via), "me", &r),
		    cases[i].rc);
		CHECK_BYTES(((struct slice){ w.p + 2, w.used - 2 }),
		    slice_str(cases[i].want != NULL ? cases[i].want : ""));
		CHECK_INT(r.carried, cases[i].carried);
		CHECK_INT(r.dropped, cases[i].dropped);
		CHECK_INT(r.left_out, cases[i].left_out);
	}
}

static void
test_bounds(void)
{
	static char form[1 << 20], buf[2 * REFERRAL_URL_MAX];
	static const char url[] = "https://b/x##params=p";
	struct referral_url_result r = { 0 };
	const char *tail = "##params=p";
	struct wbuf w;

	test_case("bounds: one value of a megabyte is left out, what follows it is not");
	memset(form, 'x', sizeof(form) - 1);
	memcpy(form, "a=", 2);
	memcpy(form + sizeof(form) - 8, "&mac=12", 8); /* with the NUL */
	wbuf_init(&w, buf, sizeof(buf));
	CHECK_INT(referral_url(&w, url, slice_str(form), slice_str(""), "me", &r), 0);
	CHECK_BYTES(wbuf_view(&w), slice_str("https://b/x?bfvia=me&mac=12##params=p"));
	CHECK_INT(r.left_out, 1);

	test_case("bounds: a megabyte of small values fills the URL and no more");
	for (size_t i = 0; i + 6 < sizeof(form); i += 6)
		memcpy(form + i, "&a=%24", 6);
	form[sizeof(form) - 1] = '\0';
	wbuf_init(&w, buf, sizeof(buf));
	CHECK_INT(referral_url(&w, url, slice_str(form), slice_str(""), "me", &r), 0);
	CHECK(w.used <= REFERRAL_URL_MAX && w.used > REFERRAL_URL_MAX - 10);
	CHECK(memcmp(buf + w.used - strlen(tail), tail, strlen(tail)) == 0);
	CHECK(r.carried > 500 && r.left_out > 100000);

	test_case("bounds: every size of the buffer gives a whole URL or none");
	for (size_t size = 0; size < 60; size++) {
		uint8_t *exact = malloc(size + 1);
		int rc;

		wbuf_init(&w, exact, size);
		rc = referral_url(&w, url, slice_str("mac=1&a=2"), slice_str("x1"), "me", &r);
		CHECK_INT(
		    rc, size <= strlen("https://b/x?bfvia=x1.me##params=p") - 1 ? -EMSGSIZE : 0);
		CHECK_INT(w.used > 0, rc == 0);
		CHECK(!w.bad);
		if (rc == 0)
			CHECK(memcmp(exact + w.used - strlen(tail), tail, strlen(tail)) == 0);
		free(exact);
	}
}

int
main(void)
{
	test_places();
	test_via();
	test_params();
	test_urls();
	test_bounds();
	return test_end();
}
