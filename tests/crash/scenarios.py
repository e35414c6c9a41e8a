# SPDX-License-Identifier: ISC
"""What tests/crash/faults does while processes die and calls fail."""
import os
import poplib
import re
import subprocess
import time

from house import (ANN, BOB, CAT, SECONDS, SYS, Entry, Tracer, maildir_of,
                   send, subject_of)
from suite import maildir_messages, program
from watch import Timeout

PATIENCE = 8


class Scenario:
    """Messages are sent; the ledger is what a client was told."""

    recipients = ()
    options = ()  # of RCPT
    ways = ("alone", "all", "short", "ENOSPC", "EIO", "EINTR",
            "alone-talk", "all-talk")
    starts = False

    def __init__(self, house):
        self.house = house
        self.suite, self.remote = house.suite, house.remote
        self.entries = []

    def tracer(self, who):
        """Where a point of that program is armed."""
        del who
        return self.suite.tracer

    def prepare(self, token):
        """Before anything is armed."""
        self.entries = [Entry(token, [r.format(token)
                                      for r in self.recipients])]

    def act(self):
        send(self.suite, self.entries[0], options=self.options)

    def finish(self):
        """Until nothing is left to do."""
        self.suite.wait_queue_empty(SECONDS)

    def judge(self, boxes, killed):
        """What went wrong, and what came twice with an excuse: two lists."""
        wrong, doubles = [], []
        for entry in self.entries:
            for recipient in entry.recipients:
                for address in ([CAT, "far@remote.test"]
                                if recipient.startswith("both@")
                                else [recipient]):
                    found, what = self.count(entry, address, boxes)
                    if found == 0 and entry.acknowledged:
                        wrong.append(f"{entry.token}: lost for {address}")
                    if found > 2 or (found == 2 and not (what and killed)):
                        wrong.append(f"{entry.token}: {found} times for "
                                     f"{address}")
                    elif found == 2:
                        doubles.append(what)
        return wrong, doubles

    def count(self, entry, address, boxes):
        """How often it arrived, and what that is, when one death excuses
        that it did twice."""
        if address.startswith("never"):
            return boxes.told.get(entry.token, 0), "report"
        if address.endswith("@remote.test"):
            return len(self.remote.times(address, entry.token)), "remote"
        return len(boxes.paths(address, entry.token)), None


class Virtual(Scenario):
    recipients = (BOB,)


class Stranger(Scenario):
    """Judged, and longer than what waits for its headers in memory."""

    recipients = (BOB,)

    def act(self):
        send(self.suite, self.entries[0], 400000,
             source_address=("127.0.0.2", 0))


class System(Scenario):
    recipients = (SYS,)


class Remote(Scenario):
    recipients = ("far.{}@remote.test",)


class Later(Scenario):
    """Put off once, then taken."""

    recipients = ("later.{}@remote.test",)


class Never(Scenario):
    """Refused: the sender, ann, gets a report."""

    recipients = ("never.{}@remote.test",)


class Success(Scenario):
    """Delivered, and the sender wants to hear of it."""

    recipients = (BOB,)
    options = ["NOTIFY=SUCCESS,FAILURE"]

    def judge(self, boxes, killed):
        wrong, doubles = super().judge(boxes, killed)
        entry = self.entries[0]
        told = boxes.told.get(entry.token, 0)
        if told == 0 and entry.acknowledged:
            wrong.append(f"{entry.token}: no report of success")
        if told > 1 and not killed:
            wrong.append(f"{entry.token}: {told} reports of success")
        return wrong, doubles + ["report"] * (told > 1)


class Mixed(Scenario):
    recipients = (BOB, SYS, "far.{}@remote.test", "later.{}@remote.test",
                  "never.{}@remote.test", "both@example.test")


class Sendmail(Scenario):
    """The command, traced on its own."""

    recipients = (BOB, "far.{}@remote.test")

    def prepare(self, token):
        super().prepare(token)
        self.own = Tracer()

    def tracer(self, who):
        return self.own if who.startswith("sendmail") else self.suite.tracer

    def act(self):
        entry = self.entries[0]
        command = [program("sendmail"), "-C", self.suite.config, "-f", ANN,
                   "-i", "--", *entry.recipients]
        # The tracer hears of what to do before the command begins.
        with subprocess.Popen(
                self.own.command(self.suite.watched(), command),
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env=self.suite._environment(),
                pass_fds=[self.own.theirs.fileno()]) as process:
            self.own.begin()
            try:
                process.stdin.write(
                    entry.text().replace("\r\n", "\n").encode())
                process.stdin.close()
            except OSError:
                pass
            if process.wait(SECONDS) == 0 and not self.own.killed():
                entry.acknowledge()

    def count(self, entry, address, boxes):
        """When queue dies between the commit and its answer, the command
        hands the message in once more: as another one, with another id."""
        found, what = super().count(entry, address, boxes)
        if what is None and found == 2:
            ids = {re.search(r"\bid ([0-9a-f]{16})", subject_of(path)[1])[1]
                   for path in boxes.paths(address, entry.token)}
            what = "submission" if len(ids) == 2 else None
        return found, what


class Pop3(Scenario):
    """Of two messages one is deleted, one read."""

    def prepare(self, token):
        self.entries = [Entry(token + end, [BOB]) for end in ("-d", "-r")]
        for entry in self.entries:
            send(self.suite, entry)
            assert entry.acknowledged, token
        self.suite.wait_queue_empty(SECONDS)

    def act(self):
        deleted, read = self.entries
        try:
            client = self.suite.pop3(BOB)
            for number in range(1, client.stat()[0] + 1):
                head = b"\n".join(client.top(number, 0)[1]).decode()
                if f"Subject: {deleted.token}" in head:
                    client.dele(number)
                elif f"Subject: {read.token}" in head:
                    client.retr(number)
            deleted.deleted = "tried"
            client.quit()
            deleted.deleted = "told"
        except (poplib.error_proto, OSError):
            pass

    def judge(self, boxes, killed):
        deleted, read = (len(boxes.paths(BOB, e.token)) for e in self.entries)
        state = self.entries[0].deleted
        wrong = []
        if read != 1:
            wrong.append(f"the one that was read is there {read} times")
        if deleted > 1 or (deleted == 0 and state is None):
            wrong.append(f"not deleted, and there {deleted} times")
        if deleted and state == "told":
            wrong.append("deleted, and back again")
        return wrong, []


class Read(Scenario):
    """A reader acts while the delivery is in the middle of something."""

    recipients = (BOB, SYS)
    ways = ("seen", "deleted")

    def prepare(self, token):
        super().prepare(token)
        self.acted = {}

    def paths(self, address):
        mark = f"Subject: {self.entries[0].token}\n"
        found = []
        for path in maildir_messages(maildir_of(self.suite, address)):
            with open(path, errors="replace") as f:
                if mark in f.read():
                    found.append(path)
        return found

    def reader_acts(self, way):
        for address in (BOB, SYS) if way == "seen" else (BOB,):
            paths = self.paths(address)
            if paths:
                self.acted[address] = way
                (self.see if way == "seen" else self.delete)(paths[0])

    def see(self, path):
        folder, name = os.path.split(path)
        if os.path.basename(folder) == "new":
            os.rename(path, os.path.join(os.path.dirname(folder), "cur",
                                         name + ":2,S"))

    def delete(self, _):
        client = self.suite.pop3(BOB)
        for number in range(1, client.stat()[0] + 1):
            if f"Subject: {self.entries[0].token}".encode() \
                    in client.top(number, 0)[1]:
                client.dele(number)
        client.quit()

    def judge(self, boxes, killed):
        wrong = []
        for address in (BOB, SYS):
            paths = boxes.paths(address, self.entries[0].token)
            acted = self.acted.get(address)
            if acted == "deleted" and paths:
                wrong.append("deleted, and back again")
            if acted == "seen" and (
                    len(paths) != 1 or not paths[0].endswith("S")):
                wrong.append(f"seen, and now {paths}")
            if acted is None and (len(paths) > 1 or (
                    self.entries[0].acknowledged and not paths)):
                wrong.append(f"there {len(paths)} times for {address}")
        return wrong, []


class Held(Scenario):
    """The postmaster holds what ann sends and lets it go again."""

    recipients = (BOB, "far.{}@remote.test")
    early = False
    holds = False  # somebody was told so

    def tool(self, *command):
        """True when it says that it is done."""
        return self.suite.run("postrider-queue", *command, check=False,
                              seconds=SECONDS).returncode == 0

    def arrived(self):
        return any(self.entries[0].token == subject_of(path)[0] for path
                   in maildir_messages(maildir_of(self.suite, BOB)))

    def act(self):
        self.holds = self.tool("hold", "--sender", ANN)
        super().act()
        self.tool("requeue", "--all")
        self.look_then_release()

    def look_then_release(self):
        """What is held has not arrived, also after a start."""
        self.early = self.early or (self.holds and self.arrived())
        self.holds = False
        return self.tool("release", "--sender", ANN)

    def finish(self):
        deadline = time.monotonic() + SECONDS
        while not self.look_then_release() and time.monotonic() < deadline:
            continue
        super().finish()

    def judge(self, boxes, killed):
        wrong, doubles = super().judge(boxes, killed)
        return wrong + ["held, and delivered"] * self.early, doubles


class Start(Scenario):
    """What waited when everything died is taken up again: a message that was
    delivered in part, and one that was not delivered."""

    starts = True

    def prepare(self, token):
        self.entries = [
            Entry(token + "-p", [BOB, SYS, f"far.{token}p@remote.test"]),
            Entry(token + "-w", [f"far.{token}w@remote.test"])]
        self.remote.closed.set()
        for entry in self.entries:
            send(self.suite, entry)
            assert entry.acknowledged, token
        self.suite.wait_log(
            lambda l: f"to=<far.{token}p@remote.test>" in l.text
            and " deferred " in l.text, SECONDS)
        self.suite.died()
        self.remote.closed.clear()
        self.suite.spawn()

    def act(self):
        try:
            self.suite.wait_ready(SECONDS)
        except AssertionError:
            self.suite.died()

    def finish(self):
        if self.suite.process is None or self.suite.process.poll() is not None:
            self.suite.died()
            self.suite.start()
        try:
            self.suite.wait_queue_empty(PATIENCE)
        except Timeout:
            # What could not be read is looked at again a minute later, and
            # at the next start.
            self.suite.died()
            self.suite.start()
            super().finish()


SCENARIOS = (Virtual, Stranger, System, Remote, Later, Never, Success, Mixed, Sendmail,
             Pop3, Read, Held, Start)
