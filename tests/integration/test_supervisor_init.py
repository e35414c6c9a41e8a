# SPDX-License-Identifier: ISC
"""postrider init and postrider check."""
import os
import pwd
import re
import socket
import ssl
import subprocess

import pytest

from dnsserver import dns  # noqa: F401
from suite import program


@pytest.fixture(params=["root", "user"])
def fresh(request, make_suite):
    """A suite of which there is nothing but a config."""
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("needs root")
    suite = make_suite(root=request.param == "root")
    suite.write_config()
    return suite


def tree(folder):
    found = {}
    for top, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(top, name)
            is_ = os.lstat(path)
            found[os.path.relpath(path, folder)] = (
                is_.st_uid, is_.st_gid, oct(is_.st_mode), is_.st_ino)
    return found


def test_dry_run_does_nothing(fresh):
    before = tree(fresh.folder)
    said = fresh.run("postrider", "init", "-n").stdout
    assert tree(fresh.folder) == before
    for name in ("spool", "spool/new", "spool/envelope", "mail", "database",
                 "run"):
        assert re.search(rf"^mkdir {fresh.path(name)}\b", said, re.M), name
    assert "self-signed" in said


def test_again_changes_nothing(fresh):
    assert fresh.run("postrider", "init").stdout
    before = tree(fresh.folder)
    assert fresh.run("postrider", "init").stdout == ""
    assert tree(fresh.folder) == before


def test_folders(fresh):
    fresh.run("postrider", "init")
    def of(name):
        is_ = os.stat(fresh.path(name))
        return (pwd.getpwuid(is_.st_uid).pw_name, oct(is_.st_mode & 0o7777))
    if fresh.root:
        assert of("spool") == ("postrider-queue", "0o710")
        for name in ("new", "cur", "tmp"):
            assert of(f"spool/{name}") == ("postrider-queue", "0o2710")
        for name in ("envelope", "quarantine"):
            assert of(f"spool/{name}") == ("postrider-queue", "0o2700")
        assert of("mail") == ("postrider-mail", "0o750")
        assert of("database") == ("postrider-db", "0o700")
        assert of("database-ledger") == ("postrider-ledger", "0o700")
        gid = pwd.getpwnam("postrider-mail").pw_gid
        assert os.stat(fresh.path("spool/new")).st_gid == gid
        # What is set wrong is set right again.
        os.chmod(fresh.path("spool/new"), 0o755)
        assert "chmod 2710" in fresh.run("postrider", "init").stdout
        assert of("spool/new") == ("postrider-queue", "0o2710")
    else:
        me = (fresh.user or pwd.getpwuid(os.geteuid())).pw_name
        for name in ("spool", "spool/new", "mail", "database", "database-ledger"):
            assert of(name) == (me, "0o700")


def test_a_folder_in_use_is_not_taken(fresh, as_root):
    if not fresh.root:
        pytest.skip("only root can take it")
    os.makedirs(fresh.path("mail", "somebody"))
    done = fresh.run("postrider", "init", check=False)
    assert done.returncode == 73
    assert f"{fresh.path('mail')} is in use" in done.stderr
    assert os.stat(fresh.path("mail")).st_uid == 0


def test_a_link_is_not_followed(fresh):
    os.mkdir(fresh.path("elsewhere"))
    os.symlink(fresh.path("elsewhere"), fresh.path("spool"))
    before = os.stat(fresh.path("elsewhere"))
    done = fresh.run("postrider", "init", check=False)
    assert done.returncode == 73
    after = os.stat(fresh.path("elsewhere"))
    assert (before.st_uid, before.st_mode) == (after.st_uid, after.st_mode)


def test_certificate(fresh, as_root):
    if not fresh.root:
        pytest.skip("an ordinary user gets none")
    fresh.run("postrider", "init")
    key, cert = fresh.path("tls", "key.pem"), fresh.path("tls", "cert.pem")
    assert os.stat(key).st_mode & 0o777 == 0o600
    assert os.stat(key).st_uid == 0
    before = tree(fresh.path("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    text = subprocess.run(
        ["openssl", "x509", "-in", cert, "-noout", "-ext", "subjectAltName",
         "-checkend", str(365 * 86400)],
        capture_output=True, text=True, check=True).stdout
    assert f"DNS:{fresh.hostname}" in text
    fresh.run("postrider", "init")
    assert tree(fresh.path("tls")) == before
    # A half of a pair is left alone: it may be the one that matters.
    os.unlink(cert)
    fresh.run("postrider", "init")
    assert not os.path.exists(cert)
    # Nor is there one where the config names its own.
    fresh.write_config("tls-certificate /nonexistent/c", "tls-key "
                       "/nonexistent/k")
    assert "self-signed" not in fresh.run("postrider", "init").stdout


def test_certificate_waits_for_the_name(make_suite, as_root):
    """None for a name that must be changed: it would stay."""
    suite = make_suite(hostname="mail")
    if not suite.root:
        pytest.skip("an ordinary user gets none")
    suite.write_config()
    said = suite.run("postrider", "init").stdout
    assert "self-signed" not in said
    assert re.search(r'^Set "hostname" .*"postrider init" again', said, re.M)
    assert not os.path.exists(suite.path("tls", "cert.pem"))
    suite.hostname = "mail.example.test"
    suite.write_config()
    said = suite.run("postrider", "init").stdout
    assert "self-signed certificate for mail.example.test" in said
    assert "covers the host name" not in check(suite)
    suite.hostname = "other.example.test"
    suite.write_config()
    assert re.search("covers the host name other.*remove certificate and key",
                     check(suite))


def test_default_config(make_suite):
    """Where there is no config, init writes one that check understands."""
    suite = make_suite(root=False)
    done = suite.run("postrider", "init", "-n")
    assert done.stdout.startswith(f"config {suite.config}\n")
    made = re.findall(r"^mkdir (\S+)", done.stdout, re.M)
    assert made and len(set(made)) == len(made), made
    assert not os.path.exists(suite.config)
    # The default folders are not for an ordinary user to make.
    suite.run("postrider", "init", check=False)
    with open(suite.config) as f:
        text = f.read()
    lines = [l for l in text.splitlines() if l and not l.startswith("#")]
    name = socket.gethostname()
    if "." in name:
        assert lines[0] == f"hostname {name}"
    assert all(l.split()[0] in ("hostname", "domain") for l in lines)
    assert "example.org" not in "".join(lines)
    # What is commented out are the defaults.
    suite.run("postrider", "check", check=False)
    with open(suite.config, "w") as f:
        f.write(re.sub(r"^#([a-z][a-z-]+ [^ ]+( [^ ]+)*)$", r"\1", text,
                       flags=re.M))
    done = suite.run("postrider", "check", check=False)
    assert not re.search(rf"{suite.config}:\d+", done.stdout), done.stdout


# -- check --

def check(suite):
    done = suite.run("postrider", "check", check=False)
    found = done.stdout.splitlines()
    errors = [l for l in found if l.startswith("error: ")]
    assert done.returncode == (78 if errors else 0), done.stdout
    return done.stdout


def test_check_of_a_good_suite(fresh):
    fresh.run("postrider", "init")
    fresh.add_user("ann@example.test")
    said = check(fresh)
    assert "0 errors" in said
    fresh.start()
    # The ports are in use by the suite itself now.
    assert "0 errors" in check(fresh)


@pytest.mark.parametrize("line, said", [
    ("relay-from 0.0.0.0/0", 'warning: "relay-from" 0.0.0.0/0: an open relay'),
    ("relay-from ::/0", 'warning: "relay-from" ::/0: an open relay'),
    ("allow-plaintext-auth 0.0.0.0/1", 'warning: "allow-plaintext-auth"'),
    ("dns-server 127.0.0.1:1 trusted",
     'warning: "dns-server": not all of them are trusted, so DANE is not'),
    ("dns-server 192.0.2.53 trusted",
     'warning: "dns-server" 192.0.2.53 is trusted and not on this machine'),
    ("tls-certificate /nonexistent/c\ntls-key /nonexistent/k",
     "error: certificate /nonexistent/c: No such file"),
    ("tls-trust /nonexistent/ca.pem",
     'warning: "tls-trust" /nonexistent/ca.pem: No such file'),
    ("tls-trust /etc/hostname",
     'warning: "tls-trust" /etc/hostname: no certificate in it'),
])
def test_check_config(make_suite, line, said):
    suite = make_suite()
    suite.write_config(line)
    suite.run("postrider", "init")
    assert said in check(suite)


@pytest.mark.parametrize("name, said", [
    ("mail", "spool", ), ])
def test_check_names(make_suite, name, said):
    suite = make_suite(hostname=name, domains=())
    suite.write_config()
    suite.run("postrider", "init")
    text = check(suite)
    assert f'error: host name "{name}" is not a full name' in text
    assert 'no "domain"' in text


def test_check_folders(fresh):
    assert "run \"postrider init\"" in check(fresh)
    fresh.run("postrider", "init")
    os.rmdir(fresh.path("spool", "envelope"))
    assert f"error: {fresh.path('spool', 'envelope')}: No such file" in check(
        fresh)
    fresh.run("postrider", "init")
    os.chmod(fresh.path("mail"), 0o777)
    assert f"warning: {fresh.path('mail')} has mode 0777" in check(fresh)


def test_check_database(fresh):
    fresh.run("postrider", "init")
    fresh.add_user("ann@example.test")
    damaged = 0
    for top, _, names in os.walk(fresh.database):
        for name in names:
            with open(os.path.join(top, name), "r+b") as f:
                f.write(b"\xa5" * 4096)
                damaged += 1
    assert damaged
    assert f"error: the database in {fresh.database} does not open" in check(
        fresh)


# -- check: can mail leave? --

@pytest.fixture
def elsewhere():
    """Another mail server, which must hear nothing."""
    with socket.create_server(("127.0.0.9", 0)) as server:
        server.settimeout(10)
        yield server


def outbound(suite):
    line, = [line for line in check(suite).splitlines() if "outbound" in line]
    return line


def test_check_outbound_by_relay_host(make_suite, elsewhere):
    port = elsewhere.getsockname()[1]
    suite = make_suite(extra=[f"relay-host [127.0.0.9]:{port}"])
    suite.write_config()
    suite.run("postrider", "init")
    assert outbound(suite) == (
        f"note: outbound mail: 127.0.0.9 at 127.0.0.9:{port} can be reached")
    client = elsewhere.accept()[0]
    assert client.recv(10) == b""
    client.close()
    elsewhere.close()
    assert outbound(suite) == (
        f"warning: outbound mail: cannot connect to 127.0.0.9 at "
        f"127.0.0.9:{port}: Connection refused")


def test_check_outbound_by_another_mx(make_suite, dns, elsewhere):
    """Not to ourselves, whatever the preference."""
    port = elsewhere.getsockname()[1]
    dns.add_zone("example.test", "@ MX 5 mail\n@ MX 10 backup\n"
                 "mail A 127.0.0.1\nbackup A 127.0.0.9").start()
    suite = make_suite(dns_server=dns.address, smtp_port=port)
    suite.write_config()
    suite.run("postrider", "init")
    assert outbound(suite) == (
        f"note: outbound mail: backup.example.test at 127.0.0.9:{port} can "
        "be reached")
    elsewhere.accept()[0].close()


def test_check_outbound_without_anybody_to_try(make_suite, dns):
    dns.add_zone("example.test", "@ MX 5 mail\nmail A 127.0.0.1").start()
    suite = make_suite(dns_server=dns.address)
    suite.write_config()
    suite.run("postrider", "init")
    assert outbound(suite).startswith("note: outbound mail was not tried: ")


def test_options():
    for arguments, code, out in (
            (["-V"], 0, "postrider 0."), (["-h"], 0, "usage: postrider"),
            ([], 64, ""), (["frobnicate"], 64, ""), (["-x"], 64, ""),
            (["start", "-x"], 64, ""), (["stop", "now"], 64, ""),
            (["init", "-n", "-n"], 64, ""), (["check", "x"], 64, ""),
            (["status", "--xml"], 64, "")):
        done = subprocess.run([program("postrider"), *arguments],
                              capture_output=True, text=True, check=False)
        assert done.returncode == code, arguments
        assert done.stdout.startswith(out)
        assert code == 0 or "usage" in done.stderr
