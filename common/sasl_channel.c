/* SPDX-License-Identifier: ISC */
#include "common/sasl_channel.h"

#include "common/tls.h"

_Static_assert((int)SASL_BINDING_MAX >= (int)TLS_BINDING_MAX,
    "a binding fits where SASL keeps it");

static bool
binding(void *context, enum sasl_binding kind, unsigned char *out, size_t *n)
{
	static const enum tls_binding kinds[] = {
	    [SASL_TLS_EXPORTER] = TLS_EXPORTER,
	    [SASL_TLS_SERVER_END_POINT] = TLS_SERVER_END_POINT,
	    [SASL_TLS_UNIQUE] = TLS_UNIQUE,
	};

	return tls_binding(context, kinds[kind], out, n);
}

struct sasl_channel
sasl_channel_of(const struct stream *stream)
{
	struct sasl_channel channel = {
	    .binding = binding, .context = (struct stream *)stream};
	struct tls_info info;

	channel.tls = tls_info(stream, &info);
	return channel;
}

unsigned
sasl_offer(const struct config *config, const struct stream *stream,
    bool plaintext_allowed)
{
	struct sasl_channel channel = sasl_channel_of(stream);
	unsigned allowed = (unsigned)config->auth_mechanisms;

	if (!channel.tls && !plaintext_allowed)
		return 0;
	if (!config_has_oauth(config))
		allowed &=
		    ~(SASL_SET(SASL_OAUTHBEARER) | SASL_SET(SASL_XOAUTH2));
	return sasl_server_offer(allowed, &channel);
}
