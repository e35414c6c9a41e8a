/* SPDX-License-Identifier: ISC */
#include "common/door.h"

#include <stdint.h>
#include <stdio.h>

/* FNV-1a */
void
door_name(const char *path, char out[DOOR_NAME_SIZE])
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *path != '\0'; path++)
		hash = (hash ^ (unsigned char)*path) * UINT64_C(0x100000001b3);
	snprintf(
	    out, DOOR_NAME_SIZE, "filter%016llx", (unsigned long long)hash);
}
