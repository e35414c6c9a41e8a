# SPDX-License-Identifier: ISC
"""What a newcomer types first."""
import os
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from mail_clients import on_a_terminal
from suite import build_folder, process_name

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


@pytest.fixture
def quickstart(tool):
    """quickstart(arguments...) with a folder of its own; stopped after."""
    for name in ("dpkg-query", "perl"):
        tool(name)
    demo = tempfile.mkdtemp(prefix="pr-quickstart-")
    os.chmod(demo, 0o755)

    def run(*arguments):
        return subprocess.run(
            [os.path.join(TOP, "quickstart"), *arguments],
            env=dict(os.environ, POSTRIDER_DEMO=demo,
                     POSTRIDER_BUILD=build_folder()),
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=120, check=False)
    run.demo = demo
    yield run
    run("stop")
    shutil.rmtree(demo)


def test_message_travels_and_travels_again(quickstart):
    for turn in (1, 2):
        done = quickstart()
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("the certificate is mail.example.test's") \
            == 2
        for line in ("C: STARTTLS", "-- TLSv1.3, TLS_AES_256_GCM_SHA384",
                     "C: RCPT TO:<ann@example.test>", "S: 250 2.",
                     "C: STLS", f"C: RETR {turn}", "Subject: First light",
                     "S: +OK", "./quickstart stop"):
            assert line in done.stdout, (line, done.stdout)
    stopped = quickstart("stop")
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    assert f"Nothing runs in {quickstart.demo}" in stopped.stdout
    assert not processes_of(quickstart.demo)


def test_a_taken_port_is_named_and_passed_by(quickstart):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 2587))
            other.listen()
        except OSError:
            pass  # taken by somebody else: just as good
        done = quickstart()
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"Port 2587 is taken; using (\d+) instead\.",
                      done.stdout)
    assert found
    assert f"on port {found[1]}" in done.stdout


def printed_commands(text):
    """What stands below "Talk to it", each as a shell takes it."""
    block = re.search(r"^== Talk to it.*\n((?:   .*\n)+)", text, re.M)[1]
    return [c.strip() for c in
            re.findall(r"^   (?! )(?:.*\\\n)*.*\n", block, re.M)]


def test_the_printed_commands_work(quickstart, tool):
    done = quickstart()
    assert done.returncode == 0, done.stdout + done.stderr
    password = re.search(r"log in with the password (\S+)", done.stdout)[1]
    commands = printed_commands(done.stdout)
    assert [c.split()[0] for c in commands] == [
        "swaks", "curl", "openssl", "mutt", "mutt"]
    env = dict(os.environ, HOME=quickstart.demo, TERM="xterm")
    os.mkdir(os.path.join(quickstart.demo, "Mail"))  # or mutt asks for it
    for command in commands:
        tool(command.split()[0])
        if command.startswith("mutt"):
            status, shown = on_a_terminal(
                ["sh", "-c", command], env,
                [("Password", password + "\r")] * ("pops:" in command)
                + [("First light", "x")])
            assert "First light" in shown and status == 0, (command, shown)
            continue
        said = subprocess.run(
            ["sh", "-c", command], input="QUIT\n", capture_output=True,
            text=True, timeout=60, check=False, env=env)
        assert said.returncode == 0, (command, said.stdout, said.stderr)
        assert not re.search(r"^<\*\* ", said.stdout, re.M), said.stdout


def processes_of(folder):
    """Pids of postriders that were started with a config there."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if process_name(pid) == "postrider" and any(
                w.startswith(folder) for w in words):
            found.append(int(pid))
    return found
