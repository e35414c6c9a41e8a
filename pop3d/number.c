/* SPDX-License-Identifier: ISC */
#include "pop3d/number.h"

#include <stddef.h>

void
number_skip_blanks(struct span *args)
{
	while (args->len > 0 && (*args->data == ' ' || *args->data == '\t')) {
		args->data++;
		args->len--;
	}
}

static size_t
word_length(const struct span *args)
{
	size_t n = 0;

	while (n < args->len && args->data[n] != ' ' && args->data[n] != '\t')
		n++;
	return n;
}

enum number_fault
number_take(struct span *args, uint64_t lowest, uint64_t most, uint64_t *number)
{
	struct cursor word;
	size_t n;

	number_skip_blanks(args);
	n = word_length(args);
	if (n == 0)
		return NUMBER_MISSING;
	word = cursor_over(args->data, n);
	*number = cursor_decimal(&word);
	if (!cursor_done(&word))
		return NUMBER_JUNK;
	args->data += n;
	args->len -= n;
	number_skip_blanks(args);
	if (*number < lowest)
		return NUMBER_ZERO;
	return *number > most ? NUMBER_BEYOND : NUMBER_OK;
}
