"""The dimensions: everything that a user can be, each declared once, its values in order.

A dimension's value follows from the user's facts and the time. `none` is the value of who has no place in it yet.
`figures` names the evidence that a transition carries; a figure that is negative or no number is left out. `moves`
is the dimension's transition table where its moves are bound to triggers; a dimension without one may move from any
value to any other. Code, documentation, diagrams and schemas take all of this from here.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from streams.core import activity

Topic = Literal["lifecycle_transitions", "value_transitions", "growth_transitions"]
LIFECYCLE: Topic = "lifecycle_transitions"
VALUE: Topic = "value_transitions"
GROWTH: Topic = "growth_transitions"


class Dimension(NamedTuple):
    """What a user can be. `bands`: its values are the settings' own, by their lower bounds."""

    name: str
    title: str
    topic: Topic
    values: tuple[str, ...]
    figures: tuple[str, ...]
    bands: bool = False
    moves: tuple[tuple[str, str, str], ...] = ()


DIMENSIONS = (
    Dimension(
        "activity", "Is he here?", LIFECYCLE, activity.CLASSES,
        ("last_at", "absent_days", "threshold_days"), moves=activity.TABLE,
    ),
    Dimension(
        "customer", "Has he bought, and how long ago did that begin?", LIFECYCLE,
        ("none", "prospect", "new_customer", "old_customer"), ("orders", "last_order_at"),
    ),
    Dimension(
        "stage", "Where in his life with us is he?", LIFECYCLE,
        ("none", "introduction", "growth", "maturity", "dormancy", "churn"), ("active_days", "orders", "threshold"),
    ),
    Dimension(
        "rung", "How far up the ladder of engagement?", LIFECYCLE,
        ("none", "contact", "use", "habit", "pay", "advocate"), ("active_days", "orders", "brought", "habit"),
    ),
    Dimension(
        "contribution", "Does he give content?", LIFECYCLE,
        ("none", "contributor", "quiet"), ("content_day", "threshold_days"),
    ),
    Dimension(
        "attention", "Does one who matters weaken?", LIFECYCLE,
        ("none", "steady", "weakening"), ("last_at", "threshold_days"),
    ),
    Dimension(
        "mood", "Is a complaint of his open?", LIFECYCLE,
        ("none", "content", "complaining"), ("complaints",),
    ),
    Dimension(
        "fatigue", "Is he tired of our pushes?", LIFECYCLE,
        ("none", "fresh", "tired", "exhausted"), ("pushes", "opens", "complaints", "score"),
    ),
    Dimension(
        "rfm", "Which of the eight tiers of value?", VALUE,
        (
            "none", "let_go", "maintain", "nurture", "grow_basket", "rescue", "keep", "grow_frequency", "champion",
        ), ("recency_days", "frequency", "monetary"),
    ),
    Dimension(
        "influence", "Do others follow him?", VALUE,
        ("none", "ordinary", "leader"), ("score", "threshold"),
    ),
    Dimension("order_value", "How large are his orders?", VALUE, (), ("average", "orders"), bands=True),
    Dimension("order_frequency", "How often does he buy?", VALUE, (), ("orders",), bands=True),
    Dimension(
        "coupon", "Does he buy with coupons only?", VALUE,
        ("none", "independent", "dependent"), ("share", "orders"),
    ),
    Dimension("level", "Which level has he earned?", GROWTH, (), ("points",), bands=True),
    Dimension("points", "How full is his account of points?", GROWTH, (), ("balance",), bands=True),
    Dimension("streak", "How many days in a row has he checked in?", GROWTH, (), ("days",), bands=True),
    Dimension(
        "membership", "Is he a member, and for how long?", GROWTH,
        ("none", "member", "renewal_due", "lapsed"), ("until_day",),
    ),
    Dimension(
        "early_access", "Has he earned early access?", GROWTH,
        ("none", "granted"), ("active_days", "level"),
    ),
    Dimension(
        "level_outlook", "Is he about to lose his level?", GROWTH,
        ("none", "safe", "at_risk"), ("missing_points", "lost_day"),
    ),
)  # fmt: skip

(
    ACTIVITY, CUSTOMER, STAGE, RUNG, CONTRIBUTION, ATTENTION, MOOD, FATIGUE, RFM, INFLUENCE, ORDER_VALUE,
    ORDER_FREQUENCY, COUPON, LEVEL, POINTS, STREAK, MEMBERSHIP, EARLY_ACCESS, LEVEL_OUTLOOK,
) = range(len(DIMENSIONS))  # fmt: skip
FIRST_OWN = len(DIMENSIONS)
"""From here on stand the dimensions that the settings add."""
