# SPDX-License-Identifier: ISC
"""deliver alone: a queue and SMTP servers that a test plays itself."""
import os
import re
import select
import socket
import ssl
import tempfile
import threading
import time

import pytest

from dnsserver import DnsServer
from internal import Packet, Peer, Service
from ports import any_port
from suite import SECONDS

CLOSE = object()  # a reply: close the connection
SILENCE = object()  # a reply: say nothing more
EHLO = ("there.example", "PIPELINING", "8BITMIME", "SIZE 1000000",
        "ENHANCEDSTATUSCODES")
MESSAGE = b"Subject: hello\n\nDear all,\n.a dot\n..two\nbye\n"


def smtp_port(hosts=("127.0.0.1",)):
    """A port that is free on all of these loopback addresses."""
    while True:
        port = any_port()
        probes = []
        try:
            for host in hosts:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                probes.append(socket.socket(family))
                probes[-1].bind((host, port))
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
        return port


class Queue:
    """The queue's end of role-deliver."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "queue")
        self.idle = []
        self.all = []
        self.listen()

    def listen(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.socket.listen(100)
        self.socket.settimeout(SECONDS)

    def close(self):
        self.socket.close()
        for peer in self.all:
            peer.close()
        os.unlink(self.path)
        self.idle, self.all = [], []

    def worker(self):
        """A worker that has said ready: the one of the last job first."""
        if self.idle:
            return self.idle.pop()
        peer = Peer(self.socket.accept()[0])
        peer.socket.settimeout(SECONDS)
        self.all.append(peer)
        ready = peer.receive()
        assert ready.encode() == b"ready\0", ready
        return peer

    @staticmethod
    def send_job(peer, recipients, content=MESSAGE, domain="example.net",
                 sender="ann@example.test", id="0123456789abcdef", local=b"",
                 body="7bit", utf8=0, size=None, asked=None, dkim=(), **more):
        whole = local + content
        wire = len(whole.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        with tempfile.TemporaryFile() as f:
            f.write(whole)
            f.flush()
            head = dict(id=id, sender=sender, domain=domain,
                        start=len(local), size=size or len(whole), wire=wire,
                        body=body, utf8=utf8, count=len(recipients), **more)
            peer.send("job", *head.items(), *(("dkim", d) for d in dkim),
                      fds=[f.fileno()])
        for index, address in enumerate(recipients):
            peer.send("recipient", index=index * 7, address=address,
                      **(asked or {}).get(address, {}))

    @staticmethod
    def results(peer, n, id="0123456789abcdef", seconds=SECONDS):
        """The n results in the order of the recipients; each comes once."""
        peer.socket.settimeout(seconds)
        found = {}
        while True:
            packet = peer.receive()
            assert packet is not None, "deliver went away"
            if packet.verb == "done":
                assert packet.encode() == f"done\0id\0{id}\0".encode()
                break
            assert packet.verb == "result"
            result = dict(packet.attributes)
            deferred = result["status"] == "deferred"
            assert ("scope" in result) == deferred, result
            assert result.get("scope") in (
                None, "host", "session", "message", "recipient"), result
            names = [name for name, _ in packet.attributes
                     if name not in ("scope", "mx")]
            assert names == ["index", "status", "dsn", "relay", "text",
                             "delay"] + (
                ["tls", "verified"] if result["status"] == "delivered" else
                []) + ["dsn-passed"] * ("dsn-passed" in names)
            assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", result["dsn"])
            assert result["dsn"][0] == {
                "delivered": "2", "deferred": "4", "failed": "5"}[
                    result["status"]], result
            assert re.fullmatch(r"\d+\.\d{3}/\d+\.\d{3}", result["delay"])
            assert "\n" not in result["text"] and "\r" not in result["text"]
            index = int(result["index"])
            assert index % 7 == 0 and index not in found
            found[index] = result
        assert len(found) == n
        return [found[i * 7] for i in range(n)]

    def job(self, *recipients, seconds=SECONDS, **options):
        peer = self.worker()
        self.send_job(peer, recipients, **options)
        results = self.results(peer, len(recipients), seconds=seconds,
                               id=options.get("id", "0123456789abcdef"))
        assert peer.receive().encode() == b"ready\0"
        self.idle.append(peer)
        return results


class FakeOwner:
    """An owner's socket in the folder of deliver; each connection is served
    in a thread of its own, by _serve()."""
    name = None

    def __init__(self, folder):
        path = os.path.join(folder, self.name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.socket.listen(100)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock = self.socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(Peer(sock),),
                             daemon=True).start()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class FakeKeys(FakeOwner):
    """keys' end of role-deliver.  relay: attributes of what it releases for
    the relay host, None: nothing."""
    name = "keys"

    def __init__(self, folder, relay=None):
        self.relay, self.asked = relay, []
        super().__init__(folder)

    def _serve(self, peer):
        peer.socket.settimeout(None)
        with peer:
            while (packet := peer.receive()) is not None:
                self.asked.append((packet.verb, packet["host"]))
                if self.relay:
                    peer.send("relay", **self.relay)
                else:
                    peer.send("none")


class FakeLedger(FakeOwner):
    """ledger's end of role-deliver.  policies: {domain: attributes of the
    answer about its MTA-STS policy}; hosts: {host: what is known of it};
    whoever asks about a domain in gone is hung up on.  What deliver asks
    and tells is in asked and remembered."""
    name = "ledger"

    def __init__(self, folder):
        self.policies, self.hosts, self.gone = {}, {}, set()
        self.asked, self.remembered = [], []
        self.news = threading.Condition()
        super().__init__(folder)

    def told(self, count=1):
        """What deliver told, as soon as it is that much."""
        with self.news:
            assert self.news.wait_for(
                lambda: len(self.remembered) >= count, SECONDS)
            return list(self.remembered)

    def _serve(self, peer):
        peer.socket.settimeout(None)
        with peer:
            while (packet := peer.receive()) is not None:
                told = dict(packet.attributes)
                if packet.verb == "remember":
                    with self.news:
                        self.remembered.append(told)
                        self.news.notify_all()
                    continue
                self.asked.append((packet.verb, told))
                if packet.verb == "destination":
                    peer.send("destination", **self.hosts.get(
                        told["host"], {}))
                elif told["domain"] in self.gone:
                    return
                else:
                    peer.send("sts", *self.policies.get(
                        told["domain"], [("mode", "none")]))


class Session:
    def __init__(self, sock):
        self.socket = sock
        self.tls = None  # "TLSv1.3"
        self.file = sock.makefile("rb")
        self.commands = []
        self.mail, self.recipients = None, []

    def send(self, *lines):
        self.socket.sendall("".join(f"{line}\r\n" for line in lines).encode(
            "utf-8", "surrogateescape"))

    def send_octets(self, octets):
        self.socket.sendall(octets)

    def wrap(self, context):
        """The server's side of a handshake."""
        self.file.close()
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.file = self.socket.makefile("rb")
        self.tls = self.socket.version()

    def line(self):
        line = self.file.readline()
        if not line:
            raise EOFError
        return line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")

    def data(self):
        """Up to the final dot, stuffing taken away; every line is CRLF."""
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError
            assert line.endswith(b"\r\n"), line
            assert b"\r" not in line[:-2]
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)


class SmtpServer:
    """A server that does what reply(session, command) says: a text, a list
    of lines, CLOSE, SILENCE, or None for what a good server does.  command
    is the line, "" for the greeting and "." for the end of data.  tls: an
    ssl.SSLContext, or what is to be called with the session instead of the
    handshake; implicit: at once.  auth(session, mechanism, [initial]):
    gives the last reply of a login."""

    def __init__(self, host="127.0.0.1", port=0, reply=None, ehlo=EHLO,
                 talk=None, tls=None, implicit=False, auth=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, port), family=family)
        self.host = host
        self.port = self.listener.getsockname()[1]
        self.reply = reply or (lambda session, command: None)
        self.ehlo = ehlo
        self.talk = talk
        self.tls, self.implicit, self.auth = tls, implicit, auth
        if tls and not implicit:
            self.ehlo = (*ehlo, "STARTTLS")
        self.sessions = []
        self.messages = []  # (MAIL line, [RCPT lines], octets)
        self.errors = []
        self.threads = []
        self.open = []
        self._start(self._accept)

    def _start(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments,
                                  daemon=True)
        thread.start()
        self.threads.append(thread)

    def _accept(self):
        while True:
            try:
                sock = self.listener.accept()[0]
            except OSError:
                return
            sock.settimeout(SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(sock)
            self.open.append(sock)
            self.sessions.append(session)
            self._start(self._serve, session)

    def _serve(self, session):
        try:
            if self.implicit:
                self._secure(session)
            if self.talk:
                self.talk(session)
            else:
                self._converse(session)
        except (EOFError, ConnectionError, TimeoutError, ssl.SSLError):
            pass
        except AssertionError as error:
            self.errors.append(error)
        finally:
            session.file.close()
            session.socket.close()

    def _say(self, session, command, default, when_good=lambda: None):
        given = self.reply(session, command)
        if given is CLOSE:
            raise EOFError
        if given is SILENCE:
            while session.file.read(1):
                pass
            raise EOFError
        lines = default if given is None else given
        lines = [lines] if isinstance(lines, str) else lines
        if lines[0][:1] == "2":
            when_good()  # before anybody hears of it
        session.send(*lines)
        return lines[-1]

    def _secure(self, session):
        if callable(self.tls):
            self.tls(session)
        else:
            session.wrap(self.tls)

    def _converse(self, session):
        self._say(session, "", "220 there.example ESMTP")
        while True:
            command = session.line()
            session.commands.append(command)
            verb = command.upper().split(" ")[0].split(":")[0]
            if verb == "EHLO":
                lines = [f"250-{line}" for line in self.ehlo
                         if not (session.tls and line == "STARTTLS")]
                lines[-1] = "250 " + lines[-1][4:]
                self._say(session, command, lines)
            elif verb == "MAIL":
                if self._say(session, command, "250 2.1.0 ok")[0] == "2":
                    session.mail, session.recipients = command, []
            elif verb == "RCPT":
                if session.mail is None:
                    session.send("503 5.5.1 MAIL first")
                elif self._say(session, command, "250 2.1.5 ok")[0] == "2":
                    session.recipients.append(command)
            elif verb == "DATA":
                self._data(session, command)
            elif verb == "RSET":
                session.mail, session.recipients = None, []
                self._say(session, command, "250 2.0.0 ok")
            elif verb == "STARTTLS" and self.tls:
                if self._say(session, command, "220 2.0.0 go")[0] == "2":
                    self._secure(session)
            elif verb == "AUTH" and self.auth:
                session.send(self.auth(session, *command.split(" ")[1:]))
            elif verb == "QUIT":
                self._say(session, command, "221 2.0.0 bye")
                return
            else:
                self._say(session, command, "250 2.0.0 ok")

    def _data(self, session, command):
        if not session.recipients:
            session.send("554 5.5.1 no valid recipients")
            return
        if self._say(session, command, "354 go on")[0] != "3":
            return
        message = session.mail, session.recipients, session.data()
        session.mail, session.recipients = None, []
        self._say(session, ".", "250 2.0.0 taken",
                  lambda: self.messages.append(message))

    def commands(self, session=0):
        return self.sessions[session].commands

    def close(self):
        # shutdown() first: close() alone does not wake the accepting thread
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for sock in self.open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(SECONDS)


class Deliverer:
    """The running program, its queue, its DNS and its servers."""

    def __init__(self, request, dns=None):
        self.dns = dns or DnsServer()
        self.ledger = self.keys = None
        self.servers = []
        self.port = smtp_port([f"127.0.0.{n}" for n in range(1, 40)] +
                              ["::1"])
        self.service = self.queue = None

    def server(self, host="127.0.0.1", port=None, **options):
        self.servers.append(SmtpServer(host, port or self.port, **options))
        return self.servers[-1]

    def zone(self, records, name="example.net"):
        self.dns.add_zone(name, records)
        return self

    def start(self, *extra, port=True, dns=True, trusted=False, ledger=False,
              relay=None):
        """trusted: the name server; ledger: there is a fake one; relay: what
        a fake keys releases for the relay host, False: nothing."""
        if dns and self.dns.process is None:
            self.dns.start()
        lines = [f"dns-server {self.dns.address}" +
                 (" trusted" if trusted else ""), "spare-processes 1",
                 *([f"smtp-port {self.port}"] if port else []), *extra]
        if not any(line.startswith("smtp-timeout") for line in lines):
            lines.append("smtp-timeout 30s")
        self.service = Service("deliver", ["unused"], extra=lines,
                               root=False)
        self.queue = Queue(self.service.own)
        if ledger:
            self.ledger = FakeLedger(self.service.own)
        if relay is not None:
            self.keys = FakeKeys(self.service.own, relay)
        self.service.start()
        return self

    def to_literal(self, *recipients, host="127.0.0.1", **options):
        """A job for the server at this address, without the DNS."""
        domain = f"[IPv6:{host}]" if ":" in host else f"[{host}]"
        return self.queue.job(*(f"{r}@{domain}" for r in recipients),
                              domain=domain, **options)

    def log(self):
        return self.service.log()

    def close(self, request):
        errors = []
        try:
            if self.service:
                code = self.service.stop()
                log = self.service.log()
                assert code == 0, log
                for word in ("Sanitizer", "runtime error", "worker crashed"):
                    assert word not in log, log
        finally:
            if self.queue:
                self.queue.close()
            for owner in (self.ledger, self.keys):
                if owner:
                    owner.close()
            if self.service:
                self.service.close()
            for server in self.servers:
                server.close()
                errors += server.errors
            self.dns.close()
        assert not errors, errors


@pytest.fixture
def deliver(request):
    made = Deliverer(request)
    yield made
    made.close(request)


def hung_up(peer, seconds=SECONDS):
    """The worker closed its end."""
    poller = select.poll()
    poller.register(peer.socket, select.POLLIN)
    assert poller.poll(seconds * 1000)
    return peer.receive() is None


__all__ = ["CLOSE", "EHLO", "MESSAGE", "Packet", "Queue", "SILENCE",
           "SmtpServer", "deliver", "hung_up", "smtp_port", "time"]
