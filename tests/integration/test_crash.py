# SPDX-License-Identifier: ISC
"""P2: whatever dies, whenever, nothing is lost and nothing doubled."""
import os
import re
import shutil
import subprocess
import sys

import pytest

KILLPOINTS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          os.pardir, "crash", "killpoints.py")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("strace"),
                    reason="needs root and strace")
def test_killed_at_every_system_call_on_spool_and_maildir(capsys):
    done = subprocess.run([sys.executable, KILLPOINTS], text=True,
                          capture_output=True, timeout=600)
    with capsys.disabled():
        print(f"\n{done.stdout}", end="")
    assert done.returncode == 0, done.stdout + done.stderr
    points = int(re.match(r"(\d+) system calls", done.stdout).group(1))
    assert points >= 10
    assert f"killed {points}," in done.stdout
    assert not re.search(r"(seen|deleted) 0\b", done.stdout)
