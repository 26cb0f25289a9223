/*
 * Collecting what there is of a host's network; see netcheck.h.  All of it can be read by anybody,
 * but for the processes of other accounts.
 */
#include "common/netcheck.h"

#include "common/sockaddr.h"

#include <ctype.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool
read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	bool good;

	if (f == NULL)
		return false;
	good = fgets(buf, (int)size, f) != NULL;
	(void)fclose(f); /* it was only read */
	if (good)
		buf[strcspn(buf, "\n")] = '\0';
	return good;
}

/* A cable between two network namespaces, as containers get it; a macvlan is none. */
static bool
is_veth(int fd, const char *interface)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq ifr = { 0 };

	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", interface);
	ifr.ifr_data = (void *)&info;
	return ioctl(fd, SIOCETHTOOL, &ifr) == 0 && strcmp(info.driver, "veth") == 0;
}

static void
read_interface(struct netfacts *f)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", f->interface);
	f->exists = ioctl(fd, SIOCGIFFLAGS, &ifr) == 0;
	if (f->exists) {
		f->up = (ifr.ifr_flags & IFF_UP) != 0;
		f->carrier = (ifr.ifr_flags & IFF_RUNNING) != 0;
		f->loopback = (ifr.ifr_flags & IFF_LOOPBACK) != 0;
		f->broadcast = (ifr.ifr_flags & IFF_BROADCAST) != 0;
	}
	if (ioctl(fd, SIOCGIFMTU, &ifr) == 0)
		f->mtu = (unsigned)ifr.ifr_mtu;
	f->veth = is_veth(fd, f->interface);
	close(fd);
	f->ifindex = (int)if_nametoindex(f->interface);
}

static uint8_t
prefix_of(const struct sockaddr *mask)
{
	struct ipaddr ip = ip_from_sockaddr(mask);
	uint8_t n = 0;

	for (size_t i = 0; i < 4; i++)
		n = (uint8_t)(n + __builtin_popcount(ip.b[i]));
	return n;
}

static void
read_addresses(struct netfacts *f)
{
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) < 0)
		return;
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		struct netfacts_address *a = &f->addresses[f->naddresses];
		struct ipaddr ip;

		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET ||
		    i->ifa_netmask == NULL || f->naddresses == NETFACTS_ADDRESSES)
			continue;
		ip = ip_from_sockaddr(i->ifa_addr);
		(void)snprintf(a->interface, sizeof(a->interface), "%.15s", i->ifa_name);
		/* an address may have a label of its own */
		a->interface[strcspn(a->interface, ":")] = '\0';
		memcpy(a->b, ip.b, 4);
		a->prefix = prefix_of(i->ifa_netmask);
		f->naddresses++;
	}
	freeifaddrs(list);
}

/* Sockets of UDP and of UDP over IPv6, which take IPv4, too, where they are not told otherwise. */
static void
read_holders(struct netfacts *f)
{
	FILE *file = fopen("/proc/self/net/udp", "re");
	struct netfacts_holder h;
	char line[512];

	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL && f->nholders < NETFACTS_HOLDERS) {
		if (netcheck_read_udp(line, &h) == 0 && h.port != 0 &&
		    (h.port == f->dhcp_port || h.port == f->boot_port))
			f->holders[f->nholders++] = h;
	}
	(void)fclose(file); /* it was only read */
}

/* Names the process if one of its descriptors is one of the sockets. */
static void
look_at_process(struct netfacts *f, const char *pid)
{
	char path[300], link[64], name[32] = "";
	struct dirent *e;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		static const char mark[] = "socket:[";
		uint64_t inode;
		ssize_t n;

		n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
		if (n <= 0)
			continue;
		link[n] = '\0';
		if (strncmp(link, mark, strlen(mark)) != 0)
			continue;
		inode = strtoull(link + strlen(mark), NULL, 10);
		for (size_t i = 0; i < f->nholders; i++) {
			if (f->holders[i].inode != inode)
				continue;
			if (name[0] == '\0') {
				(void)snprintf(path, sizeof(path), "/proc/%s/comm", pid);
				(void)read_line(path, name, sizeof(name));
			}
			f->holders[i].pid = (pid_t)strtol(pid, NULL, 10);
			memcpy(f->holders[i].name, name, sizeof(name));
		}
	}
	closedir(dir);
}

static void
name_holders(struct netfacts *f)
{
	struct dirent *e;
	DIR *dir;

	dir = f->nholders > 0 ? opendir("/proc") : NULL;
	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		if (isdigit((unsigned char)e->d_name[0]))
			look_at_process(f, e->d_name);
	}
	closedir(dir);
}

static bool
in_container(void)
{
	/* what Docker, Podman and systemd leave for this very question */
	return access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0 ||
	       access("/run/systemd/container", F_OK) == 0;
}

void
netfacts_read(struct netfacts *f)
{
	if (f->interface[0] != '\0')
		read_interface(f);
	read_addresses(f);
	read_holders(f);
	name_holders(f);
	f->container = in_container();
}
