/* SPDX-License-Identifier: ISC */
#include "keys/tickets.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

static struct {
	unsigned char current[TLS_TICKET_KEY_SIZE],
	    previous[TLS_TICKET_KEY_SIZE];
	unsigned made; /* how many there have been, up to 2 */
} keys[TICKETS_ROLES];

bool
tickets_rotate(void)
{
	for (size_t i = 0; i < TICKETS_ROLES; i++) {
		memcpy(keys[i].previous, keys[i].current,
		    sizeof(keys[i].previous));
		if (RAND_priv_bytes(keys[i].current, sizeof(keys[i].current)) !=
		    1)
			return false;
		if (keys[i].made < 2)
			keys[i].made++;
	}
	return true;
}

void
tickets_format(enum tickets_role role, char current[TICKETS_HEX_SIZE],
    char previous[TICKETS_HEX_SIZE])
{
	OPENSSL_buf2hexstr_ex(current, TICKETS_HEX_SIZE, NULL,
	    keys[role].current, TLS_TICKET_KEY_SIZE, '\0');
	previous[0] = '\0';
	if (keys[role].made == 2)
		OPENSSL_buf2hexstr_ex(previous, TICKETS_HEX_SIZE, NULL,
		    keys[role].previous, TLS_TICKET_KEY_SIZE, '\0');
}
