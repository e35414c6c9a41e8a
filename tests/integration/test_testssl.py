# SPDX-License-Identifier: ISC
"""testssl.sh finds nothing above LOW on any port.

By default what a configuration can get wrong: protocols, the server's
preferences, certificates.  With $POSTRIDER_TESTSSL=all everything it has,
known vulnerabilities and every cipher among them; minutes a port.
"""
import collections
import concurrent.futures
import json
import os
import re
import subprocess

import pytest

ALL = os.environ.get("POSTRIDER_TESTSSL") == "all"
FAST = ["--protocols", "--server-defaults"]
STARTTLS = {"smtp": "smtp", "submission": "smtp", "pop3": "pop3"}
ORDER = ["DEBUG", "OK", "INFO", "LOW", "WARN", "MEDIUM", "HIGH", "CRITICAL", "FATAL"]
# What it says of itself (its own OpenSSL, our time zone), not of the server.
ITS_OWN = {"engine_problem", "old_fart", "scanTime"}


def lost_its_ticket(finding):
    """Its client sometimes ends before TLS 1.3's ticket has come, and then
    has nothing to resume by."""
    return (finding["id"] == "sessionresumption_ticket" and
            finding["severity"] == "WARN")


def scan(tool, suite, kind):
    """(its output, [findings]) on the port of that kind."""
    found = suite.path(f"testssl-{kind}.json")
    # What the server prefers it prefers behind STARTTLS, too.
    options = ["--starttls", STARTTLS[kind]] if kind in STARTTLS \
        else [] if ALL else ["--server-preference"]
    done = subprocess.run(
        [tool("testssl"), "--quiet", "--color", "0", "--warnings", "batch",
         "--nodns", "none", "--openssl", tool("openssl"), "--ip",
         suite.addresses[kind], "--add-ca", suite.ca.path, "--jsonfile",
         found, *options, *([] if ALL else FAST),
         f"{suite.hostname}:{suite.ports[kind]}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=1800 if ALL else 300, check=False, cwd=suite.folder,
        env=dict(os.environ, HOME=suite.folder))
    try:
        with open(found) as f:
            return done.stdout, json.load(f)
    except (OSError, ValueError):
        raise AssertionError(done.stdout + done.stderr) from None


def test_nothing_above_low(make_suite, tool, report):
    tool("testssl")
    suite = make_suite(tls=True, extra=["max-client-sessions 200"]).start()
    kinds = list(suite.ports)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        scans = dict(zip(kinds, pool.map(
            lambda kind: scan(tool, suite, kind), kinds)))
    bad = []
    for kind, (shown, findings) in scans.items():
        findings = [f for f in findings if f["id"] not in ITS_OWN]
        counts = collections.Counter(f["severity"] for f in findings)
        worst = max(counts, key=ORDER.index)
        grade = re.search(r"Overall Grade +(\S+)", shown)
        report(f"testssl.sh on {kind}: "
               f"{'grade ' + grade[1] if grade else 'worst finding ' + worst}"
               f" ({', '.join(f'{n} {s}' for s, n in counts.items())})")
        assert {f["id"] for f in findings} >= {
            "TLS1_2", "TLS1_3", "cert_chain_of_trust"}, shown
        bad += [f"{kind}: {f['id']}: {f['severity']}: {f['finding']}"
                for f in findings
                if ORDER.index(f["severity"]) > ORDER.index("LOW")
                and not lost_its_ticket(f)]
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(make_suite, tool, version):
    """Also to a client that would take anything (openssl's level 0)."""
    suite = make_suite(tls=True).start()
    for kind in suite.ports:
        starttls = ["-starttls", STARTTLS[kind]] if kind in STARTTLS else []
        done = subprocess.run(
            [tool("openssl"), "s_client", "-connect",
             f"127.0.0.1:{suite.ports[kind]}", *starttls, version, "-cipher",
             "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode != 0 and "protocol version" in done.stderr, \
            (kind, done.stdout, done.stderr)
