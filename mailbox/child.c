/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/log.h"
#include "common/maildir.h"
#include "common/sandbox.h"
#include "common/verdict.h"
#include "mailbox/junk.h"
#include "mailbox/mailbox.h"
#include "mailbox/open.h"
#include "mailbox/sizes.h"

enum {
	/* REFER needs the same rights at both ends of a link. */
	RIGHTS_DELIVERY = SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE |
	    SANDBOX_CREATE | SANDBOX_REMOVE | SANDBOX_MOVE | SANDBOX_FOLDERS,
	/* Moves and removes names, changes no message. */
	RIGHTS_SESSION = SANDBOX_READ | SANDBOX_LIST | SANDBOX_CREATE |
	    SANDBOX_REMOVE | SANDBOX_MOVE
};

/* A speaker that sends a large message to a slow client asks nothing. */
enum { TRANSFER_MS = 60 * 60 * 1000 };

/*
 * A process of the user's takes his signals.  One that he ends by SIGSEGV
 * would look like a crash, for which the service is started afresh; a real
 * fault kills whatever is blocked.
 */
static void
block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

/*
 * The system is asked here, not in the parent, which must not wait.  Who gets
 * mail is userdb's to say; who never does, ours: errno is EPERM then.
 */
static int
become_system_user(
    const struct mailbox *m, const char *login, struct account *account)
{
	if (account_find(login, account) == -1)
		return -1;
	if ((uint64_t)account->uid < m->config.minimum_uid) {
		errno = EPERM;
		return -1;
	}
	block_signals();
	return privileges_become(account);
}

static int
become_user(const struct mailbox *m, const struct record *record,
    struct account *account)
{
	if (record_is_system(record))
		return become_system_user(m, record->name, account);
	return m->root ? privileges_become(&m->mail) : 0;
}

/* Already as the user, so a home that is not his gives nothing away. */
static int
open_home(const struct account *account)
{
	struct stat status;
	int fd = open(account->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	if (fstat(fd, &status) == 0 && status.st_uid == account->uid)
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

static int
open_system_maildir(const struct account *account)
{
	int home = open_home(account), maildir;

	if (home == -1)
		return -1;
	maildir = maildir_open(home, "Maildir", true);
	close(home);
	return maildir;
}

int
mailbox_open(int mail_dir, const char *address)
{
	struct mailbox_place place;
	int domain, maildir;

	if (!mailbox_place(address, &place)) {
		errno = EINVAL;
		return -1;
	}
	domain = fs_open_dir(mail_dir, place.domain);
	if (domain == -1 && errno == ENOENT &&
	    fs_make_dir(mail_dir, place.domain, 0700) == 0 &&
	    fs_sync(mail_dir) == 0)
		domain = fs_open_dir(mail_dir, place.domain);
	if (domain == -1)
		return -1;
	maildir = maildir_open(domain, place.local, true);
	close(domain);
	return maildir;
}

static void
confine(const struct sandbox_folder *folders, size_t n)
{
	sandbox_enter(&(struct sandbox){.folders = folders, .nfolders = n});
}

static bool
on_same_device(const char *path, int fd)
{
	struct stat a, b;

	return stat(path, &a) == 0 && fstat(fd, &b) == 0 &&
	    a.st_dev == b.st_dev;
}

/* Of the folder Junk nothing is made: where there is none it is empty. */
static bool
go_into_junk(struct session *session)
{
	int maildir = session->maildir;

	session->folder = JUNK_NAME;
	session->maildir = junk_open(maildir, false);
	session->is_empty = session->maildir == -1 && errno == ENOENT;
	close(maildir);
	return session->maildir != -1 || session->is_empty;
}

static void
prepare_session(const struct mailbox *m, const struct record *record,
    struct session *session)
{
	session->sizes = -1;
	if (session->is_empty) {
		confine(NULL, 0);
		return;
	}
	session->sizes = sizes_open(session->maildir);
	session->links_only = !m->root && !record_is_system(record) &&
	    on_same_device(m->config.spool_dir, session->maildir);
	confine(
	    &(struct sandbox_folder){session->maildir, NULL, RIGHTS_SESSION},
	    1);
}

static int
serve_session(const struct mailbox *m, const struct record *record,
    const struct account *account, int fd)
{
	struct session session = {.fd = fd,
	    .user = record->name,
	    .idle_ms = (int64_t)m->config.pop3_timeout * 2000 + TRANSFER_MS,
	    .queue_lifetime = (int64_t)m->config.queue_lifetime};

	session.maildir = record_is_system(record)
	    ? open_system_maildir(account)
	    : mailbox_open(m->mail_dir, record->name);
	if (session.maildir == -1 ||
	    (record_is_junk(record) && !go_into_junk(&session)))
		return -1;
	close(m->mail_dir);
	prepare_session(m, record, &session);
	return session_serve(&session);
}

static int
serve_virtual_delivery(const struct mailbox *m, int fd, int stop_fd)
{
	const struct sandbox_folder folders[] = {
	    {m->mail_dir, NULL, RIGHTS_DELIVERY},
	    {-1, m->config.spool_dir, RIGHTS_DELIVERY}};

	confine(folders, 2);
	return delivery_serve(&(struct delivery){.fd = fd,
	    .stop_fd = stop_fd,
	    .mail_dir = m->mail_dir,
	    .maildir = -1});
}

/* maildir: -1 where there is none to be had, and each message is told so. */
static int
serve_system_delivery(
    const struct record *record, int maildir, int fd, int stop_fd)
{
	const struct sandbox_folder folder = {maildir, NULL, RIGHTS_DELIVERY};

	confine(&folder, maildir == -1 ? 0 : 1);
	return delivery_serve(&(struct delivery){.fd = fd,
	    .stop_fd = stop_fd,
	    .mail_dir = -1,
	    .maildir = maildir,
	    .login = record->name});
}

static void
refuse(const struct record *record, int fd)
{
	log_event(LEVEL_WARNING, "cannot serve",
	    log_address("to", record->name),
	    log_text("reason", strerror(errno)));
	if (record_is_session(record))
		session_refuse(
		    fd, verdict_row(VERDICT_MAILBOX_BUSY)->name, NULL);
}

/* The user will not do; nor may anything go on with our capabilities. */
static int
refuse_delivery(
    const struct mailbox *m, const struct record *record, int fd, int stop_fd)
{
	refuse(record, fd);
	if (m->root && privileges_become(&m->mail) == -1)
		return EX_NOPERM;
	close(m->mail_dir);
	return serve_system_delivery(record, -1, fd, stop_fd);
}

static int
deliver_to_system(const struct mailbox *m, const struct record *record,
    const struct account *account, int fd, int stop_fd)
{
	int maildir = open_system_maildir(account);

	if (maildir == -1)
		refuse(record, fd);
	close(m->mail_dir);
	return serve_system_delivery(record, maildir, fd, stop_fd);
}

int
child_run(
    const struct mailbox *m, const struct record *record, int fd, int stop_fd)
{
	struct account account;
	int rc;

	if (become_user(m, record, &account) == -1) {
		if (record->kind == SYSTEM_DELIVER)
			return refuse_delivery(m, record, fd, stop_fd);
		refuse(record, fd);
		return EX_NOPERM;
	}
	switch (record->kind) {
	case VIRTUAL_DELIVER:
		return serve_virtual_delivery(m, fd, stop_fd);
	case SYSTEM_DELIVER:
		return deliver_to_system(m, record, &account, fd, stop_fd);
	default:
		close(stop_fd);
		rc = serve_session(m, record, &account, fd);
	}
	if (rc == -1)
		refuse(record, fd);
	return rc == -1 ? EX_TEMPFAIL : rc;
}
