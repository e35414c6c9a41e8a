/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_TABLE_H
#define LEDGER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/buf.h"
#include "ledger/fields.h"

/*
 * Everything that the ledger remembers is rows in tables, each with a bound.
 * Where a table is full, the least worth of a few rows picked at random goes
 * for a new one.  So who floods it loses his own rows: to push out a row of
 * worth he would have to fill the table with rows that are worth as much.
 *
 * A row is embedded in what it is about (container_of).
 */
struct table;

struct row {
	struct table *table; /* NULL: in none */
	size_t place;
	/* changed, and not in the journal yet; see ledger/journal.h */
	struct row *next_dirty, **dirty_link;
};

struct kind {
	const char *name; /* a word, in the journal */
	size_t max;
	/* Order by key: of two rows, one of which may be no more than that. */
	int (*compare)(const void *, const void *); /* struct row */
	void (*free)(struct row *);
	/* Nothing in it matters any more. */
	bool (*is_over)(const struct row *, time_t now);
	int64_t (*worth)(const struct row *, time_t now);
	/* As fields of a line, key first; and back: a new row, or NULL. */
	void (*write)(const struct row *, struct buf *line);
	struct row *(*read)(struct fields *, time_t now);
};

struct table {
	const struct kind *kind;
	void *tree; /* tsearch(3): no key makes it slow */
	struct row **rows;
	size_t n, room;
};

/* The row whose key compares as equal to that row's; NULL: there is none. */
struct row *table_find(const struct table *, const struct row *key);

/*
 * Make it a row of the table.  False, and it is still the caller's, without
 * memory.  Its key must not be there.
 */
bool table_add(struct table *, struct row *, time_t now);

/* Remove and free it. */
void table_drop(struct row *);

/* Drop what is over among the next n rows, from *at on, which is moved. */
void table_sweep(struct table *, size_t *at, size_t n, time_t now);

/* Drop all. */
void table_clear(struct table *);

/* One of n, at random: which one an attacker must not know. */
size_t table_pick(size_t n);

/* It is to be written down; see ledger/journal.h. */
void row_changed(struct row *);
/* The rows that are to be, the first of them. */
extern struct row *dirty_rows;
void row_written(struct row *);

#endif
