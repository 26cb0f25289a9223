/* Children that run scripts; see child.h. */
#include "common/child.h"

#include "common/sandbox.h"
#include "common/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAFE_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* where Microsoft's package puts it, beside what PATH says */
#define PWSH_FOLDER "/opt/microsoft/powershell/7"
/* descriptors are moved above those that the child is to have */
#define FIRST_FREE_FD 10

/* All that is needed between fork and exec, made ready before. */
struct plan {
	char path[CHILD_PATH_MAX], folder[CHILD_PATH_MAX], program[CHILD_PATH_MAX];
	char heap[64]; /* .NET's own bound */
	char *argv[8];
	char *envp[16];
	struct child_limits limits;
	int fds[3];
	pid_t parent;
};

/* What went wrong after the fork. */
struct trouble {
	int error;
	char doing[32];
};

static bool
is_powershell(const char *path)
{
	size_t n = strlen(path);

	return n > 4 && strcasecmp(path + n - 4, ".ps1") == 0;
}

static int __attribute__((format(printf, 4, 5)))
fail(char *error, size_t error_size, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(error, error_size, fmt, ap); /* a cut sentence is still one */
	va_end(ap);
	return rc;
}

static int
find_pwsh(char program[static CHILD_PATH_MAX], char *error, size_t error_size)
{
	const char *path = getenv("PATH");
	char folders[4096], *rest = folders;

	(void)snprintf(
	    folders, sizeof(folders), "%.3000s:" PWSH_FOLDER, path != NULL ? path : SAFE_PATH);
	for (const char *folder = strsep(&rest, ":"); folder != NULL; folder = strsep(&rest, ":")) {
		if (folder[0] != '/' ||
		    snprintf(program, CHILD_PATH_MAX, "%s/pwsh", folder) >= CHILD_PATH_MAX)
			continue;
		if (access(program, X_OK) == 0)
			return 0;
	}
	return fail(error, error_size, -ENOEXEC,
	    "it needs PowerShell, and there is no pwsh in PATH or in " PWSH_FOLDER);
}

static int
check_file(const char *path, char *error, size_t error_size)
{
	struct stat st;

	if (path[0] != '/')
		return fail(error, error_size, -EINVAL, "its path is not absolute");
	if (strlen(path) >= CHILD_PATH_MAX)
		return fail(error, error_size, -ENAMETOOLONG, "its path is too long");
	if (stat(path, &st) < 0)
		return fail(error, error_size, -errno, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(error, error_size, -EACCES, "it is no file");
	if ((st.st_mode & S_IWOTH) != 0)
		return fail(error, error_size, -EACCES, "everybody may write to it");
	if (access(path, is_powershell(path) ? R_OK : X_OK) < 0)
		return fail(error, error_size, -errno,
		    is_powershell(path) ? "it cannot be read" : "it is not executable");
	return 0;
}

/* argv and the environment. */
static int
make_plan(struct plan *p, const char *path, char *error, size_t error_size)
{
	static char *const shell[] = { "-NoLogo", "-NoProfile", "-NonInteractive", "-File" };
	static char search[] = "PATH=" SAFE_PATH;
	static char *const variables[] = { search, "LANG=C.UTF-8", "TERM=dumb", "HOME=/",
		"NO_COLOR=1" };
	/* PowerShell: no calls home, no debugger's socket */
	static char *const dotnet[] = { "POWERSHELL_TELEMETRY_OPTOUT=1",
		"POWERSHELL_UPDATECHECK=Off", "DOTNET_CLI_TELEMETRY_OPTOUT=1",
		"DOTNET_EnableDiagnostics=0" };
	size_t n = 0, e = 0;
	char *slash;
	int rc = check_file(path, error, error_size);

	if (rc < 0)
		return rc;
	strcpy(p->path, path);
	strcpy(p->folder, path);
	slash = strrchr(p->folder, '/');
	slash[slash == p->folder ? 1 : 0] = '\0'; /* the root stays "/" */
	strcpy(p->program, path);
	for (size_t i = 0; i < NITEMS(variables); i++)
		p->envp[e++] = variables[i];
	p->argv[n++] = p->program;
	if (is_powershell(path)) {
		rc = find_pwsh(p->program, error, error_size);
		if (rc < 0)
			return rc;
		for (size_t i = 0; i < NITEMS(shell); i++)
			p->argv[n++] = shell[i];
		p->argv[n++] = p->path;
		for (size_t i = 0; i < NITEMS(dotnet); i++)
			p->envp[e++] = dotnet[i];
		/* it then collects garbage, and throws, before the kernel refuses memory */
		if (p->limits.memory_bytes > 0) {
			(void)snprintf(p->heap, sizeof(p->heap), "DOTNET_GCHeapHardLimit=%llx",
			    (unsigned long long)p->limits.memory_bytes / 4 * 3);
			p->envp[e++] = p->heap;
		}
	}
	return 0;
}

/* --- in the child: only calls that are safe after a fork ------------------------------------- */

static _Noreturn void
give_up(int report_fd, const char *doing, int error)
{
	struct trouble t = { .error = error };
	ssize_t n;

	memcpy(t.doing, doing, strnlen(doing, sizeof(t.doing) - 1));
	n = write(report_fd, &t, sizeof(t));
	_exit(n == (ssize_t)sizeof(t) ? 126 : 127);
}

static void
place_descriptors(const struct plan *p, int report_fd)
{
	int fds[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = fcntl(p->fds[i], F_DUPFD, FIRST_FREE_FD);
		if (fds[i] < 0)
			give_up(report_fd, "fcntl", errno);
	}
	for (int i = 0; i < 3; i++) {
		if (dup2(fds[i], i) < 0)
			give_up(report_fd, "dup2", errno);
	}
	if (close_range(3, (unsigned)report_fd - 1, 0) < 0 ||
	    close_range((unsigned)report_fd + 1, ~0u, 0) < 0)
		give_up(report_fd, "close_range", errno);
}

static void
reset_signals(void)
{
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		(void)signal(signo, SIG_DFL); /* refused for SIGKILL and SIGSTOP, and rightly */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail */
}

static _Noreturn void
run(const struct plan *p, int report_fd)
{
	int rc;

	if (setpgid(0, 0) < 0)
		give_up(report_fd, "setpgid", errno);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		give_up(report_fd, "prctl", errno);
	if (getppid() != p->parent)
		_exit(127); /* it died before it could be told */
	report_fd = fcntl(report_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD + 3);
	if (report_fd < 0)
		_exit(127);
	place_descriptors(p, report_fd);
	reset_signals();
	umask(077);
	if (chdir(p->folder) < 0)
		give_up(report_fd, "its folder", errno);
	rc = sandbox_enter(p->limits.memory_bytes, p->limits.network);
	if (rc < 0)
		give_up(report_fd, "the sandbox", -rc);
	execve(p->program, p->argv, p->envp);
	give_up(report_fd, "exec", errno);
}

/* --------------------------------------------------------------------------------------------- */

int
child_start(const char *path, const struct child_limits *limits, const int fds[static 3],
    pid_t *ret, char *error, size_t error_size)
{
	struct plan plan = { .limits = *limits, .parent = getpid() };
	struct trouble t;
	int report[2], rc;
	ssize_t n;
	pid_t pid;

	memcpy(plan.fds, fds, sizeof(plan.fds));
	rc = make_plan(&plan, path, error, error_size);
	if (rc < 0)
		return rc;
	if (pipe2(report, O_CLOEXEC) < 0)
		return fail(error, error_size, -errno, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		run(&plan, report[1]);
	rc = -errno;
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		return fail(error, error_size, rc, "fork: %s", strerror(-rc));
	}
	do
		n = read(report[0], &t, sizeof(t));
	while (n < 0 && errno == EINTR);
	close(report[0]);
	if (n == 0) { /* closed by exec */
		*ret = pid;
		return 0;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(t))
		return fail(error, error_size, -EIO, "it ended before it began");
	t.doing[sizeof(t.doing) - 1] = '\0';
	return fail(error, error_size, -t.error, "%s: %s", t.doing, strerror(t.error));
}

const char *
child_status_text(int status, char *buf, size_t size)
{
	if (WIFSIGNALED(status))
		(void)snprintf(buf, size, "was killed by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		(void)snprintf(buf, size, "ended with status %d", WEXITSTATUS(status));
	return buf;
}
