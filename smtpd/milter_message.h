/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MILTER_MESSAGE_H
#define SMTPD_MILTER_MESSAGE_H

/*
 * The message is whole, and judged: the filters that hear of it see it, one
 * after the other, and each may change it for those behind it.
 */
struct message;

enum milters_end {
	MILTERS_TAKE,
	MILTERS_DISCARD, /* the client is told that it was taken */
	MILTERS_REFUSE   /* milters_refuse() tells */
};

enum milters_end milters_message(struct message *);

#endif
