# SPDX-License-Identifier: ISC
"""Behind a proxy: the PROXY protocol, versions 1 and 2, from HAProxy and from
those who only pretend.  proxy-from is 127.0.0.2; clients come from addresses
of 127.0.0.0/8, or from none that a socket could have."""
import base64
import contextlib
import poplib
import select
import smtplib
import socket
import ssl
import struct

import pytest

from peers import Peer
from suite import KINDS, SECONDS, Suite, free_port
from test_inetd import Tcpserver
from watch import now

ANN, BOB = "ann@example.test", "bob@example.test"
PROXY, CLIENT, OTHER = "127.0.0.2", "127.0.0.77", "127.0.0.3"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
MESSAGE = "From: x@elsewhere.test\r\nSubject: proxied\r\n\r\nhello\r\n"
IN_THE_CLEAR = ("smtp", "submission", "pop3")
UNDER_TLS = ("submissions", "pop3s")


def v1(client, port=40000):
    family = "TCP6" if ":" in client else "TCP4"
    server = "2001:db8::25" if ":" in client else "192.0.2.25"
    return f"PROXY {family} {client} {server} {port} 25\r\n".encode()


def v2(client, tlvs=b"", command=0x21):
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    address = socket.inet_pton(family, client)
    block = address + address + struct.pack(">HH", 40000, 25) + tlvs
    kind = 0x21 if ":" in client else 0x11
    return SIGNATURE + struct.pack(">BBH", command, kind, len(block)) + block


TLVS = (b"\x01\0\x04smtp" b"\x02\0\x0cmail.example" b"\x04\x02\0" + b"\0" * 512
        + b"\x20\0\x05\1\0\0\0\0")


@pytest.fixture(scope="module")
def suite():
    with Suite(tls=True, users=[ANN, BOB],
               extra=[f"proxy-from {PROXY}"]) as made:
        yield made


def connect(suite, kind, source=PROXY, octets=b""):
    s = socket.create_connection((suite.addresses[kind], suite.ports[kind]),
                                 SECONDS, source_address=(source, 0))
    s.sendall(octets)
    return s


def line(s):
    """Up to LF, and nothing of what follows; b"" at the end."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while not got.endswith(b"\n") and (octet := s.recv(1)):
            got += octet
    return got


def dialogue(s, *commands):
    """The last line of each reply."""
    replies = []
    for command in commands:
        s.sendall(command.encode() + b"\r\n")
        got = line(s)
        while got[3:4] == b"-":
            got = line(s)
        replies.append(got.decode().strip())
    return replies


def greets(kind):
    return b"+OK " if kind.startswith("pop3") else b"220 "


def under_tls(suite, s, first=b""):
    """TLS whose first octets leave together with what stands before them."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = suite.tls_context().wrap_bio(incoming, outgoing,
                                       server_hostname="localhost")

    def do(action):
        nonlocal first
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                result = action()
                s.sendall(outgoing.read())
                return result
            s.sendall(first + outgoing.read())
            first = b""
            got = s.recv(65536)
            assert got, "closed"
            incoming.write(got)
    do(tls.do_handshake)
    return do(lambda: tls.read(4096))


class Refusals:
    """The suite's log lines about a proxy's connections, from now on."""

    def __init__(self, suite):
        self.suite = suite
        self.before = len(self.lines())

    def lines(self):
        return [l for l in self.suite.log_lines() if " refused " in l.text
                and l.get("client") == PROXY]

    def wait(self, reason=""):
        self.suite.wait_log(lambda _: len(self.lines()) > self.before)
        assert reason in self.lines()[-1]["reason"]


# -- HAProxy --

class HAProxy(Peer):
    """In front of all of a suite's ports."""

    checks = {
        "smtp": "option smtpchk EHLO haproxy.test",
        "submission": "option smtpchk EHLO haproxy.test",
        "submissions": "",
        "pop3": "option tcp-check\n  tcp-check expect rstring ^\\+OK",
        "pop3s": "option tcp-check\n  tcp-check connect ssl send-proxy\n"
                 "  tcp-check expect rstring ^\\+OK",
    }

    def __init__(self, haproxy, suite, send, check=False):
        super().__init__()
        self.ports = {}
        lines = ["global", f"stats socket {self.path('stats')}", "defaults",
                 "mode tcp"]
        lines += [f"timeout {what} {SECONDS:.0f}s"
                  for what in ("connect", "client", "server", "check")]
        for kind in KINDS:
            self.ports[kind] = free_port()
            lines += [f"listen {kind}", f"bind 127.0.0.1:{self.ports[kind]}",
                      f"source {PROXY}"]
            if check:
                lines += [self.checks[kind]]
            lines += [f"server postrider 127.0.0.1:{suite.ports[kind]} {send}"
                      + (" check inter 300 verify none" if check else "")]
        self.write("haproxy.cfg", "\n".join(lines) + "\n")
        self.spawn([haproxy, "-db", "-f", self.path("haproxy.cfg")])
        self.ready(lambda: self.wait_listening("127.0.0.1",
                                               self.ports["pop3s"]))

    def connect(self, kind):
        return socket.create_connection(
            ("127.0.0.1", self.ports[kind]), SECONDS,
            source_address=(CLIENT, 0))

    def states(self):
        """What became of the checks: kind to (status, check_status)."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.path("stats"))
            s.sendall(b"show stat\n")
            rows = s.makefile().read().lstrip("# ").split("\n")
        names = rows[0].split(",")
        dicts = [dict(zip(names, row.split(","))) for row in rows[1:] if row]
        return {d["pxname"]: (d["status"], d["check_status"]) for d in dicts
                if d["svname"] == "postrider"}


class Smtp(smtplib.SMTP):
    """Over a connection that stands already."""

    def __init__(self, connection):
        self._connection = connection
        super().__init__("localhost", 25, "client.test", timeout=SECONDS)

    def _get_socket(self, host, port, timeout):
        return self._connection


class Pop3(poplib.POP3):
    def __init__(self, connection):
        self._connection = connection
        super().__init__("localhost", timeout=SECONDS)

    def _create_socket(self, timeout):
        return self._connection


SENDS = {"v1": "send-proxy", "v2": "send-proxy-v2",
         "tlvs": "send-proxy-v2-ssl-cn proxy-v2-options crc32c,unique-id"}


@pytest.mark.parametrize("send", SENDS)
def test_haproxy(suite, tool, send):
    """Mail in and out through it; everything knows the client."""
    password = suite.passwords[ANN]
    began = len(suite.log_text())
    with HAProxy(tool("haproxy"), suite, SENDS[send]) as proxy:
        def tls(s):
            return suite.tls_context().wrap_socket(
                s, server_hostname="localhost")
        before = len(suite.messages(BOB))
        with Smtp(proxy.connect("smtp")) as smtp:
            smtp.sendmail("x@elsewhere.test", [BOB], MESSAGE)
        with Smtp(proxy.connect("submission")) as smtp:
            smtp.starttls(context=suite.tls_context())
            smtp.login(ANN, password)
            smtp.sendmail(ANN, [BOB], MESSAGE.replace(
                "x@elsewhere.test", ANN))
        with Smtp(tls(proxy.connect("submissions"))) as smtp:
            smtp.login(ANN, password)
        suite.wait_maildir(BOB, before + 2)
        pop3 = Pop3(proxy.connect("pop3"))
        pop3.stls(context=suite.tls_context())
        pop3.user(BOB)
        pop3.pass_(suite.passwords[BOB])
        assert pop3.stat()[0] == before + 2
        pop3.quit()
        pop3 = Pop3(tls(proxy.connect("pop3s")))
        pop3.user(BOB)
        pop3.pass_(suite.passwords[BOB])
        pop3.quit()
        suite.wait_log(lambda l: "session ended" in l.text
                       and l.get("auth") == BOB)
    lines = [l for l in suite.log_lines() if l.text in
             suite.log_text()[began:] and "client" in l]
    for event in (" accepted ", " session ended ", " login "):
        clients = {l["client"] for l in lines if event in l.text}
        assert CLIENT in clients and PROXY not in clients
    with open(suite.messages(BOB)[-1]) as f:
        assert PROXY not in f.read()


@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2"])
def test_health_checks(suite, tool, send):
    """HAProxy sees that each service lives, before a greeting delay would be
    over, and its looking costs no lines in the log."""
    began = len(suite.log_lines())
    with HAProxy(tool("haproxy"), suite, send, check=True) as proxy:
        deadline, states = now() + SECONDS, {}
        while not states or not all(
                state.startswith("UP") and check in ("L7OK", "L6OK", "L4OK")
                for state, check in states.values()):
            assert now() < deadline, (states, suite.log_text()[-2000:])
            select.select([], [], [], 0.05)
            states = proxy.states()
    assert set(states) == set(KINDS)
    assert not [l.text for l in suite.log_lines()[began:]
                if "refused" in l.text or "session lost" in l.text]


# -- who may send one --

@pytest.mark.parametrize("header", [v1("192.0.2.9"), v2("192.0.2.9")],
                         ids=["v1", "v2"])
@pytest.mark.parametrize("kind", KINDS)
def test_forged(suite, kind, header):
    """From an address that is not listed it is but talk."""
    before = suite.log_lines()
    with connect(suite, kind, OTHER, header) as s:
        got = line(s)
        if kind in ("smtp", "submission"):
            # There is no delay: it may come behind the greeting.
            if got.startswith(b"220 "):
                got = line(s)
            assert got.startswith(b"5")
            # So that there is a line in the log of it.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                dialogue(s, "EHLO x", "MAIL FROM:<nobody")
        elif kind == "pop3":
            assert got.startswith(b"+OK")
            assert line(s).startswith(b"-ERR")
        else:
            assert not got.startswith(greets(kind))
    suite.wait_log(lambda l: l.get("client") == OTHER
                   and l.text not in [b.text for b in before])
    assert not [l.text for l in suite.log_lines()
                if l.get("client") == "192.0.2.9"]


BAD = {
    "greeting": b"EHLO client.test\r\n",
    "tls": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"x" * 64,
    "line-feed": v1("192.0.2.9").replace(b"\r", b""),
    "name": b"PROXY TCP4 mail.example 192.0.2.25 40000 25\r\n",
    "long": b"PROXY UNKNOWN " + b"x" * 100,
    "command": v2("192.0.2.9", command=0x22),
    "family": SIGNATURE + b"\x21\x41\0\0",
    "short": SIGNATURE + b"\x21\x11\0\x04\xc0\0\2\x09",
    "large": SIGNATURE + b"\x21\x11\xff\xff" + b"\xc0\0\2\x09" * 3,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BAD)
def test_malformed(suite, kind, name):
    """A proxy's connection without a header is nobody's: closed, at once,
    without a word."""
    refusals = Refusals(suite)
    with connect(suite, kind, octets=BAD[name]) as s:
        assert line(s) == b""
    refusals.wait("malformed PROXY header")


@pytest.mark.parametrize("kind", KINDS)
def test_ends_early(suite, kind):
    for header in (v1("192.0.2.9")[:-1], v2("192.0.2.9")[:20]):
        refusals = Refusals(suite)
        with connect(suite, kind, octets=header) as s:
            s.shutdown(socket.SHUT_WR)
            assert line(s) == b""
        refusals.wait("the PROXY header ends early")


def test_silence_and_dripping(suite):
    """Who sends none, or sends it slowly, is left after five seconds, and
    keeps nobody from being served in the meantime."""
    with contextlib.ExitStack() as stack:
        began = now()
        waiting = {}
        for kind in KINDS:
            for n in range(6):
                s = stack.enter_context(connect(suite, kind))
                waiting[s] = iter(v1("192.0.2.9") if n % 2 else b"")
        for kind in IN_THE_CLEAR:
            with connect(suite, kind, OTHER) as s:
                assert line(s).startswith(greets(kind))
            with connect(suite, kind, octets=v1(CLIENT)) as s:
                assert line(s).startswith(greets(kind))
        assert now() - began < 4
        while waiting:
            assert now() - began < SECONDS
            for s in select.select(list(waiting), [], [], 0.4)[0]:
                assert line(s) == b"" and now() - began > 4.5
                del waiting[s]
            for s, octets in waiting.items():
                with contextlib.suppress(BrokenPipeError,
                                         ConnectionResetError):
                    s.sendall(bytes([o for o in [next(octets, None)] if o]))
    suite.wait_log("this proxy sends no PROXY header")


# -- what stands behind a header --

@pytest.mark.parametrize("header", [v1(CLIENT), v2(CLIENT), v2(CLIENT, TLVS),
                                    v2("2001:db8::7", TLVS)],
                         ids=["v1", "v2", "tlvs", "ipv6"])
@pytest.mark.parametrize("kind", UNDER_TLS)
def test_tls_behind_the_header(suite, kind, header):
    """The client's first octets come in one piece with it."""
    with connect(suite, kind) as s:
        assert under_tls(suite, s, header).startswith(greets(kind))


@pytest.mark.parametrize("kind", ["smtp", "submission"])
def test_talk_behind_the_header(suite, kind):
    """That is talking before the greeting, and the client's own."""
    address = {"smtp": "192.0.2.31", "submission": "192.0.2.32"}[kind]
    with connect(suite, kind, octets=v1(address) + b"EHLO x\r\n") as s:
        assert line(s).startswith(b"554 ")
    told = suite.wait_log(lambda l: l.get("client") == address)
    assert told["reason"] == "you talk before the greeting"


def test_headers_in_pieces(suite):
    for header in (v1("192.0.2.41"), v2("192.0.2.41", TLVS[:20])):
        with connect(suite, "submission") as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in header:
                s.sendall(bytes([octet]))
            assert line(s).startswith(b"220 ")
            assert dialogue(s, "QUIT")[0].startswith("221 ")


OWN = {"unknown": b"PROXY UNKNOWN\r\n", "local": SIGNATURE + b"\x20\0\0\0",
       "unspecified": SIGNATURE + b"\x21\0\0\3abc",
       "local-with-address": v2("192.0.2.9", command=0x20)}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("kind", IN_THE_CLEAR)
def test_the_proxy_for_itself(suite, kind, name):
    """Served as the proxy, by its own address, which has no rights."""
    with connect(suite, kind, octets=OWN[name]) as s:
        assert line(s).startswith(greets(kind))
        if kind == "pop3":
            assert dialogue(s, "USER ann")[0].startswith("-ERR")
        else:
            hello, mail, rcpt = dialogue(
                s, "EHLO haproxy.test", "MAIL FROM:<x@elsewhere.test>",
                "RCPT TO:<x@elsewhere.test>")
            assert hello.startswith("250 ") and not rcpt.startswith("250 ")


def test_the_proxy_is_not_kept_waiting(make_suite):
    """Its checks give up sooner than the greeting's delay is over."""
    suite = make_suite(extra=[f"proxy-from {PROXY}", "greet-delay 20s"],
                       listen=["smtp"]).start()
    with connect(suite, "smtp", octets=v1(CLIENT)) as waits, connect(
            suite, "smtp", octets=OWN["local"]) as s:
        assert line(s).startswith(b"220 ")
        assert not select.select([waits], [], [], 0)[0]


# -- what is decided by the client's address --

def test_logins_in_the_clear(suite):
    """allow-plaintext-auth is about the client."""
    for client, offered in (("127.0.0.1", True), (CLIENT, False)):
        with connect(suite, "submission", octets=v2(client)) as s:
            line(s)
            s.sendall(b"EHLO x\r\n")
            lines = [line(s)]
            while lines[-1][3:4] == b"-":
                lines.append(line(s))
            assert offered == any(b"AUTH" in l for l in lines)
        with connect(suite, "pop3", octets=v1(client)) as s:
            line(s)
            assert offered == dialogue(s, "USER x")[0].startswith("+OK")


def test_nobody_relays_by_address(make_suite):
    """queue asks the kernel, which knows the proxy's address alone; smtpd
    says so at once."""
    suite = make_suite(tls=True, users=[ANN], extra=[
        f"proxy-from {PROXY}", "relay-from 127.0.0.77"]).start()
    envelope = ("EHLO x", "MAIL FROM:<ann@example.test>",
                "RCPT TO:<x@elsewhere.test>")
    with connect(suite, "smtp", CLIENT) as s:
        line(s)
        assert dialogue(s, *envelope)[-1].startswith("250 ")
    with connect(suite, "smtp", octets=v1(CLIENT)) as s:
        line(s)
        assert dialogue(s, *envelope)[-1].startswith("55")


@pytest.mark.parametrize("keyword", ["relay-from", "allow-plaintext-auth"])
def test_a_proxy_has_no_rights(make_suite, keyword):
    suite = make_suite(extra=["proxy-from 192.0.2.0/28",
                              f"{keyword} 192.0.2.0/24"])
    suite.write_config()
    done = suite.run("postrider", "check", check=False)
    assert done.returncode == 78  # EX_CONFIG
    assert f'192.0.2.0/28 is in "{keyword}", too' in done.stdout


def test_sessions_are_counted_by_client(make_suite):
    suite = make_suite(tls=True, users=[ANN], extra=[
        f"proxy-from {PROXY}", "max-client-sessions 2"]).start()
    refusals = {"submission": b"421 4.7.0 ", "pop3": b"-ERR [SYS/TEMP] "}
    for kind, refusal in refusals.items():
        with contextlib.ExitStack() as stack:
            def session(client, kind=kind, stack=stack):
                return line(stack.enter_context(
                    connect(suite, kind, octets=v1(client))))
            for client in (CLIENT, OTHER, CLIENT, OTHER, "192.0.2.1"):
                assert session(client).startswith(greets(kind))
            assert session(CLIENT).startswith(refusal)
            assert session("192.0.2.2").startswith(greets(kind))


def test_failed_logins_are_the_clients(make_suite):
    suite = make_suite(tls=True, users=[ANN], extra=[
        f"proxy-from {PROXY}", "login-failures 3", "apop yes"]).start()

    def log_in(kind, client, password):
        s = suite.tls_context().wrap_socket(
            connect(suite, kind, octets=v2(client)),
            server_hostname="localhost")
        with s:
            line(s)
            if kind == "pop3s":
                return dialogue(s, f"USER {ANN}", f"PASS {password}")[-1]
            plain = base64.b64encode(f"\0{ANN}\0{password}".encode()).decode()
            return dialogue(s, "EHLO x", f"AUTH PLAIN {plain}")[-1]
    right = suite.passwords[ANN]
    for kind in ("pop3s", "submissions", "pop3s"):
        assert log_in(kind, "192.0.2.66", "wrong")[:3] in ("-ER", "535")
    refused = suite.wait_log(
        lambda l: l.get("client") == "192.0.2.66" and "login" in l.text)
    assert refused["client"] == "192.0.2.66"
    for kind in UNDER_TLS:
        assert log_in(kind, "192.0.2.66", right)[:3] not in ("+OK", "235")
        assert log_in(kind, "192.0.2.67", right)[:3] in ("+OK", "235")


# -- inetd --

@pytest.mark.parametrize("program,options", [
    ("smtpd", ("-l", "smtp")), ("smtpd", ("-l", "submissions")),
    ("pop3d", ("-l", "pop3")), ("pop3d", ("-l", "pop3s"))])
def test_inetd(suite, tool, program, options):
    kind = options[1]
    with Tcpserver(tool("tcpserver"), suite, program, *options) as server:
        def open_(octets, source=PROXY):
            s = socket.create_connection(
                ("127.0.0.1", server.port), SECONDS,
                source_address=(source, 0))
            s.sendall(octets)
            return s
        with open_(b"" if kind in UNDER_TLS else v1(CLIENT)) as s:
            greeting = (under_tls(suite, s, v1(CLIENT))
                        if kind in UNDER_TLS else line(s))
            assert greeting.startswith(greets(kind))
            if kind == "smtp":
                dialogue(s, "EHLO x", "MAIL FROM:<>",
                         "RCPT TO:<no@example.test>", "QUIT")
        with open_(b"EHLO x\r\n") as s:
            assert line(s) == b""
        if kind in IN_THE_CLEAR:
            with open_(b"", OTHER) as s:
                assert line(s).startswith(greets(kind))
        if kind == "smtp":
            deadline = now() + SECONDS
            while f"client={CLIENT}" not in server.output():
                assert now() < deadline, server.output()
                select.select([], [], [], 0.05)
