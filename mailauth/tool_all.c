/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/print.h"
#include "common/program.h"
#include "mailauth/authres.h"
#include "mailauth/judge.h"
#include "mailauth/tool.h"
#include "mailauth/tool_message.h"

enum { FIELD_MAX = 64 * 1024 };

static void
show_json(const struct request *r, const struct judgement *j, struct buf *field)
{
	bool first = true;

	putchar('{');
	print_pair(&first, "result", auth_result_name(j->dmarc.result));
	tool_dmarc_json(&first, &j->dmarc);
	print_key(&first, "helo");
	tool_spf_json(r, "helo", &j->helo);
	print_key(&first, "spf");
	tool_spf_json(r, j->null_sender ? "helo" : "mailfrom", &j->sender);
	tool_signatures_json(&first, j->signatures, j->nsignatures);
	print_pair(&first, "authentication_results", buf_text(field));
	puts("}");
}

static void
show(const struct request *r, const struct judgement *j, struct buf *field)
{
	tool_show_spf(r, r->helo, &j->helo);
	if (!j->null_sender)
		tool_show_spf(r, r->from, &j->sender);
	tool_show_signatures(j->signatures, j->nsignatures);
	if (j->no_author == NULL) {
		tool_show_dmarc("From", &j->dmarc);
	} else {
		puts("DMARC fail: From does not say whose message this is");
		print_row("reason", j->no_author);
		print_row("disposition", tool_disposition(&j->dmarc));
	}
	printf("\n%s", buf_text(field));
}

static int
tell(const struct request *r, const struct judgement *j)
{
	struct buf field = BUF_INIT(FIELD_MAX);
	int code = tool_exit(r, j->dmarc.result);

	if (!authres_write(&field, r->hostname, j) || buf_text(&field) == NULL)
		code = program_fail(EX_OSERR, "no memory");
	else if (r->json)
		show_json(r, j, &field);
	else
		show(r, j, &field);
	buf_free(&field);
	return code;
}

int
tool_all(struct request *r)
{
	static struct message message;
	static struct judgement judgement;
	struct spf_query query = tool_spf_query(r);
	struct judge *judge;
	const char *octets;
	size_t n = 1;
	int code = message_begin(&message, NULL);

	if (code != EX_OK)
		return code;
	judge = judge_begin(&r->mailauth, &query, &message.section);
	if (judge == NULL)
		return program_fail(EX_OSERR, "no memory");
	while (code == EX_OK && n > 0) {
		code = message_body(&message, &octets, &n);
		if (code == EX_OK)
			judge_body(judge, octets, n);
	}
	if (code == EX_OK) {
		tool_start_clock(r);
		judge_end(judge, &judgement);
		dmarc_find_organization(&r->mailauth, &judgement.dmarc);
		code = tell(r, &judgement);
		judgement_free(&judgement);
	}
	judge_free(judge);
	message_free(&message);
	return code;
}
