/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_RECOVER_H
#define QUEUE_RECOVER_H

/*
 * What the spool holds at start, judged name by name (queue/spool.h), a few
 * at a time, while mail is taken in and delivered already.  Messages go into
 * the schedule, the rest is swept or set aside.
 */
void recover_begin(void);

#endif
