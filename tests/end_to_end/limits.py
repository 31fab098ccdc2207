"""The limits of a scene: caps, budgets and offers as its settings have them, and what was beyond them in the end.

It goes by the topics: what was sent, when at the earliest Redis was asked about it and when at the latest. Whenever
Redis is emptied it begins anew with every limit. So only that is counted together which one Redis has surely counted
together: an *era* lies between two emptyings, and what one of them may have torn apart belongs to none.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from redis.asyncio import Redis

from streams.channels import inbox, webhook
from streams.channels.known import Channels
from streams.offer import Prize
from streams.push.account import Account, grains
from streams.push.purse import Purse
from streams.settings import Budget, Offer, Playbook, Push
from streams.wire.message import Decision, read_decision, read_outcome
from tests.oracle import DAY

HALF_YEAR_HOURS = 24 * 180
"""A push may be late by all the days that pass in the history during an outage, and is to go out all the same."""
PUSH = Push(
    secret="the secret of a scene that is over soon", cap_sends=2, cap_days=45, caps={"120": 4},
    expires_hours=HALF_YEAR_HOURS,
)  # fmt: skip
INBOX = inbox.Options(cap_sends=2, cap_days=60)
WEBHOOK = {"cost": 0.125, "cap_sends": 1, "cap_days": 20}
BUDGETS = {"chaos": Budget(amount=900, each="month")}
"""Enough for some two thirds of what a month asks for."""
OFFERS = {
    "coupon": Offer(kind="spend_and_save", value=20, min_spend=100, per_user=3, per_user_days=200, per_day=2),
    "draw": Offer(
        kind="lucky_draw", prizes={"phone": Prize(0.2, 60, 6), "mug": Prize(0.8, 5)}, everybody_wins=True,
        per_user=1, total=60,
    ),
}  # fmt: skip
PLAYBOOKS = {
    "reactivation": Playbook(kind="offer", offer="coupon", budget="chaos"),
    "win_back": Playbook(
        on="activity.churned", kind="offer", offer="draw", budget="chaos", body="You have won: {offer.prize}"
    ),
}
REFUSED = ("offer_used", "capped", "channel_capped", "budget")
"""The reasons by which a limit refuses who could be pushed."""
EVER = "ever"


def settings(receiver):
    """Return what is set in a scene that has limits."""
    channels = Channels(inbox=INBOX, webhook=webhook.Options(receiver.url, **WEBHOOK))
    return {"push": PUSH, "channels": channels, "budgets": BUDGETS, "offers": OFFERS, "playbooks": PLAYBOOKS}


def refused_by(decision):
    """Return the name of the limit that has refused a decision: the reason, or the purse that had no room."""
    purse = decision.trace[-1].detail.removeprefix("no room in ")
    return purse if decision.reason == "budget" else decision.reason


class Sent(NamedTuple):
    """A push that went out: on these channels, on which it has arrived or may have.

    Its gate was asked between `asked` and `decided`, its purse told between `decided` and `ended` (int ms UTC).
    """

    decision: Decision
    channels: tuple[str, ...]
    asked: int
    decided: int
    ended: int


class Cap(NamedTuple):
    """At most `most` pushes of which `counts` holds to one user in any window."""

    window_ms: int
    most: int
    counts: Callable[[Sent], bool]


class Spending(NamedTuple):
    """What an account has surely spent by itself in one era, and what it may have spent beyond it."""

    sure: int
    perhaps: int


def followed(scene, decisions):
    """Return each decision to send as it was asked about, recorded and ended, by the records' own times."""
    names = scene.settings.topics
    asked = {json.loads(r.value)["id"]: r.timestamp for r in scene.records(names.lifecycle_transitions)}
    decided = {read_decision(r.value).data.id: r.timestamp for r in scene.records(names.push_decisions)}
    ended, gone = defaultdict(int), defaultdict(list)
    for record in scene.records(names.push_outcomes):
        outcome = read_outcome(record.value).data
        ended[outcome.decision] = record.timestamp
        if outcome.outcome in ("delivered", "uncertain"):
            gone[outcome.decision].append(outcome.channel)
    return [
        Sent(d, tuple(dict.fromkeys(gone[d.id])), asked[d.transition], decided[d.id], ended[d.id])
        for d in decisions.values()
        if d.action == "send"
    ]


def era(since, until, emptied):
    """Return the number of the era in which all of a span lies, None where it is torn; `emptied` are (from, to)."""
    if any(began <= until and since <= ended for began, ended in emptied):
        return None
    return sum(ended < since for _, ended in emptied)


def beyond_caps(sent, emptied):
    """Count the pushes that were one too many in some window, cap by cap."""
    return sum(_beyond(cap, sent, emptied) for cap in _caps())


def _caps():
    days = [(PUSH.cap_days, PUSH.cap_sends), *((float(days), most) for days, most in PUSH.caps.items())]
    yield from (Cap(round(window * DAY), most, lambda _: True) for window, most in days)
    for name, options in (("inbox", INBOX), ("webhook", webhook.Options(**WEBHOOK))):
        yield Cap(round(options.cap_days * DAY), options.cap_sends, lambda one, name=name: name in one.channels)
    for name, offer in OFFERS.items():
        window = round((offer.per_user_days or 3650) * DAY)
        yield Cap(window, offer.per_user, lambda one, name=name: one.decision.offer.offer == name)


def _beyond(cap, sent, emptied):
    times = defaultdict(list)
    for one in filter(cap.counts, sent):
        if (number := era(one.asked, one.decided, emptied)) is not None:
            times[one.decision.user, number].append(one.decision.at)
    return sum(
        later - earlier < cap.window_ms
        for of in map(sorted, times.values())
        for earlier, later in zip(of, of[cap.most :])  # noqa: B905 (each with the one that many places on)
    )


def charges(one):
    """Yield the accounts that a push charges, each with how much: money in grains, offers in pieces."""
    decision, day = one.decision, datetime.fromtimestamp(one.decision.at / 1000, UTC)
    costs = {"inbox": INBOX.cost, "webhook": WEBHOOK["cost"]}
    money = sum(costs[name] for name in one.channels) + decision.offer.value
    yield Account("budgets.chaos", f"{day:%Y-%m}", grains(BUDGETS["chaos"].amount, 2)), grains(money, 2)
    name, offer = decision.offer.offer, OFFERS[decision.offer.offer]
    pieces = [(EVER, offer.total, ""), (f"{day:%Y-%m-%d}", offer.per_day, "")]
    if decision.offer.prize:
        pieces.append((EVER, offer.prizes[decision.offer.prize].stock, decision.offer.prize))
    yield from ((Account(f"offers.{name}", period, most, of), 1) for period, most, of in pieces if most)


def spending(sent, emptied):
    """Return of each account and era its Spending."""
    found = defaultdict(lambda: Spending(0, 0))
    for one in sent:
        number = era(one.decided, one.ended, emptied)
        later = [k for k, (began, ended) in enumerate(emptied, 1) if began <= one.ended and one.decided <= ended]
        for account, amount in charges(one):
            if number is not None:
                sure, perhaps = found[account, number]
                found[account, number] = Spending(sure + amount, perhaps)
            for torn in {k + shift for k in later for shift in (-1, 0)}:
                sure, perhaps = found[account, torn]
                found[account, torn] = Spending(sure, perhaps + amount)
    return dict(found)


def overspent(spent):
    """Return the accounts and eras in which more was spent than there was."""
    return [(account, number) for (account, number), one in spent.items() if one.sure > account.limit]


def misbooked(spent, balances, emptied):
    """Return the accounts that say in the end that they have spent less than was spent, more than that, or too much.

    What is counted for ever may say too much: an answer that is older than the purse's memory is booked once more.
    """
    wrong = []
    for account, balance in balances.items():
        sure, perhaps = spent.get((account, len(emptied)), Spending(0, 0))
        most = account.limit if account.period == EVER else min(sure + perhaps, account.limit)
        if not sure <= balance.spent <= most or balance.held < 0:
            wrong.append((account, balance, sure, perhaps))
    return wrong


def read_balances(scene, spent):
    """Return how every account stands in Redis."""
    accounts = list(dict.fromkeys(account for account, _ in spent))

    async def read():
        async with Redis.from_url(scene.settings.redis) as redis:
            return await Purse.open(scene.settings, redis).balances(accounts)

    return dict(zip(accounts, asyncio.run(read()), strict=True))


def codes_twice(decisions):
    """Count the codes that more than one decision has brought."""
    codes = Counter({d.id: d.offer.code for d in decisions if d.offer is not None}.values())
    return sum(count - 1 for count in codes.values())
