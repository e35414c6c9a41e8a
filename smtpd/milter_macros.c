/* SPDX-License-Identifier: ISC */
#include "smtpd/milter_macros.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "build.h"
#include "common/netaddr.h"
#include "smtpd/session.h"

enum { VALUE_MAX = ADDRESS_TEXT_MAX + DNS_NAME_MAX + NETADDR_TEXT_MAX };

typedef char macro_value[VALUE_MAX + 1];

/* False: there is no such. */
typedef bool macro_reader(const struct milter_macros *, macro_value out);

static bool
say(macro_value out, const char *text)
{
	return text != NULL && text[0] != '\0' &&
	    snprintf(out, VALUE_MAX + 1, "%s", text) <= VALUE_MAX;
}

/* -- us -- */

static bool
hostname(const struct milter_macros *m, macro_value out)
{
	return say(out, m->session->config->hostname);
}

static bool
version(const struct milter_macros *m, macro_value out)
{
	(void)m;
	return say(out, "Postrider " PACKAGE_VERSION);
}

static bool
daemon_name(const struct milter_macros *m, macro_value out)
{
	return say(out, listener_name(m->session->facts.listener));
}

static bool
is_inet(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET || a->ss_family == AF_INET6;
}

static bool
daemon_addr(const struct milter_macros *m, macro_value out)
{
	const struct sockaddr_storage *local = &m->session->client.local;

	if (is_inet(local))
		netaddr_format(local, out);
	return is_inet(local);
}

static bool
say_port(macro_value out, const struct sockaddr_storage *address)
{
	return is_inet(address) && netaddr_port(address) != 0 &&
	    snprintf(
		out, VALUE_MAX + 1, "%u", (unsigned)netaddr_port(address)) > 0;
}

static bool
daemon_port(const struct milter_macros *m, macro_value out)
{
	return say_port(out, &m->session->client.local);
}

/* -- the client -- */

static bool
client_addr(const struct milter_macros *m, macro_value out)
{
	const struct client *c = &m->session->client;

	/* As in an address literal: RFC 5321 section 4.1.3. */
	return is_inet(&c->address) &&
	    snprintf(out, VALUE_MAX + 1, "%s%s",
		c->address.ss_family == AF_INET6 ? "IPv6:" : "", c->text) > 0;
}

static bool
client_host(const struct milter_macros *m, macro_value out)
{
	const char *name = client_name(m->session);

	return say(out, name[0] != '\0' ? name : "unknown");
}

static bool
client_port(const struct milter_macros *m, macro_value out)
{
	return say_port(out, &m->session->client.address);
}

static bool
client_both(const struct milter_macros *m, macro_value out)
{
	const char *name = client_name(m->session);

	return snprintf(out, VALUE_MAX + 1, "%s [%s]",
		   name[0] != '\0' ? name : "unknown",
		   m->session->client.text) > 0;
}

static bool
login(const struct milter_macros *m, macro_value out)
{
	return say(out, m->session->login);
}

static bool
mechanism(const struct milter_macros *m, macro_value out)
{
	return m->session->facts.logged_in && say(out, m->session->mechanism);
}

static bool
tls_version(const struct milter_macros *m, macro_value out)
{
	struct tls_info info;

	return tls_info(&m->session->stream, &info) && say(out, info.protocol);
}

static bool
cipher(const struct milter_macros *m, macro_value out)
{
	struct tls_info info;

	return tls_info(&m->session->stream, &info) && say(out, info.cipher);
}

static bool
cipher_bits(const struct milter_macros *m, macro_value out)
{
	struct tls_info info;

	return tls_info(&m->session->stream, &info) &&
	    snprintf(out, VALUE_MAX + 1, "%u", info.bits) > 0;
}

/* -- the message -- */

static bool
message_id(const struct milter_macros *m, macro_value out)
{
	return say(out, m->id);
}

static bool
mail_addr(const struct milter_macros *m, macro_value out)
{
	return say(out, m->session->transaction.sender_text);
}

static bool
mail_host(const struct milter_macros *m, macro_value out)
{
	return say(out, m->session->transaction.sender.domain);
}

static bool
mail_mailer(const struct milter_macros *m, macro_value out)
{
	return m->session->transaction.open && say(out, "smtp");
}

static bool
rcpt_addr(const struct milter_macros *m, macro_value out)
{
	return say(out, m->recipient);
}

static bool
rcpt_host(const struct milter_macros *m, macro_value out)
{
	const char *at =
	    m->recipient != NULL ? strrchr(m->recipient, '@') : NULL;

	return at != NULL && say(out, at + 1);
}

static bool
rcpt_mailer(const struct milter_macros *m, macro_value out)
{
	return m->recipient != NULL && say(out, m->local ? "local" : "smtp");
}

/* -- all of them -- */

#define AT(stage) (1U << MILTER_AT_##stage)

/* In braces where the name is longer than a letter. */
static const struct {
	const char *name;
	macro_reader *read;
	unsigned stages; /* at which it is told unasked */
} macros[] = {
    {"j", hostname, AT(CONNECT)},
    {"v", version, AT(CONNECT)},
    {"_", client_both, AT(CONNECT)},
    {"{daemon_name}", daemon_name, AT(CONNECT)},
    {"{daemon_addr}", daemon_addr, AT(CONNECT)},
    {"{daemon_port}", daemon_port, AT(CONNECT)},
    {"{if_addr}", daemon_addr, AT(CONNECT)},
    {"{if_name}", hostname, 0},
    {"{client_addr}", client_addr, AT(CONNECT)},
    {"{client_name}", client_host, AT(CONNECT)},
    {"{client_ptr}", client_host, AT(CONNECT)},
    {"{client_port}", client_port, AT(CONNECT)},
    {"{tls_version}", tls_version, AT(HELO)},
    {"{cipher}", cipher, AT(HELO)},
    {"{cipher_bits}", cipher_bits, AT(HELO)},
    {"{auth_type}", mechanism, AT(MAIL)},
    {"{auth_authen}", login, AT(MAIL)},
    {"{auth_author}", login, AT(MAIL)},
    {"{mail_addr}", mail_addr, AT(MAIL)},
    {"{mail_host}", mail_host, AT(MAIL)},
    {"{mail_mailer}", mail_mailer, AT(MAIL)},
    {"{rcpt_addr}", rcpt_addr, AT(RCPT)},
    {"{rcpt_host}", rcpt_host, AT(RCPT)},
    {"{rcpt_mailer}", rcpt_mailer, AT(RCPT)},
    {"i", message_id,
	AT(MAIL) | AT(RCPT) | AT(DATA) | AT(END_OF_HEADER) | AT(END)},
};

enum { MACROS = sizeof(macros) / sizeof(macros[0]) };

static bool
names(const char *asked, const char *name)
{
	size_t n, length = strlen(name);

	for (; *asked != '\0'; asked += n) {
		asked += strspn(asked, " \t");
		n = strcspn(asked, " \t");
		if (n == length && memcmp(asked, name, n) == 0)
			return true;
	}
	return false;
}

void
milter_macros_add(struct buf *out, const struct milter_macros *m,
    enum milter_command command, enum milter_stage stage, const char *asked)
{
	struct buf packet = BUF_INIT(MILTER_CHUNK);
	size_t begun = milter_begin(&packet, MILTER_MACROS), none;
	macro_value value;

	buf_addc(&packet, (char)command);
	none = packet.len;
	for (size_t i = 0; i < MACROS; i++) {
		if ((macros[i].stages & 1U << stage) == 0 &&
		    !names(asked, macros[i].name))
			continue;
		if (!macros[i].read(m, value))
			continue;
		milter_string(&packet, macros[i].name);
		milter_string(&packet, value);
	}
	milter_end(&packet, begun);
	if (packet.len > none)
		buf_add(out, packet.data, packet.len);
	buf_free(&packet);
}
