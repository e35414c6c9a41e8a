# SPDX-License-Identifier: ISC
"""common/dns.c against a real server, a dead one and hostile ones (A14)."""
import os
import socket
import struct
import subprocess
import threading
import time

import pytest

from dnsserver import DnsServer, dns, free_port  # noqa: F401
from signed import signed_dns  # noqa: F401

SECONDS = 20


@pytest.fixture
def lookup(build):
    program = os.path.join(build, "tests", "tools", "dns-lookup")

    def ask(kind, name, *servers, ms=10000):
        """(status text, [lines])"""
        done = subprocess.run(
            [program, str(ms), kind, name, *servers], timeout=SECONDS,
            capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines()
        return lines[-1], lines[:-1]
    return ask


class Scripted:
    """answer(query, tcp) gives a packet, or None for silence."""

    def __init__(self, answer):
        self.answer = answer
        self.queries = []
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        self.held = []
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def _serve_udp(self):
        while True:
            try:
                query, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            self.queries.append(("udp", query))
            packet = self.answer(query, False)
            if packet is not None:
                self.udp.sendto(packet, peer)

    def _serve_tcp(self):
        while True:
            try:
                client, _ = self.tcp.accept()
            except OSError:
                return
            self.held.append(client)
            query = client.recv(4096)[2:]
            self.queries.append(("tcp", query))
            packet = self.answer(query, True)
            if packet is not None:
                client.sendall(struct.pack("!H", len(packet)) + packet)

    def close(self):
        for s in [self.udp, self.tcp, *self.held]:
            s.close()


@pytest.fixture
def scripted():
    made = []

    def make(answer):
        made.append(Scripted(answer))
        return made[-1]
    yield make
    for server in made:
        server.close()


def reply(query, *records, flags=0x8180, count=None):
    """An answer to the query with records of (type, rdata) at its name."""
    head = query[:2] + struct.pack(
        "!HHHHH", flags, 1, len(records) if count is None else count, 0, 0)
    body = b"".join(
        b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
        for kind, data in records)
    return head + query[12:] + body


# -- a real server --

def test_records(dns, lookup):
    dns.add_zone("example.net", """
@ MX 20 mx2
@ MX 10 mx1
@ MX 20 mx3
mx1 A 127.0.0.11
mx1 AAAA ::1
mx2 A 127.0.0.12
alias CNAME mx1
both TXT "one, " "two"
both TXT "three"
null MX 0 .
empty A 127.0.0.1
deadend CNAME nowhere
""").start()
    status, lines = lookup("mx", "example.net", dns.address)
    assert status == "found"
    assert lines[0] == "10 mx1.example.net"
    assert sorted(lines[1:]) == ["20 mx2.example.net", "20 mx3.example.net"]
    assert lookup("any", "MX1.example.NET.", dns.address) == (
        "found", ["::1", "127.0.0.11"])
    assert lookup("a", "mx1.example.net", dns.address)[1] == ["127.0.0.11"]
    assert lookup("aaaa", "mx1.example.net", dns.address)[1] == ["::1"]
    assert lookup("any", "alias.example.net", dns.address)[1] == [
        "::1", "127.0.0.11"]
    status, lines = lookup("txt", "both.example.net", dns.address)
    assert sorted(lines) == ["one, two", "three"]
    assert lookup("mx", "null.example.net", dns.address) == ("found", ["0 "])
    assert lookup("mx", "empty.example.net", dns.address)[0] == (
        "no such record")
    assert lookup("mx", "nowhere.example.net", dns.address)[0] == (
        "no such name")
    assert lookup("a", "deadend.example.net", dns.address)[0] == (
        "no such name")
    # not authoritative for it: refused, and that is no "no"
    assert lookup("mx", "example.org", dns.address)[0] == (
        "no answer from the DNS")


def test_chains_of_aliases(dns, lookup):
    """Eight are followed, over zones and answers together; no loop is."""
    dns.add_zone("one.net", "\n".join(
        f"c{i} CNAME c{i + 1}.two.net." for i in range(1, 12, 2)) + "\nloop CNAME loop.two.net.\n"
        "self CNAME self\nend A 127.0.0.1")
    dns.add_zone("two.net", "\n".join(
        f"c{i} CNAME c{i + 1}.one.net." for i in range(0, 12, 2)) +
        "\nloop CNAME loop.one.net.")
    dns.add_zone("three.net", "\n".join(
        f"d{i} CNAME d{i + 1}" for i in range(9)) + "\nd9 A 127.0.0.9")
    dns.start()
    assert lookup("a", "d1.three.net", dns.address) == (
        "found", ["127.0.0.9"])
    for name in ("d0.three.net", "loop.one.net", "self.one.net",
                 "c0.two.net"):
        assert lookup("a", name, dns.address)[0] == (
            "unusable answer from the DNS"), name


def test_alias_out_of_the_zone(dns, lookup):
    dns.add_zone("one.net", "www CNAME www.two.net.\nmail CNAME a.two.net.")
    dns.add_zone("two.net", "www A 127.0.0.7\na MX 5 www")
    dns.start()
    assert lookup("a", "www.one.net", dns.address) == ("found", ["127.0.0.7"])
    assert lookup("mx", "mail.one.net", dns.address) == (
        "found", ["5 www.two.net"])


def test_large_answers_by_tcp(dns, lookup):
    text = '" "'.join("x" * 250 for _ in range(32))
    dns.add_zone("example.net", f'large TXT "{text}"\n' + "\n".join(
        f"many MX {i} mx{i:04}" for i in range(1000)))
    dns.start()
    status, lines = lookup("txt", "large.example.net", dns.address)
    assert (status, lines) == ("found", ["x" * 8000])
    status, lines = lookup("mx", "many.example.net", dns.address)
    assert status == "found" and len(lines) == 64


def test_over_long_text_is_left_out(dns, lookup):
    text = '" "'.join("x" * 255 for _ in range(250))
    dns.add_zone("example.net", f'huge TXT "{text}"\nhuge TXT "small"\n'
                 f'only TXT "{text}"').start()
    assert lookup("txt", "huge.example.net", dns.address) == (
        "found", ["small"])
    assert lookup("txt", "only.example.net", dns.address)[0] == (
        "unusable answer from the DNS")


def test_confirmed_name(dns, lookup):
    dns.add_zone("example.net", "good A 127.0.0.5\ngood6 AAAA ::1\n"
                 "liar A 127.0.0.99")
    dns.add_reverse("127.0.0.5", "liar.example.net", "good.example.net")
    dns.add_reverse("127.0.0.6", "liar.example.net")
    dns.add_reverse("127.0.0.8", r"\(comment\).example.net")
    dns.add_reverse("::1", "good6.example.net")
    dns.start()
    assert lookup("confirmed", "127.0.0.5", dns.address) == (
        "found", ["good.example.net"])
    assert lookup("confirmed", "::ffff:127.0.0.5", dns.address)[1] == [
        "good.example.net"]
    assert lookup("confirmed", "::1", dns.address) == (
        "found", ["good6.example.net"])
    assert lookup("confirmed", "127.0.0.6", dns.address) == (
        "no such record", [""])
    assert lookup("confirmed", "127.0.0.7", dns.address) == (
        "no such name", [""])
    # a name that would be read as something else in Received
    assert lookup("confirmed", "127.0.0.8", dns.address)[1] == [""]


def test_over_ipv6(lookup):
    with DnsServer("::1") as server:
        text = '" "'.join("y" * 200 for _ in range(10))
        server.add_zone("example.net", f'mx1 A 127.0.0.1\n@ TXT "{text}"')
        server.start()
        assert lookup("a", "mx1.example.net", server.address) == (
            "found", ["127.0.0.1"])
        assert lookup("txt", "example.net", server.address)[1] == ["y" * 2000]


def test_second_server_answers(dns, lookup, scripted):
    dns.add_zone("example.net", "mx1 A 127.0.0.1").start()
    silent = scripted(lambda query, tcp: None)
    broken = scripted(lambda query, tcp: query[:2] + b"\x81\x82" + query[4:])
    for first in (silent, broken):
        assert lookup("a", "mx1.example.net", first.address,
                      dns.address)[0] == "found"
        assert first.queries


# -- dead and hostile ones --

@pytest.mark.parametrize("kind,name", [
    ("mx", "example.net"), ("any", "example.net"),
    ("confirmed", "192.0.2.1"), ("confirmed", "2001:db8::1")])
def test_silence_ends_at_the_deadline(lookup, scripted, kind, name):
    silent = scripted(lambda query, tcp: None)
    began = time.monotonic()
    status, _ = lookup(kind, name, silent.address, ms=1500)
    assert status == "no answer from the DNS"
    assert time.monotonic() - began < 2.5
    assert silent.queries


def test_truncated_then_silent_by_tcp(lookup, scripted):
    """libresolv itself would wait here for ever."""
    server = scripted(lambda query, tcp: None if tcp else
                      reply(query, flags=0x8380))
    began = time.monotonic()
    assert lookup("mx", "example.net", server.address, ms=1500)[0] == (
        "no answer from the DNS")
    assert time.monotonic() - began < 2.5
    assert "tcp" in [how for how, _ in server.queries]


def test_truncated_for_ever(lookup, scripted):
    server = scripted(lambda query, tcp: reply(query, flags=0x8380))
    assert lookup("mx", "example.net", server.address)[0] == (
        "unusable answer from the DNS")


@pytest.mark.parametrize("code", [1, 2, 4, 5, 9, 15])
def test_errors_are_temporary(lookup, scripted, code):
    server = scripted(lambda query, tcp: reply(query, flags=0x8180 | code))
    assert lookup("mx", "example.net", server.address)[0] == (
        "no answer from the DNS")


HOSTILE = {
    "empty rdata": ("mx", [(15, b"")]),
    "host cut short": ("mx", [(15, b"\0\1\5ab")]),
    "pointer to itself": ("mx", [(15, b"\0\1\xc0\x2d")]),
    "pointer outside": ("mx", [(15, b"\0\1\xff\xff")]),
    "dot in a label": ("mx", [(15, b"\0\1\6a.evil\0")]),
    "NUL in a label": ("mx", [(15, b"\0\1\3a\0b\0")]),
    "line end in a label": ("mx", [(15, b"\0\1\4a\r\nb\0")]),
    "octets behind the host": ("mx", [(15, b"\0\1\1a\0zz")]),
    "short A": ("a", [(1, b"\x7f\0\0")]),
    "long A": ("a", [(1, b"\x7f\0\0\1\1")]),
    "short AAAA": ("aaaa", [(28, b"\0" * 15)]),
    "string over its record": ("txt", [(16, b"\xffabc")]),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_records(lookup, scripted, what):
    kind, records = HOSTILE[what]
    server = scripted(lambda query, tcp: reply(query, *records))
    status, lines = lookup(kind, "example.net", server.address)
    assert (status, lines) == ("unusable answer from the DNS", [])


def test_a_nul_in_a_text_stays_an_octet(lookup, scripted):
    server = scripted(lambda query, tcp: reply(
        query, (16, b"\4a\0b\0"), (16, b"\1c\0\1d")))
    assert lookup("txt", "example.net", server.address) == (
        "found", ["a\x7fb\x7f", "cd"])


def test_one_bad_record_costs_that_record(lookup, scripted):
    server = scripted(lambda query, tcp: reply(
        query, (15, b"\0\1\6a.evil\0"), (15, b"\0\2\4good\0")))
    assert lookup("mx", "example.net", server.address) == (
        "found", ["2 good"])


def test_answer_of_64_kib(lookup, scripted):
    records = [(16, b"\xff" + b"x" * 255) for _ in range(240)]
    server = scripted(lambda query, tcp: reply(query, *records) if tcp else
                      reply(query, flags=0x8380))
    status, lines = lookup("txt", "example.net", server.address)
    assert status == "found" and len(lines) == 240


def test_names_that_cannot_be_asked(lookup, scripted):
    server = scripted(lambda query, tcp: reply(query))
    for name in ("a..b", "x" * 64 + ".org", ".".join(["abcd"] * 60), ""):
        assert lookup("mx", name, server.address)[0] == "no such name"
    assert not server.queries


def test_ids_and_ports_change(lookup, scripted):
    server = scripted(lambda query, tcp: reply(query))
    for _ in range(8):
        lookup("mx", "example.net", server.address)
    assert len({query[:2] for _, query in server.queries}) > 4


# -- DNSSEC: what the AD bit is worth --

AD = 0x0020


def secure(answer):
    """(status, [lines], secure?, canonical) of a look-up with "trusted"."""
    status, lines = answer
    word, canonical = lines[-1].split(", ")
    return status, lines[:-1], word == "secure", canonical


def test_ad_is_asked_for_and_counts(lookup, scripted):
    server = scripted(lambda query, tcp: reply(
        query, (1, b"\x7f\0\0\1"), flags=0x8180 | AD))
    assert secure(lookup("a", "a.test", server.address, "trusted")) == (
        "found", ["127.0.0.1"], True, "a.test")
    assert server.queries[0][1][3] & AD
    lookup("a", "a.test", server.address)
    assert not server.queries[1][1][3] & AD


def test_without_ad_nothing_is_secure(lookup, scripted):
    server = scripted(lambda query, tcp: reply(query, (1, b"\x7f\0\0\1")))
    assert secure(lookup("a", "a.test", server.address, "trusted"))[2] is False


def test_one_server_that_is_not_trusted_spoils_all(lookup, scripted):
    server = scripted(lambda query, tcp: reply(
        query, (1, b"\x7f\0\0\1"), flags=0x8180 | AD))
    assert secure(lookup("a", "a.test", server.address, "trusted",
                         "127.0.0.1:9"))[:3] == ("found", ["127.0.0.1"],
                                                 False)


def test_a_chain_is_as_secure_as_its_weakest_link(lookup, scripted):
    def answer(flags):
        def one(query, tcp):
            if b"\1a" in query[12:15]:
                return reply(query, (5, b"\1b\4test\0"),
                             flags=0x8180 | flags["a"])
            return reply(query, (1, b"\x7f\0\0\2"), flags=0x8180 | flags["b"])
        return one
    for a, b in ((AD, AD), (AD, 0), (0, AD), (0, 0)):
        server = scripted(answer({"a": a, "b": b}))
        assert secure(lookup("a", "a.test", server.address, "trusted")) == (
            "found", ["127.0.0.2"], bool(a and b), "b.test")


def test_silence_about_one_family_takes_no_security_away(lookup, scripted):
    def answer(query, tcp):
        if query[-4:-2] == b"\0\x1c":
            return query[:2] + b"\x81\x82" + query[4:]  # SERVFAIL
        return reply(query, (1, b"\x7f\0\0\1"), flags=0x8180 | AD)
    server = scripted(answer)
    assert secure(lookup("any", "a.test", server.address, "trusted"))[:3] == (
        "found", ["127.0.0.1"], True)
    server = scripted(lambda query, tcp: reply(
        query, *([(1, b"\x7f\0\0\1")] if query[-3] == 1 else []),
        flags=0x8180 | (AD if query[-3] == 1 else 0)))
    assert secure(lookup("any", "a.test", server.address,
                         "trusted"))[2] is False


@pytest.mark.parametrize("failing", [b"\1a", b"\1b"])
@pytest.mark.parametrize("lost", [1, 28])
def test_silence_about_one_family_hides_no_alias(
        lookup, scripted, lost, failing):
    """Nor the name whose TLSA records count."""
    def answer(query, tcp):
        kind = query[-3]
        if kind == lost and failing in query[12:15]:
            return query[:2] + b"\x81\x82" + query[4:]  # SERVFAIL
        if b"\1a" in query[12:15]:
            return reply(query, (5, b"\1b\4test\0"), flags=0x8180 | AD)
        return reply(query, (1, b"\x7f\0\0\1") if kind == 1 else
                     (28, b"\0" * 15 + b"\1"), flags=0x8180 | AD)
    server = scripted(answer)
    assert secure(lookup("any", "a.test", server.address, "trusted")) == (
        "found", ["::1" if lost == 1 else "127.0.0.1"], True, "b.test")


@pytest.mark.parametrize("data,status,line", [
    (b"\3\1\1abc", "found", "3 1 1 616263"),
    (b"\xff\xff\xffx", "found", "255 255 255 78"),
    (b"\3\1\1", "unusable answer from the DNS", None),
    (b"\3\1", "unusable answer from the DNS", None),
    (b"", "unusable answer from the DNS", None)])
def test_tlsa_records(lookup, scripted, data, status, line):
    server = scripted(lambda query, tcp: reply(query, (52, data)))
    assert lookup("tlsa", "_25._tcp.a.test", server.address) == (
        status, [line] if line else [])


def test_a_validating_resolver(lookup, signed_dns):
    key = "ab" * 32
    signed_dns.zone("dane.test", f"""
@ MX 10 mx
mx A 127.0.0.1
_25._tcp.mx TLSA 3 1 1 {key}
_25._tcp.alias CNAME _25._tcp.mx
www CNAME mx
out CNAME mx.plain.test.
broken A 127.0.0.1
""", bogus=["broken.dane.test"])
    signed_dns.zone("plain.test", "@ MX 10 mx\nmx A 127.0.0.2",
                    signed=False).start()

    def ask(kind, name):
        return secure(lookup(kind, name, signed_dns.address, "trusted"))
    assert ask("mx", "dane.test") == (
        "found", ["10 mx.dane.test"], True, "dane.test")
    assert ask("any", "www.dane.test") == (
        "found", ["127.0.0.1"], True, "mx.dane.test")
    assert ask("any", "out.dane.test") == (
        "found", ["127.0.0.2"], False, "mx.plain.test")
    assert ask("alias", "out.dane.test") == (
        "found", ["mx.plain.test"], True, "out.dane.test")
    assert ask("tlsa", "_25._tcp.alias.dane.test") == (
        "found", [f"3 1 1 {key}"], True, "_25._tcp.mx.dane.test")
    assert ask("tlsa", "mx.dane.test")[0::2] == ("no such record", True)
    assert ask("mx", "plain.test")[0::2] == ("found", False)
    assert ask("a", "broken.dane.test")[0] == "no answer from the DNS"
