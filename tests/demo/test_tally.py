from streams.demo.tally import GLANCE_SECONDS, NEWEST, WINDOW_SECONDS, Once, Rate, Tally


def test_a_rate_is_of_the_last_seconds_and_a_total_of_all():
    rate = Rate()
    rate.add(300, 0.0)
    rate.add(600, 2.0)
    assert rate.total == 900
    assert rate.per_second(2.5) == 900 / WINDOW_SECONDS
    assert rate.per_second(3.5) == 600 / WINDOW_SECONDS
    assert rate.per_second(2.5, 1.0) == 600
    assert rate.per_second(60.0) == 0
    assert rate.total == 900


def test_once_is_once_and_forgets_the_oldest(monkeypatch):
    monkeypatch.setattr("streams.demo.tally.MAX_REMEMBERED", 2)
    once = Once()
    assert [once(word) for word in ("a", "a", "b", "c")] == [True, False, True, True]
    assert once("a")
    assert not once("c")


def test_events_by_topic_and_the_event_time():
    tally = Tally(0.0)
    tally.play({"clicks": 7, "orders": 2}, 1000, 0.1)
    tally.play({"clicks": 3}, 2000, 0.2)
    assert {topic: rate.total for topic, rate in tally.events.items()} == {
        "clicks": 10,
        "orders": 2,
        "profiles": 0,
    }
    assert (tally.first_at, tally.at, tally.sent) == (1000, 2000, 12)


def test_users_stand_in_the_class_they_came_to_last(make):
    tally = Tally(0.0)
    tally.transition(make.transition("h1", "none>new", seq=1, cause="event"), 1.0)
    tally.transition(make.transition("h2", "none>new", seq=1, cause="event"), 1.0)
    tally.transition(make.transition("h1", "new>active", seq=2, cause="event"), 2.0)
    assert (tally.users["new"], tally.users["active"]) == (1, 1)
    assert tally.transitions == {"none>new": 2, "new>active": 1}
    assert tally.moves.total == 3


def test_a_transition_that_comes_again_counts_once(make):
    tally = Tally(0.0)
    first = make.transition("h1", "none>new", seq=1)
    second = make.transition("h1", "new>active", seq=2)
    for message in (first, second, second, first):
        tally.transition(message, 1.0)
    assert tally.transitions == {"none>new": 1, "new>active": 1}
    assert (tally.users["new"], tally.users["active"]) == (0, 1)


def test_latency_is_from_production_to_sight_for_what_events_cause(make):
    tally = Tally(0.0)
    tally.play({"clicks": 1}, 1000, 5.0)
    tally.play({"clicks": 1}, 2000, 6.0)
    tally.transition(make.transition("h1", "none>new", cause="event", at=1500), 6.25)
    tally.transition(make.transition("h2", "active>dormant", cause="time", at=1500), 9.0)
    tally.transition(make.transition("h3", "none>new", cause="event", at=7000), 9.0)
    assert tally.latency.count == 1
    assert tally.latency.overall(0.5) == 250


def test_the_newest_transitions_change_at_a_pace_that_can_be_read(make):
    tally = Tally(0.0)
    for n in range(NEWEST):
        tally.transition(make.transition(f"h{n}"), 1.0)
    tally.transition(make.transition("early"), 1.0 + GLANCE_SECONDS / 2)
    tally.transition(make.transition("due"), 1.0 + GLANCE_SECONDS)
    users = [user for user, _ in tally.newest]
    assert users[0] == "due"
    assert "early" not in users
    assert len(users) == NEWEST
    assert tally.moves.total == NEWEST + 2


def test_decisions_by_reason_deliveries_by_channel_each_once(make):
    tally = Tally(0.0)
    for _ in range(2):
        tally.decision(make.decision("d1", channels=("inbox", "webhook")))
        tally.decision(make.decision("d2", "no_consent", ()))
        tally.outcome(make.outcome("d1", "inbox"))
        tally.outcome(make.outcome("d1", "webhook", "failed"))
    assert tally.decisions == {"sent": 1, "no_consent": 1}
    assert tally.outcomes == {("inbox", "delivered"): 1, ("webhook", "failed"): 1}
    assert tally.delivered == 1


def test_what_is_decided_waits_for_each_of_its_outcomes(make):
    tally = Tally(0.0)
    tally.decision(make.decision("d1", channels=("inbox", "webhook")))
    assert tally.waiting
    tally.outcome(make.outcome("d1", "inbox"))
    assert tally.waiting
    tally.outcome(make.outcome("d1", "webhook"))
    assert not tally.waiting


def test_an_outcome_may_be_read_before_its_decision(make):
    tally = Tally(0.0)
    tally.outcome(make.outcome("d1", "inbox"))
    tally.decision(make.decision("d1"))
    assert not tally.waiting


def test_received_pushes_count_by_their_key():
    tally = Tally(0.0)
    for key in ("a", "b", "a"):
        tally.receive(key)
    assert tally.received == 2


def test_the_trend_has_a_point_twice_a_second():
    tally = Tally(0.0)
    for n in range(100):
        now = n / 10
        tally.play({"clicks": 100}, n, now)
        tally.tick(now)
    assert 18 <= len(tally.trend) <= 20
    assert tally.trend[-1] == 1000
