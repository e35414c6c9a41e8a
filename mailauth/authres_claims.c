/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <strings.h>

#include "mailauth/authres.h"
#include "mailauth/dmarc_walk.h"

/*
 * Only as much of the field is read as says whose it is (RFC 8601 section
 * 2.2): [CFWS] authserv-id [CFWS] [version] [CFWS], then ";" or the end.
 */
enum { ID_MAX = DNS_NAME_MAX };

struct reader {
	const char *p, *end;
	bool failed; /* sticky */
};

static void
fail(struct reader *r)
{
	r->failed = true;
	r->p = r->end;
}

static void
skip_comment(struct reader *r)
{
	size_t depth = 0;

	for (; r->p < r->end; r->p++) {
		if (*r->p == '\\' && r->p + 1 < r->end)
			r->p++;
		else if (*r->p == '(')
			depth++;
		else if (*r->p == ')' && --depth == 0) {
			r->p++;
			return;
		}
	}
	fail(r);
}

static void
skip_blanks(struct reader *r)
{
	while (r->p < r->end) {
		if (*r->p == '(')
			skip_comment(r);
		else if (strchr(" \t\r\n", *r->p) != NULL && *r->p != '\0')
			r->p++;
		else
			return;
	}
}

/* RFC 2045 section 5.1, and what is not ASCII (RFC 8601 section 2.3). */
static bool
is_token_octet(char c)
{
	if ((unsigned char)c >= 0x80)
		return true;
	return c > ' ' && c < 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

struct id {
	char octets[ID_MAX + 1];
	size_t n;
};

static void
add(struct reader *r, struct id *id, char c)
{
	if ((c >= 0 && c < ' ') || c == 0x7f || id->n == ID_MAX)
		fail(r);
	else
		id->octets[id->n++] = c;
}

static void
take_quoted(struct reader *r, struct id *id)
{
	for (r->p++; r->p < r->end && *r->p != '"'; r->p++) {
		if (*r->p == '\\' && r->p + 1 < r->end)
			r->p++;
		add(r, id, *r->p);
		if (r->failed)
			return;
	}
	if (r->p == r->end)
		fail(r);
	else
		r->p++;
}

static void
take_id(struct reader *r, struct id *id)
{
	skip_blanks(r);
	if (r->p < r->end && *r->p == '"') {
		take_quoted(r, id);
		return;
	}
	while (r->p < r->end && is_token_octet(*r->p)) {
		add(r, id, *r->p);
		if (r->failed)
			return;
		r->p++;
	}
}

/* Nothing but a version before the results. */
static bool
ends_well(struct reader *r)
{
	const char *behind_id = r->p;

	skip_blanks(r);
	if (r->p > behind_id)
		while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
			r->p++;
	skip_blanks(r);
	return !r->failed && (r->p == r->end || *r->p == ';');
}

bool
authres_claims(const struct header_field *field, const char *authserv_id)
{
	struct reader r = {.p = field->value.data,
	    .end = field->value.data + field->value.len};
	struct id id = {.n = 0};
	char theirs[DNS_NAME_MAX + 1], ours[DNS_NAME_MAX + 1];

	if (!header_is(field, "Authentication-Results"))
		return false;
	take_id(&r, &id);
	id.octets[id.n] = '\0';
	if (id.n == 0 || !ends_well(&r) ||
	    !dmarc_normalise(id.octets, theirs) ||
	    !dmarc_normalise(authserv_id, ours))
		return true;
	return strcmp(theirs, ours) == 0;
}
