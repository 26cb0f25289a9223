/* Tests of httpsbootd/tls_failure.c. */
#include "httpsbootd/tls_failure.h"

#include "tests/test.h"

#include <openssl/sslerr.h>
#include <string.h>

int
main(void)
{
	static const struct {
		const char *what;
		struct tls_end end;
		enum tls_failure failure;
		const char *says; /* a part of the sentence */
	} cases[] = {
		{ "curl without our CA",
		    { .reason = 1048, .answered = true, .client = TLS_CLIENT_OTHER },
		    TLS_FAILURE_NO_TRUST, "does not trust this site's CA: give it" },
		{ "firmware without our CA",
		    { .reason = 1048, .answered = true, .client = TLS_CLIENT_UEFI },
		    TLS_FAILURE_NO_TRUST, "enrol ca.pem" },
		{ "iPXE without trust closes without a word",
		    { .answered = true, .client = TLS_CLIENT_IPXE }, TLS_FAILURE_NO_TRUST,
		    "option 175.90" },
		{ "the alert stands in the sentence", { .reason = 1048, .client = TLS_CLIENT_IPXE },
		    TLS_FAILURE_NO_TRUST, "(alert unknown_ca, 48)" },
		{ "without an alert that, too", { .answered = true, .client = TLS_CLIENT_IPXE },
		    TLS_FAILURE_NO_TRUST, "closed on seeing the certificate" },
		{ "gone before our answer", { .client = TLS_CLIENT_IPXE }, TLS_FAILURE_OTHER,
		    "in the middle" },
		{ "a port scan", { 0 }, TLS_FAILURE_SILENT, "before anything was said" },
		{ "a port that is held open", { .late = true }, TLS_FAILURE_SILENT,
		    "health check" },
		{ "a slow one", { .late = true, .client = TLS_CLIENT_UEFI }, TLS_FAILURE_LATE,
		    "MTU" },
		{ "no suite, iPXE", { .reason = SSL_R_NO_SHARED_CIPHER, .client = TLS_CLIENT_IPXE },
		    TLS_FAILURE_CIPHER, "`tls_profile`" },
		{ "no suite, firmware",
		    { .reason = SSL_R_NO_SHARED_CIPHER, .client = TLS_CLIENT_UEFI },
		    TLS_FAILURE_CIPHER, "3072" },
		{ "handshake_failure is the same", { .reason = 1040, .client = TLS_CLIENT_OTHER },
		    TLS_FAILURE_CIPHER, "alert handshake_failure, 40" },
		{ "a bad clock", { .reason = 1045, .client = TLS_CLIENT_UEFI },
		    TLS_FAILURE_REJECTED, "clock" },
		{ "bad_certificate", { .reason = 1042, .client = TLS_CLIENT_UEFI },
		    TLS_FAILURE_REJECTED, "enrolled" },
		{ "old protocols", { .reason = SSL_R_UNSUPPORTED_PROTOCOL }, TLS_FAILURE_VERSION,
		    "TLS 1.2" },
		{ "plain HTTP", { .reason = SSL_R_HTTP_REQUEST }, TLS_FAILURE_NOT_TLS, "https://" },
		{ "a client without its certificate",
		    { .reason = SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
			.client = TLS_CLIENT_IPXE },
		    TLS_FAILURE_CLIENT, "client_ca" },
		{ "anything else is said in OpenSSL's words",
		    { .reason = SSL_R_BAD_LENGTH, .client = TLS_CLIENT_OTHER }, TLS_FAILURE_OTHER,
		    "the detail" },
	};
	static const struct {
		const char *what;
		struct tls_hello hello;
		enum tls_client want;
	} hellos[] = {
		{ "iPXE, all versions", { .short_records = true, .server_name = true },
		    TLS_CLIENT_IPXE },
		{ "OVMF 2022.11", { 0 }, TLS_CLIENT_UEFI },
		{ "curl", { .server_name = true, .versions = true }, TLS_CLIENT_OTHER },
		{ "curl by address", { .versions = true }, TLS_CLIENT_OTHER },
	};
	struct ipaddr a = { 4, { 10, 0, 0, 1 } }, b = { 4, { 10, 0, 0, 2 } };
	struct tls_noise noise = { 0 };
	char words[TLS_WORDS];
	unsigned passed = 0;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("%s", cases[i].what);
		CHECK_INT(tls_failure_of(&cases[i].end), cases[i].failure);
		(void)tls_failure_words(&cases[i].end, "the detail", words);
		if (strstr(words, cases[i].says) == NULL)
			CHECK_STR(words, cases[i].says);
		CHECK(strcmp(tls_failure_name(cases[i].failure), "?") != 0);
	}
	for (size_t i = 0; i < NITEMS(hellos); i++) {
		test_case("a ClientHello: %s", hellos[i].what);
		CHECK_STR(tls_client_name(tls_client_of(&hellos[i].hello)),
		    tls_client_name(hellos[i].want));
	}
	test_case("one client's failures are told once in a while, and each kind of them");
	CHECK(tls_noise_pass(&noise, &a, TLS_FAILURE_NO_TRUST, 1000));
	CHECK(!tls_noise_pass(&noise, &a, TLS_FAILURE_NO_TRUST, 1000 + TLS_QUIET_MS - 1));
	CHECK(tls_noise_pass(&noise, &a, TLS_FAILURE_CIPHER, 2000));
	CHECK(tls_noise_pass(&noise, &b, TLS_FAILURE_NO_TRUST, 2000));
	CHECK(tls_noise_pass(&noise, &a, TLS_FAILURE_CIPHER, 2000 + TLS_QUIET_MS));
	test_case("all together have a limit, for a second");
	for (uint8_t i = 0; i < 200; i++) {
		a.b[2] = i;
		passed += tls_noise_pass(&noise, &a, TLS_FAILURE_OTHER, 50000);
	}
	CHECK_INT(passed, TLS_EVENTS_PER_S);
	a.b[1] = 9;
	CHECK(tls_noise_pass(&noise, &a, TLS_FAILURE_OTHER, 51000));
	return test_end();
}
