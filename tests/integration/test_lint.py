# SPDX-License-Identifier: ISC
"""What is written beside the code: man pages and scripts."""
import glob
import os
import re
import subprocess

import pytest

from suite import build_folder

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
# Some pages are made by the build, with its paths.
PAGES = sorted({os.path.basename(p): p for top in (TOP, build_folder())
                for p in glob.glob(os.path.join(top, "man", "*.[1-9]"))
                }.values())
SCRIPTS = [s for s in ("quickstart", "bootstrap", ".ci/run", "tests/fuzz/run")
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


def named_tests(text):
    """Names of tests in the table of attacks: words with an underscore
    that are no file's; "*" stands for the rest of a name."""
    files = re.findall(r"`([a-z_0-9-]+)`", text)
    for name in re.findall(r"[a-z0-9*]+(?:_[a-z0-9*]+)+", text):
        if name not in files:
            yield name


def test_attacks_have_the_tests_that_the_table_says():
    with open(os.path.join(TOP, "tests", "README.md")) as f:
        names = sorted(set(named_tests(f.read().split("## Attacks")[1])))
    code = ""
    for path in glob.glob(os.path.join(TOP, "tests", "*", "*.[cp]*")):
        with open(path) as f:
            code += f.read()
    missing = [n for n in names
               if not re.search(r"(\(|def test_)" +
                                n.replace("*", "[a-z0-9_]*") + r"\(", code)
               and not re.search(rf"cmocka_unit_test\w*\({n}\b", code)]
    assert len(names) > 50 and missing == []
