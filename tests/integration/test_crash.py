# SPDX-License-Identifier: ISC
"""P2: whatever dies, whenever, nothing is lost and nothing doubled."""
import os
import re
import shutil
import subprocess
import sys

import pytest

from suite import can_trace

KILLPOINTS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          os.pardir, "crash", "killpoints.py")


pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not can_trace() or not shutil.which("strace"),
    reason="needs root with CAP_SYS_PTRACE, and strace")


def killpoints(capsys, *options):
    """How many points there are, and what it printed."""
    done = subprocess.run([sys.executable, KILLPOINTS, *options], text=True,
                          capture_output=True, timeout=600)
    with capsys.disabled():
        print(f"\n{done.stdout}", end="")
    assert done.returncode == 0, done.stdout + done.stderr
    points = int(re.match(r"(\d+) system calls", done.stdout).group(1))
    assert points >= 10
    return points, done.stdout


def test_killed_at_every_system_call_on_spool_and_maildir(capsys):
    points, told = killpoints(capsys)
    assert f"killed {points}," in told
    assert not re.search(r"(seen|deleted) 0\b", told)


def test_every_system_call_on_spool_and_maildir_fails_once(capsys):
    """A third of the trials, with both errors in turn."""
    points, told = killpoints(capsys, "--errors", "--every", "3")
    assert not re.search(r"(ENOSPC|EIO) 0\b", told)
    assert sum(map(int, re.findall(r"(?:ENOSPC|EIO) (\d+)", told))) \
        == (2 * points + 2) // 3
