/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_RECOVER_H
#define QUEUE_RECOVER_H

/*
 * What the spool holds at start (queue/spool.h), while mail is taken in and
 * delivered already.  A process of its own reads it (queue/reader.h); here
 * messages go into the schedule, and what is none is judged once more and
 * swept or set aside.
 */
void recover_begin(void);

#endif
