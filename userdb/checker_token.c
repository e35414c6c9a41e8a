/* SPDX-License-Identifier: ISC */
/* checker.h: tokens and the keys that they are signed with. */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "userdb/checker.h"
#include "userdb/token.h"

/* What was read last, by the file's number: sets change rarely. */
static struct {
	struct key_set *set;
	const char *wrong;
	dev_t device;
	ino_t inode;
	bool any;
} known;

static void
read_set(int fd, size_t size)
{
	void *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

	key_set_free(known.set);
	known.set = NULL;
	known.wrong = "cannot be read";
	if (text == MAP_FAILED)
		return;
	known.set = key_set_read((struct span){text, size}, &known.wrong);
	munmap(text, size);
}

/* NULL, and known.wrong says why. */
static const struct key_set *
find_set(int fd)
{
	struct stat status;

	known.wrong = "empty";
	if (fstat(fd, &status) == -1 || status.st_size <= 0)
		return NULL;
	if (known.any && known.device == status.st_dev &&
	    known.inode == status.st_ino && known.set != NULL)
		return known.set;
	read_set(fd, (size_t)status.st_size);
	known.device = status.st_dev;
	known.inode = status.st_ino;
	known.any = true;
	return known.set;
}

bool
checker_keys(struct packet *p)
{
	const struct key_set *set;
	uint64_t serial;
	const struct attribute wanted[] = {ATTRIBUTE_NUMBER("serial", &serial)};

	if (!packet_read(p, "keys", wanted, 1, 1))
		return false;
	set = find_set(p->fds[0]);
	packet_close(p);
	packet_start(p, "keys");
	packet_number(p, "serial", serial);
	packet_number(p, "count", set != NULL ? key_set_count(set) : 0);
	if (set == NULL)
		packet_text(p, "reason", known.wrong);
	return true;
}

bool
checker_token(struct packet *p)
{
	static const char *const results[] = {[TOKEN_GOOD] = "good",
	    [TOKEN_KEY_MISSING] = "key",
	    [TOKEN_NO_SCOPE] = "scope",
	    [TOKEN_BAD] = "bad"};
	struct token_demand demand;
	const char *token, *why = NULL;
	uint64_t serial;
	const struct attribute wanted[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("token", PROTOCOL_TOKEN_MAX, &token),
	    ATTRIBUTE_TEXT("issuer", IPC_PACKET_MAX, &demand.issuer),
	    ATTRIBUTE_TEXT("audiences", IPC_PACKET_MAX, &demand.audiences),
	    ATTRIBUTE_TEXT("scopes", IPC_PACKET_MAX, &demand.scopes),
	    ATTRIBUTE_TEXT("claim", IPC_PACKET_MAX, &demand.claim)};
	char user[PROTOCOL_LOGIN_MAX + 1];
	enum token_result result = TOKEN_BAD;
	const struct key_set *set;

	if (!packet_read(p, "token", wanted, 6, 1))
		return false;
	if ((set = find_set(p->fds[0])) != NULL)
		result =
		    token_check(token, set, &demand, time(NULL), user, &why);
	else
		why = known.wrong;
	packet_close(p);
	explicit_bzero(p->octets, p->len);
	packet_start(p, "token");
	packet_number(p, "serial", serial);
	packet_text(p, "result", results[result]);
	if (result == TOKEN_GOOD)
		packet_text(p, "user", user);
	else
		packet_text(p, "reason", why);
	return true;
}
