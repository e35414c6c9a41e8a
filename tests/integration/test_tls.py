# SPDX-License-Identifier: ISC
"""TLS in smtpd and pop3d on the wire, with keys that the test plays."""
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

import pytest

from internal import Pop3House, children
from keys_fake import Keys
from pki import Authority
from smtpd_fakes import ANN, PASSWORD, Client, Smtpd, plain
from suite import SECONDS, LogLine, sanitized
from test_smtpd_faults import private_memory

NAME = "mail.example.test"
ONE = ["smtpd-processes 1", "spare-processes 1"]
STRANGER = "127.0.0.2"  # who may not log in in the clear


@pytest.fixture(scope="module")
def ca():
    folder = tempfile.mkdtemp(prefix="pr-pki-")
    yield Authority(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def pairs(ca):
    return [ca.issue(NAME), ca.issue(NAME, kind="rsa")]


@pytest.fixture(scope="module")
def smtpd(pairs):
    with Smtpd(pairs=pairs) as service:
        yield service


@pytest.fixture
def make_smtpd(pairs):
    made = []

    def make(**options):
        options.setdefault("pairs", pairs)
        made.append(Smtpd(**options).start())
        return made[-1]
    yield make
    for service in made:
        service.close()


@pytest.fixture
def context(ca):
    return ssl.create_default_context(cafile=ca.path)


def anybody(**attributes):
    """A client's context that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in attributes.items():
        setattr(context, name, value)
    return context


def secured(smtpd, context, kind="smtp", address=STRANGER, name=NAME):
    """A client behind STARTTLS, or on submissions; greeted, no EHLO yet."""
    client = Client(smtpd.ports[kind], greeting=kind != "submissions",
                    address=address)
    if kind == "submissions":
        client.wrap(context, name)
        assert client.reply() == 220
    else:
        client.ehlo()
        client.starttls(context, name)
    return client


def serial(client):
    """The number of the certificate that was shown."""
    der = client.socket.getpeercert(binary_form=True)
    done = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout",
                           "-serial"], input=der, capture_output=True,
                          check=True)
    return int(done.stdout.decode().strip().split("=")[1], 16)


def only_worker(smtpd):
    with smtpd.client():
        [pid] = children(smtpd.process.pid)
    return pid


def rest(file):
    """All that still comes, up to the end or a reset."""
    octets = b""
    try:
        while more := file.read1(65536):
            octets += more
    except (ConnectionResetError, ssl.SSLError):
        pass
    return octets


def log_line(service, wanted):
    return [LogLine(line) for line in service.log().splitlines()
            if wanted in line][-1]


# -- what is offered --

@pytest.mark.parametrize("kind", ["smtp", "submission"])
def test_starttls(smtpd, context, kind):
    with smtpd.client(kind, address=STRANGER) as c:
        before = c.ehlo()
        assert "STARTTLS" in before
        assert not any(line.startswith("AUTH") for line in before)
        c.starttls(context, NAME)
        assert c.socket.version() == "TLSv1.3"
        assert c.command("MAIL FROM:<x@elsewhere.test>") == 503
        after = c.ehlo()
        assert "STARTTLS" not in after
        assert any(line.startswith("AUTH ") for line in after) == (
            kind == "submission")
        assert c.command("STARTTLS") == 503
        assert c.command("QUIT") == 221


def test_implicit_tls(smtpd, context):
    with secured(smtpd, context, "submissions") as c:
        lines = c.ehlo()
        assert "STARTTLS" not in lines
        assert c.command("STARTTLS") == 503
        assert c.command("AUTH PLAIN " + plain(ANN, PASSWORD)) == 235


def test_no_login_in_the_clear(smtpd):
    with smtpd.client("submission", address=STRANGER) as c:
        c.ehlo()
        assert c.command("AUTH PLAIN " + plain(ANN, PASSWORD)) == 538


def test_no_login_on_port_25(smtpd, context):
    with secured(smtpd, context) as c:
        c.ehlo()
        assert c.command("AUTH PLAIN " + plain(ANN, PASSWORD)) == 503


def test_trace_and_log(smtpd, context):
    n = smtpd.queue.settled()
    with secured(smtpd, context) as c:
        c.ehlo()
        assert c.message() == 250
        cipher = c.socket.cipher()[0]
    message = smtpd.queue.wait(n + 1)[n]
    assert message["protocol"] == "ESMTPS"
    assert re.search(
        rb"\(\[127\.0\.0\.2\]\)\n\t\(using TLSv1\.3 with cipher "
        + cipher.encode() + rb" \(256/256 bits\)\)\n\tby mail\.example\.test "
        rb"\(Postrider\) with ESMTPS id ", message.outside)
    line = log_line(smtpd, message.id)
    assert line["tls"] == f"TLSv1.3:{cipher}"


def test_protocol_names(smtpd, context):
    n = smtpd.queue.settled()
    with secured(smtpd, context, "submission") as c:
        c.ehlo()
        assert c.command("AUTH PLAIN " + plain(ANN, PASSWORD)) == 235
        assert c.message(sender=ANN) == 250
        assert c.message(sender=ANN, parameters=" SMTPUTF8") == 250
    assert [m["protocol"] for m in smtpd.queue.wait(n + 2)[n:]] == [
        "ESMTPSA", "UTF8SMTPSA"]


def test_refused_message_tells_of_tls(smtpd, context):
    with secured(smtpd, context) as c:
        c.ehlo()
        c.command("MAIL FROM:<x@elsewhere.test>")
        assert c.command("RCPT TO:<tls-nobody@example.test>") == 550
    assert log_line(smtpd, "tls-nobody@")["tls"].startswith("TLSv1.3:")


# -- what is forgotten, and what was never said --

def test_session_begins_anew(smtpd, context):
    """RFC 3207 section 4.2."""
    with smtpd.client() as c:
        c.ehlo()
        c.envelope()
        c.starttls(context, NAME)
        assert c.command("RCPT TO:<ann@example.test>") == 503
        c.ehlo()
        assert c.command("RCPT TO:<ann@example.test>") == 503
        assert c.command("DATA") == 503


def test_no_tls_after_a_login(smtpd):
    with smtpd.submission() as c:
        assert c.command("STARTTLS") == 503


def test_commands_sent_ahead(smtpd):
    """A3, in one write."""
    for ahead in ("NOOP\r\n", "MAIL FROM:<a@b.test>\r\n", "x"):
        with smtpd.client() as c:
            c.ehlo()
            c.send("STARTTLS\r\n" + ahead)
            assert c.reply() == 554
            assert c.is_closed()


def test_commands_instead_of_a_handshake(smtpd):
    """A3, after the answer: nothing in the clear is obeyed or answered."""
    with smtpd.client() as c:
        c.ehlo()
        assert c.command("STARTTLS") == 220
        c.send("NOOP\r\nMAIL FROM:<a@b.test>\r\n")
        octets = rest(c.file)
        assert not re.search(rb"^[245]\d\d", octets, re.M), octets
    assert log_line(smtpd, "handshake failed")["client"] == "127.0.0.1"


@pytest.mark.parametrize("argument", ["now", "TLSv1.3"])
def test_no_argument(smtpd, argument):
    with smtpd.client() as c:
        c.ehlo()
        assert c.command(f"STARTTLS {argument}") == 501
        assert c.command("NOOP") == 250


def test_talking_before_the_greeting(make_smtpd):
    """A7, under TLS: the only worker is busy while the client talks."""
    smtpd = make_smtpd(extra=ONE)
    context = anybody()
    with Client(smtpd.ports["submissions"], greeting=False) as c:
        raw = c.socket
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))
        tls.write(b"EHLO early\r\n")
        raw.sendall(outgoing.read())  # Finished and EHLO in one write
        answer = b""
        while b"\r\n" not in answer:
            try:
                answer += tls.read(1000)
            except ssl.SSLWantReadError:
                incoming.write(raw.recv(65536))
        assert answer.startswith(b"554 5.5.0"), answer


# -- A5: TLS ends within a message --

def begin_data(smtpd, context):
    c = secured(smtpd, context)
    c.ehlo()
    c.envelope()
    assert c.command("DATA") == 354
    c.send(b"Subject: half\r\n\r\nthis far\r\n")
    return c


def end_tls(c):
    """close_notify, and the socket below stays."""
    raw = socket.socket(fileno=os.dup(c.socket.fileno()))
    raw.settimeout(SECONDS)
    c.socket.setblocking(False)
    try:
        c.socket.unwrap()
    except (ssl.SSLWantReadError, OSError):
        pass
    return raw


@pytest.mark.parametrize("how", ["close_notify", "then_more", "cut", "reset",
                                 "garbage"])
def test_teardown_within_a_message(make_smtpd, context, how):
    smtpd = make_smtpd(extra=ONE)
    worker = only_worker(smtpd)
    c = begin_data(smtpd, context)
    ahead = b"more\r\n.\r\nQUIT\r\n"
    if how in ("close_notify", "then_more"):
        raw = end_tls(c)
        if how == "then_more":
            raw.sendall(ahead)
        rest(raw.makefile("rb"))
    else:
        raw = socket.socket(fileno=os.dup(c.socket.fileno()))
        if how == "garbage":
            raw.sendall(ahead)
        if how == "reset":
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                           b"\1\0\0\0\0\0\0\0")
    c.socket.close()
    c.file.close()
    raw.close()
    # The same worker serves the next, and has committed nothing.
    with secured(smtpd, context) as c:
        c.ehlo()
        assert c.message() == 250
    [message] = smtpd.queue.wait(1)
    assert b"hello" in message.content and b"half" not in message.content
    assert smtpd.queue.aborted == 1
    assert only_worker(smtpd) == worker
    assert log_line(smtpd, "session lost")["tls"].startswith("TLSv1.3:")


def test_handshake_cut_anywhere(make_smtpd):
    """A client that goes after any octet of its hello."""
    smtpd = make_smtpd(extra=ONE)
    worker = only_worker(smtpd)
    outgoing = ssl.MemoryBIO()
    tls = anybody().wrap_bio(ssl.MemoryBIO(), outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    for n in list(range(0, 12)) + list(range(12, len(hello), 23)):
        with Client(smtpd.ports["submissions"], greeting=False) as c:
            c.send(hello[:n])
    for change in range(0, len(hello), 17):
        with Client(smtpd.ports["submissions"], greeting=False) as c:
            c.send(hello[:change] + bytes([hello[change] ^ 0x55]) +
                   hello[change + 1:])
            c.socket.shutdown(socket.SHUT_WR)
            rest(c.file)
    with secured(smtpd, anybody(), "submissions"):
        assert children(smtpd.process.pid) == [worker]


# -- A6: another protocol --

def test_other_protocols_are_refused(smtpd):
    for name, fine in (("h2", False), ("http/1.1", False), ("smtp", True)):
        context = anybody()
        context.set_alpn_protocols([name])
        c = Client(smtpd.ports["submissions"], greeting=False)
        if fine:
            c.wrap(context)
            assert c.reply() == 220
            assert c.socket.selected_alpn_protocol() == name
        else:
            with pytest.raises(ssl.SSLError, match="application protocol"):
                c.wrap(context)
        c.socket.close()


def test_http_under_tls(smtpd):
    with secured(smtpd, anybody(), "submissions") as c:
        c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert c.reply() == 554
        assert c.is_closed()


def test_plaintext_where_tls_begins(smtpd):
    with Client(smtpd.ports["submissions"], greeting=False) as c:
        c.send("EHLO x\r\nMAIL FROM:<a@b.test>\r\n")
        octets = rest(c.file)
        assert not re.search(rb"^\d\d\d[ -]", octets, re.M), octets


def test_too_many_connections(make_smtpd):
    """Where TLS begins, nobody is told in the clear."""
    smtpd = make_smtpd(extra=["max-client-sessions 1"])
    with secured(smtpd, anybody(), "submissions"):
        with Client(smtpd.ports["submissions"], greeting=False,
                    address=STRANGER) as c:
            assert rest(c.file) == b""
        with Client(smtpd.ports["smtp"], greeting=False,
                    address=STRANGER) as c:
            assert c.reply() == 421


# -- old and odd clients --

def test_old_versions_are_refused(smtpd):
    context = anybody()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    c = Client(smtpd.ports["submissions"], greeting=False)
    with pytest.raises(ssl.SSLError):
        c.wrap(context)
    c.socket.close()


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-GCM-SHA256",
                                    "ECDHE-RSA-AES256-GCM-SHA384",
                                    "ECDHE-RSA-CHACHA20-POLY1305"])
def test_tls_1_2(smtpd, ca, cipher):
    context = ssl.create_default_context(cafile=ca.path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    with secured(smtpd, context) as c:
        assert c.socket.cipher()[0] == cipher
        c.ehlo()
        assert c.message() == 250


# -- names and certificates --

def test_names(ca, make_smtpd):
    context = ssl.create_default_context(cafile=ca.path)
    smtpd = make_smtpd(pairs=[ca.issue(NAME), ca.issue("other.test"),
                              ca.issue("*.wild.test"),
                              ca.issue("other.test", kind="rsa"),
                              ca.issue("ed.test", kind="ed25519")])
    first = ca.serial - 4
    for name, number in ((NAME, first), ("other.test", first + 1),
                         ("mx.wild.test", first + 2),
                         ("ed.test", first + 4)):
        with secured(smtpd, context, name=name) as c:
            assert serial(c) == number
    with secured(smtpd, anybody(), name="who.knows.test") as c:
        assert serial(c) == first
    with secured(smtpd, anybody(), name=None) as c:
        assert serial(c) == first
    rsa = anybody(maximum_version=ssl.TLSVersion.TLSv1_2)
    rsa.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    with secured(smtpd, rsa, name="OTHER.test") as c:
        assert serial(c) == first + 3


def test_certificate_changes(ca, make_smtpd):
    """The next connection has the new one; who is there stays."""
    smtpd = make_smtpd(extra=ONE, pairs=[ca.issue(NAME)])
    with secured(smtpd, anybody()) as c:
        assert serial(c) == ca.serial
        c.ehlo()
        smtpd.keys.change(ca.issue(NAME))
        assert c.message() == 250
    with secured(smtpd, anybody()) as c:
        assert serial(c) == ca.serial
    # Between EHLO and STARTTLS, too.
    with smtpd.client() as c:
        c.ehlo()
        smtpd.keys.change(ca.issue(NAME))
        c.starttls(anybody())
        assert serial(c) == ca.serial
    smtpd.keys.change()
    with smtpd.client() as c:
        assert "STARTTLS" not in c.ehlo()
        assert c.command("STARTTLS") == 502
    smtpd.keys.change(ca.issue(NAME))
    with secured(smtpd, anybody()) as c:
        assert serial(c) == ca.serial


def test_workers_share_their_parents_certificates(make_smtpd):
    """They are asked for once, not by every worker."""
    smtpd = make_smtpd(extra=["spare-processes 3"])
    clients = [secured(smtpd, anybody()) for _ in range(3)]
    asked = [p.verb for p in smtpd.keys.requests]
    assert asked.count("certificate") == 2  # a pair of each kind
    assert asked.count("sign") == 4  # the parent rehearses
    for client in clients:
        client.close()


def test_parents_take_changes_over(ca, make_smtpd):
    """Workers that begin after a change find it in what they inherit."""
    smtpd = make_smtpd(extra=ONE, pairs=[ca.issue(NAME)])
    only_worker(smtpd)
    smtpd.keys.requests.clear()
    smtpd.keys.change(ca.issue(NAME))

    def asked(verb):
        return sum(p.verb == verb for p in smtpd.keys.requests)
    end = time.monotonic() + SECONDS
    while not asked("sign") and time.monotonic() < end:
        time.sleep(0.01)  # the parent looks every five seconds
    assert asked("certificate") == 1
    smtpd.keys.requests.clear()
    for _ in range(2):  # the first one's worker is older than the change
        with secured(smtpd, anybody(), "submission") as c:
            assert serial(c) == ca.serial
            c.ehlo()
            assert c.command("AUTH PLAIN " + plain(ANN, PASSWORD)) == 235
    assert asked("certificate") == 1


def test_without_keys(make_smtpd):
    """`keys` fails: what was in use stays announced, a handshake fails, and
    all is well when it is back."""
    smtpd = make_smtpd(extra=ONE)
    worker = only_worker(smtpd)
    for what in (("refused", ("reason", "broken")), ("signed",), "close",
                 ("signed", ("signature", "00")), b"garbage"):
        smtpd.keys.fault = ("sign", what)
        with smtpd.client() as c:
            assert "STARTTLS" in c.ehlo()
            assert c.command("STARTTLS") == 220
            if what == "close":
                c.wrap(anybody())  # it was asked again
            else:
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    c.wrap(anybody())
    with secured(smtpd, anybody()) as c:
        c.ehlo()
        assert c.message() == 250
    assert children(smtpd.process.pid) == [worker]


def test_keys_that_do_not_answer(ca, make_smtpd):
    """It costs one session some seconds, not all of them."""
    smtpd = make_smtpd(extra=ONE, pairs=[ca.issue(NAME)])
    worker = only_worker(smtpd)
    smtpd.keys.fault = ("certificates", "silence")
    smtpd.keys.tell()
    with smtpd.client() as c:
        assert "STARTTLS" in c.ehlo()
    assert "no answer in time" in log_line(smtpd, "cannot ask")["reason"]
    start = time.monotonic()
    with smtpd.client() as c:
        assert "STARTTLS" in c.ehlo()
    assert time.monotonic() - start < 3
    with secured(smtpd, anybody()) as c:
        assert serial(c) == ca.serial
    assert only_worker(smtpd) == worker


def test_keys_not_there_at_first(ca, make_smtpd):
    smtpd = Smtpd(extra=ONE, pairs=[ca.issue(NAME)])
    path = os.path.join(smtpd.own, "keys")
    os.rename(path, path + ".away")
    try:
        smtpd.start()
        with smtpd.client() as c:
            assert "STARTTLS" not in c.ehlo()
            assert c.command("STARTTLS") == 454
        os.rename(path + ".away", path)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:  # it rests for a second
            with smtpd.client() as c:
                if "STARTTLS" in c.ehlo():
                    break
        with secured(smtpd, anybody()) as c:
            assert serial(c) == ca.serial
    finally:
        smtpd.close()


# -- taking up a session again --

def take_up(smtpd, context, kind, session):
    c = Client(smtpd.ports[kind], greeting=kind != "submissions",
               address=STRANGER)
    if kind != "submissions":
        c.ehlo()
        assert c.command("STARTTLS") == 220
    c.file.close()
    c.socket = context.wrap_socket(c.socket, session=session,
                                   server_hostname=NAME)
    c.file = c.socket.makefile("rb")
    if kind == "submissions":
        assert c.reply() == 220
    c.ehlo()
    result = c.socket.session, c.socket.session_reused
    c.close()
    return result


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_session_tickets(ca, make_smtpd, version):
    """Every session in a process of its own, as after a login."""
    smtpd = make_smtpd()
    context = anybody(maximum_version=getattr(ssl.TLSVersion, version))
    session, _ = take_up(smtpd, context, "submissions", None)
    assert session.has_ticket
    session, reused = take_up(smtpd, context, "submissions", session)
    assert reused
    # with the key before the present one
    smtpd.keys.previous, smtpd.keys.ticket = (smtpd.keys.ticket,
                                              os.urandom(80))
    smtpd.keys.tell()
    _, reused = take_up(smtpd, context, "submission", session)
    assert reused
    # under another certificate
    smtpd.keys.change(ca.issue(NAME), ca.issue(NAME, kind="rsa"))
    _, reused = take_up(smtpd, context, "submission", session)
    assert not reused


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_no_tickets_on_port_25(smtpd, version):
    context = anybody(maximum_version=getattr(ssl.TLSVersion, version))
    session, _ = take_up(smtpd, context, "smtp", None)
    assert not session.has_ticket
    _, reused = take_up(smtpd, context, "smtp", session)
    assert not reused


def test_tickets_as_configured(make_smtpd):
    smtpd = make_smtpd(extra=["tls-tickets smtp"])
    context = anybody()
    session, _ = take_up(smtpd, context, "smtp", None)
    assert session.has_ticket
    assert take_up(smtpd, context, "smtp", session)[1]
    assert not take_up(smtpd, context, "submission", None)[0].has_ticket


# -- slowness and size --

def test_stalled_handshakes_end(make_smtpd):
    """A21: all processes are held by clients that say nothing or little;
    none is lost."""
    smtpd = make_smtpd(extra=["smtpd-processes 3", "spare-processes 3",
                              "smtp-timeout 1s"])
    silent = Client(smtpd.ports["submissions"], greeting=False)
    begun = Client(smtpd.ports["submissions"], greeting=False)
    begun.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03")
    asked = smtpd.client()
    asked.ehlo()
    assert asked.command("STARTTLS") == 220
    for c in (silent, begun, asked):
        assert rest(c.file) == b""
        c.close()
    with secured(smtpd, anybody()) as c:
        c.ehlo()
        assert c.message() == 250
    failures = [LogLine(line) for line in smtpd.log().splitlines()
                if "handshake failed" in line]
    assert [f["reason"] for f in failures] == ["timeout"] * 3
    pids = {int(re.match(r"smtpd\[(\d+)\]", f.text)[1]) for f in failures}
    assert pids == set(children(smtpd.process.pid))


def test_client_that_does_not_read(make_smtpd):
    """A21: replies pile up under TLS; the worker is free again in time."""
    smtpd = make_smtpd(extra=[*ONE, "smtp-timeout 1s", "max-errors 1000"])
    worker = only_worker(smtpd)
    with secured(smtpd, anybody(), "submissions") as c:
        c.socket.settimeout(5)
        with pytest.raises(OSError):
            while True:
                c.send(b"HELP\r\n" * 1000)
        assert only_worker(smtpd) == worker


def test_memory_of_an_idle_tls_session(make_smtpd, report):
    if os.geteuid() != 0:
        pytest.skip("needs root to look at an undumpable process")
    if sanitized():
        pytest.skip("sanitizers have memory of their own")
    smtpd = make_smtpd(extra=ONE)
    worker = only_worker(smtpd)
    with secured(smtpd, anybody()) as c:
        c.ehlo()
        fresh = idle_memory(worker)
        assert c.message(b"x" * 900 + b"\r\n") == 250
        used = idle_memory(worker)
    report(f"private memory of an idle smtpd session under TLS: {fresh} KiB, "
           f"after a message {used} KiB")
    assert fresh <= 300 and used <= 300


def idle_memory(pid):
    """What is left when it has given back what it needs no more, which it
    does after a second."""
    end, least = time.monotonic() + SECONDS, private_memory(pid)
    while time.monotonic() < end:
        now = private_memory(pid)
        if now < least:
            end, least = min(end, time.monotonic() + 0.3), now
    return least


def test_large_message(smtpd, context):
    n = smtpd.queue.settled()
    body = b"\r\n" + b"".join(
        b"%08d %s\r\n" % (i, b"x" * 500) for i in range(4000))
    with secured(smtpd, context) as c:
        c.ehlo()
        assert c.message(body) == 250
    assert smtpd.queue.wait(n + 1)[n].content.endswith(
        b"\n" + body.replace(b"\r\n", b"\n"))


def test_end_split_over_records(smtpd, context):
    """A1 under TLS: each octet of the end in a record of its own."""
    n = smtpd.queue.settled()
    with secured(smtpd, context) as c:
        c.ehlo()
        c.envelope()
        assert c.command("DATA") == 354
        for octet in b"Subject: x\r\n\r\n..y\r\n.\r\n":
            c.send(bytes([octet]))
        assert c.reply() == 250
    assert smtpd.queue.wait(n + 1)[n].content.endswith(
        b"Subject: x\n\n.y\n")


# -- POP3 --

class Pop3Tls(Pop3House):
    def __init__(self, pairs, **options):
        super().__init__(**options)
        self.secure = socket.create_server(("127.0.0.1", 0))
        self.secure.setblocking(False)
        self.pop3d.sockets.append(("pop3s", self.secure))
        self.keys = Keys(os.path.join(self.pop3d.own, "keys"), pairs)

    def client(self, port=None, address=STRANGER):
        s = socket.socket()
        s.settimeout(SECONDS)
        s.bind((address, 0))
        s.connect(("127.0.0.1", port or self.port))
        return Pop3(s)

    def close(self):
        super().close()
        self.keys.close()


class Pop3:
    def __init__(self, s):
        self.socket = s
        self.file = s.makefile("rb")

    def line(self):
        return self.file.readline().decode()

    def command(self, text):
        self.socket.sendall(text.encode() + b"\r\n")
        return self.line()

    def capabilities(self):
        assert self.command("CAPA").startswith("+OK")
        return [line.decode().strip()
                for line in iter(self.file.readline, b".\r\n")]

    def wrap(self, context, name=NAME):
        self.file.close()
        self.socket = context.wrap_socket(self.socket, server_hostname=name)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture(scope="module")
def pop3(pairs):
    with Pop3Tls(pairs) as house:
        house.fill(ANN, [b"Subject: x\n\nhello\n"])
        yield house


def test_stls(pop3, context):
    with pop3.client() as c:
        assert c.line().startswith("+OK")
        before = c.capabilities()
        assert "STLS" in before and "USER" not in before
        assert c.command(f"USER {ANN}").startswith("-ERR [AUTH]")
        assert c.command("STLS now").startswith("-ERR")
        assert c.command("STLS").startswith("+OK")
        c.wrap(context)
        after = c.capabilities()
        assert "USER" in after and "STLS" not in after
        assert c.command("STLS").startswith("-ERR")
        assert c.command(f"USER {ANN}").startswith("+OK")
        assert c.command("PASS secret").startswith("+OK")
        assert c.command("STLS").startswith("-ERR")
        assert c.command("RETR 1").startswith("+OK")
        assert b"hello\r\n" in list(iter(c.file.readline, b".\r\n"))
        assert c.command("QUIT").startswith("+OK")
        assert c.line() == ""


def test_pop3s(pop3, context):
    port = pop3.secure.getsockname()[1]
    with pop3.client(port) as c:
        c.wrap(context)
        assert c.line().startswith("+OK")
        assert "STLS" not in c.capabilities()
        assert c.command(f"USER {ANN}").startswith("+OK")
        assert c.command("PASS secret").startswith("+OK")
        assert c.command("QUIT").startswith("+OK")
    line = log_line(pop3.pop3d, "session ended")
    assert line["tls"].startswith("TLSv1.3:")
    with pop3.client(port) as c:
        c.socket.sendall(b"CAPA\r\n")
        assert b"+OK" not in rest(c.file)


def test_what_was_said_before_stls_is_forgotten(pop3):
    """RFC 2595 section 4; from where one may log in in the clear."""
    with pop3.client(address="127.0.0.1") as c:
        c.line()
        assert c.command(f"USER {ANN}").startswith("+OK")
        assert c.command("STLS").startswith("+OK")
        c.wrap(anybody())
        assert c.command("PASS secret").startswith("-ERR USER")


def test_pop3_commands_sent_ahead(pop3):
    """A3"""
    for ahead in ("CAPA\r\n", "USER x\r\n", "x"):
        with pop3.client() as c:
            c.line()
            c.socket.sendall(b"STLS\r\n" + ahead.encode())
            assert c.line().startswith("-ERR")
            assert c.line() == ""
    with pop3.client() as c:
        c.line()
        assert c.command("STLS").startswith("+OK")
        c.socket.sendall(b"CAPA\r\nUSER x\r\n")
        assert not re.search(rb"^(\+OK|-ERR)", rest(c.file), re.M)


def test_pop3_other_protocols(pop3):
    """A6"""
    for name in ("h2", "imap", "smtp"):
        context = anybody()
        context.set_alpn_protocols([name])
        with pop3.client(pop3.secure.getsockname()[1]) as c:
            with pytest.raises(ssl.SSLError, match="application protocol"):
                c.wrap(context)
    context.set_alpn_protocols(["pop3", "h2"])
    with pop3.client(pop3.secure.getsockname()[1]) as c:
        c.wrap(context)
        assert c.socket.selected_alpn_protocol() == "pop3"


def test_pop3_teardown(pop3):
    """A5: deletions are not committed by the end of TLS."""
    pop3.fill("bob@example.test", [b"Subject: stays\n\nx\n"])
    for how in ("close_notify", "cut"):
        c = pop3.client()
        c.line()
        assert c.command("STLS").startswith("+OK")
        c.wrap(anybody())
        assert c.command("USER bob@example.test").startswith("+OK")
        assert c.command("PASS secret").startswith("+OK 1 ")
        assert c.command("DELE 1").startswith("+OK")
        if how == "close_notify":
            raw = end_tls(c)
            raw.sendall(b"QUIT\r\n")
            raw.close()
        c.close()
