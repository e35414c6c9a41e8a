/* SPDX-License-Identifier: ISC */
#include "tools/report-uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mailauth/dmarc_walk.h"
#include "mailauth/tags.h"

enum { NAME_TEXT_MAX = 253, URI_MAX = 400 };

struct search {
	const struct mailauth *mailauth;
	struct dmarc_walker walker;
	const char *domain; /* whose policy it is */
	struct destinations *out;
};

/* -- URIs -- */

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) % 16 : -1;
}

/* RFC 3986 section 2.1; false for what is no code, and for a NUL. */
static bool
undo_percents(const char *in, size_t n, char *out, size_t size)
{
	size_t made = 0;

	for (size_t i = 0; i < n; i++) {
		char c = in[i];

		if (c == '%') {
			int high = i + 2 < n ? hex_digit(in[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(in[i + 2]) : -1;

			if (low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == '\0' || made + 1 >= size)
			return false;
		out[made++] = c;
	}
	out[made] = '\0';
	return true;
}

bool
uri_read(const char *text, size_t n, struct address *out)
{
	static const char scheme[] = "mailto:";
	char address[URI_MAX], host[DNS_NAME_MAX + 1];
	size_t length = 0;

	while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		n--;
	while (n > 0 && (*text == ' ' || *text == '\t')) {
		text++;
		n--;
	}
	if (n < sizeof(scheme) ||
	    strncasecmp(text, scheme, sizeof(scheme) - 1) != 0)
		return false;
	text += sizeof(scheme) - 1;
	n -= sizeof(scheme) - 1;
	while (length < n && text[length] != '!' && text[length] != '?')
		length++;
	return undo_percents(text, length, address, sizeof(address)) &&
	    address_parse(address, 0, out) == NULL &&
	    dmarc_normalise(out->domain, host);
}

/* The address of the next URI; false: there is none left. */
static bool
next_uri(const char **rest, struct address *out)
{
	while (*rest != NULL) {
		const char *text = *rest;
		size_t n = strcspn(text, ",");

		*rest = text[n] == ',' ? text + n + 1 : NULL;
		if (uri_read(text, n, out))
			return true;
	}
	return false;
}

/* -- who agrees -- */

static void
add(struct destinations *d, const struct address *address)
{
	char text[ADDRESS_TEXT_MAX + 1];

	address_format(address, text);
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->address[i], text) == 0)
			return;
	if (d->n < URIS_SENT_TO_MAX)
		memcpy(d->address[d->n++], text, sizeof(text));
}

static void
refuse(struct destinations *d, const struct address *address, const char *why)
{
	char text[ADDRESS_TEXT_MAX + 1];

	address_format(address, text);
	if (d->refused++ == 0)
		snprintf(d->reason, sizeof(d->reason), "%.90s: %s", text, why);
}

enum answer { NO, YES, UNKNOWN };

/* Of one organization: it may send itself what it likes. */
static enum answer
is_at_home(struct search *s, const char *host)
{
	struct dmarc_walk home, away;

	if (strcmp(host, s->domain) == 0)
		return YES;
	dmarc_walk_from(&s->walker, s->domain, &home);
	dmarc_walk_from(&s->walker, host, &away);
	if (home.trouble || away.trouble)
		return UNKNOWN;
	return strcmp(dmarc_walk_organization(&home),
		   dmarc_walk_organization(&away)) == 0
	    ? YES
	    : NO;
}

/* Its rua instead: other mailboxes, but of no other host. */
static bool
take_override(struct destinations *d, struct span value, const char *host)
{
	char *text = strndup(value.data, value.len), *rest;
	struct address all[URIS_SENT_TO_MAX], address;
	const char *at;
	size_t n = 0;
	bool good = text != NULL;

	/* Folds and blanks are let pass between URIs. */
	for (rest = text; good && *rest != '\0'; rest++)
		if (*rest == '\r' || *rest == '\n')
			*rest = ' ';
	at = text;
	while (good && next_uri(&at, &address)) {
		char its[DNS_NAME_MAX + 1];

		good = dmarc_normalise(address.domain, its) &&
		    strcmp(its, host) == 0;
		if (good && n < URIS_SENT_TO_MAX)
			all[n++] = address;
	}
	for (size_t i = 0; good && i < n; i++)
		add(d, &all[i]);
	free(text);
	return good && n > 0;
}

/* "v=DMARC1" alone, or with more; steps 6 and 7. */
static bool
is_consent(const char *text, struct tags *tags)
{
	return tags_parse(text, strlen(text), tags) == NULL && tags->n > 0 &&
	    tags->tag[0].name.len == 1 && tags->tag[0].name.data[0] == 'v' &&
	    tags->tag[0].value.len == 6 &&
	    memcmp(tags->tag[0].value.data, "DMARC1", 6) == 0;
}

static void
take_answer(struct search *s, const struct address *address, const char *host,
    char *const *texts, size_t n)
{
	static struct tags tags;
	const struct tag *rua = NULL;
	bool agreed = false;

	for (size_t i = 0; i < n && rua == NULL; i++)
		if (is_consent(texts[i], &tags)) {
			agreed = true;
			rua = tags_find(&tags, "rua");
		}
	if (!agreed)
		refuse(s->out, address, "its host does not agree");
	else if (rua == NULL)
		add(s->out, address);
	else if (!take_override(s->out, rua->value, host))
		refuse(s->out, address, "its host names other hosts instead");
}

static void
ask_host(struct search *s, const struct address *address, const char *host)
{
	const struct resolver *r = s->mailauth->resolver;
	char name[2 * DNS_NAME_MAX + 32];
	char **texts = NULL;
	size_t n = 0;
	enum dns_status status;

	snprintf(name, sizeof(name), "%s._report._dmarc.%s", s->domain, host);
	if (strlen(name) > NAME_TEXT_MAX) {
		refuse(s->out, address, "the names are too long to be asked");
		return;
	}
	status = r->txt(r->context, name, &texts, &n);
	mailauth_step(
	    s->mailauth, "report: %s: %s", name, dns_status_text(status));
	if (dns_is_trouble(status))
		s->out->trouble = true;
	else
		take_answer(
		    s, address, host, texts, status == DNS_FOUND ? n : 0);
	free(texts);
}

static void
look_at(struct search *s, const struct address *address)
{
	char host[DNS_NAME_MAX + 1];

	if (!dmarc_normalise(address->domain, host))
		return;
	switch (is_at_home(s, host)) {
	case YES:
		add(s->out, address);
		break;
	case NO:
		ask_host(s, address, host);
		break;
	default:
		s->out->trouble = true;
	}
}

void
destinations_find(const struct mailauth *m, const char *domain, const char *rua,
    struct destinations *out)
{
	struct search s = {.mailauth = m,
	    .walker = {.mailauth = m},
	    .domain = domain,
	    .out = out};
	struct address address;
	const char *rest = rua;

	*out = (struct destinations){.n = 0};
	for (int i = 0; i < URIS_LOOKED_AT_MAX && next_uri(&rest, &address);
	     i++)
		look_at(&s, &address);
	dmarc_walker_free(&s.walker);
}
