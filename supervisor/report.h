/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_REPORT_H
#define SUPERVISOR_REPORT_H

#include <stdbool.h>

#include "common/config.h"

/*
 * What `postrider check` finds, a line each, on standard output.  An error
 * is what keeps the suite from starting or from doing what the config says;
 * a warning is what a postmaster should know; a note is not counted.
 */
void report_error(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
void report_warning(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
void report_note(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* A line of that kind that another program printed: passed on and counted. */
void report_line(const char *line); /* without its line end */

/* -- groups of checks -- */

void check_names(const struct config *);     /* check_names.c */
void check_relaying(const struct config *);
void check_resolvers(const struct config *);
void check_programs(const struct config *);  /* check.c */
void check_accounts(const struct config *);
void check_folders(const struct config *);   /* check_folders.c */
void check_file_systems(const struct config *);

/*
 * check_spool.c: what is wrong in the spool; repair: what can be put right is.
 * False: something was found.
 */
bool check_spool(const struct config *, const char *config_path, bool repair);
void check_certificates(const struct config *);
void check_tokens(const struct config *);	     /* check_tokens.c */
void check_trust(const struct config *);	     /* check_trust.c */
void check_filters(const struct config *);    /* check_filters.c */
void check_listeners(const struct config *);
void check_database(const struct config *);
void check_outbound(const struct config *);  /* check_outbound.c */
void check_kernel(const struct config *);

#endif
