/*
 * Load for a proxyDHCP server: DISCOVERs of UEFI PXE firmware as a relay passes them on, with so
 * many waiting for their offer at any time, at most; and with RATE so many a second, evenly.
 * usage: dhcp_load SERVER RELAY OUTSTANDING SECONDS MACHINES [RATE]
 * RELAY is an address of this host, to which the offers come (port 67).  An offer that is not there
 * after 200 ms counts as lost.  Prints one line of JSON.  The machines are those that `machines`
 * puts into a store.
 */
#include "common/dhcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH       64
#define BYTES       1500
#define SLOTS       4096 /* a power of 2, more than can be outstanding */
#define PATIENCE_US 200000
#define DELAYS      4000000 /* of which percentiles are taken */

struct slot {
	uint32_t xid; /* 0: free */
	uint64_t sent_us;
};

static struct slot slots[SLOTS];
static uint8_t out[BATCH][BYTES], in[BATCH][BYTES];
static struct mmsghdr out_msgs[BATCH], in_msgs[BATCH];
static struct iovec out_iov[BATCH], in_iov[BATCH];

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static int
by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static size_t
discover(uint8_t *bytes, uint32_t xid, uint32_t machine, const uint8_t relay[4])
{
	static const uint8_t list[] = { 1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41,
		42, 43, 50, 51, 54, 58, 59, 60, 66, 67, 97, 128, 129, 130, 131, 132, 133, 134,
		135 };
	static const uint8_t type[] = { DHCP_DISCOVER }, size[] = { 0x05, 0xc0 }, arch[] = { 0, 7 },
			     undi[] = { 1, 3, 0 };
	uint32_t first = machine * 2654435761u;
	/* type, then the first three fields with their low octets first (RFC 4578 section 2.3) */
	const uint8_t uuid[17] = { 0, (uint8_t)first, (uint8_t)(first >> 8), (uint8_t)(first >> 16),
		(uint8_t)(first >> 24), (uint8_t)machine, (uint8_t)(machine >> 8), 0x10, 0x4c, 0x80,
		0x43, 0, 0, (uint8_t)(machine >> 24), (uint8_t)(machine >> 16),
		(uint8_t)(machine >> 8), (uint8_t)machine };
	struct wbuf w;

	wbuf_init(&w, bytes, BYTES);
	wbuf_u8(&w, DHCP_BOOTREQUEST);
	wbuf_u8(&w, 1);
	wbuf_u8(&w, 6);
	wbuf_u8(&w, 1);
	wbuf_u32(&w, xid);
	wbuf_u16(&w, 0);
	wbuf_u16(&w, DHCP_FLAG_BROADCAST);
	wbuf_fill(&w, 0, 12);
	wbuf_bytes(&w, relay, 4);
	wbuf_u16(&w, 0x5254);
	wbuf_u32(&w, machine << 8);
	wbuf_fill(&w, 0, DHCP_CHADDR_BYTES - 6 + DHCP_SNAME_BYTES + DHCP_FILE_BYTES);
	wbuf_u32(&w, DHCP_COOKIE);
	dhcp_put_option(&w, DHCP_OPT_TYPE, (struct slice){ type, sizeof(type) });
	dhcp_put_option(&w, DHCP_OPT_MAX_SIZE, (struct slice){ size, sizeof(size) });
	dhcp_put_option(&w, 55, (struct slice){ list, sizeof(list) });
	dhcp_put_option(&w, DHCP_OPT_UUID, (struct slice){ uuid, sizeof(uuid) });
	dhcp_put_option(&w, 94, (struct slice){ undi, sizeof(undi) });
	dhcp_put_option(&w, DHCP_OPT_ARCH, (struct slice){ arch, sizeof(arch) });
	dhcp_put_option(&w, DHCP_OPT_CLASS, slice_str("PXEClient:Arch:00007:UNDI:003000"));
	wbuf_u8(&w, DHCP_OPT_END);
	return w.used;
}

static int
open_socket(const struct sockaddr_in *relay, const struct sockaddr_in *server)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), bytes = 8 << 20;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    bind(fd, (const struct sockaddr *)relay, sizeof(*relay)) < 0 ||
	    connect(fd, (const struct sockaddr *)server, sizeof(*server)) < 0) {
		perror("dhcp_load");
		exit(EXIT_FAILURE);
	}
	return fd;
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(67) };
	struct sockaddr_in relay = server;
	uint64_t sent = 0, offers = 0, lost = 0, begin, end, now, delay_us = 0;
	unsigned outstanding, limit, machines, rate;
	static uint32_t delays[DELAYS];
	size_t ndelays = 0;
	uint32_t xid = 1, oldest = 1;
	struct rusage usage;
	int fd;

	if ((argc != 6 && argc != 7) || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1 ||
	    inet_pton(AF_INET, argv[2], &relay.sin_addr) != 1) {
		fputs(
		    "usage: dhcp_load SERVER RELAY OUTSTANDING SECONDS MACHINES [RATE]\n", stderr);
		return 2;
	}
	limit = (unsigned)atoi(argv[3]);
	machines = (unsigned)atoi(argv[5]);
	rate = argc == 7 ? (unsigned)atoi(argv[6]) : 0;
	if (limit < 1 || limit > SLOTS / 2 || machines < 1)
		return 2;
	fd = open_socket(&relay, &server);
	for (size_t i = 0; i < BATCH; i++) {
		out_iov[i].iov_base = out[i];
		in_iov[i] = (struct iovec){ in[i], BYTES };
		out_msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &out_iov[i], .msg_iovlen = 1 };
		in_msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &in_iov[i], .msg_iovlen = 1 };
	}
	begin = now = now_us();
	end = begin + (uint64_t)atoi(argv[4]) * 1000000;
	for (outstanding = 0; now < end; now = now_us()) {
		unsigned n = 0;
		int got;

		/* the oldest are at the front: xids count up */
		for (; oldest != xid; oldest++) {
			struct slot *s = &slots[oldest % SLOTS];

			if (s->xid == oldest && now - s->sent_us < PATIENCE_US)
				break;
			if (s->xid == oldest) {
				s->xid = 0;
				outstanding--;
				lost++;
			}
		}
		while (outstanding < limit && n < BATCH && xid - oldest < SLOTS &&
		       (rate == 0 || (now - begin) * rate / 1000000 >= xid)) {
			slots[xid % SLOTS] = (struct slot){ xid, now };
			out_iov[n].iov_len = discover(out[n], xid, 1 + xid % machines,
			    (const uint8_t *)&relay.sin_addr.s_addr);
			n++;
			xid++;
			outstanding++;
		}
		if (n > 0) {
			got = sendmmsg(fd, out_msgs, n, 0);
			/* what did not leave counts as lost in its time */
			sent += got > 0 ? (unsigned)got : 0;
		}
		got = recvmmsg(fd, in_msgs, BATCH, 0, NULL);
		if (got < 0 && (outstanding == limit || rate != 0)) {
			struct pollfd p = { fd, POLLIN, 0 };

			/* a paced load is due at a time that no packet tells */
			(void)poll(&p, 1, rate > 1000 ? 0 : 1);
		}
		for (int i = 0; i < got; i++) {
			uint32_t id;
			struct slot *s;

			if (in_msgs[i].msg_len < DHCP_HEADER_BYTES)
				continue;
			memcpy(&id, in[i] + 4, sizeof(id));
			id = ntohl(id);
			s = &slots[id % SLOTS];
			if (s->xid != id)
				continue;
			now = now_us();
			delay_us += now - s->sent_us;
			if (ndelays < DELAYS)
				delays[ndelays++] = (uint32_t)(now - s->sent_us);
			s->xid = 0;
			outstanding--;
			offers++;
		}
	}
	(void)getrusage(RUSAGE_SELF, &usage);
	qsort(delays, ndelays, sizeof(delays[0]), by_value);
	printf("{\"sent\": %llu, \"offers\": %llu, \"lost\": %llu, \"seconds\": %.3f, "
	       "\"load_us\": %.2f, \"mean_us\": %.0f, \"p50_us\": %u, \"p99_us\": %u}\n",
	    (unsigned long long)sent, (unsigned long long)offers, (unsigned long long)lost,
	    (double)(now - begin) / 1e6,
	    ((double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)) /
		(double)(offers > 0 ? offers : 1),
	    offers > 0 ? (double)delay_us / (double)offers : 0,
	    ndelays > 0 ? delays[ndelays / 2] : 0,
	    ndelays > 0 ? delays[ndelays - 1 - ndelays / 100] : 0);
	close(fd);
	return 0;
}
