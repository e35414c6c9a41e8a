/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* explicit_bzero */
#include "common/login.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"

/* userdb's workers hash slowly on purpose, and there may be many before us. */
enum { USERDB_MS = 60000 };

/* The request is wiped behind every use; both only touch what they need. */
static struct packet request, answer;

static void
drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
login_init(struct login *login, int *userdb, const char *service,
    const char *client, bool tls)
{
	*login = (struct login){.userdb = userdb,
	    .service = service,
	    .client = client,
	    .tls = tls,
	    .end = -1,
	    .pending = -1};
}

void
login_end(struct login *login)
{
	drop(&login->end);
	drop(&login->pending);
}

/* -- the connection -- */

static void
lost(struct login *login, const char *reason)
{
	log_event(LEVEL_WARNING, "peer lost", log_text("what", "userdb"),
	    log_text("client", login->client), log_text("reason", reason));
	/* A late answer would be taken for the next one's. */
	drop(login->userdb);
}

static bool
connected(struct login *login)
{
	if (*login->userdb == -1)
		*login->userdb = ipc_connect("userdb");
	if (*login->userdb == -1)
		log_errno(LEVEL_WARNING, "cannot connect", "userdb");
	return *login->userdb >= 0;
}

static enum ipc_result
exchange(struct login *login, int64_t deadline)
{
	enum ipc_result result = ipc_send(*login->userdb, &request, deadline);

	if (result == IPC_OK)
		result = ipc_receive(*login->userdb, &answer, deadline);
	return result;
}

/*
 * What a restart of userdb leaves behind is a closed connection: a request
 * that begins something (afresh) may be sent on a new one, once.
 */
static bool
ask(struct login *login, bool afresh)
{
	int64_t deadline = clock_monotonic_ms() + USERDB_MS;
	bool kept = *login->userdb >= 0;
	enum ipc_result result;

	if (!connected(login))
		return false;
	result = exchange(login, deadline);
	if (result == IPC_CLOSED && kept && afresh) {
		drop(login->userdb);
		if (!connected(login))
			return false;
		result = exchange(login, deadline);
	}
	if (result == IPC_OK)
		return true;
	lost(login,
	    result == IPC_TIMEOUT      ? "userdb does not answer"
		: result == IPC_CLOSED ? "userdb closed the connection"
				       : strerror(errno));
	return false;
}

static void
malformed(struct login *login)
{
	packet_close(&answer);
	lost(login, "malformed answer from userdb");
}

/* -- verdicts -- */

static enum verdict
admitted(struct login *login, const char *user)
{
	if (user == NULL || user[0] == '\0')
		return VERDICT_LOGIN_LATER;
	memcpy(login->user, user, strlen(user) + 1);
	drop(&login->end);
	login->end = login->pending;
	login->pending = -1;
	return VERDICT_LOGIN_OK;
}

/* Where what is asked can bring more than yes and no, extra says what. */
static enum verdict
read_verdict(struct login *login, const struct attribute *extra)
{
	const char *name, *user = NULL;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &name),
	    ATTRIBUTE_TEXT_OPTIONAL("user", PROTOCOL_LOGIN_MAX, &user),
	    extra != NULL ? *extra : (struct attribute){.name = NULL}};
	enum verdict verdict;

	if (!packet_read(&answer, "login", set, extra != NULL ? 3 : 2, 0)) {
		malformed(login);
		return VERDICT_LOGIN_LATER;
	}
	verdict = verdict_named(name);
	if (verdict == VERDICT_LOGIN_OK)
		return admitted(login, user);
	/* Who was refused learns no more than that (A20). */
	return verdict_is_success(verdict) || verdict_is_temporary(verdict)
	    ? VERDICT_LOGIN_LATER
	    : VERDICT_LOGIN_FAILED;
}

/* Whatever comes of it, nothing of our pair is left that is not login->end. */
static enum verdict
close_pair(struct login *login, enum verdict verdict)
{
	drop(&login->pending);
	return verdict;
}

/* One end of a new pair goes with the request; where is the other? */
static bool
attach_pair(struct login *login, int *given)
{
	int ends[2];

	drop(&login->pending);
	if (ipc_pair(ends) == -1) {
		log_errno(LEVEL_ERROR, "cannot make", "socket pair");
		return false;
	}
	login->pending = ends[0];
	*given = ends[1];
	packet_attach(&request, ends[1]);
	return true;
}

/* Send what begins a login, with one end of a pair. */
static bool
begin(struct login *login)
{
	int given;
	bool fine;

	if (!attach_pair(login, &given))
		return false;
	fine = ask(login, true);
	close(given);
	return fine;
}

/* -- one question, one answer -- */

/* The credentials are in the request, which is wiped. */
static enum verdict
ask_verdict(struct login *login, const struct attribute *extra,
    const char **text, struct buf *out)
{
	enum verdict verdict = VERDICT_LOGIN_LATER;

	if (begin(login))
		verdict = read_verdict(login, extra);
	explicit_bzero(request.octets, request.len);
	if (out != NULL && *text != NULL && verdict == VERDICT_LOGIN_FAILED)
		buf_adds(out, *text);
	return close_pair(login, verdict);
}

static void
add_client(const struct login *login, const char *mechanism)
{
	packet_text(&request, "client", login->client);
	if (mechanism != NULL)
		packet_text(&request, "mechanism", mechanism);
	packet_number(&request, "tls", login->tls);
}

enum verdict
login_password(struct login *login, const char *mechanism, const char *user,
    const char *password)
{
	packet_start(&request, "login");
	packet_text(&request, "user", user);
	packet_text(&request, "password", password);
	add_client(login, mechanism);
	return ask_verdict(login, NULL, NULL, NULL);
}

enum verdict
login_digest(struct login *login, const char *kind, const char *user,
    const char *challenge, const char *response)
{
	packet_start(&request, "digest");
	packet_text(&request, "kind", kind);
	packet_text(&request, "user", user);
	packet_text(&request, "challenge", challenge);
	packet_text(&request, "response", response);
	add_client(login, NULL);
	return ask_verdict(login, NULL, NULL, NULL);
}

static enum verdict
backend_token(void *context, const char *mechanism, const char *user,
    const char *token, struct buf *challenge)
{
	struct login *login = context;
	const char *text = NULL;
	const struct attribute extra =
	    ATTRIBUTE_TEXT_OPTIONAL("challenge", PROTOCOL_CHALLENGE_MAX, &text);

	packet_start(&request, "token");
	packet_text(&request, "token", token);
	if (user[0] != '\0')
		packet_text(&request, "user", user);
	add_client(login, mechanism);
	return ask_verdict(login, &extra, &text, challenge);
}

/* -- SCRAM: two questions -- */

static bool
read_scram(struct sasl_scram *scram)
{
	const char *nonce, *salt;
	uint64_t iterations;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("nonce", SCRAM_NONCE_MAX, &nonce),
	    ATTRIBUTE_TEXT("salt", SCRAM_SALT_TEXT_MAX, &salt),
	    ATTRIBUTE_NUMBER("iterations", &iterations)};

	if (!packet_read(&answer, "scram", set, 3, 0) ||
	    !scram_is_nonce(nonce, strlen(nonce)) ||
	    iterations > SCRAM_ITERATIONS_MOST)
		return false;
	memcpy(scram->nonce, nonce, strlen(nonce) + 1);
	memcpy(scram->salt, salt, strlen(salt) + 1);
	scram->iterations = (unsigned)iterations;
	return true;
}

static enum verdict
backend_scram_begin(void *context, const char *mechanism, const char *user,
    struct sasl_scram *scram)
{
	struct login *login = context;
	enum verdict verdict = VERDICT_LOGIN_LATER;

	packet_start(&request, "scram");
	packet_text(&request, "user", user);
	add_client(login, mechanism);
	if (!begin(login))
		return close_pair(login, verdict);
	if (packet_is(&answer, "login"))
		verdict = read_verdict(login, NULL);
	else if (read_scram(scram))
		return VERDICT_OK; /* the pair waits for the proof */
	else
		malformed(login);
	return close_pair(
	    login, verdict == VERDICT_LOGIN_OK ? VERDICT_LOGIN_LATER : verdict);
}

static enum verdict
backend_scram_proof(void *context, const char *first, const char *final,
    const char *proof, char *signature)
{
	struct login *login = context;
	const char *text = NULL;
	const struct attribute extra =
	    ATTRIBUTE_TEXT_OPTIONAL("signature", SCRAM_KEY_TEXT, &text);
	enum verdict verdict = VERDICT_LOGIN_LATER;

	packet_start(&request, "proof");
	packet_text(&request, "first", first);
	packet_text(&request, "final", final);
	packet_text(&request, "proof", proof);
	if (ask(login, false))
		verdict = read_verdict(login, &extra);
	explicit_bzero(request.octets, request.len);
	if (verdict == VERDICT_LOGIN_OK && text == NULL) {
		login_end(login);
		verdict = VERDICT_LOGIN_LATER;
	} else if (verdict == VERDICT_LOGIN_OK) {
		memcpy(signature, text, strlen(text) + 1);
	}
	return close_pair(login, verdict);
}

static void
backend_cancel(void *context)
{
	struct login *login = context;
	packet_start(&request, "cancel");
	if (*login->userdb >= 0 &&
	    ipc_send(*login->userdb, &request,
		clock_monotonic_ms() + USERDB_MS) != IPC_OK)
		lost(login, "cannot cancel");
	drop(&login->pending);
}

/* -- the backend of SASL -- */

static enum verdict
backend_password(void *context, const char *mechanism, const char *user,
    const char *password)
{
	return login_password(context, mechanism, user, password);
}

static enum verdict
backend_digest(void *context, const char *kind, const char *user,
    const char *challenge, const char *response)
{
	return login_digest(context, kind, user, challenge, response);
}

static void
backend_refused(
    void *context, const char *mechanism, const char *user, const char *reason)
{
	const struct login *login = context;

	log_event(LEVEL_WARNING, "login failed",
	    log_text("client", login->client),
	    log_text("service", login->service),
	    log_text("mechanism", mechanism),
	    log_text("tls", login->tls ? "yes" : NULL),
	    log_text("auth", user[0] != '\0' ? user : NULL),
	    log_text("reason", reason));
}

const struct sasl_backend login_backend = {
    .password = backend_password,
    .token = backend_token,
    .digest = backend_digest,
    .scram_begin = backend_scram_begin,
    .scram_proof = backend_scram_proof,
    .cancel = backend_cancel,
    .refused = backend_refused,
};
