/* SPDX-License-Identifier: ISC */
/* user.h: passwords set, app passwords made and revoked. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/base64.h"
#include "common/program.h"
#include "userdb/app.h"
#include "userdb/password.h"
#include "userdb/prompt.h"
#include "userdb/user.h"

static int
ask_salt(
    struct client *client, const char *address, unsigned char salt[SCRAM_SALT])
{
	static struct packet p;
	char octets[BASE64_LENGTH(SCRAM_SALT)];
	const char *text;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("salt", BASE64_LENGTH(SCRAM_SALT), &text)};
	size_t n;
	int code;

	packet_start(&p, "salt");
	packet_text(&p, "address", address);
	if ((code = client_call(client, &p)) != EX_OK)
		return code;
	if (!packet_read(&p, "salt", set, 1, 0))
		return client_done(&p);
	if (!base64_decode(text, strlen(text), octets, &n) || n != SCRAM_SALT)
		return program_fail(EX_PROTOCOL, "malformed answer");
	memcpy(salt, octets, SCRAM_SALT);
	return EX_OK;
}

static void
add_secret(const char *password, struct packet *p)
{
	char text[BASE64_LENGTH(PASSWORD_MAX) + 1];

	base64_encode(password, strlen(password), text);
	packet_text(p, "secret", text);
	explicit_bzero(text, sizeof(text));
}

static int
add_made(const struct request *r, const char *address, const char *password,
    struct packet *p)
{
	char hash[ENTRY_HASH_MAX + 1], scram[ENTRY_SCRAM_MAX + 1];
	unsigned char salt[SCRAM_SALT];
	int code = ask_salt(r->client, address, salt);

	if (code != EX_OK)
		return code;
	if (password_hash(password, (unsigned)r->config->password_cost, hash) ==
	    -1)
		return program_fail(
		    EX_OSERR, "cannot hash: %s", strerror(errno));
	packet_text(p, "hash", hash);
	password_scram(password, salt, scram);
	if (scram[0] != '\0')
		packet_text(p, "scram", scram);
	if ((r->options & OPTION_REVERSIBLE) != 0)
		add_secret(password, p);
	return EX_OK;
}

int
passwd_add_hash(const struct request *r, const char *address, struct packet *p)
{
	char password[PASSWORD_MAX + 1] = "";
	int code = prompt_password(
	    address, (r->options & OPTION_PASSWORD_STDIN) != 0, password);

	if (code == EX_OK)
		code = add_made(r, address, password, p);
	explicit_bzero(password, sizeof(password));
	return code;
}

/* -- app passwords -- */

static int
revoke(struct request *r, const char *address, struct packet *p)
{
	packet_start(p, "app-del");
	packet_text(p, "address", address);
	packet_text(p, "app", r->app);
	return client_do(r->client, p);
}

static int
make(struct request *r, const char *address, struct packet *p)
{
	char text[APP_TEXT + 1], digest[ENTRY_DIGEST_MAX + 1];
	int code;

	if (!app_make(text, digest))
		return program_fail(EX_OSERR, "no randomness");
	packet_start(p, "app-add");
	packet_text(p, "address", address);
	packet_text(p, "app", r->app);
	packet_text(p, "digest", digest);
	code = client_do(r->client, p);
	if (code == EX_OK)
		printf("%s\n", text);
	explicit_bzero(text, sizeof(text));
	return code;
}

static int
change_app(struct request *r, const char *address, struct packet *p)
{
	const char *wrong = entry_check_app(r->app);

	if (wrong != NULL)
		return program_fail(EX_DATAERR, "%s: %s", r->app, wrong);
	return (r->options & OPTION_REVOKE) != 0 ? revoke(r, address, p)
						 : make(r, address, p);
}

int
passwd_one(struct request *r, const char *address)
{
	static struct packet p;
	int code;

	if (r->app != NULL)
		return change_app(r, address, &p);
	packet_start(&p, "user-set");
	packet_text(&p, "address", address);
	code = passwd_add_hash(r, address, &p);
	if (code == EX_OK)
		code = client_do(r->client, &p);
	explicit_bzero(p.octets, sizeof(p.octets));
	return code;
}
