# SPDX-License-Identifier: ISC
"""A login at the relay host, with whole suites and with servers that were not
written here: Postfix, whose logins are Dovecot's."""
import os
import pwd
import subprocess

import pytest

import peers
from dnsserver import dns  # noqa: F401
from peers import Postfix
from suite import PASSWORD, SECONDS, free_port
from test_clients import TEXT

ANN, BOB = "ann@example.test", "bob@other.test"
RELAY = "mail.other.test"


def store(suite, user, password):
    suite.run("postrider-key", "relay", "--password-stdin", RELAY, user,
              input=password + "\n")


def sent(suite, status="sent"):
    return suite.wait_log(
        lambda l: BOB in l.get("to", "") and l.get("status") == status)


def send(suite):
    with suite.submission(ANN) as smtp:
        smtp.sendmail(ANN, [BOB], TEXT.format(client="relay"))


@pytest.mark.parametrize("kind", ["submission", "submissions"])
def test_from_one_suite_to_another(make_suite, dns, as_root, kind):
    """SCRAM-SHA-256-PLUS on both sides; port 465 has TLS at once."""
    dns.add_zone("other.test", "mail A 127.46.5.2").start()
    provider = make_suite(
        hostname=RELAY, domains=["other.test", "example.test"], tls=True,
        users=[ANN, BOB], listen=["smtp", ("submission", "127.46.5.2"),
                                  ("submissions", "127.46.5.2")])
    port = provider.ports["submission"]
    if kind == "submissions":
        provider.listen = [
            line if "submissions" not in line else
            "listen submissions 127.46.5.2:465" for line in provider.listen]
        port = 465
    provider.start()
    suite = make_suite(
        users=[ANN], dns_server=dns.address, listen=["smtp", "submission"],
        extra=[f"relay-host [{RELAY}]:{port}", "relay-tls verified",
               f"tls-trust {provider.ca.path}", "retry-minimum 1s",
               "retry-maximum 1s"])
    suite.start()
    store(suite, ANN, "wrong")
    send(suite)
    assert sent(suite, "deferred")["dsn"] == "4.7.8"
    store(suite, ANN, PASSWORD)
    provider.wait_maildir(BOB)
    line = sent(suite)
    assert line["verified"] == "pkix" and line["tls"].startswith("TLSv1.3:")
    line = suite.wait_log(lambda l: l.get("auth") == ANN and "relay" in l)
    assert line["verified"] == "pkix"
    assert provider.wait_log(
        lambda l: "SCRAM-SHA-256-PLUS" in l.text and ANN in l.text)


def test_at_a_server_that_has_only_a_hash(make_suite, dns, as_root):
    """SCRAM fails there as a wrong password does; the password is right."""
    dns.add_zone("other.test", "mail A 127.46.5.3").start()
    provider = make_suite(
        hostname=RELAY, domains=["other.test", "example.test"], tls=True,
        users=[BOB], listen=["smtp", ("submission", "127.46.5.3")])
    provider.start()
    done = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True,
                          capture_output=True, text=True)
    provider.user_tool("import",
                       input=f"user {ANN} hash={done.stdout.strip()}\n")
    suite = make_suite(
        users=[ANN], dns_server=dns.address, listen=["smtp", "submission"],
        extra=[f"relay-host [{RELAY}]:{provider.ports['submission']}",
               "relay-tls verified", f"tls-trust {provider.ca.path}"])
    suite.start()
    store(suite, ANN, PASSWORD)
    send(suite)
    provider.wait_maildir(BOB)
    logins = [line["mechanism"] for line in provider.log_lines()
              if line.get("auth") == ANN and "mechanism" in line]
    assert logins == ["SCRAM-SHA-256-PLUS", "PLAIN"]


class DovecotAuth(peers.Peer):
    """Dovecot's logins alone, for Postfix, with one mechanism."""

    def __init__(self, mechanism):
        super().__init__()
        postfix = pwd.getpwnam("postfix")
        users = self.write("users", f"{ANN}:{{PLAIN}}{PASSWORD}\n")
        self.socket = self.path("login")
        config = self.write("dovecot.conf", f"""protocols =
listen = 127.0.0.1
base_dir = {self.path('run')}
state_dir = {self.path('state')}
log_path = {self.path('log')}
ssl = no
disable_plaintext_auth = no
auth_mechanisms = {mechanism}
passdb {{
  driver = passwd-file
  args = {users}
}}
userdb {{
  driver = passwd-file
  args = {users}
}}
service auth {{
  unix_listener {self.socket} {{
    mode = 0600
    user = {postfix.pw_name}
  }}
}}
""")
        self.spawn([peers.find("dovecot"), "-F", "-c", config])
        self.ready(self._wait_socket)

    def _wait_socket(self):
        peers.wait_for(lambda: os.path.exists(self.socket), self.folder,
                       seconds=SECONDS, what="Dovecot's socket")


@pytest.mark.parametrize("mechanism", ["plain", "login", "scram-sha-256",
                                       "cram-md5"])
def test_at_postfix_and_dovecot(make_suite, dns, as_root, tool, mechanism):
    for name in ("postfix", "dovecot"):
        tool(name)
    address = "127.0.0.2"
    dns.add_zone("other.test", f"mail A {address}").start()
    port = free_port(address)
    suite = make_suite(
        users=[ANN], tls=True, dns_server=dns.address,
        listen=["smtp", "submission"],
        extra=[f"relay-host [{RELAY}]:{port}", "relay-tls verified"])
    suite.extra.append(f"tls-trust {suite.ca.path}")
    certificate, key = suite.ca.issue(RELAY)
    with DovecotAuth(mechanism) as auth, \
            Postfix("other.test", address, port=port, main=f"""
smtpd_tls_security_level = may
smtpd_tls_chain_files = {key}, {certificate}
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth.socket}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
""") as postfix:
        suite.start()
        store(suite, ANN, PASSWORD)
        send(suite)
        postfix.wait_maildir()
        assert sent(suite)["verified"] == "pkix"
        assert f"sasl_method={mechanism.upper()}" in postfix.log_text()
        assert f"sasl_username={ANN}" in postfix.log_text()
