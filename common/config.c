/* SPDX-License-Identifier: ISC */
#include "common/config.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/config_reader.h"
#include "common/netaddr.h"
#include "common/utf8.h"

enum {
	FILE_MAX = 1 << 20,
	LINE_MAX_OCTETS = 500, /* less than a word may have (config_values.c) */
	PIECE_MAX = 256        /* a default's one value */
};

bool
config_fail(struct config_reader *r, const char *format, ...)
{
	va_list arguments;
	int n;

	if (r->line > 0)
		n = snprintf(r->error, CONFIG_ERROR_MAX, "%.200s:%u: ", r->name,
		    r->line);
	else
		n = snprintf(r->error, CONFIG_ERROR_MAX, "%.200s: ", r->name);
	va_start(arguments, format);
	vsnprintf(
	    r->error + n, CONFIG_ERROR_MAX - (size_t)n, format, arguments);
	va_end(arguments);
	return false;
}

/* -- lines -- */

/* Where this file set each keyword, by its place in the table; 0: nowhere. */
struct lines_seen {
	unsigned at[CONFIG_KEYWORDS_MAX];
};

static bool
take_keyword(struct config_reader *r, struct lines_seen *seen, const char *name,
    const char *value)
{
	const struct config_keyword *k = config_keyword_find(name);
	unsigned *before;

	if (k == NULL)
		return config_fail(r,
		    "unknown keyword \"%.100s\"; nearest: \"%s\"", name,
		    config_keyword_nearest(name));
	before = &seen->at[k - config_keywords()];
	if (*before > 0 && !k->repeatable)
		return config_fail(
		    r, "\"%s\" is already set in line %u", name, *before);
	if (*value == '\0')
		return config_fail(
		    r, "\"%s\" needs a value (%s)", name, k->type);
	*before = r->line;
	return k->take(r, k, value);
}

/* A comment begins at a # that is the first octet or behind a space. */
static void
cut_comment(char *line)
{
	for (char *p = line; (p = strchr(p, '#')) != NULL; p++)
		if (p == line || p[-1] == ' ' || p[-1] == '\t') {
			*p = '\0';
			return;
		}
}

static void
cut_spaces_behind(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		n--;
	text[n] = '\0';
}

static bool
is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

/* One line without its LF. */
static bool
take_line(struct config_reader *r, struct lines_seen *seen, const char *octets,
    size_t n)
{
	char line[LINE_MAX_OCTETS + 1];
	char *name, *value;

	if (n > 0 && octets[n - 1] == '\r')
		n--;
	if (n > LINE_MAX_OCTETS)
		return config_fail(r, "a line of %zu octets; %d are the most",
		    n, LINE_MAX_OCTETS);
	for (size_t i = 0; i < n; i++)
		if (is_control(octets[i]))
			return config_fail(r, "control character 0x%02x",
			    (unsigned char)octets[i]);
	if (!utf8_valid(octets, n))
		return config_fail(r, "not UTF-8");
	memcpy(line, octets, n);
	line[n] = '\0';
	cut_comment(line);
	cut_spaces_behind(line);
	name = line + strspn(line, " \t");
	if (*name == '\0')
		return true;
	value = name + strcspn(name, " \t");
	if (*value != '\0') {
		*value++ = '\0';
		value += strspn(value, " \t");
	}
	return take_keyword(r, seen, name, value);
}

static bool
take_text(struct config_reader *r, struct lines_seen *seen, const char *text,
    size_t left)
{
	const char *end;
	size_t n;

	for (; left > 0; text += n, left -= n) {
		end = memchr(text, '\n', left);
		n = end != NULL ? (size_t)(end - text) : left;
		r->line++;
		if (!take_line(r, seen, text, n))
			return false;
		if (end != NULL)
			n++;
	}
	return true;
}

/* -- defaults -- */

/* A default goes through the same reader as a user's value. */
static bool
take_default(struct config_reader *r, const struct config_keyword *k)
{
	char piece[PIECE_MAX];
	const char *rest = k->fallback, *end;
	size_t n;

	for (; rest != NULL; rest = end != NULL ? end + 2 : NULL) {
		end = k->repeatable ? strstr(rest, ", ") : NULL;
		n = end != NULL ? (size_t)(end - rest) : strlen(rest);
		if (n >= sizeof(piece))
			return config_fail(r, "\"%s\": long default", k->name);
		memcpy(piece, rest, n);
		piece[n] = '\0';
		if (!k->take(r, k, piece))
			return false;
	}
	return true;
}

static bool
is_full_name(const char *name)
{
	return strchr(name, '.') != NULL && config_is_domain(name, false);
}

/* What the resolver calls this machine, when that is a full name. */
static bool
ask_canonical_name(const char *name, char *out, size_t size)
{
	struct addrinfo hints = {.ai_flags = AI_CANONNAME,
			    .ai_socktype = SOCK_STREAM},
			*found;
	bool full = false;

	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return false;
	if (found->ai_canonname != NULL && is_full_name(found->ai_canonname) &&
	    strncasecmp(found->ai_canonname, "localhost", 9) != 0)
		full =
		    snprintf(out, size, "%s", found->ai_canonname) < (int)size;
	freeaddrinfo(found);
	return full;
}

static bool
guess_hostname(struct config_reader *r)
{
	char name[256] = "", full[256];

	r->config->hostname_guessed = true;
	if (gethostname(name, sizeof(name) - 1) == -1)
		name[0] = '\0';
	if (!is_full_name(name) && name[0] != '\0' &&
	    ask_canonical_name(name, full, sizeof(full)))
		return config_set_text(r, &r->config->hostname, full);
	return config_set_text(r, &r->config->hostname,
	    config_is_domain(name, false) ? name : "localhost");
}

static unsigned
line_of(const struct lines_seen *seen, const char *name)
{
	return seen->at[config_keyword_find(name) - config_keywords()];
}

/* Where no place is given: beside the database. */
static bool
place_beside_database(struct config_reader *r, char **where, const char *ending)
{
	struct buf path = BUF_INIT(4096);
	const char *text;
	bool good;

	if (*where != NULL)
		return true;
	buf_addf(&path, "%s%s", r->config->database_dir, ending);
	text = buf_text(&path);
	good = text != NULL && config_set_text(r, where, text);
	buf_free(&path);
	return good;
}

/*
 * Submission's ports have TLS, and are for those who log in: nobody's password
 * goes to whoever answers there.
 */
static enum relay_tls
guess_relay_tls(const struct config *c)
{
	enum { SUBMISSION = 587, SUBMISSIONS = 465 };
	struct sockaddr_storage address;
	char host[256];

	if (c->relay_host == NULL ||
	    (c->relay_port != SUBMISSION && c->relay_port != SUBMISSIONS))
		return RELAY_TLS_OPPORTUNISTIC;
	config_relay_name(c, host, sizeof(host));
	return netaddr_parse(host, 0, &address) ? RELAY_TLS_OPPORTUNISTIC
						: RELAY_TLS_VERIFIED;
}

static bool
fill_defaults(struct config_reader *r, const struct lines_seen *seen)
{
	const struct config_keyword *k = config_keywords();

	r->line = 0;
	for (size_t i = 0; k[i].name != NULL; i++)
		if (seen->at[i] == 0 && !take_default(r, &k[i]))
			return false;
	if (line_of(seen, "relay-tls") == 0)
		r->config->relay_tls = guess_relay_tls(r->config);
	config_fill_milters(r->config);
	r->config->certificates_guessed = line_of(seen, "tls-key") == 0;
	r->config->listen_guessed = line_of(seen, "listen") == 0;
	if (!place_beside_database(r, &r->config->ledger_dir, "-ledger") ||
	    !place_beside_database(r, &r->config->keys_dir, "-keys"))
		return false;
	return r->config->hostname != NULL || guess_hostname(r);
}

/* -- what no keyword can tell alone -- */

/* Before the defaults, whose key would pass for the missing one. */
static bool
check_last_key(struct config_reader *r, const struct lines_seen *seen)
{
	const struct config_certificates *list = &r->config->certificates;

	r->line = line_of(seen, "tls-certificate");
	return list->n == 0 || list->items[list->n - 1].key != NULL ||
	    config_fail(r, "\"tls-certificate\" has no \"tls-key\" after it");
}

static bool
check_retries(struct config_reader *r, const struct lines_seen *seen)
{
	unsigned low = line_of(seen, "retry-minimum");
	unsigned high = line_of(seen, "retry-maximum");

	r->line = low > high ? low : high;
	return r->config->retry_minimum <= r->config->retry_maximum ||
	    config_fail(
		r, "\"retry-minimum\" is longer than \"retry-maximum\"");
}

/*
 * What is allowed to a proxy's address would be to everybody behind it, at
 * the latest when it does not know who they are.
 */
static bool
check_proxies(struct config_reader *r, const struct lines_seen *seen)
{
	const struct config *c = r->config;
	const struct {
		const char *name, *risk;
		const struct config_nets *nets;
	} rights[] = {
	    {"relay-from", "an open relay", &c->relay_from},
	    {"allow-plaintext-auth", "passwords without TLS for everybody",
		&c->allow_plaintext_auth},
	};

	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		const struct config_net *net =
		    config_nets_shared(&c->proxy_from, rights[i].nets);
		unsigned lines[] = {
		    line_of(seen, "proxy-from"), line_of(seen, rights[i].name)};
		char text[NETADDR_TEXT_MAX];

		if (net == NULL)
			continue;
		r->line = lines[lines[0] < lines[1]];
		netaddr_format(&net->address, text);
		return config_fail(r,
		    "\"proxy-from\": %s/%u is in \"%s\", too: %s", text,
		    net->prefix, rights[i].name, rights[i].risk);
	}
	return true;
}

/* Who tries again in time must find that he may. */
static bool
check_greylist(struct config_reader *r, const struct lines_seen *seen)
{
	unsigned delay = line_of(seen, "greylist-delay");
	unsigned window = line_of(seen, "greylist-window");

	r->line = delay > window ? delay : window;
	return r->config->greylist_delay < r->config->greylist_window ||
	    config_fail(r,
		"\"greylist-delay\" is not shorter than \"greylist-window\"");
}

/* Who trusts a token for everybody trusts what was meant for others. */
static bool
check_oauth(struct config_reader *r, const struct lines_seen *seen)
{
	static const char *const needed[] = {
	    "oauth-issuer", "oauth-audience", "oauth-jwks"};
	unsigned line = line_of(seen, "oauth-scope");

	for (size_t i = 0; i < 3; i++)
		if (line_of(seen, needed[i]) > line)
			line = line_of(seen, needed[i]);
	r->line = line;
	for (size_t i = 0; i < 3 && line > 0; i++)
		if (line_of(seen, needed[i]) == 0)
			return config_fail(r, "\"%s\" is missing", needed[i]);
	return true;
}

/* -- files -- */

/*
 * From the start, whatever other holders of the descriptor have read: the
 * services share one.
 */
static bool
read_file(struct config_reader *r, int fd, struct buf *text)
{
	ssize_t n;

	do {
		if (!buf_reserve(text, 16384))
			return config_fail(
			    r, "larger than %d octets", (int)FILE_MAX);
		n = pread(fd, text->data + text->len, 16384, (off_t)text->len);
		if (n == -1 && errno == ESPIPE)
			n = read(fd, text->data + text->len, 16384);
		if (n > 0)
			text->len += (size_t)n;
	} while (n > 0 || (n == -1 && errno == EINTR));
	return n == 0 || config_fail(r, "%s", strerror(errno));
}

int
config_load_fd(struct config *config, int fd, const char *name, char *error)
{
	struct config new = {0};
	struct config_reader r = {.config = &new, .name = name, .error = error};
	struct lines_seen seen = {{0}};
	struct buf text = BUF_INIT(FILE_MAX);
	bool good;

	good = read_file(&r, fd, &text) &&
	    take_text(&r, &seen, text.data, text.len) &&
	    check_last_key(&r, &seen) && fill_defaults(&r, &seen) &&
	    check_retries(&r, &seen) && check_proxies(&r, &seen) &&
	    check_greylist(&r, &seen) && check_oauth(&r, &seen);
	buf_free(&text);
	if (!good) {
		config_free(&new);
		return -1;
	}
	*config = new;
	return 0;
}

int
config_load(struct config *config, const char *path, char *error)
{
	struct config_reader r = {.name = path, .error = error};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int rc;

	if (fd == -1) {
		config_fail(&r, "%s%s", strerror(errno),
		    errno == ENOENT ? "; \"postrider init\" makes one" : "");
		return -1;
	}
	rc = config_load_fd(config, fd, path, error);
	close(fd);
	return rc;
}

static void
free_list(struct config_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
}

static void
free_zones(struct config_zones *zones)
{
	for (size_t i = 0; i < zones->n; i++)
		free(zones->items[i].name);
	free(zones->items);
}

void
config_free(struct config *c)
{
	free(c->hostname);
	free_list(&c->domains);
	free_list(&c->trust_from);
	free_list(&c->trust_signer);
	free(c->listen.items);
	for (size_t i = 0; i < c->certificates.n; i++) {
		free(c->certificates.items[i].certificate);
		free(c->certificates.items[i].key);
	}
	free(c->certificates.items);
	free(c->spool_dir);
	free(c->mail_dir);
	free(c->database_dir);
	free(c->run_dir);
	free(c->keys_dir);
	free(c->ledger_dir);
	free(c->tls_trust);
	free(c->dns_servers.items);
	free(c->smtp_ports.items);
	free(c->relay_host);
	free(c->relay_from.items);
	for (size_t i = 0; i < c->tolerate.n; i++)
		free(c->tolerate.items[i].nets.items);
	free(c->tolerate.items);
	free(c->trust_client.items);
	free_zones(&c->lists);
	free(c->allow_plaintext_auth.items);
	config_free_milters(c);
	free(c->proxy_from.items);
	free(c->log_file);
	free_list(&c->source_addresses);
	free(c->postmaster);
	free(c->dmarc_report_from);
	free(c->bounce_copy);
	free(c->oauth_issuer);
	free_list(&c->oauth_audiences);
	free(c->oauth_jwks);
	free(c->oauth_user_claim);
	free_list(&c->oauth_scopes);
	*c = (struct config){0};
}

const char *
config_default_path(void)
{
	return SYSCONFDIR "/postrider/postrider.conf";
}

void
config_relay_name(const struct config *c, char *out, size_t size)
{
	const char *host = c->relay_host != NULL ? c->relay_host : "";

	host += host[0] == '[';
	snprintf(out, size, "%.*s", (int)strcspn(host, "]"), host);
}

bool
config_has_domain(const struct config *c, const char *domain)
{
	for (size_t i = 0; i < c->domains.n; i++)
		if (strcasecmp(c->domains.items[i], domain) == 0)
			return true;
	return false;
}
