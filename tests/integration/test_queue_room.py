# SPDX-License-Identifier: ISC
"""Room: what is left for ourselves when no mail is taken in any more, and
what slows clients down before that."""
import os
import subprocess

import pytest

import spoolfill
from queue_house import House
from suite import SECONDS
from watch import now

ANN, BOB = "ann@example.test", "bob@example.test"
KIB, MIB = 1 << 10, 1 << 20


class SmallHouse(House):
    """Its spool is a file system in memory with such options."""

    def __init__(self, options, *extra):
        super().__init__(*extra)
        owner = os.stat(self.spool)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o",
             f"{options},uid={owner.st_uid},gid={owner.st_gid},mode=755",
             "none", self.spool], check=False, capture_output=True)
        if done.returncode:
            pytest.skip("no mounts here")

    def __exit__(self, *exception):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        subprocess.run(["umount", "-l", self.spool], check=True)
        super().__exit__(*exception)


@pytest.fixture
def make(as_root):
    made = []

    def small(options, *extra):
        house = SmallHouse(options, *extra)
        made.append(house)
        house.route(BOB, "mailbox", BOB)
        house.route(ANN, "mailbox", ANN)
        house.route("out@remote.test", "remote", "remote.test")
        return house.start()
    yield small
    for house in made:
        house.__exit__(None, None, None)


def fill(house, but):
    """Files until so many octets are left."""
    path = os.path.join(house.spool, "filler")
    with open(path, "ab") as f:
        while (left := free(house) - but) > 0:
            f.write(b"x" * min(left, 65536))
            f.flush()
    return path


def free(house):
    is_ = os.statvfs(house.spool)
    return is_.f_bavail * is_.f_frsize


def until(question):
    """Nothing but queue's own answers tells when it has noticed."""
    deadline = now() + SECONDS
    while not question():
        assert now() < deadline


def ask(client, size):
    client.say("room", size=size)
    return client.expect("room")[0]["verdict"]


def refused_open(client, **attributes):
    client.say("open", **attributes)
    return client.expect("refused")[0]["verdict"]


def test_nobody_reserves_more_than_a_message_takes(make):
    house = make("size=8m", "spool-reserve 512K", "max-message-size 1M")
    greedy = house.client("public")
    greedy.say("open", size=6 * MIB)
    greedy.expect("opened")
    assert ask(house.client(), 4 * MIB) == "ok"


def test_room_for_a_size(make):
    house = make("size=8m", "spool-reserve 512K")
    client = house.client()
    assert ask(client, 4 * MIB) == "ok"
    assert ask(client, 8 * MIB) == "disk-full"
    assert ask(client, (1 << 64) - 1) == "disk-full"
    assert refused_open(client, size=8 * MIB) == "disk-full"
    # Two that are being received count before they have an octet.
    others = [house.client() for _ in range(2)]
    for other in others:
        other.say("open", size=3 * MIB)
        _, fds = other.expect("opened")
        for fd in fds:
            os.close(fd)
    assert ask(client, 3 * MIB) == "disk-full"
    assert refused_open(client, size=3 * MIB) == "disk-full"
    for other in others:
        other.close()
    until(lambda: ask(client, 3 * MIB) == "ok")
    assert house.log_lines("intake stopped") == []


def test_room_for_two_while_one_is_copied(make):
    house = make("size=8m", "spool-reserve 512K")
    client = house.client()
    for size, answer in ((3 * MIB, "scratch"), (5 * MIB, "refused")):
        client.say("open", size=size)
        client.expect("opened")
        client.say("scratch")
        attributes, _ = client.expect(answer)
        if answer == "scratch":
            assert ask(house.client(), 2 * MIB) == "disk-full"
            client.say("abort")
    assert attributes["verdict"] == "disk-full"
    assert ask(client, 5 * MIB) == "ok"


@pytest.mark.parametrize("what,options", [
    ("octets", "size=4m"), ("inodes", "size=4m,nr_inodes=400")])
def test_the_reserve_is_for_us(make, what, options):
    """Full but for the reserve: no mail is taken, what is here is deferred,
    reported and delivered; once logged; then all is well again."""
    house = make(options, "spool-reserve 400K", "spool-reserve-inodes 40",
                 "retry-minimum 1s", "retry-maximum 1s")
    login = house.login(ANN)
    id = login.send(ANN, [BOB, "out@remote.test"], b"Subject: x\n\nx\n")
    worker = house.worker()
    worker.ready()
    job = worker.job()
    delivery = house.delivery()
    client = house.client()
    client.open()
    client.write(b"Subject: too late\n\n")
    client.close_writer()
    if what == "octets":
        fillers = [fill(house, 300 * KIB)]
    else:
        fillers = [os.path.join(house.spool, f"filler{n}")
                   for n in range(os.statvfs(house.spool).f_favail - 30)]
        for path in fillers:
            with open(path, "xb"):
                pass
    # One was let in before: it is refused at its commit.
    other = house.client()
    until(lambda: refused_when_full(other))
    client.commit("x@remote.test", [BOB])
    assert client.expect("refused")[0]["verdict"] == "disk-full"
    for _ in range(5):
        assert ask(client, 1) == "disk-full"
        assert refused_open(client) == "disk-full"
    [line] = house.log_lines("intake stopped")
    assert line["what"] == what
    assert not house.log_lines("cannot take message")
    # What is here goes its ways.
    delivery.answer("mailbox-full")
    worker.result(0, "failed", "5.1.1", text="550 no such user")
    worker.done(job)
    report = house.delivery()
    while report.id == id:
        report.answer("mailbox-full")
        report = house.delivery()
    assert report.mailbox == ANN and b"no such user" in report.content
    report.answer()
    with open(os.path.join(house.spool, "envelope", id)) as f:
        assert "\ndeferred 0 " in f.read()
    assert not house.log_lines("cannot record")
    # It resumes by itself.
    for path in fillers:
        os.unlink(path)
    house.wait_log("intake resumed")
    house.send("x@remote.test", [BOB], b"Subject: again\n\n")
    while house.delivery().id == id:
        continue
    assert len(house.log_lines("intake stopped")) == 1


def refused_when_full(client):
    client.say("open")
    verb, attributes, fds = client.hear()
    for fd in fds:
        os.close(fd)
    if verb == "opened":
        client.say("abort")
        return False
    return dict(attributes)["verdict"] == "disk-full"


# -- slow deliveries --

def opened_after(client):
    """Seconds until an open is answered; it is taken back."""
    begin = now()
    client.open()
    took = now() - begin
    client.close_writer()
    os.close(client.reader)
    client.say("abort")
    return took


def test_intake_yields_to_deliveries(make):
    """A mailbox that does not answer: when all places for attempts are
    taken, and what came in last has waited for some seconds, clients wait
    for their answer, a bounded time, and are refused nothing; when it
    catches up they do not wait any more."""
    house = make("size=256m")
    client = house.client()
    for n in range(2000):
        client.send("x@remote.test", [BOB], b"Subject: x\n\n")
    opened_after(client)
    assert not house.log_lines("intake slowed")
    late = [client.send("x@remote.test", [BOB], b"Subject: late\n\n")
            for _ in range(3)]
    until(lambda: opened_after(client) > 0.5)
    house.wait_log("intake slowed")
    others = [house.client() for _ in range(3)]
    for other in others:
        other.say("open")
    assert 0.5 < opened_after(client) < 11 + SECONDS
    for other in others:
        other.expect("opened")
        other.close()
    # One that hangs up while it waits leaves nothing behind.
    gone = house.client()
    gone.say("open")
    gone.close()
    seen = set()
    while not seen >= set(late):
        delivery = house.delivery()
        seen.add(delivery.id)
        delivery.answer()
    house.wait_log("intake not slowed")
    until(lambda: opened_after(client) < 0.5)
    assert not house.log_lines("cannot take message")


def test_envelopes_in_memory_have_a_bound(make):
    """Of large envelopes so many are read as there is memory for; the others
    wait for them, and so does what comes in; none is lost."""
    house = make("size=256m")
    house.kill()
    large = b"deferred 0 1700000000 4.4.1 - " + b"x" * 480 + b"\n"
    ids = spoolfill.fill(house.spool, 6, deferred=True, recipient=BOB)
    for id in ids:
        with open(os.path.join(house.spool, "envelope", id), "ab") as f:
            f.write(large * (9 * MIB // len(large)))
    house.start()
    first = [house.delivery(), house.delivery()]
    fresh = house.send("x@remote.test", [BOB])
    states = {m["id"]: m["state"] for m in house.listed()}
    assert sorted(states) == sorted([*ids, fresh])
    assert list(states.values()).count("active") == 2
    for delivery in first:
        delivery.answer()
    seen = {delivery.id for delivery in first}
    while len(seen) < 7:
        delivery = house.delivery()
        seen.add(delivery.id)
        delivery.answer()
    house.wait_empty()
