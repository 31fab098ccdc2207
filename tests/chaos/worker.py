"""`awaken worker` that kills itself at a point of its work, when it is told to: `python -m tests.chaos.worker`.

It is told by a file: CHAOS_ARMED names it, and in it stand the point and how often to let it pass. The file is gone
when the point is reached. The points are steps on the wire, before a request is written and after it, with its answer
not read; and steps of a rebalance and of recovery. The worker itself knows nothing of this.
"""

import asyncio
import os
import signal
import sys
from functools import partial, wraps
from pathlib import Path

from aiokafka.conn import AIOKafkaConnection

from streams import cli
from streams.worker import app

ARMED = "CHAOS_ARMED"
COMMAND = (sys.executable, "-m", "tests.chaos.worker")


class Trap:
    """Kills this process where the file at `path` says."""

    def __init__(self, path):
        self._path = Path(path)
        self._passed = {}

    def sprung(self, point):
        """Whether this is the point, and it is time."""
        try:
            text = self._path.read_text("utf-8")
        except FileNotFoundError:
            return False
        chosen, after = text.split("\n")
        if point != chosen:
            return False
        self._passed[text] = self._passed.get(text, -1) + 1
        if self._passed[text] < int(after):
            return False
        self._path.unlink(missing_ok=True)
        return True

    def reach(self, point):
        if self.sprung(point):
            die()

    def leave(self, point):
        """As `reach`, but what was written goes out first: the loop writes it at the end of its turn."""
        if self.sprung(point):
            asyncio.get_running_loop().call_soon(die)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def arm(path, point, after):
    """Let the worker whose file this is kill itself at `point`, after it has passed it `after` times."""
    draft = path.with_suffix(".draft")
    draft.write_text(f"{point}\n{after}", "utf-8")
    draft.replace(path)


def set_points(trap):
    """Let the trap watch every point of plan.POINTS."""
    AIOKafkaConnection.send = _watched_send(trap, AIOKafkaConnection.send)
    app.recover = _watched(app.recover, before=partial(trap.reach, "recovery begins"),
                           after=partial(trap.reach, "recovery ends"))  # fmt: skip
    made = app.Awaken
    made._note_progress = _noted(made._note_progress, partial(trap.reach, "amid recovery"))
    made.on_rebalance_start = _noted(made.on_rebalance_start, partial(trap.reach, "rebalance begins"))
    made.close_partitions = _watched(made.close_partitions, after=partial(trap.reach, "partitions closed"))
    made._on_partitions_assigned = _watched(
        made._on_partitions_assigned, after=partial(trap.reach, "partitions opened")
    )


def _watched_send(trap, send):
    @wraps(send)
    def watched(connection, request, *args, **options):
        name = type(request).__name__.removesuffix("Request")
        trap.reach(f"before {name}")
        answer = send(connection, request, *args, **options)
        trap.leave(f"after {name}")
        return answer

    return watched


def _watched(call, *, before=lambda: None, after=lambda: None):
    @wraps(call)
    async def watched(*args, **options):
        before()
        result = await call(*args, **options)
        after()
        return result

    return watched


def _noted(call, note):
    @wraps(call)
    def noted(*args, **options):
        result = call(*args, **options)
        note()
        return result

    return noted


if __name__ == "__main__":
    set_points(Trap(os.environ.pop(ARMED)))
    sys.argv = ["awaken", "worker"]
    cli.main()
