/* SPDX-License-Identifier: ISC */
#ifndef COMMON_PRIVILEGES_H
#define COMMON_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

/* The accounts of the suite; `postrider init` makes them. */
#define ACCOUNT_SMTPD	"postrider-smtpd"
#define ACCOUNT_POP3D	"postrider-pop3d"
#define ACCOUNT_DELIVER "postrider-deliver"
#define ACCOUNT_QUEUE	"postrider-queue"
#define ACCOUNT_MAIL	"postrider-mail"
#define ACCOUNT_DB	"postrider-db"
#define ACCOUNT_LEDGER	"postrider-ledger"
#define ACCOUNT_KEYS	"postrider-keys"
#define ACCOUNT_FETCH	"postrider-fetch"

enum { ACCOUNT_GROUPS_MAX = 64 };

struct account {
	uid_t uid;
	gid_t gid;
	int ngroups; /* gid and those that the system lists beside it */
	gid_t groups[ACCOUNT_GROUPS_MAX];
	char home[256];
};

/*
 * 0; -1 with errno ENOENT when there is no such account.  The system's
 * look-ups cost up to a hundred system calls: done once, not per session.
 */
int account_find(const char *name, struct account *);

/* Started by root: chroots and other users are possible. */
bool privileges_are_root(void);

/*
 * The one way down.  folder is the process's own in run-dir; it becomes the
 * current folder, where the sockets of the owners that it may talk to lie
 * (ipc_connect("userdb")).  As root: chroot there if asked to, set the groups
 * to the account's own and those that the system lists for it, then gid,
 * uid, and check that there is no way back.  As an ordinary user: only the
 * change of folder.  Either way umask 077 and no_new_privs.  Ends the process
 * (EX_OSERR) with a log line when any of it fails.
 */
void privileges_drop(const char *account, const char *folder, bool chroot);

/*
 * The same without a chroot, keeping exactly CAP_SETUID and CAP_SETGID: for
 * the part of mailbox that becomes users.
 */
void privileges_drop_to_become(const char *account, const char *folder);

/*
 * From there, in a child: become this user for good.  Also from root.
 */
int privileges_become(const struct account *);

#endif
