/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_CHECK_H
#define QUEUE_CHECK_H

#include <stdbool.h>

/*
 * What `postrider check --spool` finds in the spool (queue.spool), a line
 * each on standard output.  repair: the spool is ours meanwhile; what the
 * next start would set aside though it can be made whole is made whole, and
 * what became whole in quarantine/ is put back.  EX_OK, EX_DATAERR when there
 * is damage, or what went wrong.
 */
int check_spool(bool repair);

/* -- queue/check-repair.c -- */

/* Content in new/ and cur/ that is the same: the one in new/ is removed. */
bool check_same_content(const char *id);

/*
 * *whole: both parts of it are in quarantine/, and make a message; with
 * repair it is back then.  False: they are not both there.
 */
bool check_put_back(const char *id, bool repair, bool *whole);

#endif
