/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memfd_create */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "smtpd/content.h"
#include "smtpd/draft.h"
#include "smtpd/milter_packet.h"

#define SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* A literal's octets, without the NUL that the compiler adds. */
#define OCTETS(literal) literal, sizeof(literal) - 1

/* -- packets -- */

static void
packets_are_written(void **state)
{
	static const char wanted[] = "\0\0\0\x0bMa b\0c=d\0\1\2";
	struct buf b = BUF_INIT(64);
	size_t begun;

	(void)state;
	buf_adds(&b, "x");
	begun = milter_begin(&b, MILTER_MAIL);
	milter_string(&b, "a b");
	milter_string(&b, "c=d");
	milter_u16(&b, 0x0102);
	milter_end(&b, begun);
	assert_int_equal(b.len, sizeof(wanted));
	assert_memory_equal(b.data + 1, wanted, sizeof(wanted) - 1);
	buf_reset(&b);
	milter_offer(&b);
	assert_memory_equal(
	    b.data, "\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\x1f\xf7\xff", 17);
	buf_free(&b);
}

static void
heads_are_bounded(void **state)
{
	static const struct {
		const char *octets;
		bool good;
		uint32_t n;
	} rows[] = {
	    {"\0\0\0\1c", true, 0},
	    {"\0\0\0\5h", true, 4},
	    {"\0\1\0\0h", true, 65535},
	    {"\0\1\0\1h", false, 0},
	    {"\0\1\0\1b", true, 65536},
	    {"\0\2\0\1b", true, 0x20000},
	    {"\0\2\0\2b", false, 0},
	    {"\0\0\0\0c", false, 0},
	    {"\xff\xff\xff\xff"
	     "c",
		false, 0},
	    {"\0\0\0\1?", false, 0},
	    {"\0\0\0\1\0", false, 0},
	    {"HTTP/", false, 0},
	};
	struct milter_head head;

	(void)state;
	for (size_t i = 0; i < SIZE(rows); i++) {
		assert_int_equal(
		    milter_read_head(rows[i].octets, 0x20000, &head),
		    rows[i].good);
		if (rows[i].good)
			assert_int_equal(head.n, rows[i].n);
	}
}

static void
replies_are_read(void **state)
{
	static const struct {
		const char *data;
		size_t n;
		char letter;
		bool good;
		const char *name, *value;
	} rows[] = {
	    {OCTETS(""), 'c', true, NULL, NULL},
	    {OCTETS("what"), 'c', true, NULL, NULL},
	    {OCTETS("X\0y\0"), 'h', true, "X", "y"},
	    {OCTETS("X\0y"), 'h', true, "X", "y"},
	    {OCTETS("X\0"), 'h', false, NULL, NULL},
	    {OCTETS("X\0y\0z\0"), 'h', false, NULL, NULL},
	    {OCTETS("\0\0\0\7X\0y\0"), 'i', true, "X", "y"},
	    {OCTETS("\0\0\0\7X\0\0"), 'm', true, "X", ""},
	    {OCTETS("\0\0\0"), 'm', false, NULL, NULL},
	    {OCTETS(""), 'm', false, NULL, NULL},
	    {OCTETS("<a@b>\0"), '+', true, "<a@b>", NULL},
	    {OCTETS("<a@b>"), '+', true, "<a@b>", NULL},
	    {OCTETS("<a@b>\0x=y\0"), '+', false, NULL, NULL},
	    {OCTETS("<a@b>\0x=y\0"), '2', true, "<a@b>", "x=y"},
	    {OCTETS("<a@b>\0"), '2', true, "<a@b>", NULL},
	    {OCTETS("<a@b>\0"), 'e', true, "<a@b>", NULL},
	    {OCTETS("x"), 'b', false, NULL, NULL},
	    {OCTETS("x"), 'O', false, NULL, NULL},
	    {OCTETS("x"), '?', false, NULL, NULL},
	};
	struct milter_reply r;

	(void)state;
	for (size_t i = 0; i < SIZE(rows); i++) {
		assert_int_equal(milter_read_reply(rows[i].letter, rows[i].data,
				     rows[i].n, &r),
		    rows[i].good);
		if (!rows[i].good)
			continue;
		assert_int_equal(r.name != NULL, rows[i].name != NULL);
		assert_int_equal(r.value != NULL, rows[i].value != NULL);
		if (r.name != NULL)
			assert_string_equal(r.name, rows[i].name);
		if (r.value != NULL)
			assert_string_equal(r.value, rows[i].value);
		if (rows[i].letter == 'i' || rows[i].letter == 'm')
			assert_int_equal(r.index, 7);
	}
}

static void
options_are_read(void **state)
{
	static const char good[] = "\0\0\0\6\0\0\0\1\0\0\4\0"
				   "\0\0\0\2i, {mail_addr}\0\0\0\0\x63z\0";
	static struct milter_options o;

	(void)state;
	assert_true(milter_read_options(good, sizeof(good) - 1, &o));
	assert_int_equal(o.version, 6);
	assert_int_equal(o.actions, MILTER_MAY_ADD_HEADERS);
	assert_int_equal(o.steps, MILTER_MAY_SKIP);
	assert_string_equal(o.macros[MILTER_AT_MAIL], "i  {mail_addr}");
	assert_string_equal(o.macros[MILTER_AT_END], "");
	for (size_t n = 0; n < sizeof(good) - 1; n++)
		if (n != 12 && n != 31)
			assert_false(milter_read_options(good, n, &o));
	assert_false(
	    milter_read_options(OCTETS("\0\0\0\7\0\0\0\0\0\0\0\0"), &o));
	assert_false(
	    milter_read_options(OCTETS("\0\0\0\1\0\0\0\0\0\0\0\0"), &o));
	assert_false(
	    milter_read_options(OCTETS("\0\0\0\6\0\0\2\0\0\0\0\0"), &o));
	assert_false(
	    milter_read_options(OCTETS("\0\0\0\6\0\0\0\0\0\0\x08\0"), &o));
}

static void
refusals_are_one_clean_line(void **state)
{
	static const struct {
		const char *said;
		int smtp;
		const char *enhanced, *text;
	} rows[] = {
	    {"550 5.7.1 no", 550, "5.7.1", "no"},
	    {"451 later", 451, "4.7.1", "later"},
	    {"550 4.7.1 other class", 550, "5.7.1", "4.7.1 other class"},
	    {"550 5.7.1.1 x", 550, "5.7.1", "5.7.1.1 x"},
	    {"550 5.7777.1 x", 550, "5.7.1", "5.7777.1 x"},
	    {"550 5.1.10", 550, "5.1.10", "refused by a filter"},
	    {"550-5.1.1 a\r\n550-5.1.1 b\n550 5.1.1 c\r\n", 550, "5.1.1",
		"a b c"},
	    {"550 5.1.1 100%% or 5%", 550, "5.1.1", "100% or 5%"},
	    {"550 5.1.1 \x1b[2J\x80\t", 550, "5.1.1", "?[2J??"},
	    {"250 2.0.0 ok", 0, "", ""},
	    {"650 x", 0, "", ""},
	    {"560 x", 0, "", ""},
	    {"55 x", 0, "", ""},
	    {"5500 x", 0, "", ""},
	    {"", 0, "", ""},
	};
	static char flood[3000];
	struct milter_refusal r;

	(void)state;
	for (size_t i = 0; i < SIZE(rows); i++) {
		assert_int_equal(
		    milter_read_refusal(rows[i].said, &r), rows[i].smtp != 0);
		if (rows[i].smtp == 0)
			continue;
		assert_int_equal(r.smtp, rows[i].smtp);
		assert_string_equal(r.enhanced, rows[i].enhanced);
		assert_string_equal(r.text, rows[i].text);
	}
	memset(flood, 'x', sizeof(flood) - 1);
	memcpy(flood, "550 ", 4);
	assert_true(milter_read_refusal(flood, &r));
	assert_int_equal(strlen(r.text), MILTER_TEXT_MAX);
}

/* -- drafts -- */

static const char section[] = "From: a\nnot a field\nSubject:  b\n\tc\nX: 1\n"
			      "x : 2\n";

static void
begin(struct draft *d)
{
	*d = (struct draft){.n = 0};
	draft_take(d, DRAFT_OWN, (struct span){OCTETS("A-R: ours\n")});
	draft_take(d, DRAFT_CAME, (struct span){OCTETS(section)});
	assert_false(d->failed);
}

static void
assert_draft(struct draft *d, const char *wanted)
{
	struct buf b = BUF_INIT(4096);

	draft_write(d, DRAFT_OWN, true, &b);
	assert_string_equal(buf_text(&b), wanted);
	buf_reset(&b);
	draft_write(d, DRAFT_OWN, false, &b);
	assert_string_equal(buf_text(&b), "A-R: ours\n");
	buf_free(&b);
	draft_free(d);
}

static void
a_draft_is_what_came(void **state)
{
	struct draft d;

	(void)state;
	begin(&d);
	assert_int_equal(d.n, 6);
	assert_int_equal(d.fields[2].kind, DRAFT_LINES);
	assert_draft(&d, section);
}

static void
fields_go_where_a_filter_says(void **state)
{
	struct draft d;

	(void)state;
	begin(&d);
	assert_true(draft_insert(&d, 2, "Two", "2", false));
	assert_true(draft_insert(&d, 0, "Zero", "0", false));
	assert_true(draft_insert(&d, 1000, "Last", "9", true));
	assert_true(draft_change(&d, 2, "X", "two", false));
	assert_true(draft_change(&d, 0, "subject", "s", false));
	assert_true(draft_change(&d, 1, "from", "", false));
	assert_true(draft_change(&d, 1, "Absent", "", false));
	assert_true(draft_change(&d, 1, "a-r", "", false));
	assert_true(draft_change(&d, 3, "a-r", "theirs", false));
	assert_draft(&d,
	    "Zero: 0\nTwo: 2\nnot a field\nsubject: s\nX: 1\n"
	    "X: two\nLast:9\na-r: theirs\n");
}

static void
no_field_becomes_two(void **state)
{
	static const char *const bad[] = {
	    "", "a b", "a:b", "a\nb", "\x80", "a\t"};
	struct draft d = {.n = 0};
	struct buf b = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < SIZE(bad); i++)
		assert_false(draft_add(&d, bad[i], "x", false));
	assert_true(draft_add(&d, "A", "1\r\n2\n\n 3\r4\n \n", false));
	assert_true(draft_add(&d, "B", "\n\n5", true));
	assert_true(draft_add(&d, "C", "", false));
	draft_write(&d, DRAFT_OWN, true, &b);
	assert_string_equal(buf_text(&b), "A: 1\n\t2\n 3\n\t4\nB:\n\t5\nC:\n");
	buf_free(&b);
	draft_free(&d);
}

static void
drafts_are_bounded(void **state)
{
	static char large[DRAFT_OCTETS_MAX];
	struct draft d = {.n = 0};

	(void)state;
	for (int i = 0; i < DRAFT_FIELDS_MAX; i++)
		assert_true(draft_add(&d, "A", "x", false));
	assert_false(d.failed);
	assert_true(draft_add(&d, "A", "x", false));
	assert_true(d.failed);
	draft_free(&d);
	memset(large, 'x', sizeof(large) - 1);
	assert_true(draft_add(&d, "A", large, false));
	assert_true(d.failed);
	draft_free(&d);
}

static void
marks_count_where_a_filter_made_them(void **state)
{
	struct draft d = {.n = 0};

	(void)state;
	draft_take(&d, DRAFT_CAME,
	    (struct span){OCTETS("X-Spam: Yes\nX-Spam-Flag: YES\n")});
	assert_false(draft_is_marked(&d));
	draft_add(&d, "X-Spam-Status", "No", false);
	assert_false(draft_is_marked(&d));
	draft_change(&d, 1, "X-Spam", " yes, very", true);
	assert_true(draft_is_marked(&d));
	draft_free(&d);
}

/* -- a body that is replaced -- */

static int
new_file(void *context)
{
	(void)context;
	return memfd_create("scratch", MFD_CLOEXEC);
}

static void
add(struct content *c, char octet, size_t n)
{
	char block[1000];

	memset(block, octet, sizeof(block));
	for (; n > 0; n -= sizeof(block))
		content_add(c, block, sizeof(block));
}

static void
assert_octets(struct content *c, char octet, size_t n)
{
	char block[4096];
	uint64_t at = 0;
	ssize_t got;

	assert_int_equal(content_octets(c), n);
	while ((got = content_read(c, at, block, sizeof(block))) > 0) {
		for (ssize_t i = 0; i < got; i++)
			assert_int_equal(block[i], octet);
		at += (uint64_t)got;
	}
	assert_int_equal(got, 0);
	assert_int_equal(at, n);
}

/* Each size before, and each after; kept, and not. */
static void
bodies_are_replaced_or_not(void **state)
{
	static const size_t sizes[] = {0, 5000, 300 * 1000, 900 * 1000};

	(void)state;
	for (size_t i = 0; i < 2 * SIZE(sizes) * SIZE(sizes); i++) {
		size_t old = sizes[i / 2 % SIZE(sizes)];
		size_t new = sizes[i / 2 / SIZE(sizes)];
		bool keep = i % 2 == 1;
		int fd = new_file(NULL);
		struct buf headers = BUF_INIT(64);
		struct content c;

		content_init(&c, fd, &headers);
		content_wait_for_headers(&c, new_file, NULL);
		add(&c, 'a', old);
		content_replace(&c);
		add(&c, 'b', new);
		content_replaced(&c, keep);
		assert_octets(&c, keep ? 'b' : 'a', keep ? new : old);
		content_replace(&c);
		add(&c, 'c', old);
		content_replaced(&c, true);
		assert_octets(&c, 'c', old);
		buf_adds(&headers, "h\n\n");
		assert_int_equal(content_finish(&c), 0);
		assert_int_equal(lseek(fd, 0, SEEK_END), (off_t)old + 3);
		content_free(&c);
		buf_free(&headers);
		close(fd);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(packets_are_written),
	    cmocka_unit_test(heads_are_bounded),
	    cmocka_unit_test(replies_are_read),
	    cmocka_unit_test(options_are_read),
	    cmocka_unit_test(refusals_are_one_clean_line),
	    cmocka_unit_test(a_draft_is_what_came),
	    cmocka_unit_test(fields_go_where_a_filter_says),
	    cmocka_unit_test(no_field_becomes_two),
	    cmocka_unit_test(drafts_are_bounded),
	    cmocka_unit_test(marks_count_where_a_filter_made_them),
	    cmocka_unit_test(bodies_are_replaced_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
