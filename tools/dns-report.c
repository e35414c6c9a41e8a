/* SPDX-License-Identifier: ISC */
#include "tools/dns-report.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

#include "common/buf.h"
#include "common/print.h"
#include "tools/dns-tool.h"

enum { TEXT_MAX = 16384 };

static const char *const names[] = {[FINDING_OK] = "ok",
    [FINDING_NOTE] = "note",
    [FINDING_WARNING] = "warning",
    [FINDING_UNANSWERED] = "unanswered",
    [FINDING_ERROR] = "error"};

static void
print_finding(struct report *r, enum finding finding, const char *subject,
    const char *text)
{
	if (r->json) {
		printf("%s{\"finding\": \"%s\", \"subject\": ",
		    r->any ? ",\n" : "[", names[finding]);
		print_json_string(subject);
		printf(", \"text\": ");
		print_json_string(text);
		putchar('}');
	} else {
		printf("%s: ", names[finding]);
		print_clean(subject);
		printf(": ");
		print_clean(text);
		putchar('\n');
	}
	r->any = true;
}

void
report_add(struct report *r, enum finding finding, const char *subject,
    const char *format, ...)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	va_list arguments;

	r->count[finding]++;
	if (r->quiet && finding < FINDING_WARNING)
		return;
	va_start(arguments, format);
	buf_addv(&text, format, arguments);
	va_end(arguments);
	print_finding(r, finding, subject,
	    buf_text(&text) != NULL ? text.data : "too long to be told");
	buf_free(&text);
}

bool
report_unanswered(struct report *r, enum dns_status status, const char *subject)
{
	if (status != DNS_TEMPORARY && status != DNS_BROKEN)
		return false;
	report_add(r, FINDING_UNANSWERED, subject, "%s; try again later",
	    dns_status_text(status));
	return true;
}

int
report_end(struct report *r)
{
	unsigned errors = r->count[FINDING_ERROR],
		 warnings = r->count[FINDING_WARNING],
		 unanswered = r->count[FINDING_UNANSWERED];

	if (r->json)
		puts(r->any ? "]" : "[]");
	else if (!r->quiet)
		printf("%u error%s, %u warning%s, %u without an answer\n",
		    errors, errors == 1 ? "" : "s", warnings,
		    warnings == 1 ? "" : "s", unanswered);
	if (errors > 0)
		return EX_DATAERR;
	if (unanswered > 0)
		return EX_TEMPFAIL;
	return warnings > 0 ? DNS_TOOL_WARNINGS : EX_OK;
}
