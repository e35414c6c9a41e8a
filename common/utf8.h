/* SPDX-License-Identifier: ISC */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The length (1 to 4) of the well-formed UTF-8 sequence (RFC 3629) at the
 * start of these n octets, with its code point; 0 when there is none: an
 * overlong form, a surrogate, above U+10FFFF, or cut short.
 */
size_t utf8_decode(const char *octets, size_t n, uint32_t *code);

bool utf8_valid(const char *octets, size_t n);
bool utf8_is_ascii(const char *octets, size_t n);

#endif
