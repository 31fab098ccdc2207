"""The rules: thresholds, cuts and bands, one RULE a kind of user, as the compiled fold reads them.

A `Rulebook` is one version of them with its words: what the values of each dimension are called. Which rules held when
is a matter of the log (`control`), not of the core: it is handed one rulebook at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streams.core.compiled import compiled
from streams.core.dimension import ACTIVITY, DIMENSIONS
from streams.core.row import CLICK_KINDS, DAY, MAX_DIMENSIONS, NEVER

MAX_BANDS = 8
MAX_VALUES = max(MAX_BANDS + 1, *(len(d.values) for d in DIMENSIONS))
"""Of one dimension, `none` among them."""

RULE = np.dtype(
    [
        ("on", "u1", (MAX_DIMENSIONS,)),  # 1 where the dimension is kept
        # Activity: int ms; NEVER switches one off
        ("new_ms", "<i8"),
        ("dormant_ms", "<i8"),
        ("churned_ms", "<i8"),
        # Personal absence: exp((n · mean_log + prior · log_gap) / (n + prior) + margin) days, within floor and ceiling
        ("personal", "u1"),
        ("personal_prior", "<f8"),
        ("personal_log_gap", "<f8"),  # the population's mean log gap, in days
        ("personal_margin", "<f8"),
        ("personal_floor_ms", "<i8"),
        ("personal_ceiling_ms", "<i8"),
        ("dwell_days", "<i4"),  # a value that falls by time stays for at least so long
        # Stage and rung
        ("growth_orders", "<i4"),
        ("growth_days", "<i4"),
        ("growth_window", "<i4"),
        ("maturity_orders", "<i4"),
        ("maturity_days", "<i4"),
        ("maturity_window", "<i4"),
        ("habit_days", "<i4"),
        ("habit_window", "<i4"),
        ("habit_weeks", "<i4"),
        ("attention_share", "<f8"),  # of the absence that makes dormant
        # Value
        ("look_back_weeks", "<i4"),
        ("old_days", "<i4"),
        ("recent_days", "<f8"),  # R is high up to and with it
        ("frequent", "<f8"),  # F is high from it on: orders in the look-back
        ("valuable", "<f8"),  # M is high from it on: minor units
        ("average", "u1"),  # 1: M is the average order's value, 0: the total
        ("coupon_on", "<f8"),
        ("coupon_off", "<f8"),
        ("coupon_prior", "<f8"),  # pseudo-orders
        ("coupon_share", "<f8"),  # the population's share
        ("coupon_half_weeks", "<f8"),
        # Social
        ("refer_weight", "<f8"),
        ("influence_half_days", "<f8"),
        ("leader_score", "<f8"),
        ("quiet_days", "<i4"),
        ("tired_score", "<f8"),
        ("exhausted_score", "<f8"),
        # Growth
        ("click_points", "<i4", (len(CLICK_KINDS),)),
        ("points_per_unit", "<f8"),  # points earned per minor unit of an order
        ("streak_bonus", "<i4"),  # points for each seventh check-in in a row
        ("renewal_days", "<i4"),
        ("level_warn_days", "<i4"),  # before the day on which a level is lost; 0: never
        ("early_days", "<i4"),  # active days in the last 28 that earn early access …
        ("early_level", "<i4"),  # … or the place of the level that does; 0 for none
        # Bands: lower bounds, ascending, of the values from place 1 on
        ("bands", "u1", (MAX_DIMENSIONS,)),  # how many
        ("edges", "<i8", (MAX_DIMENSIONS, MAX_BANDS)),
        # Dimensions of the settings' own: how many, and of each a place in FACTS and a window in its unit
        ("owns", "i1"),
        ("fact", "u1", (MAX_DIMENSIONS,)),
        ("window", "<i4", (MAX_DIMENSIONS,)),
    ]
)

FACTS = ("none", "attribute", "clicks", "active_days", "orders", "spend", "order_value", "coupons", "points")
"""What a dimension of one's own may be about; clicks and active days by days (to 30), the others by weeks (to 26)."""
NO_FACT, ATTRIBUTE, CLICKS_FACT, ACTIVE_DAYS, ORDERS_FACT, SPEND, AVERAGE_VALUE, COUPONS, POINTS_FACT = range(
    len(FACTS)
)


class Attribute(NamedTuple):
    """How an attribute of the profile gives a dimension its value: by words, or as a number by its bands."""

    dimension: int
    name: str
    words: dict[str, int]


class Rulebook(NamedTuple):
    """One version of the rules.

    Attributes:
        version: its name, as transitions carry it.
        number: its number, 1 … 65,535, as rows carry it.
        table: RULE[kinds].
        kinds: names of the kinds of user; the first is everybody who is of no other.
        dimensions: names, by place.
        values: names of each dimension's values, by place.
        topics: the settings' name of each dimension's topic.
        figures: names of each dimension's figures.
        attributes: the dimensions that rest on an attribute of the profile.
    """

    version: str
    number: int
    table: np.ndarray
    kinds: tuple[str, ...]
    dimensions: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    topics: tuple[str, ...]
    figures: tuple[tuple[str, ...], ...]
    attributes: tuple[Attribute, ...] = ()


def activity_only(new_ms: int = NEVER, dormant_ms: int = NEVER, churned_ms: int = NEVER) -> Rulebook:
    """Return a rulebook that keeps the activity class alone."""
    table = np.zeros(1, RULE)
    table["on"][0, ACTIVITY] = 1
    table["new_ms"], table["dormant_ms"], table["churned_ms"] = new_ms, dormant_ms, churned_ms
    days = ("none" if ms >= NEVER else f"{ms / DAY:g}" for ms in (new_ms, dormant_ms, churned_ms))
    return Rulebook(
        "activity-" + "-".join(days),
        1,
        table,
        ("user",),
        tuple(d.name for d in DIMENSIONS),
        tuple(d.values for d in DIMENSIONS),
        tuple(d.topic for d in DIMENSIONS),
        tuple(d.figures for d in DIMENSIONS),
    )


def carried(before: Rulebook, after: Rulebook) -> np.ndarray:
    """Return u1[MAX_DIMENSIONS, MAX_VALUES]: where a value's word of before stands now, by its place; 0 if it is gone.

    Rows keep values by place, so under rules with other words they must be carried over before they are judged. A place
    that had no word stays as it is.
    """
    places = np.tile(np.arange(MAX_VALUES, dtype=np.uint8), (MAX_DIMENSIONS, 1))
    for dimension, (name, words) in enumerate(zip(before.dimensions, before.values, strict=True)):
        if dimension < len(after.dimensions) and after.dimensions[dimension] == name:
            now = after.values[dimension]
            places[dimension, : len(words)] = [now.index(word) if word in now else 0 for word in words]
        else:
            places[dimension] = 0
    return places


@compiled
def carry(rows, numbers, places, moved, population):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Put the values of rows (ROW[n]) that stand under older rules where their words stand now.

    `numbers` (i8[k]) are those of the older rules, `places` (u1[k, dimensions, values]) what `carried` says of each,
    `moved` (i8[m]) the dimensions in which any says anything, `population` i8[dimensions, values].
    """
    for i in range(rows.size):
        row = rows[i]
        for k in range(numbers.size):
            if row["version"] != numbers[k]:
                continue
            for dimension in moved:
                before = row["values"][dimension]
                now = places[k, dimension, before]
                if now != before:
                    row["values"][dimension] = now
                    population[dimension, before] -= 1
                    population[dimension, now] += 1
            break
