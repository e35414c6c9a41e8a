# SPDX-License-Identifier: ISC
"""keys: what it hands out to whom, what it signs, what it takes over, and
that nobody else ever has a private key."""
import base64
import fcntl
import json
import os
import pwd
import re
import secrets
import stat
import subprocess

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from internal import Peer
from pki import Authority, new_key, write
from suite import HOSTNAME, can_trace
from watch import wait_for

DIGESTS = {"sha256": hashes.SHA256, "sha384": hashes.SHA384}
END = b"-----END CERTIFICATE-----\n"
CONTENT = b" " * 64 + b"TLS 1.3, server CertificateVerify\0"


def verify_content(n=32):
    return CONTENT + secrets.token_bytes(n)


def key_exchange(curve=29, size=32):
    return secrets.token_bytes(64) + bytes(
        [3, 0, curve, size]) + secrets.token_bytes(size)


class Speaker:
    """What a speaker says to keys; role is the folder in run-dir."""

    def __init__(self, suite, role="smtpd"):
        self.peer = Peer.connect(os.path.join(suite.run_dir, role, "keys"))

    def certificates(self):
        """[(id, [certificates])], in order."""
        answer = self.peer.call("certificates")
        self.generation = answer["generation"]
        self.ticket = answer["ticket"]
        return [self.certificate(i) for i in range(int(answer["count"]))]

    def certificate(self, index):
        one = self.peer.call("certificate", ("generation", self.generation),
                             ("index", index))
        [fd] = one.fds
        text = os.pread(fd, 1 << 20, 0)
        os.close(fd)
        return one["key"], [x509.load_pem_x509_certificate(part + END)
                            for part in text.split(END)[:-1]]

    def sign(self, key, scheme, data):
        return self.peer.call("sign", ("key", key), ("scheme", scheme),
                              ("data", data.hex()))

    def serials(self):
        return [chain[0].serial_number for _, chain in self.certificates()]


def verified(certificate, scheme, data, answer):
    """Raises where the signature is not the certificate's key's."""
    signature = bytes.fromhex(answer["signature"])
    public = certificate.public_key()
    if scheme == "ed25519":
        public.verify(signature, data)
        return True
    kind, digest = scheme.rsplit("-", 1)
    digest = DIGESTS[digest]()
    if kind == "ecdsa":
        public.verify(signature, data, ec.ECDSA(digest))
    elif kind == "rsa-pss":
        public.verify(signature, data, padding.PSS(
            padding.MGF1(digest), digest.digest_size), digest)
    else:
        public.verify(signature, data, padding.PKCS1v15(), digest)
    return True


@pytest.fixture
def ca(tmp_path):
    return Authority(str(tmp_path))


def lines(*pairs):
    return [line for certificate, key in pairs
            for line in (f"tls-certificate {certificate}", f"tls-key {key}")]


def readable(suite, *pairs):
    """The files are the suite's user's."""
    if suite.user:
        for pair in pairs:
            for path in pair:
                os.chown(path, suite.user.pw_uid, suite.user.pw_gid)


@pytest.fixture
def start(make_suite, tmp_path):
    """start(pairs, ...) is a running suite with these certificates."""
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        os.chmod(folder, 0o755)

    def begin(*pairs, extra=(), **options):
        suite = make_suite(extra=lines(*pairs) + list(extra), **options)
        readable(suite, *pairs)
        return suite.start()
    return begin


# -- certificates and signatures --

@pytest.mark.parametrize("kind,schemes", [
    ("ecdsa", [("ecdsa-sha256", True)]),
    ("rsa", [("rsa-pss-sha256", True), ("rsa-pss-sha384", True),
             ("rsa-pkcs1-sha256", False)]),
    ("ed25519", [("ed25519", True)])])
def test_a_speaker_gets_certificates_and_signatures(start, ca, kind, schemes):
    suite = start(ca.issue(HOSTNAME, kind=kind))
    for role in ("smtpd", "pop3d"):
        speaker = Speaker(suite, role)
        [(key, chain)] = speaker.certificates()
        assert chain[0].subject.rfc4514_string() == f"CN={HOSTNAME}"
        for scheme, in_tls13 in schemes:
            data = key_exchange()
            assert verified(chain[0], scheme, data,
                            speaker.sign(key, scheme, data))
            data = verify_content()
            answer = speaker.sign(key, scheme, data)
            assert (answer.verb == "signed") == in_tls13
            assert not in_tls13 or verified(chain[0], scheme, data, answer)
            with pytest.raises(InvalidSignature):
                verified(chain[0], scheme, data + b"x",
                         speaker.sign(key, scheme, key_exchange()))


def test_any_number_of_certificates_in_their_order(start, ca):
    pairs = [ca.issue(f"h{i}.example.test") for i in range(80)]
    suite = start(*pairs)
    names = [chain[0].subject.rfc4514_string()
             for _, chain in Speaker(suite).certificates()]
    assert names == [f"CN=h{i}.example.test" for i in range(80)]


def test_a_chain_stays_whole_and_cannot_be_written(start, ca):
    certificate, key = ca.issue(HOSTNAME)
    with open(certificate, "a") as f, open(ca.path) as authority:
        f.write(authority.read())
    suite = start((certificate, key))
    speaker = Speaker(suite)
    [(_, chain)] = speaker.certificates()
    assert [c.subject for c in chain] == [chain[0].subject, ca.name]
    speaker.peer.send("certificate", ("generation", speaker.generation),
                      ("index", 0))
    [fd] = speaker.peer.receive().fds
    assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE
    with pytest.raises(PermissionError):
        os.write(fd, b"x")
    os.close(fd)


def test_ticket_keys_are_a_services_own(start, ca):
    suite = start(ca.issue(HOSTNAME))
    speakers = [Speaker(suite, role) for role in ("smtpd", "smtpd", "pop3d")]
    for speaker in speakers:
        speaker.certificates()
    tickets = [speaker.ticket for speaker in speakers]
    assert tickets[0] == tickets[1] != tickets[2]
    assert all(len(bytes.fromhex(t)) == 80 for t in tickets)


REFUSED = {
    "nothing": b"",
    "a bare digest": bytes(range(32)),
    "a client's verify": CONTENT.replace(b"server", b"client") + bytes(32),
    "short padding": CONTENT[1:] + bytes(32),
    "another hash": CONTENT + bytes(33),
    "no hash": CONTENT,
    "a certificate": b"\x30\x82\x03\x00\xa0\x03\x02\x01\x02" + bytes(200),
    "a token": base64.urlsafe_b64encode(b'{"alg":"ES256"}') + b"." + bytes(90),
    "a mail's header hash": b"from:ann@example.test\r\n" + bytes(100),
    "explicit curve": bytes(64) + b"\x01\x00\x1d\x20" + bytes(32),
    "unknown curve": bytes(64) + b"\x03\x00\x16\x20" + bytes(32),
    "a point too short": bytes(64) + b"\x03\x00\x1d\x20" + bytes(31),
    "octets behind": bytes(64) + b"\x03\x00\x1d\x20" + bytes(33),
}


def test_nothing_but_a_handshake_is_signed(start, ca):
    suite = start(ca.issue(HOSTNAME))
    speaker = Speaker(suite)
    [(key, _)] = speaker.certificates()
    for what, data in REFUSED.items():
        answer = speaker.sign(key, "ecdsa-sha256", data)
        assert answer.verb == "refused", what
    suite.wait_log("not signed role=role-smtpd")
    for scheme in ("ecdsa-sha1", "rsa-pss-sha256", "", "none"):
        assert speaker.sign(key, scheme,
                            verify_content()).verb == "refused", scheme
    assert speaker.sign("ab" * 32, "ecdsa-sha256",
                        verify_content()).verb == "refused"
    assert speaker.sign(key, "ecdsa-sha256", verify_content()).verb == "signed"


@pytest.mark.parametrize("role", ["deliver", "admin"])
def test_other_roles_get_no_signature_and_no_certificate(start, ca, role):
    suite = start(ca.issue(HOSTNAME))
    [(key, _)] = Speaker(suite).certificates()
    other = Speaker(suite, role)
    answer = other.sign(key, "ecdsa-sha256", verify_content())
    assert (answer.verb, answer["reason"]) == ("refused", "not for this role")
    suite.wait_log(f"not signed role=role-{role}")
    assert other.peer.call("certificates") is None  # and it hangs up


def test_a_servers_role_gets_no_relay_secret(start, ca):
    suite = start(ca.issue(HOSTNAME), extra=["relay-host [relay.test]:587"])
    store(suite, "relay.test", "ann", "secret")
    for role in ("smtpd", "pop3d", "admin"):
        assert Speaker(suite, role).peer.call(
            "relay", host="relay.test") is None


GARBAGE = [b"\0", b"sign", b"sign\0key\0", b"\xff" * 16000, b"certificate\0",
           b"certificates\0generation\0x\0", b"relay\0host\0" + b"x" * 400,
           b"sign\0key\0a\0scheme\0b\0data\0zz\0", b"drain\0", b"file\0",
           b"certificate\0generation\0x\0index\0-1\0"]


def test_garbage_costs_that_peer_alone(start, ca):
    suite = start(ca.issue(HOSTNAME))
    before = suite.parents()["keys"]
    bystander = Speaker(suite)
    [(key, _)] = bystander.certificates()
    for role in ("smtpd", "pop3d", "deliver", "admin"):
        for octets in GARBAGE:
            peer = Speaker(suite, role).peer
            peer.send_octets(octets)
            answer = peer.receive()
            if octets.startswith(b"sign\0") and role in ("deliver", "admin"):
                assert answer.verb == "refused"
            else:
                assert answer is None, (role, octets)
    null = os.open("/dev/null", os.O_RDONLY)
    peer = Speaker(suite).peer
    peer.send("certificates", fds=[null] * 3)
    assert peer.receive() is None
    os.close(null)
    assert bystander.sign(key, "ecdsa-sha256",
                          verify_content()).verb == "signed"
    assert suite.parents()["keys"] == before


# -- files that change --

def taken(suite, path):
    """How often that certificate was taken."""
    return [line.get("what") for line in suite.log_lines()
            if " certificate taken " in line.text].count(path)


def wait_taken(suite, path, count):
    wait_for(lambda: taken(suite, path) >= count, suite.log,
             what=f"{path} taken {count} times")


def test_a_new_pair_is_taken_over(start, ca, either_kind):
    certificate, key = ca.issue(HOSTNAME, stem="server")
    suite = start((certificate, key), **either_kind)
    pids = suite.parents()
    speaker, other = Speaker(suite), Speaker(suite, "pop3d")
    old = speaker.certificates()
    other.certificates()
    ca.issue(HOSTNAME, stem="server")
    readable(suite, (certificate, key))
    wait_taken(suite, certificate, 2)
    for told in (speaker, other):
        assert told.peer.receive().verb == "changed"
        [(key_id, chain)] = told.certificates()
        assert key_id != old[0][0]
        assert chain[0].serial_number > old[0][1][0].serial_number
        data = verify_content()
        assert verified(chain[0], "ecdsa-sha256", data,
                        told.sign(key_id, "ecdsa-sha256", data))
        # A handshake that began with the old one ends well.
        assert verified(old[0][1][0], "ecdsa-sha256", data,
                        told.sign(old[0][0], "ecdsa-sha256", data))
    assert suite.parents() == pids


@pytest.fixture(params=["root", "user"])
def either_kind(request):
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("needs root")
    return {"root": request.param == "root"}


def test_links_are_followed_as_certbot_moves_them(start, ca, tmp_path):
    """live/*.pem lead to archive/*1.pem, then to archive/*2.pem."""
    live, archive = tmp_path / "live", tmp_path / "archive"
    live.mkdir()
    archive.mkdir()

    def renew(n):
        certificate, key = ca.issue(HOSTNAME, stem=f"archive/{n}")
        for name, path in (("privkey.pem", key), ("fullchain.pem",
                                                  certificate)):
            os.symlink(path, live / f"{name}.new")
            os.rename(live / f"{name}.new", live / name)
    renew(1)
    pair = str(live / "fullchain.pem"), str(live / "privkey.pem")
    suite = start(pair, root=os.geteuid() == 0)
    speaker = Speaker(suite)
    first = speaker.serials()
    renew(2)
    wait_taken(suite, pair[0], 2)
    assert speaker.peer.receive().verb == "changed"
    assert speaker.serials() > first
    assert "certificate refused" not in suite.log_text()


def test_a_pair_that_does_not_fit_leaves_the_old_one(start, ca):
    certificate, key = ca.issue(HOSTNAME, stem="server")
    suite = start((certificate, key))
    speaker = Speaker(suite)
    [(key_id, chain)] = speaker.certificates()
    with open(key, "rb") as f:
        good = f.read()
    newer, _ = ca.issue(HOSTNAME, stem="newer")
    os.rename(newer, certificate)
    line = suite.wait_log("certificate refused")
    assert line["what"] == key
    assert "does not belong" in line["reason"]
    suite.wait_log(lambda l: " certificate kept " in l.text
                   and l["what"] == certificate)
    data = verify_content()
    assert verified(chain[0], "ecdsa-sha256", data,
                    speaker.sign(key_id, "ecdsa-sha256", data))
    assert speaker.serials() == [chain[0].serial_number]
    # So with a file that is gone, and one that is none.
    os.unlink(key)
    suite.wait_log(lambda l: " certificate refused " in l.text
                   and "No such file" in l["reason"])
    write(key, b"-----BEGIN NOTHING-----\n", 0o600)
    suite.wait_log(lambda l: " certificate refused " in l.text
                   and "no private key" in l["reason"])
    assert speaker.serials() == [chain[0].serial_number]
    # Both right again: the next one is taken.
    ca.issue(HOSTNAME, stem="server")
    wait_taken(suite, certificate, 2)
    assert speaker.peer.receive().verb == "changed"
    assert speaker.serials() > [chain[0].serial_number]
    assert good != open(key, "rb").read()


def test_a_started_suite_survives_a_bad_pair_and_a_dead_keys(start, ca):
    """What stops a start costs one pair afterwards."""
    one, two = ca.issue("a.test"), ca.issue("b.test")
    suite = start(one, two)
    write(two[1], b"nothing", 0o600)
    suite.wait_log("certificate kept")
    suite.kill_service("keys")
    suite.wait_log(lambda l: " ready " in l.text and l["service"] == "keys"
                   and int(l["pid"]) == suite.parents().get("keys"))
    names = [c[0].subject.rfc4514_string()
             for _, c in Speaker(suite).certificates()]
    assert names == ["CN=a.test"]


def test_reload_brings_another_set(start, ca):
    one, two = ca.issue("a.test"), ca.issue("b.test")
    suite = start(one)
    speaker = Speaker(suite)
    [(old, _)] = speaker.certificates()
    suite.extra = lines(two, one)
    suite.reload()
    assert speaker.peer.receive().verb == "changed"
    found = speaker.certificates()
    assert [c[0].subject.rfc4514_string() for _, c in found] == [
        "CN=b.test", "CN=a.test"]
    assert found[1][0] == old


def test_reload_to_a_bad_pair_leaves_the_old_one(start, ca):
    """Other files, not only others in their place."""
    one, two = ca.issue("a.test"), ca.issue("b.test")
    suite = start(one)
    speaker = Speaker(suite)
    before = speaker.serials()
    missing = one[0] + ".gone", one[1]
    suite.extra = lines(missing, two)
    readable(suite, two)
    suite.reload()
    line = suite.wait_log("certificate refused")
    assert line["what"] == missing[0]
    suite.wait_log(lambda l: " certificate kept " in l.text
                   and l["what"] == one[0])
    assert speaker.peer.receive().verb == "changed"
    found = speaker.certificates()
    assert [c[0].serial_number for _, c in found] == [
        before[0], before[0] + 1]
    data = verify_content()
    assert speaker.sign(found[0][0], "ecdsa-sha256",
                        data).verb == "signed"
    # And gone as soon as what the config names is there.
    ca.issue("c.test", stem="c", key=serialization.load_pem_private_key(
        open(one[1], "rb").read(), None))
    os.rename(os.path.join(ca.folder, "c.pem"), missing[0])
    wait_taken(suite, missing[0], 1)
    assert speaker.peer.receive().verb == "changed"
    assert speaker.serials() == [before[0] + 2, before[0] + 1]


def test_reload_to_no_certificate_is_told(start, ca):
    """None is named, and none is at the default place."""
    suite = start(ca.issue("a.test"))
    speaker = Speaker(suite)
    assert len(speaker.certificates()) == 1
    assert "no certificate" not in suite.log_text()
    for name in ("cert.pem", "key.pem"):
        if os.path.exists(suite.path("tls", name)):
            os.unlink(suite.path("tls", name))
    suite.extra = []
    suite.reload()
    suite.wait_log("no certificate")
    assert speaker.peer.receive().verb == "changed"
    assert speaker.certificates() == []


# -- as a client sees it --

def serial_of(client):
    return x509.load_der_x509_certificate(
        client.sock.getpeercert(True)).serial_number


def session(suite, kind):
    """(connected client, its certificate's serial number, say something)"""
    if kind.startswith("pop3"):
        client = suite.pop3(kind=kind, tls=kind == "pop3")
        return client, serial_of(client), client.capa
    client = suite.smtp(kind, tls=kind != "submissions")
    return client, serial_of(client), client.noop


@pytest.mark.parametrize("kind", ["smtp", "submission", "submissions", "pop3",
                                  "pop3s"])
def test_the_next_connection_has_the_new_certificate(make_suite, kind):
    """The open ones go on, no process of the suite is another."""
    suite = make_suite(tls=True)
    suite.start()
    pair = [line.split()[1] for line in suite.extra[:2]]
    client, before, speak = session(suite, kind)
    pids = suite.parents()
    stem = os.path.basename(pair[0]).removesuffix(".pem")
    suite.issue(HOSTNAME, "localhost", "127.0.0.1", stem=stem)
    wait_taken(suite, pair[0], 2)
    newer, after, _ = session(suite, kind)
    assert after > before
    speak()
    # One that does not fit: the one before goes on.
    key = write(pair[1] + ".other", open(pair[1], "rb").read(), 0o600)
    write(pair[1], new_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()), 0o600)
    readable(suite, pair)
    suite.wait_log("certificate kept")
    assert session(suite, kind)[1] == after
    os.rename(key, pair[1])
    speak()
    # keys dies: handshakes wait for the next one.
    suite.kill_service("keys")
    assert session(suite, kind)[1] == after
    speak()
    del pids["keys"]
    assert pids.items() <= suite.parents().items()
    for one in (client, newer):
        one.quit()


# -- the start --

def small_rsa():
    from cryptography.hazmat.primitives.asymmetric import rsa
    return rsa.generate_private_key(65537, 1024)


def large_rsa():
    """Of 8676 bits, at once: Mersenne's primes, which nobody tests anew."""
    p, q, e = 2 ** 4423 - 1, 2 ** 4253 - 1, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = (0, p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    der = subprocess.run(
        ["openssl", "asn1parse", "-genconf", "/dev/stdin", "-noout", "-out",
         "/dev/stdout"], check=True, stdout=subprocess.PIPE,
        input=b"asn1=SEQUENCE:key\n[key]\n" + b"".join(
            b"n%d=INTEGER:0x%x\n" % n for n in enumerate(numbers))).stdout
    return (b"-----BEGIN RSA PRIVATE KEY-----\n" + base64.encodebytes(der) +
            b"-----END RSA PRIVATE KEY-----\n")


def spoil_key(octets):
    def spoil(pair):
        write(pair[1], octets, 0o600)
        return pair[1]
    return spoil


def spoil_certificate(pair):
    write(pair[0], b"-----BEGIN CERTIFICATE-----\nAAAA\n"
          b"-----END CERTIFICATE-----\n", 0o644)
    return pair[0]


def remove(which):
    def spoil(pair):
        os.unlink(pair[which])
        return pair[which]
    return spoil


def make_folder(pair):
    os.unlink(pair[0])
    os.mkdir(pair[0])
    return pair[0]


def make_fifo(pair):
    os.unlink(pair[1])
    os.mkfifo(pair[1])
    return pair[1]


def encrypt(pair):
    write(pair[1], new_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret")), 0o600)
    return pair[1]


def sign_weakly(pair):
    """OpenSSL serves no such certificate, nor any beside it."""
    folder = os.path.dirname(pair[0])

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True,
                       capture_output=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
            "/CN=Old Authority", "-keyout", "old.key", "-out", "old.pem")
    openssl("req", "-new", "-key", pair[1], "-subj", f"/CN={HOSTNAME}",
            "-out", "weak.csr")
    openssl("x509", "-req", "-in", "weak.csr", "-CA", "old.pem", "-CAkey",
            "old.key", "-set_serial", "7", "-sha1", "-out", pair[0])
    return pair[0]


BAD = {
    "another's key": (spoil_key(new_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption())), "does not belong"),
    "no key": (spoil_key(b"hello\n"), "no private key"),
    "an empty key": (spoil_key(b""), "no private key"),
    "a short RSA key": (spoil_key(small_rsa().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption())), "less than 2048"),
    "a long RSA key": (spoil_key(large_rsa()), "more than 8192"),
    "a weak signature": (sign_weakly, "too weak a digest"),
    "a passphrase": (encrypt, "passphrase"),
    "a damaged certificate": (spoil_certificate, "damaged"),
    "no certificate": (remove(0), "No such file"),
    "key missing": (remove(1), "No such file"),
    "a folder": (make_folder, "Is a directory"),
    "a pipe": (make_fifo, "Invalid argument"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_pair_stops_the_start(make_suite, ca, how):
    spoil, reason = BAD[how]
    pair = ca.issue(HOSTNAME)
    what = spoil(pair)
    suite = make_suite(extra=lines(pair), root=os.geteuid() == 0)
    suite.init()
    suite.write_config()
    suite.spawn()
    assert suite.process.wait(20) != 0
    said = suite.stderr_text()
    assert what in said and reason in said, said
    suite.process = None


def test_without_a_certificate_there_is_no_tls(make_suite):
    suite = make_suite()
    suite.init()
    pair = suite.path("tls", "cert.pem"), suite.path("tls", "key.pem")
    for path in pair:
        os.unlink(path)
    suite.start()
    suite.wait_log("no certificate")
    speaker = Speaker(suite)
    assert speaker.certificates() == []
    # One that comes later is found.
    made = suite.run("postrider-key", "tls", "--self-signed").stdout
    assert HOSTNAME in made and pair[0] in made
    assert stat.S_IMODE(os.stat(pair[1]).st_mode) == 0o600
    wait_taken(suite, pair[0], 1)
    assert speaker.peer.receive().verb == "changed"
    [(_, chain)] = speaker.certificates()
    assert chain[0].issuer == chain[0].subject


@pytest.mark.parametrize("kind", ["submissions", "pop3s"])
def test_implicit_tls_needs_a_certificate(make_suite, kind):
    suite = make_suite(listen=("smtp", kind))
    suite.init()
    os.unlink(suite.path("tls", "cert.pem"))
    os.unlink(suite.path("tls", "key.pem"))
    suite.write_config()
    suite.spawn()
    assert suite.process.wait(20) != 0
    assert "no certificate" in suite.stderr_text()
    suite.process = None
    checked = suite.run("postrider", "check", check=False)
    assert checked.returncode == 78
    assert f'error: no certificate for "listen {kind}"' in checked.stdout


# -- nobody else --

def secrets_of(path):
    """The ways in which the numbers of a private key lie in memory."""
    with open(path, "rb") as f:
        pem = f.read()
    key = serialization.load_pem_private_key(pem, None)
    numbers = key.private_numbers()
    values = ([numbers.private_value] if isinstance(
        key, ec.EllipticCurvePrivateKey) else
        [numbers.p, numbers.q, numbers.d])
    found = {f"PEM {i}": line for i, line in enumerate(pem.splitlines())
             if len(line) > 32}
    for i, value in enumerate(values):
        n = (value.bit_length() + 7) // 8
        found[f"big {i}"] = value.to_bytes(n, "big")[4:]
        found[f"little {i}"] = value.to_bytes(n, "little")[:-4]
    return found


def memory(pid):
    """(what, octets) of every part of a process's memory that can be read."""
    with open(f"/proc/{pid}/maps") as f:
        maps = f.read().splitlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as f:
        for line in maps:
            first, rights, *rest = line.split(None, 5)
            if rights[0] != "r" or line.endswith(("[vvar]", "[vsyscall]",
                                                  "[vvar_vclock]")):
                continue
            start, end = (int(n, 16) for n in first.split("-"))
            if end - start > 1 << 30:
                continue  # a sanitizer's shadow
            try:
                f.seek(start)
                yield line, f.read(end - start)
            except OSError:
                continue  # a guard, or a device's


def holders(suite, wanted):
    """{name: which of the secrets its processes have}"""
    found = {}
    processes = [("postrider", suite.pid)] + [
        (name, pid) for name, pids in suite.services().items()
        for pid in pids]
    for name, pid in processes:
        for _, octets in memory(pid):
            for which, secret in wanted.items():
                if secret in octets:
                    found.setdefault(name, set()).add(which)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_only_keys_has_a_key(start, ca, kind):
    """In no other process's memory, maps or descriptors, after handshakes
    and after a renewal."""
    if not can_trace():
        pytest.skip("needs CAP_SYS_PTRACE")
    pair = ca.issue(HOSTNAME, kind=kind, stem="server")
    suite = start(pair, users=["ann@example.test"])
    for _ in range(2):
        for role in ("smtpd", "pop3d"):
            speaker = Speaker(suite, role)
            [(key, _)] = speaker.certificates()
            scheme = {"ecdsa": "ecdsa-sha256", "rsa": "rsa-pss-sha256"}[kind]
            assert speaker.sign(key, scheme, verify_content()).verb == "signed"
        client = suite.smtp()
        client.starttls()
        client.quit()
        found = holders(suite, secrets_of(pair[1]))
        # In keys they are found, so the search is one.
        assert set(found) == {"keys"}, found
        # But not the text of the file, which was wiped.
        assert not [w for w in found["keys"] if w.startswith("PEM")], found
        for name, pids in suite.services().items():
            for pid in pids:
                assert pair[1] not in open(f"/proc/{pid}/maps").read()
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    try:
                        lead = os.readlink(f"/proc/{pid}/fd/{fd}")
                    except FileNotFoundError:
                        continue
                    assert lead not in pair, (name, lead)
        ca.issue(HOSTNAME, kind=kind, stem="server")
        wait_taken(suite, pair[0], 2)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_no_account_can_open_a_key_or_a_login(start, ca):
    pair = ca.issue(HOSTNAME)
    suite = start(pair, extra=["relay-host [relay.test]:587"])
    store(suite, "relay.test", "ann", "secret")
    record = os.path.join(suite.database + "-keys", "relay", "relay.test")
    assert stat.S_IMODE(os.stat(record).st_mode) == 0o600

    def opened(account, path):
        user = pwd.getpwnam(account)
        child = os.fork()
        if child == 0:
            code = 0
            try:
                os.setgroups(os.getgrouplist(account, user.pw_gid))
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)
                os.close(os.open(path, os.O_RDONLY))
                code = 1
            except PermissionError:
                pass
            os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for name in ("smtpd", "pop3d", "deliver", "queue", "mail", "db",
                 "ledger"):
        assert opened(f"postrider-{name}", pair[1]) == 0, name
        assert opened(f"postrider-{name}", record) == 0, name
    # keys does not open it either: it is handed a descriptor.
    assert opened("postrider-keys", pair[1]) == 0
    assert opened("postrider-keys", record) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_keys_takes_no_core_and_cannot_be_looked_into(start, ca):
    suite = start(ca.issue(HOSTNAME))
    pid = suite.parents()["keys"]
    with open(f"/proc/{pid}/limits") as f:
        core = re.search(r"^Max core file size\s+(\S+)\s+(\S+)", f.read(),
                         re.M).groups()
    assert core == ("0", "0")
    assert os.stat(f"/proc/{pid}/mem").st_uid == 0


# -- relay hosts --

def store(suite, host, user, password=None, token=None):
    more = ["--token-file", token] if token else ["--password-stdin"]
    return suite.run("postrider-key", "relay", *more, host, user,
                     input=None if token else password + "\n")


def ask(suite, host):
    return Speaker(suite, "deliver").peer.call("relay", host=host)


def test_a_password_is_for_the_relay_host_alone(start, ca, either_kind):
    suite = start(ca.issue(HOSTNAME), **either_kind,
                  extra=["relay-host [Relay.Test]:587"])
    assert ask(suite, "relay.test").verb == "none"
    store(suite, "RELAY.test", "ann@relay.test", "pass wörd")
    said = store(suite, "other.test", "bob", "x").stderr
    assert "relay-host" in said
    answer = ask(suite, "relay.test")
    assert (answer["user"], answer["kind"], answer["secret"]) == (
        "ann@relay.test", "password", "pass wörd")
    assert ask(suite, "[relay.test]")["user"] == "ann@relay.test"
    for host in ("other.test", "relay.test.", "x.relay.test", "../relay.test",
                 ".", "", "relay.test/"):
        assert ask(suite, host).verb == "none", host
    assert "pass w" not in suite.log_text()


def test_logins_are_kept_while_the_suite_is_stopped(make_suite, either_kind):
    suite = make_suite(**either_kind, extra=["relay-host [relay.test]:587"])
    suite.init()
    store(suite, "relay.test", "ann", "one")
    store(suite, "relay.test", "ann", "two")
    store(suite, "b.test", "bob", token="/run/token")
    listed = json.loads(suite.run("postrider-key", "relay", "list",
                                  "--json").stdout)
    assert sorted(listed, key=lambda r: r["host"]) == [
        {"host": "b.test", "user": "bob", "kind": "token",
         "token_file": "/run/token"},
        {"host": "relay.test", "user": "ann", "kind": "password"}]
    suite.run("postrider-key", "relay", "--delete", "b.test")
    done = suite.run("postrider-key", "relay", "--delete", "b.test",
                     check=False)
    assert done.returncode == 68 and "b.test" in done.stderr
    assert suite.run("postrider-key", "relay", "list").stdout == (
        "relay.test ann password\n")
    suite.start()
    assert ask(suite, "relay.test")["secret"] == "two"
    suite.run("postrider-key", "relay", "--delete", "relay.test")
    assert ask(suite, "relay.test").verb == "none"


def test_a_token_is_read_anew_from_its_file(start, ca, tmp_path, either_kind):
    """Its folder was unknown when keys started: it is started anew."""
    folder = tmp_path / "tokens"
    folder.mkdir(mode=0o755)
    token = str(folder / "token")
    write(token, b"first.token\n", 0o644)
    suite = start(ca.issue(HOSTNAME), **either_kind,
                  extra=["relay-host [relay.test]:587"])
    before = suite.parents()["keys"]
    store(suite, "relay.test", "ann", token=token)
    suite.wait_log(lambda l: " ready " in l.text and l["service"] == "keys"
                   and int(l["pid"]) != before)
    answer = ask(suite, "relay.test")
    assert (answer["kind"], answer["secret"]) == ("token", "first.token")
    write(token, b"second.token", 0o644)
    assert ask(suite, "relay.test")["secret"] == "second.token"
    now = suite.parents()["keys"]
    store(suite, "relay.test", "bob", token=token)  # same folder: no need
    assert ask(suite, "relay.test")["user"] == "bob"
    assert suite.parents()["keys"] == now
    os.unlink(token)
    assert ask(suite, "relay.test").verb == "refused"
    suite.wait_log(lambda l: " no relay login " in l.text
                   and l["what"] == token)


def test_a_damaged_login_is_refused(start, ca):
    suite = start(ca.issue(HOSTNAME), extra=["relay-host [relay.test]:587"])
    store(suite, "relay.test", "ann", "secret")
    record = os.path.join(suite.database + "-keys", "relay", "relay.test")
    for octets in (b"", b"user ann\n", b"user ann\npassword a\ntoken-file /b\n",
                   b"user ann\nsecret x\n", b"user ann\npassword \0x\n",
                   b"user " + b"x" * 500 + b"\npassword x\n",
                   b"x" * 20000):
        with open(record, "wb") as f:
            f.write(octets)
        assert ask(suite, "relay.test").verb == "refused", octets[:40]
    listed = suite.run("postrider-key", "relay", "list", check=False)
    assert listed.returncode == 65 and "relay.test" in listed.stderr


@pytest.mark.parametrize("arguments", [
    [], ["tls"], ["relay"], ["relay", "host"], ["relay", "a", "b", "c"],
    ["tls", "list", "x"], ["relay", "--delete"], ["dkim"],
    ["relay", "--json", "a", "b"], ["tls", "--self-signed", "--json"],
    ["relay", "--password-stdin", "--token-file", "x", "a", "b"]])
def test_the_tool_misused(make_suite, arguments):
    done = make_suite().run("postrider-key", *arguments, check=False)
    assert done.returncode == 64
    assert done.stderr.startswith("usage: postrider-key")


@pytest.mark.parametrize("host", ["", "a/b", "..", "a b", "x\ny", "-x",
                                  "a" * 300])
def test_the_tool_takes_no_bad_host(make_suite, host):
    suite = make_suite()
    suite.init()
    done = suite.run("postrider-key", "relay", "--password-stdin", "--", host,
                     "ann", input="x\n", check=False)
    assert done.returncode == 65, done


# -- looking at them --

def test_list(start, ca, make_suite):
    good, bad = ca.issue(HOSTNAME, "b.test"), ca.issue("c.test", kind="rsa")
    suite = start(good, bad)

    def listed():
        done = suite.run("postrider-key", "tls", "list", "--json",
                         check=False)
        return done.returncode, json.loads(done.stdout)
    code, rows = listed()
    assert code == 0
    assert [(r["certificate"], r["key"], r["type"], r["names"], r["in_use"],
             r["problem"]) for r in rows] == [
        (*good, "ecdsa", f"{HOSTNAME}, b.test", "yes", ""),
        (*bad, "rsa", "c.test", "yes", "")]
    write(bad[0], open(good[0], "rb").read(), 0o644)
    suite.wait_log("certificate kept")
    code, rows = listed()
    assert code == 65
    assert "does not belong" in rows[1]["problem"]
    assert rows[1]["in_use"] == "no"
    text = suite.run("postrider-key", "tls", "list", check=False).stdout
    assert "cannot be used: it does not belong" in text
    suite.stop()
    assert {r["in_use"] for r in listed()[1]} == {"unknown"}


def checked(make_suite, pairs, **options):
    suite = make_suite(extra=lines(*pairs), **options)
    readable(suite, *pairs)
    suite.init()
    suite.write_config()
    return suite.run("postrider", "check", check=False).stdout


def test_check_finds_nothing_wrong(make_suite, ca, either_kind, tmp_path):
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        os.chmod(folder, 0o755)
    pairs = [ca.issue("x.test"), ca.issue(HOSTNAME, kind="rsa"),
             ca.issue(HOSTNAME, kind="ed25519")]
    said = checked(make_suite, pairs, **either_kind)
    assert "certificate" not in said and "key " not in said, said


def test_check_tells_what_is_wrong(make_suite, ca):
    soon = ca.issue(HOSTNAME, stem="soon", days=13)
    gone = ca.issue("a.test", stem="gone", begin=-40, days=30)
    early = ca.issue("b.test", stem="early", begin=3)
    mixed = ca.issue("c.test", stem="mixed")
    write(mixed[1], open(soon[1], "rb").read(), 0o600)
    shown = ca.issue("d.test", stem="shown")
    os.chmod(shown[1], 0o644)
    broken = ca.issue("e.test", stem="broken")
    write(broken[0], b"nothing", 0o644)
    lost = ca.issue("f.test", stem="lost")
    os.unlink(lost[1])
    said = checked(make_suite, [soon, gone, early, mixed, shown, broken, lost],
                   root=os.geteuid() == 0)

    def has(pattern):
        assert re.search(pattern, said, re.M), (pattern, said)
    has(rf"^warning: certificate {soon[0]} expires on [-0-9]+, in 1[23] days")
    has(rf"^error: certificate {gone[0]} expired on [-0-9]+$")
    has(rf"^error: certificate {early[0]} is not valid before [-0-9]+$")
    has(rf"^error: key {mixed[1]}: it does not belong to the certificate$")
    has(rf"^warning: key {shown[1]} can be used by every user")
    has(rf"^error: certificate {broken[0]}: no certificate in it")
    has(rf"^error: key {lost[1]}: No such file or directory$")
    assert "covers the host name" not in said
    assert len(re.findall("^(?:error|warning): (?:certificate|key)", said,
                          re.M)) == 7


def test_check_tells_of_names(make_suite, ca):
    said = checked(make_suite, [ca.issue("a.test"), ca.issue("*.b.test")],
                   root=os.geteuid() == 0)
    assert re.search(r"^warning: no certificate covers the host name "
                     + HOSTNAME, said, re.M), said
    said = checked(make_suite, [ca.issue("a.test"),
                                ca.issue("*.example.test", stem="wild")],
                   root=os.geteuid() == 0)
    assert "covers" not in said
