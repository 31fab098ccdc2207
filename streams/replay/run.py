"""The run: files by event time through one shard, chunk by chunk, as a worker with `clock = "event"` folds them.

Each file is read as far as the others need it, so what waits is no more than some chunks; a file whose first event is
far off is not opened before. Files of one topic come together as topics do, by time.
"""

from __future__ import annotations

import gzip
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from streams import rulebook
from streams.core.hash import hash_spans
from streams.core.row import MAX_DIMENSIONS, NEVER, PROFILES, SOURCES
from streams.core.rules import MAX_VALUES
from streams.merge import Merge
from streams.replay import lines
from streams.replay.arrow import needed
from streams.replay.chunk import Bad, Chunk, Terms
from streams.replay.cuts import Freezer
from streams.replay.options import Reading
from streams.replay.sources import File
from streams.settings import Settings, SettingsError
from streams.shard import Plan, Shard
from streams.warm import warm
from streams.wire.decode import Payloads

SHIFT = 40
"""Until its turn an event's offset is its file's number, from 1 on, shifted so far, and its line."""
FIRST_SHOWN = 10
AS_IT_IS = Reading()


class Found(NamedTuple):
    """A bad record, and the file in which it stands."""

    path: Path
    bad: Bad


class Listener:
    """What is told of a run as it goes on; here it goes nowhere."""

    def rules(self, plan: Plan) -> None:
        """Hear of rules, and from when they hold, before the moves that they make."""

    def moved(self, moves: np.ndarray, shard: Shard) -> None:
        """Hear of moves (MOVE[n])."""

    def refused(self, found: Found) -> None:
        """Hear of a bad record."""


class Late(msgspec.Struct):
    """Events that came in their file after one that is more than the lateness younger: how many, how late, ms."""

    events: int = 0
    most_ms: int = 0


class Replay:
    """A run over files.

    Attributes:
        shard: the users, as they are at the end.
        events: how many were folded, by source.
        first_at, last_at: least and greatest time of a click or an order, int ms UTC.
        moves: i8[dimensions, values], moves to each value.
        bad: bad records by reason.
        shown: the first of them.
        late: see `Late`.
        freezer: the population's cuts.
        wall_s, cpu_s: what the run took, but for compiling.
    """

    def __init__(
        self, settings: Settings, files: Sequence[File], now: int,
        reading: Reading = AS_IT_IS, listener: Listener | None = None,
    ) -> None:  # fmt: skip
        """`now` (int ms UTC) is the present, after which nothing can have happened; `reading`: how tables are read.

        Raises:
            SettingsError: thresholds that contradict one another; pyarrow is needed and not there.
        """
        self.settings = settings
        self.shard = Shard(rulebook.build(settings))
        self.events = np.zeros(len(SOURCES), np.int64)
        self.first_at, self.last_at = NEVER, 0
        self.moves = np.zeros((MAX_DIMENSIONS, MAX_VALUES), np.int64)
        self.bad: Counter[str] = Counter()
        self.shown: list[Found] = []
        self.late = Late()
        self.freezer = Freezer(settings, self.shard)
        self.wall_s = self.cpu_s = 0.0
        self._files = files
        self._reading = reading
        self._tables: Any = next((needed("streams.replay.table", f.path) for f in files if f.format != "lines"), None)
        self._listener = listener or Listener()
        self._listener.rules(Plan(0, self.shard.book))
        self._latest_at = now + round(settings.max_ahead_seconds * 1000)
        self._late_ms = round(settings.lateness_seconds * 1000)
        self._merge = Merge(len(files))
        self._payloads: Payloads = {}

    def run(self, until: int | None = None) -> None:
        """Fold all files, then let time pass up to `until` (int ms UTC; default: the last event, less the lateness).

        Raises:
            SettingsError: a file cannot be read, or is not what its name says.
        """
        warm(self.shard.book)
        hash_spans(np.zeros(1, np.uint8), np.zeros((1, 2), np.int64))
        wall, cpu = time.perf_counter(), time.process_time()
        self._read()
        if until is not None:
            self._tell(self.shard.advance(until))
        self.wall_s, self.cpu_s = time.perf_counter() - wall, time.process_time() - cpu

    def _read(self) -> None:
        """Read on in the file that holds up the others, until all are read."""
        opened: dict[int, Iterator[Chunk]] = {}
        for number, file in enumerate(self._files):
            self._merge.begin(number, self._first_at(file))
        unread = set(range(len(self._files)))
        while unread:
            number = min(unread, key=lambda n: (self._merge.reach(n), n))
            reading = opened.setdefault(number, self._chunks(self._files[number]))
            chunk = next(reading, None)
            if chunk is None:
                unread.remove(number)
                del opened[number]
            else:
                self._receive(number, chunk)
            self._fold(self._merge.take([n not in unread for n in range(len(self._files))]))

    def _first_at(self, file: File) -> int:
        """Return the time of a file's first event, int ms UTC; 0 where its first records are bad."""
        chunk = next(self._chunks(file, names=False), None)
        return NEVER if chunk is None else int(chunk.events["at"][0]) if len(chunk.events) else 0

    def _chunks(self, file: File, *, names: bool = True) -> Iterator[Chunk]:
        """Yield what is read of a file."""
        terms = Terms(self._latest_at, self.settings.minor_units, self.shard.names() if names else None)
        try:
            if file.format == "lines":
                yield from lines.chunks(file, terms)
            else:
                yield from self._tables.chunks(file, terms, self._reading)
        except SettingsError:
            raise
        except (OSError, EOFError, ValueError, gzip.BadGzipFile, zlib.error) as error:  # pyarrow's are ValueErrors
            raise SettingsError(f"{file.path}: cannot be read: {error}") from error

    def _receive(self, number: int, chunk: Chunk) -> None:
        """Let a chunk's events wait for their turn."""
        for bad in chunk.bad:
            self.bad[bad.reason] += 1
            found = Found(self._files[number].path, bad)
            self._listener.refused(found)
            if len(self.shown) < FIRST_SHOWN:
                self.shown.append(found)
        events = chunk.events
        if not len(events):
            return
        events["row"] = self.shard.intern_spans(chunk.data, chunk.users)
        source, first = self._files[number].source, (number + 1) << SHIFT
        events["offset"] += first
        self._payloads |= {(source, first + line): said for line, said in chunk.payloads.items()}
        behind = np.maximum.accumulate(np.maximum(events["at"], self._merge.reach(number))) - events["at"]
        self.late.events += int(np.count_nonzero(behind > self._late_ms))
        self.late.most_ms = max(self.late.most_ms, int(behind.max()))
        self._merge.add(number, events)

    def _fold(self, events: np.ndarray) -> None:
        """Fold events whose turn has come, and let time pass; cuts are taken where they are due."""
        if not len(events):
            return
        self._number(events)
        while (place := self.freezer.place(events)) is not None:
            self._go(events[:place])
            plan = self.freezer.freeze(self.shard, int(events["at"][place]))
            if plan is not None:
                self._listener.rules(plan)
            events = events[place:]
        self._go(events)

    def _go(self, events: np.ndarray) -> None:
        self._tell(self.shard.fold(events, self._payloads))
        self._tell(self.shard.advance(self.shard.newest - self._late_ms))

    def _number(self, events: np.ndarray) -> None:
        """Count events, and give them the offsets that they would have in one topic, in the order of their turn."""
        for source in range(len(SOURCES)):
            mine = np.flatnonzero(events["source"] == source)
            first = int(self.events[source])
            numbers = np.arange(first, first + len(mine))
            if source >= PROFILES:
                self._move_payloads(source, events["offset"][mine].tolist(), numbers.tolist())
            elif len(mine):
                at = events["at"][mine]
                self.first_at, self.last_at = min(self.first_at, int(at.min())), max(self.last_at, int(at.max()))
            events["offset"][mine] = numbers
            self.events[source] += len(mine)

    def _move_payloads(self, source: int, before: list[int], after: list[int]) -> None:
        """Have what is handed on whole follow its event to another offset."""
        for old, new in zip(before, after, strict=True):
            if (source, old) in self._payloads:
                self._payloads[source, new] = self._payloads.pop((source, old))

    def _tell(self, moves: np.ndarray) -> None:
        if len(moves):
            places = moves["dimension"].astype(np.int64) * MAX_VALUES + moves["to"]
            self.moves += np.bincount(places, minlength=self.moves.size).reshape(self.moves.shape)
            self._listener.moved(moves, self.shard)


def present() -> int:
    """Return the time of this machine, int ms UTC."""
    return time.time_ns() // 1_000_000
