/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/netaddr.h"
#include "smtpd/gate.h"
#include "smtpd/gate_refusal.h"

enum { INPUT_MAX = 1024, IDLE_MS = 30000 };

/* All that a refused guest costs beside its struct guest. */
struct dialogue {
	struct refusal refusal;
	char input[INPUT_MAX];
	size_t n;
	bool pausing; /* the first line there is answered when it is over */
	bool logged;
};

void
dialogue_prepare(
    struct guest *g, int smtp, const char *enhanced, const char *text)
{
	struct dialogue *d;

	if (g->dialogue != NULL)
		return;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return;
	d->refusal.smtp = smtp;
	d->refusal.enhanced = enhanced;
	snprintf(d->refusal.text, sizeof(d->refusal.text), "%s", text);
	g->dialogue = d;
}

#define TEXT_OR_NULL(text) ((text)[0] != '\0' ? (text) : NULL)

static void
log_refused(struct guest *g, bool recipient)
{
	const struct refusal *r = &g->dialogue->refusal;
	char client[NETADDR_TEXT_MAX];

	g->dialogue->logged = true;
	if (!gate_may_log())
		return;
	netaddr_format(&g->address, client);
	log_event(LEVEL_INFO, "refused", log_text("client", client),
	    log_text("helo", TEXT_OR_NULL(r->helo)),
	    log_address("from", r->open ? r->from : NULL),
	    log_address("to", recipient ? r->to : NULL),
	    log_text("lists", g->listed), log_text("dsn", r->enhanced),
	    log_text("reason", r->text));
}

void
dialogue_end(struct guest *g)
{
	if (g->dialogue == NULL)
		return;
	if (g->state == GUEST_REFUSED && !g->dialogue->logged)
		log_refused(g, false);
	free(g->dialogue);
	g->dialogue = NULL;
}

/* Octets of the first line with its end; 0: it is not whole. */
static size_t
first_line(const struct dialogue *d)
{
	const char *end = memchr(d->input, '\n', d->n);

	return end != NULL ? (size_t)(end - d->input) + 1 : 0;
}

/* False: it is gone. */
static bool
read_more(struct guest *g)
{
	struct dialogue *d = g->dialogue;
	ssize_t n = recv(g->client, d->input + d->n, sizeof(d->input) - d->n,
	    MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n > 0)
		d->n += (size_t)n;
	if (n > 0 && (d->n < sizeof(d->input) || first_line(d) > 0))
		return true;
	if (n > 0)
		guest_last_words(g, "500 5.5.2 line too long\r\n");
	guest_end(g);
	return false;
}

/* A line is answered when the tarpit lets it; else it is waited for. */
void
dialogue_hear(struct guest *g)
{
	struct dialogue *d = g->dialogue;

	if (d->pausing)
		return;
	if (first_line(d) == 0 && !read_more(g))
		return;
	d->pausing = first_line(d) > 0;
	if (d->pausing)
		loop_timer(&g->timer, (int64_t)gate.config.tarpit * 1000);
}

void
dialogue_begin(struct guest *g)
{
	guest_enter(g, GUEST_REFUSED);
	loop_timer(&g->timer, IDLE_MS);
	dialogue_hear(g);
}

static enum refusal_step
answer_line(struct guest *g)
{
	struct dialogue *d = g->dialogue;
	size_t whole = first_line(d);
	size_t n = whole - 1;
	char reply[REFUSAL_REPLY_MAX];
	enum refusal_step step;

	if (n > 0 && d->input[n - 1] == '\r')
		n--;
	step = refusal_line(&d->refusal, gate.config.hostname,
	    (struct span){d->input, n}, reply);
	d->n -= whole;
	memmove(d->input, d->input + whole, d->n);
	if (step == REFUSAL_OVER)
		guest_last_words(g, reply);
	else
		(void)send(g->client, reply, strlen(reply),
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	return step;
}

void
dialogue_run_out(struct guest *g)
{
	struct dialogue *d = g->dialogue;

	if (!d->pausing) {
		guest_dismiss(g, "421 4.4.2 timeout, closing connection\r\n",
		    "timeout");
		return;
	}
	switch (answer_line(g)) {
	case REFUSAL_RECIPIENT:
		log_refused(g, true);
		break;
	case REFUSAL_GOES_ON:
		break;
	case REFUSAL_OVER:
		guest_end(g);
		return;
	}
	d->pausing = false;
	loop_timer(&g->timer, IDLE_MS);
	dialogue_hear(g);
}
