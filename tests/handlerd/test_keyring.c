/* Tests of handlerd/keyring.c: the file of the keys, their change, tokens signed with them. */
#include "handlerd/keyring.h"

#include "common/log.h"
#include "tests/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY_LIFE_S   1000
#define TOKEN_LIFE_S 100

static char folder[] = "/tmp/test_keyring.XXXXXX";
static char path[64];

static const struct token_use use = { { 6, { 2, 1 } }, { 4, { 10, 0, 0, 1 } }, TOKEN_SCOPE_BOOT,
	NULL, NULL };

static void
put_file(const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	CHECK_INT(chmod(path, mode), 0);
}

static size_t
count_files(void)
{
	DIR *dir = opendir(folder);
	size_t n = 0;

	while (dir != NULL && readdir(dir) != NULL)
		n++;
	if (dir != NULL)
		closedir(dir);
	return n - 2; /* "." and ".." */
}

static void
mint(struct keyring *ring, uint64_t expires_ms, char text[static TOKEN_STRLEN])
{
	struct token_claims claims = { .id = keyring_random(),
		.boot = 5,
		.mac = use.mac,
		.address = use.address,
		.expires_ms = expires_ms };

	CHECK_INT(token_mint(keyring_signer(ring), &claims, text), 0);
}

static const char *
check(struct keyring *ring, const char *text, uint64_t now_ms)
{
	struct token_claims got;

	return token_fault_name(
	    token_check(keyring_signer(ring), slice_str(text), &use, now_ms, &got));
}

static void
test_sharing(void)
{
	struct keyring *a = NULL, *b = NULL;
	char text[TOKEN_STRLEN], site[KEYRING_SITE_MAX];
	uint64_t made_ms;
	struct stat st;

	test_case("the file is made when there is none, for its owner alone");
	CHECK_INT(keyring_open(folder, KEY_LIFE_S, TOKEN_LIFE_S, &a), 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK_INT(count_files(), 1);
	CHECK_INT(keyring_count(a, &made_ms), 1);
	CHECK_INT(strlen(keyring_site(a)), 8);
	(void)snprintf(site, sizeof(site), "%s", keyring_site(a));

	test_case("a second handlerd takes the same keys");
	CHECK_INT(keyring_open(folder, KEY_LIFE_S, TOKEN_LIFE_S, &b), 0);
	CHECK_STR(keyring_site(b), site);
	mint(a, made_ms + 1000, text);
	CHECK_STR(check(b, text, made_ms), "good");

	test_case("a key that is old gets a successor, which the other finds by itself");
	CHECK_INT(keyring_refresh(a, made_ms + KEY_LIFE_S * 1000 - 1), 0);
	CHECK_INT(keyring_count(a, &made_ms), 1);
	CHECK_INT(keyring_refresh(a, made_ms + KEY_LIFE_S * 1000), 0);
	CHECK_INT(keyring_count(a, &made_ms), 2);
	CHECK_STR(check(a, text, made_ms - 1000 * KEY_LIFE_S), "good");
	mint(a, made_ms + 1000, text);
	CHECK_STR(check(b, text, made_ms), "good");
	CHECK_INT(keyring_count(b, &made_ms), 2);

	test_case("two that are due make one key");
	CHECK_INT(keyring_refresh(b, made_ms), 0);
	CHECK_INT(keyring_count(b, &made_ms), 2);

	test_case("the old one goes when its tokens have expired");
	CHECK_INT(keyring_refresh(a, made_ms + TOKEN_LIFE_S * 1000), 0);
	CHECK_INT(keyring_count(a, &made_ms), 2);
	CHECK_INT(keyring_refresh(a, made_ms + TOKEN_LIFE_S * 1000 + 1), 0);
	CHECK_INT(keyring_count(a, &made_ms), 1);
	CHECK_INT(keyring_refresh(b, made_ms), 0);
	CHECK_INT(keyring_count(b, &made_ms), 1);
	CHECK_STR(keyring_site(b), site);
	CHECK_INT(count_files(), 1);
	keyring_close(b);

	test_case("the keys survive a restart");
	CHECK_INT(keyring_open(folder, KEY_LIFE_S, TOKEN_LIFE_S, &b), 0);
	CHECK_STR(check(b, text, made_ms), "good");

	test_case("a key that cannot be written is not used");
	CHECK_INT(chmod(folder, 0500), 0);
	if (geteuid() != 0) { /* root writes anyway */
		CHECK(keyring_refresh(b, made_ms + KEY_LIFE_S * 1000) < 0);
		CHECK_INT(keyring_count(b, &made_ms), 1);
	}
	CHECK_INT(chmod(folder, 0700), 0);

	test_case("while another one changes the file, the keys at hand serve on");
	{
		int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		CHECK_INT(flock(fd, LOCK_EX), 0);
		CHECK_INT(keyring_refresh(b, made_ms + KEY_LIFE_S * 1000), 0);
		CHECK_INT(keyring_count(b, &made_ms), 1);
		close(fd);
	}

	test_case("no more than four keys are kept");
	for (int i = 0; i < 9; i++) {
		(void)keyring_count(b, &made_ms);
		b = (keyring_close(b), NULL);
		CHECK_INT(keyring_open(folder, KEY_LIFE_S, 1000000, &b), 0);
		CHECK_INT(keyring_refresh(b, made_ms + KEY_LIFE_S * 1000), 0);
	}
	CHECK_INT(keyring_count(b, &made_ms), KEYRING_KEYS_MAX);
	mint(b, made_ms + 1, text);
	CHECK_STR(check(a, text, made_ms), "good");

	test_case("a file that went bad leaves the keys as they are");
	put_file("{}", 0600);
	CHECK_INT(keyring_refresh(b, made_ms), -EBADMSG);
	CHECK_STR(check(b, text, made_ms), "good");
	CHECK_INT(keyring_refresh(b, made_ms), 0); /* it was told once */
	keyring_close(a);
	keyring_close(b);
	CHECK_INT(unlink(path), 0);
}

static void
test_bad_files(void)
{
#define SECRET "\"secret\": \"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\""
	static const struct {
		const char *what, *text;
		mode_t mode;
		int rc;
	} cases[] = {
		{ "a good one",
		    "{\"site\": \"abcdefg1\", \"keys\": [{\"id\": 7, \"made_ms\": 5, " SECRET "}]}",
		    0600, 0 },
		{ "one that others may read",
		    "{\"site\": \"abcdefg1\", \"keys\": [{\"id\": 7, \"made_ms\": 5, " SECRET "}]}",
		    0640, -EPERM },
		{ "an empty one", "", 0600, -EBADMSG },
		{ "no JSON", "secret", 0600, -EBADMSG },
		{ "no site", "{\"keys\": [{\"id\": 7, \"made_ms\": 5, " SECRET "}]}", 0600,
		    -EBADMSG },
		{ "a site that could not stand in a URL",
		    "{\"site\": \"abc&efg1\", \"keys\": [{\"id\": 7, \"made_ms\": 5, " SECRET "}]}",
		    0600, -EBADMSG },
		{ "no key", "{\"site\": \"abcdefg1\", \"keys\": []}", 0600, -EBADMSG },
		{ "key 0",
		    "{\"site\": \"abcdefg1\", \"keys\": [{\"id\": 0, \"made_ms\": 5, " SECRET "}]}",
		    0600, -EBADMSG },
		{ "a short secret",
		    "{\"site\": \"abcdefg1\", \"keys\": [{\"id\": 7, \"made_ms\": 5,"
		    "\"secret\": \"0001\"}]}",
		    0600, -EBADMSG },
		{ "two keys of one id",
		    "{\"site\": \"abcdefg1\", \"keys\": [{\"id\": 7, \"made_ms\": 5, " SECRET "},"
		    "{\"id\": 7, \"made_ms\": 6, " SECRET "}]}",
		    0600, -EBADMSG },
		{ "the newest first",
		    "{\"site\": \"abcdefg1\", \"keys\": [{\"id\": 7, \"made_ms\": 6, " SECRET "},"
		    "{\"id\": 8, \"made_ms\": 5, " SECRET "}]}",
		    0600, -EBADMSG },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct keyring *ring = NULL;

		test_case("file: %s", cases[i].what);
		put_file(cases[i].text, cases[i].mode);
		CHECK_INT(keyring_open(folder, KEY_LIFE_S, TOKEN_LIFE_S, &ring), cases[i].rc);
		CHECK_INT(ring != NULL, cases[i].rc == 0);
		keyring_close(ring);
		CHECK_INT(unlink(path), 0);
	}

	test_case("file: a link is not followed");
	CHECK_INT(symlink("/etc/passwd", path), 0);
	CHECK_INT(
	    keyring_open(folder, KEY_LIFE_S, TOKEN_LIFE_S, &(struct keyring *){ NULL }), -ELOOP);
	CHECK_INT(unlink(path), 0);

	test_case("file: no folder");
	CHECK_INT(
	    keyring_open("/nonexistent", KEY_LIFE_S, TOKEN_LIFE_S, &(struct keyring *){ NULL }),
	    -ENOENT);
}

/* The HMAC itself, against an answer that another implementation gave. */
static void
test_hash(void)
{
	/* computed with Python's hmac */
	uint8_t want[TOKEN_MAC], got[TOKEN_MAC];
	const struct token_signer *s;
	struct keyring *ring = NULL;
	uint16_t id = 0;

	test_case("the hash is HMAC-SHA256, time after time");
	put_file(
	    "{\"site\": \"abcdefg1\", \"keys\": [{\"id\": 7, \"made_ms\": 5, " SECRET "}]}", 0600);
	CHECK_INT(keyring_open(folder, KEY_LIFE_S, TOKEN_LIFE_S, &ring), 0);
	s = keyring_signer(ring);
	(void)test_unhex(
	    "099805f4ac310786968565c098db515cc50862b420ae31e20238312344bed36a", want, sizeof(want));
	for (int i = 0; i < 3; i++) {
		CHECK_INT(s->hash(s->arg, i == 0 ? 0 : 7, slice_str("what do ya want for nothing?"),
			      &id, got),
		    0);
		CHECK_INT(id, 7);
		CHECK_BYTES(
		    ((struct slice){ got, sizeof(got) }), ((struct slice){ want, sizeof(want) }));
	}
	CHECK_INT(s->hash(s->arg, 8, slice_str(""), &id, got), -ENOKEY);
	keyring_close(ring);
	CHECK_INT(unlink(path), 0);
}

static void
test_race(void)
{
	pid_t pids[8];
	int status, pipes[2];
	char sites[8][8];

	test_case("of several that begin at once all take the keys of one");
	CHECK_INT(pipe(pipes), 0);
	for (size_t i = 0; i < NITEMS(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct keyring *ring = NULL;

			if (keyring_open(folder, KEY_LIFE_S, TOKEN_LIFE_S, &ring) < 0 ||
			    write(pipes[1], keyring_site(ring), 8) != 8)
				_exit(1);
			keyring_close(ring);
			_exit(0);
		}
	}
	for (size_t i = 0; i < NITEMS(pids); i++) {
		CHECK_INT(waitpid(pids[i], &status, 0), pids[i]);
		CHECK_INT(status, 0);
		CHECK_INT(read(pipes[0], sites[i], 8), 8);
		CHECK(memcmp(sites[0], sites[i], 8) == 0);
	}
	close(pipes[0]);
	close(pipes[1]);
	CHECK_INT(count_files(), 1);
	CHECK_INT(unlink(path), 0);
}

int
main(void)
{
	log_init("test_keyring", true);
	log_set_level(LOG_LEVEL_ERROR);
	CHECK(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof(path), "%s/%s", folder, KEYRING_FILE);
	test_sharing();
	test_bad_files();
	test_hash();
	test_race();
	CHECK_INT(rmdir(folder), 0);
	return test_end();
}
