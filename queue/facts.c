/* SPDX-License-Identifier: ISC */
#include "queue/facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/cursor.h"
#include "queue/message.h"

/* The sender knows that all that waits is late. */
static bool
is_warned(const struct envelope *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->recipients[i].state == RECIPIENT_PENDING &&
		    !e->recipients[i].warned)
			return false;
	return true;
}

void
facts_of(struct facts *f, const char *id, enum spool_folder folder,
    const struct envelope *e)
{
	const char *domain = message_domain(e);

	*f = (struct facts){.folder = folder,
	    .time = e->time,
	    .attempted = e->attempted,
	    .next = e->next,
	    .attempts = e->attempts,
	    .sender = message_sender(e),
	    .of_login = e->login != NULL,
	    .held = e->held != NULL,
	    .warned = is_warned(e)};
	memcpy(f->id, id, FS_ID_SIZE);
	if (domain != NULL)
		strncat(f->domain, domain, PROTOCOL_ADDRESS_MAX);
}

void
facts_write(const struct facts *f, char out[FACTS_TEXT_MAX + 1])
{
	snprintf(out, FACTS_TEXT_MAX + 1,
	    "%s %d %" PRId64 " %" PRId64 " %" PRId64 " %" PRIu64 " %" PRIu64
	    " %d %d %d %s",
	    f->id, f->folder, f->time, f->attempted, f->next, f->attempts,
	    f->sender, f->of_login, f->held, f->warned, f->domain);
}

static uint64_t
take_number(struct cursor *c)
{
	uint64_t number = cursor_decimal(c);

	cursor_expect(c, " ");
	return number;
}

bool
facts_read(struct facts *f, const char *text)
{
	struct cursor c = cursor_over(text, strlen(text));
	struct span id = cursor_until(&c, ' ');
	uint64_t numbers[9];
	size_t left;

	for (size_t i = 0; i < 9; i++)
		numbers[i] = take_number(&c);
	left = cursor_left(&c);
	if (!cursor_ok(&c) || id.len != FS_ID_SIZE - 1 ||
	    left > PROTOCOL_ADDRESS_MAX || numbers[0] > SPOOL_CUR)
		return false;
	*f = (struct facts){.folder = (enum spool_folder)numbers[0],
	    .time = (int64_t)numbers[1],
	    .attempted = (int64_t)numbers[2],
	    .next = (int64_t)numbers[3],
	    .attempts = numbers[4],
	    .sender = numbers[5],
	    .of_login = numbers[6] != 0,
	    .held = numbers[7] != 0,
	    .warned = numbers[8] != 0};
	memcpy(f->id, id.data, id.len);
	memcpy(f->domain, c.pos, left);
	return spool_is_id(f->id);
}
