/* SPDX-License-Identifier: ISC */
#include <inttypes.h>

#include "pop3d/pop3.h"

/* LIST, UIDL and DELE: what is known of messages without opening them. */

static void
lost(struct pop3 *p)
{
	pop3_failure(p, "the mailbox went away");
	pop3_end(p, "mailbox lost");
}

struct column {
	const char *title;
	bool uidl; /* else the size */
};

static void
put_row(struct pop3 *p, const char *before, uint64_t number,
    const struct column *column, uint64_t octets, const char *uidl)
{
	if (column->uidl)
		stream_printf(
		    &p->stream, "%s%" PRIu64 " %s\r\n", before, number, uidl);
	else
		stream_printf(&p->stream, "%s%" PRIu64 " %" PRIu64 "\r\n",
		    before, number, octets);
}

static void
show_one(struct pop3 *p, struct span args, const struct column *column)
{
	uint64_t number, octets;
	const char *uidl;

	if (!pop3_message(p, &args, &number))
		return;
	if (!maildrop_item(&p->drop, number, &octets, &uidl))
		lost(p);
	else
		put_row(p, "+OK ", number, column, octets, uidl);
}

static void
show_all(struct pop3 *p, const struct column *column)
{
	uint64_t octets;
	const char *uidl;

	pop3_ok(p, "%s", column->title);
	for (uint64_t i = 1; i <= p->drop.count && !p->stream.broken; i++) {
		if (maildrop_is_deleted(&p->drop, i))
			continue;
		if (!maildrop_item(&p->drop, i, &octets, &uidl)) {
			/* Half a list with a proper end would be a lie. */
			pop3_end(p, "mailbox lost");
			return;
		}
		put_row(p, "", i, column, octets, uidl);
	}
	stream_puts(&p->stream, ".\r\n");
}

static void
show(struct pop3 *p, struct span args, const struct column *column)
{
	if (args.len > 0)
		show_one(p, args, column);
	else
		show_all(p, column);
}

void
pop3_list(struct pop3 *p, struct span args)
{
	static const struct column sizes = {"sizes in octets", false};

	show(p, args, &sizes);
}

void
pop3_uidl(struct pop3 *p, struct span args)
{
	static const struct column uidls = {"unique-ids", true};

	show(p, args, &uidls);
}

void
pop3_dele(struct pop3 *p, struct span args)
{
	uint64_t number;

	if (!pop3_message(p, &args, &number))
		return;
	if (maildrop_delete(&p->drop, number))
		pop3_ok(p, "message %" PRIu64 " is deleted at QUIT", number);
	else
		lost(p);
}
