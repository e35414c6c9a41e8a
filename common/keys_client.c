/* SPDX-License-Identifier: ISC */
#include "common/keys_client.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/certificate.h"
#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/tls.h"
#include "common/tls_key.h"

enum {
	SIGN_MS = 20000, /* also while `keys` is started anew */
	GENERATION_MAX = 32,
	PAIRS_MAX = 1024,
	TICKET_HEX_MAX = 2 * TLS_TICKET_KEY_SIZE,
	SIGNATURE_HEX_MAX = 2 * TLS_KEY_SIGNATURE_MAX,
	REASON_MAX = 256,
	TRIES = 3
};

struct keys_client {
	const char *path;
	int fd;
	pid_t connected_by;
	bool changed; /* or not known to be the same */
	char generation[GENERATION_MAX + 1];
	const struct tls_server *server; /* who has them */
	size_t count;
	struct packet request, answer;
};

/* -- the conversation -- */

static void
hang_up(struct keys_client *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
	k->changed = true;
}

/* A connection that a parent opened is the parent's. */
int
keys_client_connect(struct keys_client *k)
{
	if (k->fd >= 0 && k->connected_by == getpid())
		return 0;
	hang_up(k);
	k->fd = ipc_connect(k->path);
	k->connected_by = getpid();
	return k->fd >= 0 ? 0 : -1;
}

/* What comes unasked is noted. */
static enum ipc_result
hear(struct keys_client *k, int64_t deadline_ms)
{
	enum ipc_result result;

	while (
	    (result = ipc_receive(k->fd, &k->answer, deadline_ms)) == IPC_OK &&
	    packet_read(&k->answer, "changed", NULL, 0, 0))
		k->changed = true;
	return result;
}

static void
log_failure(const char *reason)
{
	log_event(LEVEL_ERROR, "cannot ask", log_text("what", "keys"),
	    log_text("reason", reason));
}

/* k->request, then k->answer; once more where `keys` was started anew. */
static bool
ask(struct keys_client *k, int64_t deadline_ms)
{
	enum ipc_result result = IPC_CLOSED;

	if (k->request.failed) {
		log_failure("the request is too long");
		return false;
	}
	for (int i = 0; i < TRIES && result == IPC_CLOSED; i++) {
		if (keys_client_connect(k) == -1) {
			log_failure(strerror(errno));
			return false;
		}
		result = ipc_send(k->fd, &k->request, deadline_ms);
		if (result == IPC_OK)
			result = hear(k, deadline_ms);
		if (result != IPC_OK)
			hang_up(k);
	}
	if (result == IPC_OK)
		return true;
	log_failure(result == IPC_TIMEOUT ? "no answer in time"
		: result == IPC_CLOSED    ? "it hangs up"
					  : strerror(errno));
	return false;
}

static bool
malformed(struct keys_client *k)
{
	packet_close(&k->answer);
	hang_up(k);
	log_failure("malformed packet");
	return false;
}

/* An answer "refused": its reason, or NULL. */
static const char *
refusal(const struct keys_client *k)
{
	const char *reason = NULL;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("reason", REASON_MAX, &reason)};

	return packet_read(&k->answer, "refused", set, 1, 0) ? reason : NULL;
}

/* -- signatures -- */

static size_t
read_signature(struct keys_client *k, unsigned char *out)
{
	const char *hex, *reason;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("signature", SIGNATURE_HEX_MAX, &hex)};
	size_t n = 0;

	if ((reason = refusal(k)) != NULL) {
		log_event(
		    LEVEL_ERROR, "not signed", log_text("reason", reason));
		return 0;
	}
	if (packet_read(&k->answer, "signed", set, 1, 0) &&
	    OPENSSL_hexstr2buf_ex(out, TLS_KEY_SIGNATURE_MAX, &n, hex, '\0') ==
		1 &&
	    n > 0)
		return n;
	malformed(k);
	return 0;
}

static size_t
sign(void *context, const char *id, const char *scheme, const void *data,
    size_t n, unsigned char signature[TLS_KEY_SIGNATURE_MAX])
{
	struct keys_client *k = context;
	char hex[2 * TLS_KEY_DATA_MAX + 1];

	if (OPENSSL_buf2hexstr_ex(hex, sizeof(hex), NULL, data, n, '\0') != 1)
		return 0;
	packet_start(&k->request, "sign");
	packet_text(&k->request, "key", id);
	packet_text(&k->request, "scheme", scheme);
	packet_text(&k->request, "data", hex);
	return ask(k, clock_monotonic_ms() + SIGN_MS)
	    ? read_signature(k, signature)
	    : 0;
}

/* -- certificates -- */

struct set { /* what there is, on its way to the server */
	char generation[GENERATION_MAX + 1];
	size_t n;
	struct tls_pair pairs[PAIRS_MAX];
};

static bool
take_ticket(const char *hex, unsigned char key[TLS_TICKET_KEY_SIZE])
{
	size_t n;

	return OPENSSL_hexstr2buf_ex(key, TLS_TICKET_KEY_SIZE, &n, hex, '\0') ==
	    1 &&
	    n == TLS_TICKET_KEY_SIZE;
}

/* How many there are; hands the tickets' keys on. */
static bool
ask_how_many(struct keys_client *k, struct tls_server *server, struct set *set,
    uint64_t *count, int64_t deadline_ms)
{
	unsigned char current[TLS_TICKET_KEY_SIZE],
	    previous[TLS_TICKET_KEY_SIZE];
	const char *generation, *ticket, *before;
	const struct attribute expected[] = {
	    ATTRIBUTE_TEXT("generation", GENERATION_MAX, &generation),
	    ATTRIBUTE_NUMBER("count", count),
	    ATTRIBUTE_TEXT("ticket", TICKET_HEX_MAX, &ticket),
	    ATTRIBUTE_TEXT_OPTIONAL("previous", TICKET_HEX_MAX, &before)};

	packet_start(&k->request, "certificates");
	if (!ask(k, deadline_ms))
		return false;
	if (!packet_read(&k->answer, "certificates", expected, 4, 0) ||
	    *count > PAIRS_MAX || !take_ticket(ticket, current) ||
	    (before != NULL && !take_ticket(before, previous)))
		return malformed(k);
	snprintf(set->generation, sizeof(set->generation), "%s", generation);
	/* This answer covers whatever was said to have changed before. */
	k->changed = false;
	tls_server_tickets(server, current, before != NULL ? previous : NULL);
	explicit_bzero(k->answer.octets, k->answer.len);
	explicit_bzero(current, sizeof(current));
	explicit_bzero(previous, sizeof(previous));
	return true;
}

static bool
read_pair(struct keys_client *k, const char *id, int fd, struct set *set)
{
	char reason[CERTIFICATE_REASON_MAX];
	struct tls_pair pair = {.chain = certificate_read_chain(fd, reason)};

	close(fd);
	if (pair.chain == NULL) {
		hang_up(k);
		log_failure(reason);
		return false;
	}
	pair.key = tls_key_new(sk_X509_value(pair.chain, 0), id);
	if (pair.key == NULL) {
		certificate_free_chain(pair.chain);
		log_failure("its certificate is of no use");
		return false;
	}
	set->pairs[set->n++] = pair;
	return true;
}

/* 1: it is there; 0: another generation by now; -1. */
static int
ask_one(struct keys_client *k, struct set *set, uint64_t i, int64_t deadline_ms)
{
	const char *id;
	const struct attribute expected[] = {
	    ATTRIBUTE_TEXT("key", TLS_KEY_ID_MAX, &id)};

	packet_start(&k->request, "certificate");
	packet_text(&k->request, "generation", set->generation);
	packet_number(&k->request, "index", i);
	if (!ask(k, deadline_ms))
		return -1;
	if (packet_read(&k->answer, "stale", NULL, 0, 0))
		return 0;
	if (!packet_read(&k->answer, "certificate", expected, 1, 1)) {
		malformed(k);
		return -1;
	}
	return read_pair(k, id, packet_detach(&k->answer, 0), set) ? 1 : -1;
}

static void
forget(struct set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		certificate_free_chain(set->pairs[i].chain);
		EVP_PKEY_free(set->pairs[i].key);
	}
	set->n = 0;
}

/* 1: the server has them; 0: they changed meanwhile; -1. */
static int
load_once(struct keys_client *k, struct tls_server *server, struct set *set,
    int64_t deadline_ms)
{
	uint64_t count;
	int rc = 1;

	if (!ask_how_many(k, server, set, &count, deadline_ms))
		return -1;
	if (k->server == server && strcmp(set->generation, k->generation) == 0)
		return 1;
	for (uint64_t i = 0; rc == 1 && i < count; i++)
		rc = ask_one(k, set, i, deadline_ms);
	if (rc == 1 && !tls_server_set(server, set->pairs, set->n))
		rc = -1;
	if (rc != 1)
		return rc;
	k->server = server;
	k->count = set->n;
	memcpy(k->generation, set->generation, sizeof(k->generation));
	return 1;
}

int
keys_client_load(
    struct keys_client *k, struct tls_server *server, int64_t deadline_ms)
{
	struct set *set = calloc(1, sizeof(*set));
	int rc = 0;

	if (set == NULL) {
		log_failure(strerror(errno));
		return -1;
	}
	for (int i = 0; rc == 0 && i < TRIES; i++) {
		rc = load_once(k, server, set, deadline_ms);
		forget(set);
	}
	free(set);
	if (rc == 1)
		return 0;
	k->changed = true;
	return -1;
}

size_t
keys_client_count(const struct keys_client *k)
{
	return k->count;
}

bool
keys_client_changed(struct keys_client *k)
{
	if (k->changed || k->fd < 0 || k->connected_by != getpid())
		return true;
	if (ipc_receive(k->fd, &k->answer, 0) == IPC_TIMEOUT)
		return false;
	/* "changed", an end, or nonsense: either way it is time to ask. */
	packet_close(&k->answer);
	if (!packet_is(&k->answer, "changed"))
		hang_up(k);
	k->changed = true;
	return true;
}

/* -- a relay host's secret -- */

static int
read_relay(struct keys_client *k, struct keys_relay *out)
{
	const char *user, *kind, *secret;
	const struct attribute expected[] = {
	    ATTRIBUTE_TEXT("user", KEYS_RELAY_USER_MAX, &user),
	    ATTRIBUTE_TEXT("kind", REASON_MAX, &kind),
	    ATTRIBUTE_TEXT("secret", KEYS_RELAY_SECRET_MAX, &secret)};

	if (packet_read(&k->answer, "none", NULL, 0, 0))
		return 0;
	if (refusal(k) != NULL) {
		log_failure(refusal(k));
		return -1;
	}
	if (!packet_read(&k->answer, "relay", expected, 3, 0)) {
		malformed(k);
		return -1;
	}
	snprintf(out->user, sizeof(out->user), "%s", user);
	snprintf(out->secret, sizeof(out->secret), "%s", secret);
	out->is_token = strcmp(kind, "token") == 0;
	return 1;
}

int
keys_client_relay(struct keys_client *k, const char *host,
    struct keys_relay *out, int64_t deadline_ms)
{
	int rc = -1;

	packet_start(&k->request, "relay");
	packet_text(&k->request, "host", host);
	if (ask(k, deadline_ms))
		rc = read_relay(k, out);
	explicit_bzero(&k->answer, sizeof(k->answer));
	return rc;
}

struct keys_client *
keys_client_new(const char *path)
{
	struct keys_client *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->path = path;
	k->fd = -1;
	k->changed = true;
	tls_key_signer(sign, k);
	return k;
}
