/* SPDX-License-Identifier: ISC */
#include "mailauth/tags.h"

#include <string.h>
#include <strings.h>

static const char SPACE[] = " \t\r\n";

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_name(struct span s)
{
	if (s.len == 0 || !is_letter(s.data[0]))
		return false;
	for (size_t i = 1; i < s.len; i++)
		if (!is_letter(s.data[i]) && s.data[i] != '_' &&
		    (s.data[i] < '0' || s.data[i] > '9'))
			return false;
	return true;
}

static bool
is_value(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (!is_space(s.data[i]) && (c < ' ' || c == 0x7f))
			return false;
	}
	return true;
}

static bool
same(struct span a, struct span b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* One tag-spec, without its semicolon. */
static const char *
take_tag(struct span spec, struct tags *tags)
{
	const char *equals = memchr(spec.data, '=', spec.len);
	struct tag tag;
	size_t n;

	if (equals == NULL)
		return span_trim(spec, SPACE).len == 0 ? "empty tag"
						       : "tag without value";
	n = (size_t)(equals - spec.data);
	tag.name = span_trim((struct span){spec.data, n}, SPACE);
	tag.raw = (struct span){equals + 1, spec.len - n - 1};
	tag.value = span_trim(tag.raw, SPACE);
	if (!is_name(tag.name))
		return "bad tag name";
	if (!is_value(tag.value))
		return "bad octet in a tag";
	for (size_t i = 0; i < tags->n; i++)
		if (same(tags->tag[i].name, tag.name))
			return "tag twice";
	if (tags->n == TAGS_MAX)
		return "too many tags";
	tags->tag[tags->n++] = tag;
	return NULL;
}

const char *
tags_parse(const char *text, size_t n, struct tags *tags)
{
	struct span rest = {text, n};
	const char *wrong = NULL;

	tags->n = 0;
	do {
		const char *end = memchr(rest.data, ';', rest.len);
		size_t len = end == NULL ? rest.len : (size_t)(end - rest.data);

		wrong = take_tag((struct span){rest.data, len}, tags);
		if (end != NULL)
			len++;
		rest.data += len;
		rest.len -= len;
	} while (wrong == NULL && span_trim(rest, SPACE).len > 0);
	return wrong;
}

const struct tag *
tags_find(const struct tags *tags, const char *name)
{
	struct span wanted = {name, strlen(name)};

	for (size_t i = 0; i < tags->n; i++)
		if (same(tags->tag[i].name, wanted))
			return &tags->tag[i];
	return NULL;
}

bool
span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.data, text, s.len) == 0;
}

bool
tags_next(struct span *rest, struct span *element)
{
	const char *colon;
	size_t len;

	if (rest->data == NULL)
		return false;
	colon = memchr(rest->data, ':', rest->len);
	len = colon == NULL ? rest->len : (size_t)(colon - rest->data);
	*element = span_trim((struct span){rest->data, len}, SPACE);
	*rest = colon == NULL ? (struct span){NULL, 0}
			      : (struct span){colon + 1, rest->len - len - 1};
	return true;
}

bool
tags_list_has(struct span list, const char *word)
{
	struct span element;

	while (tags_next(&list, &element))
		if (span_is(element, word))
			return true;
	return false;
}
