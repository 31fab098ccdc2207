"""A shard: users come, change, are written, read back, erased, and follow new rules."""

import numpy as np
import orjson
import pytest

from streams import consent, rulebook
from streams import shard as room
from streams.core.row import (
    CHANNELS,
    CLICK_KINDS,
    CLICKS,
    DAY,
    EVENT,
    FEEDBACK,
    FEEDBACK_KINDS,
    NEVER,
    ORDERS,
    PROFILES,
    SEED,
    THRESHOLD_CAUSE,
)
from streams.core.rules import activity_only
from streams.people import People
from streams.portrait import portrait
from streams.settings import Settings
from streams.shard import FIRST_CAPACITY, Plan, Shard
from streams.threshold import Own, Value
from streams.wire.block import Pairs

T0 = 1_700_438_400_000  # 2023-11-20, a Monday, 00:00 UTC
SETTINGS = Settings(
    own={
        "age": Own(of="attributes.age", bands={"young": 0, "grown": 18}),
        "region": Own(of="attributes.region", values={"north": ("Beijing", "1"), "south": ("Shenzhen",)}),
    },
    kinds={"rider": {"activity": {"dormant_days": 3}}},
)
BOOK = rulebook.build(SETTINGS)
AGE, REGION = (BOOK.dimensions.index(name) for name in ("age", "region"))


class Town:
    """A shard, and what happens in it."""

    def __init__(self, book=BOOK):
        self.shard = Shard(book)
        self.offset = 0

    def click(self, user, at=T0, kind="view", **more):
        return self.tell(user, at, CLICKS, kind=CLICK_KINDS.index(kind), act=1, **more)

    def buy(self, user, at=T0, amount=1_000, **more):
        return self.tell(user, at, ORDERS, act=1, amount=amount, hash=self.offset + 1, **more)

    def profile(self, user, at=T0, **said):
        return self.tell(user, at, PROFILES, {"user": user, "at": at} | said)

    def hear(self, user, kind, at=T0, **said):
        told = {"user": user, "at": at, "decision": "d", "kind": kind} | said
        return self.tell(user, at, FEEDBACK, told, kind=FEEDBACK_KINDS.index(kind))

    def tombstone(self, user, at=T0):
        return self.tell(user, at, PROFILES, None)

    def tell(self, user, at, source, told=(), **fields):
        event = np.zeros(1, EVENT)
        for name, value in ({"at": at, "source": source, "offset": self.offset} | fields).items():
            event[name] = value
        payload = None if told is None else orjson.dumps(told)
        payloads = {} if told == () else {(source, self.offset): payload}
        self.offset += 1
        event["row"] = self.shard.intern([user.encode()])
        return self.shard.fold(event, payloads)

    def row(self, user):
        return self.shard.rows[self.shard.index.find(user.encode())]

    def word(self, user, place):
        return self.shard.book.values[place][self.row(user)["values"][place]]


@pytest.fixture
def town():
    return Town()


def holds_since(shard, user, *asked):
    return People(shard, [user]).holds_since(0, *asked)


def restored(shard, book=BOOK):
    """Another shard, of what this one has written."""
    other = Shard(book)
    other.restore(shard.take_changed())
    other.settle()
    return other


def test_it_grows_beyond_its_first_capacity(town):
    keys = [b"u%d" % k for k in range(3 * FIRST_CAPACITY)]
    events = np.zeros(len(keys), EVENT)
    events["at"], events["offset"], events["kind"] = T0, np.arange(len(keys)), 2
    events["row"] = town.shard.intern(keys)
    town.shard.fold(events, {})
    town.shard.fold(events[:0], {})
    shard = town.shard
    assert len(shard.rows) == len(shard.due) == len(shard.changed) >= len(keys)
    assert np.all(shard.due[: len(keys)] < NEVER)
    assert shard.population[0, 1] == len(keys)
    deadlines = shard.due[: len(keys)].copy()
    strangers = shard.intern([b"new", b"other"])
    assert np.all(shard.due[strangers] == NEVER)
    assert (shard.intern(keys) == events["row"]).all()
    assert (shard.due[: len(keys)] == deadlines).all()
    assert len(shard.advance(T0 + 8 * DAY)) >= len(keys)


def test_keys_that_are_spans_are_users_as_any(town):
    pairs = Pairs.of((b"u%d" % k, b"what it says") for k in range(3 * FIRST_CAPACITY))
    who = town.shard.intern_spans(pairs.data, pairs.keys)
    assert who.tolist() == list(range(len(pairs.keys)))
    assert town.shard.intern([b"u7", b"u5"]).tolist() == [7, 5]
    assert len(town.shard.rows) >= len(who)
    assert np.all(town.shard.due[who] == NEVER)


def test_names_have_codes_only_where_a_dimension_asks_for_them(town):
    assert town.shard.names().sides["rider"] == 2
    assert town.shard.names().sides["nobody"] == 0
    assert Shard(activity_only()).names() is None


def test_its_pool_of_orders_grows_too(town):
    for k in range(FIRST_CAPACITY + 50):
        town.buy(f"u{k}")
    assert len(town.shard.pool) > FIRST_CAPACITY
    assert all(len(town.shard.orders(row)) == 1 for row in (0, FIRST_CAPACITY, FIRST_CAPACITY + 49))


def test_what_changed_is_told_once(town):
    town.click("a")
    town.click("b")
    changed = dict(town.shard.take_changed().each())
    assert {b"a", b"b"} <= changed.keys()
    assert None not in changed.values()
    assert len(town.shard.take_changed()) == 0
    town.click("b", T0 + 1)
    assert next(town.shard.take_changed().each())[0] == b"b"


def test_names_and_periods_are_written_beside_the_users(town):
    code = town.shard.categories["shoes"], town.shard.origins["ad"]
    town.click("a", category=code[0], origin=code[1])
    other = restored(town.shard)
    assert (other.categories.name(code[0]), other.origins.name(code[1])) == ("shoes", "ad")
    assert np.array_equal(other.periods, town.shard.periods)
    assert other.sources[code[1]] == 1
    assert len(other.take_changed()) == 0


def test_a_user_is_erased_whole(town):
    town.click("a", origin=town.shard.origins["ad"])
    town.buy("a")
    town.profile("a", contacts={"email": "a@example.org"}, consent={"email": True})
    town.click("b")
    town.shard.take_changed()
    moves = town.tombstone("a", T0 + 5)
    shard = town.shard
    assert len(moves) == 0
    assert shard.erased == [b"a"]
    assert (shard.number(b"a"), shard.profile(b"a"), shard.seqs([b"a"])) == (None, None, [0])
    assert len(shard.orders(0)) == 0
    assert shard.due[0] == NEVER
    assert [key for key, _ in shard.users()] == [b"b"]
    assert shard.population[0, 1] == 1
    assert shard.sources[1] == 0
    assert list(shard.take_changed().each()) == [(b"a", None)]


def test_a_tombstone_read_back_erases(town):
    town.click("a")
    town.buy("a")
    other = restored(town.shard)
    town.tombstone("a", T0 + 5)
    other.restore(town.shard.take_changed())
    other.settle()
    assert other.number(b"a") is None
    assert list(other.users()) == []


def test_a_profile_that_comes_again_is_skipped(town):
    town.profile("a", attributes={"age": 20})
    event = np.zeros(1, EVENT)
    event["source"], event["at"], event["offset"] = PROFILES, T0, 0
    payload = orjson.dumps({"user": "a", "at": T0, "attributes": {"age": 3}})
    assert len(town.shard.fold(event, {(PROFILES, 0): payload})) == 0
    assert town.shard.skipped == 1
    assert town.word("a", AGE) == "grown"


def test_attributes_give_own_dimensions_their_values(town):
    for attributes, age, region in (
        ({"age": 18, "region": "Beijing"}, "grown", "north"),
        ({"age": 17.9, "region": "Shenzhen"}, "young", "south"),
        ({"age": "18", "region": "elsewhere"}, "none", "none"),
        ({"age": True, "region": 1}, "none", "north"),
        ({}, "none", "none"),
    ):
        town.profile("a", T0, attributes=attributes)
        assert (town.word("a", AGE), town.word("a", REGION)) == (age, region)


def test_a_profile_says_where_he_is_reached_and_of_merged_accounts_the_most_restrictive_wins(town):
    town.profile(
        "a", contacts={"email": "e", "sms": ""}, consent={"email": True, "sms": True}, seed=True,
        merged=[{"user": "b", "consent": {"email": True}}],
    )  # fmt: skip
    row = town.row("a")
    assert row["contacts"] == row["consents"] == 1 << CHANNELS.index("email")
    assert row["flags"] & SEED
    town.profile("a", consent={"email": True}, merged=[{"user": "b", "consent": {"email": False}}])
    assert (town.row("a")["contacts"], town.row("a")["consents"], town.row("a")["flags"]) == (0, 0, 0)


def reached(town, user):
    contact = portrait(town.shard, user.encode())["contact"]
    return contact["reachable"], contact["allowed"]


def test_what_he_says_back_counts_at_once_and_outlives_the_next_profile(town):
    both = {"email": "e", "sms": "s"}
    town.profile("a", contacts=both, consent=dict.fromkeys(both, True))
    town.hear("a", "unsubscribed", T0 + 5, channel="email")
    assert reached(town, "a") == (["sms", "email"], ["sms"])
    town.hear("a", "bounced", T0 + 6, channel="sms")
    assert reached(town, "a") == (["email"], ["sms"])
    town.profile("a", T0 + 4, contacts=both, consent=dict.fromkeys(both, True))
    assert reached(town, "a") == (["email"], ["sms"])
    town.profile("a", T0 + 7, contacts=both, consent=dict.fromkeys(both, True))
    assert reached(town, "a") == (["sms", "email"], ["sms", "email"])


def test_of_whom_there_is_no_profile_what_he_said_is_kept(town):
    town.hear("a", "complained", T0 + 5)
    town.hear("a", "opened", T0 + 6)
    assert consent.allowed(consent.read(town.shard.profile(b"a"))) == {}
    town.profile("a", T0, contacts={"email": "e"}, consent={"email": True})
    assert reached(town, "a") == (["email"], [])
    assert restored(town.shard).profile(b"a") == town.shard.profile(b"a")


def test_what_he_says_that_comes_again_is_skipped(town):
    town.hear("a", "unsubscribed", channel="email")
    event = np.zeros(1, EVENT)
    event["source"], event["kind"], event["at"] = FEEDBACK, FEEDBACK_KINDS.index("subscribed"), T0 + 9
    again = {(FEEDBACK, 0): orjson.dumps({"user": "a", "at": T0 + 9, "decision": "d", "kind": "subscribed"})}
    assert len(town.shard.fold(event, again)) == 0
    assert town.shard.skipped == 1
    assert consent.read(town.shard.profile(b"a")).said.keys() == {"email"}


def test_objections_are_told_once_and_with_the_decision_that_they_are_about(town):
    for kind in ("unsubscribed", "subscribed", "bounced", "delivered", "complained"):
        town.hear("a", kind, channel="email")
    assert [feedback.kind for feedback in town.shard.objections] == ["unsubscribed", "complained"]
    assert {feedback.decision for feedback in town.shard.objections} == {"d"}


def test_who_is_erased_has_said_nothing(town):
    town.hear("a", "unsubscribed", T0 + 5)
    town.tombstone("a", T0 + 6)
    assert town.shard.profile(b"a") is None


@pytest.mark.parametrize("name", ["wechat", "wechat_mini", "wecom"])
def test_one_bit_stands_for_all_ways_by_wechat(town, name):
    town.profile("a", contacts={name: "o1"}, consent={name: True})
    row = town.row("a")
    assert row["contacts"] == row["consents"] == 1 << CHANNELS.index("wechat")


def test_a_profile_says_his_kind(town):
    town.click("a")
    town.profile("a", side="rider")
    assert town.shard.book.kinds[town.row("a")["kind"]] == "rider"
    town.profile("a", side="nobody of that name")
    assert town.shard.book.kinds[town.row("a")["kind"]] == "rider"
    town.shard.advance(T0 + 3 * DAY + 1)
    assert town.word("a", 0) == "dormant"


def test_who_becomes_another_kind_by_his_profile_is_judged_by_its_thresholds_when_he_says_so(town):
    town.click("a")
    moves = town.profile("a", T0 + 5 * DAY, side="rider")
    [move] = moves[moves["dimension"] == 0]
    assert (move["at"], move["cause"], town.word("a", 0)) == (T0 + 5 * DAY, THRESHOLD_CAUSE, "dormant")


def test_who_is_dormant_in_his_new_kind_too_stays_so(town):
    town.click("a")
    town.shard.advance(T0 + 14 * DAY + 1)
    assert town.word("a", 0) == "dormant"
    for at in (T0, T0 + 15 * DAY):
        assert not len(town.profile("a", at, side="rider"))


def test_a_profiles_time_moves_no_clock(town):
    town.click("a")
    town.profile("a", T0 + 400 * DAY)
    assert town.shard.newest == T0
    assert town.word("a", 0) == "new"


def test_who_is_unknown_is_nobody(town):
    assert (town.shard.number(b"x"), town.shard.seqs([b"x"]), town.shard.profile(b"x")) == (None, [0], None)


def test_deadlines_are_derived_anew_after_recovery(town):
    town.click("a")
    town.buy("b")
    other = restored(town.shard)
    assert other.due[:2].tolist() == town.shard.due[:2].tolist()
    assert other.advance(T0 + 90 * DAY).tobytes() == town.shard.advance(T0 + 90 * DAY).tobytes()


def stricter(number=2):
    changed = Settings(own=SETTINGS.own, kinds=SETTINGS.kinds, value=Value(frequency_orders=1))
    return rulebook.build(changed, BOOK, number)


def test_new_rules_come_to_so_many_at_once(town, monkeypatch):
    monkeypatch.setattr(room, "FOLLOWED_AT_ONCE", 10)
    for k in range(35):
        town.buy(f"u{k}")
    town.shard.advance(T0 + 1)
    town.shard.adopt(T0 + DAY, stricter())
    moved = [town.shard.advance(T0 + DAY) for _ in range(5)]
    assert [len(moves) for moves in moved] == [10, 10, 10, 5, 0]
    assert all(np.all(moves["cause"] == THRESHOLD_CAUSE) for moves in moved)


def test_an_event_comes_under_new_rules_before_their_turn(town, monkeypatch):
    monkeypatch.setattr(room, "FOLLOWED_AT_ONCE", 1)
    town.buy("a")
    town.buy("b")
    town.shard.adopt(T0 + DAY, stricter())
    moves = town.click("b", T0 + DAY + 5)
    rfm = BOOK.dimensions.index("rfm")
    assert [(m["cause"], m["at"], m["rules"]) for m in moves if m["dimension"] == rfm] == [
        (THRESHOLD_CAUSE, T0 + DAY, 2)
    ]


def test_events_are_folded_under_the_rules_of_their_time():
    lax, strict = activity_only(NEVER, 20 * DAY, NEVER), activity_only(NEVER, 5 * DAY, NEVER)._replace(number=2)
    town = Town(lax)
    town.shard.plan([Plan(0, lax), Plan(T0 + 8 * DAY, strict)])
    town.click("a")
    town.click("a", T0 + 7 * DAY)
    assert town.word("a", 0) == "active"
    town.click("a", T0 + 14 * DAY)
    assert town.shard.book.number == 2
    assert town.word("a", 0) == "returning"


def test_a_plan_begins_with_what_held_when_it_was_last_at_work(town):
    old, new = BOOK, stricter()
    town.buy("a", T0 + 3 * DAY)
    other = Shard(old)
    other.restore(town.shard.take_changed())
    other.settle()
    other.plan([Plan(T0 + 2 * DAY, new), Plan(0, old)])
    assert other.book.number == 2
    assert len(other.advance(T0 + 3 * DAY)) == 1


def test_it_knows_who_still_is_where_he_came_to(town):
    town.click("a")
    town.shard.advance(T0 + 14 * DAY + 1)
    assert holds_since(town.shard, b"a", "activity", "dormant", T0 + 14 * DAY)
    assert holds_since(town.shard, b"a", "stage", "dormancy", T0 + 14 * DAY + 5)  # to the day
    for dimension, value, at in [
        ("activity", "churned", T0 + 14 * DAY),
        ("activity", "dormant", T0 + 14 * DAY + 1),
        ("nothing", "dormant", T0 + 14 * DAY),
    ]:
        assert not holds_since(town.shard, b"a", dimension, value, at)
    town.click("a", T0 + 15 * DAY)
    assert not holds_since(town.shard, b"a", "activity", "dormant", T0 + 14 * DAY)


def test_an_event_finds_the_deadline_that_new_stops_give_its_user_before_its_turn():
    town = Town(activity_only(NEVER, 14 * DAY, NEVER))
    town.click("a")
    town.shard.trust(NEVER, np.array([[T0 + 1, NEVER]]))
    town.shard.advance(T0 + 1)
    assert town.shard.due[0] == NEVER
    town.shard.trust(NEVER, np.empty((0, 2), np.int64))
    moves = town.click("a", T0 + 15 * DAY)
    assert [town.shard.book.values[0][to] for to in moves["to"]] == ["dormant", "returning"]
