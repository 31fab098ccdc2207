"""Rows go to the changelog and come back as they were."""

import json
from pathlib import Path

import numpy as np
import pytest

from streams.core.row import DAY, LAYOUT, ORDER, PURCHASES, ROW
from streams.core.rules import activity_only
from streams.portrait import portrait
from streams.rulebook import build, of_document
from streams.settings import judged
from streams.shard import Shard
from streams.wire.block import Pairs
from streams.wire.changelog import UnknownLayout, decode_rows, encode_rows

NONE = np.empty(0, ORDER)
LAYOUTS = Path(__file__).parent / "layouts"


NOTHING_BOUGHT = np.zeros(1, PURCHASES)


def some(dtype, n, seed=1):
    return np.frombuffer(np.random.default_rng(seed).bytes(n * dtype.itemsize), dtype).copy()


def encode(n):
    rows = some(ROW, n)
    rows["purchases"] = 0
    data, spans = encode_rows(rows, np.arange(n), NOTHING_BOUGHT, np.zeros(n, np.int32), NONE)
    return [data[a:b].tobytes() for a, b in spans.tolist()]


def decode(values):
    pairs = Pairs.of((None, value) for value in values)
    return decode_rows(pairs.data, pairs.values)


def test_rows_purchases_orders_and_profiles_come_back_as_they_were():
    rows, who = some(ROW, 8), np.array([0, 2, 1, 7, 5])
    rows["purchases"] = [3, 0, 1, 4, 4, 2, 4, 5]
    purchases = some(PURCHASES, 6)
    counts, profiles = np.array([0, 2, 0, 255, 1]), [None, b"{}", None, b'{"a":1}', None]
    orders = some(ORDER, 258)
    found = decode_rows(*encode_rows(rows, who, purchases, counts, orders, profiles, before=np.ones(7, np.uint8)))
    due = rows[who]
    due["first_order"], due["purchases"] = 0, [1, 1, 0, 1, 1]
    assert found.purchases.tobytes() == purchases[[3, 1, 5, 2]].tobytes()
    assert found.rows.tobytes() == due.tobytes()
    assert found.counts.tolist() == counts.tolist()
    assert found.orders.tobytes() == orders.tobytes()
    assert found.profiles == [(1, b"{}"), (3, b'{"a":1}')]


@pytest.mark.parametrize("value", [b"", b"AW", b"AW\x63\x00" + bytes(ROW.itemsize), b'{"json": true}'])
def test_a_value_of_another_version_is_refused(value):
    with pytest.raises(UnknownLayout, match="this version reads"):
        decode([*encode(1), value])


def test_a_value_that_was_cut_is_refused():
    with pytest.raises(UnknownLayout, match="too short"):
        decode([encode(1)[0][:-1]])
    rows = some(ROW, 1)
    rows["purchases"] = 0
    data, _ = encode_rows(rows, np.zeros(1, int), some(PURCHASES, 1), np.ones(1, np.int32), some(ORDER, 1))
    with pytest.raises(UnknownLayout, match="lacks"):
        decode([data[:-1].tobytes()])


@pytest.mark.parametrize("layout", range(1, LAYOUT + 1))
def test_a_row_of_every_released_layout_is_still_read(layout):
    """layouts/N.hex is a value as version N wrote it: a user new on 2023-11-15, active on the 16th, one order."""
    value = bytes.fromhex((LAYOUTS / f"{layout}.hex").read_text())
    shard = Shard(activity_only(7 * DAY, 14 * DAY, 30 * DAY))
    shard.restore(Pairs.of([(b"u1", value)]))
    shard.settle()
    known = portrait(shard, b"u1")
    assert known["values"]["activity"] == {"value": "active", "since": "2023-11-16", "since_at": 1_700_092_800_000}
    assert (known["first_at"], known["last_at"]) == (1_700_006_400_000, 1_700_092_800_000)
    assert known["next_deadline"] == 1_700_092_800_000 + 14 * DAY
    assert known["transitions"] == 2
    assert (known["orders"]["count"], known["orders"]["spend"]) == (1, 1234)
    assert sum(known["windows"]["orders_by_week"]) == 1
    assert known["habits"]["active_days_of_28"] == 2
    assert shard.profile(b"u1") == b'{"user":"u1","at":1}'


def test_ones_own_dimensions_of_layout_2_keep_their_values_and_days_under_the_rules_of_then_and_of_now():
    """2-rules.json stood on `control`, with as many dimensions of one's own as there is room for; 2-own.hex is a row.

    What was declared since begins at its first value, and nothing else moves.
    """
    kept = json.loads((LAYOUTS / "2-rules.json").read_text())
    then = of_document(kept, 1)
    assert then.version == "rules-0be47914"
    shard = Shard(then)
    shard.restore(Pairs.of([(b"u0", bytes.fromhex((LAYOUTS / "2-own.hex").read_text()))]))
    shard.settle()
    found = portrait(shard, b"u0")["values"]
    own = {
        "basket": ("heavy", "2023-11-15"), "busy": ("restless", "2023-11-19"), "keen": ("often", "2023-11-17"),
        "region": ("north", "2023-11-15"), "saver": ("saving", "2023-11-15"), "spender": ("big", "2023-11-16"),
    }  # fmt: skip
    assert {name: tuple(found[name].values()) for name in own} == own
    assert found["early_access"] == {"value": "granted", "since": "2023-11-18"}
    assert "level_outlook" not in found
    assert (len(shard.orders(0)), shard.profile(b"u0") is not None) == (3, True)
    places = kept.pop("places")
    assert not len(shard.advance(shard.newest))
    now = build(judged(kept | {"dimensions": [*kept["dimensions"], "level_outlook"]}, "now"), then, 2)
    assert list(now.dimensions[-len(own) :]) == places["own"]
    shard.adopt(shard.newest, now)
    [move] = shard.advance(shard.newest)
    assert now.dimensions[move["dimension"]] == "level_outlook"
