/* SPDX-License-Identifier: ISC */
#include "ledger/table.h"

#include <search.h>
#include <stdlib.h>
#include <sys/random.h>

enum { PICKED = 16 };

struct row *dirty_rows;

void
row_changed(struct row *row)
{
	if (row->dirty_link != NULL)
		return;
	row->next_dirty = dirty_rows;
	row->dirty_link = &dirty_rows;
	if (dirty_rows != NULL)
		dirty_rows->dirty_link = &row->next_dirty;
	dirty_rows = row;
}

void
row_written(struct row *row)
{
	if (row->dirty_link == NULL)
		return;
	*row->dirty_link = row->next_dirty;
	if (row->next_dirty != NULL)
		row->next_dirty->dirty_link = row->dirty_link;
	row->dirty_link = NULL;
}

struct row *
table_find(const struct table *t, const struct row *key)
{
	struct row **found = tfind(key, &t->tree, t->kind->compare);

	return found != NULL ? *found : NULL;
}

void
table_drop(struct row *row)
{
	struct table *t = row->table;
	struct row *last = t->rows[--t->n];

	tdelete(row, &t->tree, t->kind->compare);
	row_written(row);
	if (last != row) {
		t->rows[row->place] = last;
		last->place = row->place;
		/* Who goes through the rows may have passed that place. */
		row_changed(last);
	}
	t->kind->free(row);
}

size_t
table_pick(size_t n)
{
	static uint64_t state;

	while (state == 0)
		if (getrandom(&state, sizeof(state), 0) != sizeof(state))
			state = 1;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (size_t)(state % n);
}

static void
make_room(struct table *t, time_t now)
{
	struct row *least = t->rows[table_pick(t->n)];
	int64_t worth = t->kind->worth(least, now);

	for (int i = 1; i < PICKED; i++) {
		struct row *row = t->rows[table_pick(t->n)];
		int64_t other = t->kind->worth(row, now);

		if (other < worth) {
			least = row;
			worth = other;
		}
	}
	table_drop(least);
}

bool
table_add(struct table *t, struct row *row, time_t now)
{
	if (t->n >= t->kind->max)
		make_room(t, now);
	if (t->n == t->room) {
		size_t room = t->room == 0 ? 64 : 2 * t->room;
		struct row **rows = reallocarray(t->rows, room, sizeof(*rows));

		if (rows == NULL)
			return false;
		t->rows = rows;
		t->room = room;
	}
	if (tsearch(row, &t->tree, t->kind->compare) == NULL)
		return false;
	row->table = t;
	row->place = t->n;
	t->rows[t->n++] = row;
	return true;
}

void
table_sweep(struct table *t, size_t *at, size_t n, time_t now)
{
	if (*at >= t->n)
		*at = 0;
	for (; n > 0 && *at < t->n; n--)
		if (t->kind->is_over(t->rows[*at], now))
			table_drop(t->rows[*at]);
		else
			++*at;
}

void
table_clear(struct table *t)
{
	while (t->n > 0)
		table_drop(t->rows[t->n - 1]);
	free(t->rows);
	t->rows = NULL;
	t->room = 0;
}
