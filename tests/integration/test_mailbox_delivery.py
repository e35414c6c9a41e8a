# SPDX-License-Identifier: ISC
"""mailbox as queue sees it: one message into one Maildir, once."""
import mailbox as python_mailbox
import os
import shutil
import stat

import pytest

from internal import Service, record

ANN = "ann@example.test"
ID = "0123456789abcdef"
TEXT = b"Return-Path: <x@y.test>\nSubject: hello\n\nbody\n"
WIRE = len(TEXT) + TEXT.count(b"\n")


@pytest.fixture
def house():
    with Service("mailbox", ["role-userdb", "role-queue"],
                 root=False) as service:
        yield service


@pytest.fixture
def queue(house):
    with house.connect("role-queue") as peer:
        peer.send_octets(record("virtual-deliver"))
        yield peer


def spool_file(house, name=ID, text=TEXT, mode=0o660):
    path = os.path.join(house.spool, name)
    with open(path, "wb") as f:
        f.write(text)
    if house.user:
        os.chown(path, house.user.pw_uid, house.user.pw_gid)
    os.chmod(path, mode)
    return path


def deliver(peer, path, to=ANN, serial=1, id=ID, again=0, size=None, time=17,
            **more):
    size = os.path.getsize(path) if size is None else size
    fd = os.open(path, os.O_RDONLY)
    try:
        return peer.call("deliver", serial=serial, id=id, mailbox=to,
                         time=time, size=size, wire=size + 4, again=again,
                         **more, fds=[fd])
    finally:
        os.close(fd)


def maildir(house, to=ANN):
    local, domain = to.split("@")
    return os.path.join(house.mail, domain, local)


def in_new(house, to=ANN):
    return sorted(os.listdir(os.path.join(maildir(house, to), "new")))


def test_a_message_gets_a_second_name(house, queue):
    path = spool_file(house)
    answer = deliver(queue, path, serial=7)
    assert (answer.verb, answer["serial"], answer["verdict"]) == (
        "delivered", "7", "ok")
    [name] = in_new(house)
    assert name.startswith(f"17.M000000_{ID}.")
    assert name.endswith(f",S={len(TEXT)},W={WIRE}")
    new = os.path.join(maildir(house), "new", name)
    assert os.path.samefile(path, new)
    for sub in ("", "new", "cur", "tmp"):
        mode = os.stat(os.path.join(maildir(house), sub)).st_mode
        assert stat.S_IMODE(mode) == 0o700
    box = python_mailbox.Maildir(maildir(house), create=False)
    [message] = list(box)
    assert message["Subject"] == "hello"


def test_many_at_once_for_many_mailboxes(house, queue):
    path = spool_file(house)
    fd = os.open(path, os.O_RDONLY)
    for n in range(40):
        queue.send("deliver", serial=n, id=ID, mailbox=f"u{n}@d{n % 3}.test",
                   time=1, size=len(TEXT), wire=WIRE, again=0, fds=[fd])
    os.close(fd)
    answers = [queue.receive() for _ in range(40)]
    assert {a["verdict"] for a in answers} == {"ok"}
    assert sorted(int(a["serial"]) for a in answers) == list(range(40))
    assert os.stat(path).st_nlink == 41
    assert len({os.listdir(os.path.join(house.mail, f"d{n % 3}.test", f"u{n}",
                                        "new"))[0] for n in range(40)}) == 40


@pytest.mark.parametrize("part", ["", "new"])
def test_what_stands_there_now_gets_the_message(house, queue, part):
    """The folders of the last mailboxes are kept open: never for longer than
    they have their names."""
    path = spool_file(house)
    there = os.path.join(maildir(house), part).rstrip("/")
    deliver(queue, path)
    os.rename(there, there + ".away")
    assert deliver(queue, path, id="b" * 16)["verdict"] == "ok"
    assert len(in_new(house)) == 1 and "b" * 16 in in_new(house)[0]
    shutil.rmtree(there)
    assert deliver(queue, path, id="c" * 16)["verdict"] == "ok"
    assert len(in_new(house)) == 1 and "c" * 16 in in_new(house)[0]
    # A link that leads elsewhere is not followed.
    shutil.rmtree(there)
    os.symlink(there + ".away", there)
    assert deliver(queue, path, id="d" * 16)["verdict"] != "ok"


def test_twice_is_once(house, queue):
    path = spool_file(house)
    for serial in range(3):
        assert deliver(queue, path, serial=serial)["verdict"] == "ok"
    assert len(in_new(house)) == 1


@pytest.mark.parametrize("move", [
    lambda d, n: os.rename(f"{d}/new/{n}", f"{d}/cur/{n}:2,S"),
    lambda d, n: os.rename(f"{d}/new/{n}", f"{d}/cur/{n}:2,FRS"),
    lambda d, n: os.rename(f"{d}/new/{n}", f"{d}/tmp/{n}"),
    lambda d, n: None,
])
def test_again_finds_what_a_reader_moved(house, queue, move):
    path = spool_file(house)
    deliver(queue, path)
    move(maildir(house), in_new(house)[0])
    before = in_new(house)
    assert deliver(queue, path, again=1)["verdict"] == "ok"
    assert in_new(house) == before


def test_again_delivers_what_is_not_there(house, queue):
    path = spool_file(house)
    other = spool_file(house, "other", TEXT + b"more\n")
    deliver(queue, other, id="fedcba9876543210")
    assert deliver(queue, path, again=1)["verdict"] == "ok"
    assert len(in_new(house)) == 2


def test_another_file_system_gets_a_copy(house, queue):
    """What cannot be linked is copied: here a file without a name."""
    fd = os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR)
    text = TEXT + b"x" * 200000 + b"\n"
    os.write(fd, text)
    if os.fstat(fd).st_dev == os.stat(house.mail).st_dev:
        pytest.skip("/dev/shm is no file system of its own")
    answer = queue.call("deliver", serial=1, id=ID, mailbox=ANN, time=1,
                        size=len(text), wire=len(text), again=0, fds=[fd])
    assert answer["verdict"] == "ok"
    [name] = in_new(house)
    new = os.path.join(maildir(house), "new", name)
    assert open(new, "rb").read() == text
    assert stat.S_IMODE(os.stat(new).st_mode) == 0o600
    again = queue.call("deliver", serial=2, id=ID, mailbox=ANN, time=1,
                       size=len(text), wire=len(text), again=0, fds=[fd])
    assert again["verdict"] == "ok"
    assert in_new(house) == [name]
    assert os.listdir(os.path.join(maildir(house), "tmp")) == []


# -- A23: what stands where a folder should --

def plant_symlink(path, house):
    target = house.path("elsewhere")
    os.makedirs(target + "/new", exist_ok=True)
    os.makedirs(target + "/cur", exist_ok=True)
    os.makedirs(target + "/tmp", exist_ok=True)
    os.symlink(target, path)


def plant_fifo(path, house):
    os.mkfifo(path)


def plant_file(path, house):
    open(path, "w").close()


@pytest.mark.parametrize("plant", [plant_symlink, plant_fifo, plant_file])
@pytest.mark.parametrize("where", ["domain", "maildir", "new"])
def test_planted_things_are_a_temporary_failure(house, queue, plant, where):
    good = spool_file(house)
    if where == "domain":
        plant(os.path.join(house.mail, "example.test"), house)
    elif where == "maildir":
        os.mkdir(os.path.join(house.mail, "example.test"))
        plant(maildir(house), house)
    else:
        for sub in ("cur", "tmp"):
            os.makedirs(os.path.join(maildir(house), sub))
        plant(os.path.join(maildir(house), "new"), house)
    if house.user:
        for top, folders, files in os.walk(house.mail):
            for name in folders + files:
                os.chown(os.path.join(top, name), house.user.pw_uid,
                         house.user.pw_gid, follow_symlinks=False)
    answer = deliver(queue, good)
    assert answer["verdict"] == "mailbox-busy", answer
    assert ID in house.log() and "not delivered" in house.log()
    if plant is plant_symlink:
        assert os.listdir(house.path("elsewhere", "new")) == []
    # the others are served
    assert deliver(queue, good, to="bob@other.test")["verdict"] == "ok"


def test_a_symlink_with_the_messages_name_is_not_followed(house, queue):
    path = spool_file(house)
    deliver(queue, path)
    [name] = in_new(house)
    new = os.path.join(maildir(house), "new", name)
    os.unlink(new)
    victim = house.path("victim")
    os.symlink(victim, new)
    assert deliver(queue, path)["verdict"] == "mailbox-busy"
    assert not os.path.exists(victim)


# -- A24: garbage --

@pytest.mark.parametrize("to", [
    "", "ann", "@example.test", "../../x@example.test", "a/b@example.test",
    '"../x"@example.test', '".."@example.test', "ann@..", "ann@a/b",
    "a\nb@example.test"])
def test_addresses_that_are_no_folders(house, queue, to):
    path = spool_file(house)
    assert deliver(queue, path, to=to)["verdict"] == "mailbox-busy"
    assert os.listdir(house.mail) == []


@pytest.mark.parametrize("garbage", [
    b"", b"x", b"deliver\0", b"deliver\0serial\0-1\0", b"\xff" * 16000,
    b"deliver\0serial\x001\0id\0" + b"a" * 500 + b"\0"])
def test_garbage_costs_its_peer_only(house, queue, garbage):
    path = spool_file(house)
    with house.connect("role-queue") as bad:
        bad.send_octets(record("virtual-deliver"))
        if garbage:
            bad.send_octets(garbage)
            assert bad.receive() is None
    assert deliver(queue, path)["verdict"] == "ok"


@pytest.mark.parametrize("change", [
    lambda r: r[:-1], lambda r: r + b"\0", lambda r: r[:20],
    lambda r: b"virtual-Deliver\0" + r[16:],
    lambda r: r[:16] + b"name" + r[20:],
    lambda r: r[:-1] + b"x",
    lambda r: record("virtual-session", ANN),
    lambda r: record("system-deliver", "../x"),
    lambda r: record("system-deliver", "-x"),
    lambda r: b"\xff" * 512])
def test_bad_records(house, queue, change):
    with house.connect("role-queue") as bad:
        bad.send_octets(change(record("virtual-deliver")))
        assert bad.receive() is None
    assert deliver(queue, spool_file(house))["verdict"] == "ok"
    assert "bad record" in house.log()


def test_a_lying_size_is_refused(house, queue):
    path = spool_file(house)
    assert deliver(queue, path, size=len(TEXT) + 1)["verdict"] == "internal"
    assert deliver(queue, path, size=len(TEXT))["verdict"] == "ok"


@pytest.mark.parametrize("id", ["../../x", "a/b", "", "a:2,S", "a b"])
def test_ids_that_are_no_names(house, queue, id):
    assert deliver(queue, spool_file(house), id=id)["verdict"] == "internal"
    assert not os.path.exists(maildir(house)) or in_new(house) == []


def test_a_full_disk_is_temporary(house, queue):
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    import subprocess
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=777",
                       "none", house.mail], check=False).returncode:
        pytest.skip("cannot mount")
    try:
        os.makedirs(os.path.join(house.mail, "old"))
        with house.connect("role-queue") as peer:
            # a child that opens the folder that is mounted there now
            house.stop()
            house.start()
            peer.close()
        with house.connect("role-queue") as peer:
            peer.send_octets(record("virtual-deliver"))
            big = spool_file(house, "big", b"x" * 100000)
            answer = deliver(peer, big)
            assert answer["verdict"] == "disk-full", answer
            small = spool_file(house, "small", TEXT)
            answer = deliver(peer, small, id="abc")
            assert answer["verdict"] == "ok", answer
    finally:
        house.stop()
        subprocess.run(["umount", house.mail], check=True)


def test_the_stop_waits_for_nobody_who_is_silent(house, queue):
    deliver(queue, spool_file(house))
    assert house.stop() == 0


def test_one_process_for_each_channel_of_the_queue(house):
    """64 for system users, two for all others, and those that end."""
    path = spool_file(house)
    peers = [house.connect("role-queue") for _ in range(70)]
    for peer in peers:
        peer.send_octets(record("virtual-deliver"))
    for serial, peer in enumerate(peers, 1):
        assert deliver(peer, path, serial=serial)["verdict"] == "ok"
        peer.close()
