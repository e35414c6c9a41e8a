# SPDX-License-Identifier: ISC
"""postrider-queue tls-policy: what the suite knows of a domain's TLS."""
import json
import os
import socket
import subprocess
import threading

import pytest

from internal import Peer, Service
from suite import SECONDS, program


class Admin:
    """ledger's role-admin socket in a run-dir of its own."""

    def __init__(self, lines):
        self.house = Service("queue", [], root=False)  # is never started
        open(self.house.path("stderr"), "w").close()
        folder = os.path.join(self.house.run_dir, "admin")
        os.makedirs(folder, exist_ok=True)
        self.lines, self.asked = lines, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(os.path.join(folder, "ledger"))
        os.chmod(os.path.join(folder, "ledger"), 0o666)
        self.socket.listen(10)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                peer = Peer(self.socket.accept()[0])
            except OSError:
                return
            with peer:
                while (packet := peer.receive()) is not None:
                    self.asked.append(packet["domain"])
                    peer.send("tls-policy", *(
                        ("line", line) for line in
                        self.lines.get(packet["domain"], [])))

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.house.close()


def tool(config, *arguments, user=None):
    identity = {"user": user.pw_uid, "group": user.pw_gid,
                "extra_groups": []} if user else {}
    return subprocess.run(
        [program("postrider-queue"), "-c", config, "tls-policy",
         *arguments], capture_output=True, text=True, timeout=SECONDS,
        check=False, **identity)


@pytest.fixture
def admin():
    made = Admin({"a.test": ["MTA-STS: enforce", "last\x1b[2J: \"x\""]})
    yield made
    made.close()


def test_sentences(admin):
    done = tool(admin.house.config, "a.test", "b.test",
                user=admin.house.user)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        'a.test:\n  MTA-STS: enforce\n  last?[2J: "x"\n'
        "b.test: nothing is known; the next message will tell\n")
    assert admin.asked == ["a.test", "b.test"]


def test_json(admin):
    done = tool(admin.house.config, "--json", "a.test", "b.test",
                user=admin.house.user)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"domain": "a.test", "known": ["MTA-STS: enforce",
                                       'last\x1b[2J: "x"']},
        {"domain": "b.test", "known": []}]


def test_without_a_ledger(admin):
    os.unlink(os.path.join(admin.house.run_dir, "admin", "ledger"))
    done = tool(admin.house.config, "a.test", user=admin.house.user)
    assert done.returncode == 69 and "not running" in done.stderr


def test_usage(admin):
    assert tool(admin.house.config, user=admin.house.user).returncode == 64
