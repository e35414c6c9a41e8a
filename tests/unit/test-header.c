/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mailauth/header.h"

/* In pieces of that many octets; how many belonged to the section. */
static size_t
collect(struct header_section *h, const char *text, size_t n, size_t piece)
{
	size_t used = 0;

	header_init(h);
	for (size_t at = 0; at < n && !h->done; at += piece)
		used +=
		    header_take(h, text + at, n - at < piece ? n - at : piece);
	header_end(h);
	assert_true(buf_ok(&h->text));
	return used;
}

static void
is_span(struct span s, const char *text)
{
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.data, text, s.len);
}

static void
fields(void **state)
{
	static const char message[] = "Subject: a\n b\n\tc\nFROM \t: x\n"
				      "X-Empty:\nsubject:d\n\nFrom: body\n";
	const struct header_field *first;

	(void)state;
	for (size_t piece = 1; piece <= sizeof(message); piece++) {
		struct header_section h;

		assert_int_equal(
		    collect(&h, message, sizeof(message) - 1, piece),
		    sizeof(message) - sizeof("From: body\n"));
		assert_true(h.done);
		assert_false(h.malformed);
		assert_false(h.oversized);
		assert_int_equal(h.n, 4);
		is_span(h.fields[0].text, "Subject: a\n b\n\tc");
		is_span(h.fields[0].name, "Subject");
		is_span(h.fields[0].value, " a\n b\n\tc");
		is_span(h.fields[1].name, "FROM");
		is_span(h.fields[1].value, " x");
		is_span(h.fields[2].value, "");
		assert_int_equal(header_count(&h, "Subject", &first), 2);
		assert_ptr_equal(first, &h.fields[0]);
		assert_int_equal(header_count(&h, "From", &first), 1);
		assert_int_equal(header_count(&h, "Fro", &first), 0);
		assert_null(first);
		is_span((struct span){h.text.data, h.text.len},
		    "Subject: a\n b\n\tc\nFROM \t: x\nX-Empty:\nsubject:d\n");
		header_free(&h);
	}
}

/* Messages without a body, without a header section, without anything. */
static void
ends(void **state)
{
	static const struct {
		const char *message;
		size_t used, n;
	} rows[] = {
	    {"", 0, 0}, {"\n", 1, 0}, {"\nA: b\n", 1, 0}, {"A: b", 4, 1},
	    {"A: b\n", 5, 1}, {"A: b\n ", 6, 1}, {"A: b\n\n", 6, 1},
	    {"A: b\n \nC: d\n\n\n", 13, 2}, /* a blank is no empty line */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *m = rows[i].message;
		struct header_section h;

		assert_int_equal(collect(&h, m, strlen(m), 3), rows[i].used);
		assert_int_equal(h.n, rows[i].n);
		assert_false(h.malformed);
		assert_int_equal(header_take(&h, "X: y\n", 5), 0);
		header_free(&h);
	}
}

static void
malformed(void **state)
{
	static const struct {
		const char *message;
		size_t n;
		bool malformed;
	} rows[] = {
	    {"A: b\nno colon\n folded: x\nC: d\n\n", 2, true},
	    {" folded: x\nA: b\n\n", 1, true},
	    {"\tx\n\n", 0, true},
	    {": x\nA: b\n\n", 1, true},
	    {"From\n : x@example.test\n\n", 1, true},
	    {"From\n \n\t: x@example.test\n\n", 1, true},
	    {"From\n x: x@example.test\n\n", 0, true},
	    {"From\n: x@example.test\n\n", 0, true},
	    {"A b: c\n\n", 0, true},
	    {"A\xc3\xa4: c\n\n", 0, true},
	    {"A\x01: c\n\n", 0, true},
	    {"A\r\n\n", 0, true},
	    /* from a mailbox file */
	    {"From x@example.test Mon Nov 30 10:00:00 2026\nA: b\n\n", 1,
		false},
	    {">From x@example.test Mon Nov 30 10:00:00 2026\nA: b\n\n", 1,
		false},
	    {"From x@example.test Mon Nov 30 10:00\n :00\nA: b\n\n", 1, true},
	    {"A: b\nFrom x Mon Nov 30 10:00:00 2026\n\n", 1, true},
	    {"From : x@example.test\n\n", 1, false},
	    {"FROM x Mon\n\n", 0, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *m = rows[i].message;
		struct header_section h;

		collect(&h, m, strlen(m), 2);
		assert_int_equal(h.n, rows[i].n);
		assert_int_equal(h.malformed, rows[i].malformed);
		header_free(&h);
	}
}

/* A NUL in a name is no field; in a value it is an octet like others. */
static void
nul(void **state)
{
	static const char message[] = "Fr\0om: x\nA: b\0c\n\n";
	struct header_section h;

	(void)state;
	collect(&h, message, sizeof(message) - 1, 100);
	assert_true(h.malformed);
	assert_int_equal(h.n, 1);
	assert_int_equal(h.fields[0].value.len, 4);
	header_free(&h);
}

static void
big(struct header_section *h, size_t line, size_t octets)
{
	char *text = malloc(octets + 7);

	assert_non_null(text);
	for (size_t i = 0; i < octets; i++)
		text[i] = "A:bc"[i % line < 2 ? i % line : 2];
	for (size_t i = line - 1; i < octets; i += line)
		text[i] = '\n';
	memcpy(text + octets, "\nZ: z\n\n", 7);
	assert_int_equal(collect(h, text, octets + 7, 1000), octets + 7);
	free(text);
}

/* The end is found all the same, and what is there are whole lines. */
static void
bounds(void **state)
{
	struct header_section h;

	(void)state;
	big(&h, 1000, HEADER_SECTION_MAX - 6);
	assert_false(h.oversized);
	assert_int_equal(h.n, 264);
	assert_int_equal(h.text.len, HEADER_SECTION_MAX);
	header_free(&h);

	big(&h, 1000, HEADER_SECTION_MAX - 5);
	assert_true(h.oversized);
	assert_int_equal(h.n, 263);
	assert_int_equal(h.text.len % 1000, 140);
	header_free(&h);

	big(&h, 1000, 1024 * 1024);
	assert_true(h.oversized);
	assert_int_equal(h.n, 262);
	assert_int_equal(h.text.len, 262000);
	header_free(&h);

	/* one line and no end of it */
	big(&h, 2 * HEADER_SECTION_MAX, 2 * HEADER_SECTION_MAX - 1);
	assert_true(h.oversized);
	assert_int_equal(h.n, 0);
	assert_int_equal(h.text.len, 0);
	header_free(&h);

	big(&h, 4, 4 * HEADER_FIELDS_MAX - 5);
	assert_false(h.oversized);
	assert_int_equal(h.n, HEADER_FIELDS_MAX);
	header_free(&h);

	big(&h, 4, 4 * HEADER_FIELDS_MAX - 1);
	assert_true(h.oversized);
	assert_int_equal(h.n, HEADER_FIELDS_MAX);
	header_free(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields),
	    cmocka_unit_test(ends),
	    cmocka_unit_test(malformed),
	    cmocka_unit_test(nul),
	    cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
