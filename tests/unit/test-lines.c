/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/lines.h"

enum { ROOM = 4096 };

struct outcome {
	enum dot_state state;
	size_t used, made;
	struct dot_reader reader;
	char out[ROOM];
};

/* In pieces that end at the given places; checks the promised bounds. */
static void
read_split(const char *in, size_t n, const size_t *cuts, size_t ncuts,
    struct outcome *o)
{
	size_t from = 0;

	memset(o, 0, sizeof(*o));
	dot_reader_init(&o->reader);
	for (size_t i = 0; i <= ncuts && o->state == DOT_MORE; i++) {
		size_t to = i < ncuts ? cuts[i] : n, used, made;

		o->state = dot_read(&o->reader, in + from, to - from, &used,
		    o->out + o->made, &made);
		assert_true(used <= to - from);
		assert_true(made <= used);
		assert_true(o->state == DOT_END || used == to - from);
		o->used += used;
		o->made += made;
		from = to;
	}
}

static void
assert_same(const struct outcome *a, const struct outcome *b)
{
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->used, b->used);
	assert_int_equal(a->made, b->made);
	assert_memory_equal(a->out, b->out, a->made);
	assert_int_equal(a->reader.bare_cr, b->reader.bare_cr);
	assert_int_equal(a->reader.bare_lf, b->reader.bare_lf);
	assert_int_equal(a->reader.nul, b->reader.nul);
	assert_int_equal(a->reader.eight_bit, b->reader.eight_bit);
	assert_int_equal(a->reader.longest, b->reader.longest);
	assert_int_equal(a->reader.octets, b->reader.octets);
}

/* RFC 5321 section 4.5.3.1.6: 1000 octets, a doubled dot counted once. */
static void
doubled_dots_make_no_line_longer(void **state)
{
	static const struct {
		const char *in;
		size_t longest;
	} cases[] = {{"abc\r\n.\r\n", 5}, {"..bc\r\n.\r\n", 5},
	    {"....\r\n.\r\n", 5}, {".bcd\r\n.\r\n", 5}};
	static struct outcome o;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t cut = 0; cut < strlen(cases[i].in); cut++) {
			read_split(
			    cases[i].in, strlen(cases[i].in), &cut, 1, &o);
			assert_int_equal(o.state, DOT_END);
			assert_int_equal(o.reader.longest, cases[i].longest);
		}
}

/* The definition: the first CRLF "." CRLF, DATA's own CRLF in front. */
static size_t
end_by_definition(const char *in, size_t n)
{
	static char all[ROOM];
	const char *found;

	memcpy(all, "\r\n", 2);
	memcpy(all + 2, in, n);
	found = memmem(all, n + 2, "\r\n.\r\n", 5);
	return found == NULL ? 0 : (size_t)(found - all) + 3;
}

static void
check_flags(const char *in, size_t n, const struct dot_reader *r)
{
	bool cr = false, lf = false;

	for (size_t i = 0; i < n; i++) {
		if (in[i] == '\r' && i + 1 < n && in[i + 1] != '\n')
			cr = true;
		if (in[i] == '\n' && (i == 0 || in[i - 1] != '\r'))
			lf = true;
	}
	assert_int_equal(r->bare_cr, cr);
	assert_int_equal(r->bare_lf, lf);
	assert_int_equal(r->nul, memchr(in, '\0', n) != NULL);
}

/* Every text of up to seven octets, cut at every place. */
static void
only_the_real_end_ends(void **state)
{
	static const char alphabet[] = {'\r', '\n', '.', 'a', '\0'};
	static struct outcome whole, split;
	char in[7];

	(void)state;
	for (size_t n = 0; n <= sizeof(in); n++) {
		size_t texts = 1, end;

		for (size_t i = 0; i < n; i++)
			texts *= sizeof(alphabet);
		for (size_t t = 0; t < texts; t++) {
			size_t rest = t;

			for (size_t i = 0; i < n; i++) {
				in[i] = alphabet[rest % sizeof(alphabet)];
				rest /= sizeof(alphabet);
			}
			read_split(in, n, NULL, 0, &whole);
			end = end_by_definition(in, n);
			assert_int_equal(whole.state == DOT_END, end != 0);
			assert_int_equal(whole.used, end != 0 ? end : n);
			check_flags(in, whole.used, &whole.reader);
			for (size_t cut = 1; cut < n; cut++) {
				read_split(in, n, &cut, 1, &split);
				assert_same(&whole, &split);
			}
		}
	}
}

static uint32_t
random_number(void)
{
	static uint32_t x = 2463534242;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

static void
any_split_gives_the_same(void **state)
{
	static const char alphabet[] = "\r\n\r\n..ab\x80\xff";
	static struct outcome whole, split;
	static char in[300];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t n = random_number() % sizeof(in), cuts[4], ncuts = 0;

		for (size_t i = 0; i < n; i++)
			in[i] =
			    alphabet[random_number() % (sizeof(alphabet) - 1)];
		for (size_t at = 0; ncuts < 4 && n > 0; ncuts++)
			cuts[ncuts] = at += random_number() % (n - at + 1);
		read_split(in, n, NULL, 0, &whole);
		read_split(in, n, cuts, ncuts, &split);
		assert_same(&whole, &split);
	}
}

/* What was stored comes back as it came over the wire, stuffing and all. */
static void
writing_undoes_reading(void **state)
{
	static const char *const pieces[] = {
	    "\r\n", ".", "a", "..", "\x80", "xyz", "\r\n.."};
	static struct outcome o;
	static char in[ROOM], out[DOT_WRITE_SIZE(ROOM) + 5];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t n = 0, cut, made;
		struct dot_writer w;

		for (uint32_t i = random_number() % 40; i > 0; i--) {
			const char *piece = pieces[random_number() % 7];

			/* a client stuffs */
			if (piece[0] == '.' && (n == 0 || in[n - 1] == '\n'))
				piece = "..";
			memcpy(in + n, piece, strlen(piece));
			n += strlen(piece);
		}
		if (n > 0 && in[n - 1] != '\n') {
			memcpy(in + n, "\r\n", 2);
			n += 2;
		}
		memcpy(in + n, ".\r\n", 3);
		n += 3;
		read_split(in, n, NULL, 0, &o);
		assert_int_equal(o.state, DOT_END);
		assert_false(o.reader.bare_cr || o.reader.bare_lf);

		dot_writer_init(&w, true);
		cut = o.made > 0 ? random_number() % o.made : 0;
		made = dot_write(&w, o.out, cut, out);
		made += dot_write(&w, o.out + cut, o.made - cut, out + made);
		made += dot_write_end(&w, out + made, true);
		assert_int_equal(made, n);
		assert_memory_equal(out, in, n);
		assert_int_equal(w.octets, o.reader.octets);
	}
}

/* A2: whatever is stored, nothing leaves with a bare CR or LF. */
static void
nothing_bare_leaves(void **state)
{
	static const char alphabet[] = "\r\n\r\n.ab";
	static char in[100], out[DOT_WRITE_SIZE(100) + 5];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t n = random_number() % sizeof(in);
		size_t cut = n > 0 ? random_number() % n : 0, made;
		struct dot_writer w;
		static struct outcome o;

		for (size_t i = 0; i < n; i++)
			in[i] =
			    alphabet[random_number() % (sizeof(alphabet) - 1)];
		dot_writer_init(&w, true);
		made = dot_write(&w, in, cut, out);
		assert_true(made <= DOT_WRITE_SIZE(cut));
		made += dot_write(&w, in + cut, n - cut, out + made);
		made += dot_write_end(&w, out + made, true);
		read_split(out, made, NULL, 0, &o);
		assert_int_equal(o.state, DOT_END);
		assert_int_equal(o.used, made);
		assert_false(o.reader.bare_cr || o.reader.bare_lf);
	}
}

static void
without_stuffing_dots_stay(void **state)
{
	struct dot_writer w;
	char out[64];
	size_t n;

	(void)state;
	dot_writer_init(&w, false);
	n = dot_write(&w, ".a\n..\nb", 7, out);
	n += dot_write_end(&w, out + n, false);
	assert_int_equal(n, 11);
	assert_memory_equal(out, ".a\r\n..\r\nb\r\n", 11);
	assert_int_equal(w.octets, 11);
	dot_writer_init(&w, true);
	assert_int_equal(dot_write_end(&w, out, true), 3);
	assert_memory_equal(out, ".\r\n", 3);
}

static void
lengths_are_of_the_wire(void **state)
{
	static struct outcome o;
	static const char in[] = "..abc\r\n\r\nxy\r\n.\r\nQUIT\r\n";

	(void)state;
	read_split(in, sizeof(in) - 1, NULL, 0, &o);
	assert_int_equal(o.reader.longest, 6);
	assert_int_equal(o.reader.octets, 12);
	assert_int_equal(o.made, 9);
	assert_memory_equal(o.out, ".abc\n\nxy\n", 9);
	assert_string_equal(in + o.used, "QUIT\r\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(doubled_dots_make_no_line_longer),
	    cmocka_unit_test(only_the_real_end_ends),
	    cmocka_unit_test(any_split_gives_the_same),
	    cmocka_unit_test(writing_undoes_reading),
	    cmocka_unit_test(nothing_bare_leaves),
	    cmocka_unit_test(without_stuffing_dots_stay),
	    cmocka_unit_test(lengths_are_of_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
