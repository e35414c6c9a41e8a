/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/dns_read.h"
#include "common/sts.h"

static const char version[] = "v=STSv1";

static bool
is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

/* "v=STSv1" alone, up to a semicolon or blanks before one. */
static bool
is_record(const char *text)
{
	size_t n = strlen(version);

	if (strncmp(text, version, n) != 0)
		return false;
	text += n + strspn(text + n, " \t");
	return *text == ';' || *text == '\0';
}

/* The first id= counts; the order of the fields is free behind the version. */
static bool
read_id(const char *text, char *id)
{
	while ((text = strchr(text, ';')) != NULL) {
		size_t n = 0;

		text++;
		text += strspn(text, " \t");
		if (strncmp(text, "id=", 3) != 0)
			continue;
		text += 3;
		while (n < STS_ID_MAX && is_alphanumeric(text[n])) {
			id[n] = text[n];
			n++;
		}
		id[n] = '\0';
		text += n;
		text += strspn(text, " \t");
		return n > 0 && (*text == ';' || *text == '\0');
	}
	return false;
}

bool
sts_record(char *const *texts, size_t n, char id[STS_ID_MAX + 1])
{
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!is_record(texts[i]))
			continue;
		if (found != NULL)
			return false;
		found = texts[i];
	}
	return found != NULL && read_id(found, id);
}

bool
sts_matches(const char *pattern, const char *host)
{
	size_t n = strcspn(host, ".");

	if (strncmp(pattern, "*.", 2) != 0)
		return pattern[0] != '\0' && dns_name_equal(pattern, host);
	pattern += 2;
	host += n;
	return n > 0 && host[0] == '.' && pattern[0] != '\0' &&
	    dns_name_equal(pattern, host + 1);
}
