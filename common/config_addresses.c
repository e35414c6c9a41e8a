/* SPDX-License-Identifier: ISC */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_reader.h"
#include "common/netaddr.h"

static const struct {
	const char *name;
	uint16_t port;
	bool tls; /* from the start (RFC 8314 section 3) */
} listener_kinds[LISTENER_KINDS] = {
    [LISTENER_SMTP] = {"smtp", 25, false},
    [LISTENER_SUBMISSION] = {"submission", 587, false},
    [LISTENER_SUBMISSIONS] = {"submissions", 465, true},
    [LISTENER_POP3] = {"pop3", 110, false},
    [LISTENER_POP3S] = {"pop3s", 995, true},
};

bool
listener_begins_with_tls(enum listener_kind kind)
{
	return listener_kinds[kind].tls;
}

bool
listener_named(const char *name, enum listener_kind *kind)
{
	for (int i = 0; i < LISTENER_KINDS; i++)
		if (strcmp(listener_kinds[i].name, name) == 0) {
			*kind = (enum listener_kind)i;
			return true;
		}
	return false;
}

const char *
listener_name(enum listener_kind kind)
{
	return listener_kinds[kind].name;
}

static bool
add_listener(struct config_reader *r, const struct config_keyword *k,
    enum listener_kind kind, const char *word)
{
	struct config_listeners *list = config_member(r, k);
	struct config_listener *grown, new = {.kind = kind};

	if (!netaddr_parse(word, listener_kinds[kind].port, &new.address))
		return config_fail(r,
		    "\"%s\": \"%s\" is not an address with a port "
		    "(192.0.2.1:25, [2001:db8::1]:25)",
		    k->name, word);
	netaddr_format_port(&new.address, new.text);
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i].text, new.text) == 0)
			return config_fail(
			    r, "\"%s\": %s is there twice", k->name, new.text);
	grown = config_grow(r, list->items, list->n, sizeof(*grown));
	if (grown == NULL)
		return false;
	list->items = grown;
	list->items[list->n++] = new;
	return true;
}

/*
 * smtp 192.0.2.1:25 [2001:db8::1]:25: the service counts for the words that
 * follow it.  config_each_word has no memory, so the kinds are told apart by
 * the table above and each takes its own rest of the line.
 */
bool
take_listeners(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	size_t n = strcspn(value, " \t");
	const char *rest = value + n + strspn(value + n, " \t");
	char word[NETADDR_TEXT_MAX];

	for (int kind = 0; kind < LISTENER_KINDS; kind++) {
		const char *name = listener_kinds[kind].name;

		if (strlen(name) != n || strncmp(name, value, n) != 0)
			continue;
		if (*rest == '\0')
			return config_fail(r,
			    "\"%s\": %s where? "
			    "(%s 0.0.0.0:%u)",
			    k->name, name, name,
			    (unsigned)listener_kinds[kind].port);
		for (; *rest != '\0'; rest += strspn(rest, " \t")) {
			n = strcspn(rest, " \t");
			if (n >= sizeof(word))
				n = sizeof(word) - 1;
			memcpy(word, rest, n);
			word[n] = '\0';
			if (!add_listener(r, k, (enum listener_kind)kind, word))
				return false;
			rest += n;
		}
		return true;
	}
	return config_fail(r, "\"%s\": service \"%.*s\" is none of %s", k->name,
	    (int)n, value, k->bounds);
}

static bool
add_server(
    struct config_reader *r, const struct config_keyword *k, const char *word)
{
	struct config_servers *list = config_member(r, k);
	struct config_server *grown, new = {.trusted = false};

	if (!netaddr_parse(word, 53, &new.address))
		return config_fail(r,
		    "\"%s\": \"%s\" is not an address (127.0.0.1:53)", k->name,
		    word);
	grown = config_grow(r, list->items, list->n, sizeof(*grown));
	if (grown == NULL)
		return false;
	list->items = grown;
	list->items[list->n++] = new;
	return true;
}

/* "trusted" at the end of the line marks all of its servers. */
bool
take_servers(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	static const char mark[] = "trusted";
	struct config_servers *list = config_member(r, k);
	size_t before = list->n, n = strlen(value), length = strlen(mark);
	char addresses[CONFIG_ERROR_MAX];
	bool trusted = n > length && strcmp(value + n - length, mark) == 0 &&
	    strchr(" \t", value[n - length - 1]) != NULL;

	if (trusted)
		n -= length;
	if (n >= sizeof(addresses))
		return config_fail(r, "\"%s\": too long", k->name);
	memcpy(addresses, value, n);
	addresses[n] = '\0';
	if (!config_each_word(r, k, addresses, add_server))
		return false;
	for (size_t i = before; i < list->n; i++)
		list->items[i].trusted = trusted;
	return true;
}

static bool
add_source(
    struct config_reader *r, const struct config_keyword *k, const char *word)
{
	struct config_list *list = config_member(r, k);
	struct sockaddr_storage address, other;

	if (!netaddr_parse(word, 0, &address) || netaddr_port(&address) != 0)
		return config_fail(
		    r, "\"%s\": \"%s\" is not an address", k->name, word);
	for (size_t i = 0; i < list->n; i++)
		if (netaddr_parse(list->items[i], 0, &other) &&
		    other.ss_family == address.ss_family)
			return config_fail(r,
			    "\"%s\": %s and %s are of one family", k->name,
			    list->items[i], word);
	return config_add_text(r, list, word);
}

bool
take_sources(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return config_each_word(r, k, value, add_source);
}

/* -- networks -- */

static const unsigned char *
octets_of(const struct sockaddr_storage *a, unsigned *bits)
{
	if (a->ss_family == AF_INET) {
		*bits = 32;
		return (const unsigned char *)&(
		    (const struct sockaddr_in *)(const void *)a)
		    ->sin_addr;
	}
	*bits = 128;
	return (const unsigned char *)&(
	    (const struct sockaddr_in6 *)(const void *)a)
	    ->sin6_addr;
}

/* The same in the first n bits? */
static bool
same_bits(const unsigned char *a, const unsigned char *b, unsigned n)
{
	unsigned rest = n % 8;

	return memcmp(a, b, n / 8) == 0 &&
	    (rest == 0 || (a[n / 8] ^ b[n / 8]) >> (8 - rest) == 0);
}

/* 1 to 3 digits; false also when there is more than those. */
static bool
parse_prefix(const char *text, unsigned *prefix)
{
	*prefix = 0;
	if (*text == '\0' || strlen(text) > 3)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		*prefix = *prefix * 10 + (unsigned)(*text - '0');
	}
	return true;
}

bool
config_read_net(const char *word, struct config_net *net)
{
	const char *slash = strchr(word, '/');
	size_t n = slash != NULL ? (size_t)(slash - word) : strlen(word);
	char host[NETADDR_TEXT_MAX];
	unsigned bits;

	if (n >= sizeof(host) || word[0] == '[')
		return false;
	memcpy(host, word, n);
	host[n] = '\0';
	if (!netaddr_parse(host, 0, &net->address) ||
	    netaddr_port(&net->address) != 0)
		return false;
	(void)octets_of(&net->address, &bits);
	net->prefix = bits;
	if (slash == NULL)
		return true;
	if (!parse_prefix(slash + 1, &net->prefix))
		return false;
	if (bits == 32 && strchr(host, ':') != NULL) {
		/* ::ffff:192.0.2.0/120 has become 192.0.2.0 */
		if (net->prefix < 96)
			return false;
		net->prefix -= 96;
	}
	return net->prefix <= bits;
}

/*
 * 192.0.2.1/24 is refused: who writes it means either the one machine or
 * the whole network, and to guess wrong makes an open relay.
 */
static bool
has_host_bits(const struct config_net *net)
{
	unsigned bits;
	const unsigned char *octets = octets_of(&net->address, &bits);

	for (unsigned i = net->prefix; i < bits; i++)
		if (octets[i / 8] & (0x80U >> i % 8))
			return true;
	return false;
}

bool
config_add_network(struct config_reader *r, const struct config_keyword *k,
    struct config_nets *list, const char *word)
{
	struct config_net *grown, new;

	if (!config_read_net(word, &new))
		return config_fail(r,
		    "\"%s\": \"%s\" is not a network (192.0.2.0/24, "
		    "2001:db8::/32)",
		    k->name, word);
	if (has_host_bits(&new))
		return config_fail(r,
		    "\"%s\": \"%s\" has bits set behind its first %u; one "
		    "machine is written without a prefix length",
		    k->name, word, new.prefix);
	grown = config_grow(r, list->items, list->n, sizeof(*grown));
	if (grown == NULL)
		return false;
	list->items = grown;
	list->items[list->n++] = new;
	return true;
}

static bool
add_network(
    struct config_reader *r, const struct config_keyword *k, const char *word)
{
	return config_add_network(r, k, config_member(r, k), word);
}

bool
take_networks(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return config_each_word(r, k, value, add_network);
}

bool
config_net_contains(
    const struct config_nets *nets, const struct sockaddr_storage *address)
{
	struct sockaddr_storage a = *address;
	const unsigned char *octets;
	unsigned bits, ignored;

	netaddr_unmap(&a);
	if (a.ss_family != AF_INET && a.ss_family != AF_INET6)
		return false;
	octets = octets_of(&a, &bits);
	for (size_t i = 0; i < nets->n; i++) {
		const struct config_net *net = &nets->items[i];

		if (net->address.ss_family == a.ss_family &&
		    same_bits(octets_of(&net->address, &ignored), octets,
			net->prefix))
			return true;
	}
	return false;
}

const struct config_net *
config_nets_shared(
    const struct config_nets *nets, const struct config_nets *others)
{
	unsigned ignored;

	for (size_t i = 0; i < nets->n; i++)
		for (size_t j = 0; j < others->n; j++) {
			const struct config_net *a = &nets->items[i];
			const struct config_net *b = &others->items[j];

			if (a->address.ss_family == b->address.ss_family &&
			    same_bits(octets_of(&a->address, &ignored),
				octets_of(&b->address, &ignored),
				a->prefix < b->prefix ? a->prefix : b->prefix))
				return a;
		}
	return NULL;
}

/* -- the smart host -- */

enum { RELAY_PORT = 25 };

static bool
is_relay_name(const char *host, size_t n)
{
	struct sockaddr_storage address;
	bool bracketed = n > 2 && host[0] == '[' && host[n - 1] == ']';
	char name[256];

	if (bracketed) {
		host++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof(name))
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	/* A bare address would be looked up as a name: brackets say not to. */
	if (netaddr_parse(name, 0, &address))
		return bracketed && netaddr_port(&address) == 0;
	return config_is_domain(name, true);
}

bool
take_relay_host(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	const char *close = strchr(value, ']');
	const char *colon = strchr(close != NULL ? close : value, ':');
	size_t n = colon != NULL ? (size_t)(colon - value) : strlen(value);
	char port_of[NETADDR_TEXT_MAX + 8] = "0.0.0.0";
	struct sockaddr_storage port;

	/* The port is read by the one reader of ports. */
	if (colon != NULL && strlen(colon) <= sizeof(":65535") - 1)
		memcpy(port_of + 7, colon, strlen(colon) + 1);
	else if (colon != NULL)
		n = 0;
	if (!is_relay_name(value, n) ||
	    !netaddr_parse(port_of, RELAY_PORT, &port))
		return config_fail(r,
		    "\"%s\": \"%s\" is not a host with a port "
		    "(relay.example.net:587, [192.0.2.1]:587)",
		    k->name, value);
	if (!config_set_text(r, config_member(r, k), value))
		return false;
	r->config->relay_host[n] = '\0';
	r->config->relay_port = netaddr_port(&port);
	return true;
}
