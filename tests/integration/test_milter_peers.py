# SPDX-License-Identifier: ISC
"""The filters that people use: rspamd, opendkim, clamav-milter with clamd, and
spamass-milter, each with a config of its own, on loopback."""
import os
import re
import select
import shutil
import smtplib
import socket
import threading

import dkim
import pytest

from peers import Peer, find
from quiet_dns import quiet_dns
from suite import SECONDS, Timeout, free_port
from watch import now

ANN = "ann@example.test"
X = "x@elsewhere.test"


class FilterPeer(Peer):
    """One at a Unix socket in its folder, that only root may use, or at a
    port; .line is for the config."""

    program = None

    def __init__(self):
        if find(self.program) is None:
            pytest.skip(f"needs {self.program}")
        super().__init__()
        self.socket = self.path("socket")
        self.line = f"milter unix:{self.socket}"

    def wait_socket(self, path=None):
        deadline = now() + SECONDS
        alive = os.pidfd_open(self.process.pid)
        try:
            while True:
                with socket.socket(socket.AF_UNIX) as s:
                    try:
                        s.connect(path or self.socket)
                        return
                    except OSError:
                        pass
                if now() > deadline:
                    raise Timeout(self.output())
                if select.select([alive], [], [], 0.02)[0]:
                    raise AssertionError(self.output())
        finally:
            os.close(alive)


    def close(self):
        """Those with libmilter, which have no children, look up every five
        seconds."""
        if self.process and self.program != "rspamd":
            self.process.kill()
        super().close()


def root_only(suite):
    if not suite.root:
        pytest.skip("the filter's socket is root's")


@pytest.fixture
def make_house(make_suite):
    """A suite that mail reaches through these filters."""
    peers = []

    def make(*filters, **options):
        peers.extend(filters)
        suite = make_suite(users=[ANN], **options)
        suite.write_config(*[f.line for f in filters])
        suite.start()
        return suite
    yield make
    for peer in peers:
        peer.close()


def send(suite, text, to=ANN):
    with suite.smtp() as client:
        client.sendmail(X, [to], text.replace("\n", "\r\n"))


def refused(suite, text):
    """What the client is told."""
    with pytest.raises(smtplib.SMTPDataError) as error:
        send(suite, text)
    return error.value.smtp_code, error.value.smtp_error.decode()


def delivered(suite, count=1):
    """The newest message."""
    paths = suite.wait_maildir(ANN, count)
    newest = max(paths, key=os.path.getmtime)
    with open(newest, errors="surrogateescape") as f:
        return f.read()


# -- rspamd --

# Its letter says what is to become of the message.
GTUBE = ("{}JS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL"
         "*C.34X")


class Rspamd(FilterPeer):
    program = "rspamd"

    def __init__(self):
        super().__init__()
        self.port = free_port()
        self.line = f"milter inet:{self.port}@127.0.0.1"
        os.mkdir(self.path("languages"))
        os.chmod(self.folder, 0o777)  # for its own account
        self.write("tlds", "test\n")
        self.write("conf", f"""
options {{
  pidfile = "{self.path('pid')}";
  control_socket = "{self.path('control')} mode=0600";
  tempdir = "{self.folder}"; hs_cache_dir = "{self.folder}";
  cores_dir = "{self.folder}"; url_tld = "{self.path('tlds')}";
  filters = ""; enable_test_patterns = true; disable_hyperscan = true;
  dns {{ nameserver = ["{quiet_dns()}"]; timeout = 1s; }}
}}
lang_detection {{ languages = "{self.path('languages')}"; }}
logging {{ type = "console"; level = "info"; }}
actions {{ reject = 15; add_header = 6; }}
worker "rspamd_proxy" {{
  bind_socket = "127.0.0.1:{self.port}";
  milter = yes; count = 1;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
""")
        self.spawn([find("rspamd"), "-f", "-i", "-c", self.path("conf")])
        self.ready(lambda: self.wait_listening("127.0.0.1", self.port))


def test_rspamd(make_house):
    rspamd = Rspamd()
    suite = make_house(rspamd, extra=["mail-auth no", "junk folder"])
    send(suite, f"From: {X}\nSubject: plain\n\nhello\n")
    assert "\nhello\n" in delivered(suite)
    code, text = refused(
        suite, f"From: {X}\nSubject: x\n\n{GTUBE.format('X')}\n")
    assert (code, text[:6]) == (554, "5.7.1 "), text
    assert suite.wait_log("refused ")["filter"] == rspamd.line.split()[1]
    send(suite, f"From: {X}\nSubject: marked\n\n{GTUBE.format('Y')}\n")
    line = suite.wait_log(lambda l: l.get("folder") == "Junk")
    accepted = [l for l in suite.log_lines() if "accepted " in l.text]
    assert accepted[-1]["junk"] == "filter" and accepted[-1]["id"] == line[
        "id"]
    send(suite, f"From: {X}\nSubject: before\n\n{GTUBE.format('Z')}\n")
    suite.wait_log(lambda l: "filtered " in l.text and l["id"] != line["id"])
    assert "filter failed" not in suite.log_text(), rspamd.output()


# -- opendkim --

class Opendkim(FilterPeer):
    program = "opendkim"

    def __init__(self, records):
        super().__init__()
        self.write("keys", "".join(
            f"{name} {text}\n" for name, text in records.items()))
        self.write("conf", f"""Mode v
TestPublicKeys {self.path('keys')}
AuthservID filter.example.test
InternalHosts 192.0.2.1
AlwaysAddARHeader yes
Syslog no
Socket local:{self.socket}
PidFile {self.path('pid')}
""")
        self.spawn([find("opendkim"), "-f", "-x", self.path("conf")])
        self.ready(self.wait_socket)


def test_opendkim_verifies(make_house):
    """Its word is there, below ours; and a broken signature is noticed, so
    that what it is shown is what was sent."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from base64 import b64encode
    key = rsa.generate_private_key(65537, 2048)
    public = b64encode(key.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption())
    opendkim = Opendkim(
        {"sel._domainkey.elsewhere.test": f"v=DKIM1; k=rsa; p={public}"})
    suite = make_house(opendkim)
    root_only(suite)
    for canonical in (b"simple", b"relaxed"):
        text = (f"From: {X}\r\nTo: {ANN}\r\nSubject:  two  blanks\r\n"
                "X-Folded: a\r\n\t b\r\n\r\n" +
                "a line of the body \r\n" * 20000 + "\r\n\r\n").encode()
        field = dkim.sign(text, b"sel", b"elsewhere.test", private,
                          canonicalize=(canonical, canonical))
        with suite.smtp() as client:
            client.sendmail(X, [ANN], field + text)
            client.sendmail(X, [ANN], field + text.replace(b"two ", b"too "))
    results = []
    for path in suite.wait_maildir(ANN, 4):
        with open(path, errors="surrogateescape") as f:
            text = f.read()
        ours, theirs = (text.index(f"\nAuthentication-Results: {host}")
                        for host in ("mail.example.test",
                                     "filter.example.test"))
        assert ours < text.index("\nReceived:") < theirs
        word = re.search(r"dkim=(\w+)", text[theirs:])[1]
        results.append((word, "too  blanks" in text))
    assert sorted(results) == [("fail", True)] * 2 + [("pass", False)] * 2, (
        results, opendkim.output())


# -- clamav --

EICAR = ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!"
         "$H+H*")


class Clamd(FilterPeer):
    program = "clamd"

    def __init__(self):
        super().__init__()
        os.mkdir(self.path("signatures"))
        self.write("signatures/eicar.ndb",
                   f"Eicar-Signature:0:*:{EICAR.encode().hex()}\n")
        self.write("conf", f"""Foreground yes
LocalSocket {self.socket}
DatabaseDirectory {self.path('signatures')}
TemporaryDirectory {self.folder}
User {'root' if os.geteuid() == 0 else os.environ.get('USER', 'nobody')}
""")
        self.spawn([find("clamd"), "-c", self.path("conf")])
        self.ready(self.wait_socket)


class ClamavMilter(FilterPeer):
    program = "clamav-milter"

    def __init__(self, clamd, *lines):
        super().__init__()
        self.write("conf", "\n".join([
            "Foreground yes", f"MilterSocket unix:{self.socket}",
            f"ClamdSocket unix:{clamd.socket}", "AddHeader Add",
            f"TemporaryDirectory {self.folder}", "LogInfected Basic",
            *lines, ""]))
        self.spawn([find("clamav-milter"), "-c", self.path("conf")])
        self.ready(self.wait_socket)


def test_clamav(make_house):
    clamd = Clamd()
    reject = ClamavMilter(clamd, "OnInfected Reject",
                          "RejectMsg Infected by %v")
    suite = make_house(clamd_free(reject, clamd), extra=["mail-auth no"])
    root_only(suite)
    send(suite, f"From: {X}\nSubject: plain\n\nhello\n")
    assert "\nX-Virus-Status: Clean\n" in delivered(suite)
    code, text = refused(suite, f"From: {X}\nSubject: x\n\n{EICAR}\n")
    assert (code, text[:5]) == (550, "5.7.1"), text
    assert "Infected by" in text and "Eicar" in text
    assert "filter failed" not in suite.log_text()


def clamd_free(milter, clamd):
    """Both are closed with the one."""
    close = milter.close

    def both():
        close()
        clamd.close()
    milter.close = both
    return milter


def test_clamav_quarantines(make_house):
    clamd = Clamd()
    milter = ClamavMilter(clamd, "OnInfected Quarantine")
    suite = make_house(clamd_free(milter, clamd), extra=["mail-auth no"])
    root_only(suite)
    send(suite, f"From: {X}\nSubject: x\n\n{EICAR}\n")
    line = suite.wait_log("held ")
    assert "Eicar" in line["reason"] or "quarantined" in line["reason"], line
    suite.run("postrider-queue", "release", line["id"])
    assert "EICAR" in delivered(suite)


def test_clamd_that_dies_is_milter_defaults_business(make_house):
    """clamav-milter says tempfail itself then (OnFail Defer)."""
    clamd = Clamd()
    milter = ClamavMilter(clamd, "OnInfected Reject", "OnFail Defer")
    suite = make_house(milter, extra=["mail-auth no"])
    root_only(suite)
    clamd.close()
    with pytest.raises(smtplib.SMTPException) as error:
        send(suite, f"From: {X}\nSubject: plain\n\nhello\n")
    assert "451" in str(error.value)


# -- spamass-milter --

class Spamd:
    """What spamc asks: everything that says so is spam."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            with sock, sock.makefile("rb") as f:
                head = b""
                while (line := f.readline()).strip():
                    head += line.lower()
                if not head:
                    continue
                n = int(head.split(b"content-length:")[1].split()[0])
                self._answer(sock, f.read(n))

    def _answer(self, sock, octets):
        spam = b"buy now" in octets
        mark = b"X-Spam-Flag: YES\r\n" if spam else b""
        octets = (mark + b"X-Spam-Status: " +
                  (b"Yes, score=15" if spam else b"No, score=0") +
                  b"\r\n" + octets)
        sock.sendall(b"SPAMD/1.1 0 EX_OK\r\nContent-length: %d\r\n"
                     b"Spam: %s ; %s / 5.0\r\n\r\n" % (
                         len(octets), b"True" if spam else b"False",
                         b"15.0" if spam else b"0.0") + octets)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class SpamassMilter(FilterPeer):
    program = "spamass-milter"

    def __init__(self):
        super().__init__()
        if find("spamc") is None:
            shutil.rmtree(self.folder)
            pytest.skip("needs spamc")
        self.spamd = Spamd()
        self.spawn([find("spamass-milter"), "-p", self.socket, "--", "-d", "127.0.0.1", "-p", str(self.spamd.port)])
        self.ready(self.wait_socket)

    def close(self):
        super().close()
        self.spamd.close()


def test_spamass_milter(make_house):
    milter = SpamassMilter()
    suite = make_house(milter, extra=["mail-auth no"])
    root_only(suite)
    send(suite, f"From: {X}\nSubject: plain\n\nhello\n")
    assert "\nX-Spam-Status: No" in delivered(suite)
    send(suite, f"From: {X}\nSubject: x\n\nbuy now\n")
    suite.wait_log(
        lambda l: "accepted " in l.text and l.get("junk") == "filter")
    assert "filter failed" not in suite.log_text()
