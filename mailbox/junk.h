/* SPDX-License-Identifier: ISC */
#ifndef MAILBOX_JUNK_H
#define MAILBOX_JUNK_H

#include <stdbool.h>

#include "mailbox/place.h"
#include "mailbox/targets.h"

/*
 * The folder for suspect mail: .Junk below a Maildir, a Maildir itself, as
 * Maildir++ has it (the file maildirfolder marks it), so that IMAP servers
 * show it as the folder Junk.
 */
#define JUNK_NAME "Junk"

/*
 * Open it; made where it is missing, when told.  -1 and errno: ENOENT, there
 * is none.
 */
int junk_open(int maildir, bool create);

/*
 * Put suspect mail into the inbox (a target) or, when told, into its folder
 * Junk.  The placement's name, content and flags count.  One that may be
 * there already is looked for in both: the config may have said otherwise
 * then, or somebody has moved it.  *folder: where it lies, NULL: the inbox.
 */
enum verdict junk_place(const struct target *inbox, bool into_folder,
    const struct placement *, const char **folder, const char **why);

#endif
