/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "smtpd/draft.h"
#include "smtpd/milter_packet.h"
#include "tests/fuzz/fuzz.h"

/*
 * What a filter says, packet by packet; and what a header section becomes of
 * it, which is still one header section.
 */

#define PACKET(length, data) "\0\0\0" length data

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(PACKET("\x0d", "O\0\0\0\6\0\0\1\xff\0\0\4\0") PACKET("\1", "c")
	    PACKET("\6", "hX\0y\0\0")),
    FUZZ_SEED(PACKET("\x0c", "i\0\0\0\1X-A\0b\0")
	    PACKET("\x12", "m\0\0\0\1Subject\0new\0") PACKET("\1", "a")),
    FUZZ_SEED(PACKET("\x0c", "hX\0a\n\nb\r\nc\0") PACKET("\1", "p")
	    PACKET("\x0b", "+<a@b.c>\0")),
    FUZZ_SEED(PACKET("\x16", "y550 5.7.1 100%% no\r\n\0")
	    PACKET("\5", "bab\r\n") PACKET("\4", "qwhy")),
    FUZZ_SEED(PACKET("\x12", "m\0\0\0\2Received\0\0\0")),
    FUZZ_SEEDS_END,
};

static void
check_refusal(const char *text)
{
	struct milter_refusal r;

	if (!milter_read_refusal(text, &r))
		return;
	REQUIRE(r.smtp >= 400 && r.smtp <= 559);
	REQUIRE(r.enhanced[0] == '0' + r.smtp / 100 &&
	    strspn(r.enhanced, "0123456789.") == strlen(r.enhanced));
	REQUIRE(r.text[0] != '\0');
	for (const char *p = r.text; *p != '\0'; p++)
		REQUIRE(*p >= ' ' && *p <= '~');
}

static void
change(struct draft *d, const struct milter_reply *r, bool spaced)
{
	bool named = draft_is_name(r->name), done;

	if (r->letter == MILTER_ADD_HEADER)
		done = draft_add(d, r->name, r->value, spaced);
	else if (r->letter == MILTER_INSERT_HEADER)
		done = draft_insert(d, r->index, r->name, r->value, spaced);
	else
		done = draft_change(d, r->index, r->name, r->value, spaced);
	REQUIRE(done == named);
}

static void
take(struct draft *d, char letter, const char *data, size_t n, bool spaced)
{
	static struct milter_options options;
	struct milter_reply r;

	if (letter == MILTER_NEGOTIATE) {
		if (milter_read_options(data, n, &options))
			for (int i = 0; i < MILTER_STAGES; i++)
				REQUIRE(strlen(options.macros[i]) <
				    MILTER_MACROS_MAX);
		return;
	}
	if (!milter_read_reply(letter, data, n, &r))
		return;
	if (letter == MILTER_REPLY_CODE)
		check_refusal(r.name);
	else if (letter == MILTER_ADD_HEADER ||
	    letter == MILTER_INSERT_HEADER || letter == MILTER_CHANGE_HEADER)
		change(d, &r, spaced);
}

/* As many fields as the draft has, each of them one, and no body. */
static void
check_draft(const struct draft *d)
{
	struct buf text = BUF_INIT(2 * DRAFT_OCTETS_MAX);
	struct header_section h;
	size_t lines = 0;

	draft_write(d, DRAFT_OWN, true, &text);
	REQUIRE(buf_ok(&text));
	header_init(&h);
	REQUIRE(header_take(&h, text.data, text.len) == text.len);
	header_end(&h);
	for (size_t i = 0; i < d->n; i++)
		lines += d->fields[i].kind != DRAFT_OWN;
	REQUIRE(h.oversized || (h.n == lines && !h.malformed));
	header_free(&h);
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	static const char own[] = "Authentication-Results: us\n";
	static const char came[] = "From: a\nSubject: b\n\tc\nX: d\n";
	struct draft d = {.n = 0};
	struct buf data = BUF_INIT(MILTER_DATA_MAX + 1);
	struct milter_head head;

	draft_take(&d, DRAFT_OWN, (struct span){own, sizeof(own) - 1});
	draft_take(&d, DRAFT_CAME, (struct span){came, sizeof(came) - 1});
	while (n >= MILTER_HEAD &&
	    milter_read_head((const char *)octets, MILTER_CHUNK, &head)) {
		octets += MILTER_HEAD;
		n -= MILTER_HEAD;
		if (head.n > n)
			break;
		buf_reset(&data);
		buf_add(&data, octets, head.n);
		take(&d, head.letter, buf_text(&data), head.n, head.n % 2);
		octets += head.n;
		n -= head.n;
	}
	REQUIRE(d.fields[0].kind == DRAFT_OWN &&
	    memcmp(d.fields[0].text, own, sizeof(own) - 2) == 0);
	if (!d.failed)
		check_draft(&d);
	buf_free(&data);
	draft_free(&d);
	return 0;
}
