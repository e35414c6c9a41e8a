/* SPDX-License-Identifier: ISC */
#include "pop3d/pop3.h"

bool
pop3_offers_stls(struct pop3 *p)
{
	return p->state == POP3_AUTHORIZATION && !tls_is_on(&p->stream) &&
	    tls_service_ready(p->tls);
}

bool
pop3_shake(struct pop3 *p)
{
	(void)tls_service_ready(p->tls);
	if (p->tls != NULL &&
	    tls_service_accept(p->tls, &p->stream, p->kind, p->client)) {
		/* As long as a client has that just came. */
		stream_limit(
		    &p->stream, (int64_t)p->config->pop3_timeout * 1000);
		return true;
	}
	pop3_end(p, "handshake failed");
	return false;
}

/*
 * RFC 2595 section 4: only before the login, and what was learnt in the clear
 * is forgotten.  Behind STLS nothing may be sent before the handshake (A3).
 */
void
pop3_stls(struct pop3 *p, struct span args)
{
	(void)args;
	if (tls_is_on(&p->stream)) {
		pop3_error(p, "TLS is on already");
	} else if (!tls_service_ready(p->tls)) {
		if (tls_service_is_off(p->tls))
			pop3_error(p, "no TLS here");
		else
			pop3_error(p, "[SYS/TEMP] no TLS now");
	} else if (stream_has_input(&p->stream)) {
		pop3_error(p, "wait for the answer to this command");
		pop3_end(p, "talked ahead of TLS");
	} else {
		pop3_ok(p, "go ahead");
		p->user[0] = '\0';
		(void)pop3_shake(p);
	}
}
