"""A late event takes back a dormancy that was wrong, and the push that waits for it with it."""

from streams.settings import Activity
from streams.worker.partition import wall_clock
from tests.end_to_end.history import home, order, profile
from tests.end_to_end.law import assert_lives_whole, read_inboxes
from tests.end_to_end.scene import PARTITIONS

SILENCE = 6e-5  # days, 5.184 s
PATIENT = 60.0


def neighbours():
    """Two users of one partition, so that the pushes of one wait for those of the other."""
    first, *others = (f"u{number}" for number in range(20))
    return first, next(user for user in others if home(user, PARTITIONS) == home(first, PARTITIONS))


def test_a_late_order_takes_the_dormancy_back_and_cancels_the_push_that_waits(play, real_kafka):
    scene = play(real_kafka, clock="wall", activity=Activity(0, SILENCE, 0))
    scene.be_patient(PATIENT, deliveries_at_once=1)
    scene.receiver.hold()
    worker = scene.start_ready()
    users, at = neighbours(), wall_clock()
    scene.write([event for user in users for event in (profile(user, 0, at), order(user, at))])
    scene.wait("a push to be under way", lambda: scene.receiver.held)
    scene.wait("both to be decided about", lambda: len(scene.decisions()) == len(users))
    waiting = next(d for d in scene.decisions() if d.id not in scene.receiver.held)
    assert waiting.reason == "sent"
    scene.write([order(waiting.user, at + 1000)])
    scene.wait("the correction", lambda: corrections(scene))
    scene.receiver.release()
    scene.wait("him to be dormant again", lambda: len(scene.decisions()) > len(users))
    scene.await_pushed()
    scene.stop(worker)
    [correction] = corrections(scene)
    assert (correction.subject, correction.data.from_, correction.data.at) == (waiting.user, "dormant", at + 1000)
    assert_lives_whole(scene.transitions())
    outcomes = {(o.decision, o.channel): o.outcome for o in scene.outcomes()}
    assert {channel: outcomes.pop((waiting.id, channel)) for channel in waiting.channels} == dict.fromkeys(
        waiting.channels, "cancelled"
    )
    assert set(outcomes.values()) == {"delivered"}
    [message] = read_inboxes(scene, {waiting.user})[waiting.user]
    assert message.decision != waiting.id
    assert waiting.id not in scene.receiver.taken


def corrections(scene):
    return [envelope for envelope in scene.transitions() if envelope.data.cause == "correction"]
