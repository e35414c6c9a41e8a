# SPDX-License-Identifier: ISC
"""`make install DESTDIR=...` puts every file where the README says."""
import os
import re
import stat
import subprocess

import pytest

from suite import build_folder, has


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """(destination, {variable: value}) of an installation."""
    build = build_folder()
    destination = str(tmp_path_factory.mktemp("install"))
    done = subprocess.run(["make", "install", "DESTDIR=" + destination],
                          cwd=build, capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(os.path.join(build, "Makefile")) as f:
        made = dict(re.findall(r"^(\w+) = (.*)$", f.read(), re.M))

    def expand(text):
        while "$" in text:
            text = re.sub(r"\$[({](\w+)[)}]", lambda m: made[m[1]], text)
        return text
    return destination, lambda name: destination + expand(made[name])


def test_programs(installed):
    _, folder = installed
    for name in ("postrider", "postrider-user", "postrider-queue",
                 "sendmail", "mailq", "newaliases"):
        path = os.path.join(folder("sbindir"), name)
        assert os.access(path, os.X_OK), path
    for name in ("smtpd", "smtp-gate", "pop3d", "deliver", "queue", "mailbox",
                 "userdb", "ledger", *(["fetch"] if has("CURL") else [])):
        path = os.path.join(folder("libexecdir"), "postrider", name)
        assert os.access(path, os.X_OK), path


def test_man_pages(installed):
    _, folder = installed
    for page in ("man7/postrider.7", "man8/postrider.8",
                 "man5/postrider.conf.5", "man5/postrider-spool.5",
                 "man5/postrider-log.5", "man8/postrider-user.8",
                 "man8/postrider-queue.8", "man8/smtpd.8", "man8/pop3d.8",
                 "man8/smtp-gate.8",
                 "man8/deliver.8", "man8/queue.8", "man8/mailbox.8",
                 "man8/userdb.8", "man8/ledger.8", "man8/fetch.8", "man8/sendmail.8"):
        assert os.path.exists(os.path.join(folder("mandir"), page)), page


def test_sample_unit_and_examples(installed):
    """The config itself is the user's: only a sample is installed."""
    _, folder = installed
    assert os.listdir(os.path.join(folder("sysconfdir"), "postrider")) == [
        "postrider.conf.sample"]
    for unit in ("postrider.service", "postrider-dkim.service",
                 "postrider-dkim.timer", "postrider-report.service",
                 "postrider-report.timer"):
        assert os.path.exists(os.path.join(
            folder("prefix"), "lib/systemd/system", unit))
    examples = os.listdir(os.path.join(folder("datadir"),
                                       "postrider/examples"))
    assert {"inetd.conf", "xinetd.conf", "tcpserver"} <= set(examples)
    assert os.path.exists(os.path.join(
        folder("datadir"), "postrider/examples/fail2ban/postrider.conf"))


def test_nothing_elsewhere_and_nothing_set_uid(installed):
    destination, folder = installed
    known = [folder(name) for name in ("sbindir", "bindir", "libexecdir",
                                       "mandir", "sysconfdir", "datadir",
                                       "docdir", "systemdunitdir")]
    known.append(folder("prefix") + "/lib/systemd/system")
    for top, _, names in os.walk(destination):
        for name in names:
            path = os.path.join(top, name)
            assert any(path.startswith(k + "/") for k in known), path
            assert not os.lstat(path).st_mode & (stat.S_ISUID | stat.S_ISGID)
