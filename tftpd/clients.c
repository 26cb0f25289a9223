/* See clients.h. */
#include "tftpd/clients.h"

#include "common/hash.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

void
clients_init(struct clients *c)
{
	struct timespec now;

	if (getrandom(c->key, sizeof(c->key), 0) == (ssize_t)sizeof(c->key))
		return;
	/* as good as it gets without */
	clock_gettime(CLOCK_REALTIME, &now);
	c->key[0] = (uint64_t)now.tv_nsec;
	c->key[1] = (uint64_t)now.tv_sec;
}

int32_t
clients_take(struct clients *c, const struct ipaddr *ip, uint32_t most)
{
	size_t n = ip->family == 6 ? 16 : 4;
	uint32_t place = hash_keyed(c->key, (struct slice){ ip->b, n }) % CLIENTS_COUNTERS;

	if (atomic_fetch_add_explicit(&c->counts[place], 1, memory_order_relaxed) >= most) {
		clients_drop(c, (int32_t)place);
		return -EDQUOT;
	}
	return (int32_t)place;
}

void
clients_drop(struct clients *c, int32_t place)
{
	atomic_fetch_sub_explicit(&c->counts[place], 1, memory_order_relaxed);
}
