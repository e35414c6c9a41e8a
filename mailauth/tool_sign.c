/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/pem.h>

#include "common/program.h"
#include "mailauth/tool.h"
#include "mailauth/tool_message.h"

enum { MESSAGE_MAX = 1 << 30, FIELD_MAX = 64 * 1024 };

/* Keys here have no passphrase, and none is asked for. */
static int
no_passphrase(char *out, int size, int writing, void *context)
{
	(void)out, (void)size, (void)writing, (void)context;
	return -1;
}

static int
read_key(const char *path, EVP_PKEY **key)
{
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return program_fail(
		    EX_NOINPUT, "%s: %s", path, strerror(errno));
	*key = PEM_read_PrivateKey(f, NULL, no_passphrase, NULL);
	fclose(f);
	if (*key == NULL)
		return program_fail(EX_DATAERR,
		    "%s: no private key without a passphrase", path);
	if (EVP_PKEY_is_a(*key, "RSA") == 1
		? EVP_PKEY_get_bits(*key) >= DKIM_RSA_BITS_MIN
		: EVP_PKEY_is_a(*key, "ED25519") == 1)
		return EX_OK;
	return program_fail(EX_DATAERR,
	    "%s: neither Ed25519, nor RSA of %d bits or more", path,
	    DKIM_RSA_BITS_MIN);
}

/* LF of ours become what the message has. */
static void
write_field(const struct message *m, const struct buf *field)
{
	for (size_t i = 0; i < field->len; i++) {
		if (field->data[i] == '\n' && m->crlf)
			putchar('\r');
		putchar(field->data[i]);
	}
}

static int
show(const struct request *r, const struct message *m, struct buf *field)
{
	bool first = true;

	if (r->json) {
		putchar('{');
		print_pair(&first, "result", "signed");
		print_pair(&first, "domain", r->domain);
		print_pair(&first, "selector", r->selector);
		print_pair(&first, "field", buf_text(field));
		puts("}");
		return EX_OK;
	}
	write_field(m, field);
	fwrite(m->copy->data, 1, m->copy->len, stdout);
	return EX_OK;
}

static int
sign(const struct request *r, struct message *m, struct dkim_signer *signer,
    EVP_PKEY *key)
{
	struct buf field = BUF_INIT(FIELD_MAX);
	struct dkim_facts facts;
	const char *why = dkim_sign_end(signer, &m->section, &facts);
	int code = EX_DATAERR;

	if (why != NULL)
		program_fail(code, "the message cannot be signed: %s", why);
	else if (!dkim_sign(&facts, r->domain, r->selector, r->mailauth.now,
		     key, &field))
		program_fail(code,
		    "%s is no selector, or %s not the domain of %s or above it",
		    r->selector, r->domain, facts.from);
	else
		code = show(r, m, &field);
	buf_free(&facts.fields);
	buf_free(&field);
	return code;
}

static int
sign_message(struct request *r, struct message *m, EVP_PKEY *key)
{
	struct dkim_signer *signer = dkim_sign_begin();
	const char *octets;
	size_t n = 1;
	int code = EX_OK;

	if (signer == NULL)
		return program_fail(EX_OSERR, "no memory");
	while (code == EX_OK && n > 0) {
		code = message_body(m, &octets, &n);
		if (code == EX_OK)
			dkim_sign_body(signer, octets, n);
	}
	if (code == EX_OK)
		code = sign(r, m, signer, key);
	dkim_sign_free(signer);
	return code;
}

/* Writes the message, signed; what was read stays as it is. */
int
tool_dkim_sign(struct request *r)
{
	static struct message message;
	struct buf copy = BUF_INIT(MESSAGE_MAX);
	EVP_PKEY *key = NULL;
	int code = read_key(r->key, &key);

	if (code == EX_OK) {
		code = message_begin(&message, &copy);
		if (code == EX_OK)
			code = sign_message(r, &message, key);
		message_free(&message);
	}
	EVP_PKEY_free(key);
	buf_free(&copy);
	return code;
}
