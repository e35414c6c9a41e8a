# SPDX-License-Identifier: ISC
"""postrider-report dmarc in a whole house: what smtpd has told of becomes
reports (RFC 9990), read here by Python's own gzip and XML."""
import email
import email.policy
import gzip
import json
import os
import re
import signal
import time
import xml.etree.ElementTree as ElementTree

import pytest

from generated import check
from internal import Peer
from scripted_dns import SERVFAIL, scripted_dns  # noqa: F401
from suite import HOSTNAME, has
from watch import wait_for

REPORTS, OTHERS = "reports@example.test", "others@example.test"
POLICY = "reject none quarantine r s y"
NAMESPACE = "{urn:ietf:params:xml:ns:dmarc-2.0}"
DAY = 86400
AGREES = {"sender.test._report._dmarc.example.test": {"TXT": "v=DMARC1"}}


def checksum(octets):
    total = 0x811c9dc5
    for octet in octets:
        total = (total ^ octet) * 0x01000193 & 0xffffffff
    return b"%08x" % total


NOTHING = "nothing to report\n"


class Reporting:
    """A house with dmarc-reports, and smtpd's voice at ledger."""

    def __init__(self, make_suite, dns, *extra):
        self.dns = dns
        self.suite = make_suite(
            users=[REPORTS, OTHERS], dns_server=dns.address,
            extra=["dmarc-reports yes", *extra]).start()

    def tell(self, domain="sender.test", rua=f"mailto:{REPORTS}", times=1,
             policy=POLICY, signatures=(), **fields):
        text = "\t".join([
            fields.get("header_from", domain), "bounce." + domain,
            fields.get("client", "192.0.2.1"),
            fields.get("disposition", "reject"), fields.get("dkim", "fail"),
            fields.get("spf", "fail"), "bounce." + domain,
            fields.get("spf_result", "softfail"), fields.get("reason", ""),
            fields.get("comment", ""), *signatures])
        self.tell_texts([text] * times, domain, rua, policy)

    def tell_texts(self, texts, domain="sender.test",
                   rua=f"mailto:{REPORTS}", policy=POLICY):
        path = os.path.join(self.suite.run_dir, "smtpd", "ledger")
        with Peer.connect(path) as smtpd:
            for text in texts:
                smtpd.send("row", domain=domain, policy=policy, rua=rua,
                           text=text)
            smtpd.send("end")  # what it does not know costs the connection
            assert smtpd.receive() is None

    def tomorrow(self, days=1):
        """What was counted today was yesterday, and the house had a night."""
        self.suite.stop()
        path = os.path.join(self.suite.database + "-ledger", "journal")
        lines = []
        with open(path, "rb") as f:
            for line in f.read().splitlines():
                text = line.split(b" ", 1)[1]
                words = text.split(b" ")
                if words[0] in (b"report", b"report-row"):
                    words[1] = b"%d" % (int(words[1]) - days)
                text = b" ".join(words)
                lines.append(checksum(text) + b" " + text + b"\n")
        with open(path, "wb") as f:
            f.writelines(lines)
        self.suite.start()

    def run(self, *arguments, code=0, quiet=True):
        done = self.suite.run("postrider-report", "dmarc", *arguments,
                              check=False)
        assert done.returncode == code, (done.returncode, done.stderr)
        assert not quiet or done.stdout + done.stderr == ""
        return done.stdout + done.stderr

    def reports(self, count=1, address=REPORTS):
        found = []
        for path in self.suite.wait_maildir(address, count):
            with open(path, "rb") as f:
                found.append(Report(f.read()))
        assert len(found) == count
        return found

    def report(self):
        return self.reports()[0]


class Report:
    def __init__(self, octets):
        self.octets = octets
        self.mail = email.message_from_bytes(
            octets, policy=email.policy.default)
        text, self.part = self.mail.iter_parts()
        assert text.get_content_type() == "text/plain"
        self.name = self.part.get_filename()
        octets = self.part.get_content()
        if has("ZLIB"):
            assert self.part.get_content_type() == "application/gzip"
            octets = gzip.decompress(octets)
        elif isinstance(octets, str):
            octets = octets.encode()
        self.xml = octets
        self.root = ElementTree.fromstring(octets)

    def find(self, path):
        found = self.root.find("/".join(NAMESPACE + p
                                        for p in path.split("/")))
        return None if found is None else found.text

    def records(self):
        return self.root.findall(NAMESPACE + "record")


def outline(element):
    """(name, [children]) without the namespace."""
    return (element.tag.removeprefix(NAMESPACE),
            [outline(child) for child in element])


@pytest.fixture
def reporting(make_suite, scripted_dns):  # noqa: F811
    def make(zone=None, *extra):
        return Reporting(make_suite, scripted_dns(zone or AGREES), *extra)
    return make


# -- the form --

def test_a_report(reporting):
    house = reporting()
    house.tell(times=3, signatures=["sender.test s1 fail",
                                    "other.test s2 pass"])
    house.tell(client="2001:db8::5", disposition="none", spf="pass",
               spf_result="pass", reason="local_policy",
               comment="<a & \"b\">", header_from="sub.sender.test")
    house.tomorrow()
    house.run()
    r = house.report()
    begin = int(time.time()) // DAY * DAY - DAY
    id = r.find("report_metadata/report_id")
    assert re.fullmatch("[0-9a-z]+", id)
    assert r.name == (f"{HOSTNAME}!sender.test!{begin}!{begin + DAY - 1}!{id}"
                      f".xml{'.gz' if has('ZLIB') else ''}")
    assert r.mail["Subject"].split() == [
        "Report", "Domain:", "sender.test", "Submitter:", HOSTNAME,
        "Report-ID:", f"<{id}>"]
    assert r.mail["From"] == "postmaster@example.test"
    assert r.mail["To"] == REPORTS
    check(r.octets, REPORTS, sender="postmaster@example.test")
    # The order that the RFC demands.
    assert outline(r.root)[0] == "feedback"
    assert [c[0] for c in outline(r.root)[1]] == [
        "version", "report_metadata", "policy_published", "record", "record"]
    assert [c[0] for c in outline(r.root)[1][1][1]] == [
        "org_name", "email", "report_id", "date_range", "generator"]
    assert [(c.tag.removeprefix(NAMESPACE), c.text) for c in r.root[2]] == [
        ("domain", "sender.test"), ("discovery_method", "treewalk"),
        ("p", "reject"), ("sp", "none"), ("np", "quarantine"),
        ("adkim", "r"), ("aspf", "s"), ("testing", "y")]
    records = {outline_text(record) for record in r.records()}
    assert records == {
        "record(row(source_ip=192.0.2.1 count=3 policy_evaluated("
        "disposition=reject dkim=fail spf=fail)) identifiers("
        "header_from=sender.test envelope_from=bounce.sender.test) "
        "auth_results(dkim(domain=sender.test selector=s1 result=fail) "
        "dkim(domain=other.test selector=s2 result=pass) "
        "spf(domain=bounce.sender.test scope=mfrom result=softfail)))",
        "record(row(source_ip=2001:db8::5 count=1 policy_evaluated("
        "disposition=none dkim=fail spf=pass reason(type=local_policy "
        "comment=<a & \"b\">))) identifiers(header_from=sub.sender.test "
        "envelope_from=bounce.sender.test) "
        "auth_results(spf(domain=bounce.sender.test scope=mfrom "
        "result=pass)))"}
    assert r.find("report_metadata/date_range/begin") == str(begin)
    assert r.find("report_metadata/error") is None


def outline_text(element):
    name = element.tag.removeprefix(NAMESPACE)
    if len(element) == 0:
        return f"{name}={element.text}"
    return f"{name}({' '.join(outline_text(c) for c in element)})"


def test_our_own_reader_reads_it(reporting):
    if not has("EXPAT"):
        pytest.skip("without expat")
    house = reporting()
    house.tell(times=3)
    house.tomorrow()
    house.run()
    house.reports()
    found = json.loads(house.suite.run(
        "postrider-report", "read", "--json", house.suite.maildir(REPORTS),
        user=None, group=None, extra_groups=None).stdout)
    [report] = found["reports"]
    assert report["domain"] == "sender.test"
    assert report["records"][0]["count"] == 3


@pytest.mark.skipif(has("EXPAT"), reason="built with expat")
def test_reading_without_expat(make_suite, tmp_path):
    (tmp_path / "report").write_text("<feedback/>")
    done = make_suite().run("postrider-report", "read",
                            tmp_path / "report", config=False, check=False,
                            user=None, group=None, extra_groups=None)
    assert done.returncode == 65 and "without expat" in done.stderr


def test_the_mail_is_not_answered(reporting):
    """A report that cannot be delivered makes no report of its own."""
    house = reporting({**AGREES, "far.test": {"MX": [(0, ".")]}})
    house.tell("far.test", "mailto:dmarc@far.test")
    house.tomorrow()
    house.run()
    house.suite.wait_log(lambda l: "dmarc@far.test" in l.get("to", "") and
                         l.get("status") == "failed")
    house.suite.wait_queue_empty()
    assert "report=" not in house.suite.log_text()
    assert house.suite.messages(REPORTS) == []


def test_reports_are_signed(make_suite):
    """Who gets one can tell that it is ours: it passes DMARC itself."""
    test_dkim_sign = pytest.importorskip("test_dkim_sign")
    signing = test_dkim_sign.House(make_suite, ["dmarc-reports yes"])
    try:
        house = Reporting.__new__(Reporting)
        house.suite, house.dns = signing.suite.start(), signing.dns
        signing.make()
        house.tell("far.test", "mailto:dmarc@far.test")
        house.tomorrow()
        house.run()
        octets = signing.arrived()
        assert [tag["d"] for tag in signing.verify(octets)] == [
            "example.test", "example.test"]
        assert b"\r\nFrom: <postmaster@example.test>\r\n" in octets
    finally:
        signing.close()


# -- once --

def test_twice_is_once(reporting):
    house = reporting()
    house.tell()
    house.tomorrow()
    house.run()
    house.run()
    house.reports()
    house.tomorrow(0)  # a restart between them
    house.run()
    assert house.run("-v", quiet=False) == NOTHING
    house.reports()


def test_only_days_that_are_over(reporting):
    house = reporting()
    house.tell()
    assert house.run("-v", quiet=False) == NOTHING
    today = time.strftime("%Y-%m-%d", time.gmtime())
    shown = house.run("-n", "--day", today, quiet=False)
    assert f"{today} sender.test: 1 message in 1 record" in shown
    wrong = house.run("--day", today, code=64, quiet=False)
    assert "not over yet" in wrong
    assert house.suite.messages(REPORTS) == []


def test_one_day(reporting):
    house = reporting()
    house.tell()
    house.tomorrow()
    house.run("--day", "2020-01-01")
    assert house.suite.messages(REPORTS) == []
    house.run("--day", time.strftime(
        "%Y-%m-%d", time.gmtime(time.time() - DAY)))
    house.reports()
    for wrong in ("yesterday", "2020-13-01", "2020-01-01x", ""):
        house.run("--day", wrong, code=64, quiet=False)


def test_dry_run(reporting):
    house = reporting()
    house.tell(times=7)
    house.tomorrow()
    shown = house.run("-n", quiet=False)
    assert f"sender.test: to {REPORTS}" in shown
    assert "sender.test: 7 messages in 1 record" in shown
    assert "<feedback" in house.run("--dry-run", "-v", quiet=False)
    assert house.suite.messages(REPORTS) == []
    house.run()
    house.reports()


def test_off_unless_asked_for(make_suite, scripted_dns):  # noqa: F811
    suite = make_suite(dns_server=scripted_dns().address).start()
    done = suite.run("postrider-report", "dmarc")
    assert done.stdout + done.stderr == ""
    done = suite.run("postrider-report", "dmarc", "-v")
    assert "dmarc-reports" in done.stdout
    suite.stop()
    assert suite.run("postrider-report", "dmarc").returncode == 0


def test_without_a_suite(reporting):
    house = reporting()
    house.suite.stop()
    assert "not running" in house.run(code=69, quiet=False)


def test_one_run_at_a_time(reporting):
    house = reporting()
    house.tell()
    house.tomorrow()
    path = os.path.join(house.suite.run_dir, "admin", "ledger")
    with Peer.connect(path) as other:
        assert other.call("report-begin").verb == "done"
        assert "already" in house.run(code=75, quiet=False)
    wait_for(lambda: house.suite.run("postrider-report", "dmarc",
                                     check=False).returncode == 0,
             house.suite.folder)
    house.reports()


def test_queue_is_away(reporting):
    """Nothing is lost: the next run sends it."""
    house = reporting()
    house.tell()
    house.tomorrow()
    path = os.path.join(house.suite.run_dir, "public", "queue")
    os.rename(path, path + ".away")
    house.run(code=75, quiet=False)
    os.rename(path + ".away", path)
    house.run()
    house.reports()


# -- to whom --

def test_who_does_not_agree_gets_none(reporting):
    """A18: a record that points at somebody else's mailbox."""
    house = reporting({"other.test._report._dmarc.example.test": {
        "TXT": "v=DMARC1"}})
    house.tell()
    house.tell("nodata.test")
    house.tomorrow()
    said = house.run("-v", quiet=False)
    assert f"not sent to {REPORTS}: its host does not agree" in said
    assert house.suite.messages(REPORTS) == []
    assert house.dns.count("sender.test._report._dmarc.example.test",
                           "TXT") > 0
    house.run()


CONSENT = {  # what is at NAME._report._dmarc.example.test, and is it one?
    "a": ("v=DMARC1", True), "b": ("v=DMARC1;", True),
    "c": ("v=DMARC1; p=none", True), "d": ("v = DMARC1 ; x=y", True),
    "e": (["v=spf1 -all", "v=DMARC1"], True),
    "f": ("v=DMARC2", False), "g": ("x=y; v=DMARC1", False),
    "h": ("v=dmarc1", False), "i": ("DMARC1", False), "j": ("", False),
    "k": ("v=spf1 -all", False), "l": ("v=DMARC1; =", False),
    "m": ("v=DMARC1; rua=mailto:x@elsewhere.test", False),
    "n": (f"v=DMARC1; rua=mailto:{OTHERS},mailto:x@elsewhere.test", False),
    "o": ("v=DMARC1; rua=nonsense", False),
}


def test_what_is_consent(reporting):
    house = reporting({f"{name}.test._report._dmarc.example.test":
                       {"TXT": record}
                       for name, (record, _) in CONSENT.items()})
    for name in CONSENT:
        house.tell(f"{name}.test")
    house.tomorrow()
    house.run()
    wanted = {f"{name}.test" for name, (_, good) in CONSENT.items() if good}
    assert {r.find("policy_published/domain")
            for r in house.reports(len(wanted))} == wanted
    house.suite.wait_queue_empty()
    house.reports(len(wanted))
    assert house.suite.messages(OTHERS) == []


def test_another_mailbox_of_the_same_host(reporting):
    house = reporting({"sender.test._report._dmarc.example.test": {
        "TXT": f"v=DMARC1; rua=mailto:{OTHERS}"}})
    house.tell()
    house.tomorrow()
    house.run()
    house.reports(1, OTHERS)
    assert house.suite.messages(REPORTS) == []


def test_one_organization_needs_no_consent(reporting):
    house = reporting({
        "_dmarc.example.test": {"TXT": "v=DMARC1; p=none"},
        "_dmarc.other.test": {"TXT": "v=DMARC1; p=none"}})
    house.tell("example.test")
    house.tell("sub.example.test", f"mailto:{OTHERS}")
    house.tell("other.test", f"mailto:{OTHERS}")
    house.tomorrow()
    house.run()
    assert house.report().find("policy_published/domain") == "example.test"
    [other] = house.reports(1, OTHERS)
    assert other.find("policy_published/domain") == "sub.example.test"


def test_trouble_in_the_dns_is_for_the_next_run(reporting):
    house = reporting({"sender.test._report._dmarc.example.test": SERVFAIL})
    house.tell()
    house.tomorrow()
    assert "to be tried again" in house.run("-v", quiet=False)
    house.dns.update(AGREES)
    house.run()
    house.reports()


def test_trouble_that_lasts(reporting):
    house = reporting({"sender.test._report._dmarc.example.test": SERVFAIL})
    house.tell(rua=f"mailto:{REPORTS},mailto:x@sender.test")
    house.tomorrow(5)
    assert "sent to x@sender.test" in house.run("-v", quiet=False)
    assert house.run("-v", quiet=False) == NOTHING
    assert house.suite.messages(REPORTS) == []


URIS = {
    f"mailto:{REPORTS}!10m": 1, f" MAILTO:{REPORTS} ": 1,
    f"https://example.test/r, mailto:{REPORTS}": 1,
    "mailto:reports%40example.test": 1, f"mailto:{REPORTS}?subject=x": 1,
    f"mailto:{REPORTS},mailto:{REPORTS}": 1,
    f"mailto:no address, mailto:, ,, mailto:@, mailto:{REPORTS}": 1,
    "mailto:reports%0d%0aBcc:x@example.test": 0, "nonsense": 0,
    "mailto:reports%00@example.test": 0, "mailto:reports%4": 0,
    f"http:{REPORTS}": 0, "mailto:reports@[127.0.0.1]": 0,
}


def test_addresses_for_reports(reporting):
    zone = {"*._report._dmarc.example.test": {"TXT": "v=DMARC1"}}
    house = reporting(zone)
    for i, rua in enumerate(URIS):
        house.tell(f"d{i}.test", rua)
    house.tomorrow()
    house.run()
    wanted = sorted(f"d{i}.test" for i, rua in enumerate(URIS) if URIS[rua])
    assert sorted(r.find("policy_published/domain")
                  for r in house.reports(len(wanted))) == wanted
    house.suite.wait_queue_empty()
    house.reports(len(wanted))


def test_as_many_addresses_as_are_allowed(reporting):
    """A18: a record that names very many mailboxes."""
    house = reporting({f"sender.test._report._dmarc.h{i}.test": {
        "TXT": "v=DMARC1"} for i in range(100)})
    house.tell(rua=",".join(f"mailto:r@h{i}.test" for i in range(50)))
    house.tomorrow()
    said = house.run("-v", quiet=False)
    assert said.count("sent to") == 5
    assert len({q.name for q in house.dns.queries if "_report" in q.name}) \
        <= 20


def test_our_own_unknown_user(reporting):
    """Refused by the house itself: done with, and the rest goes on."""
    house = reporting()
    house.tell(rua=f"mailto:nobody@example.test,mailto:{REPORTS}")
    house.tomorrow()
    said = house.run("-v", quiet=False)
    assert "refused by our own queue, to nobody@example.test" in said
    house.reports()
    assert house.run("-v", quiet=False) == NOTHING


# -- what is in it --

def test_what_makes_no_xml(reporting):
    """Control characters and the like: the rest stays readable."""
    house = reporting()
    house.tell(comment="a\ufffeb]]><x>\u0085", header_from="s\u00fc.test",
               signatures=["<d>&.test \"s pass"])
    house.tomorrow()
    house.run()
    text = house.report().root
    assert [e.text for e in text.iter(NAMESPACE + "header_from")] == [
        "s\u00fc.test"]
    assert [e.text for e in text.iter(NAMESPACE + "selector")] == ['"s']


def test_more_rows_than_are_kept(reporting):
    house = reporting()
    house.tell(times=5)
    house.tell_texts([f"sender.test\tx.test\t10.1.{i >> 8}.{i & 255}\t"
                      "none\tfail\tfail\tx.test\tnone\t\t"
                      for i in range(2500)])
    house.tomorrow()
    house.run()
    r = house.report()
    assert len(r.records()) == 2000
    counts = [int(e.text) for e in r.root.iter(NAMESPACE + "count")]
    missing = 5 + 2500 - sum(counts)
    assert max(counts) == 5
    assert r.find("report_metadata/error").startswith(f"{missing} more mess")


def test_rows_that_are_broken(reporting):
    house = reporting()
    house.tell(times=2)
    house.tell(disposition="burnt")
    house.tell("none.test", f"mailto:{REPORTS}", policy="reject")
    house.tomorrow()
    house.run()
    r = house.report()
    assert len(r.records()) == 1
    assert r.find("report_metadata/error").startswith("1 more")


def test_rows_that_are_too_much(reporting):
    """What would fill more than a report may have does not end the run."""
    house = reporting()
    house.tell_texts(["\t".join([
        '"' * 1400 + str(i), "", "192.0.2.1", "none", "fail", "fail", "", "",
        "", ""]) for i in range(2000)])
    house.tomorrow()
    house.run()
    r = house.report()
    missing = r.find("report_metadata/error").split()[0]
    assert 0 < int(missing) < 1000
    assert len(r.records()) == 2000 - int(missing)


@pytest.mark.skipif(not has("IDN2"), reason="without libidn2")
def test_a_sender_whose_domain_is_not_ascii(reporting):
    house = reporting(None, "dmarc-report-from dmarc@b\u00fccher.test")
    house.tell()
    house.tomorrow()
    house.run()
    r = house.report()
    assert r.mail["From"] == "dmarc@xn--bcher-kva.test"


def test_another_sender(reporting):
    house = reporting(None, "dmarc-report-from dmarc@reports.example.test")
    house.tell()
    house.tomorrow()
    house.run()
    r = house.report()
    assert r.mail["From"] == "dmarc@reports.example.test"
    assert r.find("report_metadata/org_name") == "reports.example.test"


# -- from mail to report --

JUDGED = {
    "*._report._dmarc.example.test": {"TXT": "v=DMARC1"},
    "good.test": {"TXT": "v=spf1 ip4:127.0.0.1 -all"},
    "_dmarc.good.test": {
        "TXT": f"v=DMARC1; p=reject; rua=mailto:{REPORTS}"},
    "forged.test": {"TXT": "v=spf1 -all"},
    "_dmarc.forged.test": {
        "TXT": f"v=DMARC1; p=reject; sp=none; rua=mailto:{REPORTS}"},
    "tested.test": {"TXT": "v=spf1 -all"},
    "_dmarc.tested.test": {
        "TXT": f"v=DMARC1; p=quarantine; t=y; rua=mailto:{REPORTS}"},
    "silent.test": {"TXT": "v=spf1 -all"},
    "_dmarc.silent.test": {"TXT": "v=DMARC1; p=none"},
    "later.test": SERVFAIL,
    "_dmarc.later.test": {
        "TXT": f"v=DMARC1; p=reject; rua=mailto:{REPORTS}"},
}


def send(house, domain, header=None, sender="x@%s"):
    """The reply's code."""
    with house.suite.smtp() as client:
        client.ehlo("mx." + domain)
        client.docmd(f"MAIL FROM:<{sender % domain if sender else ''}>")
        client.docmd(f"RCPT TO:<{OTHERS}>")
        return client.data(f"From: <x@{header or domain}>\r\n"
                           "Subject: hello\r\n\r\nhello\r\n")[0]


def test_mail_becomes_reports(reporting):
    """Judged by smtpd, counted by ledger over a restart, sent once."""
    house = reporting(JUDGED)
    assert [send(house, "good.test") for _ in range(3)] == [250] * 3
    assert send(house, "forged.test") == 550
    assert send(house, "forged.test", "sub.forged.test") == 250
    assert send(house, "good.test", "forged.test") == 550
    assert send(house, "tested.test") == 250
    assert send(house, "silent.test") == 250
    assert send(house, "unknown.test") == 250
    assert send(house, "later.test") == 451
    house.tomorrow()
    house.run()
    house.run()
    reports = {r.find("policy_published/domain"): r
               for r in house.reports(3)}
    assert set(reports) == {"good.test", "forged.test", "tested.test"}

    [row] = reports["good.test"].records()
    assert outline_text(row) == (
        "record(row(source_ip=127.0.0.1 count=3 policy_evaluated("
        "disposition=pass dkim=fail spf=pass)) identifiers("
        "header_from=good.test envelope_from=good.test) "
        "auth_results(spf(domain=good.test scope=mfrom result=pass)))")
    rows = {outline_text(row) for row in reports["forged.test"].records()}
    assert rows == {
        "record(row(source_ip=127.0.0.1 count=1 policy_evaluated("
        "disposition=reject dkim=fail spf=fail)) identifiers("
        "header_from=forged.test envelope_from=forged.test) "
        "auth_results(spf(domain=forged.test scope=mfrom result=fail)))",
        "record(row(source_ip=127.0.0.1 count=1 policy_evaluated("
        "disposition=reject dkim=fail spf=fail)) identifiers("
        "header_from=forged.test envelope_from=good.test) "
        "auth_results(spf(domain=good.test scope=mfrom result=pass)))",
        "record(row(source_ip=127.0.0.1 count=1 policy_evaluated("
        "disposition=none dkim=fail spf=fail)) identifiers("
        "header_from=sub.forged.test envelope_from=forged.test) "
        "auth_results(spf(domain=forged.test scope=mfrom result=fail)))"}
    policy = {e.tag.removeprefix(NAMESPACE): e.text
              for e in reports["forged.test"].root[2]}
    assert (policy["p"], policy["sp"], policy["np"]) == (
        "reject", "none", "none")
    [row] = reports["tested.test"].records()
    assert "disposition=none dkim=fail spf=fail reason(" \
        "type=policy_test_mode)" in outline_text(row)
    assert reports["tested.test"].find("policy_published/testing") == "y"


def test_a_policy_that_was_not_followed(reporting):
    house = reporting(JUDGED, "dmarc-reject mark")
    assert send(house, "forged.test") == 250
    house.tomorrow()
    house.run()
    [row] = house.report().records()
    assert "disposition=none dkim=fail spf=fail reason(type=local_policy " \
        "comment=dmarc-reject)" in outline_text(row)


def test_bounces_are_counted_too(reporting):
    """The null path: SPF is asked about HELO's name."""
    house = reporting({**JUDGED, "mx.good.test": {
        "TXT": "v=spf1 ip4:127.0.0.1 -all"}})
    assert send(house, "good.test", sender="") == 250
    house.tomorrow()
    house.run()
    [row] = house.report().records()
    assert "envelope_from=None) auth_results(spf(domain=mx.good.test " \
        "scope=mfrom result=pass))" in outline_text(row)


def test_mail_does_not_wait_for_ledger(reporting):
    """More than a socket holds, and nobody who reads it."""
    house = reporting({**JUDGED, "_dmarc.good.test": {
        "TXT": tuple(["v=DMARC1; p=none; rua=" + f"mailto:{REPORTS}"] +
                     [f",mailto:{'x' * 60}@good.test"] * 13)}})
    ledger = house.suite.parents()["ledger"]
    assert send(house, "good.test") == 250
    os.kill(ledger, signal.SIGSTOP)
    try:
        with house.suite.smtp() as client:
            for _ in range(299):
                client.sendmail("x@good.test", [OTHERS],
                                "From: <x@good.test>\r\n\r\nhello\r\n")
    finally:
        os.kill(ledger, signal.SIGCONT)
    house.suite.wait_maildir(OTHERS, 300)
    path = os.path.join(house.suite.run_dir, "admin", "ledger")
    with Peer.connect(path) as admin:
        answer = wait_for(lambda: (lambda a: a.verb == "report" and a)(
            admin.call("report-next", day=0, domain="")), house.suite.folder)
    assert 0 < int(answer["messages"]) < 300


def test_nothing_is_counted_unless_asked_for(make_suite,
                                             scripted_dns):  # noqa: F811
    suite = make_suite(users=[OTHERS],
                       dns_server=scripted_dns(JUDGED).address).start()
    house = Reporting.__new__(Reporting)
    house.suite = suite
    assert send(house, "good.test") == 250
    path = os.path.join(suite.run_dir, "admin", "ledger")
    with Peer.connect(path) as admin:
        assert admin.call("report-next", day=0, domain="").verb == "none"
