/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_READER_H
#define QUEUE_READER_H

#include <stdbool.h>

#include "queue/spool.h"

/*
 * A process of its own reads the spool at start, so that queue waits neither
 * for a cold disk nor for a million envelopes to be parsed.  It may look, but
 * change nothing.  What it says over `control`, without being asked:
 *
 *	messages m=FACTS ...	found in order (queue/facts.h), as many as fit
 *	look folder= name=	anything else: queue has to judge and act
 *	missed folder= name= reason=
 *				could not be read now
 *	end
 *
 * What it tells was true when it looked; meanwhile queue may have taken in,
 * delivered and removed messages.  Returns the process's exit code.
 */
int reader_run(int control, struct spool *, bool tmp_too);

#endif
