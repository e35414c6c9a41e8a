# SPDX-License-Identifier: ISC
"""TLS on the way out: DANE (RFC 7672), MTA-STS (RFC 8461), and what can be
had (RFC 7435).  Each policy meets each failure; classes A4, A5 and A25."""
import base64
import hashlib
import hmac
import os
import re
import shutil
import ssl
import tempfile
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from deliverer import EHLO, MESSAGE, Deliverer, deliver  # noqa: F401
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


# -- one by one --

def trusting(keys):
    return f"tls-trust {keys.ca.path}"


def one_host(deliver, keys, tlsa=None, zone="dane.test", **more):
    """A domain with one MX, and its server."""
    server = deliver.server(**{"tls": keys.context("good"), **more})
    lines = ["@ MX 10 a.mx", f"a.mx A {server.host}"]
    if tlsa:
        lines.append(f"_{deliver.port}._tcp.a.mx TLSA {tlsa}")
    deliver.dns.zone(zone, "\n".join(lines), signed=zone == "dane.test")
    return server


def job(deliver, domain="dane.test"):
    return deliver.queue.job(f"bob@{domain}", domain=domain)[0]


def lines_with(deliver, text):
    return [line for line in deliver.log().split("\n") if text in line]


def test_the_result_tells_of_tls(validated, keys):
    server = one_host(validated, keys, keys.spki("good"))
    validated.start(trusting(keys), trusted=True, ledger=True)
    result = job(validated)
    assert result["tls"].startswith("TLSv1.3:TLS_")
    assert result["verified"] == "dane"
    assert server.messages[0][2] == MESSAGE.replace(b"\n", b"\r\n")
    assert server.commands()[:3] == [
        "EHLO mail.example.test", "STARTTLS", "EHLO mail.example.test"]
    line, = lines_with(validated, "connected")
    assert "verified=dane" in line and f"tls={result['tls']}" in line
    assert validated.ledger.told() == [{
        "host": "a.mx.dane.test", "tls": "yes", "protocol": "TLSv1.3",
        "domain": "dane.test", "policy": "dane", "result": "ok",
        "reason": "the host has TLSA records"}]


def test_offers_are_those_made_under_tls(validated, keys):
    """Who is on the line may say what he likes before (RFC 3207 section
    4.2)."""
    def reply(session, command):
        if command.startswith("EHLO") and not session.tls:
            return ["250-there.example", "250-SIZE 1", "250 STARTTLS"]
        return None
    server = one_host(validated, keys, reply=reply)
    validated.start(trusting(keys), ledger=True)
    assert job(validated)["status"] == "delivered"
    assert "SIZE=" in server.messages[0][0]


def test_a4_nothing_is_said_after_an_injected_reply(validated, keys):
    server = one_host(validated, keys, reply=on_starttls(
        "220 go", "250-evil.example", "250 SIZE 1"))
    validated.start(trusting(keys), ledger=True)
    result = job(validated)
    assert result["status"] == "deferred" and result["dsn"] == "4.7.0"
    assert len(server.sessions) == 1, "it came again in the clear"
    assert server.commands() == ["EHLO mail.example.test", "STARTTLS"]


def ends_tls(how):
    """talk() of a server that ends TLS instead of taking the message."""
    def talk(session, context):
        session.send("220 hi")
        session.line()
        session.send("250-there", "250 STARTTLS")
        session.line()
        session.send("220 go")
        session.wrap(context)
        session.line()
        session.send("250 there")
        for reply in ("250 ok", "250 ok", "354 go"):
            session.line()
            session.send(reply)
        how(session)
    return talk


def after_the_end_of_tls(session):
    """close_notify, then what a man in the middle would like to be read."""
    session.data()
    plain = session.socket.unwrap()
    plain.sendall(b"250 2.0.0 taken\r\n")
    plain.close()


def without_the_end_of_tls(session):
    session.data()
    os.close(session.socket.detach())


def in_the_middle_of_data(session):
    session.line()
    os.close(session.socket.detach())


@pytest.mark.parametrize("how", [
    after_the_end_of_tls, without_the_end_of_tls, in_the_middle_of_data])
def test_a5_tls_torn_down(validated, keys, how):
    """Nothing is delivered, and nothing that came outside of TLS counts."""
    context = keys.context("good")
    one_host(validated, keys, tls=None, talk=lambda session: ends_tls(how)(
        session, context))
    validated.start(trusting(keys), ledger=True)
    result, = validated.queue.job("bob@dane.test", domain="dane.test",
                                  content=b"x" * 70 + b"\n")
    assert result["status"] == "deferred", result
    assert "lost the connection" in result["text"]


def test_fall_back_is_remembered(validated, keys):
    server = one_host(validated, keys, tls=garbage)
    validated.start(trusting(keys), ledger=True)
    result = job(validated)
    assert (result["status"], result["tls"]) == ("delivered", "no")
    assert [s.commands[1].split(" ")[0] for s in server.sessions] == [
        "STARTTLS", "MAIL"]
    told, = validated.ledger.told()
    assert told["tls"] == "broken" and told["result"] == "ok"
    assert "no TLS handshake" in told["reason"]
    assert lines_with(validated, "tls failed")


@pytest.mark.parametrize("age,tried", [(60, False), (2 * 3600, True)])
def test_broken_lately(validated, keys, age, tried):
    server = one_host(validated, keys)
    one_host(validated, keys, zone="other.test", host="127.0.0.2")
    validated.start(trusting(keys), ledger=True)
    validated.ledger.hosts["a.mx.dane.test"] = {
        "tls": "no", "since": 1, "broken": int(time.time()) - age}
    assert job(validated)["status"] == "delivered"
    assert ("STARTTLS" in server.commands()) == tried
    job(validated, "other.test")
    assert [told["domain"] for told in validated.ledger.told(1 + tried)] == [
        "dane.test"] * tried + ["other.test"]


def test_tls_gone_is_told(validated, keys):
    one_host(validated, keys, tls=None)
    validated.start(trusting(keys), ledger=True)
    assert job(validated)["status"] == "delivered"
    assert not lines_with(validated, "tls no longer offered")
    assert validated.ledger.told()[0]["tls"] == "no"
    validated.ledger.hosts["a.mx.dane.test"] = {"tls": "yes", "since": 1}
    validated.queue.worker().close()
    assert job(validated)["status"] == "delivered"
    assert lines_with(validated, "tls no longer offered")


def test_a25_ledger_gone(validated, keys):
    """A domain that says it has a policy is not sent to without it."""
    server = one_host(validated, keys, zone="plain.test")
    one_host(validated, keys, zone="other.test", host="127.0.0.2")
    validated.dns.zone("plain.test", "@ MX 10 a.mx\na.mx A 127.0.0.1\n"
                       '_mta-sts TXT "v=STSv1; id=7;"', signed=False)
    validated.start(trusting(keys))
    result = job(validated, "plain.test")
    assert result["status"] == "deferred" and result["dsn"] == "4.7.5"
    assert not server.sessions
    assert job(validated, "other.test")["status"] == "delivered"


def test_the_id_goes_to_ledger(validated, keys):
    one_host(validated, keys, zone="plain.test")
    validated.dns.zone("plain.test", "@ MX 10 a.mx\na.mx A 127.0.0.1\n"
                       '_mta-sts TXT "v=STSv1; id=7;"', signed=False)
    one_host(validated, keys, zone="other.test", host="127.0.0.2")
    validated.start(trusting(keys), ledger=True)
    job(validated, "plain.test")
    job(validated, "other.test")
    assert [told for verb, told in validated.ledger.asked if verb == "sts"
            ] == [{"domain": "plain.test", "id": "7"},
                  {"domain": "other.test"}]


def test_a_host_that_is_refused_counts_once(validated, keys):
    """However many addresses it has: a worse one that will do is reached."""
    server = validated.server("127.0.0.2", tls=keys.context("good"))
    addresses = "\n".join(f"a.mx A 127.0.1.{i + 1}" for i in range(12))
    validated.dns.zone(
        "plain.test", f"@ MX 10 a.mx\n@ MX 20 b.mx\n{addresses}\n"
        'b.mx A 127.0.0.2\n_mta-sts TXT "v=STSv1; id=1;"', signed=False)
    validated.start(trusting(keys), ledger=True)
    validated.ledger.policies = {"plain.test": [
        ("mode", "enforce"), ("id", "1"), ("mx", "b.mx.plain.test")]}
    job(validated, "plain.test")
    assert len(lines_with(validated, "host skipped")) == 1
    assert server.sessions and server.sessions[0].tls


@pytest.mark.parametrize("policy,status", [("dane", "deferred"),
                                           ("none", "failed")])
def test_a25_nobody_bounces_mail_before_tls(validated, keys, policy, status):
    """Who stands on the line could say so as well as the host."""
    refuse = {"reply": lambda session, command:
              "554 5.3.2 go away" if command == "" else None}
    one_host(validated, keys,
             keys.spki("good") if policy == "dane" else None, **refuse)
    validated.start(trusting(keys), trusted=True, ledger=True)
    result, = validated.queue.job("bob@dane.test", domain="dane.test")
    assert result["status"] == status, result
    assert "go away" in result["text"]
    assert result["dsn"] == ("4.3.2" if policy == "dane" else "5.3.2")


def test_without_a_trusted_resolver_there_is_no_dane(validated, keys):
    server = one_host(validated, keys, "3 1 1 " + "00" * 32)
    validated.start(trusting(keys), ledger=True)
    assert job(validated)["verified"] == "no"
    assert server.sessions[0].tls


@pytest.mark.parametrize("where", ["at the end", "at the alias", "outside"])
def test_mx_that_is_an_alias(validated, keys, where):
    """RFC 7672 section 2.2.2: TLSA records of the name that the aliases lead
    to, else of the first name; also where the last one is not signed."""
    server = validated.server(tls=keys.context("good"))
    host = "mx.plain.test." if where == "outside" else "a.mx"
    owner = "a.mx" if where == "at the end" else "alias"
    validated.dns.zone("dane.test", f"""
@ MX 10 alias
alias CNAME {host}
a.mx A 127.0.0.1
_{validated.port}._tcp.{owner} TLSA {keys.spki("good")}
""")
    validated.dns.zone("plain.test", "mx A 127.0.0.1", signed=False)
    validated.start(trusting(keys), trusted=True, ledger=True)
    assert job(validated)["verified"] == "dane"
    assert len(server.messages) == 1


def test_domain_without_mx_records(validated, keys):
    """RFC 7672 section 2.2.2: signed, too, is that there are none."""
    validated.server(tls=keys.context("self-signed"))
    validated.dns.zone("dane.test", f"""
@ A 127.0.0.1
_{validated.port}._tcp TLSA {keys.spki("self-signed")}
""")
    validated.start(trusting(keys), trusted=True, ledger=True)
    assert job(validated)["verified"] == "dane"


def test_dane_ta_may_name_the_domain(validated, keys):
    """RFC 7672 section 3.2.2."""
    keys.made["good"] = keys.ca.issue("dane.test", stem="domain")
    one_host(validated, keys, keys.anchor(keys.ca))
    validated.start(trusting(keys), trusted=True, ledger=True)
    assert job(validated)["verified"] == "dane"


def test_mx_records_that_are_not_signed(validated, keys):
    """Their host's TLSA records protect nothing: whoever forges the MX
    records names a host of his own."""
    validated.server(tls=keys.context("expired"))
    validated.dns.zone("plain.test", "@ MX 10 a.mx.dane.test.", signed=False)
    validated.dns.zone("dane.test", f"""
a.mx A 127.0.0.1
_{validated.port}._tcp.a.mx TLSA {keys.spki("good")}
""")
    validated.start(trusting(keys), trusted=True, ledger=True)
    assert job(validated, "plain.test")["verified"] == "no"


def test_the_next_host_where_one_does_not_do(validated, keys):
    bad = validated.server(tls=keys.context("untrusted CA"))
    good = validated.server("127.0.0.2", tls=keys.context("good"))
    validated.dns.zone("dane.test", f"""
@ MX 10 a.mx
@ MX 20 b.mx
a.mx A 127.0.0.1
b.mx A 127.0.0.2
_{validated.port}._tcp.a.mx TLSA {keys.spki("good")}
_{validated.port}._tcp.b.mx TLSA {keys.spki("good")}
""")
    validated.start(trusting(keys), trusted=True, ledger=True)
    assert job(validated)["verified"] == "dane"
    assert not bad.messages and len(good.messages) == 1


# -- connections that are used again --

def test_a_session_serves_several_messages(validated, keys):
    """Session tickets that come meanwhile do not end it."""
    server = one_host(validated, keys, keys.spki("good"))
    validated.start(trusting(keys), trusted=True, ledger=True)
    for _ in range(3):
        assert job(validated)["verified"] == "dane"
    assert len(server.sessions) == 1 and len(server.messages) == 3


def test_a_session_stays_its_domains(validated, keys):
    """Also when a message to another one in between went nowhere."""
    first = one_host(validated, keys, zone="plain.test")
    other = validated.server("127.0.0.2", tls=keys.context("good"))
    validated.dns.zone("other.test", "@ MX 10 mx\nmx A 127.0.0.2",
                       signed=False)
    validated.start(trusting(keys), trusted=True, ledger=True)
    job(validated, "plain.test")
    result, = validated.queue.job("bob@other.test", domain="other.test",
                                  sender="no address")
    assert result["status"] == "failed"
    job(validated, "other.test")
    assert len(first.messages) == len(other.messages) == 1


def test_a_weaker_policy_is_not_carried_over(validated, keys):
    """Two domains with one host; the second's policy is stricter."""
    server = one_host(validated, keys, zone="plain.test",
                      tls=keys.context("self-signed"))
    validated.dns.zone("other.test", "@ MX 10 a.mx.plain.test.",
                       signed=False)
    validated.start(trusting(keys), trusted=True, ledger=True)
    validated.ledger.policies["other.test"] = [
        ("mode", "enforce"), ("mx", "a.mx.plain.test")]
    assert job(validated, "plain.test")["verified"] == "no"
    assert job(validated, "other.test")["status"] == "deferred"
    assert len(server.messages) == 1 and len(server.sessions) == 2


def test_equal_policies_share_a_session(validated, keys):
    """Both by DANE-EE, whose certificate is the host's alone; by DANE-TA
    the domain's name may be what verifies."""
    port = validated.server("127.0.0.1", tls=keys.context("good")).port
    validated.dns.zone("one.test", f"""
@ MX 10 mx
mx A 127.0.0.1
_{port}._tcp.mx TLSA {keys.spki("good")}
""")
    validated.dns.zone("two.test", "@ MX 10 mx.one.test.")
    validated.dns.zone("plain.test", "@ MX 10 mx.one.test.", signed=False)
    validated.start(trusting(keys), trusted=True, ledger=True)
    server = validated.servers[-1]
    assert job(validated, "one.test")["verified"] == "dane"
    assert job(validated, "two.test")["verified"] == "dane"
    assert len(server.sessions) == 1 and len(server.messages) == 2
    assert job(validated, "plain.test")["verified"] == "no"
    assert len(server.sessions) == 2 and len(server.messages) == 3


# -- TLS at once --

@pytest.fixture
def port_465(as_root):
    return 465


@pytest.mark.parametrize("kind,status", [
    ("good", "delivered"), ("self-signed", "delivered"),
    ("in the clear", "deferred")])
def test_port_465(validated, keys, port_465, kind, status):
    address = "127.46.5.1"
    server = validated.server(address, port_465, implicit=True, tls=(
        garbage if kind == "in the clear" else keys.context(kind)))
    validated.dns.zone("plain.test", f"@ MX 10 a.mx\na.mx A {address}",
                       signed=False)
    validated.start(trusting(keys), f"smtp-port {port_465}", port=False,
                    ledger=True)
    result = job(validated, "plain.test")
    assert result["status"] == status, result
    if status == "delivered":
        assert result["tls"].startswith("TLS")
        assert "STARTTLS" not in server.commands()
    else:
        assert len(server.sessions) == 1


# -- the relay host --

RELAY_NAME = "relay.mx.plain.test"


def relay(deliver, keys, *extra, name=RELAY_NAME, bracket=True,
          secret=False, **options):
    """Everything goes to one server, whose name is RELAY_NAME."""
    server = deliver.server(**{"tls": keys.context("good"), **options})
    deliver.dns.zone("plain.test", "relay.mx A 127.0.0.1\n"
                     "forged MX 10 relay.mx", signed=False)
    host = f"[{name}]" if bracket else name
    deliver.start(trusting(keys), f"relay-host {host}:{deliver.port}", *extra,
                  ledger=True, relay=secret)
    return server


@pytest.mark.parametrize("mode,kind,result", [
    ("opportunistic", "good", "no"), ("opportunistic", "none", "no"),
    ("opportunistic", "expired", "no"),
    ("required", "good", "no"), ("required", "none", None),
    ("required", "self-signed", "no"),
    ("verified", "good", "pkix"), ("verified", "none", None),
    ("verified", "self-signed", None), ("verified", "wrong name", None),
    ("verified", "expired", None), ("verified", "untrusted CA", None)])
def test_relay_tls(validated, keys, mode, kind, result):
    server = relay(validated, keys, f"relay-tls {mode}",
                   tls=None if kind == "none" else keys.context(kind))
    got = job(validated, "anywhere.test")
    assert got.get("verified") == result, got
    assert len(server.messages) == (result is not None)
    if result is not None:
        assert (got["tls"] == "no") == (kind == "none")


def test_relay_found_by_forged_mx(validated, keys):
    """The certificate must bear the configured name, not one that the DNS
    made up."""
    relay(validated, keys, "relay-tls verified", name="forged.plain.test",
          bracket=False)
    got = job(validated, "anywhere.test")
    assert got["status"] == "deferred" and "certificate" in got["text"]


# -- the login there --

USER, PASSWORD = "ann@isp.test", "open, sesame"
SECRET = {"user": USER, "kind": "password", "secret": PASSWORD}


def decode(text):
    return base64.b64decode(text, validate=True).decode()


def encode(text):
    return base64.b64encode(text.encode()).decode()


def plain(session, mechanism, initial=None):
    assert mechanism == "PLAIN", mechanism
    if initial is None:
        session.send("334 ")
        initial = session.line()
    return ("235 2.7.0 welcome" if decode(initial) ==
            f"\0{USER}\0{PASSWORD}" else "535 5.7.8 no")


def login(session, mechanism):
    assert mechanism == "LOGIN", mechanism
    said = []
    for prompt in ("Username:", "Password:"):
        session.send("334 " + encode(prompt))
        said.append(decode(session.line()))
    return "235 2.7.0 ok" if said == [USER, PASSWORD] else "535 5.7.8 no"


def scram(proves=True):
    def exchange(session, mechanism, initial):
        assert mechanism == "SCRAM-SHA-256", mechanism
        first = decode(initial)
        bare = first.split(",", 2)[2]
        nonce = dict(f.split("=", 1) for f in bare.split(","))["r"] + "ours"
        salt = b"pepper"
        server_first = (f"r={nonce},s={base64.b64encode(salt).decode()},"
                        "i=4096")
        session.send("334 " + encode(server_first))
        final = decode(session.line())
        without = final[:final.rindex(",p=")]
        salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, 4096)

        def mac(key, text):
            return hmac.new(key, text.encode(), "sha256").digest()
        message = f"{bare},{server_first},{without}"
        client = mac(salted, "Client Key")
        proof = bytes(a ^ b for a, b in zip(client, mac(
            hashlib.sha256(client).digest(), message)))
        if base64.b64decode(final[len(without) + 3:]) != proof:
            return "535 5.7.8 no"
        signature = mac(mac(salted, "Server Key"), message)
        if not proves:
            signature = b"x" * len(signature)
        session.send("334 " + encode(
            "v=" + base64.b64encode(signature).decode()))
        if session.line() == "*":
            return "501 5.7.0 cancelled"
        return "235 2.7.0 ok"
    return exchange


def relay_login(deliver, keys, offer, auth, *extra, secret=None, tls="good"):
    return relay(deliver, keys, *(extra or ["relay-tls verified"]),
                 ehlo=(*EHLO, f"AUTH {offer}"), auth=auth,
                 tls=tls and keys.context(tls), secret=secret or SECRET)


@pytest.mark.parametrize("offer,auth", [
    ("PLAIN LOGIN", plain), ("LOGIN", login), ("CRAM-MD9 PLAIN", plain),
    ("PLAIN SCRAM-SHA-256", scram())], ids=["plain", "login", "odd", "scram"])
def test_relay_login(validated, keys, offer, auth):
    server = relay_login(validated, keys, offer, auth)
    for _ in range(2):
        got = job(validated, "anywhere.test")
        assert (got["status"], got["verified"]) == ("delivered", "pkix"), got
    assert validated.keys.asked == [("relay", RELAY_NAME)]
    assert len(server.sessions) == 1
    line, = lines_with(validated, "connected")
    assert f"auth={USER}" in line
    for secret in (PASSWORD, encode(f"\0{USER}\0{PASSWORD}")):
        assert secret not in validated.log()


@pytest.mark.parametrize("extra,tls", [
    ("relay-tls opportunistic", "good"), ("relay-tls required", "good"),
    ("relay-tls opportunistic", None)])
def test_relay_secret_is_asked_for_under_verified_tls_alone(
        validated, keys, extra, tls):
    server = relay_login(validated, keys, "PLAIN", plain, extra, tls=tls)
    assert job(validated, "anywhere.test")["status"] == "delivered"
    assert not validated.keys.asked
    assert not any(c.startswith("AUTH") for c in server.commands())


@pytest.mark.parametrize("offer,auth,text", [
    ("PLAIN", lambda session, *_: "535 5.7.8 who are you?", "who are you?"),
    ("GSSAPI", plain, "no way to log in"),
    ("PLAIN", lambda session, *_: "504 5.5.4 no", "no way to log in"),
    ("SCRAM-SHA-256", scram(proves=False), "rules"),
    ("SCRAM-SHA-256", lambda session, *_: "235 2.7.0 welcome", "prove"),
    ("PLAIN", lambda session, *_: session.send("334 !!") or
     session.line() and "501 5.5.2 cancelled", "rules"),
], ids=["refused", "unknown", "one only", "liar", "believe me", "no base64"])
def test_relay_login_that_fails_defers(validated, keys, offer, auth, text):
    server = relay_login(validated, keys, offer, auth)
    got = job(validated, "anywhere.test")
    assert (got["status"], got["dsn"]) == ("deferred", "4.7.8"), got
    assert text in got["text"]
    assert not any(c.startswith("MAIL") for s in server.sessions
                   for c in s.commands)
    assert PASSWORD not in validated.log()


def test_relay_login_falls_back_to_another_mechanism(validated, keys):
    def auth(session, mechanism, *initial):
        return ("504 5.5.4 no" if mechanism == "SCRAM-SHA-256" else
                plain(session, mechanism, *initial))
    relay_login(validated, keys, "SCRAM-SHA-256 PLAIN", auth)
    assert job(validated, "anywhere.test")["status"] == "delivered"


def test_relay_login_with_a_long_token(validated, keys):
    """It goes behind the command, whose line would be over-long."""
    token = "t" * 4000

    def auth(session, mechanism, *initial):
        assert (mechanism, initial) == ("XOAUTH2", ())
        session.send("334 ")
        good = decode(session.line()) == (
            f"user={USER}\1auth=Bearer {token}\1\1")
        return "235 2.7.0 ok" if good else "535 5.7.8 no"
    relay_login(validated, keys, "PLAIN XOAUTH2", auth,
                secret={"user": USER, "kind": "token", "secret": token})
    assert job(validated, "anywhere.test")["status"] == "delivered"


def test_relay_token_that_is_refused(validated, keys):
    def auth(session, mechanism, initial):
        session.send("334 " + encode('{"status":"401"}'))
        assert session.line() == ""
        return "535 5.7.8 expired"
    relay_login(validated, keys, "XOAUTH2", auth,
                secret={"user": USER, "kind": "token", "secret": "abc"})
    got = job(validated, "anywhere.test")
    assert got["dsn"] == "4.7.8" and "expired" in got["text"]


@pytest.mark.parametrize("mode", ["opportunistic", "verified"])
def test_relay_with_tlsa_records(validated, keys, mode):
    """They vouch for it as well as a certificate's name does, whatever
    relay-tls asks for."""
    server = validated.server(
        tls=keys.context("self-signed"), ehlo=(*EHLO, "AUTH PLAIN"),
        auth=plain)
    validated.dns.zone("dane.test", f"""
relay A 127.0.0.1
_{validated.port}._tcp.relay TLSA {keys.spki("self-signed")}
""")
    validated.start(trusting(keys), f"relay-tls {mode}",
                    f"relay-host [relay.dane.test]:{validated.port}",
                    trusted=True, ledger=True, relay=SECRET)
    assert job(validated, "anywhere.test")["verified"] == "dane"
    assert any(c.startswith("AUTH PLAIN") for c in server.commands())


def test_relay_without_a_stored_login(validated, keys):
    relay(validated, keys, "relay-tls verified", ehlo=(*EHLO, "AUTH PLAIN"))
    assert job(validated, "anywhere.test")["status"] == "delivered"
    assert validated.keys.asked == [("relay", RELAY_NAME)]


def test_keys_gone(validated, keys):
    """Not without the login, which may be what the relay host lets us in
    for."""
    server = validated.server(tls=keys.context("good"),
                              ehlo=(*EHLO, "AUTH PLAIN"))
    validated.dns.zone("plain.test", "relay.mx A 127.0.0.1", signed=False)
    validated.start(trusting(keys), "relay-tls verified",
                    f"relay-host [{RELAY_NAME}]:{validated.port}")
    got = job(validated, "anywhere.test")
    assert (got["status"], got["dsn"]) == ("deferred", "4.3.0")
    assert not server.messages
