/* SPDX-License-Identifier: ISC */
/*
 * postrider-checkpassword: our users for every program that speaks the
 * checkpassword interface (http://cr.yp.to/checkpwd/interface.html), and for
 * Dovecot with its additions to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/cursor.h"
#include "common/ipc.h"
#include "common/netaddr.h"
#include "common/privileges.h"
#include "common/program.h"
#include "common/protocol.h"
#include "common/verdict.h"

enum exit_code { /* the interface's own */
	RIGHT = 0,
	WRONG = 1,
	MISUSED = 2,
	NO_SUCH_USER = 3, /* Dovecot's, where no password was asked for */
	LATER = 111
};

enum { INPUT = 3, INPUT_MAX = 4096, PATIENCE_MS = 30000 };

static const char usage[] =
    "usage: postrider-checkpassword [-Vh] [-c file] program [argument ...]\n"
    "name, password and time stamp, each with a NUL, on descriptor 3\n";

static struct packet packet;

/* -- what is asked -- */

struct question {
	char input[INPUT_MAX];
	size_t n;
	const char *user, *password; /* into input */
	bool authorized;             /* look up only, there is no password */
};

static int
read_question(struct question *q)
{
	struct cursor c;
	const char *authorized = getenv("AUTHORIZED");
	ssize_t got;

	while (q->n < sizeof(q->input) &&
	    (got = read(INPUT, q->input + q->n, sizeof(q->input) - q->n)) !=
		0) {
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return program_fail(
			    MISUSED, "descriptor 3: %s", strerror(errno));
		q->n += (size_t)got;
	}
	close(INPUT);
	c = cursor_over(q->input, q->n);
	q->user = cursor_string(&c, PROTOCOL_LOGIN_MAX);
	q->password = cursor_string(&c, PROTOCOL_PASSWORD_MAX);
	q->authorized = authorized != NULL && strcmp(authorized, "1") == 0;
	if (!cursor_ok(&c))
		return program_fail(
		    MISUSED, "not a name and a password on descriptor 3");
	return RIGHT;
}

/* -- what userdb says -- */

struct mailbox {
	char user[PROTOCOL_ADDRESS_MAX + 1]; /* canonical address */
	char system[PROTOCOL_NAME_MAX + 1];  /* login name, "" virtual */
};

/* The socket lies in a folder that root alone may enter. */
static int
ask(const struct config *config)
{
	struct buf folder = BUF_INIT(4096);
	enum ipc_result result;
	int fd = -1;

	buf_addf(&folder, "%s/admin", config->run_dir);
	if (buf_text(&folder) != NULL && chdir(buf_text(&folder)) == 0)
		fd = ipc_connect("userdb");
	buf_free(&folder);
	if (fd == -1)
		return program_fail(
		    LATER, "cannot ask userdb: %s", strerror(errno));
	result = ipc_call(fd, &packet, clock_monotonic_ms() + PATIENCE_MS);
	close(fd);
	return result == IPC_OK ? RIGHT
				: program_fail(LATER, "no answer from userdb");
}

/* Whose password that is; Dovecot and tcpserver say so alike. */
static void
put_client(void)
{
	const char *said = getenv("TCPREMOTEIP");
	struct sockaddr_storage address;
	char client[NETADDR_TEXT_MAX];

	if (said == NULL || !netaddr_parse(said, 0, &address))
		return;
	netaddr_unmap(&address);
	netaddr_format(&address, client);
	packet_text(&packet, "client", client);
}

static int
check_password(
    const struct config *config, const struct question *q, struct mailbox *m)
{
	const char *verdict, *user, *system;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &verdict),
	    ATTRIBUTE_TEXT_OPTIONAL("user", PROTOCOL_ADDRESS_MAX, &user),
	    ATTRIBUTE_TEXT_OPTIONAL("system", PROTOCOL_NAME_MAX, &system)};
	int code;

	packet_start(&packet, "check");
	packet_text(&packet, "user", q->user);
	packet_text(&packet, "password", q->password);
	put_client();
	if ((code = ask(config)) != RIGHT)
		return code;
	if (!packet_read(&packet, "check", set, 3, 0))
		return program_fail(LATER, "malformed answer");
	switch (verdict_named(verdict)) {
	case VERDICT_LOGIN_OK:
		break;
	case VERDICT_LOGIN_FAILED:
		return WRONG;
	default:
		return LATER;
	}
	if (user == NULL)
		return program_fail(LATER, "malformed answer");
	snprintf(m->user, sizeof(m->user), "%s", user);
	snprintf(
	    m->system, sizeof(m->system), "%s", system != NULL ? system : "");
	return RIGHT;
}

/* Does Dovecot ask for a user that somebody else has let in? */
static int
find_user(
    const struct config *config, const struct question *q, struct mailbox *m)
{
	const char *user, *system;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("user", PROTOCOL_ADDRESS_MAX, &user),
	    ATTRIBUTE_TEXT_OPTIONAL("system", PROTOCOL_NAME_MAX, &system)};
	int code;

	packet_start(&packet, "find");
	packet_text(&packet, "user", q->user);
	if ((code = ask(config)) != RIGHT)
		return code;
	if (packet_is(&packet, "failed"))
		return NO_SUCH_USER;
	if (!packet_read(&packet, "found", set, 2, 0))
		return program_fail(LATER, "malformed answer");
	snprintf(m->user, sizeof(m->user), "%s", user);
	snprintf(
	    m->system, sizeof(m->system), "%s", system != NULL ? system : "");
	return RIGHT;
}

/* -- what the program is told -- */

static bool
put(const char *name, const char *value)
{
	return setenv(name, value, 1) == 0;
}

static bool
put_number(const char *name, uint64_t number)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, number);
	return put(name, digits);
}

/* A virtual user's Maildir, which is his home, too. */
static bool
virtual_home(
    const struct config *config, const char *user, char *out, size_t max)
{
	const char *at = strrchr(user, '@');
	int n;

	if (at == NULL)
		return false;
	n = snprintf(out, max, "%s/%s/%.*s", config->mail_dir, at + 1,
	    (int)(at - user), user);
	return n > 0 && (size_t)n < max;
}

static bool
tell(const struct config *config, const struct mailbox *m,
    const struct account *account)
{
	char home[4096], mail[4096 + 16];
	bool system = m->system[0] != '\0';

	if (system)
		snprintf(home, sizeof(home), "%s", account->home);
	else if (!virtual_home(config, m->user, home, sizeof(home)))
		return false;
	snprintf(
	    mail, sizeof(mail), "maildir:%s%s", home, system ? "/Maildir" : "");
	return put("USER", m->user) && put("HOME", home) &&
	    put("SHELL", "/bin/false") &&
	    put_number("userdb_uid", account->uid) &&
	    put_number("userdb_gid", account->gid) &&
	    put("userdb_home", home) && put("userdb_mail", mail) &&
	    put("EXTRA", "userdb_uid userdb_gid userdb_home userdb_mail");
}

/* Whose the mailbox is; as an ordinary user everything is his. */
static int
find_owner(const struct config *config, const struct mailbox *m,
    const char **name, struct account *account)
{
	*name = m->system[0] != '\0' ? m->system : ACCOUNT_MAIL;
	if (account_find(*name, account) == 0) {
		if (m->system[0] == '\0' || account->uid >= config->minimum_uid)
			return RIGHT;
		return program_fail(LATER, "%s: uid below minimum-uid", *name);
	}
	if (privileges_are_root())
		return program_fail(LATER, "%s: %s", *name, strerror(errno));
	account->uid = getuid();
	account->gid = getgid();
	return RIGHT;
}

static int
hand_on(const struct config *config, const struct mailbox *m, bool authorized,
    char **argv)
{
	struct account account = {0};
	const char *name;
	int code = find_owner(config, m, &name, &account);

	if (code != RIGHT)
		return code;
	if (!tell(config, m, &account) ||
	    (authorized && !put("AUTHORIZED", "2")))
		return program_fail(LATER, "%s", strerror(errno));
	/*
	 * Dovecot, which sets ORIG_UID, becomes the user itself, later: as
	 * the user already, other processes of his could answer in our place.
	 */
	if (privileges_are_root() && getenv("ORIG_UID") == NULL &&
	    privileges_become(&account) == -1)
		return program_fail(
		    LATER, "cannot become %s: %s", name, strerror(errno));
	/* Its Maildir may not be there yet. */
	if (chdir(getenv("HOME")) == -1 && chdir("/") == -1)
		return program_fail(LATER, "/: %s", strerror(errno));
	execvp(argv[0], argv);
	return program_fail(LATER, "%s: %s", argv[0], strerror(errno));
}

int
main(int argc, char **argv)
{
	struct program_options options = {
	    .program = "postrider-checkpassword", .usage = usage};
	int first = program_options(&options, argc, argv), code;
	static struct question question;
	static struct mailbox mailbox;
	char error[CONFIG_ERROR_MAX];
	struct config config;
	bool authorized;

	if (first == argc) {
		fputs(usage, stderr);
		return MISUSED;
	}
	if (config_load(&config, options.config_path, error) == -1)
		return program_fail(LATER, "%s", error);
	if ((code = read_question(&question)) != RIGHT) {
		config_free(&config);
		return code;
	}
	authorized = question.authorized;
	code = authorized ? find_user(&config, &question, &mailbox)
			  : check_password(&config, &question, &mailbox);
	explicit_bzero(&question, sizeof(question));
	explicit_bzero(&packet, sizeof(packet));
	if (code == RIGHT)
		code = hand_on(&config, &mailbox, authorized, argv + first);
	config_free(&config);
	return code;
}
