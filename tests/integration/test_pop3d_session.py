# SPDX-License-Identifier: ISC
"""pop3d with the real mailbox behind it, and a userdb that is a test."""
import os
import poplib
import socket
import subprocess
import time

import pytest

from internal import Packet, Pop3House, children, status_of
from suite import SECONDS, program, sanitized

ANN = "ann@example.test"
MESSAGES = [
    b"Subject: one\n\nbody\n",
    b"Subject: dots\n\n.\n..\n.x\nend\n",
    b"Subject: no line end\n\nlast",
    b"Subject: crlf\r\n\r\nbody\r\n",
    b"Subject: bare cr\n\na\rb\n",
    b"Subject: header only\n",
    b"",
    b"Subject: long\n\n" + b"y" * 300000 + b"\n",
    b"Subject: 8bit\n\n\xff\xfe\x00\n",
]


@pytest.fixture
def house():
    with Pop3House(root=False) as made:
        yield made


@pytest.fixture
def full(house):
    house.fill(ANN, MESSAGES)
    return house


def as_sent(message):
    """What of a stored message a client has after unstuffing."""
    lines = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if lines and not lines.endswith(b"\n"):
        lines += b"\n"
    return lines.replace(b"\n", b"\r\n")


class Raw:
    """A client that says what it is told to."""

    def __init__(self, house, login=None):
        self.socket = house.raw()
        self.file = self.socket.makefile("rb")
        self.greeting = self.line()
        if login:
            assert self.ask("USER " + login).startswith("+OK")
            assert self.ask("PASS secret").startswith("+OK")

    def line(self):
        return self.file.readline().decode("latin-1")

    def say(self, text):
        self.socket.sendall(text if isinstance(text, bytes)
                            else text.encode())

    def ask(self, text):
        self.say(text + "\r\n")
        return self.line()

    def lines(self):
        """Up to the end of a multi-line answer, as they came."""
        got = []
        while True:
            line = self.file.readline()
            assert line.endswith(b"\r\n"), line[-40:]
            if line == b".\r\n":
                return got
            got.append(line)

    def at_end(self):
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def test_every_command(full):
    pop3 = full.pop3()
    assert pop3.getwelcome().startswith(b"+OK mail.example.test")
    assert set(pop3.capa()) == {
        "USER", "SASL", "TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE",
        "PIPELINING", "EXPIRE", "IMPLEMENTATION"}
    pop3.user(ANN)
    pop3.pass_("secret")
    sent = [as_sent(m) for m in MESSAGES]
    assert pop3.stat() == (len(sent), sum(map(len, sent)))
    listed = [int(l.split()[1]) for l in pop3.list()[1]]
    assert listed == [len(s) for s in sent]
    for i, s in enumerate(sent, 1):
        assert pop3.list(i).split() == [b"+OK", b"%d" % i, b"%d" % len(s)]
    uidls = [l.split()[1] for l in pop3.uidl()[1]]
    assert len(set(uidls)) == len(sent)
    assert pop3.uidl(2).split()[2] == uidls[1]
    assert pop3.noop().startswith(b"+OK")
    pop3.dele(1)
    assert pop3.stat() == (len(sent) - 1, sum(map(len, sent[1:])))
    assert [int(l.split()[0]) for l in pop3.list()[1]] == list(
        range(2, len(sent) + 1))
    pop3.rset()
    assert pop3.stat()[0] == len(sent)
    pop3.dele(2)
    assert pop3.quit().startswith(b"+OK")
    again = full.pop3(ANN)
    assert [l.split()[1] for l in again.uidl()[1]] == (
        uidls[:1] + uidls[2:])
    again.quit()


def test_retr_sends_octet_for_octet(full):
    with Raw(full, ANN) as c:
        for i, message in enumerate(MESSAGES, 1):
            size = int(c.ask(f"LIST {i}").split()[2])
            assert c.ask(f"RETR {i}").startswith(f"+OK {size} octets")
            lines = c.lines()
            text = b"".join(l[1:] if l.startswith(b".") else l
                            for l in lines)
            assert text == as_sent(message)
            assert len(text) == size


def test_retr_marks_seen_and_top_does_not(house):
    house.fill(ANN, MESSAGES[:2], "new", "{i:03d}.x.host")
    pop3 = house.pop3(ANN)
    pop3.top(1, 1)
    pop3.retr(2)
    pop3.quit()
    assert os.listdir(house.maildir(ANN) + "/new") == ["000.x.host"]
    assert os.listdir(house.maildir(ANN) + "/cur") == ["001.x.host:2,S"]


def test_top(full):
    pop3 = full.pop3(ANN)
    assert pop3.top(1, 0)[1] == [b"Subject: one", b""]
    assert pop3.top(1, 9)[1] == [b"Subject: one", b"", b"body"]
    assert pop3.top(2, 2)[1] == [b"Subject: dots", b"", b".", b".."]
    assert pop3.top(6, 5)[1] == [b"Subject: header only"]
    assert pop3.top(7, 5)[1] == []
    pop3.quit()


@pytest.mark.parametrize("command,answer", [
    ("RETR", "needs an argument"), ("RETR x", "not a number"),
    ("RETR 0", "from 1"), ("RETR 99", "there are 9"),
    ("RETR -1", "not a number"), ("RETR 99999999999999999999", "not a num"),
    ("DELE 10", "there are 9"), ("LIST 10", "there are 9"),
    ("UIDL x", "not a number"), ("TOP 1", "number of lines"),
    ("TOP 1 x", "number of lines"), ("TOP", "needs an argument"),
    ("STAT 1", "takes no argument"), ("QUIT now", "takes no argument"),
    ("USER x", "logged in already"), ("PASS x", "logged in already"),
    ("NOSUCH", "no such command"), ("", "no such command"),
    ("XTND XMIT", "no such command"), ("RETR 1\0", "NUL"),
    ("RETR " + "1" * 300, "at most 255")])
def test_refusals_help(full, command, answer):
    with Raw(full, ANN) as c:
        got = c.ask(command)
        assert got.startswith("-ERR ") and answer in got, got
        assert len(got) <= 512
        assert c.ask("NOOP").startswith("+OK")


def test_a_deleted_message_is_out_of_reach(full):
    with Raw(full, ANN) as c:
        assert c.ask("DELE 1").startswith("+OK")
        for command in ("DELE 1", "RETR 1", "LIST 1", "UIDL 1", "TOP 1 0"):
            assert "is deleted" in c.ask(command)


def test_order_of_commands(full):
    with Raw(full) as c:
        for command in ("STAT", "LIST", "RETR 1", "DELE 1", "NOOP", "RSET",
                        "UIDL", "TOP 1 1"):
            assert "log in first" in c.ask(command)
        assert "USER comes first" in c.ask("PASS secret")
        assert c.ask("QUIT").startswith("+OK")
        assert c.at_end()


def test_lower_case_and_a_password_with_blanks(full):
    with Raw(full) as c:
        assert c.ask("user " + ANN).startswith("+OK")
        assert c.ask("pass  two words ").startswith("-ERR [AUTH]")
        assert full.userdb.logins[-1][1] == " two words "
        assert c.ask("user " + ANN).startswith("+OK")
        assert c.ask("pass secret").startswith("+OK")
        assert c.ask("stat").startswith("+OK 9 ")


def test_unknown_user_and_wrong_password_look_alike(full):
    """A26"""
    full.userdb.answers["nobody"] = Packet("login", verdict="user-unknown")
    full.userdb.answers["off"] = Packet("login", verdict="mailbox-disabled")
    answers = set()
    for user in ("nobody", "off", ANN):
        with Raw(full) as c:
            answers.add((c.ask("USER " + user), c.ask("PASS wrong")))
    assert len(answers) == 1
    assert next(iter(answers))[1].startswith("-ERR [AUTH]")


def test_a_temporary_failure_is_told_as_one(full):
    for verdict in ("login-later", "busy", "internal"):
        full.userdb.answers["t"] = Packet("login", verdict=verdict)
        with Raw(full) as c:
            c.ask("USER t")
            assert c.ask("PASS x").startswith("-ERR [SYS/TEMP]")


def test_three_logins_are_enough(full):
    with Raw(full) as c:
        for _ in range(3):
            assert c.ask("USER " + ANN).startswith("+OK")
            assert c.ask("PASS wrong").startswith("-ERR [AUTH]")
        assert c.at_end()
    assert len(full.userdb.logins) == 3


def test_errors_are_bounded(full):
    with Raw(full, ANN) as c:
        n = 0
        while not c.at_end_after_nonsense():
            n += 1
            assert n < 1000
    assert 5 <= n < 1000


def _at_end_after_nonsense(self):
    try:
        return not self.ask("NONSENSE")
    except (BrokenPipeError, ConnectionResetError):
        return True


Raw.at_end_after_nonsense = _at_end_after_nonsense


@pytest.mark.parametrize("first", [
    "GET / HTTP/1.1", "POST / HTTP/1.0", "EHLO x", "OPTIONS * RTSP/1.0"])
def test_other_protocols_are_shown_the_door(full, first):
    """A6"""
    with Raw(full) as c:
        assert c.ask(first).startswith("-ERR")
        assert c.at_end()


def test_no_login_in_the_clear_from_elsewhere():
    house = Pop3House(root=False)
    config = open(house.pop3d.config).read().replace(
        "allow-plaintext-auth 127.0.0.1", "allow-plaintext-auth 192.0.2.1")
    open(house.pop3d.config, "w").write(config)
    with house:
        with Raw(house) as c:
            c.say("CAPA\r\n")
            assert c.line().startswith("+OK")
            assert b"USER\r\n" not in c.lines()
            assert c.ask("USER " + ANN).startswith("-ERR [AUTH]")
            assert c.ask("PASS secret").startswith("-ERR [AUTH]")
        assert house.userdb.logins == []


def test_in_use(full):
    with Raw(full, ANN):
        with Raw(full) as second:
            second.ask("USER " + ANN)
            assert second.ask("PASS secret").startswith("-ERR [IN-USE]")
    full.pop3(ANN).quit()


def test_a_client_that_comes_back_at_once_is_let_in(full):
    for _ in range(20):
        with Raw(full, ANN) as c:
            c.ask("STAT")


def test_hanging_up_deletes_nothing(full):
    with Raw(full, ANN) as c:
        assert c.ask("DELE 1").startswith("+OK")
    pop3 = full.pop3(ANN)
    assert pop3.stat()[0] == len(MESSAGES)
    pop3.quit()


def test_quit_tells_of_what_stays(full):
    if os.geteuid() != 0:
        pytest.skip("needs root to make a message stay")
    with Raw(full, ANN) as c:
        c.ask("DELE 1")
        c.ask("DELE 2")
        cur = full.maildir(ANN) + "/cur"
        subprocess.run(["chattr", "+i", f"{cur}/0.x.host:2,"], check=False)
        flags = subprocess.run(["lsattr", f"{cur}/0.x.host:2,"], text=True,
                               capture_output=True, check=False).stdout
        try:
            if "i" not in flags.split(" ")[0]:
                pytest.skip("no immutable files here")
            assert c.ask("QUIT").startswith("-ERR [SYS/TEMP] some deleted")
        finally:
            subprocess.run(["chattr", "-i", f"{cur}/0.x.host:2,"],
                           check=False)


def test_the_mailbox_process_dies(full):
    with Raw(full, ANN) as c:
        c.ask("DELE 1")
        [child] = children(full.mailbox.process.pid)
        os.kill(child, 9)
        assert c.ask("QUIT").startswith("-ERR [SYS/TEMP]")
    assert full.pop3(ANN).stat()[0] == len(MESSAGES)


def test_no_userdb_no_mailbox(full):
    full.userdb.close()
    with Raw(full) as c:
        c.ask("USER " + ANN)
        assert c.ask("PASS secret").startswith("-ERR [SYS/TEMP]")


def test_pipelined_in_one_write(full):
    n = len(MESSAGES)
    with Raw(full) as c:
        c.say(f"USER {ANN}\r\nPASS secret\r\nSTAT\r\n" +
              "".join(f"RETR {i}\r\n" for i in range(1, n + 1)) +
              "LIST\r\nDELE 2\r\nRETR 2\r\nRETR 3\r\nQUIT\r\n")
        assert [c.line()[:3] for _ in range(3)] == ["+OK"] * 3
        for i in range(n):
            assert c.line().startswith("+OK")
            assert b"".join(l[1:] if l.startswith(b".") else l
                            for l in c.lines()) == as_sent(MESSAGES[i])
        assert c.line().startswith("+OK")
        assert len(c.lines()) == n
        assert c.line().startswith("+OK")
        assert "deleted" in c.line()
        assert c.line().startswith("+OK")
        c.lines()
        assert c.line().startswith("+OK")
        assert c.at_end()


def test_messages_opened_ahead_in_any_order(full):
    """What was opened ahead must never be taken for another message."""
    order = [1, 2, 3, 9, 3, 4, 5, 1, 2, 9, 8, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    with Raw(full, ANN) as c:
        c.ask("DELE 6")
        for i in order:
            if i == 6:
                assert "deleted" in c.ask("RETR 6")
                continue
            assert c.ask(f"RETR {i}").startswith("+OK")
            assert b"".join(l[1:] if l.startswith(b".") else l
                            for l in c.lines()) == as_sent(MESSAGES[i - 1])
            assert c.ask(f"UIDL {i}").split()[1] == str(i)


def test_a_thousand_pipelined(house):
    body = b"Subject: x\n\n" + b"x" * 70 * 57 + b"\n"
    house.fill(ANN, [body] * 1000, name="{i:05d}.x.host:2,S")
    with Raw(house, ANN) as c:
        began = time.monotonic()
        for start in range(1, 1001, 20):
            c.say("".join(f"RETR {i}\r\n" for i in range(start, start + 20)))
            for _ in range(20):
                assert c.line().startswith("+OK")
                assert len(c.lines()) == 3
        seconds = time.monotonic() - began
    print(f"RETR of 1,000 messages, 20 ahead: {seconds:.3f} s")
    assert seconds < 5


def test_others_change_the_maildir_meanwhile(full):
    cur = full.maildir(ANN) + "/cur"
    with Raw(full, ANN) as c:
        os.unlink(f"{cur}/0.x.host:2,")
        os.rename(f"{cur}/1.x.host:2,", f"{cur}/1.x.host:2,RS")
        with open(f"{cur}/../new/zzz", "w") as f:
            f.write("later\n")
        assert "removed by another program" in c.ask("RETR 1")
        assert c.ask("RETR 2").startswith("+OK")
        c.lines()
        assert c.ask("STAT").startswith(f"+OK {len(MESSAGES)} ")
        c.ask("DELE 1")
        c.ask("DELE 2")
        assert c.ask("QUIT").startswith("+OK")
    assert full.pop3(ANN).stat()[0] == len(MESSAGES) - 1


@pytest.fixture
def hasty():
    with Pop3House(root=False, extra=["pop3-timeout 2s"]) as made:
        yield made


@pytest.mark.parametrize("drip", [b"", b"N"])
@pytest.mark.parametrize("login", [None, ANN])
def test_silence_and_dripping_end(hasty, drip, login):
    """A21: the whole command has a deadline, not each octet."""
    try:
        client = Raw(hasty, login)
    except AssertionError:
        pytest.fail("no session")
    with client as c:
        began = time.monotonic()
        c.socket.settimeout(0.25)
        while time.monotonic() - began < SECONDS:
            try:
                if drip:
                    c.say(drip)
                if c.socket.recv(100) == b"":
                    break
            except socket.timeout:
                continue
            except OSError:
                break
        assert 1 < time.monotonic() - began < 10


def test_a_reader_that_takes_nothing_is_left(hasty):
    # more than any socket buffers hold
    hasty.fill(ANN, [b"Subject: x\n\n" + b"z" * 4000 + b"\n"] * 3000)
    with Raw(hasty, ANN) as c:
        [worker] = busy_workers(hasty)
        c.say("".join(f"RETR {i}\r\n" for i in range(1, 3001)))
        deadline = time.monotonic() + 2 + 4 + SECONDS
        pid = os.pidfd_open(worker)
        import select
        assert select.select([pid], [], [], deadline - time.monotonic())[0]
        os.close(pid)


def busy_workers(house):
    """Workers that hold an accepted connection."""
    if os.geteuid() != 0:
        pytest.skip("needs root to look at an undumpable process")
    found = []
    for pid in children(house.pop3d.process.pid):
        fds = [os.readlink(f"/proc/{pid}/fd/{n}")
               for n in os.listdir(f"/proc/{pid}/fd")]
        with open(f"/proc/{pid}/net/tcp") as f:
            mine = {"socket:[%s]" % l.split()[9] for l in f
                    if l.split()[3] == "01"}
        if mine & set(fds):
            found.append(pid)
    return found


def test_a_process_that_saw_a_password_ends(full):
    with Raw(full, ANN) as c:
        [worker] = busy_workers(full)
        c.ask("QUIT")
    pid = None
    try:
        pid = os.pidfd_open(worker)
    except ProcessLookupError:
        return
    import select
    assert select.select([pid], [], [], SECONDS)[0]
    os.close(pid)


def test_a_process_without_password_serves_on(full):
    seen = set()
    for _ in range(10):
        with Raw(full) as c:
            seen |= set(busy_workers(full))
            c.ask("QUIT")
            assert c.at_end()
    assert len(seen) <= 6


def private_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        rows = dict(l.split(":") for l in f if ":" in l and "kB" in l)
    return sum(int(rows[k].split()[0])
               for k in ("Private_Clean", "Private_Dirty"))


def test_an_idle_session_is_small(full):
    if sanitized():
        pytest.skip("sanitizers have memory of their own")
    with Raw(full, ANN) as c:
        c.ask("STAT")
        [worker] = busy_workers(full)
        [child] = children(full.mailbox.process.pid)
        sizes = private_kib(worker), private_kib(child)
    print("private memory of an idle session: pop3d %d KiB, mailbox %d KiB"
          % sizes)
    assert sizes[0] < 250 and sizes[1] < 400


def test_inetd(full):
    """pop3d -i, with a socket and with pipes."""
    command = [program("pop3d"), "-c", full.pop3d.config, "-i"]
    identity = {}
    if full.pop3d.user:
        identity = {"user": full.pop3d.user.pw_uid,
                    "group": full.pop3d.user.pw_gid, "extra_groups": []}
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    with subprocess.Popen(command, stdin=server, stdout=server,
                          stderr=server, **identity) as process:
        server.close()
        client.settimeout(SECONDS)
        f = client.makefile("rb")
        assert f.readline().startswith(b"+OK")
        client.sendall(f"USER {ANN}\r\nPASS secret\r\nSTAT\r\nRETR 1\r\n"
                       "QUIT\r\n".encode())
        rest = f.read()
        assert process.wait(SECONDS) == 0
    assert rest.count(b"+OK") == 5 and b"Subject: one\r\n" in rest
    assert b"pop3d[" not in rest
    listener.close()
    client.close()
    done = subprocess.run(command, input=b"CAPA\r\nUSER x\r\nQUIT\r\n",
                          capture_output=True, timeout=SECONDS, **identity)
    assert done.stdout.startswith(b"+OK")
    assert b"-ERR [AUTH]" in done.stdout  # a pipe is no allowed address


def test_inetd_without_owners(full):
    full.userdb.close()
    os.unlink(full.userdb.path)
    done = subprocess.run(
        [program("pop3d"), "-c", full.pop3d.config, "-i"], input=b"QUIT\r\n",
        capture_output=True, timeout=SECONDS, check=False)
    assert done.stdout.startswith(b"-ERR [SYS/TEMP]")
    assert done.returncode == 75


def test_as_root_it_is_shut_in(as_root):
    import pwd
    try:
        account = pwd.getpwnam("postrider-pop3d")
        mail = pwd.getpwnam("postrider-mail")
    except KeyError:
        pytest.skip("no accounts: postrider init makes them")
    house = Pop3House(root=True)
    os.chown(house.mailbox.mail, mail.pw_uid, mail.pw_gid)
    house.fill(ANN, MESSAGES)
    with house:
        with Raw(house, ANN) as c:
            [worker] = busy_workers(house)
            status = status_of(worker)
            assert status["Uid"].split() == [str(account.pw_uid)] * 4
            assert int(status["CapPrm"], 16) == 0
            assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
            assert os.readlink(f"/proc/{worker}/root") == house.pop3d.own
            assert c.ask("RETR 1").startswith("+OK")
            c.lines()
        for _ in range(2):
            assert house.pop3(ANN).quit().startswith(b"+OK")
