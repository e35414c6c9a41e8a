# SPDX-License-Identifier: ISC
"""What the file system can take: a bare loop with as many processes."""
import os
import statistics
import subprocess
import tempfile

from measure import say
from suite import build_folder

KINDS = ("bare", "handover")
SIZES = ((4096, 1), (4096, 8), (4096, 32), (4096, 100), (65536, 8),
         (65536, 32))


def ceiling(options, size, processes, kind):
    """Messages a second."""
    seconds = 0.3 if options.quick else 1.5
    with tempfile.TemporaryDirectory(dir=options.volume.folder) as folder:
        options.volume.settle()
        done = subprocess.run(
            [os.path.join(build_folder(), "tests/bench/ceiling"), folder,
             str(processes), str(size), str(seconds), kind],
            check=True, capture_output=True, text=True, timeout=300)
    return float(done.stdout)


def ceilings(options, rates):
    """rates: {(size, sessions): ours}, shown as a share; may be empty."""
    say("\nceiling: messages a second of a bare loop of create, write, link, "
        "sync (bare), and\nof two files, synced together and handed over "
        "(handover), with as many processes")
    say(f"  {'':27}" + "".join(f"{k:>18}" for k in KINDS)
        + (f"{'postrider':>18}" if rates else ""))
    for size, processes in SIZES:
        text = f"  {size // 1024:2} KiB, {processes:3} processes      "
        for kind in KINDS:
            rate = statistics.median(
                ceiling(options, size, processes, kind)
                for _ in range(options.rounds))
            text += f"{rate:18.0f}"
        ours = rates.get((size, processes))
        if ours:
            text += f"{ours:18.0f}, {ours / rate:.0%} of the latter"
        say(text)


def bench_ceiling(options):
    ceilings(options, {})
