/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "mailauth/dkim.h"
#include "mailauth/dkim_rsa.h"
#include "tests/fuzz/fuzz.h"

/*
 * Key records: a key is there or a reason why not, never a short one; and the
 * record that we would write of it holds the same key.
 */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("v=DKIM1; k=ed25519; "
	      "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
    FUZZ_SEED("v=DKIM1; h=sha1:sha256; s=email:*; t=y:s; n=note; "
	      "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/"
	      "DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od"
	      "+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNB"
	      "cWToIMmPSPDdQPNUYckcQ2QIDAQAB"),
    FUZZ_SEED("p=MIGJAoGBAPAhE/9QLdIGwSYapn1klbf8OQygZ4udCDV9afv/Ni0jE3ZKcUK"
	      "PE4Iob2/dviNh9xM2HmKNKyrrfW4Ei0truh36/9G10LZTMnWVZP3jupH5FxpzaB"
	      "u2j80yonR/N9WMfg64qGK11j21/qZzAaNo0FxZOggyY9I8N1A81RhyRxDZAgMBA"
	      "AE="),
    FUZZ_SEED("v=DKIM1; p="),
    FUZZ_SEEDS_END,
};

static void
write_and_read(const struct dkim_key *k)
{
	struct buf record = BUF_INIT(8192);
	struct dkim_key again;

	REQUIRE(k->bits == 256 ||
	    (k->bits >= DKIM_RSA_BITS_MIN && k->bits <= DKIM_RSA_BITS_MAX));
	REQUIRE(dkim_key_record(k->key, &record));
	REQUIRE(dkim_key_parse(buf_text(&record), &again) == NULL);
	REQUIRE(EVP_PKEY_eq(k->key, again.key) == 1);
	EVP_PKEY_free(again.key);
	buf_free(&record);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct dkim_key k;
	char *record = malloc(n + 1);
	const char *wrong;

	REQUIRE(record != NULL);
	memcpy(record, octets, n);
	record[n] = '\0';
	wrong = dkim_key_parse(record, &k);
	REQUIRE(wrong == NULL || k.key == NULL);
	if (k.key != NULL)
		write_and_read(&k);
	EVP_PKEY_free(k.key);
	free(record);
	return 0;
}
