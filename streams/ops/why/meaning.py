"""What the value of a dimension means, in a marketer's words. Bands are the settings' own: their names must do."""

from __future__ import annotations

from streams.core.dimension import DIMENSIONS

MEANINGS: dict[str, dict[str, str]] = {
    "activity": {
        "new": "has just come to us; not yet back on another day",
        "active": "is here, and comes again",
        "dormant": "has stayed away for longer than is usual",
        "churned": "has stayed away so long that we count him as lost",
        "returning": "is back after he had stayed away; not yet on a second day",
    },
    "customer": {
        "prospect": "has no order that stands",
        "new_customer": "has one order that stands",
        "old_customer": "has bought more than once, or long ago",
    },
    "stage": {
        "introduction": "is getting to know us",
        "growth": "begins to use us: activate him",
        "maturity": "has his rhythm with us: sell again, let him spread the word",
        "dormancy": "falls asleep: keep him",
        "churn": "has left: call him back, or let him go",
    },
    "rung": {
        "contact": "has seen us",
        "use": "has tried something: searched, filled a cart, shared, checked in …",
        "habit": "comes by habit",
        "pay": "pays",
        "advocate": "pays, comes by habit, and has brought others",
    },
    "contribution": {
        "contributor": "publishes, comments, likes or reviews",
        "quiet": "used to contribute content, and has not of late",
    },
    "attention": {
        "steady": "matters much, and is here",
        "weakening": "matters much, and stays away: act before it is late",
    },
    "mood": {
        "content": "has no open complaint",
        "complaining": "has an open complaint: no promotion now",
    },
    "fatigue": {
        "fresh": "bears our pushes well",
        "tired": "is getting tired of our pushes: send fewer",
        "exhausted": "has had too many pushes: stop",
    },
    "rfm": {
        "let_go": "long ago, seldom, little: lowest cost only (一般挽留)",
        "maintain": "often, but little, and not of late: a light touch (一般保持)",
        "nurture": "of late, but seldom and little: help him on (一般发展)",
        "grow_basket": "of late and often, but little: raise the order value (一般价值)",
        "rescue": "much, but seldom, and not of late: win him back (重要挽留)",
        "keep": "often and much, but gone quiet: get in touch (重要保持)",
        "grow_frequency": "of late and much, but seldom: raise the frequency (重要发展)",
        "champion": "of late, often and much: care for him, ask for referrals (重要价值)",
    },
    "influence": {
        "ordinary": "shares or publishes now and then",
        "leader": "is an opinion leader: others come by him",
    },
    "coupon": {
        "independent": "buys without coupons too",
        "dependent": "buys mostly with coupons",
    },
    "membership": {
        "member": "is a member",
        "renewal_due": "is a member, and the end is near: ask him to renew",
        "lapsed": "was a member",
    },
    "early_access": {
        "granted": "has earned early access",
    },
    "level_outlook": {
        "safe": "keeps his level for now",
        "at_risk": "is about to lose his level, unless he earns more points: tell him how many",
    },
}  # fmt: skip

TITLES = {dimension.name: dimension.title for dimension in DIMENSIONS}
TOPICS = {dimension.name: dimension.topic for dimension in DIMENSIONS}
BANDED = frozenset(dimension.name for dimension in DIMENSIONS if dimension.bands)


def title(dimension: str) -> str:
    """Return the question that a dimension answers; one that the settings added has its name alone."""
    return TITLES.get(dimension, f"{dimension} (your own)")


def meaning(dimension: str, value: str) -> str:
    """Return what a value means; nothing where its name must do."""
    return MEANINGS.get(dimension, {}).get(value, "")
