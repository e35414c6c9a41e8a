/* SPDX-License-Identifier: ISC */
#include "ledger/sts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"

enum {
	ROWS_MAX = 1 << 15,
	DAY = 86400,
	IN_USE_S = 14 * DAY,
	USED_ANEW_S = 3600, /* the time of use is written so often */
	REFRESH_AGAIN_S = 3600
};

struct policy {
	struct row row;
	enum sts_mode mode;
	time_t fetched; /* 0: never */
	time_t used;    /* for mail */
	uint32_t max_age;
	char id[STS_ID_MAX + 1];
	char *mx; /* NULL: none */
	/* The last fetch that failed, since one went well; 0: none. */
	time_t failed;
	char failed_id[STS_ID_MAX + 1];
	char *reason;
	char domain[];
};

#define POLICY(pointer) container_of(pointer, struct policy, row)

static const char *const modes[STS_MODES] = {
    [STS_NONE] = "none", [STS_TESTING] = "testing", [STS_ENFORCE] = "enforce"};

const char *
sts_mode_name(enum sts_mode mode)
{
	return modes[mode];
}

enum sts_mode
sts_mode_named(const char *name)
{
	int mode = 0;

	while (mode < STS_MODES && strcmp(modes[mode], name) != 0)
		mode++;
	return (enum sts_mode)mode;
}

/* -- rows -- */

static bool
is_valid(const struct policy *p, time_t now)
{
	return p->fetched > 0 && now - p->fetched < (time_t)p->max_age;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(POLICY((const struct row *)a)->domain,
	    POLICY((const struct row *)b)->domain);
}

static void
free_row(struct row *row)
{
	free(POLICY(row)->mx);
	free(POLICY(row)->reason);
	free(POLICY(row));
}

static bool
is_over(const struct row *row, time_t now)
{
	const struct policy *p = POLICY(row);

	return !is_valid(p, now) && now - p->failed > STS_AGAIN_S;
}

/* A policy in use is worth more than one that is not, or a failure. */
static int64_t
worth(const struct row *row, time_t now)
{
	return is_valid(POLICY(row), now) ? POLICY(row)->used : 0;
}

static void
write_row(const struct row *row, struct buf *line)
{
	const struct policy *p = POLICY(row);

	fields_text(line, p->domain);
	fields_text(line, modes[p->mode]);
	fields_number(line, (uint64_t)p->fetched);
	fields_number(line, (uint64_t)p->used);
	fields_number(line, p->max_age);
	fields_text(line, p->id);
	fields_text(line, p->mx != NULL ? p->mx : "");
}

static struct policy *
new_policy(const char *domain)
{
	size_t n = strlen(domain) + 1;
	struct policy *p = calloc(1, sizeof(*p) + n);

	if (p != NULL)
		memcpy(p->domain, domain, n);
	return p;
}

static struct row *
read_row(struct fields *f, time_t now)
{
	struct policy *p = new_policy(fields_take(f, STS_DOMAIN_MAX));

	if (p == NULL)
		return NULL;
	p->mode = sts_mode_named(fields_take(f, 16));
	p->fetched = fields_take_time(f, now);
	p->used = fields_take_time(f, now);
	p->max_age = (uint32_t)fields_take_number(f, STS_AGE_MAX);
	snprintf(p->id, sizeof(p->id), "%s", fields_take(f, STS_ID_MAX));
	p->mx = strdup(fields_take(f, STS_MX_OCTETS_MAX));
	if (p->mode == STS_MODES || p->mx == NULL || *p->domain == '\0')
		f->failed = true;
	return &p->row;
}

static const struct kind kind = {
    "policy", ROWS_MAX, compare, free_row, is_over, worth, write_row, read_row};

struct table sts_table = {.kind = &kind};

static struct policy *
find(const char *domain)
{
	union {
		struct policy policy;
		char room[sizeof(struct policy) + STS_DOMAIN_MAX + 1];
	} key;
	struct row *row;

	if (strlen(domain) > STS_DOMAIN_MAX)
		return NULL;
	memcpy(key.policy.domain, domain, strlen(domain) + 1);
	row = table_find(&sts_table, &key.policy.row);
	return row != NULL ? POLICY(row) : NULL;
}

static struct policy *
make(const char *domain, time_t now)
{
	struct policy *p = find(domain);

	if (p != NULL || strlen(domain) > STS_DOMAIN_MAX)
		return p;
	p = new_policy(domain);
	if (p == NULL || table_add(&sts_table, &p->row, now))
		return p;
	free(p);
	return NULL;
}

/* -- what is asked -- */

bool
sts_needs_fetch(const char *domain, const char *id, time_t now)
{
	const struct policy *p = find(domain);

	if (id == NULL)
		return false;
	if (p == NULL)
		return true;
	if (is_valid(p, now) && strcmp(p->id, id) == 0)
		return false;
	/* In the future: the clock was set back. */
	return now - p->failed >= STS_AGAIN_S || now < p->failed ||
	    strcmp(p->failed_id, id) != 0;
}

void
sts_view(const char *domain, const char *id, bool use, struct sts_view *view,
    time_t now)
{
	struct policy *p = find(domain);
	const char *reason = p != NULL ? p->reason : NULL;

	*view = (struct sts_view){.mode = STS_NONE, .id = "", .mx = ""};
	if (p != NULL && is_valid(p, now)) {
		view->has_policy = true;
		view->mode = p->mode;
		view->id = p->id;
		view->mx = p->mx != NULL ? p->mx : "";
		view->age = (uint32_t)(now > p->fetched ? now - p->fetched : 0);
		view->max_age = p->max_age;
		if (reason != NULL)
			snprintf(view->reason, sizeof(view->reason),
			    "not refreshed: %s", reason);
	} else if (reason != NULL) {
		snprintf(view->reason, sizeof(view->reason), "%s", reason);
	} else {
		snprintf(view->reason, sizeof(view->reason), "%s",
		    id == NULL ? "no record seen" : "not fetched in time");
	}
	if (p == NULL || !use || now - p->used < USED_ANEW_S)
		return;
	p->used = now;
	row_changed(&p->row);
}

static void
forget_failure(struct policy *p)
{
	free(p->reason);
	p->reason = NULL;
	p->failed = 0;
	p->failed_id[0] = '\0';
}

void
sts_fetched(const char *domain, const char *id,
    const struct sts_policy *fetched, time_t now)
{
	struct policy *p = make(domain, now);
	char *mx = strdup(fetched->mx);

	if (p == NULL || mx == NULL) {
		free(mx);
		return;
	}
	forget_failure(p);
	free(p->mx);
	p->mx = mx;
	p->mode = fetched->mode;
	p->max_age =
	    fetched->max_age < STS_AGE_MAX ? fetched->max_age : STS_AGE_MAX;
	if (p->fetched == 0)
		p->used = now;
	p->fetched = now;
	if (*id != '\0')
		snprintf(p->id, sizeof(p->id), "%s", id);
	row_changed(&p->row);
}

void
sts_failed(const char *domain, const char *id, const char *reason, time_t now)
{
	struct policy *p = make(domain, now);

	if (p == NULL)
		return;
	forget_failure(p);
	p->failed = now;
	p->reason = strndup(reason, STS_REASON_MAX);
	snprintf(p->failed_id, sizeof(p->failed_id), "%s", id);
}

const char *
sts_refresh(size_t *at, size_t n, time_t now)
{
	if (*at >= sts_table.n)
		*at = 0;
	for (; n > 0 && *at < sts_table.n; n--) {
		const struct policy *p = POLICY(sts_table.rows[(*at)++]);
		time_t early = (time_t)p->max_age / 2;

		if (is_valid(p, now) && now - p->used < IN_USE_S &&
		    now - p->fetched >= (early < DAY ? early : DAY) &&
		    now - p->failed >= REFRESH_AGAIN_S)
			return p->domain;
	}
	return NULL;
}
