# SPDX-License-Identifier: ISC
"""DKIM by postrider-mailauth: the RFCs' examples, published messages, a DNS
in trouble, and two other implementations, in both directions."""
import base64
import json
import os
import random
import re
import subprocess

import pytest

from conftest import shared_folder
from scripted_dns import (CUT_SHORT, GARBAGE, NODATA, NXDOMAIN, REFUSED,
                          SERVFAIL, TIMEOUT, TRUNCATED)
from scripted_dns import ScriptedDns, scripted_dns  # noqa: F401

NOW = 1764500000


@pytest.fixture(scope="module")
def program(build):
    return os.path.join(build, "mailauth", "postrider-mailauth")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A folder with PEM files "rsa" and "ed25519"."""
    folder = tmp_path_factory.mktemp("keys")
    for name, options in (("rsa", ["-pkeyopt", "rsa_keygen_bits:2048"]),
                          ("ed25519", [])):
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", name, *options, "-out",
             folder / name], check=True, capture_output=True)
    return folder


def public_octets(keys, name):
    der = subprocess.run(
        ["openssl", "pkey", "-in", keys / name, "-pubout", "-outform", "DER"],
        check=True, capture_output=True).stdout
    return der[-32:] if name == "ed25519" else der


def key_record(keys, name):
    text = base64.b64encode(public_octets(keys, name)).decode()
    return f"v=DKIM1; k={name}; p={text}"


@pytest.fixture(scope="module")
def zone(keys):
    """{name: TXT} of both keys, and a server that has them."""
    records = {f"{name}._domainkey.example.test": key_record(keys, name)
               for name in ("rsa", "ed25519")}
    with ScriptedDns({k: {"TXT": v} for k, v in records.items()}) as server:
        server.records = records
        yield server


def verify(program, server, message, *more):
    """What --json says of the signatures."""
    done = subprocess.run(
        [program, "-c", "/dev/null", "dkim", "verify", "--dns",
         server.address, "--now", str(NOW), "--json", *more],
        input=message, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return json.loads(done.stdout)["signatures"]


def sign(program, keys, message, *names):
    """With each key, one after the other, as a house signs with two."""
    fields = b""
    for name in names:
        done = subprocess.run(
            [program, "-c", "/dev/null", "dkim", "sign", "--domain",
             "example.test", "--selector", name, "--key", keys / name, "--now",
             str(NOW)], input=message, capture_output=True, timeout=60,
            check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith(message)
        fields += done.stdout[:len(done.stdout) - len(message)]
    return fields + message


# -- published messages --

def lieser(*names):
    shared = shared_folder()
    path = shared and os.path.join(shared, "suites", "dkim", "lieser", *names)
    return path if path and os.path.exists(path) else None


def lieser_cases():
    path = lieser("verifier-cases.json")
    if not path:
        return
    with open(path) as f:
        for case in json.load(f):
            for call in case["calls"]:
                name = case["test"].split(" / ", 1)[1]
                yield pytest.param(call, id=f"{call['id']}: {name}")


def lieser_zone(zone):
    if zone != "default":
        return {name: {"TXT": text} for name, text in zone}
    with open(lieser("zone.json")) as f:
        return {name: {"TXT": [r["TXT"] for r in records if "TXT" in r]}
                for name, records in json.load(f).items()}


@pytest.mark.parametrize("call", lieser_cases())
def test_messages_of_another_verifier(program, call):
    """Its warnings are what it tells a reader about fields that nobody
    signed; they are no results, and we have none."""
    case = call["args"][0]
    with open(lieser(case["file"]), "rb") as f:
        message = f.read()
    with ScriptedDns(lieser_zone(case["dns"]["zone"])) as server:
        found = verify(program, server, message)
    ours = {"sdid": "domain", "auid": "identity", "selector": "selector",
            "timestamp": "signed_at", "expiration": "expires"}
    order = [expected[0] for key, _, expected in call["asserts"]
             if key.endswith(".selector") and expected]
    if len(order) == len(found):  # theirs is from the bottom
        found.sort(key=lambda signature: order.index(signature["selector"]))
    for key, how, expected in call["asserts"]:
        if how == "to.be.undefined":
            continue  # we tell of a bad signature what it tells of itself
        if key == "signatures.length":
            assert len(found) == expected[0]
            continue
        _, n, field = key.split(".")
        if field == "result":
            assert (found[int(n)]["result"] == "pass") == (
                expected[0] == "SUCCESS"), found
        elif field in ours:
            assert found[int(n)][ours[field]] == expected[0]
        elif field == "errorType":
            # (ours, the reason)
            assert (found[int(n)]["result"], found[int(n)]["reason"]) in \
                REASONS[expected[0]]


REASONS = {
    "DKIM_SIGERROR_MISSING_V": [("permerror", "v= is missing")],
    "DKIM_SIGERROR_KEY_REVOKED": [("permerror", "the key is revoked")],
    "DKIM_SIGERROR_KEY_HASHNOTINCLUDED": [
        ("permerror", "sha256 is not in h=")],
    "DKIM_SIGERROR_KEY_MISMATCHED_K": [
        ("permerror", "the key is of another type")],
    "DKIM_SIGERROR_KEY_NOTEMAILKEY": [("permerror", "email is not in s=")],
    "DKIM_SIGERROR_DOMAIN_I": [
        ("permerror", "the key is not for sub-domains in i=")],
    "DKIM_SIGERROR_CORRUPT_BH": [("fail", "the body hash does not match")],
    "DKIM_SIGERROR_BADSIG": [("fail", "the signature does not match")],
    "DKIM_POLICYERROR_UNSIGNED_HEADER_ADDED": [
        ("policy", f"there is another field {name}, which is not signed")
        for name in ("From", "Subject", "Date", "To")],
}

RFC_EXAMPLES = {
    "rfc6376-A.2.eml": ["pass"],
    "rfc6376-A.2-body_modified.eml": ["fail"],
    "rfc6376-A.2-header_subject_modified.eml": ["fail"],
    "rfc6376-A.2-ill_formed-list_id.eml": ["pass"],
    "rfc6376-A.2-ill_formed-missing_v.eml": ["permerror"],
    "rfc8463-A.3.eml": ["pass", "pass"],
    "rfc8463-A.3-key_algo_mismatch.eml": ["permerror", "permerror"],
}


@pytest.mark.parametrize("line_end", ["LF", "CRLF"])
@pytest.mark.parametrize("name", RFC_EXAMPLES)
def test_examples_of_the_rfcs(program, shared, name, line_end):
    with open(os.path.join(shared, "suites", "dkim", "rfc-examples", name),
              "rb") as f:
        message = f.read().replace(b"\r\n", b"\n")
    if line_end == "CRLF":
        message = message.replace(b"\n", b"\r\n")
    with ScriptedDns(lieser_zone("default")) as server:
        found = verify(program, server, message)
    assert [s["result"] for s in found] == RFC_EXAMPLES[name]


def test_real_messages_keep_their_bodies(program, shared, scripted_dns):
    """Their keys are gone, but the hash of each body matches first."""
    folder = os.path.join(shared, "suites", "dkim", "mailauth")
    server = scripted_dns()
    results = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".eml"):
            with open(os.path.join(folder, name), "rb") as f:
                results += verify(program, server, f.read())
    assert len(results) >= 12
    assert {r["reason"] for r in results} == {"there is no key"}


# -- the DNS --

PLAIN = (b"From: Ann <ann@example.test>\nTo: bob@example.net\n"
         b"Subject: on which\n signatures are made\n"
         b"Date: Mon, 30 Nov 2026 10:00:00 +0000\n"
         b"Message-ID: <1@example.test>\n\nA body  with blanks \t\n\n")


@pytest.mark.parametrize("answer, result", [
    (TIMEOUT, "temperror"), (SERVFAIL, "temperror"), (REFUSED, "temperror"),
    (GARBAGE, "temperror"), (CUT_SHORT, "temperror"),
    (TRUNCATED, "temperror"), (NXDOMAIN, "permerror"), (NODATA, "permerror")])
def test_trouble_stays_temporary(program, keys, scripted_dns, answer, result):
    """No key that is not there, and no "no" that nobody has said."""
    message = sign(program, keys, PLAIN, "rsa")
    server = scripted_dns({"rsa._domainkey.example.test": answer})
    found, = verify(program, server, message, "--dns-timeout", "2")
    assert found["result"] == result


def test_long_and_many_records(program, keys, scripted_dns):
    """A15: a record of 64 KiB; many records; strings that must be joined; an
    alias; one that is too big for UDP."""
    message = sign(program, keys, PLAIN, "rsa")
    good = key_record(keys, "rsa")
    name = "rsa._domainkey.example.test"
    pieces = tuple(good[at:at + 50] for at in range(0, len(good), 50))
    for records, result in (
            ({name: {"TXT": "v=DKIM1; n=" + "x" * 64000 + "; " + good[9:]}},
             ("permerror", "temperror")),
            ({name: {"TXT": ["junk"] * 60 + [good]}}, ("permerror",)),
            ({name: {"TXT": ["v=spf1 -all", good]}}, ("pass",)),
            ({name: {"TXT": pieces}}, ("pass",)),
            ({name: {"CNAME": "key.elsewhere.test"},
              "key.elsewhere.test": {"TXT": good}}, ("pass",)),
            ({name: {"TXT": ["n=" + "x" * 600 + "; " + good[9:]]}},
             ("pass",))):
        found, = verify(program, scripted_dns(records), message)
        assert found["result"] in result, (found, records)


def test_a_hundred_signatures(program, keys, zone):
    """A15: eight are looked at, whatever there is."""
    signed = sign(program, keys, PLAIN, "ed25519")
    field = signed[:len(signed) - len(PLAIN)]
    zone.forget()
    found = verify(program, zone, field * 99 + signed)
    assert [s["result"] for s in found] == ["pass"] * 8
    assert zone.count(type="TXT") <= 8


def test_a_header_of_a_megabyte(program, keys, zone):
    """A15"""
    signed = sign(program, keys, PLAIN, "ed25519")
    field = signed[:len(signed) - len(PLAIN)]
    zone.forget()
    found, = verify(program, zone,
                    field + b"X: " + b"y" * (1 << 20) + b"\n" + PLAIN)
    assert (found["result"], found["reason"]) == (
        "permerror", "the header section is too big")
    assert zone.count() == 0


# -- other implementations --

def random_text(r, n, alphabet):
    return "".join(r.choices(alphabet, k=n))


def random_message(seed, line_end="\r\n"):
    """Folds, runs of blanks, 8-bit octets, long lines, odd ends."""
    r = random.Random(seed)
    blank = lambda: r.choice([" ", "\t", "  ", " \t ", "\r\n ", "\r\n\t  "])
    word = lambda: random_text(
        r, r.randint(1, 12), "abcXYZ0123=;:,\u00e4\u20ac!\"()")
    fields = [f"From:{blank()}Ann{blank()}<ann@example.test>"]
    for name in r.sample(["To", "CC", "SUBJECT", "date", "Message-Id",
                          "X-Other", "References", "List-Id", "MIME-Version",
                          "Content-type", "Reply-To"], r.randint(0, 9)):
        words = [word() for _ in range(r.randint(1, 30))]
        fields.append(f"{name}:" + r.choice([" ", ""]) + "".join(
            w + blank() for w in words) + word())
    r.shuffle(fields)
    lines = []
    for _ in range(r.choice([0, 1, 3, 30, 300])):
        kind = r.random()
        lines.append("" if kind < .2 else
                     random_text(r, r.randint(1, 6), " \t") if kind < .3 else
                     random_text(r, r.randint(1, 900),
                                 "abc def\t.-\u00e4\u00ff<>="))
    body = "".join(line + "\r\n" for line in lines)
    body += "\r\n" * r.choice([0, 0, 1, 5])
    text = "".join(f + "\r\n" for f in fields) + "\r\n" + body
    return text.replace("\r\n", line_end).encode()


@pytest.fixture
def dkimpy():
    return pytest.importorskip("dkim", reason="no python3-dkim")


def test_another_one_verifies_what_we_sign(program, keys, zone, dkimpy):
    def dnsfunc(name, timeout=5):
        return zone.records.get(
            name.decode().rstrip("."), "").encode() or None
    for seed in range(40):
        message = random_message(seed)
        signed = sign(program, keys, message, "rsa", "ed25519")
        for n in range(2):
            one = dkimpy.DKIM(signed)
            assert one.verify(n, dnsfunc=dnsfunc), (seed, n)
        assert not dkimpy.verify(signed + b"x\r\n", dnsfunc=dnsfunc)


def private_key(keys, name):
    if name == "rsa":
        done = subprocess.run(
            ["openssl", "rsa", "-traditional", "-in", keys / name],
            capture_output=True, check=True)
        return done.stdout
    der = subprocess.run(
        ["openssl", "pkey", "-in", keys / name, "-outform", "DER"],
        capture_output=True, check=True).stdout
    return base64.b64encode(der[-32:])


@pytest.mark.parametrize("name", ["rsa", "ed25519"])
def test_we_verify_what_another_one_signs(program, keys, zone, dkimpy, name):
    key = private_key(keys, name)
    for seed in range(40):
        message = random_message(1000 + seed)
        r = random.Random(seed)
        forms = tuple(r.choice([b"simple", b"relaxed"]) for _ in range(2))
        length = r.random() < .2
        field = dkimpy.sign(
            message, name.encode(), b"example.test", key,
            canonicalize=forms, length=length,
            signature_algorithm=f"{name}-sha256".encode())
        found, = verify(program, zone, field + message)
        assert found["result"] == "pass", (seed, forms, found)
        assert found["canonicalisation"] == b"/".join(forms).decode()
        assert not found["partial"]
        found, = verify(program, zone, field + message + b"more\r\n")
        assert found["result"] == ("pass" if length else "fail")
        assert found["partial"] == length


@pytest.fixture
def opendkim(tool, tmp_path, keys, zone):
    """opendkim(mode, message, ...) is what opendkim -t writes."""
    path = tool("opendkim")
    data = tmp_path / "keys"
    data.write_text("".join(
        f"{name} {text}\n" for name, text in zone.records.items()))
    (tmp_path / "hosts").write_text("0.0.0.0/0\n")
    conf, mail = tmp_path / "conf", tmp_path / "message"

    def run(mode, message, form="relaxed/relaxed"):
        mail.write_bytes(message)
        conf.write_text(
            f"Mode {mode}\nSyslog no\nTestDNSData {data}\n" + (
                f"Domain example.test\nSelector rsa\nKeyFile {keys}/rsa\n"
                f"RequireSafeKeys no\nCanonicalization {form}\n"
                f"SignatureAlgorithm rsa-sha256\n"
                f"InternalHosts {tmp_path}/hosts\n" if mode == "s" else ""))
        done = subprocess.run([path, "-x", conf, "-vvv", "-t", mail],
                              capture_output=True, timeout=60, check=False)
        return (done.stdout + done.stderr).decode("utf-8", "replace")
    return run


def test_opendkim_verifies_what_we_sign(program, keys, opendkim):
    for seed in range(12):
        message = random_message(2000 + seed)
        signed = sign(program, keys, message, "rsa")
        assert "succeeded" in opendkim("v", signed), seed
    assert "succeeded" not in opendkim("v", signed[:-2] + b"x\r\n")


def test_we_verify_what_opendkim_signs(program, zone, opendkim):
    for seed in range(12):
        form = random.Random(seed).choice(
            ["simple/simple", "simple/relaxed", "relaxed/simple",
             "relaxed/relaxed"])
        # a milter is not told of white space before a value
        head, body = random_message(3000 + seed).split(b"\r\n\r\n", 1)
        head = re.sub(rb"(?m)^([!-9;-~]+):(\r\n[ \t]|[ \t])*", rb"\1: ", head)
        message = head + b"\r\n\r\n" + body
        said = opendkim("s", message, form)
        field = re.search(r"hname='DKIM-Signature' hvalue='(.*?)'", said,
                          re.S).group(1)
        signed = (b"DKIM-Signature: " +
                  field.replace("\r", "").replace("\n", "\r\n").encode() +
                  b"\r\n" + message)
        found, = verify(program, zone, signed)
        assert found["result"] == "pass", (seed, form, found)
        assert found["canonicalisation"] == form
