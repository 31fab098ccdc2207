"""What a user is worth: his orders, and the dimensions that rest on them (customer class, RFM, bands, coupons).

An order is counted once, by its id, in the week in which it was made; a refund or a cancellation finds it again and
takes back exactly what it did. A refund of an order that is forgotten (`core.order`) changes nothing.

RFM after the eight-tier scheme (LIFECYCLE §1): R is high up to `recent_days` since the newest order, F and M from their
cuts on, over the newest `look_back_weeks` weeks (this one included). Coupon dependency is the share of orders with a
coupon, each week's weight halved every `coupon_half_weeks`, shrunk to the population's share by pseudo-orders.
"""

from __future__ import annotations

import numpy as np

from streams.core import purchase
from streams.core.compiled import compiled
from streams.core.dimension import COUPON, CUSTOMER, ORDER_FREQUENCY, ORDER_VALUE, RFM
from streams.core.move import NO_FIGURE, band, ripe, settle
from streams.core.order import find, forget, newest, remember
from streams.core.row import DAY, NEVER_DAY, TIME_CAUSE, WEEKS
from streams.core.window import I4_MAX, WEEK_SHIFT, week_of

NO_CUSTOMER, PROSPECT, NEW_CUSTOMER, OLD_CUSTOMER = 0, 1, 2, 3
NO_COUPON, INDEPENDENT, DEPENDENT = 0, 1, 2
TIERS = np.array(
    [
        # (R, F, M): low low low, low low high, …
        [[1, 5], [2, 6]],  # R low:  let_go, rescue; maintain, keep
        [[3, 7], [4, 8]],  # R high: nurture, grow_frequency; grow_basket, champion
    ],
    np.uint8,
)
"""The place of a tier among the dimension's values, by [R, F, M]."""
CANCELLED = 2
TIE = 1e-9
UNDONE, AWAITED = 1, 2
"""An order that was taken back; a refund that waits for its order."""


@compiled
def buy(state, row, at, event, amount, points, found, undone):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count a paid order (minor units) in its week and in the totals, and remember it."""
    coupon = event["coupon"]
    if found:
        forget(state, row, found)
    remember(state, row, at, event["hash"], amount, points, event["category"], coupon, undone)
    if undone:
        return
    row["orders"] += 1
    row["last_order_at"] = max(row["last_order_at"], at)
    count(state, row, at, 1, amount, coupon)


@compiled
def left(order, amount):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return what is left of an order's amount of which its refund came before it; 0 for nothing."""
    back = np.int64(order["amount"])
    return amount - back if 0 < back < amount else np.int64(0)


@compiled
def undo(state, row, at, event):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Take an order back, or a part of its amount; return its place plus 1 (0: there is none), and its points."""
    back = np.int64(event["amount"]) if event["kind"] != CANCELLED else np.int64(0)
    found = find(state, row, event["hash"])
    if not found:
        # Its order may still come.
        remember(state, row, at, event["hash"], back, 0, 0, 0, AWAITED)
        return 0, 0
    order = state.pool[found - 1]
    if order["undone"]:
        await_more(order, back)
        return 0, 0
    amount, points = np.int64(order["amount"]), np.int64(order["points"])
    if 0 < back < amount:
        points = points * back // amount
        order["amount"] -= back
        order["points"] -= points
        count(state, row, order["at"], 0, -back, 0)
        return found, points
    order["undone"] = UNDONE
    row["orders"] -= 1
    count(state, row, order["at"], -1, -amount, -np.int64(order["coupon"]))
    row["last_order_at"] = newest(state, row)
    return found, points


@compiled
def await_more(order, back):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Add to what was paid back of an order that has not come; 0 is all of it."""
    if order["undone"] == AWAITED and order["amount"]:
        order["amount"] = min(np.int64(order["amount"]) + back, I4_MAX) if back else 0


@compiled
def count(state, row, at, orders, amount, coupons):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Add to the totals, and to the week of `at` if that is still in the rings."""
    row["spend"] += amount
    week = week_of(at // DAY)
    if week > row["week"] - WEEKS:
        purchase.count(state, row, week, orders, amount, coupons)


@compiled
def judge(row, weekly, day, at, cause, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge what rests on orders as of `day`, and say when time may next change it; return the number of moves."""
    bought = float(row["orders"])
    if rule["on"][CUSTOMER]:
        last = float(row["last_order_at"]) if bought else NO_FIGURE
        n = settle(row, CUSTOMER, customer(row, day, rule), cause, at, bought, last, NO_FIGURE, NO_FIGURE, moves, n)
    if not bought and not row["values"][RFM] and not row["values"][ORDER_VALUE]:
        row["due_value"] = NEVER_DAY
        if rule["on"][ORDER_FREQUENCY]:
            none = band(rule, ORDER_FREQUENCY, 0)
            n = settle(row, ORDER_FREQUENCY, none, cause, at, 0.0, NO_FIGURE, NO_FIGURE, NO_FIGURE, moves, n)
        return n
    week = week_of(day)
    orders, spend = window_sums(weekly, week, rule["look_back_weeks"])
    due = min(calm_until(row, weekly, day, week, orders, spend, rule), customer_due(row, day, rule))
    n, held = judge_sums(row, weekly, day, at, cause, orders, spend, rule, moves, n)
    row["due_value"] = min(due, held, NEVER_DAY)
    return n


@compiled
def judge_sums(row, weekly, day, at, cause, orders, spend, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge tier, bands and coupons; return the moves, and the day on which a value that was held may fall."""
    held = NEVER_DAY
    recency = day - row["last_order_at"] // DAY
    average = spend / orders if orders else 0.0
    share = coupon_share(row, weekly, week_of(day), rule) if rule["on"][COUPON] else 0.0
    for dimension in (RFM, ORDER_VALUE, ORDER_FREQUENCY, COUPON):
        if not rule["on"][dimension]:
            continue
        a, b, c = float(orders), NO_FIGURE, NO_FIGURE
        if dimension == RFM:
            to = tier(row, recency, orders, spend, rule)
            a, b, c = float(recency), float(orders), average if rule["average"] else float(spend)
        elif dimension == ORDER_VALUE:
            to = band(rule, ORDER_VALUE, average) if orders else 0
            a, b = average, float(orders)
        elif dimension == ORDER_FREQUENCY:
            to = band(rule, ORDER_FREQUENCY, orders)
        else:
            to = dependency(row["values"][COUPON], row["orders"], share, rule)
            a, b = share, float(row["orders"])
        if cause == TIME_CAUSE and to != row["values"][dimension] and not ripe(row, dimension, day, rule):
            held = min(held, np.int64(row["since_day"][dimension]) + rule["dwell_days"])
            continue
        n = settle(row, dimension, to, cause, at, a, b, c, NO_FIGURE, moves, n)
    return n, held


@compiled
def window_sums(weekly, week, weeks):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return orders and spend (minor units) of the newest `weeks` weeks up to `week`, which is the row's own."""
    orders, spend = np.int64(0), np.int64(0)
    for w in range(week - weeks + 1, week + 1):
        orders += weekly["orders"][w % WEEKS]
        spend += weekly["spend"][w % WEEKS]
    return orders, spend


@compiled
def customer(row, day, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the customer class: prospect without an order, old from the second on or when the first has aged."""
    if not row["orders"]:
        return PROSPECT
    aged = day - row["last_order_at"] // DAY > rule["old_days"]
    return OLD_CUSTOMER if row["orders"] > 1 or aged else NEW_CUSTOMER


@compiled
def customer_due(row, day, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the day on which a new customer becomes an old one."""
    aged = row["last_order_at"] // DAY + rule["old_days"] + 1
    return aged if rule["on"][CUSTOMER] and row["orders"] == 1 and aged > day else NEVER_DAY


@compiled
def tier(row, recency, orders, spend, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the RFM tier, none for who has no order that stands."""
    if not row["orders"]:
        return 0
    monetary = spend
    if rule["average"]:
        monetary = spend / orders if orders else 0.0
    high_r = 1 if recency <= rule["recent_days"] else 0
    return TIERS[high_r, 1 if orders >= rule["frequent"] else 0, 1 if monetary >= rule["valuable"] else 0]


@compiled
def coupon_share(row, weekly, week, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the share of orders with a coupon as of `week`, decayed and shrunk (LIFECYCLE §1, A15)."""
    fade = 0.5 ** (1.0 / rule["coupon_half_weeks"])
    orders = coupons = 0.0
    for w in range(max(week, WEEKS) - WEEKS + 1, week + 1):
        orders, coupons = orders * fade, coupons * fade
        if w > row["week"] - WEEKS and w <= row["week"]:
            orders += weekly["orders"][w % WEEKS]
            coupons += weekly["coupons"][w % WEEKS]
    prior = rule["coupon_prior"]
    return (coupons + prior * rule["coupon_share"]) / (orders + prior)


@compiled
def dependency(before, orders, share, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return whether he depends on coupons: from `coupon_on` up he does, and below `coupon_off` no longer."""
    if not orders:
        return NO_COUPON
    if share > rule["coupon_on"] or (before == DEPENDENT and share >= rule["coupon_off"] - TIE):
        return DEPENDENT
    return INDEPENDENT


@compiled
def calm_until(row, weekly, day, week, orders, spend, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the first day on which time alone gives another tier, band or dependency than as of `day`."""
    recency = day - row["last_order_at"] // DAY
    due = NEVER_DAY
    if recency <= rule["recent_days"] and rule["on"][RFM]:
        due = day + np.int64(rule["recent_days"]) - recency + 1
    average = spend / orders if orders else 0.0
    now = tier(row, recency, orders, spend, rule)
    value, frequency = band(rule, ORDER_VALUE, average) if orders else 0, band(rule, ORDER_FREQUENCY, orders)
    couponed, depends = rule["on"][COUPON] and uses_coupons(weekly), NO_COUPON
    if couponed:
        depends = dependency(row["values"][COUPON], row["orders"], coupon_share(row, weekly, week, rule), rule)
    for w in range(week + 1, week + WEEKS + 1):
        starts = w * 7 - WEEK_SHIFT
        if starts >= due:
            break
        leaves = w - rule["look_back_weeks"]
        if leaves <= week:
            orders -= weekly["orders"][leaves % WEEKS]
            spend -= weekly["spend"][leaves % WEEKS]
        average = spend / orders if orders else 0.0
        other = rule["on"][RFM] and tier(row, recency, orders, spend, rule) != now
        other |= rule["on"][ORDER_VALUE] and (band(rule, ORDER_VALUE, average) if orders else 0) != value
        other |= rule["on"][ORDER_FREQUENCY] and band(rule, ORDER_FREQUENCY, orders) != frequency
        if couponed and not other:
            share = coupon_share(row, weekly, w, rule)
            other = dependency(depends, row["orders"], share, rule) != depends
        if other:
            return starts
        if not orders and not couponed:
            break
    return due


@compiled
def uses_coupons(weekly):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Say whether a coupon stands anywhere in the ring."""
    total = 0
    for w in range(WEEKS):
        total += weekly["coupons"][w]
    return total > 0
