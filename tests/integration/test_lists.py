# SPDX-License-Identifier: ISC
"""smtpd/lists.c, dnsbl and dnswl, against a real server and against lists
that are down, lie, or talk nonsense (A14)."""
import ipaddress
import os
import smtplib
import socket
import struct
import subprocess
import threading
import time

import pytest

from dnsserver import dns, free_port  # noqa: F401
from scripted_dns import (CUT_SHORT, GARBAGE, POINTER_LOOP, REFUSED,
                          SERVFAIL, TIMEOUT, TRUNCATED, WRONG_ID,
                          WRONG_QUESTION, encode_data, record,
                          scripted_dns)  # noqa: F401
from test_inetd import Tcpserver

ANN = "ann@example.test"
SECONDS = 20
BAD, GOOD = "192.0.2.66", "192.0.2.7"


def name_of(address, zone):
    """The name of an address in a list's zone (RFC 5782 section 2)."""
    pointer = ipaddress.ip_address(address).reverse_pointer
    return pointer.rsplit(".", 2)[0] + "." + zone


def a_list(zone, *addresses, answer="127.0.0.2", text=None):
    """A well-behaved list, for scripted_dns."""
    entry = {"A": answer, **({"TXT": text} if text else {})}
    return {zone: {}, name_of("127.0.0.2", zone): {"A": "127.0.0.2"},
            **{name_of(a, zone): entry for a in addresses}}


class Result:
    def __init__(self, line):
        self.address, ms, score, self.names, self.text = line.rstrip(
            "\n").split(" ", 4)
        self.ms, self.score = int(ms), int(score)

    def __repr__(self):
        return (f"{self.address} {self.ms} {self.score} {self.names} "
                f"{self.text}")


class Lists:
    """ask-lists with a config, which stays for several questions."""

    def __init__(self, build, folder, servers, lines):
        self.program = os.path.join(build, "tests", "tools", "ask-lists")
        self.config = os.path.join(folder, "config")
        self.log = os.path.join(folder, "log")
        with open(self.config, "w") as f:
            f.write("hostname mail.example.test\n")
            f.writelines(f"dns-server {s}\n" for s in servers)
            f.writelines(f"{line}\n" for line in lines)
        with open(self.log, "w") as err:
            self.process = subprocess.Popen(
                [self.program, self.config], text=True, stderr=err,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, *addresses):
        """All at once; the results, by address where there are several."""
        self.process.stdin.writelines(f"{a}\n" for a in addresses)
        self.process.stdin.flush()
        results = [Result(self.process.stdout.readline()) for _ in addresses]
        if len(addresses) == 1:
            return results[0]
        return {r.address: r for r in results}

    def alone(self, *addresses):
        """As who has no loop: a process for these."""
        done = subprocess.run(
            [self.program, self.config, *addresses], timeout=SECONDS,
            capture_output=True, text=True, check=True)
        return [Result(line) for line in done.stdout.splitlines()]

    def log_text(self):
        with open(self.log) as f:
            return f.read()

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(SECONDS) == 0, self.log_text()
        self.process.stdout.close()


@pytest.fixture
def lists(build, tmp_path):
    """lists([server], "dnsbl ...", ...) is ask-lists until the test ends."""
    made = []

    def make(servers, *lines):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        servers = servers if isinstance(servers, list) else [servers]
        made.append(Lists(build, str(folder),
                          [getattr(s, "address", s) for s in servers], lines))
        return made[-1]
    yield make
    for one in made:
        one.close()


# -- a real server --

ZONE = """\
{two} A 127.0.0.2
{bad} A 127.0.0.4
{bad} A 127.0.0.2
{bad} TXT "spam since\\009 1999" " and \\228 more"
{six} A 127.0.0.2
"""
SIX = "2001:db8::bad"


def relative(address):
    return name_of(address, "")[:-1]


@pytest.fixture
def real(dns):
    zone = ZONE.format(two=relative("127.0.0.2"), bad=relative(BAD),
                       six=relative(SIX))
    dns.add_zone("bl.test", zone)
    dns.add_zone("wl.test", f"{relative('127.0.0.2')} A 127.0.0.2\n"
                 f"{relative(BAD)} A 127.0.10.3\n"
                 f"{relative(GOOD)} A 127.0.10.1\n")
    return dns.start()


def test_both_families(lists, real):
    """RFC 5782 section 2: the score, and what the list has to say."""
    asked = lists(real, "dnsbl bl.test", "refuse-score 3")
    results = asked.ask(BAD, GOOD, SIX, "2001:db8::600d")
    assert {a: r.score for a, r in results.items()} == {
        BAD: 3, GOOD: 0, SIX: 3, "2001:db8::600d": 0}
    assert results[BAD].names == "bl.test=3"
    assert results[BAD].text == "listed by bl.test: spam since? 1999 and ? more"
    assert results[SIX].text == "listed by bl.test"
    assert results[GOOD].names == "-" and results[GOOD].text == ""
    assert "reason" not in asked.log_text()
    assert [r.score for r in asked.alone(BAD, GOOD, SIX)] == [3, 0, 3]


def test_scores_are_added(lists, real):
    asked = lists(real, "dnsbl bl.test =127.0.0.4-9 4",
                  "dnsbl bl.test =127.0.0.2 2", "dnsbl bl.test =127.0.0.3 90",
                  "dnswl wl.test =127.0.*.2-3 -5", "dnswl wl.test =127.0.10.1",
                  "refuse-score 6")
    results = asked.ask(BAD, SIX, GOOD)
    assert results[BAD].score == 4 + 2 - 5
    assert results[BAD].names == "bl.test=6,wl.test=-5"
    assert results[BAD].text == ""  # the sum does not refuse
    assert results[SIX].score == 2
    assert results[GOOD].score == -3


def test_who_is_not_asked_about(lists, real):
    asked = lists(real, "dnsbl bl.test", f"trust-client {BAD}",
                  "relay-from 2001:db8::/64")
    assert {r.score for r in asked.ask(BAD, SIX).values()} == {0}


# -- lists that behave --

def test_asked_once(lists, scripted_dns):
    """Clients of one address share the question, and its answer."""
    server = scripted_dns(a_list("bl.test", BAD, text="bad"))
    asked = lists(server, "dnsbl bl.test", "dnsbl bl.test =127.0.0.2 1")
    asked.process.stdin.write(f"{BAD}\n" * 20)
    assert asked.ask(BAD).score == 4
    for _ in range(20):
        assert Result(asked.process.stdout.readline()).score == 4
    assert asked.ask(BAD).text == "listed by bl.test: bad"
    assert server.count(name_of(BAD, "bl.test"), "A") == 1
    assert server.count(name_of(BAD, "bl.test"), "TXT") == 1


def test_the_ttl_is_kept(lists, scripted_dns):
    """What is not to be kept is asked for again."""
    def forgettable(query):
        return query.reply(b"\xc0\x0c" + struct.pack(
            "!HHIH", 1, 1, 0, 4) + b"\x7f\0\0\2")
    server = scripted_dns({**a_list("bl.test"),
                           name_of(BAD, "bl.test"): {"A": forgettable}})
    asked = lists(server, "dnsbl bl.test 1")
    assert [asked.ask(BAD).score for _ in range(3)] == [1] * 3
    assert server.count(name_of(BAD, "bl.test"), "A") == 3


def test_keys_are_not_told(lists, scripted_dns):
    """The first label of who pays is his secret."""
    zone = "abcdefghijklmnopqrstuvwxyz.bl.test"
    asked = lists(scripted_dns(a_list(zone, BAD, answer="127.255.255.254")),
                  f"dnsbl {zone}")
    asked.ask(BAD)
    assert "what=....bl.test" in asked.log_text()
    assert "abcdef" not in asked.log_text()
    asked = lists(scripted_dns(a_list(zone, BAD)), f"dnsbl {zone}")
    assert asked.ask(BAD).text == "listed by ....bl.test"


def test_aliases(lists, scripted_dns):
    server = scripted_dns({**a_list("bl.test"), **a_list("real.test", BAD),
                           name_of(BAD, "bl.test"):
                           {"CNAME": name_of(BAD, "real.test")}})
    assert lists(server, "dnsbl bl.test").ask(BAD).score == 3


def test_thousands_at_once(lists, scripted_dns):
    """Every one has its answer, and each its own."""
    addresses = [str(ipaddress.ip_address("10.0.0.0") + i)
                 for i in range(2000)]
    server = scripted_dns({**a_list("a.test", *addresses[::3]),
                           **a_list("b.test", *addresses[::5])})
    asked = lists(server, "dnsbl a.test 1", "dnsbl b.test 2",
                  "refuse-score 0", "list-timeout 20s")
    results = asked.ask(*addresses)
    for i, address in enumerate(addresses):
        assert results[address].score == (
            (i % 3 == 0) + 2 * (i % 5 == 0)), results[address]


# -- lists that do not --

NONSENSE = {
    "lists-everybody": ({"*.bad.test": {"A": "127.0.0.2"}},
                        "lists 127.0.0.1"),
    "lists-everybody-good": ({"*.bad.test": {"A": "127.0.0.3"}},
                             "lists 127.0.0.1"),
    "parked": ({"*.bad.test": {"A": "198.51.100.1"}},
               "answers 198.51.100.1"),
    "blocks-us": ({"*.bad.test": {"A": "127.255.255.254"}},
                  "answers 127.255.255.254"),
    "lists-ipv6": ({**a_list("bad.test", BAD),
                    name_of("::ffff:127.0.0.1", "bad.test"):
                    {"A": "127.0.0.2"}}, "lists 127.0.0.1"),
}


@pytest.mark.parametrize("case", NONSENSE)
@pytest.mark.parametrize("kind", ["dnsbl", "dnswl"])
def test_nonsense_is_ignored_with_an_alarm(lists, scripted_dns, case, kind):
    zone, reason = NONSENSE[case]
    server = scripted_dns({**zone, **a_list("good.test", BAD)})
    asked = lists(server, f"{kind} bad.test", "dnsbl good.test 1")
    results = asked.ask(BAD, GOOD, "2001:db8::1")
    assert {a: r.score for a, r in results.items()} == {
        BAD: 1, GOOD: 0, "2001:db8::1": 0}
    assert asked.log_text().count("list ignored") == 1
    assert f'what=bad.test reason="{reason}"' in asked.log_text()
    assert [r.score for r in asked.alone(BAD, GOOD)] == [1, 0]


def test_nonsense_later(lists, scripted_dns):
    """A list that begins to refuse us is not believed from then on."""
    server = scripted_dns(a_list("bl.test", BAD))
    asked = lists(server, "dnsbl bl.test")
    assert asked.ask(BAD).score == 3
    server.add(name_of(GOOD, "bl.test"), A="127.255.255.255")
    assert asked.ask(GOOD).score == 0
    assert asked.ask(BAD).score == 0  # also what it has said before
    server.forget()
    assert asked.ask("192.0.2.8").score == 0
    assert server.count() == 0  # nor is it asked
    assert asked.log_text().count("list ignored") == 1


def test_an_answer_that_is_none(lists, scripted_dns):
    """127.0.0.1 is no listing, whatever else it is."""
    server = scripted_dns({**a_list("bl.test", BAD, answer="127.0.0.1"),
                           name_of(GOOD, "bl.test"):
                           {"A": ["127.0.0.1", "127.0.0.9"]}})
    asked = lists(server, "dnsbl bl.test =127.0.0.*")
    assert asked.ask(BAD).score == 0
    assert asked.ask(GOOD).score == 3


def test_a_list_without_its_test_entry(lists, scripted_dns):
    """It is used, for it does no harm, but somebody should look at it."""
    server = scripted_dns({"bl.test": {}, name_of(BAD, "bl.test"):
                           {"A": "127.0.0.2"}})
    asked = lists(server, "dnsbl bl.test")
    assert asked.ask(BAD).score == 3
    assert "list empty what=bl.test" in asked.log_text()


def huge(query):
    """Some 60,000 octets in a packet."""
    return query.reply(*[record(b"\xc0\x0c", "A", bytes([127, 0, 3, i % 256]))
                         for i in range(3500)])


def huge_text(query):
    return query.reply(record(b"\xc0\x0c", "TXT", encode_data(
        "TXT", b"\x1b[31m\r\n" * 7000)))


@pytest.mark.parametrize("how", [
    WRONG_ID, WRONG_QUESTION, GARBAGE, CUT_SHORT, POINTER_LOOP, TRUNCATED,
    SERVFAIL, REFUSED])
def test_hostile_answers(lists, scripted_dns, how):
    """They count for nothing, and the next list is heard all the same."""
    server = scripted_dns({**a_list("bad.test"), **a_list("good.test", BAD),
                           name_of(BAD, "bad.test"): how})
    asked = lists(server, "dnsbl bad.test", "dnsbl good.test 1",
                  "list-timeout 1s")
    result = asked.ask(BAD)
    assert result.score == 1
    assert result.ms < 1900
    if how not in (WRONG_ID, WRONG_QUESTION):  # the right one may yet come
        assert result.ms < 900


def test_huge_answers(lists, scripted_dns):
    server = scripted_dns({**a_list("bl.test"), name_of(BAD, "bl.test"):
                           {"A": huge, "TXT": huge_text}})
    result = lists(server, "dnsbl bl.test").ask(BAD)
    assert result.score == 3 and result.ms < 900
    assert result.text.startswith("listed by bl.test: ?[31m??")
    assert len(result.text) <= 400


# -- lists that are not there --

def test_a_silent_list_costs_the_deadline_and_then_nothing(
        lists, scripted_dns):
    server = scripted_dns({"*.dead.test": TIMEOUT, "dead.test": TIMEOUT,
                           **a_list("good.test", BAD)})
    asked = lists(server, "dnsbl dead.test", "dnsbl good.test 2",
                  "list-timeout 1s")
    first = asked.ask("10.0.0.1", "10.0.0.2", "10.0.0.3", BAD)
    assert all(r.ms < 1900 for r in first.values())
    assert first[BAD].score == 2 and first[BAD].ms > 800
    server.forget()
    again = asked.ask("10.0.0.4", "10.0.0.5")
    assert all(r.ms < 700 for r in again.values()), again
    assert all(q.name.endswith(".good.test") for q in server.queries)
    assert asked.log_text().count("list silent") == 1


def test_text_that_does_not_come(lists, scripted_dns):
    """The reply does without it."""
    server = scripted_dns({**a_list("bl.test"), name_of(BAD, "bl.test"):
                           {"A": "127.0.0.2", "TXT": TIMEOUT}})
    result = lists(server, "dnsbl bl.test", "list-timeout 1s").ask(BAD)
    assert result.text == "listed by bl.test" and result.ms < 1900


def test_questions_are_repeated(lists, scripted_dns):
    """A packet is lost now and then."""
    lost = []

    def lossy(query):
        if len(lost) < 2:
            return lost.append(query.packet[:2])
        return query.reply(record(b"\xc0\x0c", "A", b"\x7f\0\0\2"))
    server = scripted_dns({**a_list("bl.test"),
                           name_of(BAD, "bl.test"): {"A": lossy}})
    result = lists(server, "dnsbl bl.test").ask(BAD)
    assert result.score == 3 and len(lost) == 2 and result.ms > 1900


def test_other_servers(lists, scripted_dns):
    """Where one is down, silent or knows nothing there is the next one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        for first in (f"127.0.0.1:{free_port()}",
                      f"127.0.0.1:{silent.getsockname()[1]}",
                      scripted_dns({"*.test": SERVFAIL}).address):
            server = scripted_dns(a_list("bl.test", BAD))
            asked = lists([first, server], "dnsbl bl.test")
            assert asked.ask(BAD).score == 3
            assert asked.ask(GOOD).ms < 700  # the good one is first now


def test_no_server_at_all(lists):
    asked = lists(f"127.0.0.1:{free_port()}", "dnsbl bl.test")
    result = asked.ask(BAD)
    assert result.score == 0 and result.ms < 900


# -- answers of others --

def test_answers_must_be_asked_for(lists):
    """Who does not see the question does not know from where it was asked, nor
    its number; and a port is not used for ever."""
    seen = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        server.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))

        def serve():
            while True:
                try:
                    packet, peer = server.recvfrom(4096)
                except OSError:
                    return
                seen.append((packet[:2], peer[1]))
                listed = packet[:2] + struct.pack(
                    "!5H", 0x8580, 1, 1, 0, 0) + packet[12:] + (
                    b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\2")
                other.sendto(listed, peer)  # right but for who says it
                wrong = bytes([packet[0] ^ 1]) + listed[1:]
                server.sendto(wrong, peer)
                server.sendto(packet[:2] + struct.pack(
                    "!5H", 0x8583, 1, 0, 0, 0) + packet[12:], peer)
        threading.Thread(target=serve, daemon=True).start()
        asked = lists(f"127.0.0.1:{server.getsockname()[1]}",
                      "dnsbl bl.test")
        addresses = [f"10.0.{i // 256}.{i % 256}" for i in range(2000)]
        assert all(r.score == 0 for r in asked.ask(*addresses).values())
    assert len({ident for ident, _ in seen}) > 0.9 * len(seen)
    ports = [port for _, port in seen]
    assert len(set(ports)) >= 8
    assert max(ports.count(p) for p in set(ports)) < len(ports) / 4


# -- the whole house --

TEXT = b"From: x@elsewhere.test\r\nSubject: x\r\n\r\nhello\r\n"


def attempt(suite, address, port=None):
    """(code, text) of RCPT, or of the end of the message."""
    client = smtplib.SMTP(local_hostname="client.example", timeout=SECONDS,
                          source_address=(address, 0))
    client.connect(suite.addresses["smtp"], port or suite.ports["smtp"])
    try:
        client.sendmail("x@elsewhere.test", [ANN], TEXT)
        return 250, ""
    except smtplib.SMTPRecipientsRefused as refused:
        code, text = refused.recipients[ANN]
        return code, text.decode()
    finally:
        client.close()


@pytest.fixture
def house(make_suite, scripted_dns):  # noqa: F811
    def make(*lines, **zone):
        server = scripted_dns({
            **a_list("bl.test", "127.1.1.1", "127.6.6.6",
                     text="\x1b[2Jsee http://bl.test/"),
            **a_list("soft.test", "127.1.1.1", "127.2.2.2", "127.3.3.3"),
            **a_list("wl.test", "127.3.3.3"),
            "elsewhere.test": {}, "mail.example.test": {"A": "127.0.0.1"},
            **zone.get("zone", {})})
        suite = make_suite(
            extra=["dnsbl bl.test", "dnsbl soft.test 2", "dnswl wl.test -2",
                   "trust-client 127.6.6.6", "list-timeout 1s", "junk folder",
                   *lines],
            dns_server=server.address, users=[ANN],
            **zone.get("options", {}))
        suite.server = server
        return suite.start()
    return make


def test_a21_what_the_gate_does_with_lists(house):
    suite = house()
    code, text = attempt(suite, "127.1.1.1")
    assert code == 550 and text == (
        "5.7.1 listed by bl.test, soft.test: ?[2Jsee http://bl.test/")
    line = suite.wait_log("refused")
    assert line["client"] == "127.1.1.1" and line["to"] == f"<{ANN}>"
    assert line["lists"] == "bl.test=3,soft.test=2"
    assert line["from"] == "<x@elsewhere.test>"
    for address, junk, listed in (
            ("127.2.2.2", "lists", "soft.test=2"),
            ("127.3.3.3", None, "soft.test=2,wl.test=-2"),
            ("127.6.6.6", None, None), ("127.7.7.7", None, None)):
        assert attempt(suite, address)[0] == 250
        line = suite.wait_log(lambda l: "accepted" in l.text and
                              f"client={address} " in l.text)
        assert (line.get("junk"), line.get("lists")) == (junk, listed)
    junk = suite.wait_log(lambda l: "delivered" in l.text and
                          l.get("folder") == "Junk")
    assert junk
    assert suite.server.count(name_of("127.6.6.6", "bl.test")) == 0


def test_dead_lists_cost_the_deadline_and_no_message(house):
    suite = house(zone={"*.bl.test": TIMEOUT, "bl.test": TIMEOUT,
                        name_of("127.0.0.2", "bl.test"): TIMEOUT})
    assert attempt(suite, "127.7.7.7")[0] == 250
    began = time.monotonic()
    for i in range(5):
        assert attempt(suite, f"127.8.8.{i}")[0] == 250
    assert time.monotonic() - began < 5
    assert attempt(suite, "127.2.2.2")[0] == 250
    assert suite.wait_log("list silent")["what"] == "bl.test"
    assert suite.wait_log(lambda l: l.get("lists") == "soft.test=2")


def test_lists_without_the_gate(house, tool):
    """smtpd -i asks by itself, in its sandbox."""
    suite = house(options={"listen": ["submission"]})
    suite.addresses["smtp"] = "127.0.0.1"
    with Tcpserver(tool("tcpserver"), suite, "smtpd", "-lsmtp") as server:
        code, text = attempt(suite, "127.1.1.1", server.port)
        assert code == 550 and text.startswith(
            "5.7.1 listed by bl.test, soft.test: ")
        assert attempt(suite, "127.2.2.2", server.port)[0] == 250
        assert attempt(suite, "127.7.7.7", server.port)[0] == 250


@pytest.mark.parametrize("judged", ["yes", "no"])
def test_junk_is_marked(house, judged):
    suite = house(f"mail-auth {judged}")
    assert attempt(suite, "127.2.2.2")[0] == 250
    suite.wait_log("delivered")
    path, = [os.path.join(folder, name) for folder, _, names in os.walk(
        suite.maildir(ANN)) for name in names if "new" in folder]
    assert ".Junk" in path
    with open(path, "rb") as f:
        assert (b"X-Spam-Flag: YES\nX-Spam-Status: Yes, reason=lists\n" in
                f.read())
