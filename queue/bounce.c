/* SPDX-License-Identifier: ISC */
#include "queue/bounce.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/protocol.h"
#include "common/verdict.h"
#include "queue/child.h"
#include "queue/intake.h"
#include "common/peer.h"
#include "queue/queue.h"

enum { RESTART_MS = 1000, ANSWER_MS = 10 * 60 * 1000 };

/* An attempt that waits for its report, or a notice. */
struct wish {
	struct wish *next;
	struct attempt *a; /* NULL: */
	struct bounce_notice *notice;
};

static struct {
	struct peer peer;
	bool alive;
	pid_t pid;
	struct wish *first, *last; /* the first is being served */
	bool asked;
	struct timer timer; /* to start again; or no answer */
} reporter;

static void start_reporter(struct timer *);
static void ask_next(void);

static _Noreturn void
become_reporter(int control, int queue_end)
{
	const int keep[] = {control, queue_end};

	child_begin(keep, 2);
	_exit(reporter_run(control, queue_end));
}

/* -- answers -- */

static void
answer_first(enum bounce_answer answer, const char *report)
{
	struct wish *w = reporter.first;
	struct attempt *a = w->a;
	struct bounce_notice *notice = w->notice;

	reporter.first = w->next;
	if (reporter.first == NULL)
		reporter.last = NULL;
	reporter.asked = false;
	free(w);
	if (a != NULL)
		attempt_told(a, answer, report);
	else
		notice->told(notice, answer, report);
}

static const char *
id_of(const struct wish *w)
{
	return w->a != NULL ? w->a->id : "notice";
}

static void
on_closed(struct peer *peer)
{
	peer_end(peer);
	reporter.alive = false;
	log_event(LEVEL_WARNING, "peer lost", log_text("what", "reporter"),
	    log_text("reason", "it ended"));
	if (reporter.asked)
		answer_first(BOUNCE_LATER, "");
	reporter.timer.fire = start_reporter;
	if (!queue.draining)
		loop_timer(&reporter.timer, RESTART_MS);
}

static bool
on_packet(struct peer *peer, struct packet *p)
{
	const char *id, *name, *report;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &id),
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &name),
	    ATTRIBUTE_TEXT("report", PROTOCOL_ID_MAX, &report),
	};
	enum verdict verdict;

	(void)peer;
	if (!packet_read(p, "reported", set, 3, 0) || !reporter.asked ||
	    strcmp(id, id_of(reporter.first)) != 0)
		return false;
	loop_timer_stop(&reporter.timer);
	verdict = verdict_named(name);
	if (verdict_is_success(verdict))
		answer_first(BOUNCE_SENT, report);
	else if (verdict_is_temporary(verdict))
		answer_first(BOUNCE_LATER, "");
	else
		answer_first(BOUNCE_REFUSED, verdict_row(verdict)->text);
	ask_next();
	return true;
}

static void
on_silence(struct timer *t)
{
	(void)t;
	kill(reporter.pid, SIGKILL);
	on_closed(&reporter.peer);
}

/* -- questions -- */

/* The sender; of a report that failed, who gets copies, or NULL. */
static const char *
recipient_of(const struct attempt *a)
{
	return a->e.sender[0] != '\0' ? a->e.sender : queue.config.bounce_copy;
}

static void
write_question(struct packet *p, const struct attempt *a)
{
	const struct config *c = &queue.config;
	bool final = a->e.sender[0] == '\0';

	packet_start(p, "report");
	packet_text(p, "id", a->id);
	packet_text(p, "kind", report_kind_name(a->report));
	packet_text(p, "hostname", c->hostname);
	packet_text(p, "to", recipient_of(a));
	if (a->report == REPORT_FAILURE && c->bounce_copy != NULL && !final)
		packet_text(p, "copy", c->bounce_copy);
	packet_number(p, "limit", c->bounce_size_limit);
	packet_number(p, "expires", (uint64_t)a->e.time + c->queue_lifetime);
	packet_number(p, "final", final);
}

static bool
send_question(const struct attempt *a)
{
	static struct packet p;
	int content =
	    spool_content(&queue.spool, (enum spool_folder)a->m->folder, a->id);
	int envelope = spool_envelope(&queue.spool, a->id);
	/* bounce-copy may be gone from the config since it was asked for */
	bool ok = content >= 0 && envelope >= 0 && recipient_of(a) != NULL;

	if (ok) {
		write_question(&p, a);
		packet_attach(&p, content);
		packet_attach(&p, envelope);
		peer_send(&reporter.peer, &p);
	}
	if (content >= 0)
		close(content);
	if (envelope >= 0)
		close(envelope);
	return ok;
}

static void
send_notice(const struct bounce_notice *n)
{
	static struct packet p;

	packet_start(&p, "notice");
	packet_text(&p, "hostname", queue.config.hostname);
	packet_text(&p, "login", n->login);
	packet_text(&p, "reason", n->reason);
	packet_number(&p, "since", (uint64_t)n->since);
	packet_number(&p, "most", queue.config.login_held);
	if (n->id[0] != '\0')
		packet_text(&p, "id", n->id);
	if (n->client != NULL)
		packet_text(&p, "client", n->client);
	if (n->sender != NULL)
		packet_text(&p, "sender", n->sender);
	if (n->app != NULL)
		packet_text(&p, "app", n->app);
	peer_send(&reporter.peer, &p);
}

static bool
send_wish(const struct wish *w)
{
	if (w->a != NULL)
		return send_question(w->a);
	send_notice(w->notice);
	return true;
}

static void
ask_next(void)
{
	while (reporter.alive && !reporter.asked && reporter.first != NULL) {
		reporter.asked = true;
		if (send_wish(reporter.first)) {
			reporter.timer.fire = on_silence;
			loop_timer(&reporter.timer, ANSWER_MS);
		} else {
			answer_first(BOUNCE_LATER, "");
		}
	}
}

static void
enter(struct wish *w)
{
	if (reporter.last != NULL)
		reporter.last->next = w;
	else
		reporter.first = w;
	reporter.last = w;
	ask_next();
}

void
bounce_ask(struct attempt *a)
{
	struct wish *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		attempt_told(a, BOUNCE_LATER, "");
		return;
	}
	w->a = a;
	enter(w);
}

void
bounce_notify(struct bounce_notice *n)
{
	struct wish *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		n->told(n, BOUNCE_LATER, "");
		return;
	}
	w->notice = n;
	enter(w);
}

/* -- the process -- */

static void
reap(int signo)
{
	(void)signo;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
}

static void
start_failed(const int pairs[4])
{
	log_errno(LEVEL_ERROR, "cannot start", "reporter");
	for (int i = 0; i < 4; i++)
		if (pairs[i] >= 0)
			close(pairs[i]);
	reporter.timer.fire = start_reporter;
	loop_timer(&reporter.timer, RESTART_MS);
}

static void
start_reporter(struct timer *t)
{
	int pairs[4] = {-1, -1, -1, -1}; /* control, then its submissions */

	(void)t;
	if (ipc_pair(pairs) == -1 || ipc_pair(pairs + 2) == -1 ||
	    (reporter.pid = fork()) == -1) {
		start_failed(pairs);
		return;
	}
	if (reporter.pid == 0)
		become_reporter(pairs[1], pairs[3]);
	close(pairs[1]);
	close(pairs[3]);
	client_begin(CLIENT_REPORT, pairs[2], NULL, NULL);
	reporter.peer = (struct peer){
	    .role = "reporter", .packet = on_packet, .closed = on_closed};
	reporter.alive = peer_begin(&reporter.peer, pairs[0]) == 0;
	if (!reporter.alive) {
		log_errno(LEVEL_ERROR, "cannot watch", "reporter");
		reporter.timer.fire = start_reporter;
		loop_timer(&reporter.timer, RESTART_MS);
		return;
	}
	ask_next();
}

void
bounce_begin(void)
{
	loop_signal(SIGCHLD, reap);
	start_reporter(NULL);
}
