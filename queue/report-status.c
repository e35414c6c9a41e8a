/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/address.h"
#include "common/utf8.h"
#include "queue/report-parts.h"

/* The part for programs: RFC 3464 section 2, RFC 3461 section 6.3. */

static const char *
address_type(const char *address)
{
	return utf8_is_ascii(address, strlen(address)) ? "rfc822" : "utf-8";
}

static void
add_typed_address(struct report *r, const char *field, const char *address)
{
	buf_addf(&r->text, "%s: %s; ", field, address_type(address));
	report_address(r, address);
	buf_addc(&r->text, '\n');
}

/* ORCPT as it came; without one there must be none. */
static void
add_original(struct report *r, const struct recipient *original)
{
	const char *address;

	if (original->orcpt == NULL)
		return;
	address = strchr(original->orcpt, ';') + 1;
	buf_addf(&r->text, "Original-Recipient: %.*s; ",
	    (int)(address - original->orcpt - 1), original->orcpt);
	report_address(r, address);
	buf_addc(&r->text, '\n');
}

/* host[address]:port, as deliver says it; the host is the Remote-MTA. */
static bool
add_remote_mta(struct report *r, const char *relay)
{
	const char *bracket = relay != NULL ? strchr(relay, '[') : NULL;

	if (bracket == NULL || bracket == relay)
		return false;
	buf_adds(&r->text, "Remote-MTA: dns; ");
	report_clean(r, relay, (size_t)(bracket - relay));
	buf_addc(&r->text, '\n');
	return true;
}

/* The code's class agrees with the report, or it is ours. */
static const char *
status_of(const struct report *r, const struct recipient *to)
{
	static const char *const fallbacks[] = {
	    [REPORT_FAILURE] = "5.0.0",
	    [REPORT_DELAY] = "4.0.0",
	    [REPORT_SUCCESS] = "2.0.0",
	};
	const char *fallback = fallbacks[r->kind];

	return to->dsn[0] == fallback[0] ? to->dsn : fallback;
}

static void
add_recipient(struct report *r, size_t index)
{
	const struct recipient *to = &r->e->recipients[index];
	const struct recipient *original = envelope_original(r->e, index);
	const char *type = "x-postrider; ";
	bool remote;

	buf_addc(&r->text, '\n');
	add_original(r, original);
	add_typed_address(r, "Final-Recipient", to->address);
	buf_addf(&r->text, "Action: %s\nStatus: %s\n",
	    owed_action(r->e, index, r->kind), status_of(r, to));
	remote = add_remote_mta(r, to->relay);
	if (remote)
		type = "smtp; ";
	if (to->text != NULL && to->text[0] != '\0' &&
	    (remote || r->kind != REPORT_SUCCESS)) {
		buf_addf(&r->text, "Diagnostic-Code: %s", type);
		report_wrapped(r, to->text, 17 + strlen(type), "\t");
	}
	if (to->when != 0)
		report_date(r, "Last-Attempt-Date", to->when);
	if (r->kind == REPORT_DELAY)
		report_date(r, "Will-Retry-Until", r->expires);
	if (original != to)
		add_typed_address(r, "X-Postrider-Alias", original->address);
}

/* Where somebody was who had logged in is for nobody to know (RFC 3848). */
static bool
is_of_login(const struct envelope *e)
{
	size_t n = e->protocol != NULL ? strlen(e->protocol) : 0;

	return n > 0 && e->protocol[n - 1] == 'A';
}

void
report_status(struct report *r)
{
	const struct envelope *e = r->e;
	bool global = report_is_global(r);

	report_part(r,
	    global ? "message/global-delivery-status"
		   : "message/delivery-status",
	    global);
	if (e->envid != NULL)
		buf_addf(&r->text, "Original-Envelope-Id: %s\n", e->envid);
	buf_addf(&r->text, "Reporting-MTA: dns; %s\n", r->hostname);
	if (e->helo[0] != '\0' && !is_of_login(e)) {
		buf_adds(&r->text, "Received-From-MTA: dns; ");
		report_clean(r, e->helo, strnlen(e->helo, ADDRESS_DOMAIN_MAX));
		buf_addc(&r->text, '\n');
	}
	report_date(r, "Arrival-Date", e->time);
	buf_addf(&r->text, "X-Postrider-ID: %s\n", r->id);
	for (size_t i = 0; i < e->n; i++)
		if (report_is_about(r, i))
			add_recipient(r, i);
}
