/* SPDX-License-Identifier: ISC */
#include "common/tls_names.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct tls_name {
	char *text; /* owned, lower case */
	size_t pair;
};

void
tls_name_clean(const char *asked, char out[TLS_NAME_MAX + 1])
{
	size_t n = asked != NULL ? strnlen(asked, TLS_NAME_MAX + 1) : 0;

	out[0] = '\0';
	if (n > 0 && n <= TLS_NAME_MAX && asked[n - 1] == '.')
		n--;
	if (n == 0 || n > TLS_NAME_MAX)
		return;
	for (size_t i = 0; i < n; i++) {
		char c = asked[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			c == '-' || c == '_' || c == '.')) {
			out[0] = '\0';
			return;
		}
		out[i] = c;
	}
	out[n] = '\0';
}

static bool
make_room(struct tls_names *names)
{
	size_t room = names->room != 0 ? 2 * names->room : 16;
	struct tls_name *items;

	if (names->n < names->room)
		return true;
	items = reallocarray(names->items, room, sizeof(*items));
	if (items == NULL)
		return false;
	names->items = items;
	names->room = room;
	return true;
}

static void
add(struct tls_names *names, const ASN1_STRING *value, size_t pair)
{
	const char *text = (const char *)ASN1_STRING_get0_data(value);
	size_t n = (size_t)ASN1_STRING_length(value);
	bool wild = n > 2 && text[0] == '*' && text[1] == '.';
	char given[TLS_NAME_MAX + 1] = "", name[TLS_NAME_MAX + 3] = "*.";

	if (n > TLS_NAME_MAX || memchr(text, '\0', n) != NULL)
		return;
	memcpy(given, wild ? text + 2 : text, wild ? n - 2 : n);
	tls_name_clean(given, name + (wild ? 2 : 0));
	if (name[wild ? 2 : 0] == '\0')
		return;
	if (make_room(names)) {
		struct tls_name *item = &names->items[names->n];

		*item = (struct tls_name){strdup(name), pair};
		if (item->text != NULL) {
			names->n++;
			return;
		}
	}
	names->failed = true;
}

static void
add_common_name(struct tls_names *names, const X509 *leaf, size_t pair)
{
	const X509_NAME *subject = X509_get_subject_name(leaf);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (at >= 0)
		add(names,
		    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)),
		    pair);
}

void
tls_names_add(struct tls_names *names, const X509 *leaf, size_t pair)
{
	GENERAL_NAMES *list =
	    X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	bool any = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(list); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, i);

		if (name->type != GEN_DNS)
			continue;
		add(names, name->d.dNSName, pair);
		any = true;
	}
	GENERAL_NAMES_free(list);
	if (!any)
		add_common_name(names, leaf, pair);
}

void
tls_names_first(const struct tls_names *names, char out[TLS_NAME_MAX + 3])
{
	out[0] = '\0';
	if (names->n > 0)
		memcpy(out, names->items[0].text,
		    strlen(names->items[0].text) + 1);
}

static int
compare(const void *a, const void *b)
{
	const struct tls_name *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	if (order != 0)
		return order;
	return x->pair < y->pair ? -1 : x->pair > y->pair;
}

bool
tls_names_finish(struct tls_names *names)
{
	if (names->n > 0)
		qsort(names->items, names->n, sizeof(*names->items), compare);
	return !names->failed;
}

void
tls_names_free(struct tls_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->items[i].text);
	free(names->items);
	*names = (struct tls_names){.n = 0};
}

/* The first item that is not before the text. */
static size_t
lower_bound(const struct tls_names *names, const char *text)
{
	size_t low = 0, high = names->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(names->items[middle].text, text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
find_exactly(const struct tls_names *names, const char *text,
    void (*found)(void *, size_t pair), void *context)
{
	for (size_t i = lower_bound(names, text);
	     i < names->n && strcmp(names->items[i].text, text) == 0; i++)
		found(context, names->items[i].pair);
}

void
tls_names_find(const struct tls_names *names, const char *name,
    void (*found)(void *, size_t pair), void *context)
{
	char wild[TLS_NAME_MAX + 2] = "*";
	const char *dot = strchr(name, '.');

	find_exactly(names, name, found, context);
	if (dot == NULL || dot == name)
		return;
	memcpy(wild + 1, dot, strlen(dot) + 1);
	find_exactly(names, wild, found, context);
}
