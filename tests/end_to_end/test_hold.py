"""Pushes that meet quiet hours: they wait, through crashes, and go out once."""

import msgspec

from tests.end_to_end.history import RULES, START, click, cut, generate, home, profile
from tests.end_to_end.law import assert_arrived, assert_rows_exact, assert_same, assert_told_once, profiles_of
from tests.end_to_end.law import decisions_due as without_quiet_hours
from tests.end_to_end.scene import PARTITIONS, expected
from tests.oracle import DAY

HOUR, MINUTE = DAY // 24, DAY // 1440
QUIET_HOURS = 12
"""From midnight to noon, UTC."""
SPREAD_MINUTES = 1440
NIGHTS = START + 24 * DAY, START + 47 * DAY
"""Soon after each of these midnights a worker is killed."""


def test_what_waits_for_the_quiet_hours_goes_out_once_through_kills(play, real_kafka):
    scene = play(real_kafka, lateness_seconds=DAY / 1000)
    quiet = msgspec.structs.replace(
        scene.settings.push, quiet_from="00:00", quiet_to="12:00", spread_minutes=SPREAD_MINUTES
    )
    scene.settings = msgspec.structs.replace(scene.settings, push=quiet)
    events = generate(seed=21, by_turns=True)
    last = events[-1].at
    events += [event for night in NIGHTS for event in sleepers(night)] + visits(last + 4 * DAY)
    events.sort(key=lambda event: event.at)
    first, second, third = cut(events, [night + 11 * MINUTE for night in NIGHTS])
    scene.feed(first)
    worker = scene.start("worker 0", instance="one")
    for number, stage in enumerate((second, third), 1):
        scene.wait("something to wait", lambda w=worker: w.ready() and w.metric("awaken_held_pushes") > 0)
        scene.feed(stage)
        worker.kill()
        worker = scene.start(f"worker {number}", instance="one")
    scene.await_pushed()
    wanted = sum(len(decision.channels) for decision in scene.decisions())
    scene.wait("everything to go out", lambda: len(scene.outcomes()) >= wanted)
    scene.wait("nothing to wait any more", lambda: worker.metric("awaken_held_pushes") == 0)
    scene.stop(worker)
    transitions = scene.transitions()
    assert_told_once(transitions, expected(events, lateness=DAY))
    assert_rows_exact(scene, events)
    decisions, outcomes = scene.decisions(), scene.outcomes()
    assert_same("decisions", map(told, decisions), due(transitions, profiles_of(events)))
    going = [d for d in decisions if d.action != "suppress"]
    held = [d for d in going if d.action == "hold"]
    assert 0 < len(held) < len(going)
    for decision in held:
        noon = decision.at - decision.at % DAY + QUIET_HOURS * HOUR
        assert noon <= decision.until < noon + SPREAD_MINUTES * MINUTE
    ended = [(o.decision, o.channel, o.outcome) for o in outcomes]
    assert_same("outcomes", ended, [(d.id, channel, "delivered") for d in going for channel in d.channels])
    assert_arrived(scene, going)


def sleepers(night):
    """Users who become dormant early on the day before this midnight, and visits after which that is certain.

    What is decided about them waits for noon and up to a day longer: for many of them beyond those visits.
    """
    users = [f"sleeper{number}-{night}" for number in range(20)]
    asleep_at = night - DAY + 5 * MINUTE
    seen = [click(user, asleep_at - round(RULES.dormant_days * DAY)) for user in users]
    return [profile(user, 0, START) for user in users] + seen + visits(night + 10 * MINUTE)


def visits(at):
    """A visit in each partition, so that its time comes as far as this."""
    users = {}
    for number in range(100):
        users.setdefault(home(f"visitor{number}", PARTITIONS), f"visitor{number}")
    return [click(user, at) for user in users.values()]


def told(decision):
    return decision.id, decision.user, decision.reason, decision.channels


def due(transitions, profiles):
    """The decisions that the profiles demand, those of the morning held."""
    at = {f"reactivation:{e.id}": e.data.at for e in transitions}
    for ident, user, reason, channels in without_quiet_hours(transitions, profiles):
        quiet = reason == "sent" and at[ident] % DAY < QUIET_HOURS * HOUR
        yield ident, user, "quiet_hours" if quiet else reason, channels
