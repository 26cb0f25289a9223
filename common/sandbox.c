/*
 * Bounds for children; see sandbox.h.
 *
 * A seccomp filter, not a network namespace: systemd's RestrictNamespaces= forbids those, many
 * kernels do so for everybody but root, and a filter needs neither.  It refuses socket() whole: a
 * Unix socket leads to handlerd's own control interface.  socketpair() leads nowhere and stays.
 *
 * Memory is bounded by RLIMIT_DATA, which counts private memory that can be written, and not by
 * RLIMIT_AS: .NET, Go and Java reserve hundreds of gigabytes of addresses that they never touch.
 */
#include "common/sandbox.h"

#include "common/wire.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#define NATIVE_ARCH 0u /* no filter is known: scripts run only where they may have network */
#endif

#define OPEN_FILES 1024

/* The filter's length: a head, two instructions a refused call, the end. */
#define FILTER_MAX 32

static void
put(struct sock_filter *filter, unsigned short *n, struct sock_filter instruction)
{
	filter[(*n)++] = instruction;
}

static int
filter_calls(bool network)
{
	static const struct {
		unsigned number;
		int error;
	} refused[] = {
		{ SYS_socket, EACCES }, /* first: left out if there is to be network */
		{ SYS_io_uring_setup, EPERM },
		{ SYS_ptrace, EPERM },
		{ SYS_process_vm_readv, EPERM },
		{ SYS_process_vm_writev, EPERM },
		{ SYS_pidfd_getfd, EPERM },
	};
	struct sock_filter filter[FILTER_MAX];
	struct sock_fprog program = { .filter = filter };
	unsigned short *n = &program.len;

	if (NATIVE_ARCH == 0)
		return network ? 0 : -ENOSYS;
	put(filter, n,
	    (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
	put(filter, n, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0));
	/* a 32-bit program: its numbers mean other calls */
	put(filter, n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	put(filter, n,
	    (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
#if defined(__x86_64__)
	/* likewise the x32 ABI, which has this bit set */
	put(filter, n, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x40000000, 0, 1));
	put(filter, n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
#endif
	for (size_t i = network ? 1 : 0; i < NITEMS(refused); i++) {
		put(filter, n,
		    (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, refused[i].number, 0, 1));
		put(filter, n,
		    (struct sock_filter)BPF_STMT(
			BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)refused[i].error));
	}
	put(filter, n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

/* No more than `value`, and no more than it was. */
static int
bound(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return -errno;
	if (limit.rlim_max > value)
		limit.rlim_max = value;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

int
sandbox_enter(uint64_t memory_bytes, bool network)
{
	int rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	rc = bound(RLIMIT_CORE, 0);
	if (rc == 0)
		rc = bound(RLIMIT_NOFILE, OPEN_FILES);
	if (rc == 0 && memory_bytes > 0)
		rc = bound(RLIMIT_DATA, memory_bytes);
	return rc == 0 ? filter_calls(network) : rc;
}
