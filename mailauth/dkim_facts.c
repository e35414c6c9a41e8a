/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "mailauth/dkim_body.h"
#include "mailauth/dkim_fields.h"
#include "mailauth/dkim_signature.h"

struct dkim_signer {
	struct dkim_body body;
};

struct dkim_signer *
dkim_sign_begin(void)
{
	struct dkim_signer *s = malloc(sizeof(*s));

	if (s == NULL)
		return NULL;
	if (!dkim_body_init(&s->body, true)) {
		dkim_sign_free(s);
		return NULL;
	}
	dkim_body_want(&s->body, DKIM_WHOLE_BODY);
	return s;
}

void
dkim_sign_free(struct dkim_signer *s)
{
	if (s == NULL)
		return;
	dkim_body_free(&s->body);
	free(s);
}

void
dkim_sign_body(struct dkim_signer *s, const char *octets, size_t n)
{
	dkim_body_take(&s->body, octets, n);
}

/* -- the mailbox in From -- */

struct mailboxes {
	size_t n;
	char first[ADDRESS_TEXT_MAX + 1];
};

static bool
found_mailbox(const struct address *a, void *context)
{
	struct mailboxes *m = context;

	if (m->n++ == 0)
		address_format(a, m->first);
	return m->n < 2;
}

/* NULL, or why this is not one mailbox of a domain. */
static const char *
one_mailbox(struct span value, char from[ADDRESS_TEXT_MAX + 1])
{
	struct mailboxes m = {.n = 0};

	if (address_header_each(value.data, value.len, found_mailbox, &m) !=
	    NULL)
		return "From cannot be read";
	if (m.n == 0)
		return "no mailbox in From";
	if (m.n > 1)
		return "several mailboxes in From";
	if (strrchr(m.first, '@') == NULL)
		return "no domain in From";
	memcpy(from, m.first, sizeof(m.first));
	return NULL;
}

/* -- the fields -- */

static void
append(void *context, const char *octets, size_t n)
{
	struct buf *fields = context;

	buf_add(fields, octets, n);
}

/* From the bottom up (RFC 6376 section 5.4.2), then the one too many. */
static void
add_name(const struct header_section *h, const struct dkim_signed_name *name,
    struct dkim_canon *canon)
{
	struct span none = {"", 0};

	for (size_t i = h->n; i-- > 0;)
		if (header_is(&h->fields[i], name->name)) {
			dkim_canon_field(canon, &h->fields[i], none);
			dkim_canon_line_end(canon);
		}
	dkim_canon_flush(canon);
	if (name->once_more) {
		append(canon->context, name->name, strlen(name->name));
		append(canon->context, "\r\n", 2);
	}
}

static const char *
look_at_header(const struct header_section *h, struct dkim_facts *facts)
{
	const struct header_field *from;

	if (!buf_ok(&h->text))
		return "out of memory";
	if (h->oversized)
		return "the header section is too big";
	if (h->malformed)
		return "the header section is malformed";
	if (h->n > 0 &&
	    (memchr(h->text.data, '\r', h->text.len) != NULL ||
		memchr(h->text.data, '\0', h->text.len) != NULL))
		return "a bare CR or NUL in the header section";
	switch (header_count(h, "From", &from)) {
	case 0:
		return "no From field";
	case 1:
		return one_mailbox(from->value, facts->from);
	default:
		return "several From fields";
	}
}

const char *
dkim_sign_end(struct dkim_signer *s, const struct header_section *h,
    struct dkim_facts *facts)
{
	struct dkim_canon canon;
	const char *wrong;

	*facts = (struct dkim_facts){.fields = BUF_INIT(DKIM_FIELDS_MAX)};
	dkim_body_end(&s->body);
	if (s->body.failed)
		return "out of memory";
	memcpy(facts->body, dkim_body_digest(&s->body, DKIM_WHOLE_BODY),
	    DKIM_HASH_SIZE);
	wrong = look_at_header(h, facts);
	if (wrong != NULL)
		return wrong;
	dkim_canon_init(&canon, true, append, &facts->fields);
	for (size_t i = 0; i < dkim_signed_names_count; i++)
		add_name(h, &dkim_signed_names[i], &canon);
	if (!buf_ok(&facts->fields))
		return "the header fields are too big to be signed";
	return dkim_facts_check(facts);
}

const char *
dkim_sign_text(const char *text, size_t n, const char *more, size_t nmore,
    struct dkim_facts *facts)
{
	struct dkim_signer *s = dkim_sign_begin();
	struct header_section header;
	const char *wrong;
	size_t used;

	*facts = (struct dkim_facts){.fields = BUF_INIT(0)};
	if (s == NULL)
		return "out of memory";
	header_init(&header);
	used = header_take(&header, text, n);
	header_end(&header);
	dkim_sign_body(s, text + used, n - used);
	if (nmore > 0)
		dkim_sign_body(s, more, nmore);
	wrong = dkim_sign_end(s, &header, facts);
	header_free(&header);
	dkim_sign_free(s);
	return wrong;
}

/* -- what others say are facts -- */

/* A value in the relaxed form: single blanks, none at the ends. */
static bool
is_canonical(struct span line, struct span name)
{
	const char *p = name.data + name.len + 1, *end = line.data + line.len;

	if (p < end && (*p == ' ' || end[-1] == ' '))
		return false;
	for (; p < end; p++)
		if (*p == '\n' || *p == '\t' || *p == '\0' ||
		    (*p == ' ' && p[1] == ' '))
			return false;
	return true;
}

/*
 * Lines of these names in their order; once_more names end with a bare one,
 * others have none.
 */
static const char *
take_group(struct span *rest, const struct dkim_signed_name *wanted, size_t *n)
{
	struct span line, name, before = *rest;
	bool bare;

	for (*n = 0; dkim_fields_next(rest, &line, &name, &bare);
	     before = *rest) {
		if (name.len != strlen(wanted->name) ||
		    memcmp(name.data, wanted->name, name.len) != 0)
			break;
		if (bare)
			return wanted->once_more
			    ? NULL
			    : "a field's absence is signed that may be added";
		if (!is_canonical(line, name))
			return "a field is not in its canonical form";
		++*n;
	}
	*rest = before;
	return wanted->once_more ? "a field could be added" : NULL;
}

/* The first line is From's: its mailbox is who this is about. */
static const char *
check_from(const struct dkim_facts *facts)
{
	struct span rest = {facts->fields.data, facts->fields.len}, line, name;
	char from[ADDRESS_TEXT_MAX + 1];
	const char *wrong;
	bool bare;

	if (!dkim_fields_next(&rest, &line, &name, &bare) || bare)
		return "no From field";
	line.data += name.len + 1;
	line.len -= name.len + 1;
	wrong = one_mailbox(line, from);
	if (wrong != NULL)
		return wrong;
	return strcmp(from, facts->from) == 0 ? NULL : "From is another";
}

const char *
dkim_facts_check(const struct dkim_facts *facts)
{
	struct span rest = {facts->fields.data, facts->fields.len};
	const char *wrong;
	size_t n, sum = 0;

	if (!buf_ok(&facts->fields) || facts->fields.len > DKIM_FIELDS_MAX)
		return "the fields are too big";
	for (size_t i = 0; i < dkim_signed_names_count; i++) {
		wrong = take_group(&rest, &dkim_signed_names[i], &n);
		if (wrong != NULL)
			return wrong;
		if (i == 0 && n != 1)
			return n == 0 ? "no From field" : "several From fields";
		sum += n + dkim_signed_names[i].once_more;
	}
	if (sum > DKIM_NAMES_MAX)
		return "too many fields";
	return rest.len > 0 ? "something else among the fields"
			    : check_from(facts);
}
