/* SPDX-License-Identifier: ISC */
#include "mailbox/record.h"

#include <string.h>

static const char *const kinds[] = {
    [VIRTUAL_SESSION] = "virtual-session",
    [SYSTEM_SESSION] = "system-session",
    [VIRTUAL_JUNK] = "virtual-junk",
    [SYSTEM_JUNK] = "system-junk",
    [VIRTUAL_DELIVER] = "virtual-deliver",
    [SYSTEM_DELIVER] = "system-deliver",
};

/* A string and then NULs up to the end. */
static bool
is_padded(const char *field, size_t n)
{
	size_t length = strnlen(field, n);

	for (size_t i = length; i < n; i++)
		if (field[i] != '\0')
			return false;
	return length < n;
}

/* The portable user names of POSIX, section 3.437. */
static bool
is_login(const char *name)
{
	static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-";

	return *name != '\0' && *name != '-' && *name != '.' &&
	    name[strspn(name, letters)] == '\0';
}

static bool
is_name_of(enum record_kind kind, const char *name)
{
	struct mailbox_place place;

	switch (kind) {
	case VIRTUAL_SESSION:
	case VIRTUAL_JUNK:
		return mailbox_place(name, &place);
	case VIRTUAL_DELIVER:
		return *name == '\0';
	default:
		return is_login(name);
	}
}

bool
record_read(const void *octets, size_t n, struct record *r)
{
	/* A kind may fill its field: one octet more ends it. */
	char kind[MAILBOX_RECORD_KIND + 1] = "";

	if (n != MAILBOX_RECORD)
		return false;
	memcpy(kind, octets, MAILBOX_RECORD_KIND);
	memcpy(r->name, (const char *)octets + MAILBOX_RECORD_KIND,
	    sizeof(r->name));
	if (!is_padded(kind, sizeof(kind)) ||
	    !is_padded(r->name, sizeof(r->name)))
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i]) == 0) {
			r->kind = (enum record_kind)i;
			return is_name_of(r->kind, r->name);
		}
	return false;
}

/* No path of several folders, no "..", no hidden folder, nothing unseen. */
static bool
is_folder_name(const char *name)
{
	if (*name == '\0' || *name == '.')
		return false;
	for (; *name != '\0'; name++)
		if (*name == '/' || (unsigned char)*name < ' ' || *name == 0x7f)
			return false;
	return true;
}

bool
mailbox_place(const char *address, struct mailbox_place *place)
{
	struct address parsed;

	if (address_parse(address, ADDRESS_UTF8, &parsed) != NULL ||
	    !is_folder_name(parsed.local) || !is_folder_name(parsed.domain))
		return false;
	for (char *c = parsed.local; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	memcpy(place->local, parsed.local, sizeof(place->local));
	memcpy(place->domain, parsed.domain, sizeof(place->domain));
	return true;
}
