/* SPDX-License-Identifier: ISC */
#include "mailauth/spf_record.h"

#include <string.h>
#include <strings.h>

#include "mailauth/spf_macro.h"
#include "mailauth/spf_term.h"

static const char version[] = "v=spf1";

bool
spf_is_record(const char *text)
{
	size_t n = sizeof(version) - 1;

	return strncasecmp(text, version, n) == 0 &&
	    (text[n] == ' ' || text[n] == '\0');
}

/* Spaces alone part terms: what else there may be belongs to one. */
static bool
next_text(const char **at, struct span *text)
{
	const char *p = *at;

	while (*p == ' ')
		p++;
	text->data = p;
	text->len = strcspn(p, " ");
	*at = p + text->len;
	return text->len > 0;
}

bool
spf_record_next(const char **at, struct spf_term *term)
{
	struct span text;

	return next_text(at, &text) && spf_term_parse(text, term) == NULL;
}

/* Section 6: redirect and exp stand once, wherever. */
static const char *
note_modifier(struct span *where, const struct spf_term *term)
{
	if (where->len > 0)
		return "this modifier stands twice";
	*where = term->target;
	return NULL;
}

const char *
spf_record_parse(
    const char *text, struct spf_record *record, struct span *culprit)
{
	const char *at = text + sizeof(version) - 1, *error = NULL;
	struct spf_term term;

	*record = (struct spf_record){.terms = at};
	while (error == NULL && next_text(&at, culprit)) {
		error = spf_term_parse(*culprit, &term);
		if (error != NULL)
			return error;
		if (term.kind == SPF_REDIRECT)
			error = note_modifier(&record->redirect, &term);
		else if (term.kind == SPF_EXP)
			error = note_modifier(&record->exp, &term);
		else if (term.kind == SPF_ALL)
			record->has_all = true;
	}
	return error;
}
