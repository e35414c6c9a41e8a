# SPDX-License-Identifier: ISC
"""The supervisor by itself, with a stand-in for every service
(tests/tools/fake-service.c)."""
import grp
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from suite import (SECONDS, build_folder, descendants, free_port, has,
                   program)
from watch import NotifySocket, wait_exit, wait_for

SERVICES = ("keys", "userdb", "mailbox", "queue", "ledger", "deliver",
            *(["fetch"] if has("CURL") else []), "smtpd", "smtp-gate", "pop3d")
SPEAKERS = ("smtpd", "pop3d")


class House:
    """A Suite of stand-ins."""

    def __init__(self, make_suite, tmp_path_factory, **options):
        self.libexec = str(tmp_path_factory.mktemp("libexec"))
        os.chmod(self.libexec, 0o755)
        os.chmod(os.path.dirname(self.libexec), 0o755)
        os.chmod(os.path.dirname(os.path.dirname(self.libexec)), 0o755)
        fake = os.path.join(build_folder(), "tests", "tools", "fake-service")
        for name in SERVICES:
            shutil.copy(fake, os.path.join(self.libexec, name))
        environment = {"POSTRIDER_LIBEXEC": self.libexec,
                       **options.pop("environment", {})}
        options.setdefault("listen", ("submission", "pop3"))
        self.suite = make_suite(environment=environment, **options)

    def behave(self, name, how):
        path = self.suite.path(f"behave-{name}")
        if how is None:
            os.unlink(path)
            return
        with open(path, "w") as f:
            f.write(how)
        os.chmod(path, 0o644)

    def status(self):
        return self.suite.status()

    def of(self, name):
        """The status of a service's processes, newest first."""
        return [s for s in self.status()["services"] if s["name"] == name]


@pytest.fixture
def house(make_suite, tmp_path_factory):
    def make(**options):
        return House(make_suite, tmp_path_factory, **options)
    return make


class Line:
    """A session with a stand-in."""

    def __init__(self, suite, kind="submission"):
        self.socket = suite.connect(kind)
        self.file = self.socket.makefile("rb")
        self.greeting = self.read()

    def read(self):
        return self.file.readline().decode().rstrip("\r\n")

    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")
        return self.read()

    @property
    def parent(self):
        return int(self.greeting.split()[2])

    @property
    def hops(self):
        return int(self.greeting.rsplit("=", 1)[1])

    def close(self):
        try:
            self.socket.sendall(b"QUIT\r\n")
        except OSError:
            pass
        self.file.close()
        self.socket.close()


def session(suite, kind="submission"):
    line = Line(suite, kind)
    assert line.say("hello") == "hello"
    line.close()
    return line


def wait_hops(suite, hops):
    """A session of the new config.  An old worker that has not heard yet
    may take one more; each one hears within a moment."""
    deadline = time.monotonic() + SECONDS
    while True:
        line = session(suite)
        if line.hops == hops:
            return line
        assert time.monotonic() < deadline, f"still hops={line.hops}"


@pytest.mark.parametrize("root", [True, False])
def test_start_status_stop(house, root):
    if root and os.geteuid() != 0:
        pytest.skip("needs root")
    h = house(root=root)
    h.suite.start()
    status = h.status()
    assert status["phase"] == "serving"
    assert status["pid"] == h.suite.pid
    assert status["config"] == h.suite.config
    assert [s["name"] for s in status["services"]] == list(SERVICES)
    assert all(s["state"] == "serving" for s in status["services"])
    assert [s["messages"] for s in status["services"]
            if s["name"] == "queue"] == [7]
    line = Line(h.suite)
    assert h.of("smtpd")[0]["busy"] == 1
    line.close()
    text = h.suite.run("postrider", "status").stdout
    assert re.search(r"^queue +serving +\d+ +\d+s +1 +0 +7$", text, re.M)
    h.suite.run("postrider", "stop")
    # "stop" comes back when nothing is left.
    assert h.suite.process.wait(1) == 0
    for name in ("status", "stop", "reload"):
        done = h.suite.run("postrider", name, check=False)
        assert done.returncode == 69 and "not running" in done.stderr


def test_daemon(house):
    h = house()
    s = h.suite
    s.write_config()
    s.init()
    done = s.run("postrider", "start")
    assert done.stdout == "" and done.stderr == ""
    pid = s.status()["pid"]
    try:
        session(s)
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        for fd in (0, 1, 2):
            assert os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/null"
        assert os.getsid(pid) != os.getsid(0)
        with open(os.path.join(s.run_dir, "postrider.pid")) as f:
            assert int(f.read()) == pid
        again = s.run("postrider", "start", check=False)
        assert again.returncode == 75
        assert f"running already on {s.run_dir}" in again.stderr
        session(s)  # the first one is unharmed
    finally:
        s.run("postrider", "stop")
    assert wait_exit(pid, 1)


def test_daemon_tells_failure(house):
    h = house()
    h.suite.write_config()
    h.suite.init()
    h.behave("queue", "bad")
    done = h.suite.run("postrider", "start", check=False)
    assert done.returncode == 69
    assert done.stderr == ("postrider: queue: exit status 78: told to fail\n")
    assert h.suite.run("postrider", "status", check=False).returncode == 69


@pytest.mark.parametrize("line, error", [
    ("lisen smtp 127.0.0.1:1", 'unknown keyword "lisen"; nearest: "listen"'),
    ("max-message-size 5X", '"max-message-size": "5X" is not a size'),
    ("hostname b.example", '"hostname" is already set in line 1'),
])
def test_bad_config(house, line, error):
    """A broken config is told with file and line, and nothing starts."""
    s = house().suite
    s.write_config()
    s.init()
    s.write_config(line)
    number = len(s.config_lines())
    for command in (("start",), ("start", "-f"), ("check",), ("init",)):
        done = s.run("postrider", *command, check=False)
        assert done.returncode == 78
        assert f"{s.config}:{number}: {error}" in done.stdout + done.stderr
    assert not os.path.exists(os.path.join(s.run_dir, "postrider.pid"))


def test_port_in_use(house):
    s = house().suite
    s.write_config()
    s.init()
    with socket.socket() as other:
        other.bind(("127.0.0.1", s.ports["submission"]))
        other.listen()
        done = s.run("postrider", "start", check=False)
        assert done.returncode == 71
        assert (f"cannot listen on 127.0.0.1:{s.ports['submission']} (submission)"
                ": "
                "Address already in use") in done.stderr
        done = s.run("postrider", "check", check=False)
        assert "cannot listen on" in done.stdout


def test_missing_program(house):
    h = house()
    h.suite.write_config()
    h.suite.init()
    os.unlink(os.path.join(h.libexec, "pop3d"))
    done = h.suite.run("postrider", "start", check=False)
    assert done.returncode == 72
    assert f'no program "pop3d" in {h.libexec}' in done.stderr


def test_passing_failure_at_start_is_waited_for(house):
    """A database that the suite before still holds does not end the
    start."""
    h = house()
    s = h.suite
    s.write_config()
    s.init()
    h.behave("userdb", "later")
    s.spawn()
    s.wait_log("restarting")
    h.behave("userdb", None)
    s.wait_ready()
    session(s)


def test_killed_service_comes_back(house):
    """...and no other one notices."""
    s = house().suite.start()
    before = s.parents()
    pop3 = Line(s, "pop3")
    smtp = Line(s)
    killed = s.kill_service("smtpd")
    line = s.wait_log(lambda l: "service died" in l.text)
    assert line["service"] == "smtpd" and int(line["pid"]) == killed
    s.wait_log(lambda l: " ready " in l.text and l.get("service") == "smtpd" and
               int(l["pid"]) not in before.values())
    after = s.parents()
    assert after["smtpd"] != killed
    assert {n: p for n, p in after.items() if n in SERVICES
            and n != "smtpd" and p in before.values()} == {
        n: p for n, p in before.items() if n != "smtpd"}
    # The session of the dead one's worker goes on, and is known.
    assert smtp.say("still there") == "still there"
    states = sorted(x["state"] for x in s.status()["services"]
                    if x["name"] == "smtpd")
    assert states == ["orphaned", "serving"]
    smtp.close()
    assert pop3.say("and I") == "and I"
    pop3.close()
    session(s)
    wait_for(lambda: len([x for x in s.status()["services"]
                          if x["name"] == "smtpd"]) == 1,
             s.folder, what="the end of the orphan")


def test_crash_makes_a_fresh_parent(house):
    s = house().suite.start()
    old = s.parents()["smtpd"]
    other = Line(s)
    crashing = Line(s)
    assert crashing.say("CRASH") == ""
    s.wait_log("worker crashed")
    line = s.wait_log(lambda l: " ready " in l.text and
                      l.get("service") == "smtpd" and int(l["pid"]) != old)
    assert session(s).parent == int(line["pid"])
    # Who was talking to the old one is not cut off.
    assert other.parent == old and other.say("x") == "x"
    assert os.path.exists(f"/proc/{old}")
    other.close()
    assert wait_exit(old, SECONDS)


def test_reload(house):
    s = house().suite.start()
    owners = {n: s.parents()[n]
              for n in ("keys", "userdb", "mailbox", "queue")}
    old = Line(s)
    assert old.hops == 50
    s.write_config("max-hops 77")
    s.reload()
    new = wait_hops(s, 77)
    assert new.parent != old.parent
    assert old.say("old session") == "old session"
    old.close()
    assert wait_exit(old.parent, SECONDS)
    # Owners live on and got the new config.
    assert {n: s.parents()[n] for n in owners} == owners
    for name in owners:
        s.wait_log(lambda l: "new config" in l.text and l.get("hops") == "77" and
                   f" {name}[" in f" {l.text}")
    assert "RELOADING=1" in collect(s) and s.notify.states.count(
        "READY=1") == 2


def collect(suite):
    """What has come from sd_notify so far."""
    suite.notify.socket.setblocking(False)
    try:
        while True:
            suite.notify.states += suite.notify.socket.recv(
                4096).decode().split("\n")
    except BlockingIOError:
        return suite.notify.states


def test_reload_by_signal(house):
    s = house().suite.start()
    old = s.parents()["smtpd"]
    s.write_config("max-hops 66")
    os.kill(s.pid, signal.SIGHUP)
    s.wait_log("reloaded")
    wait_hops(s, 66)
    assert wait_exit(old, SECONDS)


def test_bad_reload_changes_nothing(house):
    s = house().suite.start()
    before = s.parents()
    good = list(s.extra)
    s.write_config("max-hops 66", "junk trash")
    done = s.run("postrider", "reload", check=False)
    assert done.returncode == 78
    assert f'{s.config}:{len(s.config_lines())}: "junk": "trash"' in done.stderr
    os.kill(s.pid, signal.SIGHUP)
    line = s.wait_log("not reloaded")
    assert "junk" in line["reason"]
    assert session(s).hops == 50
    assert s.parents() == before
    # What needs a restart is refused, too.
    s.extra = good + ["minimum-uid 999"]
    s.mail += "2"
    s.write_config()
    done = s.run("postrider", "reload", check=False)
    assert done.returncode == 78 and '"mail-dir" has changed' in done.stderr
    # A port that somebody else has: nothing changes either.
    s.mail = s.mail[:-1]
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        s.extra = good + ["max-hops 66", f"listen submission 127.0.0.1:{port}"]
        s.write_config()
        done = s.run("postrider", "reload", check=False)
    assert done.returncode == 78 and "cannot listen on" in done.stderr
    assert session(s).hops == 50
    assert s.parents() == before


def test_reload_of_a_service_that_fails(house):
    """The old one goes on, and the failure is told."""
    h = house()
    s = h.suite.start()
    old = s.parents()["smtpd"]
    h.behave("smtpd", "bad")
    done = s.run("postrider", "reload", check=False)
    assert done.returncode == 78
    assert "smtpd ended before it was ready (exit status 78)" in done.stderr
    assert session(s).parent == old
    h.behave("smtpd", None)
    s.wait_log(lambda l: " ready " in l.text and l.get("service") == "smtpd" and
               int(l["pid"]) != old)
    assert wait_exit(old, SECONDS)
    assert session(s).parent != old
    s.run("postrider", "reload")


def test_reload_listeners(house):
    s = house().suite.start()
    gone = s.ports["pop3"]
    held = Line(s, "pop3")
    s.listen = [l for l in s.listen if "pop3" not in l]
    new = free_port()
    s.listen.append(f"listen pop3 127.0.0.1:{new}")
    s.reload()
    s.ports["pop3"] = new
    session(s, "pop3")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", gone), SECONDS)
    assert held.say("still") == "still"
    held.close()
    # One service may lose all its addresses, and get one again.
    s.listen = [l for l in s.listen if "pop3" not in l]
    s.reload()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", new), SECONDS)
    s.listen.append(f"listen pop3 127.0.0.1:{gone}")
    s.reload()
    s.ports["pop3"] = gone
    session(s, "pop3")


def test_log_file_is_reopened(house):
    s = house().suite.start()
    os.rename(s.log, s.log + ".1")
    s.reload()
    session(s)
    s.wait_log("reloaded")


def test_reload_under_load_refuses_nobody(house):
    s = house().suite.start()
    over = threading.Event()
    failures, counts = [], []

    def client():
        n = 0
        while not over.is_set():
            try:
                session(s)
                n += 1
            except Exception as error:  # each one is a lost client
                failures.append(repr(error))
        counts.append(n)
    threads = [threading.Thread(target=client) for _ in range(4)]
    for t in threads:
        t.start()
    try:
        for hops in range(60, 70):
            s.write_config(f"max-hops {hops}")
            s.extra.pop()
            s.run("postrider", "reload")
    finally:
        over.set()
        for t in threads:
            t.join()
    assert not failures
    assert sum(counts) > 100
    wait_hops(s, 69)


def test_pool_serves_without_new_processes(house):
    s = house().suite.start()
    session(s)
    before = set(descendants(s.pid))
    for _ in range(300):
        session(s)
    after = set(descendants(s.pid))
    assert len(after - before) <= 4, "more than a pool's spare"


def test_what_a_service_inherits(house):
    """A clean environment, and only the descriptors meant for it."""
    s = house(environment={"SECRET": "x", "LD_BIND_NOW": "1",
                           "TZ": "Europe/Zurich"}).suite.start()
    line = Line(s)
    names = set(line.say("ENV").split())
    assert names <= {"PATH", "TZ", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                     "LSAN_OPTIONS", "GLIBC_TUNABLES"}
    assert "TZ" in names
    fds = dict(x.split("=", 1) for x in line.say("FDS").split("\t") if x)
    line.close()
    # 0 to 2, log, config, listener, smtp-gate's socket, connection (twice),
    # to the parent, the set of what it waits for
    inherited = [t for t in fds.values() if t.startswith("/")]
    assert all(t.startswith(("/dev/null", "/memfd:postrider.conf"))
               or t == s.stderr for t in inherited), fds
    assert len(fds) <= 11, fds


def test_services_are_one_session(house):
    """Linux shares the processors out between sessions (autogroup): nobody's
    niceness counts for who is in another.  Signals go to groups."""
    s = house().suite.start()
    for pid in descendants(s.pid):
        assert os.getsid(pid) == os.getsid(s.pid)
        assert os.getpgid(pid) != os.getpgid(s.pid)


def test_supervisor_dies(house):
    """Its services finish and end; the next suite takes over at once."""
    s = house().suite.start()
    family = descendants(s.pid)
    line = Line(s)
    s.process.kill()
    s.process.wait()
    assert line.say("last words") == "last words"
    line.close()
    assert all(wait_exit(p, SECONDS) for p in family)
    s.notify.close()
    s.spawn()
    s.wait_ready()
    session(s)


def test_out_of_descriptors(house):
    """A27: no process can be started, no command heard; the rest goes on,
    nothing spins, and all comes back by itself."""
    s = house().suite.start()
    limits = resource.prlimit(s.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(s.pid, resource.RLIMIT_NOFILE, (8, limits[1]))
    s.kill_service("pop3d")
    s.wait_log(lambda l: "cannot start" in l.text and "Too many" in
               l.get("reason", ""))
    session(s)
    with pytest.raises(subprocess.TimeoutExpired):
        s.run("postrider", "status", seconds=1)
    with open(f"/proc/{s.pid}/stat") as f:
        ticks = sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
    assert ticks < os.sysconf("SC_CLK_TCK") / 2
    resource.prlimit(s.pid, resource.RLIMIT_NOFILE, limits)
    died = s.log_text().index("cannot start")
    wait_for(lambda: " ready service=pop3d" in s.log_text()[died:], s.log)
    session(s, "pop3")
    assert s.status()["phase"] == "serving"


def test_stop_waits_for_sessions(house):
    s = house().suite.start()
    line = Line(s)
    stop = subprocess.Popen(
        [program("postrider"), "-c", s.config, "stop"], env=s._environment(),
        **s._as_user())
    s.wait_log(lambda l: " stopped " in l.text and l.get("service") == "pop3d")
    assert line.say("not yet") == "not yet"
    assert s.process.poll() is None and stop.poll() is None
    # Owners outlast the speakers.
    assert "service=queue" not in "".join(
        l.text for l in s.log_lines() if " stopped " in l.text)
    with pytest.raises(ConnectionRefusedError):
        Line(s, "pop3")
    line.close()
    assert stop.wait(SECONDS) == 0
    assert s.process.wait(1) == 0
    assert "STOPPING=1" in collect(s)
    order = [l["service"] for l in s.log_lines() if " stopped " in l.text]
    assert order.index("queue") > order.index("smtpd")
    assert order.index("userdb") > order.index("queue")


def test_second_signal_ends_the_waiting(house):
    h = house()
    h.behave("mailbox", "stubborn")
    s = h.suite.start()
    line = Line(s)
    os.kill(s.pid, signal.SIGTERM)
    s.wait_log(lambda l: " stopped " in l.text and l.get("service") == "pop3d")
    os.kill(s.pid, signal.SIGTERM)
    s.wait_log(lambda l: " stopped " in l.text and l.get("service") == "userdb")
    os.kill(s.pid, signal.SIGINT)
    assert s.process.wait(SECONDS) == 0
    assert line.read() == ""
    killed = {l["service"] for l in s.log_lines() if " killed " in l.text}
    assert killed == {"smtpd", "mailbox"}


def test_listen_fds(house):
    """Sockets from systemd: used by address, and kept over a reload."""
    s = house(listen=("submission",)).suite
    s.write_config()
    s.init()
    port = s.ports["submission"]
    with socket.socket() as given, socket.socket() as stray:
        given.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        given.bind(("127.0.0.1", port))
        given.listen()
        stray.bind(("127.0.0.1", 0))
        stray.listen()
        # A client that came before the suite did.
        early = socket.create_connection(("127.0.0.1", port), SECONDS)
        fds = [given.fileno(), stray.fileno()]
        script = ("import os, sys\n"
                  "a, b = int(sys.argv[1]), int(sys.argv[2])\n"
                  "a, b = os.dup2(a, 100), os.dup2(b, 101)\n"
                  "os.dup2(100, 3), os.dup2(101, 4)\n"
                  "os.environ.update(LISTEN_FDS='2', "
                  "LISTEN_PID=str(os.getpid()))\n"
                  "os.execv(sys.argv[3], sys.argv[3:])\n")
        with open(s.stderr, "ab") as err:
            s.notify = NotifySocket(s.path("notify"))
            s.process = subprocess.Popen(
                ["/usr/bin/python3", "-c", script, *map(str, fds),
                 program("postrider"), "-c", s.config, "start", "-f"],
                pass_fds=fds, stdout=err, stderr=err,
                env={**s._environment(), "NOTIFY_SOCKET": s.notify.path},
                **s._as_user())
        s.wait_ready()
        early.settimeout(SECONDS)
        assert early.recv(100).startswith(b"220 smtpd")
        early.close()
        s.reload()
        session(s)
    s.stop()


def test_control_is_the_owners(house, as_root):
    """Nobody else may stop the suite."""
    s = house(root=True).suite.start()
    path = os.path.join(s.run_dir, "control")
    assert os.stat(path).st_mode & 0o777 == 0o600
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    done = s.run("postrider", "stop", check=False, **nobody)
    assert done.returncode == 77 and "not allowed" in done.stderr
    os.chmod(path, 0o666)  # the second check: who the kernel says it is
    done = s.run("postrider", "stop", check=False, **nobody)
    assert done.returncode == 69 and "no answer" in done.stderr
    session(s)


def test_garbage_on_control(house, monkeypatch):
    """A24: it costs the peer its connection."""
    s = house().suite.start()
    monkeypatch.chdir(s.run_dir)
    for garbage in (b"\0", b"stop", b"stop\0x\0y\0", b"status\0\0", b"x" * 9000,
                    b"reload\0" * 2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as c:
            c.settimeout(SECONDS)
            c.connect("control")
            c.send(garbage)
            assert c.recv(100) == b""
    assert s.status()["phase"] == "serving"


def test_clients_that_say_nothing(house, monkeypatch):
    s = house().suite.start()
    monkeypatch.chdir(s.run_dir)
    mute = []
    for _ in range(40):
        c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        c.connect("control")
        mute.append(c)
    done = s.run("postrider", "status", check=False)
    assert done.returncode == 69
    for c in mute:
        c.close()
    wait_for(lambda: s.run("postrider", "status", check=False).returncode == 0,
             s.folder)


def test_folders_and_sockets(house, as_root):
    """Each role finds its sockets in a folder of its own."""
    s = house(root=True).suite.start()
    expected = {
        "smtpd": ("postrider-smtpd", 0o750, 0o660,
                  {"userdb", "queue", "keys", "ledger"}),
        "gate": ("postrider-smtpd", 0o750, 0o660, {"ledger", "smtpd"}),
        "pop3d": ("postrider-pop3d", 0o750, 0o660, {"userdb", "keys"}),
        "deliver": ("postrider-deliver", 0o750, 0o660,
                    {"queue", "keys", "ledger"}),
        "userdb": ("postrider-db", 0o750, 0o660,
                   {"queue", "mailbox", "ledger"}),
        "ledger": ("postrider-ledger", 0o750, 0o660, set()),
        "keys": ("postrider-keys", 0o750, 0o660, set()),
        "queue": ("postrider-queue", 0o750, 0o660,
                  {"userdb", "mailbox", "keys", "ledger"}),
        "mailbox": ("postrider-mail", 0o750, 0o660, set()),
        "admin": ("root", 0o700, 0o600, {"userdb", "queue", "ledger",
                                          "keys"}),
        "public": ("root", 0o755, 0o666, {"queue"}),
    }
    if has("CURL"):
        expected["fetch"] = ("postrider-fetch", 0o750, 0o660,
                             {"ledger", "userdb"})
    for name, (group, folder_mode, mode, sockets) in expected.items():
        folder = os.path.join(s.run_dir, name)
        is_ = os.stat(folder)
        gid = grp.getgrnam(group).gr_gid
        assert (is_.st_uid, is_.st_gid, is_.st_mode & 0o7777) == (
            0, gid, folder_mode), name
        assert set(os.listdir(folder)) == sockets
        for entry in sockets:
            is_ = os.stat(os.path.join(folder, entry))
            assert (is_.st_uid, is_.st_gid, is_.st_mode & 0o777) == (
                0, gid, mode), (name, entry)
    session(s)


def test_long_run_dir(house):
    """Longer than an address of a Unix socket may be."""
    s = house().suite
    deep = s.path("y" * 120)
    os.mkdir(deep)
    if s.user:
        os.chown(deep, s.user.pw_uid, s.user.pw_gid)
    s.run_dir = os.path.join(deep, "run")
    s.start()
    session(s)
    assert s.status()["phase"] == "serving"


def test_stop_with_a_broken_config(house):
    """Who breaks the config can still look and stop."""
    s = house().suite.start()
    s.write_config("lisen x")
    done = s.run("postrider", "status")
    assert "serving" in done.stdout and "lisen" in done.stderr
    s.run("postrider", "stop")
    assert s.process.wait(1) == 0


def test_status_json_is_json(house):
    s = house().suite.start()
    text = s.run("postrider", "status", "--json").stdout
    assert set(json.loads(text)) == {"services", "version", "phase", "pid",
                                     "age", "config"}
