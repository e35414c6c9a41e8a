# SPDX-License-Identifier: ISC
"""What may lie in the spool when the queue starts: every combination of
files that a death, a power cut or a hand can leave (queue/spool.h)."""
import itertools
import os
import time

import pytest

from queue_house import House

BOB = "bob@example.test"
ID = "0123456789abcdef"
CONTENT = b"Subject: kept\n\ntext\n"


def envelope(length=len(CONTENT), outcomes=""):
    return (f"postrider-envelope 2\ncontent {length}\nstart 0\n"
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
    "version-1": WHOLE.replace(b"envelope 2", b"envelope 1"),
    "version-3": WHOLE.replace(b"envelope 2", b"envelope 3"),
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
    "version-3":            ("s", "q", "q", "q"),
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
        house.__exit__(None, None, None)


def put(house, folder, content, name=ID):
    with open(os.path.join(house.spool, folder, name), "wb") as f:
        f.write(content)


def start(house):
    if house.user:
        for root, _, files in os.walk(house.spool):
            for name in [root] + [os.path.join(root, f) for f in files]:
                os.chown(name, house.user.pw_uid, house.user.pw_gid,
                         follow_symlinks=False)
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
    delivery = house.delivery()
    assert delivery.id == names[-1]
    delivery.answer()
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
