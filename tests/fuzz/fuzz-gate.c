/* SPDX-License-Identifier: ISC */
/*
 * What smtp-gate reads of strangers: first octets, and the lines of those
 * that it refuses; and the packet by which it hands the others over.
 */
#include <string.h>

#include "common/ipc.h"
#include "smtpd/arrival.h"
#include "smtpd/gate_line.h"
#include "smtpd/gate_refusal.h"
#include "tests/fuzz/fuzz.h"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("EHLO bot.example\r\nMAIL FROM:<a@b.example> BODY=8BITMIME\r\n"
	      "RCPT TO:<ann@example.test>\r\nDATA\r\nRSET\r\nNOOP\r\n"
	      "QUIT\r\n"),
    FUZZ_SEED("HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\n"
	      "RCPT TO:<\"a b\"@[192.0.2.1]>\r\n"),
    FUZZ_SEED("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    FUZZ_SEED("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    FUZZ_SEED("arrival\0client\000192.0.2.1\0greeted\0001\0known\0001\0"
	      "score\0-3\0lists\0bl.example=3\0waited\0004000\0"),
    FUZZ_SEEDS_END,
};

/* Whole lines of three digits, none of them with what was not ours to say. */
static void
check_reply(const char *reply)
{
	size_t n = strlen(reply);

	REQUIRE(n >= 6 && n < REFUSAL_REPLY_MAX);
	REQUIRE(strcmp(reply + n - 2, "\r\n") == 0);
	for (const char *at = reply; *at != '\0'; at = strstr(at, "\r\n") + 2) {
		REQUIRE(strspn(at, "0123456789") == 3);
		REQUIRE(at[3] == ' ' || at[3] == '-');
		REQUIRE(strcspn(at, "\r\n") <= 510);
	}
}

static void
refuse(struct span octets)
{
	struct refusal refusal = {
	    .smtp = 550, .enhanced = "5.7.1", .text = "listed by bl.example"};
	char reply[REFUSAL_REPLY_MAX];
	enum refusal_step step = REFUSAL_GOES_ON;
	unsigned lines = 0;

	while (step != REFUSAL_OVER && octets.len > 0) {
		const char *end = memchr(octets.data, '\n', octets.len);
		size_t n = end != NULL ? (size_t)(end - octets.data)
				       : octets.len;

		step = refusal_line(&refusal, "mail.example.test",
		    (struct span){octets.data, n}, reply);
		check_reply(reply);
		REQUIRE(strncmp(reply, "354", 3) != 0);
		if (step == REFUSAL_RECIPIENT)
			REQUIRE(strncmp(reply, "550 5.7.1 ", 10) == 0);
		n += end != NULL;
		octets.data += n;
		octets.len -= n;
		lines++;
	}
	REQUIRE(lines <= REFUSAL_LINES_MAX + 1);
}

static void
judge(struct span octets)
{
	enum gate_line whole = gate_line_judge(octets);

	/* What is said of a beginning is never taken back. */
	for (size_t n = 0; n < octets.len && n <= GATE_LINE_MAX; n++) {
		enum gate_line part =
		    gate_line_judge((struct span){octets.data, n});

		if (part != GATE_LINE_MORE) {
			REQUIRE(part == whole || part == GATE_LINE_LONG);
			return;
		}
	}
}

static void
arrive(const uint8_t *octets, size_t n)
{
	static struct packet packet;
	struct arrival arrival;

	packet = (struct packet){.len = n, .nfds = 1, .fds = {-1}};
	memcpy(packet.octets, octets, n);
	if (arrival_read(&packet, &arrival)) {
		struct arrival again;

		arrival_write(&arrival, &packet);
		packet.nfds = 1;
		REQUIRE(arrival_read(&packet, &again));
		REQUIRE(again.score == arrival.score &&
		    again.known == arrival.known &&
		    strcmp(again.lists, arrival.lists) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct span span = {(const char *)octets, n};

	if (n > 8192)
		return 0;
	judge(span);
	refuse(span);
	arrive(octets, n);
	return 0;
}
