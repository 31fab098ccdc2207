"""What a run writes where it is asked to: its transitions, and the records that could not be read, as JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import orjson

from streams.replay.run import Found, Listener
from streams.settings import Settings, SettingsError
from streams.shard import Plan, Shard
from streams.wire.transition import Encoder


class Output(Listener):
    """Writes transitions, the CloudEvents that a worker would write, to one file; bad records to another."""

    def __init__(self, source: str, transitions: IO[bytes] | None, bad: IO[bytes] | None) -> None:
        self._encoder = Encoder(source)
        self._transitions, self._bad = transitions, bad

    def rules(self, plan: Plan) -> None:
        """Take note of rules."""
        self._encoder.know(plan.book)

    def moved(self, moves: np.ndarray, shard: Shard) -> None:
        """Write moves (MOVE[n]) as transitions, in their order."""
        if self._transitions is None:
            return
        written = self._encoder.encode(moves, shard.index)
        each = {topic: pairs.each() for topic, pairs in written.items()}
        topics = shard.book.topics
        lines = (next(each[topics[dimension]])[1] or b"" for dimension in moves["dimension"].tolist())
        self._transitions.write(b"\n".join([*lines, b""]))

    def refused(self, found: Found) -> None:
        """Write a bad record."""
        if self._bad is not None:
            self._bad.write(orjson.dumps(plain(found) | {"record": text(found.bad.value)}) + b"\n")


@contextmanager
def opened(settings: Settings, transitions: Path | None, bad: Path | None) -> Iterator[Output]:
    """Have the files open that are asked for.

    Raises:
        SettingsError: a file cannot be written.
    """
    with ExitStack() as stack:
        files = [_created(stack, "--out", transitions), _created(stack, "--bad", bad)]
        yield Output(f"awaken/{settings.group}", *files)


def plain(found: Found) -> dict[str, object]:
    """Return where a bad record stands, and why it is bad, as JSON has it."""
    bad = found.bad
    return {"file": str(found.path), "line": bad.line, "reason": bad.reason, "detail": bad.detail}


def text(value: bytes) -> str:
    """Return a record as text; bytes that are none are shown as such."""
    return value.decode(errors="backslashreplace")


def _created(stack: ExitStack, option: str, path: Path | None) -> IO[bytes] | None:
    if path is None:
        return None
    try:
        return stack.enter_context(path.open("wb"))
    except OSError as error:
        raise SettingsError(f"{option} {path}: cannot be written: {error.strerror}") from error
