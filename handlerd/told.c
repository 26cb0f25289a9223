/* A set of what was told; see told.h. */
#include "handlerd/told.h"

/* FNV-1a; two names that fall together cost one line in the log. */
static uint64_t
hash(const char *name)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3u;
	return h != 0 ? h : 1;
}

enum told_state
told_note(struct told *t, const char *name)
{
	uint64_t h = hash(name);
	size_t i = h % NITEMS(t->names);

	/* it is never more than half full: there is always a free place */
	for (; t->names[i] != 0; i = (i + 1) % NITEMS(t->names)) {
		if (t->names[i] == h)
			return TOLD_OVER;
	}
	if (t->n < TOLD_MAX) {
		t->names[i] = h;
		t->n++;
		return TOLD_NEW;
	}
	if (t->full_told)
		return TOLD_OVER;
	t->full_told = true;
	return TOLD_FULL;
}
