/* SPDX-License-Identifier: ISC */
#ifndef SENDMAIL_SEND_H
#define SENDMAIL_SEND_H

#include "common/config.h"
#include "sendmail/options.h"

/*
 * The modes.  Each returns an exit code of sysexits(3) and has said on
 * standard error why when it is not EX_OK.
 */
int send_message(const struct options *, const struct config *);
int dialogue(const struct options *, const struct config *);
int list_queue(const struct options *, const struct config *);
int flush_queue(const struct options *, const struct config *);

/* "sendmail: ..." on standard error; returns code. */
int complain(int code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
