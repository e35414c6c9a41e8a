/* SPDX-License-Identifier: ISC */
#include "smtpd/grey.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "mailauth/dmarc.h"
#include "mailauth/dmarc_walk.h"
#include "mailauth/spf.h"
#include "smtpd/asking.h"
#include "smtpd/session.h"
#include "smtpd/tallies.h"

static bool
write_sender(const struct spf_result *spf, char key[GREY_KEY_MAX + 1])
{
	snprintf(key, GREY_KEY_MAX + 1, "spf:%s", spf->domain);
	return spf->result == AUTH_PASS && !spf->broad;
}

static bool
write_network(const struct session *s, char key[GREY_KEY_MAX + 1])
{
	struct sockaddr_storage net = s->client.address;
	struct sockaddr_in *in = (struct sockaddr_in *)&net;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&net;
	char text[NETADDR_TEXT_MAX];

	if (net.ss_family == AF_INET)
		in->sin_addr.s_addr &= htonl(0xffffff00);
	else
		memset(in6->sin6_addr.s6_addr + 8, 0, 8);
	netaddr_format(&net, text);
	snprintf(key, GREY_KEY_MAX + 1, "net:%s/%d", text,
	    net.ss_family == AF_INET ? 24 : 64);
	return true;
}

static bool
write_host(
    struct session *s, const struct mailauth *m, char key[GREY_KEY_MAX + 1])
{
	struct dmarc_result found = {.record = {.psd = 'u'}};
	bool good;

	if (!dmarc_normalise(client_name(s), found.domain))
		return write_network(s, key);
	dmarc_find_organization(m, &found);
	good = found.organization[0] != '\0';
	snprintf(key, GREY_KEY_MAX + 1, "host:%s", found.organization);
	dmarc_result_free(&found);
	return good;
}

static bool
write_key(
    struct session *s, const struct mailauth *m, char key[GREY_KEY_MAX + 1])
{
	const struct spf_query query = {.client = s->client.address,
	    .helo = s->helo,
	    .sender = s->transaction.sender_text,
	    .receiver = s->config->hostname};
	struct spf_result *spf = malloc(sizeof(*spf));

	if (spf == NULL)
		return false;
	s->transaction.spf_result = spf;
	spf_check_sender(m, &query, spf);
	/* Trouble with the sender's domain, which may be of his making, is
	 * no way around. */
	if (write_sender(spf, key))
		return true;
	if (client_name(s)[0] != '\0')
		return write_host(s, m, key);
	return !s->client.name_unclear && write_network(s, key);
}

static void
find_key(struct session *s)
{
	struct asking asking;
	const struct resolver resolver =
	    asking_begin(&asking, s->dns, s->config->hostname);
	const struct mailauth m = {.resolver = &resolver, .now = clock_now()};
	char key[GREY_KEY_MAX + 1];

	asking_limit(&asking, GREY_MS);
	if (write_key(s, &m, key))
		s->transaction.key = strdup(key);
	asking_end(&asking);
}

const char *
grey_key(struct session *s)
{
	struct transaction *t = &s->transaction;

	if (!t->key_sought && s->client.address.ss_family != AF_UNSPEC)
		find_key(s);
	t->key_sought = true;
	return t->key;
}

const char *
grey_known_key(struct session *s, const struct spf_result *spf)
{
	struct transaction *t = &s->transaction;
	char key[GREY_KEY_MAX + 1];

	if (t->key == NULL && spf != NULL && write_sender(spf, key))
		t->key = strdup(key);
	return t->key;
}

/* What the DNS did not tell speaks against nobody. */
static bool
is_suspect(struct session *s)
{
	return s->config->greylist == GREYLIST_STRANGERS ||
	    client_lists(s)->score > 0 ||
	    (client_name(s)[0] == '\0' && !s->client.name_unclear);
}

/* The gate has heard so from ledger: nobody need be asked again. */
static bool
is_known(const struct session *s)
{
	return s->arrival != NULL && s->arrival->known;
}

uint64_t
grey_wait(struct session *s, const char *recipient)
{
	const char *key;

	if (s->config->greylist == GREYLIST_NO || is_known(s) ||
	    client_lists(s)->score < 0 || !is_suspect(s))
		return 0;
	key = grey_key(s);
	return key != NULL ? tallies_grey(s, key, recipient) : 0;
}
