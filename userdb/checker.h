/* SPDX-License-Identifier: ISC */
#ifndef USERDB_CHECKER_H
#define USERDB_CHECKER_H

/*
 * Password hashes take long on purpose, and tokens are parsed, so processes
 * of their own do both: they have no database, no files and no network, only
 * one end of a socket pair that they share.
 *
 *	-> verify serial= hash= password= cost= [salt=]
 *				hash "": there is none, take your time; cost:
 *				of new hashes; salt: make a SCRAM verifier
 *				with it, too (base64)
 *	<- verified serial= right= [hash=] [scram=]
 *				right 0|1; if so, a new hash where the one
 *				given is weak
 *	-> keys serial= +fd	how many keys of a set are of use?
 *	<- keys serial= count= [reason=]
 *	-> token serial= token= issuer= audiences= scopes= claim= +fd
 *				token.h; fd: the key set
 *	<- token serial= result= [user=] [reason=]
 *				result good|key|scope|bad
 */

#include "common/ipc.h"

/*
 * The life of such a process; its exit code.  cost: what new hashes are
 * expected to cost.
 */
int checker_serve(int fd, unsigned cost);

/*
 * keys and token, where there is jansson: the answer takes the request's
 * place.  False: it was malformed.
 */
bool checker_keys(struct packet *);
bool checker_token(struct packet *);

#endif
