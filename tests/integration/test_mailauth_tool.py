# SPDX-License-Identifier: ISC
"""postrider-mailauth as a command: options, output, exit codes, messages of
all kinds on standard input.  What the checks find is tested elsewhere."""
import base64
import json
import os
import subprocess
import time

import pytest

from dnsserver import free_port
from scripted_dns import SERVFAIL, TIMEOUT, scripted_dns  # noqa: F401

SPF = ("spf", "--ip", "192.0.2.1", "--helo", "mail.example.org", "--from",
       "ann@example.org")
MESSAGE = b"""\
From: Ann <ann@example.org>
To: bob@example.net
Subject: on which signatures
 are made
Date: Mon, 30 Nov 2026 10:00:00 +0000
Message-ID: <1@example.org>

A body  with blanks \t
.
and a dot.


"""
NOW = 1796034557


@pytest.fixture
def mailauth(build):
    """mailauth("spf", ..., dns=server): a finished process, all of text."""
    program = os.path.join(build, "mailauth", "postrider-mailauth")

    def run(*arguments, message=b"", dns=None, config="/dev/null"):
        more = ["--dns", dns.address] if dns else []
        return subprocess.run(
            [program, *(["-c", config] if config else []), *arguments, *more],
            input=message, capture_output=True, timeout=30, check=False)
    return run


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """{kind: path}, and {kind: TXT record}."""
    folder = tmp_path_factory.mktemp("keys")
    paths, records = {}, {}
    for kind, options in (
            ("rsa", ["-algorithm", "RSA", "-pkeyopt",
                     "rsa_keygen_bits:2048"]),
            ("short", ["-algorithm", "RSA", "-pkeyopt",
                       "rsa_keygen_bits:768"]),
            ("ed25519", ["-algorithm", "ed25519"]),
            ("ec", ["-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256"]),
            ("locked", ["-algorithm", "ed25519", "-aes128", "-pass",
                        "pass:x"])):
        paths[kind] = str(folder / kind)
        subprocess.run(["openssl", "genpkey", *options, "-out", paths[kind]],
                       check=True, capture_output=True)
        if kind in ("rsa", "ed25519"):
            der = subprocess.run(
                ["openssl", "pkey", "-in", paths[kind], "-pubout", "-outform",
                 "DER"], check=True, capture_output=True).stdout
            octets = der[-32:] if kind == "ed25519" else der
            records[kind] = (f"v=DKIM1; k={kind}; p=" +
                             base64.b64encode(octets).decode())
    return paths, records


@pytest.fixture
def dns(scripted_dns, keys):
    return scripted_dns({
        "example.org": {"TXT": "v=spf1 ip4:192.0.2.1 a:host.example.org "
                               "exp=why.example.org -all"},
        "why.example.org": {"TXT": "%{i} is not ours"},
        "host.example.org": {"A": "192.0.2.2"},
        "mail.example.org": {"TXT": "v=spf1 a -all", "A": "192.0.2.1"},
        "soft.example": {"TXT": "v=spf1 ~all"},
        "neutral.example": {"TXT": "v=spf1 ?all"},
        "broken.example": {"TXT": "v=spf1 nonsense -all"},
        "servfail.example": SERVFAIL,
        "none.example": {"A": "192.0.2.1"},
        "rsa._domainkey.example.org": {"TXT": keys[1]["rsa"]},
        "ed25519._domainkey.example.org": {"TXT": keys[1]["ed25519"]},
        "_dmarc.example.org": {"TXT": "v=DMARC1; p=reject; sp=quarantine"},
        "_dmarc.test.example": {"TXT": "v=DMARC1; p=reject; t=y"},
    })


@pytest.fixture
def signed(mailauth, keys):
    """A message signed twice, as Postrider does."""
    message = MESSAGE
    for kind in ("rsa", "ed25519"):
        done = mailauth("dkim", "sign", "--domain", "example.org",
                        "--selector", kind, "--key", keys[0][kind], "--now",
                        str(NOW), message=message)
        assert done.returncode == 0, done.stderr
        message = done.stdout
    return message


# -- how it is called --

@pytest.mark.parametrize("arguments", [
    (), ("nonsense",), ("dkim",), ("dkim", "nonsense"), ("spf", "verify"),
    ("spf",), ("spf", "--helo", "a.example"), ("spf", "--ip", "192.0.2.1"),
    (*SPF, "more"), (*SPF, "--nonsense"), (*SPF, "--domain", "example.org"),
    (*SPF, "--spf", "example.org=pass"), ("dkim", "verify", "--ip", "::1"),
    ("dkim", "sign", "--domain", "example.org", "--selector", "s"),
    ("dkim", "sign", "--domain", "example.org", "--key", "/dev/null"),
    ("dmarc",), ("dmarc", "--from"), (*SPF, "-x")])
def test_misuse(mailauth, arguments):
    done = mailauth(*arguments)
    assert done.returncode == 64
    assert b"usage:" in done.stderr and not done.stdout


@pytest.mark.parametrize("arguments,what", [
    (("--dns", "nowhere.invalid"), "nowhere.invalid"),
    (("--dns", "localhost:dns"), "localhost:dns"),
    (("--dns", ":53"), ":53"), (("--dns", "localhost:65536"), "65536"),
    (("--dns", "192.0.2.1:99999"), "192.0.2.1:99999"),
    (("--dns", ""), "--dns"),
    (("--dns-timeout", "0"), "--dns-timeout"),
    (("--dns-timeout", "-1"), "--dns-timeout"),
    (("--dns-timeout", "3601"), "--dns-timeout"),
    (("--dns-timeout", "1x"), "--dns-timeout"),
    (("--dns-timeout", ""), "--dns-timeout"),
    (("--now", "yesterday"), "--now"),
    (("--now", "-1"), "--now"),
    (("--now", "99999999999999999999"), "--now"),
    (("--ip", "mail.example.org"), "mail.example.org"),
    (("--ip", "192.0.2.1:25"), "192.0.2.1:25"),
    (("--ip", "192.0.2"), "192.0.2"),
    (("--ip", ""), "no address")])
def test_bad_values(mailauth, arguments, what):
    done = mailauth(*SPF, *arguments)
    assert done.returncode == 64
    assert what in done.stderr.decode() and not done.stdout


@pytest.mark.parametrize("value", [
    "example.org", "example.org=", "example.org=good", "=pass", ""])
def test_bad_identities(mailauth, value):
    for option in ("--spf", "--dkim"):
        done = mailauth("dmarc", "--from", "a@example.org", option, value)
        assert done.returncode == 64
        assert b"no domain=result" in done.stderr


def test_too_many_identities(mailauth):
    done = mailauth("dmarc", "--from", "a@example.org",
                    *["--dkim", "example.org=pass"] * 11)
    assert done.returncode == 64 and b"10 identities" in done.stderr


def test_version_and_help(mailauth):
    done = mailauth("-V")
    assert done.returncode == 0
    assert done.stdout.startswith(b"postrider-mailauth ")
    done = mailauth("-h")
    assert done.returncode == 0 and b"dkim verify < message" in done.stdout


def test_output_that_cannot_be_written(build, dns):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [os.path.join(build, "mailauth", "postrider-mailauth"), "-c",
             "/dev/null", *SPF, "--dns", dns.address], stdout=full,
            stderr=subprocess.PIPE, timeout=30, check=False)
    assert done.returncode == 74 and b"cannot write" in done.stderr


# -- the config --

def test_config_says_whom_to_ask(mailauth, dns, tmp_path):
    path = tmp_path / "conf"
    path.write_text("hostname mx.example.net\n"
                    f"dns-server {dns.address}\n")
    dns.add("why.example.org", TXT="%{r} asks")
    done = mailauth(*SPF[:2], "192.0.2.9", *SPF[3:], "--json",
                    config=str(path))
    assert json.loads(done.stdout)["explanation"] == "mx.example.net asks"


def test_option_beats_the_config(mailauth, dns, tmp_path):
    path = tmp_path / "conf"
    path.write_text("dns-server 127.0.0.1:9\n")
    done = mailauth(*SPF, "--json", dns=dns, config=str(path))
    assert json.loads(done.stdout)["result"] == "pass"


@pytest.mark.parametrize("sender", [
    "<ann@example.org>", "Ann <ann@example.org>"])
def test_addresses_in_brackets(mailauth, dns, sender):
    done = mailauth("spf", "--ip", "192.0.2.1", "--helo", "x.example",
                    "--from", sender, "--json", dns=dns)
    assert json.loads(done.stdout)["result"] == "pass"
    done = mailauth("dmarc", "--from", sender, "--json", dns=dns)
    assert json.loads(done.stdout)["domain"] == "example.org"


def test_server_by_name(mailauth, dns):
    done = mailauth(*SPF, "--dns", f"localhost:{dns.port}", "--json")
    if b"no host" in done.stderr:
        pytest.skip("no localhost here")
    assert json.loads(done.stdout)["result"] == "pass"


def test_bad_config(mailauth, tmp_path):
    path = tmp_path / "conf"
    path.write_text("nonsense\n")
    for config in (str(path), str(tmp_path / "missing")):
        done = mailauth(*SPF, config=config)
        assert done.returncode == 78 and config in done.stderr.decode()


def test_without_a_config(mailauth, dns):
    """The default file need not be there, nor readable."""
    assert mailauth(*SPF, dns=dns, config=None).returncode == 0


# -- the DNS --

def test_no_dns_is_temperror(mailauth):
    """Nobody listens there."""
    done = mailauth(*SPF, "--dns", f"127.0.0.1:{free_port()}",
                    "--dns-timeout", "2", "--json")
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert result["result"] == "temperror" and result["reason"]


def test_silence_ends(mailauth, scripted_dns):
    """All questions together have that time."""
    server = scripted_dns({
        "example.org": {"TXT": "v=spf1 " + " ".join(
            f"ptr:p{i}.example.org" for i in range(5)) + " -all"},
        "*.in-addr.arpa": TIMEOUT})
    began = time.monotonic()
    done = mailauth(*SPF, "--dns-timeout", "1", "--json", dns=server)
    assert json.loads(done.stdout)["result"] == "temperror"
    assert time.monotonic() - began < 4


def test_each_step_is_told(mailauth, dns):
    done = mailauth(*SPF[:2], "192.0.2.2", *SPF[3:], "-v", dns=dns)
    assert done.stdout.startswith(b"SPF pass")
    lines = done.stderr.decode().splitlines()
    assert "dns: TXT example.org: found" in lines
    assert any(line.startswith("dns:   v=spf1 ip4:192.0.2.1")
               for line in lines)
    assert "spf: example.org: ip4:192.0.2.1 does not match" in lines
    assert "dns: A host.example.org: found" in lines
    assert "dns:   192.0.2.2" in lines
    assert "spf: example.org: a:host.example.org matches" in lines
    assert not mailauth(*SPF, dns=dns).stderr


def test_every_kind_of_question_is_told(mailauth, scripted_dns):
    server = scripted_dns({
        "example.org": {"TXT": "v=spf1 mx ptr exists:%{i}.x.example -all",
                        "MX": [(10, "mx.example.org")]},
        "mx.example.org": {"A": "192.0.2.77"},
        "1.2.0.192.in-addr.arpa": {"PTR": "c.example.net"},
        "c.example.net": {"A": "192.0.2.1"},
        "_dmarc.example.org": {"TXT": "v=DMARC1; p=reject; np=none"}})
    said = mailauth(*SPF, "-v", dns=server).stderr.decode()
    for line in ("MX example.org: found", "  10 mx.example.org",
                 "PTR 192.0.2.1: found", "  c.example.net",
                 "A 192.0.2.1.x.example: no such name"):
        assert f"dns: {line}\n" in said
    said = mailauth("dmarc", "--from", "a@x.example.org", "-v",
                    dns=server).stderr.decode()
    assert "dns: CNAME x.example.org: no such name\n" in said


def test_nothing_drives_a_terminal(mailauth, scripted_dns):
    server = scripted_dns({
        "example.org": {"TXT": b"v=spf1 \x1b[2J\x9b include:x -all"}})
    done = mailauth(*SPF, "-v", dns=server)
    assert b"SPF permerror" in done.stdout
    for octet in (b"\x1b", b"\x9b"):
        assert octet not in done.stdout + done.stderr
    json.loads(mailauth(*SPF, "--json", dns=server).stdout)


# -- verdicts and exit codes --

@pytest.mark.parametrize("sender,ip,result,code", [
    ("ann@example.org", "192.0.2.1", "pass", 0),
    ("ann@example.org", "192.0.2.9", "fail", 1),
    ("ann@soft.example", "192.0.2.1", "softfail", 2),
    ("ann@neutral.example", "192.0.2.1", "neutral", 3),
    ("ann@none.example", "192.0.2.1", "none", 4),
    ("ann@broken.example", "192.0.2.1", "permerror", 6),
    ("ann@servfail.example", "192.0.2.1", "temperror", 75)])
def test_exit_codes(mailauth, dns, sender, ip, result, code):
    call = ("spf", "--ip", ip, "--helo", "mail.example.org", "--from", sender)
    done = mailauth(*call, dns=dns)
    assert done.returncode == 0
    assert done.stdout.startswith(f"SPF {result}: ".encode())
    assert mailauth(*call, "--json", dns=dns).returncode == 0
    for more in ((), ("--json",)):
        done = mailauth(*call, "--exit-code", *more, dns=dns)
        assert done.returncode == code
    assert json.loads(done.stdout)["result"] == result


def test_spf_in_words(mailauth, dns):
    done = mailauth("spf", "--ip", "192.0.2.9", "--helo", "x.example",
                    "--from", "ann@example.org", dns=dns)
    assert done.stdout.decode() == """\
SPF fail: example.org does not let this client send
  client       192.0.2.9
  by           -all
  explanation  192.0.2.9 is not ours
"""


@pytest.mark.parametrize("sender", [None, ""])
def test_spf_of_the_helo_name(mailauth, dns, sender):
    more = [] if sender is None else ["--from", sender]
    done = mailauth("spf", "--ip", "192.0.2.1", "--helo", "mail.example.org",
                    *more, "--json", dns=dns)
    result = json.loads(done.stdout)
    assert result == {
        "result": "pass", "identity": "helo", "domain": "mail.example.org",
        "ip": "192.0.2.1", "mechanism": "a", "explanation": "", "reason": ""}


# -- dkim --

def crlf(message):
    return message.replace(b"\n", b"\r\n")


def verify(mailauth, dns, message, *more):
    done = mailauth("dkim", "verify", "--json", "--now", str(NOW), *more,
                    message=message, dns=dns)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("form", [bytes, crlf])
def test_verify(mailauth, dns, signed, form):
    result = verify(mailauth, dns, form(signed))
    assert result["result"] == "pass"
    common = {"result": "pass", "reason": "", "domain": "example.org",
              "identity": "@example.org", "testing": False, "partial": False,
              "canonicalisation": "relaxed/relaxed", "signed_at": NOW,
              "expires": None}
    assert result["signatures"] == [
        {**common, "selector": "ed25519", "algorithm": "ed25519-sha256",
         "key_bits": 256},
        {**common, "selector": "rsa", "algorithm": "rsa-sha256",
         "key_bits": 2048}]


def test_signing_keeps_the_message(mailauth, keys, signed):
    """Line ends as they came, also those of the new field."""
    assert signed.endswith(MESSAGE)
    call = ("dkim", "sign", "--domain", "example.org", "--selector", "s",
            "--key", keys[0]["rsa"], "--now", str(NOW))
    plain = mailauth(*call, message=MESSAGE).stdout
    assert plain.endswith(b"\n" + MESSAGE) and b"\r" not in plain
    assert mailauth(*call, message=crlf(MESSAGE)).stdout == crlf(plain)
    # one behind the other, over the sizes at which it is read
    body = MESSAGE + b"x\r\n" * 60000
    out = mailauth(*call, message=body).stdout
    assert out.endswith(body)


def test_sign_as_json(mailauth, keys):
    done = mailauth("dkim", "sign", "--domain", "example.org", "--selector",
                    "s", "--key", keys[0]["rsa"], "--json", message=MESSAGE)
    result = json.loads(done.stdout)
    assert result["result"] == "signed"
    assert result["field"].startswith("DKIM-Signature: v=1;")
    assert result["field"].endswith("\n")


def test_any_pieces_give_the_same(build, dns, signed):
    """A pipe that gives an octet, or cuts between CR and LF."""
    message = crlf(signed)
    cut = message.index(b"\r\n\r\n") + 1
    for pieces in ([message[:cut], message[cut:cut + 1], message[cut + 1:]],
                   [message[i:i + 1] for i in range(len(message))]):
        with subprocess.Popen(
                [os.path.join(build, "mailauth", "postrider-mailauth"), "-c",
                 "/dev/null", "dkim", "verify", "--json", "--now", str(NOW),
                 "--dns", dns.address], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, bufsize=0) as process:
            for piece in pieces:
                process.stdin.write(piece)
            process.stdin.close()
            assert json.loads(process.stdout.read())["result"] == "pass"


@pytest.mark.parametrize("change,result", [
    (lambda m: m.replace(b"and a dot", b"and a Dot"), "fail"),
    (lambda m: m.replace(b"Subject: on", b"Subject: off"), "fail"),
    (lambda m: b"From: eve@example.net\n" + m, "fail"),
    (lambda m: MESSAGE, "none"),
    (lambda m: b"", "none"),
    (lambda m: m.replace(b"d=example.org", b"d=nowhere.example"),
     "permerror"),
    # blanks that relaxed takes away
    (lambda m: m.replace(b"blanks \t", b"blanks"), "pass"),
    # a CR that is no line end stays in the body
    (lambda m: m.replace(b"and a dot", b"and\ra dot"), "fail")])
def test_changed_messages(mailauth, dns, signed, change, result):
    for form in (bytes, crlf):
        message = form(change(signed))
        assert verify(mailauth, dns, message)["result"] == result
        done = mailauth("dkim", "verify", "--exit-code", "--now", str(NOW),
                        message=message, dns=dns)
        assert done.returncode == {"pass": 0, "fail": 1, "none": 4,
                                   "permerror": 6}[result]
        assert done.stdout.startswith(f"DKIM {result}: ".encode())


def test_now_is_what_it_is_told(mailauth, dns, signed):
    """A signature that has expired is not looked at any further."""
    result = verify(mailauth, dns, signed.replace(
        b"t=%d;" % NOW, b"t=%d; x=%d;" % (NOW, NOW + 10)), "--now",
        str(NOW + 11))
    assert result["signatures"][0]["expires"] == NOW + 10
    assert result["signatures"][0]["result"] == "policy"


def test_dead_dns_is_temperror(mailauth, dns, signed):
    dns.update({f"{kind}._domainkey.example.org": SERVFAIL
                for kind in ("rsa", "ed25519")})
    done = mailauth("dkim", "verify", "--exit-code", "--now", str(NOW),
                    message=signed, dns=dns)
    assert done.returncode == 75


@pytest.mark.parametrize("kind,code,what", [
    ("missing", 66, b"No such file"), ("short", 65, b"1024 bits"),
    ("ec", 65, b"Ed25519"), ("locked", 65, b"passphrase"),
    ("public", 65, b"no private key"), ("folder", 65, b"no private key")])
def test_keys_of_no_use(mailauth, keys, tmp_path, kind, code, what):
    path = keys[0].get(kind, str(tmp_path / kind))
    if kind == "public":
        with open(path, "w") as f:
            f.write(keys[1]["rsa"])
    elif kind == "folder":
        os.mkdir(path)
    done = mailauth("dkim", "sign", "--domain", "example.org", "--selector",
                    "s", "--key", path, message=MESSAGE)
    assert done.returncode == code and not done.stdout
    assert what in done.stderr and path.encode() in done.stderr


def test_unreadable_key(mailauth, keys, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    path = tmp_path / "key"
    path.write_bytes(b"")
    path.chmod(0)
    done = mailauth("dkim", "sign", "--domain", "example.org", "--selector",
                    "s", "--key", str(path), message=MESSAGE)
    assert done.returncode == 66 and b"Permission denied" in done.stderr


@pytest.mark.parametrize("message,domain,selector", [
    (b"", "example.org", "s"),
    (b"To: bob@example.net\n\nhello\n", "example.org", "s"),
    (b"From: eve@example.net\n" + MESSAGE, "example.org", "s"),
    (b"From: a@example.org, b@example.org\n\nhello\n", "example.org", "s"),
    (MESSAGE, "example.net", "s"),
    (MESSAGE, "mail.example.org", "s"),
    (MESSAGE, "xample.org", "s"),
    (MESSAGE, "example.org", "a b"),
    (MESSAGE, "example.org", "")])
def test_messages_that_are_not_signed(mailauth, keys, message, domain,
                                      selector):
    done = mailauth("dkim", "sign", "--domain", domain, "--selector",
                    selector, "--key", keys[0]["rsa"], message=message)
    assert done.returncode == 65 and not done.stdout and done.stderr


def test_input_that_cannot_be_read(build, dns):
    folder = os.open("/", os.O_RDONLY)
    try:
        done = subprocess.run(
            [os.path.join(build, "mailauth", "postrider-mailauth"), "-c",
             "/dev/null", "dkim", "verify", "--dns", dns.address],
            stdin=folder, capture_output=True, timeout=30, check=False)
    finally:
        os.close(folder)
    assert done.returncode == 74 and b"standard input" in done.stderr


# -- dmarc --

@pytest.mark.parametrize("call,expected", [
    (("--from", "ann@example.org", "--spf", "mail.example.org=pass"),
     ("pass", "reject", "none", "example.org")),
    (("--from", "example.org", "--dkim", "example.org=pass"),
     ("pass", "reject", "none", "example.org")),
    (("--from", "ann@example.org", "--spf", "example.net=pass"),
     ("fail", "reject", "reject", "example.org")),
    (("--from", "ann@x.example.org", "--dkim", "example.org=fail"),
     ("fail", "quarantine", "quarantine", "example.org")),
    (("--from", "ann@test.example"),
     ("fail", "reject", "quarantine", "test.example")),
    (("--from", "ann@none.example"),
     ("none", "none", "none", "none.example")),
    (("--from", "ann@example.org", "--spf", "example.net=pass", "--spf",
      "example.org=pass"), ("pass", "reject", "none", "example.org")),
    (("--from", "ann@example.org", "--spf", "example.org=temperror", "--spf",
      "example.net=pass"), ("temperror", "reject", "none", "example.org")),
    (("--from", "ann@example.org", "--dkim", "example.net=pass", "--dkim",
      "example.org=temperror"),
     ("temperror", "reject", "none", "example.org"))])
def test_dmarc(mailauth, dns, call, expected):
    done = mailauth("dmarc", *call, "--json", dns=dns)
    assert done.returncode == 0
    got = json.loads(done.stdout)
    assert (got["result"], got["policy"], got["disposition"],
            got["domain"]) == expected
    code = mailauth("dmarc", *call, "--exit-code", dns=dns).returncode
    assert code == {"pass": 0, "fail": 1, "none": 4,
                    "temperror": 75}[expected[0]]


def test_dmarc_in_words(mailauth, dns):
    done = mailauth("dmarc", "--from", "ann@x.example.org", "--spf",
                    "example.net=pass", dns=dns)
    assert done.stdout.decode() == """\
DMARC fail: x.example.org does not stand behind this message
  reason       nothing that passed is aligned
  record at    example.org
  organization example.org
  policy       quarantine
  disposition  quarantine
"""


# -- all of it --

def all_of(ip, sender):
    return ("all", "--ip", ip, "--helo", "mail.example.org", "--from", sender,
            "--now", str(NOW))


@pytest.mark.parametrize("form", [bytes, crlf])
def test_all_passes(mailauth, dns, signed, form):
    done = mailauth(*all_of("192.0.2.1", "<ann@example.org>"), "--json",
                    "--exit-code", message=form(signed), dns=dns)
    got = json.loads(done.stdout)
    assert done.returncode == 0
    assert (got["result"], got["policy"], got["disposition"],
            got["domain"]) == ("pass", "reject", "none", "example.org")
    assert (got["helo"]["result"], got["helo"]["domain"]) == (
        "pass", "mail.example.org")
    assert (got["spf"]["result"], got["spf"]["identity"]) == (
        "pass", "mailfrom")
    assert [s["result"] for s in got["signatures"]] == ["pass", "pass"]


def test_all_fails(mailauth, dns):
    done = mailauth(*all_of("192.0.2.9", "ann@example.org"), "--json",
                    "--exit-code", message=MESSAGE, dns=dns)
    got = json.loads(done.stdout)
    assert done.returncode == 1
    assert (got["result"], got["disposition"]) == ("fail", "reject")
    assert got["spf"]["explanation"] == "192.0.2.9 is not ours"
    assert got["signatures"] == []


def test_all_writes_what_smtpd_would(mailauth, dns, tmp_path):
    path = tmp_path / "conf"
    path.write_text("hostname mx.example.net\n")
    call = all_of("192.0.2.1", "ann@example.org")
    done = mailauth(*call, message=MESSAGE, dns=dns, config=str(path))
    field = done.stdout.decode().split("\n\n")[1]
    assert field.startswith("Authentication-Results: mx.example.net;")
    for part in ("spf=pass smtp.mailfrom=example.org", "dkim=none",
                 "dmarc=pass"):
        assert part in " ".join(field.split())
    done = mailauth(*call, "--json", message=MESSAGE, dns=dns,
                    config=str(path))
    assert json.loads(done.stdout)["authentication_results"] == field


def test_all_without_an_author(mailauth, dns):
    """Two From fields: nobody's message."""
    done = mailauth(*all_of("192.0.2.1", "ann@example.org"),
                    message=b"From: eve@example.net\n" + MESSAGE, dns=dns)
    assert done.returncode == 0
    assert (b"DMARC fail: From does not say whose message this is\n"
            in done.stdout)


def test_all_of_a_report(mailauth, dns):
    """The null reverse-path: HELO is judged once, and stands for it."""
    dns.forget()
    done = mailauth(*all_of("192.0.2.1", ""), "--json", message=MESSAGE,
                    dns=dns)
    got = json.loads(done.stdout)
    assert got["spf"]["identity"] == "helo"
    assert got["spf"]["domain"] == "mail.example.org"
    assert dns.count("mail.example.org", "TXT") == 1
