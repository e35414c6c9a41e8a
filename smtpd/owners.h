/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OWNERS_H
#define SMTPD_OWNERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/protocol.h"
#include "common/submit.h"
#include "common/verdict.h"

/*
 * A worker's connections to userdb and queue (common/protocol.h).  They are
 * made when they are needed, kept from one session to the next, and made
 * anew when an owner was restarted in between.
 */
enum { OWNERS_KEPT = 16, OWNERS_LIMIT_MAX = 31 };

/* Where a recipient's mail ends, as userdb tells it. */
struct owners_place {
	/* the one mailbox, by its canonical name; "": none, or several */
	char mailbox[PROTOCOL_ADDRESS_MAX + 1];
	/* its own mailbox-messages; "": the config's */
	char limit[OWNERS_LIMIT_MAX + 1];
};

struct owners {
	int userdb, queue; /* -1: none */
	/* recipients that userdb has let us take without asking again */
	struct owners_kept {
		char *address; /* NULL: none */
		char *mailbox, *limit;
	} kept[OWNERS_KEPT];
	/* A login's end at queue, which replaces queue for one session. */
	int login;
	struct submit_ahead ahead, login_ahead; /* of both */
};

#define OWNERS_INIT                                                            \
	{                                                                      \
		.userdb = -1, .queue = -1, .login = -1                         \
	}

/* Connect to both now; false when that fails. */
bool owners_connect(struct owners *);
void owners_close(struct owners *);

/* A login speaks for itself on userdb's connection: nothing is kept there. */
void owners_keep_nothing(struct owners *);

/*
 * userdb does not answer, or nonsense: VERDICT_INTERNAL.  null: of mail
 * without a sender; place is filled in, whatever the verdict.
 */
enum verdict owners_recipient(struct owners *, const char *address, bool null,
    struct owners_place *place);
enum verdict owners_may_send(
    struct owners *, const char *login, const char *address);

/*
 * A login's end at queue, which becomes the owners': messages of this
 * session are the login's until owners_forget_login().
 */
void owners_take_login(struct owners *, int end);
void owners_forget_login(struct owners *);

/* Has queue room for so many octets?  VERDICT_OK, or why not. */
enum verdict owners_room(struct owners *, uint64_t size);

/*
 * Open a message at queue, over the login's end if there is one; client_fd
 * as submit_open() takes it.
 */
enum verdict owners_open(struct owners *, int client_fd, uint64_t size,
    struct submission *message);

/* Call when the message is done: forgets a connection that was lost. */
void owners_done(struct owners *, const struct submission *message);

/* For submit_commit(). */
int64_t owners_deadline(void);

#endif
