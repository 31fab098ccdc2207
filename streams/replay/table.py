"""CSV and Parquet → chunks: a file is read in batches of Arrow's, of which only the columns that count are decoded.

Where `add_lines` is said, a file of orders has a row for each line of an order: rows that follow one another and are
of one user and one order are that order, and their amounts add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from streams.core.row import CLICKS, FEEDBACK, ORDERS, PROFILES
from streams.replay import columns
from streams.replay.chunk import Bad, Chunk, Terms
from streams.replay.columns import CODED, Rows
from streams.replay.options import Reading
from streams.replay.sources import File
from streams.settings import SettingsError

ROWS = 1 << 15
"""Rows that are decoded at once."""
BLOCK = 1 << 22
"""Bytes of CSV that are read at once."""
FIRST_LINE = 2
"""Of CSV: the first holds the names."""
NEEDED = {
    CLICKS: ("user", "at", "kind"),
    ORDERS: ("user", "at", "order", "amount"),
    PROFILES: ("user", "at"),
    FEEDBACK: ("user", "at", "decision", "kind"),
}
OTHERS = {
    CLICKS: ("category", "source", "side", "points"),
    ORDERS: ("status", "coupon", "category", "source", "side"),
    PROFILES: ("attributes", "contacts", "consent", "time_zone", "side", "membership", "seed", "merged"),
    FEEDBACK: ("channel", "about"),
}


def chunks(file: File, terms: Terms, reading: Reading) -> Iterator[Chunk]:
    """Yield the records of a CSV or Parquet file.

    Raises:
        SettingsError: a column that is needed is missing, or of a type that cannot be.
        pa.ArrowInvalid, OSError: it is not what its name says.
    """
    bad: list[Bad] = []
    found = _csv(file, reading, bad) if file.format == "csv" else _parquet(file, reading)
    if file.source == ORDERS and reading.add_lines:
        found = _added_up(found)
    for rows in found:
        try:
            chunk = columns.chunk(file.source, rows, terms)
        except columns.Mistyped as error:
            raise SettingsError(f"{file.path}: {error}") from error
        chunk.bad.extend(bad)
        bad.clear()
        yield chunk
    if bad:
        yield columns.nothing(bad)


def _parquet(file: File, reading: Reading) -> Iterator[Rows]:
    schema = parquet.read_schema(file.path)
    chosen = _chosen(file, schema.names, reading)
    coded = [column for field, column in chosen.items() if field in CODED]
    with parquet.ParquetFile(file.path, read_dictionary=coded) as opened:
        first = 1
        for batch in opened.iter_batches(ROWS, columns=list(chosen.values()), use_threads=False):
            yield Rows(np.arange(first, first + len(batch)), _named(batch, chosen), texts=False)
            first += len(batch)


def _csv(file: File, reading: Reading, bad: list[Bad]) -> Iterator[Rows]:
    """Yield rows of text; those that have not as many values as there are columns go to `bad`."""
    path = str(file.path)
    skipped: list[int] = []

    def skip(row: csv.InvalidRow) -> str:
        detail = f"{row.actual_columns} values for {row.expected_columns} columns"
        bad.append(Bad(row.number or 0, "wrong-columns", detail, (row.text or "").encode()))
        skipped.append(row.number or 0)
        return "skip"

    read = csv.ReadOptions(use_threads=False, block_size=BLOCK)
    parse = csv.ParseOptions(invalid_row_handler=skip)
    with pa.input_stream(path) as stream, csv.open_csv(stream, read, parse) as head:
        names = head.schema.names
    chosen = _chosen(file, names, reading)
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.binary()),
        include_columns=list(chosen.values()),
        null_values=[""],
        strings_can_be_null=True,
    )
    skipped.clear()
    bad.clear()
    with pa.input_stream(path) as stream, csv.open_csv(stream, read, parse, convert) as opened:
        first = FIRST_LINE
        for batch in opened:
            lines = np.setdiff1d(np.arange(first, first + len(batch) + len(skipped)), skipped)[: len(batch)]
            for start in range(0, len(batch), ROWS):
                part = batch.slice(start, ROWS)
                yield Rows(lines[start : start + ROWS], _named(part, chosen), texts=True)
            first = int(lines[-1]) + 1 if len(lines) else first
            skipped[:] = [line for line in skipped if line >= first]


def _chosen(file: File, names: list[str], reading: Reading) -> dict[str, str]:
    """Return the columns that count, by field; those of profiles may be spread, as `attributes.region`."""
    fields = (*NEEDED[file.source], *OTHERS[file.source])
    renamed = {column: field for field, column in reading.columns.items()}
    called = {renamed.get(name, name): name for name in names if renamed.get(name, name) not in reading.columns}
    called |= {field: column for field, column in reading.columns.items() if column in names}
    chosen = {field: name for field, name in called.items() if field.partition(".")[0] in fields}
    missing = [field for field in NEEDED[file.source] if field not in chosen]
    if missing:
        raise SettingsError(
            f"{file.path}: there is no column {' and none '.join(missing)}, only {', '.join(names)}; "
            f"say what stands for it: --column {missing[0]}=NAME"
        )
    return chosen


def _named(batch: pa.RecordBatch, chosen: Mapping[str, str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([batch.column(name) for name in chosen.values()], names=list(chosen))


def _added_up(found: Iterator[Rows]) -> Iterator[Rows]:
    """Yield orders in place of their lines; the last of each batch waits, for it may go on in the next one."""
    waiting: Rows | None = None
    for rows in found:
        whole = rows if waiting is None else _after(waiting, rows)
        if len(whole.lines):
            starts = np.concatenate([[0], np.flatnonzero(_differs(whole.batch)) + 1])
            waiting = whole.taken(np.arange(starts[-1], len(whole.lines)))
            yield _orders(whole, starts[:-1], starts[-1])
    if waiting is not None:
        yield _orders(waiting, np.zeros(1, np.int64), len(waiting.lines))


def _differs(batch: pa.RecordBatch) -> np.ndarray:
    """Say of each row but the first whether it is of another order, or user, than the one before it."""
    other = np.zeros(max(len(batch) - 1, 0), bool)
    for field in ("user", "order"):
        column = batch.column(field)
        unlike = pc.fill_null(pc.not_equal(column[1:], column[:-1]), True)
        other |= columns.as_array(unlike)
    return other


def _orders(lines: Rows, starts: np.ndarray, end: int) -> Rows:
    """Return the orders whose first lines are at `starts`, of which the last goes on up to `end`."""
    orders = lines.taken(starts)
    if not len(starts):
        return orders
    amounts = columns.amounts(lines.batch.column("amount"))[:end]
    place = orders.batch.schema.get_field_index("amount")
    batch = orders.batch.set_column(place, "amount", pa.array(np.add.reduceat(amounts, starts), from_pandas=True))
    return orders._replace(batch=batch)


def _after(one: Rows, other: Rows) -> Rows:
    whole: Any = pa.Table.from_batches([_plain(one.batch), _plain(other.batch)]).combine_chunks()
    return Rows(np.concatenate([one.lines, other.lines]), whole.to_batches()[0], one.texts)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch without codes: those of two batches are not the same."""
    decoded = [c.dictionary_decode() if isinstance(c, pa.DictionaryArray) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(decoded, names=batch.schema.names)
