/* SPDX-License-Identifier: ISC */
#include "mailbox/wire.h"

#include <string.h>

static size_t
count_of(char wanted, const char *octets, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += octets[i] == wanted;
	return found;
}

/* Each CR and each LF becomes a CRLF, but a CRLF stays one. */
static uint64_t
added_with_cr(char last, const char *octets, size_t n)
{
	uint64_t added = 0;

	for (size_t i = 0; i < n; i++) {
		if (octets[i] == '\r')
			added++;
		else if (octets[i] == '\n')
			added = last == '\r' ? added - 1 : added + 1;
		last = octets[i];
	}
	return added;
}

void
wire_add(struct wire_count *w, const char *octets, size_t n)
{
	if (n == 0)
		return;
	w->octets += n;
	/* What Postrider stores has no CR: the way that a compiler can make
	 * fast is the usual one. */
	if (w->last != '\r' && memchr(octets, '\r', n) == NULL)
		w->octets += count_of('\n', octets, n);
	else
		w->octets += added_with_cr(w->last, octets, n);
	w->last = octets[n - 1];
}

uint64_t
wire_total(const struct wire_count *w)
{
	if (w->last == '\0' && w->octets == 0)
		return 0;
	return w->last == '\n' || w->last == '\r' ? w->octets : w->octets + 2;
}
