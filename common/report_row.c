/* SPDX-License-Identifier: ISC */
#include "common/report_row.h"

#include <string.h>

enum { NAME_MAX_OCTETS = 255, WORD_MAX = 40, FIELDS = 10 };

/* -- writing -- */

/* Control characters would end the field, or the line. */
static void
put(struct buf *out, const char *text, size_t max, bool word)
{
	for (size_t i = 0; i < max && text[i] != '\0'; i++) {
		unsigned char c = (unsigned char)text[i];
		bool bad = c < ' ' || c == 0x7f || (word && c == ' ');

		buf_addc(out, bad ? '?' : (char)c);
	}
}

static void
put_field(struct buf *out, const char *text, size_t max)
{
	put(out, text, max, true);
	buf_addc(out, '\t');
}

static void
put_signature(struct buf *out, const struct report_signature *s)
{
	buf_addc(out, '\t');
	put(out, s->domain, NAME_MAX_OCTETS, true);
	buf_addc(out, ' ');
	put(out, s->selector, NAME_MAX_OCTETS, true);
	buf_addc(out, ' ');
	put(out, s->result, WORD_MAX, true);
}

void
report_row_write(struct buf *out, const struct report_row_text *r)
{
	size_t begin = out->len, before;

	put_field(out, r->from, NAME_MAX_OCTETS);
	put_field(out, r->envelope, NAME_MAX_OCTETS);
	put_field(out, r->client, WORD_MAX);
	put_field(out, r->disposition, WORD_MAX);
	put_field(out, r->dkim, WORD_MAX);
	put_field(out, r->spf, WORD_MAX);
	put_field(out, r->spf_domain, NAME_MAX_OCTETS);
	put_field(out, r->spf_result, WORD_MAX);
	put_field(out, r->reason, WORD_MAX);
	put(out, r->comment, REPORT_COMMENT_MAX, false);
	for (size_t i = 0; i < r->nsignatures; i++) {
		before = out->len;
		if (*r->signatures[i].domain == '\0' ||
		    *r->signatures[i].selector == '\0')
			continue;
		put_signature(out, &r->signatures[i]);
		if (out->len - begin > REPORT_ROW_MAX && buf_ok(out))
			out->len = before;
	}
}

/* -- reading -- */

static bool
is_one_of(const char *word, const char *choices)
{
	size_t n = strlen(word);

	for (const char *at = choices; n > 0 && *at != '\0';
	     at += strcspn(at, " "), at += *at == ' ')
		if (strcspn(at, " ") == n && memcmp(at, word, n) == 0)
			return true;
	return false;
}

/* The text up to a separator; *rest behind it, NULL at the end. */
static char *
take(char **rest, char separator)
{
	char *text = *rest,
	     *end = text != NULL ? strchr(text, separator) : NULL;

	*rest = NULL;
	if (end != NULL) {
		*end = '\0';
		*rest = end + 1;
	}
	return text;
}

static bool
take_signature(char *text, struct report_signature *s)
{
	s->domain = take(&text, ' ');
	s->selector = take(&text, ' ');
	s->result = text;
	return s->result != NULL && *s->domain != '\0' &&
	    *s->selector != '\0' &&
	    is_one_of(
		s->result, "none pass fail policy neutral temperror permerror");
}

static bool
is_sound(const struct report_row_text *r)
{
	return *r->from != '\0' && *r->client != '\0' &&
	    is_one_of(r->disposition, "none pass quarantine reject") &&
	    is_one_of(r->dkim, "pass fail") && is_one_of(r->spf, "pass fail") &&
	    (*r->spf_domain == '\0' ||
		is_one_of(r->spf_result,
		    "none neutral pass fail softfail temperror permerror")) &&
	    (*r->reason == '\0' ||
		is_one_of(r->reason,
		    "local_policy mailing_list other policy_test_mode "
		    "trusted_forwarder"));
}

bool
report_row_read(char *text, struct report_row_text *r)
{
	const char **const fields[FIELDS] = {&r->from, &r->envelope, &r->client,
	    &r->disposition, &r->dkim, &r->spf, &r->spf_domain, &r->spf_result,
	    &r->reason, &r->comment};

	*r = (struct report_row_text){.nsignatures = 0};
	for (int i = 0; i < FIELDS; i++)
		if ((*fields[i] = take(&text, '\t')) == NULL)
			return false;
	while (text != NULL) {
		if (r->nsignatures == REPORT_SIGNATURES_MAX ||
		    !take_signature(
			take(&text, '\t'), &r->signatures[r->nsignatures]))
			return false;
		r->nsignatures++;
	}
	return is_sound(r);
}

/* -- the policy -- */

void
report_policy_write(struct buf *out, const struct report_policy *p)
{
	buf_addf(out, "%s %s %s %s %s %s", p->p, p->sp, p->np, p->adkim,
	    p->aspf, p->testing);
}

bool
report_policy_read(char *text, struct report_policy *p)
{
	static const char policies[] = "none quarantine reject";
	const char **const words[] = {
	    &p->p, &p->sp, &p->np, &p->adkim, &p->aspf, &p->testing};
	const char *const choices[] = {
	    policies, policies, policies, "r s", "r s", "y n"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		*words[i] = take(&text, ' ');
		if (*words[i] == NULL || !is_one_of(*words[i], choices[i]))
			return false;
	}
	return text == NULL;
}
