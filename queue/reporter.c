/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/protocol.h"
#include "common/sandbox.h"
#include "common/submit.h"
#include "queue/bounce.h"
#include "queue/report.h"

enum { STEP_MS = 2 * 60 * 1000 }; /* longer than queue takes to answer */

static bool
read_envelope(int fd, struct envelope *e)
{
	const char *why;
	unsigned line;
	char *octets;
	size_t n;
	bool ok;

	if (fs_read_all(fd, ENVELOPE_FILE_MAX, &octets, &n) == -1)
		return false;
	ok = envelope_parse(e, octets, n, &why, &line) == ENVELOPE_WHOLE;
	free(octets);
	return ok;
}

/* What may leave the house, as far as a header goes. */
static bool
read_header(int fd, const struct envelope *e, char *octets, size_t *n)
{
	ssize_t got;

	*n = 0;
	while (*n < REPORT_HEADER_MAX) {
		got = pread(fd, octets + *n, REPORT_HEADER_MAX - *n,
		    (off_t)(e->start + *n));
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return false;
		if (got == 0)
			break;
		*n += (size_t)got;
	}
	return true;
}

static enum verdict
hand_in(struct submission *s, struct report *r)
{
	int64_t deadline = clock_monotonic_ms() + STEP_MS;
	const char *recipients[] = {r->e->sender};
	struct submit_envelope envelope = {.sender = "",
	    .recipients = recipients,
	    .nrecipients = 1,
	    .client = "",
	    .helo = "",
	    .protocol = "report"};
	enum verdict verdict = submit_open(s, -1, 0, deadline);

	if (verdict != VERDICT_OK)
		return verdict;
	r->own_id = s->id;
	r->now = s->time;
	if (!report_compose(r)) {
		submit_abort(s);
		return VERDICT_BUSY;
	}
	if (fs_write_all(s->writer, r->text.data, r->text.len) == -1) {
		verdict = submit_storage_failed();
		submit_abort(s);
		return verdict;
	}
	envelope.start = r->start;
	envelope.wire = r->wire;
	envelope.eight_bit = r->eight_bit;
	envelope.utf8 = r->utf8;
	return submit_commit(s, &envelope, deadline);
}

static enum verdict
report(struct submission *s, struct report *r, int content, int envelope)
{
	static char header[REPORT_HEADER_MAX];
	struct envelope e;
	enum verdict verdict = VERDICT_INTERNAL;

	envelope_init(&e);
	if (read_envelope(envelope, &e) &&
	    read_header(content, &e, header, &r->nheader)) {
		r->e = &e;
		r->header = header;
		verdict = hand_in(s, r);
		r->e = NULL;
		r->header = NULL;
		buf_free(&r->text);
	}
	envelope_free(&e);
	return verdict;
}

static bool
serve(int control, struct submission *s, struct packet *p)
{
	const char *id, *hostname;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &id),
	    ATTRIBUTE_TEXT("hostname", PROTOCOL_ADDRESS_MAX, &hostname),
	};
	struct packet answer;
	struct report r = {0};
	enum verdict verdict;

	if (!packet_read(p, "report", set, 2, 2))
		return false;
	r.id = id;
	r.hostname = hostname;
	verdict = report(s, &r, p->fds[0], p->fds[1]);
	packet_start(&answer, "reported");
	packet_text(&answer, "id", id);
	packet_text(&answer, "verdict", verdict_row(verdict)->name);
	packet_text(&answer, "report", s->id);
	return ipc_send(control, &answer, -1) == IPC_OK && !s->lost;
}

int
reporter_run(int control, int queue_end)
{
	const struct sandbox sandbox = {.files = 32};
	struct submission s = {.queue = queue_end, .writer = -1, .reader = -1};
	struct packet p;
	bool ok = true;

	sandbox_enter(&sandbox);
	while (ok && ipc_receive(control, &p, -1) == IPC_OK) {
		ok = serve(control, &s, &p);
		packet_close(&p);
	}
	return ok ? EX_OK : EX_SOFTWARE;
}
