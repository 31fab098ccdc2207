from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from redis.exceptions import ConnectionError as RedisConnectionError

from streams.offer import Prize
from streams.push.breaker_memory import MemoryBreaker
from streams.push.decider import Decider, following
from streams.push.memory import MemoryGate
from streams.push.policy import Standing
from streams.push.purse import Purse
from streams.push.purse_memory import MemoryStore
from streams.settings import DAY, Budget, Offer, Playbook, Push, Settings, Step
from streams.wire.event import Profile
from streams.wire.message import Envelope, Transition
from tests.push.test_trigger import Words

AT = 1_700_000_000_000
HOUR = DAY // 24


def deciding(settings, gate, purse=None, breaker=None):
    return Decider(settings, gate, purse or Purse(MemoryStore()), breaker or MemoryBreaker(settings.push))


ONE = {"reactivation": Playbook()}


class Asked(MemoryGate):
    """Keeps what it was asked."""

    def __init__(self):
        super().__init__()
        self.batches = []

    async def admit(self, asks):
        self.batches.append([ask.decision for ask in asks])
        return await super().admit(asks)


def dormant(user, at=AT, *, historic=False, to="dormant", seq=1):
    data = Transition("activity", "active", to, "time", seq, at, "1", historic, {})
    return Envelope(f"{user}:{at}", "awaken", f"awaken.activity.{to}", user, "", data)


class Town:
    """Users of whom all can be reached in their inbox but strangers; `away` are those who have left since."""

    allowed = ()

    def __init__(self, *away):
        self.away = away

    def profile(self, user):
        if user.startswith("stranger"):
            return None
        return Profile(user, AT, contacts={"inbox": user}, consent={"inbox": True})

    def standing(self, candidate):
        return Standing(there=candidate.user not in self.away)

    def words(self, user):  # noqa: ARG002
        return Words(interest="shoes")

    def approved(self, playbook):
        return playbook in self.allowed


def decide(decider, transitions, now=None, town=Town()):  # noqa: B008
    return asyncio.run(decider.decide(transitions, town, now))


def reasons(decisions):
    return [decision.reason for decision in decisions]


def test_every_candidate_ends_in_one_decision_in_order_and_the_gate_is_asked_once():
    gate = Asked()
    batch = [
        dormant("a"),
        dormant("b", to="active"),
        dormant("stranger"),
        dormant("c", historic=True),
        dormant("d"),
    ]
    decisions = decide(deciding(Settings(playbooks=ONE), gate), batch)
    assert [(d.user, d.reason) for d in decisions] == [
        ("a", "sent"),
        ("stranger", "no_consent"),
        ("c", "historic"),
        ("d", "sent"),
    ]
    assert gate.batches == [[f"reactivation:a:{AT}", f"reactivation:d:{AT}"]]


def test_a_batch_without_candidates_does_not_trouble_the_gate():
    gate = Asked()
    assert decide(deciding(Settings(playbooks=ONE), gate), [dormant("a", to="active")]) == []
    assert decide(deciding(Settings(playbooks=ONE), gate), []) == []
    assert gate.batches == []


def test_a_decision_bears_the_time_of_its_transition():
    (decision,) = decide(deciding(Settings(playbooks=ONE), MemoryGate()), [dormant("a", AT + 5)], now=AT + DAY)
    assert decision.at == AT + 5


def test_the_cap_counts_in_event_time_whatever_the_chunking():
    push = Push(cap_sends=2, cap_days=7)
    days = [0, 1, 2, 6.999, 7, 8, 8.5]
    batch = [dormant("a", AT + round(day * DAY)) for day in days]
    expected = ["sent", "sent", "capped", "capped", "sent", "sent", "capped"]
    whole, single = (
        deciding(Settings(playbooks=ONE, push=push), MemoryGate()),
        deciding(Settings(playbooks=ONE, push=push), MemoryGate()),
    )
    assert reasons(decide(whole, batch)) == expected
    assert [decide(single, [transition])[0].reason for transition in batch] == expected


def test_a_cap_of_zero_sends_nothing():
    decider = deciding(Settings(playbooks=ONE, push=Push(cap_sends=0)), MemoryGate())
    assert reasons(decide(decider, [dormant("a"), dormant("b")])) == ["capped", "capped"]


def test_deciding_again_after_a_crash_gives_the_same_decisions_and_counts_nothing_twice():
    gate, settings = MemoryGate(), Settings(playbooks=ONE, push=Push(cap_sends=2))
    batch = [dormant("a", AT + hour) for hour in range(4)]
    first = decide(deciding(settings, gate), batch)
    assert reasons(first) == ["sent", "sent", "capped", "capped"]
    assert decide(deciding(settings, gate), batch) == first


def test_one_transition_twice_in_a_batch_is_one_decision():
    assert reasons(decide(deciding(Settings(playbooks=ONE), MemoryGate()), [dormant("a"), dormant("a")])) == ["sent"]


def test_what_was_delivered_is_not_sent_again():
    gate = MemoryGate()
    (decision,) = decide(deciding(Settings(playbooks=ONE), gate), [dormant("a")])
    asyncio.run(gate.claim(decision.id, "a", "inbox"))
    asyncio.run(gate.finish(decision.id, "a", ["inbox"]))
    (again,) = decide(deciding(Settings(playbooks=ONE), gate), [dormant("a")])
    assert (again.id, again.action, again.reason) == (decision.id, "suppress", "already_sent")


def test_with_a_clock_old_transitions_are_historic_though_nobody_marked_them():
    decider = deciding(Settings(playbooks=ONE, historic_hours=72), MemoryGate())
    batch = [dormant("a"), dormant("b", AT + 1)]
    assert reasons(decide(decider, batch, now=AT + 3 * DAY + 1)) == ["historic", "sent"]


def test_without_a_clock_only_the_mark_counts():
    assert reasons(decide(deciding(Settings(playbooks=ONE), MemoryGate()), [dormant("a", 1)])) == ["sent"]


def test_a_gate_out_of_reach_decides_nothing():
    class Gone(MemoryGate):
        async def admit(self, asks):  # noqa: ARG002
            raise RedisConnectionError

    with pytest.raises(RedisConnectionError):
        decide(deciding(Settings(playbooks=ONE), Gone()), [dormant("stranger"), dormant("a")])


def test_who_left_since_is_not_pushed_for_and_the_gate_is_not_asked():
    gate = Asked()
    assert (
        reasons(decide(deciding(Settings(playbooks=ONE), gate), [dormant("u1")], town=Town("u1"))),
        gate.batches,
    ) == (
        ["no_longer"],
        [],
    )


def test_he_is_pushed_now_and_not_when_it_happened():
    push = Push(quiet_from="22:00", quiet_to="08:00", spread_minutes=0)  # AT is 22:13 UTC
    decider = deciding(Settings(playbooks=ONE, push=push), MemoryGate())
    [played] = decide(decider, [dormant("a")])
    [live] = decide(decider, [dormant("a")], now=AT + 10 * HOUR)
    assert (played.action, played.until) == ("hold", AT - AT % DAY + 32 * HOUR)
    assert live.action == "send"


LADDER = Playbook(
    steps=(Step(3, "More {interest|of it}", "…"), Step(7, "For you", "…", kind="offer")), again_days=0, exclusive="back"
)


def test_of_two_at_once_the_more_important_has_the_place_under_the_cap():
    playbooks = {"a": Playbook(priority=10), "b": Playbook(priority=90)}
    decider = deciding(Settings(playbooks=playbooks, push=Push(cap_sends=1)), MemoryGate())
    decisions = decide(decider, [dormant("u1")])
    assert [(d.playbook, d.reason) for d in decisions] == [("a", "capped"), ("b", "sent")]


def test_who_got_a_message_gets_the_next_when_its_days_have_passed():
    settings = Settings(playbooks={"ladder": LADDER})
    decider, steps = deciding(settings, MemoryGate()), []
    [decision] = decide(decider, [dormant("u1")])
    while decision is not None:
        step = following(decision, settings)
        if step is None:
            break
        steps.append((step.id, (step.until - AT) / DAY))
        [decision] = asyncio.run(decider.decide_steps([step], Town()))
        assert (decision.id, decision.at, decision.since, decision.reason) == (step.id, step.until, AT, "sent")
    assert steps == [(f"ladder/2:u1:{AT}", 3), (f"ladder/3:u1:{AT}", 7)]
    assert (decision.kind, decision.step) == ("offer", 3)


def test_who_came_back_gets_no_next_message():
    settings = Settings(playbooks={"ladder": LADDER})
    decider = deciding(settings, MemoryGate())
    [decision] = decide(decider, [dormant("u1")])
    [later] = asyncio.run(decider.decide_steps([following(decision, settings)], Town("u1")))
    assert (later.reason, following(later, settings)) == ("no_longer", None)


def test_who_is_withheld_from_goes_through_the_same_steps_as_if_he_were_not():
    settings = Settings(playbooks={"ladder": LADDER}, push=Push(holdout=1.0))
    [decision] = decide(deciding(settings, MemoryGate()), [dormant("u1")])
    assert decision.reason == "holdout"
    assert following(decision, settings).step == 2


def test_a_step_that_its_playbook_no_longer_has_is_none():
    settings = Settings(playbooks={"ladder": LADDER})
    [decision] = decide(deciding(settings, MemoryGate()), [dormant("u1")])
    step = following(decision, settings)
    for playbooks in ({}, {"ladder": Playbook()}, {"ladder": Playbook(enabled=False, steps=LADDER.steps)}):
        changed = deciding(Settings(playbooks=playbooks), MemoryGate())
        assert asyncio.run(changed.decide_steps([step], Town())) == []
    assert following(decision, Settings(playbooks={})) is None


def test_who_is_in_one_playbook_of_a_group_gets_nothing_of_another():
    playbooks = {"ladder": LADDER, "other": Playbook(on="activity.churned", exclusive="back")}
    decider = deciding(Settings(playbooks=playbooks), MemoryGate())
    assert reasons(decide(decider, [dormant("u1"), dormant("u1", AT + 13 * DAY, to="churned")])) == [
        "sent",
        "exclusive",
    ]
    assert reasons(decide(decider, [dormant("u1", AT + 14 * DAY, to="churned")])) == ["sent"]


def budgeted(**budget):
    playbooks = {"a": Playbook(kind="offer", offer="back", budget="spring")}
    offers = {"back": Offer(kind="exclusive", value=10, per_user=0)}
    return Settings(
        playbooks=playbooks, offers=offers, budgets={"spring": Budget(**budget)}, push=Push(secret="x" * 16)
    )


def test_what_a_budget_has_no_room_for_is_refused_and_says_so():
    decider = deciding(budgeted(amount=25), MemoryGate())
    decisions = decide(decider, [dormant(f"u{n}") for n in range(4)])
    assert reasons(decisions) == ["sent", "sent", "budget", "budget"]
    assert decisions[2].trace[-1].detail == "no room in budgets.spring"
    assert reasons(decide(decider, [dormant(f"u{n}") for n in range(4)])) == reasons(decisions)


def test_a_user_who_has_had_his_share_stands_in_nobodys_way():
    decider = deciding(budgeted(amount=100, per_user=10), MemoryGate())
    batch = [dormant("a"), dormant("a", AT + HOUR), dormant("b")]
    assert reasons(decide(decider, batch)) == ["sent", "budget", "sent"]


def test_for_the_withheld_nothing_is_reserved_but_without_room_they_would_have_got_nothing():
    settings = budgeted(amount=25)
    settings = replace(settings, push=replace(settings.push, holdout=1.0))
    purse = Purse(MemoryStore())
    batch = [dormant(f"u{n}") for n in range(4)]
    assert reasons(decide(deciding(settings, MemoryGate(), purse), batch)) == ["holdout"] * 4
    treated = replace(settings, push=replace(settings.push, holdout=0))
    assert reasons(decide(deciding(treated, MemoryGate(), purse), batch)) == ["sent", "sent", "budget", "budget"]
    assert reasons(decide(deciding(settings, MemoryGate(), purse), batch)) == ["budget"] * 4


def test_a_prize_of_which_nothing_is_left_is_drawn_again():
    prizes = {"gold": Prize(0.5, 10, 2), "tin": Prize(0.5, 1)}
    playbooks = {"a": Playbook(kind="offer", offer="draw", body="You have won: {offer.prize|nothing}")}
    offers = {"draw": Offer(kind="lucky_draw", prizes=prizes, everybody_wins=True, per_user=0)}
    settings = Settings(playbooks=playbooks, offers=offers, push=Push(secret="x" * 16))
    decider, batch = deciding(settings, MemoryGate()), [dormant(f"u{n}") for n in range(20)]
    decisions = decide(decider, batch)
    assert reasons(decisions) == ["sent"] * 20
    assert sorted(d.offer.prize for d in decisions) == ["gold"] * 2 + ["tin"] * 18
    assert all(d.body == f"You have won: {d.offer.prize}" for d in decisions)
    assert decide(decider, batch) == decisions


def test_where_nothing_is_left_for_everybody_to_win_there_is_no_entry():
    offers = {"draw": Offer(kind="lucky_draw", prizes={"gold": Prize(1, 10, 2)}, everybody_wins=True, per_user=0)}
    playbooks = {"a": Playbook(kind="offer", offer="draw")}
    decider = deciding(Settings(playbooks=playbooks, offers=offers, push=Push(secret="x" * 16)), MemoryGate())
    assert reasons(decide(decider, [dormant(f"u{n}") for n in range(3)])) == ["sent", "sent", "budget"]


def test_an_offer_that_is_not_declared_is_none_and_its_playbook_says_so():
    decider = deciding(Settings(playbooks={"a": Playbook(kind="offer", offer="back")}), MemoryGate())
    [decision] = decide(decider, [dormant("u1")])
    assert (decision.reason, decision.trace[-1].detail) == ("offer_gone", "back: there is no [offers.back]")


def test_what_is_beyond_the_usual_is_held_until_somebody_approves_it():
    settings = Settings(playbooks=ONE, push=Push(breaker_least=2, approval_hours=12))
    decider, town = deciding(settings, MemoryGate()), Town()
    decisions = decide(decider, [dormant(f"u{n}") for n in range(3)], AT, town)
    assert [(d.action, d.reason) for d in decisions] == [("send", "sent")] * 2 + [("hold", "breaker")]
    assert decisions[2].until == AT + 12 * HOUR
    town.allowed = ("reactivation",)
    assert reasons(decide(decider, [dormant("u3")], AT, town)) == ["sent"]


def test_what_there_is_no_room_for_does_not_count_against_his_cap():
    settings = budgeted(amount=5)
    settings = replace(settings, push=replace(settings.push, cap_sends=1))
    settings = replace(settings, playbooks=settings.playbooks | {"free": Playbook(on="activity.churned")})
    decider = deciding(settings, MemoryGate())
    for _ in range(2):
        assert reasons(decide(decider, [dormant("a")])) == ["budget"]
        assert reasons(decide(decider, [dormant("a", AT + HOUR, to="churned")])) == ["sent"]
