"""A user is a row: one fixed layout of numpy fields, written to the changelog as it stands in memory.

What is counted lies in rings inside the row: the slot of day d is d % 30, of week w is w % 26; `day` and `week` are the
newest ones seen. Sets of days, weeks and months are bits: bit k of `active_days` is the day `day` - k. Such facts do
not depend on the order in which events come; a dimension's value follows from them and from the time.

Days are UTC days since 1970-01-01; weeks begin on Monday; months are counted from January 1970. Times are int ms UTC
(`_at`), or days where the name says so; money is int minor units of the currency. `due` stands outside, in a column of
its own, so that a sweep reads 8 bytes a user. So do a user's orders, as a list in the shard's ORDER pool, and what he
bought by week, in its PURCHASES: most users of most services never buy.
"""

from __future__ import annotations

import numpy as np

LAYOUT = 4
DAY = 86_400_000
DAYS = 30
WEEKS = 26
NEVER = 1 << 62
NEVER_DAY = 65_535
"""Days stand in two bytes: the last that can be told is in 2149."""

CLICKS, ORDERS, PROFILES, FEEDBACK = 0, 1, 2, 3
SOURCES = ("clicks", "orders", "profiles", "push_feedback")
TIME, RULES = 4, 5
"""Sources of events that stand in no topic: time that has passed, rules that are new."""

CLICK_KINDS = (
    "visit", "register", "view", "search", "cart", "favorite", "share", "refer", "publish", "comment",
    "like", "review", "checkin", "feedback", "complaint", "resolved", "redeem",
)  # fmt: skip
ORDER_KINDS = ("paid", "refunded", "cancelled")
FEEDBACK_KINDS = ("delivered", "opened", "clicked", "bounced", "complained", "unsubscribed", "subscribed")
IS_SAID = np.array([kind in ("bounced", "complained", "unsubscribed", "subscribed") for kind in FEEDBACK_KINDS])
"""By kind of feedback: whether it bears upon where and about what he may be written to."""
CHANNELS = ("sms", "email", "app_push", "wechat", "weibo", "inbox", "webhook")

MAX_DIMENSIONS = 25
INTERESTS = 8
PUSH_WEEKS = 4
PERIODS = 7
"""Of four weeks: points are kept for the newest 28 weeks."""

ROW = np.dtype(
    [
        ("first_at", "<i8"),  # least time of an act
        ("last_at", "<i8"),  # greatest time of an act
        ("since", "<i8"),  # entry into the present activity class
        ("lapsed_at", "<i8"),  # entry into the newest dormancy
        ("before_since", "<i8"),  # … and the entry into the class before it
        ("last_order_at", "<i8"),  # greatest time of a paid order that stands; 0 for none
        ("applied", "<i8", (len(SOURCES),)),  # per source: offset after the newest applied record
        ("gap_ms", "<f4"),  # EWMA (0.1) of the gap between acts, ms; 0 until there are two
        ("spend", "<i8"),  # paid, all time, net of refunds
        ("seq", "<u4"),  # transitions so far, over all dimensions
        ("orders", "<u4"),  # paid and standing, all time
        ("first_order", "<i4"),  # memory only: the user's newest order in the pool, plus 1; 0 for none
        ("purchases", "<i4"),  # memory only: the user's place in PURCHASES; 0 for none
        # Sets of active days and what was settled of them
        ("day", "<i4"),  # newest day seen
        ("week", "<u2"),  # newest week seen
        ("month", "<u2"),  # newest month seen
        ("active_days", "<u4"),
        ("active_weeks", "<u4"),
        ("active_months", "<u4"),
        ("checkin_days", "<u4"),
        ("settled_day", "<u2"),  # newest active day that is settled: no act can come before it any more
        ("gap_log", "<f4"),  # sum of the natural logs of the gaps between settled active days, in days
        ("gaps", "<u2"),  # their number
        ("streak", "<u2"),  # check-ins in a row up to the eighth day before the newest one
        # Days on which time alone may next change a group of dimensions; NEVER_DAY for none
        ("due_engagement", "<u2"),
        ("due_value", "<u2"),
        ("due_growth", "<u2"),
        ("due_social", "<u2"),
        ("due_own", "<u2"),
        # The growth system
        ("points", "<i4"),  # balance
        ("member_from", "<u2"),  # first day of the membership; 0 for none
        ("member_until", "<u2"),  # first day after it
        # Social facts
        ("influence", "<u4"),  # referrals by 5 + shares + content, in 2,048ths, as of `influence_day`
        ("influence_day", "<u2"),  # on which the half-life of its newest act began; 0 for none
        ("content_day", "<u2"),  # newest day of publishing, commenting or liking; 0 for none
        ("brought", "<u2"),  # others who came by his referral or share
        ("used", "<u2"),  # meaningful acts so far: search, cart, favourite, share, check-in, publish …
        ("complaints", "u1"),  # open
        ("feedbacks", "u1"),  # given, up to 255
        # Acquisition, contact
        ("source_at", "<i8"),  # time of the first touch that named a source; 0 for none
        ("source", "<u2"),  # its code
        ("version", "<u2"),  # the number of the rules under which the values stand
        ("contacts", "u1"),  # bit per CHANNELS: there is an address
        ("consents", "u1"),  # bit per CHANNELS: he allows it
        ("kind", "u1"),  # kind of user, a place in the rules
        ("flags", "u1"),  # SEED …
        ("before", "u1"),  # the class before the newest dormancy
        ("lost_rung", "u1"),  # the rung at which he was last lost
        ("best_rung", "u1"),  # the highest rung ever
        # Values, by dimension; the days on which they were entered
        ("values", "u1", (MAX_DIMENSIONS,)),
        ("since_day", "<u2", (MAX_DIMENSIONS,)),
        # Rings
        ("period_points", "<u2", (PERIODS,)),
        ("daily_clicks", "u1", (DAYS,)),
        ("weekly_pushes", "u1", (PUSH_WEEKS,)),
        ("weekly_opens", "u1", (PUSH_WEEKS,)),
        ("weekly_complaints", "u1", (PUSH_WEEKS,)),
        ("hours", "u1", (24,)),  # acts by hour of the day (UTC), halved every 13 weeks
        ("interests", "<u2", (INTERESTS,)),  # codes of categories; 0 for none
        ("interest_weights", "<u2", (INTERESTS,)),  # acts in them, halved every 4 weeks
    ],
    align=False,
)

SEED = 1
"""A bit of `flags`: his profile says that he is one of the seed users."""

ORDER = np.dtype(
    [
        ("hash", "<u8"),  # of the order's id
        ("at", "<i8"),
        ("amount", "<i4"),  # minor units, net of partial refunds
        ("points", "<i4"),  # earned by it
        ("next", "<i4"),  # memory only: the user's order before it in the pool, plus 1; 0 for none
        ("category", "<u2"),
        ("coupon", "u1"),
        ("undone", "u1"),  # refunded or cancelled
    ]
)

PURCHASES = np.dtype(
    [
        # Rings, in the slots of weeks as the row's
        ("spend", "<i4", (WEEKS,)),  # minor units, net of refunds
        ("orders", "u1", (WEEKS,)),
        ("coupons", "u1", (WEEKS,)),  # orders with a coupon
    ]
)

EVENT = np.dtype(
    [
        ("at", "<i8"),
        ("offset", "<i8"),
        ("hash", "<u8"),  # of the order's id, or of the decision's
        ("row", "<i4"),
        ("amount", "<i4"),  # minor units of an order; points of a redemption
        ("category", "<u2"),  # code; 0 for none
        ("origin", "<u2"),  # code of the acquisition source; 0 for none
        ("source", "u1"),  # place in SOURCES
        ("kind", "u1"),  # place in CLICK_KINDS, ORDER_KINDS or FEEDBACK_KINDS
        ("act", "u1"),  # 1 where the event is something that the user did
        ("coupon", "u1"),  # 1 where an order was paid with a coupon
        ("side", "u1"),  # kind of user plus 1; 0 where the event does not say
    ]
)

MOVE = np.dtype(
    [
        ("at", "<i8"),
        ("figures", "<f8", (4,)),  # the evidence, named by the dimension's declaration
        ("row", "<i4"),
        ("seq", "<u4"),
        ("dimension", "u1"),
        ("from", "u1"),
        ("to", "u1"),
        ("cause", "u1"),
        ("kind", "u1"),
        ("rules", "<u2"),  # their number
    ]
)

EVENT_CAUSE, TIME_CAUSE, THRESHOLD_CAUSE, CORRECTION_CAUSE = 0, 1, 2, 3
CAUSES = ("event", "time", "threshold", "correction")
