# SPDX-License-Identifier: ISC
"""postrider-report read: aggregate reports that came in, in all that they
come wrapped in, and what only looks like one (A18, A19)."""
import base64
import gzip
import io
import json
import os
import pwd
import resource
import subprocess
import time
import zipfile
from email.message import EmailMessage

import pytest

from suite import SECONDS, has, program, sanitized

pytestmark = pytest.mark.skipif(not has("EXPAT"), reason="without expat")
needs_zlib = pytest.mark.skipif(not has("ZLIB"), reason="without zlib")

RECORD = """\
  <record>
    <row>
      <source_ip>{ip}</source_ip>
      <count>{count}</count>
      <policy_evaluated>
        <disposition>{disposition}</disposition>
        <dkim>{dkim}</dkim>
        <spf>{spf}</spf>{reason}
      </policy_evaluated>
    </row>
    <identifiers>
      <header_from>{domain}</header_from>
      <envelope_from>bounce.example.net</envelope_from>
    </identifiers>
    <auth_results>
      <dkim>
        <domain>{domain}</domain>
        <selector>s1</selector>
        <result>{dkim}</result>
      </dkim>
      <spf>
        <domain>bounce.example.net</domain>
        <scope>mfrom</scope>
        <result>{spf}</result>
      </spf>
    </auth_results>
  </record>
"""
REPORT = """\
<?xml version="1.0" encoding="UTF-8"?>
<feedback{namespace}>
  <version>1.0</version>
  <report_metadata>
    <org_name>{organization}</org_name>
    <email>dmarc@{organization}</email>
    <report_id>{id}</report_id>
    <date_range><begin>1796083200</begin><end>1796169599</end></date_range>
  </report_metadata>
  <policy_published>
    <domain>{domain}</domain>
    <p>reject</p><sp>none</sp><adkim>r</adkim><aspf>r</aspf>
  </policy_published>
{records}</feedback>
"""
NAMESPACE = ' xmlns="urn:ietf:params:xml:ns:dmarc-2.0"'
REASON = "<reason><type>mailing_list</type><comment>a &lt;b&gt;</comment>" \
    "</reason>"


def record(ip="192.0.2.1", count=1, disposition="none", dkim="pass",
           spf="fail", domain="example.com", reason=""):
    return RECORD.format(**locals())


def report(*records, id="r1", organization="reporter.test",
           domain="example.com", namespace=NAMESPACE):
    return REPORT.format(records="".join(records or [record()]), id=id,
                         organization=organization, domain=domain,
                         namespace=namespace).encode()


def zipped(*files, method=zipfile.ZIP_DEFLATED, stream=False):
    out = io.BytesIO()
    if stream:  # sizes behind the data, as servers write that cannot seek
        out.seekable = lambda: False
    with zipfile.ZipFile(out, "w", method) as z:
        for i, octets in enumerate(files):
            z.writestr(f"report{i}.xml", octets)
    return out.getvalue()


def message(octets, maintype="application", subtype="gzip",
            name="report.xml.gz"):
    m = EmailMessage()
    m["From"], m["To"] = "dmarc@reporter.test", "ann@example.com"
    m["Subject"] = "Report Domain: example.com Submitter: reporter.test"
    m.set_content("This is a report.\n")
    m.add_attachment(octets, maintype=maintype, subtype=subtype,
                     filename=name)
    return m


def read(*arguments, input=None, code=0, seconds=SECONDS, **more):
    started = time.monotonic()
    done = subprocess.run([program("postrider-report"), "read", *arguments],
                          input=input, capture_output=True, check=False,
                          timeout=seconds, **more)
    assert done.returncode == code, (done.returncode, done.stderr)
    done.seconds = time.monotonic() - started
    return done


def read_json(*arguments, **more):
    return json.loads(read("--json", *arguments, **more).stdout)


@pytest.fixture
def put(tmp_path):
    tmp_path.chmod(0o755)

    def put(octets, name="file"):
        path = tmp_path / name
        path.write_bytes(octets)
        return str(path)
    return put


def only(found):
    assert len(found["reports"]) == 1, found
    return found["reports"][0]


# -- what it shows --

def test_a_report_is_shown(put):
    path = put(report(
        record(count=12), record("2001:db8::1", 3, "reject", "fail", "fail",
                                 "sub.example.com", REASON)))
    lines = read(path).stdout.decode().splitlines()
    assert lines[0] == ("example.com, reported by reporter.test: 2026-12-01 "
                        "UTC, report r1")
    assert lines[1] == "  policy reject, subdomains none"
    assert lines[3].split() == ["12", "192.0.2.1", "none", "pass", "fail",
                                "example.com", "DKIM", "example.com/s1",
                                "pass;", "SPF", "bounce.example.net", "fail"]
    assert lines[4].split()[:6] == ["3", "2001:db8::1", "reject", "fail",
                                    "fail", "sub.example.com"]
    assert "mailing_list (a <b>)" in lines[4]
    assert lines[-1] == ("example.com: 1 report, 15 messages: 12 passed, "
                         "3 failed; 0 quarantined, 3 rejected")


def test_json(put):
    found = read_json(put(report(record(
        count=7, disposition="quarantine", reason=REASON))))
    one = only(found)
    assert (one["organization"], one["id"]) == ("reporter.test", "r1")
    assert (one["begin"], one["end"]) == (1796083200, 1796169599)
    assert one["policy"]["p"] == "reject" and one["policy"]["np"] == ""
    assert one["records"] == [{
        "source": "192.0.2.1", "count": 7, "disposition": "quarantine",
        "dkim_aligned": "pass", "spf_aligned": "fail",
        "header_from": "example.com", "envelope_from": "bounce.example.net",
        "dkim": [{"domain": "example.com", "selector": "s1",
                  "result": "pass"}],
        "spf": [{"domain": "bounce.example.net", "result": "fail"}],
        "reasons": [{"type": "mailing_list", "comment": "a <b>"}]}]
    assert found["total"] == {
        "reports": 1, "messages": 7, "passed": 7, "failed": 0,
        "quarantined": 7, "rejected": 0, "duplicates": 0,
        "other_messages": 0, "bad_files": 0}


def test_sums_by_domain(put):
    paths = [put(report(record(count=i + 1, dkim=dkim, domain=domain),
                        id=f"r{i}", domain=domain), f"f{i}")
             for i, (domain, dkim) in enumerate(
                 [("a.test", "pass"), ("b.test", "fail"), ("a.test", "fail")])]
    found = read_json(*paths)
    assert [(d["domain"], d["reports"], d["passed"], d["failed"])
            for d in found["domains"]] == [("a.test", 2, 1, 3),
                                           ("b.test", 1, 0, 2)]
    assert read(*paths).stdout.decode().splitlines()[-1].startswith(
        "total: 3 reports, 6 messages: 1 passed, 5 failed")


def test_a_duplicate_counts_once(put):
    first, again = put(report(), "one"), put(report(), "two")
    other = put(report(organization="other.test"), "three")
    found = read_json(first, again, other)
    assert found["total"]["reports"] == 2
    assert found["total"]["duplicates"] == 1


def test_strangers_words_do_no_harm(put):
    """Nothing drives a terminal, nothing breaks the JSON."""
    path = put(report(record(domain="x\u009b31m\u202e\"")))
    assert b"\x9b" not in read(path).stdout
    assert b"\xc2\x9b" not in read(path).stdout
    assert only(read_json(path))["records"][0]["header_from"] == \
        "x\u009b31m\u202e\""


# -- wrappings --

WRAPPINGS = {
    "xml": report,
    "old xml": lambda: report(namespace=""),
    "xml in a namespace with a prefix": lambda: report(
        namespace=' xmlns:d="urn:x"').replace(b"<feedback", b"<d:feedback")
        .replace(b"</feedback", b"</d:feedback")
        .replace(b"<record>", b"<d:record>")
        .replace(b"</record>", b"</d:record>"),
    "latin1": lambda: report(record(domain="example.com")).replace(
        b'"UTF-8"', b'"ISO-8859-1"'),
    "blank lines and a mark first": lambda: b"\xef\xbb\xbf\r\n\r\n" + report(),
    "crlf": lambda: report().replace(b"\n", b"\r\n"),
}
PACKED = {
    "gzip": lambda: gzip.compress(report()),
    "gzip in two members": lambda: gzip.compress(report()[:500]) +
    gzip.compress(report()[500:]),
    "gzip with padding": lambda: gzip.compress(report()) + b"\0" * 100,
    "zip": lambda: zipped(report()),
    "zip stored": lambda: zipped(report(), method=zipfile.ZIP_STORED),
    "zip written as a stream": lambda: zipped(report(), stream=True),
    "mail": lambda: bytes(message(gzip.compress(report()))),
    "mail with zip": lambda: bytes(message(
        zipped(report()), subtype="x-zip-compressed", name="r.zip")),
    "mail with the wrong type": lambda: bytes(message(
        zipped(report()), subtype="octet-stream", name="r.bin")),
    "mail with crlf": lambda: bytes(message(gzip.compress(report()))).replace(
        b"\n", b"\r\n"),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_plain(put, wrapping):
    octets = WRAPPINGS[wrapping]()
    assert only(read_json(put(octets)))["records"][0]["count"] == 1


@needs_zlib
@pytest.mark.parametrize("wrapping", PACKED)
def test_packed(put, wrapping):
    assert only(read_json(put(PACKED[wrapping]())))["records"][0]["count"] == 1


def test_mail_with_xml(put):
    m = message(report(), "text", "xml", "r.xml")
    assert only(read_json(put(bytes(m))))["id"] == "r1"


def test_quoted_printable(put):
    m = EmailMessage()
    m.set_content(report().decode(), subtype="xml", cte="quoted-printable")
    assert b"=3D" in bytes(m)
    assert only(read_json(put(bytes(m))))["id"] == "r1"


@needs_zlib
def test_mail_whose_body_is_the_report(put):
    body = base64.encodebytes(gzip.compress(report()))
    assert only(read_json(put(
        b"Subject: x\nContent-Type: application/gzip\n"
        b"Content-Transfer-Encoding: BASE64 (so)\n\n" + body)))["id"] == "r1"


@needs_zlib
def test_forwarded_mail(put):
    outer = EmailMessage()
    outer.set_content("see below\n")
    outer.add_attachment(message(gzip.compress(report())))
    assert only(read_json(put(bytes(outer))))["id"] == "r1"


@needs_zlib
def test_several_in_a_file(put):
    m = message(gzip.compress(report(id="a")))
    m.add_attachment(zipped(report(id="b"), report(id="c")),
                     maintype="application", subtype="zip", filename="x.zip")
    assert {r["id"] for r in read_json(put(bytes(m)))["reports"]} == {
        "a", "b", "c"}


def test_standard_input():
    assert only(read_json("-", input=report()))["file"] == "-"


@needs_zlib
def test_a_maildir(tmp_path, put):
    """Other mail in it is no fault; a broken report is, and costs itself."""
    for name in ("new", "cur", "tmp"):
        (tmp_path / "box" / name).mkdir(parents=True)
    put(bytes(message(gzip.compress(report(id="a")))), "box/new/1.a")
    put(bytes(message(gzip.compress(report(id="b")))), "box/cur/2.b:2,S")
    put(bytes(message(gzip.compress(report(id="c")))), "box/tmp/3.c")
    put(b"Subject: hello\n\nWhere is my report?\n", "box/cur/4.d:2,S")
    put(bytes(message(gzip.compress(report())[:300])), "box/cur/5.e:2,S")
    put(b"x", "box/cur/.hidden")
    os.symlink("/etc/passwd", tmp_path / "box/new/6.f")
    os.mkfifo(tmp_path / "box/new/7.g")
    done = read("--json", str(tmp_path / "box"), code=65)
    found = json.loads(done.stdout)
    assert [r["id"] for r in found["reports"]] == ["a", "b"]
    assert found["total"]["other_messages"] == 1
    assert found["total"]["bad_files"] == 3
    assert b"5.e:2,S: what is packed is broken" in done.stderr
    for name in (b"6.f", b"7.g"):
        assert name in done.stderr


def test_a_folder_of_files(tmp_path, put):
    (tmp_path / "sub").mkdir()
    put(report(id="a"), "1.xml")
    put(report(id="b"), "2.xml")
    assert [r["id"] for r in read_json(str(tmp_path))["reports"]] == ["a",
                                                                      "b"]


# -- what is none --

BAD = {
    "empty": (b"", b"no report"),
    "text": (b"hello\n", b"no report"),
    "mail": (b"Subject: x\n\nhello\n", b"no report"),
    "other xml": (b"<?xml version='1.0'?><rss/>", b"no report"),
    "cut off": (report()[:700], b"line"),
    "not well-formed": (report().replace(b"</row>", b""), b"mismatched"),
    "no records": (report().replace(b"<record>", b"<x>").replace(
        b"</record>", b"</x>"), b"no records"),
    "no domain": (report().replace(b"domain", b"d"), b"which domain"),
    "no source": (report().replace(b"source_ip", b"ip"), b"no source"),
    "no number": (report(record(count="many")), b"number"),
    "a huge number": (report(record(count=10 ** 18)), b"number"),
    "a negative one": (report(record(count=-5)), b"number"),
    "deep": (report().replace(b"<record>", b"<record>" + b"<x>" * 1000 +
                              b"</x>" * 1000), b"too deep"),
    "deep empty": (report().replace(
        b"<record>", b"<record>" + b"<x>" * 14 + b"<y/>" + b"</x>" * 14),
        b"too deep"),
    "gzip of nothing": (gzip.compress(b""), b"empty"),
    "gzip cut off": (gzip.compress(report())[:-20], b"broken"),
    "gzip damaged": (gzip.compress(report())[:100] + b"\xff" * 50 +
                     gzip.compress(report())[150:], b"broken"),
    "zip cut off": (zipped(report())[:-10], b"broken"),
    "zip without a directory": (zipped(report())[:300], b"broken"),
    "zip that points elsewhere": (zipped(report()).replace(
        b"PK\1\2", b"PK\1\1"), b"broken"),
    "zip of another": (zipped(zipped(report())), b"line 1"),
    "gzip of gzip": (gzip.compress(gzip.compress(report())), b"line 1"),
    "old compression": (zipped(report(), method=zipfile.ZIP_BZIP2),
                        b"unknown way"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(put, name):
    """Each costs itself, says why, and the next one is read."""
    octets, reason = BAD[name]
    if octets[:2] in (b"PK", b"\x1f\x8b") and not has("ZLIB"):
        pytest.skip("without zlib")
    done = read("--json", put(octets, "bad"), put(report(), "good"), code=65)
    assert only(json.loads(done.stdout))["id"] == "r1"
    assert reason in done.stderr and b"/bad: " in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_missing_files(put, tmp_path):
    done = read(str(tmp_path / "none"), put(report()), code=65)
    assert b"none: No such file" in done.stderr
    assert b"1 report" in done.stdout
    read(code=64)
    read("--no-such-option", "x", code=64)


# -- bombs (A18) --

LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE feedback [<!ENTITY a "ha">
%s]><feedback><report_metadata><org_name>&z;</org_name></report_metadata>
</feedback>""" % b"\n".join(
    b'<!ENTITY %c "%s">' % (i + 1, b"&%c;" % i * 10)
    for i in range(ord("a"), ord("z")))
ENTITIES = {
    "laughs": LAUGHS,
    "one entity": b'<?xml version="1.0"?><!DOCTYPE feedback [<!ENTITY a "b">'
                  b"]>" + report()[39:],
    "a file": b'<?xml version="1.0"?><!DOCTYPE feedback [<!ENTITY a SYSTEM '
              b'"file:///etc/passwd">]>' + report()[39:].replace(
                  b"r1", b"&a;"),
    "a dtd elsewhere": b'<?xml version="1.0"?><!DOCTYPE feedback SYSTEM '
                       b'"http://127.0.0.1:1/x.dtd">' + report()[39:],
}


@pytest.mark.parametrize("name", ENTITIES)
def test_entities_are_refused(put, name):
    done = read(put(ENTITIES[name]), code=65)
    assert b"declares a document type" in done.stderr
    assert b"root:" not in done.stdout + done.stderr
    assert done.seconds < 5 or sanitized()


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))


BOMB = b" " * (1 << 20)


def mail_of_many():
    """None of them is too much."""
    m = message(b"")
    for i in range(40):
        m.add_attachment(gzip.compress(
            report(id=str(i))[:-13] + BOMB * 30 + report()[-13:]),
            maintype="application", subtype="gzip")
    return bytes(m)


BOMBS = {
    "gzip": lambda: gzip.compress(report()[:-13] + BOMB * 200 +
                                  report()[-13:]),
    "gzip of blanks": lambda: gzip.compress(BOMB * 200),
    "many members": lambda: gzip.compress(BOMB) * 200,
    "zip": lambda: zipped(report()[:-13] + BOMB * 200),
    "zip of many": lambda: zipped(*[report(id=str(i))[:-13] + BOMB * 30 +
                                    report()[-13:] for i in range(16)]),
    "in a mail": lambda: bytes(message(gzip.compress(
        report()[:-13] + BOMB * 200))),
    "a mail of many": mail_of_many,
}


@needs_zlib
@pytest.mark.parametrize("name", BOMBS)
def test_bombs(put, name):
    more = {} if sanitized() else {"preexec_fn": limited}
    done = read(put(BOMBS[name]()), code=65, **more)
    assert b"unpacks to too much" in done.stderr
    assert done.seconds < 10 or sanitized()


def test_many_records(put):
    """As many as a big reporter may have; and more than that."""
    many = report(*[record(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}")
                    for i in range(20000)])
    assert only(read_json(put(many)))["records"][19999]["count"] == 1
    row = b"<record><row><source_ip>1</source_ip></row></record>"
    done = read(put(report().replace(b"</feedback>", row * 100001 +
                                     b"</feedback>")), code=65)
    assert b"too many records" in done.stderr


def test_many_results(put):
    more = b"<dkim/>" * 300001
    done = read(put(report().replace(b"<auth_results>",
                                     b"<auth_results>" + more)), code=65)
    assert b"too many results" in done.stderr


def test_long_texts_are_cut(put):
    long = report(organization="x" * 5000000)
    assert only(read_json(put(long)))["organization"] == "x" * 1024


def test_nested_mail(put):
    """A19: parts within parts, and very many of them."""
    m = b"Content-Type: multipart/mixed; boundary=b0\n\n"
    for i in range(1, 200):
        m += b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (
            i - 1, i)
    m += b"--b199\nContent-Type: text/xml\n\n" + report()
    assert b"no report" in read(put(m), code=65).stderr
    flat = b"Content-Type: multipart/mixed; boundary=b\n\n" + \
        b"--b\n\nx\n" * 2000000
    done = read(put(flat), code=65)
    assert done.seconds < 10 or sanitized()


def test_a_big_file(put, tmp_path):
    with open(tmp_path / "big", "wb") as f:
        f.truncate(65 << 20)
    done = read(str(tmp_path / "big"), put(report()), code=65)
    assert b"too big" in done.stderr and b"1 report" in done.stdout


# -- rights --

@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_reads_nothing_itself():
    """What root may open is parsed by somebody who may open nothing."""
    reader = subprocess.Popen(
        [program("postrider-report"), "read", "-"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    want = pwd.getpwnam("postrider-ledger").pw_uid
    uid, deadline = None, time.monotonic() + SECONDS
    while uid != want and time.monotonic() < deadline:
        with open(f"/proc/{reader.pid}/status") as status:
            uid = next(int(line.split()[1]) for line in status
                       if line.startswith("Uid:"))
    out, err = reader.communicate(report(), timeout=SECONDS)
    assert uid == want and reader.returncode == 0, err
    assert b"1 report" in out


@pytest.mark.skipif(has("ZLIB"), reason="built with zlib")
def test_without_zlib(put):
    done = read(put(gzip.compress(report())), code=65)
    assert b"built without zlib" in done.stderr
