# SPDX-License-Identifier: ISC
"""Wait for something to become true in the file system, by events.

The kernel's inotify wakes us; a test never sleeps for readiness.
"""
import ctypes
import os
import select
import socket
import time

_libc = ctypes.CDLL(None, use_errno=True)

IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE = 0x2, 0x4, 0x8
IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE = 0x40, 0x80, 0x100, 0x200
EVERYTHING = (IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM |
              IN_MOVED_TO | IN_CREATE | IN_DELETE)


now = time.monotonic


class Timeout(AssertionError):
    """What was waited for did not happen in time."""


class Watch:
    """Events on some paths; of a path that is not there yet, on its
    nearest folder that is."""

    def __init__(self, *paths):
        self.paths = [os.fspath(p) for p in paths]
        self.fd = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._arm()

    def _arm(self):
        for path in self.paths:
            while not os.path.exists(path) and path != "/":
                path = os.path.dirname(path)
            _libc.inotify_add_watch(self.fd, os.fsencode(path), EVERYTHING)

    def wait(self, seconds, alive=()):
        """Something happened (True), or the time is over or the process
        behind the pidfd alive has ended (False)."""
        ready = select.select([self.fd, *alive], [], [], max(0, seconds))[0]
        if self.fd not in ready:
            return False
        os.read(self.fd, 65536)
        self._arm()
        return True

    def close(self):
        os.close(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def wait_for(predicate, *paths, seconds=20, what="the file system",
             alive=None):
    """Evaluate predicate now and after every event on paths until it
    returns something true, which is returned.  alive: the pidfd of a
    process without which waiting is in vain."""
    deadline = now() + seconds
    with Watch(*paths) as watch:
        while True:
            result = predicate()
            if result:
                return result
            left = deadline - now()
            if left <= 0 or not watch.wait(
                    left, () if alive is None else (alive,)):
                result = predicate()
                if result:
                    return result
                raise Timeout(f"{what}: not within {seconds} s")


def wait_exit(pid, seconds):
    """Has the process ended (a child or anyone's)?  By pidfd."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], seconds)[0])
    finally:
        os.close(fd)


class NotifySocket:
    """Our end of sd_notify(3)."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o777)
        self.states = []

    def wait(self, state, seconds, alive):
        """Until "READY=1" or the like arrives; alive() is the process's
        pidfd, whose end ends the waiting."""
        deadline = now() + seconds
        while state not in self.states:
            left = deadline - now()
            ready = select.select([self.socket, alive], [], [], max(0, left))[0]
            if self.socket in ready:
                self.states += self.socket.recv(4096).decode().split("\n")
            elif alive in ready:
                return False
            elif left <= 0:
                raise Timeout(f"no {state} within {seconds} s")
        return True

    def close(self):
        self.socket.close()
        os.unlink(self.path)
