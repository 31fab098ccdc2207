"""On the embedded broker, which has no transactions: nothing is lost, and what comes twice says the same twice."""

from collections import defaultdict

from tests.end_to_end import limits
from tests.end_to_end.history import generate, stages
from tests.end_to_end.law import (
    assert_pushed_once,
    assert_rows_exact,
    assert_told,
    assert_told_once,
    is_sent_already,
    profiles_of,
)
from tests.end_to_end.scene import expected
from tests.oracle import DAY


def test_a_backlog_becomes_the_oracles_transitions_and_their_pushes(plain_scene):
    events = generate(seed=20)
    plain_scene.write(events)
    worker = plain_scene.start_ready()
    plain_scene.await_pushed()
    plain_scene.stop(worker)
    transitions = plain_scene.transitions()
    assert_told_once(transitions, expected(events))
    assert_pushed_once(plain_scene, transitions, profiles_of(events))


def test_ended_in_good_order_amid_the_stream_nothing_comes_twice(play, embedded_broker):
    scene = play(embedded_broker, guarantee="at-least-once", lateness_seconds=DAY / 1000)
    events = generate(seed=21, by_turns=True)
    scene.feed(events)
    worker = scene.start("the first")
    scene.await_more(20)
    scene.stop(worker)
    worker = scene.start_ready("the second")
    scene.await_pushed()
    scene.stop(worker)
    transitions = scene.transitions()
    assert_told_once(transitions, expected(events, lateness=DAY))
    assert_pushed_once(scene, transitions, profiles_of(events))


def test_killed_amid_the_stream_nothing_is_lost_and_what_comes_again_is_the_same(play, embedded_broker):
    scene = play(embedded_broker, guarantee="at-least-once", lateness_seconds=DAY / 1000)
    events = generate(seed=22, by_turns=True)
    first, *rest = stages(events, 3)
    scene.feed(first)
    for name, stage in zip(("the first", "the second"), rest, strict=True):
        worker = scene.start(name)
        scene.await_more(20)
        scene.feed(stage)
        worker.kill()
    worker = scene.start_ready("the third")
    scene.await_pushed()
    scene.stop(worker)
    transitions = scene.transitions()
    assert_told(transitions, expected(events, lateness=DAY))
    assert_pushed_once(scene, transitions, profiles_of(events), repeats=True)
    assert_rows_exact(scene, events)


def test_killed_amid_the_stream_a_decision_that_comes_again_is_the_same_and_exceeds_no_limit(
    play, embedded_broker, receiver
):
    scene = play(
        embedded_broker, guarantee="at-least-once", lateness_seconds=DAY / 1000, **limits.settings(receiver)
    )  # fmt: skip
    events = generate(seed=23, by_turns=True)
    *pieces, last = stages(events, 6)
    for number, piece in enumerate(pieces):
        scene.feed(piece)
        worker = scene.start(f"worker {number}")
        scene.await_more(20)
        worker.kill()
    scene.feed(last)
    worker = scene.start_ready("the last")
    scene.await_pushed()
    scene.stop(worker)
    made = defaultdict(list)
    for decision in scene.decisions():
        if not is_sent_already(decision, made[decision.id]):
            made[decision.id].append(decision)
    assert not [ident for ident, some in made.items() if any(one != some[0] for one in some)]
    assert {limits.refused_by(some[0]) for some in made.values()} >= {"budgets.chaos", "capped", "channel_capped"}
    sent = limits.followed(scene, {ident: some[0] for ident, some in made.items()})
    spent = limits.spending(sent, [])
    assert (limits.beyond_caps(sent, []), limits.overspent(spent)) == (0, [])
    assert limits.misbooked(spent, limits.read_balances(scene, spent), []) == []
