/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* strcasestr */
#include "queue/rate.h"

#include <stddef.h>
#include <string.h>

/* These look alike, but slowing down the whole host does not help. */
static const char *const others[] = {
    "greylist",
    "graylist",
    "grey list",
    /* Gmail 4.2.1, of one mailbox */
    "receiving mail at a rate",
    "receiving mail too quickly",
    /* of one transaction */
    "too many recipients",
};

static const char *const words[] = {
    /* anybody: Postfix's anvil, Exim, Sendmail, Exchange, Dovecot */
    "rate limit",
    "ratelimit",
    "rate-limit",
    "throttl",
    "too many connections",
    "too many concurrent",
    "too many open connections",
    "too many sessions",
    "too many messages",
    "too many mails",
    "too much mail",
    "too fast",
    "slow down",
    "excessive rate",
    "connection rate",
    "message rate",
    "sending rate",
    "sending limit",
    "submission rate",
    "number of concurrent",
    "number of connections",
    "messages per connection",
    "message per connection",
    /* Gmail 4.7.0, 4.7.28: rate of unsolicited mail; a bare 421 */
    "unusual rate",
    "try again later, closing connection",
    /* Microsoft 4.7.500 (S77719), 4.7.650 to 652, RP-001 to RP-003 */
    "server busy. please try again later from",
    "(rp-00",
    /* Yahoo, AOL: TS01 to TS04, TSS04 to TSS11 */
    "[ts0",
    "[tss",
    "unexpected volume",
    /* Orange, Wanadoo; La Poste; Free; Apple */
    "ofr_104",
    "ofr004_104",
    "lpn007_510",
    "too many spams from your ip",
    "excessive unexpected volume",
    /* GMX, WEB.DE, mail.com; T-Online */
    "too many mails from",
    "maximum number of mails",
    "per-ip limit",
};

/* Enhanced codes that say it without words. */
static const char *const codes[] = {
    "4.7.28",                        /* mail flood detected (IANA) */
    "4.7.500",                       /* Microsoft: server busy */
    "4.7.650", "4.7.651", "4.7.652", /* Microsoft: by reputation */
};

static bool
has_any(const char *text, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasestr(text, list[i]) != NULL)
			return true;
	return false;
}

bool
rate_reply(const char *dsn, const char *text)
{
	if (dsn[0] != '4' ||
	    has_any(text, others, sizeof(others) / sizeof(others[0])))
		return false;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(dsn, codes[i]) == 0)
			return true;
	return has_any(text, words, sizeof(words) / sizeof(words[0]));
}
