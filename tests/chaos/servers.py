"""The servers that faults befall: a Kafka on a disk that can be full, and a Redis that keeps what it was told."""

import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

import redis

from streams.demo.cache import EmbeddedRedis, binary
from streams.ops.child import Child
from streams.ops.kafka import RealKafka

DISK_BYTES = 6 << 30
MOUNT_SECONDS = 10
NEVER_FULL = resource.RLIM_INFINITY


class Disk:
    """A folder that can be full: a file system of its own where we may mount one, else files that may not grow.

    Attributes:
        folder: where the broker's data goes.
        kind: how it becomes full, in words.
    """

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="awaken-chaos-"))
        self._mounted = self._mount(DISK_BYTES)
        self.kind = "file system full (ENOSPC)" if self._mounted else "files may not grow (EFBIG): no right to mount"
        return self

    def __exit__(self, *_):
        if self._mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False, timeout=MOUNT_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def fill(self, pid):
        """Let nothing more be written by the process `pid`."""
        if not self._mounted:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, NEVER_FULL))
            return
        space = os.statvfs(self.folder)
        used = (space.f_blocks - space.f_bfree) * space.f_frsize
        # What is written between the two would make the size too small, which is refused: half a megabyte more.
        self._mount(used + (1 << 19), "remount,")

    def free(self, pid):
        """Let it be written to again."""
        if self._mounted:
            self._mount(DISK_BYTES, "remount,")
        else:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (NEVER_FULL, NEVER_FULL))

    def _mount(self, size, how=""):
        command = ["mount", "-t", "tmpfs", "-o", f"{how}size={size}", "awaken-chaos", str(self.folder)]
        try:
            return subprocess.run(command, check=False, timeout=MOUNT_SECONDS, capture_output=True).returncode == 0
        except FileNotFoundError:
            return False


class Broker(RealKafka):
    """A Kafka whose data is on a Disk."""

    def __init__(self, disk):
        super().__init__()
        self.disk = disk

    def __enter__(self):
        before, tempfile.tempdir = tempfile.tempdir, str(self.disk.folder)
        try:
            return super().__enter__()
        finally:
            tempfile.tempdir = before

    @property
    def ended(self):
        """Whether it is gone, of itself or by us."""
        return self._running().exit_code is not None


class KeptRedis(EmbeddedRedis):
    """A server that has on disk what it has answered for (appendfsync always), to be killed and started again."""

    def __init__(self, folder):
        super().__init__()
        self._folder = Path(folder)

    def _start(self):
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "dir": str(self._folder)}
        options |= {"appendonly": "yes", "appendfsync": "always"}
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        return Child(self.name, [binary(), *arguments], cwd=self._folder)

    def kill(self):
        self._child.kill()

    def restart(self):
        self._child.close()
        self.__enter__()

    def empty(self):
        """FLUSHALL: nothing that it was told is there any more."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()
