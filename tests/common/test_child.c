/* Tests of common/child.c and common/sandbox.c: what a script sees and what it may do. */
#include "common/child.h"

#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/bootferry-child-XXXXXX";

/* What the last script wrote, and how it ended. */
static char output[4096];
static int status;
static char error[CHILD_ERROR];

static const char *
path_of(const char *name)
{
	static char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
write_script(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(path_of(name), "w");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0 || chmod(path_of(name), mode) < 0)
		abort();
}

/* Runs a script to its end; what child_start() returned. */
static int
run(const char *name, struct child_limits limits)
{
	int fds[3], out[2], rc;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		abort();
	fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fds[1] = fds[2] = out[1];
	rc = child_start(path_of(name), &limits, fds, &pid, error, sizeof(error));
	close(out[1]);
	close(fds[0]);
	while (
	    n < sizeof(output) - 1 && (got = read(out[0], output + n, sizeof(output) - 1 - n)) > 0)
		n += (size_t)got;
	output[n] = '\0';
	close(out[0]);
	if (rc == 0 && waitpid(pid, &status, 0) != pid)
		abort();
	return rc;
}

static void
test_surroundings(void)
{
	char want[256];

	test_case("nothing but standard input, output and error is open");
	write_script("fds", "#!/bin/sh\nls /proc/self/fd\n", 0755);
	CHECK_INT(run("fds", (struct child_limits){ 0 }), 0);
	/* ls itself opens the folder that it lists as 3 */
	CHECK_STR(output, "0\n1\n2\n3\n");

	test_case("its folder is the working directory");
	write_script("pwd", "#!/bin/sh\npwd\n", 0755);
	CHECK_INT(run("pwd", (struct child_limits){ 0 }), 0);
	(void)snprintf(want, sizeof(want), "%s\n", folder);
	CHECK_STR(output, want);

	test_case("the environment is clean");
	(void)setenv("BOOTFERRY_SECRET", "x", 1);
	write_script("env", "#!/bin/sh\nenv | grep -v '^PWD=' | sort\n", 0755);
	CHECK_INT(run("env", (struct child_limits){ 0 }), 0);
	CHECK_STR(output,
	    "HOME=/\nLANG=C.UTF-8\nNO_COLOR=1\n"
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nTERM=dumb\n");

	test_case("it leads a process group, with no new privileges and no core dumps");
	write_script("group",
	    "#!/bin/sh\n[ \"$(cut -d' ' -f5 /proc/$$/stat)\" = $$ ] && echo leads\n"
	    "grep NoNewPrivs /proc/self/status\nulimit -c\n",
	    0755);
	CHECK_INT(run("group", (struct child_limits){ 0 }), 0);
	CHECK_STR(output, "leads\nNoNewPrivs:\t1\n0\n");
}

static void
test_refusals(void)
{
	test_case("a file that is not there");
	CHECK_INT(run("nothing", (struct child_limits){ 0 }), -ENOENT);
	CHECK_STR(error, "No such file or directory");

	test_case("a file that everybody may write to");
	write_script("open", "#!/bin/sh\n", 0777);
	CHECK_INT(run("open", (struct child_limits){ 0 }), -EACCES);
	CHECK_STR(error, "everybody may write to it");

	test_case("a file that is not executable");
	write_script("text", "#!/bin/sh\n", 0644);
	CHECK_INT(run("text", (struct child_limits){ 0 }), -EACCES);
	CHECK_STR(error, "it is not executable");

	test_case("a folder");
	CHECK_INT(run(".", (struct child_limits){ 0 }), -EACCES);
	CHECK_STR(error, "it is no file");

	test_case("a file that the kernel cannot run");
	write_script("odd", "no program\n", 0755);
	CHECK_INT(run("odd", (struct child_limits){ 0 }), -ENOEXEC);
	CHECK_STR(error, "exec: Exec format error");
}

static void
test_network(void)
{
	static const char sockets[] =
	    "#!/usr/bin/env python3\nimport socket\n"
	    "for f in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):\n"
	    "    try:\n        socket.socket(f, socket.SOCK_DGRAM); print('yes')\n"
	    "    except OSError as e: print(e.errno)\n"
	    "socket.socketpair(); print('pair')\n";

	test_case("no sockets of any family, unless they are allowed; a pair leads nowhere");
	write_script("sockets", sockets, 0755);
	CHECK_INT(run("sockets", (struct child_limits){ 0 }), 0);
	CHECK_STR(output, "13\n13\n13\n13\npair\n");
	CHECK_INT(run("sockets", (struct child_limits){ .network = true }), 0);
	CHECK_STR(output, "yes\nyes\nyes\nyes\npair\n");

	test_case("what a script starts is bound, too, and nobody looks into others");
	write_script("below",
	    "#!/bin/sh\npython3 - <<'E'\nimport ctypes, os, subprocess, sys\n"
	    "libc = ctypes.CDLL(None, use_errno=True)\n"
	    "print(libc.ptrace(16, os.getppid(), 0, 0), ctypes.get_errno())\n"
	    "print(libc.syscall(425, 8, 0), ctypes.get_errno())\nE\n"
	    "python3 -c 'import socket; socket.socket()' 2>&1 | tail -n 1\n",
	    0755);
	CHECK_INT(run("below", (struct child_limits){ 0 }), 0);
	CHECK_STR(output, "-1 1\n-1 1\nPermissionError: [Errno 13] Permission denied\n");
}

static void
test_memory(void)
{
	test_case("memory beyond the bound is refused, addresses alone are not");
	write_script("memory",
	    "#!/usr/bin/env python3\nimport mmap\n"
	    "mmap.mmap(-1, 1 << 36, flags=mmap.MAP_PRIVATE | 0x4000, prot=0); print('reserved')\n"
	    "bytearray(20 << 20); print('small')\n"
	    "try:\n    bytearray(200 << 20); print('big')\n"
	    "except MemoryError: print('refused')\n",
	    0755);
	CHECK_INT(run("memory", (struct child_limits){ .memory_bytes = 100 << 20 }), 0);
	CHECK_STR(output, "reserved\nsmall\nrefused\n");
	CHECK_INT(run("memory", (struct child_limits){ 0 }), 0);
	CHECK_STR(output, "reserved\nsmall\nbig\n");
}

/* pwsh is not there on most build hosts: these cases show how it would be called. */
static void
test_powershell(void)
{
	char want[512];

	test_case("a .ps1 file without PowerShell");
	write_script("a.ps1", "'x'\n", 0644);
	(void)setenv("PATH", "/nonexistent", 1);
	if (access("/opt/microsoft/powershell/7/pwsh", X_OK) != 0) {
		CHECK_INT(run("a.ps1", (struct child_limits){ 0 }), -ENOEXEC);
		CHECK_STR(error, "it needs PowerShell, and there is no pwsh in PATH or in "
				 "/opt/microsoft/powershell/7");
	}

	test_case("a .ps1 file with a stand-in for pwsh: options, environment, heap");
	write_script(
	    "pwsh", "#!/bin/sh\necho \"$@\"; env | grep -E '^(DOTNET|POWER)' | sort\n", 0755);
	(void)setenv("PATH", folder, 1);
	CHECK_INT(run("a.ps1", (struct child_limits){ .memory_bytes = 512 << 20 }), 0);
	(void)snprintf(want, sizeof(want),
	    "-NoLogo -NoProfile -NonInteractive -File %s/a.ps1\n"
	    "DOTNET_CLI_TELEMETRY_OPTOUT=1\nDOTNET_EnableDiagnostics=0\n"
	    "DOTNET_GCHeapHardLimit=18000000\nPOWERSHELL_TELEMETRY_OPTOUT=1\n"
	    "POWERSHELL_UPDATECHECK=Off\n",
	    folder);
	CHECK_STR(output, want);
}

int
main(void)
{
	char command[160], text[64];

	if (mkdtemp(folder) == NULL || chmod(folder, 0755) < 0)
		return 1;
	test_surroundings();
	test_refusals();
	test_network();
	test_memory();

	test_case("how it ended, in words");
	write_script("end", "#!/bin/sh\nexit 3\n", 0755);
	CHECK_INT(run("end", (struct child_limits){ 0 }), 0);
	CHECK_STR(child_status_text(status, text, sizeof(text)), "ended with status 3");
	write_script("end", "#!/bin/sh\nkill -9 $$\n", 0755);
	CHECK_INT(run("end", (struct child_limits){ 0 }), 0);
	CHECK_STR(child_status_text(status, text, sizeof(text)), "was killed by signal 9 (Killed)");

	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	test_powershell();
	(void)setenv("PATH", "/usr/bin:/bin", 1);
	if (system(command) != 0)
		return 1;
	return test_end();
}
