/* SPDX-License-Identifier: ISC */
#include "queue/pace.h"

enum { POINTS_NO_SESSION = 2, POINTS_HOST = 1 };

static unsigned
smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned
window_of(const struct pace *p, unsigned most)
{
	return smaller(p->window > 0 ? p->window : PACE_WINDOW, most);
}

unsigned
pace_room(const struct pace *p, unsigned most, int64_t now)
{
	if (now < p->opens)
		return 0;
	return pace_rests(p) ? 1 : window_of(p, most);
}

void
pace_start(struct pace *p, int64_t now)
{
	if (p->pause > 0)
		p->opens = now + p->pause;
}

void
pace_reset(struct pace *p)
{
	*p = (struct pace){.cut = p->cut};
}

static void
quicken(struct pace *p)
{
	p->pause = p->pause / 2 < PACE_PAUSE_FIRST ? 0 : p->pause / 2;
	if (p->pause == 0)
		p->opens = 0;
}

void
pace_success(struct pace *p, unsigned most, int64_t started)
{
	if (pace_rests(p))
		pace_reset(p);
	p->points = 0;
	if (p->pause > 0 && started > p->cut)
		quicken(p);
	p->window = (uint16_t)window_of(p, most);
	if (++p->gained < p->window)
		return;
	p->gained = 0;
	p->window = (uint16_t)smaller(p->window + 1u, most);
}

static void
narrow(struct pace *p)
{
	unsigned window = p->window > 0 ? p->window : PACE_WINDOW;

	p->window = (uint16_t)(window > 1 ? window / 2 : 1);
	p->gained = 0;
}

static void
rest(struct pace *p, int64_t now, const struct retry_policy *policy,
    uint32_t random)
{
	int64_t delay;

	if (p->rests < UINT16_MAX)
		p->rests++;
	delay = schedule_delay(policy, p->rests, random);
	p->opens = now + (delay < PACE_REST_MOST ? delay : PACE_REST_MOST);
	p->window = 0;
	p->gained = p->points = 0;
	p->pause = 0;
	p->cut = now;
}

/* Whoever says so lives. */
static void
slow_down(struct pace *p, int64_t now)
{
	if (pace_rests(p)) {
		pace_reset(p);
		p->window = 1;
	}
	p->pause = p->pause == 0 ? PACE_PAUSE_FIRST
				 : smaller(2 * p->pause, PACE_PAUSE_MOST);
	p->opens = now + p->pause;
}

void
pace_trouble(struct pace *p, enum pace_trouble trouble, int64_t started,
    int64_t now, const struct retry_policy *policy, uint32_t random)
{
	bool fresh = started > p->cut;

	if (trouble == PACE_RATE) {
		if (fresh)
			slow_down(p, now);
	} else if (pace_rests(p)) {
		/* The probe; what is older does not count. */
		if (fresh)
			rest(p, now, policy, random);
		return;
	} else {
		p->points = (uint16_t)(p->points +
		    (trouble == PACE_NO_SESSION ? POINTS_NO_SESSION
						: POINTS_HOST));
		if (p->points >= PACE_FAILURES * POINTS_NO_SESSION) {
			rest(p, now, policy, random);
			return;
		}
	}
	if (fresh) {
		narrow(p);
		p->cut = now;
	}
}
