/* SPDX-License-Identifier: ISC */
#ifndef USERDB_ENTRY_FIELDS_H
#define USERDB_ENTRY_FIELDS_H

#include "userdb/entry.h"

/* What entry.c, which keeps entries, and entry_line.c, which shows, share. */

enum { ENTRY_TYPES = ENTRY_NOTE + 1 };

struct entry_word {
	const char *word;
	char letter; /* of its keys */
};

extern const struct entry_word entry_types[ENTRY_TYPES];

enum form { FORM_TEXT, FORM_RATE, FORM_NUMBER, FORM_FLAG };

struct entry_field {
	const char *name;
	enum form form;
	size_t offset, size;
	unsigned shown; /* 1 << each type whose lines of text have it */
};

extern const struct entry_field entry_fields[];
extern const size_t entry_fields_count;

/* As text; "" where it is not set. */
void entry_field_get(
    const struct entry *, const struct entry_field *, char *out, size_t max);
/* False for what it cannot be. */
bool entry_field_set(
    struct entry *, const struct entry_field *, struct span value);
/* NULL: there is none of that name. */
const struct entry_field *entry_field_find(struct span name);

/* Are there several under one name, told apart by their targets? */
bool entry_has_target(enum entry_type);

/* False where it does not fit, or has a NUL. */
bool entry_take_text(struct span from, char *to, size_t size);

#endif
