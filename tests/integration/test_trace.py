# SPDX-License-Identifier: ISC
"""postrider-queue trace and why about those who were not let in: from
log-file, from syslogd's files and from the journal, over rotated parts."""
import glob
import gzip
import json
import os
import re
import shutil
import subprocess

import pytest

# Sessions of three clients, with lines of others between them: what the last
# says of 192.0.2.9 first was an hour before.
LOG = """\
2026-11-20T07:00:00.000Z smtpd[7]: refused client=192.0.2.9 helo=bot.test \
from=<spam@bot.test> to=<ann@example.test> dsn=5.7.1 \
reason="relaying denied"
2026-11-20T08:00:00.000Z smtpd[7]: refused client=192.0.2.9 helo=bot.test \
from=<spam@bot.test> to=<nobody@example.test> dsn=5.1.1 \
reason="no such user here"
2026-11-20T08:00:00.500Z smtpd[8]: refused client=192.0.2.9 helo=bot.test \
from=<> to=<x@example.test> dsn=5.1.1 reason="no such user here"
2026-11-20T08:00:00.700Z userdb[3]: login failed client=2001:db8::5 \
service=pop3d auth=ann@example.test reason="wrong password"
2026-11-20T08:00:01.000Z smtpd[7]: session closed client=192.0.2.9 \
helo=bot.test dsn=4.7.0 reason="too many errors"
2026-11-20T08:00:02.000Z smtp-gate[6]: refused client=192.0.2.200 \
dsn=5.5.0 reason="you talk before the greeting"
2026-11-20T08:00:03.000Z pop3d[9]: session ended client=2001:db8::5 \
retrieved=0 size=0 deleted=0 delay=1.000 reason=disconnected
2026-11-20T08:30:00.000Z queue[2]: queued id=00000000000000aa \
from=<ok@good.test> size=10 recipients=1
2026-11-20T08:30:00.100Z smtpd[8]: accepted id=00000000000000aa \
client=192.0.2.9 helo=x from=<ok@good.test> to=<ann@example.test> recipients=1
2026-11-20T08:30:00.200Z queue[2]: delivered id=00000000000000aa \
from=<ok@good.test> to=<ann@example.test> relay=mailbox:ann@example.test
"""
EARLIER = """\
2026-11-10T08:00:00.000Z smtpd[7]: refused client=192.0.2.9 helo=bot.test \
from=<old@bot.test> to=<ann@example.test> dsn=5.7.23 \
reason="the sender's domain does not send mail from your address (SPF)"
"""
OLDEST = """\
2026-11-01T08:00:00.000Z smtpd[7]: refused id=00000000000000bb \
client=192.0.2.9 helo=bot.test from=<older@bot.test> dsn=5.7.1 \
reason="rejected by the policy (DMARC) of the domain in From"
2026-11-01T09:00:00.000Z smtpd[7]: refused id=00000000000000cc \
client=198.51.100.7 helo=x from=<x@x.test> dsn=5.7.1 reason="Gtube pattern" \
filter=inet:11332@127.0.0.1
"""


def in_syslog(text):
    """As rsyslogd of Debian 12 writes it."""
    return re.sub(r"(?m)^(\S+)Z (\S+)", r"\g<1>000+00:00 mx postrider: \2",
                  text)


def in_journal(text):
    """As journalctl -o short-iso-precise tells it."""
    return re.sub(r"(?m)^(\S+)Z (\S+)",
                  r"\g<1>000+0000 mx postrider[811]: \2", text)


class Logged:
    def __init__(self, suite):
        self.suite = suite
        self.options = {}

    def ask(self, *arguments, check=True):
        done = self.suite.run("postrider-queue", *arguments, check=check,
                              **self.options)
        return done.stdout

    def trace(self, *arguments, check=True):
        return self.ask("trace", *arguments, check=check)

    def rows(self, *arguments):
        return [json.loads(line) for line in
                self.trace("--json", *arguments).splitlines()]


def write_parts(suite, shape):
    base = suite.path("mail.log")
    for name, text, when in ((base, LOG, 1795164000),
                             (base + ".1", EARLIER, 1794300000),
                             (base + ".2.gz", OLDEST, 1793530000)):
        with (gzip.open if name.endswith("gz") else open)(name, "wt") as f:
            f.write(shape(text))
        os.chmod(name, 0o644)
        os.utime(name, (when, when))
    return base


def without_log_file(suite):
    """Then the usual places count, and the journal."""
    lines = [l for l in suite.config_lines() if not l.startswith("log-file")]
    with open(suite.config, "w") as f:
        f.write("\n".join(lines) + "\n")


JOURNALCTL = """\
#!/bin/sh
echo "$@" > {arguments}
[ -z "$HOME$POSTRIDER_LIBEXEC" ] || exit 1
echo "-- Boot 5f0d7cd2ffd94ac6a3cd5f93d25b5f4a --"
cat {journal}
"""


def fake_journalctl(suite):
    folder = suite.path("bin")
    os.mkdir(folder)
    with open(suite.path("journal"), "w") as f:
        f.write(in_journal(OLDEST + EARLIER + LOG))
    with open(os.path.join(folder, "journalctl"), "w") as f:
        f.write(JOURNALCTL.format(arguments=suite.path("arguments"),
                                  journal=suite.path("journal")))
    os.chmod(os.path.join(folder, "journalctl"), 0o755)
    suite.environment["PATH"] = folder + ":/usr/bin:/bin"


def no_syslog_here():
    return not any(glob.glob(f"/var/log/{name}*")
                   for name in ("mail.log", "maillog", "syslog"))


@pytest.fixture(params=["log-file", "syslog", "journal"])
def logged(request, make_suite):
    suite = make_suite(root=False)
    suite.environment["TZ"] = "UTC"
    suite.init()
    if request.param == "journal":
        if not no_syslog_here():
            pytest.skip("a syslogd keeps the log of this machine")
        fake_journalctl(suite)
        without_log_file(suite)
    else:
        base = write_parts(suite, in_syslog if request.param == "syslog"
                           else str)
        suite.write_config()
        with open(suite.config) as f:
            text = f.read()
        with open(suite.config, "w") as f:
            f.write(text.replace(f"log-file {suite.log}", f"log-file {base}"))
    return Logged(suite)


def test_a_client(logged):
    """All that came from there, session by session, each with the newest
    reason, and the messages that were taken."""
    rows = logged.rows("192.0.2.9")
    sessions = {}
    for row in rows:
        if "session" in row:
            sessions.setdefault(row["session"], []).append(row)
    assert [[r["event"] for r in s] for s in sessions.values()] == [
        ["refused"], ["refused"], ["refused"],
        ["refused", "session closed"], ["refused"]]
    assert [s[-1]["reason"] for s in sessions.values()] == [
        "rejected by the policy (DMARC) of the domain in From",
        "the sender's domain does not send mail from your address (SPF)",
        "relaying denied", "too many errors", "no such user here"]
    assert [s[0]["pid"] for s in sessions.values()][2:] == [7, 7, 8]
    assert [r["event"] for r in rows if "session" not in r] == [
        "queued", "accepted", "delivered"]
    told = logged.trace("192.0.2.9")
    assert "192.0.2.9: too many errors\n" in told
    assert "00000000000000aa:\n" in told
    assert "192.0.2.200" not in told


def test_a_network(logged):
    assert {r["client"] for r in logged.rows("192.0.2.0/24")
            if "client" in r} == {"192.0.2.9", "192.0.2.200"}
    (login, pop3) = logged.rows("2001:db8::/32")
    assert login["session"] == pop3["session"] == 1
    assert logged.trace("2001:db8::5").splitlines()[0] == (
        "2001:db8::5: wrong password")


def test_everybody(logged):
    """Without a name: whoever was not let in, in that time."""
    rows = logged.rows("--since", "2026-11-20 07:30", "--until",
                       "2026-11-20 08:15")
    assert {r["client"] for r in rows} == {
        "192.0.2.9", "192.0.2.200", "2001:db8::5"}
    assert not [r for r in rows if r["event"] in ("accepted", "queued")]
    assert len({r["session"] for r in rows}) == 4
    assert len(logged.rows("--since", "2026-10-01")) == 9
    assert not logged.trace("--since", "2026-11-21", check=False)


def test_an_address(logged):
    told = logged.trace("old*@bot.test")
    assert "(SPF)" in told and "(DMARC)" in told and "too many" not in told
    rows = logged.rows("spam@bot.test")
    assert [r["reason"] for r in rows] == ["relaying denied",
                                           "no such user here"]


def why(logged, *words):
    return [json.loads(line)
            for line in logged.ask("why", "--json", *words).splitlines()]


def test_why_a_client(logged):
    (told,) = why(logged, "192.0.2.9")
    assert told["client"] == "192.0.2.9"
    assert re.match(r"192\.0\.2\.9 was not let in, the last time \(.*08:00\):"
                    r" the connection of 192\.0\.2\.9 \(bot\.test\) was "
                    r"closed: too many errors; 6 times in all since the "
                    r"first \(2026-11-01.*\); \"max-errors\" is .*; a "
                    r"message was taken last \(2026-11-20 08:30\)\.$",
                    told["why"])
    assert told["keyword"] == "max-errors"


def test_why_a_filter(logged):
    (told,) = why(logged, "198.51.100.7")
    assert told["why"].endswith(
        "Gtube pattern; the content filter inet:11332@127.0.0.1 said so.")


def test_why_an_address(logged):
    spf, dmarc, user = why(logged, "old@bot.test", "older@bot.test",
                           "spam@bot.test")
    assert spf["why"].startswith("mail from or for old@bot.test was not ")
    assert spf["keyword"] == "spf-fail" and "trust-client" in spf["why"]
    assert dmarc["keyword"] == "dmarc-reject"
    assert "keyword" not in user and "postrider-user add" in user["why"]
    assert "no refusal" in logged.ask("why", "ok@good.test")
    done = logged.suite.run("postrider-queue", "why", "who@good.test",
                            check=False)
    assert done.returncode == 66


def test_what_journalctl_is_asked(make_suite):
    """No more than is needed, by a program that gets nothing of ours."""
    if not no_syslog_here():
        pytest.skip("a syslogd keeps the log of this machine")
    suite = make_suite(root=False)
    suite.init()
    fake_journalctl(suite)
    without_log_file(suite)
    Logged(suite).trace("--since", "2026-11-20 00:00:00Z", "192.0.2.9")
    with open(suite.path("arguments")) as f:
        asked = f.read().split()
    assert asked == ["-q", "--no-pager", "-o", "short-iso-precise", "-t",
                     "postrider", "--since=@1795132800"]
    real = shutil.which("journalctl", path="/usr/bin:/bin")
    if real:
        done = subprocess.run([real, "-D", suite.path("bin"), *asked],
                              capture_output=True, check=False)
        assert b"option" not in done.stderr and not done.stdout


def test_the_journal_of_this_machine(make_suite, tool):
    tool("journalctl")
    if not no_syslog_here():
        pytest.skip("a syslogd keeps the log of this machine")
    suite = make_suite(root=False)
    suite.init()
    without_log_file(suite)
    done = suite.run("postrider-queue", "trace", "198.51.100.77", check=False)
    assert done.returncode == 66 and "nothing is found" in done.stderr


def test_root_runs_no_journalctl_of_path(make_suite):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not no_syslog_here():
        pytest.skip("a syslogd keeps the log of this machine")
    suite = make_suite(root=True)
    suite.init()
    fake_journalctl(suite)
    without_log_file(suite)
    Logged(suite).trace("192.0.2.9", check=False)
    assert not os.path.exists(suite.path("arguments"))


def test_needless_words(make_suite):
    suite = make_suite(root=False)
    suite.init()
    done = suite.run("postrider-queue", "trace", check=False)
    assert done.returncode == 64
