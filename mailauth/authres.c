/* SPDX-License-Identifier: ISC */
#include "mailauth/authres.h"

#include <string.h>

enum { LINE_MAX_OCTETS = 78 };

/* The field as it grows; the first failure of the buffer is sticky. */
struct writer {
	struct buf *out;
	size_t column;
};

/* A piece that is not broken, on a new line where it has no room. */
static void
add(struct writer *w, const char *piece, size_t n)
{
	if (w->column + 1 + n > LINE_MAX_OCTETS && w->column > 8) {
		buf_adds(w->out, "\n\t");
		w->column = 8;
	} else if (w->column > 8) {
		buf_addc(w->out, ' ');
		w->column++;
	}
	buf_add(w->out, piece, n);
	w->column += n;
}

static void
begin(struct writer *w)
{
	buf_adds(w->out, ";\n\t");
	w->column = 8;
}

static void
add_result(struct writer *w, const char *method, enum auth_result result)
{
	struct buf piece = BUF_INIT(64);

	begin(w);
	buf_addf(&piece, "%s=%s", method, auth_result_name(result));
	add(w, piece.data, piece.len);
	buf_free(&piece);
}

static bool
is_token(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f ||
		    strchr("()<>@,;:\\\"/[]?=", *p) != NULL)
			return false;
	return *text != '\0';
}

/*
 * name=value: a token as it is, else between quotes.  What cannot stand there
 * either is left out, with its name (A8).
 */
static void
add_property(struct writer *w, const char *name, const char *value)
{
	struct buf piece = BUF_INIT(1024);
	bool token = is_token(value);

	if (*value == '\0')
		return;
	for (const char *p = value; *p != '\0'; p++)
		if (*p < ' ' || *p >= 0x7f)
			return;
	buf_adds(&piece, name);
	buf_adds(&piece, token ? "=" : "=\"");
	for (const char *p = value; *p != '\0'; p++) {
		if (!token && (*p == '"' || *p == '\\'))
			buf_addc(&piece, '\\');
		buf_addc(&piece, *p);
	}
	if (!token)
		buf_addc(&piece, '"');
	if (buf_ok(&piece))
		add(w, piece.data, piece.len);
	else
		w->out->failed = true;
	buf_free(&piece);
}

static void
add_spf(struct writer *w, const struct spf_result *r, const char *property)
{
	add_result(w, "spf", r->result);
	add_property(w, "reason", r->reason);
	add_property(w, property, r->domain);
}

static void
add_dkim(struct writer *w, const struct dkim_result *r)
{
	add_result(w, "dkim", r->result);
	if (r->result == AUTH_PASS && r->partial)
		add_property(w, "reason", "a part of the body is not signed");
	else
		add_property(w, "reason", r->reason);
	add_property(w, "header.d", r->domain);
	add_property(w, "header.s", r->selector);
	add_property(w, "header.a", r->algorithm);
	add_property(w, "header.b", r->begin);
}

/* RFC 9989 section 9.1: policy.dmarc is what its owner asks for. */
static void
add_dmarc(struct writer *w, const struct dmarc_result *r)
{
	add_result(w, "dmarc", r->result);
	add_property(w, "reason", r->reason);
	add_property(w, "header.from", r->domain);
	if (r->policy_domain[0] != '\0' && r->result != AUTH_NONE)
		add_property(
		    w, "policy.dmarc", dmarc_policy_name(r->disposition));
}

bool
authres_write(
    struct buf *out, const char *authserv_id, const struct judgement *judgement)
{
	struct writer w = {.out = out};

	buf_addf(out, "Authentication-Results: %s", authserv_id);
	if (judgement->helo.domain[0] != '\0')
		add_spf(&w, &judgement->helo, "smtp.helo");
	if (!judgement->null_sender && judgement->sender.domain[0] != '\0')
		add_spf(&w, &judgement->sender, "smtp.mailfrom");
	for (size_t i = 0; i < judgement->nsignatures; i++)
		add_dkim(&w, &judgement->signatures[i]);
	if (judgement->nsignatures == 0)
		add_result(&w, "dkim", AUTH_NONE);
	add_dmarc(&w, &judgement->dmarc);
	return buf_addc(out, '\n');
}
