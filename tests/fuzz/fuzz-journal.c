/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "ledger/budgets.h"
#include "ledger/clients.h"
#include "ledger/destinations.h"
#include "ledger/digest.h"
#include "ledger/familiar.h"
#include "ledger/grey.h"
#include "ledger/logins.h"
#include "ledger/mailboxes.h"
#include "ledger/reports.h"
#include "ledger/sts.h"
#include "tests/fuzz/fuzz.h"

/*
 * A line of the ledger's journal, behind its checksum: what is a row is
 * written as one that is read as the same.
 */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("source 192.0.2.1 1800000000 2 1799999000 3 1799998000 65535"),
    FUZZ_SEED("source 2001:db8::/48 1800000000 1 1799999000 3"),
    FUZZ_SEED("target a%20b%c3%bc@example.test 1 1799999000 2 2 1799999000 "
	      "192.0.2.1 1799998000 %"),
    FUZZ_SEED("owner ann@example.test 2 192.0.2.1 1799999000 0 "
	      "2001:db8::/64 1799999000 1 1799999000 4"),
    FUZZ_SEED("policy example.net enforce 1799999000 1799999000 604800 "
	      "20261125 mx.example.net%20*.example.net"),
    FUZZ_SEED("host mx.test 1799999000 1 TLSv1.3 1799999000 0"),
    FUZZ_SEED("delivery a.test 1799999000 1799999000 mx.test dane failed "
	      "no%20TLSA"),
    FUZZ_SEED("report 20833 a.test reject%20none%20none%20r%20r%20n "
	      "mailto:a@a.test%2cmailto:b@b.test 7 0"),
    FUZZ_SEED("report-row 20833 a.test%09a.test%09b.test%09192.0.2.1%09none "
	      "3"),
    FUZZ_SEED("secret 1 18446744073709551615"),
    FUZZ_SEED("familiar 192.0.2.1 1799999000 48"),
    FUZZ_SEED("familiar host:example.org 1799999000 1"),
    FUZZ_SEED("client 2001:db8::/64 1799999000 60000000 0 0 1799999000 1 0 0 "
	      "1799999999 3600000000 1 16 14400 1799999000"),
    FUZZ_SEED("mailbox ann@example.test 1799999000 2592000000000"),
    FUZZ_SEED("grey 18446744073709551615 2 3 1799999000"),
    FUZZ_SEED("waived 1 2 1799999000"),
    FUZZ_SEED("budget ann@example.test 86400 2 1799999000 7 1799900000 5 0 0 "
	      "2592000 1 1799999000 268435456"),
    FUZZ_SEED("contact 1 2 20833"),
    FUZZ_SEEDS_END,
};

enum { NOW = 1800000000, LINE_MAX_OCTETS = 32768 };

static const struct logins_limits limits = {
    .client = 5, .network = 20, .user = 10, .window = 3600, .memory = 86400};

static struct row *
read_row(const struct kind *kind, const char *text)
{
	char *line = strdup(text);
	struct fields f = {.rest = line};
	struct row *row = kind->read(&f, NOW);

	if (row != NULL && (f.failed || fields_left(&f))) {
		kind->free(row);
		row = NULL;
	}
	free(line);
	return row;
}

static void
check(struct table *t, const char *text)
{
	struct buf first = BUF_INIT(LINE_MAX_OCTETS);
	struct buf second = BUF_INIT(LINE_MAX_OCTETS);
	struct row *row = read_row(t->kind, text);

	if (row == NULL)
		return;
	(void)t->kind->worth(row, NOW);
	(void)t->kind->is_over(row, NOW);
	REQUIRE(t->kind->compare(row, row) == 0);
	t->kind->write(row, &first);
	t->kind->free(row);
	REQUIRE(buf_text(&first) != NULL && first.data[0] == ' ');
	row = read_row(t->kind, first.data + 1);
	REQUIRE(row != NULL);
	t->kind->write(row, &second);
	t->kind->free(row);
	REQUIRE(buf_text(&second) != NULL);
	REQUIRE(strcmp(first.data, second.data) == 0);
	REQUIRE(strpbrk(first.data, "\n\r") == NULL);
	buf_free(&first);
	buf_free(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct table *tables[] = {&logins_tables[0], &logins_tables[1],
	    &logins_tables[2], &sts_table, &destination_tables[0],
	    &destination_tables[1], &report_tables[0], &report_tables[1],
	    &digest_table, &familiar_table, &clients_table, &mailboxes_table,
	    &grey_tables[0], &grey_tables[1], &budgets_tables[0],
	    &budgets_tables[1]};
	char text[4096];
	size_t space;

	if (n >= sizeof(text) || memchr(octets, '\0', n) != NULL)
		return 0;
	memcpy(text, octets, n);
	text[n] = '\0';
	space = strcspn(text, " ");
	if (text[space] == '\0')
		return 0;
	text[space] = '\0';
	logins_begin(&limits);
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		if (strcmp(text, tables[i]->kind->name) == 0)
			check(tables[i], text + space + 1);
	return 0;
}
