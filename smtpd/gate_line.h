/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_GATE_LINE_H
#define SMTPD_GATE_LINE_H

#include "common/cursor.h"

/*
 * What a client's first octets are; pure.  More than a command and its
 * argument need (RFC 5321 section 4.5.3.1.4) is no command.
 */
enum { GATE_LINE_MAX = 512 };

enum gate_line {
	GATE_LINE_MORE,   /* no whole line yet */
	GATE_LINE_WHOLE,
	GATE_LINE_LONG,   /* more than GATE_LINE_MAX without an end */
	GATE_LINE_FOREIGN /* TLS, HTTP or another protocol (A6) */
};

enum gate_line gate_line_judge(struct span octets);

#endif
