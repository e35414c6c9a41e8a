/* SPDX-License-Identifier: ISC */
/* user.h: all users as text, out and in. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/privileges.h"
#include "common/program.h"
#include "userdb/name.h"
#include "userdb/user.h"

enum { UNDO_MS = 60000, UNDO_AGAIN_MS = 100 };

static const char head[] = "postrider-users 3";
static const char *const heads[] = {
    head, "postrider-users 2", "postrider-users 1"};

static bool
is_dovecot(const struct request *r)
{
	return r->format != NULL && strcmp(r->format, "dovecot") == 0;
}

/* -- out -- */

static void
put_line(const struct entry *e, void *context)
{
	uint64_t *count = context;
	struct buf line = BUF_INIT(ENTRY_LINE_MAX);

	entry_format(e, &line);
	printf("%.*s\n", (int)line.len, line.data);
	buf_free(&line);
	++*count;
}

static int
export_native(struct request *r)
{
	static const char *const kinds[] = {
	    "domain", "user", "alias", "app", "grant", "note"};
	uint64_t count = 0;
	int code = EX_OK;

	printf("%s\n", head);
	for (size_t i = 0;
	     i < sizeof(kinds) / sizeof(kinds[0]) && code == EX_OK; i++)
		code = client_each(r->client, kinds[i], put_line, &count);
	/* Without its end an export is not taken back in. */
	if (code == EX_OK)
		printf("end %" PRIu64 "\n", count);
	return code;
}

/*
 * A line of Dovecot's passwd-file, for passdb and userdb alike:
 * user:password:uid:gid::home::extra fields
 */
static void
put_dovecot(const struct entry *e, void *context)
{
	const struct config *config = context;
	bool system = e->system[0] != '\0';
	struct account account = {.home = ""};
	char address[ADDRESS_TEXT_MAX + 1];

	address_format(&e->name, address);
	if (account_find(system ? e->system : ACCOUNT_MAIL, &account) == -1 &&
	    system)
		program_fail(
		    0, "%s: no such user of the system, left out", e->system);
	if (system && account.home[0] == '\0')
		return;
	/* No password verifies against what begins with an exclamation. */
	printf("%s:{CRYPT}%s%s:", address,
	    e->disabled || e->hash[0] == '\0' ? "!" : "", e->hash);
	if (account.home[0] != '\0')
		printf("%lu:%lu::", (unsigned long)account.uid,
		    (unsigned long)account.gid);
	else
		printf(":::");
	if (system)
		printf("%s::userdb_mail=maildir:~/Maildir\n", account.home);
	else
		printf("%s/%s/%s::userdb_mail=maildir:%s/%s/%s\n",
		    config->mail_dir, e->name.domain, e->name.local,
		    config->mail_dir, e->name.domain, e->name.local);
}

int
user_export(struct request *r)
{
	if (!is_dovecot(r))
		return export_native(r);
	return client_each(r->client, "user", put_dovecot, (void *)r->config);
}

/* -- in -- */

struct reader {
	struct request *request;
	FILE *file;
	struct packet packet;
	uint64_t line, entries, promised;
	bool framed, ended; /* it began with head; its end has come */
};

static int
fail_at(const struct reader *in, const char *reason)
{
	return program_fail(
	    EX_DATAERR, "line %" PRIu64 ": %s", in->line, reason);
}

static void
start_packet(struct reader *in)
{
	packet_start(&in->packet, "import");
}

static int
send_lines(struct reader *in)
{
	int code = client_do(in->request->client, &in->packet);

	start_packet(in);
	return code;
}

static int
add_line(struct reader *in, const char *text)
{
	struct entry e;
	const char *wrong = entry_parse(text, &e);
	char number[24];

	if (wrong != NULL)
		return fail_at(in, wrong);
	in->entries++;
	snprintf(number, sizeof(number), "%" PRIu64, in->line);
	packet_text(&in->packet, "line", number);
	packet_text(&in->packet, "text", text);
	return in->packet.len > IPC_PACKET_MAX - 2 * ENTRY_LINE_MAX
	    ? send_lines(in)
	    : EX_OK;
}

static bool
is_head(const char *text)
{
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		if (strcmp(text, heads[i]) == 0)
			return true;
	return false;
}

static int
native_line(struct reader *in, const char *text)
{
	struct cursor c;

	if (in->ended)
		return fail_at(in, "something behind the end");
	if (in->entries == 0 && is_head(text)) {
		in->framed = true;
		return EX_OK;
	}
	if (in->entries == 0 && strncmp(text, head, sizeof(head) - 2) == 0)
		return fail_at(in, "from a later release");
	if (!in->framed || strncmp(text, "end ", 4) != 0)
		return add_line(in, text);
	c = cursor_over(text + 4, strlen(text + 4));
	if (cursor_decimal(&c) != in->entries || !cursor_done(&c))
		return fail_at(in, "entries are missing or too many");
	in->ended = true;
	return EX_OK;
}

/* Dovecot's names for what crypt(3) reads. */
static bool
is_crypt_scheme(const char *scheme, size_t n)
{
	static const char *const schemes[] = {"CRYPT", "BLF-CRYPT",
	    "SHA256-CRYPT", "SHA512-CRYPT", "MD5-CRYPT", "DES-CRYPT"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strlen(schemes[i]) == n &&
		    strncmp(schemes[i], scheme, n) == 0)
			return true;
	return false;
}

static int
dovecot_line(struct reader *in, char *text)
{
	char *hash = strchr(text, ':'), *end;
	struct buf line = BUF_INIT(ENTRY_LINE_MAX);
	int code;

	if (hash == NULL)
		return fail_at(in, "no password field");
	*hash++ = '\0';
	hash[strcspn(hash, ":")] = '\0';
	if (*hash == '{') {
		end = strchr(hash, '}');
		if (end == NULL ||
		    !is_crypt_scheme(hash + 1, (size_t)(end - hash - 1)))
			return fail_at(in,
			    "a password scheme that crypt(3) does not know");
		hash = end + 1;
	}
	buf_addf(&line, "user %s", text);
	if (*hash == '!' || *hash == '*')
		buf_adds(&line, " disabled");
	hash += strspn(hash, "!*");
	if (*hash != '\0')
		buf_addf(&line, " hash=%s", hash);
	code = buf_text(&line) != NULL ? add_line(in, buf_text(&line))
				       : fail_at(in, "line too long");
	buf_free(&line);
	return code;
}

static int
one_line(struct reader *in, char *text, size_t n)
{
	in->line++;
	if (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	if (n > 0 && text[n - 1] == '\r')
		text[--n] = '\0';
	if (strlen(text) != n)
		return fail_at(in, "NUL in line");
	if (n > ENTRY_LINE_MAX)
		return fail_at(in, "line too long");
	text += strspn(text, " \t");
	if (*text == '#' || *text == '\0')
		return EX_OK;
	return is_dovecot(in->request) ? dovecot_line(in, text)
				       : native_line(in, text);
}

static int
read_lines(struct reader *in)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t n;
	int code = EX_OK;

	while (code == EX_OK && (n = getline(&text, &room, in->file)) >= 0)
		code = one_line(in, text, (size_t)n);
	free(text);
	if (code == EX_OK && ferror(in->file))
		code =
		    program_fail(EX_IOERR, "cannot read: %s", strerror(errno));
	if (code == EX_OK && in->framed && !in->ended)
		code = fail_at(in, "the end is missing");
	return code == EX_OK ? send_lines(in) : code;
}

static int
begin_import(struct client *client)
{
	static struct packet p;
	int64_t deadline = clock_monotonic_ms() + UNDO_MS;
	int code;

	for (;;) {
		packet_start(&p, "import-begin");
		code = client_call(client, &p);
		if (code != EX_OK || !packet_is(&p, "busy"))
			break;
		if (clock_left(deadline) == 0)
			return program_fail(EX_TEMPFAIL,
			    "an earlier import is still being undone");
		poll(NULL, 0, UNDO_AGAIN_MS);
	}
	return code == EX_OK ? client_done(&p) : code;
}

int
user_import(struct request *r)
{
	static struct reader in;
	static struct packet p;
	int code;

	in.request = r;
	in.file = fdopen(r->input, "r");
	if (in.file == NULL)
		return program_fail(EX_NOINPUT, "%s", strerror(errno));
	if ((code = begin_import(r->client)) != EX_OK)
		return code;
	start_packet(&in);
	if ((code = read_lines(&in)) == EX_OK) {
		packet_start(&p, "import-end");
		code = client_do(r->client, &p);
	}
	fclose(in.file);
	if (code != EX_OK)
		program_fail(code, "nothing was imported");
	return code;
}
