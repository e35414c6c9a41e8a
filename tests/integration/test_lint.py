# SPDX-License-Identifier: ISC
"""What is written beside the code: man pages and scripts."""
import glob
import os
import subprocess

import pytest

from suite import build_folder

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
# Some pages are made by the build, with its paths.
PAGES = sorted({os.path.basename(p): p for top in (TOP, build_folder())
                for p in glob.glob(os.path.join(top, "man", "*.[1-9]"))
                }.values())
SCRIPTS = [s for s in ("quickstart", "bootstrap", ".ci/run")
           if os.path.exists(os.path.join(TOP, s))]


@pytest.mark.parametrize("page", PAGES, ids=os.path.basename)
def test_man_page(page, tool):
    done = subprocess.run([tool("mandoc"), "-Tlint", "-Wwarning", page],
                          capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("script", SCRIPTS)
def test_script(script, tool):
    done = subprocess.run([tool("shellcheck"), os.path.join(TOP, script)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
