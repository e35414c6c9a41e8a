/* SPDX-License-Identifier: ISC */
#include "tools/report-find.h"

#include <stdio.h>
#include <string.h>

#include "tools/report-mime.h"
#include "tools/report-unpack.h"

/* The document at hand. */
struct document {
	struct find *find;
	struct feedback_reader *reader; /* NULL: not begun */
};

static void
note(struct find *f, const char *reason)
{
	if (f->reason[0] == '\0')
		snprintf(f->reason, sizeof(f->reason), "%s", reason);
}

static void
cancel(struct document *d)
{
	if (d->reader != NULL)
		feedback_cancel(d->reader);
	d->reader = NULL;
}

/*
 * Some write blank lines or a byte order mark before the declaration, which
 * must come first.
 */
static size_t
skip_blanks(const char *octets, size_t n)
{
	size_t i = 0;

	if (n >= 3 && memcmp(octets, "\xef\xbb\xbf", 3) == 0)
		i = 3;
	while (
	    i < n && octets[i] != '\0' && strchr(" \t\r\n", octets[i]) != NULL)
		i++;
	return i;
}

static const char *
take_end(struct document *d)
{
	struct feedback f;
	const char *wrong;

	if (d->reader == NULL)
		return "it is empty";
	wrong = feedback_end(d->reader, &f);
	if (wrong == NULL) {
		d->find->reports++;
		d->find->report(&f, d->find->context);
		feedback_free(&f);
	} else {
		note(d->find, wrong); /* it lives as long as the reader */
		wrong = d->find->reason;
	}
	cancel(d);
	return wrong;
}

/* unpack_sink: XML in pieces. */
static const char *
take_xml(void *context, const char *octets, size_t n)
{
	struct document *d = context;
	const char *wrong;
	size_t blanks = 0;

	if (octets == NULL)
		return take_end(d);
	if (d->reader == NULL) {
		blanks = skip_blanks(octets, n);
		if (blanks == n)
			return NULL;
		d->reader = feedback_begin();
		if (d->reader == NULL)
			return "out of memory";
	}
	wrong = feedback_octets(d->reader, octets + blanks, n - blanks);
	if (wrong != NULL)
		note(d->find, wrong);
	return wrong != NULL ? d->find->reason : NULL;
}

static bool
is_xml(const char *octets, size_t n)
{
	size_t i = skip_blanks(octets, n);

	return (n - i >= 5 && memcmp(octets + i, "<?xml", 5) == 0) ||
	    (n - i >= 9 && memcmp(octets + i, "<feedback", 9) == 0);
}

/* False: it is nothing that a report comes in. */
static bool
take_packed(struct find *f, const char *octets, size_t n)
{
	struct document d = {.find = f};
	const char *wrong;

	if (is_gzip(octets, n))
		wrong = unpack_gzip(octets, n, &f->left, take_xml, &d);
	else if (is_zip(octets, n))
		wrong = unpack_zip(octets, n, &f->left, take_xml, &d);
	else if (!is_xml(octets, n))
		return false;
	else if ((wrong = take_xml(&d, octets, n)) == NULL)
		wrong = take_xml(&d, NULL, 0);
	cancel(&d);
	if (wrong != NULL)
		note(f, wrong);
	return true;
}

static bool
take_part(const char *octets, size_t n, void *context)
{
	(void)take_packed(context, octets, n);
	return true;
}

void
find_reports(struct find *f, const char *octets, size_t n)
{
	f->reports = 0;
	f->left = UNPACKED_MAX;
	f->reason[0] = '\0';
	if (!take_packed(f, octets, n) && !mime_each(octets, n, take_part, f))
		note(f, "out of memory");
}
