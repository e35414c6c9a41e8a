/* SPDX-License-Identifier: ISC */
#include "ledger/logins_rows.h"

#include <stdlib.h>
#include <string.h>

enum {
	SOURCES_MAX = 1 << 17,
	TARGETS_MAX = 1 << 16,
	OWNERS_MAX = 1 << 20,
	KNOWN_ANEW_S = 3600 /* the time of a login is written so often */
};

/* -- what all have -- */

static void
write_window(struct buf *line, const struct window *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WINDOW_SLOTS; i++)
		n += w->counts[i] > 0;
	fields_number(line, n);
	for (unsigned i = 0; i < WINDOW_SLOTS; i++) {
		time_t when = window_time(w, logins_limits.window, i);

		if (w->counts[i] == 0)
			continue;
		fields_number(line, when > 0 ? (uint64_t)when : 0);
		fields_number(line, w->counts[i]);
	}
}

static void
read_window(struct fields *f, struct window *w, time_t now)
{
	uint64_t n = fields_take_number(f, WINDOW_SLOTS);

	for (; n > 0 && !f->failed; n--) {
		time_t when = fields_take_time(f, now);

		window_restore(w, logins_limits.window, when, now,
		    (unsigned)fields_take_number(f, WINDOW_COUNT_MAX));
	}
}

static void
write_prefix(struct buf *line, const struct prefix *p)
{
	char text[PREFIX_TEXT_MAX] = "";

	if (p->version != 0)
		prefix_format(p, text);
	fields_text(line, text);
}

static void
read_prefix(struct fields *f, struct prefix *p)
{
	const char *text = fields_take(f, PREFIX_TEXT_MAX);

	*p = (struct prefix){0};
	if (*text != '\0' && !prefix_parse(text, p))
		f->failed = true;
}

static bool
window_is_empty(const struct window *w, time_t now)
{
	return window_count(w, logins_limits.window, now) == 0;
}

/* Who has failed more often stays; of equals, who did so last. */
static int64_t
worth_of(const struct window *w, time_t last, time_t now)
{
	return (int64_t)window_count(w, logins_limits.window, now) << 40 | last;
}

/* -- sources -- */

#define SOURCE(pointer) container_of(pointer, struct source, row)

static int
source_compare(const void *a, const void *b)
{
	return prefix_compare(&SOURCE((const struct row *)a)->prefix,
	    &SOURCE((const struct row *)b)->prefix);
}

static void
source_free(struct row *row)
{
	free(SOURCE(row));
}

static bool
source_is_over(const struct row *row, time_t now)
{
	return window_is_empty(&SOURCE(row)->failed, now);
}

static int64_t
source_worth(const struct row *row, time_t now)
{
	return worth_of(&SOURCE(row)->failed, SOURCE(row)->last, now);
}

static void
source_write(const struct row *row, struct buf *line)
{
	write_prefix(line, &SOURCE(row)->prefix);
	fields_number(line, (uint64_t)SOURCE(row)->last);
	write_window(line, &SOURCE(row)->failed);
}

static struct row *
source_read(struct fields *f, time_t now)
{
	struct source *source = calloc(1, sizeof(*source));

	if (source == NULL)
		return NULL;
	read_prefix(f, &source->prefix);
	source->last = fields_take_time(f, now);
	read_window(f, &source->failed, now);
	if (source->prefix.version == 0)
		f->failed = true;
	return &source->row;
}

/* -- targets -- */

#define TARGET(pointer) container_of(pointer, struct target, row)

static int
target_compare(const void *a, const void *b)
{
	return strcmp(TARGET((const struct row *)a)->user,
	    TARGET((const struct row *)b)->user);
}

static void
target_free(struct row *row)
{
	free(TARGET(row));
}

static bool
target_is_over(const struct row *row, time_t now)
{
	const struct target *t = TARGET(row);

	return window_is_empty(&t->failed, now) &&
	    (t->n == 0 ||
		now - t->recent[0].when > (time_t)logins_limits.memory);
}

static int64_t
target_worth(const struct row *row, time_t now)
{
	const struct target *t = TARGET(row);

	return worth_of(&t->failed, t->n > 0 ? t->recent[0].when : 0, now);
}

static void
target_write(const struct row *row, struct buf *line)
{
	const struct target *t = TARGET(row);

	fields_text(line, t->user);
	write_window(line, &t->failed);
	fields_number(line, t->n);
	for (size_t i = 0; i < t->n; i++) {
		fields_number(line, (uint64_t)t->recent[i].when);
		write_prefix(line, &t->recent[i].client);
	}
}

static struct target *
target_new(const char *user)
{
	size_t n = strlen(user) + 1;
	struct target *t = calloc(1, sizeof(*t) + n);

	if (t != NULL)
		memcpy(t->user, user, n);
	return t;
}

static struct row *
target_read(struct fields *f, time_t now)
{
	struct target *t = target_new(fields_take(f, LOGINS_USER_MAX));

	if (t == NULL)
		return NULL;
	read_window(f, &t->failed, now);
	t->n = fields_take_number(f, LOGINS_RECENT_MAX);
	for (size_t i = 0; i < t->n; i++) {
		t->recent[i].when = fields_take_time(f, now);
		read_prefix(f, &t->recent[i].client);
	}
	return &t->row;
}

/* -- owners -- */

#define OWNER(pointer) container_of(pointer, struct owner, row)

static int
owner_compare(const void *a, const void *b)
{
	return strcmp(OWNER((const struct row *)a)->user,
	    OWNER((const struct row *)b)->user);
}

static void
owner_free(struct row *row)
{
	free(OWNER(row)->known);
	free(OWNER(row));
}

bool
known_is_over(const struct known *k, time_t now)
{
	return now - k->last > (time_t)logins_limits.memory;
}

static time_t
last_login(const struct owner *o)
{
	time_t last = 0;

	for (size_t i = 0; i < o->n; i++)
		if (o->known[i].last > last)
			last = o->known[i].last;
	return last;
}

static bool
owner_is_over(const struct row *row, time_t now)
{
	return now - last_login(OWNER(row)) > (time_t)logins_limits.memory;
}

static int64_t
owner_worth(const struct row *row, time_t now)
{
	(void)now;
	return last_login(OWNER(row));
}

static void
owner_write(const struct row *row, struct buf *line)
{
	const struct owner *o = OWNER(row);

	fields_text(line, o->user);
	fields_number(line, o->n);
	for (size_t i = 0; i < o->n; i++) {
		write_prefix(line, &o->known[i].client);
		fields_number(line, (uint64_t)o->known[i].last);
		write_window(line, &o->known[i].failed);
	}
}

static struct owner *
owner_new(const char *user)
{
	size_t n = strlen(user) + 1;
	struct owner *o = calloc(1, sizeof(*o) + n);

	if (o != NULL)
		memcpy(o->user, user, n);
	return o;
}

/* Room for one client more: its own, or that of the one used longest ago. */
static struct known *
owner_room(struct owner *o)
{
	struct known *oldest = o->known;
	struct known *grown;

	if (o->n < LOGINS_KNOWN_MAX) {
		grown = reallocarray(o->known, o->n + 1, sizeof(*grown));
		if (grown == NULL)
			return NULL;
		o->known = grown;
		grown[o->n] = (struct known){0};
		return &grown[o->n++];
	}
	for (size_t i = 1; i < o->n; i++)
		if (o->known[i].last < oldest->last)
			oldest = &o->known[i];
	return oldest;
}

static struct row *
owner_read(struct fields *f, time_t now)
{
	struct owner *o = owner_new(fields_take(f, LOGINS_USER_MAX));
	uint64_t n;

	if (o == NULL)
		return NULL;
	n = fields_take_number(f, LOGINS_KNOWN_MAX);
	for (; n > 0 && !f->failed; n--) {
		struct known *k = owner_room(o);

		if (k == NULL)
			break;
		*k = (struct known){0};
		read_prefix(f, &k->client);
		k->last = fields_take_time(f, now);
		read_window(f, &k->failed, now);
	}
	return &o->row;
}

/* -- the tables -- */

enum { SOURCES, TARGETS, OWNERS };

static const struct kind kinds[LOGINS_TABLES] = {
    [SOURCES] = {"source", SOURCES_MAX, source_compare, source_free,
	source_is_over, source_worth, source_write, source_read},
    [TARGETS] = {"target", TARGETS_MAX, target_compare, target_free,
	target_is_over, target_worth, target_write, target_read},
    [OWNERS] = {"owner", OWNERS_MAX, owner_compare, owner_free, owner_is_over,
	owner_worth, owner_write, owner_read},
};

struct table logins_tables[LOGINS_TABLES] = {
    [SOURCES] = {.kind = &kinds[SOURCES]},
    [TARGETS] = {.kind = &kinds[TARGETS]},
    [OWNERS] = {.kind = &kinds[OWNERS]},
};

static void
rescale(struct row *row, uint32_t from, time_t now)
{
	uint32_t to = logins_limits.window;

	if (row->table->kind == &kinds[SOURCES])
		window_rescale(&SOURCE(row)->failed, from, to, now);
	else if (row->table->kind == &kinds[TARGETS])
		window_rescale(&TARGET(row)->failed, from, to, now);
	else
		for (size_t i = 0; i < OWNER(row)->n; i++)
			window_rescale(
			    &OWNER(row)->known[i].failed, from, to, now);
}

void
logins_limit(const struct logins_limits *limits, time_t now)
{
	uint32_t from = logins_limits.window;

	logins_limits = *limits;
	if (from == limits->window)
		return;
	for (size_t i = 0; i < LOGINS_TABLES; i++)
		for (size_t j = 0; j < logins_tables[i].n; j++)
			rescale(logins_tables[i].rows[j], from, now);
}

struct source *
source_find(const struct prefix *prefix)
{
	const struct source key = {.prefix = *prefix};
	struct row *row = table_find(&logins_tables[SOURCES], &key.row);

	return row != NULL ? SOURCE(row) : NULL;
}

struct source *
source_make(const struct prefix *prefix, time_t now)
{
	struct source *source = source_find(prefix);

	if (source != NULL)
		return source;
	source = calloc(1, sizeof(*source));
	if (source == NULL)
		return NULL;
	source->prefix = *prefix;
	if (table_add(&logins_tables[SOURCES], &source->row, now))
		return source;
	free(source);
	return NULL;
}

/* A key as a row has it. */
union user_key {
	struct target target;
	struct owner owner;
	char room[sizeof(struct owner) + sizeof(struct target) +
	    LOGINS_USER_MAX + 1];
};

struct target *
target_find(const char *user)
{
	union user_key key;
	struct row *row;

	memcpy(key.target.user, user, strlen(user) + 1);
	row = table_find(&logins_tables[TARGETS], &key.target.row);
	return row != NULL ? TARGET(row) : NULL;
}

struct target *
target_make(const char *user, time_t now)
{
	struct target *t = target_find(user);

	if (t != NULL)
		return t;
	t = target_new(user);
	if (t == NULL || table_add(&logins_tables[TARGETS], &t->row, now))
		return t;
	free(t);
	return NULL;
}

void
target_note(struct target *t, const struct prefix *client, time_t now)
{
	if (t->n < LOGINS_RECENT_MAX)
		t->n++;
	memmove(t->recent + 1, t->recent, (t->n - 1) * sizeof(*t->recent));
	t->recent[0] = (struct logins_event){now, *client};
}

struct owner *
owner_find(const char *user)
{
	union user_key key;
	struct row *row;

	memcpy(key.owner.user, user, strlen(user) + 1);
	row = table_find(&logins_tables[OWNERS], &key.owner.row);
	return row != NULL ? OWNER(row) : NULL;
}

static struct owner *
owner_make(const char *user, time_t now)
{
	struct owner *o = owner_find(user);

	if (o != NULL)
		return o;
	o = owner_new(user);
	if (o == NULL || table_add(&logins_tables[OWNERS], &o->row, now))
		return o;
	free(o);
	return NULL;
}

void
owner_welcome(const char *user, const struct prefix *client, time_t now)
{
	struct owner *o = owner_make(user, now);
	struct known *k = NULL;

	for (size_t i = 0; o != NULL && i < o->n; i++)
		if (prefix_compare(&o->known[i].client, client) == 0)
			k = &o->known[i];
	if (o == NULL || (k == NULL && (k = owner_room(o)) == NULL))
		return;
	if (prefix_compare(&k->client, client) != 0) {
		*k = (struct known){.client = *client, .last = now};
		row_changed(&o->row);
		return;
	}
	if (now - k->last < KNOWN_ANEW_S && now >= k->last &&
	    window_is_empty(&k->failed, now))
		return;
	k->last = now;
	k->failed = (struct window){0};
	row_changed(&o->row);
}
