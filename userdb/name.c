/* SPDX-License-Identifier: ISC */
#include "userdb/name.h"

#include <stdio.h>
#include <string.h>

void
name_lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

const char *
name_parse(const char *text, struct address *name)
{
	const char *wrong = address_parse(
	    text, ADDRESS_UTF8 | ADDRESS_BARE | ADDRESS_POSTMASTER, name);

	if (wrong == NULL)
		name_lower(name->local);
	return wrong;
}

const char *
name_parse_alias(const char *text, struct address *name)
{
	const char *wrong;

	if (text[0] != '@')
		return name_parse(text, name);
	memset(name, 0, sizeof(*name));
	if (strlen(text + 1) > ADDRESS_DOMAIN_MAX)
		return "domain too long";
	if ((wrong = name_check_domain(text + 1)) != NULL)
		return wrong;
	snprintf(name->domain, sizeof(name->domain), "%s", text + 1);
	name_lower(name->domain);
	return NULL;
}

void
name_format(const struct address *name, char *out)
{
	if (name->local[0] == '\0' && name->domain[0] != '\0')
		snprintf(out, ADDRESS_TEXT_MAX + 1, "@%s", name->domain);
	else
		address_format(name, out);
}

/* atext of RFC 5322 section 3.2.3, and UTF-8 of RFC 6531 section 3.3 */
static bool
is_atom(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c >= 0x80 ||
	    (c != '\0' && strchr("!#$%&'*+-=?^_`{|}~", c) != NULL);
}

const char *
name_check_mailbox(const struct address *name)
{
	const char *p = name->local;

	if (name->domain[0] == '\0')
		return "an address with a domain is needed";
	if (*p == '\0')
		return "a mailbox needs a name before the @";
	if (*p == '.' || strstr(p, "..") != NULL || p[strlen(p) - 1] == '.')
		return "a mailbox's name has no dot at its ends and no two "
		       "side by side";
	for (; *p != '\0'; p++)
		if (*p != '.' && !is_atom((unsigned char)*p))
			return "a mailbox's name has letters, digits and "
			       "!#$%&'*+-=?^_`{|}~ only";
	return name_check_domain(name->domain);
}

const char *
name_check_domain(const char *domain)
{
	const char *wrong = address_check_domain(domain, ADDRESS_UTF8);

	if (wrong != NULL)
		return wrong;
	if (domain[0] == '[')
		return "an address literal is no domain of ours";
	if (strchr(domain, '/') != NULL || domain[0] == '.')
		return "bad domain";
	return NULL;
}

bool
name_strip_detail(const struct address *name, struct address *plain)
{
	const char *plus = strchr(name->local, '+');

	if (plus == NULL || plus == name->local)
		return false;
	*plain = *name;
	plain->local[plus - name->local] = '\0';
	return true;
}
