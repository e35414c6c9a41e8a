# SPDX-License-Identifier: ISC
"""The real queue daemon among fakes: userdb, mailbox, deliver and clients are
played by the test, over the sockets that the supervisor would have made.

    with House() as house:
        house.route("bob@example.test", "mailbox", "bob@example.test")
        id = house.send("ann@example.test", ["bob@example.test"])
        delivery = house.mailbox.get()
        delivery.answer("ok")
"""
import array
import json
import os
import pwd
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

from internal import apart
from suite import LogLine, SECONDS, program
from watch import wait_for

ROLES = ["role-smtpd", "role-userdb", "role-deliver", "role-public",
         "role-admin"]

# Puts the inherited sockets where inherit.h wants them, then becomes queue.
EXEC = """
import fcntl, os, sys
fds = [int(n) for n in sys.argv[1].split(",")]
high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in fds]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
os.closerange(3 + len(fds), 200)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class Closed(Exception):
    pass


class Peer:
    """One end of an internal connection (common/ipc.h)."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(SECONDS)
        self.waiting = []  # of those that came together

    def say(self, verb, *fds, **attributes):
        parts = [verb]
        for name, value in attributes.items():
            parts += [name.replace("_", "-"), str(value)]
        data = b"".join(p.encode() + b"\0" for p in parts)
        self.raw(data, *fds)

    def raw(self, data, *fds):
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                    array.array("i", fds))] if fds else []
        self.sock.sendmsg([data], control)

    def hear(self):
        """(verb, attributes, descriptors) of the next packet."""
        if not self.waiting:
            try:
                data, fds, _, _ = socket.recv_fds(self.sock, 16384, 4)
            except ConnectionResetError:
                raise Closed from None
            if not data:
                raise Closed
            *before, last = apart(data)
            self.waiting = [(packet, []) for packet in before] + [(last, fds)]
        data, fds = self.waiting.pop(0)
        parts = data.decode(errors="surrogateescape").split("\0")
        assert parts.pop() == ""
        verb, rest = parts[0], parts[1:]
        return verb, list(zip(rest[::2], rest[1::2])), fds

    def expect(self, verb):
        got, attributes, fds = self.hear()
        assert got == verb, (got, attributes)
        return dict(attributes), fds

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class Client(Peer):
    """smtpd's half."""

    def open(self, *fds):
        self.say("open", *fds, **({"client_fd": 1} if fds else {}))
        attributes, got = self.expect("opened")
        self.id = attributes["id"]
        self.time = int(attributes["time"])
        self.writer, self.reader = got
        return self.id

    def write(self, content):
        os.write(self.writer, content)
        self.content = content

    def close_writer(self):
        if self.writer is not None:
            os.close(self.writer)
        self.writer = None

    def commit(self, sender, recipients, *, start=0, content=None, wire=None,
               utf8=0, body="7bit", protocol="ESMTP", asked=None, **more):
        """asked: {recipient: {"notify": ..., "orcpt": ...}}; more: ret,
        envid."""
        content = self.content if content is None else content
        if wire is None:
            wire = len(content) + content.count(b"\n")
        self.say("commit", id=self.id, sender=sender, start=start, wire=wire,
                 body=body, utf8=utf8, client="host[192.0.2.1]",
                 helo="host", protocol=protocol, **more)
        for recipient in recipients:
            self.say("recipient", address=recipient,
                     **(asked or {}).get(recipient, {}))
        self.say("end", count=len(recipients))

    def committed(self):
        _, [envelope] = self.expect("committed")
        for fd in (self.reader, envelope):
            os.fsync(fd)
            os.close(fd)

    def send(self, sender, recipients, content, **options):
        self.open()
        self.write(content)
        self.close_writer()
        self.commit(sender, recipients, **options)
        self.committed()
        self.say("synced")
        return self.id


class Delivery:
    def __init__(self, peer, user, attributes, fd):
        self.peer, self.user = peer, user
        self.attributes = attributes
        self.mailbox = attributes["mailbox"]
        self.id = attributes["id"]
        self.again = attributes["again"] == "1"
        with os.fdopen(fd, "rb") as f:
            self.content = f.read()

    def answer(self, verdict="ok", **more):
        self.peer.say("delivered", serial=self.attributes["serial"],
                      verdict=verdict, **more)


class Worker(Peer):
    """A deliver worker."""

    def ready(self):
        self.say("ready")

    def job(self):
        attributes, fds = self.expect("job")
        attributes["recipients"] = []
        for _ in range(int(attributes["count"])):
            recipient, more = self.expect("recipient")
            attributes["recipients"].append(recipient)
            fds += more
        (content,) = fds
        with os.fdopen(content, "rb") as f:
            attributes["content"] = f.read()
        return attributes

    def result(self, index, status, dsn, text="250 ok",
               relay="mx.remote.test[192.0.2.9]:25", **more):
        self.say("result", index=index, status=status, dsn=dsn, relay=relay,
                 text=text, **more)

    def done(self, job):
        self.say("done", id=job["id"])


class House:
    def __init__(self, *extra):
        self.folder = tempfile.mkdtemp(
            prefix="pr-queue-", dir=os.environ.get("POSTRIDER_TEST_FOLDER",
                                                   "/tmp"))
        self.user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self.spool = self.path("spool")
        self.run = self.path("run")
        self.config = self.path("postrider.conf")
        self.log = self.path("log")
        self.extra = list(extra)
        self.routes = {}
        self.asked = queue.Queue()
        self.srs = {}  # {sender: what is said of him}; he stays otherwise
        self.limits = {}  # {login: limits of its own}
        self.senders = queue.Queue()  # (sender, domain) as asked
        self.mailbox = queue.Queue()
        self.silent_userdb = False
        self.keep = False  # let queue keep userdb's answers
        self.process = None
        self._threads, self._open = [], []
        for name in ("spool", "run", "run/queue", "run/admin"):
            os.mkdir(self.path(name), 0o755)
        if self.user:
            for root, _, _ in os.walk(self.folder):
                os.chown(root, self.user.pw_uid, self.user.pw_gid)
            os.chmod(self.folder, 0o755)
        self.write_config()
        self.listeners = [self._listen(f"run/{r}") for r in ROLES[:4]]
        self.listeners.append(self._listen("run/admin/queue"))
        self._serve("run/queue/userdb", self._userdb)
        self._serve("run/queue/mailbox", self._mailbox)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def spooled(self, folder):
        path = os.path.join(self.spool, folder)
        return sorted(os.listdir(path)) if os.path.isdir(path) else []

    def write_config(self):
        lines = ["hostname mail.example.test", "domain example.test",
                 f"spool-dir {self.spool}", f"run-dir {self.run}",
                 f"mail-dir {self.path('mail')}",
                 f"database-dir {self.path('database')}"] + self.extra
        with open(self.config, "w") as f:
            f.write("\n".join(lines) + "\n")

    # -- sockets --

    def _listen(self, name):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.bind(self.path(name))
        os.chmod(self.path(name), 0o666)
        s.listen(128)
        return s

    def _serve(self, name, serve):
        listener = self._listen(name)
        self._open.append(listener)

        def accept():
            while True:
                try:
                    s, _ = listener.accept()
                except OSError:
                    return
                self._open.append(s)
                threading.Thread(target=self._guard, args=(serve, Peer(s)),
                                 daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()

    def serve_forgiving_ledger(self):
        """For postrider-queue release --login, which has it forget."""
        def serve(peer):
            while True:
                assert peer.hear()[0] == "forget"
                peer.say("done")
        self._serve("run/admin/ledger", serve)

    @staticmethod
    def _guard(serve, peer):
        peer.sock.settimeout(None)
        try:
            serve(peer)
        except (Closed, OSError):
            pass

    # -- fakes --

    def route(self, address, kind, *targets):
        self.routes[address] = (kind, targets)

    def _userdb(self, peer):
        self.userdb = peer
        while True:
            verb, attributes, _ = peer.hear()
            attributes = dict(attributes)
            if verb == "srs":
                self.senders.put((attributes["address"],
                                  attributes["domain"]))
                more = self.srs.get(attributes["address"], {})
                peer.say("srs", serial=attributes["serial"],
                         **{"verdict": "ok", **more})
                continue
            if verb == "budget":
                more = self.limits.get(attributes["user"])
                peer.say("budget", serial=attributes["serial"], verdict="ok",
                         **({"limits": more} if more else {}))
                continue
            assert verb == "route"
            self.asked.put(attributes["address"])
            if self.silent_userdb:
                continue
            kind, targets = self.routes.get(
                attributes["address"], ("unknown", ("user-unknown",)))
            for i, target in enumerate(targets):
                more = {"more": 1} if i + 1 < len(targets) else {}
                if self.keep:
                    more["keep"] = 1
                peer.say("route", serial=attributes["serial"], kind=kind,
                         target=target, **more)

    def _mailbox(self, peer):
        data = peer.sock.recv(16384)
        assert len(data) == 512, len(data)
        kind = data[:16].rstrip(b"\0").decode()
        user = data[16:].rstrip(b"\0").decode()
        assert (kind, bool(user)) in (("virtual-deliver", False),
                                      ("system-deliver", True))
        while True:
            verb, attributes, fds = peer.hear()
            assert verb == "deliver" and len(fds) == 1
            self.mailbox.put(
                Delivery(peer, user, dict(attributes), fds[0]))

    def delivery(self):
        return self.mailbox.get(timeout=SECONDS)

    # -- life --

    def start(self, wait=True):
        # The supervisor's end, and queue's.
        self.control, theirs = socket.socketpair(socket.AF_UNIX,
                                                 socket.SOCK_SEQPACKET)
        self._open.append(self.control)
        numbers = [s.fileno() for s in self.listeners + [theirs]]
        as_user = {"user": self.user.pw_uid, "group": self.user.pw_gid,
                   "extra_groups": []} if self.user else {}
        for s in self.listeners + [theirs]:
            s.setblocking(False)
        env = dict(os.environ, LISTEN_FDS=str(len(numbers)),
                   LISTEN_FDNAMES=":".join(ROLES + ["control"]))
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", EXEC, ",".join(map(str, numbers)),
                 program("queue"), "-c",
                 self.config], pass_fds=numbers, env=env, stderr=log,
                stdin=subprocess.DEVNULL, **as_user)
        theirs.close()
        if wait:
            self.wait_log("recovered", lines=self.starts())
        return self

    def starts(self):
        self._starts = getattr(self, "_starts", 0) + 1
        return self._starts

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Exit code of an orderly end."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS + 30)

    def restart(self):
        self.kill()
        return self.start()

    def reload(self, *extra):
        """With these lines in the config, too."""
        self.extra += extra
        self.write_config()
        with open(self.config, "rb") as f:
            Peer(self.control).say("reload", f.fileno())
        self.wait_log("reloaded", what="config")

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, traceback):
        code = 0
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        elif self.process:
            code = self.process.returncode
        if kind:
            print(self.log_text())
        for s in self._open + self.listeners:
            s.close()
        text = self.log_text()
        shutil.rmtree(self.folder, ignore_errors=True)
        if not kind:
            assert code in (0, -signal.SIGKILL), (code, text)
            assert "ERROR: " not in text and "runtime error" not in text, text

    # -- clients --

    def connect(self, role, kind=Peer):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(SECONDS)
        path = "run/admin/queue" if role == "admin" else f"run/role-{role}"
        s.connect(self.path(path))
        return kind(s)

    def client(self, role="smtpd"):
        return self.connect(role, Client)

    def login(self, user):
        """smtpd's end after userdb has passed the other on."""
        ours, theirs = socket.socketpair(socket.AF_UNIX,
                                         socket.SOCK_SEQPACKET)
        userdb = self.connect("userdb")
        userdb.say("login", theirs.fileno(), user=user)
        theirs.close()
        userdb.close()
        return Client(ours)

    def worker(self):
        return self.connect("deliver", Worker)

    def send(self, sender, recipients, content=b"Subject: hi\n\nhello\n",
             role="smtpd", **options):
        client = self.client(role)
        try:
            return client.send(sender, recipients, content, **options)
        finally:
            client.close()

    def tool(self, *arguments, check=True):
        as_user = {"user": self.user.pw_uid, "group": self.user.pw_gid,
                   "extra_groups": []} if self.user else {}
        done = subprocess.run(
            [program("postrider-queue"), "-c",
             self.config, *arguments], capture_output=True,
            timeout=SECONDS + 30, **as_user)
        if check:
            assert done.returncode == 0, done
        return done

    def listed(self):
        lines = self.tool("list", "--json").stdout.decode().splitlines()
        return [json.loads(line) for line in lines]

    def shown(self, id):
        return json.loads(self.tool("show", "--json", id).stdout)

    # -- log --

    def log_text(self):
        try:
            with open(self.log, errors="backslashreplace") as f:
                return f.read()
        except OSError:
            return ""

    def log_lines(self, event=None, **pairs):
        found = []
        for text in self.log_text().splitlines():
            line = LogLine(text)
            name = re.split(r" [a-z_]+=", text.split(": ", 1)[-1])[0]
            if (event is None or name == event) and all(
                    line.get(k) == v for k, v in pairs.items()):
                found.append(line)
        return found

    def wait_log(self, event, lines=1, **pairs):
        def look():
            if self.process.poll() is not None:
                raise AssertionError(self.log_text())
            found = self.log_lines(event, **pairs)
            return found if len(found) >= lines else None
        return wait_for(look, self.log, seconds=SECONDS,
                        what=f"log {event} {pairs}\n{self.log_text()}")[-1]

    def wait_empty(self):
        folders = [os.path.join(self.spool, n)
                   for n in ("envelope", "new", "cur")]
        wait_for(lambda: not any(os.listdir(f) for f in folders), *folders,
                 seconds=SECONDS, what="an empty spool")
