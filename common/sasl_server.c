/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* explicit_bzero */
#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/sasl_mechanism.h"

static const struct {
	sasl_run *run;
	enum { CLIENT_FIRST, SERVER_FIRST, EITHER_FIRST } first;
} mechanisms[SASL_MECHANISMS] = {
    [SASL_PLAIN] = {sasl_plain_step, CLIENT_FIRST},
    [SASL_LOGIN] = {sasl_login_step, EITHER_FIRST},
    [SASL_SCRAM_SHA_256] = {sasl_scram_step, CLIENT_FIRST},
    [SASL_SCRAM_SHA_256_PLUS] = {sasl_scram_step, CLIENT_FIRST},
    [SASL_OAUTHBEARER] = {sasl_oauthbearer_step, CLIENT_FIRST},
    [SASL_XOAUTH2] = {sasl_xoauth2_step, CLIENT_FIRST},
    [SASL_CRAM_MD5] = {sasl_cram_md5_step, SERVER_FIRST},
};

unsigned
sasl_server_offer(unsigned allowed, const struct sasl_channel *channel)
{
	if (!channel->tls || channel->binding == NULL)
		allowed &= ~SASL_SET(SASL_SCRAM_SHA_256_PLUS);
	return allowed;
}

void
sasl_server_begin(struct sasl_server *s, enum sasl_mechanism mechanism,
    const struct sasl_backend *backend, void *context,
    const struct sasl_channel *channel, const char *hostname, unsigned offered)
{
	*s = (struct sasl_server){.backend = backend,
	    .context = context,
	    .channel = *channel,
	    .hostname = hostname,
	    .offered = offered,
	    .mechanism = mechanism,
	    .verdict = VERDICT_LOGIN_FAILED};
}

enum sasl_step
sasl_server_step(struct sasl_server *s, const char *response, size_t n,
    struct buf *challenge)
{
	buf_reset(challenge);
	if (response == NULL && mechanisms[s->mechanism].first == CLIENT_FIRST)
		return SASL_MORE;
	if (response != NULL && s->step == 0 &&
	    mechanisms[s->mechanism].first == SERVER_FIRST)
		return SASL_NOT_INITIAL;
	return mechanisms[s->mechanism].run(s, response, n, challenge);
}

void
sasl_server_end(struct sasl_server *s)
{
	if (s->begun)
		s->backend->cancel(s->context);
	explicit_bzero(s, sizeof(*s));
}

bool
sasl_timestamp(const char *hostname, char *out, size_t size)
{
	uint64_t random;

	if (RAND_bytes((unsigned char *)&random, sizeof(random)) != 1)
		return false;
	return snprintf(out, size, "<%016" PRIx64 ".%lld@%s>", random,
		   (long long)time(NULL), hostname) < (int)size;
}

/* -- for the mechanisms -- */

bool
sasl_text(const char *octets, size_t n, char *out, size_t max)
{
	if (n == 0 || n > max || memchr(octets, '\0', n) != NULL)
		return false;
	memcpy(out, octets, n);
	out[n] = '\0';
	return true;
}

enum sasl_step
sasl_ended(struct sasl_server *s, enum verdict verdict)
{
	s->verdict = verdict;
	return SASL_END;
}

enum sasl_step
sasl_refused(struct sasl_server *s, const char *user, const char *reason)
{
	s->backend->refused(s->context, sasl_name(s->mechanism), user, reason);
	return sasl_ended(s, VERDICT_LOGIN_FAILED);
}
