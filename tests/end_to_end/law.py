"""What must hold of everything that a deployment has written, whatever happened to its workers meanwhile."""

import asyncio
from collections import Counter, defaultdict

from redis.asyncio import Redis

from streams.channels.inbox import Inbox
from tests.end_to_end.history import BOTH, ORDERS
from tests.end_to_end.scene import ACTIVITY, rows


def differences(found, due):
    """Return what is missing of what is due, and what is there beyond it, each as a Counter."""
    found, due = Counter(found), Counter(due)
    return due - found, found - due


def assert_same(what, found, due):
    """Both have the same members, each as often."""
    due = list(due)
    lost, extra = differences(found, due)
    assert not lost, f"{what}: {lost.total()} of {len(due)} are missing: {list(lost)[:5]}"
    assert not extra, f"{what}: {extra.total()} beyond {len(due)} are too many: {list(extra)[:5]}"


def assert_told_once(transitions, expected):
    """Exactly the oracle's transitions of the activity class, each once; each user's of every dimension in line."""
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
    told = {envelope.id: envelope for envelope in scene.transitions()}.values()
    assert_same("rows (user, orders, spend, transitions)", rows_found(scene), rows_due(events, told))


def rows_due(events, transitions):
    """Return (user, orders, spend, transitions) for each user of whom there are events."""
    orders, spend = Counter(), Counter()
    for event in events:
        if event.source == ORDERS and event.is_act:
            orders[event.user] += 1
            spend[event.user] += round(event.body["amount"] * 100)
    steps = Counter(envelope.subject for envelope in transitions)
    return [(user, orders[user], spend[user], steps[user]) for user in {event.user for event in events}]


def rows_found(scene):
    """Return the same of the users whom the changelog holds."""
    return [(user, int(r["orders"]), int(r["spend"]), int(r["seq"])) for user, r in scene.users().items()]


def assert_lives_whole(transitions):
    """Each user's transitions are numbered without gap or double, and are one line in each dimension."""
    assert not (broken := breaks(transitions)), f"{len(broken)} breaks: {broken[:5]}"


def breaks(transitions):
    """Say where the users' transitions, in the order of the topic, are not what they must be.

    Of each user the numbers (`seq`) over all dimensions are 1, 2, 3 …; in each dimension they rise, and each
    transition begins where the one before it ended.
    """
    numbers, last, found = defaultdict(list), {}, []
    for envelope in transitions:
        user, data = envelope.subject, envelope.data
        value, seq = last.get((user, data.dimension), ("none", 0))
        if data.from_ != value or data.seq <= seq:
            found.append(f"{envelope.id}: {data.dimension} from {data.from_} after {value} ({seq})")
        last[user, data.dimension] = data.to, data.seq
        numbers[user].append(data.seq)
    for user, seqs in numbers.items():
        if sorted(seqs) != list(range(1, len(seqs) + 1)):
            found.append(f"{user}: numbered {sorted(seqs)}")
    return found


def dormancies(transitions):
    """Return the transitions that ask for a push."""
    return comings(transitions, "dormant")


def comings(transitions, value):
    """Return the transitions to a value of the activity class."""
    return [e for e in transitions if e.data.dimension == ACTIVITY and e.data.to == value]


def assert_pushed_once(scene, transitions, profiles, *, repeats=False):
    """One decision a dormancy, as the user's profile demands; one outcome a decision and channel; each arrived once.

    `repeats`: transitions, decisions and outcomes may stand in their topics more than once, if they say the same (at
    least once), or of a push that has gone out that it was sent already.
    """
    due = decisions_due(transitions, profiles)
    decisions, outcomes = scene.decisions(), scene.outcomes()
    if repeats:
        due = list(dict.fromkeys(due))
        decisions = [
            d for n, d in enumerate(decisions) if d not in decisions[:n] and not is_sent_already(d, decisions[:n])
        ]
        outcomes = list({(o.decision, o.channel): o for o in outcomes}.values())
    assert_same("decisions", [(d.id, d.user, d.reason, d.channels) for d in decisions], due)
    sends = [d for d in decisions if d.action == "send"]
    assert sends, "nothing was sent, so nothing was shown"
    ended = [(o.decision, o.channel, o.outcome) for o in outcomes]
    assert_same("outcomes", ended, [(d.id, channel, "delivered") for d in sends for channel in d.channels])
    assert_arrived(scene, sends)


def is_sent_already(decision, before):
    """Say whether a decision only tells that one of those `before` it has gone out."""
    return decision.reason == "already_sent" and any(d.id == decision.id and d.action != "suppress" for d in before)


def decisions_due(transitions, profiles, playbook="reactivation", value="dormant"):
    """Return (id, user, reason, channels) of the one decision on each dormancy, as the user's profile demands.

    `playbook` is that which asks for them, or for coming to another `value` of the activity class.
    """
    asked = [(f"{playbook}:{e.id}", e.subject) for e in comings(transitions, value)]
    return [(ident, user, *_decided(profiles.get(user))) for ident, user in asked]


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
            inbox = Inbox(redis, scene.settings.group)
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
