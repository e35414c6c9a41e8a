# SPDX-License-Identifier: ISC
"""Queue's side of a submission (common/protocol.h), for tests of those who
hand in messages: it takes what they say apart and keeps it."""
import os
import socket
import struct
import threading

from internal import apart


class Broken(Exception):
    """The other end broke the protocol."""


class FakeQueue:
    """refuse: {address: verdict}.  plays: what to do with the connections,
    one word each, in order; then and without them "take":
    take, close (after open), garbage, refuse-open."""

    def __init__(self, path, refuse=None, plays=()):
        self.refuse, self.plays = dict(refuse or {}), list(plays)
        self.messages, self.errors, self.connections = [], [], 0
        self._waiting = {}  # of a peer: what came together
        self.arrived = threading.Condition()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen(16)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def wait(self, count, seconds=10):
        """The messages, once there are that many: "synced" has no answer,
        so that who sent it may have ended before it is read here."""
        with self.arrived:
            assert self.arrived.wait_for(
                lambda: len(self.messages) >= count or self.errors, seconds)
            assert not self.errors and len(self.messages) == count
            return self.messages

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.listener.close()
        assert not self.errors, self.errors

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            play = self.plays.pop(0) if self.plays else "take"
            with peer:
                peer.settimeout(20)
                try:
                    self._serve(peer, play)
                except (Broken, OSError) as error:
                    with self.arrived:
                        self.errors.append(repr(error))
                        self.arrived.notify_all()

    def _receive(self, peer):
        waiting = self._waiting.setdefault(peer, [])
        if not waiting:
            data = peer.recv(16384)
            if not data:
                return None, []
            waiting += apart(data)
        words = waiting.pop(0).split(b"\0")
        if words.pop() != b"" or len(words) % 2 != 1:
            raise Broken(f"malformed packet {words!r}")
        words = [w.decode(errors="surrogateescape") for w in words]
        return words[0], list(zip(words[1::2], words[2::2]))

    def _expect(self, peer, verb, *names, optional=()):
        got, pairs = self._receive(peer)
        if got != verb or [n for n, _ in pairs if n not in optional] != \
                list(names):
            raise Broken(f"{verb} {names} expected, got {got} {pairs}")
        return dict(pairs)

    @staticmethod
    def _send(peer, verb, fds=(), **attributes):
        words = [verb]
        for name, value in attributes.items():
            words += [name, str(value)]
        socket.send_fds(
            peer, ["".join(w + "\0" for w in words).encode()], fds)

    def _serve(self, peer, play):
        credentials = struct.unpack("3i", peer.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        while True:
            verb, pairs = self._receive(peer)
            if verb is None:
                return
            if verb == "list" and not pairs:
                self._list(peer)
                continue
            if verb != "open" or pairs:
                raise Broken(f"open expected, got {verb} {pairs}")
            if play == "close":
                return
            if play == "garbage":
                peer.send(b"opened\0id")
                return
            if play == "refuse-open":
                self._send(peer, "refused", verdict="disk-full")
                continue
            self._take(peer, credentials[1])

    def _take(self, peer, uid):
        id = f"{len(self.messages):016x}"
        content = os.memfd_create(id)
        reader = os.open(f"/proc/self/fd/{content}", os.O_RDONLY)
        self._send(peer, "opened", [content, reader], id=id, time=1000000000)
        os.close(content)
        message = self._expect(
            peer, "commit", "id", "sender", "start", "wire", "body", "utf8",
            "client", "helo", "protocol", optional=("ret", "envid", "junk"))
        recipients, notify = [], []
        facts = {}  # what is to be signed, with all its fields, or why not
        while True:
            verb, pairs = self._receive(peer)
            if verb in ("sign", "more") and not recipients:
                more = dict(pairs)
                if verb == "more":
                    more["fields"] = facts["fields"] + more["fields"]
                facts.update(more)
                continue
            if verb != "recipient":
                break
            recipients.append(dict(pairs)["address"])
            notify.append(dict(pairs).get("notify"))
        if verb != "end" or dict(pairs) != {"count": str(len(recipients))}:
            raise Broken(f"end expected, got {verb} {pairs}")
        for address in recipients:
            if address in self.refuse:
                self._send(peer, "refused", verdict=self.refuse[address],
                           address=address)
                os.close(reader)
                return
        self._send(peer, "committed", [reader])
        with os.fdopen(reader, "rb") as f:
            text = f.read()
        self._expect(peer, "synced")
        if int(message["wire"]) != len(text) + text.count(b"\n"):
            raise Broken(f"wire={message['wire']} is wrong")
        if message["id"] != id:
            raise Broken(f"id={message['id']} is wrong")
        start = int(message["start"])
        message.update(recipients=recipients, notify=notify, uid=uid,
                       facts=facts, local=text[:start],
                       content=text[start:])
        with self.arrived:
            self.messages.append(message)
            self.arrived.notify_all()

    def _list(self, peer):
        for i, message in enumerate(self.messages):
            self._send(peer, "message", id=message["id"], time=1000000000,
                       size=len(message["content"]), sender=message["sender"],
                       login="", uid=message["uid"], state="waiting",
                       attempts=1, next=1000000300,
                       recipients=len(message["recipients"]),
                       pending=len(message["recipients"]),
                       reason="no \x1b[31manswer")
            for n, address in enumerate(message["recipients"][:100]):
                self._send(peer, "recipient", index=n, address=address,
                           parent=n, status="waiting", dsn="4.4.1",
                           when=1000000000, relay="", text="no answer")
        self._send(peer, "end", count=len(self.messages))
