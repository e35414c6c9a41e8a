/* SPDX-License-Identifier: ISC */
#include "smtpd/header_scan.h"

void
header_scan_init(struct header_scan *h)
{
	*h = (struct header_scan){.matching = true};
}

static void
take_octet(struct header_scan *h, char c)
{
	static const char name[] = "received:";

	if (c == '\n') {
		h->done = h->column == 0;
		h->column = 0;
		h->matching = true;
		return;
	}
	if ((unsigned char)c & 0x80)
		h->eight_bit = true;
	if (h->matching) {
		char lower = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;

		/* "Received :" is obsolete, but names the same field */
		if (name[h->column] == ':' && (c == ' ' || c == '\t'))
			return;
		h->matching = name[h->column] == lower;
		if (h->matching && lower == ':') {
			h->received++;
			h->matching = false;
		}
	}
	h->column++;
}

void
header_scan(struct header_scan *h, const char *octets, size_t n)
{
	for (size_t i = 0; i < n && !h->done; i++)
		take_octet(h, octets[i]);
}
