/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_PATTERN_H
#define QUEUE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What a postmaster writes for addresses and domains: "*" stands for any
 * octets, "?" for one character, a backslash takes the meaning from the
 * next.  Letters of ASCII are the same in both cases.  The time it takes is
 * at most the product of both lengths.
 */
bool pattern_matches(const char *pattern, const char *text);

/* It has a "*" or "?" that means something: it may match more than one. */
bool pattern_is_wild(const char *pattern);

/*
 * The pattern that matches this text and no other but for capital letters;
 * false: it does not fit.
 */
bool pattern_quote(const char *text, char *out, size_t size);

/* The text that it matches; false: it is wild, or that does not fit. */
bool pattern_plain(const char *pattern, char *out, size_t size);

#endif
