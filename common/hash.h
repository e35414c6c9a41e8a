/* SPDX-License-Identifier: ISC */
#ifndef COMMON_HASH_H
#define COMMON_HASH_H

#include <stdint.h>

/* FNV-1a; an unlucky choice of texts costs comparisons, no more. */
static inline uint32_t
hash_text(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash;
}

#endif
