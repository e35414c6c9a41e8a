/* SPDX-License-Identifier: ISC */
#include "tools/report-xml.h"

#include <inttypes.h>
#include <string.h>

#include "build.h"
#include "common/utf8.h"

static const char *
entity(char c)
{
	switch (c) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '"':
		return "&quot;";
	default:
		return NULL;
	}
}

/* XML 1.0 section 2.2; neither controls nor what is no character. */
static bool
is_allowed(uint32_t code)
{
	return code >= ' ' && (code < 0x7f || code > 0x9f) && code != 0xfffe &&
	    code != 0xffff;
}

static void
add_text(struct buf *out, const char *text)
{
	size_t n = strlen(text), length;
	uint32_t code;

	for (; n > 0; text += length, n -= length) {
		length = utf8_decode(text, n, &code);
		if (length == 0 || !is_allowed(code)) {
			buf_addc(out, '?');
			length = length > 0 ? length : 1;
		} else if (entity(*text) != NULL) {
			buf_adds(out, entity(*text));
		} else {
			buf_add(out, text, length);
		}
	}
}

void
xml_element(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, "<%s>", name);
	add_text(out, text);
	buf_addf(out, "</%s>\n", name);
}

static void
add_metadata(struct buf *out, const struct report_facts *f)
{
	buf_adds(out, "<report_metadata>\n");
	xml_element(out, "org_name", f->organization);
	xml_element(out, "email", f->email);
	xml_element(out, "report_id", f->id);
	buf_addf(out,
	    "<date_range>\n<begin>%" PRId64 "</begin>\n<end>%" PRId64
	    "</end>\n</date_range>\n",
	    f->begin, f->end);
	if (f->error != NULL)
		xml_element(out, "error", f->error);
	xml_element(out, "generator", "Postrider " PACKAGE_VERSION);
	buf_adds(out, "</report_metadata>\n");
}

static void
add_policy(struct buf *out, const struct report_facts *f)
{
	const struct report_policy *p = &f->policy;

	buf_adds(out, "<policy_published>\n");
	xml_element(out, "domain", f->domain);
	xml_element(out, "discovery_method", "treewalk");
	xml_element(out, "p", p->p);
	xml_element(out, "sp", p->sp);
	xml_element(out, "np", p->np);
	xml_element(out, "adkim", p->adkim);
	xml_element(out, "aspf", p->aspf);
	xml_element(out, "testing", p->testing);
	buf_adds(out, "</policy_published>\n");
}

void
xml_begin(struct buf *out, const struct report_facts *f)
{
	buf_adds(out,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n");
	xml_element(out, "version", "1.0");
	add_metadata(out, f);
	add_policy(out, f);
}

void
xml_end(struct buf *out)
{
	buf_adds(out, "</feedback>\n");
}

/* -- records -- */

static void
add_row(struct buf *out, uint64_t count, const struct report_row_text *r)
{
	buf_adds(out, "<row>\n");
	xml_element(out, "source_ip", r->client);
	buf_addf(
	    out, "<count>%" PRIu64 "</count>\n<policy_evaluated>\n", count);
	xml_element(out, "disposition", r->disposition);
	xml_element(out, "dkim", r->dkim);
	xml_element(out, "spf", r->spf);
	if (*r->reason != '\0') {
		buf_adds(out, "<reason>\n");
		xml_element(out, "type", r->reason);
		if (*r->comment != '\0')
			xml_element(out, "comment", r->comment);
		buf_adds(out, "</reason>\n");
	}
	buf_adds(out, "</policy_evaluated>\n</row>\n");
}

static void
add_results(struct buf *out, const struct report_row_text *r)
{
	buf_adds(out, "<auth_results>\n");
	for (size_t i = 0; i < r->nsignatures; i++) {
		buf_adds(out, "<dkim>\n");
		xml_element(out, "domain", r->signatures[i].domain);
		xml_element(out, "selector", r->signatures[i].selector);
		xml_element(out, "result", r->signatures[i].result);
		buf_adds(out, "</dkim>\n");
	}
	if (*r->spf_domain != '\0') {
		buf_adds(out, "<spf>\n");
		xml_element(out, "domain", r->spf_domain);
		xml_element(out, "scope", "mfrom");
		xml_element(out, "result", r->spf_result);
		buf_adds(out, "</spf>\n");
	}
	buf_adds(out, "</auth_results>\n");
}

void
xml_record(struct buf *out, uint64_t count, const struct report_row_text *r)
{
	buf_adds(out, "<record>\n");
	add_row(out, count, r);
	buf_adds(out, "<identifiers>\n");
	xml_element(out, "header_from", r->from);
	xml_element(out, "envelope_from", r->envelope);
	buf_adds(out, "</identifiers>\n");
	add_results(out, r);
	buf_adds(out, "</record>\n");
}
