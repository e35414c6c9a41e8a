/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "userdb/token.h"

/*
 * Tokens and key sets, which come from the network: either half of the input
 * may be anything.  Nobody has a key here, so nothing may be let in.
 */

#define SET                                                                    \
	"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r\",\"e\":\"AQAB\",\"n\":"      \
	"\"ofgW"                                                               \
	"CuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qP" \
	"CJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2j" \
	"Z47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo" \
	"7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX" \
	"FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"" \
	"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"sig\",\"key_ops\":["    \
	"\"ve"                                                                 \
	"rify\"],\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":" \
	"\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}"
/* {"alg":"ES256"} and {"alg":"RS256","kid":"r"}, with the same claims */
#define CLAIMS "eyJpc3MiOiJpIiwiYXVkIjpbImEiXSwiZXhwIjoyZTksImVtYWlsIjoieCJ9"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("eyJhbGciOiJFUzI1NiJ9." CLAIMS
	      ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8IS"
	      "lSApmWQxfKTUJqPP3-Kg6NU1Q\n" SET),
    FUZZ_SEED("eyJhbGciOiJSUzI1NiIsImtpZCI6InIifQ." CLAIMS ".AAAA\n" SET),
    FUZZ_SEED("eyJhbGciOiJub25lIn0." CLAIMS ".\n{\"keys\":[[[[{}]]]]}"),
    FUZZ_SEEDS_END,
};

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	static const struct token_demand demand = {"i", "a b", "", "email"};
	const uint8_t *end = n > 0 ? memchr(octets, '\n', n) : NULL;
	size_t length = end != NULL ? (size_t)(end - octets) : n;
	struct span text = {"", 0};
	char *token = malloc(length + 1);
	char user[PROTOCOL_LOGIN_MAX + 1];
	const char *why = NULL;
	struct key_set *set;

	REQUIRE(token != NULL);
	memcpy(token, octets, length);
	token[length] = '\0';
	if (end != NULL)
		text = (struct span){(const char *)end + 1, n - length - 1};
	set = key_set_read(text, &why);
	if (set == NULL) {
		REQUIRE(why != NULL);
		set = key_set_read((struct span){SET, sizeof(SET) - 1}, &why);
	}
	REQUIRE(set != NULL && key_set_count(set) > 0);
	REQUIRE(token_check(token, set, &demand, 1900000000, user, &why) !=
	    TOKEN_GOOD);
	REQUIRE(why != NULL);
	key_set_free(set);
	free(token);
	return 0;
}
