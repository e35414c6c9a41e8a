/* SPDX-License-Identifier: ISC */
#include "queue/rewrite.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "queue/attempt-steps.h"
#include "queue/queue.h"

void
rewrite_free(struct rewrite *r)
{
	struct rewrite *next;

	for (; r != NULL; r = next) {
		next = r->next;
		free(r->sender);
		free(r);
	}
}

const char *
attempt_sender(const struct attempt *a, size_t index)
{
	const struct rewrite *r =
	    index < a->room ? a->work[index].rewrite : NULL;

	return r != NULL ? r->sender : NULL;
}

static void
go_on(struct attempt *a)
{
	if (--a->unanswered > 0)
		return;
	attempt_deliver_remote(a);
	attempt_step(a);
}

static void
on_answer(void *asker, size_t index, struct route *answer)
{
	struct attempt *a = asker;
	struct rewrite *r = a->work[index].rewrite;

	r->answered = true;
	r->verdict = answer->verdict;
	if (answer->n > 0) {
		r->sender = answer->targets[0];
		answer->targets[0] = NULL;
	}
	if (answer->reason != NULL)
		log_event(LEVEL_INFO, "sender kept", log_text("id", a->id),
		    log_address("from", a->e.sender),
		    log_text("reason", answer->reason));
	go_on(a);
}

/* The domain of the address that the world wrote to; "": none. */
static const char *
alias_domain(const struct attempt *a, size_t index)
{
	const char *at = strrchr(envelope_original(&a->e, index)->address, '@');

	return at != NULL ? at + 1 : "";
}

/* NULL without memory. */
static struct rewrite *
rewrite_new(struct attempt *a, const char *domain)
{
	size_t n = strlen(domain) + 1;
	struct rewrite *r = calloc(1, sizeof(*r) + n);

	if (r == NULL)
		return NULL;
	memcpy(r->domain, domain, n);
	r->next = a->rewrites;
	a->rewrites = r;
	return r;
}

static struct rewrite *
find(const struct attempt *a, const char *domain)
{
	struct rewrite *r = a->rewrites;

	while (r != NULL && strcmp(r->domain, domain) != 0)
		r = r->next;
	return r;
}

static void
settle_sender(struct attempt *a, size_t index)
{
	const char *domain = alias_domain(a, index);
	struct work *w = &a->work[index];

	w->rewrite = find(a, domain);
	if (w->rewrite != NULL)
		return;
	w->rewrite = rewrite_new(a, domain);
	if (w->rewrite == NULL) {
		attempt_settle_verdict(a, index, VERDICT_BUSY, true);
		return;
	}
	a->unanswered++;
	route_ask_srs(a->e.sender, domain, on_answer, a, index);
}

void
attempt_leave(struct attempt *a)
{
	a->unanswered++;
	if (queue.config.srs && a->e.sender[0] != '\0')
		for (size_t i = 0; i < a->e.n; i++)
			if (a->work[i].stage == WORK_REMOTE &&
			    a->e.recipients[i].parent != i)
				settle_sender(a, i);
	go_on(a);
}
