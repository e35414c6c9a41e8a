/* SPDX-License-Identifier: ISC */
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Mail addresses: the paths of SMTP (RFC 5321 section 4.1.2, RFC 6531) and
 * the addresses in message headers (RFC 5322 section 3.4).
 */
enum {
	ADDRESS_LOCAL_MAX = 64,	  /* RFC 5321 section 4.5.3.1.1 */
	ADDRESS_DOMAIN_MAX = 255, /* section 4.5.3.1.2 */
	/* longest text that address_format makes, without its NUL: every
	 * octet of a quoted local part may need a backslash */
	ADDRESS_TEXT_MAX = 2 * ADDRESS_LOCAL_MAX + 2 + 1 + ADDRESS_DOMAIN_MAX
};

struct address {
	/* Content: quotes and backslashes taken away; no NUL, CR or LF. */
	char local[ADDRESS_LOCAL_MAX + 1];
	/*
	 * ASCII letters in lower case, no final dot; an address literal
	 * keeps its brackets.  "" with a local part: a bare Postmaster.
	 * Both "": the null reverse-path.
	 */
	char domain[ADDRESS_DOMAIN_MAX + 1];
	bool utf8; /* has octets above 127: SMTPUTF8 is needed */
};

enum address_flags {
	ADDRESS_NULL = 1,	/* <> is right here (MAIL FROM) */
	ADDRESS_POSTMASTER = 2, /* <Postmaster> without a domain (RCPT TO) */
	ADDRESS_UTF8 = 4,	/* SMTPUTF8 was asked for (RFC 6531) */
	ADDRESS_BARE = 8	/* a local part without a domain is right (tools) */
};

/*
 * A Path at the start of text: "<" [source route ":"] mailbox ">".  The
 * route is checked and dropped (section 4.1.1.3, appendix C).  On success
 * returns NULL and *rest points behind the ">"; else a static phrase that
 * says what is wrong, fit for a reply and a log line.
 */
const char *address_parse_path(
    const char *text, unsigned flags, struct address *, const char **rest);

/* A whole text that is one mailbox without brackets: user@domain. */
const char *address_parse(const char *text, unsigned flags, struct address *);

bool address_is_null(const struct address *);

/*
 * From the content of a local part and a domain: both are checked, the
 * domain comes into its canonical form.  ADDRESS_BARE: no domain is right.
 */
const char *address_make(const char *local, size_t nlocal, const char *domain,
    size_t ndomain, unsigned flags, struct address *);

/*
 * As text, quoted where it must be (section 4.1.2).  out has
 * ADDRESS_TEXT_MAX + 1 octets.  "" for the null path.
 */
void address_format(const struct address *, char *out);

/* Same mailbox: domains without case, local parts to the letter. */
bool address_equal(const struct address *, const struct address *);

/* A domain name or address literal as EHLO and paths have it. */
const char *address_check_domain(const char *domain, unsigned flags);

/*
 * The mailboxes of an address-list header value (folded, with comments,
 * groups and obsolete syntax, RFC 5322 section 4.4), in order.  A local part
 * alone ("To: root") has the domain "".  found() returns false to stop.
 * Returns NULL, or what is wrong; mailboxes before the fault were given.
 * Time is linear in n, whatever nests (A19).
 */
const char *address_header_each(const char *value, size_t n,
    bool (*found)(const struct address *, void *context), void *context);

#endif
