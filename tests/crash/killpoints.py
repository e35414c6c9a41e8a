#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Kill the suite at every system call that touches the spool or a Maildir,
or make each of these calls fail.

    tests/crash/killpoints.py [-v] [--errors] [--every N] [--first N]

One delivery is traced; every call in that trace whose arguments name the
spool or a Maildir is a point.  At each point, in four ways:

    alone      the process dies by SIGKILL as it enters the call; the suite
               goes on and starts another
    killed     the process dies by SIGKILL as it enters the call, all others
               right after it
    seen       the process is stopped after the call; a reader marks the
               message as seen, if it is there; then everything is killed
    deleted    likewise, but the reader deletes it by POP3

Then the suite is started again where it was killed, and what was acknowledged is compared with
what lies in the Maildir: every message with a 250 exactly once, one without
at most once, a seen one once and still seen, a deleted one nowhere.

With --errors nobody dies: at each point the call fails once, with ENOSPC and
with EIO.  What was acknowledged is in the Maildir exactly once, what was not
at most once; nothing stays in the spool, and the same processes go on.

Needs root (to trace undumpable processes) and strace.
"""
import argparse
import glob
import os
import re
import shutil
import smtplib
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                os.pardir, "integration"))
from suite import Suite  # noqa: E402
from watch import wait_for  # noqa: E402

USER, OTHER = "ann@example.test", "bob@example.test"
PROGRAMS = ("smtpd", "queue", "mailbox")
CALLS = ("open,openat,openat2,creat,link,linkat,unlink,unlinkat,rename,"
         "renameat,renameat2,mkdir,mkdirat,symlinkat,truncate,ftruncate,"
         "fallocate,write,writev,pwrite64,pwritev,fsync,fdatasync,syncfs,"
         "sync_file_range,chmod,fchmod,fchmodat,chown,fchown,fchownat,"
         "sendfile,copy_file_range,splice,utimensat")
SECONDS = 20


class Point:
    """The nth call of a kind, in any process of one program."""

    def __init__(self, program, call, ordinal, text):
        self.program, self.call, self.ordinal = program, call, ordinal
        self.text = text

    def __str__(self):
        return f"{self.program} {self.call}#{self.ordinal}: {self.text}"


class Strace:
    """strace on processes that run already."""

    def __init__(self, pids, *options):
        self.folder = tempfile.TemporaryDirectory(prefix="pr-trace-")
        command = ["strace", "-ff", "-y", "-s", "64", "-o",
                   os.path.join(self.folder.name, "trace"), *options]
        for pid in pids:
            command += ["-p", str(pid)]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        waiting = {str(pid) for pid in pids}
        while waiting:
            line = self.process.stderr.readline().decode()
            if not line:
                raise RuntimeError("strace ended")
            attached = re.search(r"Process (\d+) attached", line)
            if attached:
                waiting.discard(attached.group(1))
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def lines(self):
        """{pid: [lines]}"""
        found = {}
        for path in glob.glob(os.path.join(self.folder.name, "trace.*")):
            with open(path, errors="replace") as f:
                found[int(path.rsplit(".", 1)[1])] = f.read().splitlines()
        return found

    def saw(self, text):
        return any(text in line for lines in self.lines().values()
                   for line in lines)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def pids_of(suite, program):
    return [pid for name, pids in suite.services().items()
            if name == program for pid in pids]


def owners_of(suite):
    return {pid: program for program in PROGRAMS
            for pid in pids_of(suite, program)}


def message(token):
    return (f"From: <sender@client.test>\r\nTo: <{USER}>\r\n"
            f"Subject: {token}\r\n\r\n{token}\r\n")


def send(suite, token, recipient):
    """True when the message got its 250."""
    try:
        with suite.smtp() as client:
            client.sendmail("sender@client.test", [recipient], message(token))
            return True
    except (smtplib.SMTPException, OSError):
        return False


def holding(suite, token):
    """The names in the Maildir of messages with this token."""
    found = []
    for path in suite.messages(USER):
        try:
            with open(path, errors="replace") as f:
                if f"Subject: {token}\n" in f.read():
                    found.append(path)
        except FileNotFoundError:
            continue
    return found


def settle(suite):
    """One message through everything and a user without a Maildir, so that
    each trial begins alike."""
    assert send(suite, "warm", OTHER)
    suite.wait_queue_empty(SECONDS)
    shutil.rmtree(suite.maildir(USER), ignore_errors=True)


def enumerate_points(suite):
    """Every call on spool or Maildir that one delivery makes."""
    settle(suite)
    owners = owners_of(suite)
    strace = Strace(owners, "-e", f"trace={CALLS}")
    assert send(suite, "trace", USER)
    suite.wait_maildir(USER, 1)
    suite.wait_queue_empty(SECONDS)
    traced = strace.lines()
    strace.end()
    owners.update(owners_of(suite))
    points, known = [], set()
    for pid, lines in traced.items():
        counts = {}
        for line in lines:
            call = line.split("(", 1)[0]
            if not re.fullmatch(r"[a-z0-9_]+", call):
                continue
            counts[call] = counts.get(call, 0) + 1
            key = (owners[pid], call, counts[call])
            if (suite.spool in line or suite.mail in line) \
                    and key not in known:
                known.add(key)
                points.append(Point(*key, line[:150]))
    return points


def reader_acts(suite, token, action):
    """What the reader did: None when there was nothing to do it to."""
    paths = holding(suite, token)
    if not paths:
        return None
    if action == "seen":
        folder, name = os.path.split(paths[0])
        if os.path.basename(folder) == "new":
            os.rename(paths[0], os.path.join(
                os.path.dirname(folder), "cur", name + ":2,S"))
        return "seen"
    client = suite.pop3(USER)
    for number in range(1, client.stat()[0] + 1):
        if f"Subject: {token}".encode() in client.top(number, 0)[1]:
            client.dele(number)
    client.quit()
    return "deleted"


class Trial:
    def __init__(self, suite, point, way, token):
        self.suite, self.point, self.way = suite, point, way
        self.token = token
        self.acknowledged = self.acted = None
        self.dies = way in ("alone", "killed")

    def run(self):
        """None, or what went wrong."""
        settle(self.suite)
        signal = "KILL" if self.dies else "STOP"
        strace = Strace(
            pids_of(self.suite, self.point.program),
            "-e", f"trace={self.point.call}",
            "-e", f"inject={self.point.call}:signal={signal}"
                  f":when={self.point.ordinal}")
        client = threading.Thread(target=self.send)
        client.start()
        try:
            self.wait_for_the_point(strace)
            if not self.dies:
                self.acted = reader_acts(self.suite, self.token, self.way)
        finally:
            if self.way != "alone":
                self.suite.kill_all()
            strace.end()
            client.join(SECONDS)
        if self.way != "alone":
            self.suite.start()
        self.suite.wait_queue_empty(SECONDS)
        return self.judge()

    def send(self):
        self.acknowledged = send(self.suite, self.token, USER)

    def wait_for_the_point(self, strace):
        sign = "+++ killed by SIGKILL" if self.dies \
            else "stopped by SIGSTOP"
        wait_for(lambda: strace.saw(sign), strace.folder.name,
                 seconds=SECONDS, what=str(self.point))

    def judge(self):
        paths = holding(self.suite, self.token)
        if self.acted == "deleted":
            return "deleted, and back again" if paths else None
        if self.acted == "seen":
            if len(paths) != 1:
                return f"seen, and there {len(paths)} times"
            return None if paths[0].endswith("S") else "no longer seen"
        if self.acknowledged and len(paths) != 1:
            return f"acknowledged, and there {len(paths)} times"
        return "doubled" if len(paths) > 1 else None


class FailingTrial(Trial):
    """way: the error that the call fails with, once."""

    def run(self):
        settle(self.suite)
        before = set(self.suite.parents())
        strace = Strace(
            pids_of(self.suite, self.point.program),
            "-e", f"trace={self.point.call}",
            "-e", f"inject={self.point.call}:error={self.way}"
                  f":when={self.point.ordinal}")
        try:
            self.send()
            wait_for(lambda: strace.saw("(INJECTED)"), strace.folder.name,
                     seconds=SECONDS, what=str(self.point))
        finally:
            strace.end()
        self.suite.wait_queue_empty(SECONDS)
        if set(self.suite.parents()) != before:
            return "a service was started anew"
        return self.judge()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-v", action="store_true", help="tell each trial")
    parser.add_argument("--errors", action="store_true",
                        help="make calls fail instead of killing")
    parser.add_argument("--every", type=int, default=1,
                        help="only every Nth trial")
    parser.add_argument("--first", type=int, help="only the first N trials")
    options = parser.parse_args()
    failures = []
    kind = FailingTrial if options.errors else Trial
    ways = (("ENOSPC", "EIO") if options.errors
            else ("alone", "killed", "seen", "deleted"))
    counts = {way: 0 for way in ways}
    # What mailbox puts off is tried again within the trial.
    extra = ["retry-minimum 1s"] if options.errors else []
    with Suite(root=True, users=[USER, OTHER], extra=extra) as suite:
        points = enumerate_points(suite)
        print(f"{len(points)} system calls on spool and Maildir in one "
              "delivery", flush=True)
        trials = [(p, way) for p in points for way in counts]
        trials = trials[::options.every][:options.first]
        for number, (point, way) in enumerate(trials):
            began = time.monotonic()
            trial = kind(suite, point, way, f"token-{number}")
            wrong = trial.run()
            if options.errors or trial.dies or trial.acted:
                counts[way] += 1
            if options.v or wrong:
                print(f"{'FAILED' if wrong else 'ok'} {way} {point} "
                      f"acknowledged={trial.acknowledged} "
                      f"acted={trial.acted} {wrong or ''} "
                      f"{time.monotonic() - began:.1f}s", flush=True)
            if wrong:
                failures.append((point, way, wrong))
    print(", ".join(f"{way} {n}" for way, n in counts.items())
          + f": {len(failures)} failures", flush=True)
    return 1 if failures or not points else 0


if __name__ == "__main__":
    sys.exit(main())
