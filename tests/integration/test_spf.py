# SPDX-License-Identifier: ISC
"""SPF by postrider-mailauth: the RFC 7208 suite, the limits of section 4.6.4
(A13), a DNS that lies (A14)."""
import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import shared_folder
from scripted_dns import (  # noqa: F401
    CUT_SHORT, GARBAGE, NODATA, NXDOMAIN, POINTER_LOOP, REFUSED, SERVFAIL,
    SILENT_BY_TCP, TIMEOUT, TRUNCATED, WRONG_ID, WRONG_QUESTION, ScriptedDns,
    encode_data, encode_name, encode_text, record, scripted_dns)

AT_A_TIME = 16


def program(build):
    return os.path.join(build, "mailauth", "postrider-mailauth")


def run_spf(build, server, ip, helo, sender, *more, timeout=20):
    """What --json says."""
    done = subprocess.run(
        [program(build), "-c", "/dev/null", "spf", "--ip", ip, "--helo", helo,
         "--from", sender, "--dns", server.address, "--dns-timeout",
         str(timeout), "--json", *more],
        capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def spf(build):
    def ask(server, sender="ann@example.org", ip="192.0.2.1",
            helo="mail.example.org", **options):
        return run_spf(build, server, ip, helo, sender, **options)
    return ask


# -- the RFC 7208 suite --

def suite_folder():
    shared = shared_folder()
    folder = shared and os.path.join(shared, "suites", "spf", "json",
                                     "rfc7208-tests")
    return folder if folder and os.path.isdir(folder) else None


def suite_tests():
    folder = suite_folder()
    if not folder:
        return []
    with open(os.path.join(folder, "tests.jsonl")) as f:
        return [json.loads(line) for line in f]


def suite_value(kind, value):
    """Text is of code points that stand for octets."""
    if kind == "TXT":
        strings = value if isinstance(value, list) else [value]
        return tuple(s.encode("latin-1") for s in strings)
    return tuple(value) if kind == "MX" else value


def suite_zone(path):
    """What the suite calls SPF is TXT, too, where no TXT is said."""
    with open(path) as f:
        source = json.load(f)
    zone = {}
    for name, entries in source.items():
        records = zone[name] = {}
        has_text = any("TXT" in e for e in entries if e != "TIMEOUT")
        for entry in entries:
            if entry == "TIMEOUT":
                records["*"] = TIMEOUT
                continue
            (kind, value), = entry.items()
            if kind == "SPF" and not has_text:
                kind = "TXT"
            if value != "NONE" and kind != "SPF":
                records.setdefault(kind, []).append(suite_value(kind, value))
        if not records and not has_text:
            records["SPF"] = []
    return zone


@pytest.fixture(scope="module")
def suite_results(build):
    """All of it at once: {(scenario, id): result}."""
    folder, tests = suite_folder(), suite_tests()
    servers = {}
    for test in tests:
        if test["zone"] not in servers:
            servers[test["zone"]] = ScriptedDns(
                suite_zone(os.path.join(folder, test["zone"])))

    def one(test):
        server = servers[test["zone"]]
        silent = any(what.get("*") is TIMEOUT for what in server.zone.values())
        return run_spf(build, server, test["host"], test["helo"],
                       test["mailfrom"], timeout=4 if silent else 20)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        results = list(pool.map(one, tests))
    for server in servers.values():
        server.close()
    return {(t["scenario"], t["id"]): r for t, r in zip(tests, results)}


def test_suite_is_there():
    if not suite_folder():
        pytest.skip("no test data: set POSTRIDER_SHARED")
    assert len(suite_tests()) >= 203


@pytest.mark.parametrize("test", [
    pytest.param(t, id=f"{t['scenario']}: {t['id']}") for t in suite_tests()])
def test_rfc7208_suite(test, suite_results):
    got = suite_results[test["scenario"], test["id"]]
    assert got["result"] in test["results"], got
    if test["explanation"] is not None and got["result"] == "fail":
        wanted = test["explanation"]
        assert got["explanation"] == ("" if wanted == "DEFAULT" else wanted)


# -- a record as a weapon (A13) --

def test_terms_are_counted_over_all_records(spf, scripted_dns):
    """Every record includes ten others, which do the same."""
    server = scripted_dns({"*.tree.example": {"TXT": "v=spf1 " + " ".join(
        f"include:%{{d1r}}{i}.x{i}.tree.example" for i in range(10))}})
    got = spf(server, "ann@a.tree.example")
    assert got["result"] == "permerror"
    assert "more than 10 terms" in got["reason"]
    assert len(server.queries) == 11


@pytest.mark.parametrize("record", [
    "include:example.org", "redirect=example.org",
    "a:x.example include:example.org", "include:%{d}", "redirect=%{o}"])
def test_records_that_lead_to_themselves(spf, scripted_dns, record):
    server = scripted_dns({"example.org": {"TXT": f"v=spf1 {record}"},
                           "x.example": {"A": "192.0.2.9"}})
    assert spf(server)["result"] == "permerror"
    assert len(server.queries) <= 11


def test_most_that_a_record_can_ask(spf, scripted_dns):
    """Ten mx of ten hosts each, and the client's ten names."""
    zone = {"example.org": {"TXT": " ".join([
        "v=spf1 ptr", *(f"mx:m{i}.example" for i in range(9)),
        "exp=%{p}.why.example -all"])}}
    for i in range(9):
        zone[f"m{i}.example"] = {"MX": [
            (n, f"h{n}.m{i}.example") for n in range(10)]}
        for n in range(10):
            zone[f"h{n}.m{i}.example"] = {"A": "192.0.2.200"}
    zone["1.2.0.192.in-addr.arpa"] = {
        "PTR": [f"p{i}.example" for i in range(1000)]}
    zone["*.example"] = {"A": "192.0.2.200"}
    server = scripted_dns(zone)
    assert spf(server)["result"] == "fail"
    udp = [q for q in server.queries if not q.tcp]
    assert len([q for q in udp if q.type == "PTR"]) == 1
    assert len([q for q in udp if q.name.startswith("p")]) == 10
    # the record, ptr with ten names, nine mx with ten hosts, exp
    assert len(udp) == 1 + (1 + 10) + 9 * (1 + 10) + 1


def test_thousand_mx_are_an_error(spf, scripted_dns):
    server = scripted_dns({
        "example.org": {"TXT": "v=spf1 mx -all",
                        "MX": [(i, f"h{i}.example") for i in range(1000)]},
        "*.example": {"A": "192.0.2.1"}})
    got = spf(server)
    assert got["result"] == "permerror" and "10 MX" in got["reason"]
    assert server.count(type="A") == 0


def test_void_look_ups(spf, scripted_dns):
    server = scripted_dns({"example.org": {
        "TXT": "v=spf1 a:a.example exists:b.example mx:c.example "
               "a:d.example a:e.example -all"}})
    got = spf(server)
    assert got["result"] == "permerror" and "find nothing" in got["reason"]
    assert len(server.queries) == 4


def test_all_questions_together_have_a_time(spf, scripted_dns):
    server = scripted_dns({
        "example.org": {"TXT": "v=spf1 a:a.dead.example a:b.dead.example "
                               "include:c.dead.example -all"},
        "*.dead.example": TIMEOUT})
    began = time.monotonic()
    assert spf(server, timeout=2)["result"] == "temperror"
    assert time.monotonic() - began < 6
    # also where silence makes no difference
    server.add("example.org", TXT="v=spf1 -all exp=why.dead.example")
    began = time.monotonic()
    assert spf(server, timeout=2)["result"] == "fail"
    assert time.monotonic() - began < 6


@pytest.mark.parametrize("record", [
    "ptr -all", "exists:%{p}.x.example -all", "a:%{P} -all"])
def test_a_client_without_names_is_refused_one_in_trouble_is_not(
        spf, scripted_dns, record):
    """RFC 7208, sections 5.5 and 7.3, would have either end in a fail."""
    server = scripted_dns({"example.org": {"TXT": f"v=spf1 {record}"},
                           "*.example.org.x.example": {"A": "192.0.2.9"}})
    assert spf(server)["result"] == "fail"
    server.update({"1.2.0.192.in-addr.arpa": SERVFAIL})
    assert spf(server)["result"] == "temperror"
    server.update({"1.2.0.192.in-addr.arpa": {"PTR": "mx.example.org"},
                   "mx.example.org": SERVFAIL})
    assert spf(server)["result"] == "temperror"
    server.update({"1.2.0.192.in-addr.arpa": {
        "PTR": ["mx.example.org", "my.example.org"]},
        "my.example.org": {"A": "192.0.2.1"}})
    assert spf(server)["result"] == "pass"


def test_macros_cost_no_memory(build, scripted_dns):
    """8 KiB of the macros that grow most, once for each term and once for an
    explanation, against a record without any."""
    bomb = "%{S}%{L}%{D}%{I}"
    server = scripted_dns({
        "example.org": {"TXT": (
            "v=spf1 exists:%s.x.example a:%s.%%{d} exp=why.example -all"
            % (bomb * 200, "%{i}." * 700))},
        "why.example": {"TXT": bomb * 500},
        "*.example": {"A": "192.0.2.9"}, "*.example.org": {"A": "192.0.2.9"}})
    plain = scripted_dns({"example.org": {"TXT": "v=spf1 -all"}})

    def most_memory(dns):
        process = subprocess.Popen(
            [program(build), "-c", "/dev/null", "spf", "--ip", "2001:db8::1",
             "--helo", "x", "--from", "y" * 60 + "@example.org", "--dns",
             dns.address, "--json"], stdout=subprocess.PIPE)
        out = process.stdout.read()
        process.stdout.close()
        usage = os.wait4(process.pid, 0)[2]
        process.returncode = 0
        assert json.loads(out)["result"] == "fail"
        return usage.ru_maxrss, usage.ru_utime + usage.ru_stime
    kib, seconds = most_memory(server)
    assert kib - most_memory(plain)[0] < 1024
    assert seconds < 1


def test_long_names_lose_labels_at_the_left(spf, scripted_dns):
    name = ("a" * 47 + ".") * 5 + "example"
    server = scripted_dns({
        "example.org": {"TXT": f"v=spf1 a:%{{s}}.{name} -all"},
        name: {"A": "192.0.2.9"}})
    assert len(name) < 253 < len("ann@example.org." + name)
    assert spf(server)["result"] == "fail"
    asked = [q.name for q in server.queries if q.type == "A"]
    assert asked == ["org." + name] and len(asked[0]) <= 253


# -- a DNS that lies (A14) --

LIES = [TIMEOUT, SERVFAIL, REFUSED, TRUNCATED, SILENT_BY_TCP, WRONG_ID,
        WRONG_QUESTION, GARBAGE, CUT_SHORT, POINTER_LOOP]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_lies_are_temperror(spf, scripted_dns, lie):
    """Never a pass, never a fail."""
    terms = {"a": "a:lie.example -all", "mx": "mx:lie.example +all",
             "exists": "exists:lie.example -all",
             "include": "?include:lie.example -all",
             "redirect": "redirect=lie.example"}
    server = scripted_dns({
        "txt.example": lie, "lie.example": lie,
        **{f"{name}.example": {"TXT": "v=spf1 " + record}
           for name, record in terms.items()}})
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        results = list(pool.map(
            lambda name: spf(server, f"ann@{name}.example", timeout=1),
            ["txt", *terms]))
    for got in results:
        assert got["result"] == "temperror" and got["reason"], got


@pytest.mark.parametrize("no", [NXDOMAIN, NODATA],
                         ids=lambda no: no.__name__)
def test_a_no_is_a_no(spf, scripted_dns, no):
    server = scripted_dns({"example.org": {"TXT": "v=spf1 a:no.example -all"},
                           "no.example": no})
    assert spf(server)["result"] == "fail"
    server.update({"example.org": no})
    assert spf(server)["result"] == "none"


def test_records_of_others_are_not_believed(spf, scripted_dns):
    """An answer with an address, and a policy, of another name."""
    def lie(query):
        return query.reply(
            record(encode_name("other.example"), "A",
                   encode_data("A", "192.0.2.1")),
            record(encode_name("other.example"), "TXT",
                   encode_text("v=spf1 +all")))
    server = scripted_dns({
        "example.org": {"TXT": "v=spf1 a:lie.example include:lie.example "
                               "-all"}, "lie.example": lie})
    assert spf(server)["result"] == "permerror"  # lie.example has no record
    server.update({"example.org": lie})
    assert spf(server)["result"] == "none"


@pytest.mark.parametrize("zone", [
    {"l.example": {"CNAME": "l.example"}},
    {"l.example": {"CNAME": "m.example"}, "m.example": {"CNAME": "l.example"}},
    {**{f"l{i}.example": {"CNAME": f"l{i + 1}.example"} for i in range(40)},
     "l.example": {"CNAME": "l0.example"}}])
def test_aliases_without_an_end(spf, scripted_dns, zone):
    server = scripted_dns({
        **zone, "example.org": {"TXT": "v=spf1 a:l.example -all"}})
    assert spf(server)["result"] == "temperror"
    server.update({"example.org": {"CNAME": "l.example"}})
    assert spf(server)["result"] == "temperror"
    assert len(server.queries) < 40


def test_large_answers(spf, scripted_dns):
    """What is in bounds comes by TCP; what is not is no answer."""
    nets = " ".join(f"ip4:10.{i // 256}.{i % 256}.0/24" for i in range(400))
    server = scripted_dns({
        "example.org": {"TXT": f"v=spf1 {nets} ip4:192.0.2.1 -all"},
        "huge.example": {"TXT": "v=spf1 " + "a " * 32000 + "+all"},
        "beside.example": {"TXT": ["x" * 60000, "v=spf1 ip4:192.0.2.1"]},
        "many.example": {"TXT": ["x" * 100] * 300 + ["v=spf1 +all"]}})
    assert spf(server)["result"] == "pass"
    assert any(q.tcp for q in server.queries)
    assert spf(server, "a@huge.example")["result"] == "temperror"
    assert spf(server, "a@beside.example")["result"] == "pass"
    # only so many records are looked at
    assert spf(server, "a@many.example")["result"] in ("none", "temperror")


@pytest.mark.parametrize("label", [b"a.b", b"a\0b", b"a\nb", b"\xff", b"a\\b"])
def test_labels_that_are_no_text(spf, scripted_dns, label):
    """Hosts of that name are nobody's, clients of that name have none."""
    server = scripted_dns({
        "example.org": {"TXT": "v=spf1 mx -all",
                        "MX": [(1, (label, b"example")),
                               (2, "mx.example")]},
        "mx.example": {"A": "192.0.2.1"},
        "ptr.example": {"TXT": "v=spf1 ptr:x.example exp=why.example -all"},
        "why.example": {"TXT": "%{p}"},
        "9.2.0.192.in-addr.arpa": {"PTR": [(label, b"x", b"example")]}})
    assert spf(server)["result"] == "pass"
    got = spf(server, "a@ptr.example", ip="192.0.2.9")
    assert (got["result"], got["explanation"]) == ("fail", "unknown")


# -- internationalised mail (RFC 8616) --

def test_u_labels(spf, scripted_dns):
    server = scripted_dns({
        "xn--fa-hia.example": {
            "TXT": "v=spf1 a:%{d}.x.example a:%{o}.%{h}.x.example "
                   "exp=why.example -all"},
        "xn--fa-hia.example.xn--mx-wia.example.x.example": {
            "A": "192.0.2.1"},
        "why.example": {"TXT": "%{d} %{h}"}})
    call = {"sender": "ann@fa\u00df.example", "helo": "mx\u00e4.example"}
    got = spf(server, **call)
    if got["result"] == "none":
        pytest.skip("built without libidn2")
    assert got["result"] == "pass"
    got = spf(server, ip="192.0.2.9", **call)
    assert got["result"] == "fail"
    assert got["domain"] == "xn--fa-hia.example"
    assert got["explanation"] == "xn--fa-hia.example xn--mx-wia.example"


def test_local_parts_beyond_ascii_match_nothing(spf, scripted_dns):
    server = scripted_dns({
        "example.org": {"TXT": "v=spf1 exists:%{l}.x.example a:%{s}.x.example "
                               "-all exp=why.example"},
        "*.x.example": {"A": "192.0.2.1"}, "why.example": {"TXT": "%{l}"}})
    got = spf(server, "j\u00f6rg@example.org")
    assert (got["result"], got["explanation"]) == ("fail", "")
    assert {q.type for q in server.queries} == {"TXT"}
    assert spf(server, "joerg@example.org")["result"] == "pass"


# -- explanations --

@pytest.mark.parametrize("text,shown", [
    ("plain", "plain"), ("", ""), ("x" * 1000, "x" * 400),
    ("esc \x1b[31m", ""), ("two\r\nlines", ""), ("caf\u00e9", ""),
    ("%{h}", "mail.example.org"), ("%{x}", ""), (["two", "records"], ""),
    (("two ", "strings"), "two strings")])
def test_explanations(spf, scripted_dns, text, shown):
    server = scripted_dns({
        "example.org": {"TXT": "v=spf1 -all exp=why.example"},
        "why.example": {"TXT": text}})
    got = spf(server)
    assert (got["result"], got["explanation"]) == ("fail", shown)


def test_a_helo_cannot_write_into_an_explanation(spf, scripted_dns):
    server = scripted_dns({
        "example.org": {"TXT": "v=spf1 -all exp=why.example"},
        "why.example": {"TXT": "hello %{h}"}})
    got = spf(server, helo="a\r\nX-Evil: yes")
    assert (got["result"], got["explanation"]) == ("fail", "")
