/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "mailauth/dkim_body.h"
#include "mailauth/dkim_signature.h"
#include "mailauth/dkim_text.h"
#include "mailauth/tags.h"

/* -- tag-lists (RFC 6376 section 3.2) -- */

static void
tag_lists(void **state)
{
	static const char text[] =
	    " v = 1 ;a=b c\td;e=\n f;\tg_1=;x=\xc3\xa4; ";
	static const char *const expected[][2] = {{"v", "1"}, {"a", "b c\td"},
	    {"e", "f"}, {"g_1", ""}, {"x", "\xc3\xa4"}};
	struct tags tags;

	(void)state;
	assert_null(tags_parse(text, sizeof(text) - 1, &tags));
	assert_int_equal(tags.n, 5);
	for (size_t i = 0; i < tags.n; i++) {
		const struct tag *t = tags_find(&tags, expected[i][0]);

		assert_ptr_equal(t, &tags.tag[i]);
		assert_true(span_is(t->value, expected[i][1]));
	}
	assert_int_equal(tags.tag[2].raw.len, 3);
	assert_null(tags_find(&tags, "V"));
	assert_null(tags_find(&tags, "g"));
}

static void
bad_tag_lists(void **state)
{
	static const char *const rows[][2] = {
	    {"", "empty tag"},
	    {";", "empty tag"},
	    {" ", "empty tag"},
	    {"a=b;;c=d", "empty tag"},
	    {"a=b; ;", "empty tag"},
	    {"a=b; c", "tag without value"},
	    {"=b", "bad tag name"},
	    {"1a=b", "bad tag name"},
	    {"a-b=c", "bad tag name"},
	    {"a b=c", "bad tag name"},
	    {"a=b; a=c", "tag twice"},
	    {"a=b\x01", "bad octet in a tag"},
	    {"a=b\x7f", "bad octet in a tag"},
	};
	struct tags tags;
	char many[5 * (TAGS_MAX + 1) + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(
		    tags_parse(rows[i][0], strlen(rows[i][0]), &tags),
		    rows[i][1]);
	assert_string_equal(tags_parse("a=\0", 3, &tags), "bad octet in a tag");
	for (size_t i = 0; i <= TAGS_MAX; i++)
		snprintf(many + 5 * i, 6, "t%02zu=;", i);
	assert_string_equal(
	    tags_parse(many, strlen(many), &tags), "too many tags");
	assert_null(tags_parse(many, strlen(many) - 5, &tags));
}

static void
lists(void **state)
{
	struct span list = {" a:B :\tc d ::e", 14}, element;
	static const char *const expected[] = {"a", "B", "c d", "", "e"};
	size_t n = 0;

	(void)state;
	assert_true(tags_list_has(list, "b"));
	assert_false(tags_list_has(list, "c"));
	while (tags_next(&list, &element))
		assert_true(span_is(element, expected[n++]));
	assert_int_equal(n, 5);
}

/* -- canonical forms (section 3.4) -- */

struct made {
	size_t n;
	char octets[65536];
};

static void
collect(void *context, const char *octets, size_t n)
{
	struct made *made = context;

	assert_true(n <= sizeof(made->octets) - made->n);
	memcpy(made->octets + made->n, octets, n);
	made->n += n;
}

static void
canonical_body(
    struct made *made, bool relaxed, const char *body, size_t n, size_t piece)
{
	struct dkim_canon c;

	made->n = 0;
	dkim_canon_init(&c, relaxed, collect, made);
	for (size_t at = 0; at < n; at += piece)
		dkim_canon_body(&c, body + at, n - at < piece ? n - at : piece);
	dkim_canon_body_end(&c);
}

static void
bodies(void **state)
{
	static const struct {
		const char *body, *simple, *relaxed;
	} rows[] = {
	    /* section 3.4.5 */
	    {" C \nD \t E\n\n\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
	    {"", "\r\n", ""},
	    {"\n", "\r\n", ""},
	    {"\n\n\n", "\r\n", ""},
	    {" ", " \r\n", ""},
	    {" \n\t\n", " \r\n\t\r\n", ""},
	    {"a", "a\r\n", "a\r\n"},
	    {"a\n", "a\r\n", "a\r\n"},
	    {"a\n\n\nb", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"},
	    {"a\n \n\n b  \tc \t", "a\r\n \r\n\r\n b  \tc \t\r\n",
		"a\r\n\r\n\r\n b c\r\n"},
	    {"\n\na\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n"},
	    {"\t\ta\t\tb\t\t\n", "\t\ta\t\tb\t\t\r\n", " a b\r\n"},
	    {"a\r b\n", "a\r b\r\n", "a\r b\r\n"},
	};
	struct made made;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t piece = 1; piece < 12; piece++) {
			const char *b = rows[i].body;

			canonical_body(&made, false, b, strlen(b), piece);
			assert_int_equal(made.n, strlen(rows[i].simple));
			assert_memory_equal(
			    made.octets, rows[i].simple, made.n);
			canonical_body(&made, true, b, strlen(b), piece);
			assert_int_equal(made.n, strlen(rows[i].relaxed));
			assert_memory_equal(
			    made.octets, rows[i].relaxed, made.n);
		}
}

/* The form as section 3.4.4 tells it, an octet at a time. */
static size_t
plainly_relaxed(const char *body, size_t n, char *out)
{
	size_t made = 0, kept = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i == n && (n == 0 || body[n - 1] == '\n'))
			break;
		if (i < n && body[i] == '\t')
			out[made++] = ' ';
		else if (i < n && body[i] != '\n')
			out[made++] = body[i];
		if (made > 1 && i < n && body[i] != '\n' &&
		    out[made - 1] == ' ' && out[made - 2] == ' ')
			made--;
		if (i < n && body[i] != '\n')
			continue;
		if (made > 0 && out[made - 1] == ' ')
			made--;
		if (made > 0 && out[made - 1] != '\n')
			kept = made + 2;
		memcpy(out + made, "\r\n", 2);
		made += 2;
	}
	return kept;
}

static void
random_bodies(void **state)
{
	static char body[20000], plain[60000];
	struct made *made = malloc(sizeof(*made));

	(void)state;
	assert_non_null(made);
	srand(6376);
	for (size_t round = 0; round < 300; round++) {
		size_t n = (size_t)rand() % sizeof(body), plain_n;
		unsigned words = (unsigned)rand() % 40u + 1u;

		for (size_t i = 0; i < n; i++)
			body[i] = (unsigned)rand() % words != 0
			    ? 'x'
			    : " \t\n\r\n  "[(unsigned)rand() % 7u];
		plain_n = plainly_relaxed(body, n, plain);
		canonical_body(
		    made, true, body, n, (size_t)rand() % 9000u + 1u);
		assert_int_equal(made->n, plain_n);
		assert_memory_equal(made->octets, plain, plain_n);
	}
	free(made);
}

static void
canonical_field(
    struct made *made, bool relaxed, const char *text, struct span hole)
{
	struct header_section h;
	struct dkim_canon c;

	made->n = 0;
	header_init(&h);
	header_take(&h, text, strlen(text));
	header_end(&h);
	assert_int_equal(h.n, 1);
	if (hole.len > 0)
		hole.data = h.text.data + (hole.data - text);
	dkim_canon_init(&c, relaxed, collect, made);
	dkim_canon_field(&c, &h.fields[0], hole);
	dkim_canon_line_end(&c);
	dkim_canon_flush(&c);
	header_free(&h);
}

static void
header_fields(void **state)
{
	static const struct {
		const char *field, *simple, *relaxed;
	} rows[] = {
	    /* section 3.4.5 */
	    {"A: X", "A: X\r\n", "a:X\r\n"},
	    {"B : Y\t\n\tZ  \n", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
	    {"X-Empty: \t ", "X-Empty: \t \r\n", "x-empty:\r\n"},
	    {"X:\n \n y", "X:\r\n \r\n y\r\n", "x:y\r\n"},
	    {"SUBJect: AbC", "SUBJect: AbC\r\n", "subject:AbC\r\n"},
	    {"S:\xc3\x84 \t \xff", "S:\xc3\x84 \t \xff\r\n",
		"s:\xc3\x84 \xff\r\n"},
	};
	static const char hole[] = "Dkim: a= b;b= c\n d;e=f";
	struct made made;
	struct span none = {"", 0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		canonical_field(&made, false, rows[i].field, none);
		assert_int_equal(made.n, strlen(rows[i].simple));
		assert_memory_equal(made.octets, rows[i].simple, made.n);
		canonical_field(&made, true, rows[i].field, none);
		assert_int_equal(made.n, strlen(rows[i].relaxed));
		assert_memory_equal(made.octets, rows[i].relaxed, made.n);
	}
	canonical_field(&made, false, hole, (struct span){hole + 13, 5});
	assert_memory_equal(made.octets, "Dkim: a= b;b=;e=f\r\n", 19);
	canonical_field(&made, true, hole, (struct span){hole + 13, 5});
	assert_memory_equal(made.octets, "dkim:a= b;b=;e=f\r\n", 18);
	assert_int_equal(made.n, 18);
}

/* -- hashes of the body and of its beginnings (l=) -- */

static void
is_digest(const unsigned char *digest, const char *of, size_t n)
{
	unsigned char expected[DKIM_HASH_SIZE];

	assert_non_null(digest);
	assert_int_equal(
	    EVP_Digest(of, n, expected, NULL, dkim_sha256(), NULL), 1);
	assert_memory_equal(digest, expected, DKIM_HASH_SIZE);
}

static void
body_hashes(void **state)
{
	static const char body[] = "Hello  World\n\nmore\n\n\n";
	static const char canonical[] = "Hello World\r\n\r\nmore\r\n";
	const size_t n = sizeof(canonical) - 1;
	char text[BASE64_LENGTH(DKIM_HASH_SIZE) + 1];
	struct dkim_body b;

	(void)state;
	for (size_t piece = 1; piece < sizeof(body); piece++) {
		assert_true(dkim_body_init(&b, true));
		dkim_body_want(&b, DKIM_WHOLE_BODY);
		dkim_body_want(&b, 13);
		dkim_body_want(&b, 0);
		dkim_body_want(&b, n + 1);
		dkim_body_want(&b, n);
		dkim_body_want(&b, 13);
		for (size_t at = 0; at < sizeof(body) - 1; at += piece)
			dkim_body_take(&b, body + at,
			    sizeof(body) - 1 - at < piece
				? sizeof(body) - 1 - at
				: piece);
		dkim_body_end(&b);
		assert_false(b.failed);
		assert_int_equal(b.octets, n);
		is_digest(dkim_body_digest(&b, 0), canonical, 0);
		is_digest(dkim_body_digest(&b, 13), canonical, 13);
		is_digest(dkim_body_digest(&b, n), canonical, n);
		is_digest(dkim_body_digest(&b, DKIM_WHOLE_BODY), canonical, n);
		assert_null(dkim_body_digest(&b, n + 1));
		assert_null(dkim_body_digest(&b, 5));
		dkim_body_free(&b);
	}

	/* of no body, as sections 3.4.3 and 3.4.4 give them */
	for (int relaxed = 0; relaxed < 2; relaxed++) {
		assert_true(dkim_body_init(&b, relaxed));
		dkim_body_want(&b, DKIM_WHOLE_BODY);
		dkim_body_end(&b);
		base64_encode(dkim_body_digest(&b, DKIM_WHOLE_BODY),
		    DKIM_HASH_SIZE, text);
		assert_string_equal(text,
		    relaxed ? "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
			    : "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
		dkim_body_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tag_lists),
	    cmocka_unit_test(bad_tag_lists),
	    cmocka_unit_test(lists),
	    cmocka_unit_test(bodies),
	    cmocka_unit_test(random_bodies),
	    cmocka_unit_test(header_fields),
	    cmocka_unit_test(body_hashes),
	};

	return cmocka_run_group_tests_name("dkim", tests, NULL, NULL);
}
