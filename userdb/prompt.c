/* SPDX-License-Identifier: ISC */
#include "userdb/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "userdb/client.h"

static volatile sig_atomic_t interrupted;

static void
note_signal(int signo)
{
	interrupted = signo;
}

/* Octet by octet: what is behind the line is not ours. */
static bool
read_line(int fd, char out[PASSWORD_MAX + 1])
{
	size_t n = 0;
	ssize_t got;
	char c;

	while ((got = read(fd, &c, 1)) == 1 && c != '\n') {
		if (n == PASSWORD_MAX) {
			errno = EMSGSIZE;
			return false;
		}
		out[n++] = c;
	}
	if (n > 0 && out[n - 1] == '\r')
		n--;
	out[n] = '\0';
	return got == 1 || (got == 0 && n > 0);
}

/* One hidden line; a signal ends it, and comes through afterwards. */
static bool
ask(int tty, const char *question, const char *whose,
    char out[PASSWORD_MAX + 1])
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP};
	struct sigaction ours = {.sa_handler = note_signal}, old[4];
	struct termios shown, hidden;
	bool good;

	if (tcgetattr(tty, &shown) == -1)
		return false;
	interrupted = 0;
	for (size_t i = 0; i < 4; i++)
		sigaction(signals[i], &ours, &old[i]);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	good = tcsetattr(tty, TCSAFLUSH, &hidden) == 0 &&
	    dprintf(tty, "%s %s: ", question, whose) > 0 && read_line(tty, out);
	(void)tcsetattr(tty, TCSAFLUSH, &shown);
	(void)dprintf(tty, "\n");
	for (size_t i = 0; i < 4; i++)
		sigaction(signals[i], &old[i], NULL);
	if (interrupted != 0)
		raise(interrupted);
	return good && interrupted == 0;
}

static int
ask_twice(const char *whose, char out[PASSWORD_MAX + 1])
{
	char again[PASSWORD_MAX + 1] = "";
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	int code = EX_OK;

	if (tty == -1)
		return client_fail(EX_NOINPUT,
		    "no terminal to ask for a password: use --password-stdin");
	if (!ask(tty, "Password for", whose, out) ||
	    !ask(tty, "Again, for", whose, again))
		code = client_fail(EX_NOINPUT, "no password for %s", whose);
	else if (strcmp(out, again) != 0)
		code = client_fail(EX_DATAERR, "that was not the same twice");
	explicit_bzero(again, sizeof(again));
	close(tty);
	return code;
}

int
prompt_password(const char *whose, bool from_stdin, char out[PASSWORD_MAX + 1])
{
	const char *wrong;
	int code = EX_OK;

	if (!from_stdin)
		code = ask_twice(whose, out);
	else if (!read_line(STDIN_FILENO, out))
		code = client_fail(EX_NOINPUT,
		    errno == EMSGSIZE
			? "the password for %s is longer than 511 octets"
			: "no password for %s on standard input",
		    whose);
	if (code == EX_OK && (wrong = password_check(out)) != NULL)
		code = client_fail(EX_DATAERR, "%s: %s", whose, wrong);
	return code;
}
