"""What must hold of everything that a deployment has written, whatever happened to its workers meanwhile."""

import asyncio
from collections import Counter, defaultdict

from redis.asyncio import Redis

from streams.push.channels.inbox import Inbox
from tests.end_to_end.history import BOTH, ORDERS
from tests.end_to_end.scene import rows


def assert_same(what, found, due):
    """Both have the same members, each as often."""
    found, due = Counter(found), Counter(due)
    assert not (lost := due - found), f"{what}: {lost.total()} of {due.total()} are missing: {list(lost)[:5]}"
    assert not (extra := found - due), f"{what}: {extra.total()} beyond {due.total()} are too many: {list(extra)[:5]}"


def assert_told_once(transitions, expected):
    """Exactly the oracle's transitions, each once, each user's in one unbroken line."""
    assert_same("transitions", rows(transitions), expected)
    assert_lives_whole(transitions)


def assert_told(transitions, expected):
    """At least the oracle's transitions: one that comes again says the same, word for word but for the broker's."""
    by_id = defaultdict(list)
    for envelope in transitions:
        by_id[envelope.id].append(envelope)
    different = [ident for ident, told in by_id.items() if any(envelope != told[0] for envelope in told)]
    assert not different, f"the same id with another content: {different[:5]}"
    assert_told_once([told[0] for told in by_id.values()], expected)


def assert_rows_exact(scene, events):
    """What the changelog holds of each user is what his events add up to: nothing is counted twice or left out."""
    orders, spend = Counter(), Counter()
    for event in events:
        if event.source == ORDERS and event.is_act:
            orders[event.user] += 1
            spend[event.user] += round(event.body["amount"] * 100)
    steps = Counter(envelope.subject for envelope in {e.id: e for e in scene.transitions()}.values())
    due = [(user, orders[user], spend[user], steps[user]) for user in {event.user for event in events}]
    found = [(user, int(r["orders"]), int(r["spend"]), int(r["seq"])) for user, r in scene.users().items()]
    assert_same("rows (user, orders, spend, transitions)", found, due)


def assert_lives_whole(transitions):
    """Each user's transitions count from 1 without gap, and each begins where the one before it ended."""
    stage, seq = defaultdict(lambda: "none"), Counter()
    for envelope in transitions:
        user, data = envelope.subject, envelope.data
        assert data.seq == seq[user] + 1, f"{envelope.id}: seq {data.seq} after {seq[user]}"
        assert data.from_ == stage[user], f"{envelope.id}: from {data.from_}, but he was {stage[user]}"
        stage[user], seq[user] = data.to, data.seq


def assert_pushed_once(scene, transitions, profiles, *, repeats=False):
    """One decision a dormancy, as the user's profile demands; one outcome a decision and channel; each arrived once.

    `repeats`: decisions and outcomes may stand in their topics more than once, if they say the same (at least once).
    """
    due = {f"reactivation:{e.id}": (e.subject, profiles.get(e.subject)) for e in transitions if e.data.to == "dormant"}
    decisions, outcomes = scene.decisions(), scene.outcomes()
    if repeats:
        decisions = list(dict.fromkeys(decisions))
        outcomes = list({(o.decision, o.channel): o for o in outcomes}.values())
    decided = [(d.id, d.user, d.reason, d.channels) for d in decisions]
    assert_same("decisions", decided, [(ident, user, *_decided(body)) for ident, (user, body) in due.items()])
    sends = [d for d in decisions if d.action == "send"]
    assert sends, "nothing was sent, so nothing was shown"
    ended = [(o.decision, o.channel, o.outcome) for o in outcomes]
    assert_same("outcomes", ended, [(d.id, channel, "delivered") for d in sends for channel in d.channels])
    assert_arrived(scene, sends)


def assert_arrived(scene, sends):
    """Inboxes and webhook hold exactly what was sent; what the webhook got again was the same."""
    taken = scene.receiver.taken
    assert_same("keys at the webhook", list(taken), [d.id for d in sends if "webhook" in d.channels])
    assert not [key for key, bodies in taken.items() if any(body != bodies[0] for body in bodies)]
    inboxes = read_inboxes(scene, {d.user for d in scene.decisions()})
    found = [message.decision for messages in inboxes.values() for message in messages]
    assert_same("messages in inboxes", found, [d.id for d in sends if "inbox" in d.channels])


def read_inboxes(scene, users):
    """Each user's inbox."""

    async def read():
        async with Redis.from_url(scene.settings.redis) as redis:
            inbox = Inbox.open(scene.settings, redis)
            return {user: await inbox.read(user) for user in users}

    return asyncio.run(read())


def profiles_of(events):
    """Each user's newest profile, by user."""
    return {event.user: event.body for event in events if event.source == "profiles"}


def _decided(body):
    """The reason and channels that a profile demands."""
    allowed = [c for c in BOTH if body and body["consent"].get(c)]
    reachable = tuple(c for c in allowed if c in body["contacts"])
    if not allowed:
        return "no_consent", ()
    return ("sent", reachable) if reachable else ("not_contactable", ())
