/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MILTER_MACROS_H
#define SMTPD_MILTER_MACROS_H

#include <stdbool.h>

#include "common/buf.h"
#include "smtpd/milter_packet.h"

/*
 * What filters may know besides a command's own words, by the names that
 * Sendmail and Postfix document.
 */
struct session;

struct milter_macros {
	struct session *session;
	const char *id;        /* of the message; NULL: it has none yet */
	const char *recipient; /* as its text; NULL: none is being named */
	bool local;            /* the recipient is one of ours */
};

/*
 * The packet of macros that goes before that command at that stage: those of
 * the stage, and what the filter has asked for there.  Nothing where there
 * are none.
 */
void milter_macros_add(struct buf *out, const struct milter_macros *,
    enum milter_command, enum milter_stage, const char *asked);

#endif
