"""The page that a played year makes: what was decided and why, what it cost, who got how much, what a placebo shows."""

import asyncio
import re
import textwrap
from collections import Counter
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

import msgspec

from streams import lift
from streams.ops.lift import MEASURES, _trial
from streams.playbook import ALL
from streams.push.account import accounts_of, units
from streams.push.policy import arm_of_all
from streams.push.reason import brief
from tests.real.orders import ms

GIFTS = "gifts"
MONTHS = [f"2017-{month:02}" for month in range(1, 13)]
SPANS = {"none": (0, 0), "1 to 5": (1, 5), "6 to 20": (6, 20), "21 to 50": (21, 50), "more": (51, 1 << 30)}
DAY = 86_400_000
WIDTH = 50
DAY_HOURS = 24
LINE = 120
NUMBER = re.compile(r"[\d,.]+%?")
HEAD = """\
# What the playbooks would have done in 2017
A year of real orders, played hour by hour through the worker's own code by a clock that is told. `python -m
tests.real.year` writes this page, figures and all, and again the same.

- **Real** are the orders of Complete Journey, a grocer's in 2017, with their times, amounts and manufacturers' coupons,
  and what is known of the households.
- **Made up** are the contacts, by a rule that goes by the household's number alone. Who has an
  address: {has}. Who allows the channel: {allows}. Every send arrives.
- **Not there** are clicks, feedback and friends: an order is the only thing that anybody does. So nobody searches,
  shares, complains or opens a push, and the playbooks that wait for that have nothing to do; nor does anybody get tired
  of pushes.
- **Nobody got any of these pushes.** So what households did is what they would have done anyway.
- Everybody is new at his first order of the year, for nothing is known of the years before. January tells of that
  more than of the shop.

## The settings
All playbooks that are there from the start, and beside what stands here the defaults. What an offer costs is counted as
if each were used.

```toml
{settings}```
"""


class Decided(NamedTuple):
    """A decision without its trace and words; `now` is when it was decided, `value` what its offer costs."""

    user: str
    at: int
    now: int
    playbook: str
    step: int
    action: str
    reason: str
    value: float


class Sent(NamedTuple):
    """A push that went out, when, and how it was decided."""

    id: str
    at: int
    decided: Decided


def head(settings, has, allows):
    """What the page begins with, whatever comes of the play."""
    said = [", ".join(f"{name} {share:.0%}" for name, share in of.items()) for of in (has, allows)]
    return HEAD.format(settings=settings, has=said[0], allows=said[1])


def sent(year):
    """The pushes that went out, in order of time."""
    at = {o.decision: o.at for o in year.deliveries if o.outcome == "delivered"}
    return sorted((Sent(ident, moment, year.decisions[ident]) for ident, moment in at.items()), key=lambda s: s.at)


def page(year, beginning):
    """The whole page."""
    out = sent(year)
    parts = [beginning, reasons(year, out), playbooks(year, out), channels(year, out), hours(year, out)]
    parts += [budget(year), households(year, out), placebo(year)]
    return "\n".join(map(wrapped, "\n".join(parts).split("\n")))


def wrapped(line):
    """A line of prose in as many lines as it needs."""
    return line if line.startswith("|") else textwrap.fill(line, LINE, break_long_words=False, break_on_hyphens=False)


def table(columns, rows):
    """A table of Markdown; whole numbers get their commas."""
    rows = list(rows)
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    rule = ["---:" if rows and NUMBER.fullmatch(cells[0][n]) else "---" for n in range(len(columns))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, rule, *cells)) + "\n"


def reasons(year, out):
    actions = {one.reason: one.action for one in year.decisions.values()}
    words = {"send": "sent at once", "hold": "held", "suppress": "not sent"}
    count = Counter(one.reason for one in year.decisions.values())
    total = count.total()
    rows = [(f"`{name}`", words[actions[name]], brief(name), n, f"{n / total:.1%}") for name, n in count.most_common()]
    held = [ident for ident, one in year.decisions.items() if one.action == "hold"]
    gone = {push.id for push in out}
    late = sum(one not in gone for one in held)
    return (
        "## What was decided, and why\n"
        f"{len(set(year.decider.handed)):,} candidates, {total:,} decisions: one each. "
        f"{len(out):,} pushes went out. Of {len(held):,} that were held, {late:,} did not: "
        "their households had come back by then, or the year was over.\n\n"
        + table(("reason", "", "in words", "decisions", "share"), rows)
    )


def playbooks(year, out):
    went = Counter(push.decided.playbook for push in out)
    by_name = {}
    for one in year.decisions.values():
        by_name.setdefault(one.playbook, []).append(one)
    rows = []
    for name, of in sorted(by_name.items(), key=lambda item: -len(item[1])):
        count, why = (Counter(getattr(one, field) for one in of) for field in ("action", "reason"))
        not_sent = Counter(one.reason for one in of if one.action == "suppress" and one.reason != "holdout")
        mostly = ", ".join(f"{brief(reason)} {n:,}" for reason, n in not_sent.most_common(2))
        rows.append(
            (name, len(of), count["send"], count["hold"], went[name], why["holdout"], not_sent.total(), mostly or "")
        )
    columns = ("playbook", "candidates", "sent at once", "held", "went out", "withheld", "not sent", "mostly for")
    idle = ", ".join(sorted(set(year.settings.playbooks) - set(by_name)))
    return (
        "## By playbook\nEach message counts for itself, the later ones too. *Withheld* are those of the holdout.\n\n"
        f"{table(columns, rows)}\nNobody came to: {idle}.\n"
    )


def channels(year, out):
    costs = year.decider.charter.costs
    count = Counter(o.channel for o in year.deliveries if o.outcome == "delivered")
    rows = [(name, count[name], f"{costs[name]:.3f}", f"{count[name] * costs[name]:,.2f}") for name in costs]
    offers = [push.decided.value for push in out if push.decided.value]
    return (
        "## By channel\nEvery push goes to the inbox where there is one, and by the cheaper one of e-mail and SMS "
        f"beside it.\n\n{table(('channel', 'sends', 'cost of one', 'cost'), rows)}\n"
        f"{len(offers):,} of the pushes brought an offer; were all of them used, they would cost {sum(offers):,.2f}.\n"
    )


def hours(year, out):
    zone = year.decider.charter.zone
    held = {True: Counter(), False: Counter()}
    for push in out:
        held[push.decided.action == "hold"][datetime.fromtimestamp(push.at / 1000, zone).hour] += 1
    most = max((held[True] + held[False]).values(), default=1)
    lines = []
    for hour in range(DAY_HOURS):
        at_once, waited = (round(held[which][hour] / most * WIDTH) for which in (False, True))
        lines.append(f"{hour:02}  {'█' * at_once}{'░' * waited} {held[False][hour] + held[True][hour]:,}")
    return (
        "## By hour of the day\nWhen pushes went out, by New York's clock: █ at once, ░ held until then.\n\n"
        "```text\n" + "\n".join(line.rstrip() for line in lines) + "\n```\n"
    )


def balances(year):
    """What the gifts of each month may cost, what was spent of it and what is held still."""
    zone, minor = year.decider.charter.zone, year.settings.minor_units
    of = [accounts_of(GIFTS, year.settings.budgets[GIFTS], "", ms(f"{m}-15"), zone, minor)[0] for m in MONTHS]
    found = asyncio.run(year.purse.balances(of))
    return {
        month: tuple(units(amount, minor) for amount in (account.limit, balance.spent, balance.held))
        for month, account, balance in zip(MONTHS, of, found, strict=True)
    }


def budget(year):
    zone = year.decider.charter.zone
    short = [one.at for one in year.decisions.values() if one.reason == "budget"]
    refused = Counter(f"{datetime.fromtimestamp(at / 1000, zone):%Y-%m}" for at in short)
    rows = [
        (month, f"{spent:,.2f}", f"{limit:,.0f}", refused[month]) for month, (limit, spent, _) in balances(year).items()
    ]
    return (
        "## What the budget said\nIt pays for the offers and for the sending of the playbooks that bring any. A push "
        f"without room in it is not sent.\n\n{table(('month', 'spent', 'of', 'times it said no'), rows)}"
    )


def households(year, out):
    count, push = Counter(one.decided.user for one in out), year.settings.push
    got = [count[user] for user in year.known]
    withheld = sum(arm_of_all(user, push) == "holdout" for user in year.known)
    rows = [(name, sum(low <= n <= high for n in got)) for name, (low, high) in SPANS.items()]
    return (
        f"## Who got how many\nOf {len(got):,} households {withheld:,} are the holdout; others without any push have "
        f"no address or allow no channel.\n\n{table(('pushes in the year', 'households'), rows)}\n"
        f"{crowded(out):,} of {len(out):,} pushes came within a day of the one before them to the same household. With "
        "`push.min_gap_hours` there is a pause between two.\n"
    )


def crowded(out):
    """The pushes that came within a day of the one before them to the same household."""
    by_user = {}
    for push in out:
        by_user.setdefault(push.decided.user, []).append(push.at)
    return sum(later - at <= DAY for times in by_user.values() for at, later in pairwise(times))


def placebo(year):
    sums = year.partition.shard.trials.sums
    found = {name: _trial(name, sums) for name in sorted({slot.trial for slot in sums})}
    everybody = found.pop(ALL)
    told = [(name, what) for name, one in found.items() for what in MEASURES if lift_of(one, what)]
    differ = [f"{name} ({MEASURES[what].label})" for name, what in told if differs(lift_of(found[name], what))]
    pushed, withheld = (everybody[arm]["users"] for arm in ("treated", "holdout"))
    days = f"{year.settings.push.attribution_days:g}"
    return (
        "## A placebo\nSince nobody got a push, households that would have been pushed and those from whom pushes are "
        "withheld can differ by chance only: a test of the comparison, on real orders. What `awaken lift` says of all "
        f"playbooks together, of {pushed:,} windows of {days} days in which households would have been pushed, and "
        f"{withheld:,} of those from whom pushes are withheld:\n\n"
        + table(("", "pushed", "withheld", "it says"), compared(everybody, year.settings.minor_units))
        + f"\nOf the {len(told)} comparisons of single playbooks for which there are enough households, {len(differ)} "
        f"found a difference{': ' if differ else ''}{', '.join(differ)}.\n"
    )


def compared(trial, minor_units):
    """The rows of a trial: what is compared, both arms' means, and what lift says."""
    for name, measure in MEASURES.items():
        if known := lift_of(trial, name):
            scale, unit, decimals = (100, "points", 1)
            if measure.money:
                scale, unit, decimals = (10.0**-minor_units, "a user", minor_units)
            means = (f"{mean * scale:,.{decimals}f}" for mean in (known.treated, known.holdout))
            yield measure.label, *means, lift.say(known, scale, unit, decimals)


def lift_of(trial, measure):
    return msgspec.convert(trial["measures"][measure], lift.Lift | None)


def differs(known):
    return not known.low <= 0 <= known.high
