/* SPDX-License-Identifier: ISC */
#include "userdb/salt.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "userdb/name.h"
#include "userdb/password.h"
#include "userdb/resolve.h"
#include "userdb/secret.h"

enum found
salt_begin(struct directory *d)
{
	return secret_keep(d, "salt-key", d->secret);
}

bool
salt_of(struct directory *d, const char *login, unsigned char salt[SCRAM_SALT])
{
	char text[PROTOCOL_LOGIN_MAX + 1];
	unsigned char made[EVP_MAX_MD_SIZE];
	struct address name;
	unsigned n;
	bool is_name =
	    name_parse(login, &name) == NULL && name.local[0] != '\0';

	/* "Ann" and "ann@example.org" are the same, known or not. */
	if (resolve_login(d, login, &name) == FAILED)
		return false;
	if (is_name) {
		address_format(&name, text);
	} else {
		snprintf(text, sizeof(text), "%s", login);
		name_lower(text);
	}
	if (HMAC(EVP_sha256(), d->secret, (int)strlen(d->secret),
		(const unsigned char *)text, strlen(text), made, &n) == NULL)
		return false;
	memcpy(salt, made, SCRAM_SALT);
	return true;
}

bool
salt_verifier(struct directory *d, const char *login, const struct entry *user,
    struct scram_verifier *v, bool *real)
{
	*real = user != NULL && user->scram[0] != '\0' &&
	    scram_read(user->scram, v);
	if (*real)
		return true;
	*v = (struct scram_verifier){
	    .iterations = PASSWORD_ITERATIONS, .nsalt = SCRAM_SALT};
	return salt_of(d, login, v->salt);
}
