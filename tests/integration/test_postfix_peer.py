# SPDX-License-Identifier: ISC
"""Mail to and from Debian's Postfix, found through MX records."""
import contextlib
import email
import os
import smtplib
import subprocess

import pytest

from peers import Dns, Postfix, Sink, loopback_address
from suite import PASSWORD, SECONDS, free_port
from test_clients import TEXT, call, fetchmail

ANN, BOB = "ann@example.test", "bob@peer.test"
# Postfix can be told of a resolver's address, not of its port; and takes
# 127.0.0.1 for itself.  So everybody has an address of his own.
RESOLVER, US, THEM = loopback_address(), "127.0.0.3", "127.0.0.2"


@contextlib.contextmanager
def both(make_suite, tool, *extra):
    for name in ("postfix", "nsd", "unshare"):
        tool(name)
    if subprocess.run(["unshare", "-m", "true"], check=False,
                      capture_output=True).returncode != 0:
        pytest.skip("no mount namespace for Postfix's resolv.conf")
    zones = {
        "example.test": f"@ MX 10 mail\nmail A {US}",
        "peer.test": f"@ MX 5 gone\n@ MX 10 mx\ngone A 127.0.0.9\n"
                     f"mx A {THEM}",
    }
    port = free_port(THEM)
    suite = make_suite(
        users=[ANN], listen=[("smtp", US), "submission", "pop3"], extra=extra,
        dns_server=f"{RESOLVER}:53", smtp_port=port)
    with Dns(zones, RESOLVER, 53), \
            Postfix("peer.test", THEM, RESOLVER,
                    {"example.test": suite.ports["smtp"]}, port) as postfix:
        suite.postfix = postfix
        yield suite.start()


@pytest.fixture
def world(make_suite, tool, as_root):
    """Our suite and a Postfix, each the other's remote MX."""
    with both(make_suite, tool) as suite:
        yield suite


def test_there_and_back(world, tool):
    """swaks to us, we to their MX, the answer to ours, fetchmail gets it."""
    postfix = world.postfix
    call(tool("swaks"), "--server", f"127.0.0.1:{world.ports['submission']}",
         "--auth-user", ANN, "--auth-password", PASSWORD, "--from", ANN,
         "--to", BOB, "--data", "-", input=TEXT.format(client="swaks"))
    [path] = postfix.wait_maildir()
    with open(path) as f:
        message = email.message_from_file(f)
    assert message["Subject"] == "by swaks"
    assert message["Return-Path"] == f"<{ANN}>"
    assert any("by mail.example.test" in hop
               for hop in message.get_all("Received"))
    line = world.wait_log(
        lambda l: BOB in l.get("to", "") and "status" in l)
    assert line["status"] == "sent" and f"[{THEM}]" in line["relay"]
    world.wait_queue_empty()

    call(tool("swaks"), "--server", f"{THEM}:{postfix.port}",
         "--from", BOB, "--to", ANN, "--data", "-",
         input=TEXT.format(client="answer"))
    world.wait_maildir(ANN, seconds=SECONDS * 2)
    text = fetchmail(world, tool("fetchmail"), ANN, world.path("fetched"))
    assert "Bonjour from answer." in text
    assert world.messages(ANN) == []


def test_many_recipients_share_a_transaction(world):
    users = [f"bob+{n}@peer.test" for n in range(20)]
    with open(world.postfix.path("conf/virtual"), "a") as f:
        f.writelines(f"{u} bob/\n" for u in users)
    subprocess.run(["postfix", "-c", world.postfix.path("conf"), "reload"],
                   check=True, capture_output=True, timeout=SECONDS)
    with world.submission(ANN) as smtp:
        smtp.sendmail(ANN, users, TEXT.format(client="many"))
    world.postfix.wait_maildir(len(users))
    log = world.postfix.log_text()
    assert log.count("rcpt=20") == 1 or log.count("nrcpt=20") == 1, log


def test_their_refusal_bounces(world):
    with world.submission(ANN) as smtp:
        smtp.sendmail(ANN, ["nobody@peer.test"], TEXT.format(client="x"))
    [path] = world.wait_maildir(ANN)
    with open(path) as f:
        dsn = email.message_from_file(f)
    assert dsn.get_content_type() == "multipart/report"
    assert dsn["Return-Path"] == "<>"
    report = dsn.get_payload()[1].as_string()
    assert "Final-Recipient: rfc822; nobody@peer.test" in report.replace(
        "rfc822;nobody", "rfc822; nobody")
    assert "Action: failed" in report and "Status: 5.1.1" in report
    world.wait_queue_empty()


def test_our_refusal_reaches_their_sender(world):
    """An unknown user is refused at RCPT: their Postfix writes the bounce,
    we owe none."""
    with smtplib.SMTP(THEM, world.postfix.port) as smtp:
        smtp.sendmail(BOB, ["nobody@example.test"], TEXT.format(client="x"))
    [path] = world.postfix.wait_maildir()
    with open(path) as f:
        text = f.read()
    assert "550 5.1.1" in text.replace("\n    ", " ")
    assert world.queued() == []


# -- DSN, RFC 3461 --

def dsn_of(path):
    """(envelope id, fields of the one recipient) of a report."""
    with open(path) as f:
        message = email.message_from_file(f)
    assert message.get_content_type() == "multipart/report"
    assert message["Return-Path"] == "<>"
    head, fields = message.get_payload()[1].get_payload()
    return head["Original-Envelope-Id"], {
        name: value.replace("; ", ";") for name, value in fields.items()}


def send_to_them(world, before=0):
    """Their report on a message of theirs to ours."""
    with smtplib.SMTP(THEM, world.postfix.port) as smtp:
        smtp.sendmail(BOB, [ANN], TEXT.format(client="x"),
                      mail_options=["RET=FULL", "ENVID=x+2By"],
                      rcpt_options=["NOTIFY=SUCCESS",
                                    "ORCPT=rfc822;Ann@first.test"])
    paths = world.postfix.wait_maildir(before + 1)
    return dsn_of(max(paths, key=os.path.getmtime))


def test_they_report_what_we_passed_on(world):
    """NOTIFY, ENVID and ORCPT reach their Postfix, which keeps to them."""
    with world.submission(ANN) as smtp:
        smtp.sendmail(ANN, [BOB], TEXT.format(client="x"),
                      mail_options=["RET=HDRS", "ENVID=ab+2Bc"],
                      rcpt_options=["NOTIFY=SUCCESS",
                                    "ORCPT=rfc822;Old+2Bbob@first.test"])
    [path] = world.wait_maildir(ANN, seconds=SECONDS * 2)
    envid, fields = dsn_of(path)
    assert envid == "ab+c" and fields["Action"] == "delivered"
    assert fields["Original-Recipient"] == "rfc822;Old+bob@first.test"
    assert fields["Final-Recipient"] == f"rfc822;{BOB}"
    world.postfix.wait_maildir()
    # Only they have sent one.
    assert " reported " not in world.log_text()
    with world.submission(ANN) as smtp:
        smtp.sendmail(ANN, ["nobody@peer.test"], TEXT.format(client="y"),
                      rcpt_options=["NOTIFY=NEVER"])
    world.wait_log(lambda l: " not bounced " in l.text)
    world.wait_queue_empty()
    assert len(world.messages(ANN)) == 1
    # To strangers we offer no DSN: they tell their user that it came here.
    envid, fields = send_to_them(world, 1)
    assert (envid, fields["Action"]) == ("x+y", "relayed")
    assert " reported " not in world.log_text()


def test_we_report_where_everybody_may_ask(make_suite, tool, as_root):
    with both(make_suite, tool, "offer-dsn everybody") as world:
        envid, fields = send_to_them(world)
        assert (envid, fields["Action"]) == ("x+y", "delivered")
        assert fields["Original-Recipient"] == "rfc822;Ann@first.test"
        assert fields["Final-Recipient"] == f"rfc822;{ANN}"
        line = world.wait_log(lambda l: " reported " in l.text)
        assert line["to"] == f"<{BOB}>"
        world.wait_queue_empty()


def test_waits_for_a_peer_that_is_down(make_suite, tool):
    """Nobody listens: deferred; then somebody does, and flush delivers."""
    tool("nsd"), tool("smtp-sink")
    with Dns({"peer.test": f"@ MX 10 mx\nmx A {THEM}"}) as dns:
        sink = Sink(THEM)
        port = sink.port
        sink.close()
        suite = make_suite(users=[ANN], dns_server=dns.server,
                           smtp_port=port).start()
        with suite.submission(ANN) as smtp:
            smtp.sendmail(ANN, [BOB], TEXT.format(client="later"))
        line = suite.wait_log(lambda l: l.get("status") == "deferred")
        assert line["dsn"].startswith("4.")
        [ident] = suite.queued()
        assert os.path.exists(os.path.join(suite.spool, "cur", ident))
        with Sink(THEM, port=port) as sink:
            suite.run("postrider-queue", "flush")
            [path] = sink.wait_taken(1)
            with open(path) as f:
                assert "Bonjour from later." in f.read()
        suite.wait_queue_empty()


def test_without_mx_the_address_record_is_used(make_suite, tool):
    tool("nsd"), tool("smtp-sink")
    with Dns({"peer.test": f"@ A {THEM}"}) as dns, Sink(THEM) as sink:
        suite = make_suite(users=[ANN], dns_server=dns.server,
                           smtp_port=sink.port).start()
        with suite.submission(ANN) as smtp:
            smtp.sendmail(ANN, [BOB], TEXT.format(client="a"))
        sink.wait_taken(1)


@pytest.mark.parametrize("records, status", [
    ("@ MX 0 .", "5.1.10"),
    ("@ TXT nothing", "5."),
])
def test_domains_without_mail_bounce(make_suite, tool, records, status):
    """RFC 7505 null MX; neither MX nor address."""
    tool("nsd")
    with Dns({"peer.test": records}) as dns:
        suite = make_suite(users=[ANN], dns_server=dns.server).start()
        with suite.submission(ANN) as smtp:
            smtp.sendmail(ANN, [BOB], TEXT.format(client="x"))
        [path] = suite.wait_maildir(ANN)
        with open(path) as f:
            assert f"Status: {status}" in f.read()
        suite.wait_queue_empty()
