"""JSON lines → chunks: a file is read in pieces, its lines are found in them all at once."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from streams.replay.arrow import needed
from streams.replay.chunk import Chunk, Terms, of_block
from streams.replay.sources import File
from streams.settings import SettingsError
from streams.wire.block import NOTHING, Block, Pairs

PIECE = 1 << 20
"""Bytes that are read at once."""
LONGEST = 1 << 24
"""Bytes: what is longer is no line."""
NEWLINE, BLANKS = 10, b" \t\r"


def chunks(file: File, terms: Terms) -> Iterator[Chunk]:
    """Yield the records of a file of JSON lines; blank lines are none.

    Raises:
        SettingsError: it has no lines.
    """
    with _opened(file.path) as stream:
        for block in _blocks(stream, file.path):
            yield of_block(file.source, block, terms)


def _opened(path: Path) -> Any:
    if path.suffix == ".gz":
        return gzip.open(path)
    if path.suffix == ".zst":
        return needed("pyarrow", path).input_stream(str(path), compression="zstd")
    return path.open("rb")


def _blocks(stream: Any, path: Path) -> Iterator[Block]:
    """Yield the lines as blocks, their offsets being their numbers, from 1 on."""
    line, rest = 1, b""
    while piece := stream.read(PIECE):
        data = rest + piece
        cut = data.rfind(b"\n") + 1
        if cut:
            block, count = _block(np.frombuffer(data[:cut], np.uint8), line)
            line += count
            yield block
        rest = data[cut:]
        if len(rest) > LONGEST:
            raise SettingsError(f"{path}: line {line} is longer than {LONGEST:,} bytes; JSON lines are needed")
    if rest:
        yield _block(np.frombuffer(rest + b"\n", np.uint8), line)[0]


def _block(data: np.ndarray, first: int) -> tuple[Block, int]:
    """Return the lines of which `data` (u1[size]) consists as a block, and how many there are, blank ones too."""
    ends = np.flatnonzero(data == NEWLINE)
    starts = np.concatenate([[0], ends[:-1] + 1])
    numbers = np.arange(first, first + len(ends))
    short = np.flatnonzero(ends - starts <= len(BLANKS))
    blank = [k for k in short.tolist() if not data[starts[k] : ends[k]].tobytes().strip(BLANKS)]
    if blank:
        starts, ends, numbers = (np.delete(column, blank) for column in (starts, ends, numbers))
    values = np.stack([starts, ends], axis=1)
    pairs = Pairs(data, np.full_like(values, NOTHING), values)
    return Block(numbers, np.zeros(len(numbers), np.int64), pairs), len(numbers) + len(blank)
