/* SPDX-License-Identifier: ISC */
#include "common/lines.h"

#include <string.h>

/* -- from the wire -- */

enum reader_state {
	LINE_START, /* behind CRLF, or the first octet of all */
	DOT,        /* "." began the line */
	DOT_CR,     /* ".CR" did */
	TEXT,
	CR /* in text, not known yet whether LF follows */
};

void
dot_reader_init(struct dot_reader *r)
{
	*r = (struct dot_reader){.state = LINE_START};
}

static void
end_line(struct dot_reader *r)
{
	if (r->line > r->longest)
		r->longest = r->line;
	r->line = 0;
}

/* Octets that are nothing but text, up to the next that may be more. */
static size_t
text_run(struct dot_reader *r, const char *in, size_t n)
{
	unsigned char seen = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)in[i];

		if (c == '\r' || c == '\n' || c == '\0')
			break;
		seen |= c;
	}
	if (seen & 0x80)
		r->eight_bit = true;
	return i;
}

/*
 * One octet in text.  Never more comes out than went in, however the input
 * is split: the CR of a CRLF and a bare CR (whose message nobody keeps) put
 * nothing out.
 */
static size_t
read_text(struct dot_reader *r, char c, char *out)
{
	if (c == '\r') {
		if (r->state == CR)
			r->bare_cr = true;
		r->state = CR;
		r->octets++;
		return 0;
	}
	r->octets++;
	if (c == '\n' && r->state == CR) {
		end_line(r);
		r->state = LINE_START;
	} else if (c == '\n') {
		/* What follows is no line start: LF "." is only text (A1). */
		r->bare_lf = true;
		r->octets++;
		r->bare_cr |= r->state == CR;
		end_line(r);
		r->state = TEXT;
	} else {
		r->bare_cr |= r->state == CR;
		r->nul |= c == '\0';
		r->eight_bit |= ((unsigned char)c & 0x80) != 0;
		r->state = TEXT;
	}
	*out = c;
	return 1;
}

/* One octet where a line began with a dot; true: that was the end. */
static bool
read_dot(struct dot_reader *r, char c, char *out, size_t *made)
{
	if (r->state == DOT && c == '\r') {
		r->state = DOT_CR;
		return false;
	}
	if (r->state == DOT_CR && c == '\n')
		return true;
	r->line--;
	if (r->state == DOT_CR) {
		r->octets++;
		r->state = CR;
	} else {
		r->state = TEXT;
	}
	*made += read_text(r, c, out + *made);
	return false;
}

enum dot_state
dot_read(struct dot_reader *r, const char *in, size_t n, size_t *used,
    char *out, size_t *made)
{
	size_t i = 0;

	*made = 0;
	while (i < n) {
		if (r->state == TEXT) {
			size_t run = text_run(r, in + i, n - i);

			memmove(out + *made, in + i, run);
			*made += run;
			r->line += run;
			r->octets += run;
			i += run;
			if (i == n)
				break;
		}
		r->line++;
		switch (r->state) {
		case DOT:
		case DOT_CR:
			if (read_dot(r, in[i++], out, made)) {
				r->state = LINE_START;
				end_line(r);
				*used = i;
				return DOT_END;
			}
			break;
		case LINE_START:
			if (in[i] == '.') {
				r->state = DOT;
				i++;
				break;
			}
			/* FALLTHROUGH */
		default:
			*made += read_text(r, in[i++], out + *made);
		}
	}
	if (r->line > r->longest)
		r->longest = r->line;
	*used = i;
	return DOT_MORE;
}

/* -- to the wire -- */

enum writer_state { AT_START, IN_LINE, BEHIND_CR };

void
dot_writer_init(struct dot_writer *w, bool stuff)
{
	*w = (struct dot_writer){.stuff = stuff, .state = AT_START};
}

size_t
dot_write(struct dot_writer *w, const char *in, size_t n, char *out)
{
	char *p = out;
	size_t stuffed = 0;

	for (size_t i = 0; i < n; i++) {
		char c = in[i];

		if (c == '\n' && w->state == BEHIND_CR) {
			w->state = AT_START; /* its CRLF is out already */
		} else if (c == '\n' || c == '\r') {
			*p++ = '\r';
			*p++ = '\n';
			w->state = c == '\r' ? BEHIND_CR : AT_START;
		} else {
			if (c == '.' && w->stuff && w->state != IN_LINE) {
				*p++ = '.';
				stuffed++;
			}
			*p++ = c;
			w->state = IN_LINE;
		}
	}
	w->octets += (size_t)(p - out) - stuffed;
	return (size_t)(p - out);
}

size_t
dot_write_end(struct dot_writer *w, char *out, bool end)
{
	size_t n = 0;

	if (w->state == IN_LINE) {
		memcpy(out, "\r\n", 2);
		n = 2;
		w->octets += 2;
		w->state = AT_START;
	}
	if (end) {
		memcpy(out + n, ".\r\n", 3);
		n += 3;
	}
	return n;
}
