/* Giving up root; see priv.h. */
#include "common/priv.h"

#include "common/wire.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
become(uid_t uid, gid_t gid)
{
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	/* a kernel that let us back in would make all of this worthless */
	if (uid != 0 && setuid(0) == 0)
		return -EPERM;
	return 0;
}

/* "uid:gid" in numbers; -EINVAL for anything else. */
static int
numeric_ids(const char *user, uid_t *uid, gid_t *gid)
{
	char copy[32];
	uint64_t u, g;
	char *colon;

	if (strlen(user) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, user);
	colon = strchr(copy, ':');
	if (colon == NULL)
		return -EINVAL;
	*colon = '\0';
	if (parse_u64(copy, &u) < 0 || parse_u64(colon + 1, &g) < 0 || u >= UINT32_MAX ||
	    g >= UINT32_MAX)
		return -EINVAL;
	*uid = (uid_t)u;
	*gid = (gid_t)g;
	return 0;
}

int
priv_ids(const char *user, uid_t *uid, gid_t *gid)
{
	const struct passwd *pw;

	if (strchr(user, ':') != NULL)
		return numeric_ids(user, uid, gid);
	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL)
		return errno != 0 ? -errno : -ENOENT;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

/* Of what is permitted, these alone stay, in force. */
static int
keep_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	for (unsigned i = 0; i < NITEMS(d); i++) {
		d[i].permitted &= (uint32_t)(keep >> (32 * i));
		d[i].effective = d[i].permitted;
		d[i].inheritable = 0;
	}
	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

int
priv_drop(const char *user)
{
	return priv_drop_keep(user, 0);
}

int
priv_drop_keep(const char *user, uint64_t capabilities)
{
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;
	int rc = 0;

	if (geteuid() == 0 && user[0] != '\0') {
		bool numeric = strchr(user, ':') != NULL;

		rc = priv_ids(user, &uid, &gid);
		if (rc == 0 && (numeric ? setgroups(0, NULL) : initgroups(user, gid)) < 0)
			rc = -errno;
		if (rc == 0 && capabilities != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
			rc = -errno;
		if (rc == 0)
			rc = become(uid, gid);
		if (rc == 0 && capabilities != 0 && uid != 0)
			rc = keep_capabilities(capabilities);
	}
	if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		rc = -errno;
	return rc;
}
