/* SPDX-License-Identifier: ISC */
#include "userdb/json.h"

#include <string.h>

#include "common/base64.h"

/* Before anything recursive sees it. */
static bool
is_shallow(struct span text)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > JSON_DEPTH_MAX)
			return false;
	}
	return true;
}

json_t *
json_read(struct span text)
{
	json_t *value;

	if (!is_shallow(text))
		return NULL;
	value = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(value))
		return value;
	json_decref(value);
	return NULL;
}

const char *
json_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

bool
json_octets(struct span text, char *octets, size_t *made)
{
	size_t n = text.len;

	for (size_t i = 0; i < n; i++) {
		char c = text.data[i];

		if (c == '+' || c == '/' || c == '=')
			return false;
		octets[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
	}
	while (n % 4 != 0)
		octets[n++] = '=';
	return base64_decode(octets, n, octets, made);
}
