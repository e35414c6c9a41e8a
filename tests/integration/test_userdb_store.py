# SPDX-License-Identifier: ISC
"""What the user database keeps, through tools, crashes and bad disks."""
import json
import os
import pty
import random
import re
import select
import signal
import subprocess
import threading
import time

import pytest

from suite import SECONDS, program
from userdb_daemon import Daemon, Peer, encode
from watch import wait_exit, wait_for

HASHES = {  # of "secret", by crypt(3)'s methods
    "md5": "$1$abcdefgh$6.OtZYrBEpfN2nEpXXGE31",
    "sha256": None, "sha512": None, "bcrypt": None, "yescrypt": None,
}


@pytest.fixture
def make():
    made = []

    def make(**options):
        made.append(Daemon(**options))
        return made[-1]
    yield make
    for daemon in made:
        daemon.close()


@pytest.fixture(params=["stopped", "running"])
def daemon(request, make):
    """The tool must do the same whether userdb runs or not."""
    d = make()
    if request.param == "running":
        d.start()
    return d


def exported(d):
    return d.tool("export").stdout


def addresses(d):
    return [u["address"] for u in json.loads(d.tool("list", "--json").stdout)]


# -- the tool --

def test_add_list_show_del(daemon):
    d = daemon
    done = d.tool("add", "--password-stdin", "Ann@Example.TEST", "bob",
                  input="one\ntwo\n")
    assert "ann@example.test, the first user, is the postmaster" in done.stderr
    assert d.tool("list").stdout == "ann@example.test\nbob@example.test\n"
    users = json.loads(d.tool("list", "--json").stdout)
    assert [u["address"] for u in users] == [
        "ann@example.test", "bob@example.test"]
    assert all(u["enabled"] and u["password"] for u in users)
    assert "$y$" not in d.tool("list", "--json").stdout
    shown = d.tool("show", "bob").stdout
    assert f"{d.mail}/example.test/bob" in shown
    again = d.tool("add", "--no-password", "ANN@example.test", check=False)
    assert again.returncode == 65 and "already" in again.stderr
    done = d.tool("del", "ann@example.test")
    assert f"mail stays in {d.mail}/example.test/ann" in done.stderr
    assert "now it is bob@example.test" in done.stderr
    assert d.tool("del", "ann", check=False).returncode == 67
    assert d.tool("show", "ann", check=False).returncode == 67
    assert json.loads(d.tool("show", "--json", "bob").stdout)[0][
        "address"] == "bob@example.test"


def test_domains(daemon):
    d = daemon
    d.tool("domain", "add", "Other.Test")
    assert d.tool("domain", "list").stdout == \
        "example.test config\nother.test\n"
    assert json.loads(d.tool("domain", "list", "--json").stdout) == [
        {"domain": "example.test", "config": True},
        {"domain": "other.test", "config": False}]
    for bad in ("other.test", "example.test", "a/b", "..", "[127.0.0.1]",
                "-x.test", "", "a" * 300):
        assert d.tool("domain", "add", bad, check=False).returncode != 0, bad
    d.tool("add", "--no-password", "bob@other.test")
    for name, why in (("example.test", "in the config"),
                      ("other.test", "users in it"),
                      ("missing.test", "no such domain")):
        done = d.tool("domain", "del", name, check=False)
        assert done.returncode != 0 and why in done.stderr
    d.tool("del", "bob@other.test")
    d.tool("alias", "add", "x@other.test", "y@remote.test")
    assert "aliases in it" in d.tool("domain", "del", "other.test",
                                     check=False).stderr
    d.tool("alias", "del", "x@other.test")
    d.tool("domain", "del", "other.test")
    done = d.tool("add", "--no-password", "bob@other.test", check=False)
    assert done.returncode == 65 and "domain add other.test" in done.stderr


def test_aliases(daemon):
    d = daemon
    d.tool("add", "--no-password", "ann")
    done = d.tool("alias", "add", "info", "Ann", "x@remote.test", "typo")
    assert "typo@example.test does not exist yet" in done.stderr
    d.tool("alias", "add", "info", "ann")  # once more is no fault
    assert d.tool("alias", "list").stdout.splitlines() == [
        "info@example.test ann@example.test",
        "info@example.test typo@example.test",
        "info@example.test x@remote.test"]
    d.tool("alias", "del", "info", "typo")
    assert json.loads(d.tool("alias", "list", "--json").stdout) == [
        {"alias": "info@example.test",
         "targets": ["ann@example.test", "x@remote.test"]}]
    # All of a request or nothing.
    done = d.tool("alias", "add", "info", "new@remote.test", "a b",
                  check=False)
    assert done.returncode == 65
    assert "new@remote.test" not in d.tool("alias", "list").stdout
    assert "user of that name" in d.tool(
        "alias", "add", "ann", "x@remote.test", check=False).stderr
    assert "alias of that name" in d.tool(
        "add", "--no-password", "info", check=False).stderr
    d.tool("alias", "del", "info")
    assert d.tool("alias", "list").stdout == ""
    assert d.tool("alias", "del", "info", check=False).returncode == 67


def test_grants(daemon):
    d = daemon
    d.tool("add", "--no-password", "ann", "bob")
    done = d.tool("grant", "Ann", "Info@Remote.TEST", "boss", "@other.test")
    assert done.stderr.count("is no domain of ours") == 2
    d.tool("grant", "ann@example.test", "boss@example.test")  # no fault
    assert d.tool("list").stdout == (
        "ann@example.test no-password may-send-as=@other.test "
        "may-send-as=boss@example.test may-send-as=info@remote.test\n"
        "bob@example.test no-password\n")
    granted = [u["may_send_as"]
               for u in json.loads(d.tool("list", "--json").stdout)]
    assert granted == [["@other.test", "boss@example.test",
                        "info@remote.test"], []]
    shown = d.tool("show", "ann").stdout
    assert "sends as @other.test\nsends as boss@example.test\n" in shown
    shown = json.loads(d.tool("show", "--json", "ann", "bob").stdout)
    assert [u["may_send_as"] for u in shown] == granted
    # All of a request or nothing.
    done = d.tool("grant", "bob", "new@remote.test", "a b@x.test",
                  check=False)
    assert done.returncode == 65 and "a b@x.test: " in done.stderr
    done = d.tool("revoke", "ann", "boss", "never@remote.test", check=False)
    assert done.returncode == 67
    assert "never@remote.test: was not granted" in done.stderr
    assert [u["may_send_as"] for u in json.loads(
        d.tool("list", "--json").stdout)] == granted
    for bad in ("@", "@[127.0.0.1]", "x@", "", "x@" + "y" * 300):
        done = d.tool("grant", "ann", bad, check=False)
        assert done.returncode == 65 and "ann" not in done.stderr, bad
    done = d.tool("grant", "carl", "x@remote.test", check=False)
    assert done.returncode == 67 and "carl: no such user" in done.stderr
    d.tool("revoke", "ann", "boss", "@other.test")
    assert "sends as info@remote.test\n" in d.tool("show", "ann").stdout
    assert "other.test" not in exported(d)
    # They go with the user, and do not come back with his name.
    d.tool("del", "ann")
    d.tool("add", "--no-password", "ann")
    assert "grant" not in exported(d)
    assert d.tool("list").stdout.splitlines()[0] == \
        "ann@example.test no-password"


@pytest.mark.parametrize("local", [
    "..", ".", ".hidden", "a/b", "/etc", "../up", "a..b", "end.", "",
    "new\nline", "tab\t", "esc\x1b", "a b", "\"q q\"", "c:d", "x" * 65,
    "-c/../x", "a\\b", "a@b"])
def test_names_that_are_no_folder_names(make, local):
    d = make()
    done = d.tool("add", "--no-password", "--", f"{local}@example.test",
                  check=False)
    assert done.returncode == 65, done
    assert d.tool("list").stdout == ""


def test_names_that_are(make):
    d = make()
    good = ["-rf", "o'neil", "a.b.c", "x+y", "josé", "#1", "~", "new", "cur"]
    for local in good:
        d.tool("add", "--no-password", "--", f"{local}@example.test")
    assert len(d.tool("list").stdout.splitlines()) == len(good)


def test_misuse(make):
    d = make()
    for arguments in ([], ["frobnicate"], ["add"], ["domain"], ["alias"],
                      ["alias", "add", "a"], ["list", "x"], ["show"],
                      ["list", "--password-stdin"], ["add", "--json", "a"],
                      ["export", "--format", "xml"],
                      ["add", "--no-password", "--login", "x", "a"]):
        done = d.tool(*arguments, check=False)
        assert done.returncode == 64 and "usage" in done.stderr, arguments
    assert d.tool("add", "ann", check=False,
                  start_new_session=True).returncode == 66
    for password in ("", "x" * 512, "bell\a"):
        assert d.tool("add", "--password-stdin", "ann",
                      input=password + "\n", check=False).returncode in (
                          65, 66), password
    assert d.tool("list").stdout == ""


def test_the_terminal_is_asked_twice_and_shows_nothing(make):
    d = make()
    pid, fd = pty.fork()
    if pid == 0:
        who = d._as_user()
        if who:
            os.setgroups([])
            os.setgid(who["group"])
            os.setuid(who["user"])
        os.execv(program("postrider-user"),
                 ["postrider-user", "-c", d.config, "add", "ann", "bob"])
    seen = ""

    def expect(text):
        nonlocal seen
        start = len(seen)
        while text not in seen[start:]:
            assert select.select([fd], [], [], SECONDS)[0], seen
            try:
                seen += os.read(fd, 4096).decode()
            except OSError:
                raise AssertionError(f"no {text!r} in {seen!r}")
    for question, answer in (("Password for ann", "hidden1"),
                             ("Again, for ann", "hidden1"),
                             ("Password for bob", "hidden2"),
                             ("Again, for bob", "other")):
        expect(question)
        os.write(fd, answer.encode() + b"\n")
    expect("not the same twice")
    try:
        while os.read(fd, 4096):
            pass
    except OSError:
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 65
    os.close(fd)
    assert "hidden" not in seen
    assert d.tool("list").stdout == "ann@example.test\n"


# -- export and import --

def hash_of(method):
    crypt = pytest.importorskip("crypt")
    return {"sha256": lambda: crypt.crypt("secret", crypt.METHOD_SHA256),
            "sha512": lambda: crypt.crypt("secret", crypt.METHOD_SHA512),
            "md5": lambda: crypt.crypt("secret", crypt.METHOD_MD5),
            "bcrypt": lambda: crypt.crypt(
                "secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)),
            "yescrypt": lambda: crypt.crypt(
                "secret", "$y$j75$abcdefghijkl")}[method]()


def test_round_trip(daemon, make):
    d = daemon
    d.tool("domain", "add", "other.test")
    d.add("ann@example.test")
    d.add("bob@other.test")
    d.tool("disable", "bob@other.test")
    d.tool("add", "--no-password", "carl@other.test")
    d.tool("alias", "add", "@other.test", "ann@example.test")
    d.tool("alias", "add", '"two words"@other.test', '"a b"@remote.test',
           "Case@remote.test")
    d.tool("passwd", "--password-stdin", "--reversible", "ann",
           input="kept: \u00fc\n")
    d.tool("passwd", "--app", "phone", "ann")
    d.tool("passwd", "--app", "old.PC_2-b", "bob@other.test")
    d.tool("grant", "ann", "info@remote.test", "@other.test")
    d.tool("grant", "carl@other.test", '"a b"@remote.test')
    text = exported(d)
    assert text.startswith("postrider-users 3\n")
    assert text.endswith("end 13\n"), text
    assert re.search(r"^user ann@example.test hash=\$y\$\S+ "
                     r"scram=SCRAM-SHA-256\$\d+:\S+ secret=\S+ ", text, re.M)
    assert re.search(r"^app ann@example.test phone digest=[0-9a-f]{64} ",
                     text, re.M)
    other = make()
    if d.process:
        other.start()
    other.tool("import", input=text)
    assert exported(other) == text
    # Once more into the same: users exist, so nothing happens at all.
    done = other.tool("import", input=text, check=False)
    assert done.returncode == 65 and "line 3" in done.stderr
    assert exported(other) == text


@pytest.mark.parametrize("method", sorted(HASHES))
def test_any_hash_of_crypt_logs_in(make, method):
    d = make()
    d.tool("import", input=f"user ann@example.test hash={hash_of(method)}\n")
    d.start()
    d.owner("queue")
    smtpd = d.peer("role-smtpd")
    assert smtpd.login("ann", "wrong")[0]["verdict"] == "login-failed"
    assert smtpd.login("ann", "secret")[0]["verdict"] == "login-ok"


@pytest.mark.parametrize("text,line", [
    ("user a@example.test\nuser b@example.test\nuser A@example.test\n", 3),
    ("user a@example.test\nuser a@missing.test\n", 2),
    ("user a@example.test\nnonsense\n", 2),
    ("user a@example.test\n\n# comment\nuser ../b@example.test\n", 4),
    ("user a@example.test hash=plain:text\n", 1),
    ("user a@example.test hash=$unknown$x\n", 1),
    ("user a@example.test colour=red\n", 1),
    ("user a@example.test disabled=x\n", 1),
    ("user a@example.test batch=0123456789abcdef\n", 1),
    ("user a@example.test created=12x\n", 1),
    ("user\n", 1), ("alias a@example.test\n", 1),
    ("alias a@example.test b@example.test\nalias b@example.test "
     "a@example.test\n", 2),
    ("user a@example.test\nalias a@example.test b@remote.test\n", 2),
    ("postrider-users 1\nuser a@example.test\n", 2),
    ("postrider-users 1\nuser a@example.test\nend 2\n", 3),
    ("postrider-users 4\nuser a@example.test\nend 1\n", 1),
    ("user a@example.test\ngrant b@example.test x@remote.test\n", 2),
    ("user a@example.test\ngrant a@example.test remote.test\n", 2),
    ("user a@example.test scram=SCRAM-SHA-256$1:YQ==$x:y\n", 1),
    ("user a@example.test secret=!\n", 1),
    ("user a@example.test secret=YQBi\n", 1),
    ("app a@example.test phone digest=%s\n" % ("0" * 64), 1),
    ("user a@example.test\napp a@example.test phone\n", 2),
    ("user a@example.test\napp a@example.test ../x digest=%s\n" % ("0" * 64),
     2),
    ("user a@example.test\n" +
     "app a@example.test x digest=%s\n" % ("0" * 64) * 2, 3),
    ("postrider-users 1\nuser a@example.test\nend 1\nuser b@example.test\n",
     4),
    ("user a@example.test\nuser b\0@example.test\n", 2),
    ("user a@example.test\nuser " + "b" * 3000 + "@example.test\n", 2),
    ("user a@example.test\nuser \udcff@example.test\n", 2),
], ids=range(30))
def test_import_is_all_or_nothing(daemon, text, line):
    done = daemon.tool("import", input=text, check=False)
    assert done.returncode == 65, done
    assert f"line {line}:" in done.stderr, done.stderr
    assert "nothing was imported" in done.stderr
    assert daemon.tool("list").stdout == ""
    assert daemon.tool("alias", "list").stdout == ""
    # And it is really gone, not only out of sight.
    daemon.tool("add", "--no-password", "a@example.test")
    assert addresses(daemon) == ["a@example.test"]


def test_an_import_shows_at_its_end_and_not_before(make):
    d = make()
    d.add("ann@example.test")
    d.start()
    admin = Peer(d.path("run/admin/userdb"))
    assert admin.ask("import-begin").verb == "done"
    lines = [("line", "1"), ("text", "domain new.test"),
             ("line", "2"), ("text", "user bob@new.test"),
             ("line", "3"), ("text", "alias all@new.test bob@new.test")]
    assert admin.ask("import", *lines).verb == "done"
    for address in ("bob@new.test", "all@new.test"):
        assert d.recipient(address) == "relay-denied"
    assert "new.test" not in exported(d)
    done = d.tool("add", "--no-password", "carl", check=False)
    assert done.returncode == 75 and "import is under way" in done.stderr
    assert admin.ask("import-end").verb == "done"
    for address in ("bob@new.test", "all@new.test"):
        assert d.recipient(address) == "recipient-ok"
    # Its traces do not make a later import's end its own.
    assert admin.ask("import-begin").verb == "done"
    assert d.recipient("bob@new.test") == "recipient-ok"
    admin.close()
    wait_for(lambda: d.tool("add", "--no-password", "carl",
                            check=False).returncode == 0, d.path("log"))
    assert "import undone" in d.log()
    assert d.recipient("bob@new.test") == "recipient-ok"


@pytest.mark.parametrize("who", ["tool", "server", "alone"])
def test_import_killed_in_the_middle_leaves_nothing(make, who):
    d = make()
    d.add("ann@example.test")
    before = exported(d)
    if who != "alone":
        d.start()
    tool = subprocess.Popen(
        [program("postrider-user"), "-c", d.config, "import"],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        **d._as_user())
    for i in range(2000):
        tool.stdin.write(f"user user{i}@example.test\n")
    tool.stdin.flush()
    # Until some of it has been written to the log.
    log = os.path.join(d.database, "log.0000000001")
    wait_for(lambda: b"user1000" in open(log, "rb").read(), log)
    if who == "server":
        d.kill_server()
        tool.stdin.close()
        assert tool.wait(SECONDS) == 75
    else:
        tool.kill()
        tool.wait()
    tool.stderr.close()
    if who != "alone":
        assert d.recipient("user5@example.test") == "user-unknown"
    assert exported(d) == before
    wait_for(lambda: d.tool("add", "--no-password", "user5", check=False)
             .returncode == 0, d.folder)
    d.tool("import", input="user user6@example.test\n")


def test_ten_thousand_users(make):
    d = make()
    text = "".join(f"user user{i}@example.test hash=$y$j9T$abcdefghijkl$"
                   f"{'x' * 43}\n" for i in range(10000))
    d.start()
    begin = time.monotonic()
    asked = []

    def look_up():
        while not stop.is_set():
            start = time.monotonic()
            d.recipient("nobody@example.test")
            asked.append(time.monotonic() - start)
    stop = threading.Event()
    thread = threading.Thread(target=look_up)
    thread.start()
    try:
        d.tool("import", input=text)
    finally:
        stop.set()
        thread.join()
    took = time.monotonic() - begin
    print(f"10,000 users imported in {took:.2f} s; slowest of {len(asked)} "
          f"look-ups meanwhile {max(asked) * 1000:.0f} ms")
    assert took < 30 and max(asked) < 2
    assert d.recipient("user9999@example.test") == "recipient-ok"
    begin = time.monotonic()
    out = exported(d)
    print(f"exported in {time.monotonic() - begin:.2f} s")
    assert out.count("\n") == 10003
    assert len(json.loads(d.tool("list", "--json").stdout)) == 10000


def test_dovecot(make):
    d = make()
    d.add("ann@example.test")
    d.add("off@example.test")
    d.tool("disable", "off@example.test")
    out = d.tool("export", "--format", "dovecot").stdout
    lines = dict(l.split(":", 1) for l in out.splitlines())
    password, uid, gid, gecos, home, shell, extra = lines[
        "ann@example.test"].split(":", 6)
    assert password.startswith("{CRYPT}$y$") and gecos == shell == ""
    assert home == f"{d.mail}/example.test/ann"
    assert extra == f"userdb_mail=maildir:{home}"
    assert lines["off@example.test"].startswith("{CRYPT}!")
    other = make()
    other.tool("import", "--format", "dovecot", input=out +
               "carl@example.test:{SHA512-CRYPT}" + hash_of("sha512") + "\n")
    other.start()
    other.owner("queue")
    smtpd = other.peer("role-smtpd")
    for user in ("ann", "carl"):
        assert smtpd.login(user, "secret")[0]["verdict"] == "login-ok"
    assert smtpd.login("off", "secret")[0]["verdict"] == "login-failed"
    done = other.tool("import", "--format", "dovecot", check=False,
                      input="x@example.test:{PLAIN}secret\n")
    assert done.returncode == 65 and "scheme" in done.stderr


def test_export_in_pages_is_whole(make):
    d = make()
    text = "".join(f"alias a{i:04}@example.test t{j}@remote.test\n"
                   for i in range(300) for j in range(7))
    d.tool("import", input=text)
    d.start()
    got = [l for l in exported(d).splitlines() if l.startswith("alias")]
    assert [re.sub(" created.*", "", l) for l in got] == sorted(
        text.splitlines())


# -- crashes --

def test_acknowledged_changes_survive_sigkill(make):
    """The server is killed at random moments of a stream of changes; what
    was answered is there, and whole, afterwards."""
    d = make()
    d.add("ann@example.test")
    d.start()
    acknowledged, stop = set(), threading.Event()

    def write(n):
        i = 0
        while not stop.is_set():
            name = f"w{n}x{i}@example.test"
            i += 1
            try:
                admin = Peer(d.path("run/admin/userdb"))
                if admin.ask("user-add", address=name, hash=hash_of_all
                             ).verb == "done":
                    acknowledged.add(name)
                admin.close()
            except (EOFError, OSError):
                pass
    hash_of_all = "$y$j9T$abcdefghijkl$" + "x" * 43
    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    rounds = random.Random(2).choices([0.01, 0.03, 0.08, 0.15], k=15)
    for pause in rounds:
        enough = len(acknowledged) + 5
        wait_for(lambda: len(acknowledged) >= enough, d.database)
        threading.Event().wait(pause)
        pid = wait_for(d.server, d.path("log"))
        os.kill(pid, signal.SIGKILL)
        assert wait_exit(pid, SECONDS)
    stop.set()
    for thread in threads:
        thread.join()
    print(f"{len(acknowledged)} changes acknowledged, {len(rounds)} kills")
    users = set(d.tool("list").stdout.split())
    assert acknowledged <= users
    assert len(users - acknowledged) <= 3 * len(rounds) + 1 + 1
    log = d.log()
    assert "corrupt" not in log and "import undone" not in log
    d.stop()
    d.sockets.pop("role-admin").close()
    assert set(d.tool("list").stdout.split()) == users


def test_old_logs_are_removed(make):
    d = make()
    for i in range(4):
        d.tool("import", input="".join(
            f"user u{i}x{j}@example.test hash=$y$j9T$abcdefghijkl$"
            f"{'x' * 43}\n" for j in range(8000)))
    logs = [n for n in os.listdir(d.database) if n.startswith("log.")]
    assert logs and "log.0000000001" not in logs
    assert len(logs) <= 3, logs
    assert len(d.tool("list").stdout.splitlines()) == 32000


# -- a bad disk --

def garble(path, old, new):
    with open(path, "r+b") as f:
        data = f.read()
        assert data.count(old) == 1, data.count(old)
        f.seek(data.index(old))
        f.write(new)


def settle(d):
    """Opened and closed, so that users.db holds all that the log does."""
    d.tool("list")
    d.tool("list")


def test_a_corrupt_record_costs_that_look_up(make):
    d = make()
    for name in ("ann", "bob", "carl"):
        d.tool("add", "--no-password", f"{name}@example.test")
    d.tool("import", input="user dora@example.test created=1234567890\n"
           "alias list@example.test ann@example.test\n")
    settle(d)
    path = os.path.join(d.database, "users.db")
    garble(path, b"created 1234567890", b"created 1234567899")
    d.start()
    for name in ("ann", "bob", "carl", "list"):
        assert d.recipient(f"{name}@example.test") == "recipient-ok"
    assert d.recipient("dora@example.test") == "lookup-failed"
    queue = d.peer("role-queue")
    answer = queue.ask("route", serial=1, address="dora@example.test")
    assert (answer["kind"], answer["target"]) == ("later", "lookup-failed")
    assert d.peer("role-pop3d").login("dora", "x")[0]["verdict"] == \
        "login-later"
    assert 'what=u/example.test/dora reason="corrupt record"' in d.log()
    done = d.tool("export", check=False)
    assert done.returncode == 65 and "cannot be read" in done.stderr
    assert "carl@example.test" in done.stdout and "end" not in done.stdout
    d.add("ed@example.test")
    assert d.recipient("ed@example.test") == "recipient-ok"


def test_a_garbled_page_leaves_the_service_running(make):
    """Pages of zeros, noise and swapped bytes: whatever Berkeley DB makes
    of them, the rest is answered, by a new server if need be."""
    noise = random.Random(7)
    for kind in ("zeros", "noise", "header"):
        d = make()
        d.tool("import", input="".join(
            f"user user{i:04}@example.test\n" for i in range(2000)))
        settle(d)
        path = os.path.join(d.database, "users.db")
        size = os.path.getsize(path)
        victim = 4096 * (size // 4096 // 2)
        with open(path, "r+b") as f:
            if kind == "header":
                f.seek(victim + 20)
                f.write(noise.randbytes(6))
            else:
                f.seek(victim)
                f.write(bytes(4096) if kind == "zeros"
                        else noise.randbytes(4096))
        d.start()
        answered = {}
        for i in range(0, 2000, 40):
            try:
                answer = d.recipient(f"user{i:04}@example.test")
            except (EOFError, ConnectionError):
                answer = "died"
            answered[answer] = answered.get(answer, 0) + 1
        print(kind, answered)
        assert answered.get("recipient-ok", 0) >= 25, (kind, answered)
        assert d.process.poll() is None


def test_a_database_of_a_later_release_is_left_alone(make):
    d = make()
    d.tool("add", "--no-password", "ann@example.test")
    settle(d)
    path = os.path.join(d.database, "users.db")
    garble(path, b"postrider-userdb 3\n", b"postrider-userdb 4\n")
    done = d.tool("list", check=False)
    assert done.returncode != 0 and "later release" in done.stderr
    garble(path, b"postrider-userdb 4\n", b"postrider-userdb 3\n")
    assert addresses(d) == ["ann@example.test"]


@pytest.mark.parametrize("before", [1, 2])
def test_a_database_of_a_release_before_is_taken_over(make, before):
    d = make()
    old = b"postrider-userdb %d\n" % before
    d.tool("import", input=f"user ann@example.test hash={hash_of('md5')}\n")
    settle(d)
    path = os.path.join(d.database, "users.db")
    garble(path, b"postrider-userdb 3\n", old)
    d.start()
    d.owner("queue")
    assert d.peer("role-smtpd").login("ann", "secret")[0][
        "verdict"] == "login-ok"
    assert d.stop() == 0
    d.sockets.pop("role-admin").close()
    settle(d)
    with open(path, "rb") as f:
        octets = f.read()
    # That release finds it to be of a later one, and leaves it alone.
    assert b"postrider-userdb 3\n" in octets
    assert old not in octets
    # What it exported is understood, too.
    other = make()
    other.tool("import", input=f"postrider-users {before}\n"
               "domain other.test\n"
               "user b@other.test hash=$6$a$b system=b disabled\nend 2\n")


def test_an_unreadable_folder_is_reported_and_tried_again(make):
    d = make()
    d.tool("add", "--no-password", "ann@example.test")
    os.rename(d.database, d.database + ".away")
    d.launch()
    wait_for(lambda: "cannot open" in d.log(), d.path("log"))
    os.rename(d.database + ".away", d.database)
    # The sandbox knows the old folder only, as the same file: a new start.
    d.stop()
    d.start()
    assert d.recipient("ann@example.test") == "recipient-ok"


def test_tool_waits_for_the_lock_only_so_long(make):
    d = make()
    d.tool("add", "--no-password", "ann@example.test")
    d.start()
    os.unlink(d.path("run/admin/userdb"))
    begin = time.monotonic()
    done = d.tool("list", check=False)
    assert done.returncode == 75 and "another process" in done.stderr
    assert time.monotonic() - begin < 30


def test_a_full_disk_refuses_changes_and_answers_look_ups(make, as_root):
    d = make()
    d.add("ann@example.test")
    old, d.database = d.database, d.path("small")
    os.mkdir(d.database)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m,mode=700", "none",
         d.database], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("cannot mount")
    try:
        if d.account:
            os.chown(d.database, d.account.pw_uid, d.account.pw_gid)
        d.write_config()
        d.add("ann@example.test")
        d.start()
        with open(os.path.join(d.database, "ballast"), "wb") as f:
            f.write(bytes(28 << 20))
        done = d.tool("add", "--no-password", "bob", check=False)
        assert done.returncode == 75 and "too little room" in done.stderr
        assert d.recipient("ann@example.test") == "recipient-ok"
        os.unlink(os.path.join(d.database, "ballast"))
        d.tool("add", "--no-password", "bob")
        assert d.recipient("bob@example.test") == "recipient-ok"
    finally:
        d.stop()
        subprocess.run(["umount", d.database])
        assert old
