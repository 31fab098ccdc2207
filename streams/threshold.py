"""Everything by which a user is judged, as a marketer sets it: one section a subject, each threshold declared once.

`Thresholds` holds all of it for one kind of user. What does not go together is refused in `refusal`; how it becomes the
compiled fold's rules stands in `rulebook`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from streams.core.dimension import DIMENSIONS
from streams.core.row import DAYS, PERIODS, WEEKS

Bounds = dict[str, float]
NAMES = tuple(d.name for d in DIMENSIONS)
ATTRIBUTES = "attributes."
CONTACTS, TIME_ZONE = "contacts.", "time_zone"
"""What a playbook may ask besides dimensions and attributes: is there an address, and where does he live?"""
"""Begins the name of what a profile says of a user."""


class Activity(Struct, frozen=True):
    """When a user counts as new, dormant or churned; in days without activity. 0 switches a threshold off."""

    new_days: Annotated[float, Meta(ge=0, le=3650, description="a new user is active after this many days")] = 7
    dormant_days: Annotated[float, Meta(gt=0, le=3650, description="dormant after this many days of absence")] = 14
    churned_days: Annotated[
        float, Meta(ge=0, le=3650, description="churned after this many days of absence; above dormant_days")
    ] = 30
    personal: Annotated[
        bool, Meta(description="dormant by each user's own rhythm, learnt from his gaps, instead of dormant_days")
    ] = False
    personal_margin: Annotated[
        float, Meta(gt=0, le=100, description="… that is, after his usual gap between active days times this")
    ] = 3
    personal_prior: Annotated[
        float, Meta(gt=0, le=1000, description="everybody's gap counts as much as this many gaps of his own")
    ] = 4
    personal_gap_days: Annotated[
        float, Meta(gt=0, le=365, description="everybody's usual gap (the geometric mean), in days")
    ] = 4
    personal_floor_days: Annotated[
        float, Meta(gt=0, le=3650, description="nobody is dormant by his rhythm before this many days …")
    ] = 7
    personal_ceiling_days: Annotated[
        float, Meta(gt=0, le=3650, description="… and everybody is after so many; at least personal_floor_days")
    ] = 60
    dwell_days: Annotated[
        int, Meta(ge=0, le=365, description="a value of any dimension stays this long before time alone takes it away")
    ] = 0


class Stage(Struct, frozen=True):
    """The lifecycle stage: what makes a newcomer grow, and what makes him mature. 0 switches a way off."""

    growth_orders: Annotated[int, Meta(ge=0, le=1000, description="growth begins with this many orders …")] = 1
    growth_days: Annotated[int, Meta(ge=0, le=DAYS, description="… or with this many active days …")] = 4
    growth_window_days: Annotated[int, Meta(ge=1, le=DAYS, description="… among this many")] = 14
    maturity_orders: Annotated[
        int, Meta(ge=0, le=1000, description="maturity: this many orders in the look-back, and a rhythm of his own …")
    ] = 2
    maturity_days: Annotated[int, Meta(ge=0, le=DAYS, description="… or this many active days …")] = 8
    maturity_window_days: Annotated[int, Meta(ge=1, le=DAYS, description="… among this many")] = 28


class Rung(Struct, frozen=True):
    """The ladder of engagement: what is a habit. 0 switches a way off."""

    habit_days: Annotated[int, Meta(ge=0, le=DAYS, description="a habit: active on this many days …")] = 3
    habit_window_days: Annotated[int, Meta(ge=1, le=DAYS, description="… of the newest so many …")] = 7
    habit_weeks: Annotated[int, Meta(ge=0, le=WEEKS, description="… or in this many weeks in a row")] = 3


class Value(Struct, frozen=True):
    """What a user is worth: customer class, the eight RFM tiers, dependency on coupons."""

    look_back_weeks: Annotated[
        int, Meta(ge=1, le=WEEKS, description="orders of this many weeks count, the present one included")
    ] = 26
    recent_days: Annotated[
        float, Meta(ge=0, le=3650, description="R is high up to this many days since the newest order")
    ] = 30
    frequency_orders: Annotated[float, Meta(gt=0, le=10_000, description="F is high from this many orders on")] = 3
    monetary: Annotated[
        Literal["total", "average"], Meta(description="M is what he spent in all, or his average order's value")
    ] = "total"
    monetary_amount: Annotated[
        float, Meta(gt=0, le=1_000_000_000, description="M is high from this amount on, in units of the currency")
    ] = 300
    thresholds: Annotated[
        Literal["fixed", "mean", "median"],
        Meta(description="R, F and M are high by the figures above, or against all buyers of his kind"),
    ] = "fixed"
    refreeze_hours: Annotated[
        float, Meta(ge=1, le=8760, description="how often mean or median are taken anew; between, they stand still")
    ] = 168
    old_days: Annotated[
        int, Meta(ge=0, le=3650, description="one order older than this many days makes an old customer, as two do")
    ] = 30
    coupon_on: Annotated[
        float, Meta(gt=0, lt=1, description="dependent on coupons above this share of orders with one …")
    ] = 0.6
    coupon_off: Annotated[
        float, Meta(ge=0, lt=1, description="… until below this share; under coupon_on, so that nobody flaps")
    ] = 0.4
    coupon_share: Annotated[
        float, Meta(ge=0, le=1, description="everybody's share of orders with a coupon, which one of few orders has")
    ] = 0.2
    coupon_prior: Annotated[
        float, Meta(gt=0, le=1000, description="everybody's share counts as much as this many orders of his own")
    ] = 4
    coupon_half_life_days: Annotated[
        float, Meta(ge=7, le=3650, description="an order of so long ago counts for half of one of today")
    ] = 90


class Social(Struct, frozen=True):
    """Influence, content, mood and the fatigue that pushes leave."""

    refer_weight: Annotated[float, Meta(ge=0, le=1000, description="a referral counts as this many shares")] = 5
    influence_half_life_days: Annotated[
        int, Meta(ge=1, le=3650, description="an act of influence of so long ago counts for half")
    ] = 90
    leader_score: Annotated[
        float, Meta(gt=0, le=1_000_000, description="an opinion leader from this score on: referrals, shares, content")
    ] = 20
    quiet_days: Annotated[
        int, Meta(ge=0, le=3650, description="a contributor is quiet after this many days without content; 0: never")
    ] = 14
    attention_share: Annotated[
        float,
        Meta(gt=0, le=1, description="one who matters weakens after this share of the absence that makes dormant"),
    ] = 0.5
    tired_score: Annotated[float, Meta(gt=0, le=1000, description="tired of pushes from this score on …")] = 3
    exhausted_score: Annotated[
        float, Meta(gt=0, le=1000, description="… and exhausted from this one on; above tired_score")
    ] = 6


class Growth(Struct, frozen=True):
    """The growth system: what earns points and rights."""

    points: Annotated[
        dict[str, int],
        Meta(
            examples=["{ checkin = 5, refer = 100 }"],
            description="points by kind of act; what is not named earns none",
        ),
    ] = msgspec.field(
        default_factory=lambda: {"register": 50, "share": 5, "refer": 100, "publish": 20, "review": 20, "checkin": 5}
    )
    points_per_unit: Annotated[
        float, Meta(ge=0, le=10_000, description="points for each unit of the currency that is paid")
    ] = 1
    streak_bonus: Annotated[
        int, Meta(ge=0, le=1_000_000, description="points for each seventh check-in in a row, beside its own")
    ] = 30
    renewal_days: Annotated[
        int, Meta(ge=0, le=3650, description="a membership is due for renewal this many days before its end")
    ] = 14
    level_warn_days: Annotated[
        int, Meta(ge=0, le=PERIODS * 28, description="a level is at risk this many days before it is lost; 0: never")
    ] = 14
    early_access_days: Annotated[
        int, Meta(ge=0, le=28, description="early access from this many active days of 28 on; 0 for no such way …")
    ] = 12
    early_access_level: Annotated[
        str, Meta(max_length=40, description="… or from this level (of bands.level) on; empty for no such way")
    ] = ""


class Bands(Struct, frozen=True):
    """Bands: a name and its lower bound, which belongs to it, ascending. Below the first bound a user is in none."""

    order_value: Annotated[
        Bounds,
        Meta(
            examples=["{ under_100 = 0, 100_and_over = 100 }"],
            description="average order in the look-back, in units of the currency",
        ),
    ] = msgspec.field(default_factory=lambda: {"under_50": 0, "50_to_100": 50, "100_to_200": 100, "200_and_over": 200})
    order_frequency: Annotated[
        Bounds, Meta(examples=["{ no_order = 0, one_order = 1, more = 2 }"], description="orders in the look-back")
    ] = msgspec.field(default_factory=lambda: {"no_order": 0, "one_order": 1, "two_to_five": 2, "six_or_more": 6})
    level: Annotated[
        Bounds,
        Meta(examples=["{ bronze = 0, silver = 1000 }"], description="points earned in the newest 28 weeks"),
    ] = msgspec.field(default_factory=lambda: {"bronze": 0, "silver": 500, "gold": 2000, "diamond": 10_000})
    points: Annotated[
        Bounds, Meta(examples=["{ empty = 0, some = 1, plenty = 500 }"], description="points in the account")
    ] = msgspec.field(default_factory=lambda: {"empty": 0, "small": 1, "worth_using": 200, "large": 2000})
    streak: Annotated[
        Bounds, Meta(examples=["{ begun = 1, a_week = 7 }"], description="days in a row with a check-in")
    ] = msgspec.field(default_factory=lambda: {"begun": 1, "three_days": 3, "a_week": 7, "a_month": 30})


class Own(Struct, frozen=True):
    """A dimension of one's own: bands over a fact in a window, or over an attribute of the profile."""

    of: Annotated[
        str, Meta(max_length=200, examples=["spend"], description="the fact or attribute on which it rests")
    ] = ""
    days: Annotated[int, Meta(ge=0, le=DAYS, description="its window, of clicks and active_days")] = 0
    weeks: Annotated[int, Meta(ge=0, le=WEEKS, description="its window, of what rests on orders")] = 0
    bands: Annotated[
        Bounds, Meta(examples=["{ small = 0, large = 500 }"], description="a name and its lower bound, ascending")
    ] = msgspec.field(default_factory=dict)
    values: Annotated[
        dict[str, tuple[str, ...]],
        Meta(examples=['{ north = ["Beijing", "Harbin"] }'], description="of an attribute: a name and its words"),
    ] = msgspec.field(default_factory=dict)


OWN_EXAMPLE = """\
[own.spender]
of = "spend"
weeks = 4
bands = { small = 1, middling = 100, big = 500 }

[own.region]
of = "attributes.region"
values = { north = ["Beijing", "Harbin"], south = ["Guangzhou", "Shenzhen"] }"""


class Thresholds(Struct, frozen=True):
    """What holds for one kind of user."""

    dimensions: tuple[str, ...] = NAMES
    activity: Activity = msgspec.field(default_factory=Activity)
    stage: Stage = msgspec.field(default_factory=Stage)
    rung: Rung = msgspec.field(default_factory=Rung)
    value: Value = msgspec.field(default_factory=Value)
    social: Social = msgspec.field(default_factory=Social)
    growth: Growth = msgspec.field(default_factory=Growth)
    bands: Bands = msgspec.field(default_factory=Bands)
    own: dict[str, Own] = msgspec.field(default_factory=dict)
