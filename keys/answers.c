/* SPDX-License-Identifier: ISC */
#include "keys/answers.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/protocol.h"
#include "common/tls_key.h"
#include "keys/dkim.h"
#include "keys/pairs.h"
#include "keys/relay.h"
#include "keys/sign.h"
#include "keys/tickets.h"

enum { WORD_MAX = 64, DATA_HEX_MAX = 2 * TLS_KEY_DATA_MAX };

static const struct config *config;
static void (*records_changed)(void), (*shut_out)(void);
static struct packet out;

static bool
send_out(struct client *c)
{
	peer_send(&c->peer, &out);
	return true;
}

static bool
refuse(struct client *c, const char *reason)
{
	packet_start(&out, "refused");
	packet_text(&out, "reason", reason);
	return send_out(c);
}

/* -- certificates -- */

static bool
certificates(struct client *c, const struct packet *p)
{
	char current[TICKETS_HEX_SIZE], previous[TICKETS_HEX_SIZE];

	if (!packet_read(p, "certificates", NULL, 0, 0))
		return false;
	tickets_format(c->role == ROLE_SMTPD ? TICKETS_SMTPD : TICKETS_POP3D,
	    current, previous);
	packet_start(&out, "certificates");
	packet_text(&out, "generation", pairs_generation());
	packet_number(&out, "count", pairs_count());
	packet_text(&out, "ticket", current);
	if (previous[0] != '\0')
		packet_text(&out, "previous", previous);
	c->knows = true;
	send_out(c);
	explicit_bzero(&out, sizeof(out));
	explicit_bzero(current, sizeof(current));
	explicit_bzero(previous, sizeof(previous));
	return true;
}

static bool
certificate(struct client *c, const struct packet *p)
{
	const struct pair *pair;
	const char *generation;
	uint64_t index;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("generation", WORD_MAX, &generation),
	    ATTRIBUTE_NUMBER("index", &index)};

	if (!packet_read(p, "certificate", set, 2, 0))
		return false;
	pair = pairs_at(index);
	if (pair == NULL || strcmp(generation, pairs_generation()) != 0) {
		packet_start(&out, "stale");
		return send_out(c);
	}
	packet_start(&out, "certificate");
	packet_text(&out, "key", pair->id);
	packet_attach(&out, pair->fd);
	return send_out(c);
}

/* -- signatures -- */

/*
 * OpenSSL in a speaker asks for nothing else than handshakes: whoever does
 * has broken into it, or tries out what we do.
 */
static bool
refuse_to_sign(struct client *c, const char *reason)
{
	log_event(LEVEL_WARNING, "not signed", log_text("role", c->peer.role),
	    log_text("reason", reason));
	return refuse(c, reason);
}

static bool
send_signature(struct client *c, const unsigned char *signature, size_t n)
{
	char hex[2 * TLS_KEY_SIGNATURE_MAX + 1];

	OPENSSL_buf2hexstr_ex(hex, sizeof(hex), NULL, signature, n, '\0');
	packet_start(&out, "signed");
	packet_text(&out, "signature", hex);
	return send_out(c);
}

static bool
sign(struct client *c, const struct packet *p)
{
	unsigned char data[TLS_KEY_DATA_MAX], signature[TLS_KEY_SIGNATURE_MAX];
	const char *id, *name, *hex, *reason;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("key", TLS_KEY_ID_MAX, &id),
	    ATTRIBUTE_TEXT("scheme", WORD_MAX, &name),
	    ATTRIBUTE_TEXT("data", DATA_HEX_MAX, &hex)};
	const struct tls_scheme *scheme;
	const struct pair *pair;
	size_t n;

	if (!packet_read(p, "sign", set, 3, 0) ||
	    OPENSSL_hexstr2buf_ex(data, sizeof(data), &n, hex, '\0') != 1)
		return false;
	/* Replaced since that handshake began: the client tries again. */
	if ((pair = pairs_find(id)) == NULL)
		return refuse(c, "no such key");
	scheme = sign_scheme(name, sign_kind_of(data, n), pair->key, &reason);
	if (scheme == NULL)
		return refuse_to_sign(c, reason);
	n = sign_data(pair->key, scheme, data, n, signature, sizeof(signature));
	return n > 0 ? send_signature(c, signature, n)
		     : refuse_to_sign(c, "the signature failed");
}

static bool
sign_nothing(struct client *c, const struct packet *p)
{
	(void)p;
	return refuse_to_sign(c, "not for this role");
}

/* -- a relay host's secret -- */

static bool
is_relay_host(const char *host)
{
	char name[RELAY_HOST_MAX + 1];

	return config->relay_host != NULL &&
	    relay_host_name(config->relay_host, name) &&
	    strcmp(name, host) == 0;
}

/* The record with its token; -1 and errno. */
static int
read_secret(const char *host, struct relay_record *r)
{
	int folder = relay_open_folder(config->keys_dir), rc, saved;

	if (folder == -1)
		return -1;
	rc = relay_read(folder, host, r);
	saved = errno;
	close(folder);
	errno = saved;
	if (rc == 0 && r->token_file[0] != '\0')
		rc = relay_read_token(r->token_file, r->password);
	return rc;
}

static bool
send_secret(struct client *c, const struct relay_record *r)
{
	packet_start(&out, "relay");
	packet_text(&out, "user", r->user);
	packet_text(
	    &out, "kind", r->token_file[0] != '\0' ? "token" : "password");
	packet_text(&out, "secret", r->password);
	send_out(c);
	explicit_bzero(&out, sizeof(out));
	return true;
}

static bool
send_none(struct client *c)
{
	packet_start(&out, "none");
	return send_out(c);
}

static bool
refuse_relay(struct client *c, const struct relay_record *r, int error)
{
	bool has_token = r->token_file[0] != '\0';

	if (error == ENOENT && !has_token)
		return send_none(c);
	log_event(LEVEL_ERROR, "no relay login",
	    log_text("what", has_token ? r->token_file : r->host),
	    log_text("reason", strerror(error)));
	refuse(c, strerror(error));
	if (has_token && error == EACCES)
		shut_out();
	return true;
}

static bool
relay(struct client *c, const struct packet *p)
{
	char host[RELAY_HOST_MAX + 1];
	struct relay_record r = {.token_file = ""};
	const char *text;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("host", RELAY_HOST_MAX + 2, &text)};
	bool sent;

	if (!packet_read(p, "relay", set, 1, 0))
		return false;
	if (!relay_host_name(text, host) || !is_relay_host(host))
		return send_none(c);
	if (read_secret(host, &r) == -1)
		return refuse_relay(c, &r, errno);
	sent = send_secret(c, &r);
	explicit_bzero(&r, sizeof(r));
	return sent;
}

/* -- signatures for mail that leaves -- */

static void
forget_facts(struct client *c)
{
	buf_free(&c->facts->fields);
	free(c->facts);
	c->facts = NULL;
}

static bool
send_fields(struct client *c)
{
	static struct dkim_answer answer;

	dkim_answer(config->keys_dir, c->facts, &answer);
	packet_start(&out, answer.failed ? "refused" : "dkim");
	packet_number(&out, "serial", c->serial);
	for (size_t i = 0; i < answer.n; i++)
		packet_text(&out, "dkim", answer.fields[i]);
	if (answer.n == 0)
		packet_text(&out, "reason", answer.reason);
	forget_facts(c);
	return send_out(c);
}

static bool
dkim(struct client *c, const struct packet *p)
{
	const char *from, *body, *fields;
	uint64_t more;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &c->serial),
	    ATTRIBUTE_TEXT("from", PROTOCOL_ADDRESS_MAX, &from),
	    ATTRIBUTE_TEXT("body", DKIM_HASH_HEX, &body),
	    ATTRIBUTE_TEXT("fields", DKIM_FIELDS_PART, &fields),
	    ATTRIBUTE_NUMBER_OPTIONAL("more", &more)};

	if (c->facts != NULL || !packet_read(p, "dkim", set, 5, 0) || more > 1)
		return false;
	c->facts = calloc(1, sizeof(*c->facts));
	return c->facts != NULL &&
	    dkim_facts_begin(c->facts, from, body, fields) &&
	    (more == 1 || send_fields(c));
}

static bool
dkim_more(struct client *c, const struct packet *p)
{
	const char *fields;
	uint64_t more;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("fields", DKIM_FIELDS_PART, &fields),
	    ATTRIBUTE_NUMBER_OPTIONAL("more", &more)};

	return c->facts != NULL && packet_read(p, "more", set, 2, 0) &&
	    more <= 1 && dkim_facts_more(c->facts, fields) &&
	    (more == 1 || send_fields(c));
}

/* -- the administrator -- */

static bool
pair_in_use(struct client *c, const struct packet *p)
{
	const struct pair *pair;
	uint64_t index;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("index", &index)};

	if (!packet_read(p, "pair", set, 1, 0))
		return false;
	packet_start(&out, "pair");
	if ((pair = pairs_at(index)) != NULL) {
		packet_text(&out, "path", pair->path);
		packet_text(&out, "key-path", pair->key_path);
		packet_text(&out, "key", pair->id);
	}
	packet_number(&out, "count", pairs_count());
	return send_out(c);
}

static bool
renew_soon(struct client *c, const struct packet *p)
{
	if (!packet_read(p, "renew", NULL, 0, 0))
		return false;
	packet_start(&out, "done");
	send_out(c);
	records_changed();
	return true;
}

/* -- who may ask what -- */

enum {
	SERVERS = 1 << ROLE_SMTPD | 1 << ROLE_POP3D,
	OTHERS = 1 << ROLE_DELIVER | 1 << ROLE_QUEUE | 1 << ROLE_ADMIN,
	SIGNERS = 1 << ROLE_QUEUE | 1 << ROLE_ADMIN
};

static const struct request {
	const char *verb;
	unsigned roles;
	bool (*answer)(struct client *, const struct packet *);
} requests[] = {
    {"certificates", SERVERS, certificates},
    {"certificate", SERVERS, certificate},
    {"sign", SERVERS, sign},
    {"sign", OTHERS, sign_nothing},
    {"dkim", SIGNERS, dkim},
    {"more", SIGNERS, dkim_more},
    {"relay", 1 << ROLE_DELIVER, relay},
    {"pair", 1 << ROLE_ADMIN, pair_in_use},
    {"renew", 1 << ROLE_ADMIN, renew_soon},
};

bool
answer_request(struct client *c, const struct packet *p)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if ((requests[i].roles & 1U << c->role) != 0 &&
		    packet_is(p, requests[i].verb))
			return requests[i].answer(c, p);
	return false;
}

void
answers_begin(const struct config *c, void (*changed)(void), void (*shut)(void))
{
	config = c;
	records_changed = changed;
	shut_out = shut;
}
