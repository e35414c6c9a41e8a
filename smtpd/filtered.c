/* SPDX-License-Identifier: ISC */
#include "smtpd/filtered.h"

#include <stdlib.h>
#include <string.h>

#include "smtpd/message.h"
#include "smtpd/milter_message.h"
#include "smtpd/milters.h"
#include "smtpd/received.h"

enum { READ = 16384 };

void
filtered_keep(struct message *m, struct span lines)
{
	buf_add(&m->kept, lines.data, lines.len);
}

void
filtered_free(struct message *m)
{
	draft_free(&m->draft);
	buf_free(&m->kept);
	buf_free(&m->own);
	header_free(&m->final);
	free(m->hold);
}

/* What we know of it on top, then what was missing, then what came. */
static bool
begin_draft(struct message *m)
{
	struct buf *h = &m->headers;

	if (!buf_ok(&m->own) || !buf_ok(&m->kept) || !buf_ok(h))
		return false;
	draft_take(
	    &m->draft, DRAFT_OWN, (struct span){m->own.data, m->own.len});
	if (m->completed > 0)
		draft_take(&m->draft, DRAFT_CAME,
		    (struct span){
			h->data + m->completed, h->len - m->completed});
	draft_take(
	    &m->draft, DRAFT_CAME, (struct span){m->kept.data, m->kept.len});
	return !m->draft.failed;
}

/* As it came, but for the header section. */
static void
note_body(struct message *m)
{
	m->body_wire = m->wire.octets -
	    message_wire_octets(
		m->section.text.data, m->section.text.len) -
	    (m->parted ? 2 : 0);
	m->body_eight_bit = m->wire.eight_bit;
}

/* The envelope is another perhaps: so are the headers that show it. */
static bool
end_draft(struct message *m)
{
	struct buf *h = &m->headers;
	struct buf text = BUF_INIT(h->max);

	buf_reset(h);
	m->start = received_headers(
	    m->session, m->submission.id, m->submission.time, h);
	if (!message_insert(m, &m->own))
		return false;
	draft_write(&m->draft, DRAFT_OWN, true, &text);
	header_init(&m->final);
	header_take(&m->final, text.data, text.len);
	header_end(&m->final);
	buf_add(h, text.data, text.len);
	buf_free(&text);
	if (m->parted || content_octets(&m->content) > 0)
		buf_addc(h, '\n');
	m->completed = 0;
	return !m->draft.failed && buf_ok(h) && buf_ok(&m->final.text);
}

/* What is signed of a body is what leaves. */
static void
hash_anew(struct message *m)
{
	char block[READ];
	uint64_t at = 0;
	ssize_t n;

	signing_free(m->signing);
	m->signing = signing_begin();
	while (m->signing != NULL &&
	    (n = content_read(&m->content, at, block, sizeof(block))) > 0) {
		signing_body(m->signing, block, (size_t)n);
		at += (uint64_t)n;
	}
}

static enum verdict
use_changes(struct message *m)
{
	struct transaction *t = &m->session->transaction;

	if (t->nrecipients == 0) { /* they have taken all away */
		m->discarded = true;
		return VERDICT_OK;
	}
	if (m->stranger && t->junk == NULL && draft_is_marked(&m->draft))
		t->junk = "filter";
	if (m->signs && m->body_replaced)
		hash_anew(m);
	return end_draft(m) ? VERDICT_OK : VERDICT_INTERNAL;
}

enum verdict
filtered_ask(struct message *m)
{
	if (!begin_draft(m))
		return VERDICT_INTERNAL;
	note_body(m);
	switch (milters_message(m)) {
	case MILTERS_TAKE:
		return use_changes(m);
	case MILTERS_DISCARD:
		m->discarded = true;
		return VERDICT_OK;
	default:
		return m->session->milters->refusal.smtp >= 500
		    ? VERDICT_FILTER_REJECT
		    : VERDICT_FILTER_LATER;
	}
}
