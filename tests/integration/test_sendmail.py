# SPDX-License-Identifier: ISC
"""sendmail, mailq and newaliases: first against a fake queue that looks at
every word they say, then against the whole suite, called as programs do."""
import email
import email.policy
import json
import os
import pwd
import re
import shutil
import stat
import subprocess

import pytest

from fakequeue import FakeQueue
from suite import can_trace, program

EX_USAGE, EX_DATAERR, EX_NOUSER = 64, 65, 67
EX_UNAVAILABLE, EX_TEMPFAIL, EX_CONFIG = 69, 75, 78

CRON = b"""From: root (Cron Daemon)
To: ann
Subject: Cron <ann@mail> echo hello
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit
X-Cron-Env: <SHELL=/bin/sh>

hello
gr\xc3\xbc\xc3\x9fe
"""


class Fake:
    """A config and a run-dir whose public socket a FakeQueue holds."""

    def __init__(self, folder):
        self.folder = str(folder)
        os.chmod(self.folder, 0o755)
        self.run_dir = os.path.join(self.folder, "run")
        os.makedirs(os.path.join(self.run_dir, "public"))
        self.config = os.path.join(self.folder, "postrider.conf")
        self.write_config()
        self.queue = None

    def write_config(self, *lines):
        with open(self.config, "w") as f:
            f.write("hostname mail.example.test\ndomain example.test\n"
                    f"run-dir {self.run_dir}\n" + "\n".join(lines) + "\n")

    def start(self, **options):
        self.queue = FakeQueue(
            os.path.join(self.run_dir, "public", "queue"), **options)
        return self.queue

    def call(self, *arguments, input=b"", name="sendmail", **options):
        return subprocess.run(
            [program(name), "-c", self.config, *arguments], input=input,
            capture_output=True, timeout=60, **options)

    def send(self, *arguments, **options):
        """One message that must arrive."""
        before = len(self.queue.messages)
        done = self.call(*arguments, **options)
        assert (done.returncode, done.stderr) == (0, b""), done
        return self.queue.wait(before + 1)[-1]


@pytest.fixture
def fake(tmp_path):
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.geteuid() and parent.name != "tmp":
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
    made = Fake(tmp_path)
    yield made
    if made.queue:
        made.queue.close()


def me():
    return pwd.getpwuid(os.getuid()).pw_name


# -- what arrives --

def test_cron(fake):
    fake.start()
    m = fake.send("-FCronDaemon", "-i", "-B8BITMIME", "-oem", "ann",
                  input=CRON)
    assert m["recipients"] == ["ann@example.test"]
    assert m["sender"] == f"{me()}@example.test"
    assert m["body"] == "8bitmime" and m["utf8"] == "0"
    assert m["protocol"] == "local"
    assert m["local"] == (f"Return-Path: <{me()}@example.test>\n"
                          "Delivered-To: ann@example.test\n").encode()
    head, _, body = m["content"].partition(b"\n\n")
    assert body == "hello\ngrüße\n".encode()
    assert re.fullmatch(
        rb"Received: by mail.example.test \(Postrider\) with local id "
        rb"0000000000000000\n\t\(uid %d\); \w{3}, \d+ \w{3} 2001 [\d:]+ "
        rb"[+-]\d{4}\n"
        rb"From: root@example.test \(Cron Daemon\)\nTo: ann@example.test\n"
        rb"Subject: Cron <ann@mail> echo hello\n(.|\n)*"
        rb"X-Cron-Env: <SHELL=/bin/sh>\n"
        rb"Date: .*\nMessage-ID: <[^<>]+@mail.example.test>"
        % os.getuid(), head)


def test_requests_for_reports(fake):
    """-N, -R and -V, as Sendmail and Postfix have them (RFC 3461)."""
    fake.start()
    m = fake.send("-N", "success,delay", "-R", "full", "-V", "x y", "ann",
                  "bob", input=b"hi\n")
    assert m["notify"] == ["success,delay"] * 2
    assert (m["ret"], m["envid"]) == ("full", "x y")
    m = fake.send("ann", input=b"hi\n")
    assert m["notify"] == [None]
    assert "ret" not in m and "envid" not in m
    done = fake.call("-N", "always", "ann", input=b"hi\n")
    assert done.returncode == os.EX_USAGE and b"-N" in done.stderr


def test_ordinary_user_is_known_by_uid(fake, as_root):
    fake.start()
    nobody = pwd.getpwnam("nobody")
    m = fake.send("ann", input=b"\nhi\n", user=nobody.pw_uid,
                  group=nobody.pw_gid, extra_groups=[],
                  env={"USER": "root", "LOGNAME": "root"})
    assert m["uid"] == nobody.pw_uid
    assert m["sender"] == "nobody@example.test"
    assert b"(uid %d)" % nobody.pw_uid in m["content"]
    assert b"\nFrom: nobody <nobody@example.test>\n" in m["content"]


def test_headers_name_the_recipients_and_bcc_goes(fake):
    fake.start()
    m = fake.send(
        "-t", "-i", "-fweb@example.org", "-F", "The \"Web\"",
        input=b"To: Bob <bob@example.net>, ann\nCc: cc@example.net\n"
        b"bCC: secret@example.net,\n hidden@example.net\n"
        b"Return-Path: <forged@example.net>\nSubject: x\n\n.\nbody")
    assert m["sender"] == "web@example.org"
    assert m["recipients"] == [
        "bob@example.net", "ann@example.test", "cc@example.net",
        "secret@example.net", "hidden@example.net"]
    assert m["local"] == b"Return-Path: <web@example.org>\n"
    assert m["content"].endswith(b"\n\n.\nbody\n")
    for gone in (b"secret", b"hidden", b"forged"):
        assert gone not in m["content"]
    assert b'\nFrom: "The \\"Web\\"" <web@example.org>\n' in m["content"]
    assert b"\nTo: Bob <bob@example.net>, ann@example.test\n" in m["content"]


def test_line_ends_dots_and_nuls(fake):
    fake.start()
    m = fake.send("x", input=b"A: b\r\n\r\nc\rd\0\r\n..\r\n.\r\nnot this\r\n")
    assert m["content"].endswith(b"\n\nc\nd\n..\n")
    assert b"\r" not in m["content"] and b"\0" not in m["content"]


def test_addresses_behind_dashes(fake):
    fake.start()
    m = fake.send("--", "-oQ/tmp", "|/bin/sh", "/etc/passwd", input=b"\nx\n")
    assert m["recipients"] == ["-oQ/tmp@example.test",
                               "|/bin/sh@example.test",
                               "/etc/passwd@example.test"]


def test_without_a_configured_domain(fake):
    with open(fake.config, "w") as f:
        f.write(f"hostname mail.example.test\nrun-dir {fake.run_dir}\n")
    fake.start()
    m = fake.send("ann", input=b"\nx\n")
    assert m["recipients"] == ["ann@mail.example.test"]
    done = fake.call("-bs", input=b"HELO x\r\nMAIL FROM:<a>\r\n"
                     b"RCPT TO:<b>\r\nDATA\r\n\r\nx\r\n.\r\nQUIT\r\n")
    assert done.returncode == 0
    assert fake.queue.wait(2)[1]["sender"] == "a@mail.example.test"


def test_without_standard_descriptors(fake):
    """None of them may be taken by the message or the queue's socket."""
    fake.start()
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", program("sendmail"), "-c",
         fake.config, "ann"], input=b"\nx\n", timeout=60)
    assert done.returncode == 0
    m, = fake.queue.wait(1)
    assert m["content"].endswith(b"\n\nx\n")
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", program("sendmail"),
         "-c", fake.config, "@@"], timeout=60)
    assert done.returncode == EX_USAGE


def test_null_sender(fake):
    fake.start()
    for sender in ("", "<>"):
        m = fake.send("-f", sender, "x", input=b"\nx\n")
        assert m["sender"] == ""
        assert m["local"].startswith(b"Return-Path: <>\n")
        assert f"{me()}@example.test".encode() in m["content"]


def test_many_recipients_go_in_portions(fake):
    fake.write_config("max-recipients 100")
    fake.start()
    everybody = [f"u{i}@example.test" for i in range(250)]
    done = fake.call(*everybody, input=b"\nx\n")
    assert done.returncode == 0
    assert [len(m["recipients"]) for m in fake.queue.wait(3)] == [
        100, 100, 50]
    got = sum((m["recipients"] for m in fake.queue.messages), [])
    assert got == everybody
    ids = {re.search(rb"\nMessage-ID: (.*)\n", m["content"])[1]
           for m in fake.queue.messages}
    assert len(ids) == 1


def test_utf8_addresses(fake):
    fake.start()
    m = fake.send("jürgen@example.test", input=b"\nx\n")
    assert m["utf8"] == "1"


# -- what is refused --

@pytest.mark.parametrize("arguments, text, code, says", [
    ([], b"\nx\n", EX_USAGE, b"no recipients"),
    (["-t"], b"Subject: x\n\nx\n", EX_USAGE, b"no recipients in the header"),
    (["-t"], b"To: a@@b\n\nx\n", EX_DATAERR, b"in the header"),
    (["a@@b"], b"\nx\n", EX_USAGE, b"a@@b: "),
    (["-f", "a@@b", "x"], b"\nx\n", EX_USAGE, b"-f a@@b: "),
    (["-Z", "x"], b"\nx\n", EX_USAGE, b"unknown option -Z"),
    (["-bd"], b"", EX_USAGE, b"postrider"),
    (["x"], b"\n" + b"x" * 999 + b"\n", EX_DATAERR, b"999 octets"),
    (["x"], b"\n" + b"y\n" * 600, EX_UNAVAILABLE, b"1024 octets"),
    (["x"], b"Received: x\n" * 11 + b"\nx\n", EX_UNAVAILABLE, b"loop"),
])
def test_refusals_say_why(fake, arguments, text, code, says):
    fake.write_config("max-message-size 1K", "max-hops 10")
    fake.start()
    done = fake.call(*arguments, input=text)
    assert done.returncode == code, done
    assert says in done.stderr
    assert not fake.queue.messages


def test_one_refused_recipient_does_not_stop_the_others(fake):
    fake.start(refuse={"no@example.test": "user-unknown"})
    done = fake.call("ann", "no", "bob", input=b"\nx\n")
    assert done.returncode == EX_NOUSER
    assert b"<no@example.test>" in done.stderr
    assert [m["recipients"] for m in fake.queue.wait(1)] == [
        ["ann@example.test", "bob@example.test"]]
    done = fake.call("no", input=b"\nx\n")
    assert done.returncode == EX_NOUSER
    assert len(fake.queue.messages) == 1


def test_without_a_suite(fake):
    for name, arguments in (("sendmail", ["x"]), ("mailq", [])):
        done = fake.call(*arguments, name=name, input=b"\nx\n")
        assert done.returncode == EX_TEMPFAIL
        assert b"not running" in done.stderr


def test_bad_config(fake):
    fake.write_config("hostnam x")
    done = fake.call("x", input=b"\nx\n")
    assert done.returncode == EX_CONFIG
    assert b"hostnam" in done.stderr


@pytest.mark.skipif(not can_trace() or not shutil.which("strace"),
                    reason="needs CAP_SYS_PTRACE and strace")
def test_names_are_synced_where_files_take_none_along(fake):
    """The fake's files lie on a tmpfs, of which fsync promises nothing for
    their names: the file system as a whole is written out before the end."""
    fake.start()
    trace = os.path.join(fake.folder, "trace")
    done = subprocess.run(
        ["strace", "-f", "-o", trace, "-e", "trace=fsync,syncfs,sendmsg",
         program("sendmail"), "-c", fake.config, "ann@example.test"],
        input=b"\nhello\n", capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    fake.queue.wait(1)
    with open(trace) as f:
        calls = [line for line in f if re.search(r"= 0$|synced", line)]
    names = [re.search(r"(\w+)\(", line)[1] for line in calls]
    assert names[-4:] == ["fsync", "fsync", "syncfs", "sendmsg"], calls


def test_disk_full(fake):
    fake.start(plays=["refuse-open"])
    done = fake.call("x", input=b"\nx\n")
    assert done.returncode == EX_TEMPFAIL
    assert b"4.3.1" in done.stderr


def test_queue_that_ends_or_babbles_is_asked_again(fake):
    fake.start(plays=["close", "garbage"])
    done = fake.call("x", input=b"\nx\n")
    assert done.returncode == 0
    assert fake.queue.connections == 3
    fake.queue.wait(1)


# -- SMTP on standard input --

def test_smtp(fake):
    fake.start()
    done = fake.call("-bs", input=(
        b"EHLO me\r\nMAIL FROM:<a@example.org> BODY=8BITMIME\r\n"
        b"RCPT TO:<ann>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n"
        b"Subject: x\r\nBcc: hidden@example.net\r\n\r\n..dot\r\n.\r\n"
        b"MAIL FROM:<>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n\r\ny\r\n.\r\n"
        b"QUIT\r\nNOOP\r\n"))
    assert done.returncode == 0
    codes = [int(l[:3]) for l in done.stdout.split(b"\r\n")
             if l and l[3:4] == b" "]
    assert codes == [220, 250, 250, 250, 250, 354, 250, 250, 250, 354, 250,
                     221]
    first, second = fake.queue.wait(2)
    assert first["recipients"] == ["ann@example.test", "bob@example.net"]
    assert first["content"].endswith(b"\n\n.dot\n")
    assert b"Bcc" not in first["content"]
    assert b" with ESMTP id " in first["content"]
    assert first["helo"] == "me"
    assert second["sender"] == ""


@pytest.mark.parametrize("line, code", [
    (b"HELO", b"501"), (b"RCPT TO:<a@b>", b"503"), (b"DATA", b"503"),
    (b"MAIL FROM:a@b", b"501"), (b"MAIL FROM:<a@b> X=Y", b"555"),
    (b"MAIL FROM:<a@b> SIZE=99999999999", b"552"), (b"EXPN x", b"500"),
    (b"", b"500"), (b"NOOP\0", b"500"), (b"x" * 5000, b"500"),
    (b"VRFY x", b"252"), (b"RSET", b"250"), (b"noop", b"250"),
])
def test_smtp_answers(fake, line, code):
    done = fake.call("-bs", input=line + b"\r\nQUIT\r\n")
    answers = done.stdout.split(b"\r\n")
    assert answers[1][:3] == code, answers
    assert answers[2][:3] == b"221", answers


@pytest.mark.parametrize("content, code", [
    (b"a\nb\r\n.\r\n", b"550"), (b"a\rb\r\n.\r\n", b"550"),
    (b"a\0b\r\n.\r\n", b"550"), (b"x" * 1000 + b"\r\n.\r\n", b"550"),
    (b"a\r\n\n.\nb\r\n.\r\n", b"550"), (b"y\r\n" * 600 + b".\r\n", b"552"),
])
def test_smtp_refuses_content(fake, content, code):
    fake.write_config("max-message-size 1K")
    fake.start()
    done = fake.call("-bs", input=b"HELO x\r\nMAIL FROM:<a@b>\r\n"
                     b"RCPT TO:<x>\r\nDATA\r\n\r\n" + content +
                     b"NOOP\r\nQUIT\r\n")
    answers = done.stdout.split(b"\r\n")
    assert answers[4][:3] == b"354"
    assert [a[:3] for a in answers[5:8]] == [code, b"250", b"221"], answers
    assert not fake.queue.messages


def test_smtp_without_a_suite(fake):
    done = fake.call("-bs", input=b"HELO x\r\nMAIL FROM:<a@b>\r\n"
                     b"RCPT TO:<x>\r\nDATA\r\n\r\nx\r\n.\r\nQUIT\r\n")
    assert b"\r\n451 " in done.stdout and b"not running" in done.stdout


def test_smtp_cut_off_in_data(fake):
    fake.start()
    done = fake.call("-bs", input=b"HELO x\r\nMAIL FROM:<a@b>\r\n"
                     b"RCPT TO:<x>\r\nDATA\r\n\r\nhalf")
    assert done.returncode == EX_DATAERR
    assert not fake.queue.messages


# -- the other names --

def test_newaliases(fake):
    for name, arguments in (("newaliases", []), ("sendmail", ["-bi"])):
        done = fake.call(*arguments, name=name)
        assert done.returncode == 0
        assert b"postrider-user" in done.stdout


def test_mailq(fake):
    fake.start()
    assert b"Mail queue is empty" in fake.call(name="mailq").stdout
    assert json.loads(fake.call("--json", name="mailq").stdout) == []
    fake.send("-f", "a@example.org", "ann", "bob", input=b"\nx\n")
    fake.send("-f", "", "ann", input=b"\nx\n")
    shown = fake.call("-bp")
    assert shown.returncode == 0
    assert re.fullmatch(
        rb"-Queue ID- .*\n"
        rb"0{16}   +\d+ \w{3} Sep +\d+ [\d:]{8}  a@example.org\n"
        rb" +\(no \?\[31manswer\)\n"
        rb" {49}ann@example.test\n {49}bob@example.test\n\n"
        rb"0{15}1   +\d+ \w{3} Sep +\d+ [\d:]{8}  MAILER-DAEMON\n"
        rb" +\(no \?\[31manswer\)\n {49}ann@example.test\n\n"
        rb"-- \d+ Kbytes in 2 Requests.\n", shown.stdout), shown.stdout
    listed = json.loads(fake.call("--json", name="mailq").stdout)
    assert [m["sender"] for m in listed] == ["a@example.org", ""]
    assert listed[0]["recipients"] == 2
    assert listed[0]["waiting"] == ["ann@example.test", "bob@example.test"]
    assert listed[0]["reason"] == "no \x1b[31manswer"


def test_mailq_names_the_first_of_many(fake):
    fake.write_config("max-recipients 200")
    fake.start()
    fake.send(*(f"u{i}" for i in range(150)), input=b"\nx\n")
    shown = fake.call(name="mailq").stdout
    assert b" u99@example.test\n" in shown and b"and 50 more\n" in shown
    assert b"u100@" not in shown


# -- programs that call it --

@pytest.fixture
def real(suite):
    """The suite, and a sendmail that needs no -c."""
    suite.wrapper = suite.path("sendmail")
    with open(suite.wrapper, "w") as f:
        f.write(f'#!/bin/sh\nexec {program("sendmail")} -c {suite.config} '
                '"$@"\n')
    os.chmod(suite.wrapper, 0o755)
    return suite


def the_message(suite, address="ann@example.test"):
    path, = suite.wait_maildir(address, 1)
    with open(path, "rb") as f:
        return email.message_from_binary_file(
            f, policy=email.policy.default)


def check(message, subject, text):
    assert message["Subject"] == subject
    assert text in message.get_content()
    assert message["Date"] and message["Message-ID"] and message["From"]
    assert "Postrider" in message["Received"]
    assert message["Return-Path"]


def test_suite_takes_it(either):
    either.sendmail("ann@example.test", message="Subject: hello\n\nThere.\n")
    check(the_message(either), "hello", "There.")
    either.wait_queue_empty()


def test_suite_and_cron(real):
    done = subprocess.run(
        [real.wrapper, "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "ann"],
        input=CRON, capture_output=True)
    assert done.returncode == 0, done
    check(the_message(real), "Cron <ann@mail> echo hello", "grüße")


def test_suite_refuses_who_is_not_there(real):
    done = real.sendmail("nobody-here@example.test", "ann@example.test",
                         message="Subject: x\n\nx\n", check=False)
    assert done.returncode == EX_NOUSER
    assert "nobody-here@example.test" in done.stderr
    check(the_message(real), "x", "x")


def test_suite_restarts_its_queue_meanwhile(real):
    real.kill_service("queue")
    real.sendmail("ann@example.test", message="Subject: x\n\nx\n", seconds=60)
    check(the_message(real), "x", "x")


def test_suite_tells_of_success(real):
    real.sendmail("-N", "success", "-V", "x=y", "-f", "ann@example.test",
                  "ann", message="Subject: x\n\nx\n")
    report = [text for path in real.wait_maildir("ann@example.test", 2)
              for text in [open(path, encoding="utf-8").read()]
              if "multipart/report" in text]
    assert "\nOriginal-Envelope-Id: x=y\n" in report[0]
    assert "\nAction: delivered\n" in report[0]
    real.wait_queue_empty()


def test_suite_and_mailq(real):
    """Nobody listens on smtp-port, so that the message waits."""
    assert "empty" in real.run("mailq").stdout
    real.sendmail("-f", "ann@example.test", "bob@[127.0.0.1]", "ann",
                  message="Subject: x\n\nx\n")
    real.wait_log("status=deferred")
    real.wait_log("status=sent")  # ann's copy, in whatever order
    shown = real.run("mailq").stdout
    assert "ann@example.test" in shown and "bob@[127.0.0.1]" in shown
    listed, = json.loads(real.run("mailq", "--json").stdout)
    assert listed["waiting"] == ["bob@[127.0.0.1]"]
    assert listed["recipients"] == 2 and listed["reason"]
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        theirs = real.run("mailq", user=nobody.pw_uid, group=nobody.pw_gid,
                          extra_groups=[])
        assert "empty" in theirs.stdout
    real.run("postrider-queue", "hold", listed["id"])
    assert f"{listed['id']}! " in real.run("mailq").stdout
    real.run("postrider-queue", "release", listed["id"])
    attempts = listed["attempts"]
    real.run("sendmail", "-q")
    real.wait_log(lambda line: line.get("status") == "deferred" and
                  real.log_text().count("status=deferred") > attempts)


def test_suite_and_mail(real, tool):
    home = real.path("home")
    os.mkdir(home)
    with open(os.path.join(home, ".mailrc"), "w") as f:
        f.write(f"set sendmail={real.wrapper}\nset sendwait\n")
    done = subprocess.run(
        [tool("mail"), "-s", "by mail", "ann@example.test"],
        input=b"Hello.\n", env={**os.environ, "HOME": home},
        capture_output=True, timeout=60)
    assert done.returncode == 0, done
    check(the_message(real), "by mail", "Hello.")


def test_suite_and_mutt(real, tool):
    done = subprocess.run(
        [tool("mutt"), "-n", "-F", "/dev/null",
         "-e", f'set sendmail="{real.wrapper} -oem -oi"',
         "-e", "set copy=no", "-e", "set from=bob@example.test",
         "-e", "set use_envelope_from=yes", "-e", "set sendmail_wait=0",
         "-b", "ann@example.test", "-s", "by mutt", "--",
         "ann@example.test"], input=b"Hello.\n", capture_output=True,
        env={**os.environ, "HOME": real.folder}, timeout=60)
    assert done.returncode == 0, done
    message = the_message(real)
    check(message, "by mutt", "Hello.")
    assert message["Return-Path"] == "<bob@example.test>"
    assert message["Bcc"] is None


def test_suite_and_git(real, tool):
    git = tool("git")
    for needed in ([git, "send-email", "--dump-aliases"],
                   [tool("perl"), "-MMail::Address", "-e1"]):
        if subprocess.run(needed, capture_output=True).returncode != 0:
            pytest.skip("git send-email is not installed")
    patch = real.path("0001-x.patch")
    with open(patch, "w") as f:
        f.write("From: Bob <bob@example.test>\nSubject: [PATCH] by git\n\n"
                "Why.\n---\n x | 1 +\n")
    done = subprocess.run(
        [git, "-c", "user.name=Bob", "-c", "user.email=bob@example.test",
             "-c", f"sendemail.smtpServer={real.wrapper}",
         "-c", "sendemail.confirm=never", "send-email", "--quiet",
         "--suppress-cc=all",
         "--from=Bob <bob@example.test>", "--to=ann@example.test", patch],
        capture_output=True, cwd=real.folder, timeout=60,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "HOME": real.folder, "GIT_DIR": real.folder,
             "EMAIL": "bob@example.test"})
    assert done.returncode == 0, done
    check(the_message(real), "[PATCH] by git", "Why.")


def test_suite_and_php(real, tool):
    done = subprocess.run(
        [tool("php"), "-n", "-d", f"sendmail_path={real.wrapper} -t -i",
         "-r", 'exit(mail("ann@example.test", "by php", "Hello.\n", '
         '"From: web@example.test\r\nX-A: b", "-fweb@example.test") '
         "? 0 : 1);"], capture_output=True, timeout=60)
    assert done.returncode == 0, done
    message = the_message(real)
    check(message, "by php", "Hello.")
    assert message["X-A"] == "b"
    assert message["Return-Path"] == "<web@example.test>"
