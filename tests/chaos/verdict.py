"""The verdict: what was written, compared with what had to follow from the input."""

import json
from collections import Counter, defaultdict
from typing import NamedTuple

from streams.wire.message import read_transition
from tests.chaos.feed import encoded
from tests.end_to_end import law, limits
from tests.end_to_end.scene import expected, rows
from tests.oracle import DAY


class Verdict(NamedTuple):
    """Counts; from `lost` on all must be 0, whatever befell. What is promised of `repeated` is said in report.py.

    Attributes:
        transitions, decisions, pushes: how many there are.
        refused: how many decisions a limit has refused, by its name.
        repeated: posts to the webhook beyond the first with the same key and the same content.
        forgotten: inbox messages that went when Redis was emptied.
        torn: pushes that were decided upon, and cancelled since Redis was emptied before it was told that they go out.
        held_over: what purses still hold in the end, in grains and pieces.
        lost: transitions that are due and not there.
        duplicates: transitions that are there more than once.
        wrong: transitions that are not due.
        broken: breaks in the users' lines.
        rows_wrong: users whose row is not what his events add up to.
        undecided, decided_twice: dormancies and losses without their one decision, or with another than the profile
            demands; decisions that stand there more than once.
        undelivered: decisions and channels without the outcome `delivered`, posts and messages that did not arrive.
        pushed_twice: outcomes that stand there twice; posts that a receiver who goes by the key would take for another.
        beyond_caps, overspent: pushes beyond a cap; budgets, stocks and days of which more was spent than there was.
        misbooked: purses that do not say in the end what was spent.
        codes_twice: codes of offers that more than one decision bears.
    """

    transitions: int
    decisions: int
    pushes: int
    refused: dict[str, int]
    repeated: int
    forgotten: int
    torn: int
    held_over: int
    lost: int
    duplicates: int
    wrong: int
    broken: int
    rows_wrong: int
    undecided: int
    decided_twice: int
    undelivered: int
    pushed_twice: int
    beyond_caps: int
    overspent: int
    misbooked: int
    codes_twice: int

    @property
    def flaws(self):
        """What must be 0 and is not."""
        must = self._fields[self._fields.index("lost") :]
        return {name: count for name in must if (count := getattr(self, name))}


def judge(scene, events, emptied):
    """Return the Verdict on what the deployment made of the events; Redis was emptied in these spans (from, to; ms)."""
    transitions, decisions, outcomes = scene.transitions(), scene.decisions(), scene.outcomes()
    lost, extra = law.differences(rows(transitions), expected(events, lateness=DAY))
    told_twice = twice(e.id for e in transitions)
    found = {d.id: d for d in decisions}
    pushes = limits.followed(scene, found)
    torn = {push.decision.id for push in pushes if is_torn(push, emptied)}
    sends = {d.id: d for d in found.values() if d.action == "send" and d.id not in torn}
    arrived = arrivals(scene, sends, torn, outcomes, max((ended for _, ended in emptied), default=0))
    sent = [push for push in pushes if push.channels]
    spent = limits.spending(sent, emptied)
    balances = limits.read_balances(scene, spent)
    rows_missing, rows_beyond = law.differences(*rows_to_compare(scene, events, transitions))
    return Verdict(
        transitions=len(transitions),
        decisions=len(decisions),
        pushes=sum(len(d.channels) for d in sends.values()),
        refused=dict(Counter(limits.refused_by(d) for d in found.values() if d.reason in limits.REFUSED)),
        repeated=arrived["repeated"],
        forgotten=arrived["forgotten"],
        torn=len(torn),
        held_over=sum(balance.held for balance in balances.values()),
        lost=lost.total(),
        duplicates=told_twice,
        wrong=max(extra.total() - told_twice, 0),
        broken=len(law.breaks(transitions)),
        rows_wrong=max(rows_missing.total(), rows_beyond.total()),
        undecided=len(misdecided(found, decisions_due(transitions, events))),
        decided_twice=twice(d.id for d in decisions),
        undelivered=arrived["undelivered"],
        pushed_twice=arrived["pushed_twice"],
        beyond_caps=limits.beyond_caps(sent, emptied),
        overspent=len(limits.overspent(spent)),
        misbooked=len(limits.misbooked(spent, balances, emptied)),
        codes_twice=limits.codes_twice(found.values()),
    )


def is_torn(push, emptied):
    """Say whether a push has not gone out whole, and Redis was emptied meanwhile: its cost was asked for anew."""
    return set(push.channels) != set(push.decision.channels) and limits.era(push.asked, push.ended, emptied) is None


def decisions_due(transitions, events):
    """Return (user, reason, channels) that the profile demands of each decision, by its id."""
    profiles = law.profiles_of(events)
    asked = [(name, playbook.on.partition(".")[2]) for name, playbook in limits.PLAYBOOKS.items()]
    due = [told for name, value in asked for told in law.decisions_due(transitions, profiles, name, value)]
    return {ident: rest for ident, *rest in due}


def misdecided(found, due):
    """Return the ids of decisions that are due and not there, the other way round, or not as the profile demands.

    Whom it lets be pushed a limit may have refused, or one of his channels.
    """
    return sorted(
        ident for ident in due.keys() | found.keys()
        if ident not in due or ident not in found or not _fits(found[ident], *due[ident])
    )  # fmt: skip


def _fits(decision, user, reason, channels):
    if decision.user != user:
        return False
    if reason == "sent" and decision.reason == "sent":
        return bool(decision.channels) and set(decision.channels) <= set(channels)
    return not decision.channels and decision.reason in (limits.REFUSED if reason == "sent" else (reason,))


def rows_to_compare(scene, events, transitions):
    """Return the rows that are there, and those that are due.

    Users of whom the input holds an event twice, because the broker took it and did not say so, are left out.
    """
    unsure = {user for (user, *_), count in Counter(map(_ident, events)).items() if count > 1}
    found, due = law.rows_found(scene), law.rows_due(events, {e.id: e for e in transitions}.values())
    return [row for row in found if row[0] not in unsure], [row for row in due if row[0] not in unsure]


def arrivals(scene, sends, torn, outcomes, emptied_at):
    """Count what arrived, and what did not, of these decisions to send; of those that are torn anything may have."""
    taken = {key: list(bodies) for key, bodies in scene.receiver.taken.items()}
    due = {(d.id, channel) for d in sends.values() for channel in d.channels}
    delivered = {(o.decision, o.channel): o for o in outcomes if o.outcome == "delivered"}
    posts = {ident for ident, channel in due if channel == "webhook"}
    changed = [key for key, bodies in taken.items() if any(body != bodies[0] for body in bodies)]
    kept, gone = inbox_due(due, delivered, emptied_at)
    inboxes = law.read_inboxes(scene, {d.user for d in scene.decisions()})
    messages = [message.decision for found in inboxes.values() for message in found]
    return {
        "repeated": sum(len(bodies) - 1 for bodies in taken.values()),
        "forgotten": len(gone - set(messages)),
        "undelivered": len(due - set(delivered)) + len(posts - set(taken)) + len(kept - set(messages)),
        "pushed_twice": twice((o.decision, o.channel) for o in outcomes)
        + len(set(taken) - posts - torn)
        + len(changed)
        + twice(messages)
        + len(set(messages) - kept - gone - torn),
    }


def inbox_due(due, delivered, emptied_at):
    """Return the decisions whose message must be in an inbox, and those that may have gone when Redis was emptied."""
    asked = {ident for ident, channel in due if channel == "inbox"}
    kept = {ident for ident in asked if (o := delivered.get((ident, "inbox"))) is None or o.at > emptied_at}
    return kept, asked - kept


def twice(things):
    """How many there are beyond the first of each."""
    return sum(count - 1 for count in Counter(things).values())


def _misplaced(scene, events, began_ms):
    """Transitions that are due and not there, and the other way round, user by user."""
    lost, extra = law.differences(rows(scene.transitions()), expected(events, lateness=DAY))
    written = {}
    for record in scene.records(scene.settings.topics.lifecycle_transitions):
        for row in rows([read_transition(record.value)]):
            written[row] = f"[{record.partition}] {record.offset} at {(record.timestamp - began_ms) / 1000:.1f}"
    told = [(row, "lost") for row in lost] + [(row, f"wrong, {written[row]}") for row in extra]
    return [f"{row.user} {row.from_} → {row.to} at {row.at} by {row.cause}: {what}" for row, what in sorted(told)]


def _misdecided(scene, events, began_ms):
    """Decisions that are due and not there, the other way round, and those that are not as they must be."""
    due, found = decisions_due(scene.transitions(), events), {d.id: d for d in scene.decisions()}
    places = {}
    for name in (scene.settings.topics.push_decisions, scene.settings.topics.lifecycle_transitions):
        for r in scene.records(name):
            where = f"[{r.partition}] {r.offset} at {(r.timestamp - began_ms) / 1000:.1f}"
            places[json.loads(r.value)["id"]] = where
    for ident in misdecided(found, due):
        made = found.get(ident)
        told = f"{made.reason} {made.channels}, {places[ident]}" if made else "nothing"
        yield f"{ident}: due {due.get(ident)}, decided {told}; asked {places.get(ident.partition(':')[2])}"


def _ident(event):
    return event.user, *encoded(event)


def _beyond_limits(scene, emptied):
    """Accounts that were overspent, or that say otherwise."""
    pushes = limits.followed(scene, {d.id: d for d in scene.decisions()})
    spent = limits.spending([push for push in pushes if push.channels], emptied)
    for account, number in limits.overspent(spent):
        yield f"{account} in era {number}: {spent[account, number]}"
    for account, balance, sure, perhaps in limits.misbooked(spent, limits.read_balances(scene, spent), emptied):
        yield f"{account} says {balance}; {sure} was spent, and perhaps {perhaps}; emptied {emptied}"
        for push in pushes:
            if account in dict(limits.charges(push)):
                yield f"  {push.decision.id}: {push[1:]}"


def evidence(scene, events, began_ms, emptied):
    """Say what is lost, wrong and twice, and where and when it was written, in seconds since `began_ms`."""
    found = [*_misplaced(scene, events, began_ms), *_misdecided(scene, events, began_ms)]
    found += _beyond_limits(scene, emptied)
    names = scene.settings.topics
    for name in (names.lifecycle_transitions, names.push_decisions, names.push_outcomes):
        places = defaultdict(list)
        for record in scene.records(name):
            places[json.loads(record.value)["id"]].append(record)
        for ident, records in places.items():
            if len(records) > 1:
                where = [f"[{r.partition}] {r.offset} at {(r.timestamp - began_ms) / 1000:.1f}" for r in records]
                found.append(f"{name}: {ident}: {', '.join(where)}")
    return found
