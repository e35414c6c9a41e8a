#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Fill a spool with messages, as if they had come in long ago.

    spoolfill.py [--deferred] [--next SECONDS] [--domains N] SPOOL COUNT

The spool's folders must be there, and no queue may run on it.  Files belong
to whom the folder belongs to.  As a module: fill(spool, count, ...), which
returns the ids.
"""
import argparse
import hashlib
import os
import time

CONTENT = b"Subject: message %d\nFrom: <%s>\n\n%s"
ENVELOPE = (b"postrider-envelope 1\ncontent %d\nstart 0\nwire %d\n"
            b"time %d.%06d\nsender <%s>\nbody 7bit\nutf8 0\n"
            b"client filler[192.0.2.1]\nhelo filler.test\nprotocol ESMTP\n"
            b"recipient <%s>\nend 1\n%s")


def ident(n, seed=b""):
    """Random enough, and the same every time."""
    return hashlib.blake2b(b"%d" % n, digest_size=8, key=seed).hexdigest()


def outcomes(born, next_at):
    return (b"deferred 0 %d 4.4.1 - no answer from the host\n"
            b"attempt %d %d\n" % (born, born, next_at))


def fill(spool, count, *, domains=1, senders=1, deferred=False, next_at=None,
         born=None, octets=0, recipient="user%d@d%d.test", seed=b"",
         owner=None, group=None):
    """Messages to user N at domain N modulo domains; deferred: tried once,
    the next attempt at next_at (now).  recipient: without %d, one for all.
    owner, group: of the files, those of the folder if None."""
    is_ = os.stat(os.path.join(spool, "new"))
    owner = is_.st_uid if owner is None else owner
    group = is_.st_gid if group is None else group
    give = os.geteuid() == 0
    mode = 0o660 if give and group != owner else 0o600
    born = int(time.time()) - 60 if born is None else born
    after = outcomes(born, next_at or born) if deferred else b""
    body = b"x" * 62 + b"\n"
    contents = os.open(os.path.join(spool, "cur" if deferred else "new"),
                       os.O_RDONLY)
    envelopes = os.open(os.path.join(spool, "envelope"), os.O_RDONLY)
    ids = []

    def put(folder, name, data, mode):
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode,
                     dir_fd=folder)
        os.write(fd, data)
        if give:
            os.fchown(fd, owner, group)
        os.close(fd)
    mask = os.umask(0)
    try:
        for n in range(count):
            to = (recipient % (n, n % domains) if "%" in recipient
                  else recipient).encode()
            sender = b"sender%d@from.test" % (n % senders)
            content = CONTENT % (n, sender, body * (octets // len(body)))
            name = ident(n, seed)
            put(contents, name, content, mode)
            put(envelopes, name, ENVELOPE % (
                len(content), len(content) + content.count(b"\n"), born,
                n % 1000000, sender, to, after), 0o600)
            ids.append(name)
    finally:
        os.umask(mask)
        os.close(contents)
        os.close(envelopes)
    return ids


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--deferred", action="store_true")
    parser.add_argument("--next", type=int, default=0,
                        help="seconds from now until it is due")
    parser.add_argument("--domains", type=int, default=1)
    parser.add_argument("--senders", type=int, default=1)
    parser.add_argument("--octets", type=int, default=0)
    parser.add_argument("spool")
    parser.add_argument("count", type=int)
    a = parser.parse_args()
    fill(a.spool, a.count, domains=a.domains, senders=a.senders,
         deferred=a.deferred, octets=a.octets,
         next_at=int(time.time()) + a.next)


if __name__ == "__main__":
    main()
