/* SPDX-License-Identifier: ISC */
#include "ledger/window.h"

#include <string.h>

static int64_t
slot_length(uint32_t span)
{
	int64_t length = (span + WINDOW_SLOTS - 2) / (WINDOW_SLOTS - 1);

	return length > 0 ? length : 1;
}

/* Let counts[0] be the slot of that time. */
static void
advance(struct window *w, int64_t slot)
{
	int64_t by = slot - w->newest;

	if (by >= WINDOW_SLOTS) {
		memset(w->counts, 0, sizeof(w->counts));
	} else if (by > 0) {
		memmove(w->counts + by, w->counts,
		    (WINDOW_SLOTS - (size_t)by) * sizeof(*w->counts));
		memset(w->counts, 0, (size_t)by * sizeof(*w->counts));
	}
	w->newest = slot;
}

static void
raise_count(uint32_t *count, unsigned n)
{
	unsigned room = (unsigned)(WINDOW_COUNT_MAX - *count);

	*count += n < room ? n : room;
}

void
window_add_many(struct window *w, uint32_t span, time_t now, unsigned n)
{
	advance(w, now / slot_length(span));
	raise_count(&w->counts[0], n);
}

void
window_add(struct window *w, uint32_t span, time_t now)
{
	window_add_many(w, span, now, 1);
}

void
window_restore(
    struct window *w, uint32_t span, time_t when, time_t now, unsigned n)
{
	int64_t slot = when / slot_length(span);

	advance(w, now / slot_length(span));
	if (slot > w->newest)
		slot = w->newest;
	if (w->newest - slot < WINDOW_SLOTS)
		raise_count(&w->counts[w->newest - slot], n);
}

static unsigned
sum(const struct window *w, unsigned slots)
{
	unsigned total = 0;

	for (unsigned i = 0; i < slots; i++)
		total += w->counts[i];
	return total;
}

unsigned
window_count(const struct window *w, uint32_t span, time_t now)
{
	struct window at = *w;

	advance(&at, now / slot_length(span));
	return sum(&at, WINDOW_SLOTS);
}

uint32_t
window_wait(const struct window *w, uint32_t span, time_t now, unsigned limit)
{
	int64_t length = slot_length(span), slot = now / length;
	struct window at = *w;
	unsigned left = WINDOW_SLOTS;

	advance(&at, slot);
	if (sum(&at, left) < limit)
		return 0;
	/* The oldest slots leave one by one. */
	while (left > 0 && sum(&at, left) >= limit)
		left--;
	return (uint32_t)((slot + WINDOW_SLOTS - left) * length - now);
}

time_t
window_time(const struct window *w, uint32_t span, unsigned i)
{
	return (time_t)((w->newest - (int64_t)i) * slot_length(span));
}

void
window_rescale(struct window *w, uint32_t from, uint32_t to, time_t now)
{
	struct window old = *w;

	*w = (struct window){0};
	advance(&old, now / slot_length(from));
	for (unsigned i = 0; i < WINDOW_SLOTS; i++)
		window_restore(
		    w, to, window_time(&old, from, i), now, old.counts[i]);
}
