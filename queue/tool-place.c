/* SPDX-License-Identifier: ISC */
#include "queue/tool-place.h"

#include <stdio.h>
#include <sysexits.h>

#include "common/protocol.h"

static bool
read_place(const struct packet *p, struct why_place *place)
{
	const char *name, *state, *code, *text;
	uint64_t next, when;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("name", PROTOCOL_ADDRESS_MAX, &name),
	    ATTRIBUTE_TEXT("state", PROTOCOL_NAME_MAX, &state),
	    ATTRIBUTE_NUMBER("window", &place->window),
	    ATTRIBUTE_NUMBER("running", &place->running),
	    ATTRIBUTE_NUMBER("waiting", &place->waiting),
	    ATTRIBUTE_NUMBER("next", &next),
	    ATTRIBUTE_NUMBER("when", &when),
	    ATTRIBUTE_TEXT("code", PROTOCOL_NAME_MAX, &code),
	    ATTRIBUTE_TEXT("text", PROTOCOL_TEXT_MAX, &text),
	};

	if (!packet_read(
		p, "destination", set, sizeof(set) / sizeof(set[0]), 0))
		return false;
	place->known = true;
	place->next = (int64_t)next;
	place->when = (int64_t)when;
	snprintf(place->name, sizeof(place->name), "%s", name);
	snprintf(place->state, sizeof(place->state), "%s", state);
	snprintf(place->code, sizeof(place->code), "%s", code);
	snprintf(place->text, sizeof(place->text), "%s", text);
	return true;
}

int
place_ask(struct tool *tool, const char *name, struct why_place *place)
{
	static struct packet p;
	int code;

	*place = (struct why_place){0};
	if (tool->daemon < 0 || name[0] == '\0')
		return EX_OK;
	packet_start(&p, "destinations");
	packet_text(&p, "name", name);
	for (code = ask(tool, &p); code == EX_OK && !packet_is(&p, "end");
	     code = ask_next(tool, &p))
		if (!read_place(&p, place))
			return ask_malformed(tool);
	return code;
}
