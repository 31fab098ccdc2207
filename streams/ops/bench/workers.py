"""Workers, as a user runs them, each pinned to a core: started, held still, asked for their figures."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from streams import settings as declared
from streams.ops import page
from streams.ops.child import Child, ServerFailed, free_port
from streams.settings import Settings

READY_SECONDS = 300.0
"""The first start on a machine compiles."""
STOP_SECONDS = 60.0
ANSWERED_SECONDS = 0.5
"""Longer than a broker keeps a fetch waiting: what it answers later, it answers to what was asked later."""


class Reading(NamedTuple):
    """What workers say of themselves.

    Attributes:
        steps: CPU by step, of all, s.
        last_commit: wall clock at the last commit of any, s.
        longest_pause: of any loop, s.
        held: how many partitions each holds.
    """

    steps: dict[str, float]
    last_commit: float
    longest_pause: float
    held: list[int]


class Workers:
    """So many workers that share the partitions, pinned to the cores in turn; they end with the `with` block."""

    def __init__(self, settings: Settings, count: int, cores: Sequence[int]) -> None:
        self._settings = settings
        self._ports = [free_port() for _ in range(count)]
        self._cores = [cores[n % len(cores)] for n in range(count)]
        self._children: list[Child] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for port, core in zip(self._ports, self._cores, strict=True):
                environment = declared.environment(declared.replace(self._settings, web_port=port))
                command = [sys.executable, "-m", "streams.cli", "worker"]
                child = Child("a worker", command, cpu=core, env=environment)
                stack.callback(child.close)
                stack.callback(child.stop, STOP_SECONDS)
                self._children.append(child)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_on()
        self._stack.close()

    def await_ready(self) -> None:
        """Wait until the group has given every worker its share, and all are at work.

        Raises:
            ServerFailed: a worker has ended, or they are not ready in time.
        """
        until = time.monotonic() + READY_SECONDS
        while not self._ready():
            self.check()
            if time.monotonic() > until:
                raise ServerFailed(f"the workers are not ready within {READY_SECONDS:g} s:\n{self._children[0].end()}")
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            if any(page.get(f"http://127.0.0.1:{port}", "/health/ready").status != page.OK for port in self._ports):
                return False
        except page.Silent:
            return False
        held = self.read().held
        return sum(held) == self._settings.partitions and (min(held) > 0 or len(held) > self._settings.partitions)

    def check(self) -> None:
        """Raise what is to be said of a worker that has ended (`ServerFailed`)."""
        for child in self._children:
            if not child.alive:
                raise ServerFailed(f"a worker ended with exit code {child.exit_code}:\n{child.end()}")

    def hold(self) -> None:
        """Hold the workers still, with no question of theirs unanswered."""
        for child in self._children:
            child.signal(signal.SIGSTOP)
        time.sleep(ANSWERED_SECONDS)

    def go_on(self) -> None:
        """Let workers that are held go on."""
        for child in self._children:
            child.signal(signal.SIGCONT)

    def cpu_seconds(self) -> float:
        """Return the CPU seconds, user and system, that the workers have used."""
        return sum(map(_cpu_seconds, (child.pid for child in self._children)))

    def peak_bytes(self) -> int:
        """Return the sum of the workers' peak resident memory."""
        return sum(map(_peak_bytes, (child.pid for child in self._children)))

    def read(self) -> Reading:
        """Return what the workers' metrics say."""
        pages = list(map(_samples, self._ports))
        steps: dict[str, float] = {}
        for (name, step), value in (sample for samples in pages for sample in samples.items()):
            if name == "awaken_step_cpu_seconds_total":
                steps[step] = steps.get(step, 0.0) + value
        return Reading(
            steps,
            max(p["awaken_last_commit_timestamp_seconds", ""] for p in pages),
            max(p["awaken_loop_longest_pause_seconds", ""] for p in pages),
            [int(p.get(("awaken_partitions", "held"), 0)) for p in pages],
        )


def _samples(port: int) -> dict[tuple[str, str], float]:
    """Return the samples of a worker's metrics, by name and the values of their labels."""
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {(s.name, " ".join(s.labels.values())): s.value for family in families for s in family.samples}


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_bytes(pid: int) -> int:
    said = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(said[1]) << 10 if said else 0
