"""A worker left in peace: what it writes is what the batch oracle says."""

from tests.end_to_end.history import generate, profile
from tests.end_to_end.law import assert_pushed_once, assert_rows_exact, assert_told_once, profiles_of
from tests.end_to_end.scene import expected
from tests.oracle import DAY

ODD = 'ü "q" \\ {x} %7D\n'
"""A user id as nobody should give one, and somebody will."""


def test_a_backlog_becomes_the_oracles_transitions_and_their_pushes(scene):
    events = generate(seed=1)
    odd = [event for event in events if event.user == "u0001"]
    events += [event._replace(user=ODD, body=event.body | {"user": ODD}) for event in odd]
    events.sort(key=lambda event: event.at)
    later = events[-1].at + 40 * DAY  # what is told of a user later moves nobody's clock
    events += [profile(f"u{number:04d}", number, later, told="again") for number in range(1, 300, 6)]
    scene.write(events)
    worker = scene.start_ready()
    scene.await_pushed()
    scene.stop(worker)
    transitions = scene.transitions()
    assert any(envelope.subject == ODD and envelope.data.to == "dormant" for envelope in transitions)
    assert_told_once(transitions, expected(events))
    assert_pushed_once(scene, transitions, profiles_of(events))
    assert_rows_exact(scene, events)
