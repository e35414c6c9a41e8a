/* SPDX-License-Identifier: ISC */
#include "smtpd/signing.h"

#include <stdlib.h>

#include "mailauth/dkim.h"

struct signing {
	struct dkim_signer *signer;
	struct dkim_facts facts;
};

struct signing *
signing_begin(void)
{
	struct signing *s = calloc(1, sizeof(*s));

	if (s != NULL && (s->signer = dkim_sign_begin()) == NULL) {
		free(s);
		s = NULL;
	}
	return s;
}

void
signing_body(struct signing *s, const char *octets, size_t n)
{
	dkim_sign_body(s->signer, octets, n);
}

void
signing_free(struct signing *s)
{
	if (s == NULL)
		return;
	dkim_sign_free(s->signer);
	buf_free(&s->facts.fields);
	free(s);
}

/* As it leaves: with the fields that were missing. */
static const char *
collect(struct signing *s, const struct header_section *h, const char *fields,
    size_t n)
{
	struct header_section whole;
	const char *why;

	if (n == 0)
		return dkim_sign_end(s->signer, h, &s->facts);
	header_init(&whole);
	header_take(&whole, fields, n);
	header_take(&whole, h->text.data, h->text.len);
	header_end(&whole);
	why = dkim_sign_end(s->signer, &whole, &s->facts);
	header_free(&whole);
	return why;
}

const char *
signing_end(struct signing *s, const struct header_section *h,
    const char *fields, size_t n, const struct dkim_facts **facts)
{
	const char *why = collect(s, h, fields, n);

	*facts = NULL;
	if (why == NULL)
		*facts = &s->facts;
	return why;
}
