/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_DNS_SAMPLE_H
#define TOOLS_DNS_SAMPLE_H

#include "common/buf.h"
#include "mailauth/judge.h"
#include "tools/dns-tool.h"

/*
 * A message as a user here would send it, signed by `keys` as queue has it
 * signed, and seen as whoever gets it sees it.
 */
struct sample {
	struct buf text; /* with its signatures, LF line ends */
	bool is_signed;
	char problem[160]; /* why it is not; "" */
};

/* Ask keys; the text is there in any case, unless there is no memory. */
void sample_make(const struct request *, struct sample *);
void sample_free(struct sample *);

/*
 * What a receiver finds that gets it from this address.  False: no memory.
 * The section, initialised here, and the judgement are the caller's to free.
 */
bool sample_judge(const struct sample *, const struct mailauth *,
    const struct spf_query *, struct header_section *, struct judgement *);

#endif
