"""Rows go to the changelog and come back as they were."""

from pathlib import Path

import numpy as np
import pytest

from streams.core.activity import Rules
from streams.core.row import DAY, LAYOUT, ROW
from streams.shard import Shard
from streams.wire.changelog import UnknownLayout, decode_rows, encode_rows


def some_rows(n):
    rng = np.random.default_rng(1)
    return np.frombuffer(rng.bytes(n * ROW.itemsize), ROW)


def test_rows_and_profiles_come_back_as_they_were():
    rows, profiles = some_rows(5), [None, b"{}", None, b'{"a":1}', None]
    found, kept = decode_rows(encode_rows(rows, profiles))
    assert found.tobytes() == rows.tobytes()
    assert kept == [(1, b"{}"), (3, b'{"a":1}')]


def test_values_own_their_bytes():
    values = encode_rows(some_rows(2), [None, None])
    assert all(type(v) is bytes and len(v) == ROW.itemsize + 4 for v in values)


@pytest.mark.parametrize("value", [b"", b"AW", b"AW\x63\x00" + bytes(ROW.itemsize), b'{"json": true}'])
def test_a_value_of_another_version_is_refused(value):
    with pytest.raises(UnknownLayout, match="this version reads"):
        decode_rows([*encode_rows(some_rows(1), [None]), value])


@pytest.mark.parametrize("layout", range(1, LAYOUT + 1))
def test_a_row_of_every_released_layout_is_still_read(layout):
    """layouts/N.hex is a value as version N wrote it: a user new on 2023-11-15, active on the 16th, one order."""
    value = bytes.fromhex((Path(__file__).parent / "layouts" / f"{layout}.hex").read_text())
    rows, profiles = decode_rows([value])
    shard = Shard(Rules(7 * DAY, 14 * DAY, 30 * DAY))
    shard.restore([b"u1"], rows, profiles)
    shard.settle()
    assert shard.describe(b"u1") == {
        "activity": "active",
        "since": 1_700_092_800_000,
        "first_at": 1_700_006_400_000,
        "last_at": 1_700_092_800_000,
        "next_deadline": 1_700_092_800_000 + 14 * DAY,
        "transitions": 2,
        "orders": 1,
        "spend": 1234,
    }
    assert shard.profile(b"u1") == b'{"user":"u1","at":1}'
