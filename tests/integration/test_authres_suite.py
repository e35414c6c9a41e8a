# SPDX-License-Identifier: ISC
"""Authentication-Results of others: whose they are (A17), read as the suite of
another parser reads them.

What that parser refuses for its results is no concern here: whose a field is
stands before them.  Where no host can be read the field is everybody's.
"""
import json
import os
import re
import subprocess

import pytest

from conftest import shared_folder
from suite import build_folder

FOLDER = shared_folder()
ELSEWHERE = "elsewhere.invalid"
# hosts of fields that are refused by that parser for what follows them, or for
# U-labels without quotes, which RFC 8601 section 2.3 allows
HOSTS = ("example.com", "example.net", "éxamplé.org", "Bloß.de",
         "с-балалайкой.рф")
pytestmark = pytest.mark.skipif(not FOLDER, reason="no test data")


def calls():
    if not FOLDER:
        return
    with open(os.path.join(
            FOLDER, "suites/authres/lieser-arhparser.json")) as f:
        tests = json.load(f)
    for test in tests:
        for call in test["calls"]:
            ids = [a[2][0] for a in call["asserts"] if a[0] == "authserv_id"]
            yield test["test"], call["args"][0], ids[0] if ids else None


def claims(field, *hosts):
    done = subprocess.run(
        [os.path.join(build_folder(), "tests/tools/authres-claims"), *hosts],
        check=True, stdout=subprocess.PIPE,
        input=field.replace("\r\n", "\n").encode())
    return [line == "yes" for line in done.stdout.decode().split()]


def host_of(field, host):
    """Of a refused field: who stands at its start."""
    text = field.partition(":")[2].strip()
    if host is None:
        host = next((h for h in HOSTS if text.startswith(h)), "")
    return host


def in_capitals(host):
    return re.sub("[a-z]", lambda letter: letter[0].upper(), host)


@pytest.mark.parametrize("test,field,host", calls())
def test_whose_it_is(test, field, host):
    host = host_of(field, host)
    if not host:
        assert claims(field, ELSEWHERE, "mx.example.org") == [True, True]
    else:
        assert claims(field, host, in_capitals(host), ELSEWHERE) == \
            [True, True, False]
        assert claims(field, "mail." + host) == [False]
