/* SPDX-License-Identifier: ISC */
#include "common/listing.h"

#include "common/protocol.h"

bool
listing_read_message(const struct packet *p, struct listing_message *m)
{
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &m->id),
	    ATTRIBUTE_NUMBER("time", &m->time),
	    ATTRIBUTE_NUMBER("size", &m->size),
	    ATTRIBUTE_TEXT("sender", PROTOCOL_ADDRESS_MAX, &m->sender),
	    ATTRIBUTE_TEXT("login", PROTOCOL_TEXT_MAX, &m->login),
	    ATTRIBUTE_NUMBER("uid", &m->uid),
	    ATTRIBUTE_TEXT("state", PROTOCOL_NAME_MAX, &m->state),
	    ATTRIBUTE_NUMBER("attempts", &m->attempts),
	    ATTRIBUTE_NUMBER("next", &m->next),
	    ATTRIBUTE_NUMBER("recipients", &m->recipients),
	    ATTRIBUTE_NUMBER("pending", &m->pending),
	    ATTRIBUTE_TEXT("reason", PROTOCOL_TEXT_MAX, &m->reason),
	};

	return packet_read(p, "message", set, sizeof(set) / sizeof(set[0]), 0);
}

bool
listing_read_recipient(const struct packet *p, struct listing_recipient *r)
{
	const struct attribute set[] = {
	    ATTRIBUTE_NUMBER("index", &r->index),
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &r->address),
	    ATTRIBUTE_NUMBER("parent", &r->parent),
	    ATTRIBUTE_TEXT("status", PROTOCOL_NAME_MAX, &r->status),
	    ATTRIBUTE_TEXT("dsn", PROTOCOL_NAME_MAX, &r->dsn),
	    ATTRIBUTE_NUMBER("when", &r->when),
	    ATTRIBUTE_TEXT("relay", PROTOCOL_TEXT_MAX, &r->relay),
	    ATTRIBUTE_TEXT("text", PROTOCOL_TEXT_MAX, &r->text),
	};

	return packet_read(
	    p, "recipient", set, sizeof(set) / sizeof(set[0]), 0);
}
