/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* O_PATH */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/print.h"
#include "common/privileges.h"
#include "common/program.h"
#include "supervisor/folders.h"
#include "supervisor/report.h"

/*
 * The spool.  What stands in its files is judged by queue, which becomes the
 * spool's user first.  Here is only what that user cannot do: to give files
 * and folders to him that a restore or a copy by root has left to others.
 *
 * He may be broken in, and may plant what he likes in the spool: so nothing
 * is read, no link is followed, each thing is looked at and changed by one
 * descriptor, and only folders, and regular files whose one and only name is
 * the one in the spool, are given.  A hard link to somebody's file has two.
 */
enum { SHOWN = 10 };

static struct {
	struct account queue, mail;
	bool root, repair;
	size_t wrong;
} spool;

static const struct part {
	const char *folder; /* "": the spool itself */
	mode_t files;       /* mode of what is in it, as root and */
	mode_t own;         /* when the suite runs as an ordinary user */
} parts[] = {
    {"", 0600, 0600},
    {"new", 0660, 0600},
    {"cur", 0660, 0600},
    {"tmp", 0660, 0600},
    {"envelope", 0600, 0600},
    {"quarantine", 0600, 0600},
};
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

/* A descriptor of the very thing behind an O_PATH one. */
static int
change(int fd, uid_t uid, gid_t gid, mode_t mode)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (spool.root && fchownat(fd, "", uid, gid, AT_EMPTY_PATH) == -1)
		return -1;
	return chmod(path, mode);
}

static void
wrong(const char *folder, const char *name, const char *what)
{
	if (spool.wrong++ < SHOWN)
		report_error("%s%s%s: %s", folder, folder[0] != '\0' ? "/" : "",
		    name, what);
}

static void
repaired(const char *folder, const char *name)
{
	printf("repaired: %s%s", folder, folder[0] != '\0' ? "/" : "");
	print_clean(name);
	puts(": owner and mode");
}

/* A second name is a Maildir's, or somebody's file: not ours to give. */
static void
look_at_file(int folder, const struct part *part, const char *name)
{
	mode_t mode = spool.root ? part->files : part->own;
	int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat is;
	bool owned;

	if (fd == -1)
		return; /* gone meanwhile */
	if (fstat(fd, &is) == -1 || !S_ISREG(is.st_mode)) {
		close(fd);
		return; /* queue tells */
	}
	owned = is.st_uid == spool.queue.uid;
	if (owned && (is.st_nlink > 1 || (is.st_mode & 0600) == 0600)) {
		close(fd);
		return;
	}
	if (is.st_nlink > 1)
		wrong(part->folder, name,
		    "belongs to another user, and has another name elsewhere: "
		    "not touched");
	else if (!spool.repair)
		wrong(part->folder, name,
		    owned ? "wrong mode" : "belongs to another user");
	else if (change(fd, spool.queue.uid,
		     mode == 0660 ? spool.mail.gid : spool.queue.gid,
		     mode) == -1)
		wrong(part->folder, name, strerror(errno));
	else
		repaired(part->folder, name);
	close(fd);
}

/* What else lies in the spool itself may be anybody's. */
static bool
is_ours(const struct part *part, const char *name)
{
	if (part->folder[0] == '\0')
		return strcmp(name, "clock") == 0 ||
		    strcmp(name, "holds") == 0;
	return name[0] != '.';
}

static void
look_at_files(int folder, const struct part *part)
{
	int fd = fs_open_dir(folder, ".");
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (dir == NULL) {
		wrong(part->folder, ".", strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		if (is_ours(part, entry->d_name))
			look_at_file(folder, part, entry->d_name);
	closedir(dir);
}

static void
look_at_folder(const struct config *config, const struct part *part)
{
	struct folder_wanted w;
	const struct house_folder *f = house_folders;
	struct stat is;
	int fd;

	/* The spool's own rows are the first, in any order. */
	while (f->owner != NULL &&
	    (f->where != offsetof(struct config, spool_dir) ||
		strcmp(f->below != NULL ? f->below : "", part->folder) != 0))
		f++;
	if (f->owner == NULL || folder_wanted(f, config, &w) == -1)
		return; /* check_accounts tells */
	fd = fs_open_dir(AT_FDCWD, w.path);
	if (fd == -1 || fstat(fd, &is) == -1) {
		report_error("%s: %s", w.path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	if ((is.st_uid != w.uid || is.st_gid != w.gid ||
		(is.st_mode & 07777) != w.mode) &&
	    (!spool.repair || (spool.root && fchown(fd, w.uid, w.gid) == -1) ||
		fchmod(fd, w.mode) == -1))
		report_error("%s: wrong owner or mode", w.path);
	look_at_files(fd, part);
	close(fd);
}

static _Noreturn void
become_queue(int out, const char *config_path, bool repair)
{
	char path[4096];

	if (dup2(out, STDOUT_FILENO) == -1)
		_exit(EX_OSERR);
	if (program_find("queue", path, sizeof(path)))
		execl(path, "queue", "-c", config_path,
		    repair ? "repair" : "check", (char *)NULL);
	printf("error: no program \"queue\"\n");
	fflush(stdout);
	_exit(EX_OSFILE);
}

static void
pass_on(int fd)
{
	FILE *in = fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;

	if (in == NULL) {
		close(fd);
		return;
	}
	while (getline(&line, &size, in) != -1) {
		line[strcspn(line, "\n")] = '\0';
		report_line(line);
	}
	free(line);
	fclose(in);
}

static int
run_queue(const char *config_path, bool repair)
{
	int ends[2], status;
	pid_t pid;

	fflush(NULL);
	if (pipe2(ends, O_CLOEXEC) == -1)
		return EX_OSERR;
	pid = fork();
	if (pid == 0)
		become_queue(ends[1], config_path, repair);
	close(ends[1]);
	pass_on(ends[0]);
	while (pid != -1 && waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return EX_OSERR;
	return pid != -1 && WIFEXITED(status) ? WEXITSTATUS(status)
					      : EX_SOFTWARE;
}

/* Held by a queue that runs: nothing is repaired behind its back. */
static bool
is_in_use(const struct config *config)
{
	int fd = fs_open_dir(AT_FDCWD, config->spool_dir);
	bool used = fd >= 0 && fs_lock(fd) == -1 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	return used;
}

bool
check_spool(const struct config *config, const char *config_path, bool repair)
{
	int code;

	spool.root = privileges_are_root();
	spool.repair = repair;
	spool.wrong = 0;
	spool.queue = (struct account){.uid = geteuid(), .gid = getegid()};
	if (spool.root &&
	    (account_find(ACCOUNT_QUEUE, &spool.queue) == -1 ||
		account_find(ACCOUNT_MAIL, &spool.mail) == -1)) {
		report_error("no accounts: run \"postrider init\"");
		return false;
	}
	if (repair && is_in_use(config)) {
		report_error(
		    "%s is in use: stop the suite first", config->spool_dir);
		return false;
	}
	for (size_t i = 0; i < PARTS; i++)
		look_at_folder(config, &parts[i]);
	if (spool.wrong > SHOWN)
		report_error("and %zu more", spool.wrong - SHOWN);
	code = run_queue(config_path, repair);
	if (code != EX_OK && code != EX_DATAERR)
		report_error("the spool was not read to its end: %d", code);
	if (code == EX_OK && spool.wrong == 0)
		return true;
	report_note(repair
		? "what is left is set aside in quarantine/ at the next start; "
		  "postrider-spool(5) tells how to bring it back"
		: "\"postrider check --spool --repair\", when the suite is "
		  "stopped, puts right what can be");
	return false;
}
