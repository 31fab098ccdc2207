"""Trials: whose window opens, what is counted of it and when, and that it outlives its worker, once."""

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import rulebook
from streams.core.row import CLICKS, DAY, EVENT, FEEDBACK, FEEDBACK_KINDS, ORDER_KINDS, ORDERS, PROFILES
from streams.playbook import ALL
from streams.settings import Settings
from streams.shard import Shard
from streams.tally import Tally, merge, plain, plus, read
from streams.trial import KEPT_DAYS
from streams.wire.message import Decision

T0 = 1_700_438_400_000  # a UTC midnight
WEEK = 7 * DAY
BOOK = rulebook.build(Settings())
ENDED = T0 // DAY + 7


class Town:
    """A shard, and what happens in it."""

    def __init__(self):
        self.shard, self.offset = Shard(BOOK), 0

    def tell(self, user, at, source, payload=b"", **fields):
        event = np.zeros(1, EVENT)
        for name, value in ({"at": at, "source": source, "offset": self.offset} | fields).items():
            event[name] = value
        event["row"] = self.shard.intern([user.encode()])
        self.shard.fold(event, {} if payload == b"" else {(source, self.offset): payload})
        self.offset += 1

    def visit(self, user, at=T0 - DAY):
        self.tell(user, at, CLICKS, act=1)

    def buy(self, user, at, amount=1_000, order=1, kind="paid"):
        self.tell(user, at, ORDERS, act=kind == "paid", amount=amount, hash=order, kind=ORDER_KINDS.index(kind))

    def hear(self, user, at, kind):
        self.tell(user, at, FEEDBACK, kind=FEEDBACK_KINDS.index(kind))

    def erase(self, user, at):
        self.tell(user, at, PROFILES, payload=None)

    def decide(self, user="u1", at=T0, **more):
        self.shard.trials.open(decision(user, at, **more))

    def pass_to(self, watermark):
        self.shard.advance(watermark)
        return self.shard.settle_trials()

    def tally(self, name="reactivation", arm="treated"):
        return total(self.shard.trials.sums, name, arm)


def decision(user="u1", at=T0, reason="sent", playbook="reactivation"):
    action = {"sent": "send", "quiet_hours": "hold"}.get(reason, "suppress")
    return Decision(f"{playbook}:{user}-{at}", user, at, playbook, f"{user}-1-0", action, reason, ("inbox",), ())


def total(sums, name="reactivation", arm="treated", kind="day"):
    found = Tally()
    for slot, tally in sums.items():
        if slot[:3] == (name, arm, kind):
            found = plus(found, tally)
    return found


@pytest.fixture
def town():
    town = Town()
    town.visit("u1")
    return town


def restored(shard):
    other = Shard(BOOK)
    other.restore(shard.take_changed())
    other.settle()
    return other


def test_what_he_buys_within_the_window_counts_and_nothing_else(town):
    town.buy("u1", T0, order=1)
    town.decide()
    town.buy("u1", T0 + 1, amount=300, order=2)
    town.buy("u1", T0 + WEEK, amount=200, order=3)
    town.buy("u1", T0 + WEEK + 1, order=4)
    assert town.pass_to(T0 + WEEK + DAY) == [("reactivation", "treated"), (ALL, "treated")]
    assert town.tally() == Tally(users=1, conversions=1, spend=500, squares=250_000)
    assert town.tally(ALL) == town.tally()
    assert {s.number for s in town.shard.trials.sums if s.kind == "day"} == {ENDED}
    assert town.pass_to(T0 + 30 * DAY) == []


def test_nothing_is_settled_until_the_watermark_is_past_the_window(town):
    town.decide()
    assert town.pass_to(T0 + WEEK) == []
    town.buy("u1", T0 + 1)  # late, but before the watermark is past the window
    assert town.pass_to(T0 + WEEK + 1)
    assert town.tally().conversions == 1


def test_nothing_is_settled_while_the_input_is_not_vouched_for(town):
    town.decide()
    town.shard.trust(T0 + DAY, np.empty((0, 2), np.int64))
    assert town.pass_to(T0 + 20 * DAY) == []
    town.buy("u1", T0 + 2 * DAY)
    town.shard.trust(T0 + 20 * DAY, np.empty((0, 2), np.int64))
    assert town.pass_to(T0 + 20 * DAY)
    assert town.tally().conversions == 1


def test_an_order_that_is_paid_back_counts_for_nothing_and_in_part_for_the_rest(town):
    town.decide()
    town.visit("u2")
    town.decide("u2")
    town.buy("u1", T0 + 1, amount=900)
    town.buy("u1", T0 + 2, amount=900, kind="refunded")
    town.buy("u2", T0 + 1, amount=900)
    town.buy("u2", T0 + 2, amount=400, kind="refunded")
    town.pass_to(T0 + WEEK + 1)
    assert town.tally() == Tally(users=2, conversions=1, spend=500, squares=250_000)


def test_the_withheld_are_counted_apart_and_whoever_is_refused_is_not():
    town = Town()
    for user, reason in (
        ("u1", "sent"),
        ("u2", "holdout"),
        ("u3", "quiet_hours"),
        ("u4", "capped"),
        ("u5", "no_longer"),
    ):
        town.visit(user)
        town.decide(user, reason=reason)
    town.pass_to(T0 + WEEK + 1)
    assert (town.tally().users, town.tally(arm="holdout").users) == (2, 1)
    assert (town.tally(ALL).users, town.tally(ALL, "holdout").users) == (2, 1)


def test_several_messages_within_the_window_count_once_and_a_later_one_anew(town):
    town.decide()
    town.decide(at=T0 + DAY)
    town.decide(at=T0 + DAY, playbook="renewal")
    assert town.shard.trials.waiting() == {
        ("reactivation", "treated"): 1,
        ("renewal", "treated"): 1,
        (ALL, "treated"): 1,
    }
    town.pass_to(T0 + WEEK + 2 * DAY)
    assert (town.tally().users, town.tally("renewal").users, town.tally(ALL).users) == (1, 1, 1)
    town.decide(at=T0 + 9 * DAY)
    town.pass_to(T0 + 17 * DAY)
    assert (town.tally().users, town.tally(ALL).users) == (2, 2)


def test_a_playbooks_own_holdout_is_not_that_of_all_pushes(town):
    town.shard.trials.open(decision(reason="holdout"), of_all="treated")
    town.pass_to(T0 + WEEK + 1)
    assert (town.tally(arm="holdout").users, town.tally(ALL).users) == (1, 1)


def test_decided_once_more_after_offsets_were_set_back_it_is_still_counted_once(town):
    town.shard.trials.window_ms, town.shard.trials.patience_ms = DAY, 3 * DAY
    town.decide()
    town.buy("u1", T0 + 2 * DAY)
    town.shard = restored(town.shard)
    assert town.pass_to(T0 + 2 * DAY) == []
    town.decide()
    town.pass_to(T0 + 4 * DAY)
    assert (town.tally().users, town.tally().conversions) == (1, 0)


def test_who_objects_within_the_window_is_counted_as_one_who_did(town):
    for user, at in (("u2", T0 - 1), ("u3", T0 + WEEK + 1)):
        town.visit(user)
        town.decide(user)
        town.hear(user, at, "unsubscribed")
    town.decide()
    town.hear("u1", T0 + 1, "opened")
    town.hear("u1", T0 + DAY, "complained")
    town.hear("u1", T0 + DAY, "unsubscribed")
    town.pass_to(T0 + WEEK + DAY)
    assert (town.tally().users, town.tally().objected) == (3, 1)


def test_who_is_lost_at_the_end_is_counted_so():
    town = Town()
    for user, last in (("back", T0 + DAY), ("dormant", T0 - 20 * DAY), ("churned", T0 - 28 * DAY)):
        town.visit(user, last)
        town.decide(user)
    town.pass_to(T0 + WEEK + 1)
    found = town.tally()
    assert (found.users, found.dormant, found.churned) == (3, 1, 1)


def test_who_is_erased_is_forgotten_but_for_the_sums(town):
    town.visit("u2")
    for user in ("u1", "u2"):
        town.decide(user)
    town.pass_to(T0 + WEEK + 1)
    town.decide("u1", at=T0 + 8 * DAY)
    town.decide("u2", at=T0 + 8 * DAY)
    town.shard.take_changed()
    town.erase("u1", T0 + 9 * DAY)
    assert [v for k, v in town.shard.take_changed().each() if k.endswith(b"window\0u1")] == [None]
    assert town.shard.trials.waiting()["reactivation", "treated"] == 1
    town.pass_to(T0 + 16 * DAY)
    assert town.tally().users == 3


def test_days_that_are_long_past_are_forgotten_everywhere(town):
    town.decide()
    town.pass_to(T0 + WEEK + 1)
    other = restored(town.shard)
    later = T0 + (KEPT_DAYS + 1) * DAY
    town.decide(at=later)
    town.pass_to(later + WEEK + 1)
    other.restore(town.shard.take_changed())
    for shard in (town.shard, other):
        assert {s.number for s in shard.trials.sums if s.kind == "day"} == {ENDED + KEPT_DAYS + 1}
        assert total(shard.trials.sums, kind="group").users == 2


def test_a_users_windows_stand_in_one_group():
    town = Town()
    for user in ("u1", "u2", "u3"):
        town.visit(user)
        for at in (T0, T0 + 8 * DAY):
            town.decide(user, at)
            town.pass_to(at + WEEK + 1)
    sums = town.shard.trials.sums
    assert total(sums, kind="group") == town.tally()
    assert all(tally.users % 2 == 0 for slot, tally in sums.items() if slot.kind == "group")


def test_the_sums_of_partitions_add_up_to_those_of_all():
    whole, parts = Town(), [Town(), Town()]
    for number in range(20):
        user, reason = f"u{number}", "holdout" if number % 3 == 0 else "sent"
        for town in (whole, parts[number % 2]):
            town.visit(user)
            town.decide(user, T0 + number * DAY, reason=reason)
            if number % 4:
                town.buy(user, T0 + (number + 1) * DAY, amount=100 * number)
    for town in (whole, *parts):
        town.pass_to(T0 + 60 * DAY)
    assert merge(town.shard.trials.sums for town in parts) == whole.shard.trials.sums
    told = orjson.loads(orjson.dumps(plain(whole.shard.trials.sums)))
    assert read(told) == whole.shard.trials.sums


def test_a_shard_that_is_read_back_says_what_changed_no_second_time(town):
    town.decide()
    other = restored(town.shard)
    assert [k for k in dict(other.take_changed().each()) if b"trial" in k] == []
    assert other.trials.waiting() == town.shard.trials.waiting()


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("decide"), st.sampled_from(["u1", "u2"]), st.sampled_from(["sent", "holdout"]),
            st.sampled_from(["one", "two"]),
        ),
        st.tuples(st.just("buy"), st.sampled_from(["u1", "u2"])),
        st.tuples(st.just("object"), st.sampled_from(["u1", "u2"])),
        st.tuples(st.just("erase"), st.sampled_from(["u1", "u2"])),
        st.tuples(st.just("pass"), st.integers(1, 9)),
        st.tuples(st.just("crash")),
    ),
    max_size=30,
)  # fmt: skip


@given(steps)
def test_a_trial_that_goes_from_worker_to_worker_counts_as_if_there_were_one(history):
    """`crash` reads the shard back from the changelog, and goes on there."""
    lone, moved, log = Town(), Town(), []
    day = 0
    for number, (word, *arguments) in enumerate([*history, ("pass", 30)]):
        if word == "crash":
            log.append(moved.shard.take_changed())
            moved.shard = Shard(BOOK)
            for written in log:
                moved.shard.restore(written)
            moved.shard.settle()
            continue
        day += arguments[0] if word == "pass" else 0
        for town in (lone, moved):
            happen(town, T0 + day * DAY + number, word, *arguments)
    assert moved.shard.trials.sums == lone.shard.trials.sums
    assert moved.shard.trials.waiting() == lone.shard.trials.waiting() == {}


def happen(town, at, word, user, reason="", playbook=""):
    match word:
        case "decide":
            town.visit(user, at)
            town.decide(user, at, reason=reason, playbook=playbook)
        case "buy":
            town.buy(user, at, amount=at % 1000, order=at)
        case "object":
            town.hear(user, at, "complained")
        case "erase":
            town.erase(user, at)
        case "pass":
            town.pass_to(at)


def test_of_whom_nothing_is_known_nothing_is_counted():
    town = Town()
    town.decide("nobody")
    assert town.pass_to(T0 + 20 * DAY) == []
    assert (town.shard.trials.sums, town.shard.trials.waiting()) == ({}, {})
