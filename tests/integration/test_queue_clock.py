# SPDX-License-Identifier: ISC
"""A clock that jumps: mail is neither given up early nor stuck."""
import os
import shutil
import subprocess
import time

import pytest

from queue_house import House
from suite import SECONDS, sanitized
from watch import wait_for

ANN, BOB = "ann@example.test", "bob@example.test"
DAY = 86400
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir,
                      "tools", "clock-shift.c")

pytestmark = pytest.mark.skipif(
    sanitized() or not shutil.which("cc"),
    reason="needs a compiler, and no sanitizers before what is preloaded")


class ShiftedHouse(House):
    def __init__(self, *extra):
        super().__init__(*extra)
        os.chmod(self.folder, 0o755)
        library = self.path("clock-shift.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, SOURCE],
                       check=True)
        self.shift(0)
        self.preload = {"LD_PRELOAD": library,
                        "CLOCK_SHIFT": self.path("shift")}

    def shift(self, seconds):
        with open(self.path("shift"), "r+b" if os.path.exists(
                self.path("shift")) else "wb") as f:
            f.write(b"%+016d" % seconds)

    def start(self, wait=True):
        os.environ.update(self.preload)
        try:
            return super().start(wait)
        finally:
            for name in self.preload:
                del os.environ[name]

    def attempts(self, id):
        path = os.path.join(self.spool, "envelope", id)
        with open(path, "rb") as f:
            return f.read().count(b"\nattempt ")

    def put_off(self, count):
        """Answer so many deliveries; what came of it is in the envelopes."""
        for _ in range(count):
            delivery = self.delivery()
            before = self.attempts(delivery.id)
            delivery.answer("mailbox-full")
            wait_for(lambda: self.attempts(delivery.id) > before,
                     os.path.join(self.spool, "envelope"), seconds=SECONDS,
                     what="an attempt's end")


@pytest.fixture
def house():
    with ShiftedHouse("queue-lifetime 1d", "retry-minimum 1h",
                      "retry-maximum 1h") as house:
        house.route(BOB, "mailbox", BOB)
        yield house


def deferred(house):
    id = house.send("", [BOB])
    house.put_off(1)
    return id


def test_a_clock_that_jumps_by_a_day(house):
    """While queue runs and over a restart, there and back."""
    ids = [deferred(house)]
    for shift in (DAY, 0, -DAY, DAY, 0):
        house.shift(shift)
        house.tool("flush")
        house.put_off(len(ids))
        ids.append(deferred(house))
        house.restart()
        house.tool("flush")
        house.put_off(len(ids))
        assert {m["id"] for m in house.listed()} == set(ids)
        for listed in house.listed():
            assert listed["state"] == "waiting"
            assert listed["next"] <= time.time() + shift + 3600 * 9 / 8 + 2
    assert not house.log_lines("failed")
    assert not house.log_lines("not bounced")


def test_age_goes_on_over_a_restart(house):
    """What was seen to go by counts: the step of the clock does not."""
    id = deferred(house)
    house.kill()
    path = os.path.join(house.spool, "envelope", id)
    with open(path, "rb") as f:
        text = f.read()
    came = int(text.split(b"\ntime ")[1].split(b".")[0])
    with open(path, "wb") as f:
        f.write(text.replace(b"\ntime %d." % came,
                             b"\ntime %d." % (came - 30 * 3600)))
    house.shift(-DAY)
    house.start()
    house.tool("flush")
    house.delivery().answer("mailbox-full")
    house.wait_log("failed", id=id)
    house.wait_empty()
