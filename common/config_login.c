/* SPDX-License-Identifier: ISC */
/* config_reader.h: what says who may log in with a token. */
#include <string.h>
#include <strings.h>

#include "build.h"
#include "common/config_reader.h"

bool
take_word(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	if (strpbrk(value, " \t") != NULL)
		return config_fail(
		    r, "\"%s\": \"%s\" is more than one word", k->name, value);
	return config_set_text(r, config_member(r, k), value);
}

static bool
add_word(
    struct config_reader *r, const struct config_keyword *k, const char *word)
{
	return config_add_text(r, config_member(r, k), word);
}

bool
take_words(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return config_each_word(r, k, value, add_word);
}

/* Keys that came in the clear would be anybody's. */
bool
take_key_set(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	bool is_url = strncasecmp(value, "https://", 8) == 0;

#ifndef HAVE_JANSSON
	return config_fail(
	    r, "\"%s\": Postrider was built without jansson", k->name);
#endif
	if (value[0] != '/' &&
	    (!is_url || value[8] == '\0' || strpbrk(value, " \t") != NULL))
		return config_fail(r,
		    "\"%s\": \"%s\" is neither an absolute path nor an "
		    "https:// address",
		    k->name, value);
	return config_set_text(r, config_member(r, k), value);
}

bool
config_jwks_is_url(const struct config *c)
{
	return c->oauth_jwks != NULL && c->oauth_jwks[0] != '/';
}

bool
config_has_oauth(const struct config *c)
{
	return c->oauth_issuer != NULL;
}
