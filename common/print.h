/* SPDX-License-Identifier: ISC */
#ifndef COMMON_PRINT_H
#define COMMON_PRINT_H

/* What the tools write to standard output. */

/*
 * Text of others for a person: control characters, also those above ASCII,
 * and ill-formed UTF-8 are shown as "?", so that nothing drives a terminal.
 */
void print_clean(const char *text);

/* As a string of JSON with its quotes, RFC 8259 section 7. */
void print_json_string(const char *text);

#endif
