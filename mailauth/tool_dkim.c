/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "common/print.h"
#include "common/program.h"
#include "mailauth/tool.h"
#include "mailauth/tool_message.h"

static void
print_time(bool *first, const char *key, int64_t when)
{
	if (when >= 0) {
		print_number(first, key, when);
		return;
	}
	print_key(first, key);
	fputs("null", stdout);
}

static void
show_signature_json(const struct dkim_result *s)
{
	bool first = true;

	putchar('{');
	print_pair(&first, "result", auth_result_name(s->result));
	print_pair(&first, "reason", s->reason);
	print_pair(&first, "domain", s->domain);
	print_pair(&first, "selector", s->selector);
	print_pair(&first, "identity", s->identity);
	print_pair(&first, "algorithm", s->algorithm);
	print_pair(&first, "canonicalisation", s->canonicalisation);
	print_number(&first, "key_bits", s->key_bits);
	print_bool(&first, "testing", s->testing);
	print_bool(&first, "partial", s->partial);
	print_time(&first, "signed_at", s->signed_at);
	print_time(&first, "expires", s->expires);
	putchar('}');
}

void
tool_signatures_json(bool *first, const struct dkim_result *results, size_t n)
{
	print_key(first, "signatures");
	putchar('[');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			putchar(',');
		show_signature_json(&results[i]);
	}
	putchar(']');
}

static void
print_time_row(const char *name, int64_t when)
{
	char text[64];
	time_t t = (time_t)when;
	struct tm tm;

	if (when >= 0 && gmtime_r(&t, &tm) != NULL &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) > 0)
		print_row(name, text);
}

static void
show_signature(const struct dkim_result *s)
{
	char text[128] = "";

	printf("DKIM %s: ", auth_result_name(s->result));
	print_clean(s->domain[0] != '\0' ? s->domain : "no domain");
	putchar('\n');
	print_row("reason", s->reason);
	print_row("selector", s->selector);
	print_row("identity", s->identity);
	print_row("algorithm", s->algorithm);
	print_row("canonical", s->canonicalisation);
	if (s->key_bits > 0)
		snprintf(text, sizeof(text), "%u bits%s", s->key_bits,
		    s->testing ? ", in a test" : "");
	print_row("key", text);
	print_time_row("signed", s->signed_at);
	print_time_row("expires", s->expires);
	if (s->partial)
		print_row("partial", "not all of the body is signed (l=)");
}

void
tool_show_signatures(const struct dkim_result *results, size_t n)
{
	if (n == 0)
		puts("DKIM none: the message has no signature");
	for (size_t i = 0; i < n; i++)
		show_signature(&results[i]);
}

static void
show(const struct request *r, const struct dkim_result *results, size_t n,
    size_t there_are)
{
	bool first = true;

	if (r->json) {
		putchar('{');
		print_pair(&first, "result",
		    auth_result_name(dkim_in_a_word(results, n)));
		tool_signatures_json(&first, results, n);
		puts("}");
		return;
	}
	tool_show_signatures(results, n);
	if (there_are > n)
		printf("%zu more were not looked at\n", there_are - n);
}

int
tool_dkim_verify(struct request *r)
{
	static struct message message;
	struct dkim_result results[DKIM_SIGNATURES_MAX];
	struct dkim_verifier *v;
	const char *octets;
	size_t n = 1;
	int code = message_begin(&message, NULL);

	if (code != EX_OK)
		return code;
	v = dkim_verify_begin(&r->mailauth, &message.section);
	if (v == NULL)
		return program_fail(EX_OSERR, "no memory");
	while (code == EX_OK && n > 0) {
		code = message_body(&message, &octets, &n);
		if (code == EX_OK)
			dkim_verify_body(v, octets, n);
	}
	if (code == EX_OK) {
		tool_start_clock(r);
		n = dkim_verify_end(v, results);
		show(r, results, n, dkim_signatures(v));
		code = tool_exit(r, dkim_in_a_word(results, n));
	}
	dkim_verify_free(v);
	message_free(&message);
	return code;
}
