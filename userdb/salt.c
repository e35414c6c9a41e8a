/* SPDX-License-Identifier: ISC */
#include "userdb/salt.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/log.h"
#include "userdb/name.h"
#include "userdb/password.h"
#include "userdb/resolve.h"

static const char note[] = "salt-key";

/* One that cannot be stored, on a full disk, is good until the next start. */
static enum found
make_secret(struct directory *d)
{
	unsigned char random[DIRECTORY_SECRET / 2];
	enum store_result result;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return FAILED;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(d->secret + 2 * i, 3, "%02x", random[i]);
	if ((result = store_begin(d->store)) == STORE_OK) {
		if ((result = directory_set_note(d, note, d->secret)) ==
		    STORE_OK)
			result = store_commit(d->store, true);
		else
			store_abort(d->store);
	}
	if (result != STORE_OK)
		log_event(LEVEL_WARNING, "cannot record",
		    log_text("what", note),
		    log_text("reason", store_reason(result)));
	return FOUND;
}

enum found
salt_begin(struct directory *d)
{
	char text[PROTOCOL_ADDRESS_MAX + 1];
	enum found found;

	if (d->secret[0] != '\0')
		return FOUND;
	found = directory_note(d, note, text);
	if (found == ABSENT)
		return make_secret(d);
	if (found == FOUND)
		snprintf(d->secret, sizeof(d->secret), "%.*s", DIRECTORY_SECRET,
		    text);
	return found;
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
