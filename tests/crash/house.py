# SPDX-License-Identifier: ISC
"""What the crash runs share: a namespace that takes all mounts and processes
with it, a suite under tests/tools/faults, a remote server that keeps a
ledger, and the ledger of what was acknowledged."""
import os
import queue
import re
import shutil
import smtplib
import socket
import socketserver
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                os.pardir, "integration"))
from suite import (Suite, build_folder, free_port,  # noqa: E402
                   maildir_messages)

ANN, BOB, CAT, SYS = (f"{name}@example.test"
                      for name in ("ann", "bob", "cat", "sys"))
LOGIN, UID = "pr-crash", 54321
FAULTS = os.path.join(build_folder(), "tests", "tools", "faults")
SECONDS = 30


class CannotRun(Exception):
    """What this machine lacks."""


def enter_namespaces():
    """Go on in a mount and a process namespace of our own: whatever becomes
    of us, no mount, no loop device and no process stays behind."""
    if os.environ.get("POSTRIDER_CRASH_INSIDE"):
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        return
    os.environ["POSTRIDER_CRASH_INSIDE"] = "1"
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child",
               "--mount-proc"]
    if os.geteuid() != 0 or subprocess.run(
            [*unshare, "true"], stderr=subprocess.DEVNULL,
            check=False).returncode != 0:
        raise CannotRun("needs root that may mount")
    os.execvp("unshare", [*unshare, sys.executable, *sys.argv])


def make_account(home):
    """A system user that only this namespace knows."""
    for file, line in (("passwd", f"{LOGIN}:x:{UID}:{UID}::{home}:/bin/sh"),
                       ("group", f"{LOGIN}:x:{UID}:")):
        mine = f"{home}.{file}"
        shutil.copy(f"/etc/{file}", mine)
        with open(mine, "a") as f:
            f.write(line + "\n")
        subprocess.run(["mount", "--bind", mine, f"/etc/{file}"], check=True)
    os.makedirs(home, exist_ok=True)
    os.chown(home, UID, UID)


class Tracer:
    """Our end of the conversation with a tests/tools/faults."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair()
        self.calls, self.hit, self._way = [], None, None
        self._answers = queue.Queue()
        self.struck = threading.Event()
        self.begun = False

    def command(self, folders, command):
        return [FAULTS, str(self.theirs.fileno()), ",".join(folders),
                *command]

    def begin(self):
        self.theirs.close()
        self.begun = True
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            with self.ours.makefile(errors="replace") as lines:
                for line in lines:
                    self._hear(*line.rstrip("\n").partition(" ")[::2])
        except ConnectionResetError:
            pass  # it died with something of ours unread
        self._answers.put(None)
        self.struck.set()

    def _hear(self, verb, rest):
        if verb == "hit":
            self.hit = rest
            self.struck.set()
        elif verb == "call":
            self.calls.append(rest.split(" ", 3))
        else:
            self._answers.put(rest)

    def say(self, line):
        self.ours.sendall(line.encode() + b"\n")

    def arm(self, who, n, way):
        self.hit, self._way = None, way
        self.struck.clear()
        self.say(f"arm {who} {n} {way}")
        if self.begun:
            self._answers.get(timeout=SECONDS)

    def disarm(self):
        """How many touching calls there were; None: it is gone."""
        try:
            self.say("disarm")
        except OSError:
            pass  # what it said before its end is still to be read
        answer = self._answers.get(timeout=SECONDS)
        if answer is None:
            self._answers.put(None)
            return None
        return int(answer)

    def killed(self):
        """The process that was hit did not live to tell."""
        return self.struck.is_set() and self._way in ("alone", "all")

    def log(self):
        """The calls from now on are in .calls."""
        self.calls = []
        self.say("log 1")

    def end_log(self):
        self.say("log 0")
        self.disarm()
        return self.calls

    def die(self):
        try:
            self.say("die")
        except OSError:
            pass


class TracedSuite(Suite):
    """A Suite whose processes run under a Tracer (.tracer); .setup: lines
    that each tracer is told."""

    setup = ()

    def __init__(self, **options):
        super().__init__(**options)
        self.home = self.path("home")  # of the system user

    def watched(self):
        return [self.spool, self.mail, self.home]

    def spawn(self):
        self.tracer = Tracer()
        real = subprocess.Popen

        def traced(command, **options):
            return real(self.tracer.command(self.watched(), command),
                        pass_fds=[self.tracer.theirs.fileno()], **options)
        subprocess.Popen = traced
        try:
            super().spawn()
        finally:
            subprocess.Popen = real
        self.tracer.begin()
        for line in self.setup:
            self.tracer.say(line)

    @property
    def pid(self):
        """The supervisor's: the tracer's only child."""
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}"
                      "/children") as f:
                return int((f.read().split() or ["0"])[0])
        except OSError:
            return 0

    def died(self):
        """SIGKILL for all of it, if that has not happened yet."""
        if self.process is None:
            return
        self.tracer.die()
        self.process.wait()
        self.process = None
        self.notify.close()
        self.notify = None


class Remote:
    """The next hop, on a port of its own.  Recipients whose name begins with
    "later" are put off once, "never" refused."""

    def __init__(self):
        self.port = free_port()
        self.lock = threading.Lock()
        self.put_off = set()
        self.closed = threading.Event()  # it greets nobody
        self.taken = []  # (time of the 250, recipient, token)
        remote = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    remote.talk(self.rfile, self.wfile)
                except OSError:
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            request_queue_size = 100
        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def talk(self, lines, out):
        def say(text):
            out.write(text.encode() + b"\r\n")
        recipients = []
        if self.closed.is_set():
            say("421 4.3.2 closed")
            return
        say("220 remote.test")
        for line in lines:
            verb = line.split(b":")[0].split(b" ")[0].strip().upper()
            if verb == b"RCPT":
                address = line.split(b"<")[1].split(b">")[0].decode()
                code = self.judge(address)
                if code == "250 2.1.5 ok":
                    recipients.append(address)
                say(code)
            elif verb == b"DATA":
                say("354 go on")
                token = self.read_message(lines)
                if token is None:
                    return
                with self.lock:
                    now = time.monotonic()
                    self.taken += [(now, r, token) for r in recipients]
                recipients = []
                say("250 2.0.0 taken")
            elif verb == b"QUIT" or self.closed.is_set():
                say("221 bye")
                return
            elif verb == b"EHLO":
                say("250-remote.test\r\n250-PIPELINING\r\n"
                    "250 ENHANCEDSTATUSCODES")
            else:
                if verb in (b"MAIL", b"RSET"):
                    recipients = []
                say("250 2.0.0 ok")

    def judge(self, address):
        if address.startswith("never"):
            return "550 5.1.1 nobody here"
        with self.lock:
            if address.startswith("later") and address not in self.put_off:
                self.put_off.add(address)
                return "450 4.2.0 come back later"
        return "250 2.1.5 ok"

    @staticmethod
    def read_message(lines):
        """Its token; what is not signed twice has another."""
        token, signatures = "", 0
        for line in lines:
            if line == b".\r\n":
                return token if signatures == 2 else f"unsigned {token}"
            signatures += line.startswith(b"DKIM-Signature:")
            if line.startswith(b"Subject: ") and not token:
                token = line[9:].decode().strip()
        return None

    def times(self, recipient, token):
        """When it was taken for that recipient."""
        with self.lock:
            return [t for t, r, k in self.taken
                    if r == recipient and k == token]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def subject_of(path):
    """(Subject, whole text) of a message, ("", "") when it is gone."""
    try:
        with open(path, errors="replace") as f:
            text = f.read()
    except FileNotFoundError:
        return "", ""
    found = re.search(r"^Subject: (\S+)", text.split("\n\n", 1)[0], re.M)
    return (found.group(1) if found else ""), text


class Entry:
    """One message of the ledger."""

    def __init__(self, token, recipients, sender=ANN):
        self.token, self.recipients, self.sender = token, recipients, sender
        self.acknowledged = None  # when; monotonic seconds
        self.deleted = None
        self.asks = False  # for a report of success
        self.deletions = {}  # address: (when tried, when told that it is)
        self.moves = {}  # address: when, by a reader

    def text(self, size=0):
        filler = "".join("x" * 76 + "\r\n" for _ in range(size // 78))
        return (f"From: <{self.sender}>\r\nTo: <{self.recipients[0]}>\r\n"
                f"Subject: {self.token}\r\n\r\n{self.token}\r\n{filler}")

    def acknowledge(self):
        self.acknowledged = time.monotonic()


def maildir_of(suite, address):
    if address == SYS:
        return os.path.join(suite.home, "Maildir")
    return suite.maildir(address)


class Mailboxes:
    """What is where, read once."""

    def __init__(self, suite, addresses=(ANN, BOB, CAT, SYS)):
        self.names = {}  # (address, token): [path]
        self.told = {}  # token: how many reports tell of it
        for address in addresses:
            for path in maildir_messages(maildir_of(suite, address)):
                subject, text = subject_of(path)
                if subject.startswith("token-"):
                    self.names.setdefault((address, subject), []).append(path)
                    continue
                for token in set(re.findall(r"^Subject: (token-\S+)", text,
                                            re.M)):
                    self.told[token] = self.told.get(token, 0) + 1

    def paths(self, address, token):
        return self.names.get((address, token), [])


def send(suite, entry, size=0, options=(), **connect):
    """By SMTP; acknowledged when the 250 came.  connect: for smtplib."""
    try:
        client = suite.smtp(**connect)
    except (smtplib.SMTPException, OSError):
        return
    try:
        refused = client.sendmail(entry.sender, entry.recipients,
                                  entry.text(size), rcpt_options=options)
        if not refused:
            entry.acknowledge()
    except (smtplib.SMTPException, OSError):
        pass
    finally:
        client.close()


def config_lines(remote):
    return [f"relay-host [127.0.0.1]:{remote.port}", "relay-from 127.0.0.1",
            "retry-minimum 1s", "retry-maximum 1s", "minimum-uid 1000"]


def ready(suite):
    """Start it with its users."""
    make_account(suite.home)
    suite.start()
    suite.user_tool("add", "--no-password", "--system", "--login", LOGIN, SYS)
    suite.add_alias("both", CAT, "far@remote.test")
    text = suite.run("postrider-key", "dkim", "example.test").stdout
    suite.run("postrider-key", "dkim", "--activate", "example.test",
              *re.findall(r"^(\S+?)\._domainkey", text, re.M))
    return suite
