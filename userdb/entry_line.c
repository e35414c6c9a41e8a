/* SPDX-License-Identifier: ISC */
/* entry.h: entries as lines of text. */
#include <stdio.h>
#include <string.h>

#include "userdb/entry_fields.h"
#include "userdb/name.h"

void
entry_format(const struct entry *e, struct buf *line)
{
	char text[STORE_VALUE_MAX];

	if (e->type == ENTRY_NOTE) {
		buf_addf(line, "%s %s", e->name.local, e->target);
		return;
	}
	name_format(&e->name, text);
	buf_addf(line, "%s %s", entry_types[e->type].word,
	    e->type == ENTRY_DOMAIN ? e->name.domain : text);
	if (entry_has_target(e->type))
		buf_addf(line, " %s", e->target);
	for (size_t i = 0; i < entry_fields_count; i++) {
		if ((entry_fields[i].shown & 1U << e->type) == 0)
			continue;
		entry_field_get(e, &entry_fields[i], text, sizeof(text));
		if (text[0] == '\0')
			continue;
		if (entry_fields[i].form == FORM_FLAG)
			buf_addf(line, " %s", entry_fields[i].name);
		else
			buf_addf(line, " %s=%s", entry_fields[i].name, text);
	}
}

/* The next word; a quoted local part may have spaces in it. */
static struct span
next_word(const char **line)
{
	const char *p = *line;
	bool quoted = false;
	struct span word;

	while (*p == ' ' || *p == '\t')
		p++;
	word.data = p;
	for (; *p != '\0' && (quoted || (*p != ' ' && *p != '\t')); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (*p == '\\' && quoted && p[1] != '\0')
			p++;
	}
	word.len = (size_t)(p - word.data);
	*line = p;
	return word;
}

const char *
entry_check_app(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > ENTRY_APP_MAX)
		return "an app password's name has 1 to 64 characters";
	for (const char *p = name; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			(*p >= '0' && *p <= '9') ||
			(p > name && strchr("-._", *p) != NULL)))
			return "an app password's name has letters, digits, "
			       "hyphens, dots and underscores only";
	return NULL;
}

const char *
entry_set_grant(struct entry *e, const char *text)
{
	struct address name;
	const char *wrong = name_parse_alias(text, &name);

	if (wrong != NULL)
		return wrong;
	if (name.domain[0] == '\0')
		return "an address with a domain is needed";
	name_format(&name, e->target);
	return NULL;
}

static const char *
parse_names(struct entry *e, const char **line)
{
	char text[PROTOCOL_ADDRESS_MAX + 1];
	struct address target;
	const char *wrong;

	if (!entry_take_text(next_word(line), text, sizeof(text)))
		return "address too long";
	if (text[0] == '\0')
		return "something is missing at the end of the line";
	switch (e->type) {
	case ENTRY_DOMAIN:
		if (strlen(text) > ADDRESS_DOMAIN_MAX)
			return "domain too long";
		snprintf(e->name.domain, sizeof(e->name.domain), "%.*s",
		    ADDRESS_DOMAIN_MAX, text);
		name_lower(e->name.domain);
		return name_check_domain(e->name.domain);
	case ENTRY_USER:
		if ((wrong = name_parse(text, &e->name)) != NULL)
			return wrong;
		return name_check_mailbox(&e->name);
	case ENTRY_APP:
		if ((wrong = name_parse(text, &e->name)) != NULL)
			return wrong;
		if ((wrong = name_check_mailbox(&e->name)) != NULL)
			return wrong;
		if (!entry_take_text(
			next_word(line), e->target, sizeof(e->target)))
			return "name too long";
		return entry_check_app(e->target);
	case ENTRY_GRANT:
		if ((wrong = name_parse(text, &e->name)) != NULL)
			return wrong;
		if ((wrong = name_check_mailbox(&e->name)) != NULL)
			return wrong;
		if (!entry_take_text(next_word(line), text, sizeof(text)))
			return "address too long";
		return entry_set_grant(e, text);
	case ENTRY_ALIAS:
		if ((wrong = name_parse_alias(text, &e->name)) != NULL)
			return wrong;
		if (e->name.domain[0] == '\0')
			return "an alias has a domain";
		if (!entry_take_text(next_word(line), text, sizeof(text)))
			return "target too long";
		break;
	case ENTRY_NOTE:
		break;
	}
	if ((wrong = address_parse(text, ADDRESS_UTF8, &target)) != NULL)
		return wrong;
	address_format(&target, e->target);
	return NULL;
}

static const char *
parse_field(struct entry *e, struct span word)
{
	const char *equals = memchr(word.data, '=', word.len);
	struct span value = {"1", 1};
	const struct entry_field *f;

	if (equals != NULL) {
		value.data = equals + 1;
		value.len = (size_t)(word.data + word.len - value.data);
		word.len = (size_t)(equals - word.data);
	}
	f = entry_field_find(word);
	if (f == NULL || (f->shown & 1U << e->type) == 0)
		return "unknown attribute";
	if ((f->form == FORM_FLAG) != (equals == NULL) ||
	    !entry_field_set(e, f, value))
		return "bad attribute";
	return NULL;
}

static bool
is_word(struct span word, const char *text)
{
	return word.len == strlen(text) &&
	    memcmp(word.data, text, word.len) == 0;
}

const char *
entry_parse(const char *line, struct entry *e)
{
	struct span word = next_word(&line);
	const char *wrong = NULL;
	size_t type = 0;

	memset(e, 0, sizeof(*e));
	if (is_word(word, "postmaster")) {
		snprintf(e->name.local, sizeof(e->name.local), "postmaster");
		type = ENTRY_NOTE;
	} else {
		while (
		    type < ENTRY_NOTE && !is_word(word, entry_types[type].word))
			type++;
		if (type == ENTRY_NOTE)
			return "a line begins with domain, user, alias, app, "
			       "grant or postmaster";
	}
	e->type = (enum entry_type)type;
	wrong = parse_names(e, &line);
	while (wrong == NULL && (word = next_word(&line)).len > 0)
		wrong = parse_field(e, word);
	return wrong;
}
