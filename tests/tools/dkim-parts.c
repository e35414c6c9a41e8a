/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mailauth/dkim_body.h"
#include "mailauth/dkim_signature.h"
#include "mailauth/tags.h"

/*
 * The parts of DKIM by hand, over standard input:
 *
 *	dkim-parts tags				a tag-list
 *	dkim-parts key				a key record
 *	dkim-parts signature			a DKIM-Signature field
 *	dkim-parts header|body simple|relaxed	its canonical form
 */

static char input[1 << 20];
static size_t length;

static void
print(void *context, const char *octets, size_t n)
{
	(void)context;
	fwrite(octets, 1, n, stdout);
}

static const char *
do_tags(void)
{
	struct tags tags;
	const char *wrong = tags_parse(input, length, &tags);

	for (size_t i = 0; i < tags.n; i++)
		printf("%.*s=%.*s\n", (int)tags.tag[i].name.len,
		    tags.tag[i].name.data, (int)tags.tag[i].value.len,
		    tags.tag[i].value.data);
	return wrong;
}

static const char *
do_key(void)
{
	struct dkim_key k;
	const char *wrong = dkim_key_parse(input, &k);

	printf("%s %u%s%s\n",
	    k.key == NULL ? "none" : EVP_PKEY_get0_type_name(k.key), k.bits,
	    k.testing ? " testing" : "", k.same_only ? " same-only" : "");
	EVP_PKEY_free(k.key);
	return wrong;
}

static const char *
do_signature(const struct header_section *h)
{
	struct dkim_signature s;
	struct dkim_result r = {.result = AUTH_NONE};
	const char *wrong;

	if (h->n != 1 || !header_is(&h->fields[0], "DKIM-Signature"))
		return "no signature";
	wrong = dkim_signature_parse(&h->fields[0], &s, &r);
	printf("%s %s %s %s %s %lld %lld\n", r.domain, r.selector, r.identity,
	    r.algorithm, r.canonicalisation, (long long)r.signed_at,
	    (long long)r.expires);
	return wrong;
}

static const char *
do_canonical(const struct header_section *h, const char *form)
{
	struct dkim_canon canon;
	struct span none = {"", 0};

	dkim_canon_init(&canon, strcmp(form, "relaxed") == 0, print, NULL);
	for (size_t i = 0; i < h->n; i++) {
		dkim_canon_field(&canon, &h->fields[i], none);
		dkim_canon_line_end(&canon);
	}
	dkim_canon_flush(&canon);
	return NULL;
}

static const char *
do_body(const char *form)
{
	struct dkim_canon canon;

	dkim_canon_init(&canon, strcmp(form, "relaxed") == 0, print, NULL);
	dkim_canon_body(&canon, input, length);
	dkim_canon_body_end(&canon);
	return NULL;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *wrong = "usage";
	struct header_section h;

	length = fread(input, 1, sizeof(input) - 1, stdin);
	header_init(&h);
	header_take(&h, input, length);
	header_end(&h);
	if (strcmp(what, "tags") == 0)
		wrong = do_tags();
	else if (strcmp(what, "key") == 0)
		wrong = do_key();
	else if (strcmp(what, "signature") == 0)
		wrong = do_signature(&h);
	else if (strcmp(what, "header") == 0 && argc == 3)
		wrong = do_canonical(&h, argv[2]);
	else if (strcmp(what, "body") == 0 && argc == 3)
		wrong = do_body(argv[2]);
	header_free(&h);
	if (wrong != NULL)
		printf("wrong: %s\n", wrong);
	return wrong != NULL;
}
