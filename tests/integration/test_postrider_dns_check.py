# SPDX-License-Identifier: ISC
"""postrider-dns check: a zone as `show` says it is good, and each thing in it
that is missing or wrong has its line and its exit code."""
import ipaddress
import json
import os

import pytest

from internal import status_of
from scripted_dns import NODATA, SERVFAIL, Raw, ScriptedDns
from signed import SignedDns
from suite import Suite, descendants, has, process_name

DOMAIN, HOST, ADDRESS = "example.test", "mail.example.test", "192.0.2.10"
REVERSE = ipaddress.ip_address(ADDRESS).reverse_pointer
OK, WARNINGS, ERRORS, TEMPFAIL, NOINPUT = 0, 1, 65, 75, 66


@pytest.fixture(scope="module")
def house():
    with Suite(tls=True) as suite:
        suite.run("postrider-key", "dkim", DOMAIN)
        suite.run("postrider-key", "dkim", "--activate", DOMAIN,
                  *selectors(suite))
        yield suite


def selectors(suite, state=None):
    rows = json.loads(suite.run("postrider-key", "dkim", "list",
                                "--json").stdout)
    return [row["selector"] for row in rows
            if state in (None, row["state"])]


def key_name(published, kind="rsa"):
    """Where the record of that key is."""
    return next(name for name, records in published.items()
                if "._domainkey." in name and
                f"k={kind};" in records["TXT"][0])


@pytest.fixture(scope="module")
def published(house):
    """What show says, {name: {type: [data]}}."""
    done = house.run("postrider-dns", "show", "--json", "--ip", ADDRESS,
                     "--web", HOST, DOMAIN)
    zone = {}
    for row in json.loads(done.stdout):
        data = row["data"]
        if row["type"] == "MX":
            data = (int(data.split()[0]), data.split()[1])
        elif row["type"] == "TLSA":
            words = data.split()
            data = Raw(bytes(map(int, words[:3])) + bytes.fromhex(words[3]))
        elif row["type"] == "SRV":
            continue
        zone.setdefault(row["name"], {}).setdefault(
            row["type"], []).append(data)
    return zone


class Findings(list):
    """[(finding, subject, text)], and the exit code."""

    def about(self, subject, *findings):
        return [row for row in self if row[1] == subject and
                (not findings or row[0] in findings)]


@pytest.fixture
def check(house, published):
    servers = []

    def run(changes=None, *words, json_output=True):
        """changes: {name: records or a way to answer; None: not there}"""
        zone = {**published, **(changes or {})}
        servers.append(ScriptedDns(
            {name: what for name, what in zone.items() if what is not None}))
        done = house.run("postrider-dns", "check",
                         *["--json"] * json_output, "--dns",
                         servers[-1].address, "--ip", ADDRESS, *words, DOMAIN,
                         check=False)
        assert done.stderr == "", done
        if not json_output:
            return done
        findings = Findings((row["finding"], row["subject"], row["text"])
                            for row in json.loads(done.stdout))
        findings.code = done.returncode
        return findings
    yield run
    for server in servers:
        server.close()


def test_what_show_says_is_good(check):
    findings = check()
    assert [f for f in findings if f[0] not in ("ok", "note")] == []
    assert findings.code == OK
    good = {f[1] for f in findings if f[0] == "ok"}
    assert good >= {f"host {HOST}", f"MX {DOMAIN}", f"PTR {ADDRESS}",
                    f"SPF {DOMAIN}", f"SPF {HOST}",
                    f"DMARC {DOMAIN}", f"sample from {ADDRESS}",
                    "certificate", f"TLSA {HOST}",
                    f"TLS-RPT {DOMAIN}"}


def with_text(published, name, *texts):
    return {name: {**published[name], "TXT": list(texts)}}


OTHER_KEY = ("v=DKIM1; k=ed25519; "
             "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")

# what is published instead, (finding, subject, a word of the line), exit code
WRONG = {
    "no_address": (
        lambda p: {HOST: {"TXT": p[HOST]["TXT"]}},
        ("error", f"host {HOST}", "no address"), ERRORS),
    "another_address": (
        lambda p: {HOST: {**p[HOST], "A": ["198.51.100.9"]}},
        ("warning", f"host {HOST}", "not this machine"), ERRORS),
    "host_is_an_alias": (
        lambda p: {HOST: {"CNAME": "other.test"},
                   "other.test": {"A": [ADDRESS]}},
        ("error", f"host {HOST}", "alias"), ERRORS),
    "no_mx": (
        lambda p: {DOMAIN: {"TXT": p[DOMAIN]["TXT"]}},
        ("error", f"MX {DOMAIN}", "none leads here"), ERRORS),
    "mx_elsewhere": (
        lambda p: {DOMAIN: {**p[DOMAIN], "MX": [(10, "mx.other.test")]}},
        ("error", f"MX {DOMAIN}", "none leads here"), ERRORS),
    "null_mx": (
        lambda p: {DOMAIN: {**p[DOMAIN], "MX": [(0, "")]}},
        ("error", f"MX {DOMAIN}", "takes no mail"), ERRORS),
    "others_are_preferred": (
        lambda p: {DOMAIN: {**p[DOMAIN],
                            "MX": [(5, "a.test"), (10, HOST)]}},
        ("warning", f"MX {DOMAIN}", "a.test is preferred"), WARNINGS),
    "mx_unanswered": (
        lambda p: {DOMAIN: {**p[DOMAIN], "MX": SERVFAIL}},
        ("unanswered", f"MX {DOMAIN}", "try again"), None),
    "no_ptr": (
        lambda p: {REVERSE: None},
        ("error", f"PTR {ADDRESS}", "none"), ERRORS),
    "ptr_without_a_way_back": (
        lambda p: {REVERSE: {"PTR": ["other.test"]}},
        ("error", f"PTR {ADDRESS}", "does not lead back"), ERRORS),
    "ptr_of_another_name": (
        lambda p: {REVERSE: {"PTR": ["host-10.provider.test"]},
                   "host-10.provider.test": {"A": [ADDRESS]}},
        ("warning", f"PTR {ADDRESS}", "EHLO says " + HOST), WARNINGS),
    "ptr_unanswered": (
        lambda p: {REVERSE: SERVFAIL},
        ("unanswered", f"PTR {ADDRESS}", "try again"), TEMPFAIL),
    "no_spf": (
        lambda p: {DOMAIN: {"MX": p[DOMAIN]["MX"]}},
        ("error", f"SPF {DOMAIN}", "none: publish"), ERRORS),
    "spf_of_others": (
        lambda p: with_text(p, DOMAIN, "v=spf1 ip4:198.51.100.0/24 -all"),
        ("error", f"SPF {DOMAIN}", f"{ADDRESS}: fail"), ERRORS),
    "two_spf": (
        lambda p: with_text(p, DOMAIN, "v=spf1 mx -all", "v=spf1 a -all"),
        ("error", f"SPF {DOMAIN}", "permerror"), ERRORS),
    "spf_beyond_the_limits": (
        lambda p: with_text(p, DOMAIN, "v=spf1 " + "".join(
            f"a:n{i}.test " for i in range(11)) + "mx -all"),
        ("error", f"SPF {DOMAIN}", "permerror"), ERRORS),
    "spf_for_everybody": (
        lambda p: with_text(p, DOMAIN, "v=spf1 +all"),
        ("error", f"SPF {DOMAIN}", "every address passes"), ERRORS),
    "spf_without_an_end": (
        lambda p: with_text(p, DOMAIN, "v=spf1 mx"),
        ("warning", f"SPF {DOMAIN}", "end it with"), WARNINGS),
    "no_spf_of_the_host": (
        lambda p: {HOST: {"A": p[HOST]["A"]}},
        ("warning", f"SPF {HOST}", "counts for bounces"), WARNINGS),
    "spf_of_the_host_fails": (
        lambda p: with_text(p, HOST, "v=spf1 -all"),
        ("error", f"SPF {HOST}", "fail"), ERRORS),
    "spf_unanswered": (
        lambda p: {DOMAIN: {**p[DOMAIN], "TXT": SERVFAIL}},
        ("unanswered", f"SPF {DOMAIN}", ""), TEMPFAIL),
    "no_dkim_record": (
        lambda p: {key_name(p): None},
        ("error", "DKIM RSA", "not there, while it signs"), ERRORS),
    "dkim_revoked": (
        lambda p: {key_name(p): {"TXT": ["v=DKIM1; p="]}},
        ("error", "DKIM RSA", "revoked"), ERRORS),
    "dkim_of_another_key": (
        lambda p: {key_name(p): {"TXT": [OTHER_KEY]}},
        ("error", "DKIM RSA", "another key"), ERRORS),
    "dkim_that_cannot_be_read": (
        lambda p: {key_name(p): {"TXT": ["v=DKIM1; k=rsa; p=!!"]}},
        ("error", "DKIM RSA", ""), ERRORS),
    "two_dkim_records": (
        lambda p: {key_name(p): {"TXT": 2 * p[key_name(p)]["TXT"]}},
        ("error", "DKIM RSA", "2 records"), ERRORS),
    "dkim_for_a_test": (
        lambda p: {key_name(p): {"TXT": [
            p[key_name(p)]["TXT"][0].replace("k=rsa", "t=y; k=rsa")]}},
        ("warning", "DKIM RSA", "t=y"), WARNINGS),
    "dkim_unanswered": (
        lambda p: {key_name(p): SERVFAIL},
        ("unanswered", "DKIM RSA", "try again"), None),
    "no_dmarc": (
        lambda p: {"_dmarc." + DOMAIN: None},
        ("error", f"DMARC {DOMAIN}", "none: publish"), ERRORS),
    "two_dmarc": (
        lambda p: with_text(p, "_dmarc." + DOMAIN,
                            "v=DMARC1; p=none", "v=DMARC1; p=reject"),
        ("error", f"DMARC {DOMAIN}", "2 records"), ERRORS),
    "bad_dmarc": (
        lambda p: with_text(p, "_dmarc." + DOMAIN, "v=DMARC1; p=nonsense"),
        ("error", f"DMARC {DOMAIN}", ""), ERRORS),
    "dmarc_without_reports": (
        lambda p: with_text(p, "_dmarc." + DOMAIN, "v=DMARC1; p=reject"),
        ("warning", f"DMARC {DOMAIN}", "nobody reports"), WARNINGS),
    "dmarc_reports_by_web": (
        lambda p: with_text(p, "_dmarc." + DOMAIN,
                            "v=DMARC1; p=reject; rua=https://a.test/"),
        ("warning", f"DMARC {DOMAIN}", "only mailto"), WARNINGS),
    "dmarc_reports_to_nobody": (
        lambda p: with_text(p, "_dmarc." + DOMAIN,
                            "v=DMARC1; p=reject; rua=mailto:a@none.test"),
        ("error", f"DMARC {DOMAIN}", "no such domain"), ERRORS),
    "dmarc_reports_without_leave": (
        lambda p: {"reports.invalid": {"MX": [(1, HOST)]}, **with_text(
            p, "_dmarc." + DOMAIN,
            "v=DMARC1; p=reject; rua=mailto:a@reports.invalid!10m")},
        ("error", f"DMARC {DOMAIN}",
         f"{DOMAIN}._report._dmarc.reports.invalid"), ERRORS),
    "dmarc_of_the_domain_above": (
        lambda p: {"_dmarc." + DOMAIN: None,
                   "_dmarc.test": {"TXT": ["v=DMARC1; p=reject"]}},
        ("ok", f"DMARC {DOMAIN}", "that of test holds"), OK),
    "dmarc_unanswered": (
        lambda p: {"_dmarc." + DOMAIN: SERVFAIL},
        ("unanswered", f"DMARC {DOMAIN}", "try again"), None),
    "tlsa_of_another_key": (
        lambda p: {"_25._tcp." + HOST: {"TLSA": [
            Raw(b"\3\1\1" + bytes(32))]}},
        ("error", f"TLSA {HOST}", "none fits"), ERRORS),
    "tlsa_left_over": (
        lambda p: {"_25._tcp." + HOST: {"TLSA": [
            *p["_25._tcp." + HOST]["TLSA"], Raw(b"\3\1\1" + bytes(32))]}},
        ("note", f"TLSA {HOST}", "fits no certificate"), OK),
    "tlsa_that_smtp_does_not_know": (
        lambda p: {"_25._tcp." + HOST: {"TLSA": [
            *p["_25._tcp." + HOST]["TLSA"], Raw(b"\1\1\1" + bytes(32))]}},
        ("warning", f"TLSA {HOST}", "usage 1"), WARNINGS),
    "no_tlsa": (
        lambda p: {"_25._tcp." + HOST: None},
        ("note", f"TLSA {HOST}", "none"), OK),
    "no_sts": (
        lambda p: {"_mta-sts." + DOMAIN: None},
        ("note", f"MTA-STS {DOMAIN}", "no record"), OK),
    "two_sts": (
        lambda p: with_text(p, "_mta-sts." + DOMAIN, "v=STSv1; id=1",
                            "v=STSv1; id=2"),
        ("error", f"MTA-STS {DOMAIN}", "several"), ERRORS),
    "sts_without_a_web_server": (
        lambda p: {"mta-sts." + DOMAIN: None},
        ("error", f"MTA-STS {DOMAIN}", "has no address"), ERRORS),
    "no_tls_reports": (
        lambda p: {"_smtp._tls." + DOMAIN: None},
        ("note", f"TLS-RPT {DOMAIN}", "no record"), OK),
    "tls_reports_to_nobody": (
        lambda p: with_text(p, "_smtp._tls." + DOMAIN, "v=TLSRPTv1;"),
        ("error", f"TLS-RPT {DOMAIN}", "no rua="), ERRORS),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong(check, published, name):
    change, (finding, subject, words), code = WRONG[name]
    subject = subject.replace("DKIM RSA", "DKIM " + key_name(published))
    findings = check(change(published))
    assert [f for f in findings.about(subject, finding) if words in f[2]], \
        findings
    if code is not None:
        assert findings.code == code, findings
    else:
        assert findings.code not in (OK, WARNINGS)


# The rules of the big receivers, on the sample: what breaks each.
BROKEN = {
    "SPF passes": lambda p: with_text(p, DOMAIN, "v=spf1 -all"),
    "a DKIM signature passes": lambda p: {
        name: None for name in p if "._domainkey." in name},
    "an RSA key of 2048 bits": lambda p: {key_name(p): None},
    "there is a DMARC policy": lambda p: {"_dmarc." + DOMAIN: None},
    "From is aligned with SPF or DKIM": lambda p: {
        **with_text(p, DOMAIN, "v=spf1 -all"),
        **{name: None for name in p if "._domainkey." in name}},
    "the address has a name that leads back": lambda p: {REVERSE: None},
}


@pytest.mark.parametrize("rule", BROKEN)
def test_rule_of_the_big_receivers(check, published, rule):
    subject = f"sample from {ADDRESS}"
    whole = check().about(subject)
    assert [f[0] for f in whole if f[2].startswith(rule + " (")] == ["ok"]
    broken = check(BROKEN[rule](published)).about(subject)
    assert [f[0] for f in broken if f[2].startswith(rule + " (")] == ["error"]


def test_keys_that_wait_and_that_are_retired(house, check, published):
    """In the end everything is as it was before."""
    old = selectors(house)
    house.run("postrider-key", "dkim", "--rotate", DOMAIN)
    new = [s for s in selectors(house) if s not in old]

    def found():
        return {f[1]: f[:1] + f[2:] for f in check()
                if f[1].startswith("DKIM ")}
    try:
        waiting = found()
        for s in new:
            row = waiting[f"DKIM {s}._domainkey.{DOMAIN}"]
            assert row[0] == "warning" and "waits to be published" in row[1]
        house.run("postrider-key", "dkim", "--activate", DOMAIN, *new)
        rows = found()
        for s in old:
            row = rows[f"DKIM {s}._domainkey.{DOMAIN}"]
            assert row[0] == "note" and "signs no more" in row[1]
        for s in new:
            assert rows[f"DKIM {s}._domainkey.{DOMAIN}"][0] == "error"
    finally:
        house.run("postrider-key", "dkim", "--activate", DOMAIN, *old)
        house.run("postrider-key", "dkim", "--delete", DOMAIN, *new)
    assert check().code == OK


def test_dead_dns_is_no_verdict(check, published):
    """Nothing is said to be wrong because nobody answers."""
    findings = check({name: SERVFAIL for name in (
        DOMAIN, HOST, REVERSE, "_dmarc." + DOMAIN, "_mta-sts." + DOMAIN,
        "_smtp._tls." + DOMAIN, "_25._tcp." + HOST, "mta-sts." + DOMAIN,
        *(name for name in published if "._domainkey." in name))})
    assert {f[0] for f in findings} <= {"unanswered", "note", "ok"}
    assert findings.code == TEMPFAIL


def test_reports_with_leave(check, published):
    findings = check({
        "reports.invalid": {"MX": [(1, HOST)]},
        f"{DOMAIN}._report._dmarc.reports.invalid": {"TXT": ["v=DMARC1"]},
        **with_text(published, "_dmarc." + DOMAIN,
                    "v=DMARC1; p=reject; rua=mailto:a@reports.invalid")})
    assert findings.about(f"DMARC {DOMAIN}", "warning", "error") == []


# -- the policy of MTA-STS --

@pytest.fixture
def policy(house):
    def write(text):
        path = house.path("mta-sts.txt")
        with open(path, "w") as f:
            f.write(text)
        return path
    return write


POLICY = f"version: STSv1\nmode: %s\nmx: %s\nmax_age: 604800\n"


@pytest.mark.parametrize("text, wanted", [
    (POLICY % ("testing", HOST), ("ok", "the policy says testing")),
    (POLICY % ("enforce", "*.example.test"), ("ok", "says enforce")),
    (POLICY % ("enforce", "mx.other.test"), ("error", "does not name it")),
    (POLICY % ("testing", "mx.other.test"), ("warning", "does not name it")),
    (POLICY % ("none", "mx.other.test"), ("ok", "says none")),
    (POLICY % ("strict", HOST), ("error", "unknown mode")),
    ("", ("error", "no version")),
])
def test_policy(check, policy, text, wanted):
    findings = check(None, "--policy", policy(text))
    assert [f for f in findings.about(f"MTA-STS {DOMAIN}", wanted[0])
            if wanted[1] in f[2]], findings


def test_policy_of_files_has_the_id_of_show(check, house):
    os.makedirs(house.path("www"), exist_ok=True)
    if house.user:
        os.chown(house.path("www"), house.user.pw_uid, house.user.pw_gid)
    house.run("postrider-dns", "files", DOMAIN, house.path("www"))
    path = house.path("www", ".well-known", "mta-sts.txt")
    assert check(None, "--policy", path).about(
        f"MTA-STS {DOMAIN}", "note") == []
    house.run("postrider-dns", "files", "--mode", "enforce", DOMAIN,
              house.path("www"))
    assert "has changed" in check(None, "--policy", path).about(
        f"MTA-STS {DOMAIN}", "note")[0][2]


def test_policy_that_is_not_there(house):
    done = house.run("postrider-dns", "check", "--policy",
                     house.path("none.txt"), DOMAIN, check=False)
    assert done.returncode == NOINPUT and "none.txt" in done.stderr


# -- how it is told --

def test_text(check):
    done = check({"_25._tcp." + HOST: None}, json_output=False)
    lines = done.stdout.splitlines()
    assert f"ok: MX {DOMAIN}: leads to {HOST}" in lines
    assert lines[-1] == "0 errors, 0 warnings, 0 without an answer"


def test_quiet(check):
    """Nothing from cron when nothing is wrong."""
    done = check(None, "--quiet", json_output=False)
    assert (done.stdout, done.returncode) == ("", OK)
    done = check({REVERSE: None}, "--quiet", json_output=False)
    lines = done.stdout.splitlines()
    assert lines and all(
        l.split(":")[0] in ("error", "warning", "unanswered") for l in lines)
    assert done.returncode == ERRORS


def test_others_words_drive_no_terminal(check, published):
    findings = check(with_text(
        published, "_smtp._tls." + DOMAIN,
        "v=TLSRPTv1; rua=mailto:\x1b[31ma@b.test"), json_output=False)
    assert "\x1b" not in findings.stdout
    assert "rua=mailto:?[31ma@b.test" in findings.stdout


# -- other configs --

def other_config(house, drop, *lines):
    """The house's config without the lines that begin so, and with these."""
    path = house.path("other.conf")
    with open(house.config) as f:
        kept = [l for l in f.read().split("\n") if not l.startswith(drop)]
    with open(path, "w") as f:
        f.write("\n".join([*kept, *lines, ""]))
    os.chmod(path, 0o644)
    return path


@pytest.mark.skipif(not has("SECCOMP"), reason="without seccomp")
def test_what_the_dns_says_is_read_without_rights(check):
    found = []

    def answer(query):
        found.extend(status_of(pid) for pid in descendants(os.getpid())
                     if process_name(pid).startswith("postrider-dns"))
        return NODATA(query)
    check({f"_smtp._tls.{DOMAIN}": answer})
    assert {(s["Seccomp"], s["NoNewPrivs"]) for s in found} == {("2", "1")}


def check_other(house, path, zone, *words, domain=DOMAIN):
    with ScriptedDns(zone) as dns:
        return house.run("postrider-dns", "-c", path, "check", "--dns",
                         dns.address, *words, domain, config=False,
                         check=False)


# -- a signed zone --

def test_tlsa_needs_a_signed_zone(house, published):
    """unbound vouches for it, or says that it cannot."""
    words = bytes(published["_25._tcp." + HOST]["TLSA"][0])
    records = (f"mail A {ADDRESS}\n_25._tcp.mail TLSA {words[0]} {words[1]} "
               f"{words[2]} {words[3:].hex()}")
    for signed in (True, False):
        with SignedDns() as dns:
            dns.zone(DOMAIN, records, signed=signed)
            dns.start()
            path = other_config(house, "dns-server",
                                f"dns-server {dns.address} trusted")
            done = house.run("postrider-dns", "-c", path, "check", "--json",
                             "--ip", ADDRESS, DOMAIN, config=False,
                             check=False)
        texts = [(row["finding"], row["text"]) for row in
                 json.loads(done.stdout) if row["subject"] == f"TLSA {HOST}"]
        unsigned = [t for t in texts if "not signed" in t[1]]
        assert bool(unsigned) != signed, done
        assert [t for t in texts if t[0] == "ok"]


def test_a_certificate_that_signs_itself(house, published):
    """It will do for DANE, not for MTA-STS."""
    certificate, key = house.path("own.pem"), house.path("own.key")
    path = other_config(house, "tls-", f"tls-certificate {certificate}",
                        f"tls-key {key}")
    house.run("postrider-key", "-c", path, "tls", "--self-signed",
              config=False)
    done = check_other(house, path, published, "--ip", ADDRESS)
    assert f"warning: MTA-STS {DOMAIN}: {certificate} signs itself" in \
        done.stdout


def test_mail_that_leaves_by_a_relay(house, published):
    """Its addresses are what counts; they can be said."""
    path = other_config(house, "relay-", "relay-host smtp.relay.test")
    done = check_other(house, path, published)
    assert "note: PTR: mail leaves by the relay host" in done.stdout
    assert "note: SPF: the addresses of the relay host" in done.stdout
    done = check_other(house, path, published, "--ip", "198.51.100.4")
    assert f"error: SPF {DOMAIN}: 198.51.100.4: fail" in done.stdout
    done = check_other(house, path, published, "--ip", ADDRESS)
    assert f"ok: SPF {DOMAIN}: {ADDRESS} passes" in done.stdout


def test_signing_that_is_switched_off(house, published):
    path = other_config(house, "dkim-sign", "dkim-sign no")
    done = check_other(house, path, published, "--ip", ADDRESS)
    assert f'warning: DKIM {DOMAIN}: "dkim-sign no"' in done.stdout
    assert done.returncode == WARNINGS


@pytest.mark.skipif(not has("IDN2"), reason="built without libidn2")
def test_internationalised_domain(house, published):
    name = "xn--mller-kva.test"
    done = check_other(house, house.config, {
        **published, name: {"MX": [(10, HOST)]}}, "--ip", ADDRESS,
        domain="M\u00fcller.test")
    assert f"ok: MX {name}: leads to {HOST}" in done.stdout
    assert f"error: DKIM {name}: no key" in done.stdout
    assert f"note: domain: {name} is not in the config" in done.stdout


def test_postrider_check_points_here(house):
    done = house.run("postrider", "check", check=False)
    assert f"\"postrider-dns check {DOMAIN}\"" in done.stdout


def test_wrong_certificates(house):
    """Expired, of another host, not to be read."""
    for options, names, words in (
            ({"begin": -100, "days": 10}, [HOST], "has expired"),
            ({"begin": -80, "days": 85}, [HOST], "expires in 4 days"),
            ({"begin": 5}, [HOST], "not valid yet"),
            ({}, ["other.test"], "none covers")):
        certificate, key = house.issue(*names, stem="wrong", **options)
        path = other_config(house, "tls-", f"tls-certificate {certificate}",
                            f"tls-key {key}")
        done = check_other(house, path, {})
        assert [l for l in done.stdout.splitlines()
                if ": certificate: " in l and words in l], done
