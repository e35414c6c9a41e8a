/* SPDX-License-Identifier: ISC */
#include "smtpd/plain.h"

#include <string.h>

bool
plain_text(const char *response, size_t n, char *out, size_t max)
{
	if (n == 0 || n > max || memchr(response, '\0', n) != NULL)
		return false;
	memcpy(out, response, n);
	out[n] = '\0';
	return true;
}

enum plain_result
plain_read(const char *message, size_t n, struct credentials *c)
{
	const char *end = message + n;
	const char *name = memchr(message, '\0', n), *password;
	size_t nauthzid;

	if (name == NULL)
		return PLAIN_MALFORMED;
	nauthzid = (size_t)(name++ - message);
	password = memchr(name, '\0', (size_t)(end - name));
	if (password == NULL)
		return PLAIN_MALFORMED;
	if (!plain_text(
		name, (size_t)(password - name), c->name, PROTOCOL_LOGIN_MAX))
		return PLAIN_MALFORMED;
	password++;
	if (!plain_text(password, (size_t)(end - password), c->password,
		PROTOCOL_PASSWORD_MAX))
		return PLAIN_MALFORMED;
	if (nauthzid > 0 &&
	    (nauthzid != strlen(c->name) ||
		memcmp(message, c->name, nauthzid) != 0))
		return PLAIN_OTHER;
	return PLAIN_FINE;
}
