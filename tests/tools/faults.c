/* SPDX-License-Identifier: ISC */
/*
 * Runs a program with all its descendants and meddles with their system
 * calls that touch certain folders, as tests/crash asks.
 *
 *	faults FD FOLDER,... PROGRAM ARGUMENT...
 *
 * On FD, a stream socket, lines are exchanged:
 *
 *	-> arm WHO N WAY	do that to the Nth touching call from now on of
 *				the processes of WHO; forgets what was armed
 *	<- armed
 *	<- hit WHO PID CALL PATH...
 *	-> disarm
 *	<- disarmed COUNT	touching calls of WHO since it was armed
 *	-> log 0|1		tell every touching call from now on:
 *	<- call WHO PID CALL PATH...
 *	-> skip WHO CALL	from now on that call does nothing and says 0
 *	-> talk 0|1		what is sent to sockets touches, too
 *	-> die			SIGKILL for all of them, and the end
 *
 * WHO is the base name of the file that the process executed, with a "+"
 * behind it for those that it forked without executing another; "queue*" is
 * both.  WAY is
 *
 *	alone	SIGKILL to that process before the call
 *	all	SIGKILL to all of them before the call, and the end
 *	hold	it waits before the call, until "die"
 *	short	the call moves half as many octets; one that moves none or
 *		one is no touching call then
 *	NUMBER	the call is not made and fails with that errno
 *
 * A filter (seccomp(2)) stops them only at the calls of touch.c; everything
 * else runs at full speed.  With this process all of them die.
 */
#define _GNU_SOURCE /* __WALL, dprintf */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tools/touch.h"

enum { WHO_MAX = 40, WAY_MAX = 16, SKIPS = 8, TEXT_SIZE = 2 * PATH_MAX + 2 };

struct tracee {
	struct tracee *next;
	pid_t pid;
	char who[WHO_MAX];
};

static struct tracee *tracees;
static struct {
	char who[WHO_MAX];
	long number;
} skips[SKIPS];
static unsigned nskips;
static struct {
	char who[WHO_MAX]; /* "": nothing is armed */
	unsigned long n, count;
	char way[WAY_MAX];
} armed;
static int control;
static char folders[4 * PATH_MAX]; /* with a comma behind each */
static pid_t first;
static bool logs, talks;

static void
give_up(const char *what)
{
	perror(what);
	exit(1);
}

/* -- who is who -- */

static void
name_by_file(struct tracee *t)
{
	char link[64], path[PATH_MAX];
	const char *slash;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%ld/exe", (long)t->pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = '\0';
	slash = strrchr(path, '/');
	snprintf(t->who, sizeof(t->who), "%.*s", WHO_MAX - 2,
	    slash != NULL ? slash + 1 : path);
}

static struct tracee *
find(pid_t pid)
{
	for (struct tracee *t = tracees; t != NULL; t = t->next)
		if (t->pid == pid)
			return t;
	return NULL;
}

static struct tracee *
meet(pid_t pid)
{
	struct tracee *t = find(pid);

	if (t != NULL)
		return t;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		give_up("memory");
	t->pid = pid;
	t->next = tracees;
	tracees = t;
	name_by_file(t);
	return t;
}

static void
forget(pid_t pid)
{
	for (struct tracee **p = &tracees; *p != NULL; p = &(*p)->next)
		if ((*p)->pid == pid) {
			struct tracee *t = *p;

			*p = t->next;
			free(t);
			return;
		}
}

/* A child is its parent's program, until it executes another. */
static void
born(pid_t parent)
{
	unsigned long pid = 0;
	struct tracee *child, *t = meet(parent);

	if (ptrace(PTRACE_GETEVENTMSG, parent, NULL, &pid) == -1)
		return;
	child = meet((pid_t)pid);
	memcpy(child->who, t->who, sizeof(child->who));
	if (strchr(child->who, '+') == NULL)
		strcat(child->who, "+");
}

static bool
is(const struct tracee *t, const char *who)
{
	size_t n = strlen(who);

	if (n > 0 && who[n - 1] == '*')
		return strncmp(t->who, who, n - 1) == 0 &&
		    (t->who[n - 1] == '\0' || t->who[n - 1] == '+');
	return strcmp(t->who, who) == 0;
}

static _Noreturn void
kill_all(void)
{
	int status;
	pid_t pid;

	for (struct tracee *t = tracees; t != NULL; t = t->next)
		kill(t->pid, SIGKILL);
	/* Who was being born is in no list, but stops before it begins. */
	while ((pid = waitpid(-1, &status, __WALL)) != -1 || errno == EINTR)
		if (pid > 0 && WIFSTOPPED(status))
			kill(pid, SIGKILL);
	exit(0);
}

/* -- calls -- */

static void
fail_with(pid_t pid, struct user_regs_struct *regs, long result)
{
	regs->orig_rax = (unsigned long long)-1;
	regs->rax = (unsigned long long)result;
	ptrace(PTRACE_SETREGS, pid, NULL, regs);
}

static unsigned long long *
octets_of(struct user_regs_struct *regs, const struct call *call)
{
	unsigned long long *arguments[] = {&regs->rdi, &regs->rsi, &regs->rdx,
	    &regs->r10, &regs->r8, &regs->r9};

	return call->octets < 0 ? NULL : arguments[call->octets];
}

/* True when the process goes on. */
static bool
do_it(struct tracee *t, struct user_regs_struct *regs, const struct call *call,
    const char *text)
{
	char way[WAY_MAX];

	memcpy(way, armed.way, sizeof(way));
	armed.who[0] = '\0';
	dprintf(control, "hit %s %ld %s %s\n", t->who, (long)t->pid, call->name,
	    text);
	if (strcmp(way, "all") == 0)
		kill_all();
	if (strcmp(way, "hold") == 0)
		return false;
	if (strcmp(way, "alone") == 0) {
		fail_with(t->pid, regs, -EINTR);
		kill(t->pid, SIGKILL);
	} else if (strcmp(way, "short") == 0) {
		*octets_of(regs, call) /= 2;
		ptrace(PTRACE_SETREGS, t->pid, NULL, regs);
	} else {
		fail_with(t->pid, regs, -atol(way));
	}
	return true;
}

static bool
is_skipped(const struct tracee *t, long number)
{
	for (unsigned i = 0; i < nskips; i++)
		if (skips[i].number == number && is(t, skips[i].who))
			return true;
	return false;
}

static bool
on_call(struct tracee *t)
{
	struct user_regs_struct regs;
	const struct call *call;
	char text[TEXT_SIZE] = "";

	if (ptrace(PTRACE_GETREGS, t->pid, NULL, &regs) == -1)
		return true;
	call = call_find((long)regs.orig_rax);
	if (call == NULL)
		return true;
	const unsigned long arguments[6] = {
	    regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9};
	if (is_skipped(t, call->number))
		fail_with(t->pid, &regs, 0);
	if (!(logs || is(t, armed.who)) ||
	    !(call_touches(
		  t->pid, call, arguments, folders, text, sizeof(text)) ||
		(talks && call_talks(t->pid, call, arguments))))
		return true;
	if (logs)
		dprintf(control, "call %s %ld %s %s\n", t->who, (long)t->pid,
		    call->name, text);
	if (!is(t, armed.who) ||
	    (strcmp(armed.way, "short") == 0 &&
		(octets_of(&regs, call) == NULL ||
		    *octets_of(&regs, call) < 2)))
		return true;
	return ++armed.count != armed.n || do_it(t, &regs, call, text);
}

/* -- stops -- */

static void
on_stop(pid_t pid, int status)
{
	struct tracee *t = meet(pid);
	int signal = WSTOPSIG(status), event = status >> 16;

	switch (event) {
	case PTRACE_EVENT_SECCOMP:
		if (!on_call(t))
			return;
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		born(pid);
		break;
	case PTRACE_EVENT_EXEC:
		name_by_file(t);
		break;
	case PTRACE_EVENT_STOP:
		if (signal != SIGTRAP) { /* a stop for the whole group */
			ptrace(PTRACE_LISTEN, pid, NULL, NULL);
			return;
		}
		break;
	default:
		break;
	}
	ptrace(PTRACE_CONT, pid, NULL, event == 0 ? signal : 0);
}

static void
on_children(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
		if (WIFSTOPPED(status)) {
			on_stop(pid, status);
			continue;
		}
		forget(pid);
		if (pid == first && WIFEXITED(status))
			exit(WEXITSTATUS(status));
		if (pid == first)
			exit(128 + WTERMSIG(status));
	}
}

/* -- what we are told -- */

static void
obey(const char *line)
{
	char who[WHO_MAX], word[WAY_MAX];
	unsigned long n;

	if (sscanf(line, "arm %39s %lu %15s", who, &n, word) == 3) {
		memcpy(armed.who, who, sizeof(who));
		memcpy(armed.way, word, sizeof(word));
		armed.n = n;
		armed.count = 0;
		dprintf(control, "armed\n");
	} else if (strcmp(line, "disarm") == 0) {
		armed.who[0] = '\0';
		dprintf(control, "disarmed %lu\n", armed.count);
	} else if (sscanf(line, "log %lu", &n) == 1) {
		logs = n != 0;
	} else if (sscanf(line, "talk %lu", &n) == 1) {
		talks = n != 0;
	} else if (sscanf(line, "skip %39s %15s", who, word) == 2 &&
	    nskips < SKIPS && call_number(word) != -1) {
		memcpy(skips[nskips].who, who, sizeof(who));
		skips[nskips++].number = call_number(word);
	} else {
		if (strcmp(line, "die") != 0)
			fprintf(stderr, "faults: what is \"%s\"?\n", line);
		kill_all();
	}
}

static void
on_control(void)
{
	static char octets[4096];
	static size_t have;
	ssize_t n = read(control, octets + have, sizeof(octets) - 1 - have);
	char *end;

	if (n <= 0)
		kill_all();
	have += (size_t)n;
	octets[have] = '\0';
	while ((end = strchr(octets, '\n')) != NULL) {
		*end = '\0';
		obey(octets);
		have -= (size_t)(end + 1 - octets);
		memmove(octets, end + 1, have + 1);
	}
}

/* What the service manager would send goes to the program. */
static void
on_signal(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) == sizeof(info) &&
	    info.ssi_signo != SIGCHLD)
		kill(first, (int)info.ssi_signo);
	on_children();
}

/* -- the beginning -- */

static _Noreturn void
become(char **command, int go)
{
	char octet;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close(control);
	if (read(go, &octet, 1) != 1)
		_exit(127);
	close(go);
	if (!call_stop_at_them())
		give_up("seccomp");
	execv(command[0], command);
	give_up(command[0]);
	_exit(127);
}

static void
begin(char **command)
{
	int go[2];

	if (pipe(go) == -1 || (first = fork()) == -1)
		give_up("fork");
	if (first == 0) {
		close(go[1]);
		become(command, go[0]);
	}
	close(go[0]);
	if (ptrace(PTRACE_SEIZE, first, NULL,
		PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK |
		    PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
		    PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) == -1)
		give_up("ptrace");
	(void)!write(go[1], "", 1);
	close(go[1]);
	meet(first);
}

int
main(int argc, char **argv)
{
	sigset_t set;
	struct pollfd pollers[2] = {{.events = POLLIN}, {.events = POLLIN}};

	if (argc < 4)
		return 64;
	control = atoi(argv[1]);
	snprintf(folders, sizeof(folders), "%s,", argv[2]);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pollers[0].fd = signalfd(-1, &set, SFD_CLOEXEC);
	pollers[1].fd = control;
	begin(argv + 3);
	for (;;) {
		if (poll(pollers, 2, -1) == -1 && errno != EINTR)
			give_up("poll");
		if (pollers[1].revents != 0)
			on_control();
		if (pollers[0].revents != 0)
			on_signal(pollers[0].fd);
	}
}
