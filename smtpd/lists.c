/* SPDX-License-Identifier: ISC */
#include "smtpd/lists.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/loop.h"
#include "smtpd/lists_memory.h"
#include "smtpd/lists_zones.h"

enum {
	QUESTIONS_MAX = 65536,
	NOT_LISTED_MS = 60 * 1000, /* the resolver knows how long, we do not */
	TROUBLE_MS = 15 * 1000,
	LONGEST_MS = 3600 * 1000
};

struct lists {
	const struct config *config;
	struct dns_async *dns;
	struct zones zones;
	struct lists_memory memory;
	struct list_look_up *under_way; /* all of them */
};

struct probe {
	struct list_look_up *look_up;
	struct zone *zone;
	struct dns_question *question; /* NULL: there is none */
};

/* All zones about one address, for as many as want to know. */
struct list_look_up {
	struct lists *lists;
	struct listed *listed;
	struct sockaddr_storage address;
	struct list_look_up *next, **previous;
	struct lists_inquiry *first; /* who waits */
	int64_t deadline;
	unsigned awaited; /* of the probes */
	bool texts;       /* they are about texts now */
	struct probe probes[CONFIG_ZONES_MAX];
};

struct lists_inquiry {
	struct lists_inquiry *next, **previous;
	lists_done *done;
	void *context;
};

/* -- results -- */

static int64_t
score_of_zone(
    const struct lists *lists, const struct zone *zone, uint32_t lines)
{
	int64_t score = 0;

	if (!zone_counts(zone))
		return 0;
	for (size_t i = 0; i < lists->config->lists.n; i++)
		if (lines & zone->lines & UINT32_C(1) << i)
			score += lists->config->lists.items[i].score;
	return score;
}

static int64_t
score_of(const struct lists *lists, uint32_t lines)
{
	int64_t score = 0;

	for (size_t i = 0; i < lists->zones.n; i++)
		score += score_of_zone(lists, &lists->zones.zone[i], lines);
	return score;
}

bool
lists_refuse(const struct config *config, int64_t score)
{
	return config->refuse_score > 0 &&
	    score >= (int64_t)config->refuse_score;
}

/* Cut where there is no more room: what is behind is less than the score. */
static void
write_names(const struct lists *lists, const struct listed *listed,
    struct lists_result *out)
{
	struct buf names = BUF_INIT(LISTS_NAMES_MAX);
	struct buf text = BUF_INIT(LISTS_TEXT_MAX);

	for (size_t i = 0; i < lists->zones.n; i++) {
		const struct zone *zone = &lists->zones.zone[i];
		int64_t score = score_of_zone(lists, zone, listed->lines);

		if (score != 0)
			buf_addf(&names, "%s%s=%" PRId64,
			    names.len > 0 ? "," : "", zone->shown, score);
		if (score > 0)
			buf_addf(&text, "%s%s",
			    text.len > 0 ? ", " : "listed by ", zone->shown);
	}
	memcpy(out->names, names.data != NULL ? names.data : "", names.len);
	out->names[names.len] = '\0';
	if (lists_refuse(lists->config, out->score))
		snprintf(out->text, sizeof(out->text), "%.*s%s%s",
		    (int)text.len, text.data != NULL ? text.data : "",
		    listed->text != NULL ? ": " : "",
		    listed->text != NULL ? listed->text : "");
	buf_free(&names);
	buf_free(&text);
}

static void
write_result(const struct lists *lists, const struct listed *listed,
    struct lists_result *out)
{
	*out = (struct lists_result){.score = score_of(lists, listed->lines)};
	write_names(lists, listed, out);
}

/* -- a look-up -- */

static void
end_look_up(struct list_look_up *l)
{
	l->listed->look_up = NULL;
	*l->previous = l->next;
	if (l->next != NULL)
		l->next->previous = l->previous;
	for (size_t i = 0; i < CONFIG_ZONES_MAX; i++)
		dns_async_cancel(l->probes[i].question);
	free(l);
}

static void
leave(struct lists_inquiry *inquiry)
{
	*inquiry->previous = inquiry->next;
	if (inquiry->next != NULL)
		inquiry->next->previous = inquiry->previous;
	free(inquiry);
}

/* Whoever is told may ask anew, or make others leave. */
static void
tell_all(struct list_look_up *l)
{
	struct lists_inquiry *first = l->first;
	struct lists_result result;

	write_result(l->lists, l->listed, &result);
	if (first != NULL)
		first->previous = &first;
	end_look_up(l);
	while (first != NULL) {
		lists_done *done = first->done;
		void *context = first->context;

		leave(first);
		done(context, &result);
	}
}

static bool
waits_for_trials(const struct list_look_up *l)
{
	const struct zones *zones = &l->lists->zones;

	for (size_t i = 0; i < zones->n; i++)
		if (!zones->zone[i].tried && zones->zone[i].awaited > 0)
			return true;
	return false;
}

static void
keep_until(struct listed *listed, int64_t ms)
{
	int64_t until =
	    clock_monotonic_ms() + (ms < LONGEST_MS ? ms : LONGEST_MS);

	if (until < listed->until)
		listed->until = until;
}

static void
ask(struct list_look_up *l, size_t i, uint16_t type, dns_answered *answered)
{
	struct probe *probe = &l->probes[i];
	char name[DNS_NAME_MAX + 1];

	probe->look_up = l;
	probe->zone = &l->lists->zones.zone[i];
	if (lists_name(&l->address, probe->zone->name, name))
		probe->question = dns_async_ask(
		    l->lists->dns, name, type, l->deadline, answered, probe);
	if (probe->question != NULL)
		l->awaited++;
	else
		keep_until(l->listed, TROUBLE_MS);
}

static void
text_answered(
    void *context, enum dns_status status, const struct dns_answer *answer)
{
	struct probe *probe = context;
	struct list_look_up *l = probe->look_up;
	char text[LISTS_TEXT_MAX / 2];

	probe->question = NULL;
	if (status == DNS_FOUND && l->listed->text == NULL &&
	    lists_text(answer, text, sizeof(text)))
		l->listed->text = strdup(text);
	if (--l->awaited == 0)
		tell_all(l);
}

/* What those that speak against it have to say. */
static void
ask_for_texts(struct list_look_up *l)
{
	const struct lists *lists = l->lists;

	l->texts = true;
	for (size_t i = 0; i < lists->zones.n; i++)
		if (score_of_zone(
			lists, &lists->zones.zone[i], l->listed->lines) > 0)
			ask(l, i, DNS_TYPE_TXT, text_answered);
}

static void
go_on(struct list_look_up *l)
{
	if (l->awaited > 0 || waits_for_trials(l))
		return;
	if (!l->texts &&
	    lists_refuse(
		l->lists->config, score_of(l->lists, l->listed->lines)))
		ask_for_texts(l);
	if (l->awaited == 0)
		tell_all(l);
}

static void
take_answer(struct probe *probe, const struct dns_answer *answer)
{
	const struct config_zones *lines =
	    &probe->look_up->lists->config->lists;
	struct listed *listed = probe->look_up->listed;

	keep_until(listed, (int64_t)answer->ttl * 1000);
	for (size_t i = 0; i < lines->n; i++)
		if (probe->zone->lines & UINT32_C(1) << i &&
		    lists_matches(&lines->items[i], answer))
			listed->lines |= UINT32_C(1) << i;
}

static void
address_answered(
    void *context, enum dns_status status, const struct dns_answer *answer)
{
	struct probe *probe = context;
	struct list_look_up *l = probe->look_up;

	probe->question = NULL;
	zone_heard(probe->zone, status, answer);
	if (status == DNS_FOUND)
		take_answer(probe, answer);
	else if (status == DNS_TEMPORARY || status == DNS_BROKEN)
		keep_until(l->listed, TROUBLE_MS);
	l->awaited--;
	go_on(l);
}

static struct list_look_up *
begin_look_up(struct lists *lists, struct listed *listed,
    const struct sockaddr_storage *address)
{
	struct list_look_up *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->lists = lists;
	l->listed = listed;
	l->address = *address;
	l->deadline =
	    clock_monotonic_ms() + (int64_t)lists->config->list_timeout * 1000;
	l->next = lists->under_way;
	l->previous = &lists->under_way;
	if (l->next != NULL)
		l->next->previous = &l->next;
	lists->under_way = listed->look_up = l;
	free(listed->text);
	listed->text = NULL;
	listed->lines = 0;
	listed->until = clock_monotonic_ms() + NOT_LISTED_MS;
	for (size_t i = 0; i < lists->zones.n; i++)
		if (zone_is_asked(&lists->zones.zone[i]))
			ask(l, i, DNS_TYPE_A, address_answered);
		else
			keep_until(listed, TROUBLE_MS);
	if (l->awaited > 0 || waits_for_trials(l))
		return l;
	end_look_up(l);
	return NULL;
}

static struct lists_inquiry *
join(struct list_look_up *l, lists_done *done, void *context)
{
	struct lists_inquiry *inquiry = malloc(sizeof(*inquiry));

	if (inquiry == NULL)
		return NULL;
	*inquiry = (struct lists_inquiry){.next = l->first,
	    .previous = &l->first,
	    .done = done,
	    .context = context};
	if (l->first != NULL)
		l->first->previous = &inquiry->next;
	l->first = inquiry;
	return inquiry;
}

/* -- what others call -- */

bool
lists_apply(const struct config *config, const struct sockaddr_storage *address)
{
	return config->lists.n > 0 &&
	    (address->ss_family == AF_INET || address->ss_family == AF_INET6) &&
	    !config_net_contains(&config->relay_from, address) &&
	    !config_net_contains(&config->trust_client, address);
}

struct lists_inquiry *
lists_ask(struct lists *lists, const struct sockaddr_storage *address,
    lists_done *done, void *context, struct lists_result *now)
{
	struct lists_inquiry *inquiry = NULL;
	struct listed *listed;

	*now = (struct lists_result){.score = 0};
	if (lists == NULL || !lists_apply(lists->config, address))
		return NULL;
	listed = lists_recall(&lists->memory, address);
	if (listed == NULL)
		return NULL;
	if (listed->look_up == NULL && listed->until <= clock_monotonic_ms())
		(void)begin_look_up(lists, listed, address);
	if (listed->look_up != NULL)
		inquiry = join(listed->look_up, done, context);
	if (inquiry == NULL)
		write_result(lists, listed, now);
	return inquiry;
}

/* The look-up goes on: the next client of that address is told at once. */
void
lists_cancel(struct lists_inquiry *inquiry)
{
	if (inquiry != NULL)
		leave(inquiry);
}

/* It may end the look-up, but not the next one. */
static void
zone_tried(void *context)
{
	struct lists *lists = context;
	struct list_look_up *next;

	for (struct list_look_up *l = lists->under_way; l != NULL; l = next) {
		next = l->next;
		go_on(l);
	}
}

static struct lists *
begin(const struct config *config, struct dns_async *dns)
{
	struct lists *lists = calloc(1, sizeof(*lists));

	if (lists == NULL) {
		dns_async_close(dns);
		return NULL;
	}
	lists->config = config;
	lists->dns = lists->zones.dns = dns;
	lists->zones.patience = (int64_t)config->list_timeout * 1000;
	lists->zones.tried = zone_tried;
	lists->zones.context = lists;
	if (dns != NULL)
		zones_begin(&lists->zones, config);
	return lists;
}

struct lists *
lists_open(const struct config *config)
{
	struct dns_async *dns = NULL;

	if (config->lists.n > 0) {
		dns = dns_async_open(config, QUESTIONS_MAX);
		if (dns == NULL)
			return NULL;
	}
	return begin(config, dns);
}

void
lists_close(struct lists *lists)
{
	if (lists == NULL)
		return;
	while (lists->under_way != NULL)
		end_look_up(lists->under_way);
	zones_end(&lists->zones);
	lists_forget(&lists->memory);
	dns_async_close(lists->dns);
	free(lists);
}

/* -- for who waits -- */

static void
take_result(void *context, const struct lists_result *result)
{
	*(struct lists_result *)context = *result;
	loop_stop(0);
}

void
lists_look_up(const struct config *config, struct dns *dns,
    const struct sockaddr_storage *address, struct lists_result *result)
{
	struct dns_async *asker;
	struct lists *lists;

	*result = (struct lists_result){.score = 0};
	if (dns == NULL || !lists_apply(config, address))
		return;
	loop_init();
	asker = dns_async_over(dns, QUESTIONS_MAX);
	lists = asker != NULL ? begin(config, asker) : NULL;
	if (lists_ask(lists, address, take_result, result, result) != NULL)
		(void)loop_run();
	lists_close(lists);
	loop_after_fork();
}
