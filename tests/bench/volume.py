# SPDX-License-Identifier: ISC
"""Where everything durable lies during a run: a file system of its own."""
import contextlib
import os
import shutil
import subprocess
import tempfile

from measure import say


class Volume:
    """.folder, and what was written to its disk (0: unknown)"""

    def __init__(self, folder, device=None):
        self.folder, self.device = folder, device

    def written(self):
        """Octets so far.  Documentation/block/stat in the kernel."""
        if not self.device:
            return 0
        with open(f"/sys/block/{os.path.basename(self.device)}/stat") as f:
            return int(f.read().split()[6]) * 512

    def settle(self):
        """Nothing waits to be written any more."""
        subprocess.run(["sync", "-f", self.folder], check=True)


def _image(path, mib, inodes, sparse):
    if sparse:
        subprocess.run(["truncate", "-s", f"{mib}M", path], check=True)
    else:
        # Blocks written beforehand: none is allocated while we measure.
        subprocess.run(["dd", "if=/dev/zero", "of=" + path, "bs=1M",
                        f"count={mib}", "conv=fsync", "status=none"],
                       check=True)
    subprocess.run(
        ["mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,"
         "lazy_journal_init=0", "-J", f"size={min(512, mib // 8)}",
         *(["-N", str(inodes)] if inodes else ["-i", "8192"]), path],
        check=True)


def _mount(image, where):
    """The loop device, None where there is none for us."""
    made = subprocess.run(
        ["losetup", "--direct-io=on", "--show", "-f", image], check=False,
        capture_output=True, text=True)
    loop = made.stdout.strip()
    if made.returncode:
        return None
    if subprocess.run(["mount", loop, where], check=False).returncode:
        subprocess.run(["losetup", "-d", loop], check=False)
        return None
    return loop


@contextlib.contextmanager
def volume(mib, inodes=None, sparse=False):
    """A journaled ext4 on a loop device when root, else a plain folder; the
    suites and peers that are started meanwhile live there."""
    base = tempfile.mkdtemp(prefix="pr-bench-", dir="/tmp")
    os.chmod(base, 0o755)
    image, where = base + "/image", base + "/v"
    os.mkdir(where)
    before = os.environ.get("POSTRIDER_TEST_FOLDER")
    loop = None
    try:
        if os.geteuid() == 0:
            _image(image, mib, inodes, sparse)
            loop = _mount(image, where)
        say(f"volume: ext4 with a journal on {loop}, {mib} MiB" if loop else
            "volume: the folder's own file system; for comparable figures "
            "run as root where there are loop devices")
        os.environ["POSTRIDER_TEST_FOLDER"] = where
        yield Volume(where, loop)
    finally:
        os.environ.pop("POSTRIDER_TEST_FOLDER", None)
        if before:
            os.environ["POSTRIDER_TEST_FOLDER"] = before
        if loop:
            subprocess.run(["umount", where], check=False)
            subprocess.run(["losetup", "-d", loop], check=False)
        shutil.rmtree(base, ignore_errors=True)
