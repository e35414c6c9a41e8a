/* SPDX-License-Identifier: ISC */
#include "userdb/entry_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/config.h"

const struct entry_word entry_types[ENTRY_TYPES] = {
    [ENTRY_DOMAIN] = {"domain", 'd'},
    [ENTRY_USER] = {"user", 'u'},
    [ENTRY_ALIAS] = {"alias", 'a'},
    [ENTRY_APP] = {"app", 'p'},
    [ENTRY_GRANT] = {"grant", 'g'},
    [ENTRY_NOTE] = {"note", 'm'},
};

/* Whose lines of text have it. */
enum {
	OF_DOMAIN = 1 << ENTRY_DOMAIN,
	OF_USER = 1 << ENTRY_USER,
	OF_ALIAS = 1 << ENTRY_ALIAS,
	OF_APP = 1 << ENTRY_APP,
	OF_GRANT = 1 << ENTRY_GRANT,
	OF_ALL = OF_DOMAIN | OF_USER | OF_ALIAS | OF_APP | OF_GRANT
};

const struct entry_field entry_fields[] = {
#define FIELD(n, form, member, shown)                                          \
	{                                                                      \
		n, form, offsetof(struct entry, member),                       \
		    sizeof(((struct entry *)NULL)->member), shown              \
	}
    FIELD("text", FORM_TEXT, target, 0),
    FIELD("hash", FORM_TEXT, hash, OF_USER),
    FIELD("scram", FORM_TEXT, scram, OF_USER),
    FIELD("secret", FORM_TEXT, secret, OF_USER),
    FIELD("system", FORM_TEXT, system, OF_USER),
    FIELD("disabled", FORM_FLAG, disabled, OF_USER),
    FIELD("login-messages", FORM_RATE, limits[LIMIT_LOGIN_MESSAGES], OF_USER),
    FIELD(
	"login-recipients", FORM_RATE, limits[LIMIT_LOGIN_RECIPIENTS], OF_USER),
    FIELD("login-new-recipients", FORM_RATE, limits[LIMIT_LOGIN_NEW_RECIPIENTS],
	OF_USER),
    FIELD(
	"mailbox-messages", FORM_RATE, limits[LIMIT_MAILBOX_MESSAGES], OF_USER),
    FIELD("digest", FORM_TEXT, digest, OF_APP),
    FIELD("used", FORM_NUMBER, used, OF_APP),
    FIELD("created", FORM_NUMBER, created, OF_ALL),
    FIELD("changed", FORM_NUMBER, changed, OF_ALL),
    FIELD("batch", FORM_TEXT, batch, 0),
#undef FIELD
};

const size_t entry_fields_count =
    sizeof(entry_fields) / sizeof(entry_fields[0]);

static const char *const limits[LIMITS] = {
    [LIMIT_LOGIN_MESSAGES] = "login-messages",
    [LIMIT_LOGIN_RECIPIENTS] = "login-recipients",
    [LIMIT_LOGIN_NEW_RECIPIENTS] = "login-new-recipients",
    [LIMIT_MAILBOX_MESSAGES] = "mailbox-messages",
};

const char *
limit_name(enum limit limit)
{
	return limits[limit];
}

bool
limit_named(const char *name, enum limit *limit)
{
	for (int i = 0; i < LIMITS; i++)
		if (strcmp(limits[i], name) == 0) {
			*limit = (enum limit)i;
			return true;
		}
	return false;
}

void
entry_field_get(
    const struct entry *e, const struct entry_field *f, char *out, size_t max)
{
	const char *where = (const char *)e + f->offset;
	uint64_t number = 0;

	switch (f->form) {
	case FORM_TEXT:
	case FORM_RATE:
		snprintf(out, max, "%s", where);
		return;
	case FORM_NUMBER:
		memcpy(&number, where, sizeof(number));
		break;
	case FORM_FLAG:
		number = *(const bool *)where;
		break;
	}
	if (number != 0)
		snprintf(out, max, "%" PRIu64, number);
	else
		out[0] = '\0';
}

static bool
set_text(char *where, const struct entry_field *f, struct span value)
{
	struct config_rate rate;

	if (value.len >= f->size || value.len == 0 ||
	    memchr(value.data, '\0', value.len) != NULL)
		return false;
	memcpy(where, value.data, value.len);
	where[value.len] = '\0';
	return f->form != FORM_RATE || config_parse_rate(where, &rate);
}

bool
entry_field_set(struct entry *e, const struct entry_field *f, struct span value)
{
	char *where = (char *)e + f->offset;
	struct cursor c = cursor_over(value.data, value.len);
	uint64_t number = 0;

	if (f->form == FORM_TEXT || f->form == FORM_RATE)
		return set_text(where, f, value);
	number = cursor_decimal(&c);
	if (!cursor_done(&c))
		return false;
	if (f->form == FORM_NUMBER)
		memcpy(where, &number, sizeof(number));
	else
		*(bool *)where = number != 0;
	return true;
}

const struct entry_field *
entry_field_find(struct span name)
{
	for (size_t i = 0; i < entry_fields_count; i++)
		if (strlen(entry_fields[i].name) == name.len &&
		    memcmp(entry_fields[i].name, name.data, name.len) == 0)
			return &entry_fields[i];
	return NULL;
}

bool
entry_has_target(enum entry_type type)
{
	return type == ENTRY_ALIAS || type == ENTRY_APP || type == ENTRY_GRANT;
}

bool
entry_take_text(struct span from, char *to, size_t size)
{
	if (from.len >= size || memchr(from.data, '\0', from.len) != NULL)
		return false;
	memcpy(to, from.data, from.len);
	to[from.len] = '\0';
	return true;
}
