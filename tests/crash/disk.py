# SPDX-License-Identifier: ISC
"""Images of file systems that can be copied as a power cut would leave them.

The image is a file on an XFS that can share blocks (itself in an image), its
loop device writes through to it (direct I/O), so that the file holds what a
disk would: what the file system has written out, and nothing of what waits in
memory.  A copy by FICLONE shares all blocks and is made at one moment: XFS
waits for writes under way and lets none in meanwhile.
"""
import fcntl
import os
import shutil
import subprocess

from house import CannotRun

FICLONE = 0x40049409
MEGABYTE = 1 << 20
SECTOR = 4096  # what direct I/O needs at most
SIZE, HOST_SIZE = 512 * MEGABYTE, 16384 * MEGABYTE  # sparse

# How to make, mount and check each.
KINDS = {
    "ext4": (["mkfs.ext4", "-q", "-F"], "ext4", ["e2fsck", "-f", "-n"]),
    "ext4-fast-commit": (["mkfs.ext4", "-q", "-F", "-O", "fast_commit"],
                         "ext4", ["e2fsck", "-f", "-n"]),
    "xfs": (["mkfs.xfs", "-q", "-f", "-s", f"size={SECTOR}"], "xfs", ["xfs_repair", "-n"]),
    "btrfs": (["mkfs.btrfs", "-q", "-f"], "btrfs",
              ["btrfs", "check", "--readonly", "--force"]),
}


def find(name):
    return shutil.which(name, path=os.environ.get("PATH", "") +
                        ":/usr/sbin:/sbin")


def run(*command):
    program = find(command[0])
    if not program:
        raise CannotRun(f"{command[0]} is not installed")
    done = subprocess.run([program, *command[1:]], text=True, check=False,
                          stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: exit {done.returncode}\n"
                      f"{done.stdout}{done.stderr}")
    return done.stdout


def sparse_file(path, size):
    with open(path, "wb") as f:
        f.truncate(size)


def knows(kind):
    """Can this machine make and mount one?"""
    commands, mounted, check = KINDS[kind]
    with open("/proc/filesystems") as f:
        known = mounted in f.read().split()
    return bool(known and find(commands[0]) and find(check[0]))


class Mounted:
    """A loop device on an image and its mount; both go with the mount, also
    when nobody unmounts it but the end of the namespace."""

    def __init__(self, image, folder, mounted, direct=True):
        self.folder = folder
        options = ["--direct-io=on", "--sector-size", str(SECTOR)] \
            if direct else []
        self.device = run("losetup", "-f", "--show", *options,
                          image).strip()
        try:
            if direct and run("losetup", "-n", "-O", "DIO",
                              self.device).strip() != "1":
                raise CannotRun("no direct I/O on loop devices")
            # nouuid: a copy of an XFS may be mounted beside it.
            run("mount", "-t", mounted,
                *(["-o", "nouuid"] if mounted == "xfs" else []),
                self.device, folder)
        finally:
            run("losetup", "-d", self.device)

    def close(self):
        run("umount", self.folder)


class Host:
    """The file system that the images lie on."""

    def __init__(self, base):
        self.base = base
        self.folder = os.path.join(base, "host")
        os.makedirs(self.folder)
        image = os.path.join(base, "host.img")
        sparse_file(image, HOST_SIZE)
        run("mkfs.xfs", "-q", "-f", "-m", "reflink=1", image)
        try:
            self.mounted = Mounted(image, self.folder, "xfs", direct=False)
        except OSError as error:
            raise CannotRun(f"no loop mounts: {error}") from None

    def image(self, name):
        return os.path.join(self.folder, name)

    def make(self, kind, name):
        """A new image with such a file system."""
        path = self.image(name)
        sparse_file(path, SIZE)
        command = KINDS[kind][0]
        run(*command, path)
        return path

    @staticmethod
    def clone(image, copy):
        with open(image, "rb") as source, open(copy, "wb") as target:
            fcntl.ioctl(target, FICLONE, source.fileno())

    def close(self):
        self.mounted.close()
