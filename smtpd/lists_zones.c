/* SPDX-License-Identifier: ISC */
#include "smtpd/lists_zones.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

/* -- what people are told -- */

enum alarm { ALARM_IGNORED, ALARM_SILENT, ALARM_EMPTY };

static const char *const alarms[] = {[ALARM_IGNORED] = "list ignored",
    [ALARM_SILENT] = "list silent",
    [ALARM_EMPTY] = "list empty"};

/* Once, and again after hours: it may go on for long. */
static void
raise_alarm(struct zone *zone, enum alarm alarm, const char *reason)
{
	int64_t now = clock_monotonic_ms();

	if (strcmp(zone->alarm, reason) == 0 &&
	    now - zone->alarmed < ZONE_ALARM_MS)
		return;
	snprintf(zone->alarm, sizeof(zone->alarm), "%s", reason);
	zone->alarmed = now;
	log_event(LEVEL_WARNING, alarms[alarm], log_text("what", zone->shown),
	    log_text("reason", reason));
}

static void
ignore(struct zone *zone, const char *reason)
{
	zone->ignored = true;
	raise_alarm(zone, ALARM_IGNORED, reason);
}

static void
use_again(struct zone *zone)
{
	if (!zone->ignored && !zone->silent)
		return;
	zone->ignored = zone->silent = false;
	zone->alarm[0] = '\0';
	log_event(LEVEL_INFO, "list used again", log_text("what", zone->shown));
}

/* -- trials -- */

/* In this order. */
static const char *const trials[ZONE_TRIALS] = {
    "127.0.0.1", "::ffff:127.0.0.1", "127.0.0.2", "::ffff:127.0.0.2"};

enum { GOOD_TRIALS = 2 }; /* those that no list has */

static void
settle(struct zone *zone)
{
	unsigned silent = 0, missing = 0;
	const char *wrong = zone->nonsense;

	for (size_t i = 0; i < ZONE_TRIALS; i++) {
		enum dns_status status = zone->trials[i].status;

		silent += status == DNS_TEMPORARY || status == DNS_BROKEN;
		if (i < GOOD_TRIALS && status == DNS_FOUND && wrong[0] == '\0')
			wrong = "lists 127.0.0.1";
		missing += i >= GOOD_TRIALS &&
		    (status == DNS_NO_NAME || status == DNS_NO_DATA);
	}
	if (silent == ZONE_TRIALS) {
		zone->silent = true;
		raise_alarm(zone, ALARM_SILENT, "no answer from the DNS");
		return;
	}
	zone->silences = silent == 0 ? 0 : ZONE_SILENCES - 1;
	if (wrong[0] != '\0') {
		zone->silent = false;
		ignore(zone, wrong);
	} else {
		use_again(zone);
		if (missing == ZONE_TRIALS - GOOD_TRIALS)
			raise_alarm(
			    zone, ALARM_EMPTY, "does not list 127.0.0.2");
	}
}

static void
trial_answered(
    void *context, enum dns_status status, const struct dns_answer *answer)
{
	struct zone_trial *trial = context;
	struct zone *zone = trial->zone;

	trial->question = NULL;
	trial->status = status;
	if (status == DNS_FOUND && zone->nonsense[0] == '\0')
		lists_nonsense(answer, zone->nonsense);
	if (--zone->awaited > 0)
		return;
	settle(zone);
	zone->tried = true;
	(void)loop_timer(&zone->timer,
	    zone->silent        ? ZONE_SILENT_MS
		: zone->ignored ? ZONE_IGNORED_MS
				: ZONE_FINE_MS);
	zone->zones->tried(zone->zones->context);
}

/* Without the IPv4 in IPv6 becoming IPv4. */
static struct sockaddr_storage
address_of(const char *text)
{
	struct sockaddr_storage address = {.ss_family = AF_INET};
	struct sockaddr_in *in = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;

	if (inet_pton(AF_INET, text, &in->sin_addr) != 1) {
		address.ss_family = AF_INET6;
		(void)inet_pton(AF_INET6, text, &in6->sin6_addr);
	}
	return address;
}

static void
begin_trial(struct zone *zone, size_t i, int64_t deadline)
{
	struct zone_trial *trial = &zone->trials[i];
	struct sockaddr_storage address = address_of(trials[i]);
	char name[DNS_NAME_MAX + 1];

	trial->zone = zone;
	trial->status = DNS_TEMPORARY;
	if (lists_name(&address, zone->name, name))
		trial->question = dns_async_ask(zone->zones->dns, name,
		    DNS_TYPE_A, deadline, trial_answered, trial);
	zone->awaited += trial->question != NULL;
}

static void
try_zone(struct timer *timer)
{
	struct zone *zone = container_of(timer, struct zone, timer);
	int64_t deadline = clock_monotonic_ms() + zone->zones->patience;

	zone->nonsense[0] = '\0';
	for (size_t i = 0; i < ZONE_TRIALS; i++)
		begin_trial(zone, i, deadline);
	if (zone->awaited == 0)
		(void)loop_timer(&zone->timer, ZONE_SILENT_MS);
}

/* -- */

static struct zone *
zone_named(struct zones *zones, const char *name)
{
	for (size_t i = 0; i < zones->n; i++)
		if (strcmp(zones->zone[i].name, name) == 0)
			return &zones->zone[i];
	return NULL;
}

void
zones_begin(struct zones *zones, const struct config *config)
{
	for (size_t i = 0; i < config->lists.n; i++) {
		const char *name = config->lists.items[i].name;
		struct zone *zone = zone_named(zones, name);

		if (zone == NULL) {
			zone = &zones->zone[zones->n++];
			zone->zones = zones;
			zone->name = name;
			zone->timer.fire = try_zone;
			lists_shown(name, zone->shown);
		}
		zone->lines |= UINT32_C(1) << i;
	}
	for (size_t i = 0; i < zones->n; i++)
		try_zone(&zones->zone[i].timer);
}

void
zones_end(struct zones *zones)
{
	for (size_t i = 0; i < zones->n; i++) {
		loop_timer_stop(&zones->zone[i].timer);
		for (size_t j = 0; j < ZONE_TRIALS; j++)
			dns_async_cancel(zones->zone[i].trials[j].question);
	}
}

bool
zone_is_asked(const struct zone *zone)
{
	return !zone->ignored && !zone->silent;
}

bool
zone_counts(const struct zone *zone)
{
	return zone->tried && !zone->ignored;
}

/*
 * Where thousands are asked about at once some packets are lost, and their
 * deadlines are the same: that must not turn the list off.
 */
static bool
is_silent(const struct zone *zone)
{
	return zone->silences >= ZONE_SILENCES &&
	    clock_monotonic_ms() - zone->heard >= zone->zones->patience;
}

/* It is not tried while it is: then its timer is set at the end. */
static void
try_again_in(struct zone *zone, int64_t ms)
{
	if (zone->awaited == 0)
		(void)loop_timer(&zone->timer, ms);
}

void
zone_heard(
    struct zone *zone, enum dns_status status, const struct dns_answer *answer)
{
	char reason[LISTS_REASON_MAX + 1] = "";

	if (status == DNS_TEMPORARY || status == DNS_BROKEN) {
		zone->silences++;
		if (!is_silent(zone) || zone->silent)
			return;
		zone->silent = true;
		raise_alarm(zone, ALARM_SILENT, dns_status_text(status));
		try_again_in(zone, ZONE_SILENT_MS);
		return;
	}
	zone->silences = 0;
	zone->heard = clock_monotonic_ms();
	if (status == DNS_FOUND)
		lists_nonsense(answer, reason);
	if (reason[0] != '\0' && !zone->ignored) {
		ignore(zone, reason);
		try_again_in(zone, ZONE_IGNORED_MS);
	}
}
