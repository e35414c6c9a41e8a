/* SPDX-License-Identifier: ISC */
#include "sendmail/intake.h"

static void
add_octet(struct intake *in, char c, struct buf *out)
{
	if ((unsigned char)c > 127)
		in->eight_bit = true;
	if (++in->line > in->longest)
		in->longest = in->line;
	buf_addc(out, c);
}

/* A dot that begins a line waits for what follows it. */
static void
take_octet(struct intake *in, char c, struct buf *out)
{
	if (in->line == 0 && in->first == '\0' && c == '.' && !in->whole) {
		in->first = c;
		return;
	}
	if (in->first != '\0') {
		add_octet(in, in->first, out);
		in->first = '\0';
	}
	add_octet(in, c, out);
}

static void
take_line_end(struct intake *in, struct buf *out)
{
	if (in->first != '\0')
		in->ended = true;
	else
		buf_addc(out, '\n');
	in->line = 0;
	in->first = '\0';
}

bool
intake_add(struct intake *in, const char *octets, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n && !in->ended; i++) {
		char c = octets[i];
		bool after_cr = in->after_cr;

		in->after_cr = c == '\r';
		if (c == '\0')
			in->nuls++;
		else if (c == '\r' || (c == '\n' && !after_cr))
			take_line_end(in, out);
		else if (c != '\n')
			take_octet(in, c, out);
	}
	return !in->ended && buf_ok(out);
}

bool
intake_end(struct intake *in, struct buf *out)
{
	if (!in->ended && (in->line > 0 || in->first != '\0'))
		take_line_end(in, out);
	return buf_ok(out);
}
