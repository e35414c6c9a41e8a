/* SPDX-License-Identifier: ISC */
#include "pop3d/maildrop.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/protocol.h"
#include "common/verdict.h"

enum { ANSWER_MS = 60000, COMMIT_MS = 300000 };
enum { MARK_DELETE = 1, MARK_SEEN = 2 };

/* A greeting cannot make us take more memory than this for the marks. */
enum { COUNT_MAX = 16 << 20 };

static bool
fail(struct maildrop *d, const char *why)
{
	if (!d->broken)
		log_event(LEVEL_WARNING, "peer lost",
		    log_text("what", "mailbox"), log_text("reason", why));
	d->broken = true;
	return false;
}

static bool
say(struct maildrop *d, const struct packet *p)
{
	if (d->broken)
		return false;
	if (ipc_send(d->fd, p, clock_monotonic_ms() + ANSWER_MS) != IPC_OK)
		return fail(d, "not sent");
	return true;
}

static bool
hear(struct maildrop *d, struct packet *p, int64_t ms)
{
	if (d->broken)
		return false;
	if (ipc_receive(d->fd, p, clock_monotonic_ms() + ms) != IPC_OK)
		return fail(d, "no answer");
	return true;
}

/* -- begin and end -- */

static enum maildrop_result
read_refusal(const struct packet *p)
{
	const char *verdict, *reason;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &verdict),
	    ATTRIBUTE_TEXT_OPTIONAL("reason", PROTOCOL_NAME_MAX, &reason)};

	if (!packet_read(p, "refused", set, 2, 0))
		return MAILDROP_LATER;
	if (reason != NULL && strcmp(reason, "in-use") == 0)
		return MAILDROP_IN_USE;
	return verdict_is_temporary(verdict_named(verdict)) ? MAILDROP_LATER
							    : MAILDROP_REFUSED;
}

static enum maildrop_result
read_greeting(struct maildrop *d, struct packet *p)
{
	const char *verdict;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &verdict),
	    ATTRIBUTE_NUMBER("count", &d->count),
	    ATTRIBUTE_NUMBER("octets", &d->octets)};

	if (!packet_read(p, "mailbox", set, 3, 0))
		return read_refusal(p);
	if (d->count > COUNT_MAX)
		return MAILDROP_LATER;
	d->marks = calloc(1, (size_t)d->count + 1);
	return d->marks != NULL ? MAILDROP_OK : MAILDROP_LATER;
}

enum maildrop_result
maildrop_begin(struct maildrop *d, int fd)
{
	enum maildrop_result result = MAILDROP_LATER;

	*d = (struct maildrop){.fd = fd, .page = malloc(sizeof(*d->page))};
	if (d->page != NULL && hear(d, d->page, ANSWER_MS)) {
		result = read_greeting(d, d->page);
		packet_close(d->page);
	}
	if (result != MAILDROP_OK)
		maildrop_end(d);
	return result;
}

void
maildrop_end(struct maildrop *d)
{
	for (size_t i = 0; i < d->ahead_n; i++)
		if (d->ahead[i].fd != -1)
			close(d->ahead[i].fd);
	if (d->fd != -1)
		close(d->fd);
	free(d->marks);
	free(d->page);
	*d = (struct maildrop){.fd = -1};
}

/* -- messages opened ahead -- */

static bool
ask_for(struct maildrop *d, uint64_t number)
{
	static struct packet p;

	packet_start(&p, "open");
	packet_number(&p, "number", number);
	if (!say(d, &p))
		return false;
	d->ahead[d->ahead_n].number = number;
	d->ahead[d->ahead_n].fd = -1;
	d->ahead[d->ahead_n].answered = false;
	d->ahead_n++;
	return true;
}

static bool
hear_opened(struct maildrop *d, size_t i)
{
	static struct packet p;
	struct attribute set[] = {ATTRIBUTE_NUMBER("wire", &d->ahead[i].wire)};

	if (d->ahead[i].answered)
		return true;
	if (!hear(d, &p, ANSWER_MS))
		return false;
	if (packet_read(&p, "open", set, 1, 1))
		d->ahead[i].fd = packet_detach(&p, 0);
	else if (!packet_read(&p, "gone", NULL, 0, 0))
		fail(d, "malformed packet");
	packet_close(&p);
	d->ahead[i].answered = true;
	return !d->broken;
}

/* Before anything else is asked the answers under way are taken. */
static bool
settle(struct maildrop *d)
{
	for (size_t i = 0; i < d->ahead_n; i++)
		if (!hear_opened(d, i))
			return false;
	return !d->broken;
}

static int
take_first(struct maildrop *d, uint64_t *wire)
{
	int fd = -1;

	if (hear_opened(d, 0)) {
		fd = d->ahead[0].fd;
		*wire = d->ahead[0].wire;
	}
	d->ahead_n--;
	memmove(d->ahead, d->ahead + 1, d->ahead_n * sizeof(d->ahead[0]));
	return fd;
}

static void
drop_first(struct maildrop *d)
{
	uint64_t wire;
	int fd = take_first(d, &wire);

	if (fd != -1)
		close(fd);
}

/* Several at once, so that neither of us is woken for each. */
static void
ask_ahead(struct maildrop *d, uint64_t behind)
{
	uint64_t next =
	    d->ahead_n > 0 ? d->ahead[d->ahead_n - 1].number : behind;

	if (d->ahead_n > MAILDROP_AHEAD / 2)
		return;
	while (d->ahead_n < MAILDROP_AHEAD && ++next <= d->count)
		if (!maildrop_is_deleted(d, next) && !ask_for(d, next))
			return;
}

int
maildrop_open(struct maildrop *d, uint64_t number, uint64_t *wire)
{
	bool in_turn = number == d->last_opened + 1;
	int fd;

	while (d->ahead_n > 0 && !d->broken && d->ahead[0].number != number)
		drop_first(d);
	if (d->broken || (d->ahead_n == 0 && !ask_for(d, number)))
		return -1;
	fd = take_first(d, wire);
	d->last_opened = number;
	if (in_turn && !d->broken)
		ask_ahead(d, number);
	return fd;
}

/* -- the list -- */

static bool
index_page(struct maildrop *d, uint64_t wanted)
{
	struct cursor c = packet_cursor(d->page);
	const char *name, *value;

	d->page_first = wanted;
	d->page_n = 0;
	/* "from" first, then the items. */
	if (!packet_is(d->page, "list") || !packet_next(&c, &name, &value) ||
	    strcmp(name, "from") != 0)
		return false;
	while (d->page_n < MAILDROP_PAGE && packet_next(&c, &name, &value)) {
		if (strcmp(name, "m") != 0)
			return false;
		d->page_items[d->page_n++] =
		    (uint16_t)(value - d->page->octets);
	}
	return cursor_ok(&c) && d->page_n > 0;
}

static bool
fetch_page(struct maildrop *d, uint64_t from)
{
	bool good;

	if (!settle(d))
		return false;
	packet_start(d->page, "list");
	packet_number(d->page, "from", from);
	d->page_n = 0;
	if (!say(d, d->page) || !hear(d, d->page, ANSWER_MS))
		return false;
	good = d->page->nfds == 0 && index_page(d, from);
	packet_close(d->page);
	return good || fail(d, "malformed packet");
}

bool
maildrop_item(
    struct maildrop *d, uint64_t number, uint64_t *octets, const char **uidl)
{
	struct cursor item;
	const char *text;

	if ((number < d->page_first || number - d->page_first >= d->page_n) &&
	    !fetch_page(d, number))
		return false;
	text = d->page->octets + d->page_items[number - d->page_first];
	item = cursor_over(text, strlen(text));
	*octets = cursor_decimal(&item);
	cursor_expect(&item, " ");
	*uidl = (const char *)item.pos;
	return cursor_ok(&item) || fail(d, "malformed packet");
}

/* -- marks -- */

bool
maildrop_is_deleted(const struct maildrop *d, uint64_t number)
{
	return d->marks[number] & MARK_DELETE;
}

bool
maildrop_delete(struct maildrop *d, uint64_t number)
{
	uint64_t octets;
	const char *uidl;

	if (!maildrop_item(d, number, &octets, &uidl))
		return false;
	d->marks[number] |= MARK_DELETE;
	d->deleted++;
	d->deleted_octets += octets;
	return true;
}

void
maildrop_seen(struct maildrop *d, uint64_t number)
{
	d->marks[number] |= MARK_SEEN;
}

void
maildrop_reset(struct maildrop *d)
{
	for (uint64_t i = 1; i <= d->count; i++)
		d->marks[i] &= (unsigned char)~MARK_DELETE;
	d->deleted = d->deleted_octets = 0;
}

static bool
send_marks(struct maildrop *d, const char *verb, unsigned char mark)
{
	struct packet *p = d->page;
	enum { ROOM = 32 };
	bool going = true;

	packet_start(p, verb);
	for (uint64_t i = 1; i <= d->count && going; i++) {
		if (!(d->marks[i] & mark))
			continue;
		packet_number(p, "n", i);
		if (p->len + ROOM > IPC_PACKET_MAX) {
			going = say(d, p);
			packet_start(p, verb);
		}
	}
	return going && (p->len == strlen(verb) + 1 || say(d, p));
}

bool
maildrop_commit(struct maildrop *d, uint64_t *removed, uint64_t *failed)
{
	const struct attribute set[] = {ATTRIBUTE_NUMBER("deleted", removed),
	    ATTRIBUTE_NUMBER("failed", failed)};
	bool good;

	*removed = *failed = 0;
	d->page_n = 0; /* its packet is used for the marks */
	if (!settle(d) || !send_marks(d, "delete", MARK_DELETE) ||
	    !send_marks(d, "seen", MARK_SEEN))
		return false;
	packet_start(d->page, "commit");
	if (!say(d, d->page) || !hear(d, d->page, COMMIT_MS))
		return false;
	good = packet_read(d->page, "committed", set, 2, 0);
	packet_close(d->page);
	return good || fail(d, "malformed packet");
}
