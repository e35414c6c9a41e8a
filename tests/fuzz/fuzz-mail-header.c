/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "mailauth/header.h"
#include "tests/fuzz/fuzz.h"

/*
 * Header sections: any split gives the same, the fields are where they stood,
 * and taken together with what is no field they are the whole text.
 */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\x03"
	      "From: a@example.test\nSubject: b\n c\n\td\n\nbody\n"),
    FUZZ_SEED("\x01"
	      "From a@example.test Mon\nTo : x\n \n y\nA:\n: x\n\n"),
    FUZZ_SEED("\x07 folded\nno colon\n x\nA:b"),
    FUZZ_SEED("\x02"
	      "Subject\n \n\t: x\nTo\n: y\n\n"),
    FUZZ_SEEDS_END,
};

static void
check_field(const struct header_section *h, size_t i)
{
	const struct header_field *f = &h->fields[i];
	const char *begin = h->text.data;

	if (i > 0)
		begin = f[-1].text.data + f[-1].text.len + 1;
	REQUIRE(f->text.data >= begin);
	REQUIRE(f->text.data + f->text.len <= h->text.data + h->text.len);
	REQUIRE(f->text.data == h->text.data || f->text.data[-1] == '\n');
	REQUIRE(f->name.data == f->text.data);
	REQUIRE(f->name.len > 0 && f->name.len < f->text.len);
	REQUIRE(memchr(f->name.data, ':', f->name.len) == NULL);
	REQUIRE(f->value.data[-1] == ':');
	REQUIRE(f->value.data + f->value.len == f->text.data + f->text.len);
	for (size_t k = 0; k + 1 < f->text.len; k++)
		REQUIRE(f->text.data[k] != '\n' || f->text.data[k + 1] == ' ' ||
		    f->text.data[k + 1] == '\t');
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct header_section whole, pieces;
	size_t piece, used, used_in_pieces = 0;
	const char *text = (const char *)octets + 1;

	if (n-- < 1)
		return 0;
	piece = octets[0] % 16u + 1u;
	header_init(&whole);
	used = header_take(&whole, text, n);
	header_end(&whole);
	header_init(&pieces);
	for (size_t at = 0; at < n && !pieces.done; at += piece)
		used_in_pieces += header_take(
		    &pieces, text + at, n - at < piece ? n - at : piece);
	header_end(&pieces);

	REQUIRE(used == used_in_pieces && used <= n);
	REQUIRE(whole.text.len == pieces.text.len);
	REQUIRE(whole.text.len <= used);
	REQUIRE(whole.oversized || used - whole.text.len <= 1);
	REQUIRE(whole.text.len == 0 ||
	    memcmp(whole.text.data, pieces.text.data, whole.text.len) == 0);
	REQUIRE(whole.n == pieces.n && whole.malformed == pieces.malformed);
	for (size_t i = 0; i < whole.n; i++)
		check_field(&whole, i);
	header_free(&whole);
	header_free(&pieces);
	return 0;
}
