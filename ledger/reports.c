/* SPDX-License-Identifier: ISC */
#include "ledger/reports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"

enum { DAY_S = 86400, PICKED = 16 };

enum { DAYS, ROWS };

#define DAY(pointer) container_of(pointer, struct report_day, row)
#define ROW(pointer) container_of(pointer, struct report_row, row)

uint32_t
reports_day(time_t when)
{
	return (uint32_t)(when / DAY_S);
}

/* A day to come is one of a clock that was wrong. */
static bool
is_day_over(uint32_t day, time_t now)
{
	uint32_t today = reports_day(now);

	return day + REPORTS_KEPT_DAYS < today || day > today + 1;
}

static int
compare_keys(
    uint32_t day, const char *key, uint32_t other_day, const char *other_key)
{
	if (day != other_day)
		return day < other_day ? -1 : 1;
	return strcmp(key, other_key);
}

/* -- rows -- */

static int
row_compare(const void *a, const void *b)
{
	const struct report_row *x = ROW((const struct row *)a);
	const struct report_row *y = ROW((const struct row *)b);

	return compare_keys(x->day, x->key, y->day, y->key);
}

static void
row_free(struct row *row)
{
	struct report_row *r = ROW(row);
	struct report_day *d = r->of;

	if (d != NULL) {
		d->rows[r->place] = d->rows[--d->n];
		d->rows[r->place]->place = r->place;
	}
	free(r);
}

static bool
row_is_over(const struct row *row, time_t now)
{
	return is_day_over(ROW(row)->day, now);
}

static int64_t
row_worth(const struct row *row, time_t now)
{
	(void)now;
	return (int64_t)ROW(row)->count;
}

static void
row_write(const struct row *row, struct buf *line)
{
	fields_number(line, ROW(row)->day);
	fields_text(line, ROW(row)->key);
	fields_number(line, ROW(row)->count);
}

static struct report_row *
new_row(uint32_t day, const char *key)
{
	size_t n = strlen(key) + 1;
	struct report_row *r = calloc(1, sizeof(*r) + n);

	if (r != NULL) {
		r->day = day;
		memcpy(r->key, key, n);
	}
	return r;
}

static struct row *
row_read(struct fields *f, time_t now)
{
	uint32_t day = (uint32_t)fields_take_number(f, UINT32_MAX / 2);
	struct report_row *r = new_row(
	    day, fields_take(f, REPORTS_DOMAIN_MAX + 1 + REPORTS_ROW_MAX));

	(void)now;
	if (r == NULL)
		return NULL;
	r->count = fields_take_number(f, INT64_MAX);
	if (strchr(r->key, '\t') == NULL)
		f->failed = true;
	return &r->row;
}

/* -- days -- */

static int
day_compare(const void *a, const void *b)
{
	const struct report_day *x = DAY((const struct row *)a);
	const struct report_day *y = DAY((const struct row *)b);

	return compare_keys(x->day, x->domain, y->day, y->domain);
}

static void
drop_rows(struct report_day *d)
{
	while (d->n > 0)
		table_drop(&d->rows[d->n - 1]->row);
	free(d->rows);
	d->rows = NULL;
	d->room = 0;
}

static void
day_free(struct row *row)
{
	drop_rows(DAY(row));
	free(DAY(row)->rua);
	free(DAY(row));
}

static bool
day_is_over(const struct row *row, time_t now)
{
	return is_day_over(DAY(row)->day, now);
}

static int64_t
day_worth(const struct row *row, time_t now)
{
	(void)now;
	return DAY(row)->reported ? 0 : (int64_t)DAY(row)->messages;
}

static void
day_write(const struct row *row, struct buf *line)
{
	const struct report_day *d = DAY(row);

	fields_number(line, d->day);
	fields_text(line, d->domain);
	fields_text(line, d->policy);
	fields_text(line, d->rua);
	fields_number(line, d->messages);
	fields_number(line, d->reported);
}

static struct report_day *
new_day(uint32_t day, const char *domain)
{
	size_t n = strlen(domain) + 1;
	struct report_day *d = calloc(1, sizeof(*d) + n);

	if (d != NULL) {
		d->day = day;
		memcpy(d->domain, domain, n);
	}
	return d;
}

static struct row *
day_read(struct fields *f, time_t now)
{
	uint32_t day = (uint32_t)fields_take_number(f, UINT32_MAX / 2);
	struct report_day *d = new_day(day, fields_take(f, REPORTS_DOMAIN_MAX));

	(void)now;
	if (d == NULL)
		return NULL;
	snprintf(d->policy, sizeof(d->policy), "%s",
	    fields_take(f, REPORTS_POLICY_MAX));
	d->rua = strdup(fields_take(f, REPORTS_RUA_MAX));
	d->messages = fields_take_number(f, INT64_MAX);
	d->reported = fields_take_number(f, 1) == 1;
	if (d->rua == NULL || d->domain[0] == '\0')
		f->failed = true;
	return &d->row;
}

/* -- the tables -- */

static const struct kind kinds[REPORTS_TABLES] = {
    [DAYS] = {"report", REPORTS_DAYS_MAX, day_compare, day_free, day_is_over,
	day_worth, day_write, day_read},
    [ROWS] = {"report-row", REPORTS_ROWS_MAX, row_compare, row_free,
	row_is_over, row_worth, row_write, row_read},
};

struct table report_tables[REPORTS_TABLES] = {
    [DAYS] = {.kind = &kinds[DAYS]},
    [ROWS] = {.kind = &kinds[ROWS]},
};

/* -- counting -- */

struct report_day *
reports_find(uint32_t day, const char *domain)
{
	union {
		struct report_day day;
		char room[sizeof(struct report_day) + REPORTS_DOMAIN_MAX + 1];
	} key;
	struct row *row;

	if (strlen(domain) > REPORTS_DOMAIN_MAX)
		return NULL;
	key.day.day = day;
	memcpy(key.day.domain, domain, strlen(domain) + 1);
	row = table_find(&report_tables[DAYS], &key.day.row);
	return row != NULL ? DAY(row) : NULL;
}

static struct report_day *
make_day(uint32_t day, const char *domain, time_t now)
{
	struct report_day *d = reports_find(day, domain);

	if (d != NULL)
		return d;
	d = new_day(day, domain);
	if (d == NULL || table_add(&report_tables[DAYS], &d->row, now))
		return d;
	free(d);
	return NULL;
}

static bool
join(struct report_day *d, struct report_row *r)
{
	if (d->n == d->room) {
		size_t room = d->room == 0 ? 8 : 2 * d->room;
		struct report_row **rows =
		    reallocarray(d->rows, room, sizeof(struct report_row *));

		if (rows == NULL)
			return false;
		d->rows = rows;
		d->room = room;
	}
	r->of = d;
	r->place = d->n;
	d->rows[d->n++] = r;
	return true;
}

/* As table_add() does where the whole table is full. */
static void
make_room(struct report_day *d)
{
	struct report_row *least = d->rows[table_pick(d->n)];

	for (int i = 1; i < PICKED; i++) {
		struct report_row *r = d->rows[table_pick(d->n)];

		if (r->count < least->count)
			least = r;
	}
	table_drop(&least->row);
}

static struct report_row *
find_row(uint32_t day, const char *key)
{
	union {
		struct report_row row;
		char room[sizeof(struct report_row) + REPORTS_DOMAIN_MAX + 1 +
		    REPORTS_ROW_MAX + 1];
	} wanted;
	struct row *row;

	wanted.row.day = day;
	memcpy(wanted.row.key, key, strlen(key) + 1);
	row = table_find(&report_tables[ROWS], &wanted.row.row);
	return row != NULL ? ROW(row) : NULL;
}

static struct report_row *
add_row(struct report_day *d, const char *key, time_t now)
{
	struct report_row *r = new_row(d->day, key);

	if (r == NULL)
		return NULL;
	if (d->n >= REPORTS_DAY_ROWS_MAX)
		make_room(d);
	if (!table_add(&report_tables[ROWS], &r->row, now)) {
		free(r);
		return NULL;
	}
	if (!join(d, r)) {
		table_drop(&r->row);
		return NULL;
	}
	return r;
}

static void
count_row(struct report_day *d, const char *text, time_t now)
{
	char key[REPORTS_DOMAIN_MAX + 1 + REPORTS_ROW_MAX + 1];
	struct report_row *r;

	snprintf(key, sizeof(key), "%s\t%s", d->domain, text);
	r = find_row(d->day, key);
	if (r == NULL && (r = add_row(d, key, now)) == NULL)
		return;
	r->count++;
	row_changed(&r->row);
}

/* The policy that was seen last is the one that is reported (RFC 9990). */
static bool
note_policy(struct report_day *d, const char *policy, const char *rua)
{
	char *copy;

	snprintf(d->policy, sizeof(d->policy), "%s", policy);
	if (d->rua != NULL && strcmp(d->rua, rua) == 0)
		return true;
	copy = strdup(rua);
	if (copy == NULL)
		return false;
	free(d->rua);
	d->rua = copy;
	return true;
}

void
reports_count(const char *domain, const char *policy, const char *rua,
    const char *text, time_t now)
{
	struct report_day *d;

	if (*domain == '\0' || strlen(domain) > REPORTS_DOMAIN_MAX ||
	    strlen(policy) > REPORTS_POLICY_MAX ||
	    strlen(rua) > REPORTS_RUA_MAX || strlen(text) > REPORTS_ROW_MAX)
		return;
	d = make_day(reports_day(now), domain, now);
	if (d == NULL || d->reported)
		return;
	if (!note_policy(d, policy, rua)) {
		if (d->rua == NULL)
			table_drop(&d->row);
		return;
	}
	d->messages++;
	row_changed(&d->row);
	count_row(d, text, now);
}

/* -- reading -- */

struct report_day *
reports_after(uint32_t day, const char *domain)
{
	const struct table *t = &report_tables[DAYS];
	struct report_day *first = NULL;

	for (size_t i = 0; i < t->n; i++) {
		struct report_day *d = DAY(t->rows[i]);

		if (compare_keys(d->day, d->domain, day, domain) > 0 &&
		    (first == NULL || day_compare(&d->row, &first->row) < 0))
			first = d;
	}
	return first;
}

const char *
report_row_text(const struct report_row *r)
{
	return strchr(r->key, '\t') + 1;
}

void
reports_done(struct report_day *d)
{
	drop_rows(d);
	d->reported = true;
	row_changed(&d->row);
}

/* The journal may still have rows that were dropped. */
void
reports_restored(void)
{
	struct table *t = &report_tables[ROWS];

	for (size_t i = t->n; i > 0; i--) {
		struct report_row *r = ROW(t->rows[i - 1]);
		char domain[REPORTS_DOMAIN_MAX + 1];
		struct report_day *d;

		snprintf(domain, sizeof(domain), "%.*s",
		    (int)strcspn(r->key, "\t"), r->key);
		d = reports_find(r->day, domain);
		if (d == NULL || d->reported || d->n >= REPORTS_DAY_ROWS_MAX ||
		    !join(d, r))
			table_drop(&r->row);
	}
}
