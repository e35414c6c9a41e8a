/* SPDX-License-Identifier: ISC */
#ifndef MAILBOX_OPEN_H
#define MAILBOX_OPEN_H

/*
 * The Maildir of a virtual user below mail-dir, made where it is missing.
 * -1 and errno; EINVAL for an address that can have none.
 */
int mailbox_open(int mail_dir, const char *address);

#endif
