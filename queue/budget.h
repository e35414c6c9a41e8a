/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_BUDGET_H
#define QUEUE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Memory for envelopes: however long the queue and however large they are,
 * those of all attempts that run take about BUDGET_OCTETS at a time, and as
 * much those that clients are handing in.  While that is used up no attempt
 * begins, and no client may name more recipients.
 */
enum budget { BUDGET_ATTEMPTS, BUDGET_CLIENTS };

enum {
	BUDGET_OCTETS = 128 << 20,
	BUDGET_RECIPIENT = 512, /* one, with its address and its work */
	BUDGET_ENVELOPE = 4096  /* what is left without recipients */
};

/* What an envelope of a file of so many octets takes. */
size_t budget_of_file(uint64_t octets);

void budget_take(enum budget, size_t octets);
void budget_give(enum budget, size_t octets);
bool budget_is_spent(enum budget);

#endif
