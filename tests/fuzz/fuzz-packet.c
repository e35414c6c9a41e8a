/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/ipc.h"
#include "tests/fuzz/fuzz.h"

/* Packets from another process, which may have been broken into (A24). */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("login\0user\0ann@example.test\0password\0secret\0"),
    FUZZ_SEED("job\0id\0X\0start\0"
	      "12\0"),
    FUZZ_SEED("list\0from\0"
	      "1\0m\0"
	      "10 uid\0m\0"
	      "11 uid\0"),
    FUZZ_SEED("commit\0id\0X\0\0recipient\0address\0a@b\0\0"
	      "end\0count\0"
	      "1\0"),
    FUZZ_SEEDS_END,
};

static bool
within(const struct packet *p, const char *text, size_t max)
{
	return text >= p->octets && text < p->octets + p->len &&
	    strlen(text) <= max && text + strlen(text) < p->octets + p->len;
}

/* Split, and put together again. */
static bool
is_all_there(struct packet *p)
{
	static struct packet one;
	size_t at = 0, from = 0;

	while (packet_split(p, &at, &one)) {
		if (memcmp(p->octets + from, one.octets, one.len) != 0)
			return false;
		from += one.len;
		if (from < p->len && p->octets[from++] != '\0')
			return false;
		if (at != from)
			return false;
	}
	return at == p->len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	static struct packet p;
	const char *user, *password, *name, *value;
	uint64_t number;
	const struct attribute login[] = {ATTRIBUTE_TEXT("user", 20, &user),
	    ATTRIBUTE_TEXT_OPTIONAL("password", 20, &password),
	    ATTRIBUTE_NUMBER_OPTIONAL("number", &number)};
	struct cursor c;

	memset(&p, 'x', sizeof(p)); /* nothing behind it ends a text */
	p.len = n < IPC_PACKET_MAX ? n : IPC_PACKET_MAX;
	p.nfds = 0;
	p.failed = false;
	memcpy(p.octets, octets, p.len);
	if (packet_read(&p, "login", login, 3, 0)) {
		REQUIRE(within(&p, user, 20));
		REQUIRE(password == NULL || within(&p, password, 20));
	}
	c = packet_cursor(&p);
	while (packet_next(&c, &name, &value))
		REQUIRE(within(&p, name, p.len) && within(&p, value, p.len));
	REQUIRE(is_all_there(&p));
	return 0;
}
