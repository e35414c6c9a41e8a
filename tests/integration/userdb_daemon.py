# SPDX-License-Identifier: ISC
"""userdb by itself: its role sockets are made here and inherited, its
supervisor, queue and mailbox are played by the test."""
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from suite import SECONDS, program
from watch import wait_exit

ROLES = ("role-smtpd", "role-pop3d", "role-queue", "role-admin", "role-fetch")
PATHS = {"role-smtpd": "smtpd/userdb", "role-pop3d": "pop3d/userdb",
         "role-queue": "queue/userdb", "role-admin": "admin/userdb",
         "role-fetch": "fetch/userdb"}

# Descriptors as sd_listen_fds(3) wants them, with the program's own pid.
LAUNCH = """
import fcntl, os, resource, sys
n = int(sys.argv[1])
high = [fcntl.fcntl(int(f), fcntl.F_DUPFD, 200) for f in sys.argv[3:3 + n]]
for i, f in enumerate(high):
    os.dup2(f, 3 + i)
os.closerange(3 + n, 400)
files = int(os.environ.pop("TEST_FILES", 0))
if files:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
env = dict(os.environ, LISTEN_FDS=str(n), LISTEN_FDNAMES=sys.argv[2],
           LISTEN_PID=str(os.getpid()))
os.execve(sys.argv[3 + n], sys.argv[3 + n:], env)
"""


def encode(verb, *pairs, **attributes):
    parts = [verb]
    for name, value in list(pairs) + list(attributes.items()):
        parts += [name, str(value)]
    return b"".join(os.fsencode(p) + b"\0" for p in parts)


class Answer(dict):
    def __init__(self, octets):
        super().__init__()
        parts = [os.fsdecode(p) for p in octets.split(b"\0")[:-1]]
        self.verb, rest = parts[0], parts[1:]
        self.pairs = list(zip(rest[::2], rest[1::2]))
        self.update(self.pairs)


class Peer:
    """A connection to userdb in some role."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(path)
        self.socket.settimeout(SECONDS)

    def send(self, verb, *pairs, fds=(), **attributes):
        socket.send_fds(self.socket, [encode(verb, *pairs, **attributes)],
                        list(fds))

    def receive(self):
        octets = self.socket.recv(65536)
        if not octets:
            raise EOFError("userdb closed the connection")
        return Answer(octets)

    def ask(self, *args, **kwargs):
        self.send(*args, **kwargs)
        return self.receive()

    def begin(self, verb, wait=True, **attributes):
        """The answer and our end of the pair whose other end was given."""
        ours, theirs = socket.socketpair(socket.AF_UNIX,
                                         socket.SOCK_SEQPACKET)
        ours.settimeout(SECONDS)
        with theirs:
            self.send(verb, fds=[theirs.fileno()], **attributes)
        return (self.receive() if wait else None), ours

    def login(self, user, password, client="192.0.2.1", wait=True):
        return self.begin("login", wait, user=user, password=password,
                          client=client, mechanism="PLAIN", tls=1)

    def is_closed(self):
        """The other side closes (waits for it)."""
        try:
            return self.socket.recv(65536) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()


def listen(path):
    if os.path.exists(path):
        os.unlink(path)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.bind(path)
    s.listen(64)
    s.setblocking(False)
    return s


class Daemon:
    def __init__(self, root=False, extra=(), domains=("example.test",)):
        self.folder = tempfile.mkdtemp(
            prefix="prdb-", dir=os.environ.get("POSTRIDER_TEST_FOLDER"))
        os.chmod(self.folder, 0o755)
        self.root = root
        self.account = None
        if os.geteuid() == 0:
            self.account = pwd.getpwnam("postrider-db" if root else "nobody")
        self.extra, self.domains = list(extra), list(domains)
        self.config = self.path("conf")
        self.database, self.mail = self.path("db"), self.path("mail")
        for name in ("run", "run/userdb", "run/smtpd", "run/pop3d",
                     "run/queue", "run/admin", "run/fetch", "db", "mail",
                     "spool"):
            os.mkdir(self.path(name))
            if self.account:
                os.chown(self.path(name), self.account.pw_uid,
                         self.account.pw_gid)
        os.chmod(self.database, 0o700)
        self.write_config()
        self.process = self.control = None
        self.sockets, self.peers = {}, []

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write_config(self, *extra):
        self.extra += extra
        with open(self.config, "w") as f:
            f.write("hostname mail.example.test\n")
            for domain in self.domains:
                f.write(f"domain {domain}\n")
            f.write(f"run-dir {self.path('run')}\n"
                    f"database-dir {self.database}\n"
                    f"mail-dir {self.mail}\nspool-dir {self.path('spool')}\n")
            f.write("".join(line + "\n" for line in self.extra))
        os.chmod(self.config, 0o644)

    def _as_user(self):
        if os.geteuid() != 0 or self.root:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid,
                "extra_groups": []}

    # -- the program --

    def launch(self, files=0):
        for role in ROLES:
            if role not in self.sockets:
                path = self.path("run", PATHS[role])
                self.sockets[role] = listen(path)
                os.chmod(path, 0o666)
        self.control, theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(SECONDS)
        names = list(ROLES) + ["control"]
        fds = [self.sockets[r].fileno() for r in ROLES] + [theirs.fileno()]
        for fd in fds:
            os.set_inheritable(fd, True)
        with theirs, open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LAUNCH, str(len(fds)),
                 ":".join(names), *map(str, fds), program("userdb"),
                 "-c", self.config],
                pass_fds=fds, stdout=log, stderr=log,
                env=dict(os.environ, TEST_FILES=str(files)),
                **self._as_user())
        return self

    def start(self, files=0):
        """files: how many descriptors it may have."""
        self.launch(files)
        assert self.control_receive().verb == "ready", self.log()
        return self

    def control_receive(self):
        octets = self.control.recv(65536)
        assert octets, "userdb is gone\n" + self.log()
        return Answer(octets)

    def tell(self, verb, fds=(), **attributes):
        socket.send_fds(self.control, [encode(verb, **attributes)],
                        list(fds))

    def hand_keys(self, text, path):
        """As the supervisor does with oauth-jwks; None: not there."""
        if text is None:
            self.tell("file", name="oauth-jwks", index=0, count=1, path=path,
                      error="No such file or directory")
            return
        with tempfile.TemporaryFile() as f:
            f.write(text if isinstance(text, bytes) else text.encode())
            f.flush()
            self.tell("file", [f.fileno()], name="oauth-jwks", index=0,
                      count=1, path=path)

    def status(self):
        self.tell("status")
        return self.control_receive()

    def stop(self):
        """As the supervisor does: drain; its exit code."""
        if not self.process:
            return None
        process, self.process = self.process, None
        if process.poll() is None:
            try:
                self.tell("drain")
            except OSError:
                pass
        try:
            return process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("userdb did not drain\n" + self.log())
        finally:
            self.control.close()

    def close(self):
        for peer in self.peers:
            peer.close()
        if self.process:
            self.process.kill()
            self.process.wait()
            self.control.close()
        for s in self.sockets.values():
            s.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        with open(self.path("log"), errors="backslashreplace") as f:
            return f.read()

    def crashes(self):
        return self.log().count("worker crashed service=userdb what=server")

    def processes(self):
        """{name: [pid]} of the watcher's children."""
        pid, found = self.process.pid, {}
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            children = f.read().split()
        for child in children:
            try:
                with open(f"/proc/{child}/comm") as f:
                    found.setdefault(f.read().strip(), []).append(int(child))
            except OSError:
                continue
        return found

    def server(self):
        return self.processes().get("userdb-server", [None])[0]

    def kill_server(self, how=signal.SIGKILL):
        pid = self.server()
        os.kill(pid, how)
        if how == signal.SIGKILL:
            assert wait_exit(pid, SECONDS)
        return pid

    # -- who asks --

    def peer(self, role):
        self.peers.append(Peer(self.path("run", PATHS[role])))
        return self.peers[-1]

    def owner(self, name):
        """Be queue or mailbox: a listening socket."""
        path = self.path("run", "userdb", name)
        s = listen(path)
        os.chmod(path, 0o666)
        s.settimeout(SECONDS)
        self.sockets[name] = s
        return s

    def tool(self, *arguments, input=None, check=True, name="postrider-user",
             seconds=60, **more):
        done = subprocess.run(
            [program(name), "-c", self.config, *map(str, arguments)],
            input=input, capture_output=True, text=True, timeout=seconds,
            errors="surrogateescape",
            **{"stdin": subprocess.DEVNULL, **more}
            if input is None else more, **self._as_user())
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments}: exit {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def add(self, address, password="secret", *options):
        self.tool("add", "--password-stdin", *options, address,
                  input=password + "\n")

    def recipient(self, address):
        smtpd = Peer(self.path("run", PATHS["role-smtpd"]))
        try:
            return smtpd.ask("recipient", address=address)["verdict"]
        finally:
            smtpd.close()


def receive_with_fds(connection):
    octets, fds, _, _ = socket.recv_fds(connection, 65536, 4)
    return octets, fds
