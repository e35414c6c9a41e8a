# SPDX-License-Identifier: ISC
"""smtpd alone, with a userdb and a queue that do as a test says.

The owners here answer as common/protocol.h has it, keep what they were
given, and can be told to fail at any step.
"""
import os
import socket
import tempfile
import threading

from internal import Owner, Service
from keys_fake import Keys
from logins import Logins
from quiet_dns import quiet_dns
from suite import SECONDS, free_port

ANN = "ann@example.test"
BOB = "bob@example.test"
PASSWORD = "open sesame"


class Userdb(Owner):
    def __init__(self, path, queue):
        self.queue = queue
        self.recipients = {ANN: "recipient-ok", BOB: "recipient-ok",
                           "postmaster": "recipient-ok"}
        self.keep, self.peer = False, None
        self.grants = []  # what every login may send as
        self.logins = Logins((ANN, "ann"), PASSWORD, ANN)
        super().__init__(path)

    def recipient(self, address):
        known = self.recipients.get(address.lower())
        if known:
            return known
        domain = address.rpartition("@")[2]
        return ("user-unknown" if domain in ("example.test", address)
                else "relay-denied")

    def serve(self, peer, _):
        state = {}
        while (p := peer.receive()) is not None:
            self.requests.append(p)
            self.at(p.verb, peer)
            if p.verb == "recipient":
                assert [n for n, _ in p.attributes if n != "null"] == [
                    "address"]
                self.peer = peer
                keep = {"keep": 1} if self.keep else {}
                peer.send("recipient", verdict=self.recipient(p["address"]),
                          **keep)
            elif p.verb == "sender":
                fine = p["address"] in (p["user"], *self.grants)
                peer.send("sender", verdict="sender-ok" if fine
                          else "sender-not-owned")
            elif self.logins.knows(p.verb):
                self.login(peer, p, state)

    def login(self, peer, p, state):
        """One end comes with what begins a login, and waits for its end."""
        if p.fds:
            state["end"] = socket.socket(fileno=p.fds[0])
        answer, welcome = self.logins.answer(p, state)
        if answer is None or answer.verb == "login":
            end = state.pop("end")
            if welcome:
                self.queue.adopt(end, login=ANN)
            else:
                end.close()
        if answer is not None:
            peer.send(answer.verb, *answer.attributes)


class Message:
    def __init__(self, ident, login, client):
        self.id, self.login, self.client = ident, login, client
        self.recipients, self.asked = [], []
        self.attributes = {}
        self.facts = {}  # what is to be signed, or why not
        self.content = b""

    def __getitem__(self, name):
        return self.attributes[name]

    @property
    def local(self):
        return self.content[:int(self["start"])]

    @property
    def outside(self):
        return self.content[int(self["start"]):]


class Queue(Owner):
    def __init__(self, path):
        self.messages = []  # committed and synced
        self.aborted = 0
        self.opened = 0
        self._ids = 0
        self.room = 1 << 40  # octets
        self.folder = tempfile.gettempdir()  # of scratch files
        self._news = threading.Condition()
        super().__init__(path)

    def serve(self, peer, login):
        while (p := peer.receive()) is not None:
            self.requests.append(p)
            if p.verb == "abort":
                self._abort()
                continue
            if p.verb == "room":
                self.answer_room(peer, p)
                continue
            assert p.verb == "open", p
            if not p.get("ahead"):
                self.at("open", peer)
                self.opened += 1
            self.take(peer, login, p)

    def hang_up(self):
        """As a queue that ends, on whom it heard last."""
        self._peer.socket.shutdown(socket.SHUT_RDWR)

    def answer_room(self, peer, p):
        self.at("room", peer)
        peer.send("room", verdict="ok" if int(p["size"]) <= self.room
                  else "disk-full")

    def give_scratch(self, peer):
        self.at("scratch", peer)
        if self.fault == ("scratch-fd", "full"):
            self.fault = None
            fd = os.open("/dev/full", os.O_RDWR)
        else:
            fd = os.open(self.folder, os.O_TMPFILE | os.O_RDWR, 0o600)
        peer.send("scratch", fds=[fd])
        os.close(fd)

    def take(self, peer, login, p):
        client = None
        if p.fds:
            assert p["client-fd"] == "1" and len(p.fds) == 1
            client = socket.socket(fileno=p.fds[0])
            assert client.getpeername()
            client.close()
        self._ids += 1
        message = Message(f"{self._ids:016x}", login, client is not None)
        with tempfile.TemporaryFile() as content, \
                tempfile.TemporaryFile() as envelope:
            reader = os.open(f"/proc/self/fd/{content.fileno()}", os.O_RDONLY)
            self.reader, self._peer = reader, peer
            writer = content.fileno()
            if self.fault == ("open-fd", "full"):
                self.fault = None
                writer = os.open("/dev/full", os.O_WRONLY)
            peer.send("opened", id=message.id, time=1700000000,
                      fds=[writer, reader])
            ahead = p.get("ahead")
            while (p := peer.receive()) is not None and p.verb in (
                    "room", "scratch"):
                self.requests.append(p)
                if p.verb == "room":
                    self.answer_room(peer, p)
                else:
                    self.give_scratch(peer)
            if p is None or p.verb == "abort":
                if p is not None or not ahead:
                    self.opened += bool(ahead)
                    self._abort()
                os.close(reader)
                return
            if ahead:
                self.opened += 1
            self.commit(peer, message, p)
            message.content = os.pread(reader, 1 << 28, 0)
            os.close(reader)
            self.at("end", peer)
            peer.send("committed", fds=[envelope.fileno()])
            p = peer.receive()
            if p is not None and p.verb == "synced":
                with self._news:
                    self.messages.append(message)
                    self._news.notify_all()
            else:
                self._abort()

    def _abort(self):
        with self._news:
            self.aborted += 1
            self._news.notify_all()

    def settled(self):
        """How many messages there are, when none is on its way any more:
        "synced" has no answer, so a client's 250 may be ahead of it."""
        with self._news:
            self._news.wait_for(lambda: len(self.messages) + self.aborted
                                >= self.opened, 1)
            return len(self.messages)

    def commit(self, peer, message, p):
        names = ["id", "sender", "start", "wire", "body", "utf8", "client",
                 "helo", "protocol"]
        got = [n for n, _ in p.attributes if n not in (
            "ret", "envid", "junk", "hold")]
        assert p.verb == "commit" and got == names
        assert p["id"] == message.id
        message.attributes = dict(p.attributes)
        self.at("commit", peer)
        while (p := peer.receive()).verb in ("sign", "more"):
            facts = dict(p.attributes)
            if p.verb == "more":
                facts["fields"] = message.facts["fields"] + facts["fields"]
            message.facts.update(facts)
        while p.verb == "recipient":
            message.recipients.append(p["address"])
            message.asked.append(dict(p.attributes[1:]))
            p = peer.receive()
        assert p.verb == "end" and int(p["count"]) == len(message.recipients)

    def wait(self, n):
        """The messages, once there are n of them."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.messages) >= n,
                                       SECONDS)
        return self.messages


class Client:
    """A bare SMTP client: sends what it is told, reads whole replies."""

    def __init__(self, port, greeting=True, address="127.0.0.1"):
        self.socket = socket.socket()
        self.socket.settimeout(SECONDS)
        self.socket.bind((address, 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.lines = []
        if greeting:
            assert self.reply() == 220

    def send(self, octets):
        self.socket.sendall(octets.encode() if isinstance(octets, str)
                            else octets)

    def reply(self):
        """The code of the next reply, 0 at the end; its lines in .lines"""
        self.lines = []
        while True:
            try:
                line = self.file.readline()
            except ConnectionResetError:
                line = b""
            if not line:
                return 0
            assert line.endswith(b"\r\n") and len(line) <= 512, line
            self.lines.append(line[:-2].decode())
            if line[3:4] != b"-":
                return int(line[:3])

    @property
    def text(self):
        return self.lines[-1] if self.lines else ""

    @property
    def enhanced(self):
        return self.text.split()[1]

    def command(self, line):
        self.send(line + "\r\n" if isinstance(line, str) else line + b"\r\n")
        return self.reply()

    def wrap(self, context, name=None):
        """TLS from here on, as a client; nothing read may be left over."""
        self.file.close()
        self.socket = context.wrap_socket(self.socket, server_hostname=name)
        self.file = self.socket.makefile("rb")

    def starttls(self, context, name=None):
        assert self.command("STARTTLS") == 220, self.text
        self.wrap(context, name)

    def ehlo(self):
        assert self.command("EHLO client.example") == 250
        return [line[4:] for line in self.lines[1:]]

    def envelope(self, *recipients, sender="x@elsewhere.test", parameters=""):
        assert self.command(f"MAIL FROM:<{sender}>{parameters}") == 250, (
            self.text)
        for recipient in recipients or (ANN,):
            assert self.command(f"RCPT TO:<{recipient}>") == 250, self.text

    def data(self, octets):
        """DATA with these octets, the end included."""
        assert self.command("DATA") == 354
        self.send(octets)
        return self.reply()

    def message(self, octets=b"Subject: x\r\n\r\nhello\r\n", *recipients,
                **options):
        self.envelope(*recipients, **options)
        return self.data(octets + b".\r\n")

    def is_closed(self):
        return self.reply() == 0

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Smtpd(Service):
    """smtpd with all its listeners and our owners."""

    def __init__(self, extra=(), root=False, pairs=(), **options):
        """pairs: certificates and keys (pki.py); none: no TLS."""
        self.ports, listeners = {}, []
        for kind in ("smtp", "submission", "submissions"):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", free_port()))
            sock.listen(100)
            self.ports[kind] = sock.getsockname()[1]
            listeners.append((kind, sock))
        if not any(line.startswith("dns-server") for line in extra):
            extra = [f"dns-server {quiet_dns()}", *extra]
        for line in ("sender-domain no", "error-delay 0", "greylist no"):
            if not any(e.startswith(line.split()[0]) for e in extra):
                extra = [line, *extra]
        super().__init__("smtpd", listeners, root=root, extra=extra,
                         **options)
        with open(self.path("stderr"), "a"):
            pass  # there is a log also where nothing was started
        self.queue = Queue(os.path.join(self.own, "queue"))
        self.userdb = Userdb(os.path.join(self.own, "userdb"), self.queue)
        self.keys = Keys(os.path.join(self.own, "keys"), pairs)

    def client(self, kind="smtp", **options):
        return Client(self.ports[kind], **options)

    def submission(self, login=True, **options):
        client = self.client("submission", **options)
        client.ehlo()
        if login:
            assert client.command(
                "AUTH PLAIN " + plain(ANN, PASSWORD)) == 235, client.text
        return client

    def close(self):
        super().close()
        self.queue.close()
        self.userdb.close()
        self.keys.close()


def plain(name, password, authzid=""):
    from base64 import b64encode
    return b64encode(f"{authzid}\0{name}\0{password}".encode()).decode()
