/* SPDX-License-Identifier: ISC */
/* Answers as a hostile or broken server makes them by hand (A14). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/dns_read.h"

enum { ID = 0x1234, OK = 0x8180, AA = 0x8400, LAME = 0x8000 };

static struct buf packet;
static struct dns_answer answer;

static void
u16(unsigned value)
{
	buf_addc(&packet, (char)(value >> 8));
	buf_addc(&packet, (char)value);
}

static void
name(const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, ".");

		buf_addc(&packet, (char)n);
		buf_add(&packet, text, n);
		text += n + (text[n] == '.');
	}
	buf_addc(&packet, '\0');
}

static void
begin(unsigned flags, unsigned answers, const char *question, unsigned type)
{
	buf_free(&packet);
	packet = BUF_INIT(200000);
	u16(ID);
	u16(flags);
	u16(1);
	u16(answers);
	u16(0);
	u16(0);
	name(question);
	u16(type);
	u16(1);
}

static void
record(const char *owner, unsigned type, const void *data, size_t n)
{
	name(owner);
	u16(type);
	u16(1);
	u16(0);
	u16(60);
	u16((unsigned)n);
	buf_add(&packet, data, n);
}

static void
alias(const char *owner, const char *target)
{
	size_t at;

	record(owner, DNS_TYPE_CNAME, "", 0);
	at = packet.len;
	name(target);
	packet.data[at - 1] = (char)(packet.len - at);
}

static enum dns_status
read_as(const char *question, unsigned type)
{
	/* at its exact size, so that a sanitizer sees one octet too many */
	unsigned char *copy = malloc(packet.len);
	enum dns_status status;

	assert_non_null(copy);
	memcpy(copy, packet.data, packet.len);
	status = dns_read_answer(
	    &answer, copy, packet.len, ID, question, (uint16_t)type);
	for (size_t i = 0; status == DNS_FOUND && i < answer.n; i++) {
		struct cursor c =
		    dns_record_cursor(&answer, &answer.records[i]);
		char text[DNS_NAME_MAX + 1];

		(void)dns_read_host(&c, text);
		assert_true(strlen(text) <= DNS_NAME_MAX);
	}
	answer.packet = NULL;
	free(copy);
	return status;
}

static void
plain_answer(void **state)
{
	(void)state;
	begin(OK, 2, "example.org", DNS_TYPE_A);
	record("EXAMPLE.org", DNS_TYPE_A, "\x7f\0\0\1", 4);
	record("other.org", DNS_TYPE_A, "\x7f\0\0\2", 4);
	assert_int_equal(read_as("Example.Org.", DNS_TYPE_A), DNS_FOUND);
	assert_int_equal(answer.n, 1);
	assert_int_equal(answer.records[0].len, 4);
}

static void
cut_anywhere(void **state)
{
	size_t whole;

	(void)state;
	begin(OK, 2, "example.org", DNS_TYPE_MX);
	alias("example.org", "mail.example.org");
	record("mail.example.org", DNS_TYPE_MX, "\0\12\1a\300\14", 6);
	whole = packet.len;
	assert_int_equal(read_as("example.org", DNS_TYPE_MX), DNS_FOUND);
	for (packet.len = 0; packet.len < whole; packet.len++)
		assert_int_equal(
		    read_as("example.org", DNS_TYPE_MX), DNS_BROKEN);
}

/* Every octet of an answer, made every value: never a crash or a hang. */
static void
any_octet_changed(void **state)
{
	(void)state;
	begin(OK, 2, "example.org", DNS_TYPE_MX);
	alias("example.org", "mail.example.org");
	record("mail.example.org", DNS_TYPE_MX, "\0\12\1a\300\14", 6);
	for (size_t i = 0; i < packet.len; i++) {
		char kept = packet.data[i];

		for (unsigned value = 0; value < 256; value++) {
			packet.data[i] = (char)value;
			(void)read_as("example.org", DNS_TYPE_MX);
		}
		packet.data[i] = kept;
	}
}

static void
only_our_question(void **state)
{
	(void)state;
	begin(OK, 0, "example.org", DNS_TYPE_A);
	assert_int_equal(read_as("example.org", DNS_TYPE_A), DNS_NO_DATA);
	assert_int_equal(read_as("example.net", DNS_TYPE_A), DNS_BROKEN);
	assert_int_equal(read_as("example.org", DNS_TYPE_MX), DNS_BROKEN);
	assert_int_equal(dns_read_answer(&answer, packet.data, packet.len,
			     ID + 1, "example.org", DNS_TYPE_A),
	    DNS_BROKEN);
	begin(0x0180, 0, "example.org", DNS_TYPE_A); /* a question itself */
	assert_int_equal(read_as("example.org", DNS_TYPE_A), DNS_BROKEN);
	begin(OK | 0x0200, 0, "example.org", DNS_TYPE_A);
	assert_true(dns_is_truncated(packet.data, packet.len));
	assert_int_equal(read_as("example.org", DNS_TYPE_A), DNS_BROKEN);
}

static void
only_an_authoritative_no(void **state)
{
	static const struct {
		unsigned flags;
		enum dns_status status;
	} rows[] = {
	    {OK, DNS_NO_DATA},
	    {AA, DNS_NO_DATA},
	    {LAME, DNS_TEMPORARY},
	    {OK | 3, DNS_NO_NAME},
	    {AA | 3, DNS_NO_NAME},
	    {LAME | 3, DNS_TEMPORARY},
	    {OK | 1, DNS_TEMPORARY},
	    {OK | 2, DNS_TEMPORARY},
	    {OK | 4, DNS_TEMPORARY},
	    {OK | 5, DNS_TEMPORARY},
	    {OK | 15, DNS_TEMPORARY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(rows[i].flags, 0, "example.org", DNS_TYPE_A);
		assert_int_equal(
		    read_as("example.org", DNS_TYPE_A), rows[i].status);
	}
}

static void
aliases_are_followed(void **state)
{
	(void)state;
	begin(OK, 4, "a.org", DNS_TYPE_A); /* out of order, with a stranger */
	alias("b.org", "c.org");
	record("c.org", DNS_TYPE_A, "\x7f\0\0\1", 4);
	alias("x.org", "y.org");
	alias("a.org", "b.org");
	assert_int_equal(read_as("a.org", DNS_TYPE_A), DNS_FOUND);
	assert_string_equal(answer.name, "c.org");
	assert_int_equal(answer.hops, 2);

	begin(AA, 1, "a.org", DNS_TYPE_A); /* out of the zone */
	alias("a.org", "c.net");
	assert_int_equal(read_as("a.org", DNS_TYPE_A), DNS_NO_DATA);
	assert_string_equal(answer.name, "c.net");
}

static void
alias_loops_end(void **state)
{
	char owner[16], target[16];

	(void)state;
	begin(OK, 1, "a.org", DNS_TYPE_A);
	alias("a.org", "a.org");
	assert_int_equal(read_as("a.org", DNS_TYPE_A), DNS_BROKEN);
	begin(OK, 2, "a.org", DNS_TYPE_A);
	alias("a.org", "b.org");
	alias("b.org", "a.org");
	assert_int_equal(read_as("a.org", DNS_TYPE_A), DNS_BROKEN);
	begin(OK, 12, "c0.org", DNS_TYPE_A);
	for (int i = 0; i < 11; i++) {
		snprintf(owner, sizeof(owner), "c%d.org", i);
		snprintf(target, sizeof(target), "c%d.org", i + 1);
		alias(owner, target);
	}
	record("c11.org", DNS_TYPE_A, "\x7f\0\0\1", 4);
	assert_int_equal(read_as("c0.org", DNS_TYPE_A), DNS_BROKEN);
}

static bool
name_in(const void *octets, size_t n, size_t at, char *out)
{
	struct cursor c = cursor_over(octets, n);
	bool ok;

	cursor_seek(&c, at);
	ok = dns_read_name(&c, out);
	assert_true(cursor_ok(&c) || !ok);
	return ok;
}

static void
pointers_lead_back(void **state)
{
	char out[DNS_NAME_MAX + 1];
	unsigned char chain[16386] = {0};

	(void)state;
	assert_true(name_in("\1a\0\1b\300\0", 7, 3, out));
	assert_string_equal(out, "b.a");
	assert_false(name_in("\300\0", 2, 0, out));       /* itself */
	assert_false(name_in("\1a\300\0", 4, 0, out));    /* its start */
	assert_false(name_in("\300\2\300\0", 4, 0, out)); /* forwards */
	assert_false(name_in("\300\2\300\0", 4, 2, out)); /* and back */
	assert_false(name_in("\1a\300\4\1b\300\0", 8, 4, out));
	assert_false(name_in("\300\377", 2, 0, out)); /* outside */
	assert_false(name_in("\300", 1, 0, out));
	assert_false(name_in("\100a\0", 3, 0, out)); /* 01...... */
	assert_false(name_in("\200a\0", 3, 0, out)); /* 10...... */
	/* the longest chain of pointers that fits ends, too */
	for (size_t i = 2; i + 1 < sizeof(chain); i += 2) {
		chain[i] = (unsigned char)(0xc0 | (i - 2) >> 8);
		chain[i + 1] = (unsigned char)(i - 2);
	}
	assert_true(name_in(chain, sizeof(chain), 16384, out));
	assert_string_equal(out, "");
}

static void
names_have_a_length(void **state)
{
	char octets[300], out[DNS_NAME_MAX + 1];
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 127; i++) {
		octets[n++] = 1;
		octets[n++] = 'x';
	}
	octets[n++] = 0;
	assert_true(name_in(octets, n, 0, out));
	assert_int_equal(strlen(out), 253);
	octets[n - 1] = 1;
	octets[n++] = 'x';
	octets[n++] = 0;
	octets[n] = 0;
	assert_true(strlen(out) <= DNS_NAME_MAX);
	n = 0;
	for (int i = 0; i < 4; i++) {
		octets[n++] = 63;
		memset(octets + n, 'y', 63);
		n += 63;
	}
	octets[n++] = 0;
	assert_true(name_in(octets, n, 0, out));
	octets[n - 1] = 2;
	memcpy(octets + n, "zz\0", 3);
	assert_false(name_in(octets, n + 3, 0, out));
	assert_string_equal(out, "");
}

static void
labels_are_text(void **state)
{
	static const struct {
		const char *octets;
		size_t n;
		bool name, host;
	} rows[] = {
	    {"\4mail\3org\0", 10, true, true},
	    {"\4_dmx\0", 6, true, true},
	    {"\6a.evil\0", 8, false, false},
	    {"\3a\0b\0", 5, false, false},
	    {"\3a\nb\0", 5, false, false},
	    {"\3a\033b\0", 5, false, false},
	    {"\3a b\0", 5, true, false},
	    {"\3a\377b\0", 5, false, false},
	    {"\3a\\b\0", 5, false, false},
	    {"\3a/b\0", 5, true, false},
	    {"\3(b)\0", 5, true, false},
	};
	char out[DNS_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cursor c = cursor_over(rows[i].octets, rows[i].n);

		assert_int_equal(dns_read_name(&c, out), rows[i].name);
		assert_true(cursor_done(&c));
		c = cursor_over(rows[i].octets, rows[i].n);
		assert_int_equal(dns_read_host(&c, out), rows[i].host);
	}
}

/* An alias to a name that is none must not read as "no such record". */
static void
bad_alias_is_no_answer(void **state)
{
	(void)state;
	begin(OK, 1, "a.org", DNS_TYPE_A);
	record("a.org", DNS_TYPE_CNAME, "\3a.b\0", 5);
	assert_int_equal(read_as("a.org", DNS_TYPE_A), DNS_BROKEN);
	begin(OK, 1, "a.org", DNS_TYPE_A);
	record("a.org", DNS_TYPE_CNAME, "\1b\0xx", 5);
	assert_int_equal(read_as("a.org", DNS_TYPE_A), DNS_BROKEN);
}

static void
records_are_bounded(void **state)
{
	(void)state;
	begin(OK, 1000, "a.org", DNS_TYPE_MX);
	for (int i = 0; i < 1000; i++)
		record("a.org", DNS_TYPE_MX, "\0\1\1a\0", 5);
	assert_int_equal(read_as("a.org", DNS_TYPE_MX), DNS_FOUND);
	assert_int_equal(answer.n, DNS_RECORDS_MAX);
	/* one among a hundred and more is what somebody looks for */
	begin(OK, 1000, "a.org", DNS_TYPE_TXT);
	for (int i = 0; i < 1000; i++)
		record("a.org", DNS_TYPE_TXT, "\1a", 2);
	assert_int_equal(read_as("a.org", DNS_TYPE_TXT), DNS_FOUND);
	assert_int_equal(answer.n, DNS_TEXTS_MAX);
	begin(OK, 65535, "a.org", DNS_TYPE_MX); /* a count that lies */
	record("a.org", DNS_TYPE_MX, "\0\1\1a\0", 5);
	assert_int_equal(read_as("a.org", DNS_TYPE_MX), DNS_BROKEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_answer),
	    cmocka_unit_test(cut_anywhere),
	    cmocka_unit_test(any_octet_changed),
	    cmocka_unit_test(only_our_question),
	    cmocka_unit_test(only_an_authoritative_no),
	    cmocka_unit_test(aliases_are_followed),
	    cmocka_unit_test(alias_loops_end),
	    cmocka_unit_test(pointers_lead_back),
	    cmocka_unit_test(names_have_a_length),
	    cmocka_unit_test(labels_are_text),
	    cmocka_unit_test(bad_alias_is_no_answer),
	    cmocka_unit_test(records_are_bounded),
	};

	return cmocka_run_group_tests_name("dns-read", tests, NULL, NULL);
}
