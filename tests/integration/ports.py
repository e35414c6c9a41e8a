# SPDX-License-Identifier: ISC
"""Where tests look for free ports: below the kernel's range for clients, so
that no client gets one meanwhile, and in the part of it that tests/run gave
this process, so that those that run side by side do not take each other's."""
import os
import random

LOW, HIGH = (int(n) for n in os.environ.get(
    "POSTRIDER_TEST_PORTS", "10000-32000").split("-"))


def any_port():
    return random.randrange(LOW, HIGH)
