# SPDX-License-Identifier: ISC
"""Strangers who do not keep to the rules: a precise reply, a bounded
number of errors, a close; never a hang, a crash or a half message."""
import base64
import json
import os
import re
import socket
import time

import pytest

from suite import SECONDS

ANN = "ann@example.test"


class Peer:
    """A bare connection that sends octets and reads whole replies."""

    def __init__(self, suite, kind="smtp", greet=True):
        self.socket = suite.connect(kind)
        self.file = self.socket.makefile("rb")
        if greet:
            assert self.reply()[0] in (220, "+OK")

    def send(self, octets):
        self.socket.sendall(octets)

    def reply(self):
        """(code, text); (None, b"") at the end of the connection."""
        lines = []
        while True:
            try:
                line = self.file.readline()
            except ConnectionError:
                line = b""
            if not line:
                return None, b""
            assert line.endswith(b"\r\n"), line
            lines.append(line)
            if line.startswith((b"+OK", b"-ERR")):
                return line.split()[0].decode(), line
            if line[3:4] == b" ":
                return int(line[:3]), b"".join(lines)

    def say(self, line):
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def rest(self):
        """Codes of all replies until the connection ends."""
        codes = []
        while True:
            code, _ = self.reply()
            if code is None:
                return codes
            codes.append(code)

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def begin(peer, to=ANN):
    assert peer.say("EHLO client.test")[0] == 250
    assert peer.say("MAIL FROM:<someone@elsewhere.test>")[0] == 250
    assert peer.say(f"RCPT TO:<{to}>")[0] == 250


def begin_data(peer):
    begin(peer)
    assert peer.say("DATA")[0] == 354


def still_serves(suite, before=0):
    """Whatever happened, the next client is served, and the mailbox holds
    exactly what was acknowledged."""
    with suite.smtp() as smtp:
        smtp.sendmail("someone@elsewhere.test", [ANN], "Subject: ok\n\nok\n")
    assert len(suite.wait_maildir(ANN, before + 1)) == before + 1


def endings(shared):
    with open(os.path.join(shared, "suites/smtp/smuggling/"
                           "eod-sequences.json")) as f:
        return [base64.b64decode(case["bytes_b64"]) for case in json.load(f)]


def test_smuggling(suite, shared):
    """Each false end of data is part of one message or refuses it; what
    comes behind it is never a message of its own (A1)."""
    inside = (b"MAIL FROM:<admin@example.test>\r\n"
              b"RCPT TO:<" + ANN.encode() + b">\r\nDATA\r\n"
              b"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n")
    arrived = 0
    for ending in endings(shared):
        real = re.match(rb"\r\n\.\r\n", ending)
        with Peer(suite) as peer:
            begin_data(peer)
            peer.send(b"Subject: outer\r\n\r\nouter" + ending)
            if real:  # the true end, with something behind it
                code, _ = peer.reply()
                assert code == 250
                arrived += 1
                continue
            peer.send(inside + b"QUIT\r\n")
            codes = peer.rest()
        # One reply to the one message, then the close or 221.
        assert codes and codes[0] in (250, 500, 501, 550, 552, 554), (
            ending, codes)
        assert sum(code == 250 for code in codes) <= 1, (ending, codes)
        assert 354 not in codes, (ending, codes)
        arrived += codes[0] == 250
    still_serves(suite, arrived)
    for path in suite.messages(ANN):
        with open(path, "rb") as f:
            octets = f.read()
        assert not octets.split(b"\n\n")[0].count(b"Subject: smuggled")


@pytest.mark.parametrize("line, codes", [
    ("FLY", (500,)),
    ("", (500,)),
    ("MAIL", (501, 503)),
    ("MAIL FROM:", (501, 553)),
    ("MAIL FROM:<a@b", (501, 553)),
    ("MAIL FROM:<a@b.test> NO=SUCH", (555,)),
    ("MAIL FROM:<a@b.test> SIZE=x", (501,)),
    ("MAIL FROM:<a@b.test> SIZE=99999999999", (552,)),
    ("MAIL FROM:<a@b.test> BODY=9BIT", (501, 504)),
    ("RCPT TO:<ann@example.test>", (503,)),
    ("DATA", (503,)),
    ("STARTTLS now", (501,)),
    ("AUTH PLAIN AGEAYg==", (500, 502, 503)),
    ("EXPN staff", (502,)),
    ("VRFY ann@example.test", (252,)),
    ("HELO", (501,)),
    ("EHLO", (501,)),
    ("DATA now", (501, 503)),
])
def test_replies_are_precise(suite, line, codes):
    with Peer(suite) as peer:
        assert peer.say("EHLO client.test")[0] == 250
        code, text = peer.say(line)
        assert code in codes, text
        if code != 252:
            assert re.match(rb"[45]\d\d [45]\.\d\.\d+ ", text), text
        assert peer.say("NOOP")[0] == 250


@pytest.mark.parametrize("address", [
    "someone@elsewhere.test", "ann%elsewhere.test@example.test",
    "elsewhere.test!ann@example.test", "@example.test:ann@elsewhere.test",
    '"ann@elsewhere.test"@example.test', "ann@elsewhere.test@example.test",
    "ann@[127.0.0.1]", "ann@sub.example.test", "ann@example.test.",
    "-f@example.test", "|cat@example.test", "/etc/passwd@example.test",
    "nobody@example.test", "nobody@mail.example.test",
])
def test_no_open_relay(suite, address):
    """Without a login nothing but our own users is taken (A9, A10)."""
    with Peer(suite) as peer:
        peer.say("EHLO client.test")
        peer.say("MAIL FROM:<someone@elsewhere.test>")
        code, text = peer.say(f"RCPT TO:<{address}>")
        assert 500 <= code < 560, text
        assert peer.say("RSET")[0] == 250


def test_errors_are_bounded(suite):
    with Peer(suite) as peer:
        peer.say("EHLO client.test")
        peer.send(b"JUNK\r\n" * 200)
        codes = peer.rest()
    assert 421 in codes[-1:] and len(codes) <= 25, codes
    still_serves(suite)


def test_unknown_users_are_bounded(suite):
    with Peer(suite) as peer:
        peer.say("EHLO client.test")
        peer.say("MAIL FROM:<someone@elsewhere.test>")
        for n in range(200):
            code, _ = peer.say(f"RCPT TO:<guess{n}@example.test>")
            if code != 550:
                break
        assert code in (421, None) and n <= 25
    still_serves(suite)


def test_http_is_shown_the_door(suite):
    """A6: an HTTP verb as the first line."""
    with Peer(suite) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"
                  b"EHLO client.test\r\nMAIL FROM:<a@b.test>\r\n")
        assert 250 not in peer.rest()
    still_serves(suite)


@pytest.mark.parametrize("octets", [
    b"EHLO " + b"x" * 100000 + b"\r\n",
    b"MAIL FROM:<" + b"x" * 5000 + b"@elsewhere.test>\r\n",
    b"NOOP \0\r\n", b"NOOP\rQUIT\r\n", b"\xff\xfe\r\n" * 5,
    b"MAIL FROM:<a\x1b[31m@elsewhere.test>\r\n",
], ids=["long line", "long address", "NUL", "bare CR", "8 bit", "escape"])
def test_garbage_in_commands(suite, octets):
    with Peer(suite) as peer:
        peer.say("EHLO client.test")
        peer.send(octets)
        code, text = peer.reply()
        assert code is None or 500 <= code < 560 or code == 421, text
    still_serves(suite)
    assert "\x1b" not in suite.log_text()


def test_oversize_declared_and_counted(make_suite):
    suite = make_suite(users=[ANN], extra=["max-message-size 64K"]).start()
    with Peer(suite) as peer:
        peer.say("EHLO client.test")
        code, text = peer.say("MAIL FROM:<a@elsewhere.test> SIZE=70000")
        assert code == 552 and b"5.3.4" in text
        begin_data(peer)
        peer.send(b"Subject: big\r\n\r\n" + (b"x" * 70 + b"\r\n") * 1000 +
                  b".\r\n")
        code, text = peer.reply()
        assert code == 552 and b"5.3.4" in text
        assert peer.say("NOOP")[0] == 250
    still_serves(suite)


def test_too_many_recipients(make_suite):
    """RFC 5321 section 4.5.3.1.10: 452 for those too many, the rest get
    it."""
    users = [f"u{n}@example.test" for n in range(6)]
    suite = make_suite(users=users, extra=["max-recipients 4"]).start()
    with Peer(suite) as peer:
        peer.say("EHLO client.test")
        peer.say("MAIL FROM:<someone@elsewhere.test>")
        codes = [peer.say(f"RCPT TO:<{user}>")[0] for user in users]
        assert codes == [250] * 4 + [452] * 2
        assert peer.say("DATA")[0] == 354
        assert peer.say("Subject: x\r\n\r\nx\r\n.")[0] == 250
    for user in users[:4]:
        suite.wait_maildir(user, 1)


@pytest.mark.parametrize("content, code", [
    (b"Subject: x\r\n\r\na\rb\r\n", 550),
    (b"Subject: x\r\n\r\na\nb\r\n", 550),
    (b"Subject: x\r\n\r\na\0b\r\n", 550),
    (b"Subject: x\r\n\r\n" + b"x" * 999 + b"\r\n", 550),
    (b"Subject: x\r\n\r\n" + b"x" * 5000000 + b"\r\n", 550),
    (b"Received: by x\r\n" * 51 + b"\r\nx\r\n", 554),
], ids=["bare CR", "bare LF", "NUL", "999 octets", "5 MB line", "loop"])
def test_bad_content(suite, content, code):
    with Peer(suite) as peer:
        begin_data(peer)
        peer.send(content + b".\r\n")
        got, text = peer.reply()
        assert got == code, text
        assert re.match(rb"5\d\d 5\.\d\.\d+ ", text)
    assert suite.queued() == []
    still_serves(suite)


def test_eight_bit_goes_through(suite):
    body = "größe €".encode()
    with Peer(suite) as peer:
        peer.say("EHLO client.test")
        peer.say("MAIL FROM:<a@elsewhere.test> BODY=8BITMIME")
        peer.say(f"RCPT TO:<{ANN}>")
        peer.say("DATA")
        peer.send(b"Subject: x\r\n\r\n" + body + b"\r\n.\r\n")
        assert peer.reply()[0] == 250
    [path] = suite.wait_maildir(ANN)
    with open(path, "rb") as f:
        assert f.read().endswith(body + b"\n")


def test_hanging_up_commits_nothing(suite):
    for stage in (b"", b"Subject: x\r\n", b"Subject: x\r\n\r\nx\r\n.",
                  b"Subject: x\r\n\r\nx\r\n.\r"):
        with Peer(suite) as peer:
            begin_data(peer)
            peer.send(stage)
    still_serves(suite)
    suite.wait_queue_empty()
    assert len(suite.messages(ANN)) == 1


def test_silence_and_drip_feeding_end(make_suite):
    """A21: the deadline is for the whole command."""
    suite = make_suite(users=[ANN], extra=["smtp-timeout 2s"]).start()
    with Peer(suite) as silent, Peer(suite) as dripping:
        began = time.monotonic()
        dripping.socket.settimeout(0.25)
        ended = False
        while not ended and time.monotonic() - began < SECONDS:
            try:
                dripping.send(b"N")
                octets = dripping.socket.recv(100)
                ended = octets == b"" or octets.startswith(b"421 ")
            except socket.timeout:
                continue
            except OSError:
                ended = True
        assert ended and time.monotonic() - began < 10
        assert silent.rest() in ([421], [])
    still_serves(suite)


def test_pop3_bad_input(suite):
    with Peer(suite, "pop3") as peer:
        for line in ("STAT", "FLY", "", "USER", "RETR 1", "PASS x",
                     "x" * 1000):
            assert peer.say(line)[0] == "-ERR", line
    with suite.smtp() as smtp:
        smtp.sendmail("a@elsewhere.test", [ANN], "Subject: x\n\nx\n")
    suite.wait_maildir(ANN)
    with Peer(suite, "pop3") as peer:
        assert peer.say(f"USER {ANN}")[0] == "+OK"
        assert peer.say(f"PASS {suite.passwords[ANN]}")[0] == "+OK"
        for line in ("RETR", "RETR 0", "RETR 2", "RETR -1", "RETR x",
                     "RETR 99999999999999999999", "TOP 1", "TOP 1 -1",
                     "DELE 2", "LIST 2", "UIDL 0", "STAT 1", "USER x"):
            assert peer.say(line)[0] == "-ERR", line
        assert peer.say("DELE 1")[0] == "+OK"
        assert peer.say("RETR 1")[0] == "-ERR"
    # No QUIT: nothing is deleted.
    assert len(suite.messages(ANN)) == 1


def test_pop3_errors_are_bounded(suite):
    with Peer(suite, "pop3") as peer:
        peer.send(b"JUNK\r\n" * 500)
        assert len(peer.rest()) <= 30
    suite.pop3(ANN).quit()


def test_one_pop3_session_a_mailbox(suite):
    first = suite.pop3(ANN)
    with Peer(suite, "pop3") as second:
        second.say(f"USER {ANN}")
        code, text = second.say(f"PASS {suite.passwords[ANN]}")
        assert code == "-ERR" and b"[IN-USE]" in text
    first.quit()
    suite.pop3(ANN).quit()


def test_passwords_are_not_logged(suite):
    suite.pop3(ANN).quit()
    with suite.submission(ANN):
        pass
    with Peer(suite, "pop3") as peer:
        peer.say(f"USER {ANN}")
        peer.say("PASS hunter2-in-the-log")
    suite.wait_log(lambda l: "pop3d" in l.text)
    text = suite.log_text() + suite.stderr_text()
    assert suite.passwords[ANN] not in text
    assert "hunter2-in-the-log" not in text
    assert base64.b64encode(
        f"\0{ANN}\0{suite.passwords[ANN]}".encode()).decode() not in text
