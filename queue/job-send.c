/* SPDX-License-Identifier: ISC */
#include "queue/job.h"

#include <unistd.h>

#include "queue/queue.h"
#include "queue/rewrite.h"

/* RFC 3461 section 5.2.1 */
static void
add_asked(struct packet *p, const struct envelope *e, size_t index)
{
	char text[DSN_ORCPT_MAX + 1];
	unsigned notify = envelope_notify(e, index);

	dsn_write_notify(notify, text);
	if (notify != 0)
		packet_text(p, "notify", text);
	if (envelope_orcpt(e, index, text))
		packet_text(p, "orcpt", text);
}

static void
add_head(struct packet *p, const struct job *job)
{
	const struct attempt *a = job->a;
	/* The same for all of them. */
	const char *sender = attempt_sender(a, job->recipients[0].index);

	packet_start(p, "job");
	packet_text(p, "id", a->id);
	packet_text(p, "sender", sender != NULL ? sender : a->e.sender);
	packet_text(p, "domain", job->domain->name);
	packet_number(p, "start", a->e.start);
	packet_number(p, "size", a->e.content);
	packet_number(p, "wire", a->e.wire);
	packet_text(p, "body", a->e.eight_bit ? "8bitmime" : "7bit");
	packet_number(p, "utf8", a->e.utf8);
	packet_number(p, "count", job->n);
	if (a->e.ret != DSN_RET_NONE)
		packet_text(p, "ret", dsn_ret_name(a->e.ret));
	if (a->e.envid != NULL)
		packet_text(p, "envid", a->e.envid);
	for (size_t i = 0; i < a->e.nsignatures; i++)
		packet_text(p, "dkim", a->e.signatures[i]);
}

static void
add_recipient(struct packet *p, const struct job *job, size_t i, bool alone)
{
	const struct envelope *e = &job->a->e;
	size_t index = job->recipients[i].index;

	if (alone)
		packet_start(p, "recipient");
	else
		packet_also(p, "recipient");
	packet_number(p, "index", i);
	packet_text(p, "address", e->recipients[index].address);
	add_asked(p, e, index);
}

/* All together, as far as a packet takes them; the content with the first. */
bool
job_send(const struct job *job, struct peer *peer)
{
	static struct packet p;
	const struct attempt *a = job->a;
	bool sent = false;
	int fd = spool_content(&queue.spool, a->m->folder, a->id);

	if (fd == -1)
		return false;
	add_head(&p, job);
	for (size_t i = 0; i < job->n; i++) {
		add_recipient(&p, job, i, sent);
		sent = i + 1 == job->n || packet_is_full(&p);
		if (!sent)
			continue;
		if (fd >= 0)
			packet_attach(&p, fd);
		peer_send(peer, &p);
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	return true;
}
