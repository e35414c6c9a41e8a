/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_REPORT_XML_H
#define TOOLS_REPORT_XML_H

#include <stdint.h>

#include "common/buf.h"
#include "common/report_row.h"

/* An aggregate report as XML, in the form and order of RFC 9990. */
struct report_facts {
	const char *organization, *email, *id;
	int64_t begin, end; /* unix seconds, of the period */
	const char *domain; /* the policy's */
	struct report_policy policy;
	const char *error; /* for the domain's owner; NULL: none */
};

/* All in front of the records, then those, then the end. */
void xml_begin(struct buf *, const struct report_facts *);
void xml_record(struct buf *, uint64_t count, const struct report_row_text *);
void xml_end(struct buf *);

/* "<name>text</name>"; what may not stand in XML becomes "?". */
void xml_element(struct buf *, const char *name, const char *text);

#endif
