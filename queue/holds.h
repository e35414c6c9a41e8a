/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_HOLDS_H
#define QUEUE_HOLDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "queue/envelope.h"

/*
 * Whose mail is held until the postmaster releases it: rules by login, by
 * sender, by Unix user.  They stand in spool/holds (postrider-spool(5)):
 *
 *	postrider-holds 1
 *	login TIME <PATTERN> REASON
 *	sender TIME <PATTERN> REASON
 *	uid TIME <NUMBER> REASON
 *
 * escaped as envelopes are.  A line that makes no sense is left out; the
 * rest counts.
 */
enum {
	HOLD_RULES_MAX = 10000,
	HOLD_NAME_MAX = 800, /* twice an address, for its backslashes */
	HOLDS_FILE_MAX = 16 << 20
};

enum hold_kind { HOLD_LOGIN, HOLD_SENDER, HOLD_UID, HOLD_KINDS };

struct hold_rule {
	enum hold_kind kind;
	char *name;    /* queue/pattern.h; of a uid its number */
	char *reason;  /* at most ENVELOPE_TEXT_MAX octets */
	int64_t since; /* unix seconds */
	uint32_t hash;
	bool wild;
};

struct holds {
	struct hold_rule *rules;
	size_t n, room;
};

const char *hold_kind_name(enum hold_kind);
bool hold_kind_named(const char *name, enum hold_kind *);

/* Add it, or give it another reason; texts are copied.  -1 and errno. */
int holds_set(struct holds *, enum hold_kind, const char *name,
    const char *reason, int64_t since);

/* NULL: there is none of that name. */
const struct hold_rule *holds_find(
    const struct holds *, enum hold_kind, const char *name);

/* False: there was none. */
bool holds_end(struct holds *, enum hold_kind, const char *name);

void holds_free(struct holds *);

/*
 * The rule that such a message is under; NULL: none.  A message that was
 * released since the rule was made is not.
 */
const struct hold_rule *holds_match(
    const struct holds *, const struct envelope *);

/* The rule for this login, whatever else there is; NULL: none. */
const struct hold_rule *holds_of_login(
    const struct holds *, const char *login);

/*
 * Why it is held, by itself or by a rule; NULL: it is not.
 */
const char *holds_reason(const struct holds *, const struct envelope *);

/* The file's text; false without memory. */
bool holds_format(const struct holds *, struct buf *);

/* Add what stands in it.  How many lines made no sense; -1: no memory. */
int holds_parse(struct holds *, const void *octets, size_t n);

/* -- the file, below the spool's folder; -1 and errno -- */

/* As above; a file that is not there has no rules. */
int holds_read(struct holds *, int spool);

/*
 * Replace it by this text; waits for the disk, and is durable then.  One that
 * is damaged is kept, as quarantine/holds.*.
 */
int holds_write(int spool, bool damaged, const void *text, size_t n);

#endif
