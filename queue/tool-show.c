/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/dsn.h"
#include "common/print.h"
#include "queue/describe.h"
#include "queue/tool-print.h"

/* -- show -- */

/* What the sender asked for (RFC 3461). */
static void
put_asked(const struct recipient *r)
{
	char notify[DSN_NOTIFY_SIZE];

	dsn_write_notify(r->notify, notify);
	if (notify[0] != '\0')
		printf("\n          notify %s", notify);
	if (r->orcpt == NULL)
		return;
	fputs(notify[0] != '\0' ? ", orcpt " : "\n          orcpt ", stdout);
	print_clean(r->orcpt);
}

static void
put_recipient(const struct recipient *r, size_t index)
{
	fputs("recipient <", stdout);
	print_clean(r->address);
	printf("> %s", describe_status(r));
	if (r->parent != index)
		printf(", from alias %zu", r->parent);
	if (r->when != 0) {
		fputs(", ", stdout);
		print_time(r->when);
	}
	if (r->relay != NULL) {
		fputs(", ", stdout);
		print_clean(r->relay);
	}
	put_asked(r);
	if (r->dsn[0] != '\0' || r->text != NULL) {
		fputs("\n          ", stdout);
		print_clean(r->dsn);
		putchar(' ');
		print_clean(r->text != NULL ? r->text : "");
	}
	putchar('\n');
}

/* Who signs what leaves, and with what: the field itself is of no use here. */
static void
signature_words(const char *field, struct buf *out)
{
	char domain[SIGNATURE_TAG_MAX + 1], selector[SIGNATURE_TAG_MAX + 1];
	char algorithm[SIGNATURE_TAG_MAX + 1];

	signature_tag(field, "d", domain);
	signature_tag(field, "s", selector);
	signature_tag(field, "a", algorithm);
	buf_addf(out, "%s %s %s", domain, selector, algorithm);
}

static void
put_signatures(const struct envelope *e, bool json)
{
	for (size_t i = 0; i < e->nsignatures; i++) {
		struct buf words = BUF_INIT(4 * SIGNATURE_TAG_MAX);

		signature_words(e->signatures[i], &words);
		if (json)
			fputs(i > 0 ? "," : "", stdout);
		else
			fputs("signed    ", stdout);
		(json ? print_json_string : print_clean)(
		    buf_text(&words) != NULL ? words.data : "");
		if (!json)
			putchar('\n');
		buf_free(&words);
	}
}

static void
put_text(
    const struct tool *tool, const struct row *row, const struct envelope *e)
{
	char id[FS_ID_SIZE];
	const char *held = holds_reason(&tool->rules, e);

	tool_id(row->id, id);
	printf("id        %s\naccepted  ", id);
	print_time(e->time);
	printf("\nsize      %" PRIu64 "\nsender    <", e->content);
	print_clean(e->sender);
	fputs(">\n", stdout);
	if (e->login != NULL) {
		fputs("login     ", stdout);
		print_clean(e->login);
		putchar('\n');
	}
	if (e->uid >= 0)
		printf("uid       %" PRId64 "\n", e->uid);
	if (e->envid != NULL) {
		fputs("envid     ", stdout);
		print_clean(e->envid);
		putchar('\n');
	}
	if (e->junk != NULL)
		printf("junk      %s\n", e->junk);
	if (dsn_ret_name(e->ret) != NULL)
		printf("ret       %s\n", dsn_ret_name(e->ret));
	put_signatures(e, false);
	fputs("client    ", stdout);
	print_clean(e->client);
	putchar('\n');
	printf("state     %s after %u attempt%s\n", state_name(row->state),
	    row->attempts, row->attempts == 1 ? "" : "s");
	if (held != NULL) {
		fputs("held      ", stdout);
		print_clean(held);
		putchar('\n');
	}
	if (row->next != 0) {
		fputs("next      ", stdout);
		print_time(row->next);
		putchar('\n');
	}
	for (size_t i = 0; i < e->n; i++)
		put_recipient(&e->recipients[i], i);
}

static void
put_recipient_json(const struct recipient *r, size_t index)
{
	char notify[DSN_NOTIFY_SIZE];

	printf("%s{\"index\":%zu,", index == 0 ? "" : ",", index);
	print_json_text("address", r->address);
	printf(",\"parent\":%zu,", r->parent);
	print_json_text("status", describe_status(r));
	putchar(',');
	print_json_text("dsn", r->dsn);
	printf(",\"when\":%" PRId64 ",", r->when);
	print_json_text("relay", r->relay != NULL ? r->relay : "");
	putchar(',');
	print_json_text("text", r->text != NULL ? r->text : "");
	dsn_write_notify(r->notify, notify);
	putchar(',');
	print_json_text("notify", notify);
	putchar(',');
	print_json_text("orcpt", r->orcpt);
	putchar('}');
}

static int
put_one(struct tool *tool, const struct row *row, const struct envelope *e,
    void *context)
{
	bool *first = context;

	if (!tool->json) {
		if (!*first)
			putchar('\n');
		put_text(tool, row, e);
	} else {
		/* "recipients" is the list here, not their number. */
		print_message_head_json(tool, row, e);
		putchar(',');
		print_json_text("envid", e->envid);
		putchar(',');
		print_json_text("ret", dsn_ret_name(e->ret));
		putchar(',');
		print_json_text("junk", e->junk);
		fputs(",\"signed\":[", stdout);
		put_signatures(e, true);
		fputs("],\"recipients\":[", stdout);
		for (size_t i = 0; i < e->n; i++)
			put_recipient_json(&e->recipients[i], i);
		puts("]}");
	}
	*first = false;
	return EX_OK;
}

int
show_run(struct tool *tool)
{
	bool first = true;
	int code = index_load(tool), missing;

	if (code != EX_OK)
		return code;
	code = scan(tool, put_one, &first);
	missing = index_missing(tool);
	return code == EX_OK ? missing : code;
}

/* -- cat -- */

/* A descriptor; -1, and the code says why. */
static int
content(struct tool *tool, const char *id, int *fd)
{
	static struct packet p;
	int code;

	if (tool->daemon < 0) {
		*fd = direct_content(id);
		return *fd >= 0 ? EX_OK
		    : errno == ENOENT
		    ? tool_unknown(tool, id)
		    : tool_fail(tool, EX_IOERR, id, strerror(errno));
	}
	packet_start(&p, "cat");
	packet_text(&p, "id", id);
	code = ask(tool, &p);
	if (code != EX_OK)
		return code;
	if (!packet_read(&p, "content", NULL, 0, 1)) {
		packet_close(&p);
		return ask_malformed(tool);
	}
	*fd = packet_detach(&p, 0);
	return EX_OK;
}

int
cat_run(struct tool *tool)
{
	const struct selection *s = &tool->options.selection;
	char id[FS_ID_SIZE];
	int worst = EX_OK, code, fd = -1;

	for (size_t i = 0; i < s->n; i++) {
		tool_id(s->ids[i], id);
		code = content(tool, id, &fd);
		if (code == EX_OK) {
			code = tool_copy(tool, fd);
			close(fd);
		}
		if (code != EX_OK)
			worst = code;
	}
	return worst;
}
