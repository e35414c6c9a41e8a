/* SPDX-License-Identifier: ISC */
#include "smtpd/policy.h"

bool
policy_may_relay(const struct policy_client *client)
{
	return client->logged_in || client->relay_from;
}

static bool
takes_logins_only(enum listener_kind listener)
{
	return listener == LISTENER_SUBMISSION ||
	    listener == LISTENER_SUBMISSIONS;
}

bool
policy_is_judged(const struct policy_client *client)
{
	return !policy_may_relay(client);
}

bool
policy_offers_dsn(const struct policy_client *client, enum offer_dsn offer)
{
	switch (offer) {
	case OFFER_DSN_EVERYBODY:
		return true;
	case OFFER_DSN_TRUSTED:
		/* Before the login, too: many clients say EHLO but once. */
		return policy_may_relay(client) ||
		    takes_logins_only(client->listener);
	default:
		return false;
	}
}

/* RFC 6409 section 4.3; RFC 4954 section 6. */
enum verdict
policy_sender(
    const struct policy_client *client, const struct policy_sender *sender)
{
	if (takes_logins_only(client->listener) && !policy_may_relay(client))
		return VERDICT_LOGIN_NEEDED;
	if (client->logged_in && !sender->null_path &&
	    !verdict_is_success(sender->owned))
		return sender->owned;
	if (sender->declared_size > sender->max_size)
		return VERDICT_TOO_BIG;
	if (!verdict_is_success(sender->room)) /* RFC 1870 section 6.1 */
		return sender->room;
	return VERDICT_SENDER_OK;
}

enum verdict
policy_recipient(const struct policy_client *client,
    const struct policy_recipient *recipient)
{
	if (recipient->accepted >= recipient->max_recipients)
		return VERDICT_TOO_MANY_RECIPIENTS;
	if (recipient->known == VERDICT_RELAY_DENIED &&
	    policy_may_relay(client))
		return VERDICT_RECIPIENT_OK;
	return recipient->known;
}

enum verdict
policy_content(const struct policy_content *content)
{
	const struct {
		bool holds;
		enum verdict verdict;
	} faults[] = {
	    {content->hops > content->max_hops, VERDICT_LOOP},
	    {content->wire->octets > content->max_size, VERDICT_TOO_BIG},
	    {content->wire->bare_cr || content->wire->bare_lf,
		VERDICT_BARE_LINE_END},
	    {content->wire->nul, VERDICT_NUL_OCTET},
	    {content->wire->longest > content->max_line_length + 2,
		VERDICT_LINE_TOO_LONG},
	};
	enum verdict worst = VERDICT_OK;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (faults[i].holds && faults[i].verdict > worst)
			worst = faults[i].verdict;
	return worst;
}

bool
policy_closes(enum verdict verdict)
{
	return verdict == VERDICT_BARE_LINE_END || verdict == VERDICT_NUL_OCTET;
}
