/* SPDX-License-Identifier: ISC */
#include "userdb/checker.h"

#include <string.h>
#include <sysexits.h>

#include "build.h"
#include "common/base64.h"
#include "common/ipc.h"
#include "userdb/password.h"

struct verify {
	uint64_t serial, cost;
	const char *hash, *password, *salt; /* salt: NULL or base64 */
};

static void
add_scram(struct packet *answer, const struct verify *v)
{
	char octets[BASE64_LENGTH(SCRAM_SALT) + 1], text[ENTRY_SCRAM_MAX + 1];
	unsigned char salt[SCRAM_SALT];
	size_t n;

	if (v->salt == NULL ||
	    !base64_decode(v->salt, strlen(v->salt), octets, &n) ||
	    n != SCRAM_SALT)
		return;
	memcpy(salt, octets, SCRAM_SALT);
	password_scram(v->password, salt, text);
	if (text[0] != '\0')
		packet_text(answer, "scram", text);
}

static bool
verify(struct packet *p)
{
	static struct packet answer;
	char hash[ENTRY_HASH_MAX + 1];
	struct verify v;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &v.serial),
	    ATTRIBUTE_TEXT("hash", ENTRY_HASH_MAX, &v.hash),
	    ATTRIBUTE_TEXT("password", PROTOCOL_PASSWORD_MAX, &v.password),
	    ATTRIBUTE_NUMBER("cost", &v.cost),
	    ATTRIBUTE_TEXT_OPTIONAL(
		"salt", BASE64_LENGTH(SCRAM_SALT), &v.salt)};
	bool right;

	if (!packet_read(p, "verify", set, 5, 0))
		return false;
	right = password_verify(v.password, (unsigned)v.cost, v.hash);
	packet_start(&answer, "verified");
	packet_number(&answer, "serial", v.serial);
	packet_number(&answer, "right", right);
	if (right && password_is_weak(v.hash, (unsigned)v.cost) &&
	    password_hash(v.password, (unsigned)v.cost, hash) == 0)
		packet_text(&answer, "hash", hash);
	if (right)
		add_scram(&answer, &v);
	explicit_bzero(p->octets, p->len);
	*p = answer;
	explicit_bzero(&answer, sizeof(answer));
	return true;
}

static const struct {
	const char *verb;
	bool (*answer)(struct packet *);
} requests[] = {
    {"verify", verify},
#ifdef HAVE_JANSSON
    {"keys", checker_keys},
    {"token", checker_token},
#endif
};

static bool
answer(struct packet *p)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (packet_is(p, requests[i].verb))
			return requests[i].answer(p);
	return false;
}

int
checker_serve(int fd, unsigned cost)
{
	static struct packet p;
	enum ipc_result result;

	/* The hash for those who have none is made now, not for the first. */
	(void)password_verify("", cost, "");
	while ((result = ipc_receive(fd, &p, -1)) == IPC_OK) {
		bool answered = answer(&p);

		if (answered && ipc_send(fd, &p, -1) != IPC_OK)
			return EX_OK;
		if (!answered)
			packet_close(&p);
		explicit_bzero(p.octets, p.len);
	}
	return result == IPC_CLOSED ? EX_OK : EX_SOFTWARE;
}
