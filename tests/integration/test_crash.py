# SPDX-License-Identifier: ISC
"""P1 to P4: whatever dies, fails or loses its power, and whenever, nothing
that was acknowledged is lost and nothing is doubled.  The short modes of
tests/crash, which has the long ones."""
import os
import re
import subprocess
import sys

import pytest

from suite import can_trace

CRASH = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                     os.pardir, "crash")
CANNOT_RUN = 77

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not can_trace(),
    reason="needs root with CAP_SYS_PTRACE")


def crash(capsys, command, *options):
    """What it printed; the test is skipped where it cannot run."""
    done = subprocess.run(
        [sys.executable, os.path.join(CRASH, command), *options], text=True,
        capture_output=True, timeout=300)
    if done.returncode == CANNOT_RUN:
        pytest.skip(done.stdout.strip())
    with capsys.disabled():
        print(f"\n{done.stdout}", end="")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_killed_and_failing_at_system_calls_on_spool_and_maildir(capsys):
    told = crash(capsys, "faults", "--seconds", "14")
    trials, failures = map(int, re.search(
        r"(\d+) trials, (\d+) failures", told).groups())
    assert trials >= 5 and failures == 0


def test_power_cuts(capsys):
    told = crash(capsys, "powercuts", "--snapshots", "3")
    cuts = list(map(int, re.findall(r"(\d+) snapshots, 0 lost", told)))
    assert cuts and all(n == 3 for n in cuts)
    # Cut in the middle of something, or it would prove nothing.
    assert all(map(int, re.findall(r"acknowledged (\d+)", told)))


def test_power_cuts_would_show_a_missing_sync(capsys):
    told = crash(capsys, "powercuts", "--kinds", "ext4", "--snapshots", "2",
                 "--without-sync")
    assert "ext4 without syncs: 2 snapshots" in told
