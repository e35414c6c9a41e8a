/* SPDX-License-Identifier: ISC */
#include "mailauth/dkim.h"
#include "sendmail/message.h"

/*
 * What is signed begins behind Received, which each host on the way adds its
 * own to: the header as it was made whole, and the body.
 */
void
message_collect_facts(struct message *m)
{
	m->has_facts = m->config->dkim_sign;
	if (m->has_facts)
		m->unsigned_because = dkim_sign_text(m->header.data,
		    m->header.len, m->body, m->body_len, &m->facts);
}
