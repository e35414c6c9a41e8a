/* SPDX-License-Identifier: ISC */
#include "userdb/entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/config.h"
#include "userdb/name.h"

static const struct {
	const char *word;
	char letter; /* of its keys */
} types[] = {
    [ENTRY_DOMAIN] = {"domain", 'd'},
    [ENTRY_USER] = {"user", 'u'},
    [ENTRY_ALIAS] = {"alias", 'a'},
    [ENTRY_APP] = {"app", 'p'},
    [ENTRY_GRANT] = {"grant", 'g'},
    [ENTRY_NOTE] = {"note", 'm'},
};

enum { TYPES = sizeof(types) / sizeof(types[0]), VERSION = 1 };

enum form { FORM_TEXT, FORM_RATE, FORM_NUMBER, FORM_FLAG };

/* Whose lines of text have it. */
enum {
	OF_DOMAIN = 1 << ENTRY_DOMAIN,
	OF_USER = 1 << ENTRY_USER,
	OF_ALIAS = 1 << ENTRY_ALIAS,
	OF_APP = 1 << ENTRY_APP,
	OF_GRANT = 1 << ENTRY_GRANT,
	OF_ALL = OF_DOMAIN | OF_USER | OF_ALIAS | OF_APP | OF_GRANT
};

static const struct field {
	const char *name;
	enum form form;
	size_t offset, size;
	unsigned shown;
} fields[] = {
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
    FIELD("login-recipients", FORM_RATE, limits[LIMIT_LOGIN_RECIPIENTS],
	OF_USER),
    FIELD("login-new-recipients", FORM_RATE,
	limits[LIMIT_LOGIN_NEW_RECIPIENTS], OF_USER),
    FIELD("mailbox-messages", FORM_RATE, limits[LIMIT_MAILBOX_MESSAGES],
	OF_USER),
    FIELD("digest", FORM_TEXT, digest, OF_APP),
    FIELD("used", FORM_NUMBER, used, OF_APP),
    FIELD("created", FORM_NUMBER, created, OF_ALL),
    FIELD("changed", FORM_NUMBER, changed, OF_ALL),
    FIELD("batch", FORM_TEXT, batch, 0),
#undef FIELD
};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

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

/* FNV-1a, 64 bits: against accidents, not against enemies. */
static uint64_t
sum_over(uint64_t sum, const char *octets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ (unsigned char)octets[i]) * 0x100000001b3u;
	return sum;
}

static uint64_t
sum_of(struct span key, const char *value, size_t n)
{
	return sum_over(
	    sum_over(0xcbf29ce484222325u, key.data, key.len), value, n);
}

/* -- fields -- */

static void
get_field(const struct entry *e, const struct field *f, char *out, size_t max)
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
set_text(char *where, const struct field *f, struct span value)
{
	struct config_rate rate;

	if (value.len >= f->size || value.len == 0 ||
	    memchr(value.data, '\0', value.len) != NULL)
		return false;
	memcpy(where, value.data, value.len);
	where[value.len] = '\0';
	return f->form != FORM_RATE || config_parse_rate(where, &rate);
}

static bool
set_field(struct entry *e, const struct field *f, struct span value)
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

static const struct field *
find_field(struct span name)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (strlen(fields[i].name) == name.len &&
		    memcmp(fields[i].name, name.data, name.len) == 0)
			return &fields[i];
	return NULL;
}

/* -- keys -- */

/* Are there several under one name, told apart by their targets? */
static bool
has_target(enum entry_type type)
{
	return type == ENTRY_ALIAS || type == ENTRY_APP || type == ENTRY_GRANT;
}

static void
key_add(struct entry_key *key, const char *text)
{
	size_t n = strlen(text);

	memcpy(key->octets + key->n, text, n);
	key->n += n;
}

_Static_assert(
    2 + ADDRESS_DOMAIN_MAX + 1 + ADDRESS_LOCAL_MAX + 1 + PROTOCOL_ADDRESS_MAX <=
	STORE_KEY_MAX,
    "every key fits");

void
entry_prefix(enum entry_type type, const char *domain, const char *local,
    struct entry_key *key)
{
	key->octets[0] = types[type].letter;
	key->octets[1] = '/';
	key->n = 2;
	if (domain == NULL)
		return;
	key_add(key, domain);
	if (local == NULL)
		return;
	key_add(key, "/");
	key_add(key, local);
}

bool
entry_key(const struct entry *e, struct entry_key *key)
{
	switch (e->type) {
	case ENTRY_DOMAIN:
		entry_prefix(e->type, e->name.domain, NULL, key);
		break;
	case ENTRY_NOTE:
		entry_prefix(e->type, e->name.local, NULL, key);
		break;
	case ENTRY_USER:
		entry_prefix(e->type, e->name.domain, e->name.local, key);
		break;
	case ENTRY_ALIAS:
	case ENTRY_APP:
	case ENTRY_GRANT:
		entry_prefix(e->type, e->name.domain, e->name.local, key);
		key->octets[key->n++] = '\0';
		key_add(key, e->target);
		break;
	}
	return key->n <= STORE_KEY_MAX;
}

bool
entry_has_prefix(struct span key, const struct entry_key *prefix)
{
	return key.len >= prefix->n &&
	    memcmp(key.data, prefix->octets, prefix->n) == 0;
}

static bool
take_text(struct span from, char *to, size_t size)
{
	if (from.len >= size || memchr(from.data, '\0', from.len) != NULL)
		return false;
	memcpy(to, from.data, from.len);
	to[from.len] = '\0';
	return true;
}

bool
entry_read_key(struct span key, struct entry *e)
{
	struct cursor c = cursor_over(key.data, key.len);
	struct span domain, local, target = {"", 0};
	unsigned char letter = cursor_u8(&c);
	size_t type = 0;
	bool two;

	memset(e, 0, sizeof(*e));
	while (type < TYPES && types[type].letter != (char)letter)
		type++;
	cursor_expect(&c, "/");
	if (type == TYPES || !cursor_ok(&c))
		return false;
	e->type = (enum entry_type)type;
	if (e->type == ENTRY_DOMAIN || e->type == ENTRY_NOTE) {
		local = cursor_take(&c, cursor_left(&c));
		return e->type == ENTRY_DOMAIN
		    ? take_text(local, e->name.domain, sizeof(e->name.domain))
		    : take_text(local, e->name.local, sizeof(e->name.local));
	}
	two = has_target(e->type);
	domain = cursor_until(&c, '/');
	if (two)
		local = cursor_until(&c, '\0');
	else
		local = cursor_take(&c, cursor_left(&c));
	if (two)
		target = cursor_take(&c, cursor_left(&c));
	return cursor_ok(&c) &&
	    take_text(domain, e->name.domain, sizeof(e->name.domain)) &&
	    take_text(local, e->name.local, sizeof(e->name.local)) &&
	    take_text(target, e->target, sizeof(e->target));
}

/* -- values -- */

bool
entry_value(const struct entry *e, struct buf *value)
{
	struct entry_key key;
	char text[STORE_VALUE_MAX];

	if (!entry_key(e, &key))
		return false;
	buf_addf(value, "%s %d\n", types[e->type].word, VERSION);
	for (size_t i = 0; i < FIELDS; i++) {
		/* It is in the key already. */
		if (fields[i].offset == offsetof(struct entry, target) &&
		    e->type != ENTRY_NOTE)
			continue;
		get_field(e, &fields[i], text, sizeof(text));
		if (text[0] != '\0')
			buf_addf(value, "%s %s\n", fields[i].name, text);
	}
	if (!buf_ok(value))
		return false;
	return buf_addf(value, "sum %016" PRIx64 "\n",
	    sum_of(entry_key_span(&key), value->data, value->len));
}

enum { SUM_LINE = 4 + 16 + 1 };

static bool
sum_is_right(struct span key, struct span value)
{
	char line[SUM_LINE + 1];
	size_t n = value.len - SUM_LINE;

	if (value.len < SUM_LINE)
		return false;
	snprintf(line, sizeof(line), "sum %016" PRIx64 "\n",
	    sum_of(key, value.data, n));
	return memcmp(value.data + n, line, SUM_LINE) == 0;
}

bool
entry_read(struct span key, struct span value, struct entry *e)
{
	struct cursor c;
	char head[16];

	if (!entry_read_key(key, e) || !sum_is_right(key, value))
		return false;
	c = cursor_over(value.data, value.len - SUM_LINE);
	snprintf(head, sizeof(head), "%s %d\n", types[e->type].word, VERSION);
	cursor_expect(&c, head);
	while (cursor_left(&c) > 0) {
		struct span name = cursor_until(&c, ' ');
		struct span text = cursor_until(&c, '\n');
		const struct field *f = cursor_ok(&c) ? find_field(name) : NULL;

		if (f == NULL || !set_field(e, f, text))
			return false;
	}
	return cursor_done(&c);
}

/* -- lines of text -- */

void
entry_format(const struct entry *e, struct buf *line)
{
	char text[STORE_VALUE_MAX];

	if (e->type == ENTRY_NOTE) {
		buf_addf(line, "%s %s", e->name.local, e->target);
		return;
	}
	name_format(&e->name, text);
	buf_addf(line, "%s %s", types[e->type].word,
	    e->type == ENTRY_DOMAIN ? e->name.domain : text);
	if (has_target(e->type))
		buf_addf(line, " %s", e->target);
	for (size_t i = 0; i < FIELDS; i++) {
		if ((fields[i].shown & 1U << e->type) == 0)
			continue;
		get_field(e, &fields[i], text, sizeof(text));
		if (text[0] == '\0')
			continue;
		if (fields[i].form == FORM_FLAG)
			buf_addf(line, " %s", fields[i].name);
		else
			buf_addf(line, " %s=%s", fields[i].name, text);
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

	if (!take_text(next_word(line), text, sizeof(text)))
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
		if (!take_text(next_word(line), e->target, sizeof(e->target)))
			return "name too long";
		return entry_check_app(e->target);
	case ENTRY_GRANT:
		if ((wrong = name_parse(text, &e->name)) != NULL)
			return wrong;
		if ((wrong = name_check_mailbox(&e->name)) != NULL)
			return wrong;
		if (!take_text(next_word(line), text, sizeof(text)))
			return "address too long";
		return entry_set_grant(e, text);
	case ENTRY_ALIAS:
		if ((wrong = name_parse_alias(text, &e->name)) != NULL)
			return wrong;
		if (e->name.domain[0] == '\0')
			return "an alias has a domain";
		if (!take_text(next_word(line), text, sizeof(text)))
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
	const struct field *f;

	if (equals != NULL) {
		value.data = equals + 1;
		value.len = (size_t)(word.data + word.len - value.data);
		word.len = (size_t)(equals - word.data);
	}
	f = find_field(word);
	if (f == NULL || (f->shown & 1U << e->type) == 0)
		return "unknown attribute";
	if ((f->form == FORM_FLAG) != (equals == NULL) ||
	    !set_field(e, f, value))
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
		while (type < ENTRY_NOTE && !is_word(word, types[type].word))
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
