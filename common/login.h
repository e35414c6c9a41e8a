/* SPDX-License-Identifier: ISC */
#ifndef COMMON_LOGIN_H
#define COMMON_LOGIN_H

#include <stdbool.h>

#include "common/protocol.h"
#include "common/sasl.h"
#include "common/verdict.h"

/*
 * A speaker's conversation with userdb about one client that logs in
 * (common/protocol.h).  Each attempt makes a socket pair; one end goes with
 * the credentials, and when they are right the other one leads to the
 * owner who serves that user.  Every packet with a secret in it is wiped.
 */
struct login {
	int *userdb;	     /* the caller's connection; -1: made when needed */
	const char *service; /* "smtpd", for log lines */
	const char *client;  /* its address */
	bool tls;
	/* after LOGIN_OK */
	int end; /* the caller's from then on, and -1 before */
	char user[PROTOCOL_LOGIN_MAX + 1]; /* canonical */
	int pending; /* our end while a SCRAM exchange is open, else -1 */
};

/* Pointers are kept, not copied. */
void login_init(struct login *, int *userdb, const char *service,
    const char *client, bool tls);

/* For sasl_server_begin(); its context is a struct login. */
extern const struct sasl_backend login_backend;

/* USER and PASS; APOP (RFC 1939 section 7).  LOGIN_OK, _FAILED, _LATER. */
enum verdict login_password(struct login *, const char *mechanism,
    const char *user, const char *password);
enum verdict login_digest(struct login *, const char *kind, const char *user,
    const char *challenge, const char *response);

/* Closes what is still ours. */
void login_end(struct login *);

#endif
