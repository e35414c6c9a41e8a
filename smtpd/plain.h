/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PLAIN_H
#define SMTPD_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/protocol.h"

struct credentials {
	char name[PROTOCOL_LOGIN_MAX + 1];
	char password[PROTOCOL_PASSWORD_MAX + 1];
};

enum plain_result {
	PLAIN_FINE,
	PLAIN_MALFORMED,
	PLAIN_OTHER /* to act as somebody else, which nobody may */
};

/* The message of the mechanism PLAIN, RFC 4616 section 2. */
enum plain_result plain_read(
    const char *message, size_t n, struct credentials *);

/*
 * One name or password, of 1 to max octets, as a string; false when it has a
 * NUL or another length.
 */
bool plain_text(const char *response, size_t n, char *out, size_t max);

#endif
