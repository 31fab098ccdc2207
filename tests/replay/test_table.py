"""CSV and Parquet as they are met: broken rows, columns of other names, orders by their lines."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streams.core.row import CLICKS, ORDERS
from streams.replay import sources, table
from streams.replay.chunk import Terms
from streams.replay.options import Reading
from streams.settings import SettingsError
from tests.laws.history import T0
from tests.replay.files import TOPICS

TERMS = Terms(1 << 60, 2, None)


def read(path, reading=None):
    [file] = sources.find([str(path)], {}, TOPICS)
    return list(table.chunks(file, TERMS, reading or Reading()))


def test_rows_of_csv_that_are_broken_are_bad_and_lines_stay_right(tmp_path):
    path = tmp_path / "clicks.csv"
    path.write_text(f'user,at,kind\nu1,{T0},view\nu2,{T0}\nu3,{T0},buy\n"u,4",{T0},view\nu5,{T0},view,x,y\nu6,{T0},\n')
    chunks = read(path)
    bad = sorted((b.line, b.reason) for chunk in chunks for b in chunk.bad)
    assert bad == [(3, "wrong-columns"), (4, "bad-value"), (6, "wrong-columns"), (7, "missing-field")]
    assert [line for chunk in chunks for line in chunk.events["offset"].tolist()] == [2, 5]


@pytest.mark.parametrize("block", [100, 1000, 1 << 22])
def test_lines_of_csv_are_right_wherever_a_block_ends(tmp_path, monkeypatch, block):
    monkeypatch.setattr(table, "BLOCK", block)
    broken = [n for n in range(2, 402) if n % 7 == 0]
    path = tmp_path / "clicks.csv"
    path.write_text("user,at,kind\n" + "".join(f"u{n},{T0},view{',' * (n in broken)}\n" for n in range(2, 402)))
    chunks = read(path)
    assert [b.line for chunk in chunks for b in chunk.bad] == broken
    assert [line for chunk in chunks for line in chunk.events["offset"].tolist()] == sorted(
        {*range(2, 402)} - {*broken}
    )
    keys = [chunk.data[a:b].tobytes() for chunk in chunks for a, b in chunk.users.tolist()]
    assert keys == [b"u%d" % n for n in range(2, 402) if n not in broken]


def test_an_id_of_csv_keeps_its_noughts(tmp_path):
    path = tmp_path / "clicks.csv"
    path.write_text(f"user,at,kind\n007,{T0},view\n7,{T0},view\n")
    [chunk] = read(path)
    assert [chunk.data[a:b].tobytes() for a, b in chunk.users.tolist()] == [b"007", b"7"]


def test_columns_may_have_other_names(tmp_path):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"who": [5], "when": [T0], "basket": [9], "amount": [1.5], "user": ["not he"]}), path)
    [chunk] = read(path, Reading({"user": "who", "at": "when", "order": "basket"}))
    assert chunk.data[slice(*chunk.users[0])].tobytes() == b"5"
    with pytest.raises(
        SettingsError, match=r"orders\.parquet: there is no column at and none order, only who, .* --column at=NAME"
    ):
        read(path)


def test_a_type_that_cannot_be_is_named_with_its_file(tmp_path):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"user": ["u"], "at": [T0], "order": ["o"], "amount": [True]}), path)
    with pytest.raises(SettingsError, match=r"orders\.parquet: amount is of bool"):
        read(path)


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_lines_of_orders_add_up_wherever_a_batch_ends(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(table, "ROWS", rows)
    orders = [("u1", "a", [1.0, 2.0, 4.0]), ("u2", "b", [8.0]), ("u2", "c", [16.0, 32.0]), ("u3", "c", [64.0, 128.0])]
    lines = [(user, ident, amount) for user, ident, amounts in orders for amount in amounts]
    columns = dict(zip(("user", "order", "amount"), map(list, zip(*lines, strict=True)), strict=True))
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({**columns, "at": [T0] * len(lines), "status": ["paid"] * len(lines)}), path)
    chunks = read(path, Reading({}, add_lines=True))
    events = np.concatenate([chunk.events for chunk in chunks])
    assert events["amount"].tolist() == [700, 800, 4800, 19200]
    assert events["offset"].tolist() == [1, 4, 5, 7]
    assert sum(len(chunk.events) for chunk in read(path)) == len(lines)


def test_a_table_without_rows_has_no_events(tmp_path):
    path = tmp_path / "clicks.parquet"
    pq.write_table(
        pa.table(
            {"user": pa.array([], pa.string()), "at": pa.array([], pa.int64()), "kind": pa.array([], pa.string())}
        ),
        path,
    )
    assert sum(len(chunk.events) for chunk in read(path)) == 0
    assert sources.find([str(path)], {}, TOPICS)[0].source == CLICKS != ORDERS
