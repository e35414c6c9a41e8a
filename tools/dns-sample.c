/* SPDX-License-Identifier: ISC */
#include "tools/dns-sample.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/ipc.h"
#include "common/signature.h"

enum { TEXT_MAX = 65536, PATIENCE_MS = 10000, REASON_MAX = 140 };

static void
write_message(const struct request *r, struct buf *out)
{
	char date[CLOCK_DATE_SIZE], id[FS_ID_SIZE];

	clock_date(clock_now(), date);
	fs_random_id(id);
	buf_addf(out, "From: postmaster@%s\nTo: postmaster@%s\nDate: %s\n",
	    r->domain, r->domain, date);
	buf_addf(out, "Message-ID: <%s@%s>\n", id, r->config->hostname);
	buf_adds(out,
	    "Subject: A message to be judged\n"
	    "MIME-Version: 1.0\n"
	    "Content-Type: text/plain; charset=us-ascii\n"
	    "\n"
	    "Signed here, and judged as others would.\n");
}

/* -- having it signed -- */

/* The question may take several packets. */
static bool
ask(int fd, const struct dkim_facts *facts, struct packet *p)
{
	int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
	size_t at = 0;

	packet_start(p, "dkim");
	packet_number(p, "serial", 1);
	do {
		if (at > 0)
			packet_start(p, "more");
		at = dkim_facts_write(p, facts, at);
		if (ipc_send(fd, p, deadline) != IPC_OK)
			return false;
	} while (at > 0);
	return ipc_receive(fd, p, deadline) == IPC_OK;
}

static const char *
take_answer(const struct packet *p, struct buf *out)
{
	const char *fields[SIGNATURES_MAX], *reason;
	uint64_t serial;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT_OPTIONAL("dkim", SIGNATURE_MAX, &fields[0]),
	    ATTRIBUTE_TEXT_OPTIONAL("dkim", SIGNATURE_MAX, &fields[1]),
	    ATTRIBUTE_TEXT_OPTIONAL("reason", REASON_MAX, &reason)};
	const struct attribute refusal[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("reason", REASON_MAX, &reason)};

	if (packet_read(p, "refused", refusal, 2, 0))
		return reason;
	if (!packet_read(p, "dkim", set, 4, 0))
		return "an answer that cannot be read";
	for (size_t i = 0; i < SIGNATURES_MAX; i++)
		if (fields[i] != NULL)
			buf_addf(out, "%s\n", fields[i]);
	return fields[0] != NULL ? NULL : reason != NULL ? reason : "no key";
}

/* NULL, or why there is no signature; valid until the next call. */
static const char *
have_signed(const struct request *r, const struct buf *message, struct buf *out)
{
	static struct packet p;
	struct dkim_facts facts = {.from = ""};
	int fd = admin_connect(r->config, "keys");
	const char *why;

	if (fd == -1)
		return "keys does not run here, or you may not ask it";
	why = dkim_sign_text(message->data, message->len, NULL, 0, &facts);
	if (why == NULL && !ask(fd, &facts, &p))
		why = "no answer from keys";
	if (why == NULL)
		why = take_answer(&p, out);
	buf_free(&facts.fields);
	close(fd);
	return why;
}

void
sample_make(const struct request *r, struct sample *s)
{
	struct buf message = BUF_INIT(TEXT_MAX);
	const char *why = "no memory";

	*s = (struct sample){.text = BUF_INIT(TEXT_MAX)};
	write_message(r, &message);
	if (buf_text(&message) != NULL)
		why = have_signed(r, &message, &s->text);
	s->is_signed = why == NULL;
	if (why != NULL)
		snprintf(s->problem, sizeof(s->problem), "%s", why);
	if (buf_text(&message) != NULL)
		buf_add(&s->text, message.data, message.len);
	buf_free(&message);
}

void
sample_free(struct sample *s)
{
	buf_free(&s->text);
}

/* -- getting it -- */

bool
sample_judge(const struct sample *s, const struct mailauth *m,
    const struct spf_query *query, struct header_section *header,
    struct judgement *judgement)
{
	struct judge *judge = NULL;
	size_t n;

	header_init(header);
	if (!buf_ok(&s->text))
		return false;
	n = header_take(header, s->text.data, s->text.len);
	judge = judge_begin(m, query, header);
	if (judge == NULL)
		return false;
	judge_body(judge, s->text.data + n, s->text.len - n);
	judge_end(judge, judgement);
	judge_free(judge);
	return true;
}
