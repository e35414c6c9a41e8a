/* SPDX-License-Identifier: ISC */
#include "smtpd/starttls.h"

#include <string.h>

#include "common/tls_service.h"
#include "smtpd/session.h"

bool
starttls_is_offered(struct session *s)
{
	return !tls_is_on(&s->stream) && tls_service_ready(s->tls);
}

bool
starttls_shake(struct session *s)
{
	struct tls_info info;

	(void)tls_service_ready(s->tls);
	if (s->tls == NULL ||
	    !tls_service_accept(
		s->tls, &s->stream, s->facts.listener, s->client.text))
		return false;
	(void)tls_info(&s->stream, &info);
	memcpy(s->protection, info.summary, sizeof(s->protection));
	return true;
}

/*
 * RFC 3207 section 4.2: what was learnt in the clear is forgotten.  What was
 * sent ahead did not get this far, and the stream drops it besides (A3).
 */
static void
begin_anew(struct session *s)
{
	session_reset(s);
	s->helo[0] = '\0';
	s->extended = false;
}

void
smtp_starttls(struct session *s, const char *argument)
{
	if (argument[0] != '\0') {
		session_refuse(s, 501, "5.5.4", "STARTTLS has no argument");
	} else if (tls_is_on(&s->stream)) {
		session_refuse(s, 503, "5.5.1", "TLS is on already");
	} else if (s->facts.logged_in) {
		session_refuse(s, 503, "5.5.1", "you are logged in already");
	} else if (!tls_service_ready(s->tls)) {
		if (tls_service_is_off(s->tls))
			session_refuse(s, 502, "5.5.1", "no TLS here");
		else
			session_refuse(s, 454, "4.7.0", "no TLS now");
	} else {
		session_reply(s, 220, "2.0.0", "go ahead");
		if (starttls_shake(s))
			begin_anew(s);
		else
			s->closing = true;
	}
}
