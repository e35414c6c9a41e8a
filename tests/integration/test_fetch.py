# SPDX-License-Identifier: ISC
"""fetch by itself: servers that misbehave, owners that are played here."""
import contextlib
import json
import os
import select
import socket
import subprocess
import time

import pytest

from dnsserver import dns  # noqa: F401
from httpsserver import HttpsServer, reply
from internal import Peer, Service, account_of, children, status_of
from pki import Authority
from suite import SECONDS, build_folder, has, sanitized

pytestmark = pytest.mark.skipif(not has("CURL"),
                                reason="built without libcurl")
POLICY = (b"version: STSv1\nmode: enforce\nmx: mx1.example.net\n"
          b"mx: *.example.net\nmax_age: 604800\n")
HOST = "mta-sts.example.net"
PATH = "/.well-known/mta-sts.txt"
URL = f"https://{HOST}{PATH}"


class Fetch(Service):
    """fetch, with this test as its owners: .ledger() and .userdb() are
    connections of workers that are ready."""

    def __init__(self, dns, ca, port, extra=(), trust=None, **more):
        self.unused = socket.create_server(("127.0.0.1", 0))
        super().__init__(
            "fetch", [("unused", self.unused)],
            extra=[f"dns-server {dns.address}", f"https-port {port}",
                   f"tls-trust {trust or ca.path}", *extra], **more)
        if self.root:
            account_of("postrider-fetch")
        self.owners = {name: self.own_socket(name)
                       for name in ("ledger", "userdb")}
        self.peers = []

    def own_socket(self, name):
        path = os.path.join(self.own, name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.bind(path)
        os.chmod(path, 0o666)
        s.listen(20)
        s.settimeout(SECONDS)
        return s

    def peer(self, name):
        peer = Peer(self.owners[name].accept()[0])
        self.peers.append(peer)
        assert peer.receive().verb == "ready"
        return peer

    def ledger(self):
        return self.peer("ledger")

    def userdb(self):
        return self.peer("userdb")

    def close(self):
        super().close()
        for peer in [*self.owners.values(), *self.peers]:
            peer.close()
        self.unused.close()


def get(peer, url=URL, serial=5, most=65536):
    peer.send("get", serial=serial, kind="sts", url=url, max=most)
    answer = peer.receive()
    assert answer.verb == "policy" and answer["serial"] == str(serial)
    assert peer.receive().verb == "ready"
    return answer


@pytest.fixture
def ca(tmp_path):
    os.chmod(tmp_path, 0o755)
    for above in list(tmp_path.parents)[:2]:
        os.chmod(above, 0o755)  # "nobody" reads it, where we are root
    return Authority(str(tmp_path))


@pytest.fixture
def server(ca):
    with HttpsServer(*ca.issue(HOST)) as server:
        server.replies[PATH] = reply(POLICY)
        yield server


@pytest.fixture
def resolver(dns):  # noqa: F811
    return dns.add_zone(
        "example.net", "mta-sts A 127.0.0.1\nkeys A 127.0.0.1\n"
        "six AAAA ::1\nboth A 127.0.0.2\nboth AAAA ::1\n").add_zone(
            "test").start()


@pytest.fixture
def fetch(resolver, ca, server):
    with Fetch(resolver, ca, server.port) as service:
        yield service


# -- policies --

@pytest.mark.parametrize("root", [True, False])
def test_a_policy(resolver, ca, server, root):
    if root and os.geteuid() != 0:
        pytest.skip("needs root")
    with Fetch(resolver, ca, server.port, root=root) as fetch:
        answer = get(fetch.ledger())
        assert answer.attributes == [
            ("serial", "5"), ("result", "ok"), ("mode", "enforce"),
            ("max-age", "604800"), ("mx", "mx1.example.net"),
            ("mx", "*.example.net")]
        # The name stays the domain's, whatever port it is at.
        assert server.requests == [(f"GET {PATH} HTTP/1.1", HOST)]
        assert fetch.stop() == 0


def refused(fetch, server, answer, reason):
    server.replies[PATH] = answer
    got = get(fetch.ledger())
    assert got["result"] == "failed", got
    assert reason in got["reason"], got["reason"]
    return got


def redirect(status):
    return reply(POLICY, status=f"{status} Elsewhere",
                 headers=["Location: https://mta-sts.example.net/other"])


def chunked(s, _):
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain;charset=utf-8\r\n"
              b"Transfer-Encoding: chunked\r\n\r\n")
    for i in range(0, len(POLICY), 7):
        part = POLICY[i:i + 7]
        s.sendall(b"%x\r\n%s\r\n" % (len(part), part))
    s.sendall(b"0\r\n\r\n")


def until_close(s, _):
    s.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + POLICY)
    s.unwrap()


@pytest.mark.parametrize("answer", [
    chunked, until_close, reply(POLICY.replace(b"\n", b"\r\n")),
    reply(POLICY, "TEXT/PLAIN; charset=us-ascii"),
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + reply(POLICY)],
    ids=["chunked", "until-close", "crlf", "charset", "early"])
def test_odd_but_right(fetch, server, answer):
    server.replies[PATH] = answer
    assert get(fetch.ledger())["result"] == "ok"


@pytest.mark.parametrize("answer,reason", [
    *((redirect(n), "redirect") for n in (301, 302, 303, 307, 308)),
    (reply(POLICY, "text/html"), "content type text/html"),
    (reply(POLICY, "text/plainish"), "content type"),
    (reply(POLICY, None), "content type unknown"),
    (reply(POLICY, status="404 Not Found"), "status 404"),
    (reply(POLICY, status="500 Oops"), "status 500"),
    (reply(POLICY, status="206 Partial"), "status 206"),
    (reply(b""), "no version"),
    (reply(b"<html></html>"), "a line without a field"),
    (reply(POLICY.replace(b"STSv1", b"STSv2")), "another version"),
    (reply(POLICY + b"mx: b\0d.test\n"), "bad mx"),
    (reply(POLICY + b"x: y\n" * 20000), "too big"),
    (b"nonsense\r\n\r\n", ""),
    (b"", ""),
    (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
     b"Content-Length: 1000\r\n\r\n" + POLICY, ""),
    (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
     b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + POLICY, ""),
    (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 2000000, ""),
], ids=range(21))
def test_refused_answers(fetch, server, answer, reason):
    refused(fetch, server, answer, reason)
    # The worker goes on.
    server.replies[PATH] = reply(POLICY)
    assert get(fetch.peers[-1])["result"] == "ok"


def endless(s, closing):
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
              b"Transfer-Encoding: chunked\r\n\r\n")
    while not closing.is_set():
        s.sendall(b"400\r\n" + b"x: y\n" * 204 + b"z: a\r\n")


def test_an_endless_body_is_cut(fetch, server):
    refused(fetch, server, endless, "too big")


def hang(_, closing):
    closing.wait(60)


def drip(s, closing):
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while not closing.wait(0.3):
        s.sendall(b"x")


def test_slow_servers_are_left(fetch, server):
    """After 20 seconds, whatever trickles in, and sooner where there is not
    even a handshake; other workers serve meanwhile."""
    server.replies["/hang"], server.replies["/drip"] = hang, drip
    slow = [fetch.ledger(), fetch.ledger()]
    begin = time.monotonic()
    for peer, path in zip(slow, ("/hang", "/drip")):
        peer.send("get", serial=1, kind="sts", url=f"https://{HOST}{path}",
                  max=65536)
    server.wait(2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow.append(fetch.ledger())
        slow[2].send(
            "get", serial=1, kind="sts",
            url=f"https://{HOST}:{silent.getsockname()[1]}/", max=65536)
        assert get(fetch.ledger())["result"] == "ok"
        assert time.monotonic() - begin < 8
        for peer in slow:
            peer.socket.settimeout(40)
            assert peer.receive()["result"] == "failed"
            assert 8 < time.monotonic() - begin < 30


# -- certificates --

@pytest.mark.parametrize("names,more,reason", [
    (["example.net"], {}, "subject name"),
    (["*.mta-sts.example.net"], {}, "subject name"),
    ([HOST], {"begin": -100, "days": 50}, "expired"),
    ([HOST], {"begin": 10}, "not yet valid"),
])
def test_wrong_certificates(resolver, ca, names, more, reason):
    with HttpsServer(*ca.issue(*names, **more)) as server, \
            Fetch(resolver, ca, server.port) as fetch:
        server.replies[PATH] = reply(POLICY)
        got = get(fetch.ledger())
        assert got["result"] == "failed" and reason in got["reason"], got
        assert server.requests == []


def test_a_wildcard_certificate(resolver, ca):
    with HttpsServer(*ca.issue("*.example.net")) as server, \
            Fetch(resolver, ca, server.port) as fetch:
        server.replies[PATH] = reply(POLICY)
        assert get(fetch.ledger())["result"] == "ok"


def test_another_authority(resolver, ca, server, tmp_path):
    """The system's own, too, are not asked where tls-trust is given."""
    folder = tmp_path / "other"
    folder.mkdir()
    other = Authority(str(folder), "Another")
    with Fetch(resolver, ca, server.port, trust=other.path) as fetch:
        assert get(fetch.ledger())["result"] == "failed"
        assert server.requests == []
    # A folder of them, and the file twice in it.
    os.symlink(ca.path, folder / "12345678.0")
    os.link(ca.path, folder / "same.pem")
    (folder / "README").write_text("no certificate\n")
    with Fetch(resolver, ca, server.port, trust=str(folder)) as fetch:
        assert get(fetch.ledger())["result"] == "ok"


@pytest.mark.parametrize("trust", ["/nonexistent", "/etc/hostname"])
def test_nothing_to_trust(resolver, ca, server, trust):
    with Fetch(resolver, ca, server.port, trust=trust) as fetch:
        got = get(fetch.ledger())
        assert got["result"] == "failed"
        assert "no authority is trusted" in got["reason"]
        assert server.requests == []
        assert "no trust reason=" in fetch.log()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls(resolver, ca, server):
    import ssl
    server.context.set_ciphers("DEFAULT@SECLEVEL=0")
    server.context.minimum_version = ssl.TLSVersion.TLSv1
    server.context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Fetch(resolver, ca, server.port) as fetch:
        assert get(fetch.ledger())["result"] == "failed"


# -- names --

def test_names(fetch, server):
    peer = fetch.ledger()
    for url, reason in (
            (f"https://nowhere.example.net{PATH}", "nowhere.example.net: "),
            (f"https://refused.invalid{PATH}", "refused.invalid: "),
            (f"http://{HOST}{PATH}", "not https"),
            ("file:///etc/passwd", "not "),
            (f"https://user:secret@{HOST}{PATH}", "a user in the URL"),
            ("https://", "not a URL"),
            ("gopher://x/", "not ")):
        got = get(peer, url)
        assert got["result"] == "failed", url
        assert reason in got["reason"], (url, got["reason"])
    assert server.requests == []


def test_ipv6(resolver, ca):
    chain, key = ca.issue("six.example.net", "both.example.net")
    with HttpsServer(chain, key, "::1") as server, \
            Fetch(resolver, ca, server.port) as fetch:
        server.replies["/"] = reply(POLICY)
        peer = fetch.ledger()
        assert get(peer, "https://six.example.net/")["result"] == "ok"
        assert get(peer, "https://both.example.net/")["result"] == "ok"
    with HttpsServer(chain, key, "::1") as server, \
            Fetch(resolver, ca, server.port,
                  extra=["address-family ipv4"]) as fetch:
        got = get(fetch.ledger(), "https://six.example.net/")
        assert got["result"] == "failed"


def test_no_proxy(resolver, ca, server, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with Fetch(resolver, ca, server.port) as fetch:
        assert get(fetch.ledger())["result"] == "ok"


# -- documents for userdb --

def test_a_document(fetch, server, ca):
    body = b'{"keys":[]}'
    with HttpsServer(*ca.issue("keys.example.net")) as other:
        other.replies["/jwks"] = reply(
            body, "application/json",
            headers=["cache-control: public, Max-Age=300, x"])
        url = f"https://keys.example.net:{other.port}/jwks"
        peer = fetch.userdb()
        peer.send("get", serial=3, url=url, max=100)
        answer = peer.receive()
        assert answer.verb == "got" and answer["result"] == "ok", answer
        assert answer["max-age"] == "300" and len(answer.fds) == 1
        with open(answer.fds[0], "rb") as f:
            assert os.fstat(f.fileno()).st_nlink == 0
            f.seek(0)
            assert f.read() == body
            with pytest.raises(OSError):
                os.write(f.fileno(), b"x")
        assert peer.receive().verb == "ready"
        peer.send("get", serial=4, url=url, max=len(body) - 1)
        answer = peer.receive()
        assert answer["result"] == "failed" and not answer.fds
        assert answer["reason"] == "too big"


# -- owners --

@pytest.mark.parametrize("octets", [
    b"\0", b"get\0", b"nonsense\0", b"\xff" * 100,
    b"get\0serial\0x\0kind\0sts\0url\0x\0max\x001\0",
    b"get\0serial\x001\0kind\0what\0url\0x\0max\x001\0",
    b"get\0serial\x001\0kind\0sts\0url\0" + b"u" * 9000 + b"\0max\x001\0"],
    ids=range(7))
def test_garbage_costs_that_connection(fetch, octets):
    peer, userdb = fetch.ledger(), fetch.userdb()
    peer.send_octets(octets)
    assert peer.receive() is None
    assert get(fetch.ledger())["result"] == "ok"
    assert not select.select([userdb.socket], [], [], 0)[0]


def test_owners_come_and_go(resolver, ca, server):
    """It waits for them, and finds them again."""
    fetch = Fetch(resolver, ca, server.port)
    ledger = fetch.owners.pop("ledger")
    ledger.close()
    os.unlink(os.path.join(fetch.own, "ledger"))
    with fetch:
        fetch.userdb()
        fetch.owners["ledger"] = fetch.own_socket("ledger")
        peer = fetch.ledger()
        assert get(peer)["result"] == "ok"
        peer.close()
        assert get(fetch.ledger())["result"] == "ok"


@pytest.mark.skipif(sanitized(), reason="sanitizers have memory of their own")
def test_memory_is_bounded(fetch):
    fetch.ledger()
    fetch.ledger()  # both have shut themselves in
    workers = children(fetch.process.pid)
    assert len(workers) == 2
    for pid in workers:
        with open(f"/proc/{pid}/limits") as f:
            [line] = [l for l in f if l.startswith("Max address space")]
        assert int(line.split()[3]) <= 256 << 20
        assert int(status_of(pid)["VmRSS"].split()[0]) < 40 << 10


# -- published vectors --

def test_vectors(shared):
    path = os.path.join(shared, "suites", "mtasts", "mox", "policy.jsonl")
    if not os.path.exists(path):
        pytest.skip("no vectors")
    tool = os.path.join(build_folder(), "tests", "tools", "read-policy")
    count = 0
    with open(path) as f:
        for row in map(json.loads, f):
            for text in row["strings"]:
                done = subprocess.run([tool], input=text.encode(),
                                      capture_output=True, check=False)
                assert done.returncode == (row["kind"] != "good"), (
                    text, done.stdout)
                count += 1
    assert count >= 20
