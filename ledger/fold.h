/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_FOLD_H
#define LEDGER_FOLD_H

#include <stddef.h>

/*
 * The text in lower case (ASCII), so that nobody gets a tally for each way to
 * write a name; what is longer than max octets is cut off.  out has room for
 * one more; returns it.
 */
static inline const char *
fold(const char *text, char *out, size_t max)
{
	size_t n = 0;

	for (; text[n] != '\0' && n < max; n++)
		out[n] = text[n] >= 'A' && text[n] <= 'Z'
		    ? (char)(text[n] - 'A' + 'a')
		    : text[n];
	out[n] = '\0';
	return out;
}

#endif
