# SPDX-License-Identifier: ISC
"""TLS on the way out: DANE (RFC 7672), MTA-STS (RFC 8461), and what can be
had (RFC 7435).  Each policy meets each failure; classes A4, A5 and A25."""
import hashlib
import os
import re
import shutil
import ssl
import tempfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from deliverer import (CLOSE, EHLO, MESSAGE, Deliverer, deliver)  # noqa: F401
from pki import Authority, new_key
from signed import SignedDns
from suite import SECONDS

ZONES = ("dane.test", "plain.test")
NAMES = [f"*.mx.{zone}" for zone in ZONES]


class Keys:
    """Certificates of all kinds, the folder readable by anybody."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="pr-tls-")
        os.chmod(self.folder, 0o755)
        os.mkdir(os.path.join(self.folder, "other"))
        self.ca = Authority(self.folder)
        self.other = Authority(os.path.join(self.folder, "other"), "Other")
        self.made = {
            "good": self.ca.issue(*NAMES, stem="good"),
            "wrong name": self.ca.issue("mx.example.test", stem="wrong"),
            "expired": self.ca.issue(*NAMES, begin=-30, days=10,
                                     stem="expired"),
            "untrusted CA": self.other.issue(*NAMES, stem="untrusted"),
            "self-signed": self._self_signed(),
        }

    def _self_signed(self):
        """Issuer and subject, and the key that signed, are the same."""
        own = object.__new__(Authority)
        own.folder, own.key, own.serial = self.folder, new_key(), 100
        own.name = x509.Name([x509.NameAttribute(
            x509.oid.NameOID.COMMON_NAME, NAMES[0])])
        return own.issue(*NAMES, key=own.key, stem="self")

    def context(self, kind):
        """The chain has the authority, as DANE-TA needs it."""
        certificate, key = self.made[kind]
        chain = os.path.join(self.folder, "chain.pem")
        with open(chain, "wb") as out:
            for path in (certificate, self.ca.path):
                with open(path, "rb") as f:
                    out.write(f.read())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        return context

    def spki(self, kind):
        """TLSA 3 1 1 of this kind's key."""
        with open(self.made[kind][0], "rb") as f:
            certificate = x509.load_pem_x509_certificate(f.read())
        return "3 1 1 " + hashlib.sha256(certificate.public_key().public_bytes(
            serialization.Encoding.DER,
            serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    @staticmethod
    def anchor(authority):
        """TLSA 2 0 1 of an authority."""
        return "2 0 1 " + hashlib.sha256(authority.certificate.public_bytes(
            serialization.Encoding.DER)).hexdigest()

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def keys():
    made = Keys()
    yield made
    made.close()


@pytest.fixture
def validated(request):
    """A Deliverer whose name server validates."""
    made = Deliverer(request, dns=SignedDns())
    yield made
    made.close(request)


# -- failures: what the server does (its certificate, or other options) --

def garbage(session):
    session.socket.recv(1000)
    session.send("500 what was that?")
    raise EOFError


def drop(session):
    raise EOFError


def on_starttls(*lines):
    return lambda session, command: (
        list(lines) if command == "STARTTLS" else None)


def nothing_behind(context):
    def handshake(session):
        session.wrap(context)
        raise EOFError
    return handshake


FAILURES = ["good", "no STARTTLS", "454", "502", "no handshake",
            "wrong name", "expired", "self-signed", "untrusted CA",
            "TLSA mismatch", "rotated", "injected", "drops", "then drops"]


def options(keys, failure):
    good = keys.context("good")
    return {
        "no STARTTLS": {"tls": None},
        "454": {"tls": good, "reply": on_starttls("454 4.7.0 not now")},
        "502": {"tls": good, "reply": on_starttls("502 5.5.1 what?")},
        "no handshake": {"tls": garbage},
        "injected": {"tls": good, "reply": on_starttls(
            "220 go", "250-evil.example", "250 SIZE 1")},
        "drops": {"tls": drop},
        "then drops": {"tls": nothing_behind(good)},
    }.get(failure) or {"tls": keys.context(
        failure if failure in keys.made else "good")}


# -- policies --

SIGNED = {"DANE-EE", "DANE-TA", "DANE unusable", "DANE bogus", "DANE+STS"}
ENFORCED = {"STS enforce", "DANE+STS"}
POLICIES = ["none", "DANE-EE", "DANE-TA", "DANE unusable", "DANE bogus",
            "DANE insecure", "STS testing", "STS enforce", "STS other MX",
            "STS expired", "STS not fetched", "STS unknown", "DANE+STS"]

# V: TLS, verified; T: TLS; c: in the clear; .: deferred.  Columns as above.
EXPECTED = {
    "none":            "Tcccc TTTTTT .cc",
    "DANE-EE":         "V.... VVVV.. ...",
    "DANE-TA":         "V.... ...... ...",
    "DANE unusable":   "T.... TTTTTT ...",
    "DANE bogus":      "..... ...... ...",
    "DANE insecure":   "Tcccc TTTTTT .cc",
    "STS testing":     "Tcccc TTTTTT .cc",
    "STS enforce":     "V.... ....V. ...",
    "STS other MX":    "..... ...... ...",
    "STS expired":     "Tcccc TTTTTT .cc",
    "STS not fetched": "Tcccc TTTTTT .cc",
    "STS unknown":     "..... ...... ...",
    "DANE+STS":        "V.... VVVV.. ...",
}


def label(text):
    return re.sub("[^a-z0-9]", "", text.lower().replace("+", "and"))


def records_for(keys, policy, failure):
    """The TLSA records' data."""
    kind = failure if failure in keys.made else "good"
    stale = failure in ("TLSA mismatch", "rotated")
    if policy in ("DANE-EE", "DANE+STS", "DANE bogus"):
        return [keys.spki("wrong name" if stale else kind)]
    if policy == "DANE-TA":
        return [keys.anchor(keys.other if stale else keys.ca)]
    if policy == "DANE unusable":
        return ["1 1 1 " + "00" * 32, "3 9 9 00", "3 1 1 " + "00" * 20]
    if policy == "DANE insecure":
        return ["3 1 1 " + "00" * 32]
    return []


def sts_answer(policy, failure, host):
    if policy in ENFORCED:
        old = failure == "rotated"
        return [("mode", "enforce"), ("id", "1"),
                ("mx", "old." + host if old else
                 "*." + host.partition(".")[2])]
    if policy == "STS testing":
        return [("mode", "testing"), ("id", "1"), ("mx", "nobody.test")]
    if policy == "STS other MX":
        return [("mode", "enforce"), ("id", "1"), ("mx", "other.test")]
    if policy in ("STS expired", "STS not fetched"):
        return [("mode", "none"), ("reason", policy)]
    return [("mode", "none")]


class Matrix:
    def __init__(self, deliver, keys):
        self.deliver, self.keys = deliver, keys
        self.servers = {}
        self.zones = {zone: [] for zone in ZONES}
        self.bogus = []
        self.policies, self.gone = {}, set()
        for number, failure in enumerate(FAILURES):
            address = f"127.0.0.{number + 1}"
            self.servers[failure] = deliver.server(
                address, **options(keys, failure))
            for policy in POLICIES:
                self._add(policy, failure, address)
        for zone, lines in self.zones.items():
            deliver.dns.zone(zone, "\n".join(lines), signed=zone == ZONES[0],
                             bogus=self.bogus if zone == ZONES[0] else ())

    def names(self, policy, failure):
        """The domain and its MX."""
        zone = ZONES[0] if policy in SIGNED else ZONES[1]
        return (f"{label(failure)}.{label(policy)}.{zone}",
                f"{label(failure)}-{label(policy)}.mx.{zone}")

    def _add(self, policy, failure, address):
        domain, host = self.names(policy, failure)
        lines = self.zones[ZONES[0] if policy in SIGNED else ZONES[1]]
        lines += [f"{domain}. MX 10 {host}.", f"{host}. A {address}"]
        owner = f"_{self.deliver.port}._tcp.{host}"
        lines += [f"{owner}. TLSA {data}" for data in
                  records_for(self.keys, policy, failure)]
        if policy == "DANE bogus":
            self.bogus.append(owner)
        if "STS" in policy:
            lines.append(f'_mta-sts.{domain}. TXT "v=STSv1; id=1;"')
        self.policies[domain] = sts_answer(policy, failure, host)
        if policy == "STS unknown":
            self.gone.add(domain)

    def start(self):
        self.deliver.start(f"tls-trust {self.keys.ca.path}", trusted=True,
                           ledger=True)
        self.deliver.ledger.policies = self.policies
        self.deliver.ledger.gone = self.gone

    def run(self, policy, failure):
        """The letter of EXPECTED, and the result."""
        domain, _ = self.names(policy, failure)
        server = self.servers[failure]
        before, first = len(server.messages), len(server.sessions)
        result, = self.deliver.queue.job(f"bob@{domain}", domain=domain)
        sessions = server.sessions[first:]
        taken = len(server.messages) - before
        assert taken == (result["status"] == "delivered"), result
        if result["status"] == "deferred":
            assert result["dsn"].startswith("4.7.") or \
                "lost the connection" in result["text"], result
            assert not any(c.startswith("MAIL") for s in sessions
                           for c in s.commands), result
            return ".", result
        assert result["status"] == "delivered", result
        if not sessions[-1].tls:
            return "c", result
        return "V" if result["verified"] != "no" else "T", result


def test_matrix(validated, keys, report):
    matrix = Matrix(validated, keys)
    matrix.start()
    rows = ["", "Outbound TLS, each policy with each failure:  V TLS, "
            "verified; T TLS; c in the clear; . deferred"]
    for number, failure in enumerate(FAILURES):
        rows.append(" " * 17 + "|" * number + failure)
    wrong = []
    for policy in POLICIES:
        letters = ""
        for failure, expected in zip(FAILURES,
                                     EXPECTED[policy].replace(" ", "")):
            got, result = matrix.run(policy, failure)
            letters += got
            if got != expected:
                wrong.append((policy, failure, expected, got, result))
        rows.append(f"{policy:17}{letters}")
    for row in rows:
        report(row)
    assert not wrong, "\n".join(map(str, wrong)) + validated.log()
