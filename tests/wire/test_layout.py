"""A row of an earlier layout keeps all that it said."""

import numpy as np
import pytest

from streams.core.row import ORDER, PURCHASES, ROW, WEEKS
from streams.wire.changelog import decode_rows
from streams.wire.layout import from_3

SINCE_4 = "purchases"
BEFORE = {
    "values": [("spare", "u1")], "period_points": [("weekly_spend", "<i4", (WEEKS,))],
    "weekly_pushes": [("weekly_orders", "u1", (WEEKS,)), ("weekly_coupons", "u1", (WEEKS,))],
}  # fmt: skip
"""What layout 3 had before which fields of layout 4."""


def row_3():
    """The row of layout 3: that of layout 4 with the weeks in it, and a spare byte before the values."""
    fields = []
    for name in ROW.names:
        fields += BEFORE.get(name, [])
        if name != SINCE_4:
            fields.append((name, ROW[name]))
    return np.dtype(fields)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("bought", ["nothing", "spend", "orders", "coupons"])
def test_a_row_of_layout_3_keeps_every_field_and_its_weeks_stand_behind_it(seed, bought):
    rng, dtype = np.random.default_rng(seed), row_3()
    assert dtype.itemsize == 533
    old, orders = np.frombuffer(rng.bytes(533), dtype).copy(), rng.bytes(seed * ORDER.itemsize)
    for name in ("spend", "orders", "coupons"):
        if name != bought:
            old[f"weekly_{name}"] = 0
    value = from_3(b"AW\3" + bytes([seed]) + old.tobytes() + orders + b'{"a":1}')
    found = decode_rows(np.frombuffer(value, np.uint8), np.array([[0, len(value)]]))
    assert {name: found.rows[name].tolist() for name in ROW.names if name != SINCE_4} == {
        name: old[name].tolist() for name in ROW.names if name != SINCE_4
    }
    assert (found.counts.tolist(), found.orders.tobytes(), found.profiles) == ([seed], orders, [(0, b'{"a":1}')])
    assert found.rows["purchases"].tolist() == [bought != "nothing"]
    assert len(found.purchases) == (bought != "nothing")
    for weekly in found.purchases:
        assert {name: weekly[name].tolist() for name in PURCHASES.names} == {
            name: old[f"weekly_{name}"][0].tolist() for name in PURCHASES.names
        }
