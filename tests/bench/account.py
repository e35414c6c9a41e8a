# SPDX-License-Identifier: ISC
"""What a server uses, all its processes together, the short-lived too: it
runs in a control group of its own."""
import contextlib
import os
import signal
import subprocess
import time

import peers
from measure import processor_seconds, say
from suite import descendants, process_name
from watch import wait_exit

GROUPS = next((p for p in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
               if os.access(p + "/cgroup.controllers", os.R_OK)), None)
SYNCS = ("fsync", "fdatasync", "sync_file_range", "syncfs", "sync", "msync")
EVENTS = {"switches": ("context-switches",),
          "calls": ("raw_syscalls:sys_enter",),
          "syncs": tuple(f"syscalls:sys_enter_{n}" for n in SYNCS),
          "forks": ("sched:sched_process_fork",),
          "execs": ("sched:sched_process_exec",)}


class Group:
    """A control group (version 2; no controller is needed), or, where none
    can be made, the tree of the processes."""

    def __init__(self, name):
        self.name = f"pr-bench-{os.getpid()}-{name}"
        self.path = None
        self.root = None  # pid of the server, set by accounted()
        if GROUPS and os.access(GROUPS, os.W_OK) and os.geteuid() == 0:
            with contextlib.suppress(OSError):
                os.mkdir(f"{GROUPS}/{self.name}")
                self.path = f"{GROUPS}/{self.name}"

    @contextlib.contextmanager
    def entered(self):
        """What we start within belongs to it."""
        if not self.path:
            yield
            return
        with open("/proc/self/cgroup") as f:
            home = next(line.rstrip("\n")[3:] for line in f
                        if line.startswith("0::"))
        _move(self.path)
        try:
            yield
        finally:
            _move(GROUPS + home)

    def pids(self):
        if not self.path:
            return [self.root, *descendants(self.root)]
        with open(self.path + "/cgroup.procs") as f:
            return [int(line) for line in f]

    def seconds(self):
        """Processor time, of processes that have ended, too."""
        if not self.path:
            return processor_seconds(self.root)
        with open(self.path + "/cpu.stat") as f:
            return int(dict(line.split() for line in f)["usage_usec"]) / 1e6

    def rest(self, most=5):
        """Wait until next to nothing is used, some seconds at most."""
        end = time.monotonic() + most
        used = self.seconds()
        while time.monotonic() < end:
            time.sleep(0.1)
            before, used = used, self.seconds()
            if used - before < 0.002:
                break

    def end(self):
        """Of what is left in it, too."""
        if not self.path:
            return
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            wait_exit(pid, 5)
        with contextlib.suppress(OSError):
            os.rmdir(self.path)


def _move(path):
    with open(path + "/cgroup.procs", "w") as f:
        f.write(str(os.getpid()))


@contextlib.contextmanager
def accounted(name, make):
    """make(): a server; it gets .group."""
    group = Group(name)
    try:
        with group.entered():
            server = make()
        group.root = server.pid()
        server.group = group
        try:
            yield server
        finally:
            try:
                server.close()
            except AssertionError as error:
                say(f"  {name}: {str(error).splitlines()[0]}")
    finally:
        group.end()


class Counter:
    """Events of a group, by perf (Debian: linux-perf).

        with Counter(group) as counter: ...
        counter.found {"switches": ..., "syncs": ...}; empty without perf
    """

    def __init__(self, group):
        self.found = {}
        self.events = [e for names in EVENTS.values() for e in names]
        self.group = group if group.path and peers.find("perf") else None

    def __enter__(self):
        if not self.group:
            return self
        self.process = subprocess.Popen(
            [peers.find("perf"), "stat", "-a", "-x", ",",
             "-e", ",".join(self.events),
             "-G", ",".join([self.group.name] * len(self.events)), "cat"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        # It counts once it has started cat.
        while self.process.poll() is None and not any(
                process_name(p) == "cat"
                for p in descendants(self.process.pid)):
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        if not self.group:
            return
        _, text = self.process.communicate("")
        counts = {}
        for line in text.splitlines():
            words = line.split(",")
            if len(words) > 2 and words[2] in self.events:
                counts[words[2]] = int(words[0]) if words[0].isdigit() else 0
        if self.process.returncode == 0:
            self.found = {k: sum(counts.get(e, 0) for e in names)
                          for k, names in EVENTS.items()}
