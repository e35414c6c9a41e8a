/* SPDX-License-Identifier: ISC */
#include "userdb/secret.h"

#include <stdio.h>
#include <sys/random.h>

#include "common/log.h"

static enum found
make_secret(
    struct directory *d, const char *note, char out[DIRECTORY_SECRET + 1])
{
	unsigned char random[DIRECTORY_SECRET / 2];
	enum store_result result;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return FAILED;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(out + 2 * i, 3, "%02x", random[i]);
	if ((result = store_begin(d->store)) == STORE_OK) {
		if ((result = directory_set_note(d, note, out)) == STORE_OK)
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
secret_keep(
    struct directory *d, const char *note, char out[DIRECTORY_SECRET + 1])
{
	char text[PROTOCOL_ADDRESS_MAX + 1];
	enum found found;

	if (out[0] != '\0')
		return FOUND;
	found = directory_note(d, note, text);
	if (found == ABSENT)
		return make_secret(d, note, out);
	if (found == FOUND)
		snprintf(
		    out, DIRECTORY_SECRET + 1, "%.*s", DIRECTORY_SECRET, text);
	return found;
}
