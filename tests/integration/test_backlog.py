# SPDX-License-Identifier: ISC
"""A long queue for a dead destination costs nobody anything.  What tests/bench
measures, in short and without what depends on the machine's other load: time
is processor time, and bounds are generous."""
import os
import re
import shutil
import subprocess
import sys

import pytest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "bench"))

import peers  # noqa: E402
from account import accounted  # noqa: E402
from backlog import fill, medians, queue_octets, singles  # noqa: E402
from backlog import tool_seconds  # noqa: E402
from local import first_message  # noqa: E402
from restart import deferred_ones, multiply, start  # noqa: E402
from servers import Ours  # noqa: E402
from suite import build_folder, can_trace, descendants  # noqa: E402
from suite import sanitized  # noqa: E402
from volume import volume  # noqa: E402
from watch import wait_for  # noqa: E402
from world import World  # noqa: E402

COUNT = 4000 if sanitized() else 10000
SLACK = 10 if sanitized() else 1
FORKS = ("clone", "clone3", "fork", "vfork", "execve")

pytestmark = pytest.mark.skipif(
    not peers.find("smtp-source") or not peers.find("nsd"),
    reason="needs Postfix's smtp-source and nsd")


@pytest.fixture(scope="module", autouse=True)
def journaled():
    """Where a suite's and its queue's end costs no time, if possible."""
    with volume(512, sparse=True):
        yield


@pytest.fixture(scope="module")
def backlog(journaled):
    """A server with a long queue, and what filling it was like."""
    world = World()
    try:
        with accounted("postrider", lambda: Ours(**world.ours())) as server:
            server.suite.keep = True
            server.world = world
            first_message(server)
            server.empty = singles(server, world)
            server.group.rest()
            server.before = queue_octets(server)
            server.first, server.last = fill(server, COUNT)
            server.group.rest()
            yield server
    finally:
        world.close()


def test_the_last_thousands_are_taken_like_the_first(backlog):
    _, first = medians(backlog.first)
    _, last = medians(backlog.last)
    assert last < first / 0.8, (backlog.first, backlog.last)


@pytest.mark.skipif(sanitized(), reason="sanitizers keep what was freed")
def test_memory_of_a_message(backlog):
    assert queue_octets(backlog) - backlog.before < COUNT * 512


@pytest.mark.parametrize("command", [["list"], ["list", "--json"], ["stats"]])
def test_the_tool_is_quick(backlog, command):
    took, output = tool_seconds(backlog, *command)
    if took is None:
        pytest.skip("there is no such command")
    assert took < 3 * SLACK
    if command[0] == "list":
        assert output.count("\n") >= COUNT


def test_others_are_not_delayed(backlog):
    """One message after the other, to a Maildir and to a host that lives."""
    for before, now in zip(backlog.empty, singles(backlog, backlog.world)):
        assert now < 2 * before + 200 * SLACK


def is_traced(pid, tracer):
    """Also when it has ended."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return f"TracerPid:\t{tracer}\n" in f.read()
    except OSError:
        return True


@pytest.mark.skipif(not can_trace() or not shutil.which("strace"),
                    reason="needs CAP_SYS_PTRACE and strace")
def test_no_process_is_created_for_a_message(backlog):
    count, output = 30, backlog.suite.path("strace")
    pids = [backlog.pid(), *descendants(backlog.pid())]
    with subprocess.Popen(
            ["strace", "-f", "-q", "-o", output, "-e",
             "trace=" + ",".join(FORKS),
             *(word for p in pids for word in ("-p", str(p)))],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as tracer:
        try:
            wait_for(lambda: all(is_traced(p, tracer.pid) for p in pids),
                     output, seconds=20, what="strace")
            peers.smtp_source(backlog.port, backlog.recipient, count=count,
                              sessions=4)
            peers.smtp_source(backlog.port, "someone@live.test", count=count,
                              sessions=4)
        finally:
            tracer.terminate()
    with open(output) as f:
        calls = re.findall(rf"^\d+ +({'|'.join(FORKS)})\(", f.read(), re.M)
    # Workers that came to the end of their lives have successors.
    assert len(calls) < count / 5, calls


@pytest.mark.skipif(
    not os.path.exists(os.path.join(build_folder(), "tests/bench/multiply")),
    reason="needs make check or make bench-tools")
def test_start_with_a_long_queue():
    with accounted("postrider", lambda: Ours(extra=(
            "relay-from 127.0.0.1", "retry-minimum 12h",
            "retry-maximum 1d"))) as server:
        server.suite.keep = True
        deferred_ones(server)
        multiply(server, COUNT // 2)
        got = start(server)
    assert got["found"] >= COUNT // 2
    assert got["first"] < 5 * SLACK
    assert got["took"] < 20 * SLACK
    assert got["slowest"] < 5 * SLACK
