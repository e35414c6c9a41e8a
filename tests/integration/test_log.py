# SPDX-License-Identifier: ISC
"""The log is an interface: postrider-log(5) lists every line of it, an id
finds the whole story of a message, and nobody outside writes lines."""
import base64
import glob
import os
import re
import smtplib
import subprocess

import pytest

from peers import Sink
from suite import LogLine, wait_for

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PAGE = os.path.join(TOP, "man", "postrider-log.5")
ANN, STRANGER = "ann@example.test", "x@elsewhere.test"
TEXT = "Subject: log\r\n\r\nhello\r\n"
LITERAL = r'"((?:[^"\\]|\\.)*)"'


# -- the source --

def split_call(text, start):
    """The arguments of the call whose "(" is at start."""
    depth, quoted, arguments, begin = 0, False, [], start + 1
    i = start
    while True:
        c = text[i]
        if quoted:
            if c == "\\":
                i += 1
            quoted = c != '"'
        elif c == '"':
            quoted = True
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        if not quoted and (depth == 0 or (depth == 1 and c == ",")):
            arguments.append(text[begin:i])
            begin = i + 1
            if depth == 0:
                return arguments
        i += 1


def event_names(expression, text):
    """The literals of the expression, or of the table that it names."""
    names = re.findall(LITERAL, expression)
    if not names:
        table = re.match(r"\s*(\w+)\[", expression).group(1)
        names = re.findall(LITERAL, re.search(
            rf"\b{table}\[\] = {{(.*?)}};", text, re.S).group(1))
    assert names, expression
    return names


def events_of_source():
    """{event: keys}, the union over all the places that log it."""
    events = {}
    for path in glob.glob(os.path.join(TOP, "*", "*.c")):
        with open(path) as f:
            text = f.read()
        macros = {}
        for file in [path, *glob.glob(os.path.join(os.path.dirname(path),
                                                   "*.h"))]:
            with open(file) as f:
                macros.update(re.findall(
                    r"^#define (\w+)\(\w*\)((?:.*\\\n)*.*)$", f.read(),
                    re.M))
        for call in re.finditer(r"^\t+.*?\blog_(event|errno)\(", text, re.M):
            arguments = split_call(text, call.end() - 1)
            pairs = ",".join(arguments[2:])
            for macro, body in macros.items():
                if re.search(rf"\b{macro}\(", pairs):
                    pairs += body
            keys = re.findall(r'\blog_(?:text|address|number|delay)\([\s\\]*"'
                              r'([^"]*)"', pairs)
            if call.group(1) == "errno":
                keys = ["what", "reason"]
            elif path.endswith(os.path.join("common", "log.c")):
                continue
            for event in event_names(arguments[1], text):
                events.setdefault(event, set()).update(keys)
    return events


def page_lists(section):
    with open(PAGE) as f:
        text = re.search(rf"^\.Sh {section}\n(.*?)^\.Sh ", f.read(),
                         re.M | re.S).group(1)
    found = {}
    for item in re.findall(r"^\.It Li (.*)$", text, re.M):
        event = " ".join(w for w in item.split() if not w.endswith("="))
        assert event not in found or section == "KEYS", event
        found.setdefault(event, set()).update(
            w[:-1] for w in item.split() if w.endswith("="))
    return found


@pytest.fixture(scope="module")
def source():
    if not os.path.exists(os.path.join(TOP, "common", "log.c")) or \
            not os.path.exists(PAGE):
        pytest.skip("no source tree")
    events = events_of_source()
    assert len(events) > 50
    return events


def test_the_page_lists_every_event(source):
    listed = page_lists("EVENTS")
    assert {e: sorted(k) for e, k in listed.items()} == \
        {e: sorted(k) for e, k in source.items()}


def test_the_page_explains_every_key(source):
    assert sorted(page_lists("KEYS")[""]) == sorted(set().union(
        *source.values()))


def test_names_are_plain_words(source):
    for event, keys in source.items():
        assert re.fullmatch(r"[a-z0-9]+( [a-z0-9]+)*", event)
        for key in keys:
            assert re.fullmatch(r"[a-z]+(_[a-z]+)*", key)


# -- the story of a message --

def events_about(suite, ident):
    """What grep ID finds, event by event; every line has it as id=, or is
    the line that names it as a report."""
    found = []
    for line in suite.log_lines():
        if ident in line.text:
            assert ident in (line.get("id"), line.get("report")), line.text
            found.append(re.search(r"\]: (.*?) [a-z_]+=", line.text).group(1))
    return found


def only(suite, event, **pairs):
    """Lines of several programs come in any order: waits for it."""
    def wanted(line):
        return f"]: {event} " in line.text and all(
            line.get(k) == v for k, v in pairs.items())
    suite.wait_log(wanted)
    lines = [line for line in suite.log_lines() if wanted(line)]
    assert len(lines) == 1, suite.log_text()
    return lines[0]


def ended(suite, ident):
    only(suite, "accepted", id=ident)
    return only(suite, "removed", id=ident)


def send(smtp, sender, recipient, text=TEXT):
    smtp.ehlo_or_helo_if_needed()
    assert smtp.mail(sender)[0] == 250
    assert smtp.rcpt(recipient)[0] == 250
    code, reply = smtp.data(text)
    assert code == 250
    return re.search(rb"queued as (\w+)", reply).group(1).decode()


def test_story_of_a_local_message(suite):
    with suite.smtp() as smtp:
        ident = send(smtp, STRANGER, ANN)
    assert ended(suite, ident)["reason"] == "done"
    assert sorted(events_about(suite, ident)) == sorted(
        ["queued", "accepted", "delivered", "removed"])
    line = only(suite, "accepted", id=ident)
    assert line["client"] == "127.0.0.1" and line["helo"]
    assert line["from"] == f"<{STRANGER}>" and line["to"] == f"<{ANN}>"
    assert "auth" not in line
    line = only(suite, "queued", id=ident)
    assert int(line["size"]) > len(TEXT) and line["recipients"] == "1"
    assert "uid" not in line
    line = only(suite, "delivered", id=ident)
    assert line["to"] == f"<{ANN}>" and line["status"] == "sent"
    assert line["dsn"].startswith("2.") and "mailbox" in line["relay"]
    assert float(line["delay"]) >= 0
    with open(suite.wait_maildir(ANN)[0]) as f:
        assert ident in f.read()


def test_story_of_a_relayed_message(make_suite):
    with Sink() as sink:
        suite = make_suite(users=[ANN],
                           extra=[f"relay-host [{sink.address}]:{sink.port}"])
        suite.start()
        with suite.submission(ANN) as smtp:
            ident = send(smtp, ANN, "bob@peer.test")
        ended(suite, ident)
        assert sorted(events_about(suite, ident)) == sorted(
            ["queued", "accepted", "connected", "delivered", "removed"])
        assert only(suite, "accepted", id=ident)["auth"] == ANN
        line = only(suite, "connected", id=ident)
        assert line["tls"] == line["verified"] == "no"
        assert line["reason"] == "STARTTLS is not offered"
        line = only(suite, "delivered", id=ident)
        assert line["tls"] == line["verified"] == "no"
        assert line["from"] == f"<{ANN}>"
        assert line["to"] == "<bob@peer.test>" and line["status"] == "sent"
        assert f"{sink.address}]:{sink.port}" in line["relay"]
        assert len(line["delays"].split("/")) >= 2
        line = only(suite, "login", auth=ANN)
        assert line["client"] == "127.0.0.1" and line["service"] == "smtpd"


# -- what a postmaster looks for --

def test_refusals(suite):
    with suite.smtp() as smtp:
        smtp.ehlo("probe.test")
        smtp.mail(STRANGER)
        assert smtp.rcpt("nobody@example.test")[0] == 550
        assert smtp.docmd("RCPT TO:<a b@example.test>")[0] == 501
    for line in (only(suite, "refused", to="<nobody@example.test>"),
                 only(suite, "refused", what="TO:<a b@example.test>")):
        assert line["client"] == "127.0.0.1" and line["helo"] == "probe.test"
        assert line["from"] == f"<{STRANGER}>"
        assert line["dsn"].startswith("5.") and line["reason"]


def test_sessions_that_end_badly(make_suite):
    suite = make_suite(users=[ANN], extra=["smtp-timeout 1s"]).start()
    with suite.smtp() as smtp:
        smtp.ehlo("gone.test")
        smtp.mail(STRANGER)
        smtp.sock.close()
        smtp.sock = smtp.file = None
    with suite.smtp() as smtp:
        smtp.ehlo("slow.test")
        assert smtp.getreply()[0] == 421
    with suite.smtp() as smtp:
        smtp.ehlo("wrong.test")
        with pytest.raises(smtplib.SMTPServerDisconnected):
            while True:
                smtp.docmd("NONSENSE")
    for event, helo, reason in (
            ("session lost", "gone.test", "connection closed"),
            ("session lost", "slow.test", "timeout"),
            ("session closed", "wrong.test", "too many errors")):
        line = suite.wait_log(lambda l, helo=helo: l.get("helo") == helo)
        assert f"]: {event} client=127.0.0.1 " in line.text
        assert line["reason"] == reason
    assert suite.wait_log("gone.test")["from"] == f"<{STRANGER}>"


FAILED_LOGIN = (r"userdb\[\d+\]: login failed client=([0-9a-f.:]+) "
                r"service=(smtpd|pop3d) ")


def try_smtp(suite, name):
    with suite.smtp("submission") as smtp:
        smtp.ehlo()
        text = b"\0" + name + b"\0Guess-5ecret"
        assert smtp.docmd(
            "AUTH PLAIN", base64.b64encode(text).decode())[0] == 535


def try_pop3(suite, name):
    with suite.connect("pop3") as s, s.makefile("rb") as replies:
        assert replies.readline().startswith(b"+OK")
        for line in (b"USER " + name, b"PASS Guess-5ecret"):
            s.sendall(line + b"\r\n")
            reply = replies.readline()
        assert reply.startswith(b"-ERR")


@pytest.mark.parametrize("service,attempt", [
    ("smtpd", try_smtp), ("pop3d", try_pop3)])
def test_failed_login_gives_one_line(suite, service, attempt):
    attempt(suite, ANN.encode())
    attempt(suite, b"nobody@example.test")
    wait_for(lambda: suite.log_text().count(": login failed ") == 2,
             suite.log)
    lines = [l for l in suite.log_lines()
             if re.search(FAILED_LOGIN, l.text)]
    assert [l["auth"] for l in lines] == [ANN, "nobody@example.test"]
    assert [l["reason"] for l in lines] == ["wrong password",
                                            "no such login"]
    assert {l["client"] for l in lines} == {"127.0.0.1"}
    assert {l["service"] for l in lines} == {service}
    assert "Guess-5ecret" not in suite.log_text() + suite.stderr_text()


# -- what an attacker would like to write there --

FORGED = b"userdb[1]: login failed client=192.0.2.66 service=pop3d auth=x"


def test_nobody_outside_writes_lines(suite):
    evil = [b"\n", b"\r", b"\x1b[2J", b"\x07", b"\x7f", b"\xc2\x9b",
            b"\xe2\x80\xae", b"\xe2\x80\xa8", b"\xff", b'" ', b"\\"]
    for octets in evil:
        name = b"a" + octets + FORGED
        with suite.connect() as s, s.makefile("rb") as replies:
            replies.readline()
            s.sendall(b"HELO " + name + b"\r\nHELO h.test\r\n"
                      b"MAIL FROM:<" + name + b"@x.test>\r\n"
                      b"MAIL FROM:<\"" + octets.replace(b'"', b'\\"')
                      + b"> " + FORGED + b"\"@x.test>\r\n"
                      b"RCPT TO:<" + name + b">\r\nQUIT\r\n")
            replies.read()
        try_smtp(suite, name)
        if octets not in (b"\n", b"\r"):
            try_pop3(suite, name)
    wait_for(lambda: len(re.findall(FAILED_LOGIN, suite.log_text())) >=
             2 * len(evil) - 2, suite.log)
    with open(suite.log, "rb") as f:
        log = f.read()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", log)
    for octets in (b"\xc2\x9b", b"\xe2\x80\xae", b"\xe2\x80\xa8", b"\xff"):
        assert octets not in log
    for line in log.decode().splitlines():
        assert re.match(r"[0-9T:.-]+Z [a-z0-9-]+\[\d+\]: [a-z]", line), line
        assert LogLine(line).get("client", "127.0.0.1") == "127.0.0.1", line
    for line in log.decode().splitlines():
        found = re.match(rf"\S+ {FAILED_LOGIN}", line)
        assert found is None or found.group(1) == "127.0.0.1", line


def test_fail2ban(suite, source, tool):
    """The filter that is installed finds who guesses, and nobody else, even
    when the guesser writes what looks like a line about somebody else."""
    found = os.path.join(TOP, "etc", "fail2ban", "postrider.conf")
    with suite.connect() as s, s.makefile("rb") as replies:
        replies.readline()
        s.sendall(b"HELO h.test\r\n")
        replies.readline()
        s.sendall(b"MAIL FROM:<a b " + FORGED + b" >\r\nQUIT\r\n")
        replies.read()
    try_smtp(suite, ANN.encode() + b" " + FORGED)
    try_pop3(suite, ANN.encode())
    with suite.submission(ANN):
        pass
    wait_for(lambda: len(re.findall(r"service=(?:smtpd|pop3d) .*auth=",
                                    suite.log_text())) >= 3, suite.log)
    done = subprocess.run(
        [tool("fail2ban-regex"), "--out", "ip", suite.log, found],
        capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["127.0.0.1", "127.0.0.1"]
    # As syslog has it, and what is refused without a look.
    with open(suite.path("syslog"), "w") as f:
        f.write("Nov 25 15:00:00 mx postrider: userdb[8]: login failed "
                "client=2001:db8::1 service=pop3d auth=x reason=\"no\"\n"
                "2026-11-25T15:00:01.5+00:00 mx postrider: userdb[8]: login "
                "refused client=192.0.2.9 service=smtpd mechanism=PLAIN "
                "auth=y\n"
                "Nov 25 15:00:02 mx postrider: smtpd[9]: refused "
                "client=192.0.2.8 helo=\"" + FORGED.decode() + "\"\n"
                "Nov 25 15:00:03 mx postrider: userdb[8]: login failed "
                "client=local service=admin auth=root\n")
    done = subprocess.run(
        [tool("fail2ban-regex"), "--out", "ip", f.name, found],
        capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2001:db8::1", "192.0.2.9"]
