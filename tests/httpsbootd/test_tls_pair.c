/* Tests of httpsbootd/tls_pair.c and kept.c. */
#include "httpsbootd/kept.h"

#include "tests/httpsbootd/certs.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static EVP_PKEY *old_key, *new_key, *ca_key;
static X509 *ca, *old_leaf, *new_leaf;

static void
write_keys(const char *path, EVP_PKEY *const *keys, const char *passphrase)
{
	FILE *f = fopen(path, "w");

	for (size_t i = 0; keys[i] != NULL; i++)
		PEM_write_PrivateKey(f, keys[i], passphrase != NULL ? EVP_aes_128_cbc() : NULL,
		    (const unsigned char *)passphrase,
		    passphrase != NULL ? (int)strlen(passphrase) : 0, NULL, NULL);
	fclose(f);
}

static void
make_files(void)
{
	ca_key = certs_key("ec");
	old_key = certs_key("ec");
	new_key = certs_key("ec");
	ca = certs_make("CA", ca_key, NULL, NULL, true, 100);
	old_leaf = certs_make("a.example", old_key, ca, ca_key, false, 50);
	new_leaf = certs_make("a.example", new_key, ca, ca_key, false, 60);
	certs_write("old.pem", (X509 *[]){ old_leaf, ca, NULL });
	certs_write("new.pem", (X509 *[]){ new_leaf, ca, NULL });
	certs_write("odd.pem", (X509 *[]){ ca, new_leaf, NULL });
	write_keys("old.key", (EVP_PKEY *[]){ old_key, NULL }, NULL);
	write_keys("new.key", (EVP_PKEY *[]){ new_key, NULL }, NULL);
	write_keys("both.key", (EVP_PKEY *[]){ old_key, new_key, NULL }, NULL);
	write_keys("secret.key", (EVP_PKEY *[]){ new_key, NULL }, "secret");
	CHECK_INT(system("cat new.key new.pem >all.pem; echo junk >junk; : >empty;"
			 "head -c 100 new.key >cut.key; head -c 300 new.pem >cut.pem;"
			 "openssl ecparam -name prime256v1 >params.key; cat new.key >>params.key"),
	    0);
}

static void
test_read(void)
{
	static const struct {
		const char *what, *cert, *key;
		const char *words; /* NULL: it is good */
		bool at_key;
	} cases[] = {
		{ "a pair", "new.pem", "new.key", NULL, false },
		{ "of two keys the second fits", "new.pem", "both.key", NULL, false },
		{ "of two keys the first fits", "old.pem", "both.key", NULL, false },
		{ "all in one file", "all.pem", "all.pem", NULL, false },
		{ "parameters of a curve before the key", "new.pem", "params.key", NULL, false },
		{ "half replaced", "new.pem", "old.key", "if one of the two has been replaced",
		    true },
		{ "the other half", "old.pem", "new.key", "`ferryctl ca renew --new-key`", true },
		{ "the server's own is not the first", "odd.pem", "new.key",
		    "it is the key of certificate 2 in \"odd.pem\"", true },
		{ "a passphrase", "new.pem", "secret.key", "openssl pkey -in secret.key", true },
		{ "no certificate", "none.pem", "new.key", "ferryctl ca init", false },
		{ "no key", "new.pem", "none.key", "No such file", true },
		{ "an empty certificate", "empty", "new.key", "it holds no certificate in PEM",
		    false },
		{ "an empty key", "new.pem", "empty", "it holds no key in PEM", true },
		{ "junk for a certificate", "junk", "new.key", "it holds no certificate in PEM",
		    false },
		{ "a certificate that is cut", "cut.pem", "new.key", "in PEM", false },
		{ "a key that is cut", "new.pem", "cut.key", "in PEM", true },
		{ "the two exchanged", "new.key", "new.pem", "it holds no certificate in PEM",
		    false },
		{ "a folder", ".", "new.key", "Is a directory", false },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		char words[TLS_PAIR_WORDS] = "";
		struct tls_pair p = { 0 };
		bool at_key = false;
		int rc = tls_pair_read(cases[i].cert, cases[i].key, &p, &at_key, words);

		test_case("pair: %s", cases[i].what);
		CHECK_INT(rc, cases[i].words == NULL ? 0 : -EINVAL);
		if (cases[i].words != NULL) {
			CHECK_INT(at_key, cases[i].at_key);
			if (strstr(words, cases[i].words) == NULL)
				CHECK_STR(words, cases[i].words);
			CHECK(p.chain == NULL && p.key == NULL);
		} else if (rc == 0) {
			CHECK_INT(X509_check_private_key(sk_X509_value(p.chain, 0), p.key), 1);
			CHECK_INT(sk_X509_num(p.chain), 2);
		}
		tls_pair_free(&p);
	}
}

static void
test_kept(void)
{
	char name[KEPT_PATH], other[KEPT_PATH], words[TLS_PAIR_WORDS];
	struct tls_pair p = { 0 }, again = { 0 };
	struct stat st, st2;
	bool at_key;
	int fd;

	test_case("kept: by the name of the certificate's file");
	kept_name("kept", "new.pem", name);
	kept_name("kept", "old.pem", other);
	CHECK(strncmp(name, "kept/", 5) == 0 && strcmp(name, other) != 0);
	kept_name("", "new.pem", other);
	CHECK_STR(other, "");

	test_case("kept: what is written is read, and is its owner's alone");
	CHECK_INT(tls_pair_read("new.pem", "new.key", &p, &at_key, words), 0);
	CHECK_INT(kept_write(name, &p), -ENOENT);
	CHECK_INT(mkdir("kept", 0700), 0);
	umask(0);
	CHECK_INT(kept_write(name, &p), 0);
	CHECK_INT(stat(name, &st), 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	CHECK_INT(tls_pair_read(name, name, &again, &at_key, words), 0);
	CHECK_INT(EVP_PKEY_eq(p.key, again.key), 1);
	CHECK_INT(sk_X509_num(again.chain), 2);

	test_case("kept: the same again is not written");
	CHECK_INT(kept_write(name, &p), 0);
	CHECK(stat(name, &st2) == 0 && st2.st_ino == st.st_ino);

	test_case("kept: another one takes its place, once nobody else writes");
	tls_pair_free(&p);
	CHECK_INT(tls_pair_read("old.pem", "old.key", &p, &at_key, words), 0);
	fd = open("kept", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);
	CHECK_INT(kept_write(name, &p), -EWOULDBLOCK);
	close(fd);
	CHECK_INT(kept_write(name, &p), 0);
	tls_pair_free(&again);
	CHECK_INT(tls_pair_read(name, name, &again, &at_key, words), 0);
	CHECK_INT(EVP_PKEY_eq(p.key, again.key), 1);
	CHECK_INT(system("test \"$(ls -A kept | wc -l)\" = 1"), 0);
	tls_pair_free(&p);
	tls_pair_free(&again);
}

int
main(void)
{
	char dir[] = "/tmp/bootferry-test-XXXXXX";
	EVP_PKEY *keys[3];
	X509 *certs[3];

	CHECK(mkdtemp(dir) != NULL && chdir(dir) == 0);
	make_files();
	test_read();
	test_kept();
	memcpy(keys, (EVP_PKEY *[]){ old_key, new_key, ca_key }, sizeof(keys));
	memcpy(certs, (X509 *[]){ ca, old_leaf, new_leaf }, sizeof(certs));
	for (size_t i = 0; i < NITEMS(keys); i++) {
		EVP_PKEY_free(keys[i]);
		X509_free(certs[i]);
	}
	CHECK_INT(system("rm -r -- \"$PWD\"/*"), 0);
	CHECK(chdir("/") == 0 && rmdir(dir) == 0);
	return test_end();
}
