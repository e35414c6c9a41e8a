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
	struct header_section section;
	struct dkim_signer *signer;

	m->unsigned_because = "no memory";
	if (!m->config->dkim_sign) {
		m->unsigned_because = NULL;
		return;
	}
	header_init(&section);
	header_take(&section, m->header.data, m->header.len);
	header_end(&section);
	signer = dkim_sign_begin();
	if (signer != NULL) {
		dkim_sign_body(signer, m->body, m->body_len);
		m->unsigned_because =
		    dkim_sign_end(signer, &section, &m->facts);
		m->has_facts = true;
		dkim_sign_free(signer);
	}
	header_free(&section);
	if (m->unsigned_because == NULL && !dkim_facts_fit(&m->facts))
		m->unsigned_because = "a header that cannot be signed";
}
