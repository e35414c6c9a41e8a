# SPDX-License-Identifier: ISC
"""postrider check --spool: what a restore, a copy or a hand has done to the
spool is told, and put right where that can be."""
import os
import shutil
import subprocess

import pytest

import spoolfill

ANN = "ann@example.test"


@pytest.fixture
def stopped(make_suite):
    """A suite that was stopped with three messages in its spool."""
    suite = make_suite(users=[ANN]).start()
    suite.stop()
    suite.ids = spoolfill.fill(suite.spool, 3, deferred=True, recipient=ANN,
                               group=os.stat(os.path.join(
                                   suite.spool, "cur")).st_gid)
    return suite


def check(suite, *options, code=0):
    done = suite.run("postrider", "check", "--spool", *options, check=False)
    assert done.returncode == code, done
    return done.stdout


def path(suite, *names):
    return os.path.join(suite.spool, *names)


def test_all_is_well(stopped):
    text = check(stopped)
    assert "note: messages: 0 not tried, 3 deferred, 0 held, 0 damaged" in text
    assert "unnamed files yes" in text and "note: free: " in text
    assert check(stopped, "--repair").count("repaired") == 0
    assert stopped.run("postrider", "check", "--repair",
                       check=False).returncode == 64
    stopped.start()
    stopped.wait_maildir(ANN, 3)


def test_while_it_runs(suite):
    check(suite)
    text = check(suite, "--repair", code=78)
    assert "in use: stop the suite first" in text


@pytest.mark.parametrize("how", ["cp -r", "tar", "other user"])
def test_a_copy_made_by_root(stopped, as_root, how):
    """Nothing starts on it; repaired, every message is delivered."""
    copy = stopped.path("copy")
    if how == "cp -r":
        subprocess.run(["cp", "-r", stopped.spool, copy], check=True)
    elif how == "tar":
        os.mkdir(copy)
        subprocess.run(f"tar -C {stopped.spool} -cf - . | tar -C {copy} "
                       "--no-same-owner --touch -xf -", shell=True,
                       check=True)
    else:
        subprocess.run(["cp", "-a", stopped.spool, copy], check=True)
        subprocess.run(["chown", "-R", "3456:3456", copy], check=True)
    shutil.rmtree(stopped.spool)
    os.rename(copy, stopped.spool)
    text = check(stopped, code=78)
    assert "wrong owner or mode" in text
    assert f"envelope/{stopped.ids[0]}: belongs to another user" in text
    text = check(stopped, "--repair")
    assert f"repaired: cur/{stopped.ids[0]}" in text
    assert "3 deferred" in check(stopped)
    stopped.start()
    stopped.wait_maildir(ANN, 3)
    stopped.wait_queue_empty()


def test_what_is_planted_is_not_given_away(stopped, as_root):
    """A spool's user who is broken in gets no file of anybody's by it."""
    secrets = [stopped.path(f"secret{n}") for n in range(3)]
    for secret in secrets:
        with open(secret, "w") as f:
            f.write("secret\n")
        os.chmod(secret, 0o600)
    os.link(secrets[0], path(stopped, "envelope", "00000000000000aa"))
    os.symlink(secrets[1], path(stopped, "new", "00000000000000bb"))
    os.rename(path(stopped, "tmp"), stopped.path("was-tmp"))
    os.mkdir(stopped.path("folder"), 0o700)
    os.rename(secrets[2], stopped.path("folder", "secret"))
    os.symlink(stopped.path("folder"), path(stopped, "tmp"))
    text = check(stopped, "--repair", code=78)
    assert "00000000000000aa: belongs to another user, and has another " \
        "name elsewhere: not touched" in text
    for secret in (secrets[0], secrets[1],
                   stopped.path("folder", "secret"), stopped.path("folder")):
        is_ = os.stat(secret)
        assert (is_.st_uid, is_.st_gid) == (0, 0)
        assert is_.st_mode & 0o077 == 0


def test_damage_is_told(stopped):
    with open(path(stopped, "envelope", stopped.ids[0]), "ab") as f:
        f.write(b"nonsense\n")
    with open(path(stopped, "cur", stopped.ids[1]), "ab") as f:
        f.write(b"more\n")
    with open(path(stopped, "new", "a\x1b[2Jb"), "wb"):
        pass
    text = check(stopped, code=78)
    assert f"error: {stopped.ids[0]}: envelope line 16: unknown outcome" \
        in text
    assert f"error: {stopped.ids[1]}: content is not as long" in text
    assert r"error: new/a\x1b[2Jb: a foreign name" in text
    assert "1 deferred, 0 held, 3 damaged" in text
    assert "\x1b" not in text
    assert text.endswith(f"\n{text.count('error: ')} errors, 0 warnings\n")
    assert "check --spool --repair" in text
    assert "at the next start" in check(stopped, "--repair", code=78)


def test_back_from_quarantine(stopped):
    """Set aside at start, mended by hand, put back."""
    good, bad = stopped.ids[0], b"nonsense\n"
    with open(path(stopped, "envelope", good), "ab") as f:
        f.write(bad)
    stopped.start()
    stopped.wait_log(lambda l: l.get("id") == good and
                     "quarantined" in l.text)
    stopped.wait_maildir(ANN, 2)
    stopped.wait_queue_empty()
    stopped.stop()
    aside = path(stopped, "quarantine", f"envelope.{good}")
    assert "can be put back" not in check(stopped)
    with open(aside, "r+b") as f:
        f.truncate(os.path.getsize(aside) - len(bad))
    assert f"{good}: is whole in quarantine/" in check(stopped, code=78)
    text = check(stopped, "--repair")
    assert f"repaired: {good}" in text and "; 0 files in quarantine/" in text
    assert os.listdir(path(stopped, "quarantine")) == []
    stopped.start()
    stopped.wait_maildir(ANN, 3)


def test_twice_the_same(stopped):
    """As a copy of a spool in use has it."""
    for id, more in zip(stopped.ids, ("", "x")):
        with open(path(stopped, "cur", id)) as f, \
                open(path(stopped, "new", id), "w") as copy:
            copy.write(f.read() + more)
        info = os.stat(path(stopped, "cur", id))
        if os.geteuid() == 0:
            os.chown(path(stopped, "new", id), info.st_uid, info.st_gid)
    assert check(stopped, code=78).count("stands in new/ and in cur/") == 2
    text = check(stopped, "--repair", code=78)
    assert f"repaired: {stopped.ids[0]}" in text
    assert f"error: {stopped.ids[1]}: stands in new/ and in cur/" in text
    stopped.start()
    stopped.wait_maildir(ANN, 2)
