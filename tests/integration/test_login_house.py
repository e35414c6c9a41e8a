# SPDX-License-Identifier: ISC
"""Logging in to the whole house: every mechanism under TLS and in the clear,
by clients that were not written here, against the real userdb."""
import base64
import gc
import hashlib
import json
import os
import poplib
import re
import smtplib
import socket
import ssl
import subprocess
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from logins import ScramClient, b64
from suite import PASSWORD, SECONDS, Suite, wait_for

jwt = pytest.importorskip("jwt")

ANN, BOB, CAT = (f"{name}@example.test" for name in ("ann", "bob", "cat"))
ISSUER, AUDIENCE = "https://issuer.test", "mail"
EVERYTHING = ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS",
              "OAUTHBEARER", "XOAUTH2", "CRAM-MD5")
MESSAGE = "From: ann@example.test\r\nSubject: by {}\r\n\r\nhello\r\n"


class Issuer:
    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)

    def jwks(self):
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(
            self.key.public_key()))
        return json.dumps({"keys": [
            {**public, "kid": "one", "alg": "RS256", "use": "sig"}]})

    def token(self, **claims):
        now = int(time.time())
        return jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "email": ANN,
                           "iat": now, "exp": now + 600, **claims}, self.key,
                          "RS256", {"kid": "one"})


@pytest.fixture(scope="module")
def house():
    """ann has a password, bob a reversible one, cat only an imported hash."""
    suite = Suite(tls=True)
    try:
        suite.issuer = Issuer()
        with open(suite.path("jwks.json"), "w") as f:
            f.write(suite.issuer.jwks())
        suite.write_config(
            "auth-mechanisms " + " ".join(EVERYTHING), "apop yes",
            f"oauth-issuer {ISSUER}", f"oauth-audience {AUDIENCE}",
            f"oauth-jwks {suite.path('jwks.json')}", "password-cost 1",
            "max-client-sessions 1000")
        suite.start()
        suite.add_user(ANN)
        suite.add_user(BOB)
        suite.user_tool("passwd", "--reversible", "--password-stdin", BOB,
                        input=PASSWORD + "\n")
        suite.user_tool("import", input=f"user {CAT} hash={sha512(PASSWORD)}"
                                        "\n")
        with suite.smtp() as smtp:
            for user in (ANN, BOB, CAT):
                smtp.sendmail("x@elsewhere.test", [user],
                              MESSAGE.format("house"))
        for user in (ANN, BOB, CAT):
            suite.wait_maildir(user)
        yield suite
        gc.collect()  # connections that tests have left open hold up the stop
    finally:
        suite.close()


def sha512(password):
    return subprocess.run(["openssl", "passwd", "-6", password], check=True,
                          capture_output=True, text=True).stdout.strip()


def call(*command, input="", **options):
    return subprocess.run([str(c) for c in command], input=input, text=True,
                          capture_output=True, check=False,
                          timeout=2 * SECONDS, **options)


def logged(house, **pairs):
    """The last line about a login, once it has these pairs."""
    def last():
        lines = [line for line in house.log_lines()
                 if re.search(r"userdb\[\d+\]: login ", line.text)]
        return next((line for line in lines[-1:]
                     if pairs.items() <= line.items()), None)
    return wait_for(last, house.log, what=f"a login line with {pairs}")


# -- what is offered to whom --

def offered(smtp):
    smtp.ehlo()
    return set(smtp.esmtp_features.get("auth", "").split())


def test_what_is_offered(house):
    assert offered(house.smtp("smtp")) == set()
    assert offered(house.smtp("smtp", tls=True)) == set()
    clear = set(EVERYTHING) - {"SCRAM-SHA-256-PLUS"}
    assert offered(house.smtp("submission")) == clear
    assert offered(house.smtp("submission", tls=True)) == set(EVERYTHING)
    assert offered(house.smtp("submissions")) == set(EVERYTHING)
    assert set(house.pop3().capa()["SASL"]) == clear
    assert set(house.pop3(tls=True).capa()["SASL"]) == set(EVERYTHING)
    assert set(house.pop3(kind="pop3s").capa()["SASL"]) == set(EVERYTHING)


def test_tls_is_needed_from_elsewhere(house):
    """127.0.0.9 is not in allow-plaintext-auth."""
    source = ("127.0.0.9", 0)
    smtp = smtplib.SMTP("127.0.0.1", house.ports["submission"],
                        timeout=SECONDS, source_address=source)
    assert offered(smtp) == set()
    for mechanism in EVERYTHING:
        assert smtp.docmd("AUTH", mechanism)[0] == 538
    assert smtp.docmd("MAIL", f"FROM:<{ANN}>")[0] == 530
    smtp.starttls(context=house.tls_context())
    assert offered(smtp) == set(EVERYTHING)
    smtp.login(ANN, PASSWORD)
    logged(house, client="127.0.0.9", tls="yes", auth=ANN)
    connection = socket.create_connection(
        ("127.0.0.1", house.ports["pop3"]), SECONDS, source)
    file = connection.makefile("rb")
    file.readline()
    for command in (f"USER {ANN}", "AUTH PLAIN", "AUTH SCRAM-SHA-256",
                    f"APOP {BOB} " + "0" * 32):
        connection.sendall(command.encode() + b"\r\n")
        assert file.readline().startswith(b"-ERR [AUTH] no login in the clear")


# -- SCRAM, bound to the channel --

class Channel:
    """A line on either protocol, under TLS, that says AUTH."""

    def __init__(self, house, kind, version=None):
        context = house.tls_context()
        if version:
            context.minimum_version = context.maximum_version = version
        smtp = kind.startswith("sub")
        self.socket = socket.create_connection(
            ("127.0.0.1", house.ports[kind]), SECONDS)
        self.more, self.fine = (b"334 ", b"235") if smtp else (b"+ ", b"+OK")
        self.tls = None
        if not kind.endswith("s"):
            self.answer()
            if smtp:
                self.say("EHLO x")
            self.say("STARTTLS" if smtp else "STLS")
        self.tls = context.wrap_socket(self.socket,
                                       server_hostname="127.0.0.1")
        if kind.endswith("s"):
            self.answer()
        if smtp:
            self.say("EHLO x")

    def say(self, text):
        (self.tls or self.socket).sendall(text.encode() + b"\r\n")
        return self.answer()

    def answer(self):
        line = b""
        while not line.endswith(b"\n") or re.fullmatch(
                rb"(?s).*\d{3}-[^\n]*\n", line):
            octet = (self.tls or self.socket).recv(1)
            assert octet, line
            line += octet
        return line

    def scram(self, mechanism, client):
        """The answer to the proof, or an earlier one that is no challenge."""
        answer = self.say(f"AUTH {mechanism} {b64(client.first())}")
        if not answer.startswith(self.more):
            return answer
        challenge = base64.b64decode(answer[len(self.more):]).decode()
        answer = self.say(b64(client.final(challenge)))
        if not answer.startswith(self.more):
            return answer
        assert base64.b64decode(answer[len(self.more):]).decode() == (
            f"v={client.signature}")
        return self.say("")

    def end_point(self):
        """RFC 5929 section 4, of a certificate signed with SHA-256."""
        return hashlib.sha256(self.tls.getpeercert(True)).digest()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        (self.tls or self.socket).close()


KINDS = ["submission", "submissions", "pop3", "pop3s"]
END_POINT = "p=tls-server-end-point,,"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kind", KINDS)
def test_bound_by_the_certificate(house, kind, version):
    with Channel(house, kind, version) as c:
        client = ScramClient(ANN, PASSWORD, END_POINT, c.end_point())
        assert c.scram("SCRAM-SHA-256-PLUS", client).startswith(c.fine)
    logged(house, mechanism="SCRAM-SHA-256-PLUS", tls="yes", auth=ANN)


@pytest.mark.parametrize("kind", KINDS)
def test_bound_by_the_handshake(house, kind):
    """tls-unique, RFC 5929 section 3: in TLS 1.2, where it was at home."""
    def login(version, octets):
        with Channel(house, kind, version) as c:
            if octets is None:
                octets = c.tls.get_channel_binding("tls-unique") or b""
            client = ScramClient(ANN, PASSWORD, "p=tls-unique,,", octets)
            answer = c.scram("SCRAM-SHA-256-PLUS", client)
            return answer.startswith(c.fine)
    assert login(ssl.TLSVersion.TLSv1_2, None)
    assert not login(ssl.TLSVersion.TLSv1_2, b"x" * 12)
    assert not login(ssl.TLSVersion.TLSv1_3, None)
    assert not login(ssl.TLSVersion.TLSv1_3, b"")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mechanism,header,binding,reason", [
    ("SCRAM-SHA-256-PLUS", END_POINT, b"x" * 32, "another channel"),
    ("SCRAM-SHA-256-PLUS", END_POINT, b"", "another channel"),
    ("SCRAM-SHA-256-PLUS", "p=tls-exporter,,", b"x" * 32, "another channel"),
    ("SCRAM-SHA-256-PLUS", "p=tls-unique,,", b"x" * 12, "another channel"),
    ("SCRAM-SHA-256-PLUS", "p=tls-else,,", b"x" * 12,
     "unknown channel binding"),
    ("SCRAM-SHA-256", "y,,", b"",
     "channel binding was hidden from the client")])
def test_somebody_in_between(house, kind, mechanism, header, binding, reason):
    """RFC 5802 section 6: with the right password, no login."""
    with Channel(house, kind) as c:
        client = ScramClient(ANN, PASSWORD, header, binding)
        answer = c.scram(mechanism, client)
        assert answer.startswith((b"535 5.7.8", b"-ERR [AUTH]"))
        # The certificate's own binding is another client's good login.
        client = ScramClient(ANN, PASSWORD, END_POINT, c.end_point())
        assert c.scram("SCRAM-SHA-256-PLUS", client).startswith(c.fine)
    program = "smtpd" if kind.startswith("sub") else "pop3d"
    lines = [line for line in house.log_lines()
             if re.search(program + r"\[\d+\]: login failed", line.text)]
    assert lines[-1]["reason"].strip('"') == reason
    assert lines[-1]["mechanism"] == mechanism and lines[-1]["tls"] == "yes"


def gsasl(house, mechanism, *more, password=PASSWORD):
    done = call("gsasl", "--smtp", "--starttls", f"--x509-ca-file="
                f"{house.ca.path}", "-m", mechanism, "-a", ANN, "-p", password,
                f"--connect=127.0.0.1:{house.ports['submission']}", *more)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("priority", ["NORMAL", "NORMAL:-VERS-TLS1.3"])
def test_gsasl_bound(house, tool, priority):
    """By tls-exporter (RFC 9266); by tls-unique below TLS 1.3."""
    tool("gsasl")
    code, said = gsasl(house, "SCRAM-SHA-256-PLUS", f"--priority={priority}")
    assert code == 0 and "235 2.7.0" in said, said
    first = base64.b64decode(re.search(
        r"^(cD10bHMt[A-Za-z0-9+/=]+)\s*$", said, re.M).group(1)).decode()
    assert first.startswith("p=tls-unique" if "-TLS1.3" in priority
                            else "p=tls-exporter"), first
    logged(house, mechanism="SCRAM-SHA-256-PLUS", tls="yes", auth=ANN)
    code, said = gsasl(house, "SCRAM-SHA-256-PLUS", password="wrong")
    assert code != 0 and "535 5.7.8" in said, said


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN", "LOGIN"])
def test_gsasl(house, tool, mechanism):
    tool("gsasl")
    code, said = gsasl(house, mechanism, "--no-cb")
    assert code == 0 and "235 2.7.0" in said, said
    logged(house, mechanism=mechanism, auth=ANN)


# -- who has what --

def test_a_reversible_secret_is_needed_for_digests(house):
    for user, fine in ((BOB, True), (ANN, False)):
        smtp = house.smtp("submissions")
        smtp.ehlo()
        smtp.user, smtp.password = user, PASSWORD
        pop3 = house.pop3(kind="pop3s")
        if fine:
            assert smtp.auth("CRAM-MD5", smtp.auth_cram_md5)[0] == 235
            assert pop3.apop(user, PASSWORD).startswith(b"+OK")
            continue
        with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
            smtp.auth("CRAM-MD5", smtp.auth_cram_md5)
        assert refusal.value.smtp_code == 535
        with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
            pop3.apop(user, PASSWORD)


def test_an_imported_hash_learns_scram(house):
    """The first login by PLAIN makes the verifier."""
    def scram():
        with Channel(house, "submission") as c:
            return c.scram("SCRAM-SHA-256", ScramClient(CAT, PASSWORD))
    assert scram().startswith(b"535 5.7.8")
    house.pop3(CAT, PASSWORD, kind="pop3s").quit()
    assert scram().startswith(b"235")


def test_app_passwords(house):
    said = house.user_tool("passwd", "--app", "telephone", ANN).stdout
    password = said.split()[-1]
    smtp = house.smtp("submissions")
    smtp.ehlo()
    smtp.user, smtp.password = ANN, password
    assert smtp.auth("PLAIN", smtp.auth_plain)[0] == 235
    house.user_tool("passwd", "--app", "telephone", "--revoke", ANN)
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
        house.pop3(ANN, password, kind="pop3s")


# -- tokens --

@pytest.mark.parametrize("kind", ["submissions", "pop3s"])
@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_tokens(house, kind, mechanism):
    def ask(token, user=ANN):
        said = (f"user={user}\1auth=Bearer {token}\1\1"
                if mechanism == "XOAUTH2" else
                f"n,a={user},\1auth=Bearer {token}\1\1")
        with Channel(house, kind) as c:
            answer = c.say(f"AUTH {mechanism} {b64(said)}")
            if not answer.startswith(c.more):
                return answer.startswith(c.fine), answer
            challenge = base64.b64decode(answer[len(c.more):])
            assert json.loads(challenge)["status"], challenge
            assert c.say("AQ==").startswith((b"535 5.7.8", b"-ERR [AUTH]"))
            return False, challenge

    token = house.issuer.token
    assert ask(token())[0]
    logged(house, mechanism=mechanism, auth=ANN)
    other = Issuer()
    for bad in (token(exp=int(time.time()) - 600), token(aud="else"),
                token(iss="https://else.test"), token(email=BOB),
                token(email="nobody@example.test"), other.token(),
                token()[:-8] + "AAAAAAAA", "no-token"):
        assert not ask(bad)[0]
    assert ask(token(email=BOB), BOB)[0]


# -- clients that were not written here --

def arrived(house, subject):
    def look():
        for path in house.wait_maildir(ANN):
            with open(path) as f:
                if f"Subject: by {subject}" in f.read():
                    os.unlink(path)
                    return True
        return False
    return wait_for(look, os.path.join(house.maildir(ANN), "new"),
                    seconds=SECONDS, what=f"a message by {subject}")


@pytest.mark.parametrize("kind", ["submission", "submissions"])
@pytest.mark.parametrize("mechanism", [
    "plain", "login", "scram-sha-256", "oauthbearer", "xoauth2"])
def test_msmtp(house, tool, mechanism, kind):
    token = "oauth" in mechanism
    for right in (True, False):
        secret = house.issuer.token() if token else PASSWORD
        done = call(tool("msmtp"), "-C", "/dev/null", "--host=127.0.0.1",
                    f"--port={house.ports[kind]}", "--tls=on",
                    "--tls-starttls=" + ("on" if kind == "submission"
                                         else "off"),
                    f"--tls-trust-file={house.ca.path}",
                    f"--auth={mechanism}", f"--user={ANN}", f"--from={ANN}",
                    f"--passwordeval=echo '{secret if right else 'bad'}'",
                    ANN, input=MESSAGE.format(f"msmtp-{mechanism}"))
        assert (done.returncode == 0) == right, done.stderr
    assert arrived(house, f"msmtp-{mechanism}")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "OAUTHBEARER"])
def test_curl(house, tool, mechanism):
    for right in (True, False):
        secret = ["--user", f"{ANN}:{PASSWORD if right else 'wrong'}"]
        if mechanism == "OAUTHBEARER":
            secret = ["--user", f"{ANN}:", "--oauth2-bearer",
                      house.issuer.token() if right else "bad"]
        common = [tool("curl"), "-sS", "--cacert", house.ca.path,
                  "--login-options", f"AUTH={mechanism}", *secret]
        for url, more in (
                (f"smtps://127.0.0.1:{house.ports['submissions']}/x", []),
                (f"smtp://127.0.0.1:{house.ports['submission']}/x",
                 ["--ssl-reqd"])):
            done = call(*common, *more, "--url", url, "--mail-from", ANN,
                        "--mail-rcpt", ANN, "-T", "-",
                        input=MESSAGE.format("curl"))
            assert done.returncode == (0 if right else 67), done.stderr
            assert not right or arrived(house, "curl")
        for url, more in (
                (f"pop3s://127.0.0.1:{house.ports['pop3s']}/", []),
                (f"pop3://127.0.0.1:{house.ports['pop3']}/",
                 ["--ssl-reqd"])):
            done = call(*common, *more, "--url", url)
            assert done.returncode == (0 if right else 67), done.stderr


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(house, tool, mechanism):
    for password in (PASSWORD, "wrong"):
        done = call(tool("swaks"), "-tls", "--server", "127.0.0.1", "--port",
                    house.ports["submission"], "--from", ANN, "--to", ANN,
                    "--auth", mechanism, "--auth-user", ANN,
                    "--auth-password", password, "--header",
                    "Subject: by swaks")
        assert (done.returncode == 0) == (password == PASSWORD), done.stdout
    assert arrived(house, "swaks")


@pytest.mark.parametrize("kind", ["pop3", "pop3s"])
@pytest.mark.parametrize("mechanism", [
    "user", "plain", "login", "scram-sha-256", "oauthbearer", "xoauth2",
    "apop", "cram-md5"])
def test_mpop(house, tool, mechanism, kind, tmp_path):
    user = BOB if mechanism in ("apop", "cram-md5") else ANN
    secret = house.issuer.token() if "oauth" in mechanism else PASSWORD
    with house.smtp() as smtp:
        smtp.sendmail("x@elsewhere.test", [user], MESSAGE.format("mpop"))
    house.wait_maildir(user)
    for right in (True, False):
        (tmp_path / "secret").write_text(secret if right else "bad")
        config = tmp_path / "mpoprc"
        config.write_text(
            "defaults\ntls on\n"
            f"tls_starttls {'on' if kind == 'pop3' else 'off'}\n"
            f"tls_trust_file {house.ca.path}\n"
            f"account x\nhost 127.0.0.1\nport {house.ports[kind]}\n"
            f"user {user}\nkeep on\nauth {mechanism}\n"
            f"passwordeval cat {tmp_path}/secret\n"
            f"delivery mbox {tmp_path}/box\n"
            f"uidls_file {tmp_path}/uidls-{right}\naccount default : x\n")
        config.chmod(0o600)
        done = call(tool("mpop"), "-C", str(config), "-Q")
        assert (done.returncode == 0) == right, done.stderr
    assert "Subject: by" in (tmp_path / "box").read_text()


def test_fetchmail(house, tool, tmp_path):
    for auth, user in (("password", ANN), ("cram-md5", BOB)):
        config = tmp_path / "fetchmailrc"
        config.write_text(
            f"poll localhost service {house.ports['pop3s']} protocol pop3 "
            f"auth {auth}\nuser \"{user}\" password \"{PASSWORD}\" keep "
            f"fetchall ssl sslcertck sslcertfile {house.ca.path} "
            f"mda \"cat >>{tmp_path}/box\"\n")
        config.chmod(0o600)
        done = call(tool("fetchmail"), "-f", str(config), "--nosyslog",
                    "--pidfile", str(tmp_path / "pid"), env=dict(
                        os.environ, HOME=str(tmp_path),
                        FETCHMAILHOME=str(tmp_path)))
        assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "by house" in (tmp_path / "box").read_text()
