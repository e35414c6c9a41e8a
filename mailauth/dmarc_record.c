/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cursor.h"
#include "mailauth/dmarc.h"

/* Policy records (RFC 9989 sections 4.7 and 4.8). */

static const char *const policies[] = {
    [DMARC_NONE] = "none",
    [DMARC_QUARANTINE] = "quarantine",
    [DMARC_REJECT] = "reject",
};

const char *
dmarc_policy_name(enum dmarc_policy policy)
{
	return policies[policy];
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span
trim(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	while (end > p && is_blank(end[-1]))
		end--;
	return (struct span){p, (size_t)(end - p)};
}

/* Literals of the grammar have no case (RFC 5234 section 2.3). */
static bool
is(struct span s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.data, text, s.len) == 0;
}

struct tag {
	struct span name, value; /* without a "=" both are empty */
};

/* The next tag, and behind its semicolon; false: there is none left. */
static bool
next_tag(const char **rest, struct tag *tag)
{
	const char *p = *rest, *end = p + strcspn(p, ";"),
		   *equals = memchr(p, '=', (size_t)(end - p));

	if (*p == '\0')
		return false;
	*rest = *end == ';' ? end + 1 : end;
	*tag = (struct tag){.name = {p, 0}};
	if (equals != NULL) {
		tag->name = trim(p, equals);
		tag->value = trim(equals + 1, end);
	}
	return true;
}

/* -- reporting addresses -- */

static bool
is_hex(char c)
{
	return c != '\0' && strchr("0123456789abcdefABCDEF", c) != NULL;
}

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 3986, as far as its octets tell. */
static bool
is_uri(struct span s)
{
	size_t i = 0;

	while (i < s.len &&
	    (is_alpha(s.data[i]) ||
		(i > 0 && s.data[i] >= '0' && s.data[i] <= '9') ||
		(i > 0 && memchr("+-.", s.data[i], 3) != NULL)))
		i++;
	if (i == 0 || i == s.len || s.data[i] != ':')
		return false;
	for (; i < s.len; i++) {
		char c = s.data[i];

		if (c <= ' ' || c > '~' || strchr("\"<>\\^`{|}", c) != NULL)
			return false;
		if (c == '%' &&
		    (s.len - i < 3 || !is_hex(s.data[i + 1]) ||
			!is_hex(s.data[i + 2])))
			return false;
	}
	return true;
}

static bool
has_uri(struct span list)
{
	const char *p = list.data, *end = p + list.len;

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));

		if (comma == NULL)
			comma = end;
		if (is_uri(trim(p, comma)))
			return true;
		p = comma < end ? comma + 1 : end;
	}
	return false;
}

static bool
is_printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] < ' ' || s.data[i] > '~')
			return false;
	return true;
}

/* -- the tags -- */

enum { P, SP, NP, POLICIES };

struct reading {
	struct dmarc_record *record;
	struct {
		bool there, good;
		enum dmarc_policy policy;
	} policies[POLICIES];
	unsigned seen; /* of a tag that is there twice the first counts */
	bool no_memory;
};

static void
read_policy(struct reading *r, int which, struct span value)
{
	r->policies[which].there = true;
	for (size_t i = 0; i < sizeof(policies) / sizeof(*policies); i++)
		if (is(value, policies[i])) {
			r->policies[which].policy = (enum dmarc_policy)i;
			r->policies[which].good = true;
		}
}

static void
read_p(struct reading *r, struct span value)
{
	read_policy(r, P, value);
}

static void
read_sp(struct reading *r, struct span value)
{
	read_policy(r, SP, value);
}

static void
read_np(struct reading *r, struct span value)
{
	read_policy(r, NP, value);
}

static void
read_adkim(struct reading *r, struct span value)
{
	r->record->strict_dkim = is(value, "s");
}

static void
read_aspf(struct reading *r, struct span value)
{
	r->record->strict_spf = is(value, "s");
}

static void
read_psd(struct reading *r, struct span value)
{
	r->record->psd = is(value, "y") ? 'y' : is(value, "n") ? 'n' : 'u';
}

static void
read_t(struct reading *r, struct span value)
{
	r->record->testing = is(value, "y");
}

static void
read_rua(struct reading *r, struct span value)
{
	if (!is_printable(value) || !has_uri(value))
		return;
	r->record->rua = strndup(value.data, value.len);
	r->no_memory = r->record->rua == NULL;
}

/* ruf and fo ask for what is not sent; pct, ri and rf are no more. */
static const struct {
	const char *name;
	void (*read)(struct reading *, struct span value);
} tags[] = {
    {"p", read_p},
    {"sp", read_sp},
    {"np", read_np},
    {"adkim", read_adkim},
    {"aspf", read_aspf},
    {"psd", read_psd},
    {"t", read_t},
    {"rua", read_rua},
};

static void
read_tag(struct reading *r, const struct tag *tag)
{
	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++)
		if (is(tag->name, tags[i].name) && (r->seen & 1u << i) == 0) {
			r->seen |= 1u << i;
			tags[i].read(r, tag->value);
		}
}

static bool
is_version(const struct tag *tag)
{
	static const char version[] = "DMARC1";

	return is(tag->name, "v") && tag->value.len == sizeof(version) - 1 &&
	    memcmp(tag->value.data, version, tag->value.len) == 0;
}

/* NULL, or why there is none (section 4.10.1). */
static const char *
settle_policy(const struct reading *r)
{
	struct dmarc_record *record = r->record;
	bool bad = r->policies[P].there && !r->policies[P].good;

	for (int i = SP; i < POLICIES; i++)
		bad = bad || (r->policies[i].there && !r->policies[i].good);
	if (bad)
		return record->rua == NULL ? "no valid policy" : NULL;
	if (!r->policies[P].there && record->rua == NULL)
		return "no policy";
	record->policy = r->policies[P].policy;
	record->subdomains =
	    r->policies[SP].there ? r->policies[SP].policy : record->policy;
	record->missing =
	    r->policies[NP].there ? r->policies[NP].policy : record->subdomains;
	return NULL;
}

const char *
dmarc_record_parse(
    const char *text, struct dmarc_record *record, bool *is_dmarc)
{
	struct reading r = {.record = record};
	struct tag tag;

	*record = (struct dmarc_record){.policy = DMARC_NONE, .psd = 'u'};
	*is_dmarc = next_tag(&text, &tag) && is_version(&tag);
	if (!*is_dmarc)
		return "no DMARC record";
	while (next_tag(&text, &tag))
		read_tag(&r, &tag);
	return r.no_memory ? "no memory" : settle_policy(&r);
}

void
dmarc_record_free(struct dmarc_record *record)
{
	free(record->rua);
	record->rua = NULL;
}
