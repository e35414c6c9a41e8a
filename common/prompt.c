/* SPDX-License-Identifier: ISC */
#include "common/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "common/program.h"

static volatile sig_atomic_t interrupted;

static void
note_signal(int signo)
{
	interrupted = signo;
}

/* Octet by octet: what is behind the line is not ours. */
static bool
read_line(int fd, char *out, size_t size)
{
	size_t n = 0;
	ssize_t got;
	char c;

	while ((got = read(fd, &c, 1)) == 1 && c != '\n') {
		if (n == size - 1) {
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
ask(int tty, const char *question, const char *whose, char *out, size_t size)
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
	    dprintf(tty, "%s %s: ", question, whose) > 0 &&
	    read_line(tty, out, size);
	(void)tcsetattr(tty, TCSAFLUSH, &shown);
	(void)dprintf(tty, "\n");
	for (size_t i = 0; i < 4; i++)
		sigaction(signals[i], &old[i], NULL);
	if (interrupted != 0)
		raise(interrupted);
	return good && interrupted == 0;
}

static int
ask_twice(const char *whose, char *out, size_t size)
{
	char again[PROMPT_SECRET_MAX + 1] = "";
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	int code = EX_OK;

	if (tty == -1)
		return program_fail(EX_NOINPUT,
		    "no terminal to ask for a password: use --password-stdin");
	if (!ask(tty, "Password for", whose, out, size) ||
	    !ask(tty, "Again, for", whose, again, size))
		code = program_fail(EX_NOINPUT, "no password for %s", whose);
	else if (strcmp(out, again) != 0)
		code = program_fail(EX_DATAERR, "that was not the same twice");
	explicit_bzero(again, sizeof(again));
	close(tty);
	return code;
}

int
prompt_secret(const char *whose, bool from_stdin, char *out, size_t size)
{
	if (size > PROMPT_SECRET_MAX + 1)
		size = PROMPT_SECRET_MAX + 1;
	if (!from_stdin)
		return ask_twice(whose, out, size);
	if (read_line(STDIN_FILENO, out, size))
		return EX_OK;
	if (errno == EMSGSIZE)
		return program_fail(EX_NOINPUT,
		    "the password for %s is longer than %zu octets", whose,
		    size - 1);
	return program_fail(
	    EX_NOINPUT, "no password for %s on standard input", whose);
}
