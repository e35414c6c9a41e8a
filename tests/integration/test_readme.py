# SPDX-License-Identifier: ISC
"""README.md is typed in word for word."""
import os
import re
import shlex

import pytest

from suite import PROGRAMS

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
NAME = "mail.example.org"
KEYWORDS = {"hostname", "domain", "tls-certificate", "tls-key", "relay-host",
            "dns-server", "oauth-issuer", "oauth-audience", "oauth-jwks"}


def indented_lines():
    with open(os.path.join(TOP, "README.md")) as f:
        return [line.strip() for line in
                re.findall(r"^    (\S.*)$", f.read(), re.M)]


@pytest.fixture
def house(make_suite):
    return make_suite(hostname=NAME, domains=["example.org"], tls=True,
                      users=[]).start()


def test_config_lines_are_taken(house):
    lines = [line for line in indented_lines() if line.split()[0] in KEYWORDS]
    assert {line.split()[0] for line in lines} == KEYWORDS
    path = house.path("readme.conf")
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    done = house.run("postrider", "-c", path, "check", config=False,
                     check=False)
    assert "readme.conf:" not in done.stdout + done.stderr, done


def test_commands_work(house):
    """Those of our own tools, on the example's domain."""
    house.write_config("relay-host [smtp.example.net]:587")
    house.run("postrider", "reload")
    ran = []
    for line in indented_lines():
        if line.split()[0] in PROGRAMS and line.startswith("postrider-"):
            words = shlex.split(line, comments=True)
            # Passwords are asked for at the terminal; here is none.
            stdin = ["--password-stdin"] if words[1] in ("add", "relay") \
                else []
            house.run(*words[:2], *stdin, *words[2:], input="secret\n")
            ran.append(" ".join(words[:2]))
    assert set(ran) >= {"postrider-user add", "postrider-user passwd",
                        "postrider-user show", "postrider-key relay",
                        "postrider-queue tls-policy"}
