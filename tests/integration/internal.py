# SPDX-License-Identifier: ISC
"""One program of the suite alone, and its internal sockets from inside.

Service starts a program as the supervisor does: listening sockets by name
(inherit.h), a run-dir of its own.  Packet is common/ipc.h's.
"""
import array
import contextlib
import os
import poplib
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from suite import SECONDS, Suite, program
from watch import wait_exit

RECORD = 512
ACCOUNTS = {"role-userdb": "postrider-db", "role-queue": "postrider-queue"}
STARTER = r"""
import os, resource, sys
names = sys.argv[1].split(":")
fds = [int(fd) for fd in sys.argv[2].split(",")]
high = [os.dup2(fd, 200 + i, inheritable=False) for i, fd in enumerate(fds)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(fds))
os.environ["LISTEN_FDNAMES"] = ":".join(names)
files = int(os.environ.pop("TEST_FILES", 0))
if files:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
os.execv(sys.argv[3], sys.argv[3:])
"""


def apart(octets):
    """Packets that travelled together (common/ipc.h)."""
    strings = octets.split(b"\0")
    found, at = [], 0
    for i in range(1, len(strings) - 2, 2):  # where names are
        if strings[i] == b"":
            found.append(b"\0".join(strings[at:i]) + b"\0")
            at = i + 1
    return found + [b"\0".join(strings[at:])]


class Packet:
    def __init__(self, verb, *attributes, fds=(), **more):
        self.verb = verb
        self.attributes = list(attributes) + list(more.items())
        self.fds = list(fds)

    def encode(self):
        texts = [self.verb]
        for name, value in self.attributes:
            texts += [name, value if isinstance(value, bytes) else str(value)]
        return b"".join((t if isinstance(t, bytes) else t.encode()) + b"\0"
                        for t in texts)

    @classmethod
    def decode(cls, octets, fds):
        texts = [t.decode(errors="surrogateescape")
                 for t in octets.split(b"\0")[:-1]]
        return cls(texts[0], *zip(texts[1::2], texts[2::2]), fds=fds)

    def __getitem__(self, name):
        return dict(self.attributes)[name]

    def get(self, name):
        return dict(self.attributes).get(name)

    def __repr__(self):
        return f"{self.verb} {self.attributes} +{len(self.fds)}"


class Peer:
    """One end of a SEQPACKET conversation."""

    def __init__(self, sock):
        self.socket = sock
        self.socket.settimeout(SECONDS)
        self._waiting = []

    @classmethod
    def connect(cls, path, uid=None):
        """As that user: the other end asks the kernel who connected."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.settimeout(SECONDS)
        mine = os.geteuid()
        if uid is not None:
            os.seteuid(uid)
        try:
            sock.connect(path)
        finally:
            if uid is not None:
                os.seteuid(mine)
        return cls(sock)

    @staticmethod
    def pair():
        ours, theirs = socket.socketpair(socket.AF_UNIX,
                                         socket.SOCK_SEQPACKET)
        return Peer(ours), theirs

    def send_octets(self, octets, fds=()):
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                    array.array("i", fds))] if fds else []
        self.socket.sendmsg([octets], control)

    def send(self, verb, *attributes, fds=(), **more):
        self.send_octets(Packet(verb, *attributes, **more).encode(), fds)

    def receive(self):
        """A Packet, or None at the end."""
        if self._waiting:
            return self._waiting.pop(0)
        try:
            octets, control, flags, _ = self.socket.recvmsg(
                32768, socket.CMSG_SPACE(16))
        except ConnectionResetError:
            return None
        fds = array.array("i")
        for _, _, data in control:
            fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
        if not octets:
            return None
        *before, last = apart(octets)
        self._waiting = [Packet.decode(o, []) for o in before]
        self._waiting.append(Packet.decode(last, list(fds)))
        return self._waiting.pop(0)

    def call(self, verb, *attributes, **more):
        self.send(verb, *attributes, **more)
        return self.receive()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def record(kind, name=""):
    """What a connection to mailbox begins with."""
    return (kind.encode().ljust(16, b"\0") +
            name.encode().ljust(RECORD - 16, b"\0"))


def account_of(name):
    """postrider init makes it, where no test has had that done."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        with Suite(root=True):
            return pwd.getpwnam(name)


class Service:
    """A program, its config, and the sockets that it listens on."""

    def __init__(self, name, listeners, extra=(), root=None, folder=None):
        self.name = name
        self.root = os.geteuid() == 0 if root is None else root
        self.user = (pwd.getpwnam("nobody")
                     if os.geteuid() == 0 and not self.root else None)
        self._temporary = folder is None
        self.folder = folder or tempfile.mkdtemp(
            prefix="pr-", dir=os.environ.get("POSTRIDER_TEST_FOLDER", "/tmp"))
        os.chmod(self.folder, 0o755)
        self.run_dir = self.path("run")
        self.own = os.path.join(self.run_dir, name)
        self.mail, self.spool = self.path("mail"), self.path("spool")
        self.paths = {}  # listener's name: path of the socket
        for made in (self.run_dir, self.own, self.mail, self.spool,
                     self.path("database")):
            os.makedirs(made, exist_ok=True)
            if self.user:
                os.chown(made, self.user.pw_uid, self.user.pw_gid)
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.config = self.path("postrider.conf")
        with open(self.config, "w") as f:
            f.write("\n".join([
                "hostname mail.example.test", "domain example.test",
                f"spool-dir {self.spool}", f"mail-dir {self.mail}",
                f"database-dir {self.path('database')}",
                f"run-dir {self.run_dir}", f"log-file {self.path('log')}",
                "allow-plaintext-auth 127.0.0.1", *extra]) + "\n")
        self.sockets = []
        for listener in listeners:
            if isinstance(listener, str):
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                self.paths[listener] = self.path(listener)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.paths[listener])
                sock.bind(self.paths[listener])
                os.chmod(self.paths[listener], 0o666)
                sock.listen(100)
                self.sockets.append((listener, sock))
            else:
                self.sockets.append(listener)  # (name, bound socket)
        for _, sock in self.sockets:
            sock.setblocking(False)
        self.process = None

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def start(self, files=0):
        """files: how many descriptors it may have."""
        fds = [s.fileno() for _, s in self.sockets]
        names = ":".join(n for n, _ in self.sockets)
        identity = {}
        if self.user:
            identity = {"user": self.user.pw_uid, "group": self.user.pw_gid,
                        "extra_groups": []}
        with open(self.path("stderr"), "ab") as err:
            self.process = subprocess.Popen(
                ["/usr/bin/python3", "-c", STARTER, names,
                 ",".join(map(str, fds)), program(self.name), "-c",
                 self.config],
                stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                env=dict(os.environ, TEST_FILES=str(files),
                         GLIBC_TUNABLES="glibc.malloc.tcache_count=0"),
                pass_fds=fds, **identity)
        return self

    def connect(self, listener, account=None):
        """As whom the role belongs to, or as another account."""
        if account is None and self.root:
            account = ACCOUNTS[listener]
        uid = (pwd.getpwnam(account).pw_uid if account
               else self.user.pw_uid if self.user else None)
        return Peer.connect(self.paths[listener], uid)

    def log(self):
        with open(self.path("stderr")) as f:
            return f.read()

    def stop(self):
        """Drain; its exit code."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(SECONDS)
        self.process = None
        return code

    def close(self):
        print(self.log())  # shown with a failed test
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for _, sock in self.sockets:
            sock.close()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(c) for c in f.read().split()]


def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return {k: v.strip() for k, _, v in
                (line.partition(":") for line in f)}


def wait_gone(pid):
    assert wait_exit(pid, SECONDS), f"{pid} is still there"


def readable(sock, seconds=SECONDS):
    return bool(select.select([sock], [], [], seconds)[0])


class Owner:
    """A listening SEQPACKET socket; each connection has its own thread."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen(100)
        self.fault = None  # (step, what): see at()
        self.connections = 0
        self.requests = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.adopt(connection)

    def adopt(self, connection, login=None):
        peer = Peer(connection)
        peer.socket.settimeout(None)
        threading.Thread(target=self._serve, args=(peer, login),
                         daemon=True).start()

    def _serve(self, peer, login):
        try:
            with peer:
                self.serve(peer, login)
        except (OSError, Stop):
            pass

    def at(self, step, peer):
        """The fault that was ordered for this step, once or for ever."""
        if not self.fault or self.fault[0] != step:
            return
        what = self.fault[1]
        if what == "close":
            self.fault = None
            raise Stop
        if what == "silence":
            self.fault = None
            peer.receive()  # until the other side gives up
            raise Stop
        self.fault = None
        if isinstance(what, bytes):
            peer.send_octets(what)
        else:
            peer.send(*what)
        raise Stop

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Stop(Exception):
    pass


class FakeUserdb:
    """userdb's side towards pop3d and mailbox: any user whose password is
    "secret"; logins are noted.  answers: {user: Packet} said instead."""

    def __init__(self, pop3d, mailbox):
        self.path = os.path.join(pop3d.own, "userdb")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(1000)
        self.mailbox = mailbox
        self.forward = None
        self.logins, self.answers = [], {}
        self.others, self.state, self.ends = None, {}, []
        self.kind = "virtual-session"
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        poller = select.poll()
        poller.register(self.listener, select.POLLIN)
        peers = {}
        while True:
            for fd, _ in poller.poll():
                if fd == self.listener.fileno():
                    try:
                        sock, _ = self.listener.accept()
                    except OSError:
                        return
                    peers[sock.fileno()] = Peer(sock)
                    poller.register(sock, select.POLLIN)
                    continue
                packet = peers[fd].receive()
                if packet is None:
                    poller.unregister(fd)
                    peers.pop(fd).close()
                else:
                    self._answer(peers[fd], packet)

    def _answer(self, peer, packet):
        if self.others is not None:
            self._other_login(peer, packet)
            return
        assert [n for n, _ in packet.attributes] == [
            "user", "password", "client", "mechanism", "tls"]
        user = packet["user"]
        if "@" not in user:
            user += "@example.test"
        self.logins.append((user, packet["password"], packet["client"]))
        if packet["user"] in self.answers:
            answer = self.answers[packet["user"]]
            peer.send(answer.verb, *answer.attributes)
        elif packet["password"] != "secret":
            peer.send("login", verdict="login-failed")
        else:
            self._pass_on(user, packet.fds)
            peer.send("login", verdict="login-ok", user=user)
        for fd in packet.fds:
            os.close(fd)

    def _other_login(self, peer, packet):
        """others: logins.Logins, which judges instead of us; one login at
        a time."""
        if packet.fds:
            self.ends = packet.fds
        answer, welcome = self.others.answer(packet, self.state)
        if welcome:
            self._pass_on(self.others.canonical, self.ends)
        if answer is not None:
            peer.send(answer.verb, *answer.attributes)
        if answer is None or answer.verb == "login":
            for fd in self.ends:
                os.close(fd)
            self.ends = []

    def _pass_on(self, user, fds):
        octets = record(self.kind, user)
        for _ in range(2):
            if self.forward is None:
                self.forward = self.mailbox.connect("role-userdb")
            try:
                self.forward.send_octets(octets, fds)
                return
            except OSError:
                self.forward.close()
                self.forward = None

    def close(self):
        if self.listener.fileno() == -1:
            return
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self.thread.join(SECONDS)
        self.listener.close()
        if self.forward:
            self.forward.close()


class Pop3House:
    """pop3d and mailbox, and a userdb that is not one."""

    def __init__(self, root=None, extra=()):
        self.mailbox = Service("mailbox", ["role-userdb", "role-queue"],
                               root=root, extra=extra)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.pop3d = Service("pop3d", [("pop3", self.listener)], root=root,
                             extra=extra)
        self.userdb = FakeUserdb(self.pop3d, self.mailbox)

    def start(self):
        self.mailbox.start()
        self.pop3d.start()
        return self

    def pop3(self, user=None, password="secret"):
        client = poplib.POP3("127.0.0.1", self.port, timeout=SECONDS)
        if user:
            client.user(user)
            client.pass_(password)
        return client

    def raw(self):
        s = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        s.settimeout(SECONDS)
        return s

    def maildir(self, user):
        local, domain = user.split("@")
        return os.path.join(self.mailbox.mail, domain, local)

    def fill(self, user, messages, folder="cur", name="{i}.x.host:2,"):
        """A Maildir with these messages (octets), named as told."""
        make_maildir(self.maildir(user), messages, folder, name)
        owner = (self.mailbox.user or
                 (pwd.getpwnam("postrider-mail") if self.mailbox.root
                  else None))
        if owner:
            chown_tree(self.mailbox.mail, owner.pw_uid, owner.pw_gid)

    def close(self):
        self.pop3d.close()
        self.mailbox.close()
        self.userdb.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


def make_maildir(path, messages, folder="cur", name="{i}.x.host:2,"):
    for sub in ("new", "cur", "tmp"):
        os.makedirs(os.path.join(path, sub), mode=0o700, exist_ok=True)
    for i, text in enumerate(messages):
        wire = len(text) + text.count(b"\n") - text.count(b"\r\n")
        file = name.format(i=i, size=len(text), wire=wire)
        with open(os.path.join(path, folder, file), "wb") as f:
            f.write(text)


def chown_tree(top, uid, gid):
    os.chown(top, uid, gid)
    for folder, folders, files in os.walk(top):
        for entry in folders + files:
            os.chown(os.path.join(folder, entry), uid, gid,
                     follow_symlinks=False)
