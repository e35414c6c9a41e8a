# SPDX-License-Identifier: ISC
"""DMARC by postrider-mailauth: two suites, and From that two readers
understand differently (A16)."""
import base64
import json
import os
import subprocess

import pytest

from conftest import shared_folder
from scripted_dns import (SERVFAIL, TIMEOUT, ScriptedDns,  # noqa: F401
                          scripted_dns)

# Expectations of the suites that are not looked at, and why.
NOT_OURS = {
    "pct": "RFC 9989 has no pct any more (appendix A.6)",
    "rr": "the record as it stands is shown by -v",
    "info": "a text of that library's own",
    "error": "a text of that library's own",
    "status.comment": "ARC is not looked at",
    "alignment.dkim.strict": "what follows from it is in the result",
    "alignment.spf.strict": "what follows from it is in the result",
    "alignment.dkim.underSized":
        "a signature of a part of the body is never given to DMARC",
}
# Cases in which RFC 9989 says something else, and what.
DEPARTURES = {
    # Section 4.10, steps 2 and 6: several records at one name are discarded,
    # and the walk goes on; it was RFC 7489 that ended there.  The suite's
    # authors have corrected it in a later version.
    "does not inherit the org policy when the author domain publishes "
    "multiple records (§4.10 step 2)":
        {"result": "fail", "policy": "none"},
}


def run(build, server, *args, text=None):
    """What --json says."""
    done = subprocess.run(
        [os.path.join(build, "mailauth", "postrider-mailauth"), "-c",
         "/dev/null", *args, "--dns", server.address, "--dns-timeout", "2",
         "--json"],
        input=text, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def dmarc(build):
    def ask(server, sender, spf=(), dkim=()):
        return run(build, server, "dmarc", "--from", sender,
                   *(f"--spf={identity}" for identity in spf),
                   *(f"--dkim={identity}" for identity in dkim))
    return ask


@pytest.fixture
def judge(build):
    def ask(server, message):
        return run(build, server, "all", "--ip", "192.0.2.1", "--helo",
                   "mail.example.com", "--from", "bounce@example.com",
                   text=message)
    return ask


# -- the suites --

def cases():
    shared = shared_folder()
    found = []
    for name in ("rfc9989", "verify") if shared else ():
        path = os.path.join(shared, "suites/dmarc/mailauth", name + ".jsonl")
        with open(path) as f:
            found += [json.loads(line) for line in f if line.strip()]
    return found


def zone_of(case):
    """Only TXT is asked for; answers that are no address are the suite's own
    way of answering whatever is asked."""
    zone = {}
    for name, entries in case["zone"].items():
        if "TIMEOUT" in entries:
            zone[name] = TIMEOUT
            continue
        texts = [tuple(e["TXT"]) for e in entries if "TXT" in e]
        zone[name] = {"TXT": texts}
    return zone


def identities(domains):
    """Those that passed, a signature of a part of the body not among them."""
    for domain in domains:
        if isinstance(domain, str):
            domain = {"domain": domain}
        if "underSized" not in domain:
            yield domain["domain"] + "=pass"


def names_nothing(what, result):
    return {"alignment.dkim.result": not result["dkim_aligned"],
            "alignment.spf.result": not result["spf_aligned"],
            "policy": not result["policy_domain"]}[what]


def holds(what, how, wanted, result):
    if how in ("to.not.be.ok", "to.be.undefined"):
        return names_nothing(what, result)
    if how == "to.not.have.property":
        return names_nothing(wanted[0], result)
    key = {"status.result": "result", "policy": "policy", "p": "policy",
           "sp": "subdomains", "domain": "domain",
           "status.header.from": "from", "status.header.d": "policy_domain",
           "alignment.spf.result": "spf_aligned"}[what]
    if key == "spf_aligned":
        return result[key]
    assert how == "to.equal"
    return key not in result or result[key] == wanted[0]


@pytest.mark.skipif(not cases(), reason="no test data")
@pytest.mark.parametrize("case", cases(),
                         ids=[case["test"][-40:] for case in cases()])
def test_suite(case, scripted_dns, dmarc, judge):
    server = scripted_dns(zone_of(case))
    sender = case["header_from"]
    if isinstance(sender, list) and len(sender) > 1:
        # "no result at all" there; here it fails (A16)
        text = f"From: {', '.join(sender)}\n\n".encode()
        assert judge(server, text)["result"] == "fail"
        return
    result = dmarc(server, sender if isinstance(sender, str) else sender[0],
                   identities(case["spf_domains"]),
                   identities(case["dkim_domains"]))
    departure = DEPARTURES.get(case["test"].rpartition(" / ")[2])
    if departure:
        assert {k: result[k] for k in departure} == departure
        return
    for what, how, wanted in case["expect"]:
        assert what in NOT_OURS or holds(what, how, wanted, result), \
            (what, how, wanted, result)


# -- beyond them --

def test_eight_questions_are_enough(scripted_dns, dmarc):
    server = scripted_dns({"_dmarc.example.com": {"TXT": "v=DMARC1; p=none"}})
    result = dmarc(server, "x@a.b.c.d.e.f.g.h.i.j.k.example.com")
    assert result["policy_domain"] == "example.com"
    assert server.count() == 8


def test_who_does_not_exist(scripted_dns, dmarc):
    server = scripted_dns({
        "_dmarc.example.com": {
            "TXT": "v=DMARC1; p=none; sp=quarantine; np=reject"},
        "there.example.com": {"MX": [(10, "mx.example.com")]},
        "alias.example.com": {"CNAME": "nowhere.example.net"},
        "dead.example.com": SERVFAIL,
    })

    def judged(domain):
        result = dmarc(server, "x@" + domain)
        return result["result"], result["policy"]
    assert judged("example.com") == ("fail", "none")
    assert judged("there.example.com") == ("fail", "quarantine")
    assert judged("alias.example.com") == ("fail", "quarantine")
    assert judged("not.example.com") == ("fail", "reject")
    assert judged("dead.example.com") == ("temperror", "reject")


def test_testing_is_one_step_less(scripted_dns, dmarc):
    server = scripted_dns({
        "_dmarc.example.com": {"TXT": "v=DMARC1; p=reject; t=y"}})
    result = dmarc(server, "x@example.com")
    assert (result["policy"], result["disposition"]) == \
        ("reject", "quarantine")


@pytest.mark.parametrize("how", [SERVFAIL, TIMEOUT])
@pytest.mark.parametrize("name", ["_dmarc.a.example.com",
                                  "_dmarc.example.com", "_dmarc.com"])
def test_trouble_is_never_none(scripted_dns, dmarc, name, how):
    result = dmarc(scripted_dns({name: how}), "x@a.example.com")
    assert result["result"] == "temperror"


@pytest.mark.parametrize("field", [
    "",
    " From: ann@example.com\n",
    "From: ann@example.com\nFrom: eve@example.com\n",
    "From: ann@example.com, eve@example.com\n",
    "From : ann@example.com\n",
    " From: ann@victim.test\nFrom: ann@example.com\n",
    "From\0: ann@victim.test\nFrom: ann@example.com\n",
    "From: <ann@victim.test>(<ann@example.com>)\n",
    "From: <@victim.test:ann@example.com>\n",
    "From: \"ann@victim.test\"@example.com\n",
    "From: ann@victim.test@example.com\n",
    "From: \"x\\\" <ann@victim.test> \\\"\" <ann@example.com>\n",
    "From: =?utf-8?q?ann=40victim.test?=@example.com\n",
    "From: \"Ann <ann@example.com>\n",
    "From: friends: ann@example.com;\n",
    "From: ann\n",
])
def test_from_that_is_not_one(scripted_dns, judge, field):
    """SPF passes and would be aligned; nobody published a policy."""
    server = scripted_dns({
        "example.com": {"TXT": "v=spf1 ip4:192.0.2.1 -all"}})
    result = judge(server, f"{field}Subject: x\n\n".encode())
    assert result["spf"]["result"] == "pass"
    assert (result["result"], result["disposition"]) == \
        ("fail", "reject" if field else "quarantine")


def test_a_part_of_the_body_is_not_enough(scripted_dns, judge):
    """l= lets anybody append what he likes (A15): the signature passes, and
    stands for nobody."""
    dkim = pytest.importorskip("dkim")
    key = subprocess.run(["openssl", "genrsa", "-traditional", "2048"],
                         check=True, capture_output=True).stdout
    public = subprocess.run(
        ["openssl", "rsa", "-pubout", "-outform", "DER"], input=key,
        check=True, capture_output=True).stdout
    server = scripted_dns({
        "s._domainkey.example.org": {
            "TXT": "p=" + base64.b64encode(public).decode()},
        "_dmarc.example.org": {"TXT": "v=DMARC1; p=reject"}})
    message = b"From: ann@example.org\r\nSubject: x\r\n\r\nwords\r\n"
    message = dkim.sign(message, b"s", b"example.org", key, length=True,
                        logger=None) + message
    whole = judge(server, message)
    assert (whole["result"], whole["disposition"]) == ("pass", "none")
    more = judge(server, message + b"and more\r\n")
    assert more["signatures"][0]["result"] == "pass"
    assert (more["result"], more["disposition"]) == ("fail", "reject")
