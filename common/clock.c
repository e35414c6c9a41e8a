/* SPDX-License-Identifier: ISC */
#include "common/clock.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t
read_us(clockid_t id)
{
	struct timespec now;

	if (clock_gettime(id, &now) == -1)
		abort();
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_monotonic_ms(void)
{
	return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t
clock_now_us(void)
{
	return read_us(CLOCK_REALTIME);
}

int64_t
clock_now_ms(void)
{
	return clock_now_us() / 1000;
}

time_t
clock_now(void)
{
	return (time_t)(clock_now_ms() / 1000);
}

int
clock_left(int64_t deadline_ms)
{
	int64_t left;

	if (deadline_ms < 0)
		return -1;
	left = deadline_ms - clock_monotonic_ms();
	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

/* strftime's names follow the locale; the RFC's do not. */
void
clock_date(time_t when, char out[CLOCK_DATE_SIZE])
{
	static const char days[7][4] = {
	    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm;
	long minutes;

	if (localtime_r(&when, &tm) == NULL) {
		when = 0;
		gmtime_r(&when, &tm);
	}
	minutes = labs(tm.tm_gmtoff / 60);
	snprintf(out, CLOCK_DATE_SIZE,
	    "%s, %d %s %d %02d:%02d:%02d %c%02ld%02ld", days[tm.tm_wday % 7],
	    tm.tm_mday, months[tm.tm_mon % 12], tm.tm_year + 1900, tm.tm_hour,
	    tm.tm_min, tm.tm_sec, tm.tm_gmtoff < 0 ? '-' : '+',
	    minutes / 60 % 100, minutes % 60);
}
