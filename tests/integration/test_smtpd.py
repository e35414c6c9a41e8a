# SPDX-License-Identifier: ISC
"""smtpd on the wire, with owners that the test plays."""
import base64
import fcntl
import re
import socket
import time

import pytest

from dnsserver import dns  # noqa: F401
from internal import children, wait_gone
from smtpd_fakes import ANN, BOB, PASSWORD, Smtpd, plain


@pytest.fixture(scope="module")
def smtpd():
    with Smtpd() as service:
        yield service


@pytest.fixture
def make_smtpd():
    made = []

    def make(**options):
        made.append(Smtpd(**options).start())
        return made[-1]
    yield make
    for service in made:
        service.close()


@pytest.fixture
def client(smtpd):
    with smtpd.client() as client:
        client.ehlo()
        yield client


def stored(smtpd, before):
    return smtpd.queue.wait(before + 1)[before]


def test_message_is_stored_behind_its_trace(smtpd, client):
    n = smtpd.queue.settled()
    wire = b"Subject: x\r\n\r\n..dot\r\n\r\n...\r\n"
    assert client.message(wire) == 250
    message = stored(smtpd, n)
    assert client.text == f"250 2.0.0 queued as {message.id}"
    assert message.local.startswith(b"Return-Path: <x@elsewhere.test>\n"
                                    b"Delivered-To: ann@example.test\n")
    trace, _, rest = message.outside.partition(b"Subject")
    assert b"Subject" + rest == b"Subject: x\n\n.dot\n\n..\n"
    assert re.fullmatch(
        r"Received: from client\.example \(\[127\.0\.0\.1\]\)\n"
        r"\tby mail\.example\.test \(Postrider\) with ESMTP id "
        + message.id + r"\n\tfor <ann@example\.test>;\n"
        r"\t\w{3}, 14 Nov 2023 \d\d:\d\d:20 [+-]\d{4}\n", trace.decode())
    assert int(message["wire"]) == len(message.content.replace(
        b"\n", b"\r\n"))
    assert message.recipients == [ANN]
    assert message["sender"] == "x@elsewhere.test"
    assert (message["client"], message["helo"]) == ("127.0.0.1",
                                                    "client.example")


def test_several_recipients_do_not_see_each_other(smtpd, client):
    n = smtpd.queue.settled()
    assert client.message(b"x\r\n", ANN, BOB) == 250
    message = stored(smtpd, n)
    assert message.recipients == [ANN, BOB]
    assert b"Delivered-To" not in message.local
    assert ANN.encode() not in message.content
    assert BOB.encode() not in message.content


def test_protocol_names(smtpd):
    with smtpd.client() as c:
        assert c.command("HELO old.example") == 250
        n = smtpd.queue.settled()
        assert c.message() == 250
        assert stored(smtpd, n)["protocol"] == "SMTP"
        c.ehlo()
        assert c.message(sender="é@elsewhere.test",
                         parameters=" SMTPUTF8") == 250
        message = stored(smtpd, n + 1)
        assert (message["protocol"], message["utf8"]) == ("UTF8SMTP", "1")
        assert b" with UTF8SMTP id " in message.content


def test_utf8_is_asked_for_only_where_needed(smtpd, client):
    n = smtpd.queue.settled()
    bodies = [b"Subject: x\r\n\r\n\xc3\xa9\r\n",
              b"Subject: \xc3\xa9\r\n\r\nx\r\n"]
    for body in bodies:
        assert client.message(body, parameters=" SMTPUTF8") == 250
    assert [m["utf8"] for m in smtpd.queue.wait(n + 2)[n:]] == ["0", "1"]
    assert [m["body"] for m in smtpd.queue.messages[n:]] == ["8bitmime"] * 2


def test_a_from_in_utf8_that_is_added(smtpd):
    n = smtpd.queue.settled()
    smtpd.userdb.grants.append("\u00e9@example.test")
    with smtpd.submission() as c:
        c.envelope(ANN, sender="\u00e9@example.test", parameters=" SMTPUTF8")
        assert c.data(b"Subject: x\r\n\r\nx\r\n.\r\n") == 250
    message = stored(smtpd, n)
    assert "From: <\u00e9@example.test>".encode() in message.content
    assert (message["utf8"], message["body"]) == ("1", "8bitmime")


def test_large_message_is_streamed(smtpd, client):
    n = smtpd.queue.settled()
    body = b"\r\n" + b"".join(
        b"%08d %s\r\n" % (i, b"x" * 500) for i in range(4000))
    assert client.message(body) == 250
    assert stored(smtpd, n).content.endswith(
        b"\n" + body.replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("size", [0, 1, 2, 4095, 4096, 65535, 65536, 262143,
                                  262144, 262145, 278528, 400000])
def test_every_size(smtpd, client, size):
    n = smtpd.queue.settled()
    line = b"0123456789abcde\r\n"
    body = b"\r\n" + (line * (size // len(line) + 1))
    body = body[:size]
    if size:
        body = body[:-1].rstrip(b"\r") + b"\r\n"
    assert client.message(body) == 250
    message = stored(smtpd, n)
    assert message.outside.partition(b"\t")[2].endswith(
        body.replace(b"\r\n", b"\n"))
    assert int(message["wire"]) == len(message.content) + \
        message.content.count(b"\n")


def test_any_split_of_the_stream(smtpd, client):
    """Every octet in a packet of its own: the dots too (A1)."""
    n = smtpd.queue.settled()
    client.envelope()
    assert client.command("DATA") == 354
    for octet in b"a: b\r\n\r\n..x\r\n.\r\n":
        client.send(bytes([octet]))
    assert client.reply() == 250
    assert stored(smtpd, n).content.endswith(b"\na: b\n\n.x\n")


# -- commands --

def test_greeting_and_help(smtpd):
    with smtpd.client(greeting=False) as c:
        assert c.reply() == 220
        assert c.text == "220 mail.example.test ESMTP Postrider"
        assert c.command("HELP") == 214
        assert c.command("VRFY ann") == 252
        first = c.text
        assert c.command("VRFY nobody@example.test") == 252
        assert c.text == first
        assert c.command("VRFY") == 501
        assert c.command("EXPN list") == 502
        assert c.command("NOOP whatever") == 250
        assert c.command("RSET") == 250
        assert c.command("QUIT") == 221
        assert c.is_closed()


def test_extensions(smtpd, client):
    assert client.ehlo() == [
        "PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES",
        "SMTPUTF8", "LIMITS RCPTMAX=100", "HELP"]


# -- DSN, RFC 3461 --

ASKED = [
    ("MAIL FROM:<a@b> RET=FULL ENVID=QQ+2B31", 250),
    ("RCPT TO:<ann@example.test> NOTIFY=SUCCESS,DELAY "
     "ORCPT=rfc822;Ann+20B@first.test", 250),
    ("RCPT TO:<bob@example.test> notify=never", 250),
    ("RCPT TO:<postmaster> ORCPT=" + "rfc822;" + "x" * 493, 250),
    ("RSET", 250), ("MAIL FROM:<> RET=HDRS ENVID=" + "x" * 100, 250),
    ("RSET", 250), ("MAIL FROM:<a@b> RET=BODY", 501),
    ("MAIL FROM:<a@b> RET=FULL RET=FULL", 501),
    ("MAIL FROM:<a@b> ENVID=" + "x" * 101, 501),
    ("MAIL FROM:<a@b> ENVID=a+0D+0ARCPT", 501),
    ("MAIL FROM:<a@b> ENVID=a=b", 501), ("MAIL FROM:<a@b> ENVID=", 501),
    ("MAIL FROM:<a@b> NOTIFY=NEVER", 555), ("MAIL FROM:<a@b>", 250),
    ("RCPT TO:<ann@example.test> NOTIFY=NEVER,SUCCESS", 501),
    ("RCPT TO:<ann@example.test> NOTIFY=", 501),
    ("RCPT TO:<ann@example.test> NOTIFY=DELAY NOTIFY=DELAY", 501),
    ("RCPT TO:<ann@example.test> ORCPT=ann@example.test", 501),
    ("RCPT TO:<ann@example.test> ORCPT=rfc822;a+0D+0ASubject:+20x", 501),
    ("RCPT TO:<ann@example.test> ORCPT=rfc822;a+0aX", 501),
    ("RCPT TO:<ann@example.test> ORCPT=rfc822;" + "x" * 494, 501),
    ("RCPT TO:<ann@example.test> ORCPT=utf-8;\u00fc@b", 501),
    ("RCPT TO:<ann@example.test> RET=FULL", 555),
    ("RCPT TO:<ann@example.test> ORCPT=utf-8;\\x{FC}@b", 250),
]


def test_requests_for_reports(make_smtpd):
    smtpd = make_smtpd(extra=["relay-from 127.0.0.1", "max-errors 100"])
    with smtpd.client() as c:
        assert "DSN" in c.ehlo()
        for line, code in ASKED:
            assert c.command(line) == code, (line, c.text)
            if code // 100 == 5:
                assert c.enhanced == "5.5.4", c.text
        c.command("RSET")
        for line, code in ASKED[:4]:
            assert c.command(line) == code
        assert c.data(b"x: y\r\n\r\nz\r\n.\r\n") == 250
        (m,) = smtpd.queue.wait(1)
        assert (m["ret"], m["envid"]) == ("full", "QQ+31")
        assert m.asked == [
            {"notify": "success,delay", "orcpt": "rfc822;Ann B@first.test"},
            {"notify": "never"}, {"orcpt": "rfc822;" + "x" * 493}]
        # Nothing of it is left for the next message.
        assert c.message() == 250
        m = smtpd.queue.wait(2)[1]
        assert m.asked == [{}]
        assert "ret" not in dict(m.attributes) and "envid" not in dict(
            m.attributes)
        assert c.command("MAIL FROM:<a@b> SMTPUTF8") == 250
        assert c.command(f"RCPT TO:<{ANN}> ORCPT=utf-8;\u00fc@b") == 250
        assert c.data(b"x: y\r\n\r\nz\r\n.\r\n") == 250
        assert smtpd.queue.wait(3)[2].asked == [{"orcpt": "utf-8;\u00fc@b"}]


def test_strangers_may_not_ask_for_reports(smtpd, make_smtpd, client):
    assert "DSN" not in client.ehlo()
    assert client.command("MAIL FROM:<a@b> RET=FULL") == 555
    assert client.command("MAIL FROM:<a@b>") == 250
    assert client.command(f"RCPT TO:<{ANN}> NOTIFY=SUCCESS") == 555
    assert client.command(f"RCPT TO:<{ANN}> ORCPT=rfc822;a@b") == 555
    with smtpd.submission(login=False) as c:
        assert "DSN" in c.ehlo()  # some clients say EHLO but once
    for word, offered in (("everybody", True), ("nobody", False)):
        other = make_smtpd(extra=[f"offer-dsn {word}",
                                  "relay-from 127.0.0.7/32"])
        with other.client() as c:
            assert ("DSN" in c.ehlo()) == offered
        with other.submission() as c:
            assert ("DSN" in c.ehlo()) == offered


SEQUENCES = [
    ("MAIL FROM:<a@b>", 503), ("RCPT TO:<a@b>", 503), ("DATA", 503),
    ("EHLO", 501), ("HELO", 501), ("EHLO two words", 501),
    ("HELO " + "a" * 300, 501), ("EHLO c", 250),
    ("RCPT TO:<ann@example.test>", 503), ("DATA", 503),
    ("MAIL FROM:<a@b>", 250), ("MAIL FROM:<a@b>", 503), ("DATA", 503),
    ("RCPT TO:<ann@example.test>", 250), ("DATA now", 501), ("RSET", 250),
    ("RCPT TO:<ann@example.test>", 503), ("MAIL FROM:<>", 250),
    ("RCPT TO:<Postmaster>", 250), ("EHLO again", 250),
    ("RCPT TO:<ann@example.test>", 503), ("mail from:<A@B>", 250),
    ("rcpt to:<Ann@Example.TEST>", 250), ("RCPT TO:<>", 501),
    ("STARTTLS", 502), ("WHAT IS THIS", 500), ("", 500), (" NOOP", 500),
]


def test_order_of_commands(make_smtpd):
    with make_smtpd(extra=["max-errors 1000"]).client() as c:
        for line, code in SEQUENCES:
            assert c.command(line) == code, (line, c.text)
            assert code // 100 < 4 or re.match(r"\d{3} [45]\.\d\.\d+ ",
                                               c.text), c.text


def test_lines_too_long(make_smtpd):
    with make_smtpd(extra=["max-errors 1000"]).client() as c:
        for line in ("NOOP " + "x" * 508, "NOOP " + "x" * 100000,
                     "EHLO " + "x" * 600, "x" * 20000):
            assert c.command(line) == 500, c.text
            assert c.enhanced == "5.5.2"
        assert c.command("NOOP " + "x" * 505) == 250
        c.ehlo()
        assert c.command("MAIL FROM:<a@b> AUTH=" + "x" * 500) == 250
        assert c.command("RCPT TO:<ann@example.test> " + "x" * 2048) == 500


@pytest.mark.parametrize("line", [
    b"NOOP\n", b"\n", b"NO\rOP\r\n", b"NOOP \x1b[31m\r\n", b"NOOP \x7f\r\n",
    b"NOOP \xff\r\n", b"MAIL FROM:<a\x01@b>\r\n", b"EHLO x\n"])
def test_bad_octets_in_commands(smtpd, client, line):
    client.send(line)
    assert client.reply() == 500 and client.enhanced == "5.5.2"
    assert client.command("NOOP") == 250


def test_nul_in_a_command_closes(smtpd, client):
    client.send(b"NOOP \0\r\nNOOP\r\n")
    assert client.reply() == 500
    assert client.is_closed()


@pytest.mark.parametrize("line", [
    "GET / HTTP/1.1", "POST /x HTTP/1.1", "CONNECT a:25 HTTP/1.1",
    "PRI * HTTP/2.0", "options * HTTP/1.0"])
def test_http_is_hung_up_on(smtpd, line):
    """A6"""
    with smtpd.client() as c:
        c.send(line + "\r\nHost: x\r\n\r\nEHLO x\r\nMAIL FROM:<a@b>\r\n")
        assert c.reply() == 554
        assert c.is_closed()


def test_tls_hello_is_hung_up_on(smtpd):
    with smtpd.client() as c:
        c.send(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n")
        assert c.reply() == 500
        assert c.is_closed()


def test_talking_first(make_smtpd):
    """A7.  The only worker is busy: the next client talks into the
    listener's queue before anybody greets it."""
    smtpd = make_smtpd(extra=["smtpd-processes 1", "spare-processes 1"])
    busy = smtpd.client()
    with smtpd.client(greeting=False) as c:
        c.send("EHLO early\r\n")
        busy.close()
        assert c.reply() == 554 and c.enhanced == "5.5.0"
        assert c.is_closed()


@pytest.mark.parametrize("first", ["EHLO c", "HELO c"])
def test_no_pipelining_behind_the_greeting(smtpd, first):
    with smtpd.client() as c:
        c.send(first + "\r\nMAIL FROM:<a@b>\r\n")
        assert c.reply() == 554 and c.enhanced == "5.5.0"
        assert c.is_closed()


def test_no_pipelining_behind_data(smtpd, client):
    client.envelope()
    opened = smtpd.queue.opened
    client.send("DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n")
    assert client.reply() == 554
    assert client.is_closed()
    assert smtpd.queue.opened == opened


def test_pipelining(smtpd, client):
    """RFC 2920: a whole envelope in one packet, and what follows a
    message."""
    n = smtpd.queue.settled()
    client.send(f"MAIL FROM:<a@b>\r\nRCPT TO:<{ANN}>\r\n"
                "RCPT TO:<no@example.test>\r\n"
                f"RCPT TO:<{BOB}>\r\nDATA\r\n")
    assert [client.reply() for _ in range(5)] == [250, 250, 550, 250, 354]
    client.send(b"x\r\n.\r\nRSET\r\nMAIL FROM:<a@b>\r\nQUIT\r\n")
    assert [client.reply() for _ in range(4)] == [250, 250, 250, 221]
    assert stored(smtpd, n).recipients == [ANN, BOB]


# -- recipients --

def test_unknown_recipients(smtpd, client):
    client.envelope()
    for address, code, enhanced in (
            ("no@example.test", 550, "5.1.1"),
            ("x@elsewhere.test", 554, "5.7.1")):
        assert client.command(f"RCPT TO:<{address}>") == code
        assert client.enhanced == enhanced


@pytest.mark.parametrize("address", [
    "<x%elsewhere.test@example.test>", "<elsewhere.test!x@example.test>",
    "<@example.test:x@elsewhere.test>",
    "<@example.test,@mail.example.test:x@elsewhere.test>",
    '<"x@elsewhere.test"@example.test>', "<x@[127.0.0.1]>",
    "<x@[IPv6:::1]>", "<ann@sub.example.test>", "<x@elsewhere.test@"
    "example.test>", "<ann@example.test@elsewhere.test>",
    '<"ann@example.test">', "<x>", "<ann@example.test.>",
    "<ann@127.0.0.1>", "x@elsewhere.test", "<x@xexample.test>",
    "<\"x\"@elsewhere.test>", "<ann@example.test\t@elsewhere.test>",
])
def test_no_open_relay(smtpd, client, address):
    """A10"""
    assert client.command("MAIL FROM:<ann@example.test>") == 250
    assert client.command(f"RCPT TO:{address}") // 100 == 5, client.text
    assert client.command("DATA") == 503


def test_the_same_recipient_twice_is_one(smtpd, client):
    n = smtpd.queue.settled()
    assert client.message(b"x\r\n", ANN, ANN) == 250
    assert stored(smtpd, n).recipients == [ANN]


def test_too_many_recipients(make_smtpd):
    smtpd = make_smtpd(extra=["max-recipients 3"])
    for i in range(9):
        smtpd.userdb.recipients[f"u{i}@example.test"] = "recipient-ok"
    with smtpd.client() as c:
        c.ehlo()
        assert "250-LIMITS RCPTMAX=3" in c.lines
        c.envelope(*(f"u{i}@example.test" for i in range(3)))
        assert c.command("RCPT TO:<u3@example.test>") == 452
        assert c.enhanced == "4.5.3"
        assert c.data(b"x\r\n.\r\n") == 250
        assert len(smtpd.queue.wait(1)[0].recipients) == 3
        # a temporary refusal is no error of the client's
        for _ in range(3):
            c.envelope(*(f"u{i}@example.test" for i in range(3)))
            for i in range(3, 9):
                assert c.command(f"RCPT TO:<u{i}@example.test>") == 452
            assert c.data(b"x\r\n.\r\n") == 250


def test_dead_members_do_not_stop_a_list(smtpd, client):
    n = smtpd.queue.settled()
    client.envelope()
    for i in range(60):
        assert client.command(f"RCPT TO:<no{i}@example.test>") == 550
    assert client.data(b"x\r\n.\r\n") == 250
    assert stored(smtpd, n).recipients == [ANN]


def test_harvesting_ends_soon(smtpd, client):
    """A21, A26"""
    client.command("MAIL FROM:<a@b>")
    codes = [client.command(f"RCPT TO:<no{i}@example.test>")
             for i in range(20)]
    assert codes == [550] * 20
    assert client.reply() == 421
    assert client.is_closed()


def test_harvesting_beside_a_recipient_ends_too(smtpd, client):
    client.envelope()
    for i in range(1000):
        code = client.command(f"RCPT TO:<no{i}@example.test>")
        if code != 550:
            break
    assert 100 <= i <= 125


# -- contents --

def test_declared_size(make_smtpd):
    with make_smtpd(extra=["max-message-size 2K"]).client() as c:
        assert "SIZE 2048" in c.ehlo()
        assert c.command("MAIL FROM:<a@b> SIZE=2049") == 552
        assert c.enhanced == "5.3.4"
        assert c.command("MAIL FROM:<a@b> SIZE=99999999999999999999") == 501
        assert c.command("MAIL FROM:<a@b> SIZE=2048") == 250


def test_room_for_the_declared_size(smtpd):
    """RFC 1870: refused before it is sent; queue hears the size again when
    the message begins.  A size beyond the limit is no question of room."""
    before = len(smtpd.queue.requests)
    smtpd.queue.room = 500000
    with smtpd.client() as c:
        c.ehlo()
        assert c.command("MAIL FROM:<a@b> SIZE=500001") == 452
        assert c.enhanced == "4.3.1"
        assert c.command(f"MAIL FROM:<a@b> SIZE={4 << 30}") == 552
        assert c.command("MAIL FROM:<a@b> SIZE=500000") == 250
        assert c.command(f"RCPT TO:<{ANN}>") == 250
        assert c.data(b"x: y\r\n.\r\n") == 250
        assert c.message() == 250
    smtpd.queue.room = 1 << 40
    opens = [p.attributes for p in smtpd.queue.requests[before:]
             if p.verb == "open"]
    assert [("size", "500000")] in opens
    assert [("ahead", "1")] in opens


def test_the_next_message_is_opened_ahead(make_smtpd):
    """Together with the end of the one before; what is in use is locked."""
    smtpd = make_smtpd(extra=["spare-processes 1", "smtpd-processes 1"])
    queue = smtpd.queue
    for _ in range(2):  # also from one session to the next
        with smtpd.client() as c:
            c.ehlo()
            for _ in range(3):
                c.envelope()
                assert c.command("DATA") == 354
                if queue.messages:
                    with open(f"/proc/self/fd/{queue.reader}", "rb") as f:
                        with pytest.raises(BlockingIOError):
                            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                c.send(b"x: y\r\n.\r\n")
                assert c.reply() == 250
    queue.wait(6)
    opens = [p.get("ahead") for p in queue.requests if p.verb == "open"]
    assert opens[:6] == [None] + ["1"] * 5
    assert len({m.id for m in queue.messages}) == 6


def test_counted_size(make_smtpd):
    smtpd = make_smtpd(extra=["max-message-size 2K"])
    with smtpd.client() as c:
        c.ehlo()
        assert c.message((b"x" * 62 + b"\r\n") * 32) == 250
        assert c.message((b"x" * 62 + b"\r\n") * 32 + b"\r\n") == 552
        assert c.enhanced == "5.3.4"
        assert c.message((b"x" * 62 + b"\r\n") * 3200) == 552
        assert c.message() == 250
    assert len(smtpd.queue.wait(2)) == 2


def test_endless_message(make_smtpd):
    """Nobody reads on for ever: P5."""
    smtpd = make_smtpd(extra=["max-message-size 2K"])
    with smtpd.client() as c:
        c.ehlo()
        c.envelope()
        assert c.command("DATA") == 354
        line = b"x" * 998 + b"\r\n"
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(100000):
                c.send(line * 16)
    assert not smtpd.queue.messages


def test_loops(smtpd, client):
    """A11"""
    hop = b"Received: from a by b; date\r\n"
    n = smtpd.queue.settled()
    assert client.message(hop * 51 + b"\r\nx\r\n") == 554
    assert client.enhanced == "5.4.6"
    assert client.message(hop * 50 + b"\r\n" + hop * 10) == 250
    assert len(smtpd.queue.wait(n + 1)) == n + 1


@pytest.mark.parametrize("body", [
    b"a\nb\r\n", b"a\rb\r\n", b"a\0b\r\n", b"\n\r\n", b"a\r\r\n",
    b"\r\n\nx\r\n", b"\0\r\n",
    pytest.param(b"x" * 999 + b"\n\r\n", id="a long line, too")])
def test_what_no_message_may_hold(smtpd, client, body):
    """A22: refused once its end has come, and then hung up on."""
    n, aborted = len(smtpd.queue.messages), smtpd.queue.aborted
    client.envelope()
    assert client.data(body + b".\r\n") == 550
    assert client.enhanced == "5.6.0"
    assert client.is_closed()
    assert len(smtpd.queue.messages) == n
    with smtpd.client() as other:
        other.ehlo()
        assert other.message() == 250
    smtpd.queue.wait(n + 1)
    assert smtpd.queue.aborted > aborted


@pytest.mark.parametrize("length", [999, 100000])
def test_a_line_too_long(smtpd, client, length):
    """A22: the message is refused; the next one is taken."""
    n = smtpd.queue.settled()
    client.envelope()
    assert client.data(b"x: " + b"y" * (length - 3) + b"\r\n.\r\n") == 550
    assert client.enhanced == "5.6.0"
    assert client.message() == 250
    assert len(smtpd.queue.wait(n + 1)) == n + 1


def test_lines_up_to_the_limit(smtpd, client):
    assert client.message(b"x" * 998 + b"\r\n") == 250
    assert client.message(b"." + b"x" * 998 + b"\r\n") in (250, 550)


def test_helo_cannot_write_headers(make_smtpd):
    """A8: whatever it is, where that is tolerated."""
    smtpd = make_smtpd(extra=["tolerate helo 127.0.0.1"])
    with smtpd.client() as c:
        n = smtpd.queue.settled()
        assert c.command("EHLO a(b)\\;<x@y>\"é") == 250
        assert c.message() == 250
        assert b"Received: from a?b????x?y???? (" in stored(
            smtpd, n).content


# -- logins --

def test_submission_needs_a_login(smtpd):
    with smtpd.submission(login=False) as c:
        assert c.command("MAIL FROM:<ann@example.test>") == 530
        assert c.enhanced == "5.7.0"
        assert c.command("RCPT TO:<ann@example.test>") == 503


def test_login_may_relay(smtpd):
    n = smtpd.queue.settled()
    with smtpd.submission() as c:
        assert c.message(b"x\r\n", "z@far.test", ANN, sender=ANN) == 250
        message = stored(smtpd, n)
        assert message.recipients == ["z@far.test", ANN]
        assert (message.login, message["protocol"]) == (ANN, "ESMTPA")
        assert c.command("MAIL FROM:<bob@example.test>") == 553
        assert c.enhanced == "5.7.1"
        assert c.message(b"x\r\n", "z@far.test", sender="") == 250


def test_auth_is_not_for_port_25(smtpd, client):
    assert not any(line.startswith("AUTH") for line in client.ehlo())
    assert client.command("AUTH PLAIN " + plain(ANN, PASSWORD)) == 503


def test_auth_is_not_for_everybody(smtpd):
    """127.0.0.2 is not in allow-plaintext-auth."""
    with smtpd.submission(login=False, address="127.0.0.2") as c:
        assert not any(line.startswith("AUTH") for line in c.ehlo())
        assert c.command("AUTH PLAIN " + plain(ANN, PASSWORD)) == 538
        assert c.command("MAIL FROM:<ann@example.test>") == 530
    assert not any(p.verb == "login" and p["client"] == "127.0.0.2"
                   for p in smtpd.userdb.requests)


def b64(text):
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("dialogue", [
    [("AUTH PLAIN", 334), (plain(ANN, PASSWORD), 235)],
    [("auth plain " + plain("ann", PASSWORD), 235)],
    [("AUTH PLAIN " + plain(ANN, PASSWORD, ANN), 235),
     ("AUTH PLAIN " + plain(ANN, PASSWORD), 503)],
    [("AUTH LOGIN", 334), (b64(ANN), 334), (b64(PASSWORD), 235)],
    [("AUTH LOGIN " + b64(ANN), 334), (b64(PASSWORD), 235)],
    [("AUTH PLAIN " + plain(ANN, "wrong"), 535),
     ("AUTH PLAIN " + plain("nobody", "wrong"), 535),
     ("AUTH PLAIN " + plain(ANN, PASSWORD), 235)],
    [("AUTH PLAIN " + plain(ANN, PASSWORD, BOB), 535)],
    [("AUTH PLAIN", 334), ("*", 501), ("NOOP", 250)],
    [("AUTH LOGIN", 334), (b64(ANN), 334), ("*", 501), ("NOOP", 250)],
    [("AUTH PLAIN =", 501)], [("AUTH PLAIN !", 501)],
    [("AUTH PLAIN", 334), ("dXNlckB0ZXN0c2VydmVyAHlalala==", 501)],
    [("AUTH PLAIN " + b64("no nuls"), 501)],
    [("AUTH PLAIN " + b64("\0a\0b\0c"), 501)],
    [("AUTH PLAIN " + b64("\0\0b"), 501)],
    [("AUTH PLAIN " + plain("u" * 500, "x"), 501)],
    [("AUTH PLAIN " + plain("u", "x" * 2000), 501)],
    [("AUTH LOGIN", 334), ("", 501)],
    [("AUTH LOGIN " + b64("a\0b"), 501)],
    [("AUTH PLAIN", 334), ("A" * 13000, 500), ("NOOP", 250)],
    [("AUTH PLAIN " + "A" * 13000, 500), ("NOOP", 250)],
    [("AUTH", 501)], [("AUTH CRAM-MD5", 504)], [("AUTH PLAINER", 504)],
])
def test_auth_dialogues(smtpd, dialogue):
    """RFC 4954, A20"""
    with smtpd.submission(login=False) as c:
        for line, code in dialogue:
            assert c.command(line) == code, (line, c.text)


def test_auth_before_ehlo(smtpd):
    with smtpd.client("submission") as c:
        assert c.command("AUTH PLAIN " + plain(ANN, PASSWORD)) == 503


def test_no_auth_within_a_transaction(make_smtpd):
    smtpd = make_smtpd(extra=["relay-from 127.0.0.1"])
    with smtpd.submission(login=False) as c:
        assert c.command("MAIL FROM:<a@b>") == 250
        assert c.command("AUTH PLAIN " + plain(ANN, PASSWORD)) == 503


def test_no_pipelining_behind_auth(smtpd):
    with smtpd.submission(login=False) as c:
        c.send("AUTH PLAIN " + plain(ANN, PASSWORD) +
               "\r\nMAIL FROM:<ann@example.test>\r\n")
        assert c.reply() == 554
        assert c.is_closed()


def test_guessing_ends_soon(smtpd):
    with smtpd.submission(login=False) as c:
        codes = [c.command("AUTH PLAIN " + plain(ANN, f"guess{i}"))
                 for i in range(4)]
        assert codes == [535] * 4
        assert c.reply() == 421
        assert c.is_closed()


def test_who_saw_a_password_serves_nobody_else(make_smtpd):
    smtpd = make_smtpd(extra=["smtpd-processes 1", "spare-processes 1"])
    with smtpd.submission(login=False) as c:
        [pid] = children(smtpd.process.pid)
        assert c.command("AUTH PLAIN " + plain(ANN, "wrong")) == 535
        assert c.command("QUIT") == 221
    wait_gone(pid)
    with smtpd.client() as c:
        assert c.command("QUIT") == 221


def test_no_password_is_logged(smtpd):
    with smtpd.submission() as c:
        assert c.message(b"x\r\n", sender=ANN) == 250
        c.command("QUIT")
    log = smtpd.log()
    assert f"auth={ANN}" in log
    for secret in (PASSWORD, "sesame", plain(ANN, PASSWORD), b64(PASSWORD)):
        assert secret not in log


def test_relay_from(make_smtpd):
    smtpd = make_smtpd(extra=["relay-from 127.0.0.7/32"])
    with smtpd.client(address="127.0.0.7") as c:
        c.ehlo()
        assert c.message(b"x\r\n", "z@far.test") == 250
        message = smtpd.queue.wait(1)[0]
        assert message.client and message.login is None
    with smtpd.client("submission", address="127.0.0.7") as c:
        c.ehlo()
        assert c.message(b"x\r\n", "z@far.test") == 250
    with smtpd.client() as c:
        c.ehlo()
        c.command("MAIL FROM:<a@b>")
        assert c.command("RCPT TO:<z@far.test>") == 554
        assert c.command(f"RCPT TO:<{ANN}>") == 250
        assert c.data(b"x\r\n.\r\n") == 250
        assert not smtpd.queue.wait(3)[2].client


# -- the client's name --

def test_dead_dns_is_waited_for_once(make_smtpd):
    """A name server that never answers."""
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    smtpd = make_smtpd(extra=[
        f"dns-server 127.0.0.1:{silent.getsockname()[1]}",
        "spare-processes 1", "smtpd-processes 1", "mail-auth no"])
    start = time.monotonic()
    with smtpd.client() as c:
        c.ehlo()
        assert c.message() == 250
        first = time.monotonic()
        assert first - start < 10
        assert c.message() == 250
    with smtpd.client(address="127.0.0.2") as c:
        c.ehlo()
        assert c.message() == 250
    assert time.monotonic() - first < 2
    assert b" ([127.0.0.1])\n" in smtpd.queue.wait(3)[0].content
    silent.close()


def test_confirmed_name(make_smtpd, dns):  # noqa: F811
    """The PTR record's name, where it leads back to the address."""
    dns.add_zone("0.0.127.in-addr.arpa", "\n".join([
        "1 PTR one.client.test.", "2 PTR liar.client.test.",
        r"3 PTR a\032b.client.test."]))
    dns.add_zone("client.test", "\n".join([
        "one A 127.0.0.1", "liar A 192.0.2.1", r"a\032b A 127.0.0.3"]))
    dns.start()
    smtpd = make_smtpd(extra=[f"dns-server {dns.address}"])
    wanted = [(1, b"(one.client.test [127.0.0.1])"), (2, b"([127.0.0.2])"),
              (3, b"([127.0.0.3])"), (4, b"([127.0.0.4])")]
    for i, (n, text) in enumerate(wanted):
        with smtpd.client(address=f"127.0.0.{n}") as c:
            c.ehlo()
            assert c.message() == 250
        assert text in stored(smtpd, i).content, n
