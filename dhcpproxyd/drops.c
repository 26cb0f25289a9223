/* See drops.h. */
#include "dhcpproxyd/drops.h"

#include "common/log.h"

#include <string.h>

size_t
drops_tell(const struct counter *reasons, const void *base, uint64_t *told, struct wbuf *w)
{
	size_t n = 0;

	for (size_t i = 0; i < DROPS_REASONS && reasons[i].name != NULL; i++) {
		uint64_t now;

		memcpy(&now, (const char *)base + reasons[i].off, sizeof(now));
		if (now == told[i])
			continue;
		wbuf_printf(w, "%s%llu %s", n > 0 ? ", " : "", (unsigned long long)(now - told[i]),
		    reasons[i].help);
		told[i] = now;
		n++;
	}
	return n;
}

static void
on_interval(void *arg)
{
	struct drops *d = arg;
	char text[1024];
	struct wbuf w;

	(void)loop_timer_set(d->loop, &d->timer, DROPS_INTERVAL_MS);
	if (d->gather != NULL)
		d->gather(d->arg);
	wbuf_init(&w, text, sizeof(text) - 1);
	if (drops_tell(d->reasons, d->base, d->told, &w) == 0)
		return;
	text[w.used] = '\0';
	log_warnx("dropped in the last %d s: %s", DROPS_INTERVAL_MS / 1000, text);
}

int
drops_open(struct drops *d, struct loop *loop, const struct counter *reasons, const void *base,
    void (*gather)(void *arg), void *arg)
{
	*d = (struct drops){
		.loop = loop, .reasons = reasons, .base = base, .gather = gather, .arg = arg
	};
	loop_timer_init(&d->timer, on_interval, d);
	return loop_timer_set(loop, &d->timer, DROPS_INTERVAL_MS);
}

void
drops_close(struct drops *d)
{
	if (d->loop != NULL)
		loop_timer_clear(d->loop, &d->timer);
}
