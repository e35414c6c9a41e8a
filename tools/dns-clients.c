/* SPDX-License-Identifier: ISC */
#include "tools/dns-files.h"

#include <stdio.h>

#include "tools/dns-house.h"

/* Text in XML 1.0, in elements and in attributes. */
static void
add_escaped(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '<')
			buf_adds(out, "&lt;");
		else if (*text == '>')
			buf_adds(out, "&gt;");
		else if (*text == '&')
			buf_adds(out, "&amp;");
		else if (*text == '"')
			buf_adds(out, "&quot;");
		else if ((unsigned char)*text >= ' ')
			buf_addc(out, *text);
	}
}

static void
add_element(
    struct buf *out, const char *indent, const char *name, const char *text)
{
	buf_addf(out, "%s<%s>", indent, name);
	add_escaped(out, text);
	buf_addf(out, "</%s>\n", name);
}

/* -- which services, the better ones first -- */

static const struct service {
	enum listener_kind kind;
	bool incoming;
} services[] = {
    {LISTENER_POP3S, true},
    {LISTENER_POP3, true},
    {LISTENER_SUBMISSIONS, false},
    {LISTENER_SUBMISSION, false},
};

typedef void add_service(
    struct buf *, const char *host, uint16_t port, const struct service *);

static void
add_services(const struct request *r, struct buf *out, add_service *add)
{
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		uint16_t port = house_port(r->config, services[i].kind);

		if (port != 0)
			add(out, r->config->hostname, port, &services[i]);
	}
}

/* -- Mozilla's -- */

static void
add_server(
    struct buf *out, const char *host, uint16_t port, const struct service *s)
{
	const char *element = s->incoming ? "incomingServer" : "outgoingServer";
	char number[8];

	snprintf(number, sizeof(number), "%u", port);
	buf_addf(out, "    <%s type=\"%s\">\n", element,
	    s->incoming ? "pop3" : "smtp");
	add_element(out, "      ", "hostname", host);
	add_element(out, "      ", "port", number);
	add_element(out, "      ", "socketType",
	    listener_begins_with_tls(s->kind) ? "SSL" : "STARTTLS");
	add_element(out, "      ", "username", "%EMAILADDRESS%");
	add_element(out, "      ", "authentication", "password-cleartext");
	buf_addf(out, "    </%s>\n", element);
}

bool
clients_autoconfig(const struct request *r, struct buf *out)
{
	buf_adds(out,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<clientConfig version=\"1.1\">\n"
	    "  <emailProvider id=\"");
	add_escaped(out, r->domain);
	buf_adds(out, "\">\n");
	add_element(out, "    ", "domain", r->domain);
	add_element(out, "    ", "displayName", r->given);
	add_element(out, "    ", "displayShortName", r->given);
	add_services(r, out, add_server);
	return buf_adds(out, "  </emailProvider>\n</clientConfig>\n");
}

/* -- Microsoft's -- */

#define MICROSOFT "http://schemas.microsoft.com/exchange/autodiscover/"

static void
add_protocol(
    struct buf *out, const char *host, uint16_t port, const struct service *s)
{
	bool tls = listener_begins_with_tls(s->kind);
	char number[8];

	snprintf(number, sizeof(number), "%u", port);
	buf_adds(out, "      <Protocol>\n");
	add_element(out, "        ", "Type", s->incoming ? "POP3" : "SMTP");
	add_element(out, "        ", "Server", host);
	add_element(out, "        ", "Port", number);
	add_element(out, "        ", "DomainRequired", "on");
	add_element(out, "        ", "SPA", "off");
	add_element(out, "        ", "SSL", tls ? "on" : "off");
	add_element(out, "        ", "Encryption", tls ? "SSL" : "TLS");
	add_element(out, "        ", "AuthRequired", "on");
	buf_adds(out, "      </Protocol>\n");
}

bool
clients_autodiscover(const struct request *r, struct buf *out)
{
	buf_adds(out,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<Autodiscover xmlns=\"" MICROSOFT "responseschema/2006\">\n"
	    "  <Response xmlns=\"" MICROSOFT "outlook/responseschema/2006a\">\n"
	    "    <Account>\n"
	    "      <AccountType>email</AccountType>\n"
	    "      <Action>settings</Action>\n");
	add_services(r, out, add_protocol);
	return buf_adds(
	    out, "    </Account>\n  </Response>\n</Autodiscover>\n");
}
