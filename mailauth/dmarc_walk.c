/* SPDX-License-Identifier: ISC */
#include "mailauth/dmarc_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/idn.h"

enum {
	LABEL_MAX = 63, /* RFC 1035 section 2.3.4 */
	NAME_MAX_TEXT = 253,
	LABELS_SKIPPED_TO = 7 /* section 4.10 step 4 */
};

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
is_name_octet(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	    c == '_';
}

bool
dmarc_normalise(const char *domain, char out[DNS_NAME_MAX + 1])
{
	size_t label = 0, n;

	if (!idn_to_ascii(domain, out))
		return false;
	n = strlen(out);
	if (n > 0 && out[n - 1] == '.')
		out[--n] = '\0';
	if (n > NAME_MAX_TEXT)
		return false;
	for (size_t i = 0; i <= n; i++) {
		out[i] = lower(out[i]);
		if (out[i] == '.' || out[i] == '\0') {
			if (label == 0 || label > LABEL_MAX)
				return false;
			label = 0;
		} else if (is_name_octet(out[i])) {
			label++;
		} else {
			return false;
		}
	}
	return true;
}

static size_t
count_labels(const char *name)
{
	size_t n = 1;

	for (; *name != '\0'; name++)
		if (*name == '.')
			n++;
	return n;
}

/* Without its left-most label; "" of the last one. */
static const char *
parent(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot == NULL ? "" : dot + 1;
}

static const char *
last_labels(const char *name, size_t n)
{
	for (size_t labels = count_labels(name); labels > n; labels--)
		name = parent(name);
	return name;
}

bool
dmarc_is_within(const char *name, const char *domain)
{
	size_t n = strlen(name), d = strlen(domain);

	return n >= d && strcmp(name + n - d, domain) == 0 &&
	    (n == d || name[n - d - 1] == '.');
}

/* -- one place -- */

/* Steps 2 and 6: of several all are discarded. */
static void
take_records(struct dmarc_place *place, char *const *texts, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		struct dmarc_record record;
		bool is_dmarc;
		const char *wrong =
		    dmarc_record_parse(texts[i], &record, &is_dmarc);

		if (is_dmarc && count++ == 0) {
			place->record = record;
			place->wrong = wrong;
		} else {
			dmarc_record_free(&record);
		}
	}
	place->found = count == 1;
	if (!place->found)
		dmarc_record_free(&place->record);
}

static void
ask(const struct mailauth *m, struct dmarc_place *place)
{
	static const char label[] = "_dmarc.";
	char name[sizeof(label) + DNS_NAME_MAX];
	char **texts = NULL;
	size_t n = 0;
	enum dns_status status;

	snprintf(name, sizeof(name), "%s%s", label, place->domain);
	/* a name that cannot be in the DNS has no record there */
	status = strlen(name) > NAME_MAX_TEXT
	    ? DNS_NO_NAME
	    : m->resolver->txt(m->resolver->context, name, &texts, &n);
	if (status == DNS_FOUND)
		take_records(place, texts, n);
	else
		place->trouble = dns_is_trouble(status);
	free(texts);
	mailauth_step(m, "dmarc: %s: %s", name,
	    status != DNS_FOUND        ? dns_status_text(status)
		: !place->found        ? "not one DMARC record"
		: place->wrong != NULL ? place->wrong
				       : "a DMARC record");
}

const struct dmarc_place *
dmarc_place_at(struct dmarc_walker *walker, const char *domain)
{
	struct dmarc_place *place;

	for (place = walker->places; place != NULL; place = place->next)
		if (strcmp(place->domain, domain) == 0)
			return place;
	place = calloc(1, sizeof(*place));
	if (place == NULL)
		return NULL;
	snprintf(place->domain, sizeof(place->domain), "%s", domain);
	place->next = walker->places;
	walker->places = place;
	ask(walker->mailauth, place);
	return place;
}

void
dmarc_walker_free(struct dmarc_walker *walker)
{
	while (walker->places != NULL) {
		struct dmarc_place *place = walker->places;

		walker->places = place->next;
		dmarc_record_free(&place->record);
		free(place);
	}
}

/* -- the walk -- */

void
dmarc_walk_from(
    struct dmarc_walker *walker, const char *start, struct dmarc_walk *walk)
{
	const char *target = start;

	*walk = (struct dmarc_walk){.start = start};
	while (*target != '\0' && walk->n < DMARC_WALK_MAX) {
		const struct dmarc_place *place =
		    dmarc_place_at(walker, target);

		walk->trouble = place == NULL || place->trouble;
		if (walk->trouble)
			return;
		walk->place[walk->n++] = place;
		if (place->found && place->record.psd != 'u')
			return;
		target = last_labels(parent(target), LABELS_SKIPPED_TO);
	}
}

/*
 * The places go from the longest name to the shortest, and nothing is asked
 * behind a psd=n or psd=y: only the last one can have one.
 */
const char *
dmarc_walk_organization(const struct dmarc_walk *walk)
{
	const char *shortest = walk->start;

	for (size_t i = 0; i < walk->n; i++) {
		const struct dmarc_place *place = walk->place[i];

		if (!place->found)
			continue;
		if (place->record.psd == 'y' && i > 0)
			return last_labels(
			    walk->start, count_labels(place->domain) + 1);
		shortest =
		    last_labels(walk->start, count_labels(place->domain));
	}
	return shortest;
}

static const struct dmarc_place *
find(const struct dmarc_walk *walk, const char *domain)
{
	for (size_t i = 0; i < walk->n; i++)
		if (walk->place[i]->found &&
		    strcmp(walk->place[i]->domain, domain) == 0)
			return walk->place[i];
	return NULL;
}

const struct dmarc_place *
dmarc_walk_policy(const struct dmarc_walk *walk)
{
	const struct dmarc_place *place = find(walk, walk->start), *last;

	if (place != NULL || walk->trouble || walk->n == 0)
		return place;
	place = find(walk, dmarc_walk_organization(walk));
	if (place != NULL)
		return place;
	last = walk->place[walk->n - 1];
	return last->found && last->record.psd == 'y' ? last : NULL;
}
