/* SPDX-License-Identifier: ISC */
#ifndef MAILBOX_FOLDER_H
#define MAILBOX_FOLDER_H

#include <stdbool.h>

/*
 * The names in one of a Maildir's three folders, whoever else moves files
 * about in it: a folder that changed while it was read is read again, a few
 * times, since a renamed file may have been met twice or not at all.  So
 * each() may get a name twice.  type: d_type of readdir(3).  It returns
 * false to stop.  -1 and errno when the folder cannot be read.
 */
int folder_each(int maildir, const char *folder,
    bool (*each)(const char *name, unsigned char type, void *context),
    void *context);

#endif
