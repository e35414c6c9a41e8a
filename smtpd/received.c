/* SPDX-License-Identifier: ISC */
#include "smtpd/received.h"

#include "common/buf.h"
#include "common/clock.h"
#include "smtpd/session.h"

const char *
received_protocol(const struct session *s)
{
	static const char *const names[2][2][2] = {/* TLS, login */
	    {{"ESMTP", "ESMTPA"}, {"ESMTPS", "ESMTPSA"}},
	    {{"UTF8SMTP", "UTF8SMTPA"}, {"UTF8SMTPS", "UTF8SMTPSA"}}};

	if (!s->extended && !s->transaction.utf8)
		return "SMTP";
	return names[s->transaction.utf8][tls_is_on(&s->stream)]
		    [s->facts.logged_in];
}

/* What a client calls itself may be anything; a header may not (A8). */
static void
add_helo(struct buf *out, const char *helo)
{
	if (address_check_domain(helo, 0) == NULL) {
		buf_adds(out, helo);
		return;
	}
	for (; *helo != '\0'; helo++) {
		char c = *helo;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '.' || c == '-' ||
		    c == '_' || c == ':')
			buf_addc(out, c);
		else
			buf_addc(out, '?');
	}
}

static void
add_client(struct session *s, struct buf *out)
{
	char literal[NETADDR_TEXT_MAX];
	const char *name = client_name(s);

	if (s->client.address.ss_family == AF_UNSPEC) {
		buf_adds(out, " (unknown)");
		return;
	}
	netaddr_format_literal(&s->client.address, literal);
	buf_addf(out, " (%s%s%s)", name, name[0] != '\0' ? " " : "", literal);
}

/* In the words that people and programs know from other servers. */
static void
add_tls(const struct session *s, struct buf *out)
{
	struct tls_info info;

	if (tls_info(&s->stream, &info))
		buf_addf(out, "\n\t(using %s with cipher %s (%u/%u bits))",
		    info.protocol, info.cipher, info.bits, info.bits);
}

/*
 * Where somebody was when he wrote is not for all his readers to know.  Then
 * there is no "from" at all: programs that look at hops pass over such a
 * field, while an invented host would be judged as one.
 */
static bool
is_hidden(const struct session *s)
{
	return s->config->hide_submitter && s->facts.logged_in;
}

size_t
received_headers(
    struct session *s, const char *id, time_t when, struct buf *out)
{
	const struct transaction *t = &s->transaction;
	char date[CLOCK_DATE_SIZE];
	size_t start;

	buf_addf(out, "Return-Path: <%s>\n", t->sender_text);
	if (t->nrecipients == 1)
		buf_addf(out, "Delivered-To: %s\n", t->recipients[0]);
	start = out->len;
	buf_adds(out, "Received: ");
	if (!is_hidden(s)) {
		buf_adds(out, "from ");
		add_helo(out, s->helo);
		add_client(s, out);
		add_tls(s, out);
		buf_adds(out, "\n\t");
	}
	buf_addf(out, "by %s (Postrider) with %s id %s", s->config->hostname,
	    received_protocol(s), id);
	if (is_hidden(s))
		add_tls(s, out);
	/* Several would show the hidden ones to each other. */
	if (t->nrecipients == 1)
		buf_addf(out, "\n\tfor <%s>", t->recipients[0]);
	clock_date(when, date);
	buf_addf(out, ";\n\t%s\n", date);
	return start;
}
