/* SPDX-License-Identifier: ISC */
#ifndef MAILBOX_RECORD_H
#define MAILBOX_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/address.h"
#include "common/protocol.h"

/*
 * The record that begins every connection to mailbox (common/protocol.h):
 * all that the part that can change uid ever reads.
 */
enum record_kind {
	VIRTUAL_SESSION,
	SYSTEM_SESSION,
	VIRTUAL_JUNK, /* sessions on the folder Junk */
	SYSTEM_JUNK,
	VIRTUAL_DELIVER,
	SYSTEM_DELIVER
};

struct record {
	enum record_kind kind;
	char name[MAILBOX_RECORD - MAILBOX_RECORD_KIND];
};

/*
 * False unless it is MAILBOX_RECORD octets, of a known kind, with a name of
 * the form that this kind has, padded with NULs and nothing else.
 */
bool record_read(const void *octets, size_t n, struct record *);

static inline bool
record_is_session(const struct record *r)
{
	return r->kind < VIRTUAL_DELIVER;
}

static inline bool
record_is_junk(const struct record *r)
{
	return r->kind == VIRTUAL_JUNK || r->kind == SYSTEM_JUNK;
}

static inline bool
record_is_system(const struct record *r)
{
	return r->kind == SYSTEM_SESSION || r->kind == SYSTEM_JUNK ||
	    r->kind == SYSTEM_DELIVER;
}

/*
 * Where a virtual user's Maildir lies below mail-dir: domain, then local.
 * False for an address that cannot be two folders' names.
 */
struct mailbox_place {
	char domain[ADDRESS_DOMAIN_MAX + 1];
	char local[ADDRESS_LOCAL_MAX + 1];
};

bool mailbox_place(const char *address, struct mailbox_place *);

#endif
