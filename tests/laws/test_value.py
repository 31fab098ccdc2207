"""What a user is worth equals a recomputation from all that he did, at any moment, however he came there."""

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import rulebook
from streams.core.row import CLICKS, DAY, ORDER_KINDS, ORDERS, PROFILES, WEEKS
from streams.settings import thresholds
from tests import oracle_value
from tests.laws.history import (
    BOOK,
    CLICK_DEEDS,
    HALF,
    HOUR,
    LAST_HOUR,
    ORDER_DEEDS,
    PROFILE_DEEDS,
    REFUND_DEEDS,
    SETTINGS,
    SIDE_DEEDS,
    T0,
    Reader,
    histories,
    named,
    order,
    profile,
    wide_cuts,
)

few = settings(max_examples=50)

AVERAGE = msgspec.structs.replace(
    SETTINGS,
    value=msgspec.structs.replace(
        SETTINGS.value, monetary="average", monetary_amount=100, look_back_weeks=26, recent_days=30, frequency_orders=4
    ),
)
DEEDS = CLICK_DEEDS[:6] + 3 * ORDER_DEEDS + REFUND_DEEDS + SIDE_DEEDS + PROFILE_DEEDS[:2]
# Profiles move no clock: one that says another kind would be judged before time has passed up to it.
DEEDS += [profile(attributes={"region": "Beijing", "age": 12})]
DEEDS += [order(ident, 100 * ident, coupon=ident % 2) for ident in range(10, 40)]
BUYING = 3 * ORDER_DEEDS + DEEDS[-30:] + REFUND_DEEDS
YEAR = 24 * 400


def terms(settings):
    """The oracle's terms, out of the settings themselves."""
    found = {}
    for kind in ("", *settings.kinds):
        told = thresholds(settings, kind)
        value = msgspec.structs.asdict(told.value) | {"average": told.value.monetary == "average"}
        value["monetary_amount"] *= 100
        fields = {name: value[name] for name in oracle_value.Terms._fields if name in value}
        found[kind] = oracle_value.Terms(
            **fields,
            order_value=ascending(told.bands.order_value, 100),
            order_frequency=ascending(told.bands.order_frequency, 1),
            own={name: own_terms(own) for name, own in told.own.items()},
        )
    return found


def own_terms(own):
    words = {word: value for value, said in own.values.items() for word in said}
    unit = 100 if own.of in ("spend", "order_value") else 1
    return oracle_value.Own(own.of.split(".")[-1], own.days or own.weeks, ascending(own.bands, unit), words)


def ascending(bands, unit):
    return tuple(sorted(((name, bound * unit) for name, bound in bands.items()), key=lambda band: band[1]))


def deeds(history):
    """The history in the oracle's words; of what happens at one time, clicks come before orders, as in the merge."""
    for hour, user, deed in sorted(history, key=lambda h: (h[0], h[2].source)):
        what = {CLICKS: "click", ORDERS: ORDER_KINDS[min(deed.kind, 2)], PROFILES: "profile"}[deed.source]
        said = deed.body or {}
        kind = said.get("side", "") or ("" if deed.side < 2 else BOOK.kinds[deed.side - 1])
        yield oracle_value.Deed(
            f"u{user}", T0 + hour * HOUR + HALF, what, deed.order, deed.amount, bool(deed.coupon), kind,
            said.get("attributes", {}),
        )  # fmt: skip


def compare(history, settings, cut, until):
    reader = Reader(history, rulebook.build(settings)).run(cut, sweep=True, until=until)
    due = oracle_value.moves(list(deeds(history)), terms(settings), until)
    for user, life in due.items():
        names = set(life.values)
        made = [named(reader.shard, m) for m in reader.told.get(user, ())]
        for name in sorted(names):
            assert [m for m in made if m[0] == name] == [s for s in life.steps if s[0] == name]
    return reader, due


def sides_that_say_everybody(deeds):
    """Without those by which a rider becomes everybody again: the oracle knows that as an empty kind."""
    return [deed for deed in deeds if deed.side != 1]


@few
@given(histories(sides_that_say_everybody(DEEDS), 40, until=YEAR), wide_cuts, st.integers(YEAR, YEAR + 24 * 250))
def test_tiers_bands_coupons_and_own_dimensions_equal_a_batch_recomputation_at_any_cut(history, cut, hour):
    compare(history, SETTINGS, cut, T0 + hour * HOUR + HALF)


@few
@given(histories(BUYING, 40, until=LAST_HOUR), wide_cuts, st.integers(0, 24 * 250))
def test_so_they_do_with_a_half_years_look_back_and_the_average_order(history, cut, hour):
    compare(history, AVERAGE, cut, T0 + (LAST_HOUR + hour) * HOUR + HALF)


@few
@given(histories(BUYING, 40, until=YEAR), wide_cuts)
def test_the_windows_equal_a_recount(history, cut):
    until = T0 + YEAR * HOUR + HALF
    reader, due = compare(history, SETTINGS, cut, until)
    for user, life in due.items():
        number = reader.shard.index.find(user.encode())
        row, weekly = reader.shard.rows[number], reader.shard.weekly(number)
        if not life.known:
            continue
        newest = oracle_value.day_of(int(row["day"]) * DAY)
        first = oracle_value.week_of(newest).toordinal() // 7
        counted = np.zeros((3, WEEKS), int)
        for when, amount, coupon in life.recent(newest, WEEKS):
            back = first - oracle_value.week_of(when).toordinal() // 7
            counted[:, (int(row["week"]) - back) % WEEKS] += (1, amount, coupon)
        assert [weekly[name].tolist() for name in ("orders", "spend", "coupons")] == counted.tolist()
        standing = life.standing()
        assert (row["orders"], row["spend"]) == (len(standing), sum(amount for _, amount, _ in standing))
