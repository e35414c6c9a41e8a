/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/report_row.h"
#include "tests/fuzz/fuzz.h"
#include "tools/report-uri.h"
#include "tools/report-xml.h"

/*
 * What a report is made of, as smtpd wrote it from what strangers said, and
 * where a stranger's record says that it goes: a line of XML stays well-formed,
 * an address one line.
 */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("a.test\tb.test\t192.0.2.1\tnone\tpass\tfail\tb.test\tsoftfail\t"
	      "local_policy\tbecause\ta.test s1 pass\tc.test s2 fail"),
    FUZZ_SEED("a.test\t\t2001:db8::1\tpass\tpass\tpass\t\t\t\t"),
    FUZZ_SEED("reject none quarantine r s y"),
    FUZZ_SEED("mailto:a@b.test!10m"),
    FUZZ_SEED("mailto:%61%20b@b.test?subject=%0d%0a"),
    FUZZ_SEEDS_END,
};

static void
check_row(char *text)
{
	struct buf xml = BUF_INIT(1 << 20), again = BUF_INIT(1 << 16);
	struct report_row_text r, second;

	if (!report_row_read(text, &r))
		return;
	xml_record(&xml, 1, &r);
	REQUIRE(buf_text(&xml) != NULL);
	for (const char *p = xml.data; *p != '\0'; p++)
		REQUIRE((unsigned char)*p >= ' ' || *p == '\n');
	report_row_write(&again, &r);
	REQUIRE(buf_text(&again) != NULL);
	if (again.len <= REPORT_ROW_MAX) {
		REQUIRE(report_row_read(again.data, &second));
		REQUIRE(second.nsignatures <= r.nsignatures);
	}
	buf_free(&xml);
	buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	char text[2048], copy[2048], formatted[ADDRESS_TEXT_MAX + 1];
	struct report_policy policy;
	struct address address;

	if (n >= sizeof(text) || memchr(octets, '\0', n) != NULL)
		return 0;
	memcpy(text, octets, n);
	text[n] = '\0';
	memcpy(copy, text, n + 1);
	check_row(copy);
	memcpy(copy, text, n + 1);
	(void)report_policy_read(copy, &policy);
	if (uri_read(text, n, &address)) {
		address_format(&address, formatted);
		REQUIRE(strpbrk(formatted, "\r\n") == NULL);
		REQUIRE(strrchr(formatted, '@') != NULL);
	}
	return 0;
}
