/* SPDX-License-Identifier: ISC */
#include "ledger/destinations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"

enum {
	ROWS_MAX = 1 << 16,
	MEMORY_S = 60 * 86400,
	SEEN_ANEW_S = 3600 /* the time of the last look is written so often */
};

/* Both kinds of rows begin like that. */
struct named {
	struct row row;
	time_t seen;
	char name[DESTINATION_NAME_MAX + 1];
};

struct host {
	struct named named;
	struct host_view view;
};

struct delivery {
	struct named named;
	struct delivery_view view;
};

#define NAMED(pointer)    container_of(pointer, struct named, row)
#define HOST(pointer)     container_of(pointer, struct host, named.row)
#define DELIVERY(pointer) container_of(pointer, struct delivery, named.row)

static int
compare(const void *a, const void *b)
{
	return strcmp(NAMED((const struct row *)a)->name,
	    NAMED((const struct row *)b)->name);
}

static void
free_named(struct row *row)
{
	free(NAMED(row));
}

static bool
is_over(const struct row *row, time_t now)
{
	return now - NAMED(row)->seen > MEMORY_S;
}

static int64_t
worth(const struct row *row, time_t now)
{
	(void)now;
	return NAMED(row)->seen;
}

static void
write_named(const struct row *row, struct buf *line)
{
	fields_text(line, NAMED(row)->name);
	fields_number(line, (uint64_t)NAMED(row)->seen);
}

static void
copy(char *out, size_t size, const char *text)
{
	size_t n = strnlen(text, size - 1);

	memcpy(out, text, n);
	out[n] = '\0';
}

static void
read_named(struct fields *f, struct named *named, time_t now)
{
	copy(named->name, sizeof(named->name),
	    fields_take(f, DESTINATION_NAME_MAX));
	named->seen = fields_take_time(f, now);
}

/* -- hosts -- */

static void
write_host(const struct row *row, struct buf *line)
{
	const struct host_view *v = &HOST(row)->view;

	write_named(row, line);
	fields_number(line, v->tls);
	fields_text(line, v->protocol);
	fields_number(line, (uint64_t)v->since);
	fields_number(line, (uint64_t)v->broken);
}

static struct row *
read_host(struct fields *f, time_t now)
{
	struct host *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	read_named(f, &h->named, now);
	h->view.tls = (enum host_tls)fields_take_number(f, HOST_NO);
	copy(h->view.protocol, sizeof(h->view.protocol),
	    fields_take(f, DESTINATION_WORD_MAX));
	h->view.since = fields_take_time(f, now);
	h->view.broken = fields_take_time(f, now);
	return &h->named.row;
}

/* -- deliveries -- */

static void
write_delivery(const struct row *row, struct buf *line)
{
	const struct delivery_view *v = &DELIVERY(row)->view;

	write_named(row, line);
	fields_number(line, (uint64_t)v->when);
	fields_text(line, v->host);
	fields_text(line, v->policy);
	fields_text(line, v->result);
	fields_text(line, v->reason);
}

static struct row *
read_delivery(struct fields *f, time_t now)
{
	struct delivery *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	read_named(f, &d->named, now);
	d->view.when = fields_take_time(f, now);
	copy(d->view.host, sizeof(d->view.host),
	    fields_take(f, DESTINATION_NAME_MAX));
	copy(d->view.policy, sizeof(d->view.policy),
	    fields_take(f, DESTINATION_WORD_MAX));
	copy(d->view.result, sizeof(d->view.result),
	    fields_take(f, DESTINATION_WORD_MAX));
	copy(d->view.reason, sizeof(d->view.reason),
	    fields_take(f, DESTINATION_REASON_MAX));
	return &d->named.row;
}

/* -- the tables -- */

enum { HOSTS, DELIVERIES };

static const struct kind kinds[DESTINATION_TABLES] = {
    [HOSTS] = {"host", ROWS_MAX, compare, free_named, is_over, worth,
	write_host, read_host},
    [DELIVERIES] = {"delivery", ROWS_MAX, compare, free_named, is_over, worth,
	write_delivery, read_delivery},
};

struct table destination_tables[DESTINATION_TABLES] = {
    [HOSTS] = {.kind = &kinds[HOSTS]},
    [DELIVERIES] = {.kind = &kinds[DELIVERIES]},
};

static struct row *
find(int table, const char *name)
{
	struct named key;

	copy(key.name, sizeof(key.name), name);
	return table_find(&destination_tables[table], &key.row);
}

/* The row that is there, or a new one; NULL without memory. */
static struct row *
make(int table, size_t size, const char *name, time_t now)
{
	struct row *row = find(table, name);
	struct named *named;

	if (row != NULL)
		return row;
	named = calloc(1, size);
	if (named == NULL)
		return NULL;
	copy(named->name, sizeof(named->name), name);
	if (table_add(&destination_tables[table], &named->row, now))
		return &named->row;
	free(named);
	return NULL;
}

static void
see(struct row *row, bool changed, time_t now)
{
	struct named *named = NAMED(row);

	if (!changed && now - named->seen < SEEN_ANEW_S && now >= named->seen)
		return;
	named->seen = now;
	row_changed(row);
}

void
host_remember(
    const char *name, enum host_tls tls, const char *protocol, time_t now)
{
	struct row *row = make(HOSTS, sizeof(struct host), name, now);
	struct host_view *v, before;

	if (row == NULL)
		return;
	v = &HOST(row)->view;
	before = *v;
	if (tls == HOST_BROKEN) {
		v->broken = now;
	} else {
		if (v->tls != tls)
			v->since = now;
		v->tls = tls;
		memset(v->protocol, 0, sizeof(v->protocol));
		copy(v->protocol, sizeof(v->protocol), protocol);
		if (tls == HOST_YES)
			v->broken = 0;
	}
	see(row,
	    v->tls != before.tls || v->broken != before.broken ||
		strcmp(v->protocol, before.protocol) != 0,
	    now);
}

bool
host_recall(const char *name, struct host_view *view)
{
	struct row *row = find(HOSTS, name);

	if (row != NULL)
		*view = HOST(row)->view;
	return row != NULL;
}

void
delivery_remember(
    const char *domain, const struct delivery_view *view, time_t now)
{
	struct row *row =
	    make(DELIVERIES, sizeof(struct delivery), domain, now);
	struct delivery_view *v, before;

	if (row == NULL)
		return;
	v = &DELIVERY(row)->view;
	before = *v;
	*v = *view;
	v->when = now;
	see(row,
	    strcmp(v->host, before.host) != 0 ||
		strcmp(v->policy, before.policy) != 0 ||
		strcmp(v->result, before.result) != 0 ||
		strcmp(v->reason, before.reason) != 0,
	    now);
}

bool
delivery_recall(const char *domain, struct delivery_view *view)
{
	struct row *row = find(DELIVERIES, domain);

	if (row != NULL)
		*view = DELIVERY(row)->view;
	return row != NULL;
}
