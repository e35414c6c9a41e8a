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
            "dns-server", "oauth-issuer", "oauth-audience", "oauth-jwks",
            "junk", "trust-client", "trust-signer", "dmarc-reports",
            "dnsbl", "milter", "proxy-from"}
# The test's DNS and log have nothing of the example's: what is said then.
NOT_THERE = {"postrider-key dkim --check": 75,
             "postrider-dns check example.org": 65,
             "postrider-queue why bob@example.net": 66}
MESSAGE = "From: bob@example.net\n\nHello.\n"


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


def run_line(house, line):
    """As it stands, with folders of the test's."""
    words = shlex.split(line, comments=True)
    # Passwords are asked for at the terminal; here is none.
    asks = words[1] == "add" or (words[:2] == ["postrider-key", "relay"])
    stdin = ["--password-stdin"] if asks else []
    given = MESSAGE if words[-1] == "<message" else "secret\n"
    words = [word for word in words if word != "<message"]
    if words[0] == "postrider-report":  # reads what came
        with house.smtp() as client:
            client.sendmail("", ["ann@example.org"], MESSAGE)
        house.wait_maildir("ann@example.org")
    words = [word.replace("/usr/local/var/mail/postrider", house.mail)
             .replace("/srv/www/mail", house.path("www")) for word in words]
    done = house.run(*words[:2], *stdin, *words[2:], input=given,
                     check=False)
    assert done.returncode == NOT_THERE.get(line, 0), done
    return " ".join(words[:2])


def test_commands_work(house):
    """Those of our own tools, on the example's domain."""
    house.write_config("relay-host [smtp.example.net]:587")
    house.run("postrider", "reload")
    os.mkdir(house.path("www"))
    ran = {run_line(house, line) for line in indented_lines()
           if line.split()[0] in PROGRAMS and
           line.startswith(("postrider-", "postrider explain"))}
    assert ran >= {"postrider-user add", "postrider-user passwd",
                   "postrider-user show", "postrider-key relay",
                   "postrider-key dkim", "postrider-dns show",
                   "postrider-dns check", "postrider-dns files",
                   "postrider-mailauth all", "postrider-report read",
                   "postrider-queue tls-policy", "postrider-queue why",
                   "postrider explain"}
