# SPDX-License-Identifier: ISC
"""Senders and readers that work a suite, and write down what they were told."""
import os
import poplib
import smtplib
import threading
import time

from house import ANN, BOB, CAT, SYS, Entry, maildir_of, subject_of
from suite import maildir_messages

CLIENTS = 6
# What a message is for; "{}" becomes its token.
KINDS = ((BOB,), (BOB,), (CAT,), (SYS,), (BOB, CAT), ("far.{}@remote.test",),
         ("later.{}@remote.test",), ("never.{}@remote.test",),
         ("both@example.test",),
         (BOB, SYS, "far.{}@remote.test", "later.{}@remote.test"))
SIZES = (0, 0, 0, 2000, 20000)


class Load:
    def __init__(self, suite, remote, random):
        self.suite, self.remote, self.random = suite, remote, random
        self.ending = threading.Event()
        self.lock = threading.Lock()
        self.ledger = []
        self.threads = [threading.Thread(target=self.repeat, args=(work,),
                                         daemon=True)
                        for work in [self.send] * CLIENTS
                        + [self.fetch, self.move]]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            if thread.is_alive():
                thread.join()

    def wait(self, seconds):
        """While the others work."""
        self.ending.wait(seconds)

    def wait_acknowledged(self, n, seconds):
        deadline = time.monotonic() + seconds
        while sum(e.acknowledged is not None for e in self.entries()) < n \
                and time.monotonic() < deadline:
            self.wait(0.05)

    def entries(self):
        with self.lock:
            return list(self.ledger)

    def repeat(self, work):
        while not self.ending.is_set():
            try:
                work()
            except (smtplib.SMTPException, poplib.error_proto, OSError):
                if not self.ending.is_set():
                    self.ending.wait(0.05)

    def entry(self):
        with self.lock:
            token = f"token-{len(self.ledger)}"
            entry = Entry(token, [r.format(token)
                                  for r in self.random.choice(KINDS)])
            entry.asks = self.random.random() < 0.1
            self.ledger.append(entry)
        return entry

    def send(self):
        """A session of some messages, and perhaps a rest, in which nobody's
        sync brings others' changes to the disk."""
        with self.suite.smtp() as client:
            for _ in range(self.random.randrange(1, 8)):
                entry = self.entry()
                client.sendmail(
                    ANN, entry.recipients,
                    entry.text(self.random.choice(SIZES)),
                    rcpt_options=["NOTIFY=SUCCESS,FAILURE"]
                    if entry.asks else [])
                entry.acknowledge()
                if self.ending.is_set():
                    return
        if self.random.random() < 0.3:
            self.ending.wait(self.random.uniform(0, 1))

    def known(self, token):
        with self.lock:
            number = token.rpartition("-")[2]
            return (self.ledger[int(number)] if number.isdigit()
                    and int(number) < len(self.ledger) else None)

    def fetch(self):
        """A POP3 reader, who deletes some and reads some."""
        self.ending.wait(self.random.uniform(0.05, 0.4))
        address = self.random.choice((BOB, CAT))
        client = self.suite.pop3(address)
        deleted = []
        for number in range(1, min(client.stat()[0], 30) + 1):
            act = self.random.random()
            if act < 0.4:
                text = b"\n".join(client.top(number, 0)[1]).decode()
                token = text.split("Subject: ")[1].split("\n")[0].strip()
                client.dele(number)
                deleted.append(self.known(token))
            elif act < 0.7:
                client.retr(number)
        tried = time.monotonic()
        for entry in deleted:
            entry.deletions[address] = (tried, None)
        client.quit()
        told = time.monotonic()
        for entry in deleted:
            entry.deletions[address] = (tried, told)

    def move(self):
        """A reader on the Maildir itself, as mutt is one."""
        self.ending.wait(self.random.uniform(0.02, 0.3))
        address = self.random.choice((BOB, CAT, SYS))
        folder = maildir_of(self.suite, address)
        for path in maildir_messages(folder)[-10:]:
            entry = self.known(subject_of(path)[0])
            name = os.path.basename(path)
            if entry is None or ":" in name or self.random.random() < 0.5:
                continue
            os.rename(path, os.path.join(folder, "cur", name + ":2,S"))
            entry.moves[address] = time.monotonic()
