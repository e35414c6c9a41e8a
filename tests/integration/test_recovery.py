# SPDX-License-Identifier: ISC
"""One bad thing costs that one thing: services die, files are spoilt, the
disk is full, and the rest goes on."""
import os
import smtplib
import subprocess

import pytest

from suite import has
from test_clients import TEXT
from watch import wait_for

ANN = "ann@example.test"
FETCH = ["fetch"] if has("CURL") else []


def send(suite, client="x"):
    with suite.smtp() as smtp:
        smtp.sendmail("someone@elsewhere.test", [ANN],
                      TEXT.format(client=client))


@pytest.mark.parametrize("service", ["smtpd", "smtp-gate", "pop3d", "deliver",
                                     "queue", "mailbox", "userdb", "ledger",
                                     *FETCH])
def test_a_killed_service_comes_back(suite, service):
    send(suite)
    suite.wait_maildir(ANN, 1)
    gone = suite.kill_service(service)
    suite.wait_log(lambda l: " ready " in l.text and
                   l.get("service") == service and l["pid"] != str(gone))
    send_when_possible(suite)
    suite.wait_maildir(ANN, 2)
    pop3 = suite.pop3(ANN)
    assert pop3.stat()[0] == 2
    pop3.quit()
    assert set(suite.services()) == {"smtpd", "smtp-gate", "pop3d", "deliver",
                                     "queue",
                                     "mailbox", "userdb", "ledger", "keys",
                                     *FETCH}


def send_when_possible(suite):
    """As a client does: a 4xx is tried again, nothing else is."""
    for _ in range(100):
        try:
            return send(suite)
        except smtplib.SMTPRecipientsRefused as refusal:
            code = next(iter(refusal.recipients.values()))[0]
            assert 400 <= code < 500, refusal
        except smtplib.SMTPResponseException as refusal:
            assert 400 <= refusal.smtp_code < 500, refusal
        except (smtplib.SMTPServerDisconnected, ConnectionError):
            continue
    raise AssertionError("never accepted")


def test_restart_keeps_what_waits(make_suite):
    """Deferred mail and users survive; what was acknowledged is there."""
    suite = make_suite(users=[ANN]).start()
    with suite.submission(ANN) as smtp:
        smtp.sendmail(ANN, ["bob@peer.test"], TEXT.format(client="later"))
    suite.wait_log(lambda l: l.get("status") == "deferred")
    [ident] = suite.queued()
    suite.restart()
    assert suite.queued() == [ident]
    assert ident in suite.run("postrider-queue", "list").stdout
    shown = suite.run("postrider-queue", "show", ident).stdout
    assert "bob@peer.test" in shown
    suite.pop3(ANN).quit()


def test_a_corrupt_envelope_is_set_aside(make_suite):
    suite = make_suite(users=[ANN]).start()
    with suite.submission(ANN) as smtp:
        for n in range(3):
            smtp.sendmail(ANN, [f"bob{n}@peer.test"],
                          TEXT.format(client=n))
    suite.wait_log(lambda l: "bob2@peer.test" in l.get("to", "") and
                   l.get("status") == "deferred")
    idents = suite.queued()
    suite.stop()
    with open(os.path.join(suite.spool, "envelope", idents[1]), "r+b") as f:
        text = f.read()
        f.seek(0)
        f.write(b"\0\xff garbage\n" + text[11:])
    suite.start()
    suite.wait_log(lambda l: l.get("id") == idents[1])
    listed = suite.run("postrider-queue", "list").stdout
    assert idents[0] in listed and idents[2] in listed
    assert idents[1] not in listed
    kept = os.listdir(os.path.join(suite.spool, "quarantine"))
    assert any(idents[1] in name for name in kept)
    send(suite)
    suite.wait_maildir(ANN, 1)


def test_a_bad_config_starts_nothing(make_suite):
    suite = make_suite()
    suite.init()
    good = open(suite.config).read()
    for bad, words in (("listne smtp 127.0.0.1:1", ("listne", "listen")),
                       ("max-message-size lots", ("lots",)),
                       ("max-recipients 0", ("max-recipients",))):
        with open(suite.config, "w") as f:
            f.write(good + bad + "\n")
        line = good.count("\n") + 1
        done = suite.run("postrider", "start", "-f", check=False)
        assert done.returncode == 78, done  # EX_CONFIG
        assert f"{suite.config}:{line}:" in done.stderr, done.stderr
        for word in words:
            assert word in done.stderr
        assert not os.path.exists(os.path.join(suite.run_dir, "control"))


def test_reload_keeps_sessions_and_refuses_nobody(suite):
    old = suite.smtp()
    old.ehlo()
    old.docmd("MAIL FROM:<someone@elsewhere.test>")
    suite.write_config("max-recipients 3")
    suite.run("postrider", "reload")

    def applied():
        with suite.smtp() as smtp:
            smtp.ehlo()
            return "RCPTMAX=3" in smtp.esmtp_features.get("limits", "")
    wait_for(applied, suite.log, what="the new limit")
    assert old.docmd(f"RCPT TO:<{ANN}>")[0] == 250
    assert old.data(TEXT.format(client="old"))[0] == 250
    old.quit()
    suite.wait_maildir(ANN, 1)


def test_a_bad_reload_changes_nothing(suite):
    before = suite.parents()
    with open(suite.config, "a") as f:
        f.write("no-such-keyword 1\n")
    done = suite.run("postrider", "reload", check=False)
    assert done.returncode != 0 and "no-such-keyword" in done.stderr
    assert suite.parents() == before
    send(suite)
    suite.wait_maildir(ANN, 1)


def test_a_thousand_sessions_make_no_process(make_suite):
    """One after the other, on port 25: the pool serves them all.  It is
    the worker that serves and up to twice spare-processes idle ones."""
    spare = 2
    suite = make_suite(users=[ANN],
                       extra=[f"spare-processes {spare}"]).start()

    def workers():
        return {p for p in suite.services()["smtpd"]
                if p != suite.parents()["smtpd"]}
    seen = workers()
    for n in range(1000):
        with suite.connect() as s, s.makefile("rb") as f:
            assert f.readline().startswith(b"220 ")
            s.sendall(b"QUIT\r\n")
            assert f.readline().startswith(b"221 ")
        if n % 10 == 0:
            seen |= workers()
    seen |= workers()
    assert len(seen) <= 2 * spare + 1


@pytest.fixture
def small_disk(make_suite, tool, as_root):
    """A suite whose spool is a disk of a few MiB."""
    suite = make_suite(users=[ANN], extra=["max-message-size 40M"])
    suite.init()
    image = suite.path("image")
    with open(image, "wb") as f:
        f.truncate(12 << 20)
    info = os.stat(suite.spool)
    subprocess.run([tool("mkfs.ext4"), "-q", "-F", image], check=True)
    if subprocess.run([tool("mount"), "-o", "loop", image, suite.spool],
                      check=False, capture_output=True).returncode:
        pytest.skip("no loop devices here")
    try:
        os.chown(suite.spool, info.st_uid, info.st_gid)
        os.chmod(suite.spool, info.st_mode & 0o7777)
        suite.run("postrider", "init")
        suite.add_user(ANN)
        yield suite.start()
    finally:
        if suite.process:
            suite.stop()
        subprocess.run([tool("umount"), suite.spool], check=True)


def test_a_full_disk_is_temporary(small_disk):
    """4xx while it is full, no half message, and service resumes by
    itself (P4)."""
    suite = small_disk
    filler = os.path.join(suite.spool, "filler")
    with open(filler, "wb") as f:
        try:
            while True:
                f.write(b"x" * 65536)
                f.flush()
        except OSError:
            pass
    with suite.smtp() as smtp:
        with pytest.raises(smtplib.SMTPException) as refusal:
            smtp.sendmail("someone@elsewhere.test", [ANN],
                          "Subject: big\n\n" + "x" * 70 + "\n" +
                          ("y" * 70 + "\n") * 20000)
    code = getattr(refusal.value, "smtp_code", None)
    assert code in (451, 452), refusal.value
    assert suite.messages(ANN) == [] and suite.queued() == []
    os.unlink(filler)
    send(suite)
    suite.wait_maildir(ANN, 1)
