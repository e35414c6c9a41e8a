/* SPDX-License-Identifier: ISC */
#include "ledger/grey.h"

#include <stdlib.h>

#include "common/loop.h"
#include "ledger/digest.h"
#include "ledger/prefix.h"

enum {
	WAITING_MAX = 1 << 18,
	WAIVED_MAX = 1 << 17,
	AGAIN_S = 3600 /* the time of use is written so often */
};

struct grey_limits grey_limits = {120, 86400, 36 * 86400};

struct waiting {
	struct row row;
	struct digest what; /* key, sender, recipient */
	uint64_t network;   /* a digest's half, of the client's */
	time_t first;
};

struct waived {
	struct row row;
	struct digest key;
	time_t last; /* it was used, give or take an hour */
};

static struct crowds crowds;

/* -- those that wait -- */

#define WAITING(pointer) container_of(pointer, struct waiting, row)

static int
waiting_compare(const void *a, const void *b)
{
	return digest_compare(&WAITING((const struct row *)a)->what,
	    &WAITING((const struct row *)b)->what);
}

/* One counts in its crowd from when it is made until it is freed. */
static struct waiting *
waiting_new(const struct digest *what, uint64_t network, time_t first)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->what = *what;
	w->network = network;
	w->first = first;
	crowds_add(&crowds, network);
	return w;
}

static void
waiting_free(struct row *row)
{
	crowds_remove(&crowds, WAITING(row)->network);
	free(WAITING(row));
}

static bool
waiting_is_over(const struct row *row, time_t now)
{
	return now - WAITING(row)->first > (time_t)grey_limits.window;
}

static int64_t
waiting_worth(const struct row *row, time_t now)
{
	const struct waiting *w = WAITING(row);

	(void)now;
	return w->first - ((int64_t)crowds_count(&crowds, w->network) << 36);
}

static void
waiting_write(const struct row *row, struct buf *line)
{
	digest_write(&WAITING(row)->what, line);
	fields_number(line, WAITING(row)->network);
	fields_number(line, (uint64_t)WAITING(row)->first);
}

static struct row *
waiting_read(struct fields *f, time_t now)
{
	struct digest what;
	struct waiting *w;
	uint64_t network;

	digest_read(f, &what);
	network = fields_take_number(f, UINT64_MAX);
	w = waiting_new(&what, network, fields_take_time(f, now));
	return w != NULL ? &w->row : NULL;
}

/* -- keys that have waited -- */

#define WAIVED(pointer) container_of(pointer, struct waived, row)

static int
waived_compare(const void *a, const void *b)
{
	return digest_compare(&WAIVED((const struct row *)a)->key,
	    &WAIVED((const struct row *)b)->key);
}

static void
waived_free(struct row *row)
{
	free(WAIVED(row));
}

static bool
waived_is_over(const struct row *row, time_t now)
{
	return now - WAIVED(row)->last > (time_t)grey_limits.memory;
}

static int64_t
waived_worth(const struct row *row, time_t now)
{
	(void)now;
	return WAIVED(row)->last;
}

static void
waived_write(const struct row *row, struct buf *line)
{
	digest_write(&WAIVED(row)->key, line);
	fields_number(line, (uint64_t)WAIVED(row)->last);
}

static struct row *
waived_read(struct fields *f, time_t now)
{
	struct waived *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	digest_read(f, &w->key);
	w->last = fields_take_time(f, now);
	return &w->row;
}

enum { WAITING_TABLE, WAIVED_TABLE };

static const struct kind kinds[GREY_TABLES] = {
    [WAITING_TABLE] = {"grey", WAITING_MAX, waiting_compare, waiting_free,
	waiting_is_over, waiting_worth, waiting_write, waiting_read},
    [WAIVED_TABLE] = {"waived", WAIVED_MAX, waived_compare, waived_free,
	waived_is_over, waived_worth, waived_write, waived_read},
};

struct table grey_tables[GREY_TABLES] = {
    [WAITING_TABLE] = {.kind = &kinds[WAITING_TABLE]},
    [WAIVED_TABLE] = {.kind = &kinds[WAIVED_TABLE]},
};

/* -- what is asked -- */

static struct waiting *
find_waiting(const struct digest *what)
{
	const struct waiting key = {.what = *what};
	struct row *row = table_find(&grey_tables[WAITING_TABLE], &key.row);

	return row != NULL ? WAITING(row) : NULL;
}

static struct waived *
find_waived(const char *name)
{
	const struct waived key = {.key = digest_of(&name, 1)};
	struct row *row = table_find(&grey_tables[WAIVED_TABLE], &key.row);

	return row != NULL ? WAIVED(row) : NULL;
}

static bool
is_waived(const char *name, bool dry, time_t now)
{
	struct waived *w = find_waived(name);

	if (w == NULL || waived_is_over(&w->row, now))
		return false;
	if (!dry && (now - w->last >= AGAIN_S || now < w->last)) {
		w->last = now;
		row_changed(&w->row);
	}
	return true;
}

static void
waive(const char *name, time_t now)
{
	struct waived *w = find_waived(name);

	if (w == NULL) {
		w = calloc(1, sizeof(*w));
		if (w == NULL)
			return;
		w->key = digest_of(&name, 1);
		if (!table_add(&grey_tables[WAIVED_TABLE], &w->row, now)) {
			free(w);
			return;
		}
	}
	w->last = now;
	row_changed(&w->row);
}

static void
begin_to_wait(const struct digest *what, const char *client, time_t now)
{
	char network[PREFIX_TEXT_MAX] = "";
	const char *name = network;
	struct prefix prefix;
	struct waiting *w;

	if (prefix_of(client, &prefix)) {
		prefix = prefix_network(&prefix);
		prefix_format(&prefix, network);
	}
	w = waiting_new(what, digest_of(&name, 1).half[0], now);
	if (w == NULL)
		return;
	if (table_add(&grey_tables[WAITING_TABLE], &w->row, now))
		row_changed(&w->row);
	else
		waiting_free(&w->row);
}

uint32_t
grey_wait(const struct grey_case *g, bool dry, time_t now)
{
	const char *const texts[] = {g->key, g->sender, g->recipient};
	struct digest what;
	struct waiting *w;
	time_t age;

	if (is_waived(g->key, dry, now))
		return 0;
	what = digest_of(texts, 3);
	w = find_waiting(&what);
	if (w == NULL) {
		if (!dry)
			begin_to_wait(&what, g->client, now);
		return grey_limits.delay;
	}
	age = now - w->first;
	if (age < 0 || age > (time_t)grey_limits.window) {
		if (!dry) {
			w->first = now;
			row_changed(&w->row);
		}
		return grey_limits.delay;
	}
	if (age < (time_t)grey_limits.delay)
		return grey_limits.delay - (uint32_t)age;
	if (!dry) {
		waive(g->key, now);
		table_drop(&w->row);
	}
	return 0;
}

void
grey_unlearn(const char *key)
{
	struct waived *w = find_waived(key);

	if (w == NULL)
		return;
	w->last = 0; /* for the journal, too */
	row_changed(&w->row);
}
