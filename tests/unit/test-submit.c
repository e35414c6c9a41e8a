/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memfd_create */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/ipc.h"
#include "common/submit.h"

/* What the other end does with one message; in a child of its own. */
enum play { ACCEPT, REFUSE_OPEN, REFUSE_RECIPIENT, GARBAGE, VANISH, BE_SILENT };

static int ends[2];
static pid_t child;

static const char *
verb(struct packet *p)
{
	static struct packet together;
	static size_t at;

	if (!packet_split(&together, &at, p)) {
		at = 0;
		if (ipc_receive(ends[1], &together,
			clock_monotonic_ms() + 5000) != IPC_OK)
			return "closed";
		(void)packet_split(&together, &at, p);
	}
	return packet_verb(p);
}

#define EXPECT(condition)                                                      \
	do {                                                                   \
		if (!(condition))                                              \
			_exit(__LINE__ % 250 + 1);                             \
	} while (0)

static void
answer(const char *text, const char *address)
{
	struct packet p;

	packet_start(&p, "refused");
	packet_text(&p, "verdict", text);
	if (address != NULL)
		packet_text(&p, "address", address);
	EXPECT(ipc_send(ends[1], &p, -1) == IPC_OK);
}

static void
send_with(struct packet *p, int fd, int n)
{
	for (int i = 0; i < n; i++)
		packet_attach(p, fd);
	EXPECT(ipc_send(ends[1], p, -1) == IPC_OK);
}

static void
expect_envelope(void)
{
	struct packet p;
	const char *id, *sender, *body, *client, *helo, *protocol, *address;
	uint64_t start, wire, utf8, count;
	const struct attribute commit[] = {
	    ATTRIBUTE_TEXT("id", 32, &id),
	    ATTRIBUTE_TEXT("sender", 400, &sender),
	    ATTRIBUTE_NUMBER("start", &start),
	    ATTRIBUTE_NUMBER("wire", &wire),
	    ATTRIBUTE_TEXT("body", 10, &body),
	    ATTRIBUTE_NUMBER("utf8", &utf8),
	    ATTRIBUTE_TEXT("client", 400, &client),
	    ATTRIBUTE_TEXT("helo", 400, &helo),
	    ATTRIBUTE_TEXT("protocol", 400, &protocol),
	};
	const struct attribute recipient[] = {
	    ATTRIBUTE_TEXT("address", 400, &address)};
	const struct attribute end[] = {ATTRIBUTE_NUMBER("count", &count)};

	EXPECT(strcmp(verb(&p), "commit") == 0);
	EXPECT(packet_read(&p, "commit", commit, 9, 0));
	EXPECT(strcmp(id, "0123456789abcdef") == 0 && start == 3 && wire == 9);
	EXPECT(strcmp(sender, "a@example.org") == 0 && utf8 == 0);
	EXPECT(strcmp(body, "8bitmime") == 0);
	for (int i = 0; i < 2; i++) {
		EXPECT(strcmp(verb(&p), "recipient") == 0);
		EXPECT(packet_read(&p, "recipient", recipient, 1, 0));
		EXPECT(strcmp(address, i == 0 ? "b@x" : "c@x") == 0);
	}
	EXPECT(strcmp(verb(&p), "end") == 0);
	EXPECT(packet_read(&p, "end", end, 1, 0) && count == 2);
}

static void
play_one(enum play play)
{
	struct packet p;
	int fd = memfd_create("content", MFD_CLOEXEC);
	char text[8];

	EXPECT(strcmp(verb(&p), "open") == 0);
	if (play == REFUSE_OPEN) {
		answer("disk-full", NULL);
		return;
	}
	packet_start(&p, play == GARBAGE ? "opend" : "opened");
	packet_text(&p, "id", "0123456789abcdef");
	packet_number(&p, "time", 1000000000);
	send_with(&p, fd, 2);
	if (play == GARBAGE)
		return;
	expect_envelope();
	EXPECT(pread(fd, text, sizeof(text), 0) == 6);
	if (play == VANISH)
		_exit(0);
	if (play == BE_SILENT) {
		EXPECT(strcmp(verb(&p), "closed") == 0);
		return;
	}
	if (play == REFUSE_RECIPIENT) {
		answer("user-unknown", "c@x");
		return;
	}
	packet_start(&p, "committed");
	send_with(&p, fd, 1);
	EXPECT(strcmp(verb(&p), "synced") == 0);
}

static void
begin(const enum play *plays, size_t n)
{
	assert_int_equal(ipc_pair(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(ends[0]);
		for (size_t i = 0; i < n; i++)
			play_one(plays[i]);
		_exit(0);
	}
	close(ends[1]);
}

static void
finish(void)
{
	int status;

	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static enum verdict
submit(struct submission *s, int64_t patience)
{
	static const char *const recipients[] = {"b@x", "c@x"};
	const struct submit_envelope e = {.sender = "a@example.org",
	    .recipients = recipients,
	    .nrecipients = 2,
	    .start = 3,
	    .wire = 9,
	    .eight_bit = true,
	    .client = "",
	    .helo = "",
	    .protocol = "local"};
	enum verdict verdict =
	    submit_open(s, -1, 0, clock_monotonic_ms() + patience);

	if (verdict != VERDICT_OK)
		return verdict;
	assert_string_equal(s->id, "0123456789abcdef");
	assert_int_equal(s->time, 1000000000);
	assert_int_equal(fs_write_all(s->writer, "a:b\n\nc", 6), 0);
	verdict = submit_commit(s, &e, clock_monotonic_ms() + patience);
	assert_int_equal(s->writer, -1);
	assert_int_equal(s->reader, -1);
	return verdict;
}

static void
one_after_the_other(void **state)
{
	static const enum play plays[] = {
	    ACCEPT, REFUSE_OPEN, REFUSE_RECIPIENT, ACCEPT};
	struct submission s = {.writer = -1};

	(void)state;
	begin(plays, 4);
	s.queue = ends[0];
	assert_int_equal(submit(&s, 5000), VERDICT_OK);
	assert_int_equal(submit(&s, 5000), VERDICT_DISK_FULL);
	assert_int_equal(submit(&s, 5000), VERDICT_USER_UNKNOWN);
	assert_string_equal(s.refused, "c@x");
	assert_int_equal(submit(&s, 5000), VERDICT_OK);
	assert_string_equal(s.refused, "");
	assert_false(s.lost);
	finish();
}

static void
a_bad_queue_is_left(void **state)
{
	static const enum play bad[] = {GARBAGE, VANISH};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct submission s = {.writer = -1};

		begin(&bad[i], 1);
		s.queue = ends[0];
		assert_int_equal(submit(&s, 5000), VERDICT_INTERNAL);
		assert_true(s.lost);
		finish();
	}
}

static void
silence_has_an_end(void **state)
{
	static const enum play plays[] = {BE_SILENT};
	struct submission s = {.writer = -1};
	int64_t began = clock_monotonic_ms();

	(void)state;
	begin(plays, 1);
	s.queue = ends[0];
	assert_int_equal(submit(&s, 200), VERDICT_INTERNAL);
	assert_true(s.lost);
	assert_true(clock_monotonic_ms() - began < 4000);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_after_the_other),
	    cmocka_unit_test(a_bad_queue_is_left),
	    cmocka_unit_test(silence_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
