/* Tests of common/local_socket.c. */
#include "common/local_socket.h"

#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int
main(void)
{
	char dir[] = "/tmp/bootferry-test-XXXXXX";
	char path[64], file[64], long_path[200];
	int fd, other, taken, n = 0;
	struct stat st;

	CHECK(mkdtemp(dir) != NULL);
	(void)snprintf(path, sizeof(path), "%s/socket", dir);
	(void)snprintf(file, sizeof(file), "%s/file", dir);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[0] = '/';
	long_path[sizeof(long_path) - 1] = '\0';

	test_case("nobody listens where there is nothing, and paths have a limit");
	CHECK_INT(local_connect(path), -ENOENT);
	CHECK_INT(local_connect(long_path), -ENAMETOOLONG);
	CHECK_INT(local_listen(long_path, 0660, 4), -ENAMETOOLONG);

	test_case(
	    "a connection is there at once, whatever the umask the mode is the one asked for");
	(void)umask(0077);
	fd = local_listen(path, 0660, 1);
	CHECK(fd >= 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0660);
	other = local_connect(path);
	CHECK(other >= 0);
	taken = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	CHECK(taken >= 0);
	close(taken);
	close(other);

	test_case("a socket that somebody serves is left alone");
	CHECK_INT(local_listen(path, 0660, 1), -EADDRINUSE);

	test_case("even when so many wait for him that he has no room");
	while (n < 16 && (other = local_connect(path)) >= 0)
		n++;
	CHECK_INT(other, -EAGAIN);
	CHECK_INT(local_listen(path, 0660, 1), -EADDRINUSE);

	test_case("one that nobody serves any more is replaced");
	close(fd);
	CHECK_INT(local_connect(path), -ECONNREFUSED);
	fd = local_listen(path, 0600, 1);
	CHECK(fd >= 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	close(fd);

	test_case("a file that is no socket is not replaced");
	other = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(other);
	CHECK_INT(local_listen(file, 0660, 1), -EADDRINUSE);
	CHECK_INT(access(file, F_OK), 0);

	(void)unlink(path);
	(void)unlink(file);
	CHECK_INT(rmdir(dir), 0);
	return test_end();
}
