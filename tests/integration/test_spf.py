# SPDX-License-Identifier: ISC
"""SPF by postrider-mailauth: the RFC 7208 suite, the limits of section 4.6.4
(A13), a DNS that lies (A14), and a second implementation."""
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import shared_folder
from scripted_dns import TIMEOUT, ScriptedDns, scripted_dns  # noqa: F401

AT_A_TIME = 16


def program(build):
    return os.path.join(build, "mailauth", "postrider-mailauth")


def run_spf(build, server, ip, helo, sender, *more, timeout=2):
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
        return run_spf(build, servers[test["zone"]], test["host"],
                       test["helo"], test["mailfrom"])
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
