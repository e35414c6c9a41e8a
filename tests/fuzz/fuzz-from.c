/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "common/address.h"
#include "mailauth/dmarc.h"
#include "mailauth/dmarc_walk.h"
#include "mailauth/from.h"
#include "tests/fuzz/fuzz.h"

/*
 * From: who reads it with all that RFC 5322 allows finds no domain other than
 * the one that is judged (A16), and of several nobody whom the strict reader
 * does not name.
 */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("From: Joe <joe@example.test>\n"),
    FUZZ_SEED("From: \"a\\\"b\" (c (d)) <a@b.test>\nSubject: x\n"),
    FUZZ_SEED("Subject: x\nFrom: joe@example.test,\n <@a.test:v@b.test>\n"),
    FUZZ_SEED("From : \"a@b.test\"@c.test\nno field\nFrom: x: a@b.test;\n"),
    FUZZ_SEED("From: =?utf-8?q?a,b=40c?= <a@b\xc3\xbc.test>\n"),
    FUZZ_SEED("From: A@b.test <a@b.test>\n"),
    FUZZ_SEED("From: \"a b\"@c.test, Joe <d@e.test> (f),\n \"g, h\" <i@j>\n"),
    FUZZ_SEEDS_END,
};

static bool
found(const struct address *address, void *context)
{
	char domain[DNS_NAME_MAX + 1];

	if (address->domain[0] != '\0') {
		REQUIRE(dmarc_normalise(address->domain, domain));
		REQUIRE(strcmp(domain, context) == 0);
	}
	return true;
}

/* "A@b.test <a@b.test>" names the same twice. */
static void
format(const struct address *address, char line[ADDRESS_TEXT_MAX + 3])
{
	char text[ADDRESS_TEXT_MAX + 1];

	address_format(address, text);
	snprintf(line, ADDRESS_TEXT_MAX + 3, "\n%s\n", text);
	for (; *line != '\0'; line++)
		if (*line >= 'A' && *line <= 'Z')
			*line = (char)(*line | 0x20);
}

static bool
name(const struct address *address, void *context)
{
	char line[ADDRESS_TEXT_MAX + 3];

	format(address, line);
	buf_adds(context, line);
	return true;
}

static bool
is_named(const struct address *address, void *context)
{
	char line[ADDRESS_TEXT_MAX + 3];

	format(address, line);
	REQUIRE(address->domain[0] == '\0' ||
	    strstr(buf_text(context), line) != NULL);
	return true;
}

static void
read_lists(const struct header_section *h)
{
	for (size_t i = 0; i < h->n; i++) {
		struct buf names = BUF_INIT(1 << 20);
		struct span value = h->fields[i].value;

		if (from_each(value, name, &names) == NULL) {
			REQUIRE(names.len > 0);
			(void)address_header_each(
			    value.data, value.len, is_named, &names);
		}
		buf_free(&names);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct header_section h;
	char domain[DNS_NAME_MAX + 1], again[DNS_NAME_MAX + 1];

	header_init(&h);
	header_take(&h, (const char *)octets, n);
	header_end(&h);
	if (dmarc_from(&h, domain) == NULL) {
		const struct header_field *from;

		REQUIRE(header_count(&h, "From", &from) == 1);
		(void)address_header_each(
		    from->value.data, from->value.len, found, domain);
		REQUIRE(dmarc_normalise(domain, again));
		REQUIRE(strcmp(domain, again) == 0);
	} else {
		REQUIRE(domain[0] == '\0');
	}
	read_lists(&h);
	header_free(&h);
	return 0;
}
