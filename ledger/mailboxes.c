/* SPDX-License-Identifier: ISC */
#include "ledger/mailboxes.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "ledger/bucket.h"
#include "ledger/fold.h"

enum { ROWS_MAX = 1 << 17 };

struct mailbox {
	struct row row;
	struct bucket messages;
	bool told; /* the log has it that the limit was reached */
	char name[];
};

#define MAILBOX(pointer) container_of(pointer, struct mailbox, row)

static int
compare(const void *a, const void *b)
{
	return strcmp(MAILBOX((const struct row *)a)->name,
	    MAILBOX((const struct row *)b)->name);
}

static void
free_row(struct row *row)
{
	free(MAILBOX(row));
}

static bool
is_over(const struct row *row, time_t now)
{
	return bucket_used(&MAILBOX(row)->messages, now) == 0;
}

static int64_t
worth(const struct row *row, time_t now)
{
	return (int64_t)bucket_used(&MAILBOX(row)->messages, now);
}

static void
write_row(const struct row *row, struct buf *line)
{
	fields_text(line, MAILBOX(row)->name);
	bucket_write(&MAILBOX(row)->messages, line);
}

static struct mailbox *
new_row(const char *name)
{
	size_t n = strlen(name) + 1;
	struct mailbox *m = calloc(1, sizeof(*m) + n);

	if (m != NULL)
		memcpy(m->name, name, n);
	return m;
}

static struct row *
read_row(struct fields *f, time_t now)
{
	struct mailbox *m = new_row(fields_take(f, MAILBOXES_NAME_MAX));

	if (m == NULL)
		return NULL;
	bucket_read(f, &m->messages, now);
	return &m->row;
}

static const struct kind kind = {"mailbox", ROWS_MAX, compare, free_row,
    is_over, worth, write_row, read_row};

struct table mailboxes_table = {.kind = &kind};

static struct mailbox *
find(const char *name)
{
	union {
		struct mailbox mailbox;
		char room[sizeof(struct mailbox) + MAILBOXES_NAME_MAX + 1];
	} key;
	struct row *row;

	fold(name, key.mailbox.name, MAILBOXES_NAME_MAX);
	row = table_find(&mailboxes_table, &key.mailbox.row);
	return row != NULL ? MAILBOX(row) : NULL;
}

static struct mailbox *
make(const char *name, time_t now)
{
	char folded[MAILBOXES_NAME_MAX + 1];
	struct mailbox *m = find(name);

	if (m != NULL)
		return m;
	m = new_row(fold(name, folded, MAILBOXES_NAME_MAX));
	if (m == NULL || table_add(&mailboxes_table, &m->row, now))
		return m;
	free(m);
	return NULL;
}

uint32_t
mailboxes_wait(const char *name, const struct config_rate *rate, time_t now)
{
	struct mailbox *m = find(name);
	uint32_t wait = m != NULL ? bucket_wait(&m->messages, rate, 1, now) : 0;

	if (wait > 0 && !m->told) {
		log_event(LEVEL_WARNING, "limit reached",
		    log_address("to", name),
		    log_text("what", "mailbox-messages"),
		    log_number("limit", (int64_t)rate->count));
		m->told = true;
	}
	return wait;
}

void
mailboxes_count(const char *name, const struct config_rate *rate, time_t now)
{
	struct mailbox *m = rate->count > 0 ? make(name, now) : NULL;

	if (m == NULL)
		return;
	if (bucket_used(&m->messages, now) == 0)
		m->told = false;
	bucket_add(&m->messages, rate, 1, now);
	row_changed(&m->row);
}

uint64_t
mailboxes_view(const char *name, const struct config_rate *rate, time_t now)
{
	const struct mailbox *m = find(name);

	return m != NULL ? bucket_count(&m->messages, rate, now) : 0;
}

bool
mailboxes_forget(const char *name)
{
	struct mailbox *m = find(name);

	if (m != NULL)
		table_drop(&m->row);
	return m != NULL;
}
