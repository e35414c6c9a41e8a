/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/config_reader.h"
#include "common/netaddr.h"
#include "common/sasl.h"
#include "common/utf8.h"

void *
config_member(struct config_reader *r, const struct config_keyword *k)
{
	return (char *)r->config + k->where;
}

/* Room for one element more: a new block, or NULL with the error told. */
void *
config_grow(struct config_reader *r, void *items, size_t n, size_t size)
{
	void *grown = reallocarray(items, n + 1, size);

	if (grown == NULL)
		config_fail(r, "out of memory");
	return grown;
}

bool
config_set_text(struct config_reader *r, char **where, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return config_fail(r, "out of memory");
	free(*where);
	*where = copy;
	return true;
}

bool
config_add_text(
    struct config_reader *r, struct config_list *list, const char *value)
{
	char **grown = config_grow(r, list->items, list->n, sizeof(*grown));

	if (grown == NULL)
		return false;
	list->items = grown;
	list->items[list->n] = NULL;
	if (!config_set_text(r, &list->items[list->n], value))
		return false;
	list->n++;
	return true;
}

/* -- words of a value -- */

enum { WORD_SIZE = 512 };

/*
 * The next word of *rest, which moves behind it; false at the end.  A line
 * is never longer than a word may be (see config.c).
 */
static bool
next_word(const char **rest, char word[WORD_SIZE])
{
	size_t n;

	*rest += strspn(*rest, " \t");
	n = strcspn(*rest, " \t");
	if (n == 0 || n >= WORD_SIZE)
		return false;
	memcpy(word, *rest, n);
	word[n] = '\0';
	*rest += n;
	return true;
}

bool
config_each_word(struct config_reader *r, const struct config_keyword *k,
    const char *value, config_take *take)
{
	char word[WORD_SIZE];

	while (next_word(&value, word))
		if (!take(r, k, word))
			return false;
	return *value == '\0' ||
	    config_fail(
		r, "\"%s\": a word of over %d octets", k->name, WORD_SIZE - 1);
}

/* The place of a word among "this|that|another"; -1 when it is not there. */
static int
choice_of(const char *choices, const char *word, size_t n)
{
	int place = 0;

	for (;; place++) {
		size_t length = strcspn(choices, "|");

		if (length == n && strncmp(choices, word, n) == 0)
			return place;
		if (choices[length] == '\0')
			return -1;
		choices += length + 1;
	}
}

static int
choose(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	int place = choice_of(k->bounds, value, strlen(value));

	if (place == -1)
		config_fail(r, "\"%s\": \"%s\" is none of %s", k->name, value,
		    k->bounds);
	return place;
}

bool
take_choice(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	int place = choose(r, k, value);

	*(bool *)config_member(r, k) = place == 1;
	return place != -1;
}

bool
take_family(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	int place = choose(r, k, value);

	if (place != -1)
		*(enum address_family *)config_member(r, k) =
		    (enum address_family)place;
	return place != -1;
}

static bool
take_mechanism(
    struct config_reader *r, const struct config_keyword *k, const char *word)
{
	enum sasl_mechanism found = sasl_named(word, strlen(word));

	if (found == SASL_MECHANISMS)
		return config_fail(r, "\"%s\": \"%s\" is none of %s", k->name,
		    word, k->bounds);
	*(uint64_t *)config_member(r, k) |= SASL_SET(found);
	return true;
}

static bool
take_kind(
    struct config_reader *r, const struct config_keyword *k, const char *word)
{
	enum listener_kind kind;

	if (strcmp(word, "none") == 0)
		return true;
	if (!listener_named(word, &kind))
		return config_fail(r, "\"%s\": \"%s\" is none of %s", k->name,
		    word, k->bounds);
	*(uint64_t *)config_member(r, k) |= UINT64_C(1) << kind;
	return true;
}

bool
take_kinds(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return config_each_word(r, k, value, take_kind);
}

bool
take_mechanisms(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return config_each_word(r, k, value, take_mechanism);
}

bool
take_offer_dsn(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	int place = choose(r, k, value);

	if (place != -1)
		*(enum offer_dsn *)config_member(r, k) = (enum offer_dsn)place;
	return place != -1;
}

/* bounds name the answers from the first on. */
bool
take_failure(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	int place = choose(r, k, value);

	if (place != -1)
		*(enum failure_answer *)config_member(r, k) =
		    (enum failure_answer)place;
	return place != -1;
}

bool
take_bind_from(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	int place = choose(r, k, value);

	if (place != -1)
		*(enum bind_from *)config_member(r, k) = (enum bind_from)place;
	return place != -1;
}

bool
take_greylist(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	int place = choose(r, k, value);

	if (place != -1)
		*(enum greylist *)config_member(r, k) = (enum greylist)place;
	return place != -1;
}

bool
take_relay_tls(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	int place = choose(r, k, value);

	if (place != -1)
		*(enum relay_tls *)config_member(r, k) = (enum relay_tls)place;
	return place != -1;
}

/* -- names -- */

static bool
is_label(const char *label, size_t n, bool utf8)
{
	if (n == 0 || n > 63 || label[0] == '-' || label[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = label[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '-' ||
			(utf8 && (c & 0x80) != 0)))
			return false;
	}
	return true;
}

bool
config_is_domain(const char *text, bool utf8)
{
	size_t n;

	if (strlen(text) > 253 || !utf8_valid(text, strlen(text)))
		return false;
	for (;; text += n + 1) {
		n = strcspn(text, ".");
		if (!is_label(text, n, utf8))
			return false;
		if (text[n] == '\0')
			return true;
	}
}

bool
take_hostname(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	struct sockaddr_storage ignored;

	if (!config_is_domain(value, false) ||
	    netaddr_parse(value, 0, &ignored))
		return config_fail(
		    r, "\"%s\": \"%s\" is not a host name", k->name, value);
	return config_set_text(r, config_member(r, k), value);
}

void
config_lower_case(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

static bool
take_domain(
    struct config_reader *r, const struct config_keyword *k, const char *word)
{
	struct config_list *list = config_member(r, k);

	if (!config_is_domain(word, true))
		return config_fail(
		    r, "\"%s\": \"%s\" is not a domain", k->name, word);
	for (size_t i = 0; i < list->n; i++)
		if (strcasecmp(list->items[i], word) == 0)
			return config_fail(
			    r, "\"%s\": %s is there twice", k->name, word);
	if (!config_add_text(r, list, word))
		return false;
	config_lower_case(list->items[list->n - 1]);
	return true;
}

bool
take_domains(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return config_each_word(r, k, value, take_domain);
}

bool
take_path(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	if (value[0] != '/')
		return config_fail(r, "\"%s\": \"%s\" is not an absolute path",
		    k->name, value);
	return config_set_text(r, config_member(r, k), value);
}

bool
take_address(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	const char *at = strrchr(value, '@');

	if (at == NULL || at == value || at - value > 64 ||
	    strpbrk(value, " \t<>") != NULL || !config_is_domain(at + 1, true))
		return config_fail(
		    r, "\"%s\": \"%s\" is not user@domain", k->name, value);
	return config_set_text(r, config_member(r, k), value);
}

/* -- certificates, which lie beside the config where no path is full -- */

static bool
set_beside(struct config_reader *r, char **where, const char *value)
{
	const char *slash = strrchr(r->name, '/');
	size_t n = slash != NULL ? (size_t)(slash - r->name) + 1 : 0;
	char *path;

	if (value[0] == '/')
		n = 0;
	path = malloc(n + strlen(value) + 1);
	if (path == NULL)
		return config_fail(r, "out of memory");
	memcpy(path, r->name, n);
	memcpy(path + n, value, strlen(value) + 1);
	free(*where);
	*where = path;
	return true;
}

bool
take_certificate(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	struct config_certificates *list = config_member(r, k);
	struct config_certificate *grown;

	if (list->n > 0 && list->items[list->n - 1].key == NULL)
		return config_fail(r,
		    "\"%s\": the one before, %s, has no \"tls-key\" after it",
		    k->name, list->items[list->n - 1].certificate);
	grown = config_grow(r, list->items, list->n, sizeof(*grown));
	if (grown == NULL)
		return false;
	list->items = grown;
	grown[list->n] = (struct config_certificate){NULL, NULL};
	if (!set_beside(r, &grown[list->n].certificate, value))
		return false;
	list->n++;
	return true;
}

bool
take_key(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	struct config_certificates *list = config_member(r, k);

	if (list->n == 0 || list->items[list->n - 1].key != NULL)
		return config_fail(
		    r, "\"%s\": no \"tls-certificate\" before it", k->name);
	return set_beside(r, &list->items[list->n - 1].key, value);
}
