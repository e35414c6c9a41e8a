/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_REPORTS_H
#define LEDGER_REPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "ledger/table.h"

/*
 * What the aggregate reports of DMARC are made of (RFC 9990): messages,
 * counted for each UTC day, policy domain and distinct row.  Where there are
 * more rows than the bounds allow, of a domain or in all, one that few
 * messages had makes room (A18); that those are missing shows, since a day
 * knows how many messages it had.
 */
enum {
	REPORTS_DAYS_MAX = 1 << 14, /* domains, each for a day */
	REPORTS_ROWS_MAX = 1 << 15,
	REPORTS_DAY_ROWS_MAX = 2000, /* of them, of one domain and day */
	REPORTS_DOMAIN_MAX = 255,
	REPORTS_POLICY_MAX = 64,
	REPORTS_RUA_MAX = 1000,
	REPORTS_ROW_MAX = 1500, /* octets of a row's text */
	REPORTS_KEPT_DAYS = 7   /* behind the day itself */
};

struct report_row;

struct report_day {
	struct row row;
	uint32_t day;      /* since 1970-01-01, UTC */
	uint64_t messages; /* in all, also those whose row had to go */
	bool reported;
	char policy[REPORTS_POLICY_MAX + 1]; /* of the last message */
	char *rua;                           /* likewise */
	size_t n, room;
	struct report_row **rows; /* n of them */
	char domain[];            /* the policy's */
};

struct report_row {
	struct row row;
	struct report_day *of; /* NULL: not known yet */
	size_t place;          /* in of->rows */
	uint32_t day;
	uint64_t count;
	char key[]; /* the domain, a tab, the text */
};

/* Of which day is that time? */
uint32_t reports_day(time_t);

/*
 * Another message.  policy, rua and text are the caller's to write and the
 * reader's to understand (common/protocol.h); what is too long or of a day
 * that is reported counts for nothing.
 */
void reports_count(const char *domain, const char *policy, const char *rua,
    const char *text, time_t now);

/* The first, by day and domain, behind that one; NULL: the last it was. */
struct report_day *reports_after(uint32_t day, const char *domain);
struct report_day *reports_find(uint32_t day, const char *domain);

/* A row's text. */
const char *report_row_text(const struct report_row *);

/* It is reported: the rows go, and it is remembered. */
void reports_done(struct report_day *);

/* The journal was read: days and rows come together. */
void reports_restored(void);

enum { REPORTS_TABLES = 2 };
extern struct table report_tables[REPORTS_TABLES];

#endif
