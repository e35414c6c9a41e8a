/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/print.h"
#include "common/program.h"
#include "common/prompt.h"
#include "keys/relay.h"
#include "keys/tool.h"

/*
 * The records are written here, as keys' user, whether keys runs or not: it
 * reads them when it is asked for one.
 */
static int
open_folder(const struct request *r, int *folder)
{
	int code = tool_become_keys();

	if (code != EX_OK)
		return code;
	*folder = relay_open_folder(r->config->keys_dir);
	return *folder >= 0 ? EX_OK : tool_no_folder(r->config, "relay");
}

static int
read_host(const char *text, char host[RELAY_HOST_MAX + 1])
{
	if (relay_host_name(text, host))
		return EX_OK;
	return program_fail(EX_DATAERR, "\"%s\" is no host name", text);
}

/* -- storing one -- */

/* From the folder that we are in, as the caller sees it. */
static int
take_token_file(const char *path, struct relay_record *record)
{
	char here[PATH_MAX];
	int n;

	if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return program_fail(EX_OSERR, "%s", strerror(errno));
	n = snprintf(record->token_file, sizeof(record->token_file), "%s%s%s",
	    path[0] != '/' ? here : "", path[0] != '/' ? "/" : "", path);
	if (n < 0 || (size_t)n >= sizeof(record->token_file) ||
	    strchr(path, '\n') != NULL)
		return program_fail(EX_DATAERR, "%s: no good path", path);
	return EX_OK;
}

/* It may come later; that it cannot be read is worth a word now. */
static void
warn_of_token(const struct relay_record *record)
{
	char token[KEYS_RELAY_SECRET_MAX + 1];

	if (record->token_file[0] != '\0' &&
	    relay_read_token(record->token_file, token) == -1)
		program_fail(0, "warning: %s cannot be read as a token: %s",
		    record->token_file, strerror(errno));
	explicit_bzero(token, sizeof(token));
}

static int
fill(const struct request *r, struct relay_record *record)
{
	int code = read_host(r->argv[0], record->host);

	if (code != EX_OK)
		return code;
	if (r->argv[1][0] == '\0' || strpbrk(r->argv[1], "\r\n") != NULL ||
	    strlen(r->argv[1]) >= sizeof(record->user))
		return program_fail(EX_DATAERR, "no good user name");
	memcpy(record->user, r->argv[1], strlen(r->argv[1]) + 1);
	if (r->token_file != NULL)
		return take_token_file(r->token_file, record);
	code = prompt_secret(record->host, r->password_stdin, record->password,
	    sizeof(record->password));
	if (code == EX_OK && record->password[0] == '\0')
		code = program_fail(EX_DATAERR, "an empty password");
	return code;
}

static void
hint(const struct request *r, const char *host)
{
	char relay[RELAY_HOST_MAX + 1];

	if (r->config->relay_host == NULL ||
	    !relay_host_name(r->config->relay_host, relay) ||
	    strcmp(relay, host) != 0)
		program_fail(0,
		    "note: \"relay-host\" names another host: this is "
		    "not used until it does");
}

/* keys may have to be started anew, to be let into another folder. */
static void
tell_keys(int fd)
{
	static struct packet p;

	packet_start(&p, "renew");
	if (fd >= 0 && !tool_ask(fd, &p))
		program_fail(0, "warning: keys does not answer");
}

int
relay_set(struct request *r)
{
	struct relay_record record = {.user = ""};
	int fd = admin_connect(r->config, "keys"), folder = -1;
	int code = fill(r, &record);

	if (code == EX_OK)
		code = open_folder(r, &folder);
	if (code == EX_OK && relay_write(folder, &record) == -1)
		code = program_fail(EX_CANTCREAT, "%s/relay/%s: %s",
		    r->config->keys_dir, record.host, strerror(errno));
	if (code == EX_OK) {
		warn_of_token(&record);
		hint(r, record.host);
		tell_keys(fd);
	}
	explicit_bzero(&record, sizeof(record));
	if (folder != -1)
		close(folder);
	if (fd != -1)
		close(fd);
	return code;
}

/* -- removing -- */

int
relay_remove(struct request *r)
{
	char host[RELAY_HOST_MAX + 1];
	int folder, first = open_folder(r, &folder);

	if (first != EX_OK)
		return first;
	for (int i = 0; i < r->argc; i++) {
		int code = read_host(r->argv[i], host);

		if (code == EX_OK && relay_delete(folder, host) == -1)
			code =
			    program_fail(errno == ENOENT ? EX_NOHOST : EX_IOERR,
				"%s: %s", host,
				errno == ENOENT ? "no login is stored"
						: strerror(errno));
		if (first == EX_OK)
			first = code;
	}
	close(folder);
	return first;
}

/* -- listing -- */

struct listing {
	bool json, any;
	int code;
};

static void
print_json(const struct relay_record *record, const struct listing *l)
{
	printf("%s{\"host\": ", l->any ? ",\n" : "");
	print_json_string(record->host);
	printf(", \"user\": ");
	print_json_string(record->user);
	printf(", \"kind\": \"%s\"",
	    record->token_file[0] != '\0' ? "token" : "password");
	if (record->token_file[0] != '\0') {
		printf(", \"token_file\": ");
		print_json_string(record->token_file);
	}
	printf("}");
}

static void
print_text(const struct relay_record *record)
{
	printf("%s ", record->host);
	print_clean(record->user);
	if (record->token_file[0] != '\0') {
		printf(" token ");
		print_clean(record->token_file);
		printf("\n");
	} else {
		printf(" password\n");
	}
}

static void
print_one(const struct relay_record *record, int error, void *context)
{
	struct listing *l = context;

	if (error != 0) {
		l->code = program_fail(EX_DATAERR, "%s: %s", record->host,
		    error == EBADMSG ? "not as this program writes them"
				     : strerror(error));
		return;
	}
	if (l->json)
		print_json(record, l);
	else
		print_text(record);
	l->any = true;
}

int
relay_list(struct request *r)
{
	struct listing l = {.json = r->json, .code = EX_OK};
	int folder, code = open_folder(r, &folder);

	if (code != EX_OK)
		return code;
	if (r->json)
		printf("[");
	if (relay_each(folder, print_one, &l) == -1)
		l.code = program_fail(EX_IOERR, "%s", strerror(errno));
	if (r->json)
		printf("]\n");
	close(folder);
	return l.code;
}
