/* SPDX-License-Identifier: ISC */
#include "queue/loosen.h"

#include <stddef.h>
#include <string.h>

#include "common/verdict.h"

/* A verdict's reason, or how one that is none begins. */
static const struct row {
	enum verdict verdict; /* VERDICT_OK: none */
	const char *begins;
	struct loosening l;
} rows[] = {
    {VERDICT_LOOKUP_FAILED, NULL,
	{NULL, "the DNS, or a service here, did not answer: it comes again"}},
    {VERDICT_SPF_LATER, NULL,
	{"trust-client",
	    "its DNS does not answer; \"trust-client NETWORK\" "
	    "takes mail from there as it is"}},
    {VERDICT_DMARC_LATER, NULL,
	{"trust-from",
	    "its DNS does not answer; \"trust-from DOMAIN\" takes "
	    "mail in that name as it is"}},
    {VERDICT_FILTER_LATER, NULL,
	{"milter-default",
	    "a filter does not answer; \"milter-default "
	    "accept\" goes on without it"}},
    {VERDICT_GREYLISTED, NULL,
	{"greylist",
	    "it has to come again after \"greylist-delay\"; \"trust-client "
	    "NETWORK\" lets it in at once, \"greylist no\" everybody"}},
    {VERDICT_TOO_MUCH_HELD, NULL,
	{"login-held", "\"postrider-user show\" says why its mail is held"}},
    {VERDICT_BAD_HELO, NULL,
	{"tolerate", "\"tolerate helo NETWORK\" takes such a greeting"}},
    {VERDICT_FROM_NOT_OWNED, NULL,
	{"bind-from",
	    "\"postrider-user grant\" lets a login send as further addresses, "
	    "\"bind-from resent\" send on what others wrote, \"bind-from no\" "
	    "write as anybody"}},
    {VERDICT_LISTED, NULL,
	{"refuse-score",
	    "\"dnsbl\" says which lists count, \"refuse-score\" how much; "
	    "\"trust-client NETWORK\" lets it in"}},
    {VERDICT_TALKED_FIRST, NULL,
	{"greet-delay",
	    "that is no mail server; \"greet-delay 0s\" catches fewer"}},
    {VERDICT_TOO_MANY_ERRORS, NULL,
	{"max-errors", "\"max-errors\" is how many a session may have"}},
    {VERDICT_TOO_MANY_RECIPIENTS, NULL,
	{"max-recipients",
	    "\"max-recipients\" is how many one message may "
	    "have; the rest comes again"}},
    {VERDICT_CLIENT_RATE, NULL,
	{"client-recipients",
	    "\"postrider-user tallies CLIENT\" tells which limit is used up "
	    "and \"forget CLIENT\" lifts it now; \"client-messages\", "
	    "\"client-recipients\" and \"unknown-recipients\" set them"}},
    {VERDICT_MAILBOX_RATE, NULL,
	{"mailbox-messages",
	    "\"mailbox-messages\" is how many one mailbox gets; "
	    "\"postrider-user limit ADDRESS mailbox-messages RATE\" is for "
	    "one user, and \"forget ADDRESS\" lets more in now"}},
    {VERDICT_TOO_MUCH_HELD, NULL,
	{"login-held",
	    "\"postrider-user show LOGIN\" tells why its mail is held, and "
	    "\"postrider-queue release --login LOGIN\" sends it; "
	    "\"login-held\" is how much of it may be"}},
    {VERDICT_MAILBOX_FULL, NULL, {NULL, "the mailbox has to get room"}},
    {VERDICT_MAILBOX_DISABLED, NULL,
	{NULL, "\"postrider-user enable ADDRESS\" takes mail for it again"}},
    {VERDICT_USER_UNKNOWN, NULL,
	{NULL, "\"postrider-user add\" or \"alias add\" makes that address"}},
    {VERDICT_BAD_SENDER, NULL, {NULL, "the sender's address is no address"}},
    {VERDICT_SENDER_NOT_OWNED, NULL,
	{NULL, "\"postrider-user grant LOGIN ADDRESS\" lets a login send as that"}},
    {VERDICT_SPF_FAIL, NULL,
	{"spf-fail",
	    "\"trust-client NETWORK\" takes mail from there as it is, "
	    "\"spf-fail mark\" that of everybody"}},
    {VERDICT_DMARC_REJECT, NULL,
	{"dmarc-reject",
	    "\"trust-from DOMAIN\", \"trust-client NETWORK\" or "
	    "\"trust-signer DOMAIN\" take it as it is, "
	    "\"dmarc-reject quarantine\" puts such mail aside"}},
    {VERDICT_FROM_UNCLEAR, NULL,
	{"mail-auth",
	    "\"trust-client NETWORK\" takes mail from there as it "
	    "is"}},
    {VERDICT_FILTER_REJECT, NULL,
	{"milter", "the filter that said so has settings of its own"}},
    {VERDICT_RELAY_DENIED, NULL,
	{"relay-from",
	    "who sends elsewhere logs in, or is in \"relay-from "
	    "NETWORK\"; is \"domain\" complete?"}},
    {VERDICT_LOGIN_NEEDED, NULL,
	{NULL, "that port is for those who log in; mail servers use port 25"}},
    {VERDICT_LOOP, NULL,
	{"max-hops",
	    "it has been here, or everywhere: look at its Received "
	    "lines; \"max-hops\" is how many it may have, \"tolerate "
	    "delivered-to ADDRESS\" takes what was in a mailbox here"}},
    {VERDICT_TOO_BIG, NULL,
	{"max-message-size", "\"max-message-size\" is how big one may be"}},
    {VERDICT_LINE_TOO_LONG, NULL,
	{"max-line-length", "\"max-line-length\" is how long one may be"}},
    {VERDICT_HELO_NO_NAME, NULL,
	{"tolerate", "\"tolerate helo ADDRESS\" takes any name from there"}},
    {VERDICT_HELO_OURS, NULL,
	{"tolerate",
	    "its server calls itself as this one; \"tolerate helo ADDRESS\" "
	    "lets it"}},
    {VERDICT_PIPELINING, NULL,
	{"tolerate",
	    "its server does not wait for answers; \"tolerate pipelining "
	    "ADDRESS\" lets it"}},
    {VERDICT_BARE_LINE_END, NULL,
	{"tolerate",
	    "its server ends lines badly; \"tolerate bare-line-ends "
	    "ADDRESS\" repairs those that end in LF"}},
    {VERDICT_SENDER_NO_HOST, NULL,
	{"sender-domain",
	    "no answer could reach it; \"tolerate sender-domain ADDRESS\" "
	    "takes it from there"}},
    {VERDICT_SENDER_NULL_MX, NULL,
	{"sender-domain",
	    "no answer could reach it; \"tolerate sender-domain ADDRESS\" "
	    "takes it from there"}},
    {VERDICT_SENDER_LATER, NULL,
	{"sender-domain",
	    "the DNS does not answer, and it comes again; \"sender-domain "
	    "no\" does not ask"}},
    {VERDICT_ONE_RECIPIENT, NULL,
	{"tolerate",
	    "the others come again; \"tolerate null-sender ADDRESS\" takes "
	    "them at once"}},
    {VERDICT_OK, "listed by ",
	{"refuse-score",
	    "\"dnsbl\" says which lists count, \"refuse-score\" how much; "
	    "\"trust-client NETWORK\" lets it in"}},
    {VERDICT_GRUDGE, NULL,
	{"offences",
	    "\"offences\" is how much of that one client may do; "
	    "\"postrider-user forget\" lets it in now"}},
    {VERDICT_OK, "it connects too often",
	{"client-connections",
	    "\"client-connections\" is how often one client may come"}},
    {VERDICT_OK, "its network connects too often",
	{"network-connections",
	    "\"network-connections\" is how often a network may come"}},
    {VERDICT_OK, "too many connections from there",
	{"max-client-sessions",
	    "\"max-client-sessions\" is how many one client may have at a "
	    "time"}},
    {VERDICT_OK, "too many connections from its network",
	{"max-network-sessions",
	    "\"max-network-sessions\" is how many a network may have at a "
	    "time"}},
    {VERDICT_OK, "others waited after it",
	{"max-waiting", "\"max-waiting\" is how many may wait"}},
    {VERDICT_OK, "no worker was free in time",
	{"smtpd-processes",
	    "\"smtpd-processes\" is how many are served at a time"}},
    {VERDICT_OK, "timeout",
	{"smtp-timeout", "\"smtp-timeout\" is how long it may be silent"}},
    {VERDICT_OK, "this proxy sends no PROXY header",
	{"proxy-from",
	    "the proxy has to send the header (\"send-proxy\"), or "
	    "to leave \"proxy-from\""}},
    {VERDICT_OK, "malformed PROXY header",
	{"proxy-from",
	    "what connects from there is no proxy, or has to leave "
	    "\"proxy-from\""}},
};

const struct loosening *
loosen_find(const char *reason)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		if (r->begins != NULL
			? strncmp(r->begins, reason, strlen(r->begins)) == 0
			: strcmp(verdict_row(r->verdict)->text, reason) == 0)
			return &r->l;
	}
	return NULL;
}
