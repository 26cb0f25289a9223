/* See fetch.h. */
#include "ferryctl/fetch.h"

#include "ferryctl/ctl.h"
#include "ferryctl/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIRROR         "http://deb.debian.org/debian"
#define KEYRING        "/usr/share/keyrings/debian-archive-keyring.gpg"
#define PATH_MAX_BYTES (PUBLISH_PATH + 256)

/* Runs a program in `folder`; its output goes to our standard error, or to *out if not NULL. */
static int
run(const char *folder, char *const argv[], char *out, size_t out_size)
{
	int fds[2] = { -1, -1 }, status;
	size_t used = 0;
	pid_t pid;

	if (out != NULL && pipe2(fds, O_CLOEXEC) < 0)
		return ctl_error("pipe: %s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (chdir(folder) < 0 || dup2(out != NULL ? fds[1] : STDERR_FILENO, 1) < 0)
			_exit(127);
		setenv("LC_ALL", "C", 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (out != NULL)
		close(fds[1]);
	while (pid > 0 && out != NULL && used + 1 < out_size) {
		ssize_t n = read(fds[0], out + used, out_size - used - 1);

		if (n <= 0)
			break;
		used += (size_t)n;
	}
	if (out != NULL) {
		out[used] = '\0';
		close(fds[0]);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return ctl_error("%s: %s", argv[0], strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return ctl_error("%s is not installed", argv[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return ctl_error("%s failed", argv[0]);
	return 0;
}

/* The Debian mirror of the system's own sources. */
static void
find_mirror(char *ret, size_t size)
{
	char *const argv[] = { "apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)",
		"Created-By: Packages", NULL };
	char out[65536], *line, *save = NULL;

	(void)snprintf(ret, size, "%s", MIRROR);
	if (run("/", argv, out, sizeof(out)) != 0)
		return;
	for (line = strtok_r(out, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		size_t n = strlen(line);

		if (strncmp(line, "Debian ", 7) != 0 || strstr(line, "security") != NULL)
			continue;
		if (n > 0 && line[n - 1] == '/')
			line[n - 1] = '\0';
		(void)snprintf(ret, size, "%s", line + 7);
		return;
	}
}

/* Name of the .deb in a folder. */
static int
find_deb(const char *folder, char *ret, size_t size)
{
	DIR *dir = opendir(folder);
	const struct dirent *e;
	int rc = -ENOENT;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		size_t n = strlen(e->d_name);

		if (n > 4 && strcmp(e->d_name + n - 4, ".deb") == 0) {
			(void)snprintf(ret, size, "%s", e->d_name);
			rc = 0;
		}
	}
	if (dir != NULL)
		closedir(dir);
	return rc;
}

static int
prepare(const char *work, const char *suite, const char *mirror)
{
	static const char *const folders[] = { "lists/partial", "cache/archives/partial", "etc" };
	char path[PATH_MAX_BYTES], line[1024];
	int n;

	for (size_t i = 0; i < NITEMS(folders); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", work, folders[i]);
		if (publish_folder(path) < 0)
			return -1;
	}
	(void)snprintf(path, sizeof(path), "%s/etc/sources.list", work);
	n = snprintf(line, sizeof(line), "deb [signed-by=" KEYRING "] %s %s main\n", mirror, suite);
	return publish_bytes(path, line, (size_t)n, 0644) < 0 ? -1 : 0;
}

int
fetch_package(const char *work, const char *suite, const char *mirror, const char *package,
    char *ret_version, size_t size)
{
	char found[512], lists[PATH_MAX_BYTES], cache[PATH_MAX_BYTES], sources[PATH_MAX_BYTES];
	char deb[512];
	/* status: an installed package of a later version must not be the candidate */
	char *const update[] = { "apt-get", "-q", "-o", sources, "-o", "Dir::Etc::sourceparts=-",
		"-o", lists, "-o", cache, "-o", "Dir::State::status=/dev/null", "-o",
		"APT::Get::List-Cleanup=0", "-o", "APT::Sandbox::User=root", "-o",
		"Acquire::Languages=none", "update", NULL };
	char *const download[] = { "apt-get", "-q", "-o", sources, "-o", "Dir::Etc::sourceparts=-",
		"-o", lists, "-o", cache, "-o", "Dir::State::status=/dev/null", "-o",
		"APT::Sandbox::User=root", "download", (char *)(uintptr_t)package, NULL };
	char *const unpack[] = { "dpkg-deb", "-x", deb, ".", NULL };
	char *const version[] = { "dpkg-deb", "-f", deb, "Version", NULL };

	if (mirror == NULL) {
		find_mirror(found, sizeof(found));
		mirror = found;
	}
	fprintf(stderr, "fetching %s of Debian %s from %s\n", package, suite, mirror);
	(void)snprintf(sources, sizeof(sources), "Dir::Etc::sourcelist=%s/etc/sources.list", work);
	(void)snprintf(lists, sizeof(lists), "Dir::State::lists=%s/lists", work);
	(void)snprintf(cache, sizeof(cache), "Dir::Cache=%s/cache", work);
	if (prepare(work, suite, mirror) < 0 || run(work, update, NULL, 0) != 0 ||
	    run(work, download, NULL, 0) != 0)
		return -1;
	if (find_deb(work, deb, sizeof(deb)) < 0) {
		(void)ctl_error("apt-get downloaded no %s", package);
		return -1;
	}
	if (run(work, version, ret_version, size) != 0 || run(work, unpack, NULL, 0) != 0)
		return -1;
	ret_version[strcspn(ret_version, "\n")] = '\0';
	return 0;
}
