/* SPDX-License-Identifier: ISC */
/* postrider-report dmarc: reports for the domains that others write as. */
#define _GNU_SOURCE /* strptime, timegm, getrandom */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/privileges.h"
#include "common/sandbox.h"
#include "tools/report-day.h"
#include "tools/report.h"

enum {
	DAY_S = 86400,
	MAILS_MAX = 2000, /* of one run (A18); the rest has to wait */
	RUN_MS = 3600 * 1000,
	DAYS_MAX = 1 << 15
};

struct selection {
	bool dry_run;
	int64_t day; /* -1: all that are finished */
};

/* -- options -- */

static bool
read_day(const char *text, int64_t *day)
{
	struct tm tm = {.tm_isdst = 0};
	const char *rest = strptime(text, "%Y-%m-%d", &tm);
	time_t when = rest != NULL && *rest == '\0' ? timegm(&tm) : -1;

	*day = when / DAY_S;
	return when >= 0;
}

static int
read_options(struct selection *s, struct sending *out, int argc, char **argv)
{
	static const struct option known[] = {
	    {"dry-run", no_argument, NULL, 'n'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"day", required_argument, NULL, 'd'}, {NULL, 0, NULL, 0}};
	bool good = true;
	int option;

	optind = 0;
	while (
	    good && (option = getopt_long(argc, argv, "nv", known, NULL)) != -1)
		if (option == 'n')
			s->dry_run = out->dry_run = true;
		else if (option == 'v')
			out->verbose = true;
		else
			good = option == 'd' && read_day(optarg, &s->day);
	if (good && optind == argc)
		return EX_OK;
	fputs(report_usage, stderr);
	return EX_USAGE;
}

/* -- which days -- */

static bool
is_wanted(const struct selection *s, const struct ledger_day *d, uint32_t today)
{
	if (s->day >= 0 && d->day != s->day)
		return false;
	/* One that is not over may be looked at, where somebody asks for it. */
	if (d->day >= today && !(s->dry_run && s->day >= 0))
		return false;
	return !d->reported;
}

/*
 * In any order but that of their names: who has names without number, and
 * name servers that do not answer, must not be the first every day.
 */
static void
shuffle(struct ledger_day *days, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		struct ledger_day kept = days[i - 1];
		uint64_t random;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return;
		days[i - 1] = days[random % i];
		days[random % i] = kept;
	}
}

static struct ledger_day *
collect(struct sending *s, const struct selection *wanted, uint32_t today,
    size_t *n)
{
	struct ledger_day *days = NULL, *grown, d = {.day = 0};
	size_t room = 0;

	*n = 0;
	while (*n < DAYS_MAX && ledger_next(&s->ledger, &d)) {
		if (!is_wanted(wanted, &d, today))
			continue;
		if (*n == room) {
			room = room == 0 ? 64 : 2 * room;
			grown = reallocarray(days, room, sizeof(*days));
			if (grown == NULL)
				break;
			days = grown;
		}
		days[(*n)++] = d;
	}
	return days;
}

static int
go_through(struct sending *s, const struct selection *wanted)
{
	uint32_t today = (uint32_t)(s->mailauth.now / DAY_S);
	int64_t end = clock_monotonic_ms() + RUN_MS;
	struct ledger_day *days;
	int code = EX_OK;
	size_t n;

	if (!s->dry_run && wanted->day >= today)
		return report_fail(EX_USAGE, "--day",
		    "not over yet (UTC): --dry-run shows what there is");
	days = collect(s, wanted, today, &n);
	if (n == 0 && (s->dry_run || s->verbose))
		puts("nothing to report");
	if (!s->dry_run && n > 1)
		shuffle(days, n);
	for (size_t i = 0; i < n && code == EX_OK && s->ledger.wrong == NULL &&
	     s->mails < MAILS_MAX && clock_left(end) > 0;
	     i++)
		code = day_report(s, &days[i], today - days[i].day);
	free(days);
	if (code == EX_OK && s->ledger.wrong != NULL)
		code = report_fail(EX_TEMPFAIL, "ledger", s->ledger.wrong);
	return code;
}

/* -- the run -- */

/*
 * Root asks for the connection alone: what ledger has, and what the DNS says,
 * are strangers' words.
 */
static int
reach_ledger(struct sending *s)
{
	int reason, rc = ledger_connect(&s->ledger, s->config);

	reason = errno;
	if (privileges_are_root())
		privileges_drop(ACCOUNT_LEDGER, "/", false);
	if (rc == 0)
		return EX_OK;
	return reason == ENOENT || reason == ECONNREFUSED
	    ? report_fail(EX_UNAVAILABLE, "ledger", "the suite is not running")
	    : report_fail(EX_NOPERM, "ledger", strerror(reason));
}

static int
begin(struct sending *s)
{
	int code = reach_ledger(s);

	if (code != EX_OK)
		return code;
	s->dns = dns_open(s->config);
	if (s->dns == NULL)
		return report_fail(EX_OSERR, "DNS", strerror(errno));
	s->resolver = resolver_over(s->dns);
	sandbox_enter(&(struct sandbox){.tcp_connect = true});
	if (!s->dry_run && !ledger_begin(&s->ledger))
		return report_fail(EX_TEMPFAIL, "ledger",
		    s->ledger.wrong != NULL ? s->ledger.wrong
					    : "reports are being sent already");
	return EX_OK;
}

int
report_dmarc(const struct report_tool *tool, int argc, char **argv)
{
	static struct sending s = {.ledger.fd = -1};
	static struct config config;
	struct selection wanted = {.day = -1};
	char error[CONFIG_ERROR_MAX];
	int code = read_options(&wanted, &s, argc, argv);

	if (code != EX_OK)
		return code;
	if (config_load(&config, tool->config_path, error) == -1) {
		fprintf(stderr, "%s: %s\n", tool->program, error);
		return EX_CONFIG;
	}
	/* A timer runs it every day, whatever the config says. */
	if (config.dmarc_reports || s.dry_run) {
		s.config = &config;
		s.mailauth = (struct mailauth){
		    .resolver = &s.resolver, .now = clock_now()};
		code = begin(&s);
		if (code == EX_OK)
			code = go_through(&s, &wanted);
		dns_close(s.dns);
		if (s.ledger.fd >= 0)
			close(s.ledger.fd);
	} else if (s.verbose)
		puts("nothing is sent: \"dmarc-reports no\"");
	config_free(&config);
	return code;
}
