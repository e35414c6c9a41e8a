# SPDX-License-Identifier: ISC
"""DANE (RFC 7672) with Debian's Postfix, which sends to us and receives from
us, both through a validating resolver (unbound) with signed zones."""
import hashlib
import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from peers import Postfix, loopback_address
from signed import SignedDns
from suite import free_port
from test_clients import TEXT, call

ANN, BOB = "ann@example.test", "bob@peer.test"
RESOLVER, US, THEM = loopback_address(), "127.0.0.3", "127.0.0.2"
POSTFIX = """
smtpd_tls_security_level = may
smtpd_tls_chain_files = {key}, {certificate}
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtp_tls_security_level = dane
smtp_dns_support_level = dnssec
smtp_tls_loglevel = 1
"""


def tlsa(certificate):
    """3 1 1"""
    with open(certificate, "rb") as f:
        key = x509.load_pem_x509_certificate(f.read()).public_key()
    return "3 1 1 " + hashlib.sha256(key.public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()


class World:
    def __init__(self, suite, dns, port):
        self.suite, self.dns, self.port = suite, dns, port
        self.theirs = suite.ca.issue("mx.peer.test", stem="theirs")
        self.other = suite.ca.issue("mx.peer.test", stem="other")
        self.ours = suite.path("pki", "mail.example.test-ecdsa.pem")
        self.publish(self.theirs[0], self.ours)
        self.postfix = None

    def publish(self, theirs, ours):
        """TLSA records of these two certificates' keys."""
        self.dns.zone("peer.test", f"""
@ MX 10 mx
mx A {THEM}
_{self.port}._tcp.mx TLSA {tlsa(theirs)}
""")
        self.dns.zone("example.test", f"""
@ MX 10 mail
mail A {US}
_{self.suite.ports['smtp']}._tcp.mail TLSA {tlsa(ours)}
""")

    def send(self):
        with self.suite.submission(ANN) as smtp:
            smtp.sendmail(ANN, [BOB], TEXT.format(client="us"))

    def receive(self, tool):
        call(tool("swaks"), "--server", f"{THEM}:{self.port}", "--from", BOB,
             "--to", ANN, "--data", "-", input=TEXT.format(client="them"))

    def line(self, status):
        return self.suite.wait_log(
            lambda l: BOB in l.get("to", "") and l.get("status") == status)


@pytest.fixture
def world(make_suite, tool, as_root):
    for name in ("postfix", "unbound", "unshare"):
        tool(name)
    if subprocess.run(["unshare", "-m", "true"], check=False,
                      capture_output=True).returncode != 0:
        pytest.skip("no mount namespace for Postfix's resolv.conf")
    port = free_port(THEM)
    with SignedDns(RESOLVER, 53) as dns:
        suite = make_suite(
            users=[ANN], listen=[("smtp", US), "submission"], tls=True,
            dns_server=f"{RESOLVER}:53 trusted", smtp_port=port,
            extra=["retry-minimum 1s", "retry-maximum 1s"])
        made = World(suite, dns, port)
        dns.start()
        with Postfix("peer.test", THEM, RESOLVER,
                     {"example.test": suite.ports["smtp"]}, port,
                     main=POSTFIX.format(key=made.theirs[1],
                                         certificate=made.theirs[0])
                     ) as made.postfix:
            suite.start()
            yield made


def test_we_send_verified(world):
    world.send()
    [path] = world.postfix.wait_maildir()
    line = world.line("sent")
    assert line["verified"] == "dane" and line["tls"].startswith("TLSv1.3:")
    with open(path) as f:
        assert re.search(r"using TLSv1\.3", f.read())


def test_we_wait_while_the_record_is_another_s(world):
    """Their certificate was changed and the record was not: deferred, never
    sent with less; and sent when the record is right again."""
    world.publish(world.other[0], world.ours)
    world.dns.restart()
    world.send()
    line = world.line("deferred")
    assert line["dsn"] == "4.7.5" and "TLSA" in line["reason"]
    assert not world.postfix.messages()
    world.publish(world.theirs[0], world.ours)
    world.dns.restart()
    world.postfix.wait_maildir()
    assert world.line("sent")["verified"] == "dane"


def test_they_send_verified(world, tool):
    world.receive(tool)
    world.suite.wait_maildir(ANN)
    assert re.search(rf"Verified TLS connection established to "
                     rf"mail\.example\.test\[{US}\]",
                     world.postfix.log_text())


def test_they_see_a_certificate_that_is_not_in_the_dns(world, tool):
    """The test above can fail."""
    world.publish(world.theirs[0], world.other[0])
    world.dns.restart()
    world.receive(tool)
    world.postfix.wait_log("Server certificate not (verified|trusted)")
    assert not world.suite.messages(ANN)
