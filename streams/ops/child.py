"""A server as our child process: in a session of its own, logging to a file without a name, gone when we are.

Ctrl-C in a terminal goes to the whole foreground group; a child in a session of its own is spared, and ends
when we end it. Should we be killed, Linux kills it for us (PR_SET_PDEATHSIG). That signal follows the
*thread* which started the child, so start servers from a thread that lives as long as they shall.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from streams.ops import NotReady

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

POLL_SECONDS = 0.02
PORTS = range(20_000, 32_000)  # below the ephemeral ports: nobody's outgoing connection takes one in a restart
LAUNCHER = """
import ctypes, os, signal, sys
parent, cpu, *command = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
    if cpu:
        os.sched_setaffinity(0, {int(cpu)})
if os.getppid() == int(parent):
    os.execv(command[0], command)
"""


class ServerFailed(NotReady):
    """A server that did not start or is not installed; its text says why, and what to do."""


class Child:
    """A running server process. `cpu` pins it to one core (Linux); `env` is added to our environment."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        cpu: int | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process does
        launch = [
            sys.executable,
            "-I",
            "-S",
            "-c",
            LAUNCHER,
            str(os.getpid()),
            "" if cpu is None else str(cpu),
        ]
        self._process = subprocess.Popen(
            [*launch, *command],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=cwd,
            env=None if env is None else {**os.environ, **env},
        )
        atexit.register(self.kill)

    @property
    def pid(self) -> int:
        """The server's process id (the launcher becomes the server, so it is the same)."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is there, stopped or running."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How the process ended (minus the signal's number if by a signal), or None while it is there."""
        return self._process.poll()

    def await_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready` says yes.

        Raises:
            ServerFailed: the process ended, or `seconds` have passed; the process is gone then.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.alive:
                raise ServerFailed(f"{self.name} ended as it started (exit {self._process.returncode}):\n{self.end()}")
            if time.monotonic() > deadline:
                self.kill()
                raise ServerFailed(f"{self.name} did not answer within {seconds:g} seconds:\n{self.end()}")
            time.sleep(POLL_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and its children; nothing happens if it is gone."""
        if self.alive:
            os.killpg(self.pid, number)

    def pause(self) -> None:
        """Stop the process where it stands (SIGSTOP), and wait until all its threads do."""
        self.signal(signal.SIGSTOP)
        if self.alive:
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT)."""
        self.signal(signal.SIGCONT)

    def stop(self, seconds: float) -> None:
        """Ask the process to end, and kill it if it has not within `seconds`."""
        self.signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """Kill the process and its children; the log stays readable."""
        self.signal(signal.SIGKILL)
        self._process.wait()
        atexit.unregister(self.kill)

    def end(self, lines: int = 20) -> str:
        """Return the last lines of the log."""
        size = os.fstat(self._log.fileno()).st_size
        tail = os.pread(self._log.fileno(), 16_384, max(0, size - 16_384))
        return "\n".join(tail.decode("utf-8", "replace").splitlines()[-lines:]) or "(it logged nothing)"

    def close(self) -> None:
        """Kill the process and give the log's space back."""
        self.kill()
        self._log.close()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    for _ in range(1000):
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerFailed(f"no free port among {PORTS.start} to {PORTS.stop - 1} of 127.0.0.1")
