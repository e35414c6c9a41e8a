/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LISTS_ZONES_H
#define SMTPD_LISTS_ZONES_H

#include "common/dns_async.h"
#include "common/loop.h"
#include "smtpd/lists_read.h"

/*
 * The zones of the lists, and whether they can be believed (RFC 5782 section
 * 5): each is tried at the start and now and then.
 */
enum {
	ZONE_TRIALS = 4, /* 127.0.0.1 and 127.0.0.2, and so in IPv6 */
	ZONE_SILENCES = 3,
	ZONE_FINE_MS = 3600 * 1000, /* until it is tried again */
	ZONE_IGNORED_MS = 600 * 1000,
	ZONE_SILENT_MS = 60 * 1000,
	ZONE_ALARM_MS = 6 * 3600 * 1000 /* between two of the same */
};

struct zone;

struct zone_trial {
	struct zone *zone;
	struct dns_question *question; /* NULL: there is none */
	enum dns_status status;
};

struct zone {
	const char *name; /* the config's */
	char shown[DNS_NAME_MAX + 1];
	uint32_t lines;    /* of the config's that are about it; 1 << index */
	bool tried;        /* once at least */
	bool ignored;      /* nonsense: nothing of it counts */
	bool silent;       /* it is not asked */
	unsigned silences; /* one after the other */
	int64_t heard;     /* when it answered last */
	char alarm[LISTS_REASON_MAX + 1]; /* the last one's reason */
	int64_t alarmed;
	struct timer timer;
	struct zone_trial trials[ZONE_TRIALS];
	unsigned awaited;                    /* of them */
	char nonsense[LISTS_REASON_MAX + 1]; /* in these trials */
	struct zones *zones;
};

struct zones {
	struct dns_async *dns;
	int64_t patience;             /* milliseconds for an answer */
	void (*tried)(void *context); /* after each trial */
	void *context;
	size_t n;
	struct zone zone[CONFIG_ZONES_MAX];
};

/* The others are set; begins to try each of them. */
void zones_begin(struct zones *, const struct config *);

/* No call comes any more. */
void zones_end(struct zones *);

/* Is it asked about clients?  Does what it answers count? */
bool zone_is_asked(const struct zone *);
bool zone_counts(const struct zone *);

/* What came of a question about a client; the answer with DNS_FOUND alone. */
void zone_heard(struct zone *, enum dns_status, const struct dns_answer *);

#endif
