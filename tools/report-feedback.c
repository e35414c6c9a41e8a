/* SPDX-License-Identifier: ISC */
#include "tools/report-feedback.h"

#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "common/cursor.h"

const char *
feedback_text_of(const struct feedback *f, feedback_text at)
{
	return at == 0 ? "" : f->texts.data + at;
}

void
feedback_free(struct feedback *f)
{
	free(f->records);
	free(f->results);
	buf_free(&f->texts);
}

#ifdef HAVE_EXPAT

#include <expat.h>
#include <stdio.h>

enum { TEXTS_MAX = 32 << 20, PATH_MAX_OCTETS = 200, WRONG_MAX = 200 };

/* Of messages and seconds; sums of it fit anywhere. */
static const uint64_t NUMBER_MAX = 1000000000000;

struct feedback_reader {
	XML_Parser parser;
	struct feedback f;
	size_t record_room, result_room;
	unsigned depth;
	char path[PATH_MAX_OCTETS]; /* of the element at hand, below feedback */
	size_t ends[FEEDBACK_DEPTH_MAX + 1]; /* of path, before each element */
	char text[FEEDBACK_TEXT_MAX + 1];    /* of it */
	size_t ntext;
	bool begun;          /* the root is feedback */
	const char *refused; /* by us; NULL: nothing is */
	char wrong[WRONG_MAX];
};

static void
refuse(struct feedback_reader *r, const char *why)
{
	if (r->refused == NULL)
		r->refused = why;
	XML_StopParser(r->parser, XML_FALSE);
}

/* -- what is kept -- */

static feedback_text
keep(struct feedback_reader *r)
{
	struct buf *texts = &r->f.texts;
	size_t at;

	if (r->ntext == 0)
		return 0;
	if (texts->len == 0)
		buf_addc(texts, '\0');
	at = texts->len;
	buf_add(texts, r->text, r->ntext);
	buf_addc(texts, '\0');
	if (!buf_ok(texts)) {
		refuse(r, "it is too long");
		return 0;
	}
	return (feedback_text)at;
}

static uint64_t
number(struct feedback_reader *r)
{
	struct cursor c = cursor_over(r->text, r->ntext);
	uint64_t n = cursor_decimal(&c);

	/* Some reporters write times with a fraction. */
	if (!cursor_ok(&c) ||
	    (cursor_left(&c) > 0 && r->text[c.pos - c.start] != '.') ||
	    n > NUMBER_MAX)
		refuse(r, "a number in it is none");
	return cursor_ok(&c) ? n : 0;
}

static void *
grow(void *items, size_t n, size_t *room, size_t size)
{
	size_t more = *room == 0 ? 16 : 2 * *room;
	void *grown;

	if (n < *room)
		return items;
	grown = reallocarray(items, more, size);
	if (grown != NULL)
		*room = more;
	return grown;
}

static void
begin_record(struct feedback_reader *r)
{
	struct feedback_record *grown;

	if (r->f.nrecords >= FEEDBACK_RECORDS_MAX) {
		refuse(r, "it has too many records");
		return;
	}
	grown =
	    grow(r->f.records, r->f.nrecords, &r->record_room, sizeof(*grown));
	if (grown == NULL) {
		refuse(r, "out of memory");
		return;
	}
	r->f.records = grown;
	grown[r->f.nrecords++] =
	    (struct feedback_record){.first = r->f.nresults};
}

static void
begin_result(struct feedback_reader *r, enum feedback_kind kind)
{
	struct feedback_result *grown;

	if (r->f.nrecords == 0)
		return;
	if (r->f.nresults >= FEEDBACK_RESULTS_MAX) {
		refuse(r, "it has too many results");
		return;
	}
	grown =
	    grow(r->f.results, r->f.nresults, &r->result_room, sizeof(*grown));
	if (grown == NULL) {
		refuse(r, "out of memory");
		return;
	}
	r->f.results = grown;
	grown[r->f.nresults++] = (struct feedback_result){.kind = kind};
	r->f.records[r->f.nrecords - 1].nresults++;
}

/* -- elements -- */

#define IN_REPORT(member) offsetof(struct feedback, member)
#define IN_RECORD(member) offsetof(struct feedback_record, member)
#define IN_RESULT(member) offsetof(struct feedback_result, member)

enum where { REPORT, REPORT_TIME, RECORD, RECORD_COUNT, RESULT };

/* By their path, prefixes of namespaces taken away; the rest is passed over. */
static const struct element {
	const char *path;
	enum where where;
	size_t offset;
} elements[] = {
    {"/report_metadata/org_name", REPORT, IN_REPORT(organization)},
    {"/report_metadata/email", REPORT, IN_REPORT(email)},
    {"/report_metadata/report_id", REPORT, IN_REPORT(id)},
    {"/report_metadata/date_range/begin", REPORT_TIME, IN_REPORT(begin)},
    {"/report_metadata/date_range/end", REPORT_TIME, IN_REPORT(end)},
    {"/policy_published/domain", REPORT, IN_REPORT(domain)},
    {"/policy_published/p", REPORT, IN_REPORT(p)},
    {"/policy_published/sp", REPORT, IN_REPORT(sp)},
    {"/policy_published/np", REPORT, IN_REPORT(np)},
    {"/policy_published/adkim", REPORT, IN_REPORT(adkim)},
    {"/policy_published/aspf", REPORT, IN_REPORT(aspf)},
    {"/policy_published/testing", REPORT, IN_REPORT(testing)},
    {"/record/row/source_ip", RECORD, IN_RECORD(client)},
    {"/record/row/count", RECORD_COUNT, IN_RECORD(count)},
    {"/record/row/policy_evaluated/disposition", RECORD,
	IN_RECORD(disposition)},
    {"/record/row/policy_evaluated/dkim", RECORD, IN_RECORD(dkim)},
    {"/record/row/policy_evaluated/spf", RECORD, IN_RECORD(spf)},
    {"/record/row/policy_evaluated/reason/type", RESULT, IN_RESULT(domain)},
    {"/record/row/policy_evaluated/reason/comment", RESULT,
	IN_RESULT(selector)},
    {"/record/identifiers/header_from", RECORD, IN_RECORD(from)},
    {"/record/identifiers/envelope_from", RECORD, IN_RECORD(envelope)},
    {"/record/auth_results/dkim/domain", RESULT, IN_RESULT(domain)},
    {"/record/auth_results/dkim/selector", RESULT, IN_RESULT(selector)},
    {"/record/auth_results/dkim/result", RESULT, IN_RESULT(result)},
    {"/record/auth_results/spf/domain", RESULT, IN_RESULT(domain)},
    {"/record/auth_results/spf/result", RESULT, IN_RESULT(result)},
};

static const struct {
	const char *path;
	enum feedback_kind kind;
} results[] = {
    {"/record/row/policy_evaluated/reason", FEEDBACK_REASON},
    {"/record/auth_results/dkim", FEEDBACK_DKIM},
    {"/record/auth_results/spf", FEEDBACK_SPF},
};

static void
take_text(struct feedback_reader *r, const struct element *e)
{
	struct feedback *f = &r->f;
	char *at = (char *)f;

	if (e->where == RECORD || e->where == RECORD_COUNT)
		at = (char *)&f->records[f->nrecords - 1];
	else if (e->where == RESULT)
		at = (char *)&f->results[f->nresults - 1];
	at += e->offset;
	if (e->where == REPORT_TIME)
		*(int64_t *)(void *)at = (int64_t)number(r);
	else if (e->where == RECORD_COUNT)
		*(uint64_t *)(void *)at = number(r);
	else
		*(feedback_text *)(void *)at = keep(r);
}

/* Without white space around it. */
static void
trim(struct feedback_reader *r)
{
	size_t begin = 0;

	while (r->ntext > 0 && strchr(" \t\r\n", r->text[r->ntext - 1]) != NULL)
		r->ntext--;
	while (begin < r->ntext && strchr(" \t\r\n", r->text[begin]) != NULL)
		begin++;
	r->ntext -= begin;
	memmove(r->text, r->text + begin, r->ntext);
	r->text[r->ntext] = '\0';
}

static void
enter_path(struct feedback_reader *r, const char *name)
{
	const char *colon = strrchr(name, ':');
	size_t n = strlen(r->path);

	r->ends[r->depth] = n;
	/* What does not fit is none of ours, and stays none. */
	snprintf(r->path + n, sizeof(r->path) - n, "/%s",
	    colon != NULL ? colon + 1 : name);
}

static void XMLCALL
on_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
	struct feedback_reader *r = context;

	(void)attributes;
	r->ntext = 0;
	if (++r->depth > FEEDBACK_DEPTH_MAX) {
		refuse(r, "its elements nest too deep");
		return;
	}
	if (r->depth == 1) {
		enter_path(r, name);
		r->begun = strcmp(r->path, "/feedback") == 0;
		if (!r->begun)
			refuse(r, "it is XML, but no report");
		r->path[0] = '\0';
		return;
	}
	enter_path(r, name);
	if (strcmp(r->path, "/record") == 0)
		begin_record(r);
	for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++)
		if (strcmp(r->path, results[i].path) == 0)
			begin_result(r, results[i].kind);
}

static void XMLCALL
on_end(void *context, const XML_Char *name)
{
	struct feedback_reader *r = context;

	(void)name;
	/* Of an empty element, even after the parser was stopped. */
	if (r->refused != NULL)
		return;
	trim(r);
	for (size_t i = 0; i < sizeof(elements) / sizeof(*elements); i++)
		if (strcmp(r->path, elements[i].path) == 0)
			take_text(r, &elements[i]);
	r->ntext = 0;
	if (r->depth > 1)
		r->path[r->ends[r->depth]] = '\0';
	r->depth--;
}

/* More than is kept is cut off. */
static void XMLCALL
on_text(void *context, const XML_Char *text, int n)
{
	struct feedback_reader *r = context;
	size_t room = FEEDBACK_TEXT_MAX - r->ntext;
	size_t more = (size_t)n < room ? (size_t)n : room;

	memcpy(r->text + r->ntext, text, more);
	r->ntext += more;
}

/* Entities need one, and no report does. */
static void XMLCALL
on_doctype(void *context, const XML_Char *name, const XML_Char *system_id,
    const XML_Char *public_id, int has_subset)
{
	(void)name;
	(void)system_id;
	(void)public_id;
	(void)has_subset;
	refuse(context, "it declares a document type");
}

/* -- the whole -- */

struct feedback_reader *
feedback_begin(void)
{
	struct feedback_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->f.texts = BUF_INIT(TEXTS_MAX);
	r->parser = XML_ParserCreate(NULL);
	if (r->parser == NULL) {
		free(r);
		return NULL;
	}
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, on_start, on_end);
	XML_SetCharacterDataHandler(r->parser, on_text);
	XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
	return r;
}

void
feedback_cancel(struct feedback_reader *r)
{
	XML_ParserFree(r->parser);
	feedback_free(&r->f);
	free(r);
}

static const char *
parse(struct feedback_reader *r, const char *octets, int n, bool last)
{
	if (r->refused != NULL)
		return r->refused;
	if (XML_Parse(r->parser, octets, n, last) == XML_STATUS_OK &&
	    r->refused == NULL)
		return NULL;
	if (r->refused == NULL) {
		snprintf(r->wrong, sizeof(r->wrong), "line %lu: %s",
		    (unsigned long)XML_GetCurrentLineNumber(r->parser),
		    XML_ErrorString(XML_GetErrorCode(r->parser)));
		r->refused = r->wrong;
	}
	return r->refused;
}

const char *
feedback_octets(struct feedback_reader *r, const char *octets, size_t n)
{
	const char *wrong = NULL;

	while (n > 0 && wrong == NULL) {
		int piece = n < 1 << 20 ? (int)n : 1 << 20;

		wrong = parse(r, octets, piece, false);
		octets += piece;
		n -= (size_t)piece;
	}
	return wrong;
}

/* What a report cannot do without. */
static const char *
missing(const struct feedback *f)
{
	if (f->domain == 0)
		return "it does not say about which domain it is";
	if (f->nrecords == 0)
		return "it has no records";
	for (size_t i = 0; i < f->nrecords; i++)
		if (f->records[i].client == 0)
			return "a record has no source";
	return NULL;
}

const char *
feedback_end(struct feedback_reader *r, struct feedback *out)
{
	const char *wrong = parse(r, "", 0, true);

	if (wrong == NULL)
		wrong = missing(&r->f);
	if (wrong != NULL)
		return wrong;
	*out = r->f;
	r->f = (struct feedback){.texts = BUF_INIT(0)};
	return NULL;
}

#else

struct feedback_reader {
	char none;
};

struct feedback_reader *
feedback_begin(void)
{
	return calloc(1, sizeof(struct feedback_reader));
}

void
feedback_cancel(struct feedback_reader *r)
{
	free(r);
}

const char *
feedback_octets(struct feedback_reader *r, const char *octets, size_t n)
{
	(void)r;
	(void)octets;
	(void)n;
	return "Postrider was built without expat";
}

const char *
feedback_end(struct feedback_reader *r, struct feedback *out)
{
	(void)out;
	return feedback_octets(r, "", 0);
}

#endif
