/* SPDX-License-Identifier: ISC */
#include "common/dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/dns_query.h"
#include "common/dns_read.h"
#include "common/netaddr.h"

enum { CONFIRM_NAMES = 5, CONFIRM_ADDRESSES = 32 };

/*
 * Where an alias leads out of the server's zone that is asked about next.  The
 * chain is counted over all the answers together, and is as secure as the
 * least of them.
 */
enum dns_status
dns_look_up(struct dns *d, const char *asked, uint16_t type, int64_t deadline)
{
	char name[DNS_NAME_MAX + 1];
	unsigned hops = 0;

	d->secure = false;
	d->canonical[0] = '\0';
	if (strlen(asked) > DNS_NAME_MAX || asked[0] == '\0')
		return DNS_NO_NAME;
	memcpy(name, asked, strlen(asked) + 1);
	for (;;) {
		enum dns_status status = dns_ask(d, name, type, deadline);

		if (status != DNS_FOUND && status != DNS_NO_DATA) {
			d->secure = false;
			return status;
		}
		d->secure = d->trusted && d->answer.authentic &&
		    (d->secure || hops == 0);
		hops += d->answer.hops;
		if (hops > DNS_CHAIN_MAX)
			return DNS_BROKEN;
		dns_name_normalise(d->answer.name, d->canonical);
		if (status == DNS_FOUND || d->answer.hops == 0)
			return status;
		memcpy(name, d->answer.name, sizeof(name));
	}
}

bool
dns_secure(const struct dns *d)
{
	return d->secure;
}

bool
dns_trusted(const struct dns *d)
{
	return d->trusted;
}

const char *
dns_canonical(const struct dns *d)
{
	return d->canonical;
}

/*
 * What was found, once its data has been read: records that make no sense
 * are left out, and when none is left the answer was no answer.
 */
static enum dns_status
found(enum dns_status status, size_t n)
{
	return status == DNS_FOUND && n == 0 ? DNS_BROKEN : status;
}

static int
by_preference(const void *a, const void *b)
{
	const struct dns_mx *left = a, *right = b;

	return (left->preference > right->preference) -
	    (left->preference < right->preference);
}

/* A null MX means what it says only when it stands alone (RFC 7505). */
static size_t
drop_stray_nulls(struct dns_mx *mx, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (mx[i].host[0] != '\0')
			mx[kept++] = mx[i];
	return kept > 0 || n == 0 ? kept : 1;
}

static enum dns_status
look_up_mx(struct dns *d, const char *domain,
    bool (*read_host)(struct cursor *, char *), struct dns_mx *out, size_t max,
    size_t *n)
{
	enum dns_status status =
	    dns_look_up(d, domain, DNS_TYPE_MX, dns_limit(d));
	const struct dns_answer *a = &d->answer;

	*n = 0;
	for (size_t i = 0; status == DNS_FOUND && i < a->n && *n < max; i++) {
		struct cursor c = dns_record_cursor(a, &a->records[i]);

		out[*n].preference = cursor_u16(&c);
		if (read_host(&c, out[*n].host) && cursor_done(&c))
			++*n;
	}
	*n = drop_stray_nulls(out, *n);
	qsort(out, *n, sizeof(*out), by_preference);
	return found(status, *n);
}

enum dns_status
dns_mx(struct dns *d, const char *domain, struct dns_mx *out, size_t max,
    size_t *n)
{
	return look_up_mx(d, domain, dns_read_host, out, max, n);
}

enum dns_status
dns_mx_names(struct dns *d, const char *domain, struct dns_mx *out, size_t max,
    size_t *n)
{
	return look_up_mx(d, domain, dns_read_name, out, max, n);
}

static bool
read_address(struct cursor *c, uint16_t type, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	size_t want =
	    type == DNS_TYPE_A ? sizeof(in->sin_addr) : sizeof(in6->sin6_addr);
	struct span octets = cursor_take(c, want);

	if (!cursor_done(c))
		return false;
	memset(out, 0, sizeof(*out));
	if (type == DNS_TYPE_A) {
		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, octets.data, want);
	} else {
		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, octets.data, want);
	}
	return true;
}

static enum dns_status
add_addresses(struct dns *d, const char *host, uint16_t type, int64_t deadline,
    struct sockaddr_storage *out, size_t max, size_t *n)
{
	enum dns_status status = dns_look_up(d, host, type, deadline);
	const struct dns_answer *a = &d->answer;
	size_t before = *n;

	if (status != DNS_FOUND)
		return status;
	for (size_t i = 0; i < a->n && *n < max; i++) {
		struct cursor c = dns_record_cursor(a, &a->records[i]);

		if (read_address(&c, type, &out[*n]))
			++*n;
	}
	return *n > before || before == max ? DNS_FOUND : DNS_BROKEN;
}

/*
 * A question that nobody answers must not make the other family's answer
 * look insecure: so anybody who can drop packets would turn DANE off.
 */
static bool
is_silence(enum dns_status status)
{
	return status == DNS_TEMPORARY || status == DNS_BROKEN;
}

enum dns_status
dns_addresses(struct dns *d, const char *host, int family,
    struct sockaddr_storage *out, size_t max, size_t *n)
{
	enum dns_status six = DNS_NO_DATA, four = DNS_NO_DATA;
	int64_t deadline = dns_limit(d);
	char canonical[DNS_NAME_MAX + 1];
	bool secure = true;

	*n = 0;
	if (family != AF_INET) {
		six = add_addresses(
		    d, host, DNS_TYPE_AAAA, deadline, out, max, n);
		secure = d->secure || is_silence(six);
	}
	if (six == DNS_NO_NAME)
		return DNS_NO_NAME;
	memcpy(canonical, d->canonical, sizeof(canonical));
	if (family != AF_INET6) {
		four =
		    add_addresses(d, host, DNS_TYPE_A, deadline, out, max, n);
		secure = secure && (d->secure || is_silence(four));
		/* Nor may it hide where the TLSA records are. */
		if (six == DNS_FOUND && four != DNS_FOUND)
			memcpy(d->canonical, canonical, sizeof(canonical));
	}
	d->secure = secure && *n > 0;
	if (*n > 0)
		return DNS_FOUND;
	return six > four ? six : four;
}

static enum dns_status
read_texts(const struct dns_answer *a, char **texts, char *room, size_t *n)
{
	for (size_t i = 0; i < a->n; i++) {
		struct cursor c = dns_record_cursor(a, &a->records[i]);
		size_t used = 0;

		while (cursor_left(&c) > 0) {
			struct span s = cursor_take(&c, cursor_u8(&c));

			if (!cursor_ok(&c) || used + s.len > DNS_TEXT_MAX) {
				c.failed = true;
				break;
			}
			memcpy(room + used, s.data, s.len);
			used += s.len;
		}
		if (!cursor_ok(&c))
			continue;
		for (char *nul = room;
		     (nul = memchr(nul, '\0', used - (size_t)(nul - room))) !=
		     NULL;)
			*nul = DNS_TEXT_NUL;
		room[used] = '\0';
		texts[(*n)++] = room;
		room += used + 1;
	}
	return *n > 0 ? DNS_FOUND : DNS_BROKEN;
}

enum dns_status
dns_txt(struct dns *d, const char *name, char ***texts, size_t *n)
{
	enum dns_status status =
	    dns_look_up(d, name, DNS_TYPE_TXT, dns_limit(d));
	const struct dns_answer *a = &d->answer;
	size_t octets = 0;

	*n = 0;
	*texts = NULL;
	if (status != DNS_FOUND)
		return status;
	for (size_t i = 0; i < a->n; i++)
		octets += a->records[i].len + 1;
	*texts = malloc(a->n * sizeof(**texts) + octets);
	if (*texts == NULL)
		return DNS_TEMPORARY;
	status = read_texts(a, *texts, (char *)(*texts + a->n), n);
	if (status != DNS_FOUND) {
		free(*texts);
		*texts = NULL;
	}
	return status;
}

bool
dns_reverse_name(
    const struct sockaddr_storage *address, char out[DNS_NAME_MAX + 1])
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	struct buf name = BUF_INIT(DNS_NAME_MAX);
	const unsigned char *octets;
	bool made;

	if (address->ss_family == AF_INET) {
		octets = (const unsigned char *)&in->sin_addr;
		for (int i = 3; i >= 0; i--)
			buf_addf(&name, "%u.", octets[i]);
		buf_adds(&name, "in-addr.arpa");
	} else {
		octets = in6->sin6_addr.s6_addr;
		for (int i = 15; i >= 0; i--)
			buf_addf(
			    &name, "%x.%x.", octets[i] & 15U, octets[i] >> 4U);
		buf_adds(&name, "ip6.arpa");
	}
	made = buf_text(&name) != NULL;
	if (made)
		memcpy(out, name.data, name.len + 1);
	buf_free(&name);
	return made;
}

enum dns_status
dns_ptr(struct dns *d, const struct sockaddr_storage *address,
    char (*names)[DNS_NAME_MAX + 1], size_t max, size_t *n)
{
	const struct dns_answer *a = &d->answer;
	char name[DNS_NAME_MAX + 1];
	enum dns_status status;

	*n = 0;
	if (!dns_reverse_name(address, name))
		return DNS_TEMPORARY;
	status = dns_look_up(d, name, DNS_TYPE_PTR, dns_limit(d));
	for (size_t i = 0; status == DNS_FOUND && i < a->n && *n < max; i++) {
		struct cursor c = dns_record_cursor(a, &a->records[i]);

		if (dns_read_host(&c, names[*n]) && cursor_done(&c) &&
		    names[*n][0] != '\0')
			++*n;
	}
	return found(status, *n);
}

static enum dns_status
confirm(struct dns *d, const char *name, const struct sockaddr_storage *address)
{
	struct sockaddr_storage found_at[CONFIRM_ADDRESSES];
	enum dns_status status;
	size_t n;

	status = dns_addresses(
	    d, name, address->ss_family, found_at, CONFIRM_ADDRESSES, &n);
	for (size_t i = 0; i < n; i++)
		if (netaddr_equal(&found_at[i], address))
			return DNS_FOUND;
	return status == DNS_FOUND ? DNS_NO_DATA : status;
}

enum dns_status
dns_confirmed_name(struct dns *d, const struct sockaddr_storage *client,
    char name[DNS_NAME_MAX + 1])
{
	char names[CONFIRM_NAMES][DNS_NAME_MAX + 1];
	struct sockaddr_storage address = *client;
	int64_t given = d->deadline;
	enum dns_status status, worst = DNS_NO_DATA;
	size_t n;

	name[0] = '\0';
	netaddr_unmap(&address);
	d->deadline = dns_limit(d); /* one for all the questions */
	status = dns_ptr(d, &address, names, CONFIRM_NAMES, &n);
	for (size_t i = 0; i < n && name[0] == '\0'; i++) {
		status = confirm(d, names[i], &address);
		if (status == DNS_FOUND)
			memcpy(name, names[i], DNS_NAME_MAX + 1);
		else if (status > worst)
			worst = status;
	}
	d->deadline = given;
	return status == DNS_FOUND || n == 0 ? status : worst;
}

const char *
dns_status_text(enum dns_status status)
{
	static const char *const texts[] = {
	    [DNS_FOUND] = "found",
	    [DNS_NO_DATA] = "no such record",
	    [DNS_NO_NAME] = "no such name",
	    [DNS_TEMPORARY] = "no answer from the DNS",
	    [DNS_BROKEN] = "unusable answer from the DNS",
	};

	if ((unsigned)status >= sizeof(texts) / sizeof(texts[0]))
		return "unknown";
	return texts[status];
}
