# SPDX-License-Identifier: ISC
"""SASL on the wire of smtpd and pop3d, with a userdb that the test plays:
every mechanism, what is wrong with it (A20), and clients that were not
written here."""
import base64
import contextlib
import email.message
import hashlib
import json
import os
import poplib
import shutil
import smtplib
import ssl
import subprocess
import threading
import unicodedata

import pytest

from internal import Pop3House, children, wait_gone
from logins import Logins, Scram, ScramClient, b64
from pki import Authority
from smtpd_fakes import ANN, PASSWORD, Smtpd, plain
from suite import SECONDS, can_trace, sanitized

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln-_~+/=="
EVERYTHING = [
    "auth-mechanisms PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS "
    "OAUTHBEARER XOAUTH2 CRAM-MD5",
    "oauth-issuer https://issuer.test", "oauth-audience mail",
    "oauth-jwks /nowhere", "apop yes"]
IN_THE_CLEAR = {"PLAIN", "LOGIN", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2",
                "CRAM-MD5"}


def unb64(text):
    return base64.b64decode(text, validate=True).decode()


class SmtpHouse:
    name = "smtpd"

    def __init__(self, extra, **options):
        self.service = Smtpd(extra=extra, **options)
        self.service.userdb.logins = self.logins = Logins(
            (ANN, "ann"), PASSWORD, ANN, TOKEN)

    def start(self):
        self.service.start()
        return self

    def connect(self):
        return SmtpLine(self.service)

    def welcomed(self):
        return len(self.service.queue.requests)

    def log(self):
        return self.service.log()

    def close(self):
        self.service.close()


class PopHouse:
    name = "pop3d"

    def __init__(self, extra):
        self.house = Pop3House(root=False, extra=extra)
        self.logins = Logins((ANN, "ann"), PASSWORD, ANN, TOKEN)
        self.house.userdb.others = self.logins
        self.house.fill(ANN, [b"Subject: one\n\nbody\n"])
        self.service = self.house.pop3d

    def start(self):
        self.house.start()
        return self

    def connect(self):
        return PopLine(self.house)

    def log(self):
        return self.house.pop3d.log()

    def close(self):
        self.house.close()


class SmtpLine:
    """What comes back: ("more", text), ("yes", ...) or (code, text)."""
    BAD_BASE64 = MALFORMED = "501 5.5.2"
    NOT_INITIAL = CANCELLED = "501 5.7.0"
    TOO_LONG, BARE = "500 5.5.6", "500 5.5.2"
    FAILED, LATER = "535 5.7.8", "454 4.7.0"
    UNKNOWN, AGAIN = "504 5.5.4", "503 5.5.1"

    def __init__(self, service):
        self.client = service.client("submission")
        self.mechanisms = next(
            (line.split()[1:] for line in self.client.ehlo()
             if line.startswith("AUTH ")), [])

    def raw(self, octets):
        self.client.send(octets)
        code = self.client.reply()
        text = self.client.text[4:]
        if code == 334:
            return "more", text
        if code == 235:
            return "yes", text
        return f"{code} {self.client.enhanced}" if code else "", text

    def say(self, text):
        return self.raw(text.encode() + b"\r\n")

    def auth(self, mechanism, initial=None):
        return self.say("AUTH " + mechanism +
                        (" " + initial if initial is not None else ""))

    def is_in(self):
        return self.client.command(f"MAIL FROM:<{ANN}>") == 250

    def is_alive(self):
        return self.client.command("NOOP") == 250

    def is_closed(self):
        return self.client.is_closed()

    def close(self):
        self.client.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class PopLine(SmtpLine):
    BAD_BASE64 = "-ERR bad base64"
    MALFORMED = "-ERR malformed"
    NOT_INITIAL = "-ERR this mechanism"
    CANCELLED = "-ERR authentication cancelled"
    TOO_LONG, BARE = "-ERR line too", "-ERR end lines"
    FAILED, LATER = "-ERR [AUTH]", "-ERR [SYS/TEMP]"
    UNKNOWN = "-ERR no such mechanism"
    AGAIN = "-ERR AUTH: you are logged in"

    def __init__(self, house):
        self.socket = house.raw()
        self.file = self.socket.makefile("rb")
        self.greeting = self.file.readline().decode()
        self.mechanisms = next(
            (line.split()[1:] for line in self.capa()
             if line.startswith("SASL ")), [])

    def capa(self):
        self.socket.sendall(b"CAPA\r\n")
        lines = []
        while (line := self.file.readline().decode()) != ".\r\n":
            assert line.endswith("\r\n")
            lines.append(line[:-2])
        return lines

    def raw(self, octets):
        self.socket.sendall(octets)
        try:
            line = self.file.readline().decode().rstrip("\r\n")
        except ConnectionResetError:
            return "", ""
        if line.startswith("+ "):
            return "more", line[2:]
        if line.startswith("+OK"):
            return "yes", line[4:]
        known = [text for name in dir(self) if name.isupper()
                 if line.startswith(text := getattr(self, name))]
        return (known[0] if known else line), line

    def is_in(self):
        return self.raw(b"STAT\r\n")[0] == "yes"

    def is_alive(self):
        return "UIDL" in self.capa()

    def is_closed(self):
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture(scope="module", params=[SmtpHouse, PopHouse],
                ids=["smtp", "pop3"])
def house(request):
    made = request.param(EVERYTHING).start()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def fresh(request):
    if "house" in request.fixturenames:
        logins = request.getfixturevalue("house").logins
        logins.verdicts, logins.challenge, logins.asked = {}, None, []


@pytest.fixture
def line(house):
    with house.connect() as line:
        yield line


@pytest.fixture
def make(request):
    made = []

    def start(kind, extra=()):
        made.append(kind(list(extra)).start())
        return made[-1]
    yield start
    for service in made:
        service.close()


def bearer(token=TOKEN, user=ANN):
    return b64(f"n,a={user},\1host=x\1port=587\1auth=Bearer {token}\1\1")


def xoauth2(token=TOKEN, user=ANN):
    return b64(f"user={user}\1auth=Bearer {token}\1\1")


# -- what is offered --

def test_what_is_offered_in_the_clear(house, line):
    """-PLUS needs a channel that it can be bound to."""
    assert set(line.mechanisms) == IN_THE_CLEAR
    assert line.auth("SCRAM-SHA-256-PLUS")[0] == line.UNKNOWN


@pytest.mark.parametrize("kind", [SmtpHouse, PopHouse])
@pytest.mark.parametrize("extra,offered", [
    ([], {"PLAIN", "LOGIN", "SCRAM-SHA-256"}),
    (["auth-mechanisms scram-sha-256"], {"SCRAM-SHA-256"}),
    (["auth-mechanisms PLAIN OAUTHBEARER"], {"PLAIN"}),
    (["auth-mechanisms SCRAM-SHA-256-PLUS"], set())])
def test_the_config_says_what_is_offered(make, kind, extra, offered):
    """Tokens need oauth-jwks, CRAM-MD5 and APOP a word of the postmaster."""
    with make(kind, extra).connect() as line:
        assert set(line.mechanisms) == offered
        for name in ("CRAM-MD5", "XOAUTH2", "GSSAPI"):
            assert line.auth(name)[0] not in ("more", "yes")
        if "PLAIN" not in offered and kind is PopHouse:
            assert "USER" not in line.capa()
            assert line.say("USER ann")[0] == line.FAILED
        if kind is PopHouse:
            assert "<" not in line.greeting
            assert line.say("APOP ann " + "0" * 32)[0].startswith("-ERR no AP")


# -- every mechanism, well used --

@pytest.mark.parametrize("user", [ANN, "ann", "Ann"])
def test_scram(house, line, user):
    client = ScramClient(user, PASSWORD)
    status, text = line.auth("SCRAM-SHA-256", b64(client.first()))
    assert status == "more"
    status, text = line.say(b64(client.final(unb64(text))))
    assert (status, unb64(text)) == ("more", f"v={client.signature}")
    assert line.say("")[0] == "yes" and line.is_in()
    [begun, proof] = house.logins.asked
    assert (begun["user"], begun["mechanism"], begun["tls"]) == (
        user, "SCRAM-SHA-256", "0")
    assert proof["first"] == client.bare


def test_scram_without_an_initial_response(line):
    client = ScramClient(ANN, PASSWORD)
    assert line.auth("scram-sha-256") == ("more", "")
    status, text = line.say(b64(client.first()))
    assert line.say(b64(client.final(unb64(text))))[0] == "more"
    assert line.say("")[0] == "yes" and line.is_in()


@pytest.mark.parametrize("mechanism,said", [
    ("OAUTHBEARER", bearer()), ("XOAUTH2", xoauth2()),
    ("OAUTHBEARER", b64(f"n,,\1auth=Bearer {TOKEN}\1\1"))])
def test_tokens(house, line, mechanism, said):
    assert line.auth(mechanism, said)[0] == "yes"
    assert line.is_in()
    [asked] = house.logins.asked
    assert asked["token"] == TOKEN and asked["mechanism"] == mechanism
    assert asked.get("user") in (ANN, None)


def test_cram_md5(house, line):
    """RFC 2195; the challenge is never the same."""
    status, text = line.auth("CRAM-MD5")
    assert status == "more" and "@mail.example.test>" in unb64(text)
    import hmac
    digest = hmac.new(PASSWORD.encode(), unb64(text).encode(), "md5")
    assert line.say(b64(f"{ANN} {digest.hexdigest()}"))[0] == "yes"
    assert line.is_in()
    with house.connect() as second:
        assert second.auth("CRAM-MD5")[1] != text
        assert second.say(b64(f"{ANN} {digest.hexdigest()}"))[0] == (
            second.FAILED)


@pytest.mark.parametrize("mechanism,dialogue", [
    ("PLAIN", [plain(ANN, PASSWORD)]), ("PLAIN", [None, plain(ANN, PASSWORD)]),
    ("LOGIN", [None, b64(ANN), b64(PASSWORD)]),
    ("LOGIN", [b64(ANN), b64(PASSWORD)])])
def test_plain_and_login(line, mechanism, dialogue):
    status, _ = line.auth(mechanism, dialogue[0])
    for said in dialogue[1:]:
        assert status == "more"
        status, _ = line.say(said)
    assert status == "yes" and line.is_in()


def apop(greeting, password):
    timestamp = greeting[greeting.index("<"):greeting.index(">") + 1]
    return hashlib.md5((timestamp + password).encode()).hexdigest()


def test_apop(make):
    """RFC 1939 section 7"""
    house = make(PopHouse, EVERYTHING)
    greetings = set()
    for password, status in ((PASSWORD, "yes"), ("wrong", PopLine.FAILED)):
        with house.connect() as line:
            greetings.add(line.greeting)
            assert line.say(f"APOP {ANN} {apop(line.greeting, password)}"
                            )[0] == status
    assert len(greetings) == 2
    for said in ("", " ann", " ann 123", " ann " + "x" * 32,
                 " " + "0" * 32, " ann " + "0" * 33):
        with house.connect() as line:
            asked = len(house.logins.asked)
            assert line.say("APOP" + said)[0].startswith("-ERR")
            assert len(house.logins.asked) == asked and line.is_alive()


# -- the wrong password, name, token --

def refused_scram(line, user, password, **options):
    client = ScramClient(user, password, **options)
    status, text = line.auth("SCRAM-SHA-256", b64(client.first()))
    if status != "more":
        return status
    return line.say(b64(client.final(unb64(text))))[0]


def test_wrong_credentials_look_alike(house):
    """A20, A26: who exists does not show."""
    seen = set()
    for user, password in ((ANN, "wrong"), ("nobody", PASSWORD)):
        with house.connect() as line:
            for said in (
                    refused_scram(line, user, password),
                    line.auth("PLAIN", plain(user, password))[0]):
                assert said == line.FAILED and not line.is_in()
                seen.add(said)
    assert len(seen) == 1


@pytest.mark.parametrize("challenge", [None, json.dumps({
    "status": "invalid_token", "scope": "mail",
    "openid-configuration": "https://issuer.test/" + "x" * 150})])
@pytest.mark.parametrize("mechanism,said,dummy", [
    ("OAUTHBEARER", bearer("bad"), "AQ=="),
    ("OAUTHBEARER", bearer(user="bob@example.test"), ""),
    ("XOAUTH2", xoauth2("bad"), ""), ("XOAUTH2", xoauth2("bad"), "AQ==")])
def test_refused_tokens(house, line, mechanism, said, dummy, challenge):
    """RFC 7628 section 3.2.3: JSON, the client's nothing, the error."""
    house.logins.challenge = challenge
    status, text = line.auth(mechanism, said)
    assert status == "more"
    if challenge:
        assert unb64(text) == challenge
    assert json.loads(unb64(text))["status"]
    assert line.say(dummy)[0] == line.FAILED and not line.is_in()
    assert line.auth(mechanism, said)[0] == "more"
    assert line.say("*")[0] == line.CANCELLED and line.is_alive()


@pytest.mark.parametrize("said", [
    plain(ANN, PASSWORD, "bob@example.test"), plain(ANN, PASSWORD, "ANN")])
def test_nobody_acts_as_somebody_else(house, line, said):
    assert line.auth("PLAIN", said)[0] == line.FAILED
    assert refused_scram(line, ANN, PASSWORD,
                         header="n,a=bob@example.test,") == line.FAILED
    assert house.logins.asked == []
    assert house.log().count('reason="asked to act as somebody else"') >= 2


def test_temporary_failures_are_told_as_such(house):
    """userdb cannot tell now, at every question that it is asked."""
    for verb, said in (
            ("login", lambda c: c.auth("PLAIN", plain(ANN, PASSWORD))),
            ("token", lambda c: c.auth("XOAUTH2", xoauth2())),
            ("scram", lambda c: c.auth("SCRAM-SHA-256", b64("n,,n=a,r=b")))):
        house.logins.verdicts = {verb: "login-later"}
        with house.connect() as line:
            assert said(line)[0] == line.LATER
            house.logins.verdicts = {}
            assert line.auth("PLAIN", plain(ANN, PASSWORD))[0] == "yes"
    for verdict in ("busy", "recipient-ok", "no-such-verdict"):
        house.logins.verdicts = {"proof": verdict}
        with house.connect() as line:
            assert refused_scram(line, ANN, PASSWORD) == line.LATER


# -- A20: broken on purpose --

BROKEN = [
    ("PLAIN", ["!"], "BAD_BASE64"), ("PLAIN", ["AGFubgBwdw"], "BAD_BASE64"),
    ("PLAIN", ["AGFubgBwdx=="], "BAD_BASE64"), ("PLAIN", ["===="],
                                                "BAD_BASE64"),
    ("PLAIN", [None, "AAA A"], "BAD_BASE64"), ("PLAIN", ["="], "MALFORMED"),
    ("PLAIN", [None, ""], "MALFORMED"),
    ("PLAIN", [b64("\0a\0b\0c")], "MALFORMED"),
    ("PLAIN", [plain("u" * 401, "x")], "MALFORMED"),
    ("PLAIN", [plain("u", "x" * 1025)], "MALFORMED"),
    ("LOGIN", [b64("a\0b")], "MALFORMED"),
    ("LOGIN", [b64("ann"), b64("p\0w")], "MALFORMED"),
    ("LOGIN", [b64("ann"), "*"], "CANCELLED"),
    ("PLAIN", [None, "*"], "CANCELLED"), ("PLAIN", ["*"], "BAD_BASE64"),
    ("CRAM-MD5", ["="], "NOT_INITIAL"), ("CRAM-MD5", [b64("x")],
                                         "NOT_INITIAL"),
    ("CRAM-MD5", [None, b64("ann")], "MALFORMED"),
    ("CRAM-MD5", [None, b64("ann " + "g" * 32)], "MALFORMED"),
    ("SCRAM-SHA-256", [b64("n,,n=a\0b,r=x")], "MALFORMED"),
    ("SCRAM-SHA-256", [b64("n,,m=x,n=a,r=x")], "MALFORMED"),
    ("SCRAM-SHA-256", [b64("n,,n=a,r=" + "x" * 300)], "MALFORMED"),
    ("SCRAM-SHA-256", [b64("n,,n=" + "a" * 500 + ",r=x")], "MALFORMED"),
    ("SCRAM-SHA-256", [b64("n,,n=a=2c,r=x")], "MALFORMED"),
    ("SCRAM-SHA-256", [b64("n,,n=a,r=x"), b64("c=biws,r=x")], "MALFORMED"),
    ("SCRAM-SHA-256", [b64("n,,n=a,r=x"), "*"], "CANCELLED"),
    ("SCRAM-SHA-256", [b64("n,,n=a,r=x"), b64("c=biws,r=x,p=AAAA")],
     "FAILED"),
    ("SCRAM-SHA-256", [b64("p=tls-exporter,,n=a,r=x")], "FAILED"),
    ("OAUTHBEARER", [b64("n,,\1auth=Bearer x")], "MALFORMED"),
    ("OAUTHBEARER", [b64("n,,\1auth=Bearer a b\1\1")], "MALFORMED"),
    ("OAUTHBEARER", [b64("n,,\1auth=Bearer a\0b\1\1")], "MALFORMED"),
    ("OAUTHBEARER", [bearer("t" * 8193)], "MALFORMED"),
    ("XOAUTH2", [b64("auth=Bearer x\1\1")], "MALFORMED"),
    ("PLAIN", [None, "A" * 13000], "TOO_LONG"),
    ("LOGIN", [None, "A" * 200000], "TOO_LONG"),
    ("SCRAM-SHA-256", [b64("n,,n=a,r=x"), "A" * 13000], "TOO_LONG"),
    ("GSSAPI", [None], "UNKNOWN"),
    ("PLAINER", [plain(ANN, PASSWORD)], "UNKNOWN"),
]


@pytest.mark.parametrize("mechanism,dialogue,end", BROKEN,
                         ids=lambda v: str(v)[:24])
def test_broken_exchanges(house, line, mechanism, dialogue, end):
    """A20: refused as the RFC says, and the session goes on as if nothing
    had been; the exchange that was begun at userdb is given up."""
    status, _ = line.auth(mechanism, dialogue[0])
    for said in dialogue[1:]:
        assert status == "more"
        status, _ = line.say(said)
    assert status == getattr(line, end)
    assert not line.is_in() and line.is_alive()
    assert line.auth("PLAIN", plain(ANN, PASSWORD))[0] == "yes"
    verbs = [p.verb for p in house.logins.asked]
    assert verbs.count("scram") == verbs.count("cancel") and verbs[-1] == (
        "login")


def test_a_long_token_is_no_huge_response(house, line):
    house.logins.token = "t" * 8192
    try:
        assert line.auth("OAUTHBEARER", None)[0] == "more"
        assert line.say(bearer("t" * 8192))[0] == "yes"
    finally:
        house.logins.token = TOKEN


def test_octets_that_are_no_line(house, line):
    assert line.auth("PLAIN")[0] == "more"
    assert line.raw(plain(ANN, PASSWORD).encode() + b"\n")[0] == line.BARE
    assert line.auth("PLAIN")[0] == "more"
    assert line.raw(b"AGFu\0gBwdw==\r\n")[0] == line.BAD_BASE64
    assert line.auth("PLAIN")[0] == "more"
    assert line.raw(b"\xff\xfe\r\n")[0] == line.BAD_BASE64
    assert line.is_alive()


def test_one_login_is_enough(house, line):
    assert line.auth("PLAIN", plain(ANN, PASSWORD))[0] == "yes"
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "NONSENSE"):
        assert line.auth(mechanism)[0] == line.AGAIN
    assert len(house.logins.asked) == 1 and line.is_in()


def test_no_command_within_an_exchange(line):
    """An AUTH inside an AUTH is a response that is no base64."""
    assert line.auth("LOGIN")[0] == "more"
    assert line.auth("PLAIN", plain(ANN, PASSWORD))[0] == line.BAD_BASE64
    assert not line.is_in()


def test_nothing_is_pipelined_behind_auth(house, line):
    """A7"""
    status, _ = line.raw(b"AUTH PLAIN " + plain(ANN, PASSWORD).encode() +
                         b"\r\nNOOP\r\n")
    assert status not in ("yes", "more") and line.is_closed()
    assert house.logins.asked == []


@pytest.mark.parametrize("kind", [SmtpHouse, PopHouse])
def test_who_hangs_up_in_the_middle(make, kind):
    """userdb is told, or the connection to it ends; nobody waits."""
    house = make(kind, [f"{'smtpd' if kind is SmtpHouse else 'pop3d'}"
                        "-processes 1", "spare-processes 1"])
    with house.connect() as line:
        [pid] = children(house.service.process.pid)
        assert line.auth("SCRAM-SHA-256", b64("n,,n=a,r=x"))[0] == "more"
    wait_gone(pid)  # it may have seen a secret
    with house.connect() as line:
        assert line.auth("PLAIN", plain(ANN, PASSWORD))[0] == "yes"


@pytest.mark.parametrize("mechanism,said", [
    ("SCRAM-SHA-256", b64("n,,n=a,r=x")), ("OAUTHBEARER", bearer("bad")),
    ("CRAM-MD5", None)])
@pytest.mark.parametrize("kind", [SmtpHouse, PopHouse])
def test_who_saw_a_secret_serves_nobody_else(make, kind, mechanism, said):
    name = "smtpd" if kind is SmtpHouse else "pop3d"
    house = make(kind, [*EVERYTHING, f"{name}-processes 1",
                        "spare-processes 1"])
    with house.connect() as line:
        [pid] = children(house.service.process.pid)
        assert line.auth(mechanism, said)[0] == "more"
        assert line.say("*")[0] == line.CANCELLED
        assert line.say("QUIT")
    wait_gone(pid)
    with house.connect() as line:
        assert children(house.service.process.pid) != [pid]


@pytest.mark.parametrize("kind,said", [
    (SmtpHouse, b"AUTH PLAIN %s\r\nNOOP\r\n" % plain(ANN, PASSWORD).encode()),
    (PopHouse, b"AUTH PLAIN %s\r\nNOOP\r\n" % plain(ANN, PASSWORD).encode()),
    (PopHouse, b"PASS %s\r\n" % PASSWORD.encode())])
def test_who_refused_a_secret_serves_nobody_else(make, kind, said):
    """Said ahead or out of turn, it was there all the same."""
    name = "smtpd" if kind is SmtpHouse else "pop3d"
    house = make(kind, [f"{name}-processes 1", "spare-processes 1"])
    with house.connect() as line:
        [pid] = children(house.service.process.pid)
        assert line.raw(said)[0] not in ("yes", "more")
    wait_gone(pid)
    assert house.logins.asked == []


@pytest.mark.parametrize("step,said", [
    ("login", ["PLAIN", plain(ANN, PASSWORD)]),
    ("token", ["XOAUTH2", xoauth2()]),
    ("scram", ["SCRAM-SHA-256", b64("n,,n=a,r=x")]),
    ("proof", None)])
@pytest.mark.parametrize("fault", ["close", b"", b"nonsense\0",
                                   ("login",), ("login", ("verdict", "x" * 99)),
                                   ("scram", ("nonce", "a,b"), ("salt", "QQ=="),
                                    ("iterations", "4096")),
                                   ("login", ("verdict", "login-ok"))])
def test_userdb_fails_in_the_middle(make, step, said, fault):
    """A24, P4: a temporary failure, and the next attempt works."""
    house = make(SmtpHouse, EVERYTHING)
    userdb = house.service.userdb
    with house.connect() as line:
        userdb.fault = (step, fault if isinstance(fault, (str, bytes)) else
                        [fault[0], *fault[1:]])
        if step == "proof":
            assert refused_scram(line, ANN, PASSWORD) == line.LATER
        elif fault in ("close", b""):
            # It is asked again, once, as after a restart.
            assert line.auth(*said)[0] in ("more", "yes")
            assert [p.verb for p in userdb.requests].count(step) == 2
            return
        else:
            assert line.auth(*said)[0] == line.LATER
        assert not line.is_in() and line.is_alive()
        assert line.auth("PLAIN", plain(ANN, PASSWORD))[0] == "yes"
        assert line.is_in()


def test_no_secret_is_logged(make):
    """Nor what a secret could be guessed from."""
    house = make(SmtpHouse, EVERYTHING)
    secrets = [PASSWORD, plain(ANN, PASSWORD), TOKEN, bearer(), xoauth2(),
               "n=ann,r=", plain(ANN, "wrong"), "wrongest"]
    for mechanism, said in (
            ("PLAIN", plain(ANN, PASSWORD)), ("OAUTHBEARER", bearer()),
            ("XOAUTH2", xoauth2()), ("XOAUTH2", xoauth2("wrongest")),
            ("PLAIN", plain(ANN, "wrongest")), ("PLAIN", "!wrongest"),
            ("PLAIN", plain(ANN, "wrongest", "bob")),
            ("NONSENSE", b64("wrongest")), ("PLAIN", b64("wrongest"))):
        with house.connect() as line:
            line.auth(mechanism, said)
            line.say("QUIT")
    with house.connect() as line:
        refused_scram(line, "ann", "wrongest")
    log = house.log()
    assert "login failed" in log
    for secret in secrets:
        assert secret not in log and b64(secret) not in log


def memory_of(pid):
    """All that the process can write to."""
    text = b""
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb") as memory:
        for area in maps:
            where, rights = area.split()[:2]
            if rights.startswith("rw") and "[v" not in area:
                begin, end = (int(x, 16) for x in where.split("-"))
                memory.seek(begin)
                with contextlib.suppress(OSError):
                    text += memory.read(end - begin)
    return text


SECRET_DIALOGUES = [
    ("PLAIN", [plain(ANN, PASSWORD)]), ("PLAIN", [None, plain(ANN, PASSWORD)]),
    ("PLAIN", [plain(ANN, "wrongest")]),
    ("LOGIN", [None, b64(ANN), b64(PASSWORD)]),
    ("LOGIN", [None, b64(ANN), b64("wrongest")]),
    ("OAUTHBEARER", [bearer()]), ("XOAUTH2", [None, xoauth2()])]


def check_memory(house, connect):
    """After each dialogue, once its answer is out; base64 stands for the
    line that it came in."""
    for mechanism, dialogue in SECRET_DIALOGUES:
        with connect() as line:
            [pid] = children(house.service.process.pid)
            line.auth(mechanism, dialogue[0])
            for said in dialogue[1:]:
                line.say(said)
            assert line.is_alive()
            memory = memory_of(pid)
            assert b"AUTH" in memory  # we do look at it
            for secret in [PASSWORD, "wrongest", TOKEN,
                           *filter(None, dialogue)]:
                # The next command may have been read over its beginning.
                if secret != b64(ANN):
                    assert secret[-11:].encode() not in memory, mechanism
        wait_gone(pid)


needs_tracing = pytest.mark.skipif(not can_trace() or sanitized(),
                                   reason="may not look into a process, or "
                                   "terabytes of it")


@needs_tracing
@pytest.mark.parametrize("kind", [SmtpHouse, PopHouse])
def test_no_secret_is_left_in_memory(make, kind):
    name = "smtpd" if kind is SmtpHouse else "pop3d"
    house = make(kind, [*EVERYTHING, f"{name}-processes 1",
                        "spare-processes 1"])
    check_memory(house, house.connect)
    if kind is PopHouse:
        with house.connect() as line:
            [pid] = children(house.service.process.pid)
            line.say(f"USER {ANN}")
            assert line.say("PASS wrongest")[0] == line.FAILED
            assert b"wrongest" not in memory_of(pid)


@needs_tracing
def test_no_secret_is_left_in_memory_under_tls(tmp_path):
    """The library has buffers of its own."""
    ca = Authority(str(tmp_path))
    house = SmtpHouse([*EVERYTHING, "smtpd-processes 1", "spare-processes 1"],
                      pairs=[ca.issue("mail.example.test")])

    def connect():
        line = SmtpLine(house.service)
        assert line.client.command("STARTTLS") == 220
        line.client.socket = ssl.create_default_context(
            cafile=ca.path).wrap_socket(line.client.socket,
                                        server_hostname="mail.example.test")
        line.client.file = line.client.socket.makefile("rb")
        line.client.ehlo()
        return line
    house.start()
    try:
        check_memory(house, connect)
    finally:
        house.close()


# -- clients that were not written here --

def run(*command, text="", **options):
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}")
    return subprocess.run(command, input=text, capture_output=True, text=True,
                          check=False, timeout=SECONDS, **options)


MESSAGE = "Subject: hello\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def smtp():
    made = SmtpHouse(EVERYTHING).start()
    yield made
    made.close()


@pytest.fixture(scope="module")
def pop3():
    made = PopHouse(EVERYTHING).start()
    yield made
    made.close()


def delivered(smtp, before):
    message = smtp.service.queue.wait(before + 1)[before]
    return message.login == ANN


@pytest.mark.parametrize("mechanism", [
    "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"])
def test_gsasl(smtp, mechanism):
    for password, code in ((PASSWORD, 0), ("wrong", 1)):
        done = run("gsasl", "--smtp", "--no-starttls", "-m", mechanism,
                   f"--connect=127.0.0.1:{smtp.service.ports['submission']}",
                   "--hostname=127.0.0.1", "-a", ANN, "-p", password,
                   "--no-cb")
        assert (done.returncode != 0) == code, done.stdout + done.stderr
        assert ("235 2.7.0" in done.stdout) == (code == 0)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5",
                                       "OAUTHBEARER"])
def test_curl_sends(smtp, mechanism):
    url = f"smtp://127.0.0.1:{smtp.service.ports['submission']}/x"
    before = smtp.service.queue.settled()
    for right in (True, False):
        secret = (["--user", f"{ANN}:", "--oauth2-bearer",
                   TOKEN if right else "bad"]
                  if mechanism == "OAUTHBEARER" else
                  ["--user", f"{ANN}:{PASSWORD if right else 'wrong'}"])
        done = run("curl", "-sS", "--url", url, "--mail-from", ANN,
                   "--mail-rcpt", ANN, "-T", "-", "--login-options",
                   f"AUTH={mechanism}", *secret, text=MESSAGE)
        assert done.returncode == (0 if right else 67), done.stderr
    assert delivered(smtp, before)


@pytest.mark.parametrize("mechanism", ["plain", "login", "cram-md5",
                                       "scram-sha-256", "oauthbearer",
                                       "xoauth2"])
def test_msmtp(smtp, mechanism):
    before = smtp.service.queue.settled()
    for right in (True, False):
        secret = TOKEN if "oauth" in mechanism else PASSWORD
        done = run("msmtp", "-C", "/dev/null", "--host=127.0.0.1",
                   f"--port={smtp.service.ports['submission']}", "--tls=off",
                   f"--auth={mechanism}", f"--user={ANN}", f"--from={ANN}",
                   f"--passwordeval=echo '{secret if right else 'bad'}'", ANN,
                   text=MESSAGE)
        assert (done.returncode == 0) == right, done.stderr
    assert delivered(smtp, before)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_swaks(smtp, mechanism):
    before = smtp.service.queue.settled()
    for password in (PASSWORD, "wrong"):
        done = run("swaks", "--server", "127.0.0.1", "--port",
                   str(smtp.service.ports["submission"]), "--from", ANN,
                   "--to", ANN, "--auth", mechanism, "--auth-user", ANN,
                   "--auth-password", password)
        assert (done.returncode == 0) == (password == PASSWORD), done.stdout
    assert delivered(smtp, before)


def test_pythons_smtplib(smtp):
    before = smtp.service.queue.settled()
    message = email.message.EmailMessage()
    message["Subject"] = "hello"
    with smtplib.SMTP("127.0.0.1", smtp.service.ports["submission"]) as client:
        client.login(ANN, PASSWORD)  # CRAM-MD5 is its first choice
        client.send_message(message, ANN, [ANN])
    assert delivered(smtp, before)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "+APOP",
                                       "OAUTHBEARER"])
def test_curl_reads(pop3, mechanism):
    for right in (True, False):
        secret = (["--user", f"{ANN}:", "--oauth2-bearer",
                   TOKEN if right else "bad"]
                  if mechanism == "OAUTHBEARER" else
                  ["--user", f"{ANN}:{PASSWORD if right else 'wrong'}"])
        done = run("curl", "-sS", "--url",
                   f"pop3://127.0.0.1:{pop3.house.port}/1",
                   "--login-options", f"AUTH={mechanism}", *secret)
        assert done.returncode == (0 if right else 67), done.stderr
        assert ("Subject: one" in done.stdout) == right


@pytest.mark.parametrize("mechanism", [
    "user", "apop", "plain", "login", "cram-md5", "scram-sha-256",
    "oauthbearer", "xoauth2"])
def test_mpop(pop3, mechanism, tmp_path):
    for right in (True, False):
        secret = TOKEN if "oauth" in mechanism else PASSWORD
        config = tmp_path / "mpoprc"
        config.write_text(
            "account x\nhost 127.0.0.1\n"
            f"port {pop3.house.port}\nuser {ANN}\ntls off\nkeep on\n"
            f"auth {mechanism}\npassword \"{secret if right else 'bad'}\"\n"
            f"delivery mbox {tmp_path}/box\n"
            f"uidls_file {tmp_path}/uidls-{right}\naccount default : x\n")
        config.chmod(0o600)
        done = run("mpop", "-C", str(config), "-Q")
        assert (done.returncode == 0) == right, done.stderr
    assert "Subject: one" in (tmp_path / "box").read_text()


def test_fetchmail(pop3, tmp_path):
    for auth in ("protocol apop", "protocol pop3 auth cram-md5",
                 "protocol pop3 auth password"):
        for right in (True, False):
            config = tmp_path / "fetchmailrc"
            config.write_text(
                f"poll 127.0.0.1 service {pop3.house.port} {auth}\n"
                f"user \"{ANN}\" password "
                f"\"{PASSWORD if right else 'wrong'}\" keep fetchall sslproto "
                f"'' mda \"cat >>{tmp_path}/box\"\n")
            config.chmod(0o600)
            done = run("fetchmail", "-f", str(config), "--nosyslog",
                       "--pidfile", str(tmp_path / "pid"), env=dict(
                           os.environ, HOME=str(tmp_path),
                           FETCHMAILHOME=str(tmp_path)))
            assert (done.returncode == 0) == right, done.stdout + done.stderr
    assert (tmp_path / "box").read_text().count("Subject: one") == 3


TALK = os.path.join(os.environ["POSTRIDER_BUILD"], "tests", "tools",
                    "sasl-talk")


def relay(ours, gsasl, server):
    """Carry lines between the two until both are done; their exit codes.
    gsasl begins with the mechanism's name, and a server that waits for its
    client with an empty challenge."""
    def pump(source, sink, skip):
        for line in source.stdout:
            if skip:
                skip -= 1
                continue
            with contextlib.suppress(BrokenPipeError, ValueError):
                sink.stdin.write(line)
                sink.stdin.flush()
        with contextlib.suppress(BrokenPipeError, ValueError):
            sink.stdin.close()
    threads = [
        threading.Thread(target=pump, args=(
            gsasl, ours, 2 if server is gsasl else 1)),
        threading.Thread(target=pump, args=(
            ours, gsasl, 1 if server is ours else 0))]
    for thread in threads:
        thread.start()
    try:
        return ours.wait(SECONDS), gsasl.wait(SECONDS)
    finally:
        for process in (ours, gsasl):
            process.kill()
        for thread in threads:
            thread.join(SECONDS)


def start(*command):
    return subprocess.Popen(command, stdin=subprocess.PIPE, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def gsasl(role, mechanism, password):
    if shutil.which("gsasl") is None:
        pytest.skip("no gsasl")
    return start("gsasl", "--" + role, "-m", mechanism, "--no-cb", "--quiet",
                 "-a", "ann,=", "-p", password, "--service", "smtp",
                 "--hostname", "localhost", "--realm", "")


@pytest.mark.parametrize("theirs,ours", [
    ("pencil", "pencil"), ("s\u00e9same", "s\u00e9same"),
    ("pencil", "Pencil")])
def test_our_client_at_gsasls_server(theirs, ours):
    server = gsasl("server", "SCRAM-SHA-256", theirs)
    client = start(TALK, "client", "SCRAM-SHA-256", "ann,=", ours)
    codes = relay(client, server, server)
    assert (codes[0] == 0) == (codes[1] == 0) == (theirs == ours)


@pytest.mark.parametrize("password,ours", [
    ("pencil", "pencil"), ("s\u00e9same", "s\u00e9same"),
    ("a\u00a0b", "a b"),  # what SASLprep makes of another space
    ("I\u00adX", "IX"), ("pencil", "Pencil"), ("\u2168", "\u2168")])
def test_gsasls_client_at_our_server(password, ours):
    """The last one shows what is left out: they make IX of a Roman nine."""
    client = gsasl("client", "SCRAM-SHA-256", password)
    server = start(TALK, "server", "SCRAM-SHA-256", "ann,=", ours)
    code, _ = relay(server, client, server)
    # That the client went on to the end shows that it believes our signature.
    assert (code == 0) == (password != "\u2168" and ours != "Pencil")


# -- what others published --

def published(shared, *names):
    with open(os.path.join(shared, "suites", "sasl", *names),
              encoding="utf-8") as f:
        return json.load(f)


def talk(*arguments):
    done = subprocess.run([TALK, *arguments], capture_output=True, text=True,
                          check=False, timeout=SECONDS,
                          stdin=subprocess.DEVNULL)
    return done.stdout.split() if done.returncode == 0 else None


def check_scram(password, steps):
    """Both sides of ours against all four messages of theirs."""
    first, server_first, final, server_final = steps[:4]
    bare = first.split(",", 2)[2]
    without, proof = final.rsplit(",p=", 1)
    signature = server_final[2:]
    proved = talk("prove", password, bare, server_first, without)
    fields = dict(f.split("=", 1) for f in server_first.split(","))
    mine = bare.split("r=", 1)[1]
    keys = Scram(password, base64.b64decode(fields["s"]), int(fields["i"]))
    verifier = (f"SCRAM-SHA-256${fields['i']}:{fields['s']}$"
                f"{b64(keys.stored)}:{b64(keys.server)}")
    assert fields["r"].startswith(mine)
    arguments = ("verify", verifier, bare, fields["r"][len(mine):], without)
    if proved != [proof, signature]:
        return False
    assert talk(*arguments, proof) == [signature]
    assert talk(*arguments, b64(b"x" * 32)) is None
    return True


@pytest.mark.parametrize("name", [
    "sha-256-ascii", "sha-256-ascii-user", "sha-256-ascii-pass", "rfc7677",
    "sha-256-saslprep-normal", "sha-256-no-saslprep"])
def test_published_scram_conversations(shared, name):
    vector = published(shared, "xdg-go-scram", "good", name + ".json")
    assert vector["valid"]
    assert check_scram(vector["pass"], vector["steps"])


def test_what_is_left_out_of_saslprep(shared):
    """An angstrom sign is no letter A with a ring here: see
    postrider-standards(7)."""
    vector = published(shared, "xdg-go-scram", "good",
                       "sha-256-saslprep-non-normal.json")
    assert not check_scram(vector["pass"], vector["steps"])
    composed = unicodedata.normalize("NFKC", vector["pass"])
    assert check_scram(composed, vector["steps"])


def test_published_vectors(shared, smtp):
    for vector in published(shared, "vectors.json"):
        name, steps = vector["mech"], vector.get("steps")
        if name == "SCRAM-SHA-256":
            assert check_scram(vector["pass"], steps)
        elif name == "CRAM-MD5":
            done = run(TALK, "client", name, vector["user"], vector["pass"],
                       text=b64(vector["challenge"]) + "\n")
            assert unb64(done.stdout.strip()) == vector["response"]
        elif name == "PLAIN":
            authzid, user, password = vector["message"].split("\0")
            done = run(TALK, "server", name, user, password,
                       text=b64(vector["message"]) + "\n")
            assert (done.returncode == 0) == (authzid == "")
        elif name == "APOP":
            # userdb's arithmetic, here that of the one which poses as it
            assert hashlib.md5((vector["timestamp"] + vector["pass"]).encode()
                               ).hexdigest() == vector["digest"]
        else:
            assert name == "SCRAM-SHA-1"  # not spoken here
            assert smtp.connect().auth(name)[0] == SmtpLine.UNKNOWN


def test_pythons_poplib(pop3):
    client = poplib.POP3("127.0.0.1", pop3.house.port, timeout=SECONDS)
    assert "CRAM-MD5" in client.capa()["SASL"]
    client.apop(ANN, PASSWORD)
    assert client.stat()[0] == 1
    client.quit()
