# SPDX-License-Identifier: ISC
"""A content filter (milter, protocol 6) that does as a test says.

    with Filter() as f:
        f.on["E"] = [add_header("X-Seen", "yes"), CONTINUE]
        ... config: f.line() ...
        assert f.talks[0].said("M") == [b"<x@elsewhere.test>\0"]

What is to be answered to a command is a list of packets; "close" hangs up,
"silent" says nothing more, and a function is called with the conversation.
"""
import contextlib
import os
import re
import socket
import struct
import threading

from suite import SECONDS, LogLine

ALL_ACTIONS = 0x1ff
ANSWERED = "CHMRTLNBEU"

NO = {"connect": 0x1, "helo": 0x2, "mail": 0x4, "rcpt": 0x8, "body": 0x10,
      "headers": 0x20, "eoh": 0x40, "unknown": 0x100, "data": 0x200}
MUTE = {"headers": 0x80, "connect": 0x1000, "helo": 0x2000, "mail": 0x4000,
        "rcpt": 0x8000, "data": 0x10000, "unknown": 0x20000, "eoh": 0x40000,
        "body": 0x80000}
SKIP, LEADING_SPACE = 0x400, 0x100000


def packet(letter, data=b""):
    return struct.pack("!I", len(data) + 1) + letter.encode() + data


def strings(*texts):
    return b"".join((t if isinstance(t, bytes) else t.encode()) + b"\0"
                    for t in texts)


CONTINUE, ACCEPT, REJECT = packet("c"), packet("a"), packet("r")
TEMPFAIL, DISCARD, PROGRESS = packet("t"), packet("d"), packet("p")
SHUTDOWN, CONNFAIL, SKIPPED = packet("4"), packet("f"), packet("s")


def reply_code(text):
    return packet("y", strings(text))


def add_header(name, value):
    return packet("h", strings(name, value))


def insert_header(index, name, value):
    return packet("i", struct.pack("!I", index) + strings(name, value))


def change_header(index, name, value):
    return packet("m", struct.pack("!I", index) + strings(name, value))


def add_recipient(*texts):
    return packet("2" if len(texts) > 1 else "+", strings(*texts))


def delete_recipient(text):
    return packet("-", strings(text))


def change_sender(*texts):
    return packet("e", strings(*texts))


def replace_body(octets):
    return packet("b", octets)


def quarantine(reason):
    return packet("q", strings(reason))


def lines(service, event):
    """The log lines of that event."""
    return [LogLine(line) for line in service.log().splitlines()
            if re.search(rf"(^|: ){event}( [a-z-]+=|$)", line)]


class Talk:
    """One connection: what was said on it."""

    def __init__(self, owner, sock):
        self.owner, self.socket = owner, sock
        self.events = []  # (letter, data)
        self.macros = {}  # letter of the command: {name: value}

    def said(self, letter):
        return [data for said, data in self.events if said == letter]

    @property
    def letters(self):
        return "".join(letter for letter, _ in self.events)

    @property
    def headers(self):
        return [tuple(data.decode("latin-1").split("\0")[:2])
                for data in self.said("L")]

    @property
    def body(self):
        return b"".join(self.said("B") + self.said("E"))

    def send(self, octets):
        self.socket.sendall(octets)

    def _receive(self, n):
        octets = b""
        while len(octets) < n:
            part = self.socket.recv(n - len(octets))
            if not part:
                raise EOFError
            octets += part
        return octets

    def receive(self):
        (n,) = struct.unpack("!I", self._receive(4))
        octets = self._receive(n)
        return octets[:1].decode(), octets[1:]

    def serve(self):
        try:
            while self.step():
                pass
        except (EOFError, OSError):
            pass
        finally:
            self.owner.note(self, ("end", b""))
            self.socket.close()

    def step(self):
        letter, data = self.receive()
        if letter == "D":
            texts = data[1:].decode().split("\0")[:-1]
            self.macros[data[:1].decode()] = dict(
                zip(texts[::2], texts[1::2]))
            return True
        self.owner.note(self, (letter, data))
        if letter == "O":
            return self.answer(self.owner.on.get(
                "O", [packet("O", self.owner.options())]))
        if letter in ANSWERED and (letter in self.owner.on
                                   or not self.owner.is_mute(letter)):
            return self.answer(self.owner.on.get(letter, [CONTINUE]))
        return letter != "Q"

    def answer(self, answers):
        for answer in answers:
            if answer == "close":
                return False
            if answer == "silent":
                self.socket.settimeout(SECONDS)
                while self.socket.recv(65536):
                    pass
                return False
            if callable(answer):
                answer(self)
            else:
                self.send(answer)
        return True


class Filter:
    def __init__(self, path=None, actions=ALL_ACTIONS, steps=0, version=6,
                 macros=None, address="127.0.0.1"):
        """path: of a Unix socket; macros: {stage's number: names}."""
        self.actions, self.steps, self.version = actions, steps, version
        self.asks = macros or {}
        self.on, self.talks = {}, []
        self._news = threading.Condition()
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(path)
            os.chmod(path, 0o600)
            self.address = f"unix:{path}"
        else:
            six = ":" in address
            self.socket = socket.socket(
                socket.AF_INET6 if six else socket.AF_INET)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((address, 0))
            port = self.socket.getsockname()[1]
            self.address = f"inet{'6' if six else ''}:{port}@{address}"
        self.socket.listen(100)
        threading.Thread(target=self._accept, daemon=True).start()

    def line(self, *options):
        """For a config."""
        return " ".join(["milter", self.address, *options])

    def options(self):
        octets = struct.pack("!III", self.version, self.actions, self.steps)
        for stage, names in self.asks.items():
            octets += struct.pack("!I", stage) + strings(names)
        return octets

    def is_mute(self, letter):
        names = {"C": "connect", "H": "helo", "M": "mail", "R": "rcpt",
                 "T": "data", "L": "headers", "N": "eoh", "B": "body",
                 "U": "unknown"}
        return bool(self.steps & MUTE.get(names.get(letter), 0))

    def _accept(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            talk = Talk(self, sock)
            with self._news:
                self.talks.append(talk)
            threading.Thread(target=talk.serve, daemon=True).start()

    def note(self, talk, event):
        with self._news:
            talk.events.append(event)
            self._news.notify_all()

    def wait(self, letter, n=1):
        """Until that was said n times, on all connections together."""
        def count():
            return sum(len(t.said(letter)) for t in self.talks)
        with self._news:
            assert self._news.wait_for(lambda: count() >= n, SECONDS), [
                t.letters for t in self.talks]

    @property
    def talk(self):
        return self.talks[-1]

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for talk in self.talks:
            with contextlib.suppress(OSError):
                talk.socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
