/* SPDX-License-Identifier: ISC */
#include "sendmail/recipients.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool
is_there(const struct recipients *r, const char *text)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->items[i], text) == 0)
			return true;
	return false;
}

static bool
append(struct recipients *r, const char *text)
{
	char **items = reallocarray(r->items, r->n + 1, sizeof(*items));

	if (items != NULL)
		r->items = items;
	if (items == NULL || (items[r->n] = strdup(text)) == NULL) {
		r->failed = true;
		return false;
	}
	r->n++;
	return true;
}

bool
recipients_add(const struct address *address, void *context)
{
	struct recipients *r = context;
	struct address whole = *address;
	char text[ADDRESS_TEXT_MAX + 1];
	size_t n = strlen(r->domain);

	if (whole.domain[0] == '\0' && n < sizeof(whole.domain))
		memcpy(whole.domain, r->domain, n + 1);
	address_format(&whole, text);
	r->utf8 = r->utf8 || whole.utf8;
	return is_there(r, text) || append(r, text);
}

const char *
recipients_add_text(struct recipients *r, const char *list)
{
	size_t before = r->n;
	const char *wrong =
	    address_header_each(list, strlen(list), recipients_add, r);

	/* The same address twice is no fault. */
	if (wrong == NULL && r->n == before &&
	    strspn(list, " \t,") == strlen(list))
		wrong = "no address";
	return wrong;
}

void
recipients_remove(struct recipients *r, const char *address)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->items[i], address) == 0)
			free(r->items[i]);
		else
			r->items[kept++] = r->items[i];
	}
	r->n = kept;
}

void
recipients_free(struct recipients *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->items[i]);
	free(r->items);
	r->items = NULL;
	r->n = 0;
}
