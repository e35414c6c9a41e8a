/* SPDX-License-Identifier: ISC */
#include "ledger/familiar.h"

#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "ledger/fold.h"
#include "ledger/prefix.h"

enum {
	ROWS_MAX = 1 << 17,
	DAY = 86400,
	AGAIN_S = 3600 /* the time is written so often */
};

uint32_t familiar_memory = 36 * DAY;

struct familiar {
	struct row row;
	time_t last;
	int score;   /* known while it is above 0 */
	char name[]; /* a client as prefix_format() has it, or a key */
};

#define FAMILIAR(pointer) container_of(pointer, struct familiar, row)

static int
compare(const void *a, const void *b)
{
	return strcmp(FAMILIAR((const struct row *)a)->name,
	    FAMILIAR((const struct row *)b)->name);
}

static void
free_row(struct row *row)
{
	free(FAMILIAR(row));
}

static bool
is_over(const struct row *row, time_t now)
{
	const struct familiar *k = FAMILIAR(row);

	return now - k->last > (time_t)familiar_memory;
}

/* Who sends much and who did so last stays. */
static int64_t
worth(const struct row *row, time_t now)
{
	const struct familiar *k = FAMILIAR(row);

	(void)now;
	return (int64_t)k->score * DAY + k->last;
}

static void
write_row(const struct row *row, struct buf *line)
{
	const struct familiar *k = FAMILIAR(row);

	fields_text(line, k->name);
	fields_number(line, (uint64_t)k->last);
	fields_number(line, (uint64_t)(k->score + FAMILIAR_DEBT_MAX));
}

static struct familiar *
new_row(const char *name)
{
	size_t n = strlen(name) + 1;
	struct familiar *k = calloc(1, sizeof(*k) + n);

	if (k != NULL)
		memcpy(k->name, name, n);
	return k;
}

static struct row *
read_row(struct fields *f, time_t now)
{
	struct familiar *k = new_row(fields_take(f, FAMILIAR_KEY_MAX));

	if (k == NULL)
		return NULL;
	k->last = fields_take_time(f, now);
	k->score =
	    (int)fields_take_number(f, FAMILIAR_DEBT_MAX + FAMILIAR_SCORE_MAX) -
	    FAMILIAR_DEBT_MAX;
	return &k->row;
}

static const struct kind kind = {"familiar", ROWS_MAX, compare, free_row,
    is_over, worth, write_row, read_row};

struct table familiar_table = {.kind = &kind};

/* -- names -- */

struct name {
	char text[FAMILIAR_KEY_MAX + 1];
};

static bool
name_client(const char *client, struct name *name)
{
	struct prefix prefix;

	if (!prefix_of(client, &prefix))
		return false;
	prefix_format(&prefix, name->text);
	return true;
}

/* Upper and lower case are one; a client's name is no key. */
static bool
name_key(const char *key, struct name *name)
{
	if (key == NULL || strchr(key, ':') == NULL ||
	    strlen(key) > FAMILIAR_KEY_MAX)
		return false;
	fold(key, name->text, FAMILIAR_KEY_MAX);
	return true;
}

static struct familiar *
find(const struct name *name)
{
	union {
		struct familiar familiar;
		char room[sizeof(struct familiar) + sizeof(struct name)];
	} key;
	struct row *row;

	memcpy(key.familiar.name, name->text, strlen(name->text) + 1);
	row = table_find(&familiar_table, &key.familiar.row);
	return row != NULL ? FAMILIAR(row) : NULL;
}

static bool
knows(const struct name *name, time_t now)
{
	const struct familiar *k = find(name);

	return k != NULL && k->score > 0 && !is_over(&k->row, now);
}

/* -- what is asked and told -- */

bool
familiar_knows(const char *client, const char *key, time_t now)
{
	struct name name;

	return (name_client(client, &name) && knows(&name, now)) ||
	    (name_key(key, &name) && knows(&name, now));
}

static void
taken(const struct name *name, time_t now)
{
	struct familiar *k = find(name);

	if (k == NULL) {
		k = new_row(name->text);
		if (k == NULL)
			return;
		k->last = now;
		k->score = 1;
		if (table_add(&familiar_table, &k->row, now))
			row_changed(&k->row);
		else
			free(k);
		return;
	}
	if (k->score < FAMILIAR_SCORE_MAX || now - k->last >= AGAIN_S ||
	    now < k->last) {
		k->score += k->score < FAMILIAR_SCORE_MAX;
		k->last = now;
		row_changed(&k->row);
	}
}

static void
junk(const struct name *name)
{
	struct familiar *k = find(name);

	if (k == NULL || k->score == -FAMILIAR_DEBT_MAX)
		return;
	k->score -= FAMILIAR_JUNK;
	if (k->score < -FAMILIAR_DEBT_MAX)
		k->score = -FAMILIAR_DEBT_MAX;
	row_changed(&k->row);
}

void
familiar_taken(const char *client, const char *key, time_t now)
{
	struct name name;

	if (name_client(client, &name))
		taken(&name, now);
	if (name_key(key, &name))
		taken(&name, now);
}

void
familiar_junk(const char *client, const char *key, time_t now)
{
	struct name name;

	(void)now;
	if (name_client(client, &name))
		junk(&name);
	if (name_key(key, &name))
		junk(&name);
}

bool
familiar_view(const char *client, struct familiar_view *view, time_t now)
{
	struct name name;
	const struct familiar *k;

	if (!name_client(client, &name) || !knows(&name, now))
		return false;
	k = find(&name);
	*view = (struct familiar_view){.last = k->last, .score = k->score};
	return true;
}

bool
familiar_forget(const char *client)
{
	struct name name;
	struct familiar *k;

	if (!name_client(client, &name) || (k = find(&name)) == NULL)
		return false;
	table_drop(&k->row);
	return true;
}
