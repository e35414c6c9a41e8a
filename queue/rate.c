/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* strcasestr */
#include "queue/rate.h"

#include <stddef.h>
#include <string.h>

/*
 * Sources: [G] "Gmail SMTP errors and codes", support.google.com/a/answer/
 * 3726730; [M] "Fix error code 451 4.7.500-699 (ASxxx) in Exchange Online",
 * learn.microsoft.com; [MR] replies of Microsoft that were reported in public
 * (forum.directadmin.com, pastebin.com); [Y] senders.yahooinc.com/
 * smtp-error-codes and help.yahoo.com SLN3434, SLN3436; [U] postmaster.gmx.net,
 * postmaster.web.de and smtp.codes/unitedinternet; [A] smtp.codes/icloud;
 * [C] postmaster.comcast.net/smtp-error-codes.php; [O] replies of Orange that
 * were reported (sisimai/p5-sisimai, issues 240 and 243); [L] bentonow.com/
 * smtp-errors/laposte; [K] the rules for other senders that KumoMTA's community
 * keeps (KumoCorp/kumomta, assets/community/shaping.toml).
 */

/* These look alike, but slowing down the whole host does not help. */
static const char *const others[] = {
    "greylist",
    "graylist",
    "grey list",
    "grey-list",
    /* one mailbox has too much mail: 450 4.2.1 [G], 432 4.3.2 [M: "Email
     * non-delivery reports in Exchange Online"], 421 4.7.1 [A], Yandex */
    "receiving mail at a rate",
    "receiving mail too quickly",
    "receiving email at a rate",
    "receiving email too quickly",
    "recipient thread limit",
    "deferred due to excessive volume",
    "has exceeded their message rate",
    /* one transaction or one session */
    "too many recipients",
    "too many errors",
    "too many hops",
    /* a full one, whatever else is said */
    "mailbox full",
    "mailbox is full",
    "over quota",
    "storage space",
    "quota exceeded",
    "quota limit exceeded",
};

static const char *const words[] = {
    /* anybody: Postfix's anvil, Exim, Sendmail, Exchange, Dovecot */
    "rate limit",
    "ratelimit",
    "rate-limit",
    "rate controlled", /* Zimbra */
    "throttl",         /* Exchange; RL000001 to RL000003 [C] */
    "too many connections",
    "too many concurrent",
    "too many open connections",
    "too many sessions", /* [C] */
    "too many messages", /* [U] */
    "too many mails",
    "too much mail",
    "too fast",
    "slow down", /* OFR004_104 [O] */
    "excessive rate",
    "connection rate",
    "message rate",
    "sending rate", /* [U] */
    "sending limit",
    "submission rate",
    "number of concurrent",
    "number of connections",      /* 4.7.652 [MR] */
    "max concurrent connections", /* IB007, Microsoft [K] */
    "messages per connection",
    "message per connection",        /* [Y] */
    "limit for processing requests", /* Exim as cPanel sets it up */
    /* 421 4.7.28, before 2023 4.7.0 [G]; 4.7.0 without more */
    "unusual rate",
    "smtp relay limit exceeded",
    "try again later, closing connection",
    /* 451 4.7.500 (S77714, S77719) [M]; 421 RP-001 to RP-003 [MR] */
    "server busy. please try again later from",
    "421 rp-00",
    "limits for how many messages",
    /* TS01 to TS04, TSS04 to TSS11, IPTS04; AOL, too [Y] */
    "[ts0",
    "[tss",
    "[ipts",
    "unexpected volume",
    /* Yahoo before the brackets: 421 ... temporarily deferred - 4.16.50 */
    "temporarily deferred - 4.16.5",
    /* Orange, Wanadoo [O]; "too many connections" without its accents */
    "ofr_104",
    "ofr004_104",
    "ofr102_104",
    "trop de connexions",
    /* La Poste: 450 4.7.1, after too many errors or complaints [L] */
    "lpn027_503",
    /* Apple: 421 [HCM1] Your mail from ... was deferred [K] */
    "[hcm1]",
};

/* Enhanced codes that say it without words. */
static const char *const codes[] = {
    "4.7.28", /* mail flood detected (IANA's registry); [G] */
};

/*
 * Microsoft's for how much comes from one address: 4.7.500 to 4.7.699 [M],
 * where 4.7.650 to 4.7.652 are Outlook.com's [MR].
 */
static bool
is_microsoft_code(const char *dsn)
{
	return (strncmp(dsn, "4.7.5", 5) == 0 ||
		   strncmp(dsn, "4.7.6", 5) == 0) &&
	    strlen(dsn) == 7 && strspn(dsn + 5, "0123456789") == 2;
}

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
	if (dsn[0] != '4' || strcmp(dsn, "4.2.2") == 0 ||
	    has_any(text, others, sizeof(others) / sizeof(others[0])))
		return false;
	if (is_microsoft_code(dsn))
		return true;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(dsn, codes[i]) == 0)
			return true;
	return has_any(text, words, sizeof(words) / sizeof(words[0]));
}
