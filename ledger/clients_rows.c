/* SPDX-License-Identifier: ISC */
#include "ledger/clients_rows.h"

#include <stdlib.h>

#include "common/loop.h"

enum {
	ROWS_MAX = 1 << 17,
	GRUDGE_S = 300,
	GRUDGE_MAX_S = 4 * 3600,
	GRUDGES_MAX = 16,
	GRUDGES_KEPT_S = 86400
};

#define CLIENT(pointer) container_of(pointer, struct client, row)

/* -- grudges -- */

/* Seconds behind the begin of the last one. */
static time_t
grudge_age(const struct client *c, time_t now)
{
	return now > c->since ? now - c->since : 0;
}

uint32_t
client_grudge(struct client *c, time_t now)
{
	if (now < c->since) /* the clock was set back */
		c->since = now;
	return c->grudges > 0 && grudge_age(c, now) < (time_t)c->length
	    ? (uint32_t)((time_t)c->length - grudge_age(c, now))
	    : 0;
}

bool
client_is_forgiven(const struct client *c, time_t now)
{
	return c->grudges == 0 ||
	    grudge_age(c, now) > (time_t)c->length + GRUDGES_KEPT_S;
}

void
client_bear_grudge(struct client *c, time_t now)
{
	if (client_is_forgiven(c, now))
		c->grudges = 0;
	c->length = GRUDGE_S;
	for (unsigned i = 0; i < c->grudges && c->length < GRUDGE_MAX_S; i++)
		c->length *= 2;
	if (c->length > GRUDGE_MAX_S)
		c->length = GRUDGE_MAX_S;
	c->grudges += c->grudges < GRUDGES_MAX;
	c->since = now;
}

/* -- the table -- */

static int
compare(const void *a, const void *b)
{
	return prefix_compare(&CLIENT((const struct row *)a)->prefix,
	    &CLIENT((const struct row *)b)->prefix);
}

static void
free_row(struct row *row)
{
	free(CLIENT(row));
}

static uint64_t
used_in_all(const struct client *c, time_t now)
{
	uint64_t used = 0;

	for (size_t i = 0; i < CLIENTS_TALLIES; i++)
		used += bucket_used(&c->tallies[i], now);
	return used;
}

static bool
is_over(const struct row *row, time_t now)
{
	const struct client *c = CLIENT(row);

	return used_in_all(c, now) == 0 && client_is_forgiven(c, now);
}

/* Who has done most stays, whoever is borne a grudge first of all. */
static int64_t
worth(const struct row *row, time_t now)
{
	const struct client *c = CLIENT(row);

	return (int64_t)c->grudges << 48 | (int64_t)used_in_all(c, now);
}

static void
write_row(const struct row *row, struct buf *line)
{
	const struct client *c = CLIENT(row);
	char text[PREFIX_TEXT_MAX];

	prefix_format(&c->prefix, text);
	fields_text(line, text);
	for (size_t i = 0; i < CLIENTS_TALLIES; i++)
		bucket_write(&c->tallies[i], line);
	fields_number(line, c->shut);
	fields_number(line, c->grudges);
	fields_number(line, c->length);
	fields_number(line, (uint64_t)c->since);
}

static struct row *
read_row(struct fields *f, time_t now)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	if (!prefix_parse(fields_take(f, PREFIX_TEXT_MAX), &c->prefix))
		f->failed = true;
	for (size_t i = 0; i < CLIENTS_TALLIES; i++)
		bucket_read(f, &c->tallies[i], now);
	c->shut = fields_take_number(f, 1) == 1;
	c->grudges = (unsigned)fields_take_number(f, GRUDGES_MAX);
	c->length = (uint32_t)fields_take_number(f, GRUDGE_MAX_S);
	c->since = fields_take_time(f, now);
	return &c->row;
}

static const struct kind kind = {
    "client", ROWS_MAX, compare, free_row, is_over, worth, write_row, read_row};

struct table clients_table = {.kind = &kind};

struct client *
client_find(const struct prefix *prefix)
{
	const struct client key = {.prefix = *prefix};
	struct row *row = table_find(&clients_table, &key.row);

	return row != NULL ? CLIENT(row) : NULL;
}

struct client *
client_make(const struct prefix *prefix, time_t now)
{
	struct client *c = client_find(prefix);

	if (c != NULL || (c = calloc(1, sizeof(*c))) == NULL)
		return c;
	c->prefix = *prefix;
	if (table_add(&clients_table, &c->row, now))
		return c;
	free(c);
	return NULL;
}
