/* SPDX-License-Identifier: ISC */
#include "common/sts.h"

#include <string.h>

#include "common/config.h"
#include "common/cursor.h"
#include "common/utf8.h"

enum { NAME_MAX_OCTETS = 32, AGE_DIGITS_MAX = 10 };

struct reader {
	struct sts_policy *policy;
	bool version, max_age; /* seen */
};

static bool
equals(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

static const char BLANKS[] = " \t";

static const char *
take_version(struct reader *r, struct span value)
{
	if (!r->version && !equals(value, "STSv1"))
		return "another version";
	r->version = true;
	return NULL;
}

static const char *
take_mode(struct reader *r, struct span value)
{
	static const char *const modes[] = {"none", "testing", "enforce"};

	if (r->policy->mode != NULL)
		return NULL;
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (equals(value, modes[i])) {
			r->policy->mode = modes[i];
			return NULL;
		}
	return "unknown mode";
}

static const char *
take_max_age(struct reader *r, struct span value)
{
	struct cursor c = cursor_over(value.data, value.len);
	uint64_t age = cursor_decimal(&c);

	if (r->max_age)
		return NULL;
	if (!cursor_done(&c) || value.len > AGE_DIGITS_MAX)
		return "bad max_age";
	r->policy->max_age = age < STS_AGE_MAX ? (uint32_t)age : STS_AGE_MAX;
	r->max_age = true;
	return NULL;
}

static const char *
take_mx(struct reader *r, struct span value)
{
	struct sts_policy *p = r->policy;
	char *mx = p->octets + p->used;

	if (p->nmx == STS_MX_MAX || value.len >= sizeof(p->octets) - p->used)
		return "too many mx";
	for (size_t i = 0; i < value.len; i++)
		mx[i] = value.data[i] >= 'A' && value.data[i] <= 'Z'
		    ? (char)(value.data[i] - 'A' + 'a')
		    : value.data[i];
	mx[value.len] = '\0';
	if (strlen(mx) != value.len ||
	    !config_is_domain(strncmp(mx, "*.", 2) == 0 ? mx + 2 : mx, false))
		return "bad mx";
	p->mx[p->nmx++] = mx;
	p->used += value.len + 1;
	return NULL;
}

static bool
is_name_octet(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') ||
	    (!first && (c == '_' || c == '-' || c == '.'));
}

static const char *
take_extension(struct span name, struct span value)
{
	if (name.len == 0 || name.len > NAME_MAX_OCTETS)
		return "bad field name";
	for (size_t i = 0; i < name.len; i++)
		if (!is_name_octet(name.data[i], i == 0))
			return "bad field name";
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.data[i] < ' ' || value.data[i] == 0x7f)
			return "bad field";
	return utf8_valid(value.data, value.len) ? NULL : "bad field";
}

static const struct {
	const char *name;
	const char *(*take)(struct reader *, struct span);
} fields[] = {
    {"version", take_version},
    {"mode", take_mode},
    {"max_age", take_max_age},
    {"mx", take_mx},
};

/* One line without its end. */
static const char *
take_line(struct reader *r, struct span line)
{
	const char *colon;
	struct span name, value;

	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	if (span_trim(line, BLANKS).len == 0)
		return NULL;
	colon = memchr(line.data, ':', line.len);
	if (colon == NULL)
		return "a line without a field";
	name = (struct span){line.data, (size_t)(colon - line.data)};
	value = span_trim(
	    (struct span){colon + 1, line.len - name.len - 1}, BLANKS);
	if (value.len == 0)
		return "a field without a value";
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (equals(name, fields[i].name))
			return fields[i].take(r, value);
	return take_extension(name, value);
}

static const char *
missing(const struct reader *r)
{
	if (!r->version)
		return "no version";
	if (r->policy->mode == NULL)
		return "no mode";
	if (!r->max_age)
		return "no max_age";
	if (r->policy->nmx == 0 && strcmp(r->policy->mode, "none") != 0)
		return "no mx";
	return NULL;
}

const char *
sts_policy_read(struct sts_policy *policy, const char *octets, size_t n)
{
	struct reader r = {.policy = policy};
	const char *why = NULL, *end = octets + n, *line = octets;

	policy->mode = NULL;
	policy->max_age = 0;
	policy->nmx = policy->used = 0;
	while (why == NULL && line < end) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));

		if (stop == NULL)
			stop = end;
		why = take_line(&r, (struct span){line, (size_t)(stop - line)});
		line = stop + (stop < end);
	}
	return why != NULL ? why : missing(&r);
}
