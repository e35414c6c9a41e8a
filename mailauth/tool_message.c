/* SPDX-License-Identifier: ISC */
#include "mailauth/tool_message.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/program.h"
#include "mailauth/tool.h"

enum { PIECE = 64 * 1024 };

/* CRLF becomes LF; a CR alone stays what it is.  Returns the new length. */
static size_t
normalise(struct message *m, const char *raw, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (raw[i] == '\n' && !m->lines) {
			m->lines = true;
			m->crlf = m->within_crlf;
		}
		if (m->within_crlf && raw[i] != '\n')
			m->octets[kept++] = '\r';
		m->within_crlf = raw[i] == '\r';
		if (!m->within_crlf)
			m->octets[kept++] = raw[i];
	}
	return kept;
}

/* The next octets of standard input; *n 0 at its end. */
static int
read_piece(struct message *m, size_t *n)
{
	char raw[PIECE];
	ssize_t got;

	do {
		do
			got = read(STDIN_FILENO, raw, sizeof(raw));
		while (got == -1 && errno == EINTR);
		if (got == -1)
			return program_fail(
			    EX_IOERR, "standard input: %s", strerror(errno));
		if (m->copy != NULL && !buf_add(m->copy, raw, (size_t)got))
			return program_fail(
			    EX_DATAERR, "the message is too big");
		*n = normalise(m, raw, (size_t)got);
	} while (got > 0 && *n == 0); /* a CR alone */
	if (got == 0 && m->within_crlf) {
		m->within_crlf = false;
		m->octets[0] = '\r';
		*n = 1;
	}
	return EX_OK;
}

int
message_begin(struct message *m, struct buf *copy)
{
	int code = EX_OK;
	size_t n = 1, used;

	memset(m, 0, sizeof(*m));
	header_init(&m->section);
	m->copy = copy;
	while (code == EX_OK && n > 0 && !m->section.done) {
		code = read_piece(m, &n);
		if (code != EX_OK)
			return code;
		used = header_take(&m->section, m->octets, n);
		m->rest = m->octets + used;
		m->nrest = n - used;
	}
	if (!m->section.done)
		header_end(&m->section);
	return code;
}

int
message_body(struct message *m, const char **octets, size_t *n)
{
	*n = m->nrest;
	*octets = m->rest;
	m->nrest = 0;
	if (*n > 0)
		return EX_OK;
	*octets = m->octets;
	return read_piece(m, n);
}

void
message_free(struct message *m)
{
	header_free(&m->section);
}
