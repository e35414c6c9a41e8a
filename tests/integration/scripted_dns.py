# SPDX-License-Identifier: ISC
"""A DNS server that answers as it is told: silence, lies and nonsense too.

    def test_it(scripted_dns):
        server = scripted_dns({
            "example.org": {"TXT": "v=spf1 mx -all",
                            "MX": [(10, "mx.example.org")]},
            "mx.example.org": {"A": ["192.0.2.1"], "AAAA": SERVFAIL},
            "*.dead.example": TIMEOUT,
        })
        ... server.address                 # "127.0.0.1:PORT", UDP and TCP
        server.add("later.example", TXT=["one", ("two ", "strings")])
        assert server.count(type="MX") == 1

A zone is {name: {type: records}}; names without case, "*.name" is for what
is below name and not there.  Records are one or a list: A and AAAA text, MX
(preference, host), TXT text or octets (a tuple: these very strings), CNAME,
NS and PTR a name, any type Raw(rdata).  A name may be a tuple of labels
(octets), where NULs and dots matter.  The type "*" is what is not said of the
others.

In place of records, or of a whole name, stands how to answer: TIMEOUT,
SERVFAIL, REFUSED, NXDOMAIN, NODATA, TRUNCATED (for ever), SILENT_BY_TCP,
WRONG_ID, WRONG_QUESTION, GARBAGE, CUT_SHORT, POINTER_LOOP, or a function
(query) that returns a packet or None; query.reply(...) makes one.  Aliases are
followed, eight at most, also round in a circle.  What does not fit 512 octets
is truncated, to be had by TCP.  Names that are not there do not exist.
"""
import contextlib
import random
import socket
import struct
import threading

import pytest

from dnsserver import free_port

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15,
         "TXT": 16, "AAAA": 28, "TLSA": 52, "SPF": 99}
NAMES = {number: name for name, number in TYPES.items()}
UDP_MAX, TCP_MAX, ALIASES = 512, 65535, 8
RESPONSE, TRUNCATION = 0x8580, 0x0200  # authoritative, recursive


class Raw(bytes):
    """Record data as it goes out."""


def encode_name(name):
    if not isinstance(name, tuple):
        name = name.rstrip(".")
        name = tuple(label.encode("utf-8", "surrogateescape")
                     for label in name.split(".")) if name else ()
    return b"".join(bytes([len(label)]) + label for label in name) + b"\0"


def encode_text(text):
    strings = text if isinstance(text, tuple) else (text,)
    out = b""
    for s in strings:
        s = s if isinstance(s, bytes) else s.encode()
        for at in range(0, max(len(s), 1), 255):
            piece = s[at:at + 255]
            out += bytes([len(piece)]) + piece
    return out


def encode_data(kind, value):
    if isinstance(value, Raw):
        return bytes(value)
    if kind == "A":
        return socket.inet_pton(socket.AF_INET, value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == "MX":
        return struct.pack("!H", value[0]) + encode_name(value[1])
    if kind in ("TXT", "SPF"):
        return encode_text(value)
    if kind in ("CNAME", "NS", "PTR"):
        return encode_name(value)
    raise ValueError(f"{kind}: give Raw octets")


def record(owner, kind, data):
    return (owner + struct.pack("!HHIH", TYPES[kind], 1, 60, len(data)) +
            data)


class Query:
    def __init__(self, packet, tcp):
        self.packet, self.tcp = packet, tcp
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]])
            at += 1 + packet[at]
        self.name = b".".join(labels).decode(
            "utf-8", "surrogateescape").lower()
        number, = struct.unpack("!H", packet[at + 1:at + 3])
        self.type = NAMES.get(number, str(number))
        self.question = packet[12:at + 5]

    def reply(self, *records, rcode=0, flags=RESPONSE, id=None,
              question=None, count=None):
        """A packet; records are octets as record() makes them."""
        number = self.packet[:2] if id is None else id
        return number + struct.pack(
            "!HHHHH", flags | rcode, 1,
            len(records) if count is None else count, 0, 0) + (
            self.question if question is None else question) + b"".join(
            records)


# -- how to answer, other than with records --

def TIMEOUT(query):
    return None


def SERVFAIL(query):
    return query.reply(rcode=2)


def REFUSED(query):
    return query.reply(rcode=5)


def NXDOMAIN(query):
    return query.reply(rcode=3)


def NODATA(query):
    return query.reply()


def TRUNCATED(query):
    return query.reply(flags=RESPONSE | TRUNCATION)


def SILENT_BY_TCP(query):
    return None if query.tcp else TRUNCATED(query)


def WRONG_ID(query):
    return query.reply(id=bytes(255 - octet for octet in query.packet[:2]))


def WRONG_QUESTION(query):
    return query.reply(question=encode_name("elsewhere.test") +
                       query.question[-4:])


def GARBAGE(query):
    noise = random.Random(query.name)
    return query.reply(noise.randbytes(200), count=7)


def CUT_SHORT(query):
    return query.reply(b"\xc0\x0c" + struct.pack(
        "!HHIH", TYPES.get(query.type, 1), 1, 60, 400) + b"\x0av=spf1 +al")


def POINTER_LOOP(query):
    """A record whose data is a name that points to itself."""
    data = len(query.reply()) + 12
    data += 2 if query.type == "MX" else 0
    return query.reply(record(
        b"\xc0\x0c", query.type if query.type in TYPES else "A",
        (b"\0\1" if query.type == "MX" else b"") +
        struct.pack("!H", 0xc000 | data)))


class ScriptedDns:
    def __init__(self, zone=None, host="127.0.0.1"):
        self.zone = {}
        self.queries = []  # of Query, every one that arrived
        self.update(zone or {})
        self.port = free_port(host)
        self.address = f"{host}:{self.port}"
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._udp.bind((host, self.port))
        self._tcp = socket.create_server((host, self.port), backlog=64)
        self._held = []
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    # -- what is said --

    def update(self, zone):
        for name, what in zone.items():
            self.zone[name.rstrip(".").lower()] = what
        return self

    def add(self, name, **records):
        """More of this name, or other records of these types."""
        key = name.rstrip(".").lower()
        self.zone[key] = {**self.zone.get(key, {}), **records}
        return self

    def count(self, name=None, type=None):
        """Queries that arrived.  A repeated one counts again."""
        return sum((name is None or q.name == name.lower()) and
                   (type is None or q.type == type) for q in self.queries)

    def forget(self):
        self.queries.clear()

    # -- answering --

    def find(self, name):
        """What is said of this name, lower case, or NXDOMAIN."""
        if name in self.zone:
            return self.zone[name]
        if any(other.endswith("." + name) for other in self.zone):
            return {}
        labels = name.split(".")
        for n in range(1, len(labels)):
            what = self.zone.get(".".join(["*", *labels[n:]]))
            if what is not None:
                return what
        return NXDOMAIN

    def _records(self, query, what, owner, name, hops=0):
        """(records, rcode) of this name and what its aliases lead to."""
        if callable(what):
            return [], 3 if what is NXDOMAIN else 0
        values = what.get(query.type, what.get("*", []))
        if callable(values):
            return [], 0
        values = values if isinstance(values, list) else [values]
        out = [record(owner, query.type, encode_data(query.type, value))
               for value in values]
        target = what.get("CNAME")
        target = target[0] if isinstance(target, list) else target
        if out or target is None or hops == ALIASES:
            return out, 0
        key = target.rstrip(".").lower() if isinstance(target, str) else ""
        more, rcode = self._records(
            query, self.find(key), encode_name(target), key, hops + 1)
        return [record(owner, "CNAME", encode_data("CNAME", target)),
                *more], rcode

    def answer(self, query):
        what = self.find(query.name)
        how = what if callable(what) else what.get(
            query.type, what.get("*") if "CNAME" not in what else None)
        if callable(how):
            return how(query)
        records, rcode = self._records(query, what, b"\xc0\x0c", query.name)
        packet = query.reply(*records, rcode=rcode)
        if len(packet) > (TCP_MAX if query.tcp else UDP_MAX):
            return TRUNCATED(query)
        return packet

    def _take(self, packet, tcp):
        try:
            query = Query(packet, tcp)
        except (IndexError, struct.error):
            return None
        self.queries.append(query)
        return self.answer(query)

    def _serve_udp(self):
        while True:
            try:
                packet, peer = self._udp.recvfrom(4096)
                answer = self._take(packet, False)
                if answer is not None:
                    self._udp.sendto(answer, peer)
            except OSError:
                if self._udp.fileno() == -1:  # closed
                    return

    def _serve_tcp(self):
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_connection,
                             args=(connection,), daemon=True).start()

    def _serve_connection(self, connection):
        """One query a connection; kept open where silence was asked for."""
        with connection, contextlib.suppress(OSError):
            head = connection.recv(2, socket.MSG_WAITALL)
            if len(head) < 2:
                return
            size, = struct.unpack("!H", head)
            answer = self._take(
                connection.recv(size, socket.MSG_WAITALL), True)
            if answer is None:
                connection.recv(1)  # until the other side gives up
            else:
                connection.sendall(struct.pack("!H", len(answer)) + answer)

    def close(self):
        # a closed socket does not wake whoever waits on it; a shut one does
        for s in (self._udp, self._tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture
def scripted_dns():
    """scripted_dns(zone) is a server that runs until the test ends."""
    made = []

    def make(zone=None, **options):
        made.append(ScriptedDns(zone, **options))
        return made[-1]
    yield make
    for server in made:
        server.close()
