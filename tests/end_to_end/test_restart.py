"""Workers that end in good order, and go on; and a group whose offsets are set back to the beginning."""

from collections import Counter

from streams.ops import topics
from streams.worker.partition import wall_clock
from tests.end_to_end.history import generate, stages
from tests.end_to_end.law import assert_pushed_once, assert_rows_exact, assert_told_once, profiles_of
from tests.end_to_end.scene import PARTITIONS, expected
from tests.oracle import DAY

HOUR = DAY // 24
DELAY = "awaken_watermark_delay_seconds"
PRESENT_SECONDS = 60


def test_a_restart_with_nothing_new_writes_nothing(scene):
    events = generate(users=100, seed=8)
    scene.write(events)
    worker = scene.start_ready("the first")
    scene.await_pushed()
    scene.stop(worker)
    before = everything(scene)
    worker = scene.start_ready("the second")
    scene.wait("each of its topics to be read to its end", lambda: worker.lags() == [0] * 4 * PARTITIONS)
    scene.stop(worker)
    assert everything(scene) == before


def test_set_back_to_the_beginning_it_tells_nothing_twice_and_sends_nothing_again(scene):
    events = generate(users=100, seed=9)
    scene.write(events)
    worker = scene.start_ready("the first")
    scene.await_pushed()
    scene.stop(worker)
    transitions, sends = scene.transitions(), [d for d in scene.decisions() if d.action == "send"]
    posts = {key: len(bodies) for key, bodies in scene.receiver.taken.items()}
    assert_pushed_once(scene, transitions, profiles_of(events))
    scene.reset()
    worker = scene.start_ready("the second")
    scene.await_pushed()
    scene.stop(worker)
    assert scene.transitions() == transitions
    assert_rows_exact(scene, events)
    again = Counter(d.reason for d in scene.decisions()[len(transitions) :])
    assert again["sent"] == 0
    assert [d for d in scene.decisions() if d.action == "send"] == sends
    assert {key: len(bodies) for key, bodies in scene.receiver.taken.items()} == posts


def test_state_lost_and_all_folded_again_it_tells_the_same_as_history_and_sends_nothing(play, real_kafka):
    """Nothing is left but the inputs, `control` and Redis: the first start was a baseline, and so is the second."""
    scene = play(real_kafka, clock="wall", historic_hours=1)
    started = wall_clock()
    events = [e for e in generate(users=100, seed=12, start=started - 70 * DAY) if e.at <= started - 2 * HOUR]
    scene.write(events)
    told = []
    for name in ("the first", "the second"):
        worker = scene.start_ready(name)
        scene.await_pushed()
        scene.wait("time to have reached the present", lambda w=worker: 0 <= w.metric(DELAY) < PRESENT_SECONDS)
        scene.await_pushed()
        scene.stop(worker)
        told.append([e for e in scene.transitions() if e.data.at < started - HOUR])
        scene.reset()
        scene.lose(topics.changelog(scene.settings))
    first, both = (sorted(transitions, key=lambda e: e.id) for transitions in told)
    assert first
    assert all(e.data.historic for e in first)
    assert both == [e for e in first for _ in range(2)]
    assert {d.reason for d in scene.decisions() if d.at < started - HOUR} == {"historic"}
    assert not scene.receiver.taken


def test_told_to_end_in_mid_stream_it_ends_well_and_the_next_goes_on(play, real_kafka):
    scene = play(real_kafka, lateness_seconds=DAY / 1000)
    events = generate(seed=10, by_turns=True)
    *pieces, last = stages(events, 3)
    for name, piece in zip(("the first", "the second"), pieces, strict=True):
        scene.feed(piece)
        worker = scene.start(name)
        scene.await_more(20)
        scene.stop(worker)
    scene.feed(last)
    worker = scene.start_ready("the third")
    scene.await_pushed()
    scene.stop(worker)
    transitions = scene.transitions()
    assert_told_once(transitions, expected(events, lateness=DAY))
    assert_pushed_once(scene, transitions, profiles_of(events))


def test_told_to_end_while_it_waits_for_the_group_it_ends_well(scene):
    killed = scene.start_ready("the one that holds the group up")
    killed.kill()
    worker = scene.start("the one that waits")
    scene.wait("it to answer", lambda: worker.page("/health/live")[0] == 200)
    assert not worker.ready()
    scene.stop(worker)


def everything(scene):
    """All that is in the topics that we write, as it stands there."""
    names = scene.settings.topics
    written = (names.lifecycle_transitions, names.push_decisions, names.push_outcomes, names.dead_letters)
    found = {name: scene.records(name) for name in written} | {"changelog": scene.changelog()}
    return {name: [(r.partition, r.offset, r.key, r.value) for r in records] for name, records in found.items()}
