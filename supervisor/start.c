/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/inherit.h"
#include "common/log.h"
#include "common/loop.h"
#include "supervisor/accounts.h"
#include "supervisor/command.h"
#include "supervisor/commands.h"
#include "supervisor/doors.h"
#include "supervisor/notify.h"
#include "supervisor/snapshot.h"
#include "supervisor/sockets.h"
#include "supervisor/suite.h"

/* For ports of a suite before this one, whose last sessions are ending. */
enum { PORT_WAIT_MS = 5000 };

/* In the daemon: an octet there tells the caller that all is well. */
static int caller = -1;

static int
complain(int code, const char *text)
{
	fprintf(stderr, "postrider: %s\n", text);
	return code;
}

/* -- into the background -- */

/* The caller's process: it stays until the suite serves, or does not. */
static int
wait_for_daemon(pid_t daemon, int fd)
{
	char octet = 0;
	int status;

	while (read(fd, &octet, 1) == -1 && errno == EINTR)
		continue;
	/* Either all serve, or the daemon is ending and its code is known. */
	if (octet == '+')
		return EX_OK;
	while (waitpid(daemon, &status, 0) == -1)
		if (errno != EINTR)
			return EX_OSERR;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

/* 0: in the daemon; else in the caller, with *code. */
static pid_t
daemonise(int *code)
{
	int ends[2];
	pid_t pid;

	if (pipe(ends) == -1 || (pid = fork()) == -1) {
		*code = complain(EX_OSERR, strerror(errno));
		return -1;
	}
	if (pid > 0) {
		close(ends[1]);
		*code = wait_for_daemon(pid, ends[0]);
		return pid;
	}
	close(ends[0]);
	caller = ends[1];
	fcntl(caller, F_SETFD, FD_CLOEXEC);
	setsid();
	if (chdir("/") == -1)
		exit(complain(EX_OSERR, strerror(errno)));
	return 0;
}

static void
leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null == -1)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
}

/* -- one suite a run-dir -- */

static int
take_lock(const char *run_dir, char *error)
{
	char text[24];
	int run = fs_open_dir(AT_FDCWD, run_dir), fd = -1, n;

	if (run != -1) {
		fd = openat(run, "postrider.pid",
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		close(run);
	}
	if (fd == -1 || fs_lock(fd) == -1) {
		snprintf(error, CONFIG_ERROR_MAX,
		    errno == EWOULDBLOCK ? "a suite is running already on %s"
					 : "cannot lock %s/postrider.pid: %s",
		    run_dir, strerror(errno));
		return -1;
	}
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) == -1 || fs_write_at(fd, text, (size_t)n, 0) == -1)
		log_errno(LEVEL_WARNING, "cannot write", "postrider.pid");
	return 0; /* the descriptor stays open for life */
}

/* -- what the suite tells -- */

static void
on_serving(void)
{
	log_event(LEVEL_INFO, "serving", log_text("what", suite.config_path),
	    log_text("hostname", suite.config.hostname));
	notify_say("READY=1\nSTATUS=All services run.\n");
	if (caller == -1)
		return;
	leave_terminal();
	while (write(caller, "+", 1) == -1 && errno == EINTR)
		continue;
	close(caller);
	caller = -1;
}

static void
on_reloaded(const char *problem)
{
	notify_say(problem == NULL ? "READY=1\nSTATUS=All services run.\n"
				   : "READY=1\nSTATUS=Reload incomplete.\n");
	command_reloaded(problem);
}

static void
on_stopping(void)
{
	notify_say("STOPPING=1\nSTATUS=Sessions finish.\n");
}

static const struct suite_listener listener = {
    .serving = on_serving,
    .reloading = notify_reloading,
    .reloaded = on_reloaded,
    .status = command_status_heard,
    .stopping = on_stopping,
};

/* -- in order -- */

static int
open_everything(int *control, char *error)
{
	struct open_listeners given;
	const char *missing = accounts_missing();

	if (missing != NULL) {
		snprintf(error, CONFIG_ERROR_MAX,
		    "no account \"%s\": run \"postrider init\"", missing);
		return EX_NOUSER;
	}
	if (sockets_make_folders(suite.config.run_dir, error) == -1)
		return EX_OSFILE;
	if (take_lock(suite.config.run_dir, error) == -1)
		return EX_TEMPFAIL;
	listeners_adopt(&given);
	if (listeners_open(&suite.config, &given, &suite.listeners,
		PORT_WAIT_MS, error) == -1)
		return EX_OSERR;
	listeners_retire(&given, &suite.listeners);
	if (suite_open(error) == -1)
		return EX_OSFILE;
	if (doors_open(&suite.config, error) == -1)
		return EX_OSFILE;
	*control = sockets_open_control(suite.config.run_dir, error);
	if (*control == -1)
		return EX_OSERR;
	if (logs_choose_sink(&suite.config, suite.foreground, error) == -1)
		return EX_CANTCREAT;
	return EX_OK;
}

static int
run(void)
{
	char error[CONFIG_ERROR_MAX];
	int control, code;

	signal(SIGPIPE, SIG_IGN);
	umask(022);
	notify_open();
	loop_init();
	log_hold();
	code = open_everything(&control, error);
	if (code != EX_OK)
		return complain(code, error);
	command_begin(control);
	suite_begin(&listener);
	code = loop_run();
	if (suite.problem[0] != '\0')
		complain(code, suite.problem);
	logs_finish();
	log_event(LEVEL_INFO, "ended", log_number("exit", code));
	log_flush();
	command_stopped();
	return code;
}

int
command_start(const char *config_path, int argc, char **argv)
{
	char error[CONFIG_ERROR_MAX];
	int code = EX_OK;

	inherit_take();
	suite.foreground = argc == 2 && strcmp(argv[1], "-f") == 0;
	if (argc > 2 || (argc == 2 && !suite.foreground))
		return complain(EX_USAGE, "usage: postrider start [-f]");
	suite.config_path = realpath(config_path, NULL);
	if (suite.config_path == NULL) {
		snprintf(error, sizeof(error), "%s: %s", config_path,
		    strerror(errno));
		return complain(EX_CONFIG, error);
	}
	suite.config_fd =
	    snapshot_take(suite.config_path, &suite.config, error);
	if (suite.config_fd == -1)
		return complain(EX_CONFIG, error);
	if (!suite.foreground && daemonise(&code) != 0)
		return code;
	return run();
}
