# SPDX-License-Identifier: ISC
"""Messages come in: nothing is ours before "synced", and nobody relays who
may not."""
import fcntl
import os
import shutil
import socket
import subprocess

import pytest

from queue_house import Closed, House
from suite import can_trace

BOB = "bob@example.test"


@pytest.fixture
def house():
    with House("relay-from 127.0.0.2") as house:
        house.route(BOB, "mailbox", BOB)
        house.route("carl@example.test", "mailbox", "carl@example.test")
        house.route("out@remote.test", "remote", "remote.test")
        yield house


def refused(client, verdict, address=None):
    attributes, _ = client.expect("refused")
    assert attributes["verdict"] == verdict
    if address:
        assert attributes["address"] == address


def test_what_was_opened_ahead_is_withdrawn(house):
    """At a drain, unless it is in use: that is waited for."""
    idle, used = house.client(), house.client()
    for client in idle, used:
        client.say("open", ahead=1)
        attributes, [client.writer, client.reader] = client.expect("opened")
        client.id = attributes["id"]
    fcntl.flock(used.writer, fcntl.LOCK_EX)
    house.process.terminate()
    with pytest.raises(Closed):
        idle.hear()
    used.write(b"Subject: x\n\ntext\n")
    used.close_writer()
    used.commit("x@remote.test", [BOB])
    used.committed()
    used.say("synced")
    assert house.process.wait(20) == 0
    assert house.spooled("new") == [used.id]
    assert not house.log_lines("not waiting")


@pytest.mark.parametrize("ahead", [False, True])
def test_a_scratch_file(house, ahead):
    """It has no name and nothing of it stays; the message is the file's that
    was there before."""
    client = house.client()
    client.say("open", **({"ahead": 1} if ahead else {}))
    attributes, [client.writer, client.reader] = client.expect("opened")
    client.id = attributes["id"]
    client.say("scratch")
    _, [scratch] = client.expect("scratch")
    status = os.fstat(scratch)
    assert status.st_nlink == 0 and status.st_mode & 0o777 == 0o600
    assert status.st_dev == os.fstat(client.writer).st_dev
    os.write(scratch, b"Subject: x\n\nlong\n")
    assert os.pread(scratch, 100, 0) == b"Subject: x\n\nlong\n"
    client.write(b"X: y\n")
    os.lseek(scratch, 0, os.SEEK_SET)
    os.sendfile(client.writer, scratch, None, 100)
    os.close(scratch)
    client.close_writer()
    client.commit("x@remote.test", [BOB],
                  content=b"X: y\nSubject: x\n\nlong\n")
    client.committed()
    client.say("synced")
    delivery = house.delivery()
    assert delivery.content == b"X: y\nSubject: x\n\nlong\n"
    delivery.answer()
    house.wait_empty()
    assert house.spooled("tmp") == []


def test_scratch_out_of_turn(house):
    """One, and of a message: else only that client is dropped."""
    client = house.client()
    client.say("scratch")
    with pytest.raises(Closed):
        client.hear()
    client = house.client()
    client.open()
    client.say("scratch")
    client.expect("scratch")
    client.say("scratch")
    with pytest.raises(Closed):
        client.hear()
    assert len(house.log_lines("peer dropped")) == 2


def test_delivered_to_the_mailbox(house):
    id = house.send("ann@remote.test", [BOB], b"Subject: x\n\ntext\n")
    delivery = house.delivery()
    assert delivery.id == id and delivery.mailbox == BOB
    assert delivery.content == b"Subject: x\n\ntext\n"
    assert delivery.attributes["size"] == "17"
    assert delivery.attributes["wire"] == "20"
    assert not delivery.again
    delivery.answer()
    house.wait_log("removed", id=id)
    house.wait_empty()
    line = house.log_lines("delivered")[0]
    assert line["to"] == f"<{BOB}>" and line["dsn"] == "2.0.0"
    assert line["id"] == id and line["status"] == "sent"


def test_abort_leaves_nothing(house):
    client = house.client()
    client.open()
    client.write(b"x\n")
    client.say("abort")
    client.open()
    client.write(b"Subject: second\n\n")
    client.close_writer()
    client.commit("", [BOB])
    client.committed()
    assert house.spooled("new") == [client.id]
    client.say("abort")
    house.wait_empty()
    client.send("", [BOB], b"Subject: third\n\n")
    assert house.delivery().content == b"Subject: third\n\n"


def test_smtpd_dies_before_synced(house):
    client = house.client()
    client.open()
    client.write(b"x\n")
    client.close_writer()
    client.commit("ann@remote.test", [BOB])
    client.committed()
    assert house.spooled("envelope") == house.spooled("new") == [client.id]
    client.close()
    house.wait_empty()
    assert house.mailbox.empty()
    assert not house.log_lines("queued")


@pytest.mark.parametrize("role,verdict", [
    ("smtpd", "relay-denied"), ("public", None), ("login", None)])
def test_who_may_relay(house, role, verdict):
    client = house.login("ann@example.test") if role == "login" \
        else house.client(role)
    client.open()
    client.write(b"x\n")
    client.close_writer()
    client.commit("ann@example.test", [BOB, "out@remote.test"])
    if verdict:
        refused(client, verdict, "out@remote.test")
        assert house.spooled("new") == house.spooled("envelope") == []
        return
    client.committed()
    client.say("synced")
    line = house.wait_log("queued", id=client.id)
    if role == "login":
        assert line["auth"] == "ann@example.test"
    else:
        assert int(line["uid"]) == os.geteuid()


@pytest.mark.parametrize("address,allowed", [
    ("127.0.0.2", True), ("127.0.0.3", False)])
def test_relay_from_is_checked_by_the_kernel(house, address, allowed):
    with socket.create_server(("127.0.0.1", 0)) as server, \
            socket.create_connection(server.getsockname(),
                                     source_address=(address, 0)):
        conn, _ = server.accept()
        with conn:
            client = house.client()
            client.open(conn.fileno())
            client.write(b"x\n")
            client.close_writer()
            client.commit("ann@remote.test", ["out@remote.test"])
            if not allowed:
                refused(client, "relay-denied", "out@remote.test")
                return
            client.committed()
            # The right is the message's, not the connection's.
            client.say("synced")
            client.open()
            client.write(b"x\n")
            client.close_writer()
            client.commit("ann@remote.test", ["out@remote.test"])
            refused(client, "relay-denied")


def test_no_socket_of_another_kind_gives_the_right(house):
    ours, theirs = socket.socketpair()
    client = house.client()
    client.open(ours.fileno())
    client.write(b"x\n")
    client.close_writer()
    client.commit("ann@remote.test", ["out@remote.test"])
    refused(client, "relay-denied")


def test_a_writer_that_is_left_is_noticed(house):
    client = house.client()
    client.open()
    client.write(b"x\n")
    client.commit("ann@remote.test", [BOB])
    refused(client, "internal")
    assert house.spooled("new") == []
    client.close_writer()
    client.send("ann@remote.test", [BOB], b"y\n")


@pytest.mark.skipif(not can_trace() or not shutil.which("strace"),
                    reason="needs CAP_SYS_PTRACE and strace")
def test_a_folder_that_cannot_be_looked_into_hangs_nobody(house):
    with subprocess.Popen(
            ["strace", "-p", str(house.process.pid), "-o", "/dev/null", "-e",
             "inject=newfstatat,statx:error=EIO"], stderr=subprocess.PIPE,
            text=True) as strace:
        try:
            assert "attached" in strace.stderr.readline()
            house.client().open()
        finally:
            strace.terminate()


def test_unknown_recipient_is_refused_by_name(house):
    client = house.client()
    client.open()
    client.write(b"x\n")
    client.close_writer()
    client.commit("ann@remote.test", [BOB, "nobody@example.test"])
    refused(client, "user-unknown", "nobody@example.test")


@pytest.mark.parametrize("news", ["changed", "restarted"])
def test_kept_routes_are_used_until_there_is_news(house, news):
    house.keep = True
    for _ in range(2):
        house.send("ann@remote.test", [BOB], b"x\n")
        house.delivery().answer()
    assert house.asked.qsize() == 1
    house.route(BOB, "unknown", "user-unknown")
    if news == "changed":
        house.userdb.say("changed")
    else:
        house.userdb.close()
    client = house.client()
    client.open()
    client.write(b"x\n")
    client.close_writer()
    client.commit("ann@remote.test", [BOB])
    assert client.expect("refused")[0]["verdict"] == "user-unknown"


def test_only_ends_of_the_way_are_kept(house):
    """An alias may lead elsewhere by the next time, whoever says keep."""
    house.keep = True
    house.route("info@example.test", "alias", BOB)
    for _ in range(2):
        house.send("ann@remote.test", ["info@example.test"], b"x\n")
        house.delivery().answer()
    asked = [house.asked.get() for _ in range(house.asked.qsize())]
    assert asked.count("info@example.test") == 2 and asked.count(BOB) == 1


def test_userdb_away(house):
    house.silent_userdb = True
    client = house.client()
    client.open()
    client.write(b"x\n")
    client.close_writer()
    client.commit("ann@remote.test", [BOB])
    client.say("abort")  # while userdb is silent
    house.silent_userdb = False
    client.send("ann@remote.test", [BOB], b"y\n")
    assert house.delivery().content == b"y\n"


@pytest.mark.parametrize("address", [
    "a\nb@example.test", "a\x01@example.test", "<x@y>", "", "two@at@x"])
def test_bad_addresses(house, address):
    client = house.client()
    client.open()
    client.write(b"x\n")
    client.close_writer()
    client.commit("ann@remote.test", [address])
    refused(client, "bad-recipient")
    client.open()
    client.write(b"x\n")
    client.close_writer()
    if address:
        client.commit(address, [BOB])
        refused(client, "bad-sender")
    assert house.spooled("envelope") == []


@pytest.mark.parametrize("numbers", [
    {"start": 3}, {"wire": 1}, {"wire": 5}, {"wire": 2**64 - 1}])
def test_numbers_that_lie(house, numbers):
    client = house.client()
    client.open()
    client.write(b"x\n")
    client.close_writer()
    client.commit("ann@remote.test", [BOB], **numbers)
    refused(client, "internal")


@pytest.mark.parametrize("packet", [
    b"", b"open", b"open\0client-fd\0001\0", b"commit\0", b"synced\0",
    b"nonsense\0", b"end\0count\0001\0", b"\xff" * 16000, b"list\0",
    b"open\0x\0y\0"])
@pytest.mark.parametrize("role", ["smtpd", "public", "userdb", "deliver",
                                  "admin"])
def test_garbage_costs_only_its_peer(house, role, packet):
    if packet == b"list\0" and role in ("public", "admin"):
        pytest.skip("a good packet there")
    good = house.client()
    good.open()
    peer = house.connect(role)
    peer.raw(packet)
    if packet:  # an empty packet reads as an end
        with pytest.raises(Closed):
            peer.hear()
    good.write(b"x\n")
    good.close_writer()
    good.commit("ann@remote.test", [BOB])
    good.committed()


def test_files_are_nobody_elses(house):
    client = house.client()
    client.open()
    client.write(b"x\n")
    client.close_writer()
    client.commit("ann@remote.test", [BOB])
    client.committed()
    for folder in ("new", "envelope"):
        path = os.path.join(house.spool, folder, client.id)
        assert os.stat(path).st_mode & 0o777 == 0o600
        assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700


def test_many_recipients_one_message(house):
    names = [f"user{i}@example.test" for i in range(500)]
    for name in names:
        house.route(name, "mailbox", name)
    id = house.send("ann@remote.test", names)
    seen = set()
    for _ in names:
        delivery = house.delivery()
        seen.add(delivery.mailbox)
        delivery.answer()
    assert seen == set(names)
    house.wait_log("removed", id=id)


def test_one_queue_a_spool(house):
    second = House(f"spool-dir {house.spool}")
    try:
        second.extra = []
        second.spool = house.spool
        second.write_config()
        second.start(wait=False)
        assert second.process.wait(20) == 75
        assert "another queue" in second.log_text()
    finally:
        second.process = None
        second.__exit__(Exception, None, None)


def test_one_user_cannot_take_all_connections(house):
    root = os.geteuid() == 0
    if root:
        os.seteuid(house.user.pw_uid)
    try:
        clients = [house.client("public") for _ in range(64)]
        clients[-1].open()
        with pytest.raises((Closed, BrokenPipeError)):
            house.client("public").open()
        clients[0].close()
        clients[-1].say("abort")
        clients[-1].open()  # heard after the close
        house.client("public").open()
    finally:
        if root:
            os.seteuid(0)
