"""The verdict: what was written, compared with what had to follow from the input."""

import json
from collections import Counter, defaultdict
from typing import NamedTuple

from streams.wire.message import read_transition
from tests.chaos.feed import encoded
from tests.end_to_end import law
from tests.end_to_end.scene import expected, rows
from tests.oracle import DAY


class Verdict(NamedTuple):
    """Counts; all but the first four must be 0, whatever befell. What is promised of `repeated` is said in report.py.

    Attributes:
        transitions, decisions, pushes: how many there are.
        repeated: posts to the webhook beyond the first with the same key and the same content.
        forgotten: inbox messages that went when Redis was emptied.
        lost: transitions that are due and not there.
        duplicates: transitions that are there more than once.
        wrong: transitions that are not due.
        broken: breaks in the users' lines.
        rows_wrong: users whose row is not what his events add up to.
        undecided, decided_twice: dormancies without their one decision; decisions that stand there more than once.
        undelivered: decisions and channels without the outcome `delivered`, posts and messages that did not arrive.
        pushed_twice: outcomes that stand there twice; posts that a receiver who goes by the key would take for another.
    """

    transitions: int
    decisions: int
    pushes: int
    repeated: int
    forgotten: int
    lost: int
    duplicates: int
    wrong: int
    broken: int
    rows_wrong: int
    undecided: int
    decided_twice: int
    undelivered: int
    pushed_twice: int

    @property
    def flaws(self):
        """What must be 0 and is not."""
        must = self._fields[self._fields.index("lost") :]
        return {name: count for name in must if (count := getattr(self, name))}


def judge(scene, events, emptied_at):
    """Return the Verdict on what the scene's deployment made of the events; Redis was emptied at these times (ms)."""
    transitions, decisions, outcomes = scene.transitions(), scene.decisions(), scene.outcomes()
    lost, extra = law.differences(rows(transitions), expected(events, lateness=DAY))
    told_twice = twice(e.id for e in transitions)
    due = law.decisions_due(transitions, law.profiles_of(events))
    undecided, _ = law.differences(set(_told(decisions)), set(due))
    unasked, _ = law.differences(set(due), set(_told(decisions)))
    sends = {d.id: d for d in decisions if d.action == "send"}
    arrived = arrivals(scene, sends, outcomes, emptied_at)
    rows_missing, rows_beyond = law.differences(*rows_to_compare(scene, events, transitions))
    return Verdict(
        transitions=len(transitions),
        decisions=len(decisions),
        pushes=sum(len(d.channels) for d in sends.values()),
        repeated=arrived["repeated"],
        forgotten=arrived["forgotten"],
        lost=lost.total(),
        duplicates=told_twice,
        wrong=max(extra.total() - told_twice, 0),
        broken=len(law.breaks(transitions)),
        rows_wrong=max(rows_missing.total(), rows_beyond.total()),
        undecided=undecided.total() + unasked.total(),
        decided_twice=twice(d.id for d in decisions),
        undelivered=arrived["undelivered"],
        pushed_twice=arrived["pushed_twice"],
    )


def rows_to_compare(scene, events, transitions):
    """Return the rows that are there, and those that are due.

    Users of whom the input holds an event twice, because the broker took it and did not say so, are left out.
    """
    unsure = {user for (user, *_), count in Counter(map(_ident, events)).items() if count > 1}
    found, due = law.rows_found(scene), law.rows_due(events, {e.id: e for e in transitions}.values())
    return [row for row in found if row[0] not in unsure], [row for row in due if row[0] not in unsure]


def arrivals(scene, sends, outcomes, emptied_at):
    """Count what arrived, and what did not, of these decisions to send."""
    taken = {key: list(bodies) for key, bodies in scene.receiver.taken.items()}
    due = {(d.id, channel) for d in sends.values() for channel in d.channels}
    delivered = {(o.decision, o.channel): o for o in outcomes if o.outcome == "delivered"}
    posts = {ident for ident, channel in due if channel == "webhook"}
    changed = [key for key, bodies in taken.items() if any(body != bodies[0] for body in bodies)]
    kept, gone = inbox_due(due, delivered, max(emptied_at, default=0))
    inboxes = law.read_inboxes(scene, {d.user for d in sends.values()})
    messages = [message.decision for found in inboxes.values() for message in found]
    return {
        "repeated": sum(len(bodies) - 1 for bodies in taken.values()),
        "forgotten": len(gone - set(messages)),
        "undelivered": len(due - set(delivered)) + len(posts - set(taken)) + len(kept - set(messages)),
        "pushed_twice": twice((o.decision, o.channel) for o in outcomes)
        + len(set(taken) - posts)
        + len(changed)
        + twice(messages)
        + len(set(messages) - kept - gone),
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
    """Decisions that are due and not there, and the other way round."""
    due = law.decisions_due(scene.transitions(), law.profiles_of(events))
    places = {}
    for name in (scene.settings.topics.push_decisions, scene.settings.topics.lifecycle_transitions):
        for r in scene.records(name):
            where = f"[{r.partition}] {r.offset} at {(r.timestamp - began_ms) / 1000:.1f}"
            places[json.loads(r.value)["id"]] = where
    missing, extra = law.differences(set(_told(scene.decisions())), set(due))
    found = []
    for what, decisions in (("is due", missing), ("was decided", extra)):
        for ident, user, reason, channels in decisions:
            asked = places.get(ident.removeprefix("reactivation:"))
            found.append(f"{what}: {ident} of {user}: {reason} {channels}; {places.get(ident)}; asked {asked}")
    return sorted(found)


def _ident(event):
    return event.user, *encoded(event)


def _told(decisions):
    return [(d.id, d.user, d.reason, d.channels) for d in decisions]


def evidence(scene, events, began_ms):
    """Say what is lost, wrong and twice, and where and when it was written, in seconds since `began_ms`."""
    found = _misplaced(scene, events, began_ms) + _misdecided(scene, events, began_ms)
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
