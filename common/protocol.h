/* SPDX-License-Identifier: ISC */
#ifndef COMMON_PROTOCOL_H
#define COMMON_PROTOCOL_H

/*
 * Who says what to whom inside the house.  Packets are those of
 * common/ipc.h; "->" is a request, "<-" its answer, [x] is optional,
 * +fd is a descriptor that travels with it.
 *
 * A role is the socket that a request arrives on.  The supervisor binds
 * every one of these (below run-dir) and hands the listening end to the
 * owner under the name given; the folder belongs to the role's group and is
 * its chroot, so a role cannot even see another's sockets:
 *
 *	path		  listener's name	owner	  who connects
 *	smtpd/userdb	  role-smtpd		userdb	  smtpd
 *	smtpd/queue	  role-smtpd		queue	  smtpd
 *	pop3d/userdb	  role-pop3d		userdb	  pop3d
 *	deliver/queue	  role-deliver		queue	  deliver
 *	userdb/queue	  role-userdb		queue	  userdb
 *	userdb/mailbox	  role-userdb		mailbox	  userdb
 *	queue/userdb	  role-queue		userdb	  queue
 *	queue/mailbox	  role-queue		mailbox	  queue
 *	smtpd/keys	  role-smtpd		keys	  smtpd
 *	pop3d/keys	  role-pop3d		keys	  pop3d
 *	deliver/keys	  role-deliver		keys	  deliver
 *	smtpd/ledger	  role-smtpd		ledger	  smtpd
 *	gate/ledger	  role-gate		ledger	  smtp-gate
 *	gate/smtpd	  role-gate		smtpd	  smtp-gate
 *	queue/keys	  role-queue		keys	  queue
 *	queue/ledger	  role-queue		ledger	  queue
 *	userdb/ledger	  role-userdb		ledger	  userdb
 *	deliver/ledger	  role-deliver		ledger	  deliver
 *	fetch/ledger	  role-fetch		ledger	  fetch
 *	fetch/userdb	  role-fetch		userdb	  fetch
 *	admin/userdb	  role-admin		userdb	  postrider-user
 *	admin/queue	  role-admin		queue	  postrider-queue
 *	admin/keys	  role-admin		keys	  postrider-key
 *	admin/ledger	  role-admin		ledger	  postrider-user,
 *							  postrider-queue,
 *							  postrider-report
 *	public/queue	  role-public		queue	  sendmail, mailq,
 *							  postrider-report
 *	control		  (its own)		supervisor  postrider
 *	smtpd/filterHASH  (its own)		supervisor  smtpd
 *
 * Verdicts travel by name (common/verdict.h).  Addresses travel as
 * address_format() writes them, without brackets; "" is the null path.
 *
 *
 * doors (smtpd/filterHASH, one a content filter's Unix socket: common/door.h)
 *
 * Who connects says nothing.
 *   <- door +fd			a connection to the filter, and the end; the
 *					end alone where none is to be had
 *   <- busy			not now, as others wait there
 *
 *
 * smtpd
 *
 * role-gate: a connection for each session, which lasts as long as it does
 *   -> arrival [client=] [proxied=1] [greeted=1] [known=1] score= [lists=]
 *	waited= +fd			the client's TCP socket and its address
 *					(of whom a proxy says that it is);
 *					greeted: it has its 220; known: ledger
 *					knows it; score: of the DNS lists, may
 *					be negative, lists: those that know it;
 *					waited: milliseconds in the gate
 *   <- taken				a worker serves it from now on
 *
 *
 * userdb
 *
 * role-smtpd:
 *   -> recipient address= [null=1]	null: of the null sender; reports alone
 *					go back the way of a rewritten sender
 *   <- recipient verdict= [mailbox=] [limit=] [keep=1]
 *					recipient-ok; relay-denied when the
 *					domain is not ours; user-unknown ...;
 *					mailbox: the one that it leads to, by
 *					its canonical address or login name,
 *					absent where there is none or several;
 *					limit: its user's own mailbox-messages
 *   <- changed				unasked, once after answers with keep=1:
 *					those hold as long as this has not come
 *					and the connection stands
 *   -> sender user= address=		may this login send as that?
 *   <- sender verdict=
 * role-smtpd, role-pop3d: logins, one at a time on a connection.  fd: one end
 * of the speaker's pair, which queue or mailbox has by the time that the
 * verdict is login-ok; mechanism: for the log, and for the form of a refused
 * token's challenge; tls 0|1; client: its address
 *   -> login user= password= client= [mechanism=] [tls=] +fd
 *   -> token token= [user=] client= mechanism= tls= +fd
 *					user: whom the client claims to be; it
 *					must be whom the token names
 *   -> digest kind= user= challenge= response= client= tls= +fd
 *					kind cram-md5 (RFC 2195)|apop (RFC
 *					1939); challenge as it was sent;
 *					response in hexadecimal digits
 *   <- login verdict= [user=] [challenge=]
 *					user: the login's canonical address;
 *					challenge: JSON for the client whose
 *					token was refused (RFC 7628)
 *   -> scram user= client= mechanism= tls= +fd
 *					user: prepared and unescaped
 *   <- scram nonce= salt= iterations=	nonce: userdb's half; salt in base64;
 *					who does not exist has both, too, and
 *					always the same
 *   <- login verdict=login-later	or so
 *   -> proof first= final= proof=	client-first-message-bare, client-
 *					final-message-without-proof, proof in
 *					base64; common/scram.h
 *   <- login verdict= [user=] [signature=]
 *					ServerSignature, base64
 *   -> cancel				instead of the proof; no answer
 * role-queue, many outstanding, answers in any order:
 *   -> sender serial= user= address=	as for smtpd
 *   <- sender serial= verdict=
 *   -> route serial= address= [null=1]
 *   <- route serial= kind= [target=] [more=1] [keep=1]
 *   -> budget serial= user=
 *   <- budget serial= verdict= [limits=] [keep=1]
 *					ok, or nobody can tell now; limits: the
 *					login's own login-messages, login-
 *					recipients and login-new-recipients,
 *					"2000/1d - -", "-" and absent: the
 *					config's
 *   <- changed				as above
 *	kind mailbox	target: canonical address of a virtual user
 *	kind system	target: login name of a system user
 *	kind alias	target: one address; one packet per target, all but
 *			the last with more=1
 *	kind remote	target: the domain
 *	kind unknown	target: a verdict
 *	kind later	target: a verdict
 *   -> srs serial= address= domain=	the sender of mail that leaves for what
 *					an alias of that domain leads to
 *   <- srs serial= verdict= [address=] [reason=]
 *					verdict ok, or why nobody can tell now;
 *					address: the sender instead, absent: he
 *					stays as he is; reason: although he is
 *					none of ours
 * role-admin (root's alone), a request, then its answer:
 *   -> user-add address= [hash=] [scram=] [system=]
 *					hash: crypt(5); scram: a verifier,
 *					common/scram.h; system: login name,
 *					none: a virtual user
 *   -> user-set address= [hash=] [scram=] [secret=] [disabled=]
 *					with hash, the others of the old
 *					password go; secret: the password in
 *					base64; disabled 0|1
 *   -> user-limit address= name= value=
 *					name: the keyword; value: a rate,
 *					"": the config's again
 *   -> user-del address=
 *   -> app-add address= app= digest=	an app password's name and SHA-256
 *   -> app-del address= app=
 *   -> grant-add address= sender= ...	sender: an address that he may send as,
 *   -> grant-del address= sender= ...	or "@domain" for all of a domain
 *   -> domain-add domain=
 *   -> domain-del domain=
 *   -> alias-add alias= target= ...
 *   -> alias-del alias= [target= ...]	all of them without any
 *   -> import-begin			all or nothing, up to import-end; ends
 *   -> import line= text= ...		with the connection, too; line: its
 *   -> import-end			number; text: as export writes it
 *   <- busy				to import-begin: one that was not ended
 *					is being undone, ask again in a moment
 *   <- done [note= ...]		notes: for people
 *   <- failed exit= reason=		exit: of sysexits.h
 *   -> read kind= [from=]		domain|user|alias|app|grant|note
 *   -> show address=
 *   <- page changes= line= ... [next=] [corrupt=1]
 *					line: as export writes it; next: from=
 *					of the next page; changes: differs
 *					when the database was changed meanwhile
 *   -> find user=
 *   <- found user= [system=]		one who is not disabled, or failed
 *   -> check user= password= [client=]	a login without a session; client: the
 *					IP address it is for, not counted by
 *					ledger without
 *   <- check verdict= [user=] [system=]
 *   -> salt address=			for a verifier that is to be set
 *   <- salt salt=			base64
 * role-fetch, fetch speaks first:
 *   -> ready
 *   <- get serial= url= max=		max: octets
 *   -> got serial= result= [reason=] [max-age=] [+fd]
 *					result ok, with the body, or failed
 *
 *
 * queue
 *
 * role-smtpd, role-public, and a login's end (role-userdb passes it):
 * one message at a time on a connection
 *   -> room size=			is there room for so many octets?
 *   <- room verdict=			ok|disk-full; promises nothing
 *   -> open [client-fd=1] [size=] [ahead=1] [+fd]
 *					fd: the client's TCP socket, when its
 *					address is one of relay-from's: queue
 *					asks the kernel for the address; size:
 *					what the client said it will be.  The
 *					answer may take some seconds while
 *					deliveries cannot keep up; ahead: for
 *					the next message, which may be long in
 *					coming.  It is told to be in use by a
 *					flock(2) on the writer; one that is
 *					not queue may withdraw by locking it,
 *					and ends the connection then
 *   <- opened id= time= +fd +fd	a file to write, the same to read;
 *					time: unix seconds, for Received
 *   <- refused verdict=
 *   -> scratch				of an open message, once: a file to
 *					keep it in while its headers are not
 *					known, because they depend on its end
 *   <- scratch +fd			to write and to read; it has no name
 *   <- refused verdict=
 *   -> commit id= sender= start= wire= body= utf8= client= helo= protocol=
 *	[ret=] [envid=] [junk=] [hold=]	start: octets before the part that
 *					may leave this house; wire: octets as
 *					CRLF, all of it; body 7bit|8bitmime;
 *					utf8 0|1; ret full|hdrs; junk: a word
 *					of a-z, 0-9 and "-" that says why it is
 *					suspect, smtpd's alone (role-smtpd or a
 *					login's end), as is hold: why it waits
 *					until postrider-queue releases it; the
 *					writer is closed
 *   -> sign from= body= fields= [more=1]
 *   -> more fields= [more=1]		what DKIM signs of it if it leaves
 *					(common/dkim_facts.h); only where it
 *					may leave, else no attention is paid
 *   -> sign reason=			there is nothing, for the log
 *   -> recipient address= [notify=] [orcpt=]
 *					each; notify never, or of success,
 *					failure,delay; ret, envid, notify and
 *					orcpt: RFC 3461, xtext undone
 *					(common/dsn.h)
 *   -> end count=
 *   <- committed +fd			the envelope, read-only: the peer has
 *					begun to write the content out, does
 *					so with this, syncs both, then
 *   <- refused verdict= [address=]	nothing is left of it
 *   -> synced				no answer: now it is ours
 *   -> abort				no answer: forget it, at any time
 *   A connection that ends before "synced" is an abort.
 * role-userdb:
 *   -> login user= [app=] +fd		no answer; the end is as above, and may
 *					name recipients that are not local;
 *					app: the app password it came in with
 * role-deliver, the worker speaks first:
 *   -> ready
 *   <- job id= sender= domain= start= size= wire= body= utf8= count=
 *	[ret=] [envid=] [dkim=] [dkim=]	dkim: a field that stands in front of
 *					what leaves (common/signature.h)
 *   <- recipient index= address= [notify=] [orcpt=]
 *					each; +fd with one of them all: the
 *					content, read-only
 *   -> result index= status= dsn= relay= text= [delay=] [tls=] [verified=]
 *	[dsn-passed=1] [scope=] [mx=]	each; status delivered|deferred|failed,
 *					dsn an enhanced code, relay host[addr]:
 *					port, text the remote reply or ours,
 *					delay seconds before and since MAIL,
 *					"0.082/0.004"; tls PROTOCOL:CIPHER or
 *					no, of what was delivered, verified
 *					dane|sts|pkix|no; dsn-passed 1: the
 *					host took over to report to the sender;
 *					scope, of a deferral: host (no session
 *					could be had), session (the host ended
 *					it or takes nothing from us now),
 *					message, recipient; mx: the best MX
 *					host of the domain
 *   -> done id= [reason=]		then ready again; reason: why nothing is
 *					known of who had no result; the same
 *					is to be tried again soon
 * role-public also, role-admin: see queue/admin.c
 *
 *
 * mailbox
 *
 * Every connection begins with (userdb: on one connection repeats) a record
 * of exactly MAILBOX_RECORD octets, read by the part that can change uid:
 * kind padded to 16 octets with NULs, then a name, padded likewise.
 *   kind "virtual-session"  name: user's canonical address  +fd session end
 *   kind "system-session"   name: login name		     +fd session end
 *   kinds "virtual-junk", "system-junk": the same, on the folder Junk
 *	from role-userdb; no answer on that connection
 *   kind "virtual-deliver"  name: ""
 *   kind "system-deliver"   name: login name
 *	from role-queue; the connection itself then speaks:
 *   -> deliver serial= id= mailbox= time= [micros=] size= wire= again=
 *	[junk=] +fd			mailbox: canonical address or login
 *					name; again 1: look whether it is there
 *					(recovered at start); junk inbox|
 *					folder: it is, and that is where it
 *					goes now (it may lie in the other)
 *   <- delivered serial= verdict= [text=] [folder=]
 *					many outstanding, answers in any order;
 *					folder: where it lies, when not in the
 *					inbox
 *
 * A session's end, pop3d speaks after the greeting:
 *   <- mailbox verdict= count= octets=	octets: as on the wire
 *   <- refused verdict= [reason=in-use]	and the end is closed
 *   -> list from=			1-based
 *   <- list from= m="OCTETS UIDL" m=...	as many as fit; none at the end
 *   -> open number=
 *   <- open wire= +fd			read-only
 *   <- gone
 *   -> delete n= n= ...		marks, no answer
 *   -> seen n= n= ...			marks, no answer
 *   -> commit
 *   <- committed deleted= failed=	and the process ends
 *
 *
 * keys
 *
 * One request at a time on a connection.
 * role-smtpd, role-pop3d:
 *   -> certificates
 *   <- certificates generation= count= ticket= [previous=]
 *					ticket: this role's key for session
 *					tickets (hex of 80 octets); previous:
 *					the one before, still good to decrypt
 *   -> certificate generation= index=	0-based, the config's order
 *   <- certificate key= +fd		sealed memfd, PEM chain, leaf first
 *   <- stale				another generation by now: start over
 *   -> sign key= scheme= data=		scheme: of common/tls_scheme.h; data:
 *					hex of the whole, which must be a TLS
 *					1.3 CertificateVerify's content or a
 *					TLS 1.2 ServerKeyExchange's parameters
 *   <- signed signature=		hex
 *   <- refused reason=
 *   <- changed				unasked, once after each answer to
 *					"certificates": ask again before the
 *					next handshake
 * role-deliver:
 *   -> relay host=
 *   <- relay user= kind= secret=	kind password|token
 *   <- none				for any host but the config's relay-host
 *					also
 *   <- refused reason=			there is one, it cannot be read
 * role-queue, role-admin; of role-queue many outstanding:
 *   -> dkim serial= from= body= fields= [more=1]
 *   -> more fields= [more=1]		common/dkim_facts.h; at once behind it
 *   <- dkim serial= [dkim=] [dkim=] [reason=]
 *					dkim: fields (common/signature.h) of
 *					the keys of From's domain, or of the
 *					nearest above it that has any; none:
 *					why it is not to be signed
 *   <- refused serial= reason=		it is, but not now
 * role-admin:
 *   -> pair index=
 *   <- pair [path= key-path= key=] count=	none with that index: only count
 *   -> renew				relay records name other folders now
 *   <- done
 *
 *
 * ledger
 *
 * Tallies.  client: an IP address, counted as its /32 or /64; what is none
 * is counted nowhere.  key: who stands behind a client, "spf:example.org",
 * "host:example.org", "net:192.0.2.0/24".  wait: seconds until it may be
 * tried again, when it was not ok.  What is refused counts for nothing, and
 * dry=1 looks and counts nothing.  Whom ledger knows (mail was taken from
 * that client or behind that key, within client-memory, and little of it was
 * junk) may do several times as much as others.
 * role-gate, many outstanding, answers in order:
 *   -> connection serial= client=	counts one
 *   <- connection serial= verdict= [wait=] [known=1]
 *					verdict ok|client-rate|network-rate|
 *					grudge
 *   -> bad client= what=		it talked before the greeting, sent
 *					garbage (what: a word, for the log);
 *					too many of these are a grudge; no
 *					answer
 * role-smtpd, one question at a time:
 *   -> recipient client= [first=1] [mailbox=] [limit=] [dry=1]
 *					counts for the client; first: of its
 *					message, which counts, too; mailbox:
 *					canonical address, none: it does not
 *					exist; limit: that user's own
 *					mailbox-messages
 *   <- recipient verdict= [what=] [wait=]
 *					verdict ok|client-rate|mailbox-rate;
 *					what: the keyword of that limit
 *   -> grey key= client= sender= recipient= [dry=1]
 *   <- grey verdict= [wait=]		verdict ok|greylisted; ok: the key has
 *					waited, or is known
 *   -> known client= [key=]
 *   <- known known= [grudge=]		0|1; seconds that one against the
 *					client will last
 * role-smtpd, no answers:
 *   -> accepted mailbox= [limit=]	a message for it was, and counts for it
 *   -> ended client= [key=] result=	of a message taken|junk|refused, or
 *					unknown: a recipient who does not exist
 *   -> bad client= what=		as above
 *   -> row domain= policy= rua= text=	a message was judged whose policy asks
 *					for reports; domain: where the record
 *					is; rua: as it stands there; policy
 *					and text: common/report_row.h; nobody
 *					says it where dmarc-reports is no
 * role-userdb, many outstanding:
 *   -> attempt serial= client= user=	before a password is looked at; client:
 *					an IP address; user: the canonical
 *					address of the login, or where there is
 *					none what was typed (both are counted
 *					alike)
 *   <- attempt serial= verdict= [wait=]	verdict ok|wait|refused; after
 *wait another comes, when others' outcomes did, within 20 s; wait: seconds
 *until it would be ok
 *   -> outcome [serial=] client= user= result=
 *					of an attempt that was ok, or is given
 *					up (none), within 60 s; result good|
 *					wrong|unknown|none (nobody looked); no
 *					answer; no serial: ledger was not asked
 * role-deliver, one at a time on a connection:
 *   -> sts domain= [id=]		MTA-STS (RFC 8461); id: of the TXT
 *					record as it is now, absent when there
 *					is none or the DNS did not tell
 *   <- sts mode= [id=] [reason=] [age=] [max-age=] [mx= ...]
 *					mode none|testing|enforce; reason: why
 *					there is none, or what a refresh met;
 *					mx: patterns, lower case, a "*." in
 *					front of some; comes when the policy
 *					was fetched, after 30 s at the latest
 *   -> destination host=		what it could do last time
 *   <- destination [tls=] [protocol=] [since=] [broken=]
 *					nothing: never seen; tls yes|no; since:
 *					unix seconds, of that; broken: of the
 *					last handshake that failed, until one
 *					succeeds again
 *   -> remember host= [tls=] [protocol=]
 *	[domain= policy= result= [reason=]]
 *					tls yes|no|broken, absent: not tried,
 *					so what is known stays; with a domain
 *					what became of its mail there: policy
 *					none|dane|sts, result ok|failed; no
 *					answer
 * role-fetch, fetch speaks first:
 *   -> ready
 *   <- get serial= kind= url= max=	kind sts
 *   -> policy serial= result= [reason=] [mode=] [max-age=] [mx= ...]
 *					result ok|failed; then ready again
 * role-queue, many outstanding, answers in order:
 *   -> budget serial= user= messages= [limits=] [more=1] [to= ...]
 *					what a login wants to send: counts it,
 *					all or nothing.  to: its recipients, in
 *					any number of packets, all but the last
 *					with more=1; limits: of messages,
 *					recipients and new recipients, as
 *					"1000/1d 0 -"; "-": the config's
 *   <- budget serial= verdict= [what=] [count=] [limit=]
 *					verdict ok|over; what messages|
 *					recipients|new-recipients: the first
 *					that is; count: of them, with this one
 * role-admin:
 *   -> failures user=
 *   <- failures count= [wait=] [failed="SECONDS CLIENT" ...]
 *	[known="SECONDS CLIENT" ...]	count: within the window; wait: as
 *					above, for an address that is not
 *					known; the newest first
 *   -> tallies client=			the numbers, for people
 *   -> tallies user= [limits=] [limit=]	limits: the user's own, as above;
 *					limit: of his mailbox
 *   <- tallies [line= ...]
 *   -> forget client=			an address, or
 *   -> forget user= [budget=1]		its failures and its tallies; budget:
 *					only what it has sent
 *   <- done | failed reason=
 *   -> tls-policy domain=
 *   <- tls-policy [line= ...]		for people: what is known and why
 *   -> report-begin			this connection sends reports, until
 *   <- done | failed reason=		it ends; another does already
 *   -> report-next day= domain=		what comes behind that, by day (since
 *					1970-01-01, UTC) and domain
 *   <- report day= domain= policy= rua= messages= reported=
 *					messages: in all, also where their rows
 *					had to make room; reported 0|1
 *   <- none
 *   -> report-rows day= domain= from=
 *   <- report-rows [row="COUNT TAB TEXT" ...] [next=]
 *					next: from= of those behind them
 *   -> report-done day= domain=		behind report-begin: it is reported
 *   <- done
 */
enum { MAILBOX_RECORD = 512, MAILBOX_RECORD_KIND = 16 };

/* Longest values in packets. */
enum {
	PROTOCOL_ADDRESS_MAX = 400, /* >= ADDRESS_TEXT_MAX */
	PROTOCOL_ID_MAX = 32,
	PROTOCOL_LOGIN_MAX = 400,
	PROTOCOL_PASSWORD_MAX = 1024,
	PROTOCOL_TOKEN_MAX = 8192, /* a JWT */
	PROTOCOL_CHALLENGE_MAX = 1024,
	PROTOCOL_SCRAM_MAX = 2048, /* a message; >= SCRAM_MESSAGE_MAX */
	PROTOCOL_TLS_MAX = 80,	  /* PROTOCOL:CIPHER */
	PROTOCOL_TEXT_MAX = 2048, /* replies, reasons */
	PROTOCOL_LIMITS_MAX = 80, /* three rates, or "-" */
	PROTOCOL_NAME_MAX = 64	  /* verdicts, kinds */
};

#endif
