# SPDX-License-Identifier: ISC
"""Whose turn it is: destinations that are dead, slow down, or are back."""
import os
import re
import select

import pytest

from queue_house import House

ANN, BOB, EVE = "ann@example.test", "bob@example.test", "eve@example.test"
DEAD = {"status": "deferred", "dsn": "4.4.1", "text": "Connection refused",
        "scope": "host"}


def make(*extra):
    house = House(*extra)
    house.route(BOB, "mailbox", BOB)
    house.route(ANN, "mailbox", ANN)
    for domain in ("dead", "live", "a", "b"):
        for n in range(3):
            house.route(f"u{n}@{domain}.test", "remote", f"{domain}.test")
    return house


@pytest.fixture
def house():
    with make() as house:
        yield house


@pytest.fixture
def hasty():
    with make("retry-minimum 1s", "retry-maximum 2s") as house:
        yield house


def send_out(house, *recipients, login=ANN, count=1):
    client = house.login(login)
    ids = []
    for _ in range(count):
        ids.append(client.send(login, recipients, b"Subject: hi\n\nhello\n"))
        house.wait_log("queued", id=ids[-1])
    client.close()
    return ids


def workers(house, count):
    made = [house.worker() for _ in range(count)]
    for worker in made:
        worker.ready()
    house.listed()  # every "ready" before it was heard
    return made


def job_of(made, seconds=None):
    """The next (worker, job) of any of them; None when there is none."""
    sockets = {worker.sock: worker for worker in made}
    ready, _, _ = select.select(list(sockets), [], [], 30 if seconds is None
                                else seconds)
    if not ready:
        return None
    worker = sockets[ready[0]]
    return worker, worker.job()


def answer(worker, job, ready=True, **result):
    result = {"status": "delivered", "dsn": "2.0.0", "text": "250 ok",
              "relay": "mx.test[192.0.2.9]:25", **result}
    for recipient in job["recipients"]:
        worker.say("result", index=recipient["index"], status=result["status"],
                   dsn=result["dsn"], relay=result["relay"],
                   text=result["text"],
                   **{name: result[name] for name in ("scope", "mx")
                      if name in result})
    worker.done(job)
    if ready:
        worker.ready()


def states(house):
    return {m["id"]: m["state"] for m in house.listed()}


def let_it_rest(house, made, domain="dead", **more):
    """Three messages that are tried in vain: no session."""
    ids = []
    for _ in range(3):
        ids += send_out(house, f"u0@{domain}.test")
        worker, job = job_of(made)
        assert job["domain"] == f"{domain}.test"
        answer(worker, job, **DEAD, **more)
        house.wait_log("deferred", id=ids[-1])
    return ids


def test_a_dead_destination_rests(house):
    made = workers(house, 8)
    tried = let_it_rest(house, made)
    parked = send_out(house, "u0@dead.test", count=20)
    assert job_of(made, 0) is None
    for id in parked:
        line = house.wait_log("parked", id=id)
        assert line["relay"] == "dead.test"
        assert line["reason"] == "Connection refused"
    found = states(house)
    assert [found[id] for id in parked] == 20 * ["ready"]
    for id in parked:  # nothing was tried, counted or written
        assert house.shown(id)["attempts"] == 0
        assert id in house.spooled("new")
    assert all(house.shown(id)["attempts"] == 1 for id in tried)
    # Others do not notice.
    send_out(house, "u0@live.test")
    worker, job = job_of(made)
    assert job["domain"] == "live.test"
    answer(worker, job)
    house.wait_log("delivered", id=job["id"])


def test_two_failures_are_no_rest(house):
    made = workers(house, 4)
    for _ in range(2):
        send_out(house, "u0@dead.test")
        answer(*job_of(made), **DEAD)
    send_out(house, "u0@dead.test")
    answer(*job_of(made))  # all is well again
    for _ in range(2):
        send_out(house, "u0@dead.test")
        answer(*job_of(made), **DEAD)
    send_out(house, "u0@dead.test")
    assert job_of(made)[1]["domain"] == "dead.test"


def test_recipients_that_are_refused_are_no_rest(house):
    made = workers(house, 2)
    for _ in range(8):
        send_out(house, "u0@live.test")
        answer(*job_of(made), status="deferred", dsn="4.2.2",
               text="450 4.2.2 mailbox full", scope="recipient")
    send_out(house, "u0@live.test")
    answer(*job_of(made))


def test_flush_ends_a_rest(house):
    made = workers(house, 8)
    let_it_rest(house, made)
    ids = send_out(house, "u0@dead.test", count=3)
    assert job_of(made, 0) is None
    house.tool("flush")
    # Those three and those that waited for a time of their own.
    for _ in range(6):
        answer(*job_of(made))
    for id in ids:
        house.wait_log("delivered", id=id)


def test_one_probe_when_it_may_be_back(hasty):
    """Two failures more, each a probe's; then all of them go."""
    made = workers(hasty, 8)
    tried = let_it_rest(hasty, made)
    ids = send_out(hasty, "u0@dead.test", count=6)
    for _ in range(2):
        worker, job = job_of(made)
        assert job_of([w for w in made if w is not worker], 0) is None
        answer(worker, job, **DEAD)
        hasty.wait_log("deferred", id=job["id"], lines=1)
        assert states(hasty)[job["id"]] == "ready"
    for _ in range(len(tried) + len(ids)):
        answer(*job_of(made))
    hasty.wait_empty()


def test_senders_take_turns(house):
    """One worker, and a hundred messages of one sender before another's."""
    send_out(house, "u0@live.test", count=100)
    (eve,) = send_out(house, "u1@live.test", login=EVE)
    made = workers(house, 1)
    turns = 0
    while True:
        worker, job = job_of(made)
        turns += 1
        answer(worker, job)
        if job["id"] == eve:
            break
    # What was prepared before, no more.
    assert turns <= 12


def test_a_rate_reply_slows_down(house):
    made = workers(house, 5)
    send_out(house, "u0@live.test", count=5)
    jobs = [job_of(made) for _ in range(5)]
    for worker, job in jobs:
        answer(worker, job, status="deferred", dsn="4.7.28", scope="session",
               text="421 4.7.28 unusual rate of unsolicited mail")
        house.wait_log("deferred", id=job["id"])
    send_out(house, "u0@live.test", count=2)
    assert job_of(made, 0) is None  # for a second from the first reply
    first = job_of(made)
    assert job_of(made, 0) is None
    answer(*first)
    answer(*job_of(made))


def test_domains_with_one_host_rest_together(house):
    made = workers(house, 4)
    for domain in ("a", "b"):
        send_out(house, f"u0@{domain}.test")
        answer(*job_of(made), mx="mx.provider.test")
    let_it_rest(house, made, "a", mx="mx.provider.test")
    (id,) = send_out(house, "u1@b.test")
    assert house.wait_log("parked", id=id)["relay"] == "mx.provider.test"
    assert job_of(made, 0) is None


def test_why_of_a_host_counts_all_its_domains(house):
    """Also what waits for a time of its own, and is not parked."""
    made = workers(house, 1)
    for domain in ("a", "b"):
        (id,) = send_out(house, f"u0@{domain}.test")
        answer(*job_of(made), mx="mx.provider.test", status="deferred",
               dsn="4.2.2", text="452 mailbox full", scope="recipient")
        house.wait_log("deferred", id=id)
    why = house.tool("why", "mx.provider.test").stdout.decode()
    assert "takes mail" in why and "; 2 messages wait, the oldest" in why
    assert "'452 mailbox full'" in why


def test_what_is_parked_goes_where_its_domain_goes(house):
    """The first delivery tells of a host that is at rest for others."""
    made = workers(house, 1)
    send_out(house, "u0@a.test")
    answer(*job_of(made), mx="mx.provider.test")
    let_it_rest(house, made, "a", mx="mx.provider.test")
    ids = send_out(house, "u0@b.test", count=20)
    answer(*job_of(made), mx="mx.provider.test", **DEAD)
    house.wait_log("parked", id=ids[1], relay="mx.provider.test")
    assert all(states(house)[id] == "ready" for id in ids)
    assert job_of(made, 0) is None


def test_two_domains_of_which_one_is_dead(house):
    made = workers(house, 4)
    let_it_rest(house, made)
    (id,) = send_out(house, "u0@dead.test", "u0@live.test")
    worker, job = job_of(made)
    assert job["domain"] == "live.test"
    answer(worker, job)
    house.wait_log("delivered", id=id, to="<u0@live.test>")
    line = house.wait_log("deferred", id=id, to="<u0@dead.test>")
    assert line["reason"] == "Connection refused"
    assert job_of(made, 0) is None
    house.wait_log("deferred", id=id)
    house.tool("flush")
    while (found := job_of(made)):
        assert found[1]["domain"] == "dead.test"
        if found[1]["id"] == id:
            break


def test_workers_die_with_their_jobs(house):
    """In their midst everything is kept; it is no fault of the host."""
    made = workers(house, 5)
    ids = send_out(house, "u0@live.test", count=30)
    for worker in made:
        worker.job()
    for worker in made:
        worker.close()
    house.wait_log("peer lost", lines=5)
    made = workers(house, 2)
    for _ in ids:
        answer(*job_of(made))
    house.wait_empty()


def test_a_worker_dies_behind_its_last_result(monkeypatch):
    """Its message is done by then."""
    monkeypatch.setenv(
        "GLIBC_TUNABLES",
        "glibc.malloc.tcache_count=0:glibc.malloc.perturb=165")
    with make() as house:
        (worker,) = workers(house, 1)
        (id,) = send_out(house, "u0@live.test")
        job = worker.job()
        worker.result(0, "delivered", "2.0.0")
        house.wait_log("removed", id=id)
        worker.close()
        assert house.wait_log("peer lost", what="deliver")["id"] == id


def test_what_is_held_or_deleted_goes_to_no_worker(house):
    """Nor to one that has just come back from there."""
    (worker,) = workers(house, 1)
    ids = send_out(house, "u0@live.test", count=4)
    job = worker.job()
    house.tool("hold", "--reason", "look", ids[1])
    house.tool("delete", ids[2])
    answer(worker, job)
    assert worker.job()["id"] == ids[3]
    house.wait_log("removed", id=ids[2])
    assert states(house)[ids[1]] == "held"


def test_it_expires_while_its_destination_rests(house):
    (id,) = send_out(house, "u0@dead.test")
    house.kill()
    path = os.path.join(house.spool, "envelope", id)
    with open(path) as f:
        text = f.read()
    (accepted,) = re.findall(r"^time (\S+)$", text, re.M)
    with open(path, "w") as f:  # it has some seconds left
        f.write(text.replace(
            f"time {accepted}\n",
            f"time {int(float(accepted)) - 5 * 86400 + 6}\n"))
    house.start()
    made = workers(house, 4)
    worker, job = job_of(made)
    assert job["id"] == id
    others = [w for w in made if w is not worker]
    for _ in range(2):
        send_out(house, "u0@dead.test")
        answer(*job_of(others), **DEAD)
    answer(worker, job, **DEAD)  # that was the third
    house.wait_log("deferred", id=id)
    house.wait_log("parked", id=id)
    line = house.wait_log("failed", id=id)
    assert "Connection refused" in line["reason"]
    house.wait_log("bounced", id=id)
    assert job_of(made, 0) is None


def test_a_new_relay_host_is_another_destination(house):
    """What was parked for the dead goes to it at once."""
    made = workers(house, 8)
    let_it_rest(house, made)
    ids = send_out(house, "u0@dead.test", count=4)
    for id in ids:
        house.wait_log("parked", id=id)
    house.reload("relay-host [relay.test]")
    got = [job_of(made) for _ in ids]
    assert sorted(job["id"] for _, job in got) == sorted(ids)
    for worker, job in got:
        answer(worker, job)
    for id in ids:
        house.wait_log("delivered", id=id)


def test_a_new_relay_host_while_a_part_is_out(house):
    """What is left of a message finds its way, whatever has changed."""
    send_out(house, "u0@live.test", count=10)  # as many as it takes
    (id,) = send_out(house, BOB, "u0@live.test")
    delivery = house.delivery()
    house.reload("relay-host [relay.test]")
    delivery.answer("mailbox-busy")
    house.wait_log("deferred", id=id)
    made = workers(house, 11)
    while job_of(made)[1]["id"] != id:
        pass


def test_a_new_relay_host_is_not_to_blame(house):
    """What was under way to hosts that are dead ends after it came."""
    made = workers(house, 4)
    send_out(house, *(f"u{n}@dead.test" for n in range(3)))
    jobs = [job_of(made)]
    for n in range(2):
        send_out(house, f"u{n}@dead.test")
        jobs.append(job_of(made))
    house.reload("relay-host [relay.test]")
    for found in jobs:
        answer(*found, **DEAD)
        house.wait_log("deferred", id=found[1]["id"])
    (id,) = send_out(house, "u0@live.test")
    assert job_of(made)[1]["id"] == id


def test_what_is_found_at_start_is_parked_unread(house):
    """A spool full of mail for a dead site: three are tried."""
    house.kill()
    house.start()
    send_out(house, "u0@dead.test", count=40)
    house.restart()
    made = workers(house, 10)
    tried = 0
    while (found := job_of(made, 1)) is not None:
        answer(*found, **DEAD)
        tried += 1
    assert 3 <= tried <= 10
    assert list(states(house).values()).count("ready") >= 30
