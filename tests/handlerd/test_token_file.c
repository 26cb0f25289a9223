/* Tests of handlerd/token_file.c: counts that outlive their process. */
#include "handlerd/token_file.h"

#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW UINT64_C(1700000000000)

static const struct token_claims token = { .id = 7, .expires_ms = NOW + 3600000, .uses = 2 };

/* Uses the token so often in a process that is killed right after. */
static void
use_and_die(const char *path, int uses)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct token_file f;
		uint32_t n;

		if (token_file_open(path, 64, NOW, &f) < 0)
			_exit(1);
		for (int i = 0; i < uses; i++)
			(void)token_uses_note(f.uses, &token, "x", NOW, &n);
		(void)raise(SIGKILL);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* What one more use gives, by a table of so many. */
static enum token_fault
use_again(const char *path, size_t limit)
{
	enum token_fault fault;
	struct token_file f;
	uint32_t n;

	CHECK_INT(token_file_open(path, limit, NOW, &f), 0);
	fault = token_uses_note(f.uses, &token, "x", NOW, &n);
	token_file_close(&f);
	return fault;
}

int
main(void)
{
	char folder[] = "/tmp/bootferry-test-XXXXXX", path[64], fresh[sizeof(path) + 8];
	struct stat st;
	int fd;

	CHECK(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof(path), "%s/store-tokens", folder);
	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);

	test_case("what a killed process has counted counts");
	use_and_die(path, 1);
	CHECK_INT(use_again(path, 64), TOKEN_GOOD);
	CHECK_INT(use_again(path, 64), TOKEN_USED_UP);
	use_and_die(path, 1);
	CHECK_INT(use_again(path, 64), TOKEN_USED_UP);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	CHECK(access(fresh, F_OK) < 0);

	test_case("with more or less room, too");
	CHECK_INT(use_again(path, 1000), TOKEN_USED_UP);
	CHECK_INT(use_again(path, 1), TOKEN_USED_UP);

	test_case("a damaged file is no reason not to start");
	fd = open(path, O_WRONLY | O_TRUNC);
	CHECK(fd >= 0 && write(fd, "junk of some length, and no ring", 32) == 32);
	close(fd);
	CHECK_INT(use_again(path, 64), TOKEN_GOOD);
	CHECK_INT(use_again(path, 64), TOKEN_GOOD);
	CHECK_INT(use_again(path, 64), TOKEN_USED_UP);

	test_case("nor is a folder that cannot be written to, from where counts still go on");
	CHECK_INT(mkdir(fresh, 0700), 0);
	CHECK_INT(use_again(path, 64), TOKEN_USED_UP);
	CHECK_INT(rmdir(fresh), 0);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(rmdir(folder), 0);
	return test_end();
}
