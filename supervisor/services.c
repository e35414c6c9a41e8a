/* SPDX-License-Identifier: ISC */
#include "supervisor/services.h"

#include <string.h>

#include "build.h"
#include "common/privileges.h"
#include "common/program.h"

/* Built without libcurl there is nobody who fetches. */
#ifdef HAVE_CURL
#define AND_FETCH , "fetch"
#else
#define AND_FETCH
#endif

#define KIND(k) (1U << LISTENER_##k)

const struct service services[] = {
    {.name = "keys",
	.account = ACCOUNT_KEYS,
	.reload = RELOAD_IN_PLACE,
	.rank = 0,
	.grace_s = 10,
	.files = FILES_TLS,
	.roles = {"smtpd", "pop3d", "deliver", "queue", "admin"}},
    {.name = "userdb",
	.account = ACCOUNT_DB,
	.reload = RELOAD_IN_PLACE,
	.rank = 0,
	.grace_s = 10,
	.files = FILES_TOKENS,
	.roles = {"smtpd", "pop3d", "queue", "admin" AND_FETCH}},
    {.name = "mailbox",
	.account = ACCOUNT_MAIL,
	.reload = RELOAD_IN_PLACE,
	.rank = 0,
	.grace_s = 10,
	.roles = {"userdb", "queue"}},
    {.name = "queue",
	.account = ACCOUNT_QUEUE,
	.reload = RELOAD_IN_PLACE,
	.rank = 1,
	.grace_s = 10,
	.roles = {"smtpd", "deliver", "userdb", "admin", "public"}},
    {.name = "ledger",
	.account = ACCOUNT_LEDGER,
	.reload = RELOAD_IN_PLACE,
	.rank = 0,
	.grace_s = 10,
	.roles = {"smtpd", "gate", "userdb", "deliver", "queue",
	    "admin" AND_FETCH}},
    {.name = "deliver",
	.account = ACCOUNT_DELIVER,
	.reload = RELOAD_FRESH,
	.rank = 2,
	.grace_s = 30},
#ifdef HAVE_CURL
    {.name = "fetch",
	.account = ACCOUNT_FETCH,
	.reload = RELOAD_FRESH,
	.rank = 2,
	.grace_s = 30},
#endif
    {.name = "smtpd",
	.account = ACCOUNT_SMTPD,
	.reload = RELOAD_FRESH,
	.rank = 2,
	.grace_s = 30,
	.listeners = KIND(SUBMISSION) | KIND(SUBMISSIONS),
	.roles = {"gate"}},
    {.name = "smtp-gate",
	.source = "smtpd",
	.account = ACCOUNT_SMTPD,
	.reload = RELOAD_FRESH,
	.rank = 3,
	.grace_s = 10,
	.listeners = KIND(SMTP)},
    {.name = "pop3d",
	.account = ACCOUNT_POP3D,
	.reload = RELOAD_FRESH,
	.rank = 2,
	.grace_s = 30,
	.listeners = KIND(POP3) | KIND(POP3S)},
    {.name = NULL},
};

_Static_assert(sizeof(services) / sizeof(services[0]) <= SERVICES_MAX + 1,
    "the supervisor's arrays hold that many");

const struct role_folder role_folders[] = {
    {"smtpd", ACCOUNT_SMTPD, 0750, 0660},
    {"gate", ACCOUNT_SMTPD, 0750, 0660},
    {"pop3d", ACCOUNT_POP3D, 0750, 0660},
    {"deliver", ACCOUNT_DELIVER, 0750, 0660},
    {"queue", ACCOUNT_QUEUE, 0750, 0660},
    {"userdb", ACCOUNT_DB, 0750, 0660},
    {"mailbox", ACCOUNT_MAIL, 0750, 0660},
    {"ledger", ACCOUNT_LEDGER, 0750, 0660},
    {"keys", ACCOUNT_KEYS, 0750, 0660},
#ifdef HAVE_CURL
    {"fetch", ACCOUNT_FETCH, 0750, 0660},
#endif
    {"admin", NULL, 0700, 0600},
    {"public", NULL, 0755, 0666},
    {.name = NULL},
};

const struct role_folder *
role_folder_find(const char *name)
{
	for (const struct role_folder *f = role_folders; f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

bool
service_program(const struct service *s, char *path, size_t size)
{
	return program_find_in(
	    s->source != NULL ? s->source : s->name, s->name, path, size);
}
