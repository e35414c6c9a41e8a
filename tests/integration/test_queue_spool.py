# SPDX-License-Identifier: ISC
"""What may lie in the spool when the queue starts: every combination of
files that a death, a power cut or a hand can leave (queue/spool.h)."""
import itertools
import os
import re
import socket
import stat
import time

import pytest

from queue_house import House
from watch import wait_for

BOB = "bob@example.test"
ID = "0123456789abcdef"
CONTENT = b"Subject: kept\n\ntext\n"


def envelope(length=len(CONTENT), outcomes=""):
    return (f"postrider-envelope 3\ncontent {length}\nstart 0\n"
            f"wire {length + 4}\ntime 1700000000\nsender <>\nbody 7bit\n"
            f"utf8 0\nclient c\nhelo h\nprotocol ESMTP\n"
            f"recipient <{BOB}>\nend 1\n{outcomes}").encode()


WHOLE = envelope()
DEFERRED = envelope(outcomes="deferred 0 1700000001 4.2.2 - full\n"
                             "attempt 1700000001 1700000002\n")
ENVELOPES = {
    "none": None,
    "empty": b"",
    "cut": WHOLE[:-5],
    "zeros": WHOLE[:60] + bytes(len(WHOLE) - 60),
    "whole": WHOLE,
    "deferred": DEFERRED,
    "torn-outcome": DEFERRED + b"delivered 0 17000",
    "longer-than-content": envelope(len(CONTENT) + 5),
    "shorter-than-content": envelope(len(CONTENT) - 5),
    "garbage": b"\x7fELF\0\1\2\3\nhello\n",
    "version-1": WHOLE.replace(b"envelope 3", b"envelope 1"),
    "version-2": WHOLE.replace(b"envelope 3", b"envelope 2"),
    "version-4": WHOLE.replace(b"envelope 3", b"envelope 4"),
    "version-5": WHOLE.replace(b"envelope 3", b"envelope 5"),
    "signed": WHOLE.replace(
        b"recipient", b"dkim DKIM-Signature: v=1;\\x0a b=\nrecipient"),
    "signed-wrongly": WHOLE.replace(
        b"recipient", b"dkim DKIM-Signature: v=1;\\x0ab=\nrecipient"),
    "asked": WHOLE.replace(b"test>\n", b"test> notify=delay orcpt=x;y\n"),
    "asked-wrongly": WHOLE.replace(b"test>\n", b"test> notify=often\n"),
    "control": WHOLE.replace(b"client c", b"client \x1b"),
}
# What becomes of it: m delivered, s swept, q set aside, by content's place.
EXPECTED = {
    #                        none  new  cur  both
    "none":                 ("-", "s", "q", "q"),
    "empty":                ("s", "s", "q", "q"),
    "cut":                  ("s", "s", "q", "q"),
    "zeros":                ("s", "s", "q", "q"),
    "whole":                ("s", "m", "m", "q"),
    "deferred":             ("s", "m", "m", "q"),
    "torn-outcome":         ("s", "m", "m", "q"),
    "longer-than-content":  ("s", "s", "q", "q"),
    "shorter-than-content": ("s", "q", "q", "q"),
    "garbage":              ("s", "q", "q", "q"),
    "version-1":            ("s", "m", "m", "q"),
    "version-2":            ("s", "m", "m", "q"),
    "version-4":            ("s", "m", "m", "q"),
    "version-5":            ("s", "q", "q", "q"),
    "signed":               ("s", "m", "m", "q"),
    "signed-wrongly":       ("s", "q", "q", "q"),
    "asked":                ("s", "m", "m", "q"),
    "asked-wrongly":        ("s", "q", "q", "q"),
    "control":              ("s", "q", "q", "q"),
}
PLACES = {"none": (), "new": ("new",), "cur": ("cur",),
          "both": ("new", "cur")}


@pytest.fixture
def house():
    house = House()
    house.route(BOB, "mailbox", BOB)
    for name in ("new", "cur", "envelope", "tmp", "quarantine"):
        os.mkdir(os.path.join(house.spool, name), 0o700)
    try:
        yield house
    finally:
        print(house.log_text())
        house.__exit__(None, None, None)


def put(house, folder, content, name=ID):
    with open(os.path.join(house.spool, folder, name), "wb") as f:
        f.write(content)


def own(house):
    if house.user:
        for root, _, files in os.walk(house.spool):
            for name in [root] + [os.path.join(root, f) for f in files]:
                os.chown(name, house.user.pw_uid, house.user.pw_gid,
                         follow_symlinks=False)


def start(house):
    own(house)
    house.start()


@pytest.mark.parametrize("kind,place", list(
    itertools.product(ENVELOPES, PLACES)))
def test_every_combination(house, kind, place):
    text = ENVELOPES[kind]
    for folder in PLACES[place]:
        put(house, folder, CONTENT)
    if text is not None:
        put(house, "envelope", text)
    start(house)
    expected = EXPECTED[kind][list(PLACES).index(place)]
    if expected == "m":
        delivery = house.delivery()
        assert delivery.again and delivery.content == CONTENT
        assert delivery.id == ID
        delivery.answer()
    house.wait_empty()
    aside = house.spooled("quarantine")
    if expected == "q":
        assert aside == sorted(
            [f"{f}.{ID}" for f in PLACES[place]] +
            ([f"envelope.{ID}"] if text is not None else []))
        line = house.log_lines("quarantined")[0]
        assert line["id"] == ID and line["reason"]
    else:
        assert aside == []
    assert house.mailbox.empty()
    # The service goes on.
    house.send("x@remote.test", [BOB])
    house.delivery().answer()


def test_every_truncation_is_swept_or_kept(house):
    """No prefix of an envelope is ever taken for something else."""
    names = []
    for n in range(len(WHOLE) + 1):
        name = f"{n:016x}"
        put(house, "new", CONTENT, name)
        put(house, "envelope", WHOLE[:n], name)
        names.append(name)
    start(house)
    # Without its last line end it can only be whole.
    whole = set()
    for _ in range(2):
        delivery = house.delivery()
        whole.add(delivery.id)
        delivery.answer()
    assert whole == set(names[-2:])
    house.wait_empty()
    assert house.mailbox.empty() and house.spooled("quarantine") == []


def test_what_is_no_file(house):
    spool = house.spool
    put(house, "envelope", WHOLE, "00000000000000aa")
    os.symlink("/etc/passwd", os.path.join(spool, "new", "00000000000000aa"))
    os.mkfifo(os.path.join(spool, "new", "00000000000000bb"))
    put(house, "envelope", WHOLE, "00000000000000bb")
    os.mkdir(os.path.join(spool, "cur", "00000000000000cc"))
    put(house, "new", CONTENT, "00000000000000dd")
    os.symlink("/etc/passwd",
               os.path.join(spool, "envelope", "00000000000000dd"))
    os.mkdir(os.path.join(spool, "envelope", "00000000000000ee"))
    put(house, "tmp", b"half", "00000000000000ff")
    os.mkdir(os.path.join(spool, "tmp", "folder"))
    put(house, "new", b"x", "dovecot.index")
    put(house, "cur", b"x", "0" * 15)
    put(house, "envelope", b"x", ".0123456789abcdef.swp")
    put(house, "new", b"x", "n" * 255)
    start(house)
    house.wait_empty()
    assert house.spooled("tmp") == []
    aside = house.spooled("quarantine")
    removed = {line["id"] for line in house.log_lines("removed")}
    for name in ("new.00000000000000aa", "new.00000000000000bb",
                 "envelope.00000000000000dd"):
        assert name in aside or name.split(".")[1] in removed
    for name in ("cur.00000000000000cc", "new.00000000000000dd",
                 "tmp.folder",
                 "envelope.00000000000000ee", "new.dovecot.index",
                 "cur." + "0" * 15, "envelope..0123456789abcdef.swp"):
        assert name in aside, (name, aside)
    assert any(name.startswith("new.nnnn") for name in aside)
    assert house.mailbox.empty()


def test_a_mail_reader_was_here(house):
    put(house, "cur", CONTENT, ID + ":2,S")
    put(house, "envelope", WHOLE)
    start(house)
    delivery = house.delivery()
    assert delivery.id == ID
    delivery.answer()
    house.wait_empty()
    assert house.spooled("quarantine") == []


def test_edited_while_it_runs(house):
    start(house)
    id = house.send("x@remote.test", [BOB])
    house.delivery().answer("mailbox-full")
    house.wait_log("deferred", id=id)
    path = os.path.join(house.spool, "envelope", id)
    with open(path, "ab") as f:
        f.write(b"whatever\n")
    house.tool("flush", id)
    line = house.wait_log("quarantined", id=id)
    assert "unknown outcome" in line["reason"]
    assert house.listed() == []
    house.send("x@remote.test", [BOB])
    house.delivery().answer()


def test_removed_by_hand_while_it_waits(house):
    start(house)
    id = house.send("x@remote.test", [BOB])
    house.delivery().answer("mailbox-full")
    house.wait_log("deferred", id=id)
    os.unlink(os.path.join(house.spool, "cur", id))
    house.tool("flush", id)
    house.wait_log("swept", id=id)
    house.wait_empty()
    assert house.listed() == []


def test_clock_far_off(house):
    """Neither mail from the future nor a next attempt in a hundred years
    is kept from being tried."""
    put(house, "cur", CONTENT)
    put(house, "envelope", envelope(
        outcomes="attempt 1700000001 4900000000\n").replace(
            b"time 1700000000", b"time 4900000000"))
    start(house)
    (listed,) = house.listed()
    assert listed["state"] == "waiting"
    assert listed["next"] <= time.time() + 4 * 3600 + 2
    house.tool("flush")
    house.delivery().answer("mailbox-full")
    house.wait_log("deferred")
    assert not house.log_lines("failed")


# -- kinds of damage x folders --

WELL = "fedcba9876543210"


def no_such_user():
    """Whom no account is."""
    return 3456


def damage_empty(path):
    open(path, "wb").close()


def damage_garbage(path):
    with open(path, "wb") as f:
        f.write(bytes(range(256)) * 40)


def damage_huge(path):
    with open(path, "wb") as f:
        f.truncate((64 << 20) + 1)


def damage_truncated(path):
    with open(path, "r+b") as f:
        f.truncate(os.path.getsize(path) // 2)


def damage_link(path):
    os.unlink(path)
    os.symlink("/etc/passwd", path)


def damage_link_to_nothing(path):
    os.unlink(path)
    os.symlink("nothing", path)


def damage_fifo(path):
    os.unlink(path)
    os.mkfifo(path)


def damage_folder(path):
    is_ = os.stat(path)
    os.unlink(path)
    os.makedirs(os.path.join(path, "full", "of", "it"))
    os.chown(path, is_.st_uid, is_.st_gid)


def damage_socket(path):
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)


def damage_device(path):
    os.unlink(path)
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))


def damage_closed(path):
    os.chmod(path, 0)


def damage_foreign(path):
    os.chown(path, no_such_user(), no_such_user())
    os.chmod(path, 0o644)


def damage_foreign_and_closed(path):
    os.chown(path, no_such_user(), no_such_user())
    os.chmod(path, 0o600)


DAMAGES = [f for name, f in sorted(globals().items())
           if name.startswith("damage_")]
NEED_ROOT = (damage_device, damage_foreign, damage_foreign_and_closed)
PLACED = {"new": "new", "cur": "cur", "envelope": "cur", "tmp": "cur",
          "quarantine": "cur", "": "cur"}


@pytest.mark.parametrize("folder", PLACED, ids=lambda f: f or "itself")
def test_damage(house, folder):
    """Each is repaired, or set aside or removed with a line; the rest goes
    on, and what is no business of ours stays as it is."""
    kinds = [d for d in DAMAGES if house.user or d not in NEED_ROOT]
    ids = {f"{n:016x}": kind for n, kind in enumerate(kinds)}
    for id in [WELL, *ids]:
        put(house, PLACED[folder], CONTENT, id)
        put(house, "envelope", DEFERRED.replace(
            b"time 1700000000", b"time %d" % (time.time() - 100)), id)
        if folder not in PLACED.values() and folder != "envelope":
            put(house, folder, WHOLE, id)
    own(house)
    for id, kind in ids.items():
        kind(os.path.join(house.spool, folder, id))
    house.start()
    whole = {WELL} | {id for id, kind in ids.items() if kind in (
        () if folder in ("new", "cur", "envelope") else kinds)}
    if folder in ("new", "cur", "envelope"):
        whole |= {id for id, kind in ids.items() if kind is damage_closed}
    seen = set()
    while seen != whole:
        delivery = house.delivery()
        assert delivery.content == CONTENT
        seen.add(delivery.id)
        delivery.answer()
    house.wait_empty()
    aside = house.spooled("quarantine")
    for id in set(ids) - whole:
        lines = [line for line in house.log_lines() if line.get("id") == id]
        assert any(line.text.split(": ", 1)[1].split(" id=")[0] in (
            "quarantined", "removed") for line in lines), (ids[id], lines)
        assert any(id in name for name in aside), ids[id]
    if folder in ("new", "cur", "envelope"):
        [line] = house.log_lines("repaired")
        assert ids[line["id"]] is damage_closed
    elif folder == "tmp":
        assert house.spooled("tmp") == []
    else:
        assert set(ids) <= set(os.listdir(os.path.join(house.spool, folder)))
    house.send("x@remote.test", [BOB])
    house.delivery().answer()


def refuses_to_start(house):
    house.start(wait=False)
    assert house.process.wait(20) == 72  # EX_OSFILE
    house.process = None


@pytest.mark.parametrize("damage", [damage_link, damage_garbage])
@pytest.mark.parametrize("folder", ["new", "envelope", "quarantine"])
def test_a_folder_that_is_none(house, folder, damage):
    path = os.path.join(house.spool, folder)
    os.rmdir(path)
    open(path, "wb").close()
    own(house)
    damage(path)
    refuses_to_start(house)
    [line] = house.log_lines("cannot open")
    assert line["what"] == path


def test_a_folder_of_somebody_else(house, as_root):
    own(house)
    os.chown(os.path.join(house.spool, "new"), 0, 0)
    os.chmod(os.path.join(house.spool, "new"), 0o755)
    refuses_to_start(house)
    [line] = house.log_lines("cannot open")
    assert "postrider check --spool" in line["reason"]


@pytest.mark.parametrize("edit", [
    pytest.param(lambda text: text.replace(b"\n", b"\r\n"), id="crlf"),
    pytest.param(lambda text: text[:-1], id="no-last-end"),
    pytest.param(lambda text: text.replace(b"\n", b"\r\n")[:-2],
                 id="crlf-no-last-end"),
    pytest.param(lambda text: re.sub(rb"\ntime .*", b"\ntime %d.000001" % (
        time.time() - 50), text), id="time"),
    pytest.param(lambda text: text.replace(b"helo h", b"helo somebody else"),
                 id="helo"),
])
def test_edited_by_hand(house, edit):
    """What an editor makes of it is taken, and outcomes behind it count."""
    put(house, "cur", CONTENT)
    put(house, "envelope", edit(WHOLE.replace(
        b"time 1700000000", b"time %d" % (time.time() - 100))))
    start(house)
    house.delivery().answer("mailbox-full")
    house.wait_log("deferred", id=ID)
    wait_for(lambda: b"\nattempt " in envelope_now(house),
             os.path.join(house.spool, "envelope"), what="an outcome")
    assert b"1deferred" not in envelope_now(house)
    house.restart()
    house.tool("flush", ID)
    delivery = house.delivery()
    assert delivery.id == ID
    delivery.answer()
    house.wait_empty()
    assert house.spooled("quarantine") == []


def envelope_now(house):
    with open(os.path.join(house.spool, "envelope", ID), "rb") as f:
        return f.read()
