/* SPDX-License-Identifier: ISC */
#include "ledger/bucket.h"

static const uint64_t second = 1000000;
static const uint64_t used_max = UINT64_C(30) * 86400 * 1000000;

/* What one costs, in microseconds. */
static uint64_t
price(const struct config_rate *rate)
{
	uint64_t each = rate->span * second / rate->count;

	return each > 0 ? each : 1;
}

uint64_t
bucket_used(const struct bucket *b, time_t now)
{
	uint64_t passed = now > b->at ? (uint64_t)(now - b->at) : 0;

	return passed < b->used / second + 1 && passed * second < b->used
	    ? b->used - passed * second
	    : 0;
}

/* After a change of the clock or of the rate. */
static void
settle(struct bucket *b, const struct config_rate *rate, time_t now)
{
	uint64_t full = rate->span * second;

	if (bucket_used(b, now) > full)
		*b = (struct bucket){now, full};
	else if (now < b->at)
		b->at = now;
}

bool
bucket_fits(
    struct bucket *b, const struct config_rate *rate, unsigned n, time_t now)
{
	uint64_t used;

	if (rate->count == 0)
		return true;
	settle(b, rate, now);
	used = bucket_used(b, now);
	return used == 0 || used + n * price(rate) <= rate->span * second;
}

uint32_t
bucket_wait(
    struct bucket *b, const struct config_rate *rate, unsigned n, time_t now)
{
	uint64_t room, over;

	if (bucket_fits(b, rate, n, now))
		return 0;
	room = n * price(rate) < rate->span * second
	    ? rate->span * second - n * price(rate)
	    : 0;
	over = bucket_used(b, now) - room;
	return (uint32_t)((over + second - 1) / second);
}

void
bucket_add(
    struct bucket *b, const struct config_rate *rate, unsigned n, time_t now)
{
	uint64_t used, full = rate->span * second;

	if (rate->count == 0)
		return;
	used = bucket_used(b, now) + n * price(rate);
	*b = (struct bucket){now, used < full ? used : full};
}

uint64_t
bucket_count(const struct bucket *b, const struct config_rate *rate, time_t now)
{
	uint64_t used = bucket_used(b, now);

	if (rate->count == 0)
		return 0;
	return (used + price(rate) - 1) / price(rate);
}

void
bucket_write(const struct bucket *b, struct buf *line)
{
	fields_number(line, (uint64_t)b->at);
	fields_number(line, b->used);
}

void
bucket_read(struct fields *f, struct bucket *b, time_t now)
{
	b->at = fields_take_time(f, now);
	b->used = fields_take_number(f, used_max);
}
