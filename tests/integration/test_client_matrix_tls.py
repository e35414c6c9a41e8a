# SPDX-License-Identifier: ISC
"""Every mechanism by every client that has it, under TLS, on each kind of
port; none of them was written here (mail_clients.py).  The summary shows who
did what."""
import base64
import json
import os
import re
import ssl
import subprocess
import time

import pytest

from mail_clients import NAME, POP3, SMTP, Login
from suite import PASSWORD, SECONDS, Suite

jwt = pytest.importorskip("jwt")

ANN = "ann@example.test"
SECRET = "a secret that can be read back"
RUT = "rut@example.test"  # whose secret is kept reversibly
ISSUER, AUDIENCE = "https://login.example.test/", "mail.example.test"
MECHANISMS = ("USER", "PLAIN", "LOGIN", "SCRAM-SHA-256",
              "SCRAM-SHA-256-PLUS", "OAUTHBEARER", "XOAUTH2", "CRAM-MD5",
              "APOP")
REVERSIBLE = ("CRAM-MD5", "APOP")
STARTTLS = {"smtp": "smtp", "submission": "smtp", "pop3": "pop3"}


class Issuer:
    """Signs tokens with a P-256 key that the JWKS file shows."""

    def __init__(self, path):
        from cryptography.hazmat.primitives.asymmetric import ec
        self.key = ec.generate_private_key(ec.SECP256R1())
        numbers = self.key.public_key().public_numbers()
        with open(path, "w") as f:
            json.dump({"keys": [{
                "kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256",
                "use": "sig", "x": self._octets(numbers.x),
                "y": self._octets(numbers.y)}]}, f)

    @staticmethod
    def _octets(number):
        return base64.urlsafe_b64encode(
            number.to_bytes(32, "big")).rstrip(b"=").decode()

    def token(self, user, **claims):
        now = int(time.time())
        return jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "email": user,
                           "iat": now, "nbf": now, "exp": now + 600,
                           **claims}, self.key, "ES256",
                          headers={"kid": "one"})


@pytest.fixture(scope="module")
def house():
    """One suite for all; .issuer signs its tokens."""
    suite = Suite(tls=True, users=[(ANN, PASSWORD), (RUT, SECRET)])
    suite.issuer = Issuer(suite.path("jwks.json"))
    suite.extra += [
        "auth-mechanisms PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS "
        "OAUTHBEARER XOAUTH2 CRAM-MD5", "apop yes",
        f"oauth-issuer {ISSUER}", f"oauth-audience {AUDIENCE}",
        f"oauth-jwks {suite.path('jwks.json')}"]
    with suite:
        suite.run("postrider-user", "passwd", "--reversible",
                  "--password-stdin", RUT, input=SECRET + "\n")
        with suite.smtp() as smtp:
            for user in (ANN, RUT):
                smtp.sendmail("x@elsewhere.test", [user], letter("the first"))
                suite.wait_maildir(user)
        yield suite


def letter(subject, user=ANN):
    return (f"From: <{user}>\nTo: <{user}>\nSubject: {subject}\n"
            "Date: Sat, 21 Nov 2026 10:00:00 +0000\n\nhello\n")


def credentials(house, mechanism):
    if mechanism in REVERSIBLE:
        return Login(RUT, mechanism, SECRET)
    if mechanism in ("OAUTHBEARER", "XOAUTH2"):
        return Login(ANN, mechanism, house.issuer.token(ANN))
    return Login(ANN, mechanism, PASSWORD)


def logged(house, seen, mechanism):
    """The log's word for how they logged in."""
    return house.wait_log(lambda line: line.text not in seen and
                          line.get("mechanism") == mechanism)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_mechanism(house, report, mechanism):
    login = credentials(house, mechanism)
    used = {"SMTP": [], "POP3": []}
    for name, client in SMTP.items():
        if mechanism in client.mechanisms and client.there():
            before = len(house.messages(login.user))
            seen = {line.text for line in house.log_lines()}
            client.send(house, login, letter(f"by {name}", login.user))
            house.wait_maildir(login.user, before + 1)
            logged(house, seen, mechanism)
            used["SMTP"].append(name)
    for name, client in POP3.items():
        if mechanism in client.mechanisms and client.there():
            seen = {line.text for line in house.log_lines()}
            assert "Subject: the first" in client.fetch(house, login), name
            logged(house, seen, mechanism)
            used["POP3"].append(name)
    for protocol, names in used.items():
        if names:
            report(f"{mechanism:18} {protocol}: {', '.join(names)}")
    assert used["SMTP"] or used["POP3"], "no client has it"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_s_client(house, tool, version):
    """Verified, with forward secrecy, on all five ports; it can talk."""
    for kind in house.ports:
        starttls = ["-starttls", STARTTLS[kind]] if kind in STARTTLS else []
        with subprocess.Popen(
                [tool("openssl"), "s_client", "-connect",
                 f"127.0.0.1:{house.ports[kind]}", *starttls, version,
                 "-CAfile", house.ca.path, "-verify_return_error",
                 "-verify_hostname", house.hostname, "-servername",
                 house.hostname, "-quiet", "-crlf"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True) as client:
            if kind not in STARTTLS:
                assert client.stdout.readline()[:3] in ("220", "+OK")
            shown, errors = client.communicate("QUIT\n", timeout=SECONDS)
        assert re.search(r"^(221 2\.|\+OK)", shown, re.M), \
            (kind, shown, errors)


def handshake(house, kind, context, name=NAME):
    """The ssl socket behind STARTTLS, STLS or from the first octet."""
    bare = house.connect(kind)
    if kind in STARTTLS:
        with bare.makefile("rwb") as f:
            f.readline()
            if STARTTLS[kind] == "smtp":
                f.write(b"EHLO client.test\r\n")
                f.flush()
                while f.readline()[3:4] == b"-":
                    pass
            f.write(b"STARTTLS\r\n" if STARTTLS[kind] == "smtp"
                    else b"STLS\r\n")
            f.flush()
            assert f.readline()[:1] in b"2+"
    return context.wrap_socket(bare, server_hostname=name)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_python_ssl(house, version):
    for kind in house.ports:
        context = house.tls_context()
        context.minimum_version = context.maximum_version = version
        with handshake(house, kind, context) as s:
            assert s.version() == version.name.replace("v1_", "v1.")
            assert s.compression() is None
            assert "GCM" in s.cipher()[0] or "POLY1305" in s.cipher()[0]


def test_alpn(house):
    """RFC 7301: the protocol's own name is taken, a web browser's alone ends
    the handshake (the cross-protocol attacks begin so)."""
    for kind in house.ports:
        own = "pop3" if kind.startswith("pop3") else "smtp"
        context = house.tls_context()
        context.set_alpn_protocols(["http/1.1", own])
        with handshake(house, kind, context) as s:
            assert s.selected_alpn_protocol() == own
        context.set_alpn_protocols(["http/1.1", "h2"])
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with handshake(house, kind, context) as s:
                s.recv(1)


def test_wrong_secrets_are_refused(house):
    """By each mechanism and each client: none of them gets in, or thinks
    that it did."""
    wrong = {"OAUTHBEARER", "XOAUTH2"}
    for clients, act in ((SMTP, lambda c, l: c.send(house, l, letter("x"))),
                         (POP3, lambda c, l: c.fetch(house, l))):
        for name, client in clients.items():
            if not client.there():
                continue
            mechanism = client.mechanisms[-1]
            good = credentials(house, mechanism)
            secret = house.issuer.token(RUT) if mechanism in wrong \
                else "wrong" + good.secret
            with pytest.raises(Exception):
                act(client, Login(good.user, mechanism, secret))
                pytest.fail(f"{name} got in by {mechanism}")


def test_no_secret_is_logged(house):
    text = house.log_text()
    for secret in (PASSWORD, SECRET, "eyJ"):
        assert secret not in text
        assert base64.b64encode(secret.encode()).decode() not in text
