"""What a user is to others, and we to him: influence (A5), content (A19), mood, and the fatigue of pushes (A20).

Influence decays forward: an act weighs 2^(days / half-life) as counted from the start of its half-life (a span of the
calendar), in whole numbers, and all that is counted is halved when a later half-life begins. Whole halvings are exact
for acts up to five half-lives late, so the sum does not depend on the order in which acts come; its value on any day
is the sum times 2^(-days / half-life).

Open complaints are counted as they come, and never below 0: a `resolved` must not overtake its complaint.
"""

from __future__ import annotations

import math

import numpy as np

from streams.core.compiled import compiled
from streams.core.dimension import CONTRIBUTION, FATIGUE, INFLUENCE, MOOD
from streams.core.move import NO_FIGURE, ripe, settle
from streams.core.row import CLICK_KINDS, FEEDBACK_KINDS, NEVER_DAY, PUSH_WEEKS, TIME_CAUSE
from streams.core.window import U1_MAX, U2_MAX, WEEK_SHIFT, week_of

MEANINGFUL = (
    "search", "cart", "favorite", "share", "refer", "publish", "comment", "like", "review", "checkin", "redeem",
)  # fmt: skip
"""Acts by which a user makes use of the product."""
CONTENT = ("publish", "comment", "like", "review")
IS_MEANINGFUL = np.array([kind in MEANINGFUL for kind in CLICK_KINDS])
IS_CONTENT = np.array([kind in CONTENT for kind in CLICK_KINDS])
SHARE, REFER, FEEDBACK, COMPLAINT, RESOLVED = (
    CLICK_KINDS.index(kind) for kind in ("share", "refer", "feedback", "complaint", "resolved")
)
RINGS = np.array([{"delivered": 1, "opened": 2, "clicked": 2}.get(kind, 0) for kind in FEEDBACK_KINDS], np.int8)
RINGS[[FEEDBACK_KINDS.index("complained"), FEEDBACK_KINDS.index("unsubscribed")]] = 3
"""By kind of feedback: 1 for pushes, 2 for opens, 3 for complaints, 0 for none."""

U4_MAX = 0xFFFF_FFFF
FINE = 64
"""A weight is kept in 64ths …"""
HALVINGS = 5
"""… and may be halved so often without a rest."""
SCALE = float(FINE << HALVINGS)

NO_CONTENT, CONTRIBUTOR, QUIET = 0, 1, 2
NO_MOOD, CONTENTED, COMPLAINING = 0, 1, 2
NO_PUSH, FRESH, TIRED, EXHAUSTED = 0, 1, 2, 3
NO_INFLUENCE, ORDINARY, LEADER = 0, 1, 2
COMPLAINT_WEIGHT = 5.0


@compiled
def act(row, kind, day, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count an act of a kind (its place in CLICK_KINDS); say whether it changed what `judge` reads."""
    if IS_MEANINGFUL[kind] and row["used"] < U2_MAX:
        row["used"] += 1
    if kind == REFER:
        row["brought"] = min(np.int64(row["brought"]) + 1, U2_MAX)
        influence(row, day, rule["refer_weight"], rule)
        return True
    if kind == SHARE or IS_CONTENT[kind]:
        influence(row, day, 1.0, rule)
        if kind != SHARE:
            row["content_day"] = max(np.int64(row["content_day"]), day)
        return True
    return kind in (FEEDBACK, COMPLAINT, RESOLVED) and voice(row, kind)


@compiled
def voice(row, kind):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count what the user says of us: feedback, a complaint opened or resolved; say whether that changed anything."""
    if kind == RESOLVED:
        if row["complaints"] == 0:
            return False
        row["complaints"] -= 1
    elif kind == COMPLAINT:
        row["complaints"] = min(np.int64(row["complaints"]) + 1, U1_MAX)
    else:
        row["feedbacks"] = min(np.int64(row["feedbacks"]) + 1, U1_MAX)
    return True


@compiled
def half_life(rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the half-life of influence in whole days, at least one."""
    return max(np.int64(rule["influence_half_days"] + 0.5), 1)


@compiled
def faded(amount, days, half):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return what is left of an amount after some days: exactly by half for each whole half-life."""
    if days % half:  # only where new rules have another half-life than those under which the amount was counted
        return np.int64(math.floor(amount * 2.0 ** (-days / half) + 0.5))
    return amount >> min(days // half, 63)


@compiled
def influence(row, day, weight, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Add an act of some weight to the influence, which is counted as of the start of the newest act's half-life."""
    half, total, begun = half_life(rule), np.int64(row["influence"]), np.int64(row["influence_day"])
    start = day // half * half
    gain = np.int64(math.floor(weight * 2.0 ** ((day - start) / half) * FINE + 0.5)) << HALVINGS
    if start >= begun:
        total = faded(total, start - begun, half) + gain
        row["influence_day"] = start
    else:
        total += faded(gain, begun - start, half)
    row["influence"] = min(total, U4_MAX)


@compiled
def influence_score(row, day, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the influence as it stands on a day: referrals by their weight, shares and content, decayed."""
    days = day - np.int64(row["influence_day"])
    return row["influence"] / SCALE * 2.0 ** (-days / half_life(rule))


@compiled
def hear(row, kind, day):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Count what came back of a push (a place in FEEDBACK_KINDS) in its week, not after the row's own."""
    ring, week = RINGS[kind], week_of(day)
    if ring == 0 or week <= np.int64(row["week"]) - PUSH_WEEKS:
        return
    slot = week % PUSH_WEEKS
    if ring == 1:
        row["weekly_pushes"][slot] = min(np.int64(row["weekly_pushes"][slot]) + 1, U1_MAX)
    elif ring == 2:  # noqa: PLR2004
        row["weekly_opens"][slot] = min(np.int64(row["weekly_opens"][slot]) + 1, U1_MAX)
    else:
        row["weekly_complaints"][slot] = min(np.int64(row["weekly_complaints"][slot]) + 1, U1_MAX)


@compiled
def judge(row, day, at, cause, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge what rests on social facts as of `day`, and say when time may next change it; return the number of moves.

    A dimension is `none` until its first fact: a piece of content, feedback or a complaint, a delivered push, an act of
    influence.
    """
    day, due = max(day, np.int64(row["day"])), np.int64(NEVER_DAY)
    if rule["on"][CONTRIBUTION] and row["content_day"]:
        n, due = judge_contribution(row, day, at, cause, rule, moves, n)
    if rule["on"][MOOD]:
        n = judge_mood(row, cause, at, moves, n)
    if rule["on"][FATIGUE]:
        n, rested = judge_fatigue(row, day, at, cause, rule, moves, n)
        due = min(due, rested)
    if rule["on"][INFLUENCE] and row["influence_day"]:
        n, fades = judge_influence(row, day, at, cause, rule, moves, n)
        due = min(due, fades)
    row["due_social"] = due
    return n


@compiled
def judge_contribution(row, day, at, cause, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge whether he gives content: quiet after `quiet_days` whole days without; return the moves, and that day."""
    newest, threshold = np.int64(row["content_day"]), rule["quiet_days"]
    quiet_day = newest + threshold + 1 if threshold > 0 else np.int64(NEVER_DAY)
    to = CONTRIBUTOR if day < quiet_day else QUIET
    if cause == TIME_CAUSE and to != row["values"][CONTRIBUTION] and not ripe(row, CONTRIBUTION, day, rule):
        return n, np.int64(row["since_day"][CONTRIBUTION]) + rule["dwell_days"]
    n = settle(row, CONTRIBUTION, to, cause, at, float(newest), float(threshold), NO_FIGURE, NO_FIGURE, moves, n)
    if to == QUIET:
        return n, np.int64(NEVER_DAY)
    return n, max(quiet_day, np.int64(row["since_day"][CONTRIBUTION]) + rule["dwell_days"])


@compiled
def judge_mood(row, cause, at, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge the mood: complaining while a complaint is open."""
    to = CONTENTED if row["feedbacks"] or row["values"][MOOD] != NO_MOOD else NO_MOOD
    if row["complaints"]:
        to = COMPLAINING
    return settle(row, MOOD, to, cause, at, float(row["complaints"]), NO_FIGURE, NO_FIGURE, NO_FIGURE, moves, n)


@compiled
def judge_fatigue(row, day, at, cause, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge the fatigue that the pushes of four weeks leave; return the moves, and the day on which he has rested."""
    pushes = opens = complaints = np.int64(0)
    for w in range(PUSH_WEEKS):
        pushes += row["weekly_pushes"][w]
        opens += row["weekly_opens"][w]
        complaints += row["weekly_complaints"][w]
    if pushes == 0 and complaints == 0 and row["values"][FATIGUE] == NO_PUSH:
        return n, np.int64(NEVER_DAY)
    week = week_of(day)
    score = fatigue_score(row, week, week)
    to = weariness(score, rule)
    if cause == TIME_CAUSE and to != row["values"][FATIGUE] and not ripe(row, FATIGUE, day, rule):
        return n, np.int64(row["since_day"][FATIGUE]) + rule["dwell_days"]
    n = settle(row, FATIGUE, to, cause, at, float(pushes), float(opens), float(complaints), score, moves, n)
    if to == FRESH:
        return n, np.int64(NEVER_DAY)
    return n, max(rest_day(row, week, to, rule), np.int64(row["since_day"][FATIGUE]) + rule["dwell_days"])


@compiled
def fatigue_score(row, week, then):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the fatigue in the week `then` if nothing comes after `week`, which is the row's own.

    Each week counts the pushes that were not opened, and five for a complaint, halved for each week since.
    """
    score, weight = 0.0, 1.0
    for w in range(then, week - PUSH_WEEKS, -1):
        if w <= week and w > then - PUSH_WEEKS:
            slot = w % PUSH_WEEKS
            ignored = np.int64(row["weekly_pushes"][slot]) - np.int64(row["weekly_opens"][slot])
            score += weight * (max(ignored, 0) + COMPLAINT_WEIGHT * row["weekly_complaints"][slot])
        weight /= 2
    return score


@compiled
def weariness(score, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return how tired a score makes; the cuts belong to what they begin."""
    if score >= rule["exhausted_score"]:
        return EXHAUSTED
    return TIRED if score >= rule["tired_score"] else FRESH


@compiled
def rest_day(row, week, present, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the Monday from which he is less tired than at present, if no push comes after `week`."""
    for then in range(week + 1, week + PUSH_WEEKS + 1):
        if weariness(fatigue_score(row, week, then), rule) != present:
            return np.int64(then * 7 - WEEK_SHIFT)
    return np.int64(NEVER_DAY)


@compiled
def judge_influence(row, day, at, cause, rule, moves, n):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Judge whether others follow him; return the moves, and the day on which a leader's score has fallen."""
    score, threshold = influence_score(row, day, rule), rule["leader_score"]
    to = LEADER if score >= threshold else ORDINARY
    if cause == TIME_CAUSE and to != row["values"][INFLUENCE] and not ripe(row, INFLUENCE, day, rule):
        return n, np.int64(row["since_day"][INFLUENCE]) + rule["dwell_days"]
    n = settle(row, INFLUENCE, to, cause, at, score, threshold, NO_FIGURE, NO_FIGURE, moves, n)
    if to == ORDINARY or threshold <= 0:
        return n, np.int64(NEVER_DAY)
    fades = fading_day(row, day, score, rule)
    return n, max(fades, np.int64(row["since_day"][INFLUENCE]) + rule["dwell_days"])


@compiled
def fading_day(row, day, score, rule):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return the first day after `day` on which a score, now at least `leader_score`, will be below it."""
    threshold = rule["leader_score"]
    then = day + max(np.int64(math.log2(score / threshold) * half_life(rule)), 1)
    while then > day + 1 and influence_score(row, then - 1, rule) < threshold:
        then -= 1
    while influence_score(row, then, rule) >= threshold:
        then += 1
    return min(then, NEVER_DAY)
