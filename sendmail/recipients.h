/* SPDX-License-Identifier: ISC */
#ifndef SENDMAIL_RECIPIENTS_H
#define SENDMAIL_RECIPIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/address.h"

/* The recipients of one message, each once, all with a domain. */
struct recipients {
	const char *domain; /* for those without one */
	char **items;       /* as address_format() writes them */
	size_t n;
	bool utf8;   /* one of them needs SMTPUTF8 (RFC 6531) */
	bool failed; /* no memory */
};

/* context is a struct recipients: for address_header_each(). */
bool recipients_add(const struct address *, void *context);

/* An argument: an address list as a header has it.  NULL, or what is wrong. */
const char *recipients_add_text(struct recipients *, const char *list);

void recipients_remove(struct recipients *, const char *address);
void recipients_free(struct recipients *);

#endif
