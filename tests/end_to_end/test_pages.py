"""/health and /metrics tell the truth: ready when there is work, figures equal to what was written."""

from collections import Counter

from streams.core.row import SOURCES
from tests.end_to_end.history import generate
from tests.end_to_end.law import assert_told_once
from tests.end_to_end.scene import PARTITIONS, expected


def test_a_worker_is_ready_once_the_group_has_given_it_partitions(scene):
    holds_up = scene.start_ready("the one that holds the group up")
    holds_up.kill()  # the group waits for him until his session is over
    waits = scene.start("the one that waits")
    scene.wait("it to answer", lambda: waits.page("/health/live")[0] == 200)
    status, text = waits.page("/health/ready")
    assert (status, waits.held()) == (503, 0)
    assert "waiting for the group" in text
    scene.wait("it to be ready", waits.ready)
    assert waits.held() == PARTITIONS
    assert waits.problems() == waits.problems("live") == []


def test_the_metrics_are_the_figures_of_what_was_written(scene):
    events = generate(seed=11)
    scene.write(events)
    names = scene.settings.topics
    scene.write_records([(names.clicks, b"bad", b"{", events[-1].at, [])])
    worker = scene.start_ready()
    scene.await_pushed()
    scene.wait("the lag to be none", lambda: worker.lags() == [0] * len(SOURCES) * PARTITIONS)
    transitions, decisions, outcomes = scene.transitions(), scene.decisions(), scene.outcomes()
    assert_told_once(transitions, expected(events))
    counts = Counter(getattr(names, event.source) for event in events)
    assert worker.by("awaken_events_total", "topic") == {(name,): count for name, count in counts.items()}
    assert worker.by("awaken_dead_letters_total", "topic", "reason") == {(names.clicks, "not-json"): 1}
    found = worker.by("awaken_transitions_total", "dimension", "to", "cause")
    assert found == Counter(("activity", e.data.to, e.data.cause) for e in transitions)
    found = worker.by("awaken_decisions_total", "playbook", "reason")
    assert found == Counter(("reactivation", d.reason) for d in decisions)
    found = worker.by("awaken_deliveries_total", "channel", "outcome")
    assert found == Counter((o.channel, o.outcome) for o in outcomes)
    last = {envelope.subject: envelope.data.to for envelope in transitions}
    assert worker.by("awaken_users", "dimension", "value") == Counter(("activity", name) for name in last.values())
    written = worker.by("awaken_commit_records_total", "topic")
    for name, found in ((names.lifecycle_transitions, transitions), (names.push_decisions, decisions)):
        assert written[name,] == len(found)
    scene.stop(worker)


def test_workers_that_share_count_each_user_and_each_partition_once(scene):
    events = generate(users=60, seed=12)
    scene.write(events)
    first = scene.start_ready("the first")
    scene.await_folded()
    others = [scene.start(f"another {number}") for number in range(PARTITIONS - 1)]
    scene.wait("all to share", lambda: all(w.ready() and w.held() == 1 for w in (first, *others)))
    users = len({event.user for event in events if event.is_act})
    workers = (first, *others)
    scene.wait("their users to add up", lambda: sum(w.metric("awaken_users") for w in workers) == users)
    scene.wait(
        "each to tell the lag of its own partition alone", lambda: all(len(w.lags()) == len(SOURCES) for w in workers)
    )
